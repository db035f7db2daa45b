"""A few requests, traced and projected one after another: what one worker does at a time.

A model that fails is a failure with its reason, and the others go on. The rows of a chunk become one
Parquet part; what is beside it in JSON says which requests they are of, and is written last.
"""

from __future__ import annotations

import atexit
import gc
import io
import json
import sys
import threading
import uuid
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from characterize import errors, features, fusion, session
from characterize import projection as projections
from characterize.hardware import Profile
from characterize.records import Graph
from characterize.store.schema import FIXED, HEAD, TAIL, split
from characterize.subjects import Subject
from characterize.sweeping.requests import Request

LARGEST: Final = 32  # models in one part, as long as there are not too many parts
_PARTS_WANTED: Final = 128  # as long as parts are smaller than that
_PARTS_MOST: Final = 1 << 17  # in one folder
_TYPES: Final = {
    "VARCHAR": pa.string(), "BIGINT": pa.int64(), "DOUBLE": pa.float64(), "BOOLEAN": pa.bool_(),
}  # fmt: skip
_one_at_a_time = threading.Lock()  # a trace changes PyTorch for its time


@dataclass(frozen=True)
class Chunk:
    """Requests that one worker takes together; a chunk has the same index in every run."""

    index: int
    requests: tuple[Request, ...]


@dataclass(frozen=True)
class Job:
    """What all chunks share. Workers that see the mark in the folder write their parts there."""

    folder: str
    mark: str
    profiles: tuple[Profile, ...]
    baseline: Profile


@dataclass(frozen=True)
class Failure:
    """A request without rows, and why."""

    model: str
    parameters: str
    batch: str
    precision: str
    stack: str
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What became of a chunk; its rows where the worker has not ``written`` them."""

    index: int
    traced: tuple[
        tuple[Subject, str, str], ...
    ] = ()  # with precision and stack; a row a device each
    failures: tuple[Failure, ...] = ()
    table: pa.Table | None = field(default=None, compare=False)
    written: bool = False

    @property
    def requests(self) -> int:
        """How many requests it answers, with rows or with a reason."""
        return len(self.traced) + len(self.failures)


def chunked(requests: Sequence[Request]) -> list[Chunk]:
    """Chunks that depend on nothing but the requests, so that a part is the same in every run."""
    largest = max(LARGEST, len(requests) // _PARTS_MOST)
    size = min(max(1, len(requests) // _PARTS_WANTED), largest)
    starts = range(0, len(requests), size)
    return [Chunk(i, tuple(requests[start : start + size])) for i, start in enumerate(starts)]


def perform(job: Job, chunk: Chunk, *, write: bool = True) -> Outcome:
    """The rows and failures of a chunk, written where the folder is in reach."""
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a stranger's model warns of is not about the sweep
        known = len(sys.modules)
        outcome = _outcome(job, chunk)
        _graph.cache_clear()
        if len(sys.modules) > known:
            set_aside()
    folder = Path(job.folder)
    if not (write and (folder / job.mark).exists()):
        return outcome
    save(folder, outcome)
    return replace(outcome, table=None, written=True)


def set_aside() -> None:
    """Let collections pass over what is there now, libraries above all, which takes them 10 % of a sweep.

    Until `gc.unfreeze`, or the end of the process, which has to see everything again.
    """
    gc.collect()
    gc.freeze()
    _unfrozen_at_exit()


@cache
def _unfrozen_at_exit() -> None:
    atexit.register(gc.unfreeze)


def _outcome(job: Job, chunk: Chunk) -> Outcome:
    rows: list[dict[str, Any]] = []
    traced = []
    failures = []
    for request in chunk.requests:
        try:
            asked = request.subject
            rows.extend(_rows(job, request, asked))
            traced.append((asked, request.precision, request.stack))
        except errors.CharacterizeError as error:
            failures.append(failure(request, str(error)))
        except Exception as error:  # noqa: BLE001  # one stranger's model does not stop the others
            failures.append(failure(request, f"{type(error).__name__}: {error}"))
    return Outcome(chunk.index, tuple(traced), tuple(failures), table_of(rows))


def failure(request: Request, reason: str) -> Failure:
    """The failure of a request, its reason in one line."""
    parameters = " ".join(f"{name}={value}" for name, value in request.parameters)
    return Failure(
        request.model, parameters, str(request.batch), request.precision, request.stack,
        " ".join(reason.split()),
    )  # fmt: skip


def _rows(job: Job, request: Request, asked: Subject) -> list[dict[str, Any]]:
    return projections.project(
        _columns(asked, request.stack),
        job.profiles,
        request.precision,
        job.baseline,
        labels=asked.labels,
    ).rows()


def _columns(asked: Subject, stack: str) -> features.Columns:
    """The kernels of a network: of a family from its template, as everywhere else.

    Others are traced at their sizes and not kept: a template would cost more, and all are different.
    """
    if asked.family:
        return session.columns(asked, stack)
    return features.columns(features.skeleton(fusion.fuse(_graph(asked), stack=stack)))


@lru_cache(maxsize=1)  # the same network at another precision or stack
def _graph(asked: Subject) -> Graph:
    from characterize import tracing

    return tracing.trace(asked.model, batch=asked.batch, **asked.values)


def table_of(rows: Sequence[Mapping[str, Any]]) -> pa.Table | None:
    """Rows as a table: the columns of the result row in their types, others as they come."""
    if not rows:
        return None
    names: dict[str, None] = dict.fromkeys(HEAD)
    for row in rows:
        names.update(dict.fromkeys(split(row)[0]))
    names.update(dict.fromkeys(TAIL))
    for row in rows:
        names.update(dict.fromkeys(row))
    return pa.table({name: _column(name, [row.get(name) for row in rows]) for name in names})


def _column(name: str, values: list[Any]) -> pa.Array:
    if name in FIXED:
        return pa.array(values, _TYPES[FIXED[name]])
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # two models disagree about a parameter's type
        return pa.array([None if value is None else str(value) for value in values])


def save(folder: Path, outcome: Outcome) -> None:
    """Write a part, then what it holds, both under another name first."""
    if outcome.table is not None:
        content = io.BytesIO()
        pq.write_table(outcome.table, content, compression="zstd")
        _replace(part(folder, outcome.index), content.getvalue())
    document = {
        "traced": [[asdict(asked), precision, stack] for asked, precision, stack in outcome.traced],
        "failures": [asdict(failure) for failure in outcome.failures],
    }
    _replace(_beside(folder, outcome.index), json.dumps(document).encode())


def load(folder: Path, index: int) -> Outcome | None:
    """What was written of a chunk, or ``None`` where it is still to do."""
    try:
        document = json.loads(_beside(folder, index).read_text())
        traced = tuple(
            (_subject(asked), precision, stack) for asked, precision, stack in document["traced"]
        )
        failures = tuple(Failure(**item) for item in document["failures"])
        return Outcome(index, traced, failures, written=True)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _subject(document: Mapping[str, Any]) -> Subject:
    parameters = tuple((name, value) for name, value in document["parameters"])
    return Subject(**{**document, "parameters": parameters})


def rows(folder: Path, outcome: Outcome) -> Iterator[dict[str, Any]]:
    """The rows of a part, each with no more than its own model's parameters."""
    found = pq.read_table(part(folder, outcome.index)).to_pylist() if outcome.traced else []
    several = len(found) // max(1, len(outcome.traced))
    for place, row in enumerate(found):
        own = outcome.traced[place // several][0].labels
        others = split(row)[0].keys() - own.keys()
        yield {name: value for name, value in row.items() if name not in others}


def part(folder: Path, index: int) -> Path:
    """The file with the rows of a chunk."""
    return folder / f"part-{index:07d}.parquet"


def _beside(folder: Path, index: int) -> Path:
    return folder / f"block-{index:07d}.json"


def _replace(path: Path, content: bytes) -> None:
    # Two workers may write the same part (one was thought dead): each under a name of its own.
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    partial.write_bytes(content)
    partial.replace(path)


def united(parts: Iterable[Path]) -> pa.Schema:
    """The schema of all parts together, in the order of the result row."""
    parameters: dict[str, pa.DataType] = {}
    extras: dict[str, pa.DataType] = {}
    for path in parts:
        schema = pq.read_schema(path)
        end = schema.get_field_index("batch")
        for place, column in enumerate(schema):
            if column.name not in FIXED:
                kept = parameters if place < end else extras
                kept[column.name] = _wider(kept.get(column.name), column.type)
    fixed = {name: _TYPES[kind] for name, kind in FIXED.items()}
    head = {name: fixed.pop(name) for name in HEAD}
    return pa.schema({**head, **parameters, **fixed, **extras}.items())


def _wider(known: pa.DataType | None, other: pa.DataType) -> pa.DataType:
    if known is None or known == other or pa.types.is_null(known):
        return other
    if pa.types.is_null(other):
        return known
    numbers = {pa.int64(), pa.float64()}
    return pa.float64() if {known, other} <= numbers else pa.string()


def as_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A part with the columns of all parts; what it lacks is empty."""
    columns = [
        table[column.name].cast(column.type)
        if column.name in table.column_names
        else pa.nulls(len(table), column.type)
        for column in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)

"""A sweep over many different models: chunks to workers, parts beside the store, rows into it.

Workers write a Parquet part a chunk; this process registers what is done in the store. Whatever is
killed, the parts that are there are whole, and the same call goes on with the chunks that are missing.
"""

from __future__ import annotations

import csv
import io
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow.parquet as pq

from characterize import __version__, errors, session, store
from characterize import projection as projections
from characterize.hardware import Profile
from characterize.records import Stack
from characterize.sweeping import catalogue, chunks, schedulers, sinks
from characterize.sweeping.chunks import Failure, Job, Outcome
from characterize.sweeping.evaluation import Tally
from characterize.sweeping.requests import Entry, Request, requests, version

if TYPE_CHECKING:
    import pandas as pd

_ROWS_AT_ONCE: Final = 2048  # into the store, whose opening costs as much as hundreds of rows
_ROWS_STORED: Final = 1_000_000  # of one sweep; more stay in their parts, a minute is enough
_FAILURES: Final = "failures.csv"
_STORED: Final = "stored.txt"
MEMORY_ROWS: Final = 20_000_000


@dataclass(frozen=True)
class ModelProgress:
    """How far a sweep over models is. ``resumed`` of ``done`` were there when it began."""

    done: int
    total: int
    failed: int
    resumed: int
    elapsed_s: float

    @property
    def rate_per_s(self) -> float:
        """Models a second in this run."""
        return (self.done - self.resumed) / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def remaining_s(self) -> float:
        """Time left at this rate."""
        return (self.total - self.done) / self.rate_per_s if self.rate_per_s else float("inf")


@dataclass(frozen=True)
class ModelSweep:
    """What came of a sweep over models."""

    key: str
    folder: Path
    total: int
    rows: int
    failures: tuple[Failure, ...]
    hardware: tuple[str, ...]
    left_out: tuple[str, ...]  # devices of a class that lack a precision
    scheduler: str
    resumed: int
    elapsed_s: float
    notes: tuple[str, ...]

    @property
    def failures_file(self) -> Path:
        """The table of failures; it is there where there are any."""
        return self.folder / _FAILURES


Report = Callable[[ModelProgress], None]


def sweep_models(
    models: Sequence[Entry] | str,
    *,
    hardware: Sequence[str | Profile] | str = "all",
    batch: Any = 1,
    precision: Any = "auto",
    stack: Any = "compiled",
    baseline: str | None = None,
    scheduler: str = schedulers.AUTO,
    workers: int | None = None,
    progress: Report | None = None,
    **axes: Any,
) -> pd.DataFrame:
    """Many different models on several devices, as a table of result rows.

    Args:
        models: names of families and zoo models, patterns (``"timm/resnet*"``), ``file.py:factory``;
            with settings of their own as ``"resnet depth=101"`` or ``("resnet", {"depth": 101})``.
        hardware: device names, classes, TOML paths, profiles, or ``"all"``.
        batch: samples that run together, one number or several.
        precision: one or several; ``"auto"`` takes each device's usual inference precision.
        stack: one or several of ``"eager"``, ``"compiled"`` and ``"engine"``.
        baseline: the device that speedups are relative to; by default the first CPU.
        scheduler: ``"local"`` for processes on this machine, the address of a Dask scheduler
            (``"tcp://..."``), ``"none"`` for this process; ``"auto"`` takes ``"local"`` for many.
        workers: how many local processes; by default one a processor.
        progress: called after every chunk of models.
        axes: parameters of all models, each one value or several: ``input_size=[160, 224]``.

    A model that fails has no rows; ``table.attrs["failures"]`` has a record for each, with its reason.
    Rows go into the store as they are made, and the same call goes on after an interruption. A script
    that uses ``"local"`` needs ``if __name__ == "__main__":``, as all that starts processes does.

    Raises:
        UnknownNameError: a family, library, device, precision or stack that we do not have.
        InvalidValueError: no models, or more rows than a table should hold.
        MissingExtraError: a zoo's library, or Dask, is asked for and not installed.
        SchedulerError: the cluster cannot be reached.
    """
    entries = [models] if isinstance(models, str) else list(models)
    asked = requests(entries, axes, batch, precision, stack)
    done = sweep_models_to(
        asked, hardware=hardware, baseline=baseline, scheduler=scheduler, workers=workers,
        progress=progress,
    )  # fmt: skip
    if done.rows > MEMORY_ROWS:
        msg = (
            f"This sweep has {done.rows:,} rows and a table holds {MEMORY_ROWS:,}; they are whole in "
            f"the Parquet parts of {done.folder}."
        )
        raise errors.InvalidValueError(msg)
    memory = sinks.Memory()
    export(done.folder, memory)
    table = memory.table().to_pandas()
    table.attrs["failures"] = [asdict(failure) for failure in done.failures]
    return table


def sweep_models_to(
    asked: Sequence[Request],
    output: Path | None = None,
    *,
    hardware: Sequence[str | Profile] | str = "all",
    baseline: str | None = None,
    scheduler: str = schedulers.AUTO,
    workers: int | None = None,
    again: bool = False,
    progress: Report | None = None,
    keep: store.Store | None = None,
) -> ModelSweep:
    """Run a sweep over models into parts beside the store, into the store, and into a file if asked.

    Args:
        asked: the requests (see `requests`).
        output: a ``.parquet``, ``.csv`` or ``.json`` file that gets all rows at the end; the failures
            go into a file beside it.
        hardware: as for `sweep_models`.
        baseline: as for `sweep_models`.
        scheduler: as for `sweep_models`.
        workers: as for `sweep_models`.
        again: try once more what failed before.
        progress: called after every chunk.
        keep: another store than the user's.
    """
    sink = sinks.File(output) if output is not None else None  # a wrong suffix costs no work
    profiles, left = _profiles(asked, hardware)
    base = projections.choose_baseline(profiles, baseline)
    shelf = keep or store.Store()
    digest = _key(asked, profiles, base)
    folder = sinks.Parts(catalogue.folder(shelf, digest)).folder
    run = _Run(shelf, folder, profiles, base, len(asked), progress)
    _describe(folder, digest, asked, profiles, complete=False)
    pieces = chunks.chunked(asked)
    todo = [piece for piece in pieces if not run.resume(piece.index, again=again)]
    missing = sum(len(piece.requests) for piece in todo)
    how, note = schedulers.chosen(scheduler, missing)
    try:
        run.perform(todo, how, workers)
    finally:
        run.store_rows()
    run.finish(pieces)
    _describe(folder, digest, asked, profiles, complete=True)
    if sink is not None and output is not None:
        export(folder, sink)
        _beside(output, run.failures)
    return ModelSweep(
        digest, folder, len(asked), run.rows, tuple(run.failures),
        tuple(profile.name for profile in profiles), tuple(profile.name for profile in left),
        how, run.resumed, run.elapsed_s, tuple(dict.fromkeys(filter(None, [note, *run.notes]))),
    )  # fmt: skip


class _Run:
    """What is known of a sweep over models while it runs."""

    def __init__(
        self,
        shelf: store.Store,
        folder: Path,
        profiles: Sequence[Profile],
        base: Profile,
        total: int,
        report: Report | None,
    ) -> None:
        self._shelf, self._folder, self._report = shelf, folder, report
        self._profiles, self._base, self._total = tuple(profiles), base, total
        self._begun = time.perf_counter()
        self._by_index: dict[int, tuple[Failure, ...]] = {}
        self._waiting: list[Outcome] = []  # parts whose rows are not in the store yet
        self._waiting_rows = 0
        self._stored = _indices(folder / _STORED)
        self._done = self.resumed = self.rows = 0
        self.notes: list[str] = []
        self._registers = total * len(profiles) <= _ROWS_STORED
        if not self._registers:
            self.notes.append(
                f"More than {_ROWS_STORED:,} rows: they are in the parts of the sweep, and not one by "
                "one in the store."
            )

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self._begun

    @property
    def failures(self) -> list[Failure]:
        """Everything that failed, in the order of the requests."""
        return [failure for i in sorted(self._by_index) for failure in self._by_index[i]]

    def resume(self, index: int, *, again: bool) -> bool:
        """Take up a part that is there already; ``False`` if it is still to do."""
        found = chunks.load(self._folder, index)
        if found is None or (again and found.failures):
            self._stored.discard(index)
            return False
        self.resumed += found.requests
        self._take(found)
        return True

    def perform(self, todo: Sequence[chunks.Chunk], how: str, workers: int | None) -> None:
        """Have the chunks performed; what comes is registered as it comes."""
        self._tell()
        if not todo:
            return
        mark = self._folder / f"run-{uuid.uuid4().hex}"
        mark.touch()
        job = Job(str(self._folder), mark.name, self._profiles, self._base)
        self._begun = time.perf_counter()
        try:
            with schedulers.opened(how, job, workers, len(todo)) as work:
                for outcome in work(todo):
                    if not outcome.written:  # by a worker that does not see our folder
                        chunks.save(self._folder, outcome)
                    self._take(outcome)
                    self._tell()
        finally:
            mark.unlink(missing_ok=True)

    def _take(self, outcome: Outcome) -> None:
        self._done += outcome.requests
        self.rows += len(outcome.traced) * len(self._profiles)
        self._by_index[outcome.index] = outcome.failures
        if outcome.traced and self._registers and outcome.index not in self._stored:
            self._waiting.append(outcome)
            self._waiting_rows += len(outcome.traced) * len(self._profiles)
        if self._waiting_rows >= _ROWS_AT_ONCE:
            self.store_rows()

    def _tell(self) -> None:
        if self._report is not None:
            failed = sum(map(len, self._by_index.values()))
            self._report(
                ModelProgress(self._done, self._total, failed, self.resumed, self.elapsed_s)
            )

    def store_rows(self) -> None:
        """Put what came since into the store; one that cannot be had costs no work, only a note."""
        entries = [entry for outcome in self._waiting for entry in self._entries(outcome)]
        taken = [outcome.index for outcome in self._waiting]
        self._waiting, self._waiting_rows = [], 0
        if not entries:
            return
        try:
            model_version = f"{__version__}/{projections.MODEL_VERSION}"
            self._shelf.put(entries, model_version=model_version)
        except errors.StoreError as error:
            self.notes.append(f"The rows are in {self._folder} and not in the store: {error}")
            return
        self._stored.update(taken)
        with (self._folder / _STORED).open("a") as file:
            file.writelines(f"{index}\n" for index in taken)

    def _entries(self, outcome: Outcome) -> Iterator[tuple[str, dict[str, Any]]]:
        rows = chunks.rows(self._folder, outcome)
        for asked, precision, stack in outcome.traced:
            for profile in self._profiles:
                key = session.row_key(asked, Stack(stack), precision, profile, self._base)
                yield key, next(rows)

    def finish(self, pieces: Sequence[chunks.Chunk]) -> None:
        """Leave nothing but whole parts, and the table of failures."""
        for partial in self._folder.glob(".*.partial"):
            with suppress(OSError):
                partial.unlink()
        file = self._folder / _FAILURES
        if self.failures:
            file.write_text(_as_csv(self.failures), encoding="utf-8")
        else:
            file.unlink(missing_ok=True)
        if self._done != sum(len(piece.requests) for piece in pieces):
            msg = f"The sweep over models is not whole: {self._done} of {self._total} models came back."
            raise errors.SchedulerError(msg)


def export(folder: Path, sink: sinks.Sink) -> None:
    """All rows of a finished sweep over models, in the order of the requests."""
    parts = sorted(folder.glob("part-*.parquet"))
    schema = chunks.united(parts)
    for index, path in enumerate(parts):
        sink.write(index, [chunks.as_schema(pq.read_table(path), schema)], Tally())
    sink.close()


def _beside(output: Path, failures: Sequence[Failure]) -> None:
    file = output.with_name(f"{output.stem}.{_FAILURES}")
    if failures:
        file.write_text(_as_csv(failures), encoding="utf-8")
    else:
        file.unlink(missing_ok=True)  # of an earlier run into the same file


def _as_csv(failures: Sequence[Failure]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Failure)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(failure) for failure in failures)
    return text.getvalue()


def _indices(file: Path) -> set[int]:
    try:
        return {int(line) for line in file.read_text().split()}
    except (OSError, ValueError):
        return set()


def _profiles(
    asked: Sequence[Request], hardware: Sequence[str | Profile] | str
) -> tuple[list[Profile], list[Profile]]:
    """Devices that have every precision asked for."""
    kept: list[Profile] = []
    left: list[Profile] = []
    selection: Sequence[str | Profile] | str = hardware
    for precision in dict.fromkeys(request.precision for request in asked):
        kept, more = projections.supported(selection, precision)
        left.extend(more)
        selection = kept
    return kept, left


def _key(asked: Sequence[Request], profiles: Sequence[Profile], base: Profile) -> str:
    """A digest of everything that the rows depend on."""
    versions = {model: version(model) for model in dict.fromkeys(r.model for r in asked)}
    return store.key(
        {
            "requests": [asdict(request) for request in asked],
            "versions": versions,
            "profiles": [profile.content_hash for profile in profiles],
            "baseline": base.content_hash,
            "code": [__version__, projections.MODEL_VERSION],
        }
    )


def _describe(
    folder: Path,
    digest: str,
    asked: Sequence[Request],
    profiles: Sequence[Profile],
    *,
    complete: bool,
) -> None:
    """The manifest: as for a family, so that whoever lists sweeps finds this one too."""
    axes: dict[str, list[Any]] = {"model": list(dict.fromkeys(r.model for r in asked))}
    for name in dict.fromkeys(name for request in asked for name, _ in request.parameters):
        axes[name] = list(dict.fromkeys(v for r in asked for key, v in r.parameters if key == name))
    axes["batch"] = list(dict.fromkeys(request.batch for request in asked))
    description = {
        "family": "",
        "axes": axes,
        "precisions": list(dict.fromkeys(request.precision for request in asked)),
        "stacks": list(dict.fromkeys(request.stack for request in asked)),
    }
    catalogue.describe(
        folder,
        {
            "key": digest,
            "description": description,
            "hardware": [profile.name for profile in profiles],
            "configurations": len(asked),
            "complete": complete,
        },
    )

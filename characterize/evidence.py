"""Measurements of real devices: reading them, and the kernels of what was measured.

A file has one row a measurement: ``model, input_size, batch, precision, stack, memory_format,
hardware, latency_s`` and, where they were measured, ``power_w`` and ``energy_j`` of the device,
``wall_power_w`` and ``wall_energy_j`` of the whole system; further columns
(``source``, ``framework``) are kept and not looked at.

The networks that the published figures are of ship as graphs, so that validating needs neither torch
nor a zoo; ``python -m characterize.evidence`` writes them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from characterize import codec, errors, features, fusion, models, tracing
from characterize.columns import KernelColumns
from characterize.paths import data_directory
from characterize.records import Graph, Precision, Stack

if TYPE_CHECKING:
    import pandas as pd

NEEDED: Final = ("model", "input_size", "batch", "precision", "stack", "hardware", "latency_s")
OPTIONAL: Final = ("memory_format", "power_w", "energy_j", "wall_power_w", "wall_energy_j")
FORMATS: Final = MappingProxyType({"channels_last": "nhwc", "contiguous": "nchw"})
"""Other words for the memory formats."""

TRACED_BATCH: Final = 2
"""Networks are traced once at this batch and scaled: at 1, shapes broadcast that otherwise do not."""

UNCACHED: Final = ("transformers/gpt2", "transformers/llama-small")
"""Networks that were measured without a cache of keys and values, which they have by default."""

Progress = Callable[[str], None]
Networks = Callable[[str, "int | None"], Graph]
"""A network by its model and input size; raises CharacterizeError where there is none."""


def published() -> pd.DataFrame:
    """The cited figures that come with the package: every file of whole networks.

    Those that were replayed from a captured graph are no run of a stack, and left out. Rows with a
    text in ``set_aside`` are left out for that reason; ``frame.attrs["set_aside"]`` counts them.

    Raises:
        BrokenRecordError: a file breaks the contract.
    """
    import pandas as pd

    files = [file for file in _files() if "graphs" not in file.name]
    if not files:
        msg = "No published figures come with this installation; name a file with --measurements."
        raise errors.BrokenRecordError(msg)
    frame = pd.concat([read(file) for file in files], ignore_index=True)
    reasons = frame.get("set_aside", pd.Series(index=frame.index, dtype=object))
    kept = frame[reasons.isna()].reset_index(drop=True)
    kept.attrs["set_aside"] = reasons.value_counts().to_dict()
    return kept


def _files() -> list[Path]:
    """The tables of whole networks that come with the package, those of replays too."""
    import pandas as pd

    every = sorted((data_directory() / "published").glob("*.csv"))
    return [f for f in every if {*NEEDED} <= {*pd.read_csv(f, nrows=0, comment="#").columns}]


def read(path: str | Path) -> pd.DataFrame:
    """The measurements of a CSV file, checked.

    Raises:
        BrokenRecordError: it cannot be read, lacks a column, or holds something impossible.
    """
    import pandas as pd

    file = Path(path)
    try:
        frame = pd.read_csv(file, comment="#")
    except (OSError, ValueError) as error:
        msg = f"{file.name} cannot be read as CSV: {error}."
        raise errors.BrokenRecordError(msg) from error
    missing = [name for name in NEEDED if name not in frame]
    if missing:
        msg = (
            f"{file.name} lacks {', '.join(missing)}; measurements have the columns "
            f"{', '.join((*NEEDED, *OPTIONAL))}."
        )
        raise errors.BrokenRecordError(msg)
    for name in OPTIONAL:
        if name not in frame:
            frame[name] = "" if name == "memory_format" else np.nan
    formats = frame["memory_format"].astype(object).fillna("").astype(str).str.lower()
    frame["memory_format"] = formats.replace(dict(FORMATS))
    _check(frame, file.name)
    return frame


def _check(frame: pd.DataFrame, name: str) -> None:
    for column in ("batch", "latency_s"):
        wrong = ~(frame[column] > 0) if frame[column].dtype.kind in "if" else frame[column] != ""
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            msg = f"{name}, row {row + 2}: {column} is {frame[column].iloc[row]}, not above 0."
            raise errors.BrokenRecordError(msg)
    for column, kind in (("precision", Precision), ("stack", Stack)):
        for value in frame[column].unique():
            if value not in list(kind):
                raise errors.unknown(column, str(value), kind)


def family_of(model: str) -> str:
    """The family of a model by its name's first word: ``timm/resnet50`` is a resnet.

    >>> family_of("timm/tf_efficientnetv2_s.in1k"), family_of("timm/resnet50"), family_of("resnet")
    ('efficientnetv2', 'resnet', 'resnet')
    """
    name = model.rpartition("/")[2].removeprefix("tf_")
    found = re.match(r"[a-z]+?(?:v[2-9])?(?![a-z])", name.lower())
    return found.group(0) if found else name


@dataclass(frozen=True)
class Subject:
    """A network at an input size whose measurements are looked at together."""

    model: str
    input_size: int | None
    rows: tuple[int, ...]  # positions in the frame
    graph: Graph | None
    reason: str = ""  # why there is no graph


def subjects(
    frame: pd.DataFrame, progress: Progress | None = None, networks: Networks | None = None
) -> Iterator[Subject]:
    """Every network that was measured, traced once; one that can't be comes with its reason.

    Args:
        frame: measurements.
        progress: called with a sentence before each network.
        networks: where they come from, by default :func:`network`.
    """
    say = progress or (lambda _text: None)
    found = networks or network
    groups = list(frame.groupby(["model", "input_size"], dropna=False, sort=False).indices.items())
    for place, ((model, size), rows) in enumerate(groups, 1):
        number = None if size != size else int(size)
        say(f"{place} of {len(groups)}: {model}")
        positions = tuple(int(row) for row in rows)
        try:
            yield Subject(model, number, positions, found(str(model), number))
        except errors.CharacterizeError as error:
            yield Subject(model, number, positions, None, str(error))


def network(model: str, size: int | None) -> Graph:
    """A network as it was measured: a graph that ships, otherwise traced now, which needs torch.

    Raises:
        CharacterizeError: there is no such model, or its library cannot be imported.
    """
    file = _folder() / file_name(model, size)
    if file.exists():
        try:
            return codec.decode(file.read_bytes())
        except errors.BrokenRecordError:  # of another format: traced anew
            return traced(model, size)
    return traced(model, size)


def _folder() -> Path:
    return data_directory() / "published" / "graphs"


def file_name(model: str, size: int | None) -> str:
    """The file that the graph of a network is kept in."""
    name = model.replace("/", "--").replace(" ", "+")
    return f"{name}{'' if size is None else f'@{size}'}.json.zz"


def shipped() -> list[tuple[str, int | None]]:
    """Model and input size of every network that published figures are of, those set aside too."""
    import pandas as pd

    frame = pd.concat([read(file) for file in _files()], ignore_index=True)
    pairs = frame[["model", "input_size"]].drop_duplicates().itertuples(index=False)
    return sorted((str(model), None if size != size else int(size)) for model, size in pairs)


def write(place: Path | None = None) -> list[str]:
    """Trace the networks of the published figures again, and write their graphs.

    Returns:
        Why some could not be traced; what is there of them stays.
    """
    place = place or _folder()
    place.mkdir(parents=True, exist_ok=True)
    trouble: list[str] = []
    wanted = shipped()
    for model, size in wanted:
        try:
            content = codec.encode(traced(model, size))
        except errors.CharacterizeError as error:
            trouble.append(f"{model}: {error}")
        else:
            (place / file_name(model, size)).write_bytes(content)
    names = {file_name(model, size) for model, size in wanted}
    for file in place.glob("*.json.zz"):
        if file.name not in names:
            file.unlink()
    return trouble


def traced(model: str, size: int | None) -> Graph:
    """A network as it was measured, traced now at a batch of :data:`TRACED_BATCH`.

    Raises:
        CharacterizeError: there is no such model, or its library cannot be imported.
    """
    model, *settings = model.split()  # "resnet depth=101", as `characterize measure` writes it
    parameters: dict[str, Any] = dict(setting.split("=", 1) for setting in settings)
    if size is not None:
        known = models.zoo(model) if "/" in model else models.family(model)
        names = [parameter.name for parameter in known.parameters]
        place = next(
            (n for n in ("input_size", "sequence", "sequence_length") if n in names), "input_size"
        )
        parameters[place] = size
    if model in UNCACHED:
        return _traced_without_cache(model, parameters)
    return tracing.trace(model, batch=TRACED_BATCH, **parameters)


def _traced_without_cache(model: str, parameters: dict[str, Any]) -> Graph:
    from characterize.models.zoos import transformers_zoo
    from characterize.tracing import modules

    known = models.zoo(model)
    values = known.check(**parameters)
    with modules.translated_errors(model):
        module = transformers_zoo.without_cache(modules.build(lambda: known.build(**values)))
        inputs: Any = known.inputs(batch=TRACED_BATCH, **values)  # by name
    return replace(tracing.trace(module, keywords=inputs), model=model)


class Kernels:
    """A traced network's kernels by stack, at any batch."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._of = lru_cache(maxsize=None)(self._columns)

    def _columns(self, stack: Stack) -> KernelColumns:
        # timed under autocast, even where it costs more than it saves
        return replace(features.columns(fusion.fuse(self._graph, stack)).kernels, cast=True)

    def at(self, stack: Stack, batches: Sequence[float]) -> KernelColumns:
        """The kernels for a stack, one configuration a batch."""
        factor = np.asarray(batches, dtype=np.float64)[None, :] / TRACED_BATCH
        return self._of(stack).batched(factor)


if __name__ == "__main__":
    for line in write():
        print(line)  # noqa: T201 - a command for whoever adds figures

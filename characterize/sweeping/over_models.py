"""A sweep over many different models: chunks to workers, parts beside the store, rows into it.

Workers write a Parquet part a chunk; this process registers what is done in the store. Whatever is
killed, the parts that are there are whole, and the same call goes on with the chunks that are missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from characterize import __version__, errors, store
from characterize import projection as projections
from characterize.hardware import Profile
from characterize.sweeping import catalogue, chunks, schedulers, sinks
from characterize.sweeping.chunks import Failure
from characterize.sweeping.model_run import (
    FAILURES,
    ModelRun,
    Report,
    as_csv,
    export,
)
from characterize.sweeping.requests import Entry, Request, requests, version

if TYPE_CHECKING:
    import pandas as pd

MEMORY_ROWS: Final = 20_000_000


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
        return self.folder / FAILURES


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
    schedulers.foreseen(scheduler, entries)
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
    run = ModelRun(shelf, folder, profiles, base, len(asked), progress)
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


def _beside(output: Path, failures: Sequence[Failure]) -> None:
    file = output.with_name(f"{output.stem}.{FAILURES}")
    if failures:
        file.write_text(as_csv(failures), encoding="utf-8")
    else:
        file.unlink(missing_ok=True)  # of an earlier run into the same file


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

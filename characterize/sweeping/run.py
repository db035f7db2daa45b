"""Running a sweep: block by block, writing behind, resumable."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from characterize import __version__, errors, store
from characterize import projection as projections
from characterize.hardware import Profile
from characterize.sweeping import catalogue, evaluation, sinks
from characterize.sweeping.evaluation import Tally
from characterize.sweeping.grid import Grid, grid

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Progress:
    """How far a sweep is."""

    configurations: int
    total: int
    rows: int
    invalid: int
    elapsed_s: float

    @property
    def rate_per_s(self) -> float:
        """Configurations a second so far."""
        return self.configurations / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def remaining_s(self) -> float:
        """Time left at this rate."""
        left = self.total - self.configurations
        return left / self.rate_per_s if self.rate_per_s else float("inf")


@dataclass(frozen=True)
class Sweep:
    """What a sweep was of and what came of it."""

    key: str
    grid: Grid
    hardware: tuple[str, ...]
    left_out: tuple[str, ...]  # devices of a class that lack the precision
    tally: Tally = field(default_factory=Tally)
    elapsed_s: float = 0.0
    resumed: int = 0  # configurations that were there already


Report = Callable[[Progress], None]
MEMORY_ROWS = 20_000_000


def sweep(
    family: str,
    *,
    hardware: Sequence[str | Profile] | str = "all",
    batch: Any = 1,
    precision: Any = "auto",
    stack: Any = "compiled",
    baseline: str | None = None,
    progress: Report | None = None,
    **axes: Any,
) -> pd.DataFrame:
    """Every combination of the axes on every device, as a table of result rows.

    Args:
        family: the family to sweep.
        hardware: device names, classes, TOML paths, profiles, or ``"all"``.
        batch: samples that run together, one number or several.
        precision: one or several; ``"auto"`` takes each device's usual inference precision.
        stack: one or several of ``"eager"``, ``"compiled"`` and ``"engine"``.
        baseline: the device that speedups are relative to; by default the first CPU.
        progress: called after every block.
        axes: family parameters, each one value or several: ``layers=range(1, 17)``.

    Configurations that do not go together are left out; ``table.attrs["invalid"]`` counts them by
    reason.

    Raises:
        UnknownNameError: a family, parameter, device, precision or stack that we do not have.
        InvalidValueError: a value outside its range, or more rows than a table should hold.
    """
    space = grid(family, axes, batch, precision, stack)
    profiles, _ = projections.supported(hardware, space.precisions[0])
    if space.configurations * len(profiles) > MEMORY_ROWS:
        rows = space.configurations * len(profiles)
        msg = (
            f"This sweep has {rows:,} rows; a table holds {MEMORY_ROWS:,}. "
            "Write it to a file or the store with sweep_to."
        )
        raise errors.InvalidValueError(msg)
    memory = sinks.Memory()
    done = sweep_to(space, memory, hardware=hardware, baseline=baseline, progress=progress)
    table = memory.table().to_pandas()
    table.attrs["invalid"] = dict(done.tally.invalid)
    return table


def key(space: Grid, profiles: Sequence[Profile], base: Profile) -> str:
    """A digest of everything that the rows of a sweep depend on."""
    return store.key(
        {
            **space.description(),
            "profiles": [profile.content_hash for profile in profiles],
            "baseline": base.content_hash,
            "code": [__version__, projections.MODEL_VERSION],
        }
    )


def sweep_to(
    space: Grid,
    sink: sinks.Sink | Path | None = None,
    *,
    hardware: Sequence[str | Profile] | str = "all",
    baseline: str | None = None,
    progress: Report | None = None,
    keep: store.Store | None = None,
) -> Sweep:
    """Run a sweep into a sink, a file, or (``None``) parts beside the store.

    What is written stays written: after an interrupt the same call goes on where it was.
    """
    profiles, left = _profiles(space, hardware)
    base = projections.choose_baseline(profiles, baseline)
    digest = key(space, profiles, base)
    shelf = keep or store.Store()
    place: Path | None = None
    if sink is None:
        place = catalogue.folder(shelf, digest)
        sink = sinks.Parts(place)
        catalogue.describe(place, _manifest(digest, space, profiles, complete=False))
    elif isinstance(sink, Path):
        sink = sinks.File(sink)
    tally, resumed, elapsed = _run(space, sink, profiles, base, shelf, progress)
    if place is not None:
        catalogue.describe(place, _manifest(digest, space, profiles, complete=True))
    names = tuple(profile.name for profile in profiles)
    return Sweep(digest, space, names, tuple(p.name for p in left), tally, elapsed, resumed)


def _manifest(
    digest: str, space: Grid, profiles: Sequence[Profile], *, complete: bool
) -> dict[str, Any]:
    return {
        "key": digest,
        "description": space.description(),
        "hardware": [profile.name for profile in profiles],
        "configurations": space.configurations,
        "complete": complete,
    }


def _profiles(
    space: Grid, hardware: Sequence[str | Profile] | str
) -> tuple[list[Profile], list[Profile]]:
    """Devices that have every precision asked for."""
    kept, left = projections.supported(hardware, space.precisions[0])
    for precision in space.precisions[1:]:
        kept, more = projections.supported(kept, precision)
        left.extend(more)
    return kept, left


def _run(
    space: Grid,
    sink: sinks.Sink,
    profiles: Sequence[Profile],
    base: Profile,
    shelf: store.Store,
    progress: Report | None,
) -> tuple[Tally, int, float]:
    tally = Tally()
    resumed = 0
    begun = time.perf_counter()
    pending: Future[None] | None = None
    with ThreadPoolExecutor(1, thread_name_prefix="characterize-write") as writer:
        for block in space.blocks():
            before = sink.done(block.index)
            if before is not None:
                tally.add(before)
                resumed += before.configurations
            else:
                tables, counted = evaluation.evaluate(block, space.family, profiles, base, shelf)
                if pending is not None:
                    pending.result()  # one block ahead at most: memory stays bounded
                pending = writer.submit(sink.write, block.index, tables, counted)
                tally.add(counted)
            if progress is not None:
                progress(_progress(space, tally, begun))
        if pending is not None:
            pending.result()
        sink.close()
    return tally, resumed, time.perf_counter() - begun


def _progress(space: Grid, tally: Tally, begun: float) -> Progress:
    return Progress(
        tally.configurations,
        space.configurations,
        tally.rows,
        tally.refused,
        time.perf_counter() - begun,
    )

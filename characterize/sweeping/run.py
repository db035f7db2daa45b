"""Running a sweep: block by block, writing behind, resumable."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from characterize import __version__, errors, store
from characterize import projection as projections
from characterize.hardware import Profile, varied
from characterize.sweeping import catalogue, evaluation, sinks
from characterize.sweeping.evaluation import Tally
from characterize.sweeping.grid import BLOCK, Grid, grid

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
WORKERS = 4
BLOCK_ROWS = 1 << 18
_LEAST = 1 << 10
BLOCKS = 3  # raised when the space is cut otherwise: the parts of a sweep are numbered by block


def sweep(
    family: str,
    *,
    hardware: Sequence[str | Profile] | str = "all",
    batch: Any = 1,
    precision: Any = "auto",
    stack: Any = "compiled",
    baseline: str | None = None,
    vary: Mapping[str, Any] | None = None,
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
        vary: figures of the hardware at other values, factors or numbers in SI units:
            ``{"memory.bytes_per_s": ["x1", "x2"]}``; each is a column of the rows.
        progress: called after every block.
        axes: family parameters, each one value or several: ``layers=range(1, 17)``.

    Configurations that do not go together are left out; ``table.attrs["invalid"]`` counts them by
    reason.

    Raises:
        UnknownNameError: a family, parameter, device, precision or stack that we do not have.
        InvalidValueError: a value outside its range, or more rows than a table should hold.
    """
    space = grid(family, axes, batch, precision, stack, vary)
    profiles, _, _ = devices_for(space, hardware, baseline)
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
            "code": [__version__, projections.MODEL_VERSION, BLOCKS],
        }
    )


def sweep_to(
    space: Grid,
    sink: sinks.Sink | Path | None = None,
    *,
    hardware: Sequence[str | Profile] | str = "all",
    baseline: str | Profile | None = None,
    progress: Report | None = None,
    keep: store.Store | None = None,
    workers: int | None = None,
) -> Sweep:
    """Run a sweep into a sink, a file, or (``None``) parts beside the store.

    What is written stays written: after an interrupt the same call goes on where it was.
    ``workers`` are threads, by default one a core up to four.
    """
    profiles, left, base = devices_for(space, hardware, baseline)
    digest = key(space, profiles, base)
    shelf = keep or store.Store()
    place: Path | None = None
    if sink is None:
        place = catalogue.folder(shelf, digest)
        sink = sinks.Parts(place)
        catalogue.describe(place, _manifest(digest, space, profiles, complete=False))
    elif isinstance(sink, Path):
        sink = sinks.File(sink)
    run = _Run(space, sink, profiles, base, progress)
    run.run(shelf, workers_for(workers))
    if place is not None:
        catalogue.describe(place, _manifest(digest, space, profiles, complete=True))
    names = tuple(profile.name for profile in profiles)
    lacking = tuple(profile.name for profile in left)
    return Sweep(digest, space, names, lacking, run.tally, run.elapsed_s, run.resumed)


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


def devices_for(
    space: Grid, hardware: Sequence[str | Profile] | str, baseline: str | Profile | None
) -> tuple[list[Profile], list[Profile], Profile]:
    """Devices that have every precision asked for, varied; those left out; and the baseline, as it is."""
    kept, left = projections.supported(hardware, space.precisions[0])
    for precision in space.precisions[1:]:
        kept, more = projections.supported(kept, precision)
        left.extend(more)
    return varied(kept, space.vary), left, projections.choose_baseline(kept, baseline)


class _Run:
    """Blocks on their way: planned here, evaluated by threads, counted in their order.

    Planning may trace, which is for one thread; NumPy and Arrow let go of the interpreter's lock.
    """

    def __init__(
        self,
        space: Grid,
        sink: sinks.Sink,
        profiles: Sequence[Profile],
        base: Profile,
        progress: Report | None,
    ) -> None:
        self._space, self._sink, self._progress = space, sink, progress
        self._profiles, self._base = profiles, base
        self._latest = evaluation.Latest(len(profiles))
        self._begun = time.perf_counter()
        self.tally = Tally()
        self.resumed = 0

    @property
    def elapsed_s(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self._begun

    def run(self, shelf: store.Store, workers: int) -> None:
        """Every block that is not done yet; at most one more than there are threads waits."""
        waiting: deque[tuple[int, Future[_Made]]] = deque()
        with ThreadPoolExecutor(workers, thread_name_prefix="characterize-sweep") as pool:
            try:
                for block in self._space.blocks(block_size(self._profiles)):
                    before = self._sink.done(block.index)
                    if before is not None:
                        self.resumed += before.configurations
                        self._count(before)
                        continue
                    planned = evaluation.plan(block, self._space.family, shelf)
                    waiting.append((block.index, pool.submit(self._make, planned)))
                    if len(waiting) > workers:
                        self._finish(*waiting.popleft())
                while waiting:
                    self._finish(*waiting.popleft())
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        self._sink.close()

    def _make(self, planned: evaluation.Plan) -> _Made:
        tables, counted = planned.tables(
            self._profiles, self._base, tuple(self._space.vary), self._latest
        )
        if self._sink.in_any_order:
            self._sink.write(planned.block.index, tables, counted)
            tables = []
        return tables, counted

    def _finish(self, index: int, job: Future[_Made]) -> None:
        tables, counted = job.result()
        if not self._sink.in_any_order:
            self._sink.write(index, tables, counted)
        self._count(counted)

    def _count(self, counted: Tally) -> None:
        self.tally.add(counted)
        if self._progress is not None:
            self._progress(
                Progress(
                    self.tally.configurations, self._space.configurations, self.tally.rows,
                    self.tally.refused, self.elapsed_s,
                )
            )  # fmt: skip


_Made = tuple[list[Any], Tally]  # tables that are still to be written, and what was counted


def workers_for(asked: int | None) -> int:
    """Threads that evaluate: as many as asked for, else one a core, up to four."""
    return asked or min(WORKERS, os.cpu_count() or 1)


def block_size(profiles: Sequence[Profile]) -> int:
    """Configurations of a block: fewer on many devices, so that memory stays bounded."""
    return max(_LEAST, min(BLOCK, BLOCK_ROWS // len(profiles)))

"""The best configurations of a family under budgets, by looking at every one of them.

Blocks of the space are evaluated on templates and only the best few configurations of each are kept,
so that memory stays bounded and no row is stored. There is no search: the answer is exact.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from characterize import errors, store
from characterize.hardware import Profile
from characterize.questions import joined
from characterize.questions.binding import binds
from characterize.questions.bounds import MEASURES, Asked, Budget, bounds_met, budgets
from characterize.questions.coding import coded
from characterize.questions.measured import COUNTS, Measured
from characterize.questions.pareto import objective as read_objective
from characterize.records import Architecture
from characterize.sweeping import Grid, grid
from characterize.sweeping.evaluation import Latest, Plan, plan
from characterize.sweeping.run import block_size, devices_for, workers_for
from characterize.sweeping.single import Configuration, rows_of

if TYPE_CHECKING:
    import pandas as pd

TOP: Final = 5


@dataclass(frozen=True)
class Space:
    """What is looked through, and what for."""

    grid: Grid
    profiles: tuple[Profile, ...]
    baseline: Profile
    objective: str
    direction: int
    budgets: tuple[Budget, ...]
    top: int
    joined: tuple[Mapping[str, Any], Mapping[str, Any]]  # columns joined on, columns joined


@dataclass(frozen=True, order=True)
class Candidate:
    """A configuration that may be among the best; the smallest is the best."""

    score: float
    latency_s: float
    place: tuple[int, int]  # block, position: of equal ones the first
    configuration: Configuration = field(compare=False)


def optimize(
    family: str,
    *,
    objective: str = "max parameters",
    budgets: Asked | None = None,
    hardware: Sequence[str | Profile] | str = "all",
    batch: Any = 1,
    precision: Any = "auto",
    stack: Any = "compiled",
    baseline: str | None = None,
    vary: Mapping[str, Any] | None = None,
    top: int = TOP,
    join: str | Path | pd.DataFrame | None = None,
    **axes: Any,
) -> pd.DataFrame:
    """The best configurations of a family on each device, among all combinations of the axes.

    Args:
        family: the family.
        objective: a measure, ``"max parameters"``, ``"latency"``, ``"max accuracy"``; without min or
            max, less is better except of throughput, speedup, intensity and what is joined.
        budgets: such as ``"latency <= 5 ms on the KPU and energy <= 10 mJ"``: on a device, a class or
            all, a configuration must meet it there; elsewhere each row by itself.
        hardware: device names, classes, TOML paths, profiles, or ``"all"``.
        batch: samples that run together, one number or several.
        precision: one or several.
        stack: one or several.
        baseline: the device that speedups are relative to.
        vary: figures of the hardware at other values, as for :func:`characterize.sweep`.
        top: how many configurations a device.
        join: a CSV file with more columns, such as an accuracy; what it says nothing of is left out.
        axes: family parameters, each one value or several: ``layers=range(1, 17)``.

    Returns:
        Result rows, device by device, with ``rank`` (1 is best; of equal ones the fastest first) and
        ``binds``: which budgets the next better configurations would break, and which axes end there.
        ``table.attrs["configurations"]`` says how many were looked at.

    Raises:
        UnknownNameError: a family, parameter, device, precision, stack or column that we do not have.
        InvalidValueError: a value outside its range, or a budget that cannot be read.
    """
    import pandas as pd

    space = _space(
        grid(family, axes, batch, precision, stack, vary),
        hardware, baseline, objective, budgets, top, join,
    )  # fmt: skip
    shelf = store.Store()

    def rows(configuration: Configuration, profiles: Sequence[Profile]) -> list[dict[str, Any]]:
        found = rows_of(configuration, space.grid, profiles, space.baseline, shelf)
        return [row | _extra(space, row) for row in found]

    found = [
        {"rank": rank, **rows(best.configuration, [profile])[0],
         "binds": binds(best.configuration, space, profile, rows)}
        for profile, candidates in zip(space.profiles, _best(space, shelf), strict=True)
        for rank, best in enumerate(candidates, 1)
    ]  # fmt: skip
    table = pd.DataFrame(found)
    table.attrs["configurations"] = space.grid.configurations
    return table


def _space(
    whole: Grid,
    hardware: Sequence[str | Profile] | str,
    baseline: str | None,
    objective: str,
    asked: Asked | None,
    top: int,
    join: str | Path | pd.DataFrame | None,
) -> Space:
    if top < 1:
        msg = f"The best {top} configurations were asked for; ask for 1 or more."
        raise errors.InvalidValueError(msg)
    profiles, _, base = devices_for(whole, hardware, baseline)
    identity = ("model", "family", *whole.axes, "stack")
    keys, added = ({}, {}) if join is None else joined.read(join, (*identity, *MEASURES), identity)
    known = (*MEASURES, *added)
    name, direction = read_objective(objective, known, added)
    bounds = budgets(asked, known)
    for bound in bounds:
        if bound.device:
            on(bound, profiles)
    return Space(whole, tuple(profiles), base, name, direction, bounds, top, (keys, added))


def on(budget: Budget, profiles: Sequence[Profile]) -> tuple[int, ...]:
    """Which of the devices a budget is on.

    Raises:
        UnknownNameError: none.
    """
    names = [profile.name for profile in profiles]
    if budget.device == "all":
        return tuple(range(len(names)))
    found = tuple(
        place
        for place, profile in enumerate(profiles)
        if budget.device in (profile.name, profile.architecture.value)
    )
    if not found:
        known = [*names, *Architecture, "all"]
        raise errors.unknown("device among those asked for", budget.device, known)
    return found


# looking through


def _best(space: Space, shelf: store.Store) -> list[list[Candidate]]:
    """The best configurations of each device, best first."""
    best: list[list[Candidate]] = [[] for _ in space.profiles]
    bar = [np.inf] * len(best)  # what a configuration's score must not exceed; threads read it
    waiting: deque[Future[list[list[Candidate]]]] = deque()
    workers, before = workers_for(None), Latest(len(best))

    def take(found: list[list[Candidate]]) -> None:
        for place, more in enumerate(found):
            best[place] = sorted([*best[place], *more])[: space.top]
            if len(best[place]) == space.top:
                bar[place] = best[place][-1].score

    with ThreadPoolExecutor(workers, thread_name_prefix="characterize-optimize") as pool:
        try:
            for block in space.grid.blocks(block_size(space.profiles)):
                planned = plan(block, space.grid.family, shelf)
                waiting.append(pool.submit(_of_block, planned, space, bar, before))
                if len(waiting) > workers:
                    take(waiting.popleft().result())
            while waiting:
                take(waiting.popleft().result())
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return best


def _of_block(
    planned: Plan, space: Space, bar: Sequence[float], before: Latest
) -> list[list[Candidate]]:
    """The best configurations of a block, device by device.

    Counts come first: where no configuration meets the budgets on them, or has a better one than
    the bar, nothing is projected.
    """
    found: list[list[Candidate]] = [[] for _ in space.profiles]
    for sizes, frame in planned.parts:
        columns = before.at(sizes).columns(frame)
        shape = np.broadcast_shapes((1,), *(np.shape(size) for size in sizes.values()))
        batch = np.broadcast_to(np.asarray(sizes["batch"]), shape).reshape(-1)
        values = {**planned.block.fixed, **sizes, "stack": planned.block.stack.value}
        added = _joined(space, values, shape)
        measured = [
            Measured(columns, profile, planned.block.precision, batch, space.baseline, added)
            for profile in space.profiles
        ]
        counted = _counted(space, measured[0])
        if counted is not None and not counted.any():
            continue
        allowed = _allowed(space, measured, counted)
        for place, device in enumerate(measured):
            if allowed is not None and not allowed.any():
                break
            better = _better(space, device, bar[place], allowed)
            mask = bounds_met(_own(space, counts=False), device.numbers, better)
            for position, score, latency in _first(device, space, mask):
                where = np.unravel_index(position, shape)
                chosen = Configuration.of(planned.block, sizes, where)
                key = (planned.block.index, int(position))
                found[place].append(Candidate(score, latency, key, chosen))
    return found


def _own(space: Space, *, counts: bool) -> list[Budget]:
    """Budgets that each row meets by itself: those on counts and what is joined, or the others."""
    cheap = {*COUNTS, *space.joined[1]}
    return [b for b in space.budgets if not b.device and (b.column in cheap) is counts]


def _counted(space: Space, any_device: Measured) -> Any:
    """Which configurations meet the budgets on counts, on any device; None if there are none."""
    return bounds_met(_own(space, counts=True), any_device.numbers)


def _better(space: Space, device: Measured, bar: float, allowed: Any) -> Any:
    """Of those allowed, the configurations that a count does not put behind the best so far."""
    if space.objective not in COUNTS or np.isinf(bar):
        return allowed
    scores = device.numbers(space.objective) * space.direction
    return scores <= bar if allowed is None else allowed & (scores <= bar)


def _allowed(space: Space, measured: Sequence[Measured], counted: Any) -> Any:
    """Of those that meet the budgets on counts, the configurations that meet those on devices."""
    allowed = counted
    for budget in space.budgets:
        for place in on(budget, space.profiles) if budget.device else ():
            allowed = bounds_met([budget], measured[place].numbers, allowed)
    return allowed


def _first(device: Measured, space: Space, mask: Any) -> Iterator[tuple[int, float, float]]:
    """Positions, scores and latencies of the best configurations that a mask leaves."""
    if mask is not None and not mask.any():
        return
    scores = device.numbers(space.objective) * space.direction
    left = np.flatnonzero(~np.isnan(scores) if mask is None else mask & ~np.isnan(scores))
    if len(left) > space.top:
        worst = np.partition(scores[left], space.top - 1)[space.top - 1]
        left = left[scores[left] <= worst]
    latency = device.numbers("latency_s")
    order = left[np.lexsort((left, latency[left], scores[left]))[: space.top]]
    for position in order:
        yield int(position), float(scores[position]), float(latency[position])


def _joined(space: Space, values: Mapping[str, Any], shape: tuple[int, ...]) -> dict[str, Any]:
    """Joined columns of the configurations of a block."""
    keys, added = space.joined
    if not added:
        return {}
    length = int(np.prod(shape))
    family = {"model": space.grid.family.name, "family": space.grid.family.name}
    codes = {}
    for name in keys:
        column = np.broadcast_to(np.asarray({**family, **values}[name]), shape).reshape(-1)
        codes[name] = coded(column if column.dtype.kind in "iuf" else column.astype(object))
    return joined.spread(keys, added, codes, length)


def _extra(space: Space, row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: float(column[0]) for name, column in _joined(space, row, (1,)).items()}

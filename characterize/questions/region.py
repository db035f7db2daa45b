"""The feasible region: which rows meet budgets, on their own device or on several at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from characterize import errors
from characterize.hardware import KEYS
from characterize.hardware.variation import SECTIONS
from characterize.questions.bounds import Asked, Budget, budgets, column
from characterize.questions.rows import Rows, rows
from characterize.questions.selection import pool
from characterize.records import Architecture
from characterize.sweeping import Kept

if TYPE_CHECKING:
    import pandas as pd

Index = NDArray[np.int64]
Mask = NDArray[np.bool_]
Where = Mapping[str, Any]

_BLOCK: Final = 1 << 18  # rows: what is compared stays in the cache
_APART: Final = {
    "hardware",
    "precision",
    *KEYS,
    *SECTIONS,
}  # of the device, not of the configuration


def split(found: Rows, asked: Asked | None) -> tuple[Budget, ...]:
    """Budgets on these rows, read and checked."""
    known = budgets(asked, found.measures)
    for budget in known:
        if budget.device:
            devices(found, budget.device)
    return known


def feasible_rows(part: Rows, whole: Rows, known: Sequence[Budget]) -> Index:
    """Places of the rows that meet all budgets.

    Args:
        part: the rows asked about.
        whole: all rows of the configurations, where budgets on devices look.
        known: the budgets.
    """
    conditions: list[Callable[[slice], Mask]] = [
        _condition(part.numbers(budget.column), budget) for budget in known if not budget.device
    ]
    scoped = [budget for budget in known if budget.device]
    if scoped:
        met, of = allowed(whole, scoped), configurations(part)
        conditions.append(lambda block: np.asarray(met[of[block]]))
    return _places(conditions, len(part))


def _condition(numbers: NDArray[np.float64], budget: Budget) -> Callable[[slice], Mask]:
    return lambda part: np.asarray(budget.met(numbers[part]))


def _places(conditions: Sequence[Callable[[slice], Mask]], length: int) -> Index:
    """Where all conditions hold, block by block on several threads (NumPy lets go of the lock)."""
    if not conditions:
        return np.arange(length)

    def block(start: int) -> Index:
        part = slice(start, min(start + _BLOCK, length))
        mask = conditions[0](part)
        for condition in conditions[1:]:
            mask = mask & condition(part)
        return np.flatnonzero(mask) + start

    starts = range(0, length, _BLOCK)
    found = list(map(block, starts) if len(starts) < 2 else pool().map(block, starts))
    return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


# budgets on devices


def devices(found: Rows, asked: str) -> tuple[str, ...]:
    """The devices among the rows that a name, a class or ``all`` stands for.

    Raises:
        UnknownNameError: none of them.
    """
    names = found.coded("hardware")
    if asked == "all":
        return tuple(names.values)
    if asked in names.values:
        return (asked,)
    if asked in tuple(Architecture):
        classes = found.coded("architecture")
        if asked in classes.values:
            there = classes.codes == classes.code("architecture", asked)
            return tuple(names.values[code] for code in np.unique(names.codes[there]))
    known = [*names.values, *Architecture, "all"]
    raise errors.unknown("device among these rows", asked, known)


def configurations(found: Rows) -> NDArray[Any]:
    """Which configuration a row is of, as a number below their count or little above it.

    A configuration is family parameters, batch and stack; its rows differ in device and precision.
    """
    return found.inherited("configurations", _numbered)


def _numbered(found: Rows) -> NDArray[Any]:
    names = [name for name in found.identity if name not in _APART]
    found.need(names)
    number: Any = np.zeros(len(found), dtype=np.int64)
    size = 1
    for name in names:
        column_ = found.coded(name)
        if len(column_.values) > 1:
            number = number * len(column_.values) + column_.codes
            size *= len(column_.values)
            if size > 4 * len(found) + 1_000_000:
                number = np.unique(number, return_inverse=True)[1]
                size = int(number.max()) + 1
    return np.asarray(number.astype(np.int32 if size < 1 << 31 else np.int64))


def allowed(whole: Rows, scoped: Sequence[Budget]) -> Mask:
    """Configurations that meet the budgets on every device that one is on."""
    numbers = configurations(whole)
    size = whole.made("size", lambda: int(numbers.max(initial=-1)) + 1)
    everywhere = np.ones(size, dtype=bool)
    on: dict[str, list[Budget]] = {}
    for budget in scoped:
        for device in devices(whole, budget.device):
            on.setdefault(device, []).append(budget)
    for device, bounds in on.items():
        part = whole.where(hardware=device)
        places = _places([_condition(part.numbers(b.column), b) for b in bounds], len(part))
        met = np.zeros(size, dtype=bool)
        met[configurations(part)[places]] = True
        everywhere &= met
    return everywhere


# questions


def feasible(
    source: pd.DataFrame | Kept | Rows, budgets: Asked | None, where: Where | None = None
) -> pd.DataFrame:
    """How much of a sweep meets budgets: a line a device with rows, feasible rows and their share.

    Args:
        source: result rows, a kept sweep, or :func:`rows` of either.
        budgets: such as ``"latency <= 5 ms on the KPU and energy <= 10 mJ"``.
        where: values of columns that rows are restricted to.

    Raises:
        UnknownNameError: a column, a device or a value that the rows do not have.
        InvalidValueError: a budget that cannot be read.
    """
    import pandas as pd

    whole = rows(source)
    part = whole.where(**(where or {}))
    places = feasible_rows(part, whole, split(whole, budgets))
    names = part.coded("hardware")
    total = np.bincount(names.codes, minlength=len(names.values))
    met = np.bincount(names.codes[places], minlength=len(names.values))
    there = total > 0
    return pd.DataFrame(
        {
            "hardware": np.array(names.values, dtype=object)[there],
            "rows": total[there],
            "feasible": met[there],
            "share": met[there] / total[there],
        }
    )


def largest(
    source: pd.DataFrame | Kept | Rows,
    budgets: Asked | None,
    by: str = "parameters",
    where: Where | None = None,
    columns: Sequence[str] = (),
) -> pd.DataFrame:
    """The largest model that meets budgets, a line a device that has one.

    Args:
        source: result rows, a kept sweep, or :func:`rows` of either.
        budgets: as for :func:`feasible`.
        by: what is largest: ``parameters``, ``macs``, an accuracy that was joined; of equal ones
            the fastest.
        where: values of columns that rows are restricted to.
        columns: more columns of the line.
    """
    whole = rows(source)
    part = whole.where(**(where or {}))
    known = split(whole, budgets)
    measure = column(by, whole.measures)
    part.need([measure, "hardware", "latency_s", *(budget.column for budget in known)])
    places = feasible_rows(part, whole, known)
    sizes, names = part.numbers(measure), part.coded("hardware")
    best: list[int] = []
    for code in range(len(names.values)):
        own = places[names.codes[places] == code]
        own = own[~np.isnan(sizes[own])]
        if len(own):
            tied = own[sizes[own] == sizes[own].max()]
            best.append(int(tied[part.numbers("latency_s")[tied].argmin()]))
    shown = dict.fromkeys([measure, "latency_s", *(b.column for b in known), *columns])
    return part.take(np.array(best, dtype=np.int64), list(shown))

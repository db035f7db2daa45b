"""What charts of a sweep draw: a small table each, however many rows there are.

Every function restricts rows by ``where``, counts those that meet ``budgets``, and answers with at most
a few thousand lines. What is sorted for one choice of axes is kept, so that a budget that moves costs
some tens of milliseconds on ten million rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from characterize.questions.bounds import Asked, column, sign
from characterize.questions.cells import Cells
from characterize.questions.coding import Coded
from characterize.questions.region import Where, feasible_rows, split
from characterize.questions.rows import Rows, rows
from characterize.questions.selection import Selection
from characterize.questions.skyline import skyline
from characterize.sweeping import Kept

if TYPE_CHECKING:
    import pandas as pd

Index = NDArray[np.int64]
MARKS: Final = 2000
_BINS: Final = 512  # a side of the fine cells in which the frontier is looked for
_STEPS: Final = 48  # cells along one axis of a heatmap, points along a line


def heatmap(
    source: pd.DataFrame | Kept | Rows,
    x: str,
    y: str,
    value: str,
    budgets: Asked | None = None,
    where: Where | None = None,
    steps: int = _STEPS,
) -> pd.DataFrame:
    """The cells of a heatmap over two axes.

    Axes with more than ``steps`` values have several of them in a cell.

    Args:
        source: result rows, a kept sweep, or :func:`rows` of either.
        x: a column of few values, such as a family parameter.
        y: another.
        value: the measure.
        budgets: what the rows that count have to meet.
        where: values of columns that rows are restricted to.
        steps: cells along an axis, at most.

    Returns:
        A line a cell: ``x`` and ``x_to``, the first and last value of the axis in it, ``y`` and
        ``y_to``; ``rows`` there, ``feasible`` ones and their ``share``; ``best``, ``median`` and
        ``worst`` value of those, NaN where there are none.
    """
    return _grouped(source, {"x": x, "y": y}, value, budgets, where, steps)


def lines(
    source: pd.DataFrame | Kept | Rows,
    x: str,
    value: str,
    by: str | None = None,
    budgets: Asked | None = None,
    where: Where | None = None,
    steps: int = 4 * _STEPS,
) -> pd.DataFrame:
    """The points of lines over one axis, a line for every value of ``by``.

    Returns:
        As of :func:`heatmap`, with ``by`` instead of ``y``.
    """
    axes = {"x": x} if by is None else {"by": by, "x": x}
    return _grouped(source, axes, value, budgets, where, steps)


def counts(
    source: pd.DataFrame | Kept | Rows,
    by: str,
    budgets: Asked | None = None,
    where: Where | None = None,
) -> pd.DataFrame:
    """How many rows there are of each value of a column: ``by``, ``rows``, ``feasible``, ``share``."""
    import pandas as pd

    whole = rows(source)
    part = whole.where(**(where or {}))
    places = feasible_rows(part, whole, split(whole, budgets))
    axis = part.coded(by)
    total = np.bincount(axis.codes, minlength=len(axis.values))
    met = np.bincount(axis.codes[places], minlength=len(axis.values))
    there = total > 0
    return pd.DataFrame(
        {
            "by": axis.array[there],
            "rows": total[there],
            "feasible": met[there],
            "share": met[there] / total[there],
        }
    )


def _grouped(
    source: Any,
    axes: dict[str, str],
    value: str,
    asked: Asked | None,
    where: Where | None,
    steps: int,
) -> pd.DataFrame:
    import pandas as pd

    whole = rows(source)
    part = whole.where(**(where or {}))
    measure, known = column(value, whole.measures), split(whole, asked)
    part.need([*axes.values(), measure, *(budget.column for budget in known)])
    limits = {role: steps if role != "by" else MARKS // steps for role in axes}
    bins = {role: _binned(part.coded(name), limits[role]) for role, name in axes.items()}
    cells: Cells = part.made(
        ("cells", tuple(axes.values()), measure, steps),
        lambda: Cells(part, _code(bins), measure),
    )
    feasible = cells.within(known, whole)
    begin, end = feasible.before(cells.starts), feasible.before(cells.ends)
    met = end - begin
    total = cells.ends - cells.starts
    found: dict[str, Any] = _edges(cells.codes, bins)
    best_last = sign(measure, whole.larger) < 0
    numbers = cells.numbers(measure)
    first, last = _at(numbers, feasible, begin, met), _at(numbers, feasible, end - 1, met)
    found |= {
        "rows": total,
        "feasible": met,
        "share": met / total,
        "best": last if best_last else first,
        "median": _at(numbers, feasible, begin + met // 2, met),
        "worst": first if best_last else last,
    }
    return pd.DataFrame(found)


def _at(numbers: Any, feasible: Selection, ranks: Index, met: Index) -> NDArray[np.float64]:
    """Values of some of the feasible rows, NaN for cells in which there are none."""
    found = np.full(len(met), np.nan)
    there = met > 0
    found[there] = numbers[feasible.at(ranks[there])]
    return found


class _Bins:
    """The values of an axis, several in a bin where there are many."""

    def __init__(self, axis: Coded, width: int) -> None:
        self.axis, self.width = axis, width
        self.count = -(-len(axis.values) // width)

    def edges(self, bins: Index) -> tuple[NDArray[Any], NDArray[Any]]:
        """First and last value of bins."""
        first = bins * self.width
        last = np.minimum(first + self.width, len(self.axis.values)) - 1
        return self.axis.array[first], self.axis.array[last]


def _binned(axis: Coded, limit: int) -> _Bins:
    width = -(-len(axis.values) // max(limit, 1)) if axis.is_number else 1
    return _Bins(axis, max(width, 1))


def _code(bins: dict[str, _Bins]) -> NDArray[Any]:
    code: Any = 0
    size = 1
    for each in bins.values():
        size *= each.count
    kind = np.uint16 if size < 1 << 16 else np.uint32  # sixteen bits are sorted by their digits
    for each in bins.values():
        code = code * kind(each.count) + (each.axis.codes // each.width).astype(kind)
    return np.asarray(code)


def _edges(codes: NDArray[Any], bins: dict[str, _Bins]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    rest = codes.astype(np.int64)
    for role, each in reversed(bins.items()):
        first, last = each.edges(rest % each.count)
        found = (
            {role: first, f"{role}_to": last, **found} if role != "by" else {role: first, **found}
        )
        rest = rest // each.count
    return found


# scatter


def scatter(
    source: pd.DataFrame | Kept | Rows,
    x: str,
    y: str,
    budgets: Asked | None = None,
    where: Where | None = None,
    by: str | None = None,
    marks: int = MARKS,
    columns: tuple[str, ...] = (),
) -> pd.DataFrame:
    """The marks of a scatter of two measures: the whole frontier, and a sample of all other rows.

    The sample has one row for every cell of a grid (logarithmic where values are positive) that has
    feasible rows; a frontier of more than half the marks is thinned evenly.

    Returns:
        A line a mark: what the row is of, its two measures and ``columns``; ``frontier``, whether no
        feasible row beats it, and ``count``, the rows that it stands for (1 on the frontier).
    """
    whole = rows(source)
    part = whole.where(**(where or {}))
    known = split(whole, budgets)
    across, up = column(x, whole.measures), column(y, whole.measures)
    part.need([across, up, *(budget.column for budget in known), *([by] if by else [])])
    signs = sign(across, whole.larger), sign(up, whole.larger)
    fine: Cells = part.made(
        ("fine", across, up, by), lambda: Cells(part, _fine(part, across, up, signs, by), across)
    )
    feasible = fine.within(known, whole)
    begin, end = feasible.before(fine.starts), feasible.before(fine.ends)
    occupied = end > begin
    codes, begin, end = fine.codes[occupied].astype(np.int64), begin[occupied], end[occupied]
    near = _not_beaten(codes)
    candidates = feasible.at(_ranges(begin[near], end[near]))
    costs = np.stack(
        [fine.numbers(name)[candidates] * s for name, s in zip((across, up), signs, strict=True)], 1
    )
    best = candidates[skyline(costs)] if len(candidates) else candidates
    best = best[np.argsort(fine.numbers(across)[best], kind="stable")]
    best = best[np.unique(np.linspace(0, len(best) - 1, min(len(best), marks // 2)).astype(int))]
    sample, stands_for = _sample(codes, begin, end, marks - len(best))
    order = np.concatenate([best, feasible.at(sample)]).astype(np.int64)
    extra = [across, up, *columns, *([by] if by else [])]
    table = part.take(fine.order[order].astype(np.int64), extra)
    table["frontier"] = np.arange(len(order)) < len(best)
    table["count"] = np.concatenate([np.ones(len(best), dtype=np.int64), stands_for])
    return table


def _fine(
    part: Rows, across: str, up: str, signs: tuple[int, int], by: str | None
) -> NDArray[np.uint32]:
    """The fine cell of every row: group, column, row; the better end of both axes is 0."""
    group = part.coded(by).codes.astype(np.uint32) if by else np.uint32(0)
    column_ = _stepped(part.numbers(across) * signs[0])
    row = _stepped(part.numbers(up) * signs[1])
    return np.asarray((group * np.uint32(_BINS) + column_) * np.uint32(_BINS) + row)


def _stepped(costs: NDArray[np.float64]) -> NDArray[np.uint32]:
    finite = costs[np.isfinite(costs)]
    if not len(finite):
        return np.zeros(len(costs), dtype=np.uint32)
    low, high = finite.min(), finite.max()
    if low > 0 or high < 0:
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = np.log(np.abs(costs)) * np.sign(low)
        low, high = sorted((np.log(abs(low)) * np.sign(low), np.log(abs(high)) * np.sign(low)))
    else:
        scaled = costs
    step = (high - low) / _BINS or 1.0
    filled = np.nan_to_num((scaled - low) / step, nan=_BINS - 1, posinf=_BINS - 1, neginf=0)
    return np.clip(filled, 0, _BINS - 1).astype(np.uint32)


def _not_beaten(codes: Index) -> Index:
    """Which occupied cells no other lies to the better side of in both directions, across groups."""
    row, column_ = codes % _BINS, codes // _BINS % _BINS
    lowest = np.full(_BINS, _BINS)
    np.minimum.at(lowest, column_, row)
    before = np.minimum.accumulate(np.concatenate([[_BINS], lowest[:-1]]))
    return np.flatnonzero(row <= before[column_])


def _ranges(begin: Index, end: Index) -> Index:
    """All numbers between beginnings and ends."""
    lengths = end - begin
    if not len(lengths):
        return np.empty(0, dtype=np.int64)
    offsets = np.repeat(begin - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    return np.asarray(np.arange(lengths.sum()) + offsets)


def _sample(codes: Index, begin: Index, end: Index, limit: int) -> tuple[Index, Index]:
    """One feasible row of every coarse cell, coarse enough for ``limit``; how many it stands for."""
    if limit <= 0 or not len(codes):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    group, column_, row = codes // _BINS**2, codes // _BINS % _BINS, codes % _BINS
    for halved in range(2 * _BINS.bit_length()):  # one direction after the other
        across, up = (halved + 1) // 2, halved // 2
        coarse = (group * _BINS + (column_ >> across)) * _BINS + (row >> up)
        unique, first, inverse = np.unique(coarse, return_index=True, return_inverse=True)
        if len(unique) <= limit:
            break
    first, unique = first[:limit], unique[:limit]
    stands_for = np.bincount(inverse, weights=end - begin).astype(np.int64)[: len(unique)]
    return begin[first], stands_for

"""The Pareto frontier: which rows no other row beats.

A row is beaten if another is at least as good in every objective and better in one; equal rows are
all kept. Most rows are beaten by a row of a better cell of a coarse grid, which a table shows at once.
Of those left, two objectives take one sort, three a staircase; more are compared with the frontier
found so far, which takes as long as rows left times rows on the frontier.
"""

from __future__ import annotations

import bisect
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Costs = NDArray[np.float64]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]
_CELLS: Final = 1 << 18
_ACROSS: Final = 1 << 12
_FEW: Final = 1 << 14


def skyline(costs: Costs) -> Index:
    """Positions of the rows on the frontier, in their order.

    Args:
        costs: ``[N, D]``, less is better; a row with a NaN is on no frontier.
    """
    whole = np.flatnonzero(~np.isnan(costs).any(axis=1))
    finite = costs[whole]
    if finite.shape[1] == 1:
        return whole[finite[:, 0] == finite[:, 0].min(initial=np.inf)]
    near = _near(finite)
    distinct, which = np.unique(finite[near], axis=0, return_inverse=True)  # in order, too
    find = {2: _of_two, 3: _of_three}.get(distinct.shape[1], _of_more)
    return whole[near[find(distinct)[which.ravel()]]]


def _near(costs: Costs) -> Index:
    """Rows that no row of a strictly better cell beats: few of many, in a few passes of columns.

    All objectives but the last are cut into cells; a table holds the best last objective of every
    cell, and then of all cells that are strictly better in every direction.
    """
    rows, objectives = costs.shape
    kept: Index = np.arange(rows)
    while len(kept) > _FEW:
        cells = min(_ACROSS, int(_CELLS ** (1 / (objectives - 1))))
        asked = costs[kept]
        places = np.stack([_cut(column, cells) for column in asked[:, :-1].T])
        table = np.full((cells + 1,) * (objectives - 1), np.inf)
        np.minimum.at(table, tuple(places + 1), asked[:, -1])
        for axis in range(objectives - 1):
            np.minimum.accumulate(table, axis=axis, out=table)
        left = kept[asked[:, -1] < table[tuple(places)]]
        if len(left) > 0.7 * len(kept):
            return left
        kept = left
    return kept


def _cut(column: Any, cells: int) -> Index:
    """Places below ``cells``; a lower place means a strictly lower value."""
    sample = np.sort(column[:: max(1, len(column) // (4 * cells))])
    edges = sample[np.linspace(0, len(sample) - 1, cells).astype(int)[1:]]
    return np.searchsorted(edges, column, side="right")


def _of_two(rows: Costs) -> Mask:
    """A row stands if its second objective is below that of all before it."""
    lowest = np.minimum.accumulate(rows[:, 1])
    stands = np.ones(len(rows), dtype=bool)
    stands[1:] = rows[1:, 1] < lowest[:-1]
    return stands


def _of_three(rows: Costs) -> Mask:
    """A row stands if none before it is as good in the other two, which make a staircase."""
    stands = np.zeros(len(rows), dtype=bool)
    steps: list[float] = []  # second objectives, ascending; of those at least as good ...
    heights: list[float] = []  # ... the lowest third, descending
    for place, (second, third) in enumerate(rows[:, 1:].tolist()):
        at = bisect.bisect_right(steps, second)
        if at and heights[at - 1] <= third:
            continue
        stands[place] = True
        end = at
        while end < len(steps) and heights[end] >= third:
            end += 1
        begin = at - 1 if at and steps[at - 1] == second else at
        steps[begin:end], heights[begin:end] = [second], [third]
    return stands


def _of_more(rows: Costs) -> Mask:
    """A row stands if none that stands with a smaller sum of ranks is as good in all objectives."""
    score = np.zeros(len(rows), dtype=np.int64)
    for column in rows.T:
        score += np.searchsorted(np.sort(column), column)
    order = np.argsort(score, kind="stable")  # who beats a row has a smaller sum
    front = np.empty((rows.shape[1], len(rows)))
    found = 0
    stands = np.zeros(len(rows), dtype=bool)
    for place in order:
        row = rows[place]
        beats = front[0, :found] <= row[0]
        for column, value in zip(front[1:, :found], row[1:], strict=True):
            beats &= column <= value
        if not beats.any():
            stands[place] = True
            front[:, found] = row
            found += 1
    return stands

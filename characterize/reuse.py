"""How long ago a kernel's inputs were last touched: what decides whether a cache still holds them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from characterize.records import KernelGraph

Span = tuple[tuple[int, int], ...] | None
"""Rows of the kernels since a value was touched, and how many of each; None: never before."""


def spans(graph: KernelGraph, row_of: Sequence[int], rows: int) -> tuple[tuple[Span, ...], ...]:
    """For every row, read by read, the kernels that ran since the value was last touched.

    The kernel that touched it counts, the one that reads it does not. A row that occurs several
    times is represented by the middle one of its occurrences.
    """
    occurrences: list[list[int]] = [[] for _ in range(rows)]
    for position, row in enumerate(row_of):
        occurrences[row].append(position)
    chosen = {found[len(found) // 2]: row for row, found in enumerate(occurrences)}
    values = graph.graph.values
    touched: dict[int, int] = {}
    result: list[tuple[Span, ...]] = [()] * rows
    for position, kernel in enumerate(graph.kernels):
        row = chosen.get(position)
        if row is not None:
            result[row] = tuple(
                _span(touched.get(values[read].storage), position, row_of) for read in kernel.reads
            )
        for value in (*kernel.reads, *kernel.writes):
            touched[values[value].storage] = position
    return tuple(result)


def _span(since: int | None, position: int, row_of: Sequence[int]) -> Span:
    return None if since is None else tuple(Counter(row_of[since:position]).items())

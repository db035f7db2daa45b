"""How long ago a kernel's inputs were last touched: what decides whether a cache still holds them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from characterize.records import Count, KernelGraph

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
        if position in chosen:
            result[chosen[position]] = tuple(
                _span(touched.get(values[read].storage), position, row_of) for read in kernel.reads
            )
        for value in (*kernel.reads, *kernel.writes):
            touched[values[value].storage] = position
    return tuple(result)


def _span(since: int | None, position: int, row_of: Sequence[int]) -> Span:
    return None if since is None else tuple(Counter(row_of[since:position]).items())


def distances(
    activations: Sequence[tuple[int, Count]],
    spans: Sequence[Span],
    evaluated: Sequence[Mapping[str, Any]],
) -> dict[str, Count]:
    """Elements moved since a kernel's inputs were last touched: its largest, and the others.

    Args:
        activations: which read, and its elements.
        spans: of the kernel, read by read.
        evaluated: features of every row.
    """
    largest: Count = 0
    first: tuple[Count, Count] = (np.inf, 0)  # (activations, weights) moved
    second: tuple[Count, Count] = (np.inf, 0)
    for read, numel in activations:
        moved = _moved(spans[read], evaluated)
        if len(activations) == 1:  # there are no others to tell it from
            first = moved
            break
        wins = numel > largest
        if np.ndim(wins) == 0:
            first, second = (moved, first) if wins else (first, moved)
        else:
            second = _chosen(wins, first, moved)
            first = _chosen(wins, moved, first)
        largest = np.maximum(largest, numel)
    return {
        "input_distance": first[0],
        "input_weight_distance": first[1],
        "other_distance": second[0],
        "other_weight_distance": second[1],
    }


def _moved(span: Span, evaluated: Sequence[Mapping[str, Any]]) -> tuple[Count, Count]:
    if span is None:
        return np.inf, 0
    return (
        sum((evaluated[row]["activation_traffic"] * n for row, n in span), 0),
        sum((evaluated[row]["weight_elements"] * n for row, n in span), 0),
    )


def _chosen(wins: Any, yes: tuple[Count, Count], no: tuple[Count, Count]) -> tuple[Count, Count]:
    return np.where(wins, yes[0], no[0]), np.where(wins, yes[1], no[1])

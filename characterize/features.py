"""From fused kernels to columns: counts of work and traffic, evaluated at one or many configurations.

The distinct kernels are found on the symbolic graph, once (`skeletons`); evaluating them
(:func:`columns`) costs a few array operations a row, whether for one configuration or a million.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from characterize import reuse
from characterize.columns import (
    Array,
    Grid,
    KernelColumns,
    Recent,
    on_grid,
    spread,
    stacked,
    weighted,
)
from characterize.kernel_features import Bound, entering, evaluate, price, stack, total
from characterize.records import KernelGraph, Launching, Precision
from characterize.skeletons import Skeleton, skeleton
from characterize.symbols import Binder

__all__ = ["Columns", "Evaluation", "Skeleton", "columns", "skeleton"]


@dataclass(frozen=True)
class Columns:
    """A fused network, evaluated at N configurations.

    Arrays have one entry a configuration unless said otherwise. Elements are of floating-point
    values (their size follows the precision), fixed bytes of everything else.
    """

    kernels: KernelColumns
    skeleton: Skeleton
    parameters: Array
    macs: Array
    flops: Array
    live_elements: Array  # [S, *grid], one row a distinct set of live values
    live_fixed_bytes: Array  # [S, *grid]
    uncounted: int

    @cached_property
    def _known(self) -> dict[tuple[str, float], Array]:
        return {}

    def memory_bytes(self, precision: Precision) -> Array:
        """Bytes that move if nothing is reused between kernels, ``[N]``."""
        key, kernels = ("moved", precision.bytes), self.kernels
        if key not in self._known:
            moved = kernels.flat(kernels.memory_bytes(precision))
            self._known[key] = weighted(kernels.count, moved)
        return self._known[key]

    def peak_memory_bytes(self, precision: Precision) -> Array:
        """Parameters plus the largest set of activations alive at once, ``[N]``."""
        key = ("peak", precision.bytes)
        if key not in self._known:
            self._known[key] = self._peak(precision)
        return self._known[key]

    def _peak(self, precision: Precision) -> Array:
        if self.live_fixed_bytes.any():
            peak = self.live_bytes(precision).max(axis=0, initial=0.0)
        else:
            peak = self.live_elements.max(axis=0, initial=0.0) * precision.bytes
        return np.asarray(self.parameters * precision.bytes + spread(peak, self.kernels.grid))

    def live_bytes(self, precision: Precision) -> Array:
        """Bytes of each distinct set of live values, ``[S, *grid]``."""
        return np.asarray(self.live_elements * precision.bytes + self.live_fixed_bytes)


def columns(graph: KernelGraph | Skeleton, values: Mapping[str, Any] | None = None) -> Columns:
    """A fused network evaluated at ``values``: integers, or arrays of one length.

    Args:
        graph: the fused network, or its skeleton where it is evaluated again and again.
        values: a number or an array for each of the graph's symbols; none for a concrete graph.
            Arrays of several dimensions are a grid, as ``numpy.ix_`` makes it; its configurations
            are counted through with the last axis running fastest.
    """
    return Evaluation(values or {}).columns(graph)


class Evaluation:
    """Networks evaluated at the same sizes: kernels that several of them have are evaluated once.

    So are their times on a device (:meth:`KernelColumns.once`). Networks of more or fewer equal
    layers differ in nothing but how often their kernels occur. ``recent`` keeps what is shared.
    """

    def __init__(self, values: Mapping[str, Any], recent: Recent | None = None) -> None:
        self.binder, self._recent = Binder(values), recent
        self.grid: Grid = np.broadcast_shapes((1,), *(np.shape(v) for v in values.values()))

    @property
    def shares(self) -> bool:
        """Whether networks that come after may have the same kernels."""
        return self._recent is not None

    def _fused(self, frame: Skeleton, bound: Bound) -> _Fused:
        """The fused kernels: those of a network alike, if it was evaluated a short while ago."""
        if self._recent is None:
            return _evaluated(frame, self.binder, bound, self.grid)
        elements = len(frame.rows) * math.prod(self.grid)
        return self._recent.get(
            (self.binder, frame.likeness),
            elements,
            lambda: _evaluated(frame, self.binder, bound, self.grid),
        )

    def columns(self, graph: KernelGraph | Skeleton) -> Columns:
        """A fused network at these sizes."""
        frame = graph if isinstance(graph, Skeleton) else skeleton(graph)
        source, binder, grid = frame.graph.graph, self.binder, self.grid
        bound = Bound(source.values, binder)
        found = self._fused(frame, bound)
        evaluated = found.evaluated
        folded = [source.operators[i] for i in frame.graph.folded]
        counts = [row.count for row in frame.rows]
        macs = sum((e["macs"] * n for e, n in zip(evaluated, counts, strict=True)), 0)
        flops = sum((e["flops"] * n for e, n in zip(evaluated, counts, strict=True)), 0)
        flops = flops + sum((price(op, bound).flops for op in folded), 0)
        live = [total(each, binder) for each in frame.live_sizes]
        parameters, _ = total(frame.parameter_sizes, binder)
        return Columns(
            kernels=found.kernels.counted(
                stacked(counts, grid),
                entering_elements=on_grid(entering(source, binder), grid)[None],
                lowerings=_Lowerings(frame, found, self),
            ),
            skeleton=frame,
            parameters=spread(parameters, grid),
            macs=spread(macs, grid),
            flops=spread(flops, grid),
            live_elements=stacked([e for e, _ in live], grid),
            live_fixed_bytes=stacked([f for _, f in live], grid),
            uncounted=sum(e["uncounted"] * n for e, n in zip(evaluated, counts, strict=True)),
        )


@dataclass(frozen=True)
class _Fused:
    """Distinct fused kernels at some sizes, and what is launched for them."""

    evaluated: Sequence[Mapping[str, Any]]  # features, a row each
    kernels: KernelColumns
    launched: dict[Hashable, tuple[KernelColumns, tuple[int, ...]]] = field(default_factory=dict)


def _evaluated(frame: Skeleton, binder: Binder, bound: Bound, grid: Grid) -> _Fused:
    evaluated = [evaluate(row, binder, bound) for row in frame.rows]
    return _Fused(evaluated, stack(frame, evaluated, grid))


@dataclass
class _Lowerings:
    """Columns of launched kernels, evaluated at the sizes of the fused ones when asked for."""

    frame: Skeleton
    fused: _Fused
    sizes: Evaluation

    def launched(self, how: Launching) -> tuple[KernelColumns, Array]:
        """Columns of L launched kernels, and how many of each a fused kernel stands for."""
        launched = self.frame.launched(how)
        made = launched.skeleton
        known = self.fused.launched
        key = made.likeness if self.sizes.shares else id(made)
        if key not in known:
            known[key] = self._evaluate(made)
        kernels, order = known[key]
        shares = np.zeros((len(self.frame.rows), len(made.rows)))
        for fused, row, count in launched.occurrences:
            shares[fused, row] += count / self.frame.rows[fused].count
        counts = stacked([made.rows[row].count for row in order], self.sizes.grid)
        return kernels.counted(counts), shares[:, order]

    def _evaluate(self, made: Skeleton) -> tuple[KernelColumns, tuple[int, ...]]:
        """Columns in groups of equal extent and kind, which are views, and which rows those are."""
        bound = Bound(made.graph.graph.values, self.sizes.binder)
        evaluated = [evaluate(row, self.sizes.binder, bound) for row in made.rows]
        whole = {
            "computed_weights": max((e["computed_weights"] for e in evaluated), default=0),
            "beside_grouped": max((e["beside_grouped"] for e in evaluated), default=0),
        }
        for row, features in enumerate(evaluated):
            features.update(reuse.distances(features["activations"], made.spans[row], evaluated))
            features.update(whole)
        extents = [_extent(features, self.sizes.grid) for features in evaluated]
        order = sorted(
            range(len(evaluated)), key=lambda row: (extents[row], evaluated[row]["kind"])
        )
        kernels = stack(made, [evaluated[row] for row in order], self.sizes.grid)
        kernels = replace(kernels, extents=tuple(extents[row] for row in order))
        return kernels, tuple(order)


def _extent(features: Mapping[str, Any], grid: Grid) -> Grid:
    """The lengths of the axes that some feature depends on, 1 for the others."""
    shapes = {value.shape for value in features.values() if isinstance(value, np.ndarray)}
    return np.broadcast_shapes((1,) * len(grid), *shapes)

"""From fused kernels to columns: counts of work and traffic, evaluated at one or many configurations.

The distinct kernels are found on the symbolic graph, once (`skeletons`); evaluating them
(:func:`columns`) costs a few array operations a row, whether for one configuration or a million.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from characterize import costs, reuse
from characterize.columns import KINDS, Array, Grid, KernelColumns, on_grid, spread, stacked
from characterize.loop_facts import loop_facts
from characterize.lowering import WIDE, turned
from characterize.records import (
    Cost,
    Count,
    Graph,
    KernelGraph,
    KernelKind,
    Operator,
    Precision,
    Role,
    Value,
)
from characterize.skeletons import Launched, Row, Sizes, Skeleton, Traffic, sizes, skeleton
from characterize.symbols import Binder

__all__ = ["Columns", "Skeleton", "columns", "skeleton"]

_FLOATS: Mapping[str, int] = {  # elements of the running precision that one element takes
    "float16": 1, "bfloat16": 1, "float32": 1, "float64": 1,
    "float8_e4m3fn": 1, "float8_e5m2": 1, "complex64": 2, "complex128": 2, "complex32": 2,
    WIDE: 2,
}  # fmt: skip
_FIXED_BYTES: Mapping[str, int] = {
    "bool": 1,
    "uint8": 1,
    "int8": 1,
    "int16": 2,
    "int32": 4,
    "int64": 8,
}


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

    def peak_memory_bytes(self, precision: Precision) -> Array:
        """Parameters plus the largest set of activations alive at once, ``[N]``."""
        peak = self.live_bytes(precision).max(axis=0, initial=0.0)
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
    frame = graph if isinstance(graph, Skeleton) else skeleton(graph)
    binder = Binder(values or {})
    grid = np.broadcast_shapes((1,), *(np.shape(v) for v in (values or {}).values()))
    source = frame.graph.graph
    bound = _Bound(source.values, binder)
    evaluated = [_evaluate(row, binder, bound) for row in frame.rows]
    folded = [source.operators[i] for i in frame.graph.folded]
    counts = [row.count for row in frame.rows]
    macs = sum((e["macs"] * n for e, n in zip(evaluated, counts, strict=True)), 0)
    flops = sum((e["flops"] * n for e, n in zip(evaluated, counts, strict=True)), 0)
    flops = flops + sum((_cost(op, bound).flops for op in folded), 0)
    live = [_total(each, binder) for each in frame.live_sizes]
    parameters, _ = _total(frame.parameter_sizes, binder)
    return Columns(
        kernels=replace(
            _stack(frame, evaluated, grid),
            entering_elements=on_grid(_entering(source, binder), grid)[None],
            lowerings=_Lowerings(frame, binder, grid),
        ),
        skeleton=frame,
        parameters=spread(parameters, grid),
        macs=spread(macs, grid),
        flops=spread(flops, grid),
        live_elements=stacked([e for e, _ in live], grid),
        live_fixed_bytes=stacked([f for _, f in live], grid),
        uncounted=sum(e["uncounted"] * n for e, n in zip(evaluated, counts, strict=True)),
    )


@dataclass
class _Lowerings:
    """Columns of launched kernels, evaluated at the sizes of the fused ones when asked for."""

    frame: Skeleton
    binder: Binder
    grid: Grid
    known: list[tuple[Launched, tuple[KernelColumns, Array]]] = field(default_factory=list)

    def launched(self, *, autocast: bool, split_bias: bool) -> tuple[KernelColumns, Array]:
        """Columns of L launched kernels, and how many of each a fused kernel stands for."""
        launched = self.frame.launched(autocast=autocast, split_bias=split_bias)
        found = next((found for each, found in tuple(self.known) if each is launched), None)
        if found is None:
            found = self._evaluate(launched)
            self.known.append((launched, found))
        return found

    def _evaluate(self, launched: Launched) -> tuple[KernelColumns, Array]:
        made = launched.skeleton
        bound = _Bound(made.graph.graph.values, self.binder)
        evaluated = [_evaluate(row, self.binder, bound) for row in made.rows]
        whole = {
            "computed_weights": max((e["computed_weights"] for e in evaluated), default=0),
            "beside_grouped": max((e["beside_grouped"] for e in evaluated), default=0),
        }
        for row, features in enumerate(evaluated):
            features.update(reuse.distances(features["activations"], made.spans[row], evaluated))
            features.update(whole)
        shares = np.zeros((len(self.frame.rows), len(made.rows)))
        for fused, row, count in launched.occurrences:
            shares[fused, row] += count / self.frame.rows[fused].count
        extents = tuple(_extent(features, self.grid) for features in evaluated)
        return replace(_stack(made, evaluated, self.grid), extents=extents), shares


def _extent(features: Mapping[str, Any], grid: Grid) -> Grid:
    """The lengths of the axes that some feature depends on, 1 for the others."""
    shapes = {value.shape for value in features.values() if isinstance(value, np.ndarray)}
    return np.broadcast_shapes((1,) * len(grid), *shapes)


class _Bound:
    """The values of a graph, their shapes bound when they are first looked at."""

    def __init__(self, values: Sequence[Value], binder: Binder) -> None:
        self._values = values
        self._binder = binder
        self._known: dict[int, Value] = {}

    def __getitem__(self, index: int) -> Value:
        found = self._known.get(index)
        if found is None:
            found = self._known[index] = self._binder.value(self._values[index])
        return found

    def operator(self, operator: Operator) -> Operator:
        """The operator with its attributes bound."""
        return self._binder.operator(operator)


def _cost(operator: Operator, values: _Bound) -> Cost:
    if operator.cost is not None:
        return operator.cost
    return costs.price(values.operator(operator), values)


def _numel(shape: Iterable[Any], binder: Binder) -> Count:
    result: Count = 1
    for dim in shape:
        result = result * binder.dim(dim)
    return result


def _total(sizes: Sizes, binder: Binder) -> tuple[Count, Count]:
    """Elements of floating-point values, and bytes of the others."""
    elements: Count = 0
    fixed: Count = 0
    for (shape, dtype), count in sizes:
        numel = _numel(shape, binder) * count
        if dtype in _FLOATS:
            elements = elements + numel * _FLOATS[dtype]
        else:
            fixed = fixed + numel * _FIXED_BYTES.get(dtype, 8)
    return elements, fixed


def _entering(graph: Graph, binder: Binder) -> Count:
    """Floating-point elements of the network's inputs."""
    shapes = (graph.values[i] for i in graph.inputs)
    return _total(tuple(((v.shape, v.dtype), 1) for v in shapes), binder)[0]


_FIELDS = [
    "macs", "worked_macs", "vector_flops", "transcendentals", "m", "n", "k", "groups",
    "kernel_area", "stride", "input_elements", "other_elements", "weight_elements",
    "output_elements", "fixed_read_bytes", "fixed_write_bytes", "intermediate_elements",
    "row_elements", "masked", "batch_norms", "derived", "computed_weights", "beside_grouped",
    "sliced_elements", "turned_elements", "kernel_extent", "images", "plain", "rearranging",
    "chunks", "run",
]  # fmt: skip
_HISTORY = [
    "input_distance",
    "other_distance",
    "input_weight_distance",
    "other_weight_distance",
]


def _stack(frame: Skeleton, evaluated: list[dict[str, Any]], grid: Grid) -> KernelColumns:
    arrays: dict[str, Any] = {
        name: stacked([e[name] for e in evaluated], grid)
        for name in [*_FIELDS, *(_HISTORY if frame.spans else ())]
    }
    if all(e["worked_macs"] is e["macs"] for e in evaluated):
        arrays["worked_macs"] = arrays["macs"]
    return KernelColumns(
        kind=np.array([e["kind"] for e in evaluated], dtype=np.int64),
        count=stacked([row.count for row in frame.rows], grid),
        operators=stacked([len(row.operators) for row in frame.rows], grid),
        grid=grid,
        **arrays,
    )


def _evaluate(row: Row, binder: Binder, values: _Bound) -> dict[str, Any]:
    """Every feature of one distinct kernel."""
    priced = [_cost(operator, values) for operator in row.operators]
    anchor = priced[row.anchor]
    gemm = anchor.gemm
    macs = sum((cost.macs for cost in priced), 0)
    worked = macs  # the same array, which execution models look for
    if any(cost.masked_macs is not None for cost in priced):
        worked = sum((c.macs if c.masked_macs is None else c.masked_macs for c in priced), 0)
    vector = sum((cost.vector_flops for cost in priced), 0)
    features: dict[str, Any] = {
        "kind": KINDS.index(anchor.kind),
        "macs": macs,
        "worked_macs": worked,
        "vector_flops": vector,
        "flops": 2 * macs + vector,
        "transcendentals": sum((cost.transcendentals for cost in priced), 0),
        "m": gemm.m if gemm else 0,
        "n": gemm.n if gemm else 0,
        "k": gemm.k if gemm else 0,
        "groups": gemm.groups if gemm else 0,
        "kernel_area": math.prod(gemm.kernel) if gemm else 1,
        "kernel_extent": _largest(gemm.kernel) if gemm else 0,
        "stride": max(gemm.stride, default=1) if gemm else 1,
        "intermediate_elements": _total(sizes(row.inside), binder)[0],
        "uncounted": sum(1 for cost in priced if not cost.counted),
        "beside_grouped": int(anchor.kind is KernelKind.GROUPED_CONVOLUTION),
        "batch_norms": sum(1 for cost in priced if cost.kind is KernelKind.BATCH_NORM),
    }
    features.update(_of_anchor(row, binder))
    features.update(loop_facts(row, binder))
    features.update(_read(row, priced, binder))
    features.update(_written(row, priced, binder))
    features["activation_traffic"] = (
        features["input_elements"] + features["other_elements"] + features["output_elements"]
    )
    return features


def _of_anchor(row: Row, binder: Binder) -> dict[str, Any]:
    """What the execution models ask about the operator that decides a kernel's kind."""
    anchor = row.operators[row.anchor]
    normalised = anchor.attributes.get("normalized_shape")
    weights = (t for t in row.reads if t.weight and len(t.value.shape) > 2)
    return {
        "row_elements": _numel(normalised, binder) if isinstance(normalised, tuple) else 0,
        "masked": int("attn_mask" in anchor.arguments),
        "derived": int(all(t.weight for t in row.reads)),
        "computed_weights": int(any(t.source.role is Role.DERIVED for t in weights)),
    }


def _largest(sizes: Iterable[int]) -> int:
    result = 0
    for size in sizes:
        result = np.maximum(result, size)
    return result


def _read(row: Row, priced: list[Cost], binder: Binder) -> dict[str, Any]:
    activations: list[tuple[int, Count]] = []  # (which read, elements)
    weights: Count = 0
    fixed: Count = 0
    sliced: Count = 0
    across: Count = 0
    for place, traffic in enumerate(row.reads):
        numel = _moved(row, traffic, priced, binder, reading=True)
        if traffic.value is not traffic.source and not traffic.weight:
            whole = _numel(traffic.source.shape, binder)
            sliced = sliced + numel * (numel < whole)
            if turned(traffic.value.shape, traffic.source.shape):
                across = across + numel
        if traffic.value.dtype not in _FLOATS:
            fixed = fixed + numel * _FIXED_BYTES.get(traffic.value.dtype, 8)
        elif traffic.weight:
            weights = weights + numel * _FLOATS[traffic.value.dtype]
        else:
            activations.append((place, numel * _FLOATS[traffic.value.dtype]))
    largest: Count = 0
    for _, numel in activations:
        largest = np.maximum(largest, numel)
    total = sum((numel for _, numel in activations), 0)
    return {
        "activations": activations,
        "input_elements": largest,
        "other_elements": total - largest if len(activations) > 1 else 0,
        "weight_elements": weights,
        "fixed_read_bytes": fixed,
        "sliced_elements": sliced,
        "turned_elements": across,
    }


def _written(row: Row, priced: list[Cost], binder: Binder) -> dict[str, Any]:
    elements: Count = 0
    fixed: Count = 0
    for traffic in row.writes:
        numel = _moved(row, traffic, priced, binder, reading=False)
        if traffic.value.dtype in _FLOATS:
            elements = elements + numel * _FLOATS[traffic.value.dtype]
        else:
            fixed = fixed + numel * _FIXED_BYTES.get(traffic.value.dtype, 8)
    return {"output_elements": elements, "fixed_write_bytes": fixed}


def _moved(
    row: Row, traffic: Traffic, priced: list[Cost], binder: Binder, *, reading: bool
) -> Count:
    """Elements that really cross memory: what the formula says, else the smaller of view and source."""
    if traffic.override is not None:
        position, place = traffic.override
        part = row.operators[position].attributes.get("written")
        if part is not None and not reading:
            return _numel(part, binder)
        stated = priced[position].reads if reading else priced[position].writes
        if stated is not None and place < len(stated) and stated[place] is not None:
            return stated[place]
    numel = _numel(traffic.value.shape, binder)
    if traffic.value is traffic.source:
        return numel
    return np.minimum(numel, _numel(traffic.source.shape, binder))

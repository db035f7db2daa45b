"""The features of one distinct kernel at some sizes, and rows of them as columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from characterize import costs
from characterize.columns import KINDS, Grid, KernelColumns, stacked
from characterize.loop_facts import loop_facts
from characterize.lowering import WIDE, turned
from characterize.records import (
    Cost,
    Count,
    Graph,
    KernelKind,
    Operator,
    Role,
    Value,
)
from characterize.skeletons import Row, Sizes, Skeleton, Traffic, sizes
from characterize.symbols import Binder

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


class Bound:
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


def price(operator: Operator, values: Bound) -> Cost:
    """The cost of an operator: what the tracer knew, else its formula at these sizes."""
    if operator.cost is not None:
        return operator.cost
    return costs.price(values.operator(operator), values)


def total(sizes: Sizes, binder: Binder) -> tuple[Count, Count]:
    """Elements of floating-point values, and bytes of the others."""
    elements: Count = 0
    fixed: Count = 0
    for (shape, dtype), count in sizes:
        numel = binder.numel(shape) * count
        if dtype in _FLOATS:
            elements = elements + numel * _FLOATS[dtype]
        else:
            fixed = fixed + numel * _FIXED_BYTES.get(dtype, 8)
    return elements, fixed


def entering(graph: Graph, binder: Binder) -> Count:
    """Floating-point elements of the network's inputs."""
    shapes = (graph.values[i] for i in graph.inputs)
    return total(tuple(((v.shape, v.dtype), 1) for v in shapes), binder)[0]


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


def stack(frame: Skeleton, evaluated: list[dict[str, Any]], grid: Grid) -> KernelColumns:
    """Columns of kernels, each once."""
    arrays: dict[str, Any] = {
        name: stacked([e[name] for e in evaluated], grid)
        for name in [*_FIELDS, *(_HISTORY if frame.spans else ())]
    }
    if all(e["worked_macs"] is e["macs"] for e in evaluated):
        arrays["worked_macs"] = arrays["macs"]
    return KernelColumns(
        kind=np.array([e["kind"] for e in evaluated], dtype=np.int64),
        count=stacked([1] * len(evaluated), grid),
        operators=stacked([e["operators"] for e in evaluated], grid),
        grid=grid,
        **arrays,
    )


def evaluate(row: Row, binder: Binder, values: Bound) -> dict[str, Any]:
    """Every feature of one distinct kernel."""
    priced = [price(operator, values) for operator in row.operators]
    anchor = priced[row.anchor]
    gemm = anchor.gemm
    macs = sum((cost.macs for cost in priced), 0)
    worked = macs  # the same array, which execution models look for
    if any(cost.masked_macs is not None for cost in priced):
        worked = sum((c.macs if c.masked_macs is None else c.masked_macs for c in priced), 0)
    vector = sum((cost.vector_flops for cost in priced), 0)
    features: dict[str, Any] = {
        "kind": KINDS.index(anchor.kind),
        "operators": len(row.operators),
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
        "intermediate_elements": total(sizes(row.inside), binder)[0],
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
        "row_elements": binder.numel(normalised) if isinstance(normalised, tuple) else 0,
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
            whole = binder.numel(traffic.source.shape)
            sliced = sliced + numel * (numel < whole)
            if turned(traffic.value, traffic.source):
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
    together = sum((numel for _, numel in activations), 0)
    return {
        "activations": activations,
        "input_elements": largest,
        "other_elements": together - largest if len(activations) > 1 else 0,
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
            return binder.numel(tuple(part))
        stated = priced[position].reads if reading else priced[position].writes
        if stated is not None and place < len(stated) and stated[place] is not None:
            return stated[place]
    numel = binder.numel(traffic.value.shape)
    if traffic.value is traffic.source:
        return numel
    return np.minimum(numel, binder.numel(traffic.source.shape))

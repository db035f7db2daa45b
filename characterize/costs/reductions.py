"""Reductions, scans and softmax."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from characterize.costs.registry import Work, cost_of
from characterize.records import Cost, Count, KernelKind

_STEPS: Final[Mapping[str, tuple[int, int, str]]] = MappingProxyType(
    {
        "aten.sum": (1, 0, "sum"),
        "aten.nansum": (2, 0, "test, sum"),
        "aten.mean": (1, 1, "sum; quotient"),
        "aten.nanmean": (2, 1, "test, sum; quotient"),
        "aten.prod": (1, 0, "product"),
        "aten.amax": (1, 0, "maximum"),
        "aten.amin": (1, 0, "minimum"),
        "aten.aminmax": (2, 0, "maximum, minimum"),
        "aten.argmax": (1, 0, "comparison"),
        "aten.argmin": (1, 0, "comparison"),
        "aten.any": (1, 0, "or"),
        "aten.all": (1, 0, "and"),
        "aten.count_nonzero": (2, 0, "test, sum"),
        "aten.var": (4, 2, "sum, difference, square, sum; two quotients"),
        "aten.std": (4, 3, "sum, difference, square, sum; two quotients, root"),
        "aten.var_mean": (4, 2, "sum, difference, square, sum; two quotients"),
        "aten.std_mean": (4, 3, "sum, difference, square, sum; two quotients, root"),
    }
)


@cost_of(
    *_STEPS,
    table=(
        ("operator", "an input element", "an output element", "operations"),
        *((name, str(row[0]), str(row[1]), row[2]) for name, row in _STEPS.items()),
    ),
)
def reduction(work: Work) -> Cost:
    """Reductions over some axes, or all of them.

    Shapes: input ``[*D]``, output ``[*D]`` without the axes that are reduced.

    Formula: vector_flops = a * (input elements) + b * (output elements), with a and b in the table.
        The accumulator starts from the neutral element, so n elements take n operations.

    Source: definitions in the reference of torch.sum, torch.mean, torch.var.

    Example:
        >>> from characterize.costs import estimate
        >>> estimate("aten.mean", {"self": (2, 16, 7, 7)}, (2, 16), dim=(2, 3)).vector_flops
        1600
    """
    per_input, per_output, _ = _STEPS[work.name]
    elements = math.prod(work.required("self"))
    return _reduces(per_input * elements + per_output * work.elements)


def _reduces(vector_flops: Count, transcendentals: Count = 0) -> Cost:
    return Cost(
        kind=KernelKind.REDUCTION, vector_flops=vector_flops, transcendentals=transcendentals
    )


@cost_of("aten.max", "aten.min")
def extremum(work: Work) -> Cost:
    """Largest or smallest: of a tensor, along an axis, or of two tensors element by element.

    Shapes: input ``[*D]``, output ``[*D]`` without the axis; with ``other``, both broadcast.

    Formula: vector_flops = input elements; of two tensors, output elements.

    Source: convention: one an element and operation.

    Example:
        >>> from characterize.costs import estimate
        >>> estimate("aten.max", {"self": (4, 9)}, (4,), (4,), dim=1).vector_flops
        36
        >>> estimate("aten.max", {"self": (4, 9), "other": (9,)}, (4, 9)).kind.value
        'elementwise'
    """
    if "other" in work.arguments:
        return Cost(kind=KernelKind.ELEMENTWISE, vector_flops=work.elements)
    return _reduces(math.prod(work.required("self")))


@cost_of("aten.norm", "aten.linalg_vector_norm")
def norm(work: Work) -> Cost:
    """Vector norms of any order.

    Shapes: input ``[*D]``, output ``[*D]`` without the axes of the norm.

    Formula: vector_flops = 2 * (input elements): square, or absolute value, and sum or maximum; for
        order 2 one more an output element, the root. Any other order but 0, 1 and infinity:
        3 * (input elements), of them one transcendental, and one an output element.

    Source: definition in the reference of torch.linalg.vector_norm.

    Example:
        >>> from characterize.costs import estimate
        >>> estimate("aten.linalg_vector_norm", {"self": (4, 32)}, (4, 1), dim=(1,)).vector_flops
        260
    """
    order = work.attributes.get("ord", work.attributes.get("p", 2))
    order = 2 if order is None or isinstance(order, str) else order
    elements = math.prod(work.required("self"))
    if order == 2:
        return _reduces(2 * elements + work.elements)
    if order in (0, 1) or math.isinf(order):
        return _reduces(2 * elements)
    return _reduces(3 * elements + work.elements, elements + work.elements)


@cost_of("aten.logsumexp")
def log_sum_exp(work: Work) -> Cost:
    """Logarithm of a sum of exponentials.

    Shapes: input ``[*D]``, output ``[*D]`` without the axes that are reduced.

    Formula: vector_flops = 4 * (input elements) (maximum, difference, exp, sum) + 2 * (output
        elements) (log, sum); transcendentals = input + output elements.

    Source: definition in the reference of torch.logsumexp, with the maximum taken out.

    Example:
        >>> from characterize.costs import estimate
        >>> estimate("aten.logsumexp", {"self": (3, 10)}, (3,), dim=(1,)).vector_flops
        126
    """
    elements = math.prod(work.required("self"))
    return _reduces(4 * elements + 2 * work.elements, elements + work.elements)


@cost_of("aten.cumsum", "aten.cumprod", "aten.cummax", "aten.cummin", "aten.logcumsumexp")
def scan(work: Work) -> Cost:
    """Cumulative sums, products, maxima along an axis.

    Shapes: input and output ``[*D]``.

    Formula: vector_flops = elements; logcumsumexp 5 * elements (maximum, minimum and difference,
        exp, log1p, sum rolled into one step: 2 of them transcendental).

    Source: convention: one an element and operation, of the sequential scan.

    Example:
        >>> from characterize.costs import estimate
        >>> estimate("aten.cumsum", {"self": (2, 16)}, (2, 16), dim=1).vector_flops
        32
    """
    if work.name == "aten.logcumsumexp":
        return _reduces(5 * work.elements, 2 * work.elements)
    return _reduces(work.elements)


@cost_of(
    "aten.softmax",
    "aten._softmax",
    "aten._safe_softmax",
    "aten._masked_softmax",
    "aten.log_softmax",
    "aten._log_softmax",
)
def softmax(work: Work) -> Cost:
    """Softmax or log-softmax along an axis.

    Shapes: input and output ``[*D]``; a row is the elements along ``dim``.

    Formula: softmax: vector_flops = 5 * elements (maximum, difference, exp, sum, quotient),
        transcendentals = elements. log-softmax: 5 * elements (maximum, two differences, exp, sum)
        and a log a row; transcendentals = elements + rows. _masked_softmax: one more an element.

    Source: definition in the reference of torch.softmax, with the maximum taken out.

    Example:
        >>> from characterize.costs import estimate
        >>> cost = estimate("aten.softmax", {"self": (2, 12, 16, 16)}, (2, 12, 16, 16), dim=-1)
        >>> cost.vector_flops, cost.transcendentals
        (30720, 6144)
    """
    shape = work.required("self")
    elements = math.prod(shape)
    if "log_softmax" in work.name:
        rows = _rows(shape, work.attributes.get("dim", -1))
        operations, transcendentals = 5 * elements + rows, elements + rows
    else:
        operations = (6 if "masked" in work.name else 5) * elements
        transcendentals = elements
    return Cost(kind=KernelKind.SOFTMAX, vector_flops=operations, transcendentals=transcendentals)


def _rows(shape: tuple[Count, ...], axis: int) -> Count:
    """Elements of a shape without one axis."""
    place = axis % max(len(shape), 1)
    return math.prod(shape[:place] + shape[place + 1 :])


@cost_of("aten._cdist_forward", "aten.cdist", "aten._euclidean_dist")
def distances(work: Work) -> Cost:
    """Distances between all pairs of rows.

    Shapes: x1 ``[*B, p, m]``, x2 ``[*B, r, m]``, output ``[*B, p, r]``.

    Formula: vector_flops = output elements * (3 * m + 1): difference, square and sum of each
        coordinate, and a root. The way over a matrix product for many rows is not modelled.

    Source: definition in the reference of torch.cdist.

    Example:
        >>> from characterize.costs import estimate
        >>> estimate("aten.cdist", {"x1": (5, 3), "x2": (4, 3)}, (5, 4)).vector_flops  # 20 * 10
        200
    """
    return _reduces(work.elements * (3 * work.required("x1")[-1] + 1))


@cost_of("aten.histc", "aten.bincount", "aten.histogram")
def histogram(work: Work) -> Cost:
    """Counts of values in bins.

    Shapes: input ``[*D]``, output ``[bins]``.

    Formula: vector_flops = 3 * (input elements): the bin (difference, product) and the count;
        bincount has the bin already and takes one.

    Source: definition in the reference of torch.histc.

    Example:
        >>> from characterize.costs import estimate
        >>> estimate("aten.histc", {"self": (100,)}, (10,), bins=10).vector_flops
        300
    """
    per_element = 1 if work.name == "aten.bincount" else 3
    return _reduces(per_element * math.prod(work.required("self")))


@cost_of("aten.renorm")
def renorm(work: Work) -> Cost:
    """Rescaling of the slices along one axis whose norm is too large.

    Shapes: input and output ``[*D]``; a slice an index of ``dim``.

    Formula: vector_flops = 3 * elements (square, sum, product) + 4 * slices (root, comparison, sum,
        quotient).

    Source: definition in the reference of torch.renorm.

    Example:
        >>> from characterize.costs import estimate
        >>> estimate("aten.renorm", {"self": (4, 8)}, (4, 8), p=2.0, dim=0).vector_flops
        112
    """
    shape = work.required("self")
    slices = shape[work.attributes.get("dim", 0)]
    return _reduces(3 * math.prod(shape) + 4 * slices)

"""Sorting and selection."""

from __future__ import annotations

import math

from characterize.costs.registry import Work, cost_of, log2_ceiling
from characterize.records import Cost, Count, KernelKind


def _along(work: Work) -> tuple[Count, Count]:
    """Elements of the input, and how many of them lie along the axis."""
    shape = work.required("self")
    if not shape:
        return 1, 1
    return math.prod(shape), shape[work.attributes.get("dim", -1)]


@cost_of("aten.sort", "aten.argsort", "aten.msort", "aten.unique_dim", "aten._unique2")
def sort(work: Work) -> Cost:
    """Sorting along an axis.

    Shapes: input ``[*D]``, outputs values and indices ``[*D]``; n elements along the axis.

    Formula: vector_flops = elements * ceil(log2(n)): comparisons of a merge sort.

    Source: Knuth, The Art of Computer Programming 3, section 5.2.4.

    Example:
        >>> from characterize.costs import estimate
        >>> estimate("aten.sort", {"self": (2, 1000)}, (2, 1000), (2, 1000)).vector_flops
        20000
    """
    elements, count = _along(work)
    return Cost(kind=KernelKind.SORT, vector_flops=elements * log2_ceiling(count))


@cost_of("aten.topk", "aten.kthvalue", "aten.median", "aten.nanmedian", "aten.mode")
def select(work: Work) -> Cost:
    """The k largest, the k-th, the median or the most frequent along an axis.

    Shapes: input ``[*D]``, outputs values and indices; n elements along the axis.

    Formula: topk: vector_flops = elements * ceil(log2(k + 1)), comparisons with a heap of k; mode,
        which sorts, elements * ceil(log2(n)); the others 3 * elements, the comparisons of a
        selection by partition, averaged over ranks.

    Source: Knuth, The Art of Computer Programming 3, section 5.2.3 (heaps) and 5.2.2 (selection by
        partition: Hoare, Find, CACM 4, 1961).

    Example:
        >>> from characterize.costs import estimate
        >>> estimate("aten.topk", {"self": (4, 1000)}, (4, 5), (4, 5), k=5).vector_flops
        12000
    """
    elements, count = _along(work)
    if work.name == "aten.topk":
        per_element = log2_ceiling(work.attributes.get("k", 1) + 1)
    elif work.name == "aten.mode":
        per_element = log2_ceiling(count)
    else:
        per_element = 3
    return Cost(kind=KernelKind.SORT, vector_flops=elements * per_element)

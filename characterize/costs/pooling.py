"""Poolings: maximum, average, adaptive."""

from __future__ import annotations

import math
from typing import Any

from characterize.costs.registry import Work, common_divisor, cost_of
from characterize.records import Cost, Count, KernelKind


@cost_of(
    "aten.max_pool1d",
    "aten.max_pool2d",
    "aten.max_pool3d",
    "aten.max_pool1d_with_indices",
    "aten.max_pool2d_with_indices",
    "aten.max_pool3d_with_indices",
    "aten.fractional_max_pool2d",
    "aten.fractional_max_pool3d",
)
def max_pool(work: Work) -> Cost:
    """Maximum over a window; stride, padding and dilation act through the output.

    Shapes: input ``[B, C, *S]``, output ``[B, C, *P]``, kernel ``[*K]``.

    Formula: vector_flops = output elements * prod(K): a comparison each, the first with the neutral
        element. Positions in the padding count.

    Source: definition in the reference of torch.nn.MaxPool2d.

    Example:
        >>> from characterize.costs import estimate
        >>> shape, pooled = (1, 64, 112, 112), (1, 64, 56, 56)
        >>> estimate("aten.max_pool2d", {"self": shape}, pooled, kernel_size=(3, 3)).vector_flops
        1806336
    """
    window = _window(work.attributes.get("kernel_size", 1), work.name)
    return Cost(kind=KernelKind.POOLING, vector_flops=work.elements * window)


def _window(kernel_size: Any, name: str) -> Count:
    """Positions in a window; one number stands for every axis that the operator pools over."""
    axes = next(axes for axes in (1, 2, 3) if f"{axes}d" in name)
    sizes = kernel_size if isinstance(kernel_size, tuple) else (kernel_size,)
    return math.prod(sizes if len(sizes) == axes else sizes * axes)


@cost_of("aten.avg_pool1d", "aten.avg_pool2d", "aten.avg_pool3d")
def average_pool(work: Work) -> Cost:
    """Average over a window; stride and padding act through the output.

    Shapes: input ``[B, C, *S]``, output ``[B, C, *P]``, kernel ``[*K]``.

    Formula: vector_flops = output elements * (prod(K) + 1): the sums and a quotient. Positions in
        the padding count.

    Source: definition in the reference of torch.nn.AvgPool2d.

    Example:
        >>> from characterize.costs import estimate
        >>> shape, pooled = (2, 3, 8, 8), (2, 3, 4, 4)
        >>> estimate("aten.avg_pool2d", {"self": shape}, pooled, kernel_size=(2, 2)).vector_flops
        480
    """
    window = _window(work.attributes.get("kernel_size", 1), work.name)
    return Cost(kind=KernelKind.POOLING, vector_flops=work.elements * (window + 1))


@cost_of(
    "aten.adaptive_avg_pool1d",
    "aten.adaptive_avg_pool2d",
    "aten._adaptive_avg_pool2d",
    "aten.adaptive_avg_pool3d",
    "aten._adaptive_avg_pool3d",
    "aten.adaptive_max_pool1d",
    "aten.adaptive_max_pool2d",
    "aten.adaptive_max_pool3d",
)
def adaptive_pool(work: Work) -> Cost:
    """Average or maximum over windows that divide the input into a given number of positions.

    Shapes: input ``[B, C, *S]``, output ``[B, C, *P]``; window i of an axis reaches from
        floor(i * S / P) to ceil((i + 1) * S / P).

    Formula: the windows of an axis hold S + P - gcd(S, P) positions in all (they overlap unless P
        divides S); vector_flops = B * C * product over the axes of that, and for averages one
        quotient an output element.

    Source: windows as in the reference of torch.nn.AdaptiveAvgPool2d; the sum over i is ours: with
        sum of floor(i * S / P) = ((S - 1) * (P - 1) + gcd(S, P) - 1) / 2.

    Example:
        >>> from characterize.costs import estimate
        >>> shape, pooled = (2, 512, 7, 7), (2, 512, 1, 1)
        >>> estimate("aten.adaptive_avg_pool2d", {"self": shape}, pooled).vector_flops
        51200
        >>> shape, pooled = (1, 1, 10), (1, 1, 4)  # windows of 3, 3, 3, 3: 10 + 4 - 2
        >>> estimate("aten.adaptive_max_pool1d", {"self": shape}, pooled).vector_flops
        12
    """
    axes = next(axes for axes in (1, 2, 3) if f"{axes}d" in work.name)
    shape = work.required("self")
    visited = math.prod(shape[:-axes])
    for size, positions in zip(shape[-axes:], work.output[-axes:], strict=True):
        visited = visited * (size + positions - common_divisor(size, positions))
    quotients = work.elements if "avg" in work.name else 0
    return Cost(kind=KernelKind.POOLING, vector_flops=visited + quotients)


@cost_of("aten.max_unpool2d", "aten.max_unpool3d")
def unpool(work: Work) -> Cost:
    """Maxima written back to where they came from, zeros elsewhere.

    Shapes: input and indices ``[B, C, *P]``, output ``[B, C, *S]``.

    Formula: no arithmetic; all of the output is written.

    Source: definition in the reference of torch.nn.MaxUnpool2d.

    Example:
        >>> from characterize.costs import estimate
        >>> shapes = {"self": (1, 1, 2, 2), "indices": (1, 1, 2, 2)}
        >>> estimate("aten.max_unpool2d", shapes, (1, 1, 4, 4)).flops
        0
    """
    return Cost(kind=KernelKind.GATHER)

"""Resizing and sampling of images."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Final

from characterize.costs.registry import Work, cost_of, larger, smaller
from characterize.records import Cost, Count, KernelKind

_PER_ELEMENT: Final = MappingProxyType(
    {
        "nearest": (0, "copies one neighbour"),
        "linear1d": (3, "2 neighbours: 2 products, 1 sum"),
        "bilinear2d": (7, "4 neighbours: 4 products, 3 sums"),
        "bicubic2d": (31, "16 neighbours: 16 products, 15 sums"),
        "trilinear3d": (15, "8 neighbours: 8 products, 7 sums"),
    }
)
_NAMES: Final = (
    "upsample_nearest1d",
    "upsample_nearest2d",
    "upsample_nearest3d",
    "_upsample_nearest_exact1d",
    "_upsample_nearest_exact2d",
    "_upsample_nearest_exact3d",
    "upsample_linear1d",
    "upsample_bilinear2d",
    "upsample_bicubic2d",
    "upsample_trilinear3d",
)


@cost_of(
    *(f"aten.{name}" for name in _NAMES),
    table=(
        ("mode", "operations an output element", "made of"),
        *((name, str(count), text) for name, (count, text) in _PER_ELEMENT.items()),
    ),
)
def upsample(work: Work) -> Cost:
    """Resizing: nearest, linear, bilinear, bicubic, trilinear.

    Shapes: input ``[B, C, *S]``, output ``[B, C, *P]``.

    Formula: vector_flops = (that of the table) * output elements. The weights of a position serve
        all channels and samples and are not counted.

    Source: definitions in the reference of torch.nn.functional.interpolate; the sum over neighbours
        is written out as one product each.

    Example:
        >>> from characterize.costs import estimate
        >>> shape, resized = (1, 21, 28, 28), (1, 21, 224, 224)
        >>> estimate("aten.upsample_bilinear2d", {"input": shape}, resized).vector_flops
        7375872
    """
    count = next(count for mode, (count, _) in _PER_ELEMENT.items() if mode in work.name)
    return Cost(kind=KernelKind.INTERPOLATION, vector_flops=count * work.elements)


@cost_of(
    "aten._upsample_bilinear2d_aa", "aten._upsample_bicubic2d_aa", "aten._upsample_lanczos2d_aa"
)
def antialiased(work: Work) -> Cost:
    """Antialiased resizing: two passes, whose filters widen as the image shrinks.

    Shapes: input ``[B, C, H, W]``, output ``[B, C, P, Q]``.

    Formula: along an axis from S to P a position has t = 2 * ceil(r * max(S / P, 1)) neighbours,
        with r = 1 (bilinear), 2 (bicubic) or 3 (lanczos); the horizontal pass takes
        B * C * H * Q * 2 * t_W operations, the vertical B * C * P * Q * 2 * t_H. Weights are not
        counted.

    Source: support of the filters as in the reference of torch.nn.functional.interpolate with
        antialias, which follows Pillow's resize.

    Example:
        >>> from characterize.costs import estimate
        >>> shape, resized = (1, 1, 8, 8), (1, 1, 4, 4)
        >>> cost = estimate("aten._upsample_bilinear2d_aa", {"self": shape}, resized)
        >>> cost.vector_flops  # t = 4: 8*4*2*4 + 4*4*2*4
        384
    """
    radius = 1 if "bilinear" in work.name else 2 if "bicubic" in work.name else 3
    height, width = work.required("self", "input")[-2:]
    rows, columns = work.output[-2:]
    planes = math.prod(work.output[:-2])
    horizontal = planes * height * columns * 2 * _taps(radius, width, columns)
    vertical = planes * rows * columns * 2 * _taps(radius, height, rows)
    return Cost(kind=KernelKind.INTERPOLATION, vector_flops=horizontal + vertical)


def _taps(radius: int, size: Count, positions: Count) -> Count:
    """Neighbours of a position; the quotient is rounded up in whole numbers."""
    positions = larger(positions, 1)
    return 2 * larger(-(-radius * size // positions), radius)


@cost_of("aten.grid_sampler", "aten.grid_sampler_2d", "aten.grid_sampler_3d")
def grid_sample(work: Work) -> Cost:
    """Sampling of an image at given coordinates.

    Shapes: input ``[B, C, *S]``, grid ``[B, *P, a]``, output ``[B, C, *P]``, with a = 2 or 3 axes.

    Formula: vector_flops = c * output elements + w * (positions B * prod(P)). c = 7 bilinear, 15
        trilinear, 31 bicubic, 0 nearest. w = 6 * a (per axis: 3 to scale the coordinate, floor, two
        distances) + 2**a corner weights of a - 1 products; nearest 4 * a; bicubic 76 (per axis: 3,
        floor, 4 distances and 22 for four cubic weights; then 16 products). Reads no more of the
        input than the neighbours: output elements * (2**a, nearest 1, bicubic 16).

    Source: definition in the reference of torch.nn.functional.grid_sample; cubic weights in Horner
        form.

    Example:
        >>> from characterize.costs import estimate
        >>> shapes = {"input": (1, 8, 16, 16), "grid": (1, 9, 9, 2)}
        >>> cost = estimate("aten.grid_sampler_2d", shapes, (1, 8, 9, 9), interpolation_mode=0)
        >>> cost.vector_flops, cost.reads  # 7 * 648 + 16 * 81; all 2048 < 4 * 648
        (5832, (2048, None))
    """
    shape, grid = work.required("input"), work.required("grid")
    axes = len(shape) - 2
    mode = work.attributes.get("interpolation_mode", 0)
    if mode == 0:
        neighbours = 2**axes
        per_element, per_position = 2 * neighbours - 1, 6 * axes + neighbours * (axes - 1)
    elif mode == 1:
        neighbours, per_element, per_position = 1, 0, 4 * axes
    else:
        neighbours, per_element, per_position = 16, 31, 76
    positions = math.prod(grid[:-1])
    return Cost(
        kind=KernelKind.INTERPOLATION,
        vector_flops=per_element * work.elements + per_position * positions,
        reads=work.reads(input=smaller(math.prod(shape), neighbours * work.elements)),
    )


@cost_of("aten.affine_grid_generator")
def affine_grid(work: Work) -> Cost:
    """Grid of coordinates from affine maps.

    Shapes: theta ``[B, a, a + 1]``, output ``[B, *P, a]``.

    Formula: vector_flops = 2 * (a + 1) * output elements, a product and a sum for each term.

    Source: definition in the reference of torch.nn.functional.affine_grid.

    Example:
        >>> from characterize.costs import estimate
        >>> estimate("aten.affine_grid_generator", {"theta": (1, 2, 3)}, (1, 4, 4, 2)).vector_flops
        192
    """
    terms = work.output[-1] + 1
    return Cost(kind=KernelKind.INTERPOLATION, vector_flops=2 * terms * work.elements)

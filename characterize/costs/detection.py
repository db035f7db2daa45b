"""Operators of object detectors: region pooling and non-maximum suppression."""

from __future__ import annotations

import math
from typing import Final

from characterize.costs.registry import Work, cost_of, log2_ceiling, smaller
from characterize.records import Cost, KernelKind

_SAMPLES_IF_ADAPTIVE: Final = 2
"""Samples along each axis of a bin where the operator is left to choose (sampling_ratio <= 0).

It then takes ceil(region / bins), which shapes do not tell; 2 is what torchvision's detectors ask.
"""


@cost_of("torchvision.roi_align", "torchvision.ps_roi_align")
def roi_align(work: Work) -> Cost:
    """Bins of regions, averaged over bilinear samples.

    Shapes: input ``[B, C, H, W]``, rois ``[r, 5]``, output ``[r, C, p, q]``.

    Formula: vector_flops = output elements * (8 * s * s + 1): s samples along each axis of a bin,
        7 for the bilinear sum and 1 to add it; then the quotient. s is sampling_ratio, 2 if that is
        not positive. Reads min(elements of input, output elements * 4 * s * s) of the input.

    Source: He et al., Mask R-CNN (arXiv 1703.06870), section 3.

    Example:
        >>> from characterize.costs import estimate
        >>> shapes = {"input": (1, 256, 50, 50), "rois": (100, 5)}
        >>> cost = estimate("torchvision.roi_align", shapes, (100, 256, 7, 7), sampling_ratio=2)
        >>> cost.vector_flops  # 1254400 * 33
        41395200
    """
    ratio = work.attributes.get("sampling_ratio", -1)
    samples = (ratio if ratio > 0 else _SAMPLES_IF_ADAPTIVE) ** 2
    elements = math.prod(work.required("input"))
    return Cost(
        kind=KernelKind.POOLING,
        vector_flops=work.elements * (8 * samples + 1),
        reads=work.reads(input=smaller(elements, 4 * samples * work.elements)),
    )


@cost_of("torchvision.roi_pool", "torchvision.ps_roi_pool")
def roi_pool(work: Work) -> Cost:
    """Bins of regions, reduced to their maximum or average.

    Shapes: input ``[B, C, H, W]``, rois ``[r, 5]``, output ``[r, C, p, q]``.

    Formula: the size of a bin is not in the shapes; as if each region covered the whole image,
        vector_flops = r * C * H * W: an upper bound.

    Source: Girshick, Fast R-CNN (arXiv 1504.08083), section 2.1.

    Example:
        >>> from characterize.costs import estimate
        >>> shapes = {"input": (1, 8, 10, 10), "rois": (3, 5)}
        >>> estimate("torchvision.roi_pool", shapes, (3, 8, 2, 2)).vector_flops
        2400
    """
    image = math.prod(work.required("input")[2:])
    regions_and_channels = math.prod(work.output[:2])
    return Cost(kind=KernelKind.POOLING, vector_flops=regions_and_channels * image)


@cost_of("torchvision.nms", "torchvision.qnms")
def non_maximum_suppression(work: Work) -> Cost:
    """Non-maximum suppression: boxes dropped that overlap a better one.

    Shapes: dets ``[n, 4]``, scores ``[n]``, output ``[kept]``.

    Formula: vector_flops = n * ceil(log2(n)) to sort + 3 * n areas + 13 * n * (n - 1) / 2: at most
        every pair is compared (4 corners of the intersection, 2 sides, 2 clamps, its area, 2 for
        the union, the quotient and the comparison).

    Source: definition in the reference of torchvision.ops.nms; how many are compared depends on
        data.

    Example:
        >>> from characterize.costs import estimate
        >>> estimate("torchvision.nms", {"dets": (100, 4), "scores": (100,)}, (20,)).vector_flops
        65350
    """
    count = work.required("dets")[0]
    pairs = count * (count - 1) // 2
    operations = count * log2_ceiling(count) + 3 * count + 13 * pairs
    return Cost(kind=KernelKind.SORT, vector_flops=operations)

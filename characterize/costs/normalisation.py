"""Normalisations: batch, layer, RMS, group, instance; weight norm."""

from __future__ import annotations

import math

from characterize.costs.registry import Work, cost_of
from characterize.records import Cost, Count, KernelKind


def _affine(work: Work) -> int:
    """Operations an element of a learned scale and shift."""
    return int("weight" in work.arguments) + int("bias" in work.arguments)


@cost_of(
    "aten.batch_norm",
    "aten.native_batch_norm",
    "aten.cudnn_batch_norm",
    "aten.miopen_batch_norm",
    "aten._native_batch_norm_legit",
    "aten._native_batch_norm_legit_no_training",
    "aten._batch_norm_impl_index",
    "aten._batch_norm_no_update",
    "aten._batch_norm_with_update",
)
def batch_norm(work: Work) -> Cost:
    """Batch normalisation; at inference a scale and a shift a channel.

    Shapes: input and output ``[B, C, *S]``, weight, bias and running statistics ``[C]``.

    Formula: at inference vector_flops = 2 * elements: weight / sqrt(variance + eps) and
        bias - mean * that are constants of a channel, and not counted. With training = True the
        statistics come from the input: 5 an element (sum, difference, square, sum, product by the
        reciprocal deviation), one more each for weight and bias, and 4 a channel (two
        quotients, the sum with eps, the reciprocal root).

    Source: Ioffe and Szegedy (arXiv 1502.03167), algorithms 1 and 2.

    Example:
        >>> from characterize.costs import estimate
        >>> shapes = {"input": (8, 64, 56, 56), "weight": (64,), "bias": (64,)}
        >>> estimate("aten.batch_norm", shapes, (8, 64, 56, 56), training=False).vector_flops
        3211264
    """
    shape = work.required("input")
    elements = math.prod(shape)
    training = work.attributes.get("training", work.name == "aten._batch_norm_with_update")
    if not training:
        return Cost(kind=KernelKind.BATCH_NORM, vector_flops=2 * elements)
    return Cost(kind=KernelKind.BATCH_NORM, vector_flops=_standardise(work, elements, shape[1]))


def _standardise(work: Work, elements: Count, rows: Count) -> Count:
    """Arithmetic of (x - mean) / sqrt(variance + eps) with statistics from each row, and affine."""
    return (5 + _affine(work)) * elements + 4 * rows


@cost_of("aten.layer_norm", "aten.native_layer_norm")
def layer_norm(work: Work) -> Cost:
    """Layer normalisation over the last axes.

    Shapes: input and output ``[*R, *D]``, weight and bias ``[*D]``; a row is the elements of D.

    Formula: vector_flops = (5 + weight + bias) * elements + 4 * rows. An element: sum, difference
        from the mean, square, sum, product by the reciprocal deviation, and one each for weight and
        bias if they are there. A row: two quotients, the sum with eps, the reciprocal root.

    Source: Ba et al. (arXiv 1607.06450), equation 3; reference of torch.nn.LayerNorm.

    Example:
        >>> from characterize.costs import estimate
        >>> shapes = {"input": (2, 3, 8), "weight": (8,), "bias": (8,)}
        >>> cost = estimate("aten.layer_norm", shapes, (2, 3, 8), normalized_shape=(8,))
        >>> cost.vector_flops  # 7 * 48 + 4 * 6 rows
        360
    """
    shape = work.required("input")
    rows = math.prod(shape[: len(shape) - _normalised_axes(work)])
    return Cost(
        kind=KernelKind.LAYER_NORM,
        vector_flops=_standardise(work, math.prod(shape), rows),
    )


def _normalised_axes(work: Work) -> int:
    given = work.attributes.get("normalized_shape")
    return 1 if given is None else len(given)


@cost_of("aten.rms_norm", "aten._fused_rms_norm")
def rms_norm(work: Work) -> Cost:
    """Root-mean-square normalisation over the last axes.

    Shapes: input and output ``[*R, *D]``, weight ``[*D]``; a row is the elements of D.

    Formula: vector_flops = (3 + weight) * elements + 3 * rows. An element: square, sum, product by
        the reciprocal root, and one for the weight if it is there. A row: quotient, sum with eps,
        reciprocal root.

    Source: Zhang and Sennrich (arXiv 1910.07467), equation 4; reference of torch.nn.RMSNorm.

    Example:
        >>> from characterize.costs import estimate
        >>> shapes = {"input": (2, 3, 8), "weight": (8,)}
        >>> cost = estimate("aten.rms_norm", shapes, (2, 3, 8), normalized_shape=(8,))
        >>> cost.vector_flops  # 4 * 48 + 3 * 6 rows
        210
    """
    shape = work.required("input")
    rows = math.prod(shape[: len(shape) - _normalised_axes(work)])
    return Cost(
        kind=KernelKind.LAYER_NORM,
        vector_flops=(3 + _affine(work)) * math.prod(shape) + 3 * rows,
    )


@cost_of("aten.group_norm", "aten.native_group_norm")
def group_norm(work: Work) -> Cost:
    """Group normalisation: statistics over groups of channels.

    Shapes: input and output ``[B, C, *S]``, weight and bias ``[C]``; B * groups rows.

    Formula: vector_flops = (5 + weight + bias) * elements + 4 * rows, as for layer normalisation.

    Source: Wu and He (arXiv 1803.08494), equation 7; reference of torch.nn.GroupNorm.

    Example:
        >>> from characterize.costs import estimate
        >>> shapes = {"input": (2, 6, 5, 5), "weight": (6,), "bias": (6,)}
        >>> cost = estimate("aten.group_norm", shapes, (2, 6, 5, 5), num_groups=3)
        >>> cost.vector_flops  # 7 * 300 + 4 * 2*3 rows
        2124
    """
    shape = work.required("input")
    groups = work.attributes.get("num_groups", work.attributes.get("group", 1))
    return Cost(
        kind=KernelKind.GROUP_NORM,
        vector_flops=_standardise(work, math.prod(shape), shape[0] * groups),
    )


@cost_of("aten.instance_norm")
def instance_norm(work: Work) -> Cost:
    """Instance normalisation: statistics over each channel of each sample.

    Shapes: input and output ``[B, C, *S]``, weight and bias ``[C]``; B * C rows.

    Formula: vector_flops = (5 + weight + bias) * elements + 4 * rows; with running statistics
        (use_input_stats = False) 2 * elements, as batch normalisation at inference.

    Source: Ulyanov et al. (arXiv 1607.08022); reference of torch.nn.InstanceNorm2d.

    Example:
        >>> from characterize.costs import estimate
        >>> estimate("aten.instance_norm", {"input": (2, 3, 4, 4)}, (2, 3, 4, 4)).vector_flops
        504
    """
    shape = work.required("input")
    elements = math.prod(shape)
    if not work.attributes.get("use_input_stats", True):
        return Cost(kind=KernelKind.GROUP_NORM, vector_flops=2 * elements)
    rows = math.prod(shape[:2])
    return Cost(kind=KernelKind.GROUP_NORM, vector_flops=_standardise(work, elements, rows))


@cost_of("aten._weight_norm", "aten._weight_norm_interface")
def weight_norm(work: Work) -> Cost:
    """Weight normalisation: ``g * v / |v|``, a norm for each slice along one axis.

    Shapes: v and the output ``[*D]``, g ``[1, .., D_dim, .., 1]``: one a slice.

    Formula: vector_flops = 3 * elements (square, sum, product) + 2 * slices (root, quotient).

    Source: Salimans and Kingma (arXiv 1602.07868), equation 2.

    Example:
        >>> from characterize.costs import estimate
        >>> estimate("aten._weight_norm", {"v": (8, 4, 3), "g": (8, 1, 1)}, (8, 4, 3)).vector_flops
        304
    """
    slices = math.prod(work.required("g"))
    elements = math.prod(work.required("v"))
    return Cost(kind=KernelKind.REDUCTION, vector_flops=3 * elements + 2 * slices)

"""Convolutions and transposed convolutions, in any number of dimensions."""

from __future__ import annotations

import math

from characterize.costs.registry import Work, cost_of, everywhere
from characterize.records import Cost, Count, Gemm, KernelKind, Shape


@cost_of(
    "aten.conv1d",
    "aten.conv2d",
    "aten.conv3d",
    "aten.convolution",
    "aten._convolution",
    "aten.convolution_overrideable",
    "aten.cudnn_convolution",
    "aten.mkldnn_convolution",
    "aten._slow_conv2d_forward",
    "aten.conv_transpose1d",
    "aten.conv_transpose2d",
    "aten.conv_transpose3d",
)
def convolution(work: Work) -> Cost:
    """Convolution: dense, 1x1, grouped, depthwise or transposed; strided, dilated, padded.

    Shapes: input ``[B, C_in, *S]``, weight ``[C_out, C_in/g, *K]``, output ``[B, C_out, *P]``;
        a transposed weight is ``[C_in, C_out/g, *K]``; ``B`` may be missing.

    Formula: macs = B * prod(P) * C_out * (C_in/g) * prod(K); transposed, each input position
        meets the whole kernel: macs = B * prod(S) * C_in * (C_out/g) * prod(K). Stride, padding,
        dilation and output padding act through P alone. The bias is what the accumulator starts
        from: 0. The matrix product is ``g`` times m = B * prod(P), n = C_out/g,
        k = (C_in/g) * prod(K); transposed m = B * prod(S), n = (C_out/g) * prod(K), k = C_in/g.
        Positions in the padding count, as in torch.

    Kind: groups = 1 is a convolution, or pointwise if every kernel size is 1; groups > 1 is
        depthwise if the weight has one input channel a group, otherwise grouped. Where a size is
        an array the kind must hold for all of it; mixed ones take the more general kind.

    Source: definition in the reference of torch.nn.Conv2d and ConvTranspose2d; 2 * macs is what
        torch.utils.flop_counter gives.

    Example:
        >>> from characterize.costs import estimate
        >>> shapes = {"input": (32, 3, 64, 64), "weight": (16, 3, 3, 3)}
        >>> cost = estimate("aten.conv2d", shapes, (32, 16, 64, 64), padding=(1, 1))
        >>> cost.macs  # 32 * 64*64 positions x 16 channels x 3 * 3*3
        56623104
    """
    input_shape, weight = work.required("input", "self"), work.required("weight")
    groups, kernel = work.attributes.get("groups", 1), weight[2:]
    transposed = _is_transposed(work)
    spatial = input_shape if transposed else work.output
    batch = math.prod(input_shape[: -len(kernel) - 1])
    positions = batch * math.prod(spatial[len(spatial) - len(kernel) :])
    per_position = math.prod(weight)
    outer = weight[0] // groups
    window = math.prod(kernel)
    if transposed:
        n, k = weight[1] * window, outer
    else:
        n, k = outer, weight[1] * window
    gemm = Gemm(
        m=positions,
        n=n,
        k=k,
        groups=groups,
        kernel=tuple(kernel),
        stride=_per_axis(work, "stride", len(kernel)),
        dilation=_per_axis(work, "dilation", len(kernel)),
    )
    return Cost(kind=_kind(transposed, groups, weight), macs=positions * per_position, gemm=gemm)


def _is_transposed(work: Work) -> bool:
    return "conv_transpose" in work.name or bool(work.attributes.get("transposed", False))


def _kind(transposed: bool, groups: Count, weight: Shape) -> KernelKind:
    if transposed:
        return KernelKind.TRANSPOSED_CONVOLUTION
    if everywhere(groups, 1):
        one_by_one = all(everywhere(size, 1) for size in weight[2:])
        return KernelKind.POINTWISE_CONVOLUTION if one_by_one else KernelKind.CONVOLUTION
    if everywhere(weight[1], 1):
        return KernelKind.DEPTHWISE_CONVOLUTION
    return KernelKind.GROUPED_CONVOLUTION


def _per_axis(work: Work, name: str, axes: int) -> tuple[int, ...]:
    """An attribute that is one number or one an axis, as one an axis; 1 where it was not passed."""
    given = work.attributes.get(name, 1)
    if not isinstance(given, tuple):
        return (given,) * axes
    return given if len(given) == axes else given * axes


@cost_of("torchvision.deform_conv2d")
def deformable_convolution(work: Work) -> Cost:
    """Deformable convolution: a convolution over bilinearly sampled positions.

    Shapes: input ``[B, C_in, H, W]``, weight ``[C_out, C_in/g, kh, kw]``, output
        ``[B, C_out, *P]``.

    Formula: macs as a convolution; sampling takes 7 operations (4 multiplications, 3 additions) for
        each of the B * C_in * kh * kw * prod(P) samples, and one more if a mask scales them.

    Source: Dai et al., Deformable Convolutional Networks (arXiv 1703.06211), equations 2 to 4; Zhu
        et al. (arXiv 1811.11168) for the mask. torch.utils.flop_counter has no formula for it.

    Example:
        >>> from characterize.costs import estimate
        >>> shapes = {"input": (1, 2, 4, 4), "weight": (8, 2, 3, 3), "offset": (1, 18, 4, 4)}
        >>> cost = estimate("torchvision.deform_conv2d", shapes, (1, 8, 4, 4))
        >>> cost.macs, cost.vector_flops  # 16 * 8*2*9 and 7 x 2*9*16 samples
        (2304, 2016)
    """
    input_shape, weight = work.required("input"), work.required("weight")
    positions = input_shape[0] * math.prod(work.output[2:])
    window = math.prod(weight[2:])
    samples = positions * input_shape[1] * window
    groups = input_shape[1] // weight[1]
    per_sample = 8 if work.attributes.get("use_mask", False) else 7
    gemm = Gemm(
        m=positions, n=weight[0] // groups, k=weight[1] * window, groups=groups, kernel=weight[2:]
    )
    return Cost(
        kind=KernelKind.CONVOLUTION,
        macs=positions * math.prod(weight),
        vector_flops=per_sample * samples,
        gemm=gemm,
    )

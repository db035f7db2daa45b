"""Operators that only move or make data: copies, casts, joins, paddings, fills."""

from __future__ import annotations

import math

from characterize.costs.registry import Work, cost_of
from characterize.records import Cost, KernelKind


@cost_of(
    "aten.clone",
    "aten.cat",
    "aten.stack",
    "aten.repeat",
    "aten.roll",
    "aten.flip",
    "aten.rot90",
    "aten.constant_pad_nd",
    "aten.reflection_pad1d",
    "aten.reflection_pad2d",
    "aten.reflection_pad3d",
    "aten.replication_pad1d",
    "aten.replication_pad2d",
    "aten.replication_pad3d",
    "aten._pad_circular",
    "aten.pixel_shuffle",
    "aten.pixel_unshuffle",
    "aten.channel_shuffle",
    "aten.native_channel_shuffle",
    "aten.im2col",
    "aten.diag_embed",
    "aten.block_diag",
    "aten.view_copy",
    "aten.permute_copy",
    "aten.transpose_copy",
    "aten.expand_copy",
    "aten.slice_copy",
    "aten.select_copy",
    "aten.split_copy",
    "aten.split_with_sizes_copy",
    "aten.unbind_copy",
    "aten.unfold_copy",
    "aten.as_strided_copy",
    "aten._reshape_copy",
    "aten.complex",
    "aten.polar",
)
def copy(work: Work) -> Cost:
    """Data moved to a new place: copied, joined, repeated, rolled, padded, shuffled, unfolded.

    Shapes: inputs ``[*D]``, output ``[*P]``.

    Formula: no arithmetic; reads all of the inputs, writes all of the output. polar evaluates a
        sine and a cosine: 4 an element, 2 of them transcendental.

    Source: definitions in the reference of torch.cat, torch.roll, torch.nn.functional.pad.

    Example:
        >>> from characterize.costs import estimate
        >>> shapes = {"tensors": [(1, 64, 8, 8), (1, 32, 8, 8)]}
        >>> cost = estimate("aten.cat", shapes, (1, 96, 8, 8), dim=1)
        >>> cost.kind.value, cost.flops
        ('copy', 0)
    """
    if work.name == "aten.polar":
        count = work.elements
        return Cost(kind=KernelKind.COPY, vector_flops=4 * count, transcendentals=2 * count)
    return Cost(kind=KernelKind.COPY)


@cost_of("aten._to_copy", "aten.copy")
def cast(work: Work) -> Cost:
    """A copy that may change the number format, and a copy into an existing tensor.

    Shapes: input ``[*D]``, output ``[*D]``; in place (copy_) self ``[*D]`` and a source that
        broadcasts.

    Formula: no arithmetic. The kind is cast if the format changes, otherwise copy. self of copy_ is
        written, not read.

    Source: definitions in the reference of torch.Tensor.to and copy_.

    Example:
        >>> from characterize.costs import estimate
        >>> estimate("aten._to_copy", {"self": (4, 4)}, (4, 4), output_dtype="float16").kind.value
        'cast'
        >>> estimate("aten.copy_", {"self": (4, 4), "src": (4,)}, (4, 4)).reads
        (0, None)
    """
    from_dtype = work.input_dtypes[-1:] if "src" in work.arguments else work.input_dtypes[:1]
    kind = KernelKind.COPY if from_dtype == work.output_dtypes[:1] else KernelKind.CAST
    overwrites = "src" in work.arguments
    return Cost(kind=kind, reads=work.reads(self=0) if overwrites else None)


@cost_of(
    "aten.fill",
    "aten.zero",
    "aten.zeros",
    "aten.ones",
    "aten.full",
    "aten.empty",
    "aten.empty_strided",
    "aten.empty_permuted",
    "aten.zeros_like",
    "aten.ones_like",
    "aten.full_like",
    "aten.empty_like",
    "aten.new_zeros",
    "aten.new_ones",
    "aten.new_full",
    "aten.new_empty",
    "aten.new_empty_strided",
    "aten.scalar_tensor",
    "aten.lift_fresh_copy",
    "aten.tril_indices",
    "aten.triu_indices",
)
def fill(work: Work) -> Cost:
    """Tensors made of one value, or left as the memory was.

    Shapes: output ``[*P]``; inputs lend only their shape.

    Formula: no arithmetic, nothing read; all of the output is written, of an empty one nothing.

    Source: definitions in the reference of torch.full and torch.empty.

    Example:
        >>> from characterize.costs import estimate
        >>> estimate("aten.zeros_like", {"self": (4, 4)}, (4, 4)).reads
        (0,)
    """
    written = (0,) * len(work.outputs) if "empty" in work.name else None
    return Cost(kind=KernelKind.COPY, reads=(0,) * len(work.inputs), writes=written)


@cost_of("aten.arange", "aten.linspace", "aten.logspace")
def ramp(work: Work) -> Cost:
    """Equally spaced numbers.

    Shapes: output ``[n]``.

    Formula: vector_flops = 2 * n, start + i * step; logspace 3 * n, of them n transcendental.

    Source: definition in the reference of torch.arange.

    Example:
        >>> from characterize.costs import estimate
        >>> estimate("aten.arange", {}, (16,), end=16).vector_flops
        32
    """
    powers = work.elements if work.name == "aten.logspace" else 0
    return Cost(
        kind=KernelKind.COPY,
        vector_flops=2 * work.elements + powers,
        transcendentals=powers,
    )


@cost_of("aten.col2im")
def fold(work: Work) -> Cost:
    """Overlapping windows summed back into an image.

    Shapes: input ``[B, C * kh * kw, L]``, output ``[B, C, H, W]``.

    Formula: vector_flops = input elements, a sum each.

    Source: definition in the reference of torch.nn.Fold.

    Example:
        >>> from characterize.costs import estimate
        >>> estimate("aten.col2im", {"self": (1, 12, 9)}, (1, 3, 4, 4)).vector_flops
        108
    """
    return Cost(kind=KernelKind.COPY, vector_flops=math.prod(work.required("self")))


@cost_of(
    "aten._unsafe_view",
    "aten.unsafe_split",
    "aten.unsafe_split_with_sizes",
    "aten.unsafe_chunk",
    "aten.lift_fresh",
    "aten._assert_async",
    "aten._assert_scalar",
    "aten._assert_tensor_metadata",
)
def free(work: Work) -> Cost:
    """What neither computes nor moves: views that do not say that they are one, assertions.

    Shapes: any.

    Formula: nothing is computed, read or written.

    Source: definitions in the reference of torch.Tensor.view and torch._assert_async.

    Example:
        >>> from characterize.costs import estimate
        >>> cost = estimate("aten._unsafe_view", {"self": (4, 4)}, (16,))
        >>> cost.flops, cost.reads, cost.writes
        (0, (0,), (0,))
    """
    return Cost(
        kind=KernelKind.COPY, reads=(0,) * len(work.inputs), writes=(0,) * len(work.outputs)
    )

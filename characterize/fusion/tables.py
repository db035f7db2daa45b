"""What each operator is to a fuser, by its name alone.

Costs are not known while a graph is symbolic, so the tables go by ATen name. An operator that is in
no table is :attr:`Loop.OPAQUE`: it keeps a kernel of its own and nothing is fused into it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, auto
from functools import lru_cache
from types import MappingProxyType


class Loop(IntEnum):
    """How an operator walks over its tensors, which is all that legality asks.

    An integer, because sets of plain enumeration members are slow to ask.
    """

    CONVOLUTION = auto()  # a library call that can take an epilogue
    LINEAR = auto()  # the same, activation x weight
    MATMUL = auto()  # a library call, activation x activation
    ATTENTION = auto()
    RECURRENT = auto()
    OPAQUE = auto()  # anything else that is a call of its own: sort, FFT, scatter, unknown
    POINTWISE = auto()  # each output element from the input elements at its own place
    CREATION = auto()  # an output from no tensor: arange, full
    BATCH_NORM = auto()  # at inference pointwise, with one scale and shift a channel
    REDUCTION = auto()  # one output a row
    ROWS = auto()  # normalisation, softmax: reduces a row and writes the row
    WINDOW = auto()  # pooling, interpolation: reads around its place
    GATHER = auto()  # reads where an index says
    REARRANGE = auto()  # moves every element once: clone, pad, roll
    CONCATENATION = auto()


CALLS = frozenset(
    {Loop.CONVOLUTION, Loop.LINEAR, Loop.MATMUL, Loop.ATTENTION, Loop.RECURRENT, Loop.OPAQUE}
)
"""Operators that are library calls: they begin a kernel and are never absorbed into one."""

ELEMENTWISE = frozenset({Loop.POINTWISE, Loop.BATCH_NORM})
"""Operators that can be the epilogue of a call."""

_NAMES: Mapping[Loop, str] = MappingProxyType(
    {
        Loop.CONVOLUTION: """conv1d conv2d conv3d convolution _convolution conv_transpose1d
            conv_transpose2d conv_transpose3d cudnn_convolution mkldnn_convolution thnn_conv2d
            slow_conv2d _slow_conv2d_forward conv_depthwise3d _conv_depthwise2d""",
        Loop.LINEAR: "linear mm addmm addmv mv",
        Loop.MATMUL: "bmm baddbmm matmul einsum dot bilinear _trilinear",
        Loop.ATTENTION: """scaled_dot_product_attention _scaled_dot_product_attention_math
            _scaled_dot_product_flash_attention _scaled_dot_product_efficient_attention
            _scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_cudnn_attention""",
        Loop.RECURRENT: "lstm gru rnn_tanh rnn_relu lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell",
        Loop.POINTWISE: """abs acos acosh add addcdiv addcmul alpha_dropout angle asin asinh atan
            atan2 atanh bernoulli bitwise_and bitwise_left_shift bitwise_not bitwise_or
            bitwise_right_shift bitwise_xor ceil celu clamp clamp_max clamp_min clip copysign cos
            cosh deg2rad div divide dropout elu eq erf erfc erfinv exp exp2 expm1 fill float_power
            floor floor_divide fmax fmin fmod frac ge gelu gt hardshrink hardsigmoid hardswish
            hardtanh heaviside isfinite isinf isnan ldexp le leaky_relu lerp lgamma log log10 log1p
            log2 log_sigmoid log_sigmoid_forward logaddexp logical_and logical_not logical_or
            logical_xor logit lt masked_fill maximum minimum mish mul multiply nan_to_num ne neg
            negative pow prelu _prelu_kernel rad2deg reciprocal relu relu6 remainder round rrelu
            rsqrt rsub selu sgn sigmoid sign signbit silu sin sinc sinh softplus softshrink sqrt
            square sub subtract tan tanh tanhshrink threshold to _to_copy true_divide trunc type_as
            where xlogy zero __and__ __or__ __xor__ __lshift__ __rshift__ special_expit""",
        Loop.CREATION: """arange empty empty_like eye full full_like linspace logspace new_empty
            new_full new_ones new_zeros ones ones_like rand rand_like randn randn_like
            scalar_tensor tril_indices triu_indices zeros zeros_like lift_fresh_copy lift_fresh
            hann_window""",
        Loop.BATCH_NORM: """batch_norm native_batch_norm _native_batch_norm_legit cudnn_batch_norm
            _native_batch_norm_legit_no_training _batch_norm_with_update
            _batch_norm_no_update""",
        Loop.REDUCTION: """all amax amin aminmax any argmax argmin count_nonzero linalg_vector_norm
            logsumexp max mean min nansum norm prod std std_mean sum var var_mean frobenius_norm
            sum_to_size""",
        Loop.ROWS: """layer_norm native_layer_norm rms_norm _fused_rms_norm group_norm
            native_group_norm instance_norm softmax _softmax _safe_softmax log_softmax _log_softmax
            softmin normalize local_response_norm glu_norm""",
        Loop.WINDOW: """max_pool1d max_pool2d max_pool3d max_pool2d_with_indices
            max_pool3d_with_indices max_pool1d_with_indices avg_pool1d avg_pool2d avg_pool3d
            adaptive_avg_pool1d adaptive_avg_pool2d _adaptive_avg_pool2d adaptive_avg_pool3d
            _adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d
            upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d
            _upsample_nearest_exact2d _upsample_nearest_exact3d upsample_linear1d
            upsample_bilinear2d _upsample_bilinear2d_aa upsample_trilinear3d upsample_bicubic2d
            _upsample_bicubic2d_aa grid_sampler grid_sampler_2d grid_sampler_3d im2col
            fractional_max_pool2d lp_pool2d affine_grid_generator""",
        Loop.GATHER: """embedding gather index index_select take take_along_dim masked_select
            one_hot index_fill tril triu""",
        Loop.REARRANGE: """clone contiguous constant_pad_nd pad reflection_pad1d reflection_pad2d
            reflection_pad3d replication_pad1d replication_pad2d replication_pad3d flip roll rot90
            repeat repeat_interleave pixel_shuffle pixel_unshuffle channel_shuffle
            native_channel_shuffle glu slice_scatter select_scatter""",
        Loop.CONCATENATION: "cat concat stack hstack vstack dstack column_stack block_diag",
    }
)

_LOOPS: Mapping[str, Loop] = MappingProxyType(
    {name: loop for loop, names in _NAMES.items() for name in names.split()}
)

_SHORT: Mapping[str, str] = MappingProxyType(
    {
        "convolution": "conv",
        "addmm": "linear",
        "max_pool2d_with_indices": "max_pool2d",
        "scaled_dot_product_attention": "attention",
        "native_batch_norm": "bn",
        "batch_norm": "bn",
        "native_layer_norm": "layer_norm",
        "native_group_norm": "group_norm",
        "constant_pad_nd": "pad",
        "upsample_nearest2d": "upsample",
        "upsample_bilinear2d": "upsample",
        "linalg_vector_norm": "vector_norm",
        "native_dropout": "dropout",
        "multiply": "mul",
        "subtract": "sub",
        "divide": "div",
        "concat": "cat",
    }
)


@lru_cache(maxsize=4096)
def base_name(name: str) -> str:
    """The operator's name without its namespace and without the underscore of an in-place form.

    >>> base_name("aten.relu_"), base_name("aten.__and__")
    ('relu', '__and__')
    """
    base = name.rpartition(".")[2]
    return base[:-1] if base.endswith("_") and not base.endswith("__") else base


@lru_cache(maxsize=4096)
def loop_of(name: str) -> Loop:
    """The :class:`Loop` of an operator's name."""
    return _LOOPS.get(base_name(name), Loop.OPAQUE)


@lru_cache(maxsize=4096)
def short_name(name: str) -> str:
    """The word that patterns and kernel names use: ``conv``, ``bn``, ``attention``, ``relu``.

    >>> short_name("aten.conv2d"), short_name("aten.batch_norm"), short_name("aten._softmax")
    ('conv', 'bn', 'softmax')
    """
    base = base_name(name)
    if base in _SHORT:
        return _SHORT[base]
    loop = loop_of(name)
    if loop is Loop.CONVOLUTION:
        return "conv_transpose" if "transpose" in base else "conv"
    if loop is Loop.BATCH_NORM:
        return "bn"
    if loop is Loop.ATTENTION:
        return "attention"
    return base.strip("_").removesuffix("_copy")

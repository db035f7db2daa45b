"""What the calibrated execution models are fitted by: names, starting values, physical bounds.

Every parameter is a share of a datasheet figure, a factor on a time, or a fixed time. The bounds
keep a fit physical: an efficiency can't hide a kernel that the model lacks. Values are read from a
profile's ``[efficiency.<stack>]`` tables; what a table lacks is the starting value here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number of an execution model."""

    start: float
    low: float
    high: float
    sentence: str


def _share(start: float, sentence: str, low: float = 0.02, high: float = 1.0) -> Parameter:
    return Parameter(start, low, high, f"share of the peak that {sentence} reach")


def _factor(start: float, sentence: str, high: float = 20.0, low: float = 1.0) -> Parameter:
    return Parameter(start, low, high, f"factor on {sentence}")


GPU: Final[Mapping[str, Parameter]] = MappingProxyType(
    {
        "clock": Parameter(1.12, 0.7, 1.25, "sustained clock over the clock of the peak"),
        "convolution": _share(1.0, "convolutions larger than 1x1"),
        "pointwise": _share(1.0, "1x1 convolutions"),
        "linear": _share(1.0, "products with a weight"),
        "matmul": _share(0.4, "products of activations"),
        "grouped": _share(0.9, "grouped convolutions"),
        "attention": _share(0.8, "flash attention kernels"),
        "stem": _share(0.8, "convolutions of at most 4 channels"),
        "patch": _share(0.3, "patch embeddings (at most 4 channels, stride of 8 or more)"),
        "depthwise": _share(0.5, "depthwise convolutions (of the vector peak)"),
        "bandwidth": Parameter(0.95, 0.3, 0.97, "share of the memory bandwidth"),
        "tile": Parameter(10.0, 0.1, 40.0, "operand loads of a tile, in columns of its area"),
        "prologue": Parameter(20.0, 0.0, 150.0, "start of a tile, in elements of k"),
        "attention_keys": Parameter(120.0, 0.0, 400.0, "start of an attention tile, in keys"),
        "attention_depth": Parameter(100.0, 0.0, 300.0, "softmax of a score, in flops"),
        "attention_mask": _factor(1.3, "attention with a mask"),
        "misaligned": _factor(1.8, "convolutions whose channels are no multiple of 8"),
        "odd_product": _factor(1.5, "products with an odd size"),
        "odd_groups": _factor(3.0, "grouped convolutions of an unusual width"),
        "wide_patch": _factor(2.5, "patch embeddings of stride 32 or more"),
        "depthwise_slow": _factor(38.0, "depthwise kernels without a library path", 80.0),
        "depthwise_bytes": Parameter(3.0, 0.0, 20.0, "flops a byte written, depthwise"),
        "memory_product": _factor(1.5, "traffic of matrix products and convolutions"),
        "memory_depthwise": _factor(1.6, "traffic of depthwise convolutions"),
        "memory_copy": _factor(1.3, "traffic of copies"),
        "memory_pooling": _factor(1.5, "traffic of pooling and interpolation"),
        "memory_softmax": _factor(1.4, "traffic of softmax"),
        "memory_reduction": _factor(1.2, "traffic of reductions"),
        "memory_group_norm": _factor(2.5, "traffic of group norms"),
        "group_norm_layout": _factor(2.2, "group norms in NHWC: copies there and back"),
        "memory_layer_norm": _factor(1.2, "traffic of layer norms"),
        "layer_norm_row": Parameter(1000.0, 0.0, 4000.0, "fixed cost of a row, in bytes"),
        "norm_rows": Parameter(0.0, 0.0, 32.0, "rows of layer norms at once a multiprocessor"),
        "norm_start": Parameter(0.0, 0.0, 10e-6, "time of a layer norm's block, in seconds"),
        "norm_element": Parameter(0.0, 0.0, 10e-9, "and of every element of its row"),
        "cache_share": Parameter(0.7, 0.1, 1.5, "share of L2 that keeps what was last touched"),
        "cache_gain": Parameter(3.0, 1.0, 6.0, "bandwidth of L2 over that of memory"),
        "overlap": Parameter(3.0, 1.0, 6.0, "sharpness of the maximum of compute and memory"),
        "launch": Parameter(1e-6, 0.2e-6, 10e-6, "gap between two kernels, in seconds"),
        "dispatch": Parameter(3e-6, 0.5e-6, 30e-6, "host time a kernel, in seconds"),
        "layout_dense": Parameter(0.0, 0.0, 1.5, "copies around a dense NCHW convolution"),
        "layout_pointwise": Parameter(0.0, 0.0, 1.5, "copies around a 1x1 NCHW convolution"),
        "layout_grouped": Parameter(0.0, 0.0, 1.0, "copies where the model has grouped ones"),
        "vector_norm": Parameter(0.0, 0.0, 40.0, "instructions a batch norm and element"),
        "vector_function": Parameter(0.0, 0.0, 40.0, "instructions a transcendental and element"),
        "vector_both": Parameter(0.0, 0.0, 200.0, "instructions where one kernel has both"),
        "huge": _factor(1.1, "kernels with a tensor of more than 2^31 elements"),
    }
)
"""Parameters of ``simt_waves``."""

MATRIX_SHARES: Final = (
    "convolution", "pointwise", "linear", "matmul", "grouped", "attention", "stem", "patch",
)  # fmt: skip
"""Those of them that are shares of the matrix peak."""

CPU: Final[Mapping[str, Parameter]] = MappingProxyType(
    {
        "convolution": _share(0.9, "convolutions larger than 1x1"),
        "pointwise": _share(0.8, "1x1 convolutions"),
        "grouped": _share(0.8, "grouped convolutions"),
        "depthwise": _share(0.06, "depthwise convolutions", 0.005),
        "linear": _share(0.8, "matrix products"),
        "attention": _share(0.6, "attention kernels"),
        "clock": Parameter(1.0, 0.5, 1.4, "sustained clock over the clock of the peak"),
        "bandwidth": Parameter(0.55, 0.1, 0.97, "share of the memory bandwidth"),
        "prologue": Parameter(16.0, 0.0, 200.0, "start of a row of products, in elements of k"),
        "few_rows": Parameter(4.0, 0.0, 100.0, "start of a product, in rows"),
        "attention_depth": Parameter(64.0, 0.0, 400.0, "softmax of a score, in elements of depth"),
        "aliased": _factor(1.3, "products with a row that is a multiple of 4 KiB"),
        "half_aliased": _factor(1.1, "products with a row that is a multiple of 1 KiB"),
        "odd_depthwise": _factor(1.2, "depthwise convolutions of odd channel counts"),
        "depthwise_taps": Parameter(8.0, 0.0, 100.0, "start of a depthwise output, in taps"),
        "weights_convolution": _factor(5.0, "weight traffic of convolutions larger than 1x1"),
        "weights_pointwise": _factor(1.7, "weight traffic of 1x1 convolutions"),
        "weights_linear": _factor(1.2, "weight traffic of matrix products"),
        "packing": Parameter(1.5, 0.0, 10.0, "more weight traffic where they exceed the cache"),
        "memory_layer_norm": _factor(5.0, "traffic of layer norms"),
        "memory_group_norm": _factor(3.0, "traffic of group norms"),
        "memory_copy": _factor(1.2, "traffic of copies"),
        "memory_pooling": _factor(1.5, "traffic of pooling and interpolation"),
        "cache_share": Parameter(0.8, 0.1, 1.5, "share of the caches that keeps the last values"),
        "cache_gain": Parameter(3.0, 1.0, 10.0, "bandwidth of the caches over that of memory"),
        "function_flops": Parameter(700.0, 8.0, 3000.0, "flops in the time of a transcendental"),
        "element_flops": Parameter(2.0, 1.0, 60.0, "flops in the time of an element's operation"),
        "first_touch": Parameter(1e-10, 0.0, 1e-9, "page faults of a large tensor, s/B"),
        "overlap": Parameter(2.0, 1.0, 6.0, "sharpness of the maximum of compute and memory"),
        "call_convolution": Parameter(55e-6, 1e-6, 300e-6, "fixed time of a convolution, s"),
        "call_product": Parameter(33e-6, 1e-6, 300e-6, "fixed time of a matrix product, s"),
        "call_loop": Parameter(15e-6, 1e-6, 300e-6, "fixed time of any other kernel, s"),
    }
)
"""Parameters of ``simd_cores``."""

LARGE_TENSOR_BYTES: Final = 32e6
"""Above this the allocator returns memory to the system, and its pages fault at every step."""

SIMD_SHARES: Final = (
    "convolution", "pointwise", "grouped", "depthwise", "linear", "attention",
)  # fmt: skip
"""Those of them that are shares of the SIMD peak."""

_PRODUCT_SHARES: Final = (
    "convolution", "pointwise", "linear", "matmul", "grouped", "attention", "stem", "patch",
    "depthwise", "clock", "tile", "prologue", "attention_keys", "misaligned", "overlap", "launch",
    "memory_depthwise", "layer_norm_row", "memory_group_norm", "attention_mask",
)  # fmt: skip
FREE: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "gpu.eager": (
            *_PRODUCT_SHARES, "memory_product", "memory_copy", "memory_pooling",
            "group_norm_layout",
        ),
        "gpu.eager_nchw": (
            *_PRODUCT_SHARES, "memory_product", "memory_pooling", "layout_dense",
            "layout_pointwise",
        ),
        "gpu.compiled": (
            *_PRODUCT_SHARES, "dispatch", "vector_norm", "vector_function", "vector_both",
            "layout_grouped",
        ),
        "cpu.compiled": (
            "convolution", "pointwise", "grouped", "depthwise", "linear", "attention",
            "bandwidth", "cache_share", "memory_layer_norm", "weights_convolution",
            "weights_pointwise", "weights_linear", "packing", "aliased", "half_aliased",
            "function_flops", "element_flops", "call_convolution", "call_product", "call_loop",
            "first_touch", "few_rows", "memory_copy", "depthwise_taps", "clock",
        ),
    }
)  # fmt: skip
"""What is fitted for a device's architecture and table, at most 25 numbers each."""

STARTS: Final[Mapping[str, Mapping[str, float]]] = MappingProxyType(
    {
        "gpu.eager_nchw": {
            "layout_dense": 0.8, "layout_pointwise": 0.08, "group_norm_layout": 1.0,
            "depthwise_slow": 3.0,
        },
        "gpu.compiled": {
            "dispatch": 15e-6, "vector_norm": 8.0, "vector_function": 8.0, "vector_both": 50.0,
            "layout_grouped": 0.06, "layer_norm_row": 60.0, "memory_product": 1.02,
            "memory_copy": 1.0, "memory_pooling": 1.0, "memory_group_norm": 1.3,
            "group_norm_layout": 1.5, "cache_share": 0.9,
        },
    }
)  # fmt: skip
"""Where a table's values start from, and stay unless they are fitted, if not at the parameter's own."""


def table_key(architecture: str, table: str) -> str:
    """The key of :data:`FREE` and :data:`STARTS` for a fitted table; engines are fitted as compiled.

    >>> table_key("gpu", "eager_nchw"), table_key("cpu", "eager")
    ('gpu.eager_nchw', 'cpu.compiled')
    """
    if architecture == "cpu":
        return "cpu.compiled"
    return f"{architecture}.{table if table.startswith('eager') else 'compiled'}"

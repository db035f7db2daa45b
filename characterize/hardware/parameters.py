"""What the calibrated execution models are fitted by: names, starting values, physical bounds.

Every parameter is a share of a datasheet figure, a factor on a time, or a fixed time. The bounds
keep a fit physical: an efficiency can't hide a kernel that the model lacks. Values are read from a
profile's ``[efficiency.<stack>]`` tables; what a table lacks is the starting value here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from characterize.hardware.record import Profile


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
        "bandwidth": Parameter(0.96, 0.3, 0.97, "share of the memory bandwidth"),
        "tile": Parameter(10.0, 0.1, 40.0, "operand loads of a tile, in columns of its area"),
        "prologue": Parameter(20.0, 0.0, 150.0, "start of a tile, in elements of k"),
        "attention_keys": Parameter(60.0, 0.0, 400.0, "start of an attention tile, in keys"),
        "attention_depth": Parameter(50.0, 0.0, 300.0, "softmax of a score, in flops"),
        "attention_mask": _factor(1.3, "attention with a mask"),
        "attention_wide": _share(0.48, "attention kernels of fp32 tensors (of the vector peak)"),
        "vector_product": _share(1.0, "matrix products without matrix units"),
        "vector_convolution": _share(1.0, "convolutions without matrix units"),
        "misaligned": _factor(1.8, "convolutions whose channels are no multiple of 8"),
        "odd_product": _factor(1.5, "products with an odd size"),
        "odd_linear": _factor(1.0, "products with a weight and an odd size, once more"),
        "even_linear": _factor(1.0, "products with a weight whose rows are not at 16 bytes"),
        "odd_groups": _factor(3.0, "grouped convolutions of an unusual width"),
        "wide_patch": _factor(2.5, "patch embeddings of stride 32 or more"),
        "depthwise_slow": _factor(38.0, "depthwise kernels without a library path", 80.0),
        "depthwise_seven": Parameter(1.0, 0.2, 5.0, "factor on 7x7 depthwise kernels"),
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
        "layer_norm_row": Parameter(270.0, 0.0, 800.0, "clocks of a multiprocessor a row"),
        "wide_norms": Parameter(
            0.0, 0.0, 1.0, "1 where autocast ran layer norms in fp32, 0 in half"
        ),
        "norm_rows": Parameter(0.0, 0.0, 32.0, "rows of layer norms at once a multiprocessor"),
        "norm_start": Parameter(0.0, 0.0, 10e-6, "time of a layer norm's block, in seconds"),
        "norm_element": Parameter(0.0, 0.0, 10e-9, "and of every element of its row"),
        "sliced": Parameter(
            0.0, 0.0, 9.0, "clocks an element of channels cut out of grouped images"
        ),
        "recurrent_step": Parameter(
            2.66e-6, 0.0, 20e-6, "start of a recurrent layer's time step, in seconds"
        ),
        "norm_step": Parameter(
            0.0, 0.0, 5e-6, "time of PyTorch's batch norm an element, in seconds"
        ),
        "stem_element": Parameter(0.0, 0.0, 9.0, "clocks an element written by stems in bf16"),
        "broadcast": Parameter(0.0, 0.0, 3.0, "clocks of a multiprocessor an element broadcast to"),
        "turned": Parameter(1.77, 0.0, 6.0, "clocks of a multiprocessor an element of a transpose"),
        "cache_share": Parameter(1.0, 0.1, 1.5, "share of L2 that keeps what was last touched"),
        "cache_rate": Parameter(15.0, 5.0, 64.0, "bytes of L2 a clock and multiprocessor"),
        "cache_gain": Parameter(0.0, 0.0, 6.0, "bandwidth of L2 over that of memory; 0: its rate"),
        "overlap": Parameter(3.0, 1.0, 6.0, "sharpness of the maximum of compute and memory"),
        "launch": Parameter(1e-6, 0.2e-6, 3e-6, "gap between two kernels, in seconds"),
        "start": Parameter(0.0, 0.0, 10e-6, "more, for convolutions, batch norms and attention"),
        "dispatch": Parameter(13.7e-6, 0.5e-6, 60e-6, "host time a pointwise kernel, in seconds"),
        "ahead": Parameter(
            0.0, 0.0, 0.5, "share of the host's time before it sends the first kernel"
        ),
        "layout_dense": Parameter(0.0, 0.0, 1.5, "copies around a dense NCHW convolution"),
        "layout_pointwise": Parameter(0.0, 0.0, 1.5, "copies around a 1x1 NCHW convolution"),
        "layout_kernels": Parameter(3.0, 0.0, 6.0, "kernels around one that changes its layout"),
        "layout_grouped": Parameter(0.0, 0.0, 1.0, "copies where the model has grouped ones"),
        "vector_norm": Parameter(0.0, 0.0, 40.0, "instructions a batch norm and element"),
        "vector_function": Parameter(0.0, 0.0, 40.0, "instructions a transcendental and element"),
        "vector_both": Parameter(0.0, 0.0, 400.0, "instructions where one kernel has both"),
        "vector_moved": _factor(1.0, "these instructions where the kernel also pads or joins", 8.0),
        "huge": _factor(1.0, "kernels with a tensor of more than 2^31 elements"),
    }
)
"""Parameters of ``simt_waves``."""

MATRIX_SHARES: Final = (
    "convolution", "pointwise", "linear", "matmul", "grouped", "attention", "stem", "patch",
)  # fmt: skip
"""Those of them that are shares of the matrix peak."""

CPU: Final[Mapping[str, Parameter]] = MappingProxyType(
    {
        "convolution": _share(0.95, "convolutions larger than 1x1"),
        "pointwise": _share(0.8, "1x1 convolutions"),
        "grouped": _share(0.8, "grouped convolutions"),
        "depthwise": _share(0.6, "depthwise convolutions", 0.005),
        "linear": _share(0.8, "matrix products"),
        "attention": _share(0.45, "attention kernels"),
        "clock": Parameter(1.15, 0.5, 1.4, "sustained clock over the clock of the peak"),
        "bandwidth": Parameter(0.55, 0.1, 0.97, "share of the memory bandwidth"),
        "memory_loop": _factor(1.8, "traffic of loops, whose lines are not prefetched as well"),
        "weights_convolution": _factor(3.2, "weight traffic of convolutions larger than 1x1"),
        "weights_pointwise": _factor(1.4, "weight traffic of 1x1 convolutions"),
        "packing": Parameter(3.3, 0.0, 10.0, "more weight traffic where they exceed the cache"),
        "plain_layout": Parameter(8.0, 0.0, 40.0, "traffic of turning an image's layout and back"),
        "prologue": Parameter(150.0, 0.0, 400.0, "start of a matrix product, in elements of k"),
        "aliased": _factor(1.6, "matrix products whose result's rows are multiples of 4 KiB"),
        "attention_depth": Parameter(64.0, 0.0, 400.0, "softmax of a score, in elements of depth"),
        "depthwise_taps": Parameter(8.0, 0.0, 100.0, "start of a depthwise output, in taps"),
        "cache_share": Parameter(1.0, 0.1, 1.5, "share of the caches that keeps the last values"),
        "cache_gain": Parameter(5.0, 1.0, 10.0, "bandwidth of the caches over that of memory"),
        "element_cycles": Parameter(3.4, 0.5, 60.0, "core cycles of a vector operation in a loop"),
        "function_cycles": Parameter(98.0, 8.0, 400.0, "core cycles of a vector's transcendental"),
        "single_cycles": Parameter(13.0, 1.0, 100.0, "core cycles an element without vectors"),
        "narrow_groups": _factor(2.7, "groups of a norm that are narrower than a register"),
        "weight_cycles": Parameter(7.0, 0.5, 40.0, "core cycles of copying a weight"),
        "overlap": Parameter(4.0, 1.0, 6.0, "sharpness of the maximum of compute and memory"),
        "call_convolution": Parameter(70e-6, 1e-6, 300e-6, "fixed time of oneDNN's convolution, s"),
        "call_small": Parameter(50e-6, 1e-6, 300e-6, "fixed time of PyTorch's convolution, s"),
        "call_product": Parameter(34e-6, 1e-6, 300e-6, "fixed time of a matrix product, s"),
        "call_loop": Parameter(6e-6, 1e-6, 300e-6, "fixed time of any other kernel, s"),
        "fork": Parameter(22e-6, 0.0, 100e-6, "starting and joining the threads of a loop, s"),
    }
)
"""Parameters of ``simd_cores``."""

SIMD_SHARES: Final = (
    "convolution", "pointwise", "grouped", "depthwise", "linear", "attention",
)  # fmt: skip
"""Those of them that are shares of the SIMD peak."""

_PRODUCTS: Final = (
    "convolution", "pointwise", "linear", "matmul", "grouped", "attention", "stem", "patch",
    "depthwise", "clock", "tile", "attention_keys", "attention_depth", "misaligned", "overlap",
    "launch", "memory_depthwise", "layer_norm_row",
)  # fmt: skip
FREE: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "gpu.eager": (
            *_PRODUCTS, "prologue", "attention_mask", "memory_product", "memory_copy",
            "memory_pooling", "group_norm_layout", "huge",
        ),
        "gpu.eager_nchw": (
            *_PRODUCTS, "prologue", "memory_product", "memory_copy", "memory_pooling",
            "layout_dense", "layout_pointwise", "depthwise_seven",
        ),
        "gpu.compiled": (
            *_PRODUCTS, "attention_mask", "dispatch", "vector_norm", "vector_function",
            "vector_both", "vector_moved", "huge",
        ),
        "cpu.compiled": (
            "convolution", "pointwise", "grouped", "linear", "attention", "bandwidth",
            "memory_loop", "weights_convolution", "weights_pointwise", "packing", "plain_layout",
            "prologue", "aliased", "element_cycles", "function_cycles", "single_cycles",
            "narrow_groups", "weight_cycles", "call_convolution", "call_small", "call_product",
            "call_loop", "fork",
        ),
    }
)  # fmt: skip
"""What is fitted for a device's architecture and table, at most 25 numbers each."""

STARTS: Final[Mapping[str, Mapping[str, float]]] = MappingProxyType(
    {
        "gpu.eager": {
            "tile": 8.0, "prologue": 30.0, "overlap": 4.0, "memory_depthwise": 2.0,
            "memory_copy": 1.5, "memory_pooling": 3.0, "memory_product": 1.1, "matmul": 0.33,
            "memory_group_norm": 3.0, "huge": 2.5, "layer_norm_row": 300.0,
            "norm_step": 0.45e-6,
        },
        "gpu.eager_nchw": {
            "tile": 11.0, "prologue": 45.0, "overlap": 3.0, "memory_depthwise": 2.0,
            "memory_copy": 1.7, "memory_pooling": 2.0, "memory_product": 1.4, "matmul": 0.45,
            "memory_group_norm": 2.0, "layer_norm_row": 170.0, "stem": 0.5, "depthwise": 0.18,
            "attention_mask": 1.4, "layout_dense": 0.7, "layout_pointwise": 0.05,
            "group_norm_layout": 1.0, "depthwise_slow": 4.5, "depthwise_seven": 0.7,
        },
        "gpu.compiled": {
            "tile": 6.0, "prologue": 12.0, "overlap": 5.0, "memory_depthwise": 1.3,
            "memory_product": 1.0, "memory_copy": 1.0, "memory_pooling": 1.0, "matmul": 0.45,
            "grouped": 0.53, "memory_group_norm": 1.5, "group_norm_layout": 1.3, "clock": 1.2,
            "memory_layer_norm": 1.0, "layer_norm_row": 12.0, "attention_keys": 110.0,
            "attention_mask": 1.7, "dispatch": 18e-6, "vector_norm": 13.0, "vector_both": 220.0,
            "vector_function": 17.0, "vector_moved": 3.0, "huge": 2.5, "layout_grouped": 0.03,
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


def stated(
    profile: Profile, values: Mapping[str, float], shares: Iterable[str]
) -> dict[str, float]:
    """Efficiencies that a profile states: they win over borrowed ones, and bound the peak's shares."""
    found: dict[str, float] = {}
    if profile.stated.get("efficiency.memory") is not None:
        found["bandwidth"] = profile.number("efficiency.memory")
    if profile.stated.get("efficiency.compute") is not None:
        most = profile.number("efficiency.compute")
        found |= {name: min(values[name], most) for name in shares}
    return found

"""Processors of single-board computers: narrow SIMD units behind small caches.

Compute and memory hardly overlap on these cores, so the parts of a kernel add up:

    compute_s = macs / (peak x share of its kind) + elements / (vector peak x elementwise)
    memory_s  = activation bytes / (bandwidth x activation) + weight bytes / (bandwidth x weight)
    latency_s = compute_s + memory_s + operator_s

Dense convolutions larger than 1x1 (``convolution`` is the share of a stem with 3 channels; deeper
ones come nearer to a product's, see :func:`convolution_share`), products
(``pointwise``, channels padded to 8 and pixels to 4) and depthwise convolutions have a share each.
Activation bytes are those of the copy that brings an image into the order of the product. Elements
are those of additions, means and activation functions that the runtime does not fuse.

``[efficiency.engine_fp32]`` and ``[efficiency.engine_int8]`` hold the shares of a board, fitted to
TFLite with XNNPACK and ruy; other formats take those of their class. A board without a table
has the shares that TFLite reaches of the datasheets of four boards (:data:`TYPICAL`). The narrower
format is fitted to be the faster one everywhere.

The energy of a projection is the device's. What is drawn at the wall is :func:`wall_power_w`.

Not modelled: throttling, the scheduling of threads on large and small cores.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from characterize.columns import Array, KernelColumns, KernelEstimate
from characterize.hardware.execution import execution_model
from characterize.hardware.record import Profile
from characterize.hardware.roofline import columns_shape, tiles
from characterize.records import KernelKind, Precision, Stack

_K = KernelKind
CONVOLUTIONS: Final = (_K.CONVOLUTION, _K.GROUPED_CONVOLUTION, _K.TRANSPOSED_CONVOLUTION)
PRODUCTS: Final = (_K.POINTWISE_CONVOLUTION, _K.LINEAR, _K.MATMUL, _K.ATTENTION, _K.RECURRENT)
DEPTHWISE: Final = (_K.DEPTHWISE_CONVOLUTION,)
STEM_DEPTH: Final = 27.0  # terms of the sums of a 3x3 convolution over 3 channels
_INTEGERS: Final = (Precision.INT16, Precision.INT8, Precision.INT4)
_COMPUTE: Final = ("convolution", "pointwise", "depthwise")

TYPICAL: Final[Mapping[str, Mapping[str, float]]] = MappingProxyType(
    {
        "fp32": MappingProxyType(
            {"convolution": 0.0342, "pointwise": 0.618, "depthwise": 0.100, "activation": 0.318,
             "weight": 0.700, "elementwise": 0.0124, "operator_clocks": 36.8e3,
             "inference_clocks": 1.36e6}
        ),
        "int8": MappingProxyType(
            {"convolution": 0.110, "pointwise": 0.822, "depthwise": 0.0527, "activation": 0.230,
             "weight": 0.565, "elementwise": 0.0177, "operator_clocks": 36.8e3,
             "inference_clocks": 0.581e6}
        ),
    }
)  # fmt: skip
"""Shares of TFLite (2.2 and later), one for four boards, for a board that nobody measured.

Fitted to Raspberry Pi 4, ODROID-N2+, RK3399 and the cores of a Jetson Xavier together; a board left out
of the fit is off by 8.4 % (fp32) and 11.7 % (int8) in the median (docs/validation-edge.md).
"""

SMALL_CORE_SHARE: Final = 0.25
"""What a small core counts of its peak: work is dealt evenly, and the large ones wait (RK3399)."""

TYPICAL_CLOCK_HZ: Final = 1.8e9  # of a board whose profile states none; the four have 1.5 to 2.4


@execution_model("edge_cores")
def edge_cores(
    columns: KernelColumns, profile: Profile, precision: Precision, stack: Stack
) -> KernelEstimate:
    """Rates by kind of kernel and by kind of traffic, added up."""
    known = efficiencies(profile, precision)
    shape = columns_shape(columns)
    size, peak = precision.bytes, profile.peak(precision)
    products, elements = work(columns)
    dense = convolution_share(columns.k, known["convolution"], known["pointwise"])
    rates = [peak / 2.0 * share for share in (dense, known["pointwise"], known["depthwise"])]
    compute_s = sum((macs / rate for macs, rate in zip(products, rates, strict=True)), 0.0)
    compute_s = compute_s + elements / (profile.vector_peak(precision) * known["elementwise"])
    compute_s = np.broadcast_to(np.maximum(compute_s, columns.flops / peak), shape)
    bandwidth = profile.memory_bytes_per_s
    activations, weights = activation_elements(columns) * size, columns.weight_elements * size
    memory_s = activations / (bandwidth * known["activation"])
    memory_s = memory_s + weights / (bandwidth * known["weight"])
    moved = np.broadcast_to(columns.memory_bytes(precision), shape)
    memory_s = np.broadcast_to(np.maximum(memory_s, moved / bandwidth), shape)
    overhead_s = np.broadcast_to(_overhead_s(columns, profile, known, stack), shape)
    energy = 2.0 * columns.worked_macs * profile.j_per_flop(precision)
    energy = energy + columns.vector_flops * profile.vector_j_per_flop(precision)
    return KernelEstimate(
        latency_s=compute_s + memory_s + overhead_s,
        compute_s=compute_s,
        memory_s=memory_s,
        overhead_s=overhead_s,
        tiles=tiles(columns, profile, precision),
        compute_energy_j=np.broadcast_to(energy, shape),
        memory_energy_j=moved * profile.memory_j_per_byte,
    )


def convolution_share(depth: Array, stem: float, pointwise: float) -> Array:
    """Share of the peak of a dense convolution that sums over ``depth`` terms.

    The boards were measured on networks whose only dense convolution is a stem of 3 x 3 x 3 = 27
    terms: ``stem`` is its share. A longer sum pays for its start less and comes near a product's,
    as ``depth / (depth + d)`` does; ``d`` is what makes it the stem's at 27 terms. That a deep
    convolution does as well as a product is assumed, no row shows one.
    """
    start = STEM_DEPTH * max(0.0, pointwise / stem - 1.0)
    share: Array = max(pointwise, stem) * depth / np.maximum(depth + start, 1.0)
    return np.where(depth > 0, share, stem)


def efficiencies(profile: Profile, precision: Precision) -> Mapping[str, float]:
    """Shares for a precision: the board's where it was measured, otherwise those of its runtime."""
    name = "int8" if precision in _INTEGERS else "fp32"
    fitted = profile.fitted.get(f"efficiency.engine_{name}")
    return {**_typical(profile, name, precision), **(fitted.values if fitted else {})}


def _typical(profile: Profile, name: str, precision: Precision) -> Mapping[str, float]:
    """The runtime's shares on the datasheet of a board: small cores count less, clocks are seconds."""
    known = dict(TYPICAL[name])
    if name == "int8" and Precision.FP32 in profile.peak_flops_per_s:
        # integers that are not twice as fast do not make the runtime slower than in fp32
        ratio = profile.peak(Precision.FP32) / profile.peak(precision)
        for kind in _COMPUTE:
            known[kind] = min(1.0, max(known[kind], TYPICAL["fp32"][kind] * ratio))
    usable = usable_share(profile)
    for kind in (*_COMPUTE, "elementwise"):
        known[kind] *= usable
    clock = clock_hz(profile)
    known["operator_s"] = known.pop("operator_clocks") / clock
    known["inference_s"] = known.pop("inference_clocks") / clock
    return known


def clock_hz(profile: Profile) -> float:
    """The clock of the large cores: the highest that the profile states."""
    clocks = [profile.number(f"units.clock_{name}_hz", 0.0) for name in ("boost", "peak", "base")]
    return max(clocks) or TYPICAL_CLOCK_HZ


def usable_share(profile: Profile) -> float:
    """Share of the peak that a runtime can use, below 1 where some cores are small ones."""
    units = profile.units
    small, large = units.get("efficiency_cores", 0.0), units.get("performance_cores", 0.0)
    if not small or not large:
        return 1.0
    width = units.get("flops_per_clock", 1.0)
    clock = clock_hz(profile)
    small *= units.get("efficiency_flops_per_clock", width)
    small *= units.get("efficiency_clock_boost_hz", clock)
    large *= width * clock
    return (large + SMALL_CORE_SHARE * small) / (large + small)


def wall_power_w(profile: Profile, precision: Precision, macs_per_s: Array) -> Array | None:
    """Power of the whole system at the wall, None where nobody measured it.

    ``base + energy a multiply-accumulate x rate``: the base holds the board at rest, its supply's
    loss and the threads that wait for each other, so it belongs to a board and a runtime.
    """
    known = efficiencies(profile, precision)
    if "wall_base_w" not in known:
        return None
    return np.asarray(known["wall_base_w"] + known["wall_j_per_mac"] * macs_per_s)


def work(columns: KernelColumns) -> tuple[tuple[Array, Array, Array], Array]:
    """Multiply-accumulates of dense convolutions, products and depthwise ones; loose elements."""
    padding = _ceil_to(columns.n, 8) * _ceil_to(columns.m, 4)
    macs = columns.worked_macs
    products = columns.is_kind(*PRODUCTS)
    dense = columns.is_kind(*CONVOLUTIONS)
    depthwise = columns.is_kind(*DEPTHWISE)
    classes = (macs * dense, macs * padding * products, macs * depthwise)
    # one operation an output (ReLU) is fused, more are passes of their own
    beyond = np.maximum(0.0, columns.vector_flops - 2.0 * columns.output_elements)
    loose = columns.input_elements + columns.other_elements + columns.output_elements
    fused = 3.0 * columns.other_elements + 0.5 * beyond
    return classes, np.where(dense | products | depthwise, fused, np.maximum(loose, 0.5 * beyond))


def activation_elements(columns: KernelColumns) -> Array:
    """Elements that kernels with multiply-accumulates read and write."""
    moved: Array = operators(columns) * (columns.input_elements + columns.output_elements)
    return moved


def operators(columns: KernelColumns) -> Array:
    """1 for kernels that the runtime dispatches as an operator with weights, ``[K, 1]``."""
    return columns.is_kind(*CONVOLUTIONS, *PRODUCTS, *DEPTHWISE).astype(np.float64)


def _ceil_to(size: Array, multiple: int) -> Array:
    """What rounding a size up multiplies it by, 1 where there is none."""
    rounded = np.ceil(size / multiple) * multiple
    ratio: Array = np.divide(rounded, size, out=np.ones(np.shape(size)), where=size > 0)
    return ratio


def _overhead_s(
    columns: KernelColumns, profile: Profile, known: Mapping[str, float], stack: Stack
) -> Array:
    """Dispatch; what a call takes beyond the profile's is spread over its kernels.

    Both were measured of TFLite, and PyTorch takes no less of either on the same board.
    """
    dispatch = known["operator_s"] * operators(columns)
    if stack is not Stack.ENGINE:
        dispatch = np.maximum(dispatch, profile.kernel_overhead_s(stack))
    spread = max(0.0, known["inference_s"] - profile.inference_overhead_s)
    return np.asarray(dispatch + spread / columns.count.sum())

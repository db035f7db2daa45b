"""Seconds of the kernels that a GPU runs: arithmetic, traffic, and how the two overlap.

The equations stand at the head of `gpu`, which adds the kernels up to networks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from characterize.columns import Array, KernelColumns
from characterize.hardware import gpu_rows
from characterize.hardware.record import Profile
from characterize.hardware.residency import Cache
from characterize.hardware.roofline import TRANSCENDENTAL_FLOPS, smooth_maximum
from characterize.records import KernelKind, Precision

TILES: Final = ((256, 128), (128, 128), (128, 64), (64, 64), (128, 32), (64, 32))
MOST_CACHE_GAIN: Final = 6.0
VECTOR_FLOPS_A_CLOCK: Final = 256.0  # of a multiprocessor: 128 lanes
HUGE_ELEMENTS: Final = 2.0**31
_K = KernelKind
_INDEXED: Final = (_K.DEPTHWISE_CONVOLUTION, _K.BATCH_NORM, _K.COPY)  # slower with 64-bit offsets
_LIBRARY_AREAS: Final = (1.0, 9.0, 25.0, 49.0)  # depthwise kernels that cuDNN has a fast path for

_SEVEN: Final = 49.0  # their own kernel in channels-last, none in the other format

Efficiencies = Mapping[str, float]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Device:
    """What a kernel's time depends on, taken from a profile for one precision."""

    matrix_flops_per_s: float
    vector_flops_per_s: float
    bytes_per_s: float
    cache_bytes: float
    multiprocessors: float
    element_bytes: float
    clocks_per_s: float  # of all multiprocessors together, at the clock of the peak
    cache_bytes_per_s: float = 0.0  # of the second-level cache; 0 where it is not known

    def cache_gain(self, bytes_per_clock: float) -> float:
        """Bandwidth of the cache over that of memory, from a rate a multiprocessor if not known."""
        rate = self.cache_bytes_per_s or self.clocks_per_s * bytes_per_clock
        return float(np.clip(rate / self.bytes_per_s, 1.0, MOST_CACHE_GAIN))

    @classmethod
    def of(cls, profile: Profile, precision: Precision) -> Device:
        """The device in a precision.

        A profile without multiprocessors gets one for 1 Tflop/s of the matrix peak; one without
        their clock too runs 256 vector operations a clock on each.
        """
        vector, peak = profile.vector_peak(precision), profile.peak(precision)
        cache = profile.number("on_chip.l2_bytes", profile.on_chip_capacity_bytes)
        units = profile.units
        rated = units.get("clock_peak_hz", units.get("clock_boost_hz", 0.0))
        return cls(
            matrix_flops_per_s=peak,
            vector_flops_per_s=vector,
            bytes_per_s=profile.memory_bytes_per_s,
            cache_bytes=cache if np.isfinite(cache) else 0.0,
            multiprocessors=units.get("sms", max(1.0, peak / 1e12)),
            element_bytes=precision.bytes,
            clocks_per_s=units.get("sms", 0.0) * rated or vector / VECTOR_FLOPS_A_CLOCK,
            cache_bytes_per_s=profile.on_chip_bytes_per_s or 0.0,
        )


@dataclass(frozen=True)
class Times:
    """Seconds of launched kernels, ``[L, N]``, each once."""

    compute_s: Array
    memory_s: Array
    beside_s: Array  # what overlaps with neither: copies into another layout, gaps between kernels
    sharpness: Array  # of the maximum of compute and memory
    kernel_s: Array  # all of it

    def flat(self, columns: KernelColumns) -> Times:
        """The same over all configurations of a grid, one after another."""
        own = (getattr(self, each.name) for each in fields(self))
        return Times(*(columns.flat(part) for part in own))


def kernel_times(columns: KernelColumns, device: Device, known: Efficiencies) -> Times:
    """Seconds that each launched kernel takes."""
    largest = np.maximum(columns.input_elements, columns.output_elements)
    slow = (largest > HUGE_ELEMENTS) & columns.is_kind(*_INDEXED)
    huge = np.where(slow, known["huge"], 1.0)
    compute, memory, beside = np.broadcast_arrays(
        compute_s(columns, device, known) * huge,
        memory_s(columns, device, known) * huge,
        beside_s(columns, device, known),
    )
    waiting = (columns.row_elements > 0) & (known["layer_norm_row"] > 0)
    sharpness = np.where(waiting, 1.0, known["overlap"])
    return clocked(Times(compute, memory, beside, sharpness, compute), np.ones(1))


def clocked(times: Times, clock: Array) -> Times:
    """Kernels at a share of the highest clock: arithmetic takes longer, all else does not."""
    compute = times.compute_s / clock
    kernel = smooth_maximum(compute, times.memory_s, times.sharpness) + times.beside_s
    return replace(times, compute_s=compute, kernel_s=kernel)


# compute


def compute_s(columns: KernelColumns, device: Device, known: Efficiencies) -> Array:
    """Seconds of arithmetic: products on the matrix units, all else on the vector units."""
    seconds = _vector_s(columns, device, known)
    depthwise = columns.is_kind(_K.DEPTHWISE_CONVOLUTION)
    attention = columns.is_kind(_K.ATTENTION)
    product = (columns.macs > 0) & ~depthwise & ~attention
    seconds = _where(depthwise, seconds, lambda c: _depthwise_s(c, device, known), columns)
    seconds = _where(attention, seconds, lambda c: _attention_s(c, device, known), columns)
    seconds = _where(product, seconds, lambda c: _product_s(c, device, known), columns)
    floor = (2.0 * columns.worked_macs + columns.vector_flops) / device.matrix_flops_per_s
    return np.maximum(seconds, floor)


def _where(
    mask: Mask, otherwise: Array, of: Callable[[KernelColumns], Array], columns: KernelColumns
) -> Array:
    """``of`` the rows where the mask holds for some configuration, ``otherwise`` in the others."""
    kernels = len(columns.kind)
    anywhere = mask.reshape(len(mask), -1).any(axis=1)
    rows = np.flatnonzero(np.broadcast_to(anywhere, kernels))
    if not len(rows):
        return otherwise
    found = of(columns.rows(rows))
    own = mask[rows] if len(mask) > 1 else mask
    shape = np.broadcast_shapes(otherwise.shape[1:], found.shape[1:], own.shape[1:])
    result = np.empty((kernels, *shape))
    result[:] = otherwise
    result[rows] = found if own.all() else np.where(own, found, result[rows])
    return result


def _vector_s(columns: KernelColumns, device: Device, known: Efficiencies) -> Array:
    elements = np.maximum(columns.output_elements, columns.input_elements)
    per_element = columns.transcendentals / np.maximum(elements, 1.0)
    norms = columns.batch_norms
    fused = columns.operators > 1
    both = np.minimum(1.0, norms) * np.minimum(1.0, per_element)
    moved = np.where(columns.is_kind(_K.COPY), known["vector_moved"], 1.0)
    instructions = np.where(
        fused,
        known["vector_norm"] * norms
        + known["vector_function"] * per_element
        + known["vector_both"] * both * moved,
        0.0,
    )
    flops = columns.vector_flops + (TRANSCENDENTAL_FLOPS - 1.0) * columns.transcendentals
    slow = np.maximum(flops, 2.0 * elements * instructions)
    row = np.maximum(columns.row_elements, 1.0)
    rows = np.where(columns.row_elements > 0, columns.output_elements / row, 0.0)
    clocks = rows * known["layer_norm_row"] + _across(columns) * known["turned"]
    rate = device.clocks_per_s * known["clock"]
    return np.asarray(slow / device.vector_flops_per_s + clocks / rate)


def _across(columns: KernelColumns) -> Array:
    """Elements that a copy reads across their order in memory."""
    return np.where(columns.is_kind(_K.COPY), columns.turned_elements, 0.0)


def _product_s(columns: KernelColumns, device: Device, known: Efficiencies) -> Array:
    """Seconds of convolutions and matrix products: the best tile's waves."""
    m, n, k, groups = columns.m, columns.n, columns.k, columns.groups
    units = device.multiprocessors
    best: Array = np.full((1, 1), np.inf)
    for rows, width in TILES:
        tiles = np.ceil(m / rows) * np.ceil(n / width) * groups
        waves = tiles / units
        waves = np.where(waves < 4.0, np.ceil(waves), waves + 0.5)
        area = rows * width
        loads = 1.0 + known["tile"] * ((rows + width) / area)
        best = np.minimum(best, waves * (units * 2.0 * area * loads))
    depth = 8.0 * np.ceil(k / 8.0) + known["prologue"]
    rate = device.matrix_flops_per_s * known["clock"] * _share(columns, known)
    flops = np.where(m > 0, best * depth * _causal(columns), 2.0 * columns.worked_macs)
    return np.asarray(flops * _penalty(columns, known) / rate)


def _causal(columns: KernelColumns) -> Array:
    """The share of a product's blocks that a causal mask leaves."""
    if columns.worked_macs is columns.macs:  # no masks anywhere
        return np.ones((1, 1))
    share = columns.worked_macs / np.maximum(columns.macs, 1.0)
    return np.where(columns.macs > 0, share, 1.0)


def _share(columns: KernelColumns, known: Efficiencies) -> Array:
    """The share of the peak that each product's kind reaches."""
    by_kind = {
        _K.POINTWISE_CONVOLUTION: "pointwise",
        _K.GROUPED_CONVOLUTION: "grouped",
        _K.LINEAR: "linear",
        _K.RECURRENT: "recurrent" if "recurrent" in known else "linear",
        _K.MATMUL: "matmul",
    }
    share: Array = np.full((1, 1), known["convolution"])
    for kind, name in by_kind.items():
        share = np.where(columns.is_kind(kind), known[name], share)
    few = _few_channels(columns)
    patch = few & (columns.stride >= 8)
    return np.where(patch, known["patch"], np.where(few, known["stem"], share))


def _few_channels(columns: KernelColumns) -> Mask:
    dense = columns.is_kind(_K.CONVOLUTION)
    return dense & (columns.k / np.maximum(columns.kernel_area, 1.0) <= 4)


def _penalty(columns: KernelColumns, known: Efficiencies) -> Array:
    """Factors on products whose sizes fall off the fast kernels."""
    width = columns.k / np.maximum(columns.kernel_area, 1.0)
    few = _few_channels(columns)
    dense = columns.is_kind(_K.CONVOLUTION, _K.POINTWISE_CONVOLUTION) & ~few
    odd_channels = dense & ((width % 8 != 0) | (columns.n % 8 != 0))
    factor = np.where(odd_channels, known["misaligned"], 1.0)
    product = columns.is_kind(_K.LINEAR, _K.MATMUL)
    odd = product & ((columns.n % 2 != 0) | (columns.k % 2 != 0))
    factor = np.where(odd, known["odd_product"], factor)
    power_of_two = np.log2(np.maximum(width, 1.0)) % 1 == 0
    unusual = (width < 64) & (width % 16 != 0) & ~power_of_two
    grouped = columns.is_kind(_K.GROUPED_CONVOLUTION) & unusual
    factor = np.where(grouped, known["odd_groups"], factor)
    return np.where(few & (columns.stride >= 32), known["wide_patch"], factor)


def _attention_s(columns: KernelColumns, device: Device, known: Efficiencies) -> Array:
    queries, keys = 64.0 * np.ceil(columns.m / 64.0), 64.0 * np.ceil(columns.n / 64.0)
    depth = 4.0 * 32.0 * np.ceil(columns.k / 32.0) + known["attention_depth"]
    flops = queries * (keys + known["attention_keys"]) * columns.groups * depth
    masked = np.where(columns.masked > 0, known["attention_mask"], 1.0)
    rate = device.matrix_flops_per_s * known["clock"] * known["attention"]
    return np.asarray(flops * _causal(columns) * masked / rate)


def _depthwise_s(columns: KernelColumns, device: Device, known: Efficiencies) -> Array:
    area = columns.kernel_area
    slow = np.where(np.isin(area, _LIBRARY_AREAS), 1.0, known["depthwise_slow"])
    written = columns.output_elements * device.element_bytes
    slow = np.where(area == _SEVEN, known["depthwise_seven"], slow)
    flops = 2.0 * columns.macs * slow + known["depthwise_bytes"] * written
    odd = np.where(columns.groups % 8 != 0, 1.2, 1.0)
    return np.asarray(flops * odd / (device.vector_flops_per_s * known["depthwise"]))


# memory


def memory_s(columns: KernelColumns, device: Device, known: Efficiencies) -> Array:
    """Seconds of traffic: what the cache still holds comes faster, some kinds move more."""
    size = device.element_bytes
    gain = known["cache_gain"] or device.cache_gain(known["cache_rate"])
    cache = Cache(size, device.cache_bytes * known["cache_share"], gain)
    moved = cache.activations(columns)
    moved = moved + columns.weight_elements * size
    moved = moved + columns.fixed_read_bytes + columns.fixed_write_bytes
    moved = moved * traffic_factor(columns, known)
    moved = moved + gpu_rows.read_again_bytes(columns, device.multiprocessors, cache, known)
    waits = gpu_rows.waiting_s(columns, device.multiprocessors, known)
    return np.asarray(moved / (device.bytes_per_s * known["bandwidth"]) + waits)


_TRAFFIC: Final = {
    "memory_product": (
        _K.CONVOLUTION, _K.POINTWISE_CONVOLUTION, _K.GROUPED_CONVOLUTION,
        _K.TRANSPOSED_CONVOLUTION, _K.LINEAR, _K.MATMUL, _K.RECURRENT,
    ),
    "memory_depthwise": (_K.DEPTHWISE_CONVOLUTION,),
    "memory_copy": (_K.COPY, _K.GATHER),
    "memory_pooling": (_K.POOLING, _K.INTERPOLATION),
    "memory_softmax": (_K.SOFTMAX,),
    "memory_reduction": (_K.REDUCTION,),
    "memory_group_norm": (_K.GROUP_NORM,),
    "memory_layer_norm": (_K.LAYER_NORM,),
}  # fmt: skip


def traffic_factor(columns: KernelColumns, known: Efficiencies) -> Array:
    """How much more a kind of kernel moves than its inputs and outputs."""
    factor: Array = np.ones((1, 1))
    for name, kinds in _TRAFFIC.items():
        factor = np.where(columns.is_kind(*kinds) & ~_few_channels(columns), known[name], factor)
    norms = columns.is_kind(_K.GROUP_NORM)
    copied = norms & (columns.computed_weights == 0)
    return np.where(copied, factor * known["group_norm_layout"], factor)


def beside_s(columns: KernelColumns, device: Device, known: Efficiencies) -> Array:
    """Seconds of copies into another layout and back, and of the gaps between kernels."""
    passes = _layout(columns, known)
    moved = (columns.input_elements + columns.output_elements) * device.element_bytes * passes
    kernels = np.where(passes > 0, 1.0 + known["layout_kernels"], 1.0)
    return np.asarray(moved / (device.bytes_per_s * known["bandwidth"]) + kernels * known["launch"])


def _layout(columns: KernelColumns, known: Efficiencies) -> Array:
    """Extra passes over input and output where a convolution has to change the layout."""
    dense = columns.is_kind(_K.CONVOLUTION, _K.GROUPED_CONVOLUTION, _K.TRANSPOSED_CONVOLUTION)
    pointwise = columns.is_kind(_K.POINTWISE_CONVOLUTION)
    passes = np.where(dense, 2.0 * known["layout_dense"], 0.0)
    passes = np.where(pointwise, 2.0 * known["layout_pointwise"], passes)
    beside = (dense | pointwise) & (columns.beside_grouped > 0)
    return passes + np.where(beside, known["layout_grouped"], 0.0)

"""Seconds of the kernels that a GPU runs: arithmetic, traffic, and how the two overlap.

The equations stand at the head of `gpu`, which adds the kernels up to networks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from characterize.columns import Array, KernelColumns
from characterize.hardware import gpu_bf16, gpu_products, gpu_recurrent, gpu_rows
from characterize.hardware.gpu_products import Waves
from characterize.hardware.record import Profile
from characterize.hardware.residency import Cache
from characterize.hardware.roofline import TRANSCENDENTAL_FLOPS, smooth_maximum
from characterize.records import KernelKind, Precision

MOST_CACHE_GAIN: Final = 6.0
VECTOR_FLOPS_A_CLOCK: Final = 256.0  # of a multiprocessor: 128 lanes
HUGE_ELEMENTS: Final = 2.0**31
_K = KernelKind
_INDEXED: Final = (_K.DEPTHWISE_CONVOLUTION, _K.BATCH_NORM, _K.COPY)  # slower with 64-bit offsets
_STARTED: Final = (
    _K.CONVOLUTION, _K.POINTWISE_CONVOLUTION, _K.GROUPED_CONVOLUTION, _K.DEPTHWISE_CONVOLUTION,
    _K.TRANSPOSED_CONVOLUTION, _K.BATCH_NORM, _K.ATTENTION,
)  # fmt: skip
_LIBRARY_AREAS: Final = (1.0, 9.0, 25.0, 49.0)  # depthwise kernels that cuDNN has a fast path for

_FEW: Final = 0.25  # of the elements written: an operand with fewer is broadcast
_WIDE_BYTES: Final = 4.0  # of an element of fp32 and tf32
_NARROWER: Final = (Precision.TF32, Precision.BF16, Precision.FP16)
_NO_MATRIX: Final = (
    0.4  # an fp32 peak of at most so much of a narrower format's has no matrix units
)
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
    pace: float = 1.0  # of products on vector units: their rate over that of the matrix units
    bf16: bool = False  # a format that cuDNN has fewer kernels for

    def cache_gain(self, bytes_per_clock: float) -> float:
        """Bandwidth of the cache over that of memory, from a rate a multiprocessor if not known."""
        rate = self.cache_bytes_per_s or self.clocks_per_s * bytes_per_clock
        return float(np.clip(rate / self.bytes_per_s, 1.0, MOST_CACHE_GAIN))

    @property
    def function_flops_per_s(self) -> float:
        """Rate of norms and functions in fused kernels, counted as on multiprocessors of 128 lanes.

        These are work for units for functions and for integers. A multiprocessor has 16 of the first
        and 64 of the second, with 128 vector lanes (RTX 30 and 40, H100) as with 64 (V100, T4, A100):
        CUDA C++ Programming Guide, throughput of native arithmetic instructions, 7.0 to 9.0.
        """
        return max(self.vector_flops_per_s, VECTOR_FLOPS_A_CLOCK * self.clocks_per_s)

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
            pace=_pace(profile, precision),
            bf16=precision is Precision.BF16,
        )


def _pace(profile: Profile, precision: Precision) -> float:
    """Rate of fp32 (and fp64) products over those of narrower formats, if only they have matrix units."""
    peaks = profile.peak_flops_per_s
    narrower = [profile.peak(each) for each in _NARROWER if each in peaks]
    if precision.bytes < _WIDE_BYTES or precision is Precision.TF32 or not narrower:
        return 1.0
    pace = profile.peak(precision) / min(narrower)
    return pace if pace <= _NO_MATRIX else 1.0


@dataclass(frozen=True)
class Times:
    """Seconds of launched kernels, ``[L, N]``, each once."""

    compute_s: Array
    memory_s: Array
    beside_s: Array  # what overlaps with neither: copies into another layout, gaps between kernels
    sharpness: Array  # of the maximum of compute and memory
    kernel_s: Array  # all of it
    least_s: Array = field(default_factory=lambda: _row(0.0))  # no kernel is shorter

    @classmethod
    def joined(cls, parts: Sequence[tuple[NDArray[np.int64], Times]]) -> Times:
        """Times of some rows each, which together are all."""
        if len(parts) == 1:
            return parts[0][1]
        own = (f.name for f in fields(cls))
        return cls(*(joined([(rows, getattr(part, name)) for rows, part in parts]) for name in own))

    def flat(self, columns: KernelColumns) -> Times:
        """The same over all configurations of a grid, one after another."""
        own = (getattr(self, each.name) for each in fields(self))
        return Times(*(columns.flat(part) for part in own))


def joined(parts: Sequence[tuple[NDArray[np.int64], Array]]) -> Array:
    """An array of all rows, from those of some each."""
    if len(parts) == 1 or all(part.size == 1 for _, part in parts):
        first = parts[0][1]
        if all(part is first or part.item() == first.item() for _, part in parts):
            return first
    shape = np.broadcast_shapes(*(part.shape[1:] for _, part in parts))
    result = np.empty((sum(len(rows) for rows, _ in parts), *shape))
    for rows, part in parts:
        result[rows] = part
    return result


def kernel_times(columns: KernelColumns, device: Device, known: Efficiencies) -> Times:
    """Seconds that each launched kernel takes."""
    return Times.joined(kernel_parts(columns, device, known, {}))


Parts = list[tuple[NDArray[np.int64], Times]]
"""Rows, and their times along the axes that they depend on."""


def kernel_parts(
    columns: KernelColumns, device: Device, known: Efficiencies, waves: Waves
) -> Parts:
    """Seconds that each launched kernel takes, in groups of those that depend on the same axes."""
    parts = columns.by_extent()
    return [(rows, _kernel_times(part, device, known, waves)) for rows, part in parts]


def _kernel_times(
    columns: KernelColumns, device: Device, known: Efficiencies, waves: Waves
) -> Times:
    compute, memory = compute_s(columns, device, known, waves), memory_s(columns, device, known)
    indexed = columns.is_kind(*_INDEXED)
    if indexed.any():
        largest = np.maximum(columns.input_elements, columns.output_elements)
        slow = (largest > HUGE_ELEMENTS) & indexed
        if slow.any():
            huge = np.where(slow, known["huge"], 1.0)
            compute, memory = compute * huge, memory * huge
    waiting = (columns.row_elements > 0) & (known["layer_norm_row"] > 0)
    sharpness = (
        np.where(waiting, 1.0, known["overlap"]) if waiting.any() else _row(known["overlap"])
    )
    compute, memory = np.broadcast_arrays(compute, memory)
    beside = beside_s(columns, device, known)
    return clocked(Times(compute, memory, beside, sharpness, compute), None)


def _row(value: float) -> Array:
    return np.full((1, 1), value)


def clocked(times: Times, clock: Array | None) -> Times:
    """Kernels at a share of the highest clock: arithmetic takes longer, all else does not."""
    compute = times.compute_s if clock is None else times.compute_s / clock
    kernel = smooth_maximum(compute, times.memory_s, times.sharpness)
    if times.least_s.any():
        kernel = smooth_maximum(kernel, times.least_s, times.sharpness)
    return replace(times, compute_s=compute, kernel_s=kernel + times.beside_s)


# compute


def compute_s(columns: KernelColumns, device: Device, known: Efficiencies, waves: Waves) -> Array:
    """Seconds of arithmetic: products on the matrix units, all else on the vector units."""
    depthwise = columns.is_kind(_K.DEPTHWISE_CONVOLUTION)
    attention = columns.is_kind(_K.ATTENTION)
    product = (columns.macs > 0) & ~depthwise & ~attention
    products = partial(gpu_products.product_s, waves=waves)
    kinds = ((depthwise, _depthwise_s), (attention, _attention_s), (product, products))
    return _pieced(columns, kinds, device, known)


def _pieced(
    columns: KernelColumns,
    kinds: Iterable[tuple[Mask, Callable[[KernelColumns, Device, Efficiencies], Array]]],
    device: Device,
    known: Efficiencies,
) -> Array:
    """Every row by the function of its kind where the mask holds, by the vector units elsewhere."""
    kernels = len(columns.kind)
    found: list[tuple[NDArray[np.int64], Array]] = []
    left = np.ones(kernels, dtype=np.bool_)
    for mask, of in kinds:
        own = np.broadcast_to(mask, (kernels, *mask.shape[1:])).reshape(kernels, -1)
        rows = np.flatnonzero(own.any(axis=1))
        if not len(rows):
            continue
        left[rows] = False
        some = columns.rows(rows)
        seconds = of(some, device, known)
        if not own[rows].all():
            where = np.broadcast_to(mask, (kernels, *mask.shape[1:]))[rows]
            seconds = np.where(where, seconds, _vector_s(some, device, known))
        found.append((rows, _at_peak(some, device, seconds)))
    rows = np.flatnonzero(left)
    if len(rows) == kernels:
        return _at_peak(columns, device, _vector_s(columns, device, known))
    if len(rows):
        some = columns.rows(rows)
        found.append((rows, _at_peak(some, device, _vector_s(some, device, known))))
    return joined(found)


def _at_peak(columns: KernelColumns, device: Device, seconds: Array) -> Array:
    """No kernel is faster than its operations at peak."""
    floor = columns.worked_macs * (2.0 / device.matrix_flops_per_s)
    floor = floor + columns.vector_flops / device.matrix_flops_per_s
    return np.maximum(seconds, floor)


def _vector_s(columns: KernelColumns, device: Device, known: Efficiencies) -> Array:
    slow = columns.vector_flops + (TRANSCENDENTAL_FLOPS - 1.0) * columns.transcendentals
    seconds = slow / device.vector_flops_per_s
    fused = columns.operators > 1
    if (fused & ((columns.batch_norms > 0) | (columns.transcendentals > 0))).any():
        inside = _fused_flops(columns, known) * fused / device.function_flops_per_s
        seconds = np.maximum(seconds, inside)
    rate = device.clocks_per_s * known["clock"]
    if known["layer_norm_row"] and (columns.row_elements > 0).any():
        row = np.maximum(columns.row_elements, 1.0)
        rows = np.where(columns.row_elements > 0, columns.output_elements / row, 0.0)
        seconds = seconds + rows * known["layer_norm_row"] / rate
    if known["broadcast"]:
        elements = _broadcast_elements(columns, norms=not _own_norms(device, known))
        seconds = seconds + elements * known["broadcast"] / rate
    if columns.turned_elements.any():
        seconds = seconds + _across(columns) * known["turned"] / rate
    return np.asarray(seconds)


def _fused_flops(columns: KernelColumns, known: Efficiencies) -> Array:
    """Vector operations of norms and functions within fused kernels, on 128 lanes a multiprocessor."""
    elements = np.maximum(columns.output_elements, columns.input_elements)
    per_element = columns.transcendentals / np.maximum(elements, 1.0)
    norms = columns.batch_norms
    both = np.minimum(1.0, norms) * np.minimum(1.0, per_element)
    moved = np.where(columns.is_kind(_K.COPY), known["vector_moved"], 1.0)
    instructions = known["vector_norm"] * norms + known["vector_function"] * per_element
    instructions = instructions + known["vector_both"] * both * moved
    return np.asarray(2.0 * elements * instructions)


def _own_norms(device: Device, known: Efficiencies) -> bool:
    """Whether batch norms are PyTorch's own kernels, and not of a library."""
    return device.bf16 and known["norm_step"] > 0


def _broadcast_elements(columns: KernelColumns, *, norms: bool) -> Array:
    """Elements of kernels that look up an operand by the element's place: its channel or row."""
    single = columns.operators == 1
    written = columns.output_elements
    more = columns.input_elements + columns.weight_elements - written
    few = columns.is_kind(_K.ELEMENTWISE) & (more > 0) & (more < _FEW * written)
    found = single & (few | columns.is_kind(_K.BATCH_NORM) if norms else few)
    return np.where(found, written, 0.0)


def _across(columns: KernelColumns) -> Array:
    """Elements that a copy reads across their order in memory."""
    return np.where(columns.is_kind(_K.COPY), columns.turned_elements, 0.0)


def _attention_s(columns: KernelColumns, device: Device, known: Efficiencies) -> Array:
    queries, keys = 64.0 * np.ceil(columns.m / 64.0), 64.0 * np.ceil(columns.n / 64.0)
    depth = 4.0 * 32.0 * np.ceil(columns.k / 32.0) + known["attention_depth"]
    flops = queries * (keys + known["attention_keys"]) * columns.groups * depth
    masked = np.where(columns.masked > 0, known["attention_mask"], 1.0)
    rate = device.matrix_flops_per_s * known["clock"] * known["attention"]
    seconds = flops * masked / rate
    if device.element_bytes >= _WIDE_BYTES:  # no flash attention: a kernel of its own
        rate = device.vector_flops_per_s * known["attention_wide"]
        seconds = np.maximum(seconds, queries * keys * columns.groups * (4.0 * columns.k / rate))
    return np.asarray(seconds * gpu_products.causal(columns))


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
    fixed = columns.fixed_read_bytes + columns.fixed_write_bytes
    moved = moved + (columns.weight_elements * size + fixed)
    bytes_per_s = device.bytes_per_s * known["bandwidth"]
    seconds = moved * (traffic_factor(columns, known) / bytes_per_s)
    if gpu_rows.any_norms(columns, known):
        again = gpu_rows.read_again_bytes(columns, device.multiprocessors, cache, known)
        waits = gpu_rows.waiting_s(columns, device.multiprocessors, known)
        seconds = seconds + (again / bytes_per_s + waits)
    if gpu_recurrent.stepping(columns, known):
        seconds = seconds + gpu_recurrent.weights_again_s(columns, cache, bytes_per_s)
    if _own_norms(device, known):
        walking = gpu_bf16.walking_s(columns, device.multiprocessors, cache, known)
        seconds = np.maximum(seconds, walking)
    return np.asarray(seconds)


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
    others = ~gpu_products.few_channels(columns)
    for name, kinds in _TRAFFIC.items():
        mask = columns.is_kind(*kinds)
        if mask.any():
            factor = np.where(mask & others, known[name], factor)
    norms = columns.is_kind(_K.GROUP_NORM)
    copied = norms & (columns.computed_weights == 0)
    return np.where(copied, factor * known["group_norm_layout"], factor)


def beside_s(columns: KernelColumns, device: Device, known: Efficiencies) -> Array:
    """Seconds of copies into another layout and back, and of the gaps between kernels."""
    gap: Array = _row(known["launch"])
    if known["start"]:
        started = [k for k in _STARTED if k is not _K.BATCH_NORM or not _own_norms(device, known)]
        gap = gap + np.where(columns.is_kind(*started), known["start"], 0.0)
    passes = _layout(columns, known)
    if passes.any():
        moved = (columns.input_elements + columns.output_elements) * device.element_bytes * passes
        gap = gap * np.where(passes > 0, 1.0 + known["layout_kernels"], 1.0)
        gap = gap + moved / (device.bytes_per_s * known["bandwidth"])
    if known["sliced"]:
        gap = gap + gpu_products.slices_s(columns, device, known)
    if gpu_recurrent.stepping(columns, known):
        gap = gap + gpu_recurrent.starts_s(columns, known)
    return np.asarray(gap)


def _layout(columns: KernelColumns, known: Efficiencies) -> Array:
    """Extra passes over input and output where a convolution has to change the layout."""
    dense = columns.is_kind(_K.CONVOLUTION, _K.GROUPED_CONVOLUTION, _K.TRANSPOSED_CONVOLUTION)
    pointwise = columns.is_kind(_K.POINTWISE_CONVOLUTION)
    passes = np.where(dense, 2.0 * known["layout_dense"], 0.0)
    passes = np.where(pointwise, 2.0 * known["layout_pointwise"], passes)
    beside = (dense | pointwise) & (columns.beside_grouped > 0)
    return passes + np.where(beside, known["layout_grouped"], 0.0)

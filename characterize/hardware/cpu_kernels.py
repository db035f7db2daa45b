"""Seconds of the kernels that PyTorch launches on a processor: calls, loops, laid-out weights.

What is modelled was read in the code that TorchInductor 2.4 generates and in PyTorch's dispatch of
convolutions (docs/method.md has the equations); how much of each there is, is fitted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from characterize.columns import Array, KernelColumns
from characterize.hardware.residency import Cache
from characterize.hardware.roofline import smooth_maximum
from characterize.records import KernelKind

_K = KernelKind
_DENSE: Final = (_K.CONVOLUTION, _K.POINTWISE_CONVOLUTION)
CONVOLUTIONS: Final = (
    *_DENSE, _K.GROUPED_CONVOLUTION, _K.DEPTHWISE_CONVOLUTION, _K.TRANSPOSED_CONVOLUTION,
)  # fmt: skip
PRODUCTS: Final = (_K.LINEAR, _K.MATMUL, _K.ATTENTION, _K.RECURRENT)

CHUNK: Final = 4096.0
"""Elements of a loop that a thread gets at least: ``cpp.min_chunk_size`` of TorchInductor."""

THREADS: Final = 14.0
"""Threads of the processor that was measured: weights of fewer chunks are copied by one thread."""

SMALL_INPUT: Final = 20480.0
"""Elements of one image up to which PyTorch's own convolution is called, not oneDNN's."""

PIECE: Final = 1024.0
"""Results of a product that a thread gets at least."""

Efficiencies = Mapping[str, float]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Device:
    """What a kernel's time depends on, for one precision."""

    flops_per_s: float  # of products, all cores
    vector_flops_per_s: float
    core_flops_per_s: float  # of one large core's registers
    bytes_per_s: float
    cache_bytes: float
    lanes: float  # fp32 elements of a register
    element_bytes: float
    cores: float  # in large cores
    cycles_per_s: float  # of a large core


def kernel_times(
    columns: KernelColumns, device: Device, known: Efficiencies
) -> tuple[Array, Array, Array]:
    """Seconds of arithmetic, of traffic, and altogether, of each launched kernel, ``[K, N]``."""
    small = small_convolution(columns)
    compute = compute_s(columns, device, known, small)
    activations = activation_s(columns, device, known)
    weights = weight_s(columns, device, known, small)
    compute, activations = np.broadcast_arrays(compute, activations)
    seconds = compute + activations
    called = np.flatnonzero(columns.is_kind(*CONVOLUTIONS, *PRODUCTS))
    if len(called):
        parts = compute[called], activations[called]
        seconds[called] = smooth_maximum(*parts, known["overlap"])
    seconds = seconds + (weights + call_s(columns, known, small))
    return compute, activations + weights, seconds


def small_convolution(columns: KernelColumns) -> Mask:
    """Whether PyTorch calls its own convolution: one image of few elements, no groups, 3x3 at most."""
    dense = columns.is_kind(*_DENSE) & (columns.kernel_extent <= 3) & (columns.images <= 1)
    if not dense.any():
        return np.asarray(dense)
    return np.asarray(dense & (columns.input_elements <= SMALL_INPUT))


def call_s(columns: KernelColumns, known: Efficiencies, small: Mask) -> Array:
    """Fixed time: of the call, and of starting and joining the threads of a loop."""
    convolutions, products = columns.is_kind(*CONVOLUTIONS), columns.is_kind(*PRODUCTS)
    call = np.where(convolutions, known["call_convolution"], known["call_product"])
    if small.any():
        call = np.where(small, known["call_small"], call)
    loops = np.flatnonzero(~(convolutions | products))
    if not len(loops):
        return np.asarray(call)
    started = np.clip(
        (loop_elements(columns.rows(loops)) / CHUNK - 1.0) / (THREADS - 1.0), 0.0, 1.0
    )
    loop = known["call_loop"] + known["fork"] * started
    return _put(call, loops, loop, len(columns.kind))


def _put(array: Array, rows: NDArray[np.int64], own: Array, kernels: int) -> Array:
    """The array with rows of its own for some kernels."""
    if len(rows) == kernels:
        return np.asarray(own)
    result = np.empty((kernels, *np.broadcast_shapes(array.shape[1:], own.shape[1:])))
    result[:] = array
    result[rows] = own
    return result


def loop_elements(columns: KernelColumns) -> Array:
    """Elements that a loop goes over; of one that prepares weights, those."""
    moved = np.maximum(columns.input_elements, columns.output_elements)
    return np.asarray(np.maximum(moved, columns.weight_elements * columns.derived))


def threads(elements: Array, cores: float) -> Array:
    """Threads of a loop over so many elements: as many as get a chunk each."""
    return np.asarray(np.clip(elements / CHUNK, 1.0, cores))


def compute_s(columns: KernelColumns, device: Device, known: Efficiencies, small: Mask) -> Array:
    """Seconds of arithmetic; where threads get too little each, some are idle."""
    kernels = len(columns.kind)
    works = np.broadcast_to(columns.macs > 0, (kernels, *columns.macs.shape[1:]))
    anywhere = works.reshape(kernels, -1).any(axis=1)
    rows, loops = np.flatnonzero(anywhere), np.flatnonzero(~anywhere)
    if not len(rows):
        return _at_peak(columns, device, loop_s(columns, device, known))
    some = columns.rows(rows) if len(loops) else columns
    seconds = _arithmetic_s(some, device, known, small[rows] if len(small) > 1 else small)
    if not works[rows].all():
        seconds = np.where(works[rows], seconds, loop_s(some, device, known))
    seconds = _at_peak(some, device, seconds)
    if not len(loops):
        return seconds
    rest = columns.rows(loops)
    looped = _at_peak(rest, device, loop_s(rest, device, known))
    result = np.empty((kernels, *np.broadcast_shapes(seconds.shape[1:], looped.shape[1:])))
    result[rows], result[loops] = seconds, looped
    return result


def _at_peak(columns: KernelColumns, device: Device, seconds: Array) -> Array:
    """No kernel is faster than its operations at peak."""
    floor = columns.worked_macs * (2.0 / device.flops_per_s)
    return np.maximum(seconds, floor + columns.vector_flops / device.vector_flops_per_s)


def _arithmetic_s(
    columns: KernelColumns, device: Device, known: Efficiencies, small: Mask
) -> Array:
    """Seconds of convolutions and products."""
    depthwise = columns.is_kind(_K.DEPTHWISE_CONVOLUTION)
    attention = columns.is_kind(_K.ATTENTION)
    share: Array = np.full((1, 1), known["linear"])
    for kind, name in _SHARES.items():
        mask = columns.is_kind(kind)
        if mask.any():
            share = np.where(mask & ~small, known[name], share)
    sized = columns.m > 0
    flops = _product_flops(columns, device, known)
    if not sized.all():
        flops = np.where(sized, flops, 2.0 * columns.macs)
    if attention.any():
        spread = 1.0 + known["attention_depth"] / np.maximum(columns.k, 1.0)
        flops = np.where(attention, 2.0 * columns.macs * spread, flops)
    if depthwise.any():
        taps = 1.0 + known["depthwise_taps"] / np.maximum(columns.kernel_area, 1.0)
        flops = np.where(depthwise, 2.0 * columns.macs * taps, flops)
    if columns.worked_macs is not columns.macs:  # the share of blocks that a causal mask leaves
        flops = flops * (columns.worked_macs / np.maximum(columns.macs, 1.0))
    pieces = np.maximum(columns.n, 1.0) * np.maximum(columns.groups, 1.0) / PIECE
    some = device.core_flops_per_s * np.maximum(columns.m * pieces, 1.0)
    rate = np.minimum(device.flops_per_s, some)
    if not sized.all():
        rate = np.where(sized, rate, device.flops_per_s)
    return np.asarray(flops / (rate * (known["clock"] * share)))


_SHARES: Final = {
    _K.CONVOLUTION: "convolution",
    _K.TRANSPOSED_CONVOLUTION: "convolution",
    _K.POINTWISE_CONVOLUTION: "pointwise",
    _K.GROUPED_CONVOLUTION: "grouped",
    _K.DEPTHWISE_CONVOLUTION: "depthwise",
    _K.ATTENTION: "attention",
}


def _product_flops(columns: KernelColumns, device: Device, known: Efficiencies) -> Array:
    """Operations with padding, as many as the registers do."""
    columns_padded = device.lanes * np.ceil(columns.n / device.lanes)
    linear = columns.is_kind(_K.LINEAR, _K.RECURRENT)
    depth = columns.k + known["prologue"] * linear
    aliased = linear & (columns.n * device.element_bytes % 4096 == 0)
    wide = 2.0 * columns_padded * depth * columns.groups
    return np.asarray(columns.m * (wide * np.where(aliased, known["aliased"], 1.0)))


def loop_s(columns: KernelColumns, device: Device, known: Efficiencies) -> Array:
    """Seconds of a loop's arithmetic: vectors of operations and functions, single elements."""
    elements = loop_elements(columns)
    shared = threads(elements, device.cores)
    limited = shared
    if columns.chunks.any():
        limited = np.where(columns.chunks > 0, np.minimum(shared, columns.chunks), shared)
    vectors = columns.vector_flops * known["element_cycles"]
    vectors = (vectors + columns.transcendentals * known["function_cycles"]) / device.lanes
    single = (columns.rearranging > 0) | (columns.derived > 0)
    narrow = (columns.run > 0) & (columns.run < device.lanes)
    cycles = vectors / limited
    if single.any() or narrow.any():
        apart = single / shared + known["narrow_groups"] * narrow / limited
        cycles = cycles + elements * (known["single_cycles"] * apart)
    return np.asarray(cycles / (device.cycles_per_s * known["clock"]))


def activation_s(columns: KernelColumns, device: Device, known: Efficiencies) -> Array:
    """Seconds of the traffic of activations."""
    size = device.element_bytes
    moved = Cache.of(size, device.cache_bytes, known).activations(columns)
    moved = moved + (columns.fixed_read_bytes + columns.fixed_write_bytes)
    calls = columns.is_kind(*CONVOLUTIONS, *PRODUCTS)
    bytes_per_s = device.bytes_per_s * known["bandwidth"]
    seconds = moved * (np.where(calls, 1.0, known["memory_loop"]) / bytes_per_s)
    if columns.plain.any():
        both = columns.input_elements + columns.output_elements
        turned = columns.plain * both * size / np.maximum(columns.images, 1.0)
        seconds = seconds + turned * (known["plain_layout"] / bytes_per_s)
    return np.asarray(seconds)


def weight_s(columns: KernelColumns, device: Device, known: Efficiencies, small: Mask) -> Array:
    """Seconds of reading weights and of bringing them into the layout that a kernel wants."""
    size, own = device.element_bytes, columns.weight_elements
    calls = columns.is_kind(*CONVOLUTIONS, *PRODUCTS)
    factor: Array = np.ones((1, 1))
    for name, kinds in _WEIGHTS.items():
        factor = np.where(columns.is_kind(*kinds) & ~small, known[name], factor)
    spilled = own**2 / (own**2 + max(device.cache_bytes / size, 1.0) ** 2)
    packed = calls & ((columns.m > 1) | columns.is_kind(*CONVOLUTIONS))  # one row packs nothing
    factor = factor + known["packing"] * spilled * packed
    seconds = own * size * factor / (device.bytes_per_s * known["bandwidth"])
    copied = columns.n * columns.k * columns.groups * (columns.kernel_area > 1)
    copied = copied * columns.is_kind(*CONVOLUTIONS)
    shared = np.where(copied < THREADS * CHUNK, 1.0, threads(copied, device.cores))
    cycles = copied * known["weight_cycles"] / shared
    return np.asarray(seconds + cycles / (device.cycles_per_s * known["clock"]))


_WEIGHTS: Final = {
    "weights_convolution": (_K.CONVOLUTION, _K.GROUPED_CONVOLUTION, _K.TRANSPOSED_CONVOLUTION),
    "weights_pointwise": (_K.POINTWISE_CONVOLUTION,),
}

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
    calls = columns.is_kind(*CONVOLUTIONS, *PRODUCTS)
    seconds = np.where(
        calls, smooth_maximum(compute, activations, known["overlap"]), compute + activations
    )
    seconds = seconds + weights + call_s(columns, known, small)
    return compute, activations + weights, seconds


def small_convolution(columns: KernelColumns) -> Mask:
    """Whether PyTorch calls its own convolution: one image of few elements, no groups, 3x3 at most."""
    dense = columns.is_kind(*_DENSE) & (columns.kernel_extent <= 3)
    return np.asarray(dense & (columns.images <= 1) & (columns.input_elements <= SMALL_INPUT))


def call_s(columns: KernelColumns, known: Efficiencies, small: Mask) -> Array:
    """Fixed time: of the call, and of starting and joining the threads of a loop."""
    started = np.clip((loop_elements(columns) / CHUNK - 1.0) / (THREADS - 1.0), 0.0, 1.0)
    loop = known["call_loop"] + known["fork"] * started
    call = np.where(columns.is_kind(*CONVOLUTIONS), known["call_convolution"], loop)
    call = np.where(columns.is_kind(*PRODUCTS), known["call_product"], call)
    return np.asarray(np.where(small, known["call_small"], call))


def loop_elements(columns: KernelColumns) -> Array:
    """Elements that a loop goes over; of one that prepares weights, those."""
    moved = np.maximum(columns.input_elements, columns.output_elements)
    return np.asarray(np.maximum(moved, columns.weight_elements * columns.derived))


def threads(elements: Array, cores: float) -> Array:
    """Threads of a loop over so many elements: as many as get a chunk each."""
    return np.asarray(np.clip(elements / CHUNK, 1.0, cores))


def compute_s(columns: KernelColumns, device: Device, known: Efficiencies, small: Mask) -> Array:
    """Seconds of arithmetic; where threads get too little each, some are idle."""
    depthwise = columns.is_kind(_K.DEPTHWISE_CONVOLUTION)
    attention = columns.is_kind(_K.ATTENTION)
    share: Array = np.full((1, 1), known["linear"])
    for kind, name in _SHARES.items():
        share = np.where(columns.is_kind(kind) & ~small, known[name], share)
    causal = columns.worked_macs / np.maximum(columns.macs, 1.0)
    flops = np.where(columns.m > 0, _product_flops(columns, device, known), 2.0 * columns.macs)
    spread = 1.0 + known["attention_depth"] / np.maximum(columns.k, 1.0)
    flops = np.where(attention, 2.0 * columns.macs * spread, flops)
    taps = 1.0 + known["depthwise_taps"] / np.maximum(columns.kernel_area, 1.0)
    flops = np.where(depthwise, 2.0 * columns.macs * taps, flops)
    pieces = columns.m * np.maximum(columns.n, 1.0) * np.maximum(columns.groups, 1.0) / PIECE
    some = device.core_flops_per_s * np.maximum(pieces, 1.0)
    rate = np.where(columns.m > 0, np.minimum(device.flops_per_s, some), device.flops_per_s)
    seconds = flops * causal / (rate * known["clock"] * share)
    seconds = np.where(columns.macs > 0, seconds, loop_s(columns, device, known))
    floor = 2.0 * columns.worked_macs / device.flops_per_s
    return np.maximum(seconds, floor + columns.vector_flops / device.vector_flops_per_s)


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
    flops = 2.0 * columns.m * columns_padded * depth * columns.groups
    return np.asarray(flops * np.where(aliased, known["aliased"], 1.0))


def loop_s(columns: KernelColumns, device: Device, known: Efficiencies) -> Array:
    """Seconds of a loop's arithmetic: vectors of operations and functions, single elements."""
    elements = loop_elements(columns)
    shared = threads(elements, device.cores)
    limited = np.where(columns.chunks > 0, np.minimum(shared, columns.chunks), shared)
    vectors = columns.vector_flops * known["element_cycles"]
    vectors = (vectors + columns.transcendentals * known["function_cycles"]) / device.lanes
    single = (columns.rearranging > 0) | (columns.derived > 0)
    narrow = (columns.run > 0) & (columns.run < device.lanes)
    apart = known["single_cycles"] * (single / shared + known["narrow_groups"] * narrow / limited)
    cycles = vectors / limited + elements * apart
    return np.asarray(cycles / (device.cycles_per_s * known["clock"]))


def activation_s(columns: KernelColumns, device: Device, known: Efficiencies) -> Array:
    """Seconds of the traffic of activations."""
    size = device.element_bytes
    moved = Cache.of(size, device.cache_bytes, known).activations(columns)
    moved = moved + columns.fixed_read_bytes + columns.fixed_write_bytes
    calls = columns.is_kind(*CONVOLUTIONS, *PRODUCTS)
    moved = moved * np.where(calls, 1.0, known["memory_loop"])
    both = columns.input_elements + columns.output_elements
    turned = columns.plain * both * size / np.maximum(columns.images, 1.0)
    moved = moved + turned * known["plain_layout"]
    return np.asarray(moved / (device.bytes_per_s * known["bandwidth"]))


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

"""A roofline with typical efficiencies: what a datasheet alone can support.

For every kernel

    matrix_s  = 2 x worked macs / (matrix peak x compute efficiency)
    vector_s  = vector work     / (vector peak x vector efficiency)
    compute_s = matrix_s + vector_s
    memory_s  = bytes from memory / (bandwidth x memory efficiency) + bytes on chip / (same there)
    latency_s = (compute_s^4 + memory_s^4)^(1/4) + overhead_s

Depthwise convolutions, elementwise work, norms, softmax and pooling run on the vector units.
Activations that fit on chip together are served from there where its bandwidth is known; weights
come from memory. A device without memory keeps its weights on chip as far as they fit, and
streams the rest over the link to its host at every inference.

Not modelled: tile and wave quantisation, padding, occupancy, layout changes, clocks under load.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from characterize.columns import Array, KernelColumns, KernelEstimate
from characterize.hardware.execution import execution_model
from characterize.hardware.record import Profile
from characterize.records import KernelKind, Precision, Stack

SHARES: Final = ("compute", "memory", "vector", "on_chip")
OVERLAP: Final = 4.0  # sharpness of the maximum: equal times of compute and memory cost 19 % more
_TINY: Final = float(np.finfo(np.float64).tiny)
TRANSCENDENTAL_FLOPS: Final = 8.0  # one exp or tanh in vector operations; 8 to 10 fitted on a 4090


@execution_model("roofline", alone=lambda profile: not profile.on_chip_only)
def roofline(
    columns: KernelColumns, profile: Profile, precision: Precision, stack: Stack
) -> KernelEstimate:
    """Roofline with efficiencies, on-chip residency and a fixed overhead a kernel."""
    known = profile.efficiency(stack)
    shares = {name: min(1.0, known[name]) for name in SHARES}
    matrix_flops, vector_flops = work(columns)
    compute_s = matrix_flops / (profile.peak(precision) * shares["compute"])
    compute_s = compute_s + vector_flops / (profile.vector_peak(precision) * shares["vector"])
    moved = traffic(columns, profile, precision)
    memory_s = _memory_s(moved, profile, shares)
    overhead_s = np.full_like(memory_s, profile.kernel_overhead_s(stack))
    return KernelEstimate(
        latency_s=smooth_maximum(compute_s, memory_s) + overhead_s,
        compute_s=np.broadcast_to(compute_s, memory_s.shape),
        memory_s=memory_s,
        overhead_s=overhead_s,
        tiles=tiles(columns, profile, precision),
        compute_energy_j=np.broadcast_to(
            matrix_flops * profile.j_per_flop(precision)
            + vector_flops * profile.vector_j_per_flop(precision),
            memory_s.shape,
        ),
        memory_energy_j=moved.off_chip * profile.memory_j_per_byte
        + moved.on_chip * profile.on_chip_j_per_byte,
    )


def work(columns: KernelColumns) -> tuple[Array, Array]:
    """Operations on the matrix units and on the vector units, ``[K, N]``."""
    return columns.once("work", lambda: _work(columns))


def _work(columns: KernelColumns) -> tuple[Array, Array]:
    depthwise = columns.is_kind(KernelKind.DEPTHWISE_CONVOLUTION)
    products, vector = 2.0 * columns.worked_macs, columns.vector_flops
    if columns.transcendentals.any():
        vector = vector + (TRANSCENDENTAL_FLOPS - 1.0) * columns.transcendentals
    if not depthwise.any():
        return products, vector
    return np.where(depthwise, 0.0, products), vector + np.where(depthwise, products, 0.0)


@dataclass(frozen=True)
class Traffic:
    """Bytes that a kernel moves, ``[K, N]``, by where they come from and go to."""

    off_chip: Array
    on_chip: Array


def traffic(columns: KernelColumns, profile: Profile, precision: Precision) -> Traffic:
    """Where the bytes of every kernel are: in memory, or left on chip by the kernel before."""
    shape = columns_shape(columns)
    size = precision.bytes
    every = np.broadcast_to(columns.memory_bytes(precision), shape)
    if not profile.on_chip_only and profile.on_chip_bytes_per_s is None:
        return Traffic(every, np.zeros((1, 1)))
    weights = columns.weight_elements * size
    activations = every - weights
    capacity = profile.number("on_chip.resident_bytes", profile.on_chip_capacity_bytes)
    on_chip = activations * (activations <= capacity)  # a product: no branch an element
    off_chip = activations - on_chip
    if not profile.on_chip_only:
        return Traffic(off_chip + weights, on_chip)
    total = np.sum(weights * columns.count, axis=0, keepdims=True)
    spilled = np.maximum(0.0, 1.0 - capacity / np.maximum(total, 1.0))
    return Traffic(off_chip + weights * spilled, on_chip + weights * (1.0 - spilled))


def _memory_s(moved: Traffic, profile: Profile, shares: dict[str, float]) -> Array:
    off_chip_bytes_per_s = profile.memory_bytes_per_s * shares["memory"]
    on_chip = profile.on_chip_bytes_per_s
    on_chip_bytes_per_s = np.inf if on_chip is None else on_chip * shares["on_chip"]
    on_chip_bytes_per_s = max(on_chip_bytes_per_s, off_chip_bytes_per_s)
    seconds: Array = moved.off_chip / off_chip_bytes_per_s + moved.on_chip / on_chip_bytes_per_s
    return seconds


def tiles(columns: KernelColumns, profile: Profile, precision: Precision) -> Array:
    """Pieces of on-chip size that a kernel is cut into, at least one."""
    moved = columns.memory_bytes(precision) / profile.on_chip_capacity_bytes
    return np.broadcast_to(np.maximum(1.0, np.ceil(moved, out=moved)), columns_shape(columns))


def smooth_maximum(first: Array, second: Array, sharpness: Array | float = OVERLAP) -> Array:
    """``(a^p + b^p)^(1/p)``: at least the larger, at most their sum, without overflow."""
    high, ratio = np.maximum(first, second), np.asarray(np.minimum(first, second))
    np.divide(ratio, np.maximum(high, _TINY), out=ratio)  # 0 where both are 0
    np.log(np.maximum(ratio, _TINY, out=ratio), out=ratio)  # in place: memory is most of the cost
    ratio *= sharpness
    np.log1p(np.exp(ratio, out=ratio), out=ratio)
    ratio /= sharpness
    np.exp(ratio, out=ratio)
    ratio *= high
    return ratio


def columns_shape(columns: KernelColumns) -> tuple[int, ...]:
    """``(K, N)`` of a set of columns, some of which do not vary over configurations."""
    return np.broadcast_shapes(
        columns.macs.shape,
        columns.vector_flops.shape,
        columns.input_elements.shape,
        columns.weight_elements.shape,
        columns.output_elements.shape,
        columns.fixed_read_bytes.shape,
    )

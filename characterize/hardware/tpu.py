"""Tensor processing units: weight-stationary systolic arrays beside a vector unit.

A matrix product ``[m, k] @ [k, n]`` loads its weights into the array in pieces of ``rows x columns``
and streams ``m`` activations through each, plus ``rows`` clocks until the piece is full. A convolution
is one such product a kernel position ("tap"), because its input channels lie in the lanes of memory;
with fewer than 8 input channels (the stem of a CNN) the compiler packs the taps into the lanes instead.

    pieces    = ceil(c / rows) x taps x ceil(n / columns) x groups      c input channels a group
    matrix_s  = 2 x macs x pieces x rows x columns x (m + rows) / (m n k groups) / (peak x compute)
    vector_s  = vector work, depthwise convolutions among it, / (vector peak x vector)
    compute_s = the larger: one instruction feeds both units
    memory_s  = bytes from memory / (bandwidth x memory) + bytes on chip / (same there)
    latency_s = max(compute_s, memory_s) + overhead_s

A device without memory (Coral) keeps up to ``resident_bytes`` of weights; what exceeds them crosses
its link at every inference, as does the network's input. Nothing of that overlaps: compute_s + memory_s.

Not modelled: arrays of one chip that work on different kernels, the host that feeds the chip,
collectives between chips, sparse cores.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from characterize.columns import Array, KernelColumns, KernelEstimate, positive
from characterize.hardware.execution import execution_model
from characterize.hardware.record import Profile
from characterize.hardware.roofline import SHARES, Traffic, columns_shape, traffic, work
from characterize.hardware.roofline import tiles as pieces_of_chip
from characterize.records import KernelKind, Precision, Stack

ARRAY: Final = 128  # rows and columns where a profile states none: every TPU from v2 to v5p
PACKED_CHANNELS: Final = 8  # sublanes of a vector register: fewer input channels are packed


@execution_model("systolic_array", alone=lambda profile: not profile.on_chip_only)
def systolic_array(
    columns: KernelColumns, profile: Profile, precision: Precision, stack: Stack
) -> KernelEstimate:
    """Padded pieces of weights through systolic arrays; everything else on the vector unit."""
    known = profile.efficiency(stack)
    shares = {name: min(1.0, known[name]) for name in SHARES}
    shape = columns_shape(columns)
    peak, vector_peak = profile.peak(precision), profile.vector_peak(precision)
    products, vector = work(columns)
    loads, padding = pieces(columns, profile)
    matrix_s = products * padding / (peak * shares["compute"])
    vector_s = vector / (vector_peak * shares["vector"])
    compute_s = np.maximum(np.maximum(matrix_s, vector_s), (products + vector) / peak)
    compute_s = np.broadcast_to(compute_s, shape)
    moved = _moved(columns, profile, precision)
    memory_s = _memory_s(moved, profile, shares)
    overhead_s = np.full(shape, profile.kernel_overhead_s(stack))
    busy_s = compute_s + memory_s if profile.on_chip_only else np.maximum(compute_s, memory_s)
    compute_j = products * profile.j_per_flop(precision) + vector * profile.vector_j_per_flop(
        precision
    )
    return KernelEstimate(
        latency_s=busy_s + overhead_s,
        compute_s=compute_s,
        memory_s=memory_s,
        overhead_s=overhead_s,
        tiles=np.maximum(
            np.broadcast_to(loads, shape), pieces_of_chip(columns, profile, precision)
        ),
        compute_energy_j=np.broadcast_to(compute_j, shape),
        memory_energy_j=moved.off_chip * profile.memory_j_per_byte
        + moved.on_chip * profile.on_chip_j_per_byte,
    )


def channels_and_taps(columns: KernelColumns) -> tuple[Array, Array]:
    """Input channels a group as they lie in the lanes, and products that a kernel is made of."""
    area = np.maximum(columns.kernel_area, 1.0)
    channels = columns.k / area
    packed = channels < PACKED_CHANNELS
    return np.where(packed, columns.k, channels), np.where(packed, 1.0, area)


def pieces(columns: KernelColumns, profile: Profile) -> tuple[Array, Array]:
    """Pieces of weights that are loaded, and what padding and filling multiply the work by."""
    units = profile.units
    rows, wide = units.get("array_rows", ARRAY), units.get("array_columns", ARRAY)
    channels, taps = channels_and_taps(columns)
    loads = np.ceil(channels / rows) * taps * np.ceil(columns.n / wide) * columns.groups
    weights = columns.n * columns.k * columns.groups
    depthwise = columns.is_kind(KernelKind.DEPTHWISE_CONVOLUTION)  # on the vector unit
    if positive(columns.m, weights) and not depthwise.any():
        return loads, loads * rows * wide / weights * ((columns.m + rows) / columns.m)
    product = (columns.m * weights > 0) & ~depthwise
    one_piece = np.where(weights > 0, weights, 1.0)
    one_row = np.where(columns.m > 0, columns.m, 1.0)
    padding = loads * rows * wide / one_piece * ((columns.m + rows) / one_row)
    return np.where(product, loads, 1.0), np.where(product, padding, 1.0)


def _moved(columns: KernelColumns, profile: Profile, precision: Precision) -> Traffic:
    """Bytes by place. Without memory the network's input crosses the link, spread over kernels."""
    moved = traffic(columns, profile, precision)
    if not profile.on_chip_only:
        return moved
    entering = np.max(columns.entering_elements, axis=0, keepdims=True) * precision.bytes
    return Traffic(moved.off_chip + entering / columns.count.sum(), moved.on_chip)


def _memory_s(moved: Traffic, profile: Profile, shares: dict[str, float]) -> Array:
    off_chip_bytes_per_s = profile.memory_bytes_per_s * shares["memory"]
    on_chip = profile.on_chip_bytes_per_s
    on_chip_bytes_per_s = np.inf if on_chip is None else on_chip * shares["on_chip"]
    on_chip_bytes_per_s = max(on_chip_bytes_per_s, off_chip_bytes_per_s)
    seconds: Array = moved.off_chip / off_chip_bytes_per_s + moved.on_chip / on_chip_bytes_per_s
    return seconds

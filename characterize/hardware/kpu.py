"""Knowledge processing units and their dataflow relatives: a program laid out over a fabric.

*Domain flow* (a profile with ``fill_cycles``: Stillwater). Tiles of ``rows x columns`` elements hold
outputs; operands stream through and ``k`` is reduced in place. The output blocks of a kernel are dealt
to the tiles that have the precision; a tile pays fill and drain once a chain, not once a block:

    chain    = ceil(groups x ceil(m / rows) x ceil(n / columns) / tiles)        blocks in sequence
    cycles   = chain x k + fill + drain          utilisation = N S / (N S + F + D), S = k, N = chain
    matrix_s = 2 x rows x columns x tiles x cycles / (peak x compute)

*Channel groups* (``array_rows`` without fill: K230, Hailo-8). Input channels a tap and output channels
are padded to the group: matrix_s = 2 x macs x padding / (peak x compute).

Depthwise convolutions and vector work run at the vector peak beside the array. Where reading a part of
a larger value (a chunk, a split) is a copy by the host, elements / ``slices_per_s`` are added. Memory
moved by DMA overlaps with compute.

*Layers laid out in space* (a device without memory: Hailo-8). Work adds up, activations pass at
``activation_bytes_per_s``, weights stay where they are used. A network of too many layers and weights,

    layers / layers_resident + weight bytes / weights_resident_bytes >= 1

is cut into contexts: once a batch all weights cross the link, and every layer costs ``layer_switch_s``.
The time is that of a steady stream of frames; the first one takes longer by the depth of the pipeline.

There is no instruction fetch: energy is operations and bytes. Not modelled: the network on chip,
allocation of the fabric to layers (networks of a few layers are slower than projected).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from characterize.columns import Array, KernelColumns, KernelEstimate, positive
from characterize.hardware.execution import execution_model
from characterize.hardware.record import Profile
from characterize.hardware.roofline import SHARES, Traffic, columns_shape, traffic, work
from characterize.hardware.roofline import tiles as pieces_of_chip
from characterize.records import KernelKind, Precision, Stack

_K = KernelKind
LAYERS = (
    _K.CONVOLUTION, _K.POINTWISE_CONVOLUTION, _K.GROUPED_CONVOLUTION, _K.DEPTHWISE_CONVOLUTION,
    _K.TRANSPOSED_CONVOLUTION, _K.LINEAR, _K.MATMUL, _K.ATTENTION, _K.RECURRENT,
)  # fmt: skip
"""Kinds that take a place of their own on a fabric."""


def _alone(profile: Profile) -> bool:
    tables = [profile.section("efficiency"), *(table.values for table in profile.fitted.values())]
    return not profile.on_chip_only and not any("layers_resident" in table for table in tables)


@execution_model("domain_flow", alone=_alone)
def domain_flow(
    columns: KernelColumns, profile: Profile, precision: Precision, stack: Stack
) -> KernelEstimate:
    """Kernels as domain-flow programs on a tile fabric, or as layers laid out in space."""
    known = efficiencies(profile, stack)
    shares = {name: min(1.0, known[name]) for name in SHARES}
    shape = columns_shape(columns)
    products, vector = work(columns)
    mapping = lay_out(columns, profile, precision)
    matrix_s = mapping.worked_flops(products) / (profile.peak(precision) * shares["compute"])
    vector_s = vector / (profile.vector_peak(precision) * shares["vector"])
    floor_s = (products + vector) / profile.peak(precision)
    compute_s = np.maximum(np.maximum(matrix_s, vector_s), floor_s)
    if "slices_per_s" in known:
        compute_s = compute_s + columns.sliced_elements / known["slices_per_s"]
    compute_s = np.broadcast_to(compute_s, shape)
    moved = _moved(columns, profile, precision, known)
    memory_s = _memory_s(moved, profile, known)
    overhead_s = np.broadcast_to(
        profile.kernel_overhead_s(stack) + _switch_s(columns, precision, known), shape
    )
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
            np.broadcast_to(mapping.blocks, shape), pieces_of_chip(columns, profile, precision)
        ),
        compute_energy_j=np.broadcast_to(compute_j, shape),
        memory_energy_j=moved.off_chip * profile.memory_j_per_byte
        + moved.on_chip * profile.on_chip_j_per_byte,
    )


def efficiencies(profile: Profile, stack: Stack) -> Mapping[str, float]:
    """A compiler lays out every network, whatever called it: the engine's fit stands for all stacks."""
    own = profile.efficiency(stack)
    return own if f"efficiency.{stack}" in profile.fitted else profile.efficiency(Stack.ENGINE)


# The array


@dataclass(frozen=True)
class Layout:
    """How kernels lie on the fabric, ``[K, N]``."""

    blocks: Array  # pieces that a kernel is cut into
    padding: Array  # operations of all elements over those that are needed
    fixed_flops: Array  # operations that the fabric could do while it fills and drains

    def worked_flops(self, products: Array) -> Array:
        """Operations in whose time the fabric is busy."""
        flops: Array = products * self.padding + self.fixed_flops
        return flops


def lay_out(columns: KernelColumns, profile: Profile, precision: Precision) -> Layout:
    """How kernels lie on a fabric of tiles, on channel groups, or unpadded where nobody says how."""
    units = profile.units
    depthwise = columns.is_kind(_K.DEPTHWISE_CONVOLUTION)
    wide_groups = columns.n * columns.groups
    whole = positive(columns.m, wide_groups, columns.k) and not depthwise.any()
    real = columns.m * wide_groups
    product = np.ones((1, 1), dtype=bool) if whole else (columns.k * real > 0) & ~depthwise
    one, none = np.ones((1, 1)), np.zeros((1, 1))
    rows, wide = units.get("array_rows", 1.0), units.get("array_columns", 1.0)
    if "fill_cycles" in units:
        tiles = tiles_of(profile, precision)
        blocks = np.ceil(columns.m / rows) * (np.ceil(columns.n / wide) * columns.groups)
        chain = np.ceil(blocks / tiles)
        fabric = rows * wide * tiles
        padding = chain * fabric / (real if whole else np.where(product, real, 1.0))
        ends = units["fill_cycles"] + units.get("drain_cycles", 0.0)
        if whole:
            return Layout(blocks, padding, np.full((1, 1), 2.0 * fabric * ends))
        return Layout(
            np.where(product, blocks, 1.0),
            np.where(product, padding, 1.0),
            np.where(product, 2.0 * fabric * ends, 0.0),
        )
    if "tiles" in units:  # a layout that is not published
        return Layout(one, one, none)
    channels = columns.width
    padded = np.ceil(channels / rows) * rows * np.ceil(columns.n / wide) * wide
    needed = channels * columns.n
    padding = np.where(product, padded / np.where(product, needed, 1.0), 1.0)
    return Layout(one, padding, none)


def tiles_of(profile: Profile, precision: Precision) -> float:
    """Tiles that have the precision: all of a kind do int8 and 16 bits, only bf16 tiles do fp32."""
    units = profile.units
    every = units.get("tiles", 1.0)
    return units.get("tiles_bf16", every) if precision.bytes > Precision.BF16.bytes else every


# Memory


def _moved(
    columns: KernelColumns, profile: Profile, precision: Precision, known: Mapping[str, float]
) -> Traffic:
    """Bytes by place. On a fabric with contexts, weights cross the link or do not move at all."""
    if "layers_resident" not in known:
        return traffic(columns, profile, precision)
    shape = columns_shape(columns)
    weights = np.broadcast_to(columns.weight_elements * precision.bytes, shape)
    activations = np.broadcast_to(columns.memory_bytes(precision), shape) - weights
    return Traffic(weights * _several_contexts(columns, precision, known), activations)


def _switch_s(columns: KernelColumns, precision: Precision, known: Mapping[str, float]) -> Array:
    """Seconds to set up each layer anew, where the network does not fit at once."""
    if "layers_resident" not in known:
        return np.zeros((1, 1))
    switched = _several_contexts(columns, precision, known) * columns.is_kind(*LAYERS)
    return np.asarray(known["layer_switch_s"] * switched)


def _several_contexts(
    columns: KernelColumns, precision: Precision, known: Mapping[str, float]
) -> Array:
    """1 where a network is cut into contexts, ``[1, N]``."""
    layers = np.sum(columns.is_kind(*LAYERS) * columns.count, axis=0, keepdims=True)
    held = np.sum(columns.weight_elements * columns.count, axis=0, keepdims=True)
    held = held * precision.bytes
    full = layers / known["layers_resident"] + held / known["weights_resident_bytes"]
    return np.asarray(full >= 1.0, dtype=np.float64)


def _memory_s(moved: Traffic, profile: Profile, known: Mapping[str, float]) -> Array:
    off_chip_bytes_per_s = profile.memory_bytes_per_s * min(1.0, known["memory"])
    on_chip = profile.on_chip_bytes_per_s
    on_chip_bytes_per_s = np.inf if on_chip is None else on_chip * min(1.0, known["on_chip"])
    on_chip_bytes_per_s = known.get("activation_bytes_per_s", on_chip_bytes_per_s)
    if not profile.on_chip_only:
        on_chip_bytes_per_s = max(on_chip_bytes_per_s, off_chip_bytes_per_s)
    seconds: Array = moved.off_chip / off_chip_bytes_per_s + moved.on_chip / on_chip_bytes_per_s
    return seconds

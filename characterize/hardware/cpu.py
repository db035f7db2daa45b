"""Processors: SIMD products, weights that are laid out anew, caches shared by all cores, calls.

The kernels that PyTorch launches (`lowering`) are timed one by one:

    product    2 (m + m0) L ceil(n / L) (k + k0) groups / (peak e clock), L the lanes of a register;
               slower where a row is a multiple of 4 KiB, as its elements share cache sets
    attention  flops (1 + s / d) / (peak e);  depthwise  2 outputs (taps + t) / (peak e)
    other      (operations x c + f x transcendentals) / peak
    memory     sum of bytes (1 - hit (1 - 1/gain)) / (bandwidth e), hit = 1 / (1 + (d / cache)^2),
               where d are the bytes moved since the value was last touched; of weights, all weights
    kernel     (compute^p + memory^p)^(1/p) + call + page faults of tensors over 32 MB

Libraries lay out plain weights anew at every call, which is what the factors on weights are. The
number of cores enters through the peak. No kernel is faster than its operations at peak.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from characterize.columns import Array, KernelColumns, KernelEstimate
from characterize.hardware import catalogue, parameters
from characterize.hardware.execution import execution_model
from characterize.hardware.record import Profile
from characterize.hardware.residency import Cache
from characterize.hardware.roofline import smooth_maximum, tiles, traffic, work
from characterize.records import KernelKind, Precision, Stack

DONOR: Final = "intel_i9_10940x"
_K = KernelKind
_CONVOLUTIONS: Final = (
    _K.CONVOLUTION, _K.POINTWISE_CONVOLUTION, _K.GROUPED_CONVOLUTION, _K.DEPTHWISE_CONVOLUTION,
    _K.TRANSPOSED_CONVOLUTION,
)  # fmt: skip
_PRODUCTS: Final = (_K.LINEAR, _K.MATMUL, _K.ATTENTION, _K.RECURRENT)

Efficiencies = Mapping[str, float]


@dataclass(frozen=True)
class Device:
    """What a kernel's time depends on, taken from a profile for one precision."""

    flops_per_s: float
    vector_flops_per_s: float
    bytes_per_s: float
    cache_bytes: float
    lanes: float
    element_bytes: float

    @classmethod
    def of(cls, profile: Profile, precision: Precision) -> Device:
        """The device in a precision; without a stated width, a register has 256 bits."""
        last = profile.number("on_chip.l3_bytes", profile.on_chip_capacity_bytes)
        cache = (last if np.isfinite(last) else 0.0) + profile.number("on_chip.l2_bytes", 0.0)
        return cls(
            flops_per_s=profile.peak(precision),
            vector_flops_per_s=profile.vector_peak(precision),
            bytes_per_s=profile.memory_bytes_per_s,
            cache_bytes=cache,
            lanes=profile.units.get("simd_bits", 256.0) / 32.0,
            element_bytes=precision.bytes,
        )


@execution_model("simd_cores")
def simd_cores(
    columns: KernelColumns, profile: Profile, precision: Precision, stack: Stack
) -> KernelEstimate:
    """SIMD products with weights laid out at every call, shared caches, fixed time a call."""
    known = efficiencies(profile, stack)
    launched, shares = columns.launched(autocast=False, split_bias=False)
    weights = (launched.weight_elements * launched.count).sum(axis=0, keepdims=True)
    parts = kernel_times(launched, Device.of(profile, precision), known, weights)
    flat = [launched.flat(part) for part in parts]
    compute, memory, latency = flat if shares is None else (shares @ part for part in flat)
    matrix_flops, vector_flops = work(columns)
    moved = traffic(columns, profile, precision)
    energy = matrix_flops * profile.j_per_flop(precision)
    energy = energy + vector_flops * profile.vector_j_per_flop(precision)
    return KernelEstimate(
        latency_s=latency,
        compute_s=compute,
        memory_s=memory,
        overhead_s=latency - np.maximum(compute, memory),
        tiles=tiles(columns, profile, precision),
        compute_energy_j=energy,
        memory_energy_j=moved.off_chip * profile.memory_j_per_byte
        + moved.on_chip * profile.on_chip_j_per_byte,
    )


def efficiencies(profile: Profile, stack: Stack | str) -> dict[str, float]:
    """The numbers of :data:`parameters.CPU` for a device and stack.

    Fitted ones if the profile has them, else those of the processor that most measurements are of,
    with its clock taken as the peak's; what the profile itself states wins over what is borrowed.
    """
    values = {name: parameter.start for name, parameter in parameters.CPU.items()}
    fitted = profile.fitted.get(f"efficiency.{stack}")
    if fitted is not None and fitted.values.keys() & parameters.CPU.keys():
        return values | dict(fitted.values)
    donor = catalogue.load(DONOR).fitted.get(f"efficiency.{Stack.COMPILED}")
    values |= donor.values if donor else {}
    values["clock"] = min(1.0, values["clock"])
    calls = ("call_convolution", "call_product", "call_loop")
    if profile.stated.get(f"overhead.kernel_s.{stack}") is not None:
        values |= dict.fromkeys(calls, profile.kernel_overhead_s(Stack(stack)))
    elif stack == Stack.ENGINE:
        values |= {
            name: min(values[name], profile.kernel_overhead_s(Stack.ENGINE)) for name in calls
        }
    if profile.stated.get("efficiency.memory") is not None:
        values["bandwidth"] = profile.number("efficiency.memory")
    if profile.stated.get("efficiency.compute") is not None:
        most = profile.number("efficiency.compute")
        values |= {name: min(values[name], most) for name in parameters.SIMD_SHARES}
    return values


def kernel_times(
    columns: KernelColumns, device: Device, known: Efficiencies, weights: Array
) -> tuple[Array, ...]:
    """Seconds of arithmetic, of traffic, and altogether, of each launched kernel.

    ``weights`` are the elements of all weights of the network, ``[1, N]``.
    """
    compute = compute_s(columns, device, known)
    memory = memory_s(columns, device, known, weights)
    compute, memory = np.broadcast_arrays(compute, memory)
    call = np.where(columns.is_kind(*_CONVOLUTIONS), known["call_convolution"], known["call_loop"])
    call = np.where(columns.is_kind(*_PRODUCTS), known["call_product"], call)
    written = columns.output_elements * device.element_bytes
    faults = np.where(written > parameters.LARGE_TENSOR_BYTES, written * known["first_touch"], 0.0)
    return compute, memory, smooth_maximum(compute, memory, known["overlap"]) + call + faults


def compute_s(columns: KernelColumns, device: Device, known: Efficiencies) -> Array:
    """Seconds of arithmetic."""
    rate = device.flops_per_s * known["clock"]
    loop = columns.vector_flops * known["element_flops"]
    loop = loop + columns.transcendentals * known["function_flops"]
    seconds = loop / device.vector_flops_per_s
    depthwise = columns.is_kind(_K.DEPTHWISE_CONVOLUTION)
    attention = columns.is_kind(_K.ATTENTION)
    share: Array = np.full((1, 1), known["linear"])
    for kind, name in _SHARES.items():
        share = np.where(columns.is_kind(kind), known[name], share)
    causal = columns.worked_macs / np.maximum(columns.macs, 1.0)
    flops = np.where(columns.m > 0, _product_flops(columns, device, known), 2.0 * columns.macs)
    flops = np.where(attention, _attention_flops(columns, known), flops)
    flops = np.where(depthwise, _depthwise_flops(columns, device, known), flops)
    seconds = np.where(columns.macs > 0, flops * causal / (rate * share), seconds)
    floor = (2.0 * columns.worked_macs + columns.vector_flops) / device.flops_per_s
    return np.maximum(seconds, floor)


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
    depth = columns.k + known["prologue"]
    flops = 2.0 * (columns.m + known["few_rows"]) * columns_padded * depth * columns.groups
    product = columns.is_kind(_K.LINEAR, _K.MATMUL)
    rows = [size * device.element_bytes for size in (columns.k, columns.n)]
    full = product & ((rows[0] % 4096 == 0) | (rows[1] % 4096 == 0))
    part = product & ((rows[0] % 1024 == 0) | (rows[1] % 1024 == 0))
    factor = np.where(part, known["half_aliased"], 1.0)
    return np.asarray(flops * np.where(full, known["aliased"], factor))


def _attention_flops(columns: KernelColumns, known: Efficiencies) -> Array:
    rows = np.maximum(columns.m, 1.0)
    spread = 1.0 + known["attention_depth"] / np.maximum(columns.k, 1.0)
    edges = (1.0 + known["few_rows"] / rows) * (
        1.0 + known["few_rows"] / np.maximum(columns.n, 1.0)
    )
    return np.asarray(2.0 * columns.macs * spread * edges)


def _depthwise_flops(columns: KernelColumns, device: Device, known: Efficiencies) -> Array:
    taps = np.maximum(columns.kernel_area, 1.0)
    odd = np.where(columns.groups % device.lanes != 0, known["odd_depthwise"], 1.0)
    return np.asarray(2.0 * columns.macs * (1.0 + known["depthwise_taps"] / taps) * odd)


def memory_s(columns: KernelColumns, device: Device, known: Efficiencies, weights: Array) -> Array:
    """Seconds of traffic of activations and weights."""
    size = device.element_bytes
    cache = Cache.of(size, device.cache_bytes, known)
    moved = cache.activations(columns)
    moved = moved + columns.fixed_read_bytes + columns.fixed_write_bytes
    factor: Array = np.ones((1, 1))
    for name, kinds in _TRAFFIC.items():
        factor = np.where(columns.is_kind(*kinds), known[name], factor)
    own = columns.weight_elements
    laid_out: Array = np.ones((1, 1))
    for name, kinds in _WEIGHTS.items():
        laid_out = np.where(columns.is_kind(*kinds), known[name], laid_out)
    spilled = known["packing"] * own**2 / (own**2 + max(device.cache_bytes / size, 1.0) ** 2)
    moved = moved * factor + cache.left(own, weights) * laid_out + own * size * spilled
    return np.asarray(moved / (device.bytes_per_s * known["bandwidth"]))


_TRAFFIC: Final = {
    "memory_layer_norm": (_K.LAYER_NORM,),
    "memory_group_norm": (_K.GROUP_NORM,),
    "memory_copy": (_K.COPY, _K.GATHER),
    "memory_pooling": (_K.POOLING, _K.INTERPOLATION),
}
_WEIGHTS: Final = {
    "weights_convolution": (_K.CONVOLUTION, _K.GROUPED_CONVOLUTION, _K.TRANSPOSED_CONVOLUTION),
    "weights_pointwise": (_K.POINTWISE_CONVOLUTION,),
    "weights_linear": (_K.LINEAR, _K.RECURRENT),
}

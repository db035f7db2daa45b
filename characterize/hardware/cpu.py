"""Processors: SIMD products, weights that are laid out anew, loops on some threads, calls.

The kernels that PyTorch launches (`lowering`) are timed one by one (`cpu_kernels`). A processor
enters by its peak, cores, clock, register width, caches, bandwidth and power limit; what share of
those is reached, and the fixed times, were fitted to one processor and are borrowed by the others.

    cores      large ones, or all of them at the pace of the small ones where that is more: a loop
               is cut into equal pieces, and its end waits for the slowest
    clock      that of the peak x (power limit / base power)^(1/3), at most the boost clock
"""

from __future__ import annotations

from typing import Final

import numpy as np

from characterize.columns import Array, KernelColumns, KernelEstimate
from characterize.hardware import catalogue, parameters
from characterize.hardware.cpu_kernels import Device, kernel_times
from characterize.hardware.execution import execution_model
from characterize.hardware.record import Profile
from characterize.hardware.roofline import tiles, traffic, work
from characterize.records import Launching, Precision, Stack

DONOR: Final = "intel_i9_10940x"

POWER_EXPONENT: Final = 1.0 / 3.0
"""Clock over power: the voltage follows the clock, and power is clock x voltage squared."""

SUSTAINED: Final = 1.15
"""Clock held over the base clock at the base power, as on a Core i9-10940X (3.8 of 3.3 GHz)."""

CALLS: Final = ("call_convolution", "call_small", "call_product", "call_loop")
TYPICAL_CLOCK_HZ: Final = 3e9  # of a processor that states no clock


def device(profile: Profile, precision: Precision) -> Device:
    """What the kernels' times depend on; without a stated width, a register has 256 bits."""
    units = profile.units
    lanes = units.get("simd_bits", 256.0) / 32.0
    last = profile.number("on_chip.l3_bytes", profile.on_chip_capacity_bytes)
    cache = (last if np.isfinite(last) else 0.0) + profile.number("on_chip.l2_bytes", 0.0)
    cycle_flops = units.get("flops_per_clock", 4.0 * lanes)
    clock = clock_hz(profile)
    power = power_factor(profile, clock)
    together, used = cores(profile)
    if together is None:
        together = used = max(1.0, _wide_flops_per_s(profile) / (cycle_flops * clock))
    part = power * used / together
    return Device(
        flops_per_s=profile.peak(precision) * part,
        vector_flops_per_s=profile.vector_peak(precision) * part,
        core_flops_per_s=cycle_flops * clock * power * Precision.FP32.bytes / precision.bytes,
        bytes_per_s=profile.memory_bytes_per_s,
        cache_bytes=cache,
        lanes=lanes,
        element_bytes=precision.bytes,
        cores=used,
        cycles_per_s=clock * power,
    )


def _wide_flops_per_s(profile: Profile) -> float:
    """The fp32 peak; of a profile that states none, what its widest format comes to."""
    wide = Precision.FP32 if Precision.FP32 in profile.precisions else profile.precisions[0]
    return profile.vector_peak(wide) * wide.bytes / Precision.FP32.bytes


def clock_hz(profile: Profile) -> float:
    """The clock of a (large) core for which the peak is stated."""
    names = ("clock_peak_hz", "clock_base_hz", "clock_boost_hz")
    return next((profile.units[name] for name in names if name in profile.units), TYPICAL_CLOCK_HZ)


def cores(profile: Profile) -> tuple[float | None, float]:
    """Cores in large ones, and how many of them do work at a time; None where nobody says.

    Work is cut into equal pieces: with small cores among them, all wait for those.
    """
    units = profile.units
    large = units.get("performance_cores", units.get("cores"))
    if large is None:
        return None, 1.0
    small = units.get("efficiency_cores", 0.0) if "performance_cores" in units else 0.0
    pace = units.get("efficiency_flops_per_clock", 0.0) / units.get("flops_per_clock", 1.0)
    slower = (
        units[f"efficiency_{name}"] / units[name]
        for name in ("clock_base_hz", "clock_boost_hz")
        if name in units and f"efficiency_{name}" in units
    )
    pace = min(1.0, pace) * next(slower, 0.0)
    return large + small * pace, max(large, (large + small) * pace)


def power_factor(profile: Profile, clock: float) -> float:
    """The clock under the power limit over the clock that the peak is stated for.

    1 at the base power, for which vendors guarantee the base clock; at most the boost clock.
    """
    limit, base = profile.tdp_w, profile.number("power.base_w")
    if limit is None or not np.isfinite(base):
        return 1.0
    highest = profile.number("units.clock_boost_hz", np.inf)
    return float(min((limit / base) ** POWER_EXPONENT, max(1.0, highest / clock)))


def sustained_clock(profile: Profile) -> float:
    """The clock that is held over that of the peak: more than a base clock, at most the boost."""
    base, clock = profile.number("units.clock_base_hz"), clock_hz(profile)
    if not np.isfinite(base):
        return 1.0
    highest = profile.number("units.clock_boost_hz", np.inf) / clock
    return float(max(1.0, min(SUSTAINED * base / clock, highest)))


@execution_model("simd_cores")
def simd_cores(
    columns: KernelColumns, profile: Profile, precision: Precision, stack: Stack
) -> KernelEstimate:
    """SIMD products with weights laid out at every call, loops on some threads, fixed times."""
    launched, shares = columns.launched(Launching())
    belonging = None if shares is None else shares.tobytes()
    key = ("simd_cores", profile, profile.title, precision, stack, belonging)
    return launched.once(
        key, lambda: _estimate(columns, launched, shares, profile, precision, stack)
    )


def _estimate(
    columns: KernelColumns,
    launched: KernelColumns,
    shares: Array | None,
    profile: Profile,
    precision: Precision,
    stack: Stack,
) -> KernelEstimate:
    known = efficiencies(profile, stack)
    parts = kernel_times(launched, device(profile, precision), known)
    flat = [launched.flat(part) for part in parts]
    compute, memory, latency = flat if shares is None else (shares @ part for part in flat)
    matrix_flops, vector_flops = work(columns)
    moved = traffic(columns, profile, precision)
    energy = matrix_flops * profile.j_per_flop(precision)
    energy = energy + vector_flops * profile.vector_j_per_flop(precision)
    estimate = KernelEstimate(
        latency_s=latency,
        compute_s=compute,
        memory_s=memory,
        overhead_s=np.maximum(0.0, latency - np.maximum(compute, memory)),
        tiles=tiles(columns, profile, precision),
        compute_energy_j=energy,
        memory_energy_j=moved.off_chip * profile.memory_j_per_byte
        + moved.on_chip * profile.on_chip_j_per_byte,
    )
    return estimate.flat(columns)


def efficiencies(profile: Profile, stack: Stack | str) -> dict[str, float]:
    """The numbers of :data:`parameters.CPU` for a device and stack.

    Fitted ones if the profile has them, else those of the processor that most measurements are of;
    what the profile itself states wins over what is borrowed.
    """
    return dict(profile.once(("efficiencies", stack), lambda: _efficiencies(profile, stack)))


def _efficiencies(profile: Profile, stack: Stack | str) -> dict[str, float]:
    values = {name: parameter.start for name, parameter in parameters.CPU.items()}
    fitted = profile.fitted.get(f"efficiency.{stack}")
    if fitted is not None and fitted.values.keys() & parameters.CPU.keys():
        return values | dict(fitted.values)
    return _borrowed(values, profile, stack)


def _borrowed(values: dict[str, float], profile: Profile, stack: Stack | str) -> dict[str, float]:
    donor = catalogue.load(DONOR)
    table = donor.fitted.get(f"efficiency.{Stack.COMPILED}")
    values = values | (dict(table.values) if table else {})
    values["clock"] = sustained_clock(profile)
    if profile.stated.get(f"overhead.kernel_s.{stack}") is not None:
        values |= dict.fromkeys(CALLS, profile.kernel_overhead_s(Stack(stack)))
    elif stack == Stack.ENGINE:
        most = profile.kernel_overhead_s(Stack.ENGINE)
        values |= {name: min(values[name], most) for name in CALLS}
    return values | parameters.stated(profile, values, parameters.SIMD_SHARES)

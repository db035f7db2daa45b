"""Graphics processors: tiles in waves over multiprocessors, traffic through a last-level cache.

The kernels that PyTorch launches (`lowering`) are timed one by one:

    product    2 tm tn SM w(tiles / SM) (1 + t (tm + tn) / (tm tn)) (8 ceil(k / 8) + k0)
               / (peak e clock), the least over tiles tm x tn;  w(n) = ceil(n) below 4, n + 1/2 above
    attention  64 ceil(m / 64) (64 ceil(n / 64) + n0) groups (4 * 32 ceil(d / 32) + d0) / (peak e)
    depthwise  (flops + c bytes written) / (vector peak e)
    memory     sum of bytes (1 - hit (1 - 1/gain)) / (bandwidth e), hit = 1 / (1 + (d / cache)^2)
               where d are the bytes moved since the value was last touched
    kernel     (compute^p + memory^p)^(1/p) + launch
    step       ((sum of kernels)^4 + (calls x dispatch)^4)^(1/4), calls of the host (`host`); a share of them
               may be ahead of the first kernel, and then comes before all

A power limit lowers the clock of the arithmetic (`clocks`).

Every efficiency is a share of the profile's figures, at most 1, except for the clock: cards run
above the clock that their peak is stated for. No kernel is faster than its operations at peak.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from characterize.columns import Array, KernelColumns, KernelEstimate, positive, weighted
from characterize.hardware import clocks, gpu_engine, host
from characterize.hardware.execution import execution_model
from characterize.hardware.gpu_kernels import (
    Device,
    Efficiencies,
    Parts,
    Times,
    clocked,
    joined,
    kernel_parts,
)
from characterize.hardware.gpu_known import (
    compilers_known,
    efficiencies,
    in_a_library,
    measured_engine,
    no_faster_than_engines,
    operators_known,
    replayed,
)
from characterize.hardware.gpu_products import Waves
from characterize.hardware.record import Profile
from characterize.hardware.roofline import traffic, work
from characterize.records import KernelKind, Launching, Precision, Stack

_SQUARES: Final = 2


@execution_model("simt_waves")
def simt_waves(
    columns: KernelColumns, profile: Profile, precision: Precision, stack: Stack
) -> KernelEstimate:
    """Tile and wave quantisation, cache residency, launches, sustained clock, what autocast adds."""
    autocast = precision is Precision.FP16  # whoever runs in bf16 converts the weights, once
    energy, budget = energies(columns, profile, precision), clocks.Budget.of(profile)
    shape = energy.bytes_j.shape
    run = _run(columns, profile, precision, stack, energy)
    if stack is Stack.ENGINE and operators_known(profile):
        library = _run(
            columns, profile, in_a_library(profile, precision), stack, energy, from_library=True
        )
        run = run.faster(library)
    clock, busy = run.clock, run.kernel_s
    compute, memory, latency = run.compute_s, run.memory_s, busy + run.waits_s
    wide = [p for p in (Precision.TF32, Precision.FP32) if p in profile.peak_flops_per_s]
    if run.lowered and autocast and wide and not columns.cast:
        less = _without_autocast(columns, profile, wide[0], stack, run.step_s)
        if less.min(initial=1.0) < 1.0:
            latency, busy = latency * less, busy * less
            compute, memory = np.minimum(compute, latency), np.minimum(memory, latency)
    active_j = budget.busy_w(clock) * busy
    estimate = KernelEstimate(
        latency_s=np.broadcast_to(latency, shape),
        compute_s=np.broadcast_to(compute, shape),
        memory_s=np.broadcast_to(memory, shape),
        overhead_s=np.broadcast_to(latency - np.maximum(compute, memory), shape),
        tiles=columns.once("thread blocks", lambda: columns.flat(tile_counts(columns))),
        compute_energy_j=np.broadcast_to(
            energy.operations_j * budget.energy_share(clock) + active_j, shape
        ),
        memory_energy_j=np.broadcast_to(energy.bytes_j, shape),
    )
    if stack is Stack.ENGINE:
        return gpu_engine.held_to_limit(estimate, columns.repeats, profile)
    return estimate


@dataclass(frozen=True)
class _Run:
    """How long the launched kernels of each fused one take, ``[K, N]``, and at which clock."""

    lowered: bool  # whether anybody knows what is launched
    compute_s: Array
    memory_s: Array
    kernel_s: Array
    clock: Array  # [N], or [1] where all sustain the same
    busy_s: Array  # [N] of all kernels
    factor: Array  # [N] how much longer the step takes than they do
    calls: Array  # [K, 1] share of the host's work that one occurrence of each fused kernel is

    @property
    def step_s(self) -> Array:
        """Seconds of a step, ``[N]``."""
        return self.busy_s * self.factor

    @property
    def waits_s(self) -> Array:
        """How long the device waits for the host, ``[K, N]``: by kernel, as the host works for each."""
        return self.calls * (self.step_s - self.busy_s)

    def faster(self, other: _Run) -> _Run:
        """Of two ways to run the same network the faster one, for each configuration."""
        ours = self.step_s <= other.step_s
        names = ("compute_s", "memory_s", "kernel_s", "clock", "busy_s", "factor")
        found = {each: np.where(ours, getattr(self, each), getattr(other, each)) for each in names}
        return replace(self, **found)


def _run(
    columns: KernelColumns,
    profile: Profile,
    precision: Precision,
    stack: Stack,
    energy: Energies,
    *,
    from_library: bool = False,
) -> _Run:
    """One step; ``from_library`` are a library's kernels in an engine, instead of its own."""
    known = replayed(profile) if from_library else efficiencies(profile, stack)
    budget = clocks.Budget.of(profile)
    launched, shares = launched_for(columns, precision, known)
    count, repeats, sent = launched.repeats, columns.repeats, host.sent(launched, stack)
    belonging = None if shares is None else shares.tobytes()
    full = launched.once(
        ("simt_waves", profile, profile.title, precision, stack, belonging, from_library),
        lambda: _at_full_clock(columns, launched, shares, profile, precision, stack, known),
    )
    if stack is Stack.ENGINE and not (from_library or compilers_known(profile)):
        budget = replace(budget, limit_w=np.inf)  # it is in the kernels' times, or in their clock
    busy = weighted(repeats, full.kernel_s)
    factor = _factor(sent, busy, known)
    load = clocks.Load(
        weighted(repeats, energy.operations_j),
        weighted(repeats, energy.bytes_j),
        lambda clock, which: step_seconds(count, sent, full.launched_s, clock, which, known),
        (busy * factor, busy),
    )
    clock = clocks.sustained(load, budget, energy.bytes_j.shape[1])
    compute, memory, kernel = full.compute_s, full.memory_s, full.kernel_s
    calls = folded(host.calls(launched, stack), shares) / sent.sum(axis=0)
    slower = np.flatnonzero(clock < 1.0)
    if not len(slower):
        return _Run(shares is not None, compute, memory, kernel, np.ones(1), busy, factor, calls)
    times = clocked(_some(full.launched_s, slower), clock[slower])
    compute, kernel = compute.copy(), kernel.copy()
    compute[:, slower] = folded(times.compute_s, shares)
    kernel[:, slower] = folded(times.kernel_s, shares)
    busy = weighted(repeats, kernel)
    factor = _factor(sent, busy, known)
    return _Run(shares is not None, compute, memory, kernel, clock, busy, factor, calls)


def launched_for(
    columns: KernelColumns, precision: Precision, known: Efficiencies
) -> tuple[KernelColumns, Array | None]:
    """The kernels that PyTorch launches on a GPU, and how many of each a fused one stands for."""
    how = Launching(
        autocast=precision is Precision.FP16,
        split_bias=True,
        wide_norms=known["wide_norms"] > 0,
        own_norms=precision is Precision.BF16,
    )
    return columns.launched(how)


@dataclass(frozen=True)
class _Full:
    """Times at the highest clock: of each fused kernel, ``[K, N]``, and of what is launched."""

    parts: Parts
    launched: KernelColumns
    compute_s: Array
    memory_s: Array
    kernel_s: Array

    @cached_property
    def launched_s(self) -> Times:
        """Times of launched kernels, ``[L, N]``: asked for where the clock has to fall."""
        return Times.joined(self.parts).flat(self.launched)


def _at_full_clock(
    columns: KernelColumns,
    launched: KernelColumns,
    shares: Array | None,
    profile: Profile,
    precision: Precision,
    stack: Stack,
    known: Efficiencies,
) -> _Full:
    device, limit_w = Device.of(profile, precision), gpu_engine.budget_w(profile)
    if stack is Stack.ENGINE:
        times = gpu_engine.kernel_times(launched, device, known, limit_w)
        if operators_known(profile):  # of which no recurrent ones
            own = measured_engine(launched, profile, precision, stack)
            times = gpu_engine.no_faster(times, own, launched.is_kind(KernelKind.RECURRENT))
        if compilers_known(profile):
            library = gpu_engine.kernel_times(launched, device, replayed(profile), limit_w)
            times = gpu_engine.faster(times, library)
        parts = [(np.arange(len(launched.kind)), times)]
    else:
        waves: Waves = columns.once("waves", dict)
        parts = kernel_parts(launched, device, known, waves)
        parts = [
            (rows, no_faster_than_engines(times, part, profile, precision, stack))
            for (rows, times), (_, part) in zip(parts, launched.by_extent(), strict=True)
        ]
    compute, memory, kernel = (
        columns.flat(_of_fused([(rows, getattr(times, name)) for rows, times in parts], shares))
        for name in ("compute_s", "memory_s", "kernel_s")
    )
    return _Full(parts, launched, compute, memory, kernel)


def _of_fused(parts: Sequence[tuple[NDArray[np.int64], Array]], shares: Array | None) -> Array:
    """A quantity of each fused kernel: the sum over what is launched for it."""
    if shares is None:
        return joined(parts)
    total: Array | None = None
    for rows, part in parts[::-1]:  # the longest first
        own = shares[:, rows] @ part.reshape(len(part), -1)
        own = own.reshape(len(own), *part.shape[1:])
        total = own if total is None else total + own
    return np.zeros((len(shares), 1)) if total is None else total


def _some(times: Times, which: NDArray[np.int64]) -> Times:
    """The times of some configurations."""
    parts = (getattr(times, each.name) for each in fields(times))
    return Times(*(part[:, which] if part.shape[1] > 1 else part for part in parts))


@dataclass(frozen=True)
class Energies:
    """Joules of each fused kernel at the highest clock, ``[K, N]``."""

    operations_j: Array
    bytes_j: Array


def energies(columns: KernelColumns, profile: Profile, precision: Precision) -> Energies:
    """Energy of a kernel's operations and of the bytes that it must move."""
    return columns.once(
        ("energies", profile, precision), lambda: _energies(columns, profile, precision)
    )


def _energies(columns: KernelColumns, profile: Profile, precision: Precision) -> Energies:
    matrix_flops, vector_flops = work(columns)
    moved = traffic(columns, profile, precision)
    operations = matrix_flops * profile.j_per_flop(precision)
    operations = operations + vector_flops * profile.vector_j_per_flop(precision)
    bytes_j = moved.off_chip * profile.memory_j_per_byte
    bytes_j = bytes_j + moved.on_chip * profile.on_chip_j_per_byte
    return Energies(columns.flat(operations), columns.flat(bytes_j))


def step_seconds(
    count: Array,
    sent: Array,
    full: Times,
    clock: Array,
    which: NDArray[np.int64],
    known: Efficiencies,
) -> tuple[Array, Array]:
    """Seconds of a step, and of its kernels, at a clock, for some of the configurations."""
    busy = weighted(count, clocked(_some(full, which), clock).kernel_s)
    if sent.shape[1] > 1:
        sent = sent[:, which]
    return busy * _factor(sent, busy, known), busy


def _without_autocast(
    columns: KernelColumns, profile: Profile, wide: Precision, stack: Stack, step_s: Array
) -> Array:
    """At most 1: casting weights at every step can cost more than it saves, then nobody casts.

    ``wide`` is the fastest format that reads fp32 weights as they are.
    """
    other = _run(columns, profile, wide, stack, energies(columns, profile, wide)).step_s
    step_s, other = np.broadcast_arrays(step_s, other)
    if positive(step_s):
        return np.minimum(1.0, other / step_s)
    ratio = np.divide(other, step_s, out=np.ones_like(step_s), where=step_s > 0)
    return np.minimum(1.0, ratio)


def folded(part: Array, shares: Array | None) -> Array:
    """A quantity of launched kernels, summed over those that a fused kernel stands for."""
    return part if shares is None else np.asarray(shares @ part)


def _factor(sent: Array, device_s: Array, known: Efficiencies) -> Array:
    return step_factor(sent.sum(axis=0) * known["dispatch"], device_s, known["ahead"])


def step_factor(host_s: Array, device_s: Array, ahead: float = 0.0) -> Array:
    """How much longer a step takes than its kernels, as the host has to send each one.

    Args:
        host_s: what the host takes to send them all, ``[N]``.
        device_s: what the device takes to run them all, ``[N]``.
        ahead: share of the host's work that it does before it sends the first.
    """
    if positive(device_s):
        whole = host_s / device_s
    else:
        host_s, device_s = np.broadcast_arrays(host_s, device_s)
        whole = np.divide(host_s, device_s, out=np.zeros_like(device_s), where=device_s > 0)
    ratio = whole * (1.0 - ahead)
    # to the power of 4, and its root: no logarithm
    for _ in range(_SQUARES):
        np.square(ratio, out=ratio)
    ratio += 1.0
    for _ in range(_SQUARES):
        np.sqrt(ratio, out=ratio)
    return np.asarray(ratio + whole * ahead if ahead else ratio)


def tile_counts(columns: KernelColumns) -> Array:
    """Thread blocks: 128 x 128 of a product, 4096 elements of anything else."""
    products = np.ceil(columns.m / 128.0) * (np.ceil(columns.n / 128.0) * columns.groups)
    if positive(columns.m):
        return np.asarray(np.maximum(1.0, products))
    tiles = np.ceil(columns.output_elements / 4096.0)
    return np.asarray(np.maximum(1.0, np.where(columns.m > 0, products, tiles)))

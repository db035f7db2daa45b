"""Inference compilers on GPUs (TensorRT): what an engine's kernels reach, and at which clock.

An engine casts, folds and fuses when it is built, picks a kernel for every layer, and replays them
without a host in between. Its kernels are timed like any others (`gpu_kernels`), with shares of
its own and without the detours of eager kernels: no copies, no missing library paths. Its products
come near the peak, so that the power limit sets their clock, kernel by kernel:

    clock = min(1, (0.85 x power limit / (J x bytes x multiply-accumulates / compute_s))^x)

``J`` is what a multiply-accumulate of a byte draws from the card at the full clock, all in; one of
two bytes draws twice as much at half the rate. With a voltage that follows the clock, x is 1/3;
with a fixed one, 1. This is why an A2, with 1.7 W a Top/s, reaches 0.7 of its peak and a T4 or an
A100 PCIe, with 0.5 and 0.4, only 0.4.

:data:`TYPICAL` is fitted on offline rows of MLPerf Inference (closed, v1.0 to v2.0) of A100, A30,
A10, A2 and T4 together, and taken for every GPU without an ``[efficiency.engine]`` table. Errors
with an accelerator left out are in docs/validation-servers.md.

No engine is slower than a compiler (`gpu`). Where compilers were measured (GeForce, Hopper), a
builder times the libraries' kernels beside its own, kernel by kernel, and the card's own power law
(`clocks`) sets the clock of all stacks. Where engines were, products of PyTorch are no faster than an
engine's. On A100s engines were, and single operators of PyTorch: the faster way to run the network.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from characterize.columns import Array, KernelColumns, KernelEstimate
from characterize.hardware import gpu_kernels, parameters
from characterize.hardware.gpu_kernels import Device, Times
from characterize.hardware.record import Profile
from characterize.records import Stack

TYPICAL: Final[Mapping[str, float]] = MappingProxyType(
    {
        "convolution": 1.0,
        "linear": 0.855,
        "recurrent": 0.971,
        "depthwise": 0.356,
        "overlap": 1.9,
        "shortest": 6.7e-6,
        "mac_j": 2.31e-12,
        "older_process": 1.51,
    }
)
"""Shares of the peak at the full clock, sharpness of the maximum of compute, memory and the shortest
time of a product (fitted on single-stream rows), joules a one-byte multiply-accumulate on a 7 nm chip,
and how much more on one of an older process."""

POWER_EXPONENT: Final = 0.4
"""Clock over power: between 1/3 (the voltage follows the clock) and 1 (it is fixed)."""

OLDER_NM: Final = 8
"""A10 and A2 (8 nm) and T4 (12 nm) draw more a product than A100 and A30 (7 nm)."""

POWER_SHARE: Final = 0.85
"""Of the limit, what is left beside idle power (assumptions: 0.15 on A100 and H200)."""

_NEUTRAL: Final[Mapping[str, float]] = MappingProxyType(
    {name: 1.0 for name, p in parameters.GPU.items() if p.sentence.startswith("factor on")}
    | {
        "clock": 1.0,
        "bandwidth": 0.95,
        "tile": 8.0,
        "prologue": 16.0,
        "attention_keys": 0.0,
        "attention_depth": 0.0,
        "depthwise_bytes": 0.0,
        "layer_norm_row": 0.0,
        "turned": 0.0,
    }
)
"""Nothing that an eager kernel does beside its work; loads and start of a tile, and the cache, as usual."""


def efficiencies(profile: Profile) -> dict[str, float]:
    """The numbers of :data:`parameters.GPU`, ``recurrent`` and ``mac_j`` for an engine on a device."""
    start = {name: parameter.start for name, parameter in parameters.GPU.items()}
    own = profile.fitted.get("efficiency.engine")
    fitted = dict(own.values) if own else {}
    if "clock" in fitted:  # a table of `characterize calibrate` is whole, its clock measured
        return start | fitted
    known = {**TYPICAL, **fitted}
    products = dict.fromkeys(parameters.MATRIX_SHARES, known["convolution"])
    products |= dict.fromkeys(("linear", "matmul", "attention"), known["linear"])
    return {
        **start,
        **_NEUTRAL,
        **products,
        **{name: known[name] for name in TYPICAL if name not in parameters.MATRIX_SHARES},
        "mac_j": known["mac_j"] * (known["older_process"] if is_older(profile) else 1.0),
        "launch": profile.kernel_overhead_s(Stack.ENGINE),
        "dispatch": 0.0,  # replayed from a graph, without a host
    }


def is_older(profile: Profile) -> bool:
    """Whether a chip is of a process before 7 nm, by what its profile says: 8, 12, 14, 16 nm."""
    size = re.search(r"(\d+) ?nm", profile.process)
    return size is not None and int(size.group(1)) >= OLDER_NM


def kernel_times(
    columns: KernelColumns, device: Device, known: Mapping[str, float], budget_w: float | None
) -> Times:
    """Seconds of an engine's kernels, at the clock that each of them leaves to the power limit."""
    full = gpu_kernels.kernel_times(columns, device, known)
    if "mac_j" in known:
        slowed = _slowed(columns, device, known, full.compute_s, budget_w)
        full = replace(full, compute_s=full.compute_s * slowed)
    least_s = np.where(columns.macs > 0, known.get("shortest", 0.0), 0.0)
    return gpu_kernels.clocked(replace(full, least_s=least_s), None)


def faster(own: Times, library: Times) -> Times:
    """Of each kernel the faster one: a builder times the libraries' beside its own."""
    return _either(own.kernel_s <= library.kernel_s, own, library)


def no_faster(times: Times, engine: Times, products: NDArray[np.bool_]) -> Times:
    """Kernels of PyTorch whose products are no faster than those of an engine on the same device."""
    return _either((times.kernel_s >= engine.kernel_s) | ~products, times, engine)


def _either(first: NDArray[np.bool_], one: Times, other: Times) -> Times:
    """The times of ``one`` where ``first`` says so, elsewhere those of the other."""
    names = (each.name for each in fields(Times))
    return Times(*(np.where(first, getattr(one, each), getattr(other, each)) for each in names))


def _slowed(
    columns: KernelColumns,
    device: Device,
    known: Mapping[str, float],
    compute_s: Array,
    budget_w: float | None,
) -> Array:
    """How much longer arithmetic takes at the clock that the power limit leaves, at least 1."""
    if budget_w is None:
        return np.ones((1, 1))
    energy_j = known["mac_j"] * device.element_bytes * columns.worked_macs
    rate_w = np.divide(energy_j, compute_s, out=np.zeros_like(compute_s), where=compute_s > 0)
    return np.asarray(np.maximum(1.0, rate_w / budget_w) ** POWER_EXPONENT)


def budget_w(profile: Profile) -> float | None:
    """Watts that a power limit leaves beside idle power, None without a limit."""
    return None if profile.tdp_w is None else POWER_SHARE * profile.tdp_w


def held_to_limit(estimate: KernelEstimate, repeats: Array, profile: Profile) -> KernelEstimate:
    """The estimate with no more energy than the power limit lets flow in its time.

    The limit has set the clock already; a lower voltage, which the energies do not know of, is how.
    """
    limit_w = profile.tdp_w
    if limit_w is None or limit_w <= profile.idle_w:
        return estimate
    energy_j = ((estimate.compute_energy_j + estimate.memory_energy_j) * repeats).sum(axis=0)
    allowed_j = (limit_w - profile.idle_w) * (estimate.latency_s * repeats).sum(axis=0)
    share = np.minimum(
        1.0, np.divide(allowed_j, energy_j, out=np.ones_like(energy_j), where=energy_j > 0)
    )
    return replace(
        estimate,
        compute_energy_j=estimate.compute_energy_j * share,
        memory_energy_j=estimate.memory_energy_j * share,
    )

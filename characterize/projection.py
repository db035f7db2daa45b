"""Columns x profiles → latency, energy and what binds them: one vectorised function.

A projection never loops over configurations. It loops over devices, whose execution models differ,
and evaluates each on whole columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from characterize import cautions, features, fusion, hardware
from characterize.columns import KINDS, Array, KernelColumns, KernelEstimate, weighted
from characterize.errors import InvalidValueError, UnsupportedError, unknown
from characterize.features import Columns
from characterize.hardware import Profile
from characterize.records import Architecture, Bottleneck, Graph, KernelGraph, Precision, Stack

if TYPE_CHECKING:
    import pandas as pd

MODEL_VERSION = 28
"""Raised whenever a change of the code may change a projected number: old stored rows are not used."""

_BOTTLENECKS = (Bottleneck.COMPUTE, Bottleneck.MEMORY, Bottleneck.LAUNCH)


@dataclass(frozen=True)
class DeviceProjection:
    """One network on one device; arrays have one entry a configuration."""

    profile: Profile
    precision: Precision
    estimate: KernelEstimate
    latency_s: Array
    latency_low_s: Array
    latency_high_s: Array
    energy_static_j: Array
    energy_dynamic_j: Array
    memory_bytes: Array
    peak_memory_bytes: Array
    tiles: Array
    bottleneck: np.ndarray[Any, np.dtype[np.int64]]  # index into compute, memory, launch
    caution_flags: cautions.Flags  # index into cautions.TEXTS

    @property
    def energy_j(self) -> Array:
        """Device energy: static (idle power times latency) plus dynamic."""
        return self.energy_static_j + self.energy_dynamic_j


def device_precision(profile: Profile, precision: str | Precision) -> Precision:
    """The precision a device runs in: its usual one for ``auto``.

    Raises:
        UnknownNameError: no precision of this name.
        UnsupportedError: the device has no peak for it.
    """
    if precision == "auto":
        return profile.default_precision
    try:
        asked = Precision(precision)
    except ValueError as error:
        raise unknown("precision", str(precision), ["auto", *Precision]) from error
    if asked not in profile.peak_flops_per_s:
        known = ", ".join(profile.peak_flops_per_s)
        msg = f"{profile.name} has no {asked} arithmetic; it supports {known}."
        raise UnsupportedError(msg)
    return asked


def project_columns(
    columns: Columns, profile: Profile, precision: str | Precision, stack: Stack
) -> DeviceProjection:
    """One device, all configurations of ``columns`` at once."""
    chosen = device_precision(profile, precision)
    kernels = columns.kernels
    estimate, latency, dynamic = totals(kernels, profile, chosen, stack)
    flags = cautions.flags(kernels, estimate, profile, chosen, stack)
    low, high = cautions.interval(profile.band(stack.value), flags)
    return DeviceProjection(
        profile=profile,
        precision=chosen,
        estimate=estimate,
        latency_s=latency,
        latency_low_s=latency * low,
        latency_high_s=latency * high,
        energy_static_j=latency * hardware.static_power_w(profile),
        energy_dynamic_j=dynamic,
        memory_bytes=columns.memory_bytes(chosen),
        peak_memory_bytes=columns.peak_memory_bytes(chosen),
        tiles=weighted(kernels.repeats, estimate.tiles),
        bottleneck=_bottleneck(estimate, kernels.repeats),
        caution_flags=flags,
    )


def totals(
    kernels: KernelColumns, profile: Profile, precision: Precision, stack: Stack
) -> tuple[KernelEstimate, Array, Array]:
    """Estimates of the kernels, and seconds and dynamic joules of the whole network, ``[N]``."""
    estimate = hardware.estimate(kernels, profile, precision, stack)
    latency = weighted(kernels.repeats, estimate.latency_s) + profile.inference_overhead_s
    energy = weighted(kernels.repeats, estimate.energy_j)
    return estimate, hardware.capped_latency_s(profile, latency, energy), energy


def _bottleneck(estimate: KernelEstimate, repeats: Array) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Which of compute, memory and launch binds the kernels that most of the time goes to."""
    compute, memory, launch = (weighted(repeats, bound) for bound in estimate.bound_s)
    largest = np.maximum(memory, launch)
    # the index of the largest, of equal ones the first; argmax over a short axis is ten times slower
    return (compute < largest) * (1 + (memory < launch).astype(np.int64))


@dataclass(frozen=True)
class Projection:
    """A fused network on several devices.

    ``labels`` are the columns that name the rows (model, family, family parameters, batch).
    """

    columns: Columns
    stack: Stack
    devices: tuple[DeviceProjection, ...]
    baseline: DeviceProjection
    labels: Mapping[str, Any] = field(default_factory=dict)

    def rows(self) -> list[dict[str, Any]]:
        """One result row a device and configuration."""
        length = len(self.columns.parameters)
        return [self._labelled(device, i) for device in self.devices for i in range(length)]

    def at(self, configuration: int) -> list[dict[str, Any]]:
        """The result rows of one configuration, one a device."""
        return [self._labelled(device, configuration) for device in self.devices]

    def _labelled(self, device: DeviceProjection, i: int) -> dict[str, Any]:
        labels = {
            key: (value[i] if np.ndim(value) else value) for key, value in self.labels.items()
        }
        return self._row(device, i, labels)

    def _row(self, device: DeviceProjection, i: int, labels: dict[str, Any]) -> dict[str, Any]:
        profile, columns = device.profile, self.columns
        latency = float(device.latency_s[i])
        energy = float(device.energy_j[i])
        flops = float(columns.flops[i])
        memory = float(device.memory_bytes[i])
        peak = float(device.peak_memory_bytes[i])
        capacity = profile.memory_capacity_bytes
        batch = labels.pop("batch", 1)
        return {
            **labels,
            "batch": batch,
            "precision": device.precision.value,
            "stack": self.stack.value,
            "hardware": profile.name,
            "architecture": profile.architecture.value,
            "confidence": profile.confidence.value,
            "parameters": int(columns.parameters[i]),
            "macs": int(columns.macs[i]),
            "flops": int(flops),
            "memory_bytes": int(memory),
            "peak_memory_bytes": int(peak),
            "fits": bool(peak <= capacity) if math.isfinite(capacity) else None,
            "intensity": flops / memory if memory else 0.0,
            "kernels": len(columns.skeleton.row_of),
            "tiles": int(device.tiles[i]),
            "latency_s": latency,
            "latency_low_s": float(device.latency_low_s[i]),
            "latency_high_s": float(device.latency_high_s[i]),
            "throughput_per_s": batch / latency if latency else 0.0,
            "energy_j": energy,
            "energy_static_j": float(device.energy_static_j[i]),
            "energy_dynamic_j": float(device.energy_dynamic_j[i]),
            "power_w": energy / latency if latency else 0.0,
            "speedup": float(self.baseline.latency_s[i]) / latency if latency else 0.0,
            "bottleneck": _BOTTLENECKS[int(device.bottleneck[i])].value,
            "uncounted": int(columns.uncounted),
            "cautions": cautions.TEXTS[int(device.caution_flags[i])],
        }

    def table(self) -> pd.DataFrame:
        """The result rows as a table."""
        import pandas as pd

        return pd.DataFrame(self.rows())

    def kernels(self, configuration: int = 0) -> pd.DataFrame:
        """One row a kernel and device, in the order the kernels run."""
        import pandas as pd

        return pd.DataFrame(
            [row for device in self.devices for row in self._kernel_rows(device, configuration)]
        )

    def kernels_on(self, hardware: str, configuration: int) -> list[dict[str, Any]]:
        """One row a kernel of one configuration on the device named, in the order they run."""
        device = next(each for each in self.devices if each.profile.name == hardware)
        return list(self._kernel_rows(device, configuration))

    def _kernel_rows(self, device: DeviceProjection, i: int) -> Iterable[dict[str, Any]]:
        frame, columns = self.columns.skeleton, self.columns.kernels
        estimate = device.estimate
        memory = columns.memory_bytes(device.precision)
        live = self.columns.live_bytes(device.precision)

        def at(array: Array, row: int) -> float:
            return float(array[row, i if array.shape[1] > 1 else 0])

        for index, (kernel, row) in enumerate(zip(frame.graph.kernels, frame.row_of, strict=True)):
            parts = [
                at(estimate.compute_s, row),
                at(estimate.memory_s, row),
                at(estimate.overhead_s, row),
            ]
            flops, moved = at(columns.flops, row), at(memory, row)
            yield {
                "kernel": kernel.name,
                "module": kernel.module,
                "pattern": kernel.pattern,
                "kind": KINDS[int(columns.kind[row])].value,
                "hardware": device.profile.name,
                "operators": len(kernel.operators),
                "repeats": int(columns.count[row, 0]),
                "macs": at(columns.macs, row),
                "worked_macs": at(columns.worked_macs, row),
                "flops": flops,
                "memory_bytes": moved,
                "live_bytes": float(live[frame.live_of[index], i]),
                "intensity": flops / moved if moved else 0.0,
                "latency_s": at(estimate.latency_s, row),
                "compute_s": parts[0],
                "memory_s": parts[1],
                "overhead_s": parts[2],
                "energy_dynamic_j": at(estimate.compute_energy_j, row)
                + at(estimate.memory_energy_j, row),
                "bottleneck": _BOTTLENECKS[int(np.argmax(parts))].value,
                "tiles": int(at(estimate.tiles, row)),
                "reason": kernel.reason,
            }


def choose_baseline(profiles: Sequence[Profile], name: str | Profile | None) -> Profile:
    """The device that speedups are relative to: the named one, else the first CPU, else the first."""
    if isinstance(name, Profile):
        return name
    if name is not None:
        for profile in profiles:
            if profile.name == name:
                return profile
        return hardware.load(name)
    for profile in profiles:
        if profile.architecture is Architecture.CPU:
            return profile
    return profiles[0]


def project(
    kernels: KernelGraph | Graph | Columns,
    hardware: Sequence[str | Profile] | str = "all",
    precision: str = "auto",
    baseline: str | Profile | None = None,
    stack: str | Stack | None = None,
    labels: Mapping[str, Any] | None = None,
) -> Projection:
    """Project a fused network (or a traced one, fused for ``stack``) onto hardware.

    Args:
        kernels: what :func:`characterize.fuse` or :func:`characterize.trace` returned, or columns
            that were already evaluated.
        hardware: device names, architecture classes, paths of TOML profiles, or ``"all"``.
        precision: ``"auto"`` takes each device's usual inference precision.
        baseline: the device that speedups are relative to; by default the first CPU.
        stack: needed only for an unfused graph; ``"compiled"`` by default.
        labels: columns that name the rows.

    Raises:
        UnknownNameError: a device or precision that is in no catalogue.
        UnsupportedError: a device that lacks the precision.
    """
    columns = _as_columns(kernels, stack)
    chosen = columns.skeleton.graph.stack
    profiles, _ = supported(hardware, precision)
    base = choose_baseline(profiles, baseline)
    devices = tuple(project_columns(columns, profile, precision, chosen) for profile in profiles)
    found = [device for device in devices if device.profile.name == base.name]
    reference = found[0] if found else _project_baseline(columns, base, precision, chosen)
    return Projection(columns, chosen, devices, reference, labels or _labels(columns))


def _project_baseline(
    columns: Columns, base: Profile, precision: str, stack: Stack
) -> DeviceProjection:
    usable = precision if precision in base.peak_flops_per_s else "auto"
    return project_columns(columns, base, usable, stack)


def _as_columns(kernels: KernelGraph | Graph | Columns, stack: str | Stack | None) -> Columns:
    if isinstance(kernels, Columns):
        return kernels
    if isinstance(kernels, Graph):
        kernels = fusion.fuse(kernels, stack=stack or Stack.COMPILED)
    if kernels.graph.is_symbolic:
        names = ", ".join(kernels.graph.symbols)
        msg = f"This graph is a template; give values for {names} (characterize.features.columns)."
        raise InvalidValueError(msg)
    return features.columns(kernels)


def _labels(columns: Columns) -> dict[str, Any]:
    graph = columns.skeleton.graph.graph
    shape = graph.values[graph.inputs[0]].shape if graph.inputs else ()
    return {"model": graph.model, "family": "", "batch": shape[0] if shape else 1}


def supported(
    selection: Sequence[str | Profile] | str, precision: str
) -> tuple[list[Profile], list[Profile]]:
    """The profiles asked for that have the precision, and those left out because they lack it.

    A device asked for by name must have it; one that came with a class or ``all`` is left out.

    Raises:
        UnsupportedError: a device named lacks the precision, or none of a class has it.
    """
    asked = [selection] if isinstance(selection, str | Profile) else list(selection)
    named = {item for item in asked if isinstance(item, str) and item not in hardware_classes()}
    given = {item.name for item in asked if isinstance(item, Profile)}
    profiles: dict[str, Profile] = {}
    for item in asked:
        found = [item] if isinstance(item, Profile) else hardware.select([item])
        for profile in found:
            profiles.setdefault(profile.name, profile)
    if not profiles:
        msg = "No hardware was asked for; name a device, a class (cpu, gpu, tpu, kpu) or 'all'."
        raise InvalidValueError(msg)
    kept, left = [], []
    problem: UnsupportedError | None = None
    for profile in profiles.values():
        try:
            device_precision(profile, precision)
            kept.append(profile)
        except UnsupportedError as error:
            if profile.name in named | given:
                raise
            problem = error
            left.append(profile)
    if not kept and problem is not None:
        raise problem
    return kept, left


def hardware_classes() -> frozenset[str]:
    """Selections that stand for several devices."""
    return frozenset({"all", *Architecture})

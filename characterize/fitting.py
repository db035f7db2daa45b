"""From measurements to a calibrated profile: fit, hold families back, state the error and the band.

A device and stack is fitted on all of its measurements. How wrong the fit is on models that it has
not seen is found by halving the families of models: each half is projected by a fit to the other.
The median error and the 80 % band that a profile states are those of the halves that were not seen.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from characterize import calibration, errors, evidence
from characterize.columns import Array, KernelColumns
from characterize.hardware import (
    Fit,
    Profile,
    clocks,
    cpu,
    cpu_kernels,
    gpu,
    gpu_kernels,
    gpu_known,
    host,
    parameters,
)
from characterize.hardware.record import SIGMAS_80_PERCENT
from characterize.records import Architecture, Confidence, Launching, Precision, Stack

if TYPE_CHECKING:
    import pandas as pd

LEAST: Final = 5  # measurements of a device and stack below which nothing is fitted
SOFTNESS: Final = MappingProxyType({Architecture.GPU: 0.05})
"""Of the fit, by architecture: smaller where a few families are far off and should not pull."""


@dataclass(frozen=True)
class Samples:
    """Launched kernels of many measured networks, one after another, ``[R, 1]``."""

    columns: KernelColumns
    starts: NDArray[np.int64]  # first row of each measurement
    measured_s: Array
    families: tuple[str, ...]
    stack: Stack = Stack.COMPILED  # that all of them ran

    def some(self, wanted: NDArray[np.bool_]) -> Samples:
        """The measurements where ``wanted`` holds."""
        segment = self.segment
        rows = np.flatnonzero(wanted[segment])
        kept = segment[rows]
        starts = np.flatnonzero(np.r_[True, kept[1:] != kept[:-1]])
        names = tuple(name for name, keep in zip(self.families, wanted, strict=True) if keep)
        return Samples(self.columns.rows(rows), starts, self.measured_s[wanted], names, self.stack)

    @property
    def segment(self) -> NDArray[np.int64]:
        """Which measurement each row belongs to."""
        lengths = np.diff(np.append(self.starts, len(self.columns.kind)))
        return np.repeat(np.arange(len(self.starts)), lengths)


@dataclass(frozen=True)
class Calibration:
    """A fitted table, and its errors: on what it was fitted to, and on families held back."""

    table: str
    values: Mapping[str, float]
    fitted: Array  # ln(projected / measured)
    held: Array | None
    halves: tuple[Mapping[str, float], ...] = ()  # all values of the fits to either half

    @property
    def error(self) -> float:
        """Median absolute percentage error, held back where there are families enough."""
        known = self.fitted if self.held is None else self.held
        return float(np.median(np.abs(np.expm1(known))))

    @property
    def log_std(self) -> float:
        """Width that puts four of five held-back measurements inside the band."""
        return width(self.fitted if self.held is None else self.held)


def width(residual: Array) -> float:
    """Standard deviation whose 80 % interval holds four of five residuals, logarithms of ratios."""
    return float(np.quantile(np.abs(residual), 0.8)) / SIGMAS_80_PERCENT


def table_of(stack: str, memory_format: str, architecture: Architecture) -> str:
    """The fitted table that a measurement belongs to: ``eager``, ``eager_nchw``, ``compiled``."""
    eager = stack == Stack.EAGER and architecture is Architecture.GPU
    return "eager_nchw" if eager and memory_format == "nchw" else str(stack)


def gather(
    frame: pd.DataFrame,
    profile: Profile,
    progress: evidence.Progress | None = None,
    networks: evidence.Networks | None = None,
) -> tuple[dict[tuple[str, Precision], Samples], list[str]]:
    """Launched kernels of every measurement, by table and precision; and what was left out.

    ``networks`` is where the measured networks come from, by default :func:`evidence.network`.
    """
    parts: dict[tuple[str, Precision], list[tuple[KernelColumns, float, str]]] = {}
    left: list[str] = []
    for subject in evidence.subjects(frame, progress, networks):
        if subject.graph is None:
            left.append(f"{subject.model}: {subject.reason}")
            continue
        kernels = evidence.Kernels(subject.graph)
        for position in subject.rows:
            row = frame.iloc[position]
            precision = Precision(row["precision"])
            table = table_of(row["stack"], row["memory_format"], profile.architecture)
            launched = _launched(
                kernels, profile, Stack(row["stack"]), precision, row["batch"], table
            )
            found = (launched, float(row["latency_s"]), evidence.family_of(subject.model))
            parts.setdefault((table, precision), []).append(found)
    stacks = {table: Stack(table.partition("_")[0]) for table, _ in parts}
    return {key: stacked(found, stacks[key[0]]) for key, found in parts.items()}, left


def _launched(
    kernels: evidence.Kernels,
    profile: Profile,
    stack: Stack,
    precision: Precision,
    batch: float,
    table: str,
) -> KernelColumns:
    columns = kernels.at(stack, [batch])
    if profile.architecture is Architecture.GPU:
        return gpu.launched_for(columns, precision, gpu_known.efficiencies(profile, table))[0]
    return columns.launched(Launching())[0]


def stacked(
    parts: Sequence[tuple[KernelColumns, float, str]], stack: Stack = Stack.COMPILED
) -> Samples:
    """Networks one after another, run under a stack: (launched kernels, measured seconds, family)."""
    lengths = [len(columns.kind) for columns, _, _ in parts]
    arrays: dict[str, Any] = {
        "kind": np.concatenate([columns.kind for columns, _, _ in parts]),
    }
    for field in fields(KernelColumns):
        if field.name not in ("kind", "lowerings", "grid", "extents", "cast"):
            arrays[field.name] = np.concatenate(
                [np.broadcast_to(getattr(c, field.name), (len(c.kind), 1)) for c, _, _ in parts]
            )
    return Samples(
        KernelColumns(**arrays),
        np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64),
        np.array([seconds for _, seconds, _ in parts]),
        tuple(family for _, _, family in parts),
        stack,
    )


def predictor(samples: Samples, profile: Profile, precision: Precision) -> calibration.Predict:
    """Seconds of every measurement as a function of the parameters' values."""
    columns, starts, count = samples.columns, samples.starts, samples.columns.count
    fixed = profile.inference_overhead_s
    if profile.architecture is Architecture.GPU:
        return _gpu_predictor(samples, profile, precision)
    if profile.architecture is not Architecture.CPU:
        msg = f"Only CPUs and GPUs can be calibrated so far; {profile.name} is none."
        raise errors.UnsupportedError(msg)
    processor = cpu.device(profile, precision)

    def of_cpu(values: Mapping[str, float]) -> Array:
        seconds = cpu_kernels.kernel_times(columns, processor, values)[2] * count
        return np.asarray(np.add.reduceat(seconds[:, 0], starts) + fixed)

    return of_cpu


def _gpu_predictor(samples: Samples, profile: Profile, precision: Precision) -> calibration.Predict:
    """Seconds of every measurement on a GPU, at the clock that its power limit sustains."""
    columns, starts, count = samples.columns, samples.starts, samples.columns.count
    device, budget = gpu_kernels.Device.of(profile, precision), clocks.Budget.of(profile)
    energy, segment = gpu.energies(columns, profile, precision), samples.segment
    operations_j = np.add.reduceat((energy.operations_j * count)[:, 0], starts)
    bytes_j = np.add.reduceat((energy.bytes_j * count)[:, 0], starts)
    calls = host.calls(columns, samples.stack)
    sent = np.add.reduceat((count * calls)[:, 0], starts)

    def predict(values: Mapping[str, float]) -> Array:
        full = gpu_kernels.kernel_times(columns, device, values)

        def seconds(clock: Array, which: NDArray[np.int64]) -> tuple[Array, Array]:
            every = np.ones(len(starts))
            every[which] = clock
            kernel = gpu_kernels.clocked(full, every[segment][:, None]).kernel_s
            busy = np.add.reduceat((kernel * count)[:, 0], starts)
            factor = gpu.step_factor(sent * values["dispatch"], busy, values["ahead"])
            return (busy * factor)[which], busy[which]

        clock = clocks.sustained(clocks.Load(operations_j, bytes_j, seconds), budget, len(starts))
        step, _ = seconds(clock, np.arange(len(starts)))
        return np.asarray(step + profile.inference_overhead_s)

    return predict


def calibrate(
    samples: Samples,
    profile: Profile,
    table: str,
    precision: Precision,
    *,
    hold: bool = True,
    split: str = "",
    known: Mapping[str, float] = MappingProxyType({}),
    also: Sequence[str] = (),
) -> Calibration:
    """Fit one table of a profile, and find its error on families held back.

    Args:
        samples: what was measured.
        profile: the device.
        table: the table that is fitted: ``eager``, ``eager_nchw``, ``compiled``.
        precision: that of the measurements.
        hold: whether to hold halves of the families back.
        split: another text halves the families otherwise.
        known: values that are not fitted, because they were measured by themselves.
        also: parameters that are fitted besides those of the table.
    """
    every = parameters.CPU if profile.architecture is Architecture.CPU else parameters.GPU
    key = parameters.table_key(profile.architecture.value, table)
    free = [name for name in (*parameters.FREE[key], *also) if name not in known]
    start = {**parameters.STARTS.get(key, {}), **known}

    def fitted_on(part: Samples) -> calibration.Result:
        predict = predictor(part, profile, precision)
        soft = SOFTNESS.get(profile.architecture, calibration.SOFTNESS)
        return calibration.fit(predict, part.measured_s, every, free, start, softness=soft)

    whole = fitted_on(samples)
    held, halves = None, []
    first = half(samples.families, split)
    if hold and min(first.sum(), (~first).sum()) >= LEAST:
        held = np.empty(len(first))
        predict = predictor(samples, profile, precision)
        for side in (first, ~first):
            values = fitted_on(samples.some(side)).values
            halves.append(values)
            held[~side] = np.log(predict(values) / samples.measured_s)[~side]
    chosen = {name: _rounded(whole.values[name]) for name in every if name in {*free, *start}}
    return Calibration(table, chosen, whole.residuals, held, tuple(halves))


def half(families: Sequence[str], split: str = "") -> NDArray[np.bool_]:
    """Every second family, in an order that depends on the names alone (and on ``split``)."""

    def order(name: str) -> str:
        return hashlib.sha256((split + name).encode()).hexdigest()

    names = sorted({*families}, key=order)
    first = {*names[::2]}
    return np.array([name in first for name in families])


def whole_values(found: Calibration, profile: Profile) -> dict[str, float]:
    """A calibration's numbers, and the starting values of all others of its execution model."""
    known = parameters.CPU if profile.architecture is Architecture.CPU else parameters.GPU
    return {name: parameter.start for name, parameter in known.items()} | dict(found.values)


def applied(profile: Profile, found: Calibration, source: str, today: datetime.date) -> Profile:
    """The profile with a fitted table and its band."""
    note = (
        "error and band are of halves of the model families, each projected by a fit to the other"
    )
    if found.held is None:
        note = "error and band are of the measurements it was fitted to: too few families"
    fit = Fit(source, len(found.fitted), today, round(found.error, 4), note)
    result = profile.with_fitted(f"efficiency.{found.table}", found.values, fit)
    band = {"log_std": _rounded(found.log_std)}
    result = result.with_fitted(f"uncertainty.{found.table}", band, fit)
    return replace(result, confidence=Confidence.CALIBRATED)


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")

"""Fits of edge devices' terms to measured seconds, and what the package itself projects for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from scipy.optimize import nnls

from characterize import hardware
from characterize.columns import KernelColumns
from characterize.records import Confidence, Frozen, Precision, Stack

ROUNDS: Final = 15
FLOOR: Final = 0.02  # relative errors below this weigh alike
Matrix = np.ndarray[Any, np.dtype[np.float64]]


def fit(
    features: Matrix, measured: Matrix, least: Matrix | None = None, worth: Matrix | None = None
) -> Matrix:
    """Non-negative coefficients, at least ``least``, with small relative absolute errors.

    Non-negative least squares on relative errors, re-weighted towards absolute errors:
    deterministic. ``worth`` is what each row counts, by default all the same.
    """
    low = np.zeros(features.shape[1]) if least is None else least
    counted = np.ones(len(measured)) if worth is None else worth
    weight = counted
    found = low
    for _ in range(ROUNDS):
        scaled = features / measured[:, None] * weight[:, None]
        size = np.maximum(np.abs(scaled).max(axis=0), 1e-300)
        found = low + nnls(scaled / size, np.maximum(weight - scaled @ low, 0.0))[0] / size
        error = np.abs(features @ found / measured - 1.0)
        weight = counted / np.sqrt(np.maximum(error, FLOOR))
        weight /= weight.mean()
    return found


def held_out(
    features: Matrix,
    measured: Matrix,
    groups: Sequence[str],
    least: Matrix | None = None,
    worth: Matrix | None = None,
) -> Matrix:
    """Predictions for each group by a fit on all the others."""
    labels = np.asarray(groups)
    counted = np.ones(len(measured)) if worth is None else worth
    predicted = np.zeros(len(measured))
    for group in sorted(set(labels)):
        judged = labels == group
        found = fit(features[~judged], measured[~judged], least, counted[~judged])
        predicted[judged] = features[judged] @ found
    return predicted


def total(columns: KernelColumns, values: Any) -> float:
    """A quantity of kernels, added up over a network."""
    return float((values * columns.count).sum())


def whole_s(columns: KernelColumns, device: hardware.Profile, precision: Precision) -> float:
    """What the package projects for a network under an engine."""
    estimate = hardware.estimate(columns, device, precision, Stack.ENGINE)
    return total(columns, estimate.latency_s) + device.inference_overhead_s


_FITTED: Final = ("efficiency", "overhead", "vector_flops_per_s", "energy", "uncertainty")


def from_datasheet(name: str, *left_out: str) -> hardware.Profile:
    """A device without what was fitted to it: its architecture's efficiencies, its own datasheet."""
    device = hardware.load(name)
    kept = {
        key: figure
        for key, figure in device.stated.items()
        if not key.startswith((*_FITTED, *left_out))
    }
    return replace(device, stated=Frozen(kept), fitted=Frozen({}), confidence=Confidence.DATASHEET)

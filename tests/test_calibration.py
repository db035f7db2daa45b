"""Fitting: known parameters are found again, outliers are borne, bounds hold, and it repeats."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pytest

from characterize import calibration, fitting, hardware
from characterize.columns import KINDS, KernelColumns
from characterize.hardware import parameters
from characterize.hardware.parameters import Parameter
from characterize.records import Confidence, KernelKind, Precision

LINE = {
    "rate": Parameter(1.0, 0.1, 10.0, "rate"),
    "fixed": Parameter(1.0, 0.01, 10.0, "fixed time"),
}
WORK = np.geomspace(0.1, 100.0, 40)


def line(values: Any) -> np.ndarray:
    return WORK / values["rate"] + values["fixed"]


def test_parameters_that_made_the_data_are_found():
    found = calibration.fit(line, line({"rate": 2.5, "fixed": 0.4}), LINE, ["rate", "fixed"])
    assert found.values["rate"] == pytest.approx(2.5, rel=0.01)
    assert found.values["fixed"] == pytest.approx(0.4, rel=0.02)
    assert found.median_error < 0.005


def test_the_width_of_residuals_puts_four_of_five_inside_the_80_percent_interval():
    # sizes 0, 0.1, 0.1, 0.2, 0.3: four fifths of the way lie at 0.2 + 0.2 · (0.3 − 0.2) = 0.22
    residuals = np.array([-0.2, -0.1, 0.0, 0.1, 0.3])
    assert fitting.width(residuals) * 1.28155 == pytest.approx(0.22, rel=1e-5)
    many = np.random.default_rng(0).normal(0.0, 0.3, 20_000)
    assert fitting.width(many) == pytest.approx(0.3, rel=0.03)


def test_outliers_do_not_move_the_fit():
    measured = line({"rate": 2.5, "fixed": 0.4})
    measured[::10] *= 6.0
    found = calibration.fit(line, measured, LINE, ["rate", "fixed"])
    assert found.values["rate"] == pytest.approx(2.5, rel=0.05)


def test_bounds_hold_and_what_is_not_free_stays():
    found = calibration.fit(line, line({"rate": 50.0, "fixed": 1.0}), LINE, ["rate"])
    assert found.values["rate"] == pytest.approx(10.0)
    assert found.values["fixed"] == 1.0


def test_a_fit_repeats_exactly():
    measured = line({"rate": 0.7, "fixed": 2.0}) * (1 + 0.05 * np.sin(WORK))
    first, second = (calibration.fit(line, measured, LINE, ["rate", "fixed"]) for _ in range(2))
    assert first.values == second.values


def networks(count: int) -> list[KernelColumns]:
    """Single products of growing depth and a pointwise kernel each."""
    kinds = np.array([KINDS.index(KernelKind.LINEAR), KINDS.index(KernelKind.ELEMENTWISE)])
    found = []
    for i in range(count):
        m, n, k = 4096.0, 512.0, 256.0 * (1 + i % 7)
        rows: dict[str, list[float]] = {
            "count": [1 + i % 5, 2], "macs": [m * n * k, 0], "worked_macs": [m * n * k, 0],
            "vector_flops": [0, m * n], "transcendentals": [0, 0], "m": [m, 0], "n": [n, 0],
            "k": [k, 0], "groups": [1, 0], "kernel_area": [1, 1], "stride": [1, 1],
            "input_elements": [m * k, m * n], "other_elements": [0, 0],
            "weight_elements": [n * k, 0], "output_elements": [m * n, m * n],
            "fixed_read_bytes": [0, 0], "fixed_write_bytes": [0, 0],
            "intermediate_elements": [0, 0], "operators": [1, 1],
        }  # fmt: skip
        arrays: dict[str, Any] = {
            name: np.array(v, dtype=float)[:, None] for name, v in rows.items()
        }
        found.append(KernelColumns(kind=kinds, **arrays))
    return found


def test_a_device_is_calibrated_from_measurements_and_keeps_its_provenance():
    card = hardware.load("nvidia_rtx_3090")
    blank = fitting.stacked([(c, 1.0, f"family{i % 8}") for i, c in enumerate(networks(24))])
    truth = {name: p.start for name, p in parameters.GPU.items()} | {"linear": 0.55, "bandwidth": 0.95}  # fmt: skip
    seconds = fitting.predictor(blank, card, Precision.FP16)(truth)
    samples = fitting.stacked(
        [
            (c, s, f"family{i % 8}")
            for i, (c, s) in enumerate(zip(networks(24), seconds, strict=True))
        ]
    )
    found = fitting.calibrate(samples, card, "eager", Precision.FP16)
    assert found.error < 0.02
    assert found.held is not None
    today = datetime.date(2026, 11, 22)
    profile = hardware.parse(hardware.to_toml(fitting.applied(card, found, "a bench", today)))
    assert profile.confidence is Confidence.CALIBRATED
    assert profile.fitted["efficiency.eager"].fit.on == "a bench"
    assert profile.fitted["efficiency.eager"].fit.n == 24
    assert profile.log_std("eager") < 0.05


def test_halves_are_of_whole_families_and_do_not_depend_on_order():
    names = ["a", "b", "c", "d", "a", "b"]
    first = fitting.half(names)
    assert first[0] == first[4]
    assert first[1] == first[5]
    assert sorted(zip(names[::-1], fitting.half(names[::-1]).tolist(), strict=True)) == sorted(
        zip(names, first.tolist(), strict=True)
    )


@pytest.mark.parametrize(("key", "free"), parameters.FREE.items())
def test_no_table_has_more_than_25_free_parameters(key, free):
    known = parameters.CPU if key.startswith("cpu") else parameters.GPU
    assert len(set(free)) == len(free) <= 25
    assert set(free) <= set(known)


@pytest.mark.parametrize("known", [parameters.GPU, parameters.CPU])
def test_every_parameter_starts_within_its_bounds(known):
    for name, parameter in known.items():
        assert parameter.low <= parameter.start <= parameter.high, name

"""The clock that a power limit sustains: by hand, and as laws."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from characterize import hardware
from characterize.columns import KINDS, KernelColumns
from characterize.hardware import Fit, clocks
from characterize.records import KernelKind, Precision, Stack

NONE = np.zeros((1, 1))
ONE = np.ones((1, 1))


def kernel(kind: KernelKind, **named: float) -> KernelColumns:
    """One kernel; what is not named is nothing."""
    table: dict[str, Any] = {
        name: ONE if name in ("count", "groups", "kernel_area", "stride", "operators") else NONE
        for name in KernelColumns.__dataclass_fields__
        if name not in ("kind", "grid", "lowerings") and not name.endswith("distance")
    }
    table |= {name: np.array([[float(value)]]) for name, value in named.items()}
    table["worked_macs"] = table["macs"]
    return KernelColumns(kind=np.array([KINDS.index(kind)]), **table)


PRODUCT = kernel(
    KernelKind.LINEAR, macs=2.0**39, m=8192, n=8192, k=8192,
    input_elements=2.0**26, weight_elements=2.0**26, output_elements=2.0**26,
)  # fmt: skip
STREAM = kernel(
    KernelKind.ELEMENTWISE, vector_flops=2.0**28, input_elements=2.0**28, output_elements=2.0**28
)


def latency_s(columns: KernelColumns, device: hardware.Profile) -> float:
    return hardware.estimate(columns, device, Precision.FP16, Stack.EAGER).latency_s.item()


def test_the_clock_is_where_the_power_is_the_limit():
    # 1 s of arithmetic at the full clock, 100 J for it; 10 W idle, no other power
    budget = clocks.Budget(limit_w=60.0, idle_w=10.0, active_w=0.0)
    load = clocks.Load(np.array([100.0]), np.zeros(1), lambda clock, _: (1.0 / clock, 1.0 / clock))
    # 10 + 100 c^2 / (1 / c) = 60: c^3 = 1/2, above the floor of 0.74
    assert clocks.sustained(load, budget, 1) == pytest.approx([0.5 ** (1 / 3)], rel=1e-9)
    # 10 + 100 x 0.74^2 c = 30: c = 20 / 54.76, where the voltage falls no further
    tight = replace(budget, limit_w=30.0)
    assert clocks.sustained(load, tight, 1) == pytest.approx([20 / 54.76], rel=1e-9)
    assert clocks.sustained(load, replace(budget, limit_w=110.0), 1).item() == 1.0
    assert clocks.sustained(load, replace(budget, limit_w=np.inf), 1).item() == 1.0


def test_busy_units_draw_power_while_they_wait_for_memory():
    # memory alone, 1 s whatever the clock: 10 + 40 c^3 + 20 = 35, c = (5 / 40)^(1/3) = 0.5,
    # but below the floor of 0.74 it is 40 x 0.5476 c = 5
    budget = clocks.Budget(limit_w=35.0, idle_w=10.0, active_w=40.0)
    load = clocks.Load(
        np.zeros(1), np.array([20.0]), lambda clock, _: (0 * clock + 1, 0 * clock + 1)
    )
    assert clocks.sustained(load, budget, 1) == pytest.approx([5 / (40 * 0.5476)], rel=1e-9)


def test_a_card_held_to_less_power_is_slower_in_products_and_as_fast_in_streams():
    full, held = hardware.load("nvidia_rtx_pro_6000"), hardware.load("nvidia_rtx_pro_6000_maxq")
    slower = latency_s(PRODUCT, held) / latency_s(PRODUCT, full)
    # 300 W against 600 W; the same chip cannot be slower than in proportion to its power
    assert 2.617 / 2.28 < slower < 600 / 300 * 2.617 / 2.28
    assert latency_s(STREAM, held) == pytest.approx(latency_s(STREAM, full), rel=0.01)


def test_a_limited_card_draws_its_limit_and_an_unlimited_one_less():
    for name, binds in (("nvidia_rtx_pro_6000_maxq", True), ("nvidia_rtx_5090", False)):
        device = hardware.load(name)
        got = hardware.estimate(PRODUCT, device, Precision.FP16, Stack.EAGER)
        power = (got.compute_energy_j + got.memory_energy_j) / got.latency_s + device.idle_w
        limit = device.tdp_w
        assert limit is not None
        assert (power.item() == pytest.approx(limit, rel=1e-6)) is binds
        assert power.item() <= limit * (1 + 1e-9)


def test_our_h100_sustains_the_clock_that_was_measured():
    # data/published/h100_operators.csv: fp16 products of 8192 cubed ran at 1316 MHz and 699 W, 0.93
    # of that clock's rate; with random values, which take 1.8 times the energy of a network's
    fit = Fit("the product itself", 1, datetime.date(2026, 11, 22))
    shares = {"clock": 1980 / 1830, "linear": 1.0, "tile": 6.0, "bandwidth": 0.92}
    card = hardware.load("nvidia_h100_sxm").with_({"energy.j_per_flop.fp16": 1.8 * 0.82e-12})
    card = card.with_fitted("efficiency.eager", shares, fit)
    got = hardware.estimate(PRODUCT, card, Precision.FP16, Stack.EAGER)
    free = hardware.estimate(PRODUCT, card.with_(power_tdp_w=5000.0), Precision.FP16, Stack.EAGER)
    clock = free.compute_s.item() / got.compute_s.item()
    assert 1980 * clock == pytest.approx(1316, rel=0.08)


@settings(max_examples=80, deadline=None)
@given(
    st.sampled_from([n for n in hardware.names() if hardware.load(n).architecture == "gpu"
                     and not hardware.load(n).is_reference and hardware.load(n).tdp_w]),
    st.sampled_from([PRODUCT, STREAM]),
    st.floats(0.2, 5.0),
    st.floats(1.0, 4.0),
)  # fmt: skip
def test_more_power_is_never_slower(name, columns, share, more):
    device = hardware.load(name)
    precision, limit = device.default_precision, device.tdp_w
    assert limit is not None
    assume(limit * share > 1.05 * device.idle_w)  # below idle power no clock helps
    tight = device.with_(power_tdp_w=limit * share)
    loose = device.with_(power_tdp_w=limit * share * more)
    seconds = [
        hardware.estimate(columns, each, precision, Stack.EAGER).latency_s.item()
        for each in (tight, loose)
    ]
    assert seconds[1] <= seconds[0] * (1 + 1e-9)
    assert min(seconds) >= columns.flops.item() / device.peak(precision) * (1 - 1e-12)

"""Execution models: the report's arithmetic, the roofline by hand, and laws on random kernels."""

from __future__ import annotations

import datetime
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from characterize import hardware
from characterize.columns import KINDS, KernelColumns, KernelEstimate
from characterize.errors import UnknownNameError, UnsupportedError
from characterize.hardware import Fit, Profile, execution
from characterize.records import KernelKind, Precision, Stack

REAL = hardware.names(include_reference=False)
BY_BATCH = ("macs", "worked_macs", "vector_flops", "transcendentals", "m", "input_elements",
            "other_elements", "output_elements", "fixed_read_bytes", "intermediate_elements")  # fmt: skip
ONES = ("count", "groups", "kernel_area", "stride", "operators")


def kernels(*rows: dict[str, Any], batches: tuple[int, ...] = (1,)) -> KernelColumns:
    """Columns with a row a kernel and a column a batch; what a row does not say is 0 (or 1)."""
    table: dict[str, Any] = {}
    for field in fields(KernelColumns):
        if field.default is None or (
            field.name.endswith("distance") and "weight" not in field.name
        ):
            continue  # never touched before, nothing lowered
        if field.name == "kind":
            kinds = [KINDS.index(row.get("kind", KernelKind.LINEAR)) for row in rows]
            table["kind"] = np.array(kinds, dtype=np.int64)
            continue
        default = 1.0 if field.name in ONES else 0.0
        values = np.array([[float(row.get(field.name, default))] for row in rows])
        scale = np.array([batches], dtype=float) if field.name in BY_BATCH else np.ones((1, 1))
        table[field.name] = values * scale
    if not any("worked_macs" in row for row in rows):
        table["worked_macs"] = table["macs"]
    return KernelColumns(**table)


def total_s(estimate: KernelEstimate, columns: KernelColumns) -> np.ndarray:
    return (estimate.latency_s * columns.count).sum(axis=0)


# The report


def test_the_reference_devices_give_the_reports_figures():
    # three times conv 3x3 and ReLU, 16 -> 16 channels, 64 x 64, batch 32
    macs = 32 * 64 * 64 * 16 * 16 * 9  # 301,989,888
    relu = 32 * 64 * 64 * 16  # 2,097,152
    weights = 16 * 16 * 9  # 2,304
    layer = {"kind": KernelKind.CONVOLUTION, "count": 3, "macs": macs, "vector_flops": relu,
             "input_elements": relu, "output_elements": relu, "weight_elements": weights}  # fmt: skip
    columns = kernels(layer)
    assert (columns.flops * 3).item() == 1_818_230_784
    assert (columns.memory_bytes(Precision.FP32) * 3).item() == 50_359_296
    expected = {
        "reference_cpu": (1.82e-02, 1.823),  # 1.818e9 / 100e9; 1.818e9 x 1e-9 + 50.36e6 x 100e-12
        "reference_gpu": (1.09e-04, 0.911),  # 1.818e9 / 10e12 x 0.6
        "reference_tpu": (2.42e-05, 0.364),
        "reference_kpu": (1.09e-03, 0.182),
    }
    for name, (latency_s, energy_j) in expected.items():
        device = hardware.load(name)
        got = hardware.estimate(columns, device, Precision.FP32, Stack.COMPILED)
        assert total_s(got, columns).item() == pytest.approx(latency_s, rel=0.005)
        energy = (got.compute_energy_j + got.memory_energy_j).item() * 3
        assert energy == pytest.approx(energy_j, rel=0.001)
        assert (got.tiles * 3).item() == 3
        assert hardware.static_power_w(device) == 0
        assert device.band() == (1, 1)


def test_the_reference_devices_run_fp32_only():
    with pytest.raises(UnsupportedError, match=r"does not run fp16; it has fp32\."):
        hardware.estimate(kernels({"macs": 1}), hardware.load("reference_gpu"), "fp16", "eager")


# The roofline by hand


@pytest.fixture
def device() -> Profile:
    """Round numbers: 1 Tflop/s, 0.1 Tflop/s on vectors, 100 GB/s, 1 MB on chip at 1 TB/s."""
    figures = {
        "peak_flops_per_s.fp32": 1e12, "vector_flops_per_s.fp32": 1e11, "memory.bytes_per_s": 1e11,
        "on_chip.capacity_bytes": 1e6, "on_chip.bytes_per_s": 1e12, "efficiency.compute": 0.5,
        "efficiency.vector": 0.5, "efficiency.memory": 0.8, "efficiency.on_chip": 1.0,
        "overhead.kernel_s.eager": 3e-6, "overhead.kernel_s.compiled": 1e-6, "power.tdp_w": 100.0,
        "power.idle_w": 20.0, "energy.j_per_flop.fp32": 1e-11, "energy.vector_j_per_flop.fp32": 2e-11,
        "energy.memory_j_per_byte": 1e-10, "energy.on_chip_j_per_byte": 1e-11,
    }  # fmt: skip
    blank = hardware.load("nvidia_p4")
    return replace(blank, name="round", execution_model="roofline", stated={}).with_(figures)


def estimate(columns: KernelColumns, device: Profile, stack: str = "compiled") -> KernelEstimate:
    return hardware.estimate(columns, device, device.default_precision, stack)


def test_a_matrix_product_too_large_for_the_chip(device):
    # 1e9 macs: 2e9 / (1e12 x 0.5) = 4 ms; 4e6 elements x 4 B = 16 MB / (1e11 x 0.8) = 0.2 ms
    columns = kernels(
        {"macs": 1e9, "input_elements": 2e6, "output_elements": 1e6, "weight_elements": 1e6}
    )
    got = estimate(columns, device)
    assert got.compute_s.item() == pytest.approx(4e-3)
    assert got.memory_s.item() == pytest.approx(2e-4)
    assert got.overhead_s.item() == 1e-6
    assert got.latency_s.item() == pytest.approx((4e-3**4 + 2e-4**4) ** 0.25 + 1e-6)
    assert got.tiles.item() == 16  # 16 MB in pieces of 1 MB
    assert got.compute_energy_j.item() == pytest.approx(2e9 * 1e-11)
    assert got.memory_energy_j.item() == pytest.approx(16e6 * 1e-10)


def test_activations_that_fit_stay_on_chip_and_weights_do_not(device):
    # 0.2e6 activations = 0.8 MB at 1 TB/s; 1e6 weights = 4 MB at 80 GB/s
    got = estimate(
        kernels({"macs": 1, "input_elements": 1e5, "output_elements": 1e5, "weight_elements": 1e6}),
        device,
    )
    assert got.memory_s.item() == pytest.approx(0.8e6 / 1e12 + 4e6 / 8e10)
    assert got.memory_energy_j.item() == pytest.approx(0.8e6 * 1e-11 + 4e6 * 1e-10)


def test_depthwise_and_elementwise_work_runs_on_the_vector_units(device):
    dense = kernels({"kind": KernelKind.CONVOLUTION, "macs": 1e6})
    depthwise = kernels({"kind": KernelKind.DEPTHWISE_CONVOLUTION, "macs": 1e6})
    relu = kernels({"kind": KernelKind.ELEMENTWISE, "vector_flops": 2e6})
    # 2e6 / (1e12 x 0.5) and 2e6 / (1e11 x 0.5)
    assert estimate(dense, device).compute_s.item() == pytest.approx(4e-6)
    assert estimate(depthwise, device).compute_s.item() == pytest.approx(4e-5)
    assert estimate(relu, device).compute_s.item() == pytest.approx(4e-5)
    assert estimate(depthwise, device).compute_energy_j.item() == pytest.approx(2e6 * 2e-11)


def test_an_exponential_costs_more_than_an_addition(device):
    plain = estimate(kernels({"kind": KernelKind.SOFTMAX, "vector_flops": 1e6}), device)
    exps = estimate(
        kernels({"kind": KernelKind.SOFTMAX, "vector_flops": 1e6, "transcendentals": 1e6}), device
    )
    assert exps.compute_s.item() == pytest.approx(8 * plain.compute_s.item())


def test_blocks_that_a_mask_skips_take_no_time(device):
    whole = estimate(kernels({"kind": KernelKind.ATTENTION, "macs": 1e9}), device)
    causal = estimate(
        kernels({"kind": KernelKind.ATTENTION, "macs": 1e9, "worked_macs": 5e8}), device
    )
    assert causal.compute_s.item() == pytest.approx(whole.compute_s.item() / 2)


def test_the_overhead_is_that_of_the_stack(device):
    nothing = kernels({})
    assert estimate(nothing, device, "eager").latency_s.item() == 3e-6
    assert estimate(nothing, device, "compiled").latency_s.item() == 1e-6


def test_weights_beyond_the_chip_are_streamed_over_the_link_at_every_inference():
    # 10 kernels of 1e6 weights: 10 MB, of which 7 x 2^20 stay; the rest goes over 425 MB/s x 0.85
    coral = hardware.load("google_coral_edge_tpu")
    shares = coral.efficiency()
    columns = kernels({"count": 10, "weight_elements": 1e6})
    spilled = 10e6 - 7 * 2**20
    expected = spilled / (425e6 * shares["memory"]) + (10e6 - spilled) / (12e9 * shares["on_chip"])
    got = estimate(columns, coral)
    assert (got.memory_s * 10).item() == pytest.approx(expected, rel=1e-6)
    small = kernels({"count": 7, "weight_elements": 1e6})
    assert (estimate(small, coral).memory_s * 7).item() == pytest.approx(
        7e6 / (12e9 * shares["on_chip"])
    )


def test_fitted_efficiencies_of_the_stack_are_used_and_never_exceed_the_peak(device):
    fit = Fit("a bench", 3, datetime.date(2026, 11, 22), error=0.1)
    fitted = device.with_fitted("efficiency.compiled", {"compute": 1.4, "conv": 1.3}, fit)
    fitted = hardware.parse(hardware.to_toml(fitted))
    assert fitted.efficiency("compiled")["conv"] == 1.3
    assert fitted.content_hash != device.content_hash
    columns = kernels({"macs": 1e9})
    assert estimate(columns, fitted).compute_s.item() == pytest.approx(2e-3)
    assert estimate(columns, fitted, "eager").compute_s.item() == pytest.approx(4e-3)


def test_a_power_limit_stretches_the_latency(device):
    # 80 W remain for work: 1 J takes at least 12.5 ms
    latency = np.array([1e-3, 1.0])
    stretched = hardware.capped_latency_s(device, latency, np.array([1.0, 1.0]))
    np.testing.assert_allclose(stretched, [12.5e-3, 1.0])
    unlimited = hardware.load("raspberry_pi_5")
    np.testing.assert_array_equal(hardware.capped_latency_s(unlimited, latency, latency), latency)


def test_an_unknown_execution_model_is_refused_and_a_name_is_taken_once():
    with pytest.raises(
        UnknownNameError, match=r"No execution model named 'roofing'.* Did you mean 'roofline'"
    ):
        execution.model("roofing")
    model = execution.model("roofline")
    with pytest.raises(ValueError, match="registered twice"):
        execution.execution_model("roofline")(model)


# Laws

SIZES = st.integers(min_value=0, max_value=10**8)
KERNEL = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(list(KernelKind)),
        "count": st.integers(1, 20),
        "macs": st.integers(0, 10**11),
        "vector_flops": SIZES,
        "transcendentals": st.just(0),
        "input_elements": SIZES,
        "other_elements": SIZES,
        "weight_elements": SIZES,
        "output_elements": SIZES,
        "fixed_read_bytes": st.integers(0, 10**6),
    }
)
NETWORK = st.lists(KERNEL, min_size=1, max_size=4)
DEVICE = st.sampled_from(REAL)
STACK = st.sampled_from(list(Stack))


def whole(
    columns: KernelColumns, device: Profile, precision: Precision, stack: Stack
) -> tuple[np.ndarray, np.ndarray]:
    """Latency and energy of the network as a projection adds them up."""
    got = hardware.estimate(columns, device, precision, stack)
    dynamic = ((got.compute_energy_j + got.memory_energy_j) * columns.count).sum(axis=0)
    latency = total_s(got, columns) + device.inference_overhead_s
    latency = hardware.capped_latency_s(device, latency, dynamic)
    return latency, dynamic + latency * hardware.static_power_w(device)


@settings(max_examples=60, deadline=None)
@given(NETWORK, DEVICE, STACK, st.data())
def test_no_kernel_beats_the_datasheet(network, name, stack, data):
    device, columns = hardware.load(name), kernels(*network, batches=(1, 7))
    precision = data.draw(st.sampled_from(device.precisions))
    got = hardware.estimate(columns, device, precision, stack)
    floor_s = columns.flops / device.peak(precision)
    assert (got.latency_s >= floor_s * (1 - 1e-12)).all()
    # bytes on a chip whose bandwidth nobody states take no time, but only on a chip-only device
    unknown = np.inf if device.on_chip_only else 0.0
    fastest = max(device.memory_bytes_per_s, device.on_chip_bytes_per_s or unknown)
    if device.architecture in ("cpu", "gpu"):  # caches, at most ten times as fast as memory
        fastest *= 10
    floor_s = columns.memory_bytes(precision) / fastest
    assert (got.latency_s >= floor_s * (1 - 1e-12)).all()
    if not device.on_chip_only:
        weights_s = columns.weight_elements * precision.bytes / device.memory_bytes_per_s
        assert (got.latency_s >= weights_s * (1 - 1e-12)).all()
    for part in (got.compute_s, got.memory_s, got.overhead_s):
        assert (got.latency_s >= part * (1 - 1e-12)).all()
        assert part.shape == got.latency_s.shape == (len(network), 2)
    assert (got.tiles >= 1).all()
    for values in (getattr(got, field.name) for field in fields(KernelEstimate)):
        assert np.isfinite(values).all()
        assert (values >= 0).all()


@settings(max_examples=60, deadline=None)
@given(NETWORK, DEVICE, STACK, st.floats(1.0, 8.0), st.data())
def test_a_better_device_is_never_slower(network, name, stack, factor, data):
    device, columns = hardware.load(name), kernels(*network)
    precision = data.draw(st.sampled_from(device.precisions))
    better = [key for key in device.figures if device.value(key) is not None and key.startswith((
        "peak_flops_per_s", "vector_flops_per_s", "memory.bytes_per_s", "link.bytes_per_s",
        "on_chip.bytes_per_s", "on_chip.capacity_bytes", "on_chip.resident_bytes", "units.cores", "units.sms"))]  # fmt: skip
    key = data.draw(st.sampled_from(better))
    energies = {
        k: f.value for k, f in device.figures.items() if k.startswith(("energy", "power.idle"))
    }
    faster = device.with_({**energies, key: type(device.value(key))(device.value(key) * factor)})
    if key == "units.sms":  # more multiprocessors of the same kind bring their share of the peak
        peaks = {k: device.value(k) * faster.value(key) / device.value(key) for k in device.figures
                 if k.startswith(("peak_flops", "vector_flops")) and device.value(k) is not None}  # fmt: skip
        faster = faster.with_(peaks)
    before, _ = whole(columns, device, precision, stack)
    after, _ = whole(columns, faster, precision, stack)
    assert (after <= before * (1 + 1e-9)).all()


@settings(max_examples=60, deadline=None)
@given(NETWORK, DEVICE, STACK, st.data())
def test_more_batch_is_never_faster_and_never_cheaper(network, name, stack, data):
    device, columns = hardware.load(name), kernels(*network, batches=(1, 2, 3, 64))
    precision = data.draw(st.sampled_from(device.precisions))
    latency, energy = whole(columns, device, precision, stack)
    assert (np.diff(latency) >= -1e-12 * latency[1:]).all()
    assert (np.diff(energy) >= -1e-12 * energy[1:]).all()
    assert (energy >= latency * device.idle_w * (1 - 1e-12)).all()


@settings(max_examples=60, deadline=None)
@given(NETWORK, DEVICE, STACK)
def test_a_narrower_format_is_never_slower_and_never_costs_more_energy(network, name, stack):
    device, columns = hardware.load(name), kernels(*network)
    results = {p: whole(columns, device, p, stack) for p in device.precisions}
    for wide, (slow, dear) in results.items():
        for narrow, (fast, cheap) in results.items():
            if narrow.bytes < wide.bytes:
                assert (fast <= slow * (1 + 1e-9)).all(), (wide, narrow)
                assert (cheap <= dear * (1 + 1e-9)).all(), (wide, narrow)


@settings(max_examples=25, deadline=None)
@given(NETWORK, DEVICE)
def test_a_grid_gives_what_its_configurations_give_one_by_one(network, name):
    device, batches = hardware.load(name), (1, 2, 5)
    grid = estimate(kernels(*network, batches=batches), device)
    for i, batch in enumerate(batches):
        one = estimate(kernels(*network, batches=(batch,)), device)
        np.testing.assert_allclose(grid.latency_s[:, i], one.latency_s[:, 0], rtol=1e-12)
        np.testing.assert_allclose(
            grid.memory_energy_j[:, i], one.memory_energy_j[:, 0], rtol=1e-12
        )


@pytest.mark.parametrize("name", REAL)
def test_every_device_runs_every_precision_that_it_claims(name):
    device = hardware.load(name)
    columns = kernels(
        {"macs": 1e6, "input_elements": 1e4, "weight_elements": 1e4, "output_elements": 1e4}
    )
    for precision in device.precisions:
        got = hardware.estimate(columns, device, precision, "compiled")
        assert np.isfinite(got.latency_s).all()
    lacks = sorted(set(Precision) - set(device.precisions))
    with pytest.raises(UnsupportedError, match="does not run"):
        hardware.estimate(columns, device, lacks[0], "compiled")


def test_a_device_that_we_do_not_ship_projects_from_its_datasheet_alone():
    phone = hardware.parse(
        """
        name = "acme_dsp_5"
        title = "ACME DSP 5"
        vendor = "ACME"
        architecture = "tpu"
        default_precision = "int8"
        [sources]
        brief = "ACME DSP 5 brief, page 1"
        [peak_flops_per_s]
        int8 = { value = 12e12, kind = "published", source = "brief" }
        fp16 = { value = 3e12, kind = "published", source = "brief" }
        [memory]
        bytes_per_s = { value = 34.1e9, kind = "published", source = "brief" }
        [on_chip]
        capacity_bytes = { value = 4_000_000, kind = "published", source = "brief" }
        [power]
        tdp_w = { value = 4, kind = "published", source = "brief" }
        """
    )
    columns = kernels({"kind": KernelKind.CONVOLUTION, "macs": 1e9, "input_elements": 1e6,
                       "weight_elements": 1e6, "output_elements": 1e6})  # fmt: skip
    latency, energy = whole(columns, phone, Precision.INT8, Stack.ENGINE)
    # at least 2e9 / 12e12 = 0.17 ms; within the 4 W that it may draw
    assert 2e9 / 12e12 < latency.item() < 10e-3
    assert 0 < energy.item() <= 4 * latency.item() * (1 + 1e-9)

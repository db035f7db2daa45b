"""Engines on GPUs, rows of layer norms, power of whole servers: by hand, and against MLPerf."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from characterize import features, fusion, hardware, session
from characterize.columns import KINDS, KernelColumns
from characterize.hardware import (
    Fit,
    gpu_engine,
    gpu_kernels,
    gpu_known,
    gpu_rows,
    parameters,
    server_power,
)
from characterize.hardware.residency import Cache
from characterize.paths import data_directory
from characterize.records import Frozen, KernelKind, Precision, Stack

MEASUREMENTS = Path(
    os.environ.get(
        "CHARACTERIZE_MEASUREMENTS", Path(__file__).parents[2] / "shared" / "measurements"
    )
)


def kernel(kind: KernelKind, **sizes: float) -> KernelColumns:
    """One kernel; what is not named is 0, or 1 where nothing is less than one."""
    ones = dict.fromkeys(
        ("count", "groups", "kernel_area", "kernel_extent", "stride", "operators"), 1.0
    )
    names = (
        "macs", "worked_macs", "vector_flops", "transcendentals", "m", "n", "k", "input_elements",
        "other_elements", "weight_elements", "output_elements", "fixed_read_bytes",
        "fixed_write_bytes", "intermediate_elements",
    )  # fmt: skip
    values = {**dict.fromkeys(names, 0.0), **ones, **sizes}
    if "macs" in sizes:
        values["worked_macs"] = sizes["macs"]
    arrays: dict[str, Any] = {name: np.array([[float(value)]]) for name, value in values.items()}
    return KernelColumns(kind=np.array([KINDS.index(kind)]), **arrays)


# Engines

DEVICE = gpu_kernels.Device(1e14, 1e13, 1e12, 0.0, 100.0, 1.0, 1.5e11)  # 100 Top/s, 1 TB/s, 100 SMs
PRODUCT = kernel(KernelKind.LINEAR, m=12800, n=1280, k=1024, macs=12800 * 1280 * 1024)


def known(**changed: float) -> dict[str, float]:
    """An engine's numbers on a card whose profile says nothing about it."""
    return gpu_engine.efficiencies(hardware.load("nvidia_t4")) | changed


def test_a_power_limit_slows_an_engines_product_by_hand():
    # 1.678e10 one-byte multiply-accumulates at 3 pJ are 50.3 mJ; over the seconds at the full clock
    # they draw more than the 85 W left of a limit of 100 W, so it takes (drawn / 85 W)^0.4 as long
    values = known(mac_j=3e-12)
    full = gpu_kernels.kernel_times(PRODUCT, DEVICE, values).compute_s.item()
    drawn_w = 12800 * 1280 * 1024 * 3e-12 / full
    assert drawn_w > 85.0
    got = gpu_engine.kernel_times(PRODUCT, DEVICE, values, 85.0).compute_s.item()
    assert got == pytest.approx(full * (drawn_w / 85.0) ** 0.4)


def test_without_a_limit_or_below_it_an_engine_runs_at_the_full_clock():
    values = known(mac_j=3e-12)
    full = gpu_kernels.kernel_times(PRODUCT, DEVICE, values).compute_s
    for budget_w in (None, 1e4):
        found = gpu_engine.kernel_times(PRODUCT, DEVICE, values, budget_w)
        assert found.compute_s == pytest.approx(full)


@pytest.mark.parametrize(
    ("name", "older"),
    [("nvidia_a100_pcie_40gb", False), ("nvidia_h100_sxm", False), ("nvidia_a2", True),
     ("nvidia_t4", True), ("reference_gpu", False)],
)  # fmt: skip
def test_chips_before_7_nm_draw_more_a_product(name, older):
    device = hardware.load(name)
    factor = gpu_engine.TYPICAL["older_process"] if older else 1.0
    expected = factor * gpu_engine.TYPICAL["mac_j"]
    assert gpu_engine.efficiencies(device)["mac_j"] == pytest.approx(expected)


def test_what_a_power_limit_leaves_is_a_share_of_it():
    device = hardware.load("nvidia_t4")
    assert gpu_engine.budget_w(device) == pytest.approx(0.85 * 70.0)
    assert gpu_engine.budget_w(hardware.load("reference_gpu")) is None


def test_no_kernel_of_an_engine_is_shorter_than_the_shortest():
    # next to nothing to do: 5 us, and the gap to the next kernel of 1.4 us (assumptions); a loop
    # does not start as late as a product
    sizes = {"input_elements": 64.0, "output_elements": 64.0}
    product = kernel(KernelKind.LINEAR, m=8, n=8, k=8, macs=512, **sizes)
    loop = kernel(KernelKind.ELEMENTWISE, **sizes)
    for tiny, expected in ((product, 6.4e-6), (loop, 1.4e-6)):
        found = gpu_engine.kernel_times(tiny, DEVICE, known(shortest=5e-6), 100.0).kernel_s.item()
        assert found == pytest.approx(expected, rel=1e-2)


def test_half_precision_draws_twice_as_much_a_product_at_half_the_rate():
    # 2 bytes at half the peak: the same power, so the same clock, so twice the time
    values = known(mac_j=3e-12)
    half = gpu_kernels.Device(5e13, 1e13, 1e12, 0.0, 100.0, 2.0, 1.5e11)
    one = gpu_engine.kernel_times(PRODUCT, DEVICE, values, 100.0).compute_s
    two = gpu_engine.kernel_times(PRODUCT, half, values, 100.0).compute_s
    assert two == pytest.approx(2.0 * one)


def test_engines_share_their_efficiencies_and_a_profile_may_have_its_own():
    plain = gpu_known.efficiencies(hardware.load("nvidia_a100_pcie_40gb"), Stack.ENGINE)
    assert plain["convolution"] == plain["stem"] == gpu_engine.TYPICAL["convolution"]
    assert plain["recurrent"] == gpu_engine.TYPICAL["recurrent"]
    assert plain["memory_layer_norm"] == 1.0  # none of the detours of eager kernels
    fit = Fit("a test", 1, datetime.date(2026, 11, 26))
    own = hardware.load("nvidia_t4").with_fitted("efficiency.engine", {"convolution": 0.4}, fit)
    changed = gpu_known.efficiencies(own, Stack.ENGINE)
    assert changed["pointwise"] == 0.4
    assert changed["linear"] == gpu_engine.TYPICAL["linear"]
    whole = {name: p.start for name, p in parameters.GPU.items()} | {"clock": 0.9}
    table = hardware.load("nvidia_t4").with_fitted("efficiency.engine", whole, fit)
    assert "mac_j" not in gpu_known.efficiencies(
        table, Stack.ENGINE
    )  # a calibrated clock is measured


def test_an_engine_draws_no_more_than_its_power_limit():
    from characterize import projection, session

    columns = session.columns(session.subject("resnet", {}, 8), Stack.ENGINE)
    device = hardware.load("nvidia_a100_pcie_40gb")
    found = projection.project_columns(columns, device, "int8", Stack.ENGINE)
    energy = found.energy_static_j + found.energy_dynamic_j
    assert (energy / found.latency_s <= device.number("power.tdp_w") * (1 + 1e-9)).all()


@pytest.mark.parametrize("name", ["nvidia_t4", "nvidia_a100_pcie_40gb", "nvidia_a2"])
def test_watts_peak_and_bandwidth_never_slow_an_engine_down(name):
    from characterize import projection, session

    columns = session.columns(session.subject("resnet", {}, 8), Stack.ENGINE)
    device = hardware.load(name)

    def seconds(profile: hardware.Profile) -> float:
        return float(
            projection.project_columns(columns, profile, "int8", Stack.ENGINE).latency_s[0]
        )

    before = seconds(device)
    for key in ("power.tdp_w", "peak_flops_per_s.int8", "memory.bytes_per_s"):
        assert seconds(device.with_({key: 2.0 * device.number(key)})) <= before * (1 + 1e-9), key
    assert seconds(device.with_({"power.tdp_w": 0.5 * device.number("power.tdp_w")})) > before


# Rows

NORM = kernel(KernelKind.LAYER_NORM, input_elements=4096 * 1024, output_elements=4096 * 1024,
              row_elements=1024)  # fmt: skip
ROWS = {"norm_rows": 16.0, "norm_start": 2e-6, "norm_element": 1e-9}


def test_blocks_of_a_layer_norm_wait_for_each_other_by_hand():
    # 4,096 rows on 64 multiprocessors of 16 blocks are 4 rounds of 2 us + 1,024 x 1 ns
    assert gpu_rows.waiting_s(NORM, 64.0, ROWS).item() == pytest.approx(4 * 3.024e-6)
    # on 1,024 of them all are at work at once, and one round is the least
    assert gpu_rows.waiting_s(NORM, 1024.0, ROWS).item() == pytest.approx(3.024e-6)


def test_a_second_pass_reads_what_the_cache_does_not_hold_by_hand():
    # 64 x 16 rows of 2 KiB are 2 MiB in flight: a cache of 2 MiB holds half of the second reading
    cache = Cache(2.0, 2.0 * 2**20, 3.0)
    again = gpu_rows.read_again_bytes(NORM, 64.0, cache, ROWS).item()
    assert again == pytest.approx(4096 * 1024 * 2 / 2)


def test_tables_without_rows_and_other_kernels_stay_as_they_are():
    none = {**ROWS, "norm_rows": 0.0}
    assert not gpu_rows.waiting_s(NORM, 64.0, none).any()
    softmax = kernel(KernelKind.SOFTMAX, input_elements=1e6, output_elements=1e6)
    assert not gpu_rows.waiting_s(softmax, 64.0, ROWS).any()
    assert not gpu_rows.read_again_bytes(softmax, 64.0, Cache(2.0, 1e6, 3.0), ROWS).any()


# Servers

SERVER = server_power.Server(2, 200.0, 4, 250.0)


def test_the_power_of_a_server_by_hand():
    # 2 x 200 W of processors, four accelerators, 4 x 250 W of their limits
    host, board, accelerator = server_power.SHARES
    assert server_power.terms_w(SERVER).tolist() == [400.0, 4.0, 1000.0]
    expected = 400.0 * host + 4.0 * board + 1000.0 * accelerator
    assert server_power.wall_power_w(SERVER) == pytest.approx(expected)
    assert server_power.wall_energy_j(SERVER, 1e4) == pytest.approx(expected / 1e4)


def test_one_measured_row_of_a_server_outweighs_its_datasheets():
    known_server = server_power.calibrated(SERVER, 1234.0)
    assert server_power.wall_power_w(known_server) == 1234.0
    assert server_power.wall_energy_j(known_server, 617.0) == pytest.approx(2.0)


def test_shares_of_power_are_found_again_and_never_negative():
    terms = np.array(
        [[300.0, 1, 70], [400.0, 4, 1000], [200.0, 8, 3200], [450.0, 8, 2000], [185.0, 1, 60]]
    )
    found = server_power.fit(terms, terms @ np.array([0.7, 100.0, 0.5]))
    assert found == pytest.approx([0.7, 100.0, 0.5])
    only_host = server_power.fit(terms, terms @ np.array([1.0, -20.0, 0.5]))
    assert (only_host >= 0.0).all()


def test_the_published_figures_of_servers_name_devices_batches_and_sources():
    path = data_directory() / "published" / "servers.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 12
    for row in rows:
        device = hardware.load(row["hardware"])
        assert Precision(row["precision"]) in device.precisions
        assert "MLPerf Inference" in row["source"]
        assert not row["power_w"], "the accelerators' own power is not published"
        assert float(row["wall_power_w"]) > (device.tdp_w or 0.0) * 0.9


@pytest.mark.parametrize("name", ["nvidia_a100_pcie_40gb", "nvidia_a2", "nvidia_t4"])
def test_resnet_50_under_an_engine_is_within_a_fifth_of_mlperf(name):
    # offline figures of data/published/servers.csv; the fit that ships has seen their like, so that
    # this holds the path from template to row together rather than proving the model; submissions with
    # the same accelerator differ by 1.2 as some choose a lower power limit
    from characterize import projection, session

    path = data_directory() / "published" / "servers.csv"
    with path.open(encoding="utf-8", newline="") as file:
        row = next(
            r for r in csv.DictReader(file) if r["hardware"] == name and r["model"] == "resnet"
        )
    columns = session.columns(session.subject("resnet", {}, int(row["batch"])), Stack.ENGINE)
    found = projection.project_columns(columns, hardware.load(name), "int8", Stack.ENGINE)
    assert found.latency_s[0] == pytest.approx(float(row["latency_s"]), rel=0.20)


@pytest.mark.skipif(not MEASUREMENTS.is_dir(), reason="the published measurements are not here")
def test_unseen_servers_power_is_within_thirteen_percent_in_the_median():
    from benchmarks import validate_servers

    table = validate_servers.power_rows(MEASUREMENTS)
    unseen = validate_servers.unseen_power(table)
    error = np.abs(unseen / table.avg_power_w.to_numpy() - 1.0)
    assert np.median(error) <= 0.13
    known_row, judged = np.array(validate_servers.pairs_of_a_system(table, "system")).T
    measured = table.avg_power_w.to_numpy()
    assert np.median(np.abs(measured[known_row] / measured[judged] - 1.0)) <= 0.04


@pytest.mark.skipif(not MEASUREMENTS.is_dir(), reason="the published measurements are not here")
def test_resnet_50_of_an_accelerator_left_out_is_met():
    """Every accelerator by a fit on the others' ResNet-50 alone: the target is 10 % in the median.

    The T4, the only chip of its kind (12 nm), is the furthest off: what it draws more, its own
    row would have to say.
    """
    import pandas as pd

    from benchmarks import validate_servers
    from characterize import tracing

    graph = tracing.trace("resnet", depth=50, batch=2)
    columns = features.columns(fusion.fuse(graph, stack="engine")).kernels.batched(128.0)
    every = validate_servers.cells(validate_servers.rows(MEASUREMENTS))
    table = every[every.benchmark == "resnet50"].reset_index(drop=True)
    nets = {"resnet50": (columns, 256)}
    ratio = np.empty(len(table))
    for name in table.hardware.unique():
        judged = (table.hardware == name).to_numpy()
        values = validate_servers.fit(pd.DataFrame(table[~judged]), nets)
        per_s = 1.0 / validate_servers.seconds(validate_servers.runs(table[judged], nets), values)
        ratio[judged] = per_s / table.per_s[judged].to_numpy()
    assert np.median(np.abs(ratio - 1.0)) <= 0.10
    assert ((ratio > 0.8) & (ratio < 1.2)).all()


def test_a_card_of_int8_alone_is_projected_under_every_stack():
    # its libraries have no half precision to fall back on
    card = hardware.load("nvidia_a100_sxm_80gb")
    peaks = [key for key in card.stated if key.startswith("peak_flops_per_s.")]
    kept = {k: v for k, v in card.stated.items() if k not in peaks or k.endswith("int8")}
    alone = dataclasses.replace(card, stated=Frozen(kept), default_precision=Precision.INT8)
    table = [
        session.project("conv2d_stack", {}, stack=stack, hardware=[alone], keep=False)
        for stack in ("eager", "compiled", "engine")
    ]
    assert all(row["latency_s"].item() > 0 for row in table)

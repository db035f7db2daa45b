"""TPUs, KPUs and edge processors: one layer by hand on each model, laws on random kernels."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from characterize import features, fusion, hardware
from characterize.columns import KINDS, KernelColumns
from characterize.hardware import Profile, edge_cpu, kpu, tpu
from characterize.paths import data_directory
from characterize.records import Architecture, KernelKind, Precision, Stack

_K = KernelKind
MEASUREMENTS = Path(
    os.environ.get(
        "CHARACTERIZE_MEASUREMENTS", Path(__file__).parents[2] / "shared" / "measurements"
    )
)
MODELS = ("systolic_array", "domain_flow", "edge_cores")
DEVICES = [name for name in hardware.names(False) if hardware.load(name).execution_model in MODELS]
ONE = ("count", "groups", "kernel_area", "stride", "operators")
PER_SAMPLE = ("macs", "worked_macs", "vector_flops", "transcendentals", "m", "input_elements",
              "other_elements", "output_elements", "entering_elements", "sliced_elements")  # fmt: skip
COLUMNS = ("count", "macs", "worked_macs", "vector_flops", "transcendentals", "m", "n", "k",
           "groups", "kernel_area", "stride", "input_elements", "other_elements", "weight_elements",
           "output_elements", "fixed_read_bytes", "fixed_write_bytes", "intermediate_elements",
           "operators", "entering_elements", "sliced_elements")  # fmt: skip


def layers(*rows: dict[str, Any], batches: tuple[int, ...] = (1,)) -> KernelColumns:
    """Columns with a row a kernel and a column a batch; what a row does not say is 0 (or 1)."""
    table: dict[str, Any] = {}
    for name in COLUMNS:
        given_ = [[float(row.get(name, 1.0 if name in ONE else 0.0))] for row in rows]
        scale = np.array([batches], dtype=float) if name in PER_SAMPLE else np.ones((1, 1))
        table[name] = np.array(given_) * scale
    table["worked_macs"] = table["macs"]
    table["kind"] = np.array([KINDS.index(row.get("kind", _K.LINEAR)) for row in rows])
    return KernelColumns(**table)


def conv(size: int, entering: int, leaving: int, kernel: int, **more: Any) -> dict[str, Any]:
    """A dense convolution on ``size x size`` positions."""
    kind = _K.POINTWISE_CONVOLUTION if kernel == 1 else _K.CONVOLUTION
    area = kernel * kernel
    return {
        "kind": kind, "m": size * size, "n": leaving, "k": entering * area, "kernel_area": area,
        "macs": size * size * leaving * entering * area, "input_elements": size * size * entering,
        "output_elements": size * size * leaving, "weight_elements": entering * leaving * area,
    } | more  # fmt: skip


def run(device: Profile, columns: KernelColumns, precision: str | None = None) -> Any:
    return hardware.estimate(columns, device, precision or device.default_precision, "engine")


# Systolic arrays by hand


def test_a_convolution_on_a_tpu_is_one_padded_product_a_kernel_position():
    # 56 x 56, 64 -> 64 channels, 3 x 3: each of 9 taps loads one 128 x 128 piece (64 of 128 rows and
    # columns used) and streams 3136 positions + 128 to fill: 9 x 3264 clocks of one array;
    # four arrays at 940 MHz do 123.2e12 / (2 x 128 x 128) such clocks a second
    device = hardware.load("google_tpu_v3")
    columns = layers(conv(56, 64, 64, 3))
    clocks_per_s = 1.23e14 / (2 * 128 * 128)
    expected = 9 * (56 * 56 + 128) / clocks_per_s / 0.78
    got = run(device, columns, "bf16")
    assert got.compute_s.item() == pytest.approx(expected)
    assert got.tiles.item() == 9


def test_the_stem_of_a_cnn_packs_its_kernel_positions():
    # 3 channels x 49 taps = 147 rows: two pieces instead of 49
    device = hardware.load("google_tpu_v3")
    columns = layers(conv(112, 3, 64, 7))
    channels, taps = tpu.channels_and_taps(columns)
    assert (channels.item(), taps.item()) == (147, 1)
    assert run(device, columns, "bf16").tiles.item() == 2


def test_a_systolic_array_does_depthwise_work_on_its_vector_unit():
    device = hardware.load("google_tpu_v4")
    columns = layers({"kind": _K.DEPTHWISE_CONVOLUTION, "macs": 1e9, "m": 1e6, "n": 1, "k": 9,
                      "groups": 64, "kernel_area": 9})  # fmt: skip
    rate = device.vector_peak(Precision.BF16) * device.efficiency("engine")["vector"]
    assert run(device, columns).compute_s.item() == pytest.approx(2e9 / rate)


def test_an_edge_tpu_streams_what_does_not_fit_and_its_input_over_the_link():
    # 9 MB of weights in 3 layers, 7 x 2^20 stay; 150,528 bytes of image; nothing overlaps
    coral = hardware.load("google_coral_edge_tpu")
    columns = layers({"count": 3, "weight_elements": 3e6, "entering_elements": 150_528})
    got = run(coral, columns)
    spilled = 9e6 - 7 * 2**20
    expected = (spilled + 150_528) / 425e6 + (9e6 - spilled) / 12e9
    assert (got.memory_s * 3).item() == pytest.approx(expected)
    assert (got.latency_s * 3).item() == pytest.approx(expected)


# Fabrics by hand


def test_a_tile_fabric_fills_and_drains_once_a_chain():
    # 128 x 128 positions, 64 channels: 512 x 2 = 1024 blocks of 32 x 32 on 256 tiles: chains of 4;
    # utilisation N S / (N S + F + D) = 4 x 576 / (4 x 576 + 64)
    device = hardware.load("stillwater_kpu_t256")
    layer = conv(128, 64, 64, 3)
    got = run(device, layers(layer), "int8")
    share = device.efficiency("engine")["compute"]
    utilisation = 4 * 576 / (4 * 576 + 32 + 32)
    expected = 2 * layer["macs"] / (3.146e14 * share * utilisation)
    assert got.compute_s.item() == pytest.approx(expected, rel=1e-9)
    assert got.tiles.item() == 1024


def test_only_some_tiles_of_a_fabric_have_fp32():
    device = hardware.load("stillwater_kpu_t256")
    assert kpu.tiles_of(device, Precision.INT8) == kpu.tiles_of(device, Precision.BF16) == 256
    assert kpu.tiles_of(device, Precision.FP32) == 51


def test_channels_of_a_k230_come_in_groups_of_24():
    # 32 -> 64 channels become 48 -> 72
    device = hardware.load("kendryte_k230")
    layer = conv(28, 32, 64, 1)
    expected = 2 * 28 * 28 * 48 * 72 / (1.3e12 * 0.57)
    assert run(device, layers(layer)).compute_s.item() == pytest.approx(expected)


def test_reading_a_slice_is_a_copy_on_a_k230():
    device = hardware.load("kendryte_k230")
    whole, part = (run(device, layers(conv(28, 24, 24, 1, sliced_elements=n))) for n in (0, 16_400))
    added = part.compute_s.item() - whole.compute_s.item()
    assert added == pytest.approx(16_400 / 1.64e8)  # 0.1 ms


def test_a_chunk_that_a_kernel_reads_is_counted_as_a_slice():
    import torch
    from torch import nn

    from characterize import tracing

    class Halves(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(8, 8, 3, padding=1)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            first, _second = torch.relu(image).chunk(2, 1)
            return self.conv(first)

    graph = tracing.trace(Halves(), torch.empty(1, 16, 4, 4))
    found = features.columns(fusion.fuse(graph, stack="engine")).kernels
    # the convolution reads 8 of 16 channels of 4 x 4; the image enters whole
    assert found.sliced_elements.sum() == 8 * 16
    assert found.entering_elements.item() == 16 * 16


def test_a_network_that_does_not_fit_a_dataflow_chip_is_switched_in_once_a_batch():
    # 61 layers of 1e6 weights: 61 / 120 + 61 / 54 >= 1; all cross 4.4 GB/s, 35.6 us a layer
    hailo = hardware.load("hailo_8")
    small = {"kind": _K.POINTWISE_CONVOLUTION, "weight_elements": 1e6, "count": 10}
    large = small | {"count": 61}
    assert run(hailo, layers(small)).latency_s.item() == 0
    once = run(hailo, layers(large)).latency_s.item() * 61
    assert once == pytest.approx(61e6 / 4.4e9 + 61 * 35.6e-6)
    eight = run(hailo, layers(large | conv(56, 64, 64, 1, weight_elements=1e6), batches=(1, 8)))
    assert eight.latency_s[0, 1] < 8 * eight.latency_s[0, 0]


# Edge processors by hand


def test_the_parts_of_a_layer_add_up_on_a_raspberry_pi():
    # 28 x 28, 64 -> 64, 1 x 1 in fp32: 3,211,264 macs at 0.565 of 47.88e9 / 2;
    # 100,352 elements in and out and 4,096 weights of 4 bytes at 0.168 and 0.576 of 12.8 GB/s
    pi = hardware.load("raspberry_pi_4")
    got = run(pi, layers(conv(28, 64, 64, 1)), "fp32")
    assert got.compute_s.item() == pytest.approx(3_211_264 / (0.565 * 47.88e9 / 2))
    memory_s = 100_352 * 4 / (0.168 * 12.8e9) + 4_096 * 4 / (0.576 * 12.8e9)
    assert got.memory_s.item() == pytest.approx(memory_s)
    # 1.26 ms a call of which the profile's inference_s holds 0.44
    assert got.overhead_s.item() == pytest.approx(3.95e-6 + 0.82e-3)
    assert got.latency_s.item() == pytest.approx(
        (got.compute_s + got.memory_s + got.overhead_s).item()
    )


def test_channels_are_rounded_to_8_and_pixels_to_4_on_an_edge_processor():
    (_, products, _), _ = edge_cpu.work(layers(conv(3, 16, 12, 1)))
    assert products.item() == pytest.approx(12 * 16 * 16)  # 9 x 12 become 12 x 16


def test_a_board_that_nobody_measured_has_the_shares_of_its_runtime():
    # four equal cores at 2.4 GHz: 36,800 clocks an operator, 1.36e6 and 0.581e6 a call
    pi5 = hardware.load("raspberry_pi_5")
    for precision, name, call in (
        (Precision.FP16, "fp32", 1.36e6),
        (Precision.INT8, "int8", 0.581e6),
    ):
        shares = edge_cpu.efficiencies(pi5, precision)
        assert shares["pointwise"] == edge_cpu.TYPICAL[name]["pointwise"]
        assert shares["operator_s"] == pytest.approx(36.8e3 / 2.4e9)
        assert shares["inference_s"] == pytest.approx(call / 2.4e9)


def test_small_cores_count_a_quarter_of_their_peak():
    # RK3399: 2 x 8 x 1.8 GHz = 28.8 and 4 x 8 x 1.4 GHz = 44.8 Gflop/s: (28.8 + 11.2) / 73.6
    board = hardware.load("raspberry_pi_5").with_(
        {"units.performance_cores": 2, "units.efficiency_cores": 4, "units.flops_per_clock": 8,
         "units.clock_base_hz": 1.8e9, "units.clock_boost_hz": 1.8e9,
         "units.efficiency_clock_boost_hz": 1.4e9}
    )  # fmt: skip
    assert edge_cpu.usable_share(board) == pytest.approx(40.0 / 73.6)
    shares = edge_cpu.efficiencies(board, Precision.FP32)
    assert shares["pointwise"] == pytest.approx(0.618 * 40.0 / 73.6)
    assert shares["activation"] == edge_cpu.TYPICAL["fp32"]["activation"]
    assert edge_cpu.usable_share(hardware.load("raspberry_pi_5")) == 1.0


def test_integers_that_are_no_faster_do_not_slow_a_runtime_down():
    # int8 at the fp32 peak: depthwise would be 0.0527 of it, beside 0.1 in fp32
    pi5 = hardware.load("raspberry_pi_5")
    slow = pi5.with_({"peak_flops_per_s.int8": pi5.peak(Precision.FP32)})
    assert edge_cpu.efficiencies(slow, Precision.INT8)["depthwise"] == pytest.approx(0.1)


def test_a_device_that_nobody_measured_has_the_band_of_devices_left_out():
    for name, spread in (("google_tpu_v4", 0.40), ("kendryte_k210", 0.46)):
        assert hardware.load(name).log_std("compiled") == spread
    assert hardware.load("stillwater_kpu_t64").log_std("compiled") == 0.70  # no silicon
    assert hardware.load("hailo_8").log_std("engine") == 0.27  # its own
    pi5, pi4 = hardware.load("raspberry_pi_5"), hardware.load("raspberry_pi_4")
    assert (pi5.log_std("engine"), pi5.log_std("compiled")) == (0.15, 0.45)
    assert pi4.log_std("engine") == 0.1  # its own
    assert pi5.with_({"uncertainty.log_std": 0.3}).log_std("engine") == 0.3


def test_power_at_the_wall_is_a_base_and_the_rate_of_multiply_accumulates():
    # 301e6 macs in 64.6 ms are 4.66e9 a second: 5.46 W + 80 pJ x 4.66e9 = 5.83 W; measured 5.75 W
    pi = hardware.load("raspberry_pi_4")
    watts = hardware.wall_power_w(pi, Precision.FP32, np.array([4.66e9]))
    assert watts.item() == pytest.approx(5.46 + 80e-12 * 4.66e9)
    unknown = hardware.load("raspberry_pi_5")
    assert np.isnan(hardware.wall_power_w(unknown, Precision.FP32, np.array([1e9]))).all()


# Laws

SIZE = st.integers(1, 400)
LAYER = st.builds(
    conv, st.integers(1, 64), SIZE, SIZE, st.sampled_from([1, 3, 5]), count=st.integers(1, 9),
    vector_flops=st.integers(0, 10**7), transcendentals=st.integers(0, 10**5),
    other_elements=st.integers(0, 10**5),
)  # fmt: skip
NETWORK = st.lists(LAYER, min_size=1, max_size=4)
DEVICE = st.sampled_from(DEVICES)


def seconds(device: Profile, columns: KernelColumns, precision: Precision) -> Any:
    got = hardware.estimate(columns, device, precision, Stack.ENGINE)
    return (got.latency_s * columns.count).sum(axis=0)


def joules(device: Profile, columns: KernelColumns, precision: Precision) -> Any:
    got = hardware.estimate(columns, device, precision, Stack.ENGINE)
    dynamic = (got.compute_energy_j + got.memory_energy_j) * columns.count
    return dynamic.sum(axis=0) + seconds(device, columns, precision) * device.idle_w


@settings(max_examples=60, deadline=None)
@given(NETWORK, DEVICE, st.data())
def test_no_layer_beats_operations_at_peak_or_compulsory_traffic(network, name, data):
    device, columns = hardware.load(name), layers(*network)
    precision = data.draw(st.sampled_from(device.precisions))
    got = hardware.estimate(columns, device, precision, Stack.ENGINE)
    assert (got.latency_s >= 2 * columns.macs / device.peak(precision) * (1 - 1e-12)).all()
    if not device.on_chip_only:
        weights_s = columns.weight_elements * precision.bytes / device.memory_bytes_per_s
        assert (got.latency_s >= weights_s * (1 - 1e-12)).all()
    assert (got.tiles >= 1).all()


@settings(max_examples=60, deadline=None)
@given(NETWORK, DEVICE, st.floats(1, 8), st.data())
def test_more_of_anything_is_never_slower(network, name, factor, data):
    device, columns = hardware.load(name), layers(*network)
    precision = data.draw(st.sampled_from(device.precisions))
    rates = ("peak_flops_per_s", "vector_flops_per_s", "memory.bytes_per_s", "link.bytes_per_s",
             "on_chip.bytes_per_s", "on_chip.capacity_bytes")  # fmt: skip
    key = data.draw(st.sampled_from(
        [k for k in device.figures if k.startswith(rates) and device.value(k) is not None]))  # fmt: skip
    better = device.with_({key: device.value(key) * factor})
    assert (
        seconds(better, columns, precision) <= seconds(device, columns, precision) * 1.0000001
    ).all()


@settings(max_examples=40, deadline=None)
@given(NETWORK, st.sampled_from(["stillwater_kpu_t64", "stillwater_kpu_t768"]), st.integers(2, 6))
def test_more_tiles_of_the_same_kind_are_never_slower(network, name, times):
    device, columns = hardware.load(name), layers(*network)
    peak = {f"peak_flops_per_s.{p}": v * times for p, v in device.peak_flops_per_s.items()}
    tiles = {f"units.{key}": int(device.units[key]) * times for key in ("tiles", "tiles_bf16")}
    wider = device.with_({**peak, **tiles})
    for precision in device.precisions:
        assert (
            seconds(wider, columns, precision) <= seconds(device, columns, precision) * 1.0000001
        ).all()


@settings(max_examples=60, deadline=None)
@given(NETWORK, DEVICE, st.data())
def test_a_larger_batch_is_never_faster(network, name, data):
    device = hardware.load(name)
    precision = data.draw(st.sampled_from(device.precisions))
    found = seconds(device, layers(*network, batches=(1, 2, 16)), precision)
    assert (np.diff(found) >= -1e-12 * found[1:]).all()


@settings(max_examples=60, deadline=None)
@given(NETWORK, DEVICE)
def test_a_narrower_format_is_never_slower_and_never_costs_more(network, name):
    device, columns = hardware.load(name), layers(*network)
    for wide in device.precisions:
        for narrow in device.precisions:
            if narrow.bytes < wide.bytes:
                fast, slow = (seconds(device, columns, p) for p in (narrow, wide))
                assert (fast <= slow * 1.0000001).all(), (wide, narrow)
                cheap, dear = (joules(device, columns, p) for p in (narrow, wide))
                assert (cheap <= dear * 1.0000001).all(), (wide, narrow)


# Measurements


def test_every_architecture_has_an_execution_model_of_its_own():
    for name in ("google_tpu_v5e", "stillwater_kpu_t64", "hailo_8"):
        device = hardware.load(name)
        expected = "systolic_array" if device.architecture is Architecture.TPU else "domain_flow"
        assert device.execution_model == expected


def test_the_published_single_figures_name_devices_and_sources_that_exist():
    path = data_directory() / "published" / "edge.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 15
    for row in rows:
        assert row["hardware"] in hardware.names(), row
        assert row["source"].strip(), row
        assert any(float(row[key]) > 0 for key in ("latency_s", "power_w", "energy_j") if row[key])
        assert Precision(row["precision"]) in hardware.load(row["hardware"]).precisions, row


@pytest.mark.skipif(not MEASUREMENTS.is_dir(), reason="the published measurements are not here")
def test_resnet_50_on_four_tpu_v3_chips_is_within_ten_percent_of_mlperf():
    from characterize import tracing

    with (MEASUREMENTS / "mlperf_tpu.csv").open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["benchmark"] == "resnet"]
    measured = next(
        float(r["samples_per_s"])
        for r in rows
        if r["scenario"] == "Offline" and float(r["n_accel"]) == 8  # cores
    )
    graph = tracing.trace("resnet", depth=50, batch=256)
    columns = features.columns(fusion.fuse(graph, stack="engine")).kernels
    device = hardware.load("google_tpu_v3")
    # calls of an offline run follow each other: their fixed time is hidden
    projected = 4 * 256 / seconds(device, columns, Precision.BF16).item()
    assert projected == pytest.approx(measured, rel=0.10)


def test_a_deep_convolution_comes_near_a_product():
    # 27 terms: the stem's 4 %; d = 27 x (0.4/0.04 - 1) = 243, so 576 terms reach 0.4 x 576/819
    shares = edge_cpu.convolution_share(np.array([27.0, 576.0]), 0.04, 0.4)
    assert shares.tolist() == pytest.approx([0.04, 0.4 * 576 / 819])

"""Single operators as launched kernels, and their times against published ones."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks import operator_columns, validate_operators
from characterize import hardware
from characterize.columns import KINDS
from characterize.records import KernelKind, Precision

MEASUREMENTS = Path(
    os.environ.get(
        "CHARACTERIZE_MEASUREMENTS", Path(__file__).parents[2] / "shared" / "measurements"
    )
)

# rows x width operators: kernels, elements read and written
SIZES = [
    (("relu", 7, 100), 1, 700, 700),
    (("add", 7, 100), 1, 2 * 700, 700),
    (("add3", 7, 100), 2, 2 * 2 * 700, 2 * 700),  # eager adds twice
    (("softmax", 7, 100), 1, 700, 700),
    (("ln", 7, 100), 1, 700, 700),
    (("gated", 7, 100), 1, 2 * 700, 700),  # both halves in, one out
    (("rotary", 7, 3, 64), 1, 7 * 3 * 64 + 7 * 64, 7 * 3 * 64),
    (("embedding", 7, 1000, 64), 1, 0, 7 * 64),
]


@pytest.mark.parametrize(("shape", "count", "read", "written"), SIZES, ids=lambda v: str(v))
def test_an_operators_kernels_move_what_it_reads_and_writes(shape, count, read, written):
    columns = operator_columns.kernels(shape)
    times = columns.count
    assert times.sum() == count
    if shape[0] != "embedding":  # it reads rows of its weight
        found = (columns.input_elements + columns.other_elements) * times
        assert found.sum() == read
    assert (columns.output_elements * times).sum() == written


def test_a_linear_layer_is_one_product_of_its_sizes():
    columns = operator_columns.kernels(("linear", 5, 64, 48))
    assert KINDS[columns.kind[0]] is KernelKind.LINEAR
    sizes = [columns.m, columns.k, columns.n, columns.macs, columns.weight_elements]
    assert [v.item() for v in sizes] == [5, 64, 48, 5 * 64 * 48, 64 * 48]


def test_side_by_side_shapes_take_as_long_as_each_alone():
    device = hardware.load("nvidia_a100_pcie_40gb")
    shapes = [("relu", 4096, 512), ("ln", 4096, 512), ("relu", 64, 64), ("ln", 1 << 14, 4096)]
    kernels = operator_columns.table(shapes)
    together = validate_operators.device_s(shapes, kernels, device, Precision.FP32)
    alone = [validate_operators.device_s([s], kernels, device, Precision.FP32)[0] for s in shapes]
    assert together == pytest.approx(alone)


def test_a_large_relu_takes_its_bytes_over_the_bandwidth_that_the_profile_states():
    # 2^28 elements of 4 B in and out at 0.886 of 1,555 GB/s, and the gap of 1.4 us to the next kernel
    device = hardware.load("nvidia_a100_pcie_40gb")
    shape = ("relu", 1 << 14, 1 << 14)
    kernels = operator_columns.table([shape])
    found = validate_operators.device_s([shape], kernels, device, Precision.FP32)[0]
    expected = 2 * 4 * 2**28 / (0.886 * 1.555e12) + 1.4e-6
    assert found == pytest.approx(expected, rel=0.01)


def test_halves_do_not_depend_on_the_order_of_the_shapes():
    shapes = [("relu", i, 2 * i) for i in range(1, 41)]
    first = validate_operators.half(shapes)
    assert first.sum() == 20
    assert (validate_operators.half(shapes[::-1])[::-1] == first).all()


@pytest.mark.skipif(not MEASUREMENTS.is_dir(), reason="the published measurements are not here")
def test_elementwise_operators_and_layer_norms_of_a_t4_are_met():
    import pandas as pd

    table = pd.read_csv(MEASUREMENTS / "neusight_ops_fp32.csv")
    table = table[(table.device == "Tesla T4") & table.op.isin(["add", "relu", "ln"])]
    table = table.iloc[::11]
    shapes = [(op, int(b), int(h)) for op, b, h in zip(table.op, table.B, table.H, strict=True)]
    device = hardware.load("nvidia_t4")
    seconds = validate_operators.device_s(
        shapes, operator_columns.table(shapes), device, Precision.FP32
    )
    norm = (table.op == "ln").to_numpy()
    call = device.inference_overhead_s + norm * validate_operators.LAYER_NORM_CALL_S
    error = np.abs((seconds + call) / (table.latency_ms.to_numpy() / 1e3) - 1.0)
    assert np.median(error[~norm]) < 0.05
    assert np.median(error[norm]) < 0.12

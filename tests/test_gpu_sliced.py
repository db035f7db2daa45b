"""Grouped convolutions in channels-last whose widths no library kernel takes."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from characterize import hardware
from characterize.columns import KernelColumns
from characterize.hardware import gpu_kernels, gpu_known, gpu_products
from characterize.paths import data_directory
from characterize.records import KernelKind, Precision
from tests.test_hardware_models import kernels

H100 = hardware.load("nvidia_h100_sxm")
HALF = gpu_kernels.Device.of(H100, Precision.FP16)


def grouped(width: int, groups: int, pixels: int, side: int = 3) -> KernelColumns:
    channels, area = width * groups, side * side
    return kernels({
        "kind": KernelKind.GROUPED_CONVOLUTION, "m": pixels, "n": width, "k": width * area,
        "groups": groups, "kernel_area": area, "macs": pixels * channels * width * area,
        "input_elements": pixels * channels, "output_elements": pixels * channels,
        "weight_elements": channels * width * area,
    })  # fmt: skip


def test_channels_are_cut_out_and_joined_by_hand():
    # 2 x 1,000 x 224 elements at 2 clocks, on 132 multiprocessors of 1 GHz; 3 kernels for each of 2 groups
    device = replace(HALF, clocks_per_s=132e9)
    known = {"sliced": 2.0, "clock": 1.0, "launch": 1e-6}
    taken = gpu_products.slices_s(grouped(112, 2, 1000), device, known).item()
    assert taken == pytest.approx(2 * 1000 * 224 * 2.0 / 132e9 + 6e-6)
    # of more than four groups, all are padded together
    more = gpu_products.slices_s(grouped(112, 27, 1000), device, known).item()
    assert more == pytest.approx(2 * 1000 * 3024 * 2.0 / 132e9 + 12e-6)


@pytest.mark.parametrize(
    ("width", "side", "precision", "table"),
    [(32, 3, "fp16", "eager"), (128, 3, "fp16", "eager"), (112, 1, "fp16", "eager"),
     (112, 3, "fp32", "eager"), (112, 3, "fp16", "eager_nchw")],
)  # fmt: skip
def test_what_has_a_kernel_of_its_own_is_not_cut(width, side, precision, table):
    device = gpu_kernels.Device.of(H100, Precision(precision))
    known = gpu_known.efficiencies(H100, table)
    assert not gpu_products.slices_s(grouped(width, 4, 1000, side), device, known).any()


def test_our_h100s_groups_of_112_channels_are_within_a_third():
    table = pd.read_csv(data_directory() / "published" / "h100_operators.csv")
    rows = table[(table["groups"] * 112 == table["channels"]) & (table["channels_last"] == 1)]
    known = gpu_known.efficiencies(H100, "eager")
    assert len(rows) == 8
    for row in rows.itertuples():
        pixels = int(row.batch * row.height * row.width)
        columns = grouped(112, int(row.groups), pixels)
        taken = gpu_kernels.kernel_times(columns, HALF, known).kernel_s.item()
        assert 0.67 < taken / row.latency_s < 1.1, (row.channels, row.batch)

"""Matrix products whose rows do not begin at multiples of 16 bytes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from characterize import hardware
from characterize.hardware import gpu_kernels, gpu_known, gpu_products
from characterize.paths import data_directory
from characterize.records import KernelKind, Precision
from tests.test_hardware_models import kernels

H100 = hardware.load("nvidia_h100_sxm")


def product_s(
    m: int, n: int, k: int, precision: str = "fp16", device: str = "nvidia_h100_sxm"
) -> float:
    profile = hardware.load(device)
    product = kernels({"kind": KernelKind.LINEAR, "m": m, "n": n, "k": k, "macs": m * n * k})
    return gpu_products.product_s(
        product, gpu_kernels.Device.of(profile, Precision(precision)),
        gpu_known.efficiencies(profile, "eager"), {},
    ).item()  # fmt: skip


@pytest.mark.parametrize(
    ("size", "precision", "slower"),
    [(4088, "fp16", 1.0), (4092, "fp16", 3.0), (4092, "bf16", 3.0), (4095, "fp16", 1.5 * 3.8),
     # four elements of tf32 are 16 bytes; what is slow in fp16 takes as long in tf32
     (4092, "tf32", 1.0), (4094, "tf32", 1.5), (4095, "tf32", 1.5 * 1.9),
     (4092, "fp32", 1.0), (4095, "fp32", 1.5)],
)  # fmt: skip
def test_rows_at_odd_places_are_slower(size, precision, slower):
    # 4,088 to 4,096 columns are the same tiles
    assert product_s(4096, size, 4096, precision) == pytest.approx(
        slower * product_s(4096, 4096, 4096, precision)
    )


def test_rows_of_the_result_may_be_odd_and_other_cards_stay_as_they_were_fitted():
    assert product_s(4095, 4096, 4096) == product_s(4096, 4096, 4096)
    even, whole = (product_s(4096, n, 4096, device="nvidia_rtx_3090") for n in (4092, 4096))
    assert even == whole


def test_our_h100s_odd_products_are_right_in_the_median():
    # 57 fp16 products of sizes that are no multiple of 8; they were projected at 0.27 of their time
    table = pd.read_csv(data_directory() / "published" / "h100_operators.csv")
    rows = table[(table["operator"] == "linear") & (table["precision"] == "fp16")
                 & ((table["n"] % 8 != 0) | (table["k"] % 8 != 0))]  # fmt: skip
    known, half = gpu_known.efficiencies(H100, "eager"), gpu_kernels.Device.of(H100, Precision.FP16)
    sizes = [{"kind": KernelKind.LINEAR, "m": row.m, "n": row.n, "k": row.k, "macs": row.m * row.n * row.k,
              "input_elements": row.m * row.k, "output_elements": row.m * row.n,
              "weight_elements": row.n * row.k} for row in rows.itertuples()]  # fmt: skip
    taken = gpu_kernels.kernel_times(kernels(*sizes), half, known).kernel_s[:, 0]
    ratio = taken / rows["latency_s"].to_numpy()
    assert len(ratio) == 57
    assert 0.7 < np.median(ratio) < 1.0

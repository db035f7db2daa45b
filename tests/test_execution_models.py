"""The GPU and CPU models: kernels worked out by hand, and laws over sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from characterize import hardware
from characterize.columns import KINDS, KernelColumns
from characterize.hardware import cpu, gpu, gpu_kernels, parameters
from characterize.records import KernelKind, Precision, Stack

PLAIN_GPU = {name: p.start for name, p in parameters.GPU.items()} | {
    "clock": 1.0, "linear": 0.5, "tile": 8.0, "prologue": 16.0, "overlap": 1.0, "launch": 2e-6,
    "dispatch": 0.0, "memory_product": 1.0, "bandwidth": 0.5, "attention": 0.5,
    "attention_keys": 64.0, "attention_depth": 128.0,
}  # fmt: skip
PLAIN_CPU = {name: p.start for name, p in parameters.CPU.items()} | {
    "linear": 0.5, "few_rows": 0.0, "prologue": 0.0, "overlap": 1.0, "call_product": 1e-5,
    "weights_linear": 1.0, "packing": 0.0, "bandwidth": 0.5, "aliased": 2.0, "half_aliased": 1.0,
}  # fmt: skip
CARD = gpu_kernels.Device(
    1e14, 2e13, 1e12, 0.0, 100.0, 2.0
)  # 100 Tflop/s, 1 TB/s, no cache, 100 SMs
PROCESSOR = cpu.Device(1e12, 1e12, 1e11, 0.0, 16.0, 4.0)


def kernel(kind: KernelKind = KernelKind.LINEAR, **sizes: float) -> KernelColumns:
    names = ("count", "macs", "worked_macs", "vector_flops", "transcendentals", "m", "n", "k",
             "groups", "kernel_area", "stride", "input_elements", "other_elements",
             "weight_elements", "output_elements", "fixed_read_bytes", "fixed_write_bytes",
             "intermediate_elements", "operators")  # fmt: skip
    ones = ("count", "groups", "kernel_area", "stride", "operators")
    arrays: dict[str, Any] = {
        name: np.array([[float(sizes.get(name, name in ones))]]) for name in names
    }
    if "worked_macs" not in sizes:
        arrays["worked_macs"] = arrays["macs"]
    return KernelColumns(kind=np.array([KINDS.index(kind)]), **arrays)


def product(m: float, n: float, k: float, **sizes: Any) -> KernelColumns:
    sizes = {"input_elements": m * k, "weight_elements": n * k, "output_elements": m * n, **sizes}
    return kernel(m=m, n=n, k=k, macs=m * n * k, **sizes)


def test_a_product_on_a_gpu_by_hand():
    # 12800 x 128 x 1024. Tiles of 256 x 128: 50 on 100 units, one wave of 2 * 100 * 32768 with
    # loads 1 + 8 * 384 / 32768; of 128 x 128: 100, one wave of 2 * 100 * 16384, 1 + 8 * 256 / 16384
    # = 1.125, less; of 128 x 64: 200, two waves of 8192, 1 + 8 * 192 / 8192 = 1.1875, more.
    got = gpu_kernels.kernel_times(product(12800, 128, 1024), CARD, PLAIN_GPU)
    compute = 2 * 100 * 16384 * 1.125 * (1024 + 16) / (1e14 * 0.5)
    assert got.compute_s.item() == pytest.approx(compute)
    # (12800 * 1024 + 128 * 1024 + 12800 * 128) elements of 2 B at half of 1 TB/s
    memory = (12800 * 1024 + 128 * 1024 + 12800 * 128) * 2 / 5e11
    assert got.memory_s.item() == pytest.approx(memory)
    assert got.kernel_s.item() == pytest.approx(compute + memory + 2e-6)  # overlap 1 adds them up


def test_attention_on_a_gpu_by_hand():
    # 197 queries and keys: 256 rows x (256 + 64) keys x 12 heads x (4 * 64 + 128) flops
    columns = kernel(KernelKind.ATTENTION, m=197, n=197, k=64, groups=12, macs=12 * 197 * 197 * 128)
    got = gpu_kernels.kernel_times(columns, CARD, PLAIN_GPU)
    assert got.compute_s.item() == pytest.approx(256 * 320 * 12 * 384 / (1e14 * 0.5))


def test_a_cache_serves_what_was_just_written():
    near = kernel(KernelKind.ELEMENTWISE, input_elements=1e6, output_elements=0)
    device = gpu_kernels.Device(1e14, 2e13, 1e12, 1e7, 100.0, 2.0)
    known = {**PLAIN_GPU, "cache_share": 1.0, "cache_gain": 4.0}
    far = gpu_kernels.memory_s(near, device, known).item()
    assert far == pytest.approx(2e6 / 5e11)
    # touched 5e6 elements = 1e7 B ago, as much as the cache: half hits, each at 4 times the rate
    touched = KernelColumns(**{**near.__dict__, "input_distance": np.array([[5e6]])})
    assert gpu_kernels.memory_s(touched, device, known).item() == pytest.approx(
        far * (1 - 0.5 * 0.75)
    )


def test_the_host_binds_a_step_of_many_small_kernels():
    # 10 kernels of 1 us take 10 us; sending them takes 10 * 3 us: (10^4 + 30^4)^(1/4) us
    factor = gpu.step_factor(np.array([[10.0]]), np.array([[1e-6]]), 3e-6)
    assert factor.item() * 10 == pytest.approx((10**4 + 30**4) ** 0.25)


def test_a_product_on_a_processor_by_hand():
    # 100 x 40 x 300: 40 columns fill 3 registers of 16; 2 * 100 * 48 * 300 flops at half of the peak
    columns = product(100, 40, 300)
    compute, memory, whole = cpu.kernel_times(columns, PROCESSOR, PLAIN_CPU, np.zeros((1, 1)))
    assert compute.item() == pytest.approx(2 * 100 * 48 * 300 / 5e11)
    assert memory.item() == pytest.approx((100 * 300 + 40 * 300 + 100 * 40) * 4 / 5e10)
    assert whole.item() == pytest.approx(compute.item() + memory.item() + 1e-5)


def test_rows_of_four_kibibytes_are_slower():
    # 1024 elements of 4 B; 1040 are no multiple
    aliased = cpu.compute_s(product(64, 48, 1024), PROCESSOR, PLAIN_CPU).item()
    assert aliased == pytest.approx(2 * 2 * 64 * 48 * 1024 / 5e11)
    assert cpu.compute_s(product(64, 48, 1040), PROCESSOR, PLAIN_CPU).item() < aliased


def test_no_autocast_costs_more_than_running_wide():
    from characterize import session

    for stack in ("eager", "compiled"):
        rows = {
            precision: session.project(
                "mlp", batch=1, stack=stack, precision=precision,
                hardware=["nvidia_rtx_3090"], keep=False,
            ).iloc[0]
            for precision in ("fp16", "fp32", "bf16")
        }  # fmt: skip
        assert rows["fp16"].latency_s <= rows["fp32"].latency_s * (1 + 1e-9)
        assert rows["fp16"].energy_j <= rows["fp32"].energy_j * (1 + 1e-9)
        assert rows["bf16"].latency_s <= rows["fp32"].latency_s * (1 + 1e-9)


def test_memory_formats_differ_on_a_gpu_in_eager_only():
    card = hardware.load("nvidia_rtx_4090")
    assert hardware.in_format(card, Stack.COMPILED, "nchw") is card
    assert hardware.in_format(card, Stack.EAGER, "nhwc") is card
    processor = hardware.load("intel_i9_10940x")
    assert hardware.in_format(processor, Stack.EAGER, "nchw") is processor
    with pytest.raises(LookupError, match="No memory format named 'ncwh'"):
        hardware.in_format(card, Stack.EAGER, "ncwh")


SIZE = st.integers(1, 5000)


@settings(max_examples=60, deadline=None)
@given(
    SIZE,
    SIZE,
    SIZE,
    st.sampled_from(["nvidia_rtx_3090", "nvidia_t4", "intel_i9_10940x"]),
    st.sampled_from(list(Stack)),
)
def test_a_product_is_never_faster_than_its_flops_and_its_weights(m, n, k, name, stack):
    device = hardware.load(name)
    precision = device.default_precision
    got = hardware.estimate(product(m, n, k), device, precision, stack)
    assert got.latency_s.item() >= 2.0 * m * n * k / device.peak(precision) * (1 - 1e-12)
    assert got.latency_s.item() >= n * k * precision.bytes / device.memory_bytes_per_s / 10


@settings(max_examples=60, deadline=None)
@given(SIZE, SIZE, SIZE, st.sampled_from(["nvidia_rtx_3090", "intel_i9_10940x"]))
def test_more_rows_are_never_faster(m, n, k, name):
    device = hardware.load(name)
    one, two = (
        hardware.estimate(product(rows, n, k), device, device.default_precision, Stack.EAGER)
        for rows in (m, 2 * m)
    )
    assert two.latency_s.item() >= one.latency_s.item() * (1 - 1e-12)


def test_precisions_other_than_half_are_not_cast():
    columns = product(64, 64, 64)
    card = hardware.load("nvidia_h100_sxm")
    fast = hardware.estimate(columns, card, Precision.FP8, Stack.EAGER).latency_s
    slow = hardware.estimate(columns, card, Precision.BF16, Stack.EAGER).latency_s
    assert (fast <= slow).all()

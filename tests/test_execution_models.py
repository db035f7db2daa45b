"""The GPU and CPU models: kernels worked out by hand, and laws over sizes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from characterize import hardware
from characterize.columns import KINDS, KernelColumns
from characterize.hardware import cpu, cpu_kernels, gpu, gpu_kernels, parameters
from characterize.records import KernelKind, Precision, Stack

SIZE = st.integers(1, 5000)
PLAIN_GPU = {name: p.start for name, p in parameters.GPU.items()} | {
    "clock": 1.0, "linear": 0.5, "tile": 8.0, "prologue": 16.0, "overlap": 1.0, "launch": 2e-6,
    "dispatch": 0.0, "memory_product": 1.0, "bandwidth": 0.5, "attention": 0.5,
    "attention_keys": 64.0, "attention_depth": 128.0,
}  # fmt: skip
PLAIN_CPU = {name: p.start for name, p in parameters.CPU.items()} | {
    "clock": 1.0, "linear": 0.5, "convolution": 0.5, "prologue": 0.0, "overlap": 1.0,
    "packing": 0.0, "bandwidth": 0.5, "aliased": 2.0, "weights_convolution": 3.0,
    "plain_layout": 4.0, "memory_loop": 2.0, "element_cycles": 2.0, "function_cycles": 100.0,
    "single_cycles": 10.0, "narrow_groups": 3.0, "weight_cycles": 8.0, "call_product": 1e-5,
    "call_small": 2e-5, "call_convolution": 3e-5, "call_loop": 4e-6, "fork": 26e-6,
}  # fmt: skip
# 100 Tflop/s, 1 TB/s, no cache, 100 multiprocessors at 1.5 GHz
CARD = gpu_kernels.Device(1e14, 2e13, 1e12, 0.0, 100.0, 2.0, 1.5e11)
PROCESSOR = cpu_kernels.Device(  # 1 Tflop/s on 14 cores of 1 GHz, 100 GB/s, no cache, 16 lanes
    1e12, 1e12, 1e12 / 14, 1e11, 0.0, 16.0, 4.0, 14.0, 1e9
)


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


def test_attention_of_fp32_tensors_has_a_kernel_of_its_own():
    # no softmax in the tiles: 256 x 256 x 12 x 4 x 64 flops at 0.48 of the vector peak
    wide = replace(CARD, element_bytes=4.0)
    columns = kernel(KernelKind.ATTENTION, m=197, n=197, k=64, groups=12, macs=12 * 197 * 197 * 128)
    got = gpu_kernels.kernel_times(columns, wide, {**PLAIN_GPU, "attention_wide": 0.48})
    expected = 256 * 256 * 12 * 4 * 64 / (wide.vector_flops_per_s * 0.48)
    flash = 256 * 320 * 12 * 384 / (1e14 * 0.5)
    assert got.compute_s.item() == pytest.approx(max(expected, flash))


def test_products_without_matrix_units_load_their_tiles_no_slower_than_with_them():
    # a tenth of the rate: loads and start count a tenth, and 0.3 of the peak is reached instead of 0.5
    slow = replace(CARD, matrix_flops_per_s=1e13, pace=0.1)
    known = {**PLAIN_GPU, "vector_product": 0.3}
    got = gpu_kernels.kernel_times(product(12800, 128, 1024), slow, known)
    compute = 2 * 100 * 16384 * (1 + 0.1 * 0.125) * (1024 + 1.6) / (1e13 * 0.3)
    assert got.compute_s.item() == pytest.approx(compute)
    assert gpu_kernels.Device.of(hardware.load("nvidia_h100_sxm"), Precision.FP32).pace < 0.2
    for name, kind in (("nvidia_h100_sxm", Precision.TF32), ("nvidia_rtx_4090", Precision.FP32)):
        assert gpu_kernels.Device.of(hardware.load(name), kind).pace == 1.0


def test_what_reads_an_operand_by_channel_takes_clocks_an_element():
    known = {**PLAIN_GPU, "broadcast": 0.5, "clock": 1.0}
    plain = kernel(KernelKind.ELEMENTWISE, input_elements=2000, output_elements=1000)
    bias = kernel(KernelKind.ELEMENTWISE, input_elements=1000, weight_elements=10,
                  output_elements=1000)  # fmt: skip
    norm = kernel(KernelKind.BATCH_NORM, input_elements=1000, weight_elements=40,
                  output_elements=1000)  # fmt: skip
    clocks_s = 1000 * 0.5 / CARD.clocks_per_s
    for columns, more in ((plain, 0.0), (bias, clocks_s), (norm, clocks_s)):
        without = gpu_kernels.compute_s(columns, CARD, PLAIN_GPU, {}).item()
        assert gpu_kernels.compute_s(columns, CARD, known, {}).item() == pytest.approx(
            without + more
        )


def test_kernels_of_libraries_start_later():
    known = {**PLAIN_GPU, "start": 3e-6}
    for kind, more in ((KernelKind.BATCH_NORM, 3e-6), (KernelKind.ELEMENTWISE, 0.0)):
        columns = kernel(kind, input_elements=1000, output_elements=1000)
        without = gpu_kernels.kernel_times(columns, CARD, PLAIN_GPU).kernel_s.item()
        got = gpu_kernels.kernel_times(columns, CARD, known).kernel_s.item()
        assert got == pytest.approx(without + more)


def test_a_cache_serves_what_was_just_written():
    near = kernel(KernelKind.ELEMENTWISE, input_elements=1e6, output_elements=0)
    # 1 TB/s of memory, 4 TB/s of cache: 100 multiprocessors x 40 B a clock of 1 GHz
    device = gpu_kernels.Device(1e14, 2e13, 1e12, 1e7, 100.0, 2.0, 1e11)
    known = {**PLAIN_GPU, "cache_share": 1.0, "cache_rate": 40.0}
    far = gpu_kernels.memory_s(near, device, known).item()
    assert far == pytest.approx(2e6 / 5e11)
    # touched 5e6 elements = 1e7 B ago, as much as the cache: half hits, each at 4 times the rate
    touched = KernelColumns(**{**near.__dict__, "input_distance": np.array([[5e6]])})
    assert gpu_kernels.memory_s(touched, device, known).item() == pytest.approx(
        far * (1 - 0.5 * 0.75)
    )


def test_a_row_of_a_layer_norm_takes_clocks_beside_its_bytes():
    # 1000 rows of 100 elements, 300 clocks each on 100 multiprocessors at 1.5 GHz, and 4e5 B
    rows = kernel(KernelKind.LAYER_NORM, input_elements=1e5, output_elements=1e5)
    rows = KernelColumns(**{**rows.__dict__, "row_elements": np.array([[100.0]])})
    known = {**PLAIN_GPU, "layer_norm_row": 300.0, "memory_layer_norm": 1.0, "overlap": 4.0}
    got = gpu_kernels.kernel_times(rows, CARD, known)
    assert got.compute_s.item() == pytest.approx(1000 * 300 / (100 * 1.5e9))
    assert got.kernel_s.item() == pytest.approx(1000 * 300 / 1.5e11 + 4e5 / 5e11 + 2e-6)


def test_copies_into_another_layout_come_beside_the_kernel():
    # a dense convolution in NCHW: half of (input + output) twice more, and three more kernels
    known = {**PLAIN_GPU, "layout_dense": 0.5, "layout_kernels": 3.0}
    dense = product(1e4, 64, 576, kernel_area=9.0)
    dense = KernelColumns(
        **{**dense.__dict__, "kind": np.array([KINDS.index(KernelKind.CONVOLUTION)])}
    )
    with_copies, without = (
        gpu_kernels.kernel_times(dense, CARD, each).kernel_s.item() for each in (known, PLAIN_GPU)
    )
    copies = 2 * 0.5 * (1e4 * 576 + 1e4 * 64) * 2 / 5e11
    assert with_copies - without == pytest.approx(copies + 3 * 2e-6)


def test_depthwise_kernels_slow_down_beyond_32_bit_offsets():
    known = {**PLAIN_GPU, "huge": 3.0}
    small, large = (
        gpu_kernels.kernel_times(
            kernel(KernelKind.DEPTHWISE_CONVOLUTION, input_elements=n, output_elements=n),
            CARD,
            known,
        ).memory_s.item()
        for n in (2.0**31, 2.0**31 + 2)
    )
    assert large == pytest.approx(3 * small)


def test_the_host_binds_a_step_of_many_small_kernels():
    # 10 kernels of 1 us take 10 us; sending them takes 10 * 3 us: (10^4 + 30^4)^(1/4) us
    factor = gpu.step_factor(np.array([10 * 3e-6]), np.array([10 * 1e-6]))
    assert factor.item() * 10 == pytest.approx((10**4 + 30**4) ** 0.25)


def test_what_the_host_does_ahead_of_the_first_kernel_comes_before_all():
    # a fifth of 30 us is ahead: 6 us, and then 24 us of sending beside 10 us of kernels
    sent, busy = np.array([10 * 3e-6]), np.array([10 * 1e-6])
    factor = gpu.step_factor(sent, busy, ahead=0.2)
    assert factor.item() * 10 == pytest.approx(6 + (10**4 + 24**4) ** 0.25)
    # a slow device shows it too, and a host that is alone takes as long as before
    slow = gpu.step_factor(sent, 1000 * busy, ahead=0.2)
    assert slow.item() * 10_000 == pytest.approx(10_006, rel=1e-6)
    alone = [gpu.step_factor(sent, 1e-6 * busy, ahead=a).item() for a in (0.0, 0.2)]
    assert alone[0] == pytest.approx(alone[1])


def seconds(columns: KernelColumns, device: cpu_kernels.Device = PROCESSOR) -> float:
    return cpu_kernels.kernel_times(columns, device, PLAIN_CPU)[2].item()


def test_a_product_on_a_processor_by_hand():
    # 500 x 40 x 300: 40 columns fill 3 registers of 16; 2 * 500 * 48 * 300 flops at half of the
    # peak; 500 * 40 / 1024 pieces keep 14 cores busy. Overlap 1 adds parts, 50 GB/s are reached.
    columns = product(500, 40, 300)
    compute, memory, whole = cpu_kernels.kernel_times(columns, PROCESSOR, PLAIN_CPU)
    assert compute.item() == pytest.approx(2 * 500 * 48 * 300 / 5e11)
    assert memory.item() == pytest.approx((500 * 300 + 40 * 300 + 500 * 40) * 4 / 5e10)
    assert whole.item() == pytest.approx(compute.item() + memory.item() + 1e-5)


def test_a_product_of_few_results_keeps_few_cores_busy():
    # 64 x 32 results are 2 pieces of 1024: 2 of the 14 cores
    got = cpu_kernels.kernel_times(product(64, 32, 4096), PROCESSOR, PLAIN_CPU)[0]
    assert got.item() == pytest.approx(2 * 64 * 32 * 4096 / (1e12 * 2 / 14 * 0.5))


def test_results_whose_rows_are_multiples_of_four_kibibytes_are_slower():
    # 1024 elements of 4 B; 1040 are no multiple
    got = [
        cpu_kernels.kernel_times(product(640, n, 48), PROCESSOR, PLAIN_CPU)[0].item()
        for n in (1024, 1040)
    ]
    assert got == pytest.approx([2 * 2 * 640 * 1024 * 48 / 5e11, 2 * 640 * 1040 * 48 / 5e11])


def convolution(positions: float, images: float = 1, **sizes: Any) -> KernelColumns:
    # 64 -> 64 channels, 3x3: a sum has 576 terms, there are 36,864 weights
    sizes = {"kind": KernelKind.CONVOLUTION, "kernel_area": 9, **sizes}
    columns = product(positions, 64, 576, input_elements=64 * positions, **sizes)
    extra: dict[str, Any] = {name: np.array([[float(value)]]) for name, value in
             {"images": images, "kernel_extent": 3, "plain": sizes.get("plain", 0)}.items()}  # fmt: skip
    return replace(columns, **extra)


def test_a_convolution_lays_out_its_weights_at_every_call():
    # 36,864 weights are fewer than 14 chunks of 4096, so that one thread copies them, 8 cycles each
    copied = 36864 * 8 / 1e9
    compute = 2 * 400 * 64 * 576 / 5e11
    moved = (2 * 64 * 400 + 3 * 36864) * 4 / 5e10
    assert seconds(convolution(400)) == pytest.approx(compute + moved + copied + 3e-5)


def test_one_image_of_few_elements_takes_pytorchs_own_convolution():
    # 64 channels x 320 positions are 20,480 elements: a product's share, weights as they are
    at = 2 * 320 * 64 * 576 / 5e11 + (2 * 64 * 320 + 36864) * 4 / 5e10 + 36864 * 8 / 1e9
    assert seconds(convolution(320)) == pytest.approx(at + 2e-5)
    assert seconds(convolution(320)) < seconds(convolution(321))
    assert seconds(convolution(320, images=2)) == pytest.approx(at + 2 * 36864 * 4 / 5e10 + 3e-5)


def test_a_convolution_of_a_permuted_view_turns_one_image_there_and_back():
    plain, turned = (seconds(convolution(400, plain=value)) for value in (0, 1))
    assert turned - plain == pytest.approx(4 * 2 * 64 * 400 * 4 / 5e10)


def loop(elements: float, **sizes: Any) -> KernelColumns:
    table = {"chunks": 0, "run": 0, "rearranging": 0, **sizes}
    own: dict[str, Any] = {
        name: np.array([[float(table.pop(name))]]) for name in ("chunks", "run", "rearranging")
    }
    columns = kernel(KernelKind.ELEMENTWISE, input_elements=elements, output_elements=elements,
                     **table)  # fmt: skip
    return replace(columns, **own)


@pytest.mark.parametrize(
    ("elements", "sizes", "cycles", "started"),
    [
        # two operations an element: 2 cycles a vector of 16 each; 10 chunks are 10 threads
        pytest.param(40960, {"vector_flops": 81920}, 81920 * 2 / 16 / 10, 9 / 13, id="ten threads"),
        pytest.param(1000, {"vector_flops": 2000}, 2000 * 2 / 16, 0.0, id="one thread"),
        pytest.param(1e6, {"transcendentals": 1e6}, 1e6 * 100 / 16 / 14, 1.0, id="functions"),
        pytest.param(1e6, {"rearranging": 1}, 1e6 * 10 / 14, 1.0, id="single elements"),
        # a norm of 4 groups keeps 4 threads busy; 8 channels do not fill a register
        pytest.param(1e6, {"chunks": 4, "run": 8}, 1e6 * 10 * 3 / 4, 1.0, id="narrow groups"),
        pytest.param(1e6, {"chunks": 4, "run": 16}, 0.0, 1.0, id="wide groups"),
    ],
)
def test_loops_by_hand(elements, sizes, cycles, started):
    memory = 2 * 2 * elements * 4 / 5e10
    at_peak = sizes.get("vector_flops", 0) / 1e12
    expected = max(cycles / 1e9, at_peak) + memory + 4e-6 + 26e-6 * started
    assert seconds(loop(elements, **sizes)) == pytest.approx(expected)


def test_equal_pieces_wait_for_small_cores():
    # 8 large cores, 4 small ones of half the operations at 3/4 of the clock: 9.5 large ones by their
    # operations; all 12 at the pace of the small ones would do the work of 4.5, so 8 do it
    hybrid = hardware.load("intel_i7_12700k")
    assert cpu.cores(hybrid) == (9.5, 8.0)
    peak = 8 * 32 * 3.6e9
    assert cpu.device(hybrid, Precision.FP32).flops_per_s == pytest.approx(peak)
    many = hybrid.with_({"units.efficiency_cores": 24})
    assert cpu.cores(many) == (17.0, 12.0)  # (8 + 24) x 3/8


def test_a_clock_follows_the_power_limit():
    laptop = hardware.load("intel_i7_12700h")
    base = cpu.device(laptop, Precision.FP32)
    assert base.cycles_per_s == 2.3e9  # at the base power of 45 W
    double = cpu.device(laptop.with_({"power.tdp_w": 90.0}), Precision.FP32)
    assert double.cycles_per_s == pytest.approx(2.3e9 * 2 ** (1 / 3))
    assert double.flops_per_s == pytest.approx(base.flops_per_s * 2 ** (1 / 3))
    much = cpu.device(laptop.with_({"power.tdp_w": 4500.0}), Precision.FP32)
    assert much.cycles_per_s == pytest.approx(4.7e9)  # the boost clock
    low = cpu.device(laptop.with_({"power.tdp_w": 15.0}), Precision.FP32)
    assert low.cycles_per_s < base.cycles_per_s
    assert cpu.sustained_clock(laptop) == cpu.SUSTAINED


@settings(max_examples=40, deadline=None)
@given(
    SIZE,
    SIZE,
    SIZE,
    st.sampled_from(["intel_i7_12700h", "intel_xeon_8380", "amd_epyc_9654"]),
    st.sampled_from(["power.tdp_w", "units.cores", "memory.bytes_per_s", "on_chip.l3_bytes"]),
    st.floats(1.0, 4.0),
)
def test_more_of_anything_is_never_slower(m, n, k, name, key, factor):
    before = hardware.load(name)
    after = before.with_({key: type(before.value(key))(before.value(key) * factor)})
    for columns in (product(m, n, k), loop(m * n, vector_flops=m * n, chunks=k)):
        slow, fast = (
            hardware.estimate(columns, each, Precision.FP32, Stack.COMPILED).latency_s.item()
            for each in (before, after)
        )
        assert fast <= slow * (1 + 1e-9), key


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


def test_a_peak_at_the_boost_clock_is_not_held_at_the_base_power():
    # 6 large cores x 32 x 4.8 GHz at 115 W; at 28 W (28 / 115)^(1/3) = 0.624 of the clock
    laptop = hardware.load("intel_ultra_7_155h")
    held = cpu.device(laptop, Precision.FP32)
    assert held.cycles_per_s == pytest.approx(4.8e9 * (28 / 115) ** (1 / 3))
    assert held.flops_per_s == pytest.approx(6 * 32 * held.cycles_per_s)
    assert cpu.sustained_clock(laptop) == 1.0

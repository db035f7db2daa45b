"""What bf16 runs in other kernels than fp16: batch norms that walk along channels, stems."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from characterize import hardware, session
from characterize.hardware import gpu_bf16, gpu_kernels, gpu_known, gpu_products
from characterize.hardware.residency import Cache
from characterize.records import KernelKind, Precision
from tests.test_hardware_models import kernels

COLD = Cache(2.0, 1e6, 3.0)
STEP = {"norm_step": 1e-6}


def walked_s(channels: int, pixels: int, multiprocessors: float, distance: float = np.inf) -> float:
    elements = channels * pixels
    norm = kernels({
        "kind": KernelKind.BATCH_NORM, "input_elements": elements, "output_elements": elements,
        "weight_elements": 6 * channels,
    })  # fmt: skip
    norm = replace(norm, input_distance=np.array([[distance]]))
    return gpu_bf16.walking_s(norm, multiprocessors, COLD, STEP).item()


def test_a_batch_norm_of_few_channels_has_few_threads_by_hand():
    # 32 channels, 2^20 pixels: 16 pixels at once in each of 128 blocks, so 512 steps; 128 blocks fit at
    # once on 32 multiprocessors of four
    assert walked_s(32, 1 << 20, 32.0) == pytest.approx(512e-6)
    assert walked_s(32, 1 << 20, 1024.0) == pytest.approx(512e-6)
    # twice the channels are twice the blocks: as long where there is room, else twice as long
    assert walked_s(64, 1 << 20, 1024.0) == pytest.approx(512e-6)
    assert walked_s(64, 1 << 20, 32.0) == pytest.approx(1024e-6)
    # 48 channels leave half of the lanes of every second block idle
    assert walked_s(48, 1 << 20, 32.0) == pytest.approx(1024e-6)


def test_a_thread_walks_sixteen_pixels_if_there_are_few():
    # 49 pixels of 2,048 channels: the power of two below 49 / 16 is 2 rows, so 256 channels a block, 2 blocks
    # share them: ceil(49 / (2 x 2)) = 13 steps
    assert walked_s(2048, 49, 1024.0) == pytest.approx(13e-6)


def test_the_cache_answers_in_half_the_time():
    assert walked_s(32, 1 << 20, 32.0, distance=0.0) == pytest.approx(256e-6)


def test_a_stem_in_bf16_runs_on_vector_units():
    # 3 -> 32 channels, 3x3, stride 2: an element written takes 1.05 clocks and 27 products
    device = hardware.load("nvidia_h100_sxm")
    known, pixels = gpu_known.efficiencies(device, "eager"), 128 * 112 * 112
    stem = {"kind": KernelKind.CONVOLUTION, "m": pixels, "n": 32, "k": 27, "kernel_area": 9,
            "stride": 2, "macs": pixels * 32 * 27, "output_elements": pixels * 32}  # fmt: skip
    taken = {
        precision: gpu_products.product_s(
            kernels(stem), gpu_kernels.Device.of(device, precision), known, {}
        ).item()
        for precision in (Precision.FP16, Precision.BF16)
    }
    clocks = pixels * 32 * 1.05 / (132 * 1.83e9 * 1.082)
    assert taken[Precision.BF16] == pytest.approx(
        clocks + 2 * pixels * 32 * 27 / device.vector_peak(Precision.BF16)
    )
    assert taken[Precision.BF16] == pytest.approx(248e-6, rel=0.03)  # as the profiler saw it
    assert taken[Precision.BF16] > 2 * taken[Precision.FP16]
    patches = {precision: gpu_products.product_s(
        kernels({**stem, "stride": 16}), gpu_kernels.Device.of(device, precision), known, {}).item()
        for precision in taken}  # fmt: skip
    assert patches[Precision.FP16] == patches[Precision.BF16]


def test_batch_norms_make_narrow_networks_slower_in_bf16_and_compilers_do_not():
    def seconds(stack: str, precision: str) -> float:
        return session.project(
            "conv2d_stack", {"layers": 4, "channels": 32, "input_size": 112, "batch_norm": True}, batch=128,
            stack=stack, precision=precision, hardware=["nvidia_h100_sxm"], keep=False,
        ).latency_s.item()  # fmt: skip

    assert seconds("eager", "bf16") > 1.1 * seconds("eager", "fp16")
    assert seconds("compiled", "bf16") <= seconds("compiled", "fp16")  # which casts its weights


def test_sizes_of_a_grid_are_counted_one_by_one():
    wide = kernels({"kind": KernelKind.BATCH_NORM, "input_elements": 1 << 20,
                    "output_elements": 1 << 20, "weight_elements": 6 * 32},
                   batches=(1, 2, 4))  # fmt: skip
    found = gpu_bf16.walking_s(wide, 132.0, COLD, STEP)
    assert found.shape == (1, 3)
    assert (np.diff(found) > 0).all()

"""What PyTorch runs in bf16 because cuDNN has no kernel for it: batch norms, and first convolutions.

Batch norms in channels-last (`batch_norm_transform_input_channels_last_kernel` and `flexible_launch_configs`,
ATen/native/cuda/Normalization.cuh): 32 channels to a block of 512 threads, at most 128 blocks to the same
channels. A thread walks along a channel, two bytes at a time, and waits for each:

    blocks   ceil(channels / 32) x min(128, pixels / 256)
    steps    pixels / (16 rows of a block x blocks that share the channels), 16 or more
    seconds  steps x max(1, blocks / (4 SM)) x norm_step

as four blocks of 512 threads fill a multiprocessor's 2,048. So up to 64 channels leave most of a large
GPU waiting. ``norm_step`` is how long memory takes to answer: 0.45 us on our H100, with which the 8 batch
norms of a stack of convolutions (128 channels of 64 x 64, batch 128) take 0.92 ms and the 68 of RegNetY-3.2GF
3.13; its profiler saw 0.97 and 3.13 (data/published/h100_kernels.csv). The second-level cache answers in
half of that (what networks at a batch of 1 bear out; 3 and 1.5 instead of 2 hardly differ); with what it
keeps they are projected at 0.90 and 2.7 ms.

Convolutions of an image with a stride (stems) have kernels for matrix units in fp16 and tf32 (`first_layer`,
`wo_smem`), in bf16 one for vector units (`convolve_common_engine_float_NHWC`): 248 us instead of 112 in
RegNetY-3.2GF, which is ``stem_element`` = 1.05 clocks an element written beside its products at vector peak.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from characterize.columns import Array, KernelColumns
from characterize.hardware.residency import Cache
from characterize.records import KernelKind

_THREADS: Final = 512.0  # of a block
_CHANNELS: Final = 32.0  # of a block, where it has pixels enough
_EACH: Final = 16.0  # pixels that a thread is meant to walk along
_MOST: Final = 128.0  # blocks that share the pixels of the same channels
_RESIDENT: Final = 4.0  # blocks on a multiprocessor
_PARAMETERS: Final = 6.0  # of a channel: weight, bias, and mean and deviation in fp32
_CACHE_LATENCY: Final = 2.0  # times as long memory takes to answer as the cache


def walking_s(
    columns: KernelColumns, multiprocessors: float, cache: Cache, known: Mapping[str, float]
) -> Array:
    """Seconds that the threads of PyTorch's own batch norms walk along their channels; else 0."""
    norms = columns.is_kind(KernelKind.BATCH_NORM)
    if not norms.any():
        return np.zeros((1, 1))
    channels = np.maximum(columns.weight_elements / _PARAMETERS, 1.0)
    pixels = np.maximum(columns.output_elements / channels, 1.0)
    rows = np.minimum(_power_of_two(np.ceil(pixels / _EACH)),
                      _THREADS / np.minimum(_power_of_two(channels), _CHANNELS))  # fmt: skip
    beside = np.minimum(_power_of_two(channels), _THREADS / rows)
    sharing = np.minimum(np.ceil(pixels / (rows * _EACH)), _MOST)
    waves = np.ceil(channels / beside) * sharing / (multiprocessors * _RESIDENT)
    steps = np.ceil(pixels / (rows * sharing)) * np.maximum(1.0, waves)
    read, distance = columns.input_elements, columns.input_distance + columns.input_weight_distance
    slow = Cache(cache.element_bytes, cache.capacity_bytes, _CACHE_LATENCY).left(read, distance)
    share = slow / np.maximum(read * cache.element_bytes, 1.0)
    return np.where(norms, steps * share * known["norm_step"], 0.0)


def _power_of_two(number: Array) -> Array:
    """The largest power of two that is not above a number of 1 or more."""
    return np.asarray(np.exp2(np.floor(np.log2(number))))

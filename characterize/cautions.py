"""Where projections miss by more: kernels that libraries run unlike their neighbours, and slow hosts.

A row is flagged where such kernels take at least :data:`SHARE` of the projected time, so that one
odd classifier at the end of a network flags nothing. All of them are paths of GPU libraries, seen in
the residuals of published benchmarks (docs/validation.md); no other architecture has a caution:

    large depthwise kernels         sides above 7: cuDNN has no fast path        eager, compiled
    non-square depthwise kernels    1x7, 1-D and 3-D kernels: the same           eager, compiled
    tensors over 2^31 elements      indices no longer fit into 32 bits           every stack
    odd channels                    channels that do not fill 16 bytes           eager, compiled
    grouped convolutions compiled   TorchInductor keeps NCHW around them         compiled
    group norm in NHWC              is copied to NCHW and back                   eager

A row is also flagged where a GPU waits for its host more than it works: how fast that is, nobody
says. Its 80 % interval is then at least a factor of 1.5 wide to either side (:data:`HOST`).

An engine pads channels and builds kernels for the sizes that it is given, so most do not concern it.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from characterize.columns import Array, KernelColumns, KernelEstimate
from characterize.hardware import Profile
from characterize.records import Architecture, KernelKind, Precision, Stack

SHARE: Final = 0.05
"""Of the projected time that a rare path has to take before a row is flagged."""

WIDER: Final = 1.3
"""Factor on the 80 % interval, in logarithms, of a flagged row (docs/validation.md)."""

HOST: Final = 0.4
"""Least half of the 80 % interval, in logarithms, where the host sets the pace: four of five rows that
wait for it are within 0.30 on the H100 whose host was fitted, 0.38 with a run that a profiler slowed."""

WAITS: Final = "waits for the host"

Flags = NDArray[np.int8]
Mask = NDArray[np.bool_]
_K = KernelKind
_FAST_SIDE: Final = 7.0  # the largest depthwise kernel that cuDNN has a fast path for
_HALF: Final = 0.5
_INDEX: Final = 2.0**31
_STEM_CHANNELS: Final = 4.0  # an image: libraries have kernels of their own for it
_ALIGNED_BYTES: Final = 16.0  # what one vector load of a channels-last tensor takes
_DENSE: Final = (_K.CONVOLUTION, _K.POINTWISE_CONVOLUTION, _K.TRANSPOSED_CONVOLUTION, _K.LINEAR)


def _large_depthwise(columns: KernelColumns, _precision: Precision) -> Mask:
    return columns.is_kind(_K.DEPTHWISE_CONVOLUTION) & (columns.kernel_extent > _FAST_SIDE)


def _oblong_depthwise(columns: KernelColumns, _precision: Precision) -> Mask:
    square = columns.kernel_extent * columns.kernel_extent == columns.kernel_area
    return columns.is_kind(_K.DEPTHWISE_CONVOLUTION) & ~square


def _huge(columns: KernelColumns, _precision: Precision) -> Mask:
    return np.asarray(np.maximum(columns.input_elements, columns.output_elements) > _INDEX)


def _odd_channels(columns: KernelColumns, precision: Precision) -> Mask:
    multiple = _ALIGNED_BYTES / precision.bytes
    entering = columns.width
    dense = columns.is_kind(*_DENSE) & (entering > _STEM_CHANNELS)
    odd = dense & ((entering % multiple != 0) | (columns.n % multiple != 0))
    depthwise = columns.is_kind(_K.DEPTHWISE_CONVOLUTION)
    return np.asarray(odd | (depthwise & (columns.groups % multiple != 0)))


def _grouped(columns: KernelColumns, _precision: Precision) -> Mask:
    return columns.is_kind(_K.GROUPED_CONVOLUTION)


def _group_norm(columns: KernelColumns, _precision: Precision) -> Mask:
    return columns.is_kind(_K.GROUP_NORM)


_LIBRARIES: Final = (Stack.EAGER, Stack.COMPILED)
_PATHS: Final[MappingProxyType[str, tuple[tuple[Stack, ...], Callable[..., Mask]]]] = (
    MappingProxyType(
        {
            "large depthwise kernels": (_LIBRARIES, _large_depthwise),
            "non-square depthwise kernels": (_LIBRARIES, _oblong_depthwise),
            "tensors over 2^31 elements": (tuple(Stack), _huge),
            "odd channels": (_LIBRARIES, _odd_channels),
            "grouped convolutions compiled": ((Stack.COMPILED,), _grouped),
            "group norm in NHWC": ((Stack.EAGER,), _group_norm),
        }
    )
)

CODES: Final = (*_PATHS, WAITS)
"""What a row can be flagged with; bit ``i`` of :func:`flags` stands for ``CODES[i]``."""

TEXTS: Final = tuple(
    "; ".join(code for bit, code in enumerate(CODES) if flag >> bit & 1)
    for flag in range(1 << len(CODES))
)
"""The text of a row's ``cautions`` by its flags; the first is empty."""


def flags(
    columns: KernelColumns,
    estimate: KernelEstimate,
    profile: Profile,
    precision: Precision,
    stack: Stack,
) -> Flags:
    """What to mind, ``[N]``: bit ``i`` is set where the rare path ``CODES[i]`` takes :data:`SHARE`.

    The last bit stands for :data:`WAITS`.
    """
    latency = estimate.latency_s * columns.repeats
    total = latency.sum(axis=0)
    found: Any = np.zeros(latency.shape[1], dtype=np.int8)
    if profile.architecture is not Architecture.GPU or profile.is_reference:
        return found
    least = SHARE * total
    for bit, (stacks, rare) in enumerate(_PATHS.values()):
        mask = rare(columns, precision) if stack in stacks else np.zeros((1, 1), dtype=np.bool_)
        if mask.any():
            whole = columns.flat(mask)
            found |= _matters(whole, latency, least).astype(np.int8) << bit
    if stack in _LIBRARIES:
        waiting = (estimate.overhead_s * columns.repeats).sum(axis=0) > _HALF * total
        found |= waiting.astype(np.int8) << len(_PATHS)
    return found


def interval(band: tuple[float, float], flags: Flags) -> tuple[Array, Array]:
    """Factors on the latency of every row that give its 80 % interval, wider where it is flagged."""
    if not flags.any():
        return np.full(1, band[0]), np.full(1, band[1])
    last = 1 << len(_PATHS)
    waits, rare = flags >= last, flags % last > 0
    low, high = (np.where(rare, factor**WIDER, factor) for factor in band)
    low = np.where(waits, np.minimum(low, np.exp(-HOST)), low)
    return low, np.where(waits, np.maximum(high, np.exp(HOST)), high)


def _matters(mask: Mask, latency: Array, least: Array) -> Mask:
    """Where the kernels of ``mask`` take at least ``least``, ``[N]``."""
    rows = np.flatnonzero(mask.any(axis=1))
    taken = np.where(mask[rows], latency[rows], 0.0).sum(axis=0)
    return np.asarray((taken >= least) & (taken > 0.0))

"""Normalising rows on a GPU: a thread block a row, which is read twice.

PyTorch's layer norm gives every row to one block of 128 threads: a pass for mean and variance, and
one to normalise. So besides moving its input once and its output once, it

    waits        max(1, rows / (SM resident)) (start + row elements x element)
    reads again  what of the rows in flight, SM x resident of them, the cache does not hold

with ``resident`` = 16 blocks of 128 threads on a multiprocessor of 2,048. The times of a block are
fitted on 52 layer norms of our own H100 (fp16 and fp32, 96 to 8,192 elements) and 1,505 published
ones of P100, P4, T4, V100 and A100 (NeuSight, fp32, 524 to 4,100 elements): one pair for all six.
A table without ``norm_rows`` has clocks a row instead (``layer_norm_row``): 300 on an RTX 3090.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from characterize.columns import Array, KernelColumns
from characterize.hardware.residency import Cache
from characterize.records import KernelKind

MEASURED: Final[Mapping[str, float]] = MappingProxyType(
    {
        "norm_rows": 16.0,
        "norm_start": 1.92e-6,
        "norm_element": 0.865e-9,
        "layer_norm_row": 0.0,
        "memory_layer_norm": 1.0,
    }
)
"""For devices whose eager kernels nobody has fitted as a whole."""


def read_again_bytes(
    columns: KernelColumns, multiprocessors: float, cache: Cache, known: Mapping[str, float]
) -> Array:
    """Bytes that the second pass of a layer norm finds neither in registers nor in the cache."""
    resident = known["norm_rows"]
    if not resident:
        return np.zeros((1, 1))
    in_flight = multiprocessors * resident * columns.row_elements
    again = replace(cache, gain=np.inf).left(columns.input_elements, in_flight)
    return np.where(_norms(columns), again, 0.0)


def waiting_s(columns: KernelColumns, multiprocessors: float, known: Mapping[str, float]) -> Array:
    """Seconds of a layer norm's blocks, one row each, ``resident`` of them on a multiprocessor."""
    if not known["norm_rows"]:
        return np.zeros((1, 1))
    width = columns.row_elements
    rows = columns.output_elements / np.maximum(width, 1.0)
    block_s = known["norm_start"] + known["norm_element"] * width
    waves = rows / (multiprocessors * known["norm_rows"])
    return np.where(_norms(columns), np.maximum(1.0, waves) * block_s, 0.0)


def any_norms(columns: KernelColumns, known: Mapping[str, float]) -> bool:
    """Whether there are layer norms whose rows are counted one by one."""
    return bool(known["norm_rows"]) and bool(_norms(columns).any())


def _norms(columns: KernelColumns) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = columns.is_kind(KernelKind.LAYER_NORM) & (columns.row_elements > 0)
    return found

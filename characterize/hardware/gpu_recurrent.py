"""Recurrent layers on a GPU: cuDNN takes one layer and time step after another, in two kernels each.

A step waits for the last, so only the batch (``m``) and the gates (``n``) of one layer fill the device:

    step     product of m x n x k, weights of n x k from the second-level cache + recurrent_step
    layers   time steps x layers x directions x step + products of their inputs, all time steps at once

``recurrent_step`` is what the product and the gates' kernel take where they have next to nothing to do:
2.66 us on our H100 (2 layers of 256 units, batch 1, from a graph: 0.71 ms at 128 time steps, 0.20 at 32;
data/published/h100_operators.csv). Layers do not overlap: four take 1.8 times as long a time step as two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from characterize.columns import Array, KernelColumns
from characterize.hardware.residency import Cache
from characterize.records import KernelKind


def stepping(columns: KernelColumns, known: Mapping[str, float]) -> bool:
    """Whether there are recurrent layers, and their steps are counted one by one."""
    return known["recurrent_step"] > 0 and bool(columns.is_kind(KernelKind.RECURRENT).any())


def one_step(columns: KernelColumns) -> KernelColumns:
    """The same kernels, with a recurrent layer's product of one time step."""
    alone = np.where(columns.is_kind(KernelKind.RECURRENT), 1.0, columns.groups)
    return replace(columns, groups=alone)


def all_steps_s(columns: KernelColumns, step_s: Array, flops_per_s: Array) -> Array:
    """Seconds of all steps' products, from those of one, and of the products of all inputs."""
    own = columns.is_kind(KernelKind.RECURRENT)
    inputs = columns.macs - columns.m * columns.n * columns.k * columns.groups
    whole = step_s * columns.groups + 2.0 * np.maximum(inputs, 0.0) / flops_per_s
    return np.where(own, whole, step_s)


def weights_again_s(columns: KernelColumns, cache: Cache, bytes_per_s: float) -> Array:
    """Seconds in which every step after the first reads its weights again."""
    weights = columns.n * columns.k
    steps = np.maximum(columns.groups - 1.0, 0.0)
    moved = cache.left(weights, weights) * steps
    return np.where(columns.is_kind(KernelKind.RECURRENT), moved / bytes_per_s, 0.0)


def starts_s(columns: KernelColumns, known: Mapping[str, float]) -> Array:
    """Seconds that the kernels of all steps take to start, and to end."""
    own = columns.is_kind(KernelKind.RECURRENT)
    return np.where(own, columns.groups * known["recurrent_step"], 0.0)

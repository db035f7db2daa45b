"""What a cache still holds when a kernel reads it, and what has to come from memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from characterize.columns import Array, KernelColumns


@dataclass(frozen=True)
class Cache:
    """A cache of ``capacity_bytes`` that answers ``gain`` times as fast as memory.

    A value that was touched ``d`` bytes ago is still there with the share
    ``1 / (1 + (d / capacity)^2)``; what is there counts as ``1 / gain`` of its bytes.
    """

    element_bytes: float
    capacity_bytes: float
    gain: float

    @classmethod
    def of(cls, element_bytes: float, cache_bytes: float, known: Mapping[str, float]) -> Cache:
        """The part of a device's cache that its efficiencies say is usable."""
        return cls(element_bytes, cache_bytes * known["cache_share"], known["cache_gain"])

    def left(self, elements: Array, distance: Array) -> Array:
        """Bytes from memory, for elements touched ``distance`` elements ago."""
        size, capacity = self.element_bytes, self.capacity_bytes
        if not capacity:
            return np.asarray(elements * size)
        share = np.asarray(distance * (size / capacity))  # ends as the share that is not there
        np.square(share, out=share)
        share += 1.0
        np.divide(1.0 / self.gain - 1.0, share, out=share)
        share += 1.0
        share *= size
        return np.asarray(elements * share)

    def activations(self, columns: KernelColumns) -> Array:
        """Bytes from memory for what a kernel reads and writes besides weights."""
        first, other = columns.input_elements, columns.other_elements
        out = columns.output_elements
        moved = self.left(first, columns.input_distance + columns.input_weight_distance)
        moved = moved + self.left(other, columns.other_distance + columns.other_weight_distance)
        return np.asarray(moved + self.left(out, first + other + out))

"""Measures of many configurations on one device, each computed when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from characterize import hardware
from characterize import projection as projections
from characterize.columns import Array, weighted
from characterize.features import Columns
from characterize.hardware import Profile


class Measured:
    """Columns of result rows, ``[N]``, of one device; nothing is computed that nobody asks for.

    Args:
        columns: the network at N configurations.
        profile: the device.
        precision: what was asked for, ``"auto"`` perhaps.
        batch: samples of each configuration.
        baseline: what speedups are relative to.
        added: columns that a user joined.
    """

    def __init__(
        self,
        columns: Columns,
        profile: Profile,
        precision: str,
        batch: NDArray[np.int64],
        baseline: Profile,
        added: Mapping[str, Array],
    ) -> None:
        self._columns, self._profile, self._batch = columns, profile, batch
        self._asked, self._baseline, self._added = precision, baseline, added
        self._stack = columns.skeleton.graph.stack
        self._precision = projections.device_precision(profile, precision)
        self._known: dict[str, Array] = {}

    def __len__(self) -> int:
        return len(self._columns.parameters)

    def numbers(self, name: str) -> Array:
        """One of the columns that can be bounded and optimised."""
        if name in self._added:
            return self._added[name]
        if name not in self._known:
            self._known[name] = np.asarray(_FORMULAS[name](self), dtype=np.float64)
        return self._known[name]

    @cached_property
    def _totals(self) -> tuple[Any, Array, Array]:
        kernels = self._columns.kernels
        return projections.totals(kernels, self._profile, self._precision, self._stack)

    def latency_s(self) -> Array:
        """Seconds an inference."""
        return self._totals[1]

    def latency_high_s(self) -> Array:
        """The upper end of its interval."""
        return self.latency_s() * self._profile.band(self._stack.value)[1]

    def energy_j(self) -> Array:
        """Dynamic energy, and idle power for as long as it takes."""
        return self._totals[2] + self.latency_s() * hardware.static_power_w(self._profile)

    def memory_bytes(self) -> Array:
        """Bytes that move if nothing is reused between kernels."""
        return self._columns.memory_bytes(self._precision)

    def throughput_per_s(self) -> Array:
        """Samples a second."""
        return _ratio(self._batch, self.latency_s())

    def power_w(self) -> Array:
        """Mean power of an inference."""
        return _ratio(self.energy_j(), self.latency_s())

    def peak_memory_bytes(self) -> Array:
        """Parameters and the largest set of activations alive at once."""
        return self._columns.peak_memory_bytes(self._precision)

    def counted(self, name: str) -> Array:
        """A count of the network as it is fused."""
        return np.asarray(getattr(self._columns, name))

    def kernels(self) -> Array:
        """Kernels of the fused network."""
        return np.full(len(self), float(len(self._columns.skeleton.row_of)))

    def tiles(self) -> Array:
        """Pieces that the execution model cuts the kernels into."""
        return weighted(self._columns.kernels.repeats, self._totals[0].tiles)

    def intensity(self) -> Array:
        """Operations a byte moved."""
        return _ratio(self._columns.flops, self.memory_bytes())

    def speedup(self) -> Array:
        """Latency of the baseline over this one."""
        own = self._asked in self._baseline.peak_flops_per_s
        precision = projections.device_precision(self._baseline, self._asked if own else "auto")
        base = projections.totals(self._columns.kernels, self._baseline, precision, self._stack)
        return _ratio(base[1], self.latency_s())


_FORMULAS: Final[Mapping[str, Callable[[Measured], Array]]] = MappingProxyType(
    {
        "latency_s": Measured.latency_s,
        "latency_high_s": Measured.latency_high_s,
        "energy_j": Measured.energy_j,
        "power_w": Measured.power_w,
        "throughput_per_s": Measured.throughput_per_s,
        "peak_memory_bytes": Measured.peak_memory_bytes,
        "memory_bytes": Measured.memory_bytes,
        "parameters": lambda found: found.counted("parameters"),
        "macs": lambda found: found.counted("macs"),
        "flops": lambda found: found.counted("flops"),
        "kernels": Measured.kernels,
        "tiles": Measured.tiles,
        "intensity": Measured.intensity,
        "speedup": Measured.speedup,
    }
)


COUNTS: Final = ("parameters", "macs", "flops", "kernels")
"""Those that do not depend on the device."""


def _ratio(above: Any, below: Array) -> Array:
    return np.divide(above, below, out=np.zeros(len(below)), where=below != 0)

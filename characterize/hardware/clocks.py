"""The clock that a power limit sustains: power limit in, clock out.

Power is what the card draws doing nothing, what its busy units draw besides operations and bytes,
and the energy of those a second. With the clock ``c`` as a share of the highest one:

    P(c) = idle + active v^2 c busy(c) + (operations x J v^2 + bytes x J) / seconds(c)
    v    = max(floor, c)        the voltage falls with the clock, down to a floor

``seconds(c)`` divides arithmetic by the clock and leaves memory and launches as they are, so a
kernel that waits for memory does not slow down with the core. The clock is the highest at which
``P(c)`` is at most the power limit, a mean over the network: limits are held over some 100 ms.

That the voltage follows the clock, and the floor, are what our own H100 shows (docs/method.md): an
fp16 operation takes as much energy at 1.32 as at 1.50 GHz, and 1.6 times as much at 1.83 GHz.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from characterize.columns import Array
from characterize.hardware.record import Profile

VOLTAGE_FLOOR: Final = 0.74
"""The lowest voltage over the highest: an H100's falls no further below 1.47 of its 1.98 GHz."""

LOWEST: Final = 0.05
"""Where the search ends: below it a card has no clocks, and a projection is stretched instead."""

Places = NDArray[np.int64]

_STEPS: Final = 60
_CLOSE: Final = 1e-13


@dataclass(frozen=True)
class Budget:
    """What a device may draw, and what it draws whatever the kernels are; watts."""

    limit_w: float
    idle_w: float
    active_w: float
    floor: float = VOLTAGE_FLOOR  # clock below which the voltage stays, as a share of the highest

    @classmethod
    def of(cls, profile: Profile) -> Budget:
        """The budget of a profile; one that states no power limit has none."""
        limit, idle = profile.tdp_w, profile.idle_w
        highest = profile.number("units.clock_boost_hz")
        lowest = profile.number("units.clock_floor_hz", VOLTAGE_FLOOR * highest)
        floor = lowest / highest if np.isfinite(highest) else VOLTAGE_FLOOR
        return cls(
            limit_w=np.inf if limit is None or limit <= idle else limit,
            idle_w=idle,
            active_w=profile.number("power.active_w", 0.0),
            floor=min(1.0, floor),
        )

    def energy_share(self, clock: Array) -> Array:
        """Energy of an operation over that at the highest clock: the square of the voltage."""
        return np.asarray(np.maximum(self.floor, clock) ** 2)

    def busy_w(self, clock: Array) -> Array:
        """Power of units that are busy, besides operations and bytes."""
        return np.asarray(self.active_w * self.energy_share(clock) * clock)


@dataclass(frozen=True)
class Load:
    """A network's demand, ``[N]``: joules at the highest clock, and its seconds at a clock.

    ``seconds(clock, which)`` answers for the configurations ``which`` the seconds of a step, and
    those of them in which the device is busy; ``full`` are those of all at the highest clock,
    if they are known.
    """

    operations_j: Array
    bytes_j: Array
    seconds: Callable[[Array, Places], tuple[Array, Array]]
    full: tuple[Array, Array] | None = None


def sustained(load: Load, budget: Budget, length: int) -> Array:
    """The share of the highest clock that each of ``length`` configurations sustains, ``[N]``."""
    clock = np.ones(length)
    if not np.isfinite(budget.limit_w):
        return clock
    operations, moved = (np.broadcast_to(j, length) for j in (load.operations_j, load.bytes_j))

    def drawn_w(tried: Array, seconds: tuple[Array, Array], energy: Array) -> Array:
        step = np.maximum(seconds[0], 1e-12)
        return (budget.busy_w(tried) * seconds[1] + energy) / step + budget.idle_w

    at_once = load.full or load.seconds(clock, np.arange(length))
    highest_w = np.broadcast_to(drawn_w(np.ones(1), at_once, operations + moved), length)
    which = np.flatnonzero(highest_w > budget.limit_w)
    if not len(which):
        return clock

    def excess(tried: Array) -> Array:
        energy = operations[which] * budget.energy_share(tried) + moved[which]
        drawn = drawn_w(tried, load.seconds(tried, which), energy)
        return np.asarray(np.log(drawn / budget.limit_w))

    clock[which] = _falling(excess, np.log(highest_w[which] / budget.limit_w))
    return clock


def _falling(excess: Callable[[Array], Array], high: Array) -> Array:
    """Where a rising function is zero between LOWEST and 1, LOWEST where it is nowhere below.

    False position on logarithms, the end that stays halved (Illinois), all configurations at once.
    """
    left, right = np.full(len(high), np.log(LOWEST)), np.zeros(len(high))
    low = excess(np.exp(left))
    none = low >= 0.0
    low = np.minimum(low, -_CLOSE)
    side = np.zeros(len(high))
    tried, done = left, none
    for _ in range(_STEPS):
        tried = np.where(done, tried, (left * high - right * low) / (high - low))
        value = excess(np.exp(tried))
        done = done | (np.abs(value) < _CLOSE)  # stays: no configuration depends on the others
        if done.all():
            break
        over = value > 0.0
        low = np.where(over, np.where(side > 0, low / 2.0, low), value)
        high = np.where(over, value, np.where(side < 0, high / 2.0, high))
        low, high = np.minimum(low, -1e-300), np.maximum(high, 1e-300)
        left, right = np.where(over, left, tried), np.where(over, tried, right)
        side = np.where(over, 1.0, -1.0)
    return np.asarray(np.where(none, LOWEST, np.exp(np.minimum(tried, 0.0))))

"""From dynamic energy to power: static power, and what a power limit does to latency.

Total energy = dynamic energy of operations and bytes + idle power x latency. Where that would be
more power than the device may draw, its clock falls until it fits: the latency is stretched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from characterize.hardware.record import Profile
from characterize.records import Precision

if TYPE_CHECKING:  # columns are NumPy arrays
    from characterize.columns import Array


def static_power_w(profile: Profile) -> float:
    """Power that is drawn whatever is computed; 0 for the idealised devices."""
    return profile.idle_w


def capped_latency_s(profile: Profile, latency_s: Array, dynamic_energy_j: Array) -> Array:
    """Latency under the power limit: ``energy / latency <= tdp`` on average over the inference.

    The dynamic energy is taken as it is (a slower clock allows a lower voltage, which is not
    modelled), so ``latency >= dynamic energy / (tdp - idle power)``.
    """
    import numpy as np

    limit_w = profile.tdp_w
    if limit_w is None or limit_w <= profile.idle_w:
        return latency_s
    stretched: Array = np.maximum(latency_s, dynamic_energy_j / (limit_w - profile.idle_w))
    return stretched


def wall_power_w(profile: Profile, precision: Precision, macs_per_s: Array) -> Array:
    """Power of the whole system at the wall at a rate of multiply-accumulates; NaN where unknown.

    Known for boards that were measured (:mod:`characterize.hardware.edge_cpu`). Servers:
    :mod:`characterize.hardware.server_power`.
    """
    import numpy as np

    from characterize.hardware import edge_cpu

    known = None
    if profile.execution_model == "edge_cores":
        known = edge_cpu.wall_power_w(profile, precision, macs_per_s)
    return np.full_like(macs_per_s, np.nan) if known is None else known

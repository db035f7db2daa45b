"""Power of a whole server at the wall, told apart from that of its accelerators.

A projection's power and energy are the device's. What a server draws under load is, in watts,

    P = host x processors' power limits + board x accelerators + share x accelerators' limits

for the host, for what every accelerator adds besides itself (risers, fans, losses of the supply),
and for what accelerators draw of their own limits. :data:`SHARES` are fitted on 19 systems of
MLPerf Inference (closed, power, v1.0 to v2.0) with one to eight A100, A30, A10, A2 or T4; a system
left out is met within 9 % in the median, and within 26 % in nine of ten rows. The limit of an
accelerator is the one that it ran at: submissions that save power lower it ("MaxQ", 200 to 250 W for
an A100 of 300 or 400 W).

Inside one server the network hardly matters (3 %): cards run at their limit, or at the one that
their owner chose. So one measured row of a server says more than any datasheet: :func:`calibrated`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from characterize.columns import Array

TERMS: Final = ("host", "board", "accelerator")
SHARES: Final = (0.374, 126.0, 0.728)
"""Of the processors' power limits; watts an accelerator; of the accelerators' power limits."""

_ROUNDS: Final = 20
_FLOOR: Final = 0.02  # relative errors below this weigh alike


@dataclass(frozen=True, slots=True)
class Server:
    """What a datasheet says of a server, and what someone measured of it at the wall."""

    sockets: int
    socket_limit_w: float  # of one processor
    accelerators: int
    accelerator_limit_w: float  # of one accelerator
    measured_w: float | None = None  # at the wall, under any load of the accelerators


def terms_w(server: Server) -> Array:
    """What :data:`SHARES` multiply, ``[3]``."""
    host = server.sockets * server.socket_limit_w
    return np.array(
        [host, server.accelerators, server.accelerators * server.accelerator_limit_w], dtype=float
    )


def wall_power_w(server: Server) -> float:
    """Power at the wall under load: the measured one, or what the datasheets let expect."""
    if server.measured_w is not None:
        return server.measured_w
    return float(terms_w(server) @ np.array(SHARES))


def calibrated(server: Server, measured_w: float) -> Server:
    """The server with its power at the wall known from one measurement."""
    return replace(server, measured_w=float(measured_w))


def wall_energy_j(server: Server, samples_per_s: float) -> float:
    """Energy of a sample at the wall, at a rate of the whole server."""
    return wall_power_w(server) / samples_per_s


def fit(terms: Array, measured_w: Array) -> Array:
    """Non-negative shares of ``terms`` ``[n, 3]`` with small relative absolute errors.

    Least squares on relative errors, re-weighted towards absolute ones; a share that would turn
    negative is left out. Deterministic.
    """
    weight = np.ones(len(measured_w))
    shares = np.zeros(terms.shape[1])
    for _ in range(_ROUNDS):
        shares = _non_negative(terms / measured_w[:, None] * weight[:, None], weight)
        error = np.abs(terms @ shares / measured_w - 1.0)
        weight = 1.0 / np.sqrt(np.maximum(error, _FLOOR))
        weight = weight / weight.mean()
    return shares


def _non_negative(left: Array, right: Array) -> Array:
    kept = list(range(left.shape[1]))
    found = np.zeros(left.shape[1])
    while kept:
        solved = np.linalg.lstsq(left[:, kept], right, rcond=None)[0]
        if (solved >= 0.0).all():
            found[kept] = solved
            break
        kept.pop(int(solved.argmin()))
    return found

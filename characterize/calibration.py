"""Fitting the efficiencies of an execution model to measured latencies: robust, bounded, repeatable.

The unknowns are the logarithms of a model's parameters; a residual is ln(projected / measured). The
sum of ``2 s^2 (sqrt(1 + (r / s)^2) - 1)`` over the measurements (squares for small residuals, absolute
values for outliers, s = 0.1) plus ``(0.15 (ln p - ln start))^2`` over the parameters is minimised by
damped Gauss-Newton steps inside the parameters' bounds. Nothing is random.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from characterize.columns import Array
from characterize.hardware.parameters import Parameter

SOFTNESS: Final = 0.1
PRIOR: Final = 0.15
STEPS: Final = 14
_DELTA: Final = 0.02
_SMALL: Final = 1e-3  # of the start: the least a parameter with a lower bound of 0 can become

Predict = Callable[[Mapping[str, float]], Array]


@dataclass(frozen=True)
class Result:
    """Fitted values, and ln(projected / measured) of what they were fitted to."""

    values: Mapping[str, float]
    residuals: Array

    @property
    def median_error(self) -> float:
        """Median absolute percentage error, as a fraction."""
        return float(np.median(np.abs(np.expm1(self.residuals))))


def fit(
    predict: Predict,
    measured_s: Array,
    known: Mapping[str, Parameter],
    free: Sequence[str],
    start: Mapping[str, float] | None = None,
    *,
    steps: int = STEPS,
    softness: float = SOFTNESS,
    prior: float = PRIOR,
) -> Result:
    """Values of the ``free`` parameters with which ``predict`` comes closest to ``measured_s``.

    Args:
        predict: seconds of every measurement under given values of all parameters.
        measured_s: what was measured, in the same order.
        known: every parameter, with its start and bounds.
        free: names of those that are fitted.
        start: other values to start from, and to keep where they are not free.
        steps: Gauss-Newton steps at most.
        softness: residuals above it count by their size rather than their square.
        prior: how much a parameter's distance from its start counts: more where there are few rows.
    """
    values = {name: parameter.start for name, parameter in known.items()} | dict(start or {})
    origin = np.log([max(values[name], 1e-12) for name in free])
    low = np.log([max(known[name].low, _SMALL * known[name].start, 1e-12) for name in free])
    high = np.log([known[name].high for name in free])
    origin = np.clip(origin, low, high)
    target = np.log(measured_s)

    def residual(point: Array) -> Array:
        tried = values | dict(zip(free, np.exp(point).tolist(), strict=True))
        return np.asarray(np.log(predict(tried)) - target)

    point, damping = origin.copy(), 1e-2
    here = residual(point)
    cost = _cost(here, point - origin, softness, prior)
    for _ in range(steps):
        slope = np.stack([_slope(residual, point, here, i, high) for i in range(len(free))], 1)
        better = False
        for _ in range(5):
            tried = np.clip(
                point + _step(slope, here, point - origin, damping, softness, prior), low, high
            )
            there = residual(tried)
            new = _cost(there, tried - origin, softness, prior)
            if new < cost:
                better = True
                break
            damping *= 6.0
        if not better:
            break
        gained, cost = cost - new, new
        point, here, damping = tried, there, max(damping / 4.0, 1e-6)
        if gained < 1e-4 * cost:
            break
    return Result(values | dict(zip(free, np.exp(point).tolist(), strict=True)), here)


def _slope(
    residual: Callable[[Array], Array], point: Array, here: Array, place: int, high: Array
) -> Array:
    """Derivative of all residuals by one unknown, by a step away from the upper bound."""
    delta = _DELTA if point[place] + _DELTA <= high[place] else -_DELTA
    moved = point.copy()
    moved[place] += delta
    return (residual(moved) - here) / delta


def _step(
    slope: Array, here: Array, away: Array, damping: float, softness: float, prior: float
) -> Array:
    weight = 1.0 / np.sqrt(1.0 + (here / softness) ** 2)
    normal = slope.T @ (slope * weight[:, None])
    side = -slope.T @ (here * weight) - prior**2 * away
    diagonal = np.diag(normal)
    normal = normal + np.diag(prior**2 + damping * diagonal + 1e-9)
    return np.asarray(np.linalg.solve(normal, side))


def _cost(residuals: Array, away: Array, softness: float, prior: float) -> float:
    soft = 2.0 * softness**2 * (np.sqrt(1.0 + (residuals / softness) ** 2) - 1.0)
    return float(soft.sum() + ((prior * away) ** 2).sum())

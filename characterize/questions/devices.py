"""The cheapest device that meets budgets: by a figure of its profile, or by a measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from characterize import errors
from characterize.hardware import Profile
from characterize.questions.bounds import ALIASES, LARGER_IS_BETTER, MEASURES, Asked
from characterize.questions.optimizing import optimize

if TYPE_CHECKING:
    import pandas as pd

FIGURES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tdp_w": "power.tdp_w",
        "idle_w": "power.idle_w",
        "memory_capacity_bytes": "memory.capacity_bytes",
        "memory_bytes_per_s": "memory.bytes_per_s",
        "peak_flops_per_s": "",
    }
)
"""Figures of a device that it can be cheap by, and where a profile has them."""


def cheapest(
    family: str,
    *,
    by: str = "tdp_w",
    budgets: Asked | None = None,
    hardware: Sequence[str | Profile] | str = "all",
    **asked: Any,
) -> pd.DataFrame:
    """The devices on which some configuration meets the budgets, the cheapest first.

    Args:
        family: the family.
        by: what makes a device cheap: one of :data:`FIGURES`, or a measure, of which every
            device's best configuration counts. No profile states a price.
        budgets: as for :func:`optimize`.
        hardware: device names, classes, TOML paths, profiles, or ``"all"``.
        asked: everything else that :func:`optimize` takes, ``objective`` and the axes among it.

    Returns:
        The best configuration of every device that meets the budgets, with the figure in front;
        devices without it come last.

    Raises:
        UnknownNameError: ``by`` is nothing that we know of a device.
    """
    known = [*FIGURES, *(name for name in MEASURES if name not in LARGER_IS_BETTER)]
    by = ALIASES.get(by, by)
    if by in ("price", "cost", "price_usd"):
        msg = f"No profile states a price; choose what is cheap by one of {', '.join(known)}."
        raise errors.InvalidValueError(msg)
    if by not in known:
        raise errors.unknown("figure to compare devices by", by, known, limit=20)
    if by in MEASURES:
        found = optimize(family, **{"objective": f"min {by}"} | asked | {
            "budgets": budgets, "hardware": hardware, "top": 1})  # fmt: skip
        return found.sort_values(by, kind="stable", ignore_index=True) if len(found) else found
    found = optimize(family, budgets=budgets, hardware=hardware, **asked | {"top": 1})
    if not len(found):
        return found
    figures = _figures(by, hardware, found)
    found.insert(0, by, [figures[name] for name in found["hardware"]])
    return found.sort_values(by, kind="stable", ignore_index=True)


def _figures(by: str, hardware: Any, found: pd.DataFrame) -> dict[str, float]:
    from characterize import hardware as catalogue

    listed = [hardware] if isinstance(hardware, str | Profile) else list(hardware)
    chosen = catalogue.select([each for each in listed if not isinstance(each, Profile)])
    profiles = [*chosen, *(each for each in listed if isinstance(each, Profile))]
    precisions = dict(zip(found["hardware"], found["precision"], strict=True))
    figures = {}
    for profile in profiles:
        if profile.name in precisions:
            peak = profile.peak_flops_per_s.get(precisions[profile.name], float("nan"))
            figures[profile.name] = profile.number(FIGURES[by]) if FIGURES[by] else peak
    return figures

"""Letters of pins beside their marks, joined where marks lie too close for a letter each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

LETTER: Final = 0.045  # of the narrowest axis, 190 pixels: a bold letter of 10 pixels and a gap
COMMA: Final = 0.03  # a comma and a space


def along(values: Sequence[float | None], low: float, high: float, *, log: bool) -> list[float]:
    """How far along an axis values lie: 0 at ``low``, 1 at ``high``; NaN for what is not drawn."""
    span = math.log(high / low) if log and low > 0 else high - low
    if not span > 0:
        return [math.nan if value is None else 0.0 for value in values]
    return [
        math.nan
        if value is None or (log and value <= 0)
        else (math.log(value / low) if log else value - low) / span
        for value in values
    ]


def joined(names: Sequence[str], places: Sequence[float]) -> list[str]:
    """What is written at each mark of a row: ``A``, or ``C, A`` at one of marks that are close.

    They are joined in the order of the marks along the axis, equal ones in that of their names.

    Args:
        names: the letter of each mark, in their order.
        places: where the marks are along the axis, 0 to 1; NaN for one that is not drawn.
    """
    groups: list[list[int]] = []
    drawn = [i for i, place in enumerate(places) if not math.isnan(place)]
    for index in sorted(drawn, key=places.__getitem__):
        groups.append([index])
        while len(groups) > 1 and _touch(groups[-2], groups[-1], places):
            groups[-2:] = [groups[-2] + groups[-1]]
    texts = [""] * len(names)
    for group in groups:
        texts[_middle(group)] = ", ".join(names[index] for index in group)
    return texts


def _middle(group: Sequence[int]) -> int:
    return group[(len(group) - 1) // 2]


def _touch(left: Sequence[int], right: Sequence[int], places: Sequence[float]) -> bool:
    apart = places[_middle(right)] - places[_middle(left)]
    return apart < (_width(left) + _width(right)) / 2


def _width(group: Sequence[int]) -> float:
    return LETTER * len(group) + COMMA * (len(group) - 1)

"""The frame of a parameter's curve: lines, labels that keep apart, texts for the pointer. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dashboard.readable import Quantity, number

LABEL_STEPS: Final = 20  # labels that fit above one another
_NAMES: Final = (
    "role", "at", "at_text", "device", "architecture", "dash", "value", "low", "high", "label_at", "place",
)  # fmt: skip


def frame(
    values: Sequence[int],
    series: Mapping[str, Mapping[str, Sequence[float]]],
    quantity: Quantity,
    devices: Sequence[tuple[str, str, str]],
    logarithmic: bool,
) -> dict[str, list[Any]]:
    """The frame of ``charts_curve.curve``.

    Args:
        values: of the parameter, ascending.
        series: numbers by column and device, one a value.
        quantity: which of them.
        devices: name, title and architecture of each.
        logarithmic: whether the quantity's axis is.
    """
    texts = [f"v{index}" for index in range(len(devices))]
    found: list[dict[str, Any]] = []
    seen: dict[str, int] = {}
    for name, title, architecture in devices:
        dash = seen[architecture] = seen.get(architecture, -1) + 1
        line = series[quantity.column][name]
        low = series[quantity.low][name] if quantity.low else line
        high = series[quantity.high][name] if quantity.high else line
        same = {"device": title, "architecture": architecture, "dash": dash}
        found += [
            {"role": "point", "at": at, "value": v, "low": a, "high": b, **same}
            for at, v, a, b in zip(values, line, low, high, strict=True)
        ]
    ends = [series[quantity.column][name][-1] for name, _, _ in devices]
    reach = [row[end] for row in found for end in ("low", "high")]
    dashes = {row["device"]: row["dash"] for row in found}
    places = apart(ends, reach, logarithmic)
    for place, ((_, title, architecture), label_at) in enumerate(zip(devices, places, strict=True)):
        same = {"device": title, "architecture": architecture, "dash": dashes[title]}
        found.append(
            {"role": "label", "at": values[-1], "label_at": label_at, "place": place, **same}
        )
    for index, at in enumerate(values):
        told = {
            text: number(series[quantity.column][name][index], quantity.unit)
            for text, (name, _, _) in zip(texts, devices, strict=True)
        }
        found.append({"role": "rule", "at": at, "at_text": f"{at:,}", **told})
    return {name: [row.get(name) for row in found] for name in (*_NAMES, *texts)}


def apart(ends: Sequence[float], reach: Sequence[float], logarithmic: bool) -> list[float]:
    """Where labels go, as near to the ends of their lines as they can without covering another.

    Args:
        ends: where the lines end.
        reach: all that is drawn; the axis goes on from there to a round value, or to 0.
        logarithmic: whether the axis is.

    >>> apart([0.0, 1.0, 100.0], [0.0, 200.0], False)  # a label is a 20th of the axis: 10
    [0.0, 10.0, 100.0]
    >>> apart([195.0, 200.0], [0.0, 200.0], False)  # none above the axis
    [190.0, 200.0]
    """
    if not ends:
        return []
    scaled = _logarithms if logarithmic else list
    places = scaled(ends)
    bottom, top = _axis(scaled(reach), logarithmic)
    step = (top - bottom) / LABEL_STEPS
    upwards = sorted(range(len(places)), key=places.__getitem__)
    for before, index in itertools.pairwise(upwards):
        places[index] = max(places[index], places[before] + step)
    highest = top
    for index in reversed(upwards):
        places[index] = min(places[index], highest)
        highest = places[index] - step
    return [10**place if logarithmic else place for place in places]


def _axis(reach: Sequence[float], logarithmic: bool) -> tuple[float, float]:
    """What the axis spans, in decades where it is logarithmic: those end at powers of ten."""
    if logarithmic:
        return float(math.floor(min(reach))), float(math.ceil(max(reach)))
    return min(0.0, *reach), max(reach)


def _logarithms(values: Sequence[float]) -> list[float]:
    return [math.log10(value) for value in values if value > 0]

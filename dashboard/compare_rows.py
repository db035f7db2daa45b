"""Several networks on several devices as frames for charts and tables. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from dashboard.encodings import Spread
from dashboard.readable import (
    ENERGY,
    LATENCY,
    SPEEDUP,
    THROUGHPUT,
    Columns,
    Quantity,
    length,
    number,
    row,
)

POWER: Final = Quantity(
    "power_w", "Power", "W", True, "Energy over latency: what the device draws while it runs this."
)
QUANTITIES: Final = {
    quantity.title: quantity for quantity in (LATENCY, ENERGY, SPEEDUP, POWER, THROUGHPUT)
}


@dataclass(frozen=True)
class Entry:
    """One network that is compared: what it is called, and its rows, one a device."""

    name: str
    rows: Columns


def cells(
    entries: Sequence[Entry], quantity: Quantity, titles: Mapping[str, str], order: Sequence[str]
) -> dict[str, list[Any]]:
    """The frame of the heatmap and of the small multiples: one row a network and device.

    Args:
        entries: the networks in their order.
        quantity: what is compared.
        titles: what devices are called.
        order: names of the devices in their order.
    """
    found: list[dict[str, Any]] = []
    for place, entry in enumerate(entries):
        made = [_cell(row(entry.rows, i), quantity, titles) for i in range(length(entry.rows))]
        best = _best([cell["value"] for cell in made], quantity)
        for cell in made:
            is_best = len(made) > 1 and cell["value"] == best
            found.append(
                {
                    "network": entry.name,
                    "network_order": place,
                    **cell,
                    "order": order.index(cell["hardware"]),
                    "best": is_best,
                    "cell_text": f"★ {cell['text']}" if is_best else cell["text"],
                    "factor_text": _factor(cell["value"], best, quantity),
                    "said": f"{entry.name}, {cell['device']}: {quantity.title.lower()} {cell['text']}"
                    + (", the best" if is_best else ""),
                }
            )
    return _columns(found)


def _cell(line: Mapping[str, Any], quantity: Quantity, titles: Mapping[str, str]) -> dict[str, Any]:
    value = float(line[quantity.column])
    low = float(line[quantity.low]) if quantity.low else value
    high = float(line[quantity.high]) if quantity.high else value
    unit = quantity.unit
    return {
        "hardware": str(line["hardware"]),
        "device": titles.get(str(line["hardware"]), str(line["hardware"])),
        "architecture": str(line["architecture"]),
        "value": value,
        "low": low,
        "high": high,
        "text": number(value, unit),
        "range_text": f"{number(low, unit)} to {number(high, unit)}" if high > low else "–",
        "precision": str(line["precision"]),
        "bound": str(line["bottleneck"]),
        "confidence": str(line["confidence"]),
        "fits_text": "no" if line["fits"] is not None and not line["fits"] else "yes",
        "uncounted": int(line["uncounted"]),
    }


def _best(values: Sequence[float], quantity: Quantity) -> float:
    return (min if quantity.lower_is_better else max)(values, default=math.nan)


def _factor(value: float, best: float, quantity: Quantity) -> str:
    """How far a value is from the best of its network."""
    if value == best or not (value > 0 and best > 0):
        return "the best" if value == best else "–"
    return f"{max(value / best, best / value):.3g}× from the best"


def apart(
    frame: Columns, ends: Mapping[str, str], spread: Spread = "even"
) -> list[tuple[str, dict[str, list[Any]]]]:
    """A frame apart by network, for small charts on common axes.

    Args:
        frame: of :func:`cells` or :func:`frontier`.
        ends: new columns that hold, in every row, how far all networks reach: the lowest value above
            0 for a name that ends in ``low``, the highest otherwise, of the column that is named.
        spread: of a logarithmic axis the whole decade is said that it reaches to, so that a chart stays
            the same while the values of others move within theirs.
    """
    reach: dict[str, float] = {}
    for name, column in ends.items():
        values = [value for value in frame.get(column, ()) if value > 0]
        end = (min if name.endswith("low") else max)(values, default=math.nan)
        reach[name] = end if spread == "even" else _decade(end, up=not name.endswith("low"))
    found = []
    for network in dict.fromkeys(frame.get("network", ())):
        places = [i for i, each in enumerate(frame["network"]) if each == network]
        part = {column: [values[i] for i in places] for column, values in frame.items()}
        found.append((network, part | {name: [end] * len(places) for name, end in reach.items()}))
    return found


def _decade(value: float, *, up: bool) -> float:
    """A value just inside the end of the decade that ``value`` is in; of an axis it makes whole ones."""
    if not 0 < value < math.inf:
        return value
    end = (math.ceil if up else math.floor)(math.log10(value))
    return float(f"1e{end}") * (_INSIDE if up else 1 / _INSIDE)


_INSIDE: Final = 0.98  # of the end of a decade: a rounding error must not make the axis one longer
VALUE_ENDS: Final = MappingProxyType({"axis_low": "low", "axis_high": "high"})
FRONTIER_ENDS: Final = MappingProxyType(
    {f"{name}_{end}": name for name in ("latency", "energy") for end in ("low", "high")}
)


def frontier(
    entries: Sequence[Entry], titles: Mapping[str, str], order: Sequence[str]
) -> dict[str, list[Any]]:
    """The frame of the frontier: energy against latency, and which devices nothing else beats.

    A device is on a network's frontier if no other runs it both faster and with less energy;
    ``step`` numbers those from the fastest on, and is missing elsewhere.
    """
    found: list[dict[str, Any]] = []
    for place, entry in enumerate(entries):
        lines = [row(entry.rows, i) for i in range(length(entry.rows))]
        points = [(float(line["latency_s"]), float(line["energy_j"])) for line in lines]
        steps = {index: step for step, index in enumerate(undominated(points))}
        for index, line in enumerate(lines):
            cell = _cell(line, LATENCY, titles)
            on_it = index in steps
            found.append(
                {
                    **{name: cell[name] for name in _SHOWN},
                    "network": entry.name,
                    "network_order": place,
                    "order": order.index(cell["hardware"]),
                    "latency": points[index][0],
                    "energy": points[index][1],
                    "latency_text": cell["text"],
                    "energy_text": number(points[index][1], "J"),
                    "step": steps.get(index),
                    "on_frontier": "yes" if on_it else "no",
                    "label": cell["device"] if on_it else "",
                }
            )
    for place in range(len(entries)):
        _place_labels([each for each in found if each["network_order"] == place], found)
    return _columns(found)


# Where a name may stand beside its mark: pixels across and down, and what of it is there.
_BESIDE: Final = (
    (9, -7, "left"), (9, 9, "left"), (-9, 9, "right"), (-9, -7, "right"),
    (0, 16, "center"), (0, -16, "center"),
)  # fmt: skip
_PLOT: Final = (190.0, 200.0)  # pixels of a plot as small as it gets
_LETTER: Final = 5.8  # pixels wide
_HALF: Final = 7.0  # pixels of half a mark or a line of text


def _place_labels(
    points: Sequence[dict[str, Any]], everything: Sequence[Mapping[str, Any]]
) -> None:
    """Give each point of one network the place of its name that covers fewest marks and names."""
    across = _scaled([each["latency"] for each in everything], _PLOT[0])
    down = _scaled([each["energy"] for each in everything], -_PLOT[1])
    marks = [(across(each["latency"]), down(each["energy"])) for each in points]
    taken = [(x - _HALF, x + _HALF, y) for x, y in marks]
    for point, (x, y) in zip(points, marks, strict=True):
        dx, dy, align, box = min(
            ((dx, dy, align, _box(x + dx, y + dy, align, point["label"]))
             for dx, dy, align in _BESIDE),
            key=lambda each: sum(_covers(each[3], other) for other in taken)
            + (each[3][0] < 0) + (each[3][1] > _PLOT[0]),
        )  # fmt: skip
        point |= {"label_dx": dx, "label_dy": dy, "label_align": align}
        if point["label"]:
            taken.append(box)


def _scaled(values: Sequence[float], pixels: float) -> Callable[[float], float]:
    """From a value to its pixel on a logarithmic axis of whole decades."""
    logs = [math.log10(value) for value in values if value > 0] or [0.0]
    low, high = math.floor(min(logs)), math.ceil(max(logs))
    return lambda value: (
        pixels * (math.log10(value) - low) / max(high - low, 1) if value > 0 else 0.0
    )


def _box(x: float, y: float, align: str, text: str) -> tuple[float, float, float]:
    """The left and right end of a text, and its height in the middle."""
    width = _LETTER * len(text)
    left = {"left": x, "right": x - width, "center": x - width / 2}[align]
    return left, left + width, y


def _covers(one: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    apart = one[1] < other[0] or other[1] < one[0] or abs(one[2] - other[2]) > 2 * _HALF
    return not apart


_SHOWN: Final = ("hardware", "device", "architecture", "precision", "confidence")


def undominated(points: Sequence[tuple[float, float]]) -> list[int]:
    """Positions of the points that no other is at or below in both coordinates, by the first one.

    >>> undominated([(1.0, 9.0), (2.0, 9.0), (3.0, 1.0), (4.0, 2.0)])
    [0, 2]
    """
    kept: list[int] = []
    least = math.inf
    for index in sorted(range(len(points)), key=lambda i: points[i]):
        if points[index][1] < least:
            least = points[index][1]
            kept.append(index)
    return kept


def together(entries: Sequence[Entry]) -> dict[str, list[Any]]:
    """All rows in one table, what they are called first; a parameter that others lack is empty."""
    names = list(dict.fromkeys(name for entry in entries for name in entry.rows))
    table: dict[str, list[Any]] = {"network": []}
    for entry in entries:
        table["network"] += [entry.name] * length(entry.rows)
    for name in names:
        table[name] = [
            value
            for entry in entries
            for value in entry.rows.get(name, [None] * length(entry.rows))
        ]
    return table


def takeaway(frame: Columns, quantity: Quantity) -> str:
    """The best device of every network, in a sentence."""
    best = [
        f"{frame['network'][i]} on {frame['device'][i]} with {frame['text'][i]}"
        for i, is_best in enumerate(frame.get("best", ()))
        if is_best
    ]
    return f"Best {quantity.title.lower()}: {'; '.join(best) or 'there is one device only'}"


def frontier_takeaway(frame: Columns) -> str:
    """The devices on a network's frontier, in a sentence."""
    devices = [
        name for name, step in zip(frame["device"], frame["step"], strict=True) if step is not None
    ]
    return f"Worth having: {', '.join(devices)}."


def _columns(found: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [each[name] for each in found] for name in (found[0] if found else ())}

"""A sweep as frames for charts, budgets as stops of a slider, axes as texts. Pure.

The frames of ``characterize.questions`` are small whatever the sweep's size; here they become columns
with the texts that people read. What a mark stands for is its ``id``: the values of its row as JSON.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from characterize.records import Stack
from dashboard.readable import (
    ENERGY,
    LATENCY,
    MACS,
    PEAK_MEMORY,
    SPEEDUP,
    THROUGHPUT,
    Quantity,
    number,
    numbers,
)

if TYPE_CHECKING:
    from characterize.models import Family, Parameter

POWER: Final = Quantity("power_w", "Power", "W", True, "Energy over latency, of the device.")
PARAMETERS: Final = Quantity(
    "parameters",
    "Parameters",
    "",
    False,
    "Elements of all weights; those that are shared count once.",
)
MEASURES: Final = {
    quantity.title: quantity
    for quantity in (LATENCY, ENERGY, POWER, THROUGHPUT, PEAK_MEMORY, SPEEDUP, MACS, PARAMETERS)
}
"""What a sweep can be asked for, by its title."""

BUDGETS: Final = (LATENCY, ENERGY, POWER, PEAK_MEMORY)
"""What has a budget slider."""

ANY: Final = "any"
_STEPS: Final = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
FRONTIER_SIZE: Final = 110  # square pixels of a mark
SAMPLE_SIZE: Final = 16
SUGGESTED: Final = 2  # axes that get a range before anybody asks
_LISTED: Final = 3  # values of an axis that are named one by one
RUN: Final = ("batch", "precision", "stack")  # what a configuration has beside its parameters


# Budgets


def stops(low: float, high: float, unit: str) -> dict[str, float]:
    """The stops of a budget slider, from a tight one to none, each with what it allows.

    >>> stops(0.9e-3, 2.2e-3, "s")
    {'1 ms': 0.001, '1.5 ms': 0.0015, '2 ms': 0.002, 'any': inf}
    """
    found: dict[str, float] = {}
    if 0 < low <= high < math.inf:
        for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
            values = (float(f"{step}e{power}") for step in _STEPS)
            found |= {number(value, unit): value for value in values if low <= value <= high}
    return {**found, ANY: math.inf}


# Frames


def tiles(
    cells: pd.DataFrame, of: str, quantity: Quantity, axes: tuple[str, str]
) -> dict[str, Any]:
    """The columns of ``charts_sweep.heatmap``: cells with texts; infeasible ones have no value.

    Args:
        cells: of ``questions.heatmap``.
        of: which of its columns is shown: ``best``, ``median`` or ``share``.
        quantity: what its values are of.
        axes: what x and y are.
    """
    outside = (cells["feasible"] == 0).tolist()
    value = [None if no else v for v, no in zip(cells[of].tolist(), outside, strict=True)]
    texts = {
        each: numbers(cells[each], quantity.unit) for each in {of, "best", "worst"} - {"share"}
    }
    texts["share"] = [f"{v:.0%}" for v in cells["share"].tolist()]
    where = _grid_of_cells(axes, *(tuple(cells[end].tolist()) for end in _ENDS))
    return {
        **{name: column for name, column in where.items() if name != "said"},
        "value": value,
        "text": texts[of],
        "best_text": texts["best"],
        "worst_text": texts["worst"],
        "feasible_text": _of(cells["feasible"], cells["rows"]),
        "said": [f"{at}: {text}" for at, text in zip(where["said"], texts[of], strict=True)],
        "outside": outside,
    }


_ENDS: Final = ("x", "x_to", "y", "y_to")


def order(cells: pd.DataFrame, axis: str) -> tuple[str, ...]:
    """The texts of an axis of :func:`tiles` from left to right, or from the top: larger is higher."""
    return _order(*(tuple(cells[end].tolist()) for end in (axis, f"{axis}_to")), axis != "x")


@functools.lru_cache(maxsize=32)
def _order(first: tuple[Any, ...], last: tuple[Any, ...], upwards: bool) -> tuple[str, ...]:
    ends = pd.DataFrame({"first": first, "last": last}).drop_duplicates()
    if _is_number(ends["first"]):
        ends = ends.sort_values("first", ascending=not upwards)
        return tuple(_spans(ends["first"], ends["last"]))
    return tuple(sorted(_spans(ends["first"], ends["last"])))


@functools.lru_cache(maxsize=32)
def _grid_of_cells(
    axes: tuple[str, str],
    x: tuple[Any, ...],
    x_to: tuple[Any, ...],
    y: tuple[Any, ...],
    y_to: tuple[Any, ...],
) -> dict[str, Any]:
    """Where cells are and what they are called: the same whatever the budgets are."""
    columns = [pd.Series(each) for each in (x, x_to, y, y_to)]
    xs, ys = _spans(*columns[:2]), _spans(*columns[2:])
    pairs = zip(_pairs(*columns[:2]), _pairs(*columns[2:]), strict=True)
    names = [axis.replace("_", " ") for axis in axes]
    return {
        "id": [_cell_id(dict(zip(axes, pair, strict=True))) for pair in pairs],
        "x": xs,
        "y": ys,
        "said": [f"{names[0]} {x}, {names[1]} {y}" for x, y in zip(xs, ys, strict=True)],
    }


def curves(
    points: pd.DataFrame, of: str, quantity: Quantity, x: str, devices: Mapping[str, Any]
) -> dict[str, Any]:
    """The columns of ``charts_sweep.lines``: a point a device and value of the axis.

    Args:
        points: of ``questions.lines`` by hardware.
        of: which of its columns is shown: ``best`` or ``median``.
        quantity: what its values are of.
        x: the axis.
        devices: by name, what has ``short`` and ``architecture``.
    """
    kept = points[points["feasible"] > 0]
    by = kept["by"].tolist()
    pairs = _pairs(kept["x"], kept["x_to"])
    last = (~kept.duplicated("by", keep="last")).tolist()
    device, architecture = _named(devices, by)
    spans, text = _spans(kept["x"], kept["x_to"]), numbers(kept[of], quantity.unit)
    return {
        "id": [
            _cell_id({x: pair, "hardware": (name, name)})
            for pair, name in zip(pairs, by, strict=True)
        ],
        "x": kept["x"].tolist(),
        "x_text": spans,
        "device": device,
        "architecture": architecture,
        "value": kept[of].tolist(),
        "text": text,
        "best_text": numbers(kept["best"], quantity.unit),
        "worst_text": numbers(kept["worst"], quantity.unit),
        "feasible_text": _of(kept["feasible"], kept["rows"]),
        "label": [name if end else "" for name, end in zip(device, last, strict=True)],
        "said": [
            f"{name}, {x.replace('_', ' ')} {at}: {value}"
            for name, at, value in zip(device, spans, text, strict=True)
        ],
    }


def cloud(
    marks: pd.DataFrame, x: Quantity, y: Quantity, devices: Mapping[str, Any], axes: Sequence[str]
) -> dict[str, Any]:
    """The columns of ``charts_sweep.scatter``: the frontier, and a sample of everything else.

    Args:
        marks: of ``questions.scatter`` by hardware.
        x: what is across.
        y: what is up.
        devices: by name, what has ``short`` and ``architecture``.
        axes: the columns that differ within the sweep.
    """
    told = [name for name in axes if name in marks and name not in _ALWAYS]
    columns = {name: marks[name].tolist() for name in (*told, *_ALWAYS)}
    device, architecture = _named(devices, columns["hardware"])
    names = [name.replace("_", " ") for name in told]
    settings = [
        ", ".join(f"{name} {value}" for name, value in zip(names, line, strict=True))
        for line in zip(*(columns[name] for name in told), strict=True)
    ]
    settings = settings or ["–"] * len(marks)
    count = marks["count"].tolist()
    x_text, y_text = numbers(marks[x.column], x.unit), numbers(marks[y.column], y.unit)
    ids, frontier = _row_ids(columns), marks["frontier"].tolist()
    return {
        "id": ids,
        "kept": [
            float(2 * (hash(each) % _HALF) + on) for each, on in zip(ids, frontier, strict=True)
        ],
        "x": marks[x.column].tolist(),
        "y": marks[y.column].tolist(),
        "x_text": x_text,
        "y_text": y_text,
        "device": device,
        "architecture": architecture,
        "frontier": frontier,
        "size": [FRONTIER_SIZE if each else SAMPLE_SIZE for each in frontier],
        "count_text": [f"{n:,} alike" if n > 1 else "one configuration" for n in count],
        "settings": settings,
        "said": [
            f"{name}, {setting}: {a}, {b}"
            for name, setting, a, b in zip(device, settings, x_text, y_text, strict=True)
        ],
    }


def _named(devices: Mapping[str, Any], names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Short name and architecture of devices, of which there are few and each many times."""
    short = {name: _short(devices, name) for name in set(names)}
    architecture = {name: _architecture(devices, name) for name in set(names)}
    return [short[name] for name in names], [architecture[name] for name in names]


def _short(devices: Mapping[str, Any], name: Any) -> str:
    return devices[name].short if name in devices else str(name)


def _architecture(devices: Mapping[str, Any], name: Any) -> str:
    return devices[name].architecture if name in devices else "reference"


def _is_number(values: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(values.dtype)) and values.dtype != bool


def _pairs(first: pd.Series, last: pd.Series) -> list[tuple[Any, Any]]:
    return list(zip(first.tolist(), last.tolist(), strict=True))


def _spans(first: pd.Series, last: pd.Series) -> list[str]:
    return [f"{a}" if a == b else f"{a}–{b}" for a, b in _pairs(first, last)]


def _of(some: pd.Series, total: pd.Series) -> list[str]:
    return [f"{a:,} of {b:,}" for a, b in _pairs(some, total)]


# What a mark stands for


_HALF: Final = 1 << 51  # twice as much is exact in the browser's numbers
_ALWAYS: Final = ("hardware", "precision")  # of a row beside its axes; all else is the sweep's


def _row_ids(columns: Mapping[str, Sequence[Any]]) -> list[str]:
    """Rows as texts that name them within their sweep: JSON, of values that are few and recur."""
    parts = [
        [f"{said}:{_json(_plain(value))}" for value in column]
        for said, column in ((json.dumps(name), column) for name, column in columns.items())
    ]
    return ["{" + ",".join(line) + "}" for line in zip(*parts, strict=True)]


@functools.lru_cache(maxsize=1 << 12, typed=True)  # 1 is not true
def _json(value: Any) -> str:
    return json.dumps(value)


def _cell_id(axes: Mapping[str, tuple[Any, Any]]) -> str:
    return _cell_text(tuple((name, _plain(a), _plain(b)) for name, (a, b) in axes.items()))


@functools.lru_cache(maxsize=1 << 16)
def _cell_text(spans: tuple[tuple[str, Any, Any], ...]) -> str:
    cell = {name: [first, last] for name, first, last in spans}
    return json.dumps({"cell": cell}, separators=(",", ":"))


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


@dataclass(frozen=True)
class Picked:
    """What a person clicked: a row, or a cell of rows between two values of each axis."""

    row: Mapping[str, Any]
    cell: Mapping[str, tuple[Any, Any]]


def picked(text: str) -> Picked | None:
    """What the ``id`` of a mark says, ``None`` where it is none."""
    try:
        record = json.loads(text)
        cell = {name: (a, b) for name, (a, b) in record.pop("cell", {}).items()}
    except (ValueError, AttributeError, TypeError):
        return None
    return Picked(record, cell)


def inside(values: Sequence[Any], span: tuple[Any, Any]) -> list[Any]:
    """The values of an axis that lie in a cell; an axis of words has the one word."""
    first, last = span
    if isinstance(first, int | float) and not isinstance(first, bool):
        return [value for value in values if first <= value <= last]
    return [value for value in values if value == first]


# New sweeps


def suggestion(parameter: Parameter, place: int) -> str:
    """What a parameter's field says before anybody writes in it.

    Args:
        parameter: of a family.
        place: how many parameters before it have got a range; the first few that only scale sizes
            get one, so that a first sweep needs no tracing.

    >>> from characterize.models import Parameter
    >>> wide = Parameter("channels", "int", 16, "", 1, 4096, 1, scale="log", symbolic=True)
    >>> suggestion(wide, 0), suggestion(wide, 2)
    ('4:64:4', '16')
    """
    default = parameter.default
    if place < SUGGESTED and takes_a_range(parameter):
        step = max(int(parameter.low or 1), int(default) // 4, 1)
        return f"{step}:{min(int(default) * 4, int(parameter.high or default))}:{step}"
    return str(default).lower() if isinstance(default, bool) else str(default)


def takes_a_range(parameter: Parameter) -> bool:
    """Whether a first sweep goes along it: it is a size, and one trace serves all its values."""
    sizes = parameter.kind == "int" and parameter.symbolic
    return sizes and parameter.name not in _NOT_FIRST


_NOT_FIRST: Final = frozenset(
    {
        "in_channels",
        "in_features",
        "out_features",
        "classes",
        "num_classes",
        "heads",
        "kv_heads",
        "vocabulary",
    }
)


def suggestions(family: Family) -> dict[str, str]:
    """What the fields of a family say at first, by parameter."""
    found: dict[str, str] = {}
    place = 0
    for parameter in family.parameters:
        found[parameter.name] = suggestion(parameter, place)
        place += takes_a_range(parameter)
    return found


def several(description: Mapping[str, Any]) -> list[str]:
    """The axes of a kept sweep that have more than one value, those with most values first."""
    axes = _axes(description)
    found = [name for name, values in axes.items() if len(values) > 1]
    return sorted(found, key=lambda name: -len(axes[name]))


def _axes(description: Mapping[str, Any]) -> dict[str, Sequence[Any]]:
    run = {"precision": description.get("precisions", ()), "stack": description.get("stacks", ())}
    return {**description.get("axes", {}), **run}


def extent(description: Mapping[str, Any], devices: int) -> str:
    """How far each axis of a kept sweep goes, and on how many devices."""
    axes = _axes(description)
    parts = [f"{name.replace('_', ' ')} {_span(axes[name])}" for name in several(description)]
    return " · ".join([*parts, f"{devices} device{'s' * (devices != 1)}"])


def _span(values: Sequence[Any]) -> str:
    if len(values) <= _LISTED:
        return ", ".join(map(str, values))
    if all(isinstance(value, int | float) for value in values):
        return f"{min(values)} to {max(values)}"
    return f"{values[0]} and {len(values) - 1} more"


def whole(row: Mapping[str, Any], description: Mapping[str, Any]) -> dict[str, Any]:
    """A row with what it shares with all others of its sweep: axes of one value, family, stack."""
    shared = {name: values[0] for name, values in description.get("axes", {}).items() if values}
    if description.get("family"):
        shared["model"] = description["family"]
    for name, several_ in (("precision", "precisions"), ("stack", "stacks")):
        shared[name] = description.get(several_, ["auto" if name == "precision" else "compiled"])[0]
    return {**shared, **{name: _plain(value) for name, value in row.items()}}


STACKS: Final = tuple(stack.value for stack in Stack)

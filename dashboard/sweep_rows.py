"""A sweep as frames for charts, budgets as stops of a slider, axes as texts. Pure.

The frames of ``characterize.questions`` are small whatever the sweep's size; here they get the texts
that people read. What a mark stands for is its ``id``: the values of its row as JSON.
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
SUGGESTED: Final = 2  # axes that get a range before anybody asks
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

# a budget that moves changes few of a picture's numbers, and each is written many times over
_said = functools.lru_cache(maxsize=1 << 16)(number)


def tiles(cells: pd.DataFrame, of: str, quantity: Quantity, axes: tuple[str, str]) -> pd.DataFrame:
    """The frame of ``charts_sweep.heatmap``: cells with texts; infeasible ones have no value.

    Args:
        cells: of ``questions.heatmap``.
        of: which of its columns is shown: ``best``, ``median`` or ``share``.
        quantity: what its values are of.
        axes: what x and y are.
    """
    unit = "" if of == "share" else quantity.unit
    value = cells[of].where(cells["feasible"] > 0)
    ends = ("x", "x_to", "y", "y_to")
    fixed = _grid_of_cells(axes, *(tuple(cells[end].tolist()) for end in ends))
    return pd.DataFrame(
        {
            **fixed,
            "value": value,
            "text": [f"{v:.0%}" if of == "share" else _said(v, unit) for v in value.tolist()],
            "best_text": [_said(v, quantity.unit) for v in cells["best"].tolist()],
            "worst_text": [_said(v, quantity.unit) for v in cells["worst"].tolist()],
            "feasible_text": _of(cells["feasible"], cells["rows"]),
            "outside": cells["feasible"] == 0,
        }
    )


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
    return {
        "id": [_cell_id(dict(zip(axes, pair, strict=True))) for pair in pairs],
        "x": xs,
        "y": ys,
        "x_order": columns[0].rank(method="dense") if _is_number(columns[0]) else xs,
        "y_order": -columns[2].rank(method="dense") if _is_number(columns[2]) else ys,
    }


def curves(
    points: pd.DataFrame, of: str, quantity: Quantity, x: str, devices: Mapping[str, Any]
) -> pd.DataFrame:
    """The frame of ``charts_sweep.lines``: a point a device and value of the axis.

    Args:
        points: of ``questions.lines`` by hardware.
        of: which of its columns is shown: ``best`` or ``median``.
        quantity: what its values are of.
        x: the axis.
        devices: by name, what has ``short`` and ``architecture``.
    """
    kept = points[points["feasible"] > 0].reset_index(drop=True)
    spans = _spans(kept["x"], kept["x_to"])
    pairs = _pairs(kept["x"], kept["x_to"])
    last = ~kept.duplicated("by", keep="last")
    return pd.DataFrame(
        {
            "id": [
                _cell_id({x: pair, "hardware": (name, name)})
                for pair, name in zip(pairs, kept["by"], strict=True)
            ],
            "x": kept["x"],
            "x_text": spans,
            "device": [_short(devices, name) for name in kept["by"]],
            "architecture": [_architecture(devices, name) for name in kept["by"]],
            "value": kept[of],
            "text": [_said(v, quantity.unit) for v in kept[of]],
            "best_text": [_said(v, quantity.unit) for v in kept["best"]],
            "worst_text": [_said(v, quantity.unit) for v in kept["worst"]],
            "feasible_text": _of(kept["feasible"], kept["rows"]),
            "label": [
                _short(devices, n) if end else "" for n, end in zip(kept["by"], last, strict=True)
            ],
        }
    )


def cloud(
    marks: pd.DataFrame, x: Quantity, y: Quantity, devices: Mapping[str, Any], axes: Sequence[str]
) -> pd.DataFrame:
    """The frame of ``charts_sweep.scatter``: the frontier, and a sample of everything else.

    Args:
        marks: of ``questions.scatter`` by hardware.
        x: what is across.
        y: what is up.
        devices: by name, what has ``short`` and ``architecture``.
        axes: the columns that differ within the sweep.
    """
    told = [name for name in axes if name in marks and name not in _ALWAYS]
    settings = [
        ", ".join(
            f"{name.replace('_', ' ')} {value}" for name, value in zip(told, line, strict=True)
        )
        for line in marks[told].itertuples(index=False)
    ]
    return pd.DataFrame(
        {
            "id": [row_id(line) for line in _records(marks[[*told, *_ALWAYS]])],
            "x": marks[x.column],
            "y": marks[y.column],
            "x_text": [_said(v, x.unit) for v in marks[x.column]],
            "y_text": [_said(v, y.unit) for v in marks[y.column]],
            "device": [_short(devices, name) for name in marks["hardware"]],
            "architecture": [_architecture(devices, name) for name in marks["hardware"]],
            "frontier": marks["frontier"],
            "count": marks["count"],
            "count_text": [
                f"{n:,} alike" if n > 1 else "one configuration" for n in marks["count"]
            ],
            "settings": settings or "–",
        }
    )


def _records(marks: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in each.items()} for each in marks.to_dict("records")]


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


_ALWAYS: Final = ("hardware", "precision")  # of a row beside its axes; all else is the sweep's


def row_id(line: Mapping[str, Any]) -> str:
    """A row as text that names it within its sweep."""
    return json.dumps({name: _plain(each) for name, each in line.items()}, separators=(",", ":"))


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
    axes: dict[str, Sequence[Any]] = dict(description.get("axes", {}))
    axes |= {"precision": description.get("precisions", ()), "stack": description.get("stacks", ())}
    found = [name for name, values in axes.items() if len(values) > 1]
    return sorted(found, key=lambda name: -len(axes[name]))


def whole(row: Mapping[str, Any], description: Mapping[str, Any]) -> dict[str, Any]:
    """A row with what it shares with all others of its sweep: axes of one value, family, stack."""
    shared = {name: values[0] for name, values in description.get("axes", {}).items() if values}
    if description.get("family"):
        shared["model"] = description["family"]
    for name, several_ in (("precision", "precisions"), ("stack", "stacks")):
        shared[name] = description.get(several_, ["auto" if name == "precision" else "compiled"])[0]
    return {**shared, **{name: _plain(value) for name, value in row.items()}}


STACKS: Final = tuple(stack.value for stack in Stack)

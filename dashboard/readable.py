"""Result rows made readable: labels, units with prefixes, changes, tables. Pure functions.

Rows come in SI base units with the columns of ``docs/design.md`` and leave as frames for
``dashboard.charts`` and for tables. Nothing here computes a quantity; it only says it differently.

Both are columns, ``{name: values}``. A slider step handles a few rows many times over, and a
``pandas.DataFrame`` of eight rows costs a hundred times what its lists do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from characterize.units import PREFIXES, si
from dashboard import letters, palette

Columns = Mapping[str, Sequence[Any]]
"""A table by column; all columns are of one length."""

LOG_FROM_RATIO: Final = 12.0
"""Largest over smallest value above which an axis is logarithmic: little more than a decade."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A column that people compare: its name in rows, on the page, its unit, and what is better."""

    column: str
    title: str
    unit: str
    lower_is_better: bool
    meaning: str
    low: str = ""  # columns that bound it, where the projection gives them
    high: str = ""


@dataclass(frozen=True)
class Pinned:
    """The rows of a pinned configuration: its letter, its name, and what it comes to."""

    letter: str
    name: str
    rows: Columns


LATENCY: Final = Quantity(
    "latency_s",
    "Latency",
    "s",
    True,
    "Time for one batch, from the first kernel to the last.",
    "latency_low_s",
    "latency_high_s",
)
ENERGY: Final = Quantity(
    "energy_j",
    "Energy",
    "J",
    True,
    "Energy for one batch: arithmetic and memory traffic, plus idle power over the latency.",
)
THROUGHPUT: Final = Quantity(
    "throughput_per_s", "Throughput", "/s", False, "Samples per second: batch over latency."
)
SPEEDUP: Final = Quantity(
    "speedup", "Speedup", "×", False, "Latency of the baseline device over latency of this one."
)
MACS: Final = Quantity(
    "macs",
    "MACs",
    "",
    True,
    "Multiply-accumulates of convolutions and matrix products for one batch; "
    "each is two floating-point operations.",
)
PEAK_MEMORY: Final = Quantity(
    "peak_memory_bytes",
    "Peak memory",
    "B",
    True,
    "Parameters plus the largest set of activations that are alive at once.",
)
KPIS: Final = (LATENCY, ENERGY, THROUGHPUT, SPEEDUP, MACS, PEAK_MEMORY)


def number(value: float | None, unit: str = "") -> str:
    """``value`` as a person reads it: three digits and a prefix, "–" where there is none.

    >>> number(0.0182, "s"), number(166.66, "×"), number(float("nan"), "J")
    ('18.2 ms', '167×', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if unit == "×":
        return f"{value:,.3g}×" if value < 1000 else f"{value:,.0f}×"
    return si(float(value), unit)


def numbers(values: Any, unit: str = "") -> list[str]:
    """What :func:`number` says of each of many values, in a seventh of its time.

    Three digits are a whole number from 100 to 999, whose texts are few; what could be rounded either
    way, or has no usual prefix, is left to :func:`number`.
    """
    value = np.asarray(values, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.floor(np.log10(value))
        exact = value / 10.0 ** (power - 2)
        digits = np.rint(exact)
        usual = (np.abs(np.abs(exact - digits) - 0.5) > _TIE) & (np.abs(power) < 14)
    over = digits == 1000
    power, digits = np.where(usual, power + over, 0), np.where(over, 100, digits)
    if unit == "×" or (unit and unit[0] in "fFmM"):  # these have rules of their own
        usual[:] = False
    known = np.where(usual, digits * 3 + power % 3, 0).astype(int).tolist()
    prefix = (power // 3).astype(int).tolist()
    ends = {each: f" {PREFIXES[each]}{unit}".rstrip() for each in set(prefix)}
    return [
        _THREE_DIGITS[place] + ends[end] if plain else number(one, unit)
        for place, end, plain, one in zip(
            known, prefix, usual.tolist(), value.tolist(), strict=True
        )
    ]


_TIE: Final = 1e-6
_THREE_DIGITS: Final = [
    number(digits / 100 * 10**power) for digits in range(1001) for power in range(3)
]
"""By three times the digits plus the power of ten that a prefix leaves."""


def change(now: float, before: float | None) -> str:
    """The change from ``before`` to ``now`` as a signed percentage, a factor where that is large.

    >>> change(0.9, 1.0), change(1.0, 1.0), change(30.0, 1.0), change(1.0, 30.0)
    ('−10 %', '0 %', '30× as much', '1/30 of it')
    """
    if before is None or not math.isfinite(now / before if before > 0 else math.nan) or now <= 0:
        return "–"
    ratio = now / before
    if ratio >= 4:
        return f"{ratio:.3g}× as much"
    if ratio <= 0.1:
        return f"1/{1 / ratio:.3g} of it"
    percent = 100.0 * (ratio - 1.0)
    digits = 0 if abs(percent) >= 9.95 else 1
    text = f"{abs(percent):.{digits}f}".removesuffix(".0")
    if text == "0":
        return "0 %"
    return f"{'−' if percent < 0 else '+'}{text} %"


def spread(values: Sequence[float]) -> Literal["even", "log"]:
    """How far the positive values lie apart, and so which axis they need."""
    positive = [value for value in values if value > 0]
    ratio = max(positive) / min(positive) if positive else 1.0
    return "even" if ratio <= LOG_FROM_RATIO else "log"


def length(rows: Columns) -> int:
    """How many rows there are."""
    return len(next(iter(rows.values()), ()))


def row(rows: Columns, index: int) -> dict[str, Any]:
    """One row by column name."""
    return {name: values[index] for name, values in rows.items()}


PIN_COLUMNS: Final = ("pinned", "letter", "pin")  # a pin's mark, beside the device's own


def by_device(
    rows: Columns, quantity: Quantity, titles: Mapping[str, str], pinned: Sequence[Pinned] = ()
) -> dict[str, list[Any]]:
    """The frame of ``charts.devices``: one row a device, then one a pin and device.

    ``before`` is the value of the first pin, which the device's own is measured against.
    """
    before = _values(rows, quantity, pinned[0].rows if pinned else None)
    now = _device_marks(rows, quantity, titles)
    now["before"], now["change_text"] = before, list(map(change, now["value"], before))
    now["pinned_text"] = [number(value, quantity.unit) for value in before]
    for name in PIN_COLUMNS:
        now[name] = [None] * len(before)
    theirs = [_values(rows, quantity, pin.rows) for pin in pinned]
    lettered = _letters(now, pinned, theirs) if pinned else []
    for pin, values, letter in zip(pinned, theirs, lettered, strict=True):
        shown = _device_marks(rows, quantity, titles)
        count = len(values)
        shown |= {name: [None] * count for name in ("value", "low", "high", "one", "before")}
        shown |= {
            "pinned": values,
            "letter": letter,
            "pin": [f"{pin.letter} · {pin.name}"] * count,
            "change_text": list(map(change, now["value"], values)),
            "pinned_text": [number(value, quantity.unit) for value in values],
        }
        shown["said"] = [
            f"{device}, pinned as {pin.name}: {text}"
            for device, text in zip(shown["device"], shown["pinned_text"], strict=True)
        ]
        now = {name: [*now[name], *shown[name]] for name in now}
    return now


def _letters(
    now: Columns, pinned: Sequence[Pinned], values: Sequence[Sequence[float | None]]
) -> list[list[str]]:
    """What is written at the marks of each pin, a device after another."""
    marks = [
        mark for each in (now["low"], now["high"], *values) for mark in each if mark and mark > 0
    ]
    low, high = min(marks, default=0.0), max(marks, default=0.0)
    log = spread(marks) != "even"
    places = [letters.along(each, low if log else 0.0, high, log=log) for each in values]
    names = [pin.letter for pin in pinned]
    rows = [letters.joined(names, row) for row in zip(*places, strict=True)]
    return [list(each) for each in zip(*rows, strict=True)] or [[] for _ in pinned]


def _device_marks(
    rows: Columns, quantity: Quantity, titles: Mapping[str, str]
) -> dict[str, list[Any]]:
    unit = quantity.unit
    value = [float(v) for v in rows[quantity.column]]
    low = [float(v) for v in rows[quantity.low]] if quantity.low else value
    high = [float(v) for v in rows[quantity.high]] if quantity.high else value
    found: dict[str, list[Any]] = {
        "device": [titles.get(name, name) for name in rows["hardware"]],
        "architecture": [str(each) for each in rows["architecture"]],
        "value": value,
        "low": low,
        "high": high,
        "one": [1.0] * len(value),
        "text": [number(v, unit) for v in value],
        "range_text": [
            f"{number(a, unit)} to {number(b, unit)}" if b > a else "–"
            for a, b in zip(low, high, strict=True)
        ],
        "precision": [str(each) for each in rows["precision"]],
        "bound": [str(each) for each in rows["bottleneck"]],
        "confidence": [str(each) for each in rows["confidence"]],
        "uncounted": [int(each) for each in rows["uncounted"]],
    }
    told = ("device", "text", "precision", "bound", "confidence")
    found["said"] = [
        f"{device}: {quantity.title.lower()} {text} in {precision}, bound by {bound}, {sure} confidence"
        for device, text, precision, bound, sure in zip(
            *(found[name] for name in told), strict=True
        )
    ]
    return found


def key() -> dict[str, list[Any]]:
    """The frame of ``charts.key``: the architectures in their order."""
    names = palette.ARCHITECTURES
    return {
        "architecture": list(names),
        "label": [name.upper() for name in names],
        "place": [float(place) for place in range(len(names))],
    }


def _values(rows: Columns, quantity: Quantity, pinned: Columns | None) -> list[float | None]:
    known: dict[str, float] = {}
    if pinned is not None:
        known = dict(zip(pinned["hardware"], map(float, pinned[quantity.column]), strict=True))
    return [known.get(name) for name in rows["hardware"]]


TERMS: Final = {
    "Precision": "the number format the network runs in; auto takes each device's usual one.",
    "Stack": "the software: eager runs operators one by one, compiled fuses them, an engine also "
    "folds batch norms into weights.",
    "Bound by": "what most of the latency is spent on: compute (arithmetic), memory (moving data) "
    "or launch (starting kernels).",
    "Kernels": "groups of operators that make one pass over memory each; fusion makes them fewer.",
    "Tiles": "pieces of the kernels that fit into the device's memory on chip.",
    "Arithmetic": "all operations of one batch: two for each multiply-accumulate, one an element for "
    "everything else.",
    "Traffic": "bytes that kernels read and write if nothing is reused between them.",
    "Intensity": "arithmetic over traffic: below a device's own ratio of peak to bandwidth, moving "
    "data is the limit.",
    "Power": "energy over latency, while the network runs.",
    "Fits": "whether parameters and activations fit in the device's memory.",
    "Not counted": "operators without a cost formula; their time and energy are in no figure.",
    "Cautions": "where errors are larger: rare library paths that matter for this network, and GPUs "
    "that wait for the host.",
    "Waits for the host": "a GPU's kernels are so short that the processor takes longer to send them: "
    "a larger batch costs nothing more then, and an engine, replayed from a graph, does not wait.",
    "Baseline": "the device whose latency counts as 1×: the first CPU, unless you choose another.",
    "Pin": "a configuration kept to compare with; A is the one that changes are measured against.",
    "Range": "the 80 % interval of the latency, from errors seen against measurements or "
    "assumed for the class of device.",
    "Confidence": "what a projection rests on: measured, calibrated against measurements, a "
    "datasheet, or a design without silicon.",
    "KPU": "a knowledge processing unit, a fabric of tiles that data flows through.",
}

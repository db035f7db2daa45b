"""Result rows made readable: labels, units with prefixes, changes, tables, files. Pure functions.

Rows come in SI base units with the columns of ``docs/design.md`` and leave as frames for
``dashboard.charts`` and for tables. Nothing here computes a quantity; it only says it differently.

Both are columns, ``{name: values}``. A slider step handles a few rows many times over, and a
``pandas.DataFrame`` of eight rows costs a hundred times what its lists do.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from characterize.units import si
from dashboard import palette

Columns = Mapping[str, Sequence[Any]]
"""A table by column; all columns are of one length."""

LOG_FROM_RATIO: Final = 12.0
"""Largest over smallest value above which an axis is logarithmic: little more than a decade."""

MANY_DECADES: Final = 200.0
"""Largest over smallest value above which a logarithmic axis names whole decades only."""

TOP_KERNELS: Final = 12
BAR_ROOM: Final = 1.45  # of the longest bar, for the text behind it


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


def spread(values: Sequence[float]) -> Literal["even", "decade", "decades"]:
    """How far the positive values lie apart, and so which axis they need."""
    positive = [value for value in values if value > 0]
    ratio = max(positive) / min(positive) if positive else 1.0
    if ratio <= LOG_FROM_RATIO:
        return "even"
    return "decade" if ratio <= MANY_DECADES else "decades"


def length(rows: Columns) -> int:
    """How many rows there are."""
    return len(next(iter(rows.values()), ()))


def row(rows: Columns, index: int) -> dict[str, Any]:
    """One row by column name."""
    return {name: values[index] for name, values in rows.items()}


def by_device(
    rows: Columns, quantity: Quantity, titles: Mapping[str, str], pinned: Columns | None
) -> dict[str, list[Any]]:
    """The frame of ``charts.devices``: one row a device, with the pinned value beside its own."""
    unit = quantity.unit
    value = [float(v) for v in rows[quantity.column]]
    low = [float(v) for v in rows[quantity.low]] if quantity.low else value
    high = [float(v) for v in rows[quantity.high]] if quantity.high else value
    before = _pinned_values(rows, quantity, pinned)
    return {
        "device": [titles.get(name, name) for name in rows["hardware"]],
        "order": list(range(len(value))),
        "architecture": [str(each) for each in rows["architecture"]],
        "value": value,
        "low": low,
        "high": high,
        "pinned": before,
        "one": [1.0] * len(value),
        "text": [number(v, unit) for v in value],
        "range_text": [
            f"{number(a, unit)} to {number(b, unit)}" if b > a else "–"
            for a, b in zip(low, high, strict=True)
        ],
        "pinned_text": [number(v, unit) for v in before],
        "change_text": [change(v, b) for v, b in zip(value, before, strict=True)],
        "precision": [str(each) for each in rows["precision"]],
        "bound": [str(each) for each in rows["bottleneck"]],
        "confidence": [str(each) for each in rows["confidence"]],
        "uncounted": [int(each) for each in rows["uncounted"]],
    }


def key() -> dict[str, list[Any]]:
    """The frame of ``charts.key``: the architectures in their order."""
    names = palette.ARCHITECTURES
    return {
        "architecture": list(names),
        "label": [name.upper() for name in names],
        "place": [float(place) for place in range(len(names))],
    }


def _pinned_values(rows: Columns, quantity: Quantity, pinned: Columns | None) -> list[float | None]:
    known: dict[str, float] = {}
    if pinned is not None:
        known = dict(zip(pinned["hardware"], map(float, pinned[quantity.column]), strict=True))
    return [known.get(name) for name in rows["hardware"]]


def top_kernels(
    kernels: Columns, column: str, unit: str, limit: int = TOP_KERNELS
) -> dict[str, list[Any]]:
    """The frame of ``charts.kernels``: the dearest kernels first, the others summed in one row.

    Kernels that do the same work (a block that repeats) share a bar, which says how many they are.

    Args:
        kernels: rows of ``session.kernels`` for one device, one a kernel in the order they run.
        column: ``latency_s`` or ``energy_dynamic_j``.
        unit: its unit.
        limit: how many kinds of kernel get a bar of their own.
    """
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for index in range(length(kernels)):
        kernel = row(kernels, index)
        alike = tuple(kernel[name] for name in (*_ALIKE, column))
        group = groups.setdefault(
            alike, {**kernel, **dict.fromkeys(("count", *_SUMMED), 0), "value": 0.0}
        )
        group["count"] += 1
        group["value"] += float(kernel[column])
        for name in _SUMMED:
            group[name] += float(kernel[name])
    ordered = sorted(groups.values(), key=lambda group: -group["value"])
    bars = [_kernel_bar(group) for group in ordered[:limit]]
    if len(ordered) > limit:
        bars.append(_rest_bar(ordered[limit:]))
    return _finished_bars(bars, unit)


_ALIKE: Final = ("pattern", "kind", "flops", "memory_bytes", "bottleneck")
_SUMMED: Final = ("flops", "memory_bytes", "tiles")


def _kernel_bar(row: Mapping[Any, Any]) -> dict[str, Any]:
    count, name = int(row["count"]), str(row["kernel"])
    return {
        **{key: row[key] for key in ("module", "value", "flops", "memory_bytes", "tiles")},
        "label": f"{count} × {name}" if count > 1 else name,
        "kernel": name if count == 1 else f"{name} and {count - 1} like it",
        "pattern": str(row["pattern"]),
        "kind": str(row["kind"]).replace("_", " "),
        "occurs": count,
        "bottleneck": str(row["bottleneck"]),
    }


def _rest_bar(rest: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    count = sum(group["count"] for group in rest)
    name = f"{count} other kernels" if count > 1 else "1 other kernel"
    sums = {key: sum(group[key] for group in rest) for key in ("value", *_SUMMED)}
    # written as bound by what binds most of its time
    by_bound: Counter[str] = Counter()
    for group in rest:
        by_bound[str(group["bottleneck"])] += group["value"]
    words = {"label": name, "kernel": name, "module": "–", "pattern": "various", "kind": "various"}
    return {**sums, **words, "occurs": count, "bottleneck": by_bound.most_common(1)[0][0]}


def _finished_bars(bars: list[dict[str, Any]], unit: str) -> dict[str, list[Any]]:
    """Texts, order and room for the texts; kernels that share a name get a number."""
    total = sum(bar["value"] for bar in bars)
    longest = max((bar["value"] for bar in bars), default=0.0)
    seen: Counter[str] = Counter()
    for order, bar in enumerate(bars):
        seen[bar["label"]] += 1
        if seen[bar["label"]] > 1:  # or one bar would hide the other
            bar["label"] = f"{bar['label']} ({seen[bar['label']]})"
        share = bar["value"] / total if total > 0 else 0.0
        named = bar["pattern"] != "various"
        bar |= {
            "order": order,
            "share": share,
            "rest": not named,
            "room": longest * BAR_ROOM,
            "text": number(bar["value"], unit),
            "end_text": f"{share:.0%} {bar['pattern']}" if named else f"{share:.0%}",
            "flops_text": number(bar.pop("flops"), "flop"),
            "bytes_text": number(bar.pop("memory_bytes"), "B"),
        }
    return {name: [bar[name] for bar in bars] for name in (bars[0] if bars else ())}


def outside_kernels(bars: Columns, total: float, unit: str) -> str:
    """How much of a device's ``total`` is in no kernel, in a sentence; nothing below one percent."""
    inside = sum(bars["value"])
    rest = total - inside
    if total <= 0 or rest < 0.01 * total:
        return ""
    return (
        f"The kernels take {number(inside, unit)} of {number(total, unit)}; the other "
        f"{rest / total:.0%} is what an inference takes beside them."
    )


def takeaway(frame: Columns, quantity: Quantity) -> str:
    """One sentence for who cannot see the chart: the best, the worst and how far apart they are."""
    if not length(frame):
        return f"{quantity.title} by device: nothing to show"
    values = list(frame["value"])
    least, most = values.index(min(values)), values.index(max(values))
    best, worst = (least, most) if quantity.lower_is_better else (most, least)
    sentence = (
        f"{quantity.title} by device: {frame['device'][best]} is best with {frame['text'][best]}"
    )
    if len(values) == 1:
        return sentence
    return f"{sentence}, {frame['device'][worst]} last with {frame['text'][worst]}"


TERMS: Final = {
    "Precision": "the number format the network runs in; auto takes each device's usual one.",
    "Stack": "the software: eager runs operators one by one, compiled fuses them, an engine also "
    "folds batch norms into weights.",
    "Bound by": "what most of the latency is spent on: compute (arithmetic), memory (moving data) "
    "or launch (starting kernels).",
    "Kernel": "a group of operators that makes one pass over memory.",
    "Range": "the 80 % interval of the latency, from errors seen against measurements or "
    "assumed for the class of device.",
    "Confidence": "what a projection rests on: measured, calibrated against measurements, a "
    "datasheet, or a design without silicon.",
    "KPU": "a knowledge processing unit, a fabric of tiles that data flows through.",
}

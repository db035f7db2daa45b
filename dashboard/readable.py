"""Result rows made readable: labels, units with prefixes, changes, tables, files. Pure functions.

Rows come in SI base units with the columns of ``docs/design.md`` and leave as frames for
``dashboard.charts`` and for tables. Nothing here computes a quantity; it only says it differently.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from characterize.units import si

LOG_FROM_RATIO: Final = 12.0
"""Largest over smallest value above which an axis is logarithmic: little more than a decade."""

TOP_KERNELS: Final = 8
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


def number(value: float, unit: str = "") -> str:
    """``value`` as a person reads it: three digits and a prefix, "–" where there is none.

    >>> number(0.0182, "s"), number(166.66, "×"), number(float("nan"), "J")
    ('18.2 ms', '167×', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if unit == "×":
        return f"{value:,.3g}×" if value < 1000 else f"{value:,.0f}×"
    return si(float(value), unit)


def change(now: float, before: float) -> str:
    """The change from ``before`` to ``now`` as a signed percentage, or a factor where that is large.

    >>> change(0.9, 1.0), change(1.0, 1.0), change(30.0, 1.0), change(1.0, 30.0)
    ('−10 %', '0 %', '30× as much', '1/30 of it')
    """
    if not (math.isfinite(now) and math.isfinite(before)) or before <= 0 or now <= 0:
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


def spans_decades(values: pd.Series) -> bool:
    """Whether the positive values need a logarithmic axis."""
    positive = values[(values > 0) & values.notna()]
    return bool(len(positive)) and float(positive.max() / positive.min()) > LOG_FROM_RATIO


def by_device(
    rows: pd.DataFrame, quantity: Quantity, titles: Mapping[str, str], pinned: pd.DataFrame | None
) -> pd.DataFrame:
    """The frame of ``charts.devices``: one row a device, with the pinned value beside its own."""
    before = _pinned_values(rows, quantity, pinned)
    value = rows[quantity.column].astype(float)
    low = rows[quantity.low].astype(float) if quantity.low else value
    high = rows[quantity.high].astype(float) if quantity.high else value
    return pd.DataFrame(
        {
            "device": [titles.get(name, name) for name in rows["hardware"]],
            "order": range(len(rows)),
            "architecture": rows["architecture"].astype(str).to_list(),
            "value": value.to_list(),
            "low": low.to_list(),
            "high": high.to_list(),
            "pinned": before,
            "one": 1.0,
            "text": [number(v, quantity.unit) for v in value],
            "range_text": [
                f"{number(a, quantity.unit)} to {number(b, quantity.unit)}" if b > a else "–"
                for a, b in zip(low, high, strict=True)
            ],
            "pinned_text": [number(v, quantity.unit) for v in before],
            "change_text": [change(v, b) for v, b in zip(value, before, strict=True)],
            "precision": rows["precision"].astype(str).to_list(),
            "bound": rows["bottleneck"].astype(str).to_list(),
            "confidence": rows["confidence"].astype(str).to_list(),
            "uncounted": rows["uncounted"].to_list(),
        }
    )


def _pinned_values(
    rows: pd.DataFrame, quantity: Quantity, pinned: pd.DataFrame | None
) -> list[float]:
    if pinned is None:
        return [math.nan] * len(rows)
    known = dict(zip(pinned["hardware"], pinned[quantity.column].astype(float), strict=True))
    return [known.get(name, math.nan) for name in rows["hardware"]]


def top_kernels(
    kernels: pd.DataFrame, column: str, unit: str, limit: int = TOP_KERNELS
) -> pd.DataFrame:
    """The frame of ``charts.kernels``: the dearest kernels first, the others summed in one row.

    Kernels that do the same work (a block that repeats) share a bar, which says how many they are.

    Args:
        kernels: rows of ``session.kernels`` for one device, one a kernel in the order they run.
        column: ``latency_s`` or ``energy_dynamic_j``.
        unit: its unit.
        limit: how many kinds of kernel get a bar of their own.
    """
    alike = ["pattern", "kind", "flops", "memory_bytes", column, "bottleneck"]
    grouped = (
        kernels.groupby(alike, sort=False, as_index=False)
        .agg(
            kernel=("kernel", "first"),
            module=("module", "first"),
            count=("kernel", "size"),
            tiles=("tiles", "sum"),
        )
        .assign(
            value=lambda g: g[column].astype(float) * g["count"],
            flops=lambda g: g["flops"].astype(float) * g["count"],
            memory_bytes=lambda g: g["memory_bytes"].astype(float) * g["count"],
        )
        .sort_values("value", ascending=False, kind="stable")
    )
    total = float(grouped["value"].sum())
    shown = [_kernel_bar(row) for row in grouped.head(limit).to_dict("records")]
    rest = grouped.iloc[limit:]
    if len(rest):
        shown.append(_rest_bar(rest))
    return _finished_bars(shown, unit, total)


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


def _rest_bar(rest: pd.DataFrame) -> dict[str, Any]:
    count = int(rest["count"].sum())
    name = f"{count} other kernels" if count > 1 else "1 other kernel"
    sums = {key: float(rest[key].sum()) for key in ("value", "flops", "memory_bytes", "tiles")}
    # written as bound by what binds most of its time
    most = rest.groupby("bottleneck")["value"].sum().idxmax()
    words = {"label": name, "kernel": name, "module": "–", "pattern": "various", "kind": "various"}
    return {**sums, **words, "occurs": count, "bottleneck": str(most)}


def _finished_bars(bars: list[dict[str, Any]], unit: str, total: float) -> pd.DataFrame:
    """Texts, order and room for the texts; kernels that share a name get a number."""
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
            "room": longest * BAR_ROOM,
            "text": number(bar["value"], unit),
            "end_text": f"{share:.0%} {bar['pattern']}" if named else f"{share:.0%}",
            "flops_text": number(bar.pop("flops"), "flop"),
            "bytes_text": number(bar.pop("memory_bytes"), "B"),
        }
    return pd.DataFrame(bars)


def takeaway(frame: pd.DataFrame, quantity: Quantity) -> str:
    """One sentence for who cannot see the chart: the best, the worst and how far apart they are."""
    if frame.empty:
        return f"{quantity.title} by device: nothing to show"
    ordered = frame.sort_values("value", ascending=quantity.lower_is_better, kind="stable")
    best, worst = ordered.iloc[0], ordered.iloc[-1]
    sentence = f"{quantity.title} by device: {best['device']} is best with {best['text']}"
    return sentence if len(frame) == 1 else f"{sentence}, {worst['device']} last with {worst['text']}"


TERMS: Final = {
    "Precision": "the number format the network runs in; auto takes each device's usual one.",
    "Stack": "the software: eager runs operators one by one, compiled fuses them, an engine also "
    "folds batch norms into weights.",
    "Bound by": "what most of the latency is spent on: compute (arithmetic), memory (moving data) "
    "or launch (starting kernels).",
    "Kernel": "a group of operators that makes one pass over memory.",
    "Range": "the 80 % interval of the latency, from the errors seen against measurements or assumed "
    "for the class of device.",
    "Confidence": "what a projection rests on: measured, calibrated against measurements, a "
    "datasheet, or a design without silicon.",
    "KPU": "a knowledge processing unit, a fabric of tiles that data flows through.",
}

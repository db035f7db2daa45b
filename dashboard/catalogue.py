"""Hardware profiles as tables a person reads: all of them, and one figure by figure. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from characterize.hardware import KEYS, Field
from characterize.units import GIGA, MEGA, TERA
from dashboard.readable import number

if TYPE_CHECKING:
    from characterize.hardware import Profile

SECTIONS: Final = {
    "": "About",
    "peak_flops_per_s": "Peak throughput of the matrix units",
    "vector_flops_per_s": "Peak throughput of the vector units",
    "memory": "Main memory",
    "link": "Link to the host",
    "on_chip": "On-chip memory",
    "units": "Execution units and clocks",
    "power": "Power",
    "energy": "Energy of moving a byte",
    "energy.j_per_flop": "Energy of an operation on the matrix units",
    "energy.vector_j_per_flop": "Energy of an operation on the vector units",
    "overhead": "Fixed time an inference",
    "overhead.kernel_s": "Fixed time a kernel, by software stack",
    "efficiency": "Efficiency",
    "uncertainty": "Uncertainty",
    "reference": "Reference model",
}
"""Headings of a profile's sections, in the order they are shown."""

KEYED: Final = frozenset(
    {
        "peak_flops_per_s",
        "vector_flops_per_s",
        "energy.j_per_flop",
        "energy.vector_j_per_flop",
        "overhead.kernel_s",
    }
)
SHOWN_PEAKS: Final = ("fp32", "fp16", "bf16", "int8")


def overview(profiles: Iterable[Profile]) -> pd.DataFrame:
    """One row a device: what people compare first, units in the headings, gaps left empty."""
    return pd.DataFrame([_overview_row(profile) for profile in profiles])


def _overview_row(profile: Profile) -> dict[str, Any]:
    peaks = {str(key): value for key, value in profile.peak_flops_per_s.items()}
    return {
        "name": profile.name,
        "Device": profile.title,
        "Class": str(profile.architecture),
        "Vendor": profile.vendor,
        "Year": profile.year,
        "Process": profile.process,
        "Confidence": str(profile.confidence),
        "Usual precision": str(profile.default_precision),
        **{f"{p} (Tflop/s)": _scaled(peaks.get(p), TERA) for p in SHOWN_PEAKS},
        "Bandwidth (GB/s)": _scaled(profile.memory_bytes_per_s, GIGA),
        "Memory (GB)": _scaled(profile.memory_capacity_bytes, GIGA),
        "On chip (MB)": _scaled(profile.on_chip_capacity_bytes, MEGA),
        "Power limit (W)": _scaled(profile.tdp_w, 1.0),
        "Idle (W)": _scaled(profile.value("power.idle_w"), 1.0),
    }


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None or not math.isfinite(value) else value / scale


def places(profiles: Iterable[Profile]) -> pd.DataFrame:
    """The frame of ``charts.places``: peak at the usual precision against memory bandwidth."""
    rows = []
    for profile in profiles:
        peak = float(profile.peak_flops_per_s[profile.default_precision])
        bandwidth = float(profile.memory_bytes_per_s)
        if not math.isfinite(bandwidth):
            continue
        rows.append(
            {
                "name": profile.name,
                "device": profile.title,
                "architecture": str(profile.architecture),
                "precision": str(profile.default_precision),
                "bandwidth": bandwidth,
                "peak": peak,
                "bandwidth_text": number(bandwidth, "B/s"),
                "peak_text": number(peak, "flop/s"),
                "ridge_text": number(peak / bandwidth, "flop/B"),
                "power_text": number(profile.tdp_w or math.nan, "W"),
                "confidence": str(profile.confidence),
            }
        )
    return pd.DataFrame(rows)


def figures(profile: Profile) -> pd.DataFrame:
    """Every figure of a device by section, each with where it comes from."""
    order = list(SECTIONS)
    rows = []
    for key, figure in profile.figures.items():
        section, _, name = key.rpartition(".")
        field = KEYS.get(key)
        # where a section is keyed by precision or stack, its heading says what the figure means
        rows.append(
            {
                "order": order.index(section) if section in order else len(order),
                "Figure": name if field is None or section in KEYED else _capitalised(field),
                "Value": _written(figure.value, field.unit if field else ""),
                "Section": SECTIONS.get(section, section),
                "Kind": str(figure.kind),
                "Source": figure.source,
                "Read on": figure.read_on.isoformat() if figure.read_on else "",
                "Note": figure.note,
            }
        )
    table = pd.DataFrame(rows).sort_values("order", kind="stable")
    return table.drop(columns="order").reset_index(drop=True)


def _capitalised(field: Field) -> str:
    return field.sentence[:1].upper() + field.sentence[1:]


def fits(profile: Profile) -> pd.DataFrame:
    """What was fitted to measurements: one row a table of numbers, and on what it was fitted."""
    return pd.DataFrame(
        [
            {
                "Numbers": key,
                "Values": ", ".join(f"{name} {value:.3g}" for name, value in table.values.items()),
                "Fitted on": table.fit.on,
                "Points": table.fit.n,
                "Date": table.fit.date.isoformat(),
                "Median error (%)": None if table.fit.error is None else 100 * table.fit.error,
            }
            for key, table in profile.fitted.items()
        ]
    )


def _written(value: Any, unit: str) -> str:
    if value is None:
        return "not published"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float) and unit:
        return number(float(value), unit)
    return f"{value:g}" if isinstance(value, float) else str(value)


def matching(rows: pd.DataFrame, words: str, chosen: Mapping[str, tuple[str, ...]]) -> pd.DataFrame:
    """Rows whose text has all ``words``, and a chosen value in each column with a choice."""
    keep = pd.Series(True, index=rows.index)
    text = rows[["name", "Device", "Vendor", "Process"]].astype(str).agg(" ".join, axis=1)
    for word in words.lower().split():
        keep &= text.str.lower().str.contains(word, regex=False)
    for column, values in chosen.items():
        if values:
            keep &= rows[column].isin(values)
    return rows[keep]

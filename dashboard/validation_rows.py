"""Projections beside measurements as frames for charts and tables. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from dashboard.readable import Columns, number

if TYPE_CHECKING:
    from characterize.hardware import Profile
    from characterize.report import Report

MARKS: Final = 2_000  # more are drawn by an even sample
ROOM: Final = 1.25  # a scale goes beyond its values by this factor
PERCENT: Final = 100.0

ERRORS: Final = {
    "median_ape": ("Median error (%)", "Half of the measurements are nearer than this."),
    "mean_ape": ("Mean error (%)", "Mean of the absolute percentage errors."),
    "p90_ape": ("90th percentile (%)", "Nine of ten measurements are nearer than this."),
    "bias": ("Bias (%)", "Median of the signed errors: above 0 we say too slow."),
    "coverage": (
        "In the band (%)",
        "Share of measurements inside the 80 % interval; 80 is honest.",
    ),
    "power_w_median_ape": ("Power (%)", "Median error of the mean power."),
    "energy_j_median_ape": ("Energy (%)", "Median error of the energy of one batch."),
    "wall_power_w_median_ape": ("Wall power (%)", "Median error of the power at the wall."),
    "wall_energy_j_median_ape": ("Wall energy (%)", "Median error of the energy at the wall."),
}
LARGE: Final = tuple(ERRORS[name][0] for name in ("median_ape", "p90_ape", "bias", "coverage"))
"""The errors that are shown in large print."""
RHO: Final = "Rank correlation"


def points(table: pd.DataFrame, devices: Mapping[str, Any]) -> pd.DataFrame:
    """The frame of both charts: a point a measurement, with the ratio and whether it is in the band.

    Args:
        table: of ``validation.validate``.
        devices: by name, what has ``short`` and ``architecture``.
    """
    if len(table) > MARKS:
        table = table.iloc[np.unique(np.linspace(0, len(table) - 1, MARKS).astype(int))]
    measured = table["latency_s"].to_numpy(dtype=float)
    predicted = table["predicted_s"].to_numpy(dtype=float)
    inside = (table["low_s"].to_numpy() <= measured) & (measured <= table["high_s"].to_numpy())
    names = [str(name) for name in table["hardware"]]
    low, high = _reach([measured, predicted])
    ratio = predicted / measured
    return pd.DataFrame(
        {
            "measured": measured,
            "predicted": predicted,
            "ratio": ratio,
            "inside": inside,
            "inside_text": np.where(inside, "yes", "no"),
            "architecture": [_of(devices, name, "architecture", "reference") for name in names],
            "device": [_of(devices, name, "short", name) for name in names],
            "network": table["model"].astype(str).to_numpy(),
            "setting": [_setting(line) for line in _lines(table)],
            "measured_text": [number(v, "s") for v in measured],
            "predicted_text": [number(v, "s") for v in predicted],
            "range_text": [
                f"{number(a, 's')} to {number(b, 's')}"
                for a, b in zip(table["low_s"], table["high_s"], strict=True)
            ],
            "error_text": [f"{(each - 1) * PERCENT:+.0f} %" for each in ratio],
            "axis_low": low,
            "axis_high": high,
        }
    )


def _of(devices: Mapping[str, Any], name: str, what: str, otherwise: str) -> str:
    return str(getattr(devices[name], what)) if name in devices else otherwise


def _lines(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in each.items()} for each in table.to_dict("records")]


def _setting(line: Mapping[str, Any]) -> str:
    size = line["input_size"]
    sized = [f"size {size:g}"] if size == size and size is not None else []
    return ", ".join(
        [*sized, f"batch {line['batch']:g}", str(line["precision"]), str(line["stack"])]
    )


def _reach(values: Sequence[Any]) -> tuple[float, float]:
    """How far both axes go, so that the diagonal is one."""
    positive = [v for each in values for v in each if v > 0 and math.isfinite(v)]
    if not positive:
        return 1e-3, 1.0
    return min(positive) / ROOM, max(positive) * ROOM


def error_table(summaries: Iterable[Mapping[str, Any]], titles: Mapping[str, str]) -> pd.DataFrame:
    """One row a device, stack and precision, errors in percent.

    Args:
        summaries: of ``Validation.summaries`` or ``Validation.families``.
        titles: what devices are called.
    """
    rows = []
    for each in summaries:
        named = {"Family": each["family"]} if "family" in each else {}
        if "hardware" in each:
            name = str(each["hardware"])
            named = {
                "Device": titles.get(name, name),
                "Stack": each["stack"],
                "Precision": each["precision"],
                "Format": str(each["memory_format"]).upper(),
            }
        rows.append({**named, "n": each["n"], **errors(each), RHO: each["spearman_rho"]})
    table = pd.DataFrame(rows)
    return table.dropna(axis="columns", how="all") if len(table) else table


def errors(summary: Mapping[str, Any]) -> dict[str, float | None]:
    """The errors of a summary in percent, by their title; one that is not known is empty."""
    return {
        title: None if summary.get(name) is None else PERCENT * float(summary[name])
        for name, (title, _) in ERRORS.items()
    }


def worst_table(worst: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    """The measurements that are furthest off, as a person reads them."""
    return pd.DataFrame(
        {
            "Network": worst["model"].astype(str),
            "Setting": [_setting(line) for line in _lines(worst)],
            "Device": [titles.get(str(name), str(name)) for name in worst["hardware"]],
            "Measured": [number(v, "s") for v in worst["latency_s"]],
            "Projected": [number(v, "s") for v in worst["predicted_s"]],
            "Error (%)": PERCENT * (worst["predicted_s"] / worst["latency_s"] - 1.0),
        }
    ).reset_index(drop=True)


def takeaway(summary: Mapping[str, Any], count: int) -> str:
    """One sentence for who cannot see the charts."""
    return (
        f"Projected against measured latency of {count:,} measurements: median error "
        f"{summary['median_ape']:.1%}, {summary['coverage']:.0%} inside the 80 % interval"
    )


def fits(profiles: Iterable[Profile]) -> pd.DataFrame:
    """What was fitted on what: one row a device and table of fitted numbers."""
    rows = [
        {
            "Device": profile.title,
            "Class": str(profile.architecture),
            "Numbers": key.partition(".")[0],
            "Stack": key.partition(".")[2].replace("_", ", "),
            "Fitted on": table.fit.on,
            "Points": table.fit.n,
            "Date": table.fit.date.isoformat(),
            "Median error (%)": None if table.fit.error is None else PERCENT * table.fit.error,
            "80 % band": band(profile, key),
        }
        for profile in profiles
        for key, table in profile.fitted.items()
    ]
    return pd.DataFrame(rows)


def band(profile: Profile, key: str) -> str:
    """The 80 % interval that a fit states, as factors on the latency."""
    if not key.startswith("uncertainty."):
        return ""
    low, high = profile.band(key.partition(".")[2])
    return f"× {low:.2f} to × {high:.2f}"


def resting_on(profiles: Iterable[Profile]) -> dict[str, int]:
    """How many devices there are of each confidence, the best first."""
    found = dict.fromkeys(("measured", "calibrated", "datasheet", "design"), 0)
    for profile in profiles:
        if not profile.is_reference:
            found[str(profile.confidence)] += 1
    return {name: count for name, count in found.items() if count}


def report_table(report: Report, titles: Mapping[str, str]) -> pd.DataFrame:
    """A published report beside what we find: one row a figure."""
    return pd.DataFrame(
        [
            {
                "Figure": line.metric,
                "Device": titles.get(line.hardware, line.hardware) or "all four",
                "Published": line.printed,
                "Reproduced": _written_like(line.printed, line.reproduced),
                "Agrees": "yes" if line.agrees else "no",
                "As configured": _written_like(line.printed, line.configured),
                "Note": line.note,
            }
            for line in report.lines
        ]
    )


def _written_like(printed: str, value: float) -> str:
    """A number with an exponent or commas where the printed one has them, and three digits more.

    >>> _written_like("1.82e-02", 0.0181823), _written_like("1,818", 1818.0)
    ('1.8182e-02', '1,818')
    """
    if "e" in printed:
        return f"{value:.4e}"
    return f"{value:,.0f}" if value >= 1e4 or "," in printed else f"{value:.6g}"


def for_file(table: pd.DataFrame) -> Columns:
    """Every measurement with its projection, for files."""
    return {str(name): values.tolist() for name, values in table.items()}

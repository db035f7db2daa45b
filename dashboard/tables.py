"""The result table: which columns a person sees and in which units, filters, and files. Pure.

A file holds the rows that are on the screen, with every column under its name in ``docs/design.md``;
those names carry the unit (``latency_s``, ``memory_bytes``), and a ratio or a count has none.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from characterize.units import GIGA, MEGA, MILLI


@dataclass(frozen=True, slots=True)
class Column:
    """A column on the screen: where it comes from, its heading with the unit, how it is scaled."""

    source: str
    title: str
    scale: float = 1.0
    format: str = ""
    meaning: str = ""


COLUMNS: Final = (
    Column("architecture", "Class"),
    Column("precision", "Precision"),
    Column("latency_s", "Latency (ms)", MILLI, "%.4g", "Time for one batch."),
    Column("latency_low_s", "Low (ms)", MILLI, "%.4g", "Lower end of the 80 % interval."),
    Column("latency_high_s", "High (ms)", MILLI, "%.4g", "Upper end of the 80 % interval."),
    Column("energy_j", "Energy (mJ)", MILLI, "%.4g", "Device energy for one batch."),
    Column("speedup", "Speedup (×)", 1.0, "%.4g", "Baseline latency over this latency."),
    Column("bottleneck", "Bound by", meaning="What most of the latency is spent on."),
    Column("confidence", "Confidence", meaning="measured > calibrated > datasheet > design."),
    Column("uncounted", "Not counted", 1.0, "%d", "Operators without a cost formula."),
    Column("throughput_per_s", "Throughput (/s)", 1.0, "%.4g", "Samples per second."),
    Column("power_w", "Power (W)", 1.0, "%.4g", "Energy over latency."),
    Column("fits", "Fits", meaning="Whether parameters and activations fit in its memory."),
    Column("peak_memory_bytes", "Peak memory (MB)", MEGA, "%.4g", "Parameters and activations."),
    Column("memory_bytes", "Traffic (MB)", MEGA, "%.4g", "Bytes moved if nothing is reused."),
    Column("intensity", "Intensity (flop/B)", 1.0, "%.4g", "Arithmetic over traffic."),
    Column("flops", "Arithmetic (Gflop)", GIGA, "%.4g", "All arithmetic of one batch."),
    Column("kernels", "Kernels", 1.0, "%d", "Passes over memory."),
    Column("tiles", "Tiles", 1.0, "%d", "Pieces that fit on chip."),
)
NOT_PARAMETERS: Final = frozenset(
    {
        *(column.source for column in COLUMNS),
        *("model", "family", "batch", "stack", "hardware", "parameters", "macs"),
        *("energy_static_j", "energy_dynamic_j"),
    }
)
"""The columns of a result row that are no parameter of a family."""

CHANGE: Final = "Latency / pinned (×)"


@dataclass(frozen=True, slots=True)
class Filters:
    """What a person wants to see; an empty choice means all of it."""

    architectures: tuple[str, ...] = ()
    bottlenecks: tuple[str, ...] = ()
    confidences: tuple[str, ...] = ()
    fits_only: bool = False
    latency_at_most_s: float | None = None
    energy_at_most_j: float | None = None


def filtered(rows: pd.DataFrame, filters: Filters) -> pd.DataFrame:
    """The rows that pass every filter, in their order."""
    keep = pd.Series(True, index=rows.index)
    chosen: Mapping[str, Sequence[str]] = {
        "architecture": filters.architectures,
        "bottleneck": filters.bottlenecks,
        "confidence": filters.confidences,
    }
    for column, values in chosen.items():
        if values:
            keep &= rows[column].astype(str).isin(values)
    if filters.fits_only:
        keep &= rows["fits"].fillna(True).astype(bool)
    if filters.latency_at_most_s is not None:
        keep &= rows["latency_s"] <= filters.latency_at_most_s
    if filters.energy_at_most_j is not None:
        keep &= rows["energy_j"] <= filters.energy_at_most_j
    return rows[keep]


def on_screen(
    rows: pd.DataFrame, titles: Mapping[str, str], pinned: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The table as shown: one row a device, headings with units, values in those units."""
    shown = pd.DataFrame({"Device": [titles.get(name, name) for name in rows["hardware"]]})
    for column in COLUMNS:
        if column.source in rows:
            values = rows[column.source].reset_index(drop=True)
            scaled = column.format and column.scale != 1.0
            shown[column.title] = values.astype(float) / column.scale if scaled else values
    if pinned is not None:
        before = rows["hardware"].map(dict(zip(pinned["hardware"], pinned["latency_s"], strict=True)))
        ratio = (rows["latency_s"] / before.astype(float)).reset_index(drop=True)
        shown.insert(list(shown).index("Latency (ms)") + 1, CHANGE, ratio)
    return shown


def identity(rows: pd.DataFrame) -> pd.DataFrame:
    """What a stored row is of: model, batch, stack, and its parameters in words."""
    names = [name for name in rows if name not in NOT_PARAMETERS]
    settings = [
        ", ".join(f"{name} {value}" for name, value in zip(names, values, strict=True) if _known(value))
        for values in rows[names].itertuples(index=False, name=None)
    ]
    return pd.DataFrame(
        {
            "Model": rows["model"].to_list(),
            "Parameters": settings,
            "Batch": rows["batch"].to_list(),
            "Stack": rows["stack"].to_list(),
        }
    )


def _known(value: object) -> bool:
    return not pd.isna(value)  # type: ignore[call-overload]


def as_csv(rows: pd.DataFrame) -> bytes:
    """Comma-separated values with a heading."""
    return rows.to_csv(index=False).encode()


def as_json(rows: pd.DataFrame) -> bytes:
    """A list of result rows, as ``--format json`` prints it."""
    text: str = rows.to_json(orient="records", double_precision=15, indent=1)
    return text.encode()


def as_parquet(rows: pd.DataFrame) -> bytes:
    """An Apache Parquet file."""
    buffer = io.BytesIO()
    rows.to_parquet(buffer, index=False)
    return buffer.getvalue()


def file_stem(rows: pd.DataFrame) -> str:
    """A file name that says what is in it: ``characterize_conv2d_stack_batch8_6rows``."""
    if rows.empty:
        return "characterize_0rows"
    first = rows.iloc[0]
    model = str(first["model"]).replace("/", "-")
    plural = "row" if len(rows) == 1 else "rows"
    return f"characterize_{model}_batch{first['batch']}_{len(rows)}{plural}"

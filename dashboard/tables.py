"""The result table: which columns a person sees and in which units, and filters. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from characterize.units import GIGA, MEGA, MILLI
from dashboard.readable import Columns, Pinned


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
    Column("energy_j", "Energy (mJ)", MILLI, "%.4g", "Device energy for one batch."),
    Column("speedup", "Speedup (×)", 1.0, "%.4g", "Baseline latency over this latency."),
    Column("bottleneck", "Bound by", meaning="What most of the latency is spent on."),
    Column("confidence", "Confidence", meaning="measured > calibrated > datasheet > design."),
    Column("uncounted", "Not counted", 1.0, "%d", "Operators without a cost formula."),
    Column("cautions", "Cautions", meaning="Rare library paths that matter: errors are larger."),
    Column("latency_low_s", "Low (ms)", MILLI, "%.4g", "Lower end of the 80 % interval."),
    Column("latency_high_s", "High (ms)", MILLI, "%.4g", "Upper end of the 80 % interval."),
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
        *("network", "model", "family", "batch", "stack", "hardware", "parameters", "macs"),
        *("energy_static_j", "energy_dynamic_j"),
    }
)
"""The columns of a result row that are no parameter of a family."""


def change_title(letter: str) -> str:
    """The heading of the column that compares latencies with a pinned configuration."""
    return f"Latency / {letter} (×)"


@dataclass(frozen=True, slots=True)
class Filters:
    """What a person wants to see; an empty choice means all of it."""

    architectures: tuple[str, ...] = ()
    bottlenecks: tuple[str, ...] = ()
    confidences: tuple[str, ...] = ()
    fits_only: bool = False
    latency_at_most_s: float | None = None
    energy_at_most_j: float | None = None


def passing(rows: Columns | pd.DataFrame, filters: Filters) -> list[int]:
    """The positions of the rows that pass every filter."""
    keep = np.ones(len(rows["hardware"]), dtype=bool)
    chosen = {
        "architecture": filters.architectures,
        "bottleneck": filters.bottlenecks,
        "confidence": filters.confidences,
    }
    for column, values in chosen.items():
        if values:
            keep &= np.isin(np.asarray(rows[column], dtype=object).astype(str), values)
    if filters.fits_only:
        # what is not known to be too large fits
        keep &= np.array([fits is None or bool(fits) for fits in rows["fits"]], dtype=bool)
    if filters.latency_at_most_s is not None:
        keep &= _numbers(rows, "latency_s") <= filters.latency_at_most_s
    if filters.energy_at_most_j is not None:
        keep &= _numbers(rows, "energy_j") <= filters.energy_at_most_j
    return [int(index) for index in np.flatnonzero(keep)]


def _numbers(rows: Columns | pd.DataFrame, column: str) -> NDArray[np.float64]:
    return np.asarray(rows[column], dtype=float)


def take(rows: Columns, positions: list[int]) -> dict[str, list[Any]]:
    """The rows at these positions."""
    return {name: [values[index] for index in positions] for name, values in rows.items()}


def on_screen(
    rows: Columns, titles: Mapping[str, str], pinned: Sequence[Pinned] = ()
) -> dict[str, list[Any]]:
    """The table as shown: one row a device, headings with units, values in those units."""
    shown: dict[str, list[Any]] = {"Device": [titles.get(name, name) for name in rows["hardware"]]}
    for column in COLUMNS:
        values = rows[column.source]
        if column.scale == 1.0:
            shown[column.title] = list(values)
        else:
            shown[column.title] = [float(value) / column.scale for value in values]
        if column.source == "latency_s":
            shown |= {change_title(pin.letter): _against(rows, pin.rows) for pin in pinned}
    return shown


def _against(rows: Columns, pinned: Columns) -> list[float | None]:
    before = dict(zip(pinned["hardware"], pinned["latency_s"], strict=True))
    latencies = zip(rows["hardware"], rows["latency_s"], strict=True)
    ratios = [float(now) / before.get(name, math.nan) for name, now in latencies]
    return [None if math.isnan(ratio) else ratio for ratio in ratios]


def identity(
    rows: Columns, defaults: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
) -> dict[str, list[Any]]:
    """What a stored row is of: model, batch, stack, and the parameters that differ from defaults.

    Args:
        rows: result rows of any models; where they have a ``network``, its name comes first.
        defaults: by family, each parameter's default.
    """
    names = [name for name in rows if name not in NOT_PARAMETERS]
    settings = []
    for i, family in enumerate(rows["family"]):
        usual = defaults.get(str(family), {})
        set_here = [(name, rows[name][i]) for name in names if _is_set(rows[name][i])]
        changed = [f"{name} {value}" for name, value in set_here if usual.get(name) != value]
        settings.append(", ".join(changed) or "all at their defaults")
    named = {"Network": list(rows["network"])} if "network" in rows else {}
    return {
        **named,
        "Model": list(rows["model"]),
        "Parameters": settings,
        "Batch": list(rows["batch"]),
        "Stack": list(rows["stack"]),
    }


def _is_set(value: object) -> bool:
    return value is not None and value is not pd.NA and value == value  # NaN differs from itself


def file_stem(rows: Columns | pd.DataFrame) -> str:
    """A file name that says what is in it: ``characterize_conv2d_stack_batch8_6rows``."""
    count = len(rows["model"])
    if not count:
        return "characterize_0rows"
    models, batches = set(rows["model"]), set(rows["batch"])
    model = str(models.pop()).replace("/", "-") if len(models) == 1 else f"{len(models)}models"
    batch = f"_batch{batches.pop()}" if len(batches) == 1 else ""
    return f"characterize_{model}{batch}_{count}{'row' if count == 1 else 'rows'}"


def slug(text: str) -> str:
    """A text as a part of a file name.

    >>> slug("Latency by device (s)")
    'latency-by-device-s'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")

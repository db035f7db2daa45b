"""A network's kernels beside those of pinned configurations, as columns. Pure.

Sizes may have changed, so that a kernel is found again by where it is and what it does: the module
it belongs to, the operators that were fused, and which of several alike it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from characterize.units import GIGA, MEGA, MILLI
from dashboard.readable import Columns, Pinned
from dashboard.tables import Column, change_title

TOTALS: Final = (
    Column("latency_s", "Latency (ms)", MILLI, "%.4g"),
    Column("energy_j", "Energy (mJ)", MILLI, "%.4g"),
    Column("macs", "MACs (G)", GIGA, "%.4g"),
    Column("parameters", "Parameters (M)", MEGA, "%.4g"),
    Column("memory_bytes", "Memory moved (MB)", MEGA, "%.4g"),
    Column("peak_memory_bytes", "Peak memory (MB)", MEGA, "%.4g"),
    Column("kernels", "Kernels", 1.0, "%d"),
)
"""What configurations are compared by in whole."""
NOW_OVER_IT: Final = "Latency now / it (×)"


def ratio_of(letter: str) -> str:
    """The column of a kernel's latency over that of the same kernel of a pinned configuration."""
    return f"latency_over_{letter}"


def beside(kernels: Columns, pinned: Sequence[Pinned]) -> dict[str, Sequence[Any]]:
    """The kernels with :func:`ratio_of` each pin; ``None`` where it has no such kernel."""
    places = _places(kernels)
    found = dict(kernels)
    for pin in pinned:
        known = dict(zip(_places(pin.rows), pin.rows["latency_s"], strict=True))
        before = [known.get(place) for place in places]
        found[ratio_of(pin.letter)] = [
            now / then if then else None
            for now, then in zip(kernels["latency_s"], before, strict=True)
        ]
    return found


def _places(kernels: Columns) -> list[tuple[str, str, int]]:
    """Module, pattern, and how many of the same came before."""
    seen: Counter[tuple[str, str]] = Counter()
    found = []
    for module, pattern in zip(kernels["module"], kernels["pattern"], strict=True):
        found.append((module, pattern, seen[module, pattern]))
        seen[module, pattern] += 1
    return found


def columns(pinned: Sequence[Pinned]) -> tuple[Column, ...]:
    """The columns of the kernel table that compare with pins."""
    return tuple(
        Column(
            ratio_of(pin.letter),
            change_title(pin.letter),
            1.0,
            "%.3g",
            f"Over that of the same kernel of “{pin.name}”: below 1 is faster; empty without one.",
        )
        for pin in pinned
    )


def before_s(kernel: Mapping[str, Any], letter: str) -> float | None:
    """What a kernel takes in a pinned configuration, if it has it."""
    ratio = kernel.get(ratio_of(letter))
    return float(kernel["latency_s"]) / ratio if ratio else None


def totals(rows: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, list[Any]]:
    """One row a configuration: the first is compared with the others.

    Args:
        rows: what each is called, and its result row.
    """
    now = float(rows[0][1]["latency_s"])
    over = [now / float(row["latency_s"]) if row["latency_s"] else None for _, row in rows[1:]]
    latency, *others = (
        (column.title, [float(row[column.source]) / column.scale for _, row in rows])
        for column in TOTALS
    )
    return {
        "Configuration": [name for name, _ in rows],
        **dict([latency]),
        NOW_OVER_IT: [None, *over],
        **dict(others),
    }

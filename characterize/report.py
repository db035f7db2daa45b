"""The Conv2D validation report, recomputed: as published, with its slip, and as configured.

``data/reports/conv2d.toml`` holds the configuration and every published figure; this module runs
the configuration through the same session as any other request and lays the answers side by side.
"""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from characterize import paths
from characterize.errors import BrokenRecordError

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Line:
    """One published figure next to ours.

    ``hardware`` is empty for a figure that is the same on every device. ``agrees`` is whether the
    reproduced figure, rounded to the digits that were printed, is what was printed.
    """

    metric: str
    hardware: str
    published: float
    printed: str
    reproduced: float
    configured: float
    agrees: bool
    note: str = ""


@dataclass(frozen=True)
class Report:
    """A published report and what we find for the same configuration."""

    title: str
    date: datetime.date
    source: str
    why: str
    lines: tuple[Line, ...]

    def rows(self) -> list[dict[str, Any]]:
        """One row a figure."""
        return [asdict(line) for line in self.lines]

    def as_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {
            "title": self.title,
            "date": self.date.isoformat(),
            "source": self.source,
            "why": self.why,
            "rows": self.rows(),
        }

    def value(self, column: str, metric: str, hardware: str = "") -> float:
        """One figure: ``column`` is ``published``, ``reproduced`` or ``configured``."""
        for line in self.lines:
            if (line.metric, line.hardware) == (metric, hardware):
                return float(getattr(line, column))
        raise KeyError(metric, hardware)


def conv2d(progress: Progress | None = None) -> Report:
    """The Conv2D validation report of 2025-10-17, recomputed now: nothing comes from the store."""
    facts = _read("conv2d")
    reproduced = _run(facts["run"], facts["reproduced"], progress)
    configured = _run(facts["run"], facts["configured"], progress)
    lines = tuple(_line(figure, reproduced, configured) for figure in facts["published"])
    return Report(facts["title"], facts["date"], facts["source"], facts["why"], lines)


def _read(name: str) -> dict[str, Any]:
    path = paths.data_directory() / "reports" / f"{name}.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        msg = f"The report's figures in {path} cannot be read: {error}."
        raise BrokenRecordError(msg) from error


def _run(
    run: Mapping[str, Any], changes: Mapping[str, Any], progress: Progress | None
) -> pd.DataFrame:
    """Result rows of the configuration with ``changes`` to its parameters, by device."""
    from characterize import session

    table = session.project(
        run["model"],
        {**run["parameters"], **changes},
        batch=run["batch"],
        precision=run["precision"],
        stack=run["stack"],
        hardware=run["hardware"],
        baseline=run["baseline"],
        progress=progress,
        keep=False,
    )
    return table.set_index("hardware")


def _line(figure: Mapping[str, Any], reproduced: pd.DataFrame, configured: pd.DataFrame) -> Line:
    metric, hardware = figure["metric"], figure.get("hardware", "")
    printed = Decimal(figure["printed"].replace(",", ""))
    ours = _figure(reproduced, metric, hardware)
    return Line(
        metric=metric,
        hardware=hardware,
        published=float(printed),
        printed=figure["printed"],
        reproduced=ours,
        configured=_figure(configured, metric, hardware),
        agrees=_rounds_to(ours, printed),
        note=figure.get("note", ""),
    )


def _figure(table: pd.DataFrame, metric: str, hardware: str) -> float:
    column = table[metric]
    if hardware:
        return float(column[hardware])
    values = set(column)
    if len(values) != 1:
        msg = f"The report has one figure for {metric}, but the devices disagree: {sorted(values)}."
        raise BrokenRecordError(msg)
    return float(values.pop())


def _rounds_to(value: float, printed: Decimal) -> bool:
    """Whether ``value`` is within half a unit of the last printed digit."""
    half_unit = Decimal(5).scaleb(int(printed.as_tuple().exponent) - 1)
    return abs(Decimal(value) - printed) <= half_unit

"""``characterize report conv2d``: a published report next to what we find for it."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING

from characterize.cli import output, tables
from characterize.cli.parser import Subparsers

if TYPE_CHECKING:
    from characterize.report import Line, Report

_FORMATS = ("table", "json", "markdown")
_HEADINGS = ("figure", "hardware", "as published", "reproduced with its slip", "as configured", "")


def add_parser(subparsers: Subparsers) -> None:
    """Describe the verb."""
    parser = subparsers.add_parser(
        "report",
        help="the Conv2D validation report, recomputed",
        description="A published report, recomputed: as published, with its slip, as configured.",
    )
    verbs = parser.add_subparsers(metavar="NAME", dest="report_name", required=True)
    conv2d = verbs.add_parser("conv2d", help="the Conv2D validation report of 2025-10-17")
    output.add_options(conv2d, _FORMATS)
    conv2d.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Recompute the report and print it."""
    format = output.chosen_format(arguments)
    from characterize import report

    found = report.conv2d(output.progress())
    if format == "json":
        text = output.as_json(found.as_dict())
    else:
        text = markdown(found) if format == "markdown" else table(found)
    output.write(text, arguments.output)
    return 0


def table(report: Report) -> str:
    """The report for a terminal."""
    why = textwrap.fill(report.why, 100, break_long_words=False)
    rows = [_cells(line) for line in report.lines]
    return "\n".join(
        [f"{report.title}, {report.date}", "", tables.aligned(rows, _HEADINGS), "", why]
    )


def markdown(report: Report) -> str:
    """The report as a Markdown page."""
    rows = [_HEADINGS, ["---", "---", "---:", "---:", "---:", "---"], *map(_cells, report.lines)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    source = f"Published: {report.source}."
    return "\n".join([f"# {report.title}", "", *lines, "", report.why, "", source])


def _cells(line: Line) -> list[str]:
    verdict = "agrees" if line.agrees else f"differs: {line.note}" if line.note else "differs"
    return [
        line.metric,
        line.hardware or "all four",
        line.printed,
        _number(line, line.reproduced),
        _number(line, line.configured),
        verdict,
    ]


def _number(line: Line, value: float) -> str:
    """A figure with as many digits as were printed."""
    if "e" in line.printed:
        return f"{value:.2e}"
    decimals = len(line.printed.partition(".")[2])
    return f"{value:,.{decimals}f}"

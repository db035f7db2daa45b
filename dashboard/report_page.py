"""A comparison on one page of HTML that needs nothing else and prints well. Pure: records in, text out.

The page holds everything: charts as inline SVG, tables, sources, provenance; no script, no font, no
style from elsewhere.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dashboard.exports import Provenance
from dashboard.readable import Columns

_STYLE: Final = """
:root { color-scheme: light; }
body { font: 14px/1.45 system-ui, sans-serif; color: #1b2733; max-width: 60rem; margin: 2rem auto;
       padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 1.5rem 0 .5rem; }
p { margin: .25rem 0; } .note { color: #4a5764; }
dl.figures { display: flex; flex-wrap: wrap; gap: .5rem; margin: 1rem 0; }
dl.figures div { border: 1px solid #d5dce3; border-radius: 8px; padding: .5rem .75rem; }
dl.figures dt { color: #4a5764; } dl.figures dd { margin: 0; font-size: 1.25rem; font-weight: 600; }
table { border-collapse: collapse; width: 100%; font-size: 12px; }
th, td { border-bottom: 1px solid #d5dce3; padding: .25rem .4rem; text-align: left;
         vertical-align: top; overflow-wrap: anywhere; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
figure { margin: 1rem 0; break-inside: avoid; } svg { max-width: 100%; height: auto; }
figcaption { font-weight: 600; }
@media print { body { margin: 0; max-width: none; } h2 { break-after: avoid; } tr { break-inside: avoid; } }
"""


@dataclass(frozen=True)
class Listing:
    """A table of the report: its heading, its columns, and a sentence below it."""

    heading: str
    rows: Columns
    note: str = ""


@dataclass(frozen=True)
class Report:
    """What a report says.

    Args:
        title: what was compared.
        lines: sentences under it, from the most important on.
        figures: large figures as (name, value).
        charts: the keys of the page's charts that belong to it.
        listings: tables, the results first.
        about: where the numbers come from.
    """

    title: str
    lines: Sequence[str]
    figures: Sequence[tuple[str, str]]
    charts: Sequence[str]
    listings: Sequence[Listing]
    about: Provenance


def page(report: Report, svgs: Mapping[str, str]) -> str:
    """The report as one HTML document.

    Args:
        report: what it says.
        svgs: its charts by title; empty where no pictures can be drawn.
    """
    title = html.escape(report.title)
    body = [
        f"<h1>{title}</h1>",
        *(f'<p class="note">{html.escape(line)}</p>' for line in report.lines),
        _figures(report.figures),
        *(_figure(name, svg) for name, svg in svgs.items()),
        *(_listing(listing) for listing in report.listings),
        "<h2>Where these numbers come from</h2>",
        _provenance(report.about),
    ]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head>\n<body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def _figures(figures: Sequence[tuple[str, str]]) -> str:
    cells = "".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>"
        for name, value in figures
    )
    return f'<dl class="figures">{cells}</dl>' if cells else ""


def _figure(title: str, svg: str) -> str:
    name = html.escape(title, quote=True)
    labelled = svg.replace("<svg ", f'<svg role="img" aria-label="{name}" ', 1)
    return f"<figure><figcaption>{name}</figcaption>{labelled}</figure>"


def _listing(listing: Listing) -> str:
    columns = list(listing.rows)
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in columns)
    rows = zip(*listing.rows.values(), strict=True)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    note = f'<p class="note">{html.escape(listing.note)}</p>' if listing.note else ""
    return (
        f"<h2>{html.escape(listing.heading)}</h2><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>{note}"
    )


def _cell(value: Any) -> str:
    if value is None or value != value:  # NaN differs from itself
        return "<td>–</td>"
    if isinstance(value, bool):
        return f"<td>{'yes' if value else 'no'}</td>"
    if isinstance(value, int | float):
        text = f"{value:,d}" if isinstance(value, int) else f"{value:,.4g}"
        return f'<td class="number">{text}</td>'
    return f"<td>{html.escape(str(value))}</td>"


def _provenance(about: Provenance) -> str:
    facts = about.facts()
    rows = [
        ("Made by", f"characterize {about.version}, model version {about.model_version}"),
        ("Made at", about.made_at),
        ("Asked for", json.dumps(facts["request"], default=str, ensure_ascii=False)),
        *((f"Profile {name}", digest) for name, digest in about.profiles.items()),
    ]
    body = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th><td>{html.escape(value)}</td></tr>'
        for name, value in rows
    )
    return f"<table><tbody>{body}</tbody></table>"

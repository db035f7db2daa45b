"""Tables for a terminal: aligned columns, values with units and SI prefixes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from characterize.units import si

ABSENT: Final = "-"
# The end of a column's name says its unit; the first that fits counts.
_UNITS: Final = (
    ("_bytes_per_s", "B/s"),
    ("flops_per_s", "FLOP/s"),
    ("_per_s", "/s"),
    ("_bytes", "B"),
    ("_s", "s"),
    ("_j", "J"),
    ("_w", "W"),
    ("flops", "FLOP"),
    ("macs", "MAC"),
    ("intensity", "FLOP/B"),
    ("parameters", ""),
)


def aligned(rows: Iterable[Sequence[str]], header: Sequence[str]) -> str:
    """A table; a column is set to the right where all its cells begin with a digit or are absent.

    >>> print(aligned([["a", "1 s"], ["bb", "20 s"]], ["name", "time"]))
    name  time
    ----  ----
    a      1 s
    bb    20 s
    """
    body = [list(row) for row in rows]
    widths = [max(len(row[i]) for row in (header, *body)) for i in range(len(header))]
    right = [bool(body) and all(_is_number(row[i]) for row in body) for i in range(len(header))]
    lines = [header, ["-" * width for width in widths], *body]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )


def of(rows: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> str:
    """A table of some columns of ``rows``: ``titles`` says which, in order, and their headings."""
    cells = ([cell(name, row.get(name)) for name in titles] for row in rows)
    return aligned(cells, list(titles.values()))


def cell(name: str, value: Any) -> str:
    """A value of the column ``name`` as a person reads it.

    >>> cell("latency_s", 0.0182), cell("memory_bytes", 43536064), cell("fits", True)
    ('18.2 ms', '43.5 MB', 'yes')
    """
    if value is None or value == "":
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        for end, unit in _UNITS:
            if name.endswith(end):
                return si(value, unit)
        if name == "speedup":
            return f"{value:.4g}x"
        return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
    return str(value)


def _is_number(text: str) -> bool:
    return text == ABSENT or text[:1].isdigit() or (text[:1] == "-" and text[1:2].isdigit())

"""What Results has in the URL, and what of a link does not go with the rows that are stored. Pure.

Under ``stored.``: the values of a column of :data:`CHOICES`; ``columns`` that are filtered beside
those, each with ``<column>.in`` (texts) or ``<column>.from`` and ``<column>.to`` (numbers); ``by``,
``across``, ``measure`` and ``summary`` of the groups; ``sql``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import pandas as pd

from dashboard import grouping

PREFIX: Final = "stored."
CHOICES: Final = {
    "model": "Model", "hardware": "Device", "precision": "Precision", "stack": "Stack",
}  # fmt: skip
COLUMNS, BY, ACROSS, MEASURE, SUMMARY, SQL = (
    PREFIX + name for name in ("columns", "by", "across", "measure", "summary", "sql")
)
ENDS: Final = ("from", "to")
IN: Final = "in"


def key(column: str, part: str = "") -> str:
    """The name in the URL of a column's filter, or of a part of it."""
    return f"{PREFIX}{column}.{part}" if part else f"{PREFIX}{column}"


def others(rows: pd.DataFrame) -> list[str]:
    """The columns that can be filtered beside :data:`CHOICES`."""
    return [column for column in rows if column not in CHOICES]


def values(rows: pd.DataFrame, column: str) -> list[str]:
    """The texts of a column."""
    return sorted(rows[column].dropna().astype(str).unique())


def wrong(rows: pd.DataFrame, link: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """A sentence for each parameter of Results that cannot be followed in full, by its name.

    Args:
        rows: that are stored.
        link: the URL's parameters.
    """
    found = {}
    for name, texts in link.items():
        if name.startswith(PREFIX) and name != SQL:
            bad = [text for text in texts if not _follows(rows, name.removeprefix(PREFIX), text)]
            if bad:
                listed = ", ".join(repr(text) for text in bad)
                found[name] = f"The link's {name} {listed} is not known here and was left out."
    return found


def _follows(rows: pd.DataFrame, name: str, text: str) -> bool:
    column, _, part = name.rpartition(".")
    if column:
        if column not in rows:
            return False
        is_number = grouping.is_number(rows, column)
        if part in ENDS:
            return is_number and _is_number(text)
        return part == IN and not is_number and text in values(rows, column)
    if name in CHOICES:
        return text in values(rows, name)
    known: dict[str, Iterable[str]] = {
        "columns": others(rows),
        "by": rows,
        "across": rows,
        "measure": grouping.numbers(rows),
        "summary": grouping.SUMMARIES,
    }
    return text in set(known.get(name, ()))


def _is_number(text: str) -> bool:
    try:
        return float(text) == float(text)  # no NaN
    except ValueError:
        return False

"""Stored rows narrowed by any column, grouped and pivoted. Pure: frames in, frames out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd

SUMMARIES: Final = ("median", "min", "max", "mean", "count")
MOST_ACROSS: Final = 40  # columns of a pivot that a person still reads


def is_number(rows: pd.DataFrame, column: str) -> bool:
    """Whether a column is filtered by a range and can be summarised."""
    return pd.api.types.is_numeric_dtype(rows[column]) and not pd.api.types.is_bool_dtype(
        rows[column]
    )


def numbers(rows: pd.DataFrame) -> list[str]:
    """The columns that can be summarised."""
    return [column for column in rows if is_number(rows, column)]


def narrowed(
    rows: pd.DataFrame,
    values: Mapping[str, Sequence[str]],
    ranges: Mapping[str, tuple[float | None, float | None]],
) -> pd.DataFrame:
    """The rows with one of the values in each column of ``values``, and inside every range.

    An empty choice and an end that is ``None`` leave everything; a row without a number is outside
    of every range that has an end.
    """
    keep = pd.Series(True, index=rows.index)
    for column, chosen in values.items():
        if chosen:
            keep &= rows[column].astype("string").isin(list(chosen)).fillna(False)
    for column, (low, high) in ranges.items():
        if low is not None:
            keep &= (rows[column] >= low).fillna(False)
        if high is not None:
            keep &= (rows[column] <= high).fillna(False)
    return rows[keep.astype(bool)]


def grouped(
    rows: pd.DataFrame, by: Sequence[str], across: str | None, measure: str, summary: str
) -> pd.DataFrame:
    """One row a group, with the summary of ``measure``; one column a value of ``across``.

    Args:
        rows: result rows.
        by: what makes a group.
        across: whose values become columns, at most :data:`MOST_ACROSS` of them; ``None`` for one.
        measure: a column of numbers.
        summary: one of :data:`SUMMARIES`.
    """
    keys = [*by, *([across] if across else [])]
    found = rows.groupby(keys, dropna=False, observed=True)[measure].agg(summary)
    title = f"{summary} of {measure}"
    if across is None:
        return found.rename(title).reset_index()
    wide = found.unstack(across)
    wide = wide[list(wide.columns)[:MOST_ACROSS]]
    wide.columns = [f"{measure} · {value}" for value in wide.columns]
    return wide.reset_index()

"""Columns that a user brings along: an accuracy by family parameters, from a CSV file."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from characterize import errors
from characterize.questions.coding import Coded

if TYPE_CHECKING:
    import pandas as pd


def read(
    file: str | Path | pd.DataFrame, columns: Sequence[str], identity: Sequence[str]
) -> tuple[dict[str, list[Any]], dict[str, NDArray[np.float64]]]:
    """The columns to join on, and those to join, each with one value a line of the file.

    Raises:
        UnknownNameError: a column that is nearly one of the rows'.
        InvalidValueError: the file cannot be read, has nothing to join on or nothing to join.
    """
    table, name = _table(file)
    keys = [str(c) for c in table.columns if c in identity]
    new = [str(c) for c in table.columns if c not in columns]
    for column in new:
        near = difflib.get_close_matches(column, list(columns), n=1, cutoff=0.8)
        if near and column != "accuracy":
            raise errors.unknown("column", column, columns, limit=40)
    if not keys or not new:
        known = ", ".join(identity)
        lacks = (
            "names no column to join on" if not keys else "has no column besides those of the rows"
        )
        msg = (
            f"{name} {lacks}; its header names some of {known}, and a new column of numbers, such as "
            "'layers,channels,accuracy'."
        )
        raise errors.InvalidValueError(msg)
    added: dict[str, NDArray[np.float64]] = {}
    for column in new:
        try:
            added[column] = table[column].to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError):
            msg = f"The column {column} of {name} is joined as a number, and holds something else."
            raise errors.InvalidValueError(msg) from None
    twice = table[table.duplicated(keys)]
    if len(twice):
        first = ", ".join(f"{key}={twice.iloc[0][key]}" for key in keys)
        msg = f"{name} says something twice of {first}; one line a configuration, please."
        raise errors.InvalidValueError(msg)
    return {key: table[key].tolist() for key in keys}, added


def _table(file: str | Path | pd.DataFrame) -> tuple[pd.DataFrame, str]:
    import pandas as pd

    if isinstance(file, pd.DataFrame):
        return file, "The table"
    try:
        return pd.read_csv(file), str(file)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        msg = f"{str(file)!r} cannot be read as CSV: {reason}."
        raise errors.InvalidValueError(msg) from error


def spread(
    keys: Mapping[str, Sequence[Any]],
    added: Mapping[str, NDArray[np.float64]],
    codes: Mapping[str, Coded],
    length: int,
) -> dict[str, NDArray[np.float64]]:
    """The new columns for every row: that of the line with its values, NaN where there is none."""
    lines = len(next(iter(added.values())))
    wanted: Any = np.zeros(length, dtype=np.int64)
    offered = np.zeros(lines, dtype=np.int64)
    there = np.ones(lines, dtype=bool)
    for name, values in keys.items():
        column = codes[name]
        place = {value: code for code, value in enumerate(column.values)}
        found = np.array([place.get(_plain(value), -1) for value in values], dtype=np.int64)
        there &= found >= 0
        wanted = wanted * len(column.values) + column.codes
        offered = offered * len(column.values) + found
    order = np.flatnonzero(there)[np.argsort(offered[there], kind="stable")]
    sorted_ = offered[order]
    if not len(sorted_):
        return {name: np.full(length, np.nan) for name in added}
    at = np.minimum(np.searchsorted(sorted_, wanted), len(sorted_) - 1)
    hit = sorted_[at] == wanted
    return {name: np.where(hit, values[order][at], np.nan) for name, values in added.items()}


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value

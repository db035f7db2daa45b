"""Columns of few distinct values as codes: an axis of a sweep, a device's name, a bottleneck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from characterize import errors

_TABLE: Final = (
    1 << 22
)  # integers this close together are coded by a table rather than by searching


@dataclass(frozen=True, eq=False)
class Coded:
    """A column as places in its sorted values; a missing value is ``None`` and comes last."""

    values: tuple[Any, ...]
    codes: NDArray[Any]  # unsigned, as small as the values allow

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def array(self) -> NDArray[Any]:
        """The values as an array: of numbers if they all are, else of objects."""
        kinds = {type(value) for value in self.values}
        if kinds and kinds <= {int, float}:
            return np.array(self.values)
        found = np.empty(len(self.values), dtype=object)
        found[:] = self.values
        return found

    @property
    def is_number(self) -> bool:
        """Whether the values are numbers (flags are not)."""
        return self.array.dtype != object

    def at(self, index: Any) -> NDArray[Any]:
        """The values of some rows."""
        return np.asarray(self.array[self.codes[index]])

    def numbers(self) -> NDArray[np.float64]:
        """The column as numbers, NaN where a value is none."""
        known = [float(v) if isinstance(v, int | float) else np.nan for v in self.values]
        return np.array(known, dtype=np.float64)[self.codes]

    def code(self, name: str, value: Any) -> int:
        """The code of a value.

        Raises:
            UnknownNameError: the column does not have it.
        """
        for place, known in enumerate(self.values):
            if known == value and isinstance(known, bool) == isinstance(value, bool | np.bool_):
                return place
        shown = [str(known) for known in self.values]
        raise errors.unknown(f"value of {name} in these rows", str(value), shown)

    def some(self, index: NDArray[np.int64]) -> Coded:
        """The same column of some rows."""
        return Coded(self.values, self.codes[index])


def coded(column: NDArray[Any], values: Sequence[Any] | None = None) -> Coded:
    """A column as codes.

    Args:
        column: integers, floats, flags or objects; codes already where ``values`` are given.
        values: what the codes stand for.
    """
    if values is not None:
        return Coded(tuple(values), column.astype(_kind(len(values)), copy=False))
    if column.dtype == object:
        return _objects(column)
    if column.dtype.kind in "iu" and len(column):
        low, high = int(column.min()), int(column.max())
        if high - low < _TABLE:
            there = np.zeros(high - low + 1, dtype=bool)
            there[column - low] = True
            known = np.flatnonzero(there)
            place = np.zeros(len(there), dtype=_kind(len(known)))
            place[known] = np.arange(len(known))
            return Coded(tuple((known + low).tolist()), place[column - low])
    unique, inverse = np.unique(column, return_inverse=True)
    whole = unique.dtype.kind == "f" and bool(np.all(unique == np.floor(unique)))
    listed = (unique.astype(np.int64) if whole else unique).tolist()
    return Coded(tuple(listed), inverse.astype(_kind(len(listed))))


def _objects(column: NDArray[Any]) -> Coded:
    import pandas as pd

    codes, found = pd.factorize(column)
    values = [v.item() if hasattr(v, "item") else v for v in found]
    order = sorted(range(len(values)), key=lambda place: _rank(values[place]))
    values = [values[place] for place in order]
    moved = np.empty(len(order) + 1, dtype=np.int64)
    moved[order] = np.arange(len(order))
    moved[-1] = len(order)  # pandas codes what is missing as -1
    if (codes < 0).any():
        values.append(None)
    return Coded(tuple(values), moved[codes].astype(_kind(len(values))))


def _rank(value: Any) -> tuple[str, Any]:
    """Sorts values of different types: flags, numbers, words."""
    if isinstance(value, bool):
        return "0", value
    return ("1", value) if isinstance(value, int | float) else ("2", str(value))


def _kind(count: int) -> Any:
    return np.uint8 if count <= 1 << 8 else np.uint16 if count <= 1 << 16 else np.uint32

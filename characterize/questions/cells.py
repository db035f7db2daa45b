"""Rows sorted by cell, and by a value inside each: a budget is answered without sorting again.

Once sorted, the rows that meet a budget are found by comparing columns; the first of them in a cell
is its best, the middle one its median, and how many there are follows from where the cells begin.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from characterize.questions.region import configurations
from characterize.questions.rows import Rows

Index = NDArray[np.int64]


class Cells:
    """Some rows sorted by cell and value; rows without the value are left out.

    Args:
        of: the rows.
        code: the cell of each row.
        value: the column that they are sorted by inside a cell.
    """

    def __init__(self, of: Rows, code: NDArray[Any], value: str) -> None:
        numbers = of.numbers(value)
        order = np.argsort(numbers, kind="quicksort")
        if np.isnan(numbers[order[-1:]]).any():
            order = order[: np.searchsorted(numbers[order], np.nan)]
        order = order[np.argsort(code[order], kind="stable")]
        self._rows = of
        self.order = order.astype(np.int32 if len(of) < 1 << 31 else np.int64)
        sorted_ = code[self.order]
        changes = np.flatnonzero(sorted_[1:] != sorted_[:-1]) + 1
        self.starts = np.concatenate([np.zeros(1, dtype=np.int64), changes])[: len(sorted_)]
        self.ends = np.concatenate([self.starts[1:], [len(sorted_)]])[: len(self.starts)]
        self.codes = sorted_[self.starts]
        """The cells that have rows, ascending."""
        self._columns: dict[str, NDArray[Any]] = {}

    def __len__(self) -> int:
        return len(self.order)

    def numbers(self, name: str) -> NDArray[np.float64]:
        """A column of numbers in this order."""
        if name not in self._columns:
            self._columns[name] = self._rows.numbers(name)[self.order]
        return self._columns[name]

    def configurations(self) -> NDArray[Any]:
        """Which configuration each row is of, in this order."""
        if "" not in self._columns:
            self._columns[""] = configurations(self._rows)[self.order]
        return self._columns[""]

    def spans(self, places: Index) -> tuple[Index, Index]:
        """Where the rows at ``places`` of each cell begin and end among them."""
        return np.searchsorted(places, self.starts), np.searchsorted(places, self.ends)

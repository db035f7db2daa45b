"""Rows sorted by cell, and by a value inside each: a budget is answered without sorting again.

Of the rows that meet a budget the first in a cell is its best, the middle one its median, and how many
there are follows from where the cells begin.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from characterize.questions.bounds import Budget
from characterize.questions.region import allowed, configurations
from characterize.questions.rows import Rows
from characterize.questions.selection import BLOCK, Column, Condition, Selection, count

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
        self._columns: dict[str, Column] = {}
        self._configurations: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.order)

    def numbers(self, name: str) -> NDArray[np.float64]:
        """A column of numbers in this order."""
        return self._column(name).numbers

    def within(self, known: Sequence[Budget], whole: Rows) -> Selection:
        """The rows that meet all budgets.

        Args:
            known: the budgets.
            whole: all rows of the configurations, where budgets on devices look.
        """
        conditions = [self._column(b.column).condition(b.met) for b in known if not b.device]
        scoped = [budget for budget in known if budget.device]
        if scoped:
            conditions.append(self._of_configurations(allowed(whole, scoped)))
        return Selection(conditions, len(self))

    def _column(self, name: str) -> Column:
        if name not in self._columns:
            self._columns[name] = Column(self._rows.numbers(name)[self.order])
        return self._columns[name]

    def _of_configurations(self, met: NDArray[np.bool_]) -> Condition:
        """Rows of configurations that meet something; nothing is known of a whole block."""
        blocks = count(len(self))
        if self._configurations is None:
            padded = np.zeros(blocks * BLOCK, dtype=configurations(self._rows).dtype)
            padded[: len(self)] = configurations(self._rows)[self.order]
            self._configurations = padded.reshape(-1, BLOCK)
        of = self._configurations
        return Condition(
            np.zeros(blocks, dtype=bool), np.ones(blocks, dtype=bool), lambda at: met[of[at]]
        )

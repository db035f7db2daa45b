"""Some rows of many, held so that counting them and finding the n-th take no pass over all rows.

Rows lie in blocks. What is known of a block (the least and the largest of a column in it, a *zone map*)
often decides a budget for all of its rows at once: where rows are sorted, for nearly all blocks. Only
the others are looked at row by row.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Index = NDArray[np.int64]
Mask = NDArray[np.bool_]

BLOCK: Final = 1 << 8  # small: at the border of a cell a block has rows of both kinds
_TOGETHER: Final = 1 << 10  # blocks: what is compared stays in the cache
_THREADS: Final = min(4, os.cpu_count() or 1)
_WORTH_THREADS: Final = 6  # parts: fewer are done before a thread has woken


@dataclass(frozen=True, slots=True)
class Condition:
    """What is asked of rows: of the blocks given by their numbers.

    ``every`` and ``some`` hold a truth a block: that all of its rows meet the condition, and that a
    row may. ``met`` says it of single rows, ``[blocks, BLOCK]``, whatever of those behind the last.
    """

    every: Mask
    some: Mask
    met: Callable[[Index], Mask]


class Column:
    """A column of numbers in blocks, the last filled up, with the least and largest of each."""

    def __init__(self, numbers: NDArray[np.float64]) -> None:
        self.length = len(numbers)
        padded = np.full(count(self.length) * BLOCK, np.nan)
        padded[: self.length] = numbers
        self.blocks = padded.reshape(-1, BLOCK)
        self._low, self._high = self.blocks.min(axis=1), self.blocks.max(axis=1)
        self._holes = np.isnan(self._low)  # what a comparison says of a NaN, it does not say of all

    @property
    def numbers(self) -> NDArray[np.float64]:
        """The column as it was given."""
        return self.blocks.ravel()[: self.length]

    def condition(self, met: Callable[[Any], Any]) -> Condition:
        """A bound on this column: what is true of the least and the largest is true of all."""
        low, high = met(self._low), met(self._high)
        return Condition(
            low & high & ~self._holes, low | high | self._holes, lambda at: met(self.blocks[at])
        )


def count(rows: int) -> int:
    """How many blocks rows make."""
    return -(-rows // BLOCK)


class Selection:
    """The rows that meet all conditions, in their order.

    Args:
        conditions: what rows have to meet.
        rows: how many there are, selected or not.
    """

    def __init__(self, conditions: Sequence[Condition], rows: int) -> None:
        blocks, asked = count(rows), (*conditions, _there(rows))
        every, some = np.ones(blocks, dtype=bool), np.ones(blocks, dtype=bool)
        for each in asked:
            every &= each.every
            some &= each.some
        self._every = every
        mixed = np.flatnonzero(some & ~every)
        parts = [mixed[at : at + _TOGETHER] for at in range(0, len(mixed), _TOGETHER)]
        look = partial(_looked_at, asked)
        found = list(map(look, parts) if len(parts) < _WORTH_THREADS else pool().map(look, parts))
        none = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
        met, self._places = map(np.concatenate, zip(none, *found, strict=True))
        counts = np.where(every, BLOCK, 0)
        counts[mixed] = met
        self._before = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)])
        self._kept = np.zeros(blocks + 1, dtype=np.int64)  # of the places, those of earlier blocks
        self._kept[mixed + 1] = met
        self._kept = np.cumsum(self._kept)

    def __len__(self) -> int:
        return int(self._before[-1])

    def before(self, places: Index) -> Index:
        """How many selected rows lie before each of some places."""
        if not len(self._every):
            return np.zeros(len(places), dtype=np.int64)
        block = np.minimum(places // BLOCK, len(self._every) - 1)
        found = self._before[block]
        within = places - block * BLOCK
        whole = self._every[block]
        found[whole] += within[whole]
        part = np.flatnonzero(~whole & (within > 0) & (self._kept[block + 1] > self._kept[block]))
        found[part] += np.searchsorted(self._places, places[part]) - self._kept[block[part]]
        return found

    def at(self, ranks: Index) -> Index:
        """The places of the selected rows with these numbers, counted from 0; in any order."""
        block = np.searchsorted(self._before, ranks, side="right") - 1
        within = ranks - self._before[block]
        whole = self._every[block]
        found = block * BLOCK + within
        part = ~whole
        found[part] = self._places[self._kept[block[part]] + within[part]]
        return np.asarray(found)


@cache
def pool() -> ThreadPoolExecutor:
    """Threads that compare: NumPy lets go of the interpreter's lock."""
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="characterize-questions")


def _looked_at(conditions: Sequence[Condition], blocks: Index) -> tuple[Index, Index]:
    """Of blocks how many rows meet the conditions, and where those are."""
    mask = np.ones((len(blocks), BLOCK), dtype=bool)
    for each in conditions:
        open_ = ~each.every[blocks]
        if open_.all():
            mask &= each.met(blocks)
        elif open_.any():
            mask[open_] &= each.met(blocks[open_])
    found = np.flatnonzero(mask)
    return np.count_nonzero(mask, axis=1), found + ((blocks - np.arange(len(blocks))) * BLOCK)[
        found // BLOCK
    ]


def _there(rows: int) -> Condition:
    """That a row is one: the last block may not be full."""
    whole = np.arange(1, count(rows) + 1) * BLOCK <= rows
    within = np.arange(BLOCK)
    return Condition(
        whole, np.ones_like(whole), lambda at: at[:, np.newaxis] * BLOCK + within < rows
    )

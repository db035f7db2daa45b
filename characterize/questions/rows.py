"""Result rows in memory, a column at a time: what a question reads, and nothing else.

Rows come from a table or from a sweep that is kept as Parquet parts; of a sweep only the columns that
are asked for are read, through DuckDB. Numbers are arrays; axes and words are codes of one, two or
four bytes into their values, so that ten million rows take some tens of megabytes a column.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from characterize import errors
from characterize.questions import joined
from characterize.questions.bounds import LARGER_IS_BETTER, MEASURES
from characterize.questions.coding import Coded, coded
from characterize.questions.parts import Parts
from characterize.sweeping import Kept

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Rows", "rows"]

Index = NDArray[np.int64]
_KEPT_ROWS: Final = 60_000_000  # of what is made from rows: some hundred megabytes
_FEW, _MANY = 6, 64
_AFTER: Final = "confidence"  # the last of the columns that say what a row is of


class Source(Protocol):
    """Where columns come from."""

    columns: tuple[str, ...]
    added: tuple[str, ...]  # of them those that a user joined
    length: int

    def read(self, names: Sequence[str]) -> dict[str, Any]:
        """Columns as arrays, all in the same order of rows."""


class Rows:
    """Result rows, read as they are asked for; several threads may ask at once."""

    def __init__(self, source: Source, added: Mapping[str, Any] | None = None) -> None:
        self._source = source
        self._lock = threading.RLock()
        self._numbers: dict[str, NDArray[np.float64]] = dict(added or {})
        self._coded: dict[str, Coded] = {}
        self._made: dict[Any, Any] = {}
        self.added: tuple[str, ...] = (*source.added, *(added or ()))
        self.columns: tuple[str, ...] = (*source.columns, *(added or ()))

    def __len__(self) -> int:
        return self._source.length

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns that say what a row is of: model to hardware, and a variation of the hardware."""
        names = list(self._source.columns)
        end = names.index(_AFTER) if _AFTER in names else len(names)
        known = [name for name in names[:end] if name not in (*MEASURES, "architecture")]
        return tuple(known)

    @property
    def measures(self) -> tuple[str, ...]:
        """The columns that can be bounded and optimised: those of a result row, and joined ones."""
        return (*(name for name in MEASURES if name in self.columns), *self.added)

    @property
    def larger(self) -> frozenset[str]:
        """The measures of which more is better."""
        return LARGER_IS_BETTER | set(self.added)

    def known(self, name: str) -> str:
        """The name of a column that there is.

        Raises:
            UnknownNameError: there is no such column.
        """
        if name not in self.columns:
            raise errors.unknown("column", name, self.columns, limit=40)
        return name

    def numbers(self, name: str) -> NDArray[np.float64]:
        """A column of numbers, NaN where there is none."""
        self.need([name])
        with self._lock:
            if name not in self._numbers:
                self._numbers[name] = self._coded[name].numbers()
            return self._numbers[name]

    def coded(self, name: str) -> Coded:
        """A column as codes into its sorted values."""
        self.need([name])
        with self._lock:
            if name not in self._coded:
                self._coded[name] = coded(self._numbers[name])
            return self._coded[name]

    def need(self, names: Sequence[str]) -> None:
        """Read what is not there yet of several columns, in one pass."""
        with self._lock:
            missing = [
                name
                for name in dict.fromkeys(names)
                if self.known(name) not in self._numbers and name not in self._coded
            ]
            if not missing:
                return
            for name, column in self._source.read(missing).items():
                if isinstance(column, Coded):
                    self._coded[name] = column
                else:
                    self._numbers[name] = np.asarray(column, dtype=np.float64)

    def made(self, key: Any, make: Callable[[], Any]) -> Any:
        """Something made from these rows before under this key, or made now; the last few are kept."""
        with self._lock:
            if key not in self._made:
                while len(self._made) >= max(_FEW, min(_MANY, _KEPT_ROWS // max(len(self), 1))):
                    self._made.pop(next(iter(self._made)))
                self._made[key] = make()
            else:
                self._made[key] = self._made.pop(key)  # the newest
            return self._made[key]

    def inherited(self, key: Any, make: Callable[[Rows], Any]) -> Any:
        """An array made of the rows that these are part of, as far as it is of these."""
        if isinstance(self._source, _Part):
            whole, index = self._source.whole, self._source.index
            if index is None:
                return whole.inherited(key, make)
            return self.made(key, lambda: whole.inherited(key, make)[index])
        return self.made(key, lambda: make(self))

    def where(self, **values: Any) -> Rows:
        """The rows whose columns have these values: one value, or a list of several.

        Raises:
            UnknownNameError: a column that there is not, or a value that the column does not have.
        """
        if not values:
            return self
        key = ("where", tuple((k, tuple(_several(v))) for k, v in sorted(values.items())))
        return self.made(key, lambda: Rows(_Part(self, self._chosen(values)), None))

    def _chosen(self, values: Mapping[str, Any]) -> Index:
        self.need(list(values))
        mask: Any = True
        for name, asked in values.items():
            column = self.coded(name)
            codes = [column.code(name, value) for value in _several(asked)]
            mask = mask & np.isin(column.codes, codes)
        return np.flatnonzero(np.broadcast_to(mask, (len(self),)))

    def take(self, index: Index, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Some rows as a table: what they are of, and the columns asked for."""
        import pandas as pd

        names = list(dict.fromkeys([*self.identity, *(columns or ())]))
        self.need(names)
        found: dict[str, Any] = {}
        for name in names:
            if name in self._coded:
                found[name] = self._coded[name].at(index)
            else:
                values = self._numbers[name][index]
                whole = name not in self.added and np.array_equal(values, np.floor(values))
                found[name] = values.astype(np.int64) if whole and len(values) else values
        return pd.DataFrame(found)

    def joined(self, file: str | Path | pd.DataFrame) -> Rows:
        """The rows with columns of numbers from a CSV file, such as an accuracy.

        The file's header names the columns of the rows that it is joined on and the new ones; rows
        that it says nothing of have a NaN.

        Raises:
            UnknownNameError: a column that is near one of the rows' and is not one.
            InvalidValueError: nothing to join on or to join, or two values for one configuration.
        """
        keys, added = joined.read(file, self.columns, self.identity)
        self.need(list(keys))
        codes = {name: self.coded(name) for name in keys}
        return Rows(_Part(self, None), joined.spread(keys, added, codes, len(self)))


def rows(source: pd.DataFrame | Kept | Rows) -> Rows:
    """Rows to ask: of a table of result rows, or of a kept sweep as far as it is.

    Raises:
        StoreError: a sweep without rows.
    """
    if isinstance(source, Rows):
        return source
    return Rows(Parts(source) if isinstance(source, Kept) else _Table(source))


class _Table:
    """A table of result rows."""

    added: tuple[str, ...] = ()

    def __init__(self, table: pd.DataFrame) -> None:
        self._table = table
        self.columns = tuple(str(name) for name in table.columns)
        self.length = len(table)

    def read(self, names: Sequence[str]) -> dict[str, Any]:
        """Columns as arrays."""
        import pandas as pd

        found: dict[str, Any] = {}
        for name in names:
            column = self._table[name]
            if name in MEASURES or pd.api.types.is_float_dtype(column.dtype):
                found[name] = column.to_numpy(dtype=np.float64, na_value=np.nan)
            else:
                found[name] = coded(column.to_numpy(dtype=object))
        return found


class _Part:
    """Some rows of others, or all of them in another context."""

    def __init__(self, whole: Rows, index: Index | None) -> None:
        self.whole, self.index = whole, index
        self.columns, self.added = whole.columns, whole.added
        self.length = len(whole) if index is None else len(index)

    def read(self, names: Sequence[str]) -> dict[str, Any]:
        """Columns as arrays."""
        self.whole.need(names)
        found: dict[str, Any] = {}
        for name in names:
            if name in MEASURES or name in self.whole.added:
                numbers = self.whole.numbers(name)
                found[name] = numbers if self.index is None else numbers[self.index]
            else:
                column = self.whole.coded(name)
                found[name] = column if self.index is None else column.some(self.index)
        return found


def _several(value: Any) -> Sequence[Any]:
    return list(value) if isinstance(value, list | tuple | set | range) else [value]

"""Columns of a kept sweep: read from its Parquet parts by DuckDB, only those that are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from characterize import errors
from characterize.questions.bounds import MEASURES
from characterize.questions.coding import Coded, coded
from characterize.store.schema import quoted
from characterize.sweeping import Kept

if TYPE_CHECKING:
    import duckdb

_MISSING = 255  # a flag that is not known


class Parts:
    """The Parquet parts that a sweep has now; the rows are in the order of the parts."""

    added: tuple[str, ...] = ()

    def __init__(self, kept: Kept) -> None:
        self._files = [str(path) for path in sorted(kept.folder.glob("part-*.parquet"))]
        if not self._files:
            msg = f"The sweep {kept.title} has no rows yet."
            raise errors.StoreError(msg)
        axes = kept.description.get("axes", {})
        self._alone = {name: values[0] for name, values in axes.items() if len(values) == 1}
        with _connected() as connection:
            described = connection.execute(
                "DESCRIBE SELECT * FROM read_parquet(?)", [self._files]
            ).fetchall()
            counted = connection.execute(
                "SELECT count(*) FROM read_parquet(?)", [self._files]
            ).fetchone()
        self._types = {name: kind for name, kind, *_ in described}
        self.columns = tuple(self._types)
        self.length = int(counted[0]) if counted else 0

    def read(self, names: Sequence[str]) -> dict[str, Any]:
        """Columns as arrays: measures as numbers, all else as codes."""
        found: dict[str, Any] = {
            name: coded(np.zeros(self.length, dtype=np.uint8), [self._alone[name]])
            for name in names
            if name in self._alone
        }
        asked = [name for name in names if name not in found]
        if not asked:
            return found
        with _connected() as connection:
            words = {n: self._words(connection, n) for n in asked if self._types[n] == "VARCHAR"}
            expressions = [self._expression(name) for name in asked]
            parameters = [words[name] for name in asked if name in words]
            arrays = connection.execute(
                f"SELECT {', '.join(expressions)} FROM read_parquet(?)",
                [*parameters, self._files],
            ).fetchnumpy()
        for name in asked:
            found[name] = self._column(name, arrays.pop(name), words.get(name))
        return found

    def _expression(self, name: str) -> str:
        column, kind = quoted(name), self._types[name]
        if name in MEASURES or kind == "DOUBLE":
            return f"CAST({column} AS DOUBLE) AS {column}"
        if kind == "VARCHAR":
            return f"CAST(list_position(?::VARCHAR[], {column}) - 1 AS USMALLINT) AS {column}"
        if kind == "BOOLEAN":
            return f"CAST(coalesce(CAST({column} AS UTINYINT), {_MISSING}) AS UTINYINT) AS {column}"
        return f"CAST({column} AS BIGINT) AS {column}"

    def _words(self, connection: duckdb.DuckDBPyConnection, name: str) -> list[str]:
        found = connection.execute(
            f"SELECT DISTINCT {quoted(name)} AS word FROM read_parquet(?) ORDER BY word",
            [self._files],
        ).fetchall()
        return [word for (word,) in found if word is not None]

    def _column(self, name: str, array: Any, words: list[str] | None) -> Any:
        filled = np.ma.filled(array, np.nan) if array.dtype.kind == "f" else np.ma.getdata(array)
        if name in MEASURES or self._types[name] == "DOUBLE":
            return filled
        if words is not None:
            if np.ma.is_masked(array):
                return coded(np.ma.filled(array, len(words)), [*words, None])
            return coded(filled, words)
        if self._types[name] == "BOOLEAN":
            known = {0: False, 1: True, _MISSING: None}
            found = coded(filled)
            return Coded(tuple(known[value] for value in found.values), found.codes)
        return coded(filled)


def _connected() -> duckdb.DuckDBPyConnection:
    import duckdb

    return duckdb.connect(":memory:")

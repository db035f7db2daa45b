"""The store: results that were computed before, in one DuckDB file that several processes share.

A result is kept under a key that is a digest of everything it depends on (model, parameters, batch,
precision, stack, the profiles' contents, the version of the model that computed it), so a row found
is a row still true and nothing is ever invalidated. The command line and the dashboard write the
same file, often at once; only this package opens it, and :mod:`characterize.store.access` says how.
``CHARACTERIZE_STORE`` names the file.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from characterize.errors import InvalidValueError, unknown
from characterize.store import access, behind, queries, schema
from characterize.store.queries import FORMATS

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

__all__ = ["FORMATS", "Row", "Store", "default_path", "key"]

Row = Mapping[str, Any]
"""A result row, column by column in the order of the contract."""


def default_path() -> Path:
    """The store's file: ``CHARACTERIZE_STORE``, or one in the user's data directory."""
    named = os.environ.get("CHARACTERIZE_STORE", "").strip()
    return Path(named).expanduser() if named else _data_home() / "characterize" / "store.duckdb"


def _data_home() -> Path:
    """Where this platform wants an application to keep a user's data."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    if sys.platform == "darwin":
        return home / "Library" / "Application Support"
    return Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")


def key(mapping: Mapping[str, Any]) -> str:
    """A digest of ``mapping``: SHA-256 over its JSON with sorted keys.

    ``1`` and ``1.0`` and ``True`` are three different values here; who makes the mapping decides
    which one it means.

    >>> key({"a": 1, "b": [2.5, None]}) == key({"b": (2.5, None), "a": 1})
    True
    """
    text = json.dumps(
        mapping, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_canonical
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: Any) -> Any:
    """NumPy's numbers and arrays as Python's; anything else has no canonical text."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    msg = (
        f"A key cannot depend on {value!r} of type {type(value).__name__}; "
        "give numbers, text, lists and mappings."
    )
    raise InvalidValueError(msg)


_queues: dict[Path, behind.Queue] = {}
_queues_lock = threading.Lock()


class Store:
    """Results and templates in one file.

    Making a ``Store`` opens nothing; every method opens the file, does its work and closes it.
    Reading a store that does not exist yet finds nothing and makes no file.

    Args:
        path: the file; :func:`default_path` when left out.
        wait_s: how long each method tries while another process holds the file.

    Raises:
        StoreError: by every method, when the file cannot be had; what the caller holds is its own
            still, a failed ``put`` takes nothing away.
    """

    def __init__(self, path: Path | str | None = None, *, wait_s: float = 5.0) -> None:
        self.path = (default_path() if path is None else Path(path)).absolute()
        self.wait_s = wait_s

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r})"

    def rows(self, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The rows among ``keys`` that are there, each as it was put in."""
        if not keys or not access.exists(self.path):
            return {}
        with self._open() as connection:
            found = connection.execute(
                "SELECT * FROM entries WHERE entry_key IN (SELECT unnest(?::VARCHAR[]))",
                [list(keys)],
            )
            names = [column[0] for column in found.description or []]
            records = found.fetchall()
        return dict(schema.restored(dict(zip(names, record, strict=True))) for record in records)

    def put(self, entries: Sequence[tuple[str, Row]], *, model_version: str = "") -> None:
        """Write rows under their keys, all of them or none; a key that is there is replaced."""
        newest = dict(entries)
        if not newest:
            return
        with self._open(write=True) as connection:
            connection.execute("BEGIN")
            schema.insert(connection, newest, model_version)
            connection.execute("COMMIT")

    def put_later(self, entries: Sequence[tuple[str, Row]], *, model_version: str = "") -> None:
        """Write rows in the background; returns at once and raises nothing.

        For a process that stays. :attr:`trouble` says what became of it, :meth:`flush` waits.
        """
        self._queue().add(entries, model_version)

    def flush(self) -> None:
        """Write what :meth:`put_later` has queued and not written yet."""
        self._queue().flush()

    @property
    def trouble(self) -> str:
        """Why what :meth:`put_later` queued could not be written, in a sentence, or nothing."""
        return self._queue().trouble

    def template(self, key: str) -> bytes | None:
        """The template kept under ``key``, or ``None``."""
        if not access.exists(self.path):
            return None
        with self._open() as connection:
            found = connection.execute(
                "SELECT content FROM templates WHERE template_key = ?", [key]
            ).fetchone()
        return bytes(found[0]) if found else None

    def put_template(self, key: str, content: bytes) -> None:
        """Keep ``content`` under ``key``; what was there is replaced."""
        with self._open(write=True) as connection:
            connection.execute(
                "INSERT OR REPLACE INTO templates VALUES (?, ?, current_timestamp::TIMESTAMP)",
                [key, content],
            )

    def frame(self, sql: str, parameters: Sequence[Any] = ()) -> pd.DataFrame:
        """What one read-only statement over the view ``results`` answers.

        Statements that write, or that reach for other files, are refused: the text may come from a
        browser.

        Raises:
            InvalidValueError: the statement is not one query that DuckDB understands.
        """
        queries.refuse_all_but_one(sql)
        if not access.exists(self.path):
            with access.in_memory(sealed=True) as connection:
                return queries.answer(connection, sql, parameters)
        with self._open(sealed=True) as connection:
            return queries.answer(connection, sql, parameters)

    def export(self, path: Path | str, format: str = "", where: str = "") -> int:
        """Write the rows for which the SQL condition ``where`` holds to a file; returns how many.

        Args:
            path: the file, replaced if it is there.
            format: ``csv``, ``json`` (a list of rows) or ``parquet``; the file's suffix decides
                when left out.
            where: a condition over the columns of ``results``; all rows when left out.

        Raises:
            UnknownNameError: the format is none of the three.
        """
        target = Path(path)
        format = format or target.suffix.lstrip(".").lower()
        if format not in FORMATS:
            error = unknown("export format", format, FORMATS)
            raise error
        query = f"SELECT * FROM results WHERE ({where.strip() or 'true'})"
        queries.refuse_all_but_one(query)
        if not access.exists(self.path):
            with access.in_memory() as connection:
                return queries.copy(connection, query, target, format)
        with self._open() as connection:
            return queries.copy(connection, query, target, format)

    def info(self) -> dict[str, Any]:
        """Where the store is, how large, and what is in it."""
        facts: dict[str, Any] = {
            "path": str(self.path),
            "exists": access.exists(self.path),
            "size_bytes": 0,
            "rows": 0,
            "templates": 0,
            "schema_version": schema.SCHEMA_VERSION,
            "model_versions": {},
        }
        if facts["exists"]:
            with self._open() as connection:
                counted = connection.execute(
                    "SELECT entry_version, count(*) FROM entries GROUP BY 1 ORDER BY 1"
                ).fetchall()
                templates = connection.execute("SELECT count(*) FROM templates").fetchone()
            facts["size_bytes"] = self.path.stat().st_size
            facts["model_versions"] = dict(counted)
            facts["rows"] = sum(count for _, count in counted)
            facts["templates"] = (templates or (0,))[0]
        return facts

    def clear(self) -> int:
        """Forget every row and template; returns how many rows there were."""
        if not access.exists(self.path):
            return 0
        with self._open(write=True) as connection:
            counted = connection.execute("SELECT count(*) FROM entries").fetchone()
            schema.drop(connection)
            connection.execute("CHECKPOINT")
        return int((counted or (0,))[0])

    def _queue(self) -> behind.Queue:
        """The queue of this file, one for all stores of the process that name it."""
        with _queues_lock:
            if self.path not in _queues:
                _queues[self.path] = behind.Queue(
                    lambda rows, version: self.put(rows, model_version=version)
                )
            return _queues[self.path]

    def _open(
        self, *, write: bool = False, sealed: bool = False
    ) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        return access.opened(self.path, write=write, sealed=sealed, wait_s=self.wait_s)

"""Who holds the store's file, for how long, and what is said when it cannot be had.

DuckDB lets one process write and shuts out every other one, readers too, until it closes. So
nobody keeps the file: a connection is opened for one short piece of work and closed again, and who
finds the file taken tries again, at growing intervals, for a few seconds. Inside one process a lock
does the same for threads, because DuckDB refuses to open a file for reading and for writing at
once. A process that is killed leaves a write-ahead log, which the next one to open replays.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from characterize.errors import StoreError
from characterize.store import schema

if TYPE_CHECKING:
    import duckdb

_FIRST_PAUSE_S: Final = 0.005
_LONGEST_PAUSE_S: Final = 0.1
_HOLDER: Final = re.compile(r"held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")
# What a reader may not do: see files of this machine, or undo these settings.
_SEALED: Final[dict[str, Any]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "lock_configuration": "true",
}

_ELSEWHERE: Final = "set CHARACTERIZE_STORE to a file you can write"

_locks: defaultdict[Path, threading.Lock] = defaultdict(threading.Lock)


@contextlib.contextmanager
def opened(
    path: Path, *, write: bool = False, sealed: bool = False, wait_s: float = 5.0
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the store at ``path``, closed on the way out.

    Args:
        path: the store's file; it is made when ``write`` is set and it is not there yet.
        write: open for writing, which shuts out every other process meanwhile.
        sealed: refuse statements that reach for other files, for SQL that a person typed.
        wait_s: how long to try while another process or thread has the file.

    Raises:
        StoreError: the file cannot be opened, is not a store, or what was asked of it failed.
    """
    import duckdb

    deadline = time.monotonic() + wait_s
    lock = _locks[path]
    if not lock.acquire(timeout=wait_s):
        who = "another thread of this process"
        msg = f"The store {path} has been in use by {who} for {wait_s:g} s; try again."
        raise StoreError(msg)
    try:
        if write:
            _create(path)
        connection = _connect(path, write=write, sealed=sealed, deadline=deadline, wait_s=wait_s)
        with contextlib.closing(connection):
            yield connection
    except duckdb.Error as error:
        raise StoreError(_sentence(path, str(error), wait_s)) from error
    finally:
        lock.release()


@contextlib.contextmanager
def in_memory(*, sealed: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty store that is in no file: what is read before anything was written."""
    import duckdb

    with contextlib.closing(duckdb.connect(":memory:")) as connection:
        schema.create(connection)
        for name, value in _SEALED.items() if sealed else ():
            connection.execute(f"SET {name} = {value}")
        yield connection


def exists(path: Path) -> bool:
    """Whether there is anything at ``path`` to open; a file of zero bytes is nothing yet."""
    with _spoken(path):
        return path.exists() and (path.is_dir() or path.stat().st_size > 0)


def _connect(
    path: Path, *, write: bool, sealed: bool, deadline: float, wait_s: float
) -> duckdb.DuckDBPyConnection:
    """An open connection to a file that is a store of this schema; an older one is upgraded."""
    connection = _tried(path, write=write, sealed=sealed, deadline=deadline, wait_s=wait_s)
    try:
        version = schema.check(connection, path)
        if version < schema.SCHEMA_VERSION and write:
            schema.upgrade(connection, version)
    except BaseException:
        connection.close()
        raise
    if version == schema.SCHEMA_VERSION or write:
        return connection
    connection.close()  # a reader cannot change it: a writer does, then it is read
    _connect(path, write=True, sealed=False, deadline=deadline, wait_s=wait_s).close()
    return _tried(path, write=write, sealed=sealed, deadline=deadline, wait_s=wait_s)


def _tried(
    path: Path, *, write: bool, sealed: bool, deadline: float, wait_s: float
) -> duckdb.DuckDBPyConnection:
    """An open connection to a DuckDB file, tried until the deadline while another has it."""
    import duckdb

    pause = _FIRST_PAUSE_S
    while True:
        try:
            return duckdb.connect(str(path), read_only=not write, config=_SEALED if sealed else {})
        except duckdb.Error as error:
            if not _is_busy(str(error)) or time.monotonic() + pause > deadline:
                raise StoreError(_sentence(path, str(error), wait_s)) from error
        # Random, so that two writers that met once do not meet again at every try.
        time.sleep(pause * random.uniform(0.5, 1.0))
        pause = min(2 * pause, _LONGEST_PAUSE_S)


def _create(path: Path) -> None:
    """Make an empty store at ``path`` if there is none.

    It is made under another name and linked into place, so that nobody ever sees half a file and
    the slower of two creators takes the other's. A file of zero bytes, as ``mktemp`` makes, counts
    as none.
    """
    import duckdb

    if exists(path):
        return
    with _spoken(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as directory:
            fresh = Path(directory) / "store"
            with contextlib.closing(duckdb.connect(str(fresh))) as connection:
                schema.create(connection)
            if path.exists():
                fresh.replace(path)
            else:
                _link(fresh, path)


def _link(fresh: Path, path: Path) -> None:
    """Give ``fresh`` the name ``path`` unless somebody else was first."""
    try:
        os.link(fresh, path)
    except FileExistsError:
        return
    except OSError:  # a file system without hard links
        fresh.replace(path)


@contextlib.contextmanager
def _spoken(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses into a :class:`StoreError`."""
    try:
        yield
    except OSError as error:
        blocked = isinstance(error, FileExistsError | NotADirectoryError)
        reason = "a folder on its path is a file" if blocked else error.strerror or str(error)
        msg = f"The store {path} cannot be used ({reason}); {_ELSEWHERE}."
        raise StoreError(msg) from error


def _is_busy(message: str) -> bool:
    """Whether DuckDB refused only because somebody else has the file open."""
    return "Could not set lock" in message or "different configuration" in message


def _sentence(path: Path, message: str, wait_s: float) -> str:
    """What DuckDB said, in one sentence that says what can be done."""
    if _is_busy(message):
        holder = _HOLDER.search(message)
        who = f"process {holder['pid']} ({holder['program']})" if holder else "another program"
        waited = f"has been in use by {who} for {wait_s:g} s"
        return f"The store {path} {waited}; close it, try again, or {_ELSEWHERE}."
    if "not a valid DuckDB database" in message:
        return f"The store {path} is not a DuckDB file; remove it, or {_ELSEWHERE}."
    if path.is_dir():
        return f"The store {path} is a directory, not a file; {_ELSEWHERE}."
    if "ermission denied" in message:
        return f"The store {path} may not be opened by this user (permission denied); {_ELSEWHERE}."
    first = message.strip().splitlines()[0].rstrip(".")
    return f"The store {path} failed: {first}."

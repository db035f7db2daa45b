"""Writing a moment later, many rows at once, so that nobody who moves a slider waits for the file.

Opening, writing and closing the file takes tens of milliseconds, and seconds while another process
has it. A process that stays (the dashboard) queues its rows here; a thread writes them. What is
queued when the interpreter ends is written then; what a kill takes can be computed again.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from characterize.errors import StoreError

DELAY_S: Final = 0.5  # long enough to gather the steps of a drag
RETRY_S: Final = 5.0
LIMIT: Final = 100_000  # rows; beyond it the oldest are let go

Row = Mapping[str, Any]
Write = Callable[[Sequence[tuple[str, Row]], str], None]


class Queue:
    """Rows on their way into a store.

    ``trouble`` is why the last write failed, empty after one that did not; the rows stay queued and
    are tried again.
    """

    def __init__(self, write: Write, delay_s: float = DELAY_S, retry_s: float = RETRY_S) -> None:
        self.trouble = ""
        self._write = write
        self._delay_s, self._retry_s = delay_s, retry_s
        self._rows: dict[str, tuple[Row, str]] = {}
        self._lock = threading.Lock()  # of the rows
        self._writing = threading.Lock()  # held by whoever writes
        self._thread: threading.Thread | None = None
        atexit.register(self._last)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, entries: Sequence[tuple[str, Row]], version: str) -> None:
        """Queue rows; returns at once."""
        with self._lock:
            for key, row in entries:
                self._rows[key] = (row, version)
            for key in list(self._rows)[: max(0, len(self._rows) - LIMIT)]:
                del self._rows[key]
            if self._rows and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="store", daemon=True)
                self._thread.start()

    def flush(self) -> None:
        """Write what is queued, now.

        Raises:
            StoreError: the store could not be written; the rows are still queued.
        """
        with self._writing:
            with self._lock:
                taken = dict(self._rows)
            try:
                for version in sorted({version for _, version in taken.values()}):
                    rows = [(key, row) for key, (row, of) in taken.items() if of == version]
                    self._write(rows, version)
            except StoreError as error:
                self.trouble = str(error)
                raise
            self.trouble = ""
            with self._lock:
                for key, entry in taken.items():
                    if self._rows.get(key) is entry:  # not queued again meanwhile
                        del self._rows[key]

    def _run(self) -> None:
        """Write until nothing is queued any more; the thread ends with the burst that began it."""
        pause = self._delay_s
        while True:
            time.sleep(pause)
            try:
                self.flush()
                pause = self._delay_s
            except StoreError:
                pause = self._retry_s
            with self._lock:
                if not self._rows:
                    self._thread = None
                    return

    def _last(self) -> None:
        try:
            self.flush()
        except StoreError:
            return  # nobody is left to tell

"""Results go into the store after the page is drawn, not before.

Projecting a known template takes milliseconds and writing its rows a hundred times as long, so a
slider would wait for the disk. Tasks are left here instead; a thread does them once the sliders
have been quiet for a moment. What cannot be stored is not lost on the page: it is only computed
again next time.
"""

from __future__ import annotations

import atexit
import queue
import threading
from collections.abc import Callable
from typing import Final

QUIET_S: Final = 0.8

Task = Callable[[], object]


class Keeper:
    """Runs tasks one by one in a thread of its own, after ``quiet_s`` without a new one."""

    def __init__(self, quiet_s: float = QUIET_S) -> None:
        self._tasks: queue.Queue[Task | None] = queue.Queue()
        self._quiet_s = quiet_s
        self._thread = threading.Thread(target=self._work, name="keeper", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def later(self, task: Task) -> None:
        """Run ``task`` soon. It must answer for its own errors: nobody waits for it."""
        self._tasks.put(task)

    def close(self) -> None:
        """Run what is left, then end."""
        if self._thread.is_alive():
            self._tasks.put(None)
            self._thread.join(timeout=30)

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            waiting, ended = self._until_quiet([task])
            for each in waiting:
                each()
            if ended:
                return

    def _until_quiet(self, waiting: list[Task]) -> tuple[list[Task], bool]:
        while True:
            try:
                task = self._tasks.get(timeout=self._quiet_s)
            except queue.Empty:
                return waiting, False
            if task is None:
                return waiting, True
            waiting.append(task)

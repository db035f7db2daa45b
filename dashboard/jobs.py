"""Work that takes longer than anybody waits for a page, in threads. No Streamlit in here.

A job says how far it is, can be stopped, and is found again after a reload. It belongs to the process,
not to a session: who asks for the same thing meanwhile watches the same job.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from characterize.errors import CharacterizeError

KEPT: Final = 32  # finished jobs that are remembered


class Stopped(Exception):
    """Raised inside a job by its own report of progress once it is to stop."""


Report = Callable[[float, str], None]
"""How a job says how far it is: a share of 1, and a sentence. Raises :class:`Stopped`."""


@dataclass
class Job:
    """One piece of work and what is known of it."""

    title: str
    share: float = 0.0
    text: str = ""
    done: bool = False
    stopped: bool = False
    error: str = ""
    result: Any = None
    _stop: threading.Event = field(default_factory=threading.Event, repr=False)
    _thread: threading.Thread | None = field(default=None, repr=False)

    def report(self, share: float, text: str) -> None:
        """Say how far it is; ends the job if that was asked for."""
        if self._stop.is_set():
            raise Stopped
        self.share, self.text = min(max(share, 0.0), 1.0), text

    def stop(self) -> None:
        """Ask it to end at its next report; what it has done by then stays done."""
        self._stop.set()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until it has ended."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def start(self, work: Callable[[Report], Any]) -> None:
        """Run ``work`` in a thread of its own."""

        def run() -> None:
            try:
                self.result = work(self.report)
                self.share = 1.0
            except Stopped:
                self.stopped = True
            except CharacterizeError as error:
                self.error = str(error)
            except Exception as error:  # noqa: BLE001 - nobody else would tell the person
                self.error = f"It ended unexpectedly: {type(error).__name__}: {error}"
            finally:
                self.done = True

        self._thread = threading.Thread(target=run, name=f"job {self.title}", daemon=True)
        self._thread.start()


_JOBS: Final[dict[str, Job]] = {}
_LOCK: Final = threading.Lock()


def find(key: str) -> Job | None:
    """The job under a key, running or ended."""
    return _JOBS.get(key)


def begin(key: str, title: str, work: Callable[[Report], Any]) -> Job:
    """Start a job under a key; the one that runs there already is found instead."""
    with _LOCK:
        held = _JOBS.get(key)
        if held is not None and not held.done:
            return held
        _JOBS.pop(key, None)
        for old in [name for name, job in _JOBS.items() if job.done][: max(len(_JOBS) - KEPT, 0)]:
            del _JOBS[old]
        job = _JOBS[key] = Job(title)
        job.start(work)
        return job


def forget(key: str) -> None:
    """Drop an ended job: what it found or failed at has been seen."""
    with _LOCK:
        if key in _JOBS and _JOBS[key].done:
            del _JOBS[key]


def under(prefix: str) -> list[Job]:
    """The jobs whose keys begin like this, the newest last."""
    return [job for key, job in list(_JOBS.items()) if key.startswith(prefix)]

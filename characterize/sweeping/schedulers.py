"""Who performs the chunks of a sweep over models: this process, processes here, or a cluster."""

from __future__ import annotations

import gc
import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from characterize import errors
from characterize.sweeping.chunks import Chunk, Job, Outcome, perform
from characterize.sweeping.requests import Entry, is_pattern

Perform = Callable[[Sequence[Chunk]], Iterator[Outcome]]
"""Takes chunks, hands their outcomes back in the order in which they come."""

Say = Callable[[str], None]
"""Takes what is waited for; an empty text when it has come."""

AUTO: Final = "auto"
HERE: Final = "none"
LOCAL: Final = "local"
MANY: Final = 32  # models, from which on starting workers (seconds of imports) pays
HOW: Final = "pip install 'characterize[dask]'"


def chosen(scheduler: str, requests: int) -> tuple[str, str]:
    """The scheduler to use, and a remark where it is not the one that would be best.

    Raises:
        MissingExtraError: one that needs Dask was asked for, and Dask is not installed.
        InvalidValueError: not ``none``, ``local`` or an address.
    """
    there = importlib.util.find_spec("distributed") is not None
    if scheduler == AUTO:
        if requests < MANY or (processors() < 2 and there):
            return HERE, ""
        if not there:
            return HERE, f"Dask is not installed: one process does it all (several: {HOW})."
        return LOCAL, ""
    if scheduler != HERE and scheduler != LOCAL and "://" not in scheduler:
        msg = (
            f"The scheduler is {scheduler!r}; it is 'local' (processes on this machine), 'none' "
            "(this process), or the address of a Dask scheduler, such as tcp://10.0.0.1:8786."
        )
        raise errors.InvalidValueError(msg)
    if scheduler != HERE and not there:
        msg = f"The scheduler {scheduler!r} needs Dask, which is not installed: {HOW}."
        raise errors.MissingExtraError(msg)
    return scheduler, ""


def processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def foreseen(scheduler: str, entries: Sequence[Entry]) -> None:
    """Let workers import their libraries while this process looks up which models are meant.

    Where that is not yet known to take workers (``auto``), many entries or a zoo's pattern make it likely.
    """
    if importlib.util.find_spec("distributed") is None:
        return
    names = [entry if isinstance(entry, str) else entry[0] for entry in entries]
    likely = len(names) >= MANY or any("/" in name and is_pattern(name) for name in names)
    if scheduler == LOCAL or (scheduler == AUTO and likely and processors() > 1):
        from characterize.sweeping import forking

        forking.begin(names)


def opened(
    scheduler: str, job: Job, workers: int | None, chunks: Sequence[Chunk], say: Say
) -> AbstractContextManager[Perform]:
    """Workers for as long as the context lasts; ``say`` is told what is waited for.

    Raises:
        SchedulerError: the cluster cannot be reached.
    """
    if scheduler == HERE:
        return _here(job)
    if scheduler == LOCAL:
        from characterize.sweeping import forking

        how = forking.begin(request.model for chunk in chunks for request in chunk.requests)
        from characterize.sweeping import on_dask  # half a second, in which others import already

        several = workers or max(1, min(processors(), len(chunks)))
        return on_dask.local(job, several, how, say)
    from characterize.sweeping import on_dask

    return on_dask.cluster(job, scheduler, say)


@contextmanager
def _here(job: Job) -> Iterator[Perform]:
    aside = gc.get_freeze_count()
    try:
        yield lambda chunks: (perform(job, chunk) for chunk in chunks)
    finally:
        if not aside:
            gc.unfreeze()  # what `perform` had set aside

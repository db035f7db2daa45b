"""The chunks of a sweep over models on Dask. Imported only where Dask is asked for.

A worker that dies is replaced, and its chunk is given to another. A chunk that several workers died
of is run last and one model at a time, so that only the model that kills is lost, as a failure.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import dask
import distributed

from characterize.errors import SchedulerError
from characterize.sweeping import chunks as work
from characterize.sweeping.chunks import Chunk, Job, Outcome
from characterize.sweeping.schedulers import Perform, Say

_CONNECT_S: Final = 20
_DEATHS: Final = 2  # of workers, that make a chunk suspect
_LOST_S: Final = 60  # after which Dask gives up a worker that was not restarted
_LOOK_S: Final = 5.0
_PATIENCE_S: Final = 600.0  # without a worker: long enough for a queue of batch jobs to move
_GOES_ON: Final = "what was done is kept, and the same command goes on from there."
_KILLED: Final = "its worker process died, again and again (killed, or out of memory)"


class Prepared(distributed.WorkerPlugin):  # type: ignore[misc]  # Dask has no types
    """Gives a worker, also one that joins later, what all chunks share."""

    def __init__(self, job: Job, name: str) -> None:
        self.job = job
        self.name = name

    def setup(self, worker: Any) -> None:
        """Take one processor a worker; leave Ctrl-C to the process that started the sweep."""
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def _perform(chunk: Chunk, *, name: str, write: bool) -> Outcome:
    job = distributed.get_worker().plugins[name].job
    return work.perform(job, chunk, write=write)


@contextlib.contextmanager
def local(job: Job, workers: int, how: str, say: Say) -> Iterator[Perform]:
    """Processes on this machine, each with one thread and its share of the memory.

    ``how`` they are made is `forking.begin`'s answer.
    """
    settings = {
        "distributed.worker.multiprocessing-method": how,
        "distributed.worker.profile.enabled": False,  # walks the stack 100 times a second
        "distributed.admin.tick.interval": "500 ms",  # not 20: 1 % of a processor, in each process
        "distributed.scheduler.allowed-failures": _DEATHS - 1,
        "distributed.scheduler.worker-saturation": 1.0,  # who dies takes no waiting chunk along
        "distributed.deploy.lost-worker-timeout": f"{_LOST_S} s",  # for a start on a busy machine
    }
    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
            env=dict(
                os.environ
            ),  # which may have changed since the process that they are copies of
        ) as cluster,
        distributed.Client(cluster) as client,
        _kept_up(cluster, workers),
    ):
        yield _Run(client, job, say, "No worker process is alive").outcomes


@contextlib.contextmanager
def _kept_up(cluster: Any, workers: int) -> Iterator[None]:
    """As many workers as wanted: Dask gives up one that dies while it starts, or starts too slowly."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_LOOK_S):
            if len(cluster.workers) < workers:
                cluster.scale(workers)

    thread = threading.Thread(target=watch, name="characterize-workers", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextlib.contextmanager
def cluster(job: Job, address: str, say: Say) -> Iterator[Perform]:
    """The workers of a Dask scheduler that runs already, or that join it within some minutes.

    Raises:
        SchedulerError: nothing answers at this address.
    """
    try:
        client = distributed.Client(address, timeout=_CONNECT_S)
    except (OSError, TimeoutError, ValueError) as error:
        msg = f"No Dask scheduler answers at {address!r}: {' '.join(str(error).split())[:200]}"
        raise SchedulerError(msg) from error
    with client:
        run = _Run(client, job, say, f"The Dask scheduler at {address} has no workers")
        yield run.outcomes
        client.unregister_worker_plugin(run.name)


class _Run:
    """Chunks handed to the scheduler; those that their workers died of come last, one by one."""

    def __init__(self, client: Any, job: Job, say: Say, lacking: str) -> None:
        self._client, self._say, self._lacking = client, say, lacking
        self._deserted: float | None = None  # since when there are no workers
        self.name = f"characterize-{job.mark}"
        client.register_plugin(Prepared(job, self.name))

    def outcomes(self, chunks: Sequence[Chunk]) -> Iterator[Outcome]:
        """What became of each chunk, as they come."""
        suspects = []
        for chunk, outcome in self._performed(chunks, "whole", write=True):
            if outcome is None:
                suspects.append(chunk)
            else:
                yield outcome
        for chunk in suspects:
            yield self._apart(chunk)

    def _apart(self, chunk: Chunk) -> Outcome:
        """A chunk, one request after the other, so that a death is of the one that runs."""
        found = []
        for place, request in enumerate(chunk.requests):
            alone = Chunk(chunk.index, (request,))
            for _, outcome in self._performed([alone], f"alone-{place}", write=False):
                reason = work.failure(request, _KILLED)
                found.append(outcome or Outcome(chunk.index, failures=(reason,)))
        rows = [row for one in found if one.table is not None for row in one.table.to_pylist()]
        return Outcome(
            chunk.index,
            tuple(traced for one in found for traced in one.traced),
            tuple(failure for one in found for failure in one.failures),
            work.table_of(rows),
        )

    def _performed(
        self, chunks: Sequence[Chunk], how: str, *, write: bool
    ) -> Iterator[tuple[Chunk, Outcome | None]]:
        """Chunks and their outcomes as they come; none where the workers died of it."""
        # In one graph under one name: the scheduler then keeps those that wait to itself.
        keys = [(f"{self.name}-{how}", chunk.index) for chunk in chunks]
        futures = self._client.map(
            _perform, chunks, name=self.name, write=write, key=keys, pure=False
        )
        by_key = dict(zip((future.key for future in futures), chunks, strict=True))
        done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        while futures:  # none is kept: the cluster forgets a result once it is here
            futures.pop().add_done_callback(done.put)
        while by_key:
            future = self._next(done)
            chunk = by_key.pop(future.key)
            try:
                yield chunk, future.result()
            except distributed.KilledWorker:
                yield chunk, None
            except (distributed.CancelledError, ImportError, OSError, RuntimeError) as error:
                reason = " ".join(str(error).split())[:200] or type(error).__name__
                msg = f"The Dask scheduler or its workers cannot go on ({reason}); {_GOES_ON}"
                raise SchedulerError(msg) from error

    def _next(self, done: queue.SimpleQueue[Any]) -> Any:
        """The next future that is done; whoever waits for it hears of it if there are no workers."""
        while True:
            try:
                found = done.get(timeout=_LOOK_S)
            except queue.Empty:
                self._look_for_workers()
            else:
                self._arrived()
                return found

    def _look_for_workers(self) -> None:
        # the number: the records of the workers are now and then left out
        if self._client.scheduler_info(n_workers=0)["n_workers"]:
            self._arrived()
            return
        now = time.monotonic()
        self._deserted = self._deserted or now - _LOOK_S
        if now - self._deserted > _PATIENCE_S:
            msg = f"{self._lacking} for {now - self._deserted:.0f} s; {_GOES_ON}"
            raise SchedulerError(msg)
        self._say(f"{self._lacking}; waiting up to {_PATIENCE_S:.0f} s for one")

    def _arrived(self) -> None:
        if self._deserted is not None:
            self._deserted = None
            self._say("")

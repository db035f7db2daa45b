"""One run of a sweep over models: what is done, what waits for the store, what failed."""

from __future__ import annotations

import csv
import io
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq

from characterize import __version__, errors, session, store
from characterize import projection as projections
from characterize.hardware import Profile
from characterize.records import Stack
from characterize.sweeping import chunks, schedulers, sinks
from characterize.sweeping.chunks import Failure, Job, Outcome
from characterize.sweeping.evaluation import Tally

_ROWS_AT_ONCE: Final = 2048  # into the store, whose opening costs as much as hundreds of rows
_ROWS_STORED: Final = 1_000_000  # of one sweep; more stay in their parts, a minute is enough
FAILURES: Final = "failures.csv"
_STORED: Final = "stored.txt"


@dataclass(frozen=True)
class ModelProgress:
    """How far a sweep over models is. ``resumed`` of ``done`` were there when it began.

    ``waits_for`` says what holds it up, such as workers that have not come.
    """

    done: int
    total: int
    failed: int
    resumed: int
    elapsed_s: float
    waits_for: str = ""

    @property
    def rate_per_s(self) -> float:
        """Models a second in this run."""
        return (self.done - self.resumed) / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def remaining_s(self) -> float:
        """Time left at this rate."""
        return (self.total - self.done) / self.rate_per_s if self.rate_per_s else float("inf")


Report = Callable[[ModelProgress], None]


class ModelRun:
    """What is known of a sweep over models while it runs."""

    def __init__(
        self,
        shelf: store.Store,
        folder: Path,
        profiles: Sequence[Profile],
        base: Profile,
        total: int,
        report: Report | None,
    ) -> None:
        self._shelf, self._folder, self._report = shelf, folder, report
        self._profiles, self._base, self._total = tuple(profiles), base, total
        self._begun = time.perf_counter()
        self._by_index: dict[int, tuple[Failure, ...]] = {}
        self._waiting: list[Outcome] = []  # parts whose rows are not in the store yet
        self._waiting_rows = 0
        self._stored = _indices(folder / _STORED)
        self._done = self.resumed = self.rows = 0
        self._waits_for = ""
        self.notes: list[str] = []
        self._registers = total * len(profiles) <= _ROWS_STORED
        if not self._registers:
            self.notes.append(
                f"More than {_ROWS_STORED:,} rows: they are in the parts of the sweep, and not one by "
                "one in the store."
            )

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self._begun

    @property
    def failures(self) -> list[Failure]:
        """Everything that failed, in the order of the requests."""
        return [failure for i in sorted(self._by_index) for failure in self._by_index[i]]

    def resume(self, index: int, *, again: bool) -> bool:
        """Take up a part that is there already; ``False`` if it is still to do."""
        found = chunks.load(self._folder, index)
        if found is None or (again and found.failures):
            self._stored.discard(index)
            return False
        self.resumed += found.requests
        self._take(found)
        return True

    def perform(self, todo: Sequence[chunks.Chunk], how: str, workers: int | None) -> None:
        """Have the chunks performed; what comes is registered as it comes."""
        self._tell()
        if not todo:
            return
        mark = self._folder / f"run-{uuid.uuid4().hex}"
        mark.touch()
        job = Job(str(self._folder), mark.name, self._profiles, self._base)
        self._begun = time.perf_counter()
        try:
            with schedulers.opened(how, job, workers, todo, self._say) as work:
                for outcome in work(todo):
                    if not outcome.written:  # by a worker that does not see our folder
                        chunks.save(self._folder, outcome)
                    self._take(outcome)
                    self._tell()
        finally:
            mark.unlink(missing_ok=True)

    def _take(self, outcome: Outcome) -> None:
        self._done += outcome.requests
        self.rows += len(outcome.traced) * len(self._profiles)
        self._by_index[outcome.index] = outcome.failures
        if outcome.traced and self._registers and outcome.index not in self._stored:
            self._waiting.append(outcome)
            self._waiting_rows += len(outcome.traced) * len(self._profiles)
        if self._waiting_rows >= _ROWS_AT_ONCE:
            self.store_rows()

    def _say(self, waits_for: str) -> None:
        self._waits_for = waits_for
        self._tell()

    def _tell(self) -> None:
        if self._report is not None:
            failed = sum(map(len, self._by_index.values()))
            self._report(
                ModelProgress(
                    self._done, self._total, failed, self.resumed, self.elapsed_s, self._waits_for
                )
            )

    def store_rows(self) -> None:
        """Put what came since into the store; one that cannot be had costs no work, only a note."""
        entries = [entry for outcome in self._waiting for entry in self._entries(outcome)]
        taken = [outcome.index for outcome in self._waiting]
        self._waiting, self._waiting_rows = [], 0
        if not entries:
            return
        try:
            model_version = f"{__version__}/{projections.MODEL_VERSION}"
            self._shelf.put(entries, model_version=model_version)
        except errors.StoreError as error:
            self.notes.append(f"The rows are in {self._folder} and not in the store: {error}")
            return
        self._stored.update(taken)
        with (self._folder / _STORED).open("a") as file:
            file.writelines(f"{index}\n" for index in taken)

    def _entries(self, outcome: Outcome) -> Iterator[tuple[str, dict[str, Any]]]:
        rows = chunks.rows(self._folder, outcome)
        for asked, precision, stack in outcome.traced:
            for profile in self._profiles:
                key = session.row_key(asked, Stack(stack), precision, profile, self._base)
                yield key, next(rows)

    def finish(self, pieces: Sequence[chunks.Chunk]) -> None:
        """Leave nothing but whole parts, and the table of failures."""
        for partial in self._folder.glob(".*.partial"):
            with suppress(OSError):
                partial.unlink()
        file = self._folder / FAILURES
        if self.failures:
            file.write_text(as_csv(self.failures), encoding="utf-8")
        else:
            file.unlink(missing_ok=True)
        if self._done != sum(len(piece.requests) for piece in pieces):
            msg = f"The sweep over models is not whole: {self._done} of {self._total} models came back."
            raise errors.SchedulerError(msg)


def export(folder: Path, sink: sinks.Sink) -> None:
    """All rows of a finished sweep over models, in the order of the requests."""
    parts = sorted(folder.glob("part-*.parquet"))
    schema = chunks.united(parts)
    for index, path in enumerate(parts):
        sink.write(index, [chunks.as_schema(pq.read_table(path), schema)], Tally())
    sink.close()


def as_csv(failures: Sequence[Failure]) -> str:
    """Failures as a table, one a line."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Failure)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(failure) for failure in failures)
    return text.getvalue()


def _indices(file: Path) -> set[int]:
    try:
        return {int(line) for line in file.read_text().split()}
    except (OSError, ValueError):
        return set()

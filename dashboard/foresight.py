"""Answers to what a person is about to ask: every stop of a slider, evaluated in one go.

A curve evaluates one network at all values of a slider at once, in about the time that one value
takes. Each of those values is what the next step of that slider asks for, so the evaluation is kept
here, and a step reads its rows from it.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from characterize.projection import Projection

MOST: Final = 4096  # configurations; the oldest go first


@dataclass(frozen=True)
class Foreseen:
    """One configuration of an evaluation of many, and what is to be said about it."""

    projection: Projection
    configuration: int
    notes: tuple[str, ...]

    def rows(self) -> dict[str, list[Any]]:
        """Its result rows by column."""
        return _columns(self.projection.at(self.configuration))

    def kernels(self, hardware: str) -> dict[str, list[Any]]:
        """Its kernels on one device by column."""
        return _columns(self.projection.kernels_on(hardware, self.configuration))


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}


class Foresight:
    """What is foreseen, by question; the same for every session."""

    def __init__(self) -> None:
        self._found: dict[Hashable, Foreseen] = {}
        self._lock = threading.Lock()

    def add(self, found: Mapping[Hashable, Foreseen]) -> None:
        """Keep answers; the oldest are forgotten where there are too many."""
        with self._lock:
            self._found.update(found)
            for question in list(self._found)[: max(0, len(self._found) - MOST)]:
                del self._found[question]

    def get(self, question: Hashable) -> Foreseen | None:
        """What is foreseen for a question."""
        with self._lock:
            return self._found.get(question)

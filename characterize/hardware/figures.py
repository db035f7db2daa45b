"""One figure with its provenance, and what fitted numbers were fitted on."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class FigureKind(StrEnum):
    """How a figure came to be known."""

    PUBLISHED = "published"
    DERIVED = "derived"
    MEASURED = "measured"
    ASSUMED = "assumed"
    UNSOURCED = "unsourced"  # looked for and not found: the figure is absent


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure with its provenance; ``value`` is None where nothing was found.

    ``source`` says where it was read; of a derived figure from what, of an assumed one why, of an
    unsourced one what was looked for.
    """

    value: float | str | bool | None
    kind: FigureKind
    source: str
    read_on: datetime.date | None = None
    note: str = ""

    @classmethod
    def unsourced(cls, looked_for: str) -> Figure:
        """A figure that was looked for and not found."""
        return cls(None, FigureKind.UNSOURCED, looked_for)

    @classmethod
    def assumed(cls, value: float, why: str) -> Figure:
        """A figure that nobody states and a model needs."""
        return cls(value, FigureKind.ASSUMED, why)


@dataclass(frozen=True, slots=True)
class Fit:
    """What fitted numbers were fitted on."""

    on: str
    n: int
    date: datetime.date
    error: float | None = None  # median absolute error, as a fraction
    note: str = ""


@dataclass(frozen=True, slots=True)
class Fitted:
    """Named numbers of one stack with the fit they come from: ``[efficiency.compiled]``."""

    values: Mapping[str, float]
    fit: Fit

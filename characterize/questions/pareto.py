"""The Pareto frontier of result rows, for any objectives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from characterize import errors
from characterize.questions.bounds import Asked, column, sign
from characterize.questions.region import feasible_rows, split
from characterize.questions.rows import Rows, rows
from characterize.questions.skyline import skyline
from characterize.sweeping import Kept

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    import pandas as pd

_DIRECTIONS: Final = {"min": 1, "max": -1}


def frontier(
    source: pd.DataFrame | Kept | Rows,
    objectives: Sequence[str] | str,
    budgets: Asked | None = None,
    *,
    where: Mapping[str, Any] | None = None,
    join: str | Path | pd.DataFrame | None = None,
    columns: Sequence[str] = (),
) -> pd.DataFrame:
    """The rows that no other row beats in all objectives at once.

    A row is beaten if another is at least as good in every objective and better in one; equal rows
    stay. Less is better, except of throughput, speedup, intensity and what was joined; ``"max macs"``
    and ``"min accuracy"`` say otherwise.

    Args:
        source: result rows, a kept sweep, or :func:`rows` of either.
        objectives: columns of numbers, such as ``["latency", "energy", "accuracy"]``.
        budgets: what rows must meet to be looked at.
        where: values of columns that rows are restricted to.
        join: a CSV file with more columns, such as an accuracy, joined on the family parameters
            that its header names; rows that it says nothing of are left out.
        columns: more columns of the answer.

    Returns:
        The rows, best first in the first objective. Of a table all its columns; of a sweep what the
        row is of, the objectives, and ``columns``.

    Raises:
        UnknownNameError: an objective, a device or a value that the rows do not have.
        InvalidValueError: no objective, or a budget that cannot be read.
    """
    whole = rows(source)
    if join is not None:
        whole = whole.joined(join)
    part = whole.where(**(where or {}))
    asked = [objective(each, whole.measures, whole.added) for each in _listed(objectives)]
    known = split(whole, budgets)
    part.need([*(name for name, _ in asked), *(budget.column for budget in known)])
    places = feasible_rows(part, whole, known)
    costs = np.stack([part.numbers(name)[places] * direction for name, direction in asked], axis=1)
    kept = skyline(costs)
    best = places[kept[np.argsort(costs[kept, 0], kind="stable")]]
    if where is None and join is None and not isinstance(source, Kept | Rows):
        return source.iloc[best].reset_index(drop=True)
    return part.take(best, [*(name for name, _ in asked), *columns])


def _listed(objectives: Sequence[str] | str) -> list[str]:
    listed = objectives.split(",") if isinstance(objectives, str) else list(objectives)
    if not listed:
        msg = "A frontier needs an objective, such as latency, energy or macs."
        raise errors.InvalidValueError(msg)
    return [each.strip() for each in listed]


def objective(text: str, columns: Sequence[str], larger: Iterable[str] = ()) -> tuple[str, int]:
    """The column of an objective, and 1 where less of it is better, -1 where more is.

    >>> objective("latency", ["latency_s"]), objective("max macs", ["macs"])
    (('latency_s', 1), ('macs', -1))

    Raises:
        UnknownNameError: there is no such column.
    """
    word, _, rest = text.partition(" ")
    name = column(rest.strip() if word in _DIRECTIONS else text, columns)
    return name, _DIRECTIONS.get(word) or sign(name, larger)

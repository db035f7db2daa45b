"""What binds a best configuration: what its better neighbours would break, and where axes end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from characterize.hardware import Profile
from characterize.questions.bounds import Budget, shown
from characterize.sweeping.single import Configuration

if TYPE_CHECKING:
    from characterize.questions.optimizing import Space

RowsOf = Callable[[Configuration, Sequence[Profile]], list[dict[str, Any]]]


def binds(best: Configuration, space: Space, profile: Profile, rows_of: RowsOf) -> str:
    """Budgets that a better neighbour breaks, with that neighbour, then axes that end.

    A neighbour has the next value of one axis. Where one direction of an axis makes the objective
    worse and the other has no value left, the end of the axis binds. ``rows_of`` answers with the
    rows of a configuration on several devices, with none where its values do not go together.
    """
    devices = [profile, *(p for p in space.profiles if _has_budget(p, space) and p != profile)]
    own = rows_of(best, devices)[0]
    broken: dict[str, str] = {}
    ends: list[str] = []
    values = best.values
    for name, axis in space.grid.axes.items():
        if len(axis) < 2:
            continue
        place = axis.index(values[name])
        worse = set()
        for step in (-1, 1):
            if not 0 <= place + step < len(axis):
                continue
            other = best.changed(name, axis[place + step])
            rows = rows_of(other, devices)
            if not rows:
                broken.setdefault(f"what goes together ({name} {axis[place + step]})", "")
                continue
            change = (rows[0][space.objective] - own[space.objective]) * space.direction
            if change > 0:
                worse.add(step)
            elif change < 0:
                for budget, value in _broken(rows, space, profile):
                    text = f"{name} {axis[place + step]} takes {shown(budget.column, value)}"
                    broken.setdefault(str(budget), text)
        at_end = [step for step in (-1, 1) if not 0 <= place + step < len(axis)]
        ends += [f"{name} ends at {axis[place]}" for step in at_end if -step in worse]
    listed = [f"{bound} ({why})" if why else bound for bound, why in broken.items()]
    return "; ".join([*listed, *ends]) or "nothing that one step of one axis would change"


def _has_budget(profile: Profile, space: Space) -> bool:
    names = (profile.name, profile.architecture.value, "all")
    return any(budget.device in names for budget in space.budgets)


def _broken(
    rows: list[dict[str, Any]], space: Space, profile: Profile
) -> list[tuple[Budget, float]]:
    """The budgets that rows of one configuration do not meet, and with what."""
    found = []
    for budget in space.budgets:
        for row in rows:
            names = (row["hardware"], row["architecture"], "all")
            asked = budget.device in names if budget.device else row["hardware"] == profile.name
            if asked and budget.column in row and not budget.met(row[budget.column]):
                found.append((budget, float(row[budget.column])))
                break
    return found

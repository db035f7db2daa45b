"""What the Sweep view asks of the library: sweeps that are kept, their rows, and new ones.

Like ``dashboard.queries`` it knows where numbers come from and draws nothing.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from characterize import questions, sweeping
from characterize.cli import ranges
from characterize.errors import InvalidValueError
from characterize.hardware import Profile
from characterize.questions import Budget
from characterize.sweeping import Grid, Kept
from characterize.units import si
from dashboard import jobs, queries, sweep_rows
from dashboard.jobs import Job
from dashboard.queries import Network

if TYPE_CHECKING:
    import pandas as pd

JOB: Final = "sweep:"
SHORT: Final = 12  # digits of a sweep's key that tell it from the others
MOST_ROWS: Final = 200_000_000


# Kept sweeps


def kept() -> dict[str, Kept]:
    """The sweeps beside the store by the beginning of their keys, the newest first."""
    return {each.key[:SHORT]: each for each in sweeping.sweeps()}


def label(sweep: Kept) -> str:
    """What a sweep is of, how large it is and whether it is whole; first what tells it from others."""
    count = si(sweep.configurations * len(sweep.hardware), "")
    unfinished = "" if sweep.complete else ", unfinished"
    axes = ", ".join(name.replace("_", " ") for name in sweep_rows.several(sweep.description))
    return f"{sweep.family or 'models'}, {count} rows{unfinished}: {axes or 'one configuration'}"


def rows(sweep: Kept) -> questions.Rows:
    """The rows of a sweep, as far as they are there; read once.

    Raises:
        StoreError: there are none yet.
    """
    return _rows(sweep.key, _parts(sweep), sweep)


@st.cache_resource(show_spinner="Reading the sweep", max_entries=2)
def _rows(key: str, parts: int, _sweep: Kept) -> questions.Rows:
    return questions.rows(_sweep)


def reach(sweep: Kept, columns: Sequence[str]) -> dict[str, tuple[float, float]]:
    """The lowest and the highest value of columns of a sweep."""
    return _reach(sweep.key, _parts(sweep), tuple(columns), sweep)


def _parts(sweep: Kept) -> int:
    """How far a sweep is that may go on; -1 for one that is whole, which nobody has to look at."""
    return -1 if sweep.complete else sum(1 for _ in sweep.folder.glob("part-*.parquet"))


@st.cache_data(show_spinner="Reading the sweep", max_entries=64)
def _reach(
    key: str, parts: int, columns: tuple[str, ...], _sweep: Kept
) -> dict[str, tuple[float, float]]:
    wanted = ", ".join(f'min("{name}"), max("{name}")' for name in columns)
    values = sweeping.frame(_sweep, f"SELECT {wanted} FROM sweep").iloc[0].tolist()
    return {
        name: (float(values[2 * place]), float(values[2 * place + 1]))
        for place, name in enumerate(columns)
    }


def first_time(picture: tuple[Any, ...]) -> bool:
    """Whether a picture of a sweep was not asked for before: then its rows are sorted first."""
    seen = _seen()
    if picture in seen:
        return False
    seen.add(picture)
    return True


@st.cache_resource(show_spinner=False)
def _seen() -> set[tuple[Any, ...]]:
    return set()


def network_of(row: Mapping[str, Any], sweep: Kept) -> Network:
    """The network that a row of a sweep is of."""
    whole = sweep_rows.whole(row, sweep.description)
    family = queries.families().get(str(whole["model"]))
    defaults = family.defaults if family else {}
    values = {name: whole.get(name, default) for name, default in defaults.items()}
    precision = str(whole["precision"])
    return Network(
        str(whole["model"]),
        tuple(values.items()),
        int(whole["batch"]),
        queries.AUTO if precision == _usual(str(whole["hardware"])) else precision,
        str(whole["stack"]),
    )


def _usual(device: str) -> str:
    known = queries.devices()
    return known[device].default_precision if device in known else queries.AUTO


def within(
    found: questions.Rows,
    objective: str,
    budgets: Sequence[Budget],
    where: Mapping[str, Any],
    *,
    largest: bool = False,
) -> dict[str, Any] | None:
    """The best row within the budgets, or the largest model; ``None`` where there is none."""
    if largest:
        table = questions.largest(found, list(budgets), by=objective, where=where)
        table = table.sort_values([objective, "latency_s"], ascending=[False, True])
    else:
        table = questions.frontier(found, [objective], list(budgets), where=dict(where))
    return {str(k): v for k, v in table.iloc[0].items()} if len(table) else None


# New sweeps


@dataclass(frozen=True)
class Plan:
    """A sweep that could be run: its grid and devices, and how many rows it will have."""

    grid: Grid
    profiles: tuple[Profile, ...]
    baseline: Profile | None

    @property
    def rows(self) -> int:
        """Rows if every combination is possible."""
        return self.grid.configurations * len(self.profiles)

    @property
    def key(self) -> str:
        """The job under which it runs."""
        said = [self.grid.description(), [p.content_hash for p in self.profiles]]
        return JOB + hashlib.sha256(json.dumps(said, default=str).encode()).hexdigest()[:SHORT]

    @property
    def title(self) -> str:
        """What is swept."""
        return f"{self.grid.family.title}, {self.grid.configurations:,} configurations"


def plan(
    family: str,
    texts: Mapping[str, str],
    run: Mapping[str, str],
    devices: Sequence[str],
    baseline: str | None,
) -> Plan:
    """The sweep that fields of ranges and lists describe.

    Raises:
        CharacterizeError: a range that cannot be read, a value outside its parameter's range, or
            more rows than anybody should wait for.
    """
    axes = {name: ranges.values(text) for name, text in texts.items()}
    how: dict[str, Any] = {name: ranges.values(run[name]) for name in sweep_rows.RUN}
    grid = sweeping.grid(family, axes, **how)
    if not devices:
        msg = "Choose at least one device to sweep on."
        raise InvalidValueError(msg)
    base = queries.profile(baseline) if baseline else None
    made = Plan(grid, tuple(queries.profile(name) for name in devices), base)
    if made.rows > MOST_ROWS:
        msg = (
            f"This sweep would have {made.rows:,} rows, and {MOST_ROWS:,} are the most here; "
            "the command line runs larger ones."
        )
        raise InvalidValueError(msg)
    return made


def again(sweep: Kept) -> Plan:
    """The plan of a kept sweep, to go on with it where it stopped.

    Raises:
        CharacterizeError: it was of a family or a device that is not here any more.
    """
    said = sweep.description
    axes = dict(said["axes"])
    batch = axes.pop("batch")
    grid = sweeping.grid(
        said["family"], axes, batch, said["precisions"], said["stacks"], said.get("vary")
    )
    return Plan(grid, tuple(queries.profile(name) for name in sweep.hardware), None)


def run(made: Plan) -> Job:
    """Run a sweep in the background; what is done stays done when it is stopped."""

    def work(report: jobs.Report) -> str:
        def heard(progress: sweeping.Progress) -> None:
            share = progress.configurations / max(progress.total, 1)
            report(share, progress_text(progress))

        done = sweeping.sweep_to(
            made.grid,
            hardware=list(made.profiles),
            baseline=made.baseline,
            progress=heard,
        )
        return done.key[:SHORT]

    return jobs.begin(made.key, made.title, work)


def progress_text(progress: sweeping.Progress) -> str:
    """How far a sweep is, how fast it goes and how long it will take."""
    left = progress.remaining_s
    time = f"{left:.0f} s left" if left < 120 else f"{left / 60:.0f} min left"
    invalid = f", {progress.invalid:,} do not go together" if progress.invalid else ""
    return (
        f"{progress.configurations:,} of {progress.total:,} configurations, "
        f"{si(progress.rate_per_s, '/s')}, {time}{invalid}"
    )


def running() -> Job | None:
    """The sweep that is running, if any."""
    return next((job for job in jobs.under(JOB) if not job.done), None)


def ended(key: str) -> Job | None:
    """A job that has ended, seen once."""
    job = jobs.find(key)
    if job is None or not job.done:
        return None
    jobs.forget(key)
    return job


# Files


def selected(
    sweep: Kept, budgets: Sequence[Budget], where: Mapping[str, Any]
) -> tuple[str, list[Any]]:
    """The statement for all rows within the budgets, and its values."""
    conditions = [f'"{each.column}" {each.relation} ?' for each in budgets]
    conditions += [f'"{column}" = ?' for column in where]
    sql = "SELECT * FROM sweep" + (f" WHERE {' AND '.join(conditions)}" if conditions else "")
    return sql, [*(each.limit for each in budgets), *where.values()]


def frame(sweep: Kept, budgets: Sequence[Budget], where: Mapping[str, Any]) -> pd.DataFrame:
    """All rows within the budgets as a table: only for as many as fit into memory.

    Raises:
        CharacterizeError: the rows cannot be read.
    """
    sql, values = selected(sweep, budgets, where)
    return sweeping.frame(sweep, sql, values)


def parquet(
    sweep: Kept, budgets: Sequence[Budget], where: Mapping[str, Any], facts: Mapping[str, str]
) -> bytes:
    """All rows within the budgets as a file that DuckDB writes: no row passes through Python.

    Raises:
        CharacterizeError: the rows cannot be read, or the file not written.
    """
    sql, values = selected(sweep, budgets, where)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "rows.parquet"
        sweeping.save(sweep, sql, values, target, facts)
        return target.read_bytes()

"""What the Validation view asks of the library: measurements, and projections beside them.

Projecting what was measured traces every network of it, which takes seconds to minutes: it runs in
the background, and its answer is kept beside the store until a measurement, a profile or the
projection changes. Like ``dashboard.queries`` this draws nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import streamlit as st

from characterize import evidence, projection, report, store, validation
from characterize.errors import BrokenRecordError
from characterize.validation import Validation
from dashboard import jobs, queries
from dashboard.jobs import Job

if TYPE_CHECKING:
    import pandas as pd

    from characterize.hardware import Profile

JOB: Final = "validate:"
SHIPPED, UPLOADED = "shipped", "uploaded"
MOST_ROWS: Final = 50_000
_UPLOAD: Final = "_validation_upload"


@dataclass(frozen=True, eq=False)
class Measurements:
    """Measurements of one origin."""

    name: str
    table: pd.DataFrame
    is_shipped: bool = False

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices that they are of."""
        return tuple(sorted(str(name) for name in self.table["hardware"].unique()))

    @property
    def networks(self) -> int:
        """How many networks there are to trace."""
        return len(self.table.drop_duplicates(["model", "input_size"]))


# Measurements


@st.cache_resource(show_spinner=False)
def shipped() -> Measurements:
    """The cited figures that come with the package.

    Raises:
        BrokenRecordError: there are none, or one is broken.
    """
    name = "the figures that come with Characterize"
    return Measurements(name, evidence.published(), is_shipped=True)


def take(content: bytes, file_name: str) -> Measurements:
    """Take in a CSV file for this session.

    Raises:
        BrokenRecordError: it breaks the contract of measurements.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / (Path(file_name).name or "measurements.csv")
        file.write_bytes(content)
        table = evidence.read(file)
    if not len(table):
        msg = f"{file.name} has no measurement: it has a header and no row."
        raise BrokenRecordError(msg)
    if len(table) > MOST_ROWS:
        msg = f"{file.name} has {len(table):,} measurements; {MOST_ROWS:,} are the most here."
        raise BrokenRecordError(msg)
    found = Measurements(file.name, table)
    st.session_state[_UPLOAD] = found
    return found


def uploaded() -> Measurements | None:
    """What this session has uploaded."""
    found: Measurements | None = st.session_state.get(_UPLOAD)
    return found


# Projections beside them


def _profiles(measured: Measurements) -> list[Profile]:
    known = queries.devices()
    return [queries.profile(name) for name in measured.devices if name in known]


def key(measured: Measurements) -> str:
    """A digest of all that the errors depend on."""
    said = [
        projection.MODEL_VERSION,
        [profile.content_hash for profile in _profiles(measured)],
        measured.table.to_csv(index=False),
    ]
    return hashlib.sha256(json.dumps(said, default=str).encode()).hexdigest()[:24]


def answer(measured: Measurements) -> Validation | None:
    """The projections, if they were made before."""
    name = key(measured)
    job = jobs.find(JOB + name)
    if job is not None and job.result is not None:
        found: Validation = job.result
        return found
    return _kept(str(_place(name)))


@st.cache_resource(show_spinner=False, max_entries=8)
def _kept_at(path: str, changed_ns: int) -> Validation | None:
    import pandas as pd

    try:
        table = pd.read_parquet(path)
        left = json.loads(Path(path).with_suffix(".json").read_text())
    except (OSError, ValueError):
        return None
    return Validation(table, tuple(left))


def _kept(path: str) -> Validation | None:
    file = Path(path)
    return _kept_at(path, file.stat().st_mtime_ns) if file.exists() else None


def _place(name: str) -> Path:
    return store.default_path().with_suffix(".validation") / f"{name}.parquet"


def project(measured: Measurements) -> None:
    """Project what was measured, in the background."""
    name, profiles = key(measured), _profiles(measured)
    unknown = [each for each in measured.devices if each not in queries.devices()]

    def work(say: jobs.Report) -> Validation:
        done = 0

        def heard(sentence: str) -> None:
            nonlocal done
            say(done / max(measured.networks, 1), sentence)
            done += 1

        say(0.0, "starting")
        found = validation.validate(measured.table, profiles, heard)
        reasons = [
            {"model": "", "input_size": "", "reason": f"No device is named {each!r} here."}
            for each in unknown
        ]
        found = Validation(found.table, (*found.left_out, *reasons))
        _keep(name, found)
        return found

    jobs.begin(JOB + name, f"Projecting {measured.name}", work)


def _keep(name: str, found: Validation) -> None:
    # the answer is there already: what cannot be kept is made again next time
    with contextlib.suppress(OSError, ValueError):
        place = _place(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.with_suffix(".json").write_text(json.dumps([dict(each) for each in found.left_out]))
        partial = place.with_suffix(".partial")
        found.table.to_parquet(partial, index=False)
        partial.replace(place)


def running(measured: Measurements) -> Job | None:
    """The job that projects these measurements, if it runs."""
    job = jobs.find(JOB + key(measured))
    return job if job is not None and not job.done else None


def trouble(measured: Measurements) -> str:
    """Why the last try to project these measurements ended without an answer."""
    job = jobs.find(JOB + key(measured))
    if job is None or not job.done or job.result is not None:
        return ""
    return job.error or "It was stopped before it had an answer."


@st.cache_resource(show_spinner=False, max_entries=2)
def _conv2d(version: str) -> report.Report:
    return report.conv2d()


def conv2d() -> report.Report:
    """The Conv2D validation report, recomputed once a process.

    Raises:
        CharacterizeError: it cannot be computed.
    """
    return _conv2d(str(projection.MODEL_VERSION))

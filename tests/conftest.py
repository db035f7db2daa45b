"""What every test stands on: a store of its own, a browser where there is one, published data."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")


def measurements_directory() -> Path:
    """Where the published measurements are that are too large, or not ours, to ship."""
    named = os.environ.get("CHARACTERIZE_MEASUREMENTS")
    return Path(named) if named else ROOT.parent / "shared" / "measurements"


def chromium_path() -> str | None:
    """The browser that the machine has, if any."""
    return next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser test without a browser says so instead of failing."""
    if chromium_path() is None:
        reason = f"no browser on this machine (looked for {', '.join(CHROMIUM_NAMES)})"
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session", autouse=True)
def session_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store that dies with the session: no test reads or writes the user's own.

    It is named in the environment, so that the processes which tests start use it too.
    """
    path = tmp_path_factory.mktemp("store") / "store.duckdb"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHARACTERIZE_STORE", str(path))
        yield path


@pytest.fixture
def fresh_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store for one test, named in the environment."""
    path = tmp_path / "store.duckdb"
    monkeypatch.setenv("CHARACTERIZE_STORE", str(path))
    return path


@pytest.fixture(scope="session")
def shared_measurements() -> Path:
    """The directory of published measurements, or a skip that says how to name one."""
    directory = measurements_directory()
    if not directory.is_dir():
        pytest.skip(
            f"no measurements in {directory} (name their directory in CHARACTERIZE_MEASUREMENTS)"
        )
    return directory


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the browser."""
    path = chromium_path()
    if path is None:
        pytest.skip(f"no browser on this machine (looked for {', '.join(CHROMIUM_NAMES)})")
    return path

"""What every test stands on: a store of its own, a browser where there is one, published data."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from characterize.store import Store

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


@pytest.fixture
def store(fresh_store: Path) -> Store:
    """The same, opened."""
    from characterize.store import Store

    return Store(fresh_store)


@pytest.fixture
def no_caches() -> Iterator[None]:
    """The dashboard as a server that has just begun has it: nothing is remembered."""
    import streamlit

    from dashboard import queries

    streamlit.cache_data.clear()
    streamlit.cache_resource.clear()
    yield
    queries._keeper().close()  # what is to be stored is stored before the store goes


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


# Playwright is imported by the tests that use it only. Its loop and the server end with a module:
# other tests run loops of their own in this thread.


@pytest.fixture(scope="module")
def address(session_store: Path) -> Iterator[str]:
    """A dashboard that is served, on the session's store."""
    from benchmarks.screenshots import served

    with served() as url:
        yield url


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """The browser, started."""
    from playwright.sync_api import expect, sync_playwright

    from benchmarks.screenshots import FLAGS

    expect.set_options(timeout=20_000)  # machines that test several things at once are slow
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS])
        yield launched
        launched.close()


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Callable[..., Page]]:
    """Open a view in a profile of its own; at the end, no page may have logged an error."""
    from benchmarks.screenshots import settled

    opened, errors = [], []

    def go(path: str = "/", *, width: int = 1440, theme: Any = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 1000}, color_scheme=theme, accept_downloads=True
        )
        opened.append(context)
        page = context.new_page()
        page.on("console", lambda said: errors.append(said.text) if _is_ours(said) else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address + path)
        settled(page)
        return page

    yield go
    for context in opened:
        context.close()
    assert errors == []


def _is_ours(said: Any) -> bool:
    """Whether a console message is an error of ours.

    On a page below the root Streamlit's own client looks for its server below that path first.
    """
    return said.type == "error" and "/_stcore/" not in said.location["url"]

"""What a person reads and moves on a page of Tune, for the browser tests."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from benchmarks.screenshots import settled

FIGURE = "[data-testid=stMetricValue]"


def figures(page: Page) -> list[str]:
    """The large figures."""
    return page.locator(FIGURE).all_inner_texts()


def slider(page: Page, name: str) -> Locator:
    """The thumb of a slider."""
    return page.get_by_role("group", name=name, exact=True).get_by_role("slider")


def changed(page: Page, before: list[str]) -> None:
    """Wait until the large figures are others than before."""
    page.wait_for_function(
        "([selector, before]) => [...document.querySelectorAll(selector)]"
        ".map(each => each.innerText).join() !== before",
        arg=[FIGURE, ",".join(before)],
    )
    settled(page)


def rows_on_screen(page: Page, count: int) -> Any:
    """The cells of the result table that are in view, as its accessibility tree has them."""
    rows = page.get_by_test_id("stDataFrame").first.locator("table[role=grid] tbody tr")
    expect(rows).to_have_count(count)
    return rows.evaluate_all(
        "rows => rows.map(row => [...row.querySelectorAll('td')].map(cell => cell.innerText))"
    )


def saved(page: Page, button: str, folder: Path) -> Path:
    """The file that a click on the first ``button`` of that name downloads."""
    return file_of(page, page.get_by_role("button", name=button, exact=True).first.click, folder)


def file_of(page: Page, press: Callable[[], object], folder: Path) -> Path:
    """The file that ``press`` downloads."""
    with page.expect_download() as download:
        press()
    file = folder / download.value.suggested_filename
    download.value.save_as(file)
    return file


def rows_in(file: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    return list(csv.DictReader(file.read_text().splitlines()))

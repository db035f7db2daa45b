"""What a person reads and moves on a page of Tune, for the browser tests."""

from __future__ import annotations

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

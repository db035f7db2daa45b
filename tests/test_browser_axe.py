"""No serious or critical violation of ours that axe-core finds, on any view, in either theme."""

import re

import pytest
from playwright.sync_api import sync_playwright

from benchmarks.screenshots import FLAGS, served, settled
from tests import axe
from tests.dashboard_support import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DARK = (
    "Streamlit writes these in the primary colour and tags in white on it. On a dark page no colour "
    "can have 4.5:1 with both: white asks for a luminance of at most 0.18, the page for 0.25 or more. "
    "Ours gives white 4.6:1; as text it has more than 3:1, and the choice is framed as well."
)
# Inside Streamlit's own widgets, which we cannot change: (rule, widget) and why it is not ours.
STREAMLITS: dict[tuple[str, str], str] = {
    ("target-size", "stMultiSelect"): "the crosses that take a choice away are 16 pixels wide; "
    "every choice can also be taken away in the list, or with the backspace key",
    ("color-contrast", "stSliderThumbValue"): DARK,
    ("color-contrast", "stButtonGroup"): DARK,
}

VIEWS = re.findall(r'"views/(\w+)\.py"', (ROOT / "dashboard" / "app.py").read_text())
"""Every view of the navigation, so that a new one is looked at too."""


@pytest.fixture(scope="module")
def source():
    found = axe.script()
    if found is None:
        pytest.skip(f"axe-core {axe.VERSION} is not installed and npm cannot fetch it")
    return found


@pytest.fixture(scope="module")
def address(session_store):
    with served() as url:
        yield url


@pytest.fixture(scope="module")
def browser(chromium):
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS])
        yield launched
        launched.close()


def test_the_navigation_was_understood():
    assert {"tune", "layers", "hardware", "results"} <= set(VIEWS)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_serious_of_ours(browser, address, source, view, theme):
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, color_scheme=theme)
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if of_ours(said) else None)
    page.goto(address if view == VIEWS[0] else f"{address}/{view}")
    settled(page)
    found = axe.violations(page, source)
    context.close()
    ours = sorted({each for each in found if each[:2] not in STREAMLITS})
    assert not ours, "\n".join(" | ".join(each) for each in ours)
    assert errors == []


def of_ours(said):
    # on a page below the root Streamlit's client looks for its server below that path first
    return said.type == "error" and "/_stcore/" not in said.location["url"]

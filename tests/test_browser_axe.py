"""No serious or critical violation of ours that axe-core finds, on any view, in either theme."""

import re

import pytest

from benchmarks import screenshots
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

MORE = (
    f"{screenshots.VIEWS['layers_pinned']}&layers.show=Graph",
    screenshots.VIEWS["compare_table"],
    "/results?stored.columns=latency_s&stored.columns=bottleneck",
)
"""What views have in them only after something was chosen."""


@pytest.fixture(scope="module")
def source():
    found = axe.script()
    if found is None:
        pytest.skip(f"axe-core {axe.VERSION} is not installed and npm cannot fetch it")
    return found


def test_the_navigation_was_understood():
    assert {"tune", "layers", "hardware", "results"} <= set(VIEWS)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", *(f"/{view}" for view in VIEWS[1:]), *MORE])
def test_axe_finds_nothing_serious_of_ours(visit, source, path, theme):
    page = visit(path, theme=theme)
    found = axe.violations(page, source)
    ours = sorted({each for each in found if each[:2] not in STREAMLITS})
    assert not ours, "\n".join(" | ".join(each) for each in ours)

"""Journeys through the Layers view in chromium, as a person takes them."""

import itertools
import re

import pytest
from playwright.sync_api import expect

from tests.browser_support import rows_in, saved

pytestmark = [pytest.mark.browser, pytest.mark.slow]

UNET = "/layers?model=unet&focus=nvidia_t4"


def test_the_dearest_layer_of_a_unet_and_its_formula_are_found(visit, tmp_path):
    page = visit(UNET)
    page.get_by_text("Table", exact=True).first.click()
    expect(page.get_by_placeholder("conv, decoder, memory …")).to_be_visible()
    rows = rows_in(saved(page, "CSV", tmp_path))
    dearest = max(rows, key=lambda row: float(row["latency_s"]))
    # it is explained already, with its sizes put into the formula
    expect(page.get_by_text(f"module {dearest['module']}").first).to_be_visible()
    expect(page.get_by_text("macs = m × n × k = ").first).to_be_visible()
    expect(page.get_by_text(f"{int(float(dearest['macs'])):,}").first).to_be_visible()
    page.get_by_text("The formulas").click()
    expect(page.get_by_text("Formula:").first).to_be_visible()
    page.get_by_text("The device's figures and their sources").click()
    expect(
        page.get_by_test_id("stDataFrame").filter(has=page.locator("canvas")).last
    ).to_be_visible()


def test_a_click_on_a_box_opens_it_and_one_on_a_kernel_explains_it(visit):
    page = visit(f"{UNET}&layers.depth=1&layers.show=Graph")
    box = ".st-key-_layers_graph svg path[aria-label^='{} (kernel']"
    page.locator(box.format("encoder")).first.click()
    expect(page.locator(box.format("encoder.0")).first).to_be_visible()
    expect(page).to_have_url(re.compile("layers.open=encoder"))
    page.locator(box.format("pool")).first.click()
    expect(page.get_by_text("max_pool2d · module pool").first).to_be_visible()


def test_the_downloaded_kernels_are_those_that_the_search_found(visit, tmp_path):
    page = visit(f"{UNET}&layers.show=Table&layers.search=decoder.0")
    rows = rows_in(saved(page, "CSV", tmp_path))
    expect(page.get_by_text(f"{len(rows)} of ")).to_be_visible()
    assert rows
    assert all("decoder.0" in row["kernel"] + row["module"] for row in rows)
    assert {row["hardware"] for row in rows} == {"nvidia_t4"}


@pytest.mark.parametrize("width", [390, 768])
def test_nothing_is_cut_off_on_a_narrow_screen(visit, width):
    page = visit(UNET, width=width)
    main = page.get_by_test_id("stMain")
    assert main.evaluate("main => main.scrollWidth - main.clientWidth") <= 0


@pytest.mark.parametrize(("width", "device"), [(390, "nvidia_h100_sxm"), (1440, "nvidia_t4")])
def test_the_names_of_ceilings_are_whole_and_apart(visit, width, device):
    page = visit(f"/layers?model=unet&focus={device}", width=width)
    charts = page.get_by_test_id("stVegaLiteChart").filter(has_text="Intensity (flop/B)")
    inside, boxes = charts.locator("svg.marks").evaluate(
        """svg => {
            const names = [...svg.querySelectorAll('.mark-text:not(.role-axis-label) text')].filter(
                each => each.textContent.trim() && parseFloat(each.getAttribute('font-size')) > 1
                    && !each.closest('.role-axis, .role-legend'));
            const whole = svg.getBoundingClientRect();
            const found = names.map(each => [each.textContent, each.getBoundingClientRect()]);
            return [
                found.every(([_, box]) => box.left >= whole.left && box.right <= whole.right),
                found.map(([text, box]) => [text, box.left, box.right, box.top, box.bottom]),
            ];
        }"""
    )
    assert inside
    assert len(boxes) >= 5
    for one, other in itertools.combinations(boxes, 2):
        across = min(one[2], other[2]) - max(one[1], other[1])
        down = min(one[4], other[4]) - max(one[3], other[3])
        assert across <= 0 or down <= 2, (one, other)  # boxes of texts have room above the letters

"""Journeys through Compare, Hardware, Validation and Sweep in chromium, as a person takes them."""

import csv

import pytest
from playwright.sync_api import expect

from benchmarks.screenshots import settled
from tests.test_browser import address, browser, visit  # noqa: F401 - fixtures

pytestmark = [pytest.mark.browser, pytest.mark.slow]

expect.set_options(timeout=20_000)  # machines that test several things at once are slow


def saved_rows(page, tmp_path, name="CSV"):
    """The rows of the file that a button saves."""
    with page.expect_download() as download:
        page.get_by_role("button", name=name, exact=True).first.click()
    download.value.save_as(tmp_path / "rows.csv")
    return list(csv.DictReader((tmp_path / "rows.csv").read_text().splitlines()))


def path_of(page):
    """What a person copies from the address bar, without the host."""
    return "/" + page.url.split("/", 3)[3]


def drawn(page):
    """What is written in the first chart."""
    return page.locator("svg.marks").first.locator("text").all_text_contents()


def test_a_comparison_of_three_networks_on_eight_devices_is_shared_as_a_link(visit, tmp_path):  # noqa: F811
    page = visit("/compare?compare.network=resnet&compare.network=mlp&model=unet&batch=4")
    page.get_by_role("button", name="Add this network").click()
    expect(page.get_by_role("button", name="Remove unet, batch 4")).to_be_visible()
    expect(page.get_by_role("img", name="").filter(has_text="unet, batch 4").first).to_be_visible()
    settled(page)
    page.get_by_role("radio", name="Energy").click()
    expect(page.get_by_text("Energy by network and device")).to_be_visible()
    settled(page)
    here = saved_rows(page, tmp_path)
    assert len(here) == 3 * 8
    other = visit(path_of(page))
    expect(other.get_by_text("Energy by network and device")).to_be_visible()
    assert saved_rows(other, tmp_path) == here
    texts = [drawn(each) for each in (page, other)]
    assert texts[0] == texts[1]
    assert sum(text.endswith("J") and "★" in text for text in texts[0]) == 3  # a best one a network

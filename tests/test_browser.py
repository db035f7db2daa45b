"""Journeys through the dashboard in chromium, as a person takes them."""

import re

import pytest
from playwright.sync_api import expect

from benchmarks.screenshots import settled
from tests.browser_support import changed, figures, rows_in, rows_on_screen, saved, slider

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CHART = ".st-key-by_device_latency_s_card svg.marks"


def test_an_arrow_key_on_a_slider_moves_figures_charts_and_link(visit):
    page = visit()
    before, drawn = figures(page), page.locator(CHART).first.inner_html()
    page.evaluate("chart => { window.chart = document.querySelector(chart); }", CHART)
    thumb = slider(page, "Channels")
    thumb.focus()
    thumb.press("ArrowRight")
    changed(page, before)
    assert figures(page)[4] != before[4]  # MACs
    assert page.locator(CHART).first.inner_html() != drawn
    # the same drawing with other rows: drawing it anew would take longer than the whole step
    assert page.evaluate("() => window.chart.isConnected")
    assert "conv2d_stack.channels=24" in page.url


def test_the_downloaded_file_holds_exactly_the_rows_on_the_screen(visit, tmp_path):
    page = visit("/?tune.show=All figures")
    rows_on_screen(page, 8)
    page.get_by_role("button", name="GPU", exact=True).click()
    expect(page.get_by_text("2 of 8 rows")).to_be_visible()
    shown = rows_on_screen(page, 2)
    file = saved(page, "CSV", tmp_path)
    assert file.name == "characterize_conv2d_stack_batch1_2rows.csv"
    rows = rows_in(file)
    assert [row["architecture"] for row in rows] == ["gpu", "gpu"]
    for cells, row in zip(shown, rows, strict=True):
        assert cells[1] == row["architecture"]
        assert cells[2] == row["precision"]
        # on the screen in ms with four digits, in the file in s
        assert float(cells[3]) == pytest.approx(1e3 * float(row["latency_s"]), rel=1e-3)
        assert "uncounted" in row


def test_charts_are_saved_as_pictures_and_the_comparison_as_a_report(visit, tmp_path):
    pytest.importorskip("vl_convert", reason="pictures need the extra 'images'")
    page = visit()
    page.get_by_role("button", name="Save", exact=True).click()
    png, svg = saved(page, "PNG", tmp_path), saved(page, "SVG", tmp_path)
    assert png.name == "characterize_latency-by-device.png"
    assert png.read_bytes()[:4] == b"\x89PNG"
    assert "Latency by device" in svg.read_text()
    report = saved(page, "Report (HTML)", tmp_path)
    text = report.read_text()
    assert text.count("<svg") == 3
    for title in (
        "Google Coral Edge TPU",
        "Figures of the devices",
        "Where these numbers come from",
    ):
        assert title in text
    for name in figures(page):
        assert f"<dd>{name}</dd>" in text
    page.goto(report.as_uri())  # and it stands on its own, without a server
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_link_shows_another_person_the_same(visit):
    page = visit()
    before = figures(page)
    slider(page, "Layers").press("ArrowRight")
    changed(page, before)
    page.get_by_role("button", name="Pin to compare").click()
    expect(page.get_by_text("Hollow, pinned:")).to_be_visible()
    here = figures(page)
    slider(page, "Channels").press("ArrowRight")
    changed(page, here)
    link = page.url.partition("/?")[2]
    assert "pin=" in link
    other = visit(f"/?{link}")
    assert figures(other) == figures(page)
    deltas = page.get_by_test_id("stMetricDelta")
    assert other.get_by_test_id("stMetricDelta").all_inner_texts() == deltas.all_inner_texts()


def test_the_link_holds_the_whole_view_on_every_page(visit):
    page = visit("/?batch=8")
    before = figures(page)
    slider(page, "Channels").press("ArrowRight")
    changed(page, before)
    here = figures(page)
    page.get_by_role("button", name="Pin to compare").click()
    expect(page.get_by_text("Hollow, pinned:")).to_be_visible()
    said = set(page.url.partition("?")[2].split("&"))
    assert {"batch=8", "conv2d_stack.channels=24"} < said
    for view in ("Layers", "Results", "Tune"):
        page.get_by_role("link", name=view, exact=True).click()
        expect(page.get_by_role("link", name=view, exact=True)).to_have_attribute(
            "aria-current", "page"
        )
        settled(page)
        assert set(page.url.partition("?")[2].split("&")) == said, view
    assert figures(page) == here


def test_a_link_that_is_opened_and_left_at_once_loses_nothing(visit):
    page = visit("/?model=mlp&mlp.width=512&batch=8")
    page.get_by_role("link", name="Layers", exact=True).click()
    expect(page.get_by_role("heading", name="Kernel by kernel", exact=True)).to_be_visible()
    settled(page)
    assert "mlp.width=512" in page.url
    thumb = page.get_by_role("group", name=re.compile("^Width")).get_by_role("slider")
    assert thumb.get_attribute("aria-valuetext") == "512"


@pytest.mark.parametrize("path", ["/", "/hardware", "/results"])
def test_nothing_is_cut_off_on_a_narrow_screen(visit, path):
    page = visit(path, width=768)
    main = page.get_by_test_id("stMain")
    for width in (768, 390):
        page.set_viewport_size({"width": width, "height": 900})
        settled(page)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        assert main.evaluate("main => main.scrollWidth - main.clientWidth") <= 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_theme_follows_the_system_and_charts_follow_the_theme(visit, theme):
    page = visit(theme=theme)
    colour = page.get_by_test_id("stApp").evaluate("app => getComputedStyle(app).backgroundColor")
    dark = sum(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")) < 200
    assert dark == (theme == "dark")
    first = {"light": "#0072B2", "dark": "#56B4E9"}[theme]  # the CPU's, from .streamlit/config.toml
    assert page.locator(f"{CHART} [fill='{first}' i]").count()


def test_selecting_a_device_shows_its_sources(visit):
    page = visit("/hardware?device=nvidia_h100_sxm")
    expect(page.get_by_role("heading", name="NVIDIA H100", exact=False).first).to_be_visible()
    expect(page.get_by_role("heading", name="Every figure and where it comes from")).to_be_visible()


def test_a_curve_answers_the_pointer_without_the_server_and_a_click_sets_the_slider(visit):
    page = visit()
    chart = page.locator("[class*=st-key-curve-chart], [class*='st-key-curve.chart']").first
    chart.scroll_into_view_if_needed()
    marks = chart.locator("svg.marks")
    expect(marks).to_be_visible()
    settled(page)
    # Streamlit tells of every run: while the pointer moves there is none
    page.evaluate(
        """() => {
            window.runs = 0;
            const app = document.querySelector('[data-testid=stApp]');
            new MutationObserver(() => window.runs++).observe(
                app, {attributes: true, attributeFilter: ['data-test-script-state']});
        }"""
    )
    box = marks.bounding_box()
    for part in (0.3, 0.4, 0.5):
        page.mouse.move(box["x"] + part * box["width"], box["y"] + 120)
    tip = page.locator("#vg-tooltip-element")
    expect(tip).to_contain_text("Channels")
    expect(tip).to_contain_text("Coral Edge TPU")
    assert page.evaluate("() => window.runs") == 0
    before = figures(page)
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 120)
    changed(page, before)
    assert "conv2d_stack.channels=" in page.url


def test_a_bar_and_a_row_explain_themselves(visit):
    page = visit()
    page.get_by_role("tab", name="Where it goes").click()
    settled(page)
    bar = page.locator("path[aria-roledescription=bar]").last
    bar.scroll_into_view_if_needed()
    bar.click()
    expect(page.get_by_text("macs = m × n × k = ").first).to_be_visible()
    expect(page.get_by_text("The device's figures and their sources")).to_be_visible()
    settled(page)
    part = page.get_by_role("combobox", name="Part")
    part.scroll_into_view_if_needed()  # a list closes when the page scrolls under it
    part.click()
    page.get_by_role("option", name="the whole network").click()
    expect(page.get_by_text("+ idle power")).to_be_visible()
    expect(page.get_by_text("What it rests on")).to_be_visible()

"""Journeys through Compare, Hardware, Validation and Sweep in chromium, as a person takes them."""

import re

import pytest
from playwright.sync_api import expect

from benchmarks.screenshots import settled
from tests.browser_support import rows_in, saved, slider

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def saved_rows(page, tmp_path):
    """What the rows of the saved file say, but not when it was made."""
    wanted = ("network", "model", "hardware", "batch", "latency_s", "energy_j", "speedup")
    return [{name: row[name] for name in wanted} for row in rows_in(saved(page, "CSV", tmp_path))]


def path_of(page):
    """What a person copies from the address bar, without the host."""
    return "/" + page.url.split("/", 3)[3]


def drawn(page):
    """What is written in the first chart."""
    return page.locator("svg.marks").first.locator("text").all_text_contents()


def test_a_comparison_of_three_networks_on_eight_devices_is_shared_as_a_link(visit, tmp_path):
    page = visit("/compare?compare.network=resnet&compare.network=mlp&model=unet&batch=4")
    page.get_by_role("button", name="Keep this network").click()
    expect(page.get_by_role("button", name="Remove unet, batch 4")).to_be_visible()
    expect(page.get_by_role("img", name="").filter(has_text="unet, batch 4").first).to_be_visible()
    settled(page)
    page.get_by_role("radio", name="Energy", exact=True).click()
    expect(page.get_by_text("Energy by network and device")).to_be_visible()
    page.get_by_role("tab", name="All figures").click()
    settled(page)
    here = saved_rows(page, tmp_path)
    assert len(here) == 3 * 8
    other = visit(path_of(page))
    expect(other.get_by_text("Energy by network and device")).to_be_visible()
    assert saved_rows(other, tmp_path) == here
    texts = [drawn(each) for each in (page, other)]
    assert texts[0] == texts[1]
    assert sum(text.endswith("J") and "★" in text for text in texts[0]) == 3  # a best one a network


def axis_of(chart):
    """What is written at the axis of a small chart: its texts with a unit."""
    return sorted(text for text in chart.locator("text").all_text_contents() if text[:1].isdigit())


def test_only_the_charts_of_the_network_that_moves_are_drawn_again(visit):
    page = visit("/compare?compare.network=current&compare.network=resnet")
    current, resnet = (page.locator("svg.marks").nth(index) for index in (2, 3))
    told = page.get_by_text("Best latency: ")
    before, axis = told.inner_text(), axis_of(resnet)
    page.evaluate(
        """() => {
            window.changes = 0;
            const charts = document.querySelectorAll('[data-testid=stVegaLiteChart]');
            new MutationObserver(records => { window.changes += records.length; }).observe(
                charts[3], {subtree: true, childList: true, attributes: true});
        }"""
    )
    thumb = slider(page, "Channels")
    thumb.press("ArrowRight")
    expect(told).not_to_have_text(before)
    settled(page)
    assert page.evaluate("() => window.changes") == 0  # nothing of ResNet has changed
    assert axis_of(resnet) == axis == axis_of(current)
    thumb.press("End")  # 4096 channels are slower than ResNet: the common axis is another
    expect(resnet.get_by_text("100s", exact=True)).to_be_visible()
    settled(page)
    assert axis_of(resnet) == axis_of(current) != axis


def test_an_edited_bandwidth_moves_speedups_and_the_saved_profile_can_be_loaded_again(
    visit, tmp_path
):
    # ViT-B/16 at batch 32 on an H100: bound by memory in part
    page = visit("/hardware?device=nvidia_h100_sxm&model=vit&batch=32")
    field = page.get_by_role("spinbutton", name="Memory bandwidth (GB/s)")
    expect(field).to_have_value("3350")
    field.fill("1000")
    field.press("Enter")
    expect(page.get_by_text("latency rises to")).to_be_visible()
    slower = page.get_by_test_id("stMetric").filter(has_text="Speedup")
    expect(slower.get_by_test_id("stMetricDelta")).to_contain_text("%")
    first = slower.get_by_test_id("stMetricValue").inner_text()
    field.fill("8000")
    field.press("Enter")
    expect(page.get_by_text("latency falls to")).to_be_visible()
    assert slower.get_by_test_id("stMetricValue").inner_text() != first
    file = saved(page, "Profile as TOML", tmp_path)
    assert file.name == "nvidia_h100_sxm_edited.toml"
    line = next(line for line in file.read_text().splitlines() if line.startswith("bytes_per_s"))
    assert '"assumed"' in line
    assert "was 3350000000000.0" in line
    # another person loads it
    other = visit("/hardware")
    other.get_by_role("button", name="Add a device").click()
    other.locator("input[type=file]").set_input_files(file)
    expect(other.get_by_text("is now among the devices of every view")).to_be_visible()
    expect(other.get_by_role("spinbutton", name="Memory bandwidth (GB/s)")).to_have_value("8000")


def test_a_broken_profile_is_answered_by_one_clear_sentence(visit, tmp_path):
    page = visit("/hardware")
    file = tmp_path / "mine.toml"
    file.write_text(
        'name = "mine"\ntitle = "Mine"\nvendor = "Me"\narchitecture = "npu"\ndefault_precision = "int8"\n'
    )
    page.get_by_role("button", name="Add a device").click()
    page.locator("input[type=file]").set_input_files(file)
    alert = page.get_by_role("alert").filter(has_text="mine.toml: ")
    expect(alert).to_have_count(1)
    expect(alert).to_contain_text("architecture")
    assert "Traceback" not in page.content()


def test_a_sweep_is_run_a_budget_set_and_the_best_configuration_opened_in_tune(visit):
    page = visit(
        "/sweep?devices=nvidia_t4&devices=hailo_8&sweep.family=mlp&sweep.mlp.width=256:4096:256"
    )
    heading = page.get_by_text("New sweep")
    run = page.get_by_role("button", name="Run the sweep")
    if not run.is_visible():  # another test has left a sweep
        heading.click()
    run.click()
    expect(page.get_by_text("rows are within the budgets")).to_be_visible()
    settled(page)
    slider = page.get_by_role("group", name="Latency at most").get_by_role("slider")
    slider.focus()
    before = page.get_by_text("rows are within the budgets").inner_text()
    slider.press("Home")  # the tightest,
    slider.press("ArrowRight")  # and one step back
    expect(page.get_by_text("rows are within the budgets")).not_to_have_text(before)
    expect(page).to_have_url(re.compile(r"sweep\.latency_s="))
    settled(page)
    page.get_by_role("button", name="Open the most arithmetic in Tune").click()
    expect(page.get_by_role("heading", name="What does this network cost")).to_be_visible()
    settled(page)
    width = int(page.url.partition("mlp.width=")[2].partition("&")[0])
    assert 256 <= width < 4096  # the budget leaves out the widest
    expect(page.get_by_text(f"mlp, width {width}").first).to_be_visible()


def test_measurements_are_held_against_projections_and_a_broken_file_is_answered(visit, tmp_path):
    page = visit("/validation")
    expect(page.get_by_text("Projected against measured").first).to_be_visible(timeout=90_000)
    expect(page.get_by_text("inside the 80 % interval of its projection")).to_be_visible()
    file = tmp_path / "mine.csv"
    file.write_text("model,latency\nmlp,1\n")
    page.get_by_role("button", name="Your own measurements").click()
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_text("mine.csv lacks input_size")).to_be_visible()


def test_a_filter_on_any_column_of_the_results_is_shared_as_a_link(visit):
    visit()  # something is computed, and stored
    page = visit("/results?stored.columns=latency_s&stored.columns=bottleneck")
    field = page.get_by_role("spinbutton", name="Latency (s) to")
    field.fill("0.0002")
    field.press("Enter")
    expect(page).to_have_url(re.compile(r"stored\.latency_s\.to=0\.0002"))
    choice = page.get_by_role("combobox", name="Bottleneck")
    choice.click()
    page.get_by_role("option", name="launch", exact=True).click()
    page.keyboard.press("Escape")  # or all but the list would be hidden from who asks for roles
    expect(page).to_have_url(re.compile(r"stored\.bottleneck\.in=launch"))
    settled(page)
    told = page.get_by_text(re.compile(r"^\d+ of \d+ rows"))
    other = visit(path_of(page))
    assert other.get_by_role("spinbutton", name="Latency (s) to").input_value() == "0.0002"
    assert other.get_by_text(re.compile(r"^\d+ of \d+ rows")).inner_text() == told.inner_text()


@pytest.mark.parametrize("width", [390, 768])
@pytest.mark.parametrize("path", ["/compare", "/sweep", "/validation"])
def test_nothing_of_the_views_is_cut_off_on_a_narrow_screen(visit, path, width):
    page = visit(path, width=width)
    main = page.get_by_test_id("stMain")
    assert main.evaluate("main => main.scrollWidth - main.clientWidth") <= 0

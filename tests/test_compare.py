"""Compare: frames and charts are pure; then the view by AppTest."""

import json

import pandas as pd
import pytest

from dashboard import (
    charts_compare,
    compare_rows,
    comparison_report,
    line_up,
    palette,
    pins,
    queries,
    report_page,
)
from dashboard.compare_rows import QUANTITIES, Entry
from dashboard.pins import Pin
from dashboard.queries import Network, Request
from tests.dashboard_support import ROWS, healthy, opened, words

pytestmark = pytest.mark.usefixtures("no_caches")

TITLES = {"a_cpu": "A CPU", "a_gpu": "A GPU", "a_kpu": "A KPU"}
ORDER = list(TITLES)
FIRST = Entry(
    "first",
    {
        **ROWS,
        "power_w": [100.0, 5e3, 50.0],
        "throughput_per_s": [1e2, 1e4, 500.0],
        "fits": [True, None, False],
    },
)
SECOND = Entry("second", {**FIRST.rows, "latency_s": [1e-3, 4e-3, 2e-3], "depth": [5, 5, 5]})


# frames


@pytest.mark.parametrize(("what", "best"), [
    ("Latency", "a_gpu"),  # 100 us against 10 and 2 ms
    ("Energy", "a_kpu"),  # 0.1 J against 1 and 0.5
    ("Speedup", "a_gpu"),
    ("Power", "a_kpu"),
    ("Throughput", "a_gpu"),
])  # fmt: skip
def test_the_best_device_of_a_network_is_marked(what, best):
    cells = compare_rows.cells([FIRST], QUANTITIES[what], TITLES, ORDER)
    assert [d for d, b in zip(cells["hardware"], cells["best"], strict=True) if b] == [best]
    assert [text.startswith("★") for text in cells["cell_text"]] == cells["best"]


def test_a_cell_says_how_far_it_is_from_the_best():
    cells = compare_rows.cells([FIRST], QUANTITIES["Latency"], TITLES, ORDER)
    # 10 ms / 0.1 ms, and 2 ms / 0.1 ms
    assert cells["factor_text"] == ["100× from the best", "the best", "20× from the best"]
    assert cells["fits_text"] == ["yes", "yes", "no"]  # what is not known to be too large fits
    assert cells["text"] == ["10 ms", "100 µs", "2 ms"]


def test_the_frontier_has_the_devices_that_nothing_beats_in_both():
    frame = compare_rows.frontier([FIRST, SECOND], TITLES, ORDER)
    on_it = [
        (n, d)
        for n, d, s in zip(frame["network"], frame["hardware"], frame["step"], strict=True)
        if s is not None
    ]
    # first: GPU 0.1 ms, 0.5 J; KPU 2 ms, 0.1 J; the CPU is slower and hungrier than both.
    # second: CPU 1 ms, 1 J; KPU 2 ms, 0.1 J; the GPU has 4 ms and 0.5 J.
    assert on_it == [
        ("first", "a_gpu"),
        ("first", "a_kpu"),
        ("second", "a_cpu"),
        ("second", "a_kpu"),
    ]
    assert "A GPU, A KPU" in compare_rows.frontier_takeaway({k: v[:3] for k, v in frame.items()})


def test_a_name_on_the_frontier_covers_no_mark_and_no_other_name():
    # a plot of three decades by three on 190 by 200 pixels: 1 ms to 1 s, 1 mJ to 1 J
    crowd = {"latency_s": [1e-3, 2e-3, 1.0], "energy_j": [2e-3, 1e-3, 1.0]}
    frame = compare_rows.frontier([Entry("n", {**FIRST.rows, **crowd})], TITLES, ORDER)
    # the second mark is 19 pixels to the right of the first and 20 below: names to the right are free
    assert frame["label"] == ["A CPU", "A GPU", ""]
    assert (frame["label_dx"][:2], frame["label_dy"][:2]) == ([9, 9], [-7, -7])
    crowd = {"latency_s": [1e-3, 4e-3, 1.0], "energy_j": [1e-3, 1.2e-3, 1.0]}
    frame = compare_rows.frontier([Entry("n", {**FIRST.rows, **crowd})], TITLES, ORDER)
    # now it lies 38 pixels to the right and 5 above: where the name of five letters would be
    assert (frame["label"], frame["label_dy"][0]) == (["A CPU", "", ""], 9)


def test_equal_points_are_no_better_than_one_of_them():
    assert compare_rows.undominated([(1.0, 1.0), (1.0, 1.0), (2.0, 1.0)]) == [0]
    assert compare_rows.undominated([]) == []


def test_small_charts_share_their_axis():
    cells = compare_rows.cells([FIRST, SECOND], QUANTITIES["Latency"], TITLES, ORDER)
    parts = compare_rows.apart(cells, compare_rows.VALUE_ENDS)
    assert [name for name, _ in parts] == ["first", "second"]
    for _, part in parts:
        assert set(part["axis_low"]) == {5e-5}
        assert set(part["axis_high"]) == {2e-2}
        assert len(part["device"]) == 3


def ends_with(**first):
    """The ends of common axes, and what is drawn of the second network, where the first has these."""
    entries = [Entry("first", {**FIRST.rows, **first}), SECOND]
    cells = compare_rows.cells(entries, QUANTITIES["Latency"], TITLES, ORDER)
    parts = dict(compare_rows.apart(cells, compare_rows.VALUE_ENDS, "log"))
    return parts["second"]["axis_low"][0], parts["second"]["axis_high"][0], parts["second"]


def test_a_logarithmic_axis_reaches_to_whole_decades_so_that_others_stay_as_they_are():
    low, high, drawn = ends_with()
    # from 50 us to 20 ms: just inside of 10 us and 100 ms, which Vega rounds to these
    assert 1e-5 < low < 1.1e-5
    assert 0.9e-1 < high < 1e-1
    faster = {"latency_low_s": [2e-5, 4e-5, 1e-3], "latency_high_s": [9e-2, 2e-4, 4e-3]}
    assert ends_with(**faster)[2] == drawn  # within the same decades
    far = ends_with(latency_high_s=[2e-1, 2e-4, 4e-3])
    assert (far[0], 0.9 < far[1] < 1.0) == (low, True)
    # and what lies on the end of a decade makes no other one
    edge = ends_with(latency_low_s=[1e-5, 1e-4, 1e-3], latency_high_s=[1e-1, 2e-4, 4e-3])
    assert edge[2] == drawn


def test_a_parameter_that_others_lack_is_empty():
    table = compare_rows.together([FIRST, SECOND])
    assert table["network"] == ["first"] * 3 + ["second"] * 3
    assert table["depth"] == [None] * 3 + [5] * 3


# charts


def test_the_heatmap_has_a_colour_a_text_and_a_tooltip_for_every_cell():
    cells = compare_rows.cells([FIRST, SECOND], QUANTITIES["Latency"], TITLES, ORDER)
    chart = charts_compare.heatmap(
        pd.DataFrame(cells), "Latency", "s", networks=2, reverse=True
    ).to_dict()
    assert [layer["mark"]["type"] for layer in chart["layer"]] == ["rect", "text"]
    boxes, texts = chart["layer"]
    assert boxes["encoding"]["color"]["scale"] == {"type": "log", "reverse": True}
    assert boxes["encoding"]["color"]["legend"]["title"] == "Latency (s)"
    assert texts["encoding"]["text"]["field"] == "cell_text"
    assert "luminance" in texts["mark"]["color"]["expr"]  # legible on its own cell
    assert "scheme" not in json.dumps(chart)  # the theme's colours
    (rows,) = chart["datasets"].values()
    assert len(rows) == 6
    assert {t["field"] for t in boxes["encoding"]["tooltip"]} <= set(rows[0])


def test_small_multiples_and_frontiers_tell_architectures_by_shape_too():
    cells = pd.DataFrame(compare_rows.cells([FIRST], QUANTITIES["Latency"], TITLES, ORDER))
    points = pd.DataFrame(compare_rows.frontier([FIRST], TITLES, ORDER))
    for chart in (
        charts_compare.multiple(cells, "Latency", "s", spread="log"),
        charts_compare.frontier(points),
    ):
        marks = [each for each in chart.to_dict()["layer"] if "shape" in each["encoding"]]
        assert len(marks) == 1
        assert marks[0]["encoding"]["shape"]["scale"]["domain"] == list(palette.DOMAIN)
        assert marks[0]["encoding"]["color"]["field"] == "architecture"


# the line-up and its link


def test_what_is_at_its_defaults_is_a_name_in_the_link():
    mlp = line_up.at_defaults("mlp")
    assert line_up.encode(Pin("Multilayer perceptron", mlp)) == "mlp"
    assert line_up.decode("mlp") == Pin("Multilayer perceptron", mlp)
    zoo = line_up.decode("timm/vit_base_patch16_224")
    assert zoo is not None
    assert (zoo.network.model, zoo.network.parameters) == ("timm/vit_base_patch16_224", ())
    assert line_up.encode(zoo) == "timm/vit_base_patch16_224"
    assert line_up.decode("resnett") is None


def test_what_was_changed_is_in_the_link_under_its_name():
    family = queries.families()["mlp"]
    network = queries.Network("mlp", tuple({**family.defaults, "width": 640}.items()), batch=8)
    text = line_up.encode(Pin("mine", network))
    assert line_up.decode(text) == Pin("mine", network)
    assert pins.decode(text) == Pin("mine", network)


# the view


def compare(**link):
    app = opened(**{"compare.beside": "All figures", **link})
    return healthy(app.switch_page("views/compare.py").run())


def networks(app):
    return app.multiselect(key=line_up.CONTROL).value


def test_three_networks_are_compared_on_all_devices_at_first():
    app = compare()
    assert app.title[0].value == "Which device, which network?"
    assert len(networks(app)) == 3
    table = app.dataframe[0].value
    assert len(table) == 3 * 8
    assert (
        list(table.columns[:3]) == ["Network", "Device", "Model"] or table.columns[0] == "Network"
    )
    assert line_up.NETWORK not in app.query_params  # the default is left out
    assert not app.error


def test_what_is_not_looked_at_is_not_made():
    app = compare(**{"compare.beside": "By device"})
    assert not app.dataframe
    # the key of marks, the heatmap, and one chart a network
    assert len(app.get("vega_lite_chart")) == 2 + 3
    assert "Worth having" in words(compare(**{"compare.beside": "Energy against latency"}))


def test_a_step_reads_what_was_evaluated_for_the_whole_slider(monkeypatch):
    app = compare(**{"model": "mlp", "devices": ["nvidia_t4"], "compare.beside": "By device"})
    app.select_slider(key="mlp.width").set_value(640).run()
    healthy(app)
    asked = []
    monkeypatch.setattr(queries, "_ask", lambda *_, keep: asked.append(keep))
    app.select_slider(key="mlp.width").set_value(768).run()
    healthy(app)
    assert False not in asked  # it is only stored, later


def test_the_current_network_is_added_and_the_link_says_so():
    app = compare(**{"model": "mlp", "mlp.width": "640", "batch": "8"})
    app.button(key="_compare_add").click().run()
    healthy(app)
    assert networks(app)[0] == "Current network"
    assert networks(app)[-1] == "mlp, width 640, batch 8"
    assert len(app.dataframe[0].value) == 4 * 8
    texts = app.query_params[line_up.NETWORK]
    assert texts[:3] == list(line_up.FIRST)
    assert json.loads(texts[3])["set"] == {"width": 640}


def test_the_current_network_follows_the_controls():
    app = compare(model="mlp", devices=["nvidia_t4"])
    before = app.dataframe[0].value
    app.select_slider(key="batch").set_value(64).run()
    healthy(app)
    after = app.dataframe[0].value
    assert list(after["Network"]) == list(before["Network"])
    assert (list(before["Batch"]), list(after["Batch"])) == ([1, 1, 1], [64, 1, 1])


def test_a_link_restores_networks_and_devices():
    text = line_up.encode(Pin("mine", queries.Network("mlp", (("width", 640),), batch=8)))
    app = compare(
        **{
            line_up.NETWORK: ["resnet", text],
            "devices": ["nvidia_t4", "hailo_8"],
            "compare.of": "Energy",
        }
    )
    assert networks(app) == ["ResNet", "mine"]
    table = app.dataframe[0].value
    assert list(table["Network"]) == ["ResNet"] * 2 + ["mine"] * 2
    assert "Energy by network and device" in words(app)


def test_what_a_link_names_wrong_is_said_and_the_rest_is_shown():
    app = compare(**{line_up.NETWORK: ["resnett", "mlp"]})
    assert "'resnett' is not known" in words(app)
    assert networks(app) == ["Multilayer perceptron"]


def test_taking_every_network_away_says_what_to_do():
    app = compare()
    app.multiselect(key=line_up.CONTROL).set_value([]).run()
    healthy(app)
    assert "Choose at least one network" in words(app)
    assert app.query_params[line_up.NETWORK] in (["none"], "none")


def test_a_network_that_cannot_be_computed_does_not_hide_the_others():
    app = compare(**{line_up.NETWORK: ["mlp", "timm/no_such_model"], "devices": ["nvidia_t4"]})
    assert len(app.error) == 1
    assert "timm/no_such_model" in app.error[0].value
    assert list(app.dataframe[0].value["Network"]) == ["Multilayer perceptron"]


ONE = Network("conv2d_stack", (("channels", 8),))
TWO = Network("mlp", (("width", 64),), batch=4)
DEVICES = ("nvidia_t4", "hailo_8")


def test_the_report_has_every_network_device_and_figure_once():
    entries = [
        Entry("one", queries.answer(Request(ONE, DEVICES)).rows),
        Entry("two", queries.answer(Request(TWO, DEVICES)).rows),
    ]
    rows = compare_rows.together(entries)
    made = comparison_report.of_networks(
        {"one": ONE, "two": TWO}, rows, ["Best latency: one."], {}, ["compare.heatmap"]
    )
    assert made.title == "2 networks on 2 devices"
    assert made.lines[0] == "Best latency: one."
    assert made.lines[2] == "two: mlp (width 64), batch 4, precision auto, compiled stack."
    results, _, figures = made.listings
    assert list(results.rows["Network"]) == ["one", "one", "two", "two"]
    assert [1e-3 * ms for ms in results.rows["Latency (ms)"]] == pytest.approx(rows["latency_s"])
    said = list(zip(*figures.rows.values(), strict=True))
    assert len(said) == len(set(said))  # both networks rest on the same figures
    assert {device for device, *_ in said} == {queries.devices()[name].title for name in DEVICES}
    assert set(made.about.profiles) == set(DEVICES)
    page = report_page.page(made, {})
    assert "<svg" not in page
    assert "2 networks on 2 devices" in page

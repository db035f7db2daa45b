"""Pins on Layers: kernels found again, modules and points beside each other, then the view."""

import json

import pandas as pd
import pytest

from characterize import hardware
from characterize.records import Precision
from dashboard import (
    charts_layers,
    layer_beside,
    layer_rows,
    module_tree,
    readable,
    roofline_rows,
)
from dashboard.readable import Pinned
from tests.dashboard_support import encodings, layers, words
from tests.test_charts_layers import rows_of

NOW = rows_of(
    {"module": "stem", "latency_s": 4e-3},
    {"module": "body.0", "latency_s": 3e-3, "bottleneck": "memory"},
    {"module": "body.0", "latency_s": 1e-3},
    {"module": "head", "latency_s": 2e-3},
)
# before: one block more, one kernel less in the first, another pattern in the head
BEFORE = Pinned("A", "before", rows_of(
    {"module": "stem", "latency_s": 2e-3},
    {"module": "body.0", "latency_s": 6e-3},
    {"module": "body.1", "latency_s": 5e-3},
    {"module": "head", "latency_s": 1e-3, "pattern": "linear"},
))  # fmt: skip


def grouped(kernels, depth=1):
    return module_tree.groups(kernels["module"], depth, most=len(kernels["module"]))


def test_a_kernel_is_found_again_by_its_module_its_pattern_and_which_of_them_it_is():
    found = layer_beside.beside(NOW, [BEFORE])
    # 4 / 2, 3 / 6; there was no second one in body.0, and another pattern in the head
    assert found["latency_over_A"] == [2.0, 0.5, None, None]
    kernel = readable.row(found, 0)
    assert layer_beside.before_s(kernel, "A") == pytest.approx(2e-3)
    assert layer_beside.before_s(readable.row(found, 3), "A") is None


def test_the_table_has_a_column_a_pin_beside_the_latency():
    shown = layer_rows.columns([BEFORE])
    titles = [column.title for column in shown]
    assert titles[titles.index("Latency (µs)") + 1] == "Latency / A (×)"
    screen = layer_rows.on_screen(layer_beside.beside(NOW, [BEFORE]), shown)
    assert screen["Latency / A (×)"] == [2.0, 0.5, None, None]
    saved = layer_rows.for_file(layer_beside.beside(NOW, [BEFORE]), {"model": "m"})
    assert saved["latency_over_A"] == [2.0, 0.5, None, None]


def test_every_module_of_a_pin_is_marked_also_where_the_network_has_none():
    pinned = [(BEFORE, grouped(BEFORE.rows, 2))]
    frame = pd.DataFrame(layer_rows.by_module(NOW, grouped(NOW, 2), "latency_s", "s", pinned))
    marks = frame[frame["letter"] == "A"].set_index("label")
    assert dict(marks["pinned"]) == pytest.approx(
        {"stem": 2e-3, "body.0": 6e-3, "head": 1e-3, "body.1": 5e-3}
    )
    assert list(dict.fromkeys(frame["label"])) == ["stem", "body.0", "head", "body.1"]
    assert marks["change_text"]["stem"] == "+100 %"  # 4 after 2 ms
    assert marks["change_text"]["body.1"] == "–"
    bars = frame[frame["value"].notna()]
    assert bars["value"].sum() == pytest.approx(10e-3)
    # the text of a bar stands behind the mark where that lies further out
    assert bars.groupby("label")["end"].first().to_dict() == pytest.approx(
        {"stem": 4e-3, "body.0": 6e-3, "head": 2e-3}
    )


def test_modules_beyond_the_largest_share_a_row_with_those_of_the_pin():
    many = rows_of(*({"module": f"m{place}", "latency_s": place * 1e-3} for place in range(1, 17)))
    pin = Pinned("A", "many", many)
    frame = pd.DataFrame(
        layer_rows.by_module(many, grouped(many), "latency_s", "s", [(pin, grouped(many))])
    )
    rest = frame[frame["label"] == "2 other modules"]
    assert len(rest) == 2
    for column in ("value", "pinned"):
        assert rest[column].sum() == pytest.approx(3e-3)  # 1 and 2 ms


def test_pinned_kernels_are_points_of_their_own_and_those_that_take_long_have_a_letter():
    short = rows_of({"latency_s": 99e-3}, {"latency_s": 1e-3, "flops": 200.0})
    points = roofline_rows.pinned(Pinned("B", "short", short))
    assert [(point["role"], point["letter"]) for point in points] == [
        ("pinned", "B"),
        ("pinned", ""),
    ]
    assert points[0]["achieved"] == pytest.approx(100.0 / 99e-3)
    bounds = roofline_rows.ceilings(hardware.load("nvidia_t4"), Precision.FP16)
    frame, _ = roofline_rows.frame(NOW, bounds, points)
    assert frame["role"].count("pinned") == 2
    chart = charts_layers.roofline(pd.DataFrame(), pinned=True).to_dict()
    fields = {each["field"] for _, each in encodings(chart) if "field" in each}
    assert fields <= set(frame)


def test_the_marks_of_pins_are_columns_of_the_frame_and_only_drawn_where_there_are_pins():
    frame = layer_rows.by_module(
        NOW, grouped(NOW), "latency_s", "s", [(BEFORE, grouped(BEFORE.rows))]
    )
    with_pins = charts_layers.modules(pd.DataFrame(), "Time", "s", pinned=True).to_dict()
    assert {each["field"] for _, each in encodings(with_pins) if "field" in each} <= set(frame)
    without = charts_layers.modules(pd.DataFrame(), "Time", "s").to_dict()
    assert len(with_pins["layer"]) == len(without["layer"]) + 3


def test_a_box_says_what_its_kernels_took_in_the_first_pin_where_it_had_them_all():
    kernels = layer_beside.beside(NOW, [BEFORE])
    frame, _ = layer_rows.graph(kernels, grouped(NOW), [(0, 1), (1, 2), (2, 3)], "A")
    boxes = [
        (frame["before_text"][i], frame["change_text"][i])
        for i, role in enumerate(frame["role"])
        if role == "node"
    ]
    assert boxes == [("2 ms", "+100 %"), ("–", "–"), ("–", "–")]


def test_totals_say_what_now_is_over_each():
    row = {**dict.fromkeys((column.source for column in layer_beside.TOTALS), 1.0)}
    table = layer_beside.totals(
        [("Now: x", {**row, "latency_s": 3e-3}), ("A: y", {**row, "latency_s": 2e-3})]
    )
    assert table["Latency (ms)"] == [3.0, 2.0]
    assert table[layer_beside.NOW_OVER_IT] == [None, 1.5]
    assert table["Energy (mJ)"] == [1e3, 1e3]


# the view


def pin(name, precision="auto", **settings):
    record = {"name": name, "model": "conv2d_stack", "set": settings, "batch": 1,
              "precision": precision, "stack": "compiled"}  # fmt: skip
    return json.dumps(record)


def test_figures_and_totals_are_held_against_the_pins_of_the_link(no_caches):
    pins = [pin("usual"), pin("wide", channels=64)]
    app = layers(**{"conv2d_stack.layers": "4", "layers.show": "Table", "pin": pins})
    labels = {metric.label: metric for metric in app.metric}
    # 3·16 + 3·16·16 = 816 channel pairs after 3·16 + 2·16·16 = 560
    assert labels["MACs"].delta == "+46 %"
    assert labels["Latency"].delta.startswith(("+", "- "))
    table = next(each.value for each in app.dataframe if "Configuration" in each.value)
    assert list(table["Configuration"]) == [
        "Now: conv2d_stack, layers 4, batch 1",
        "A: usual",
        "B: wide",
    ]
    assert list(table["Kernels"]) == [4, 3, 3]
    ratio = table["Latency (ms)"][0] / table["Latency (ms)"][1]
    assert table[layer_beside.NOW_OVER_IT][1] == pytest.approx(ratio)
    assert "in A “usual”" in words(app)
    assert not app.error


def test_a_pin_that_the_device_cannot_run_is_said_and_the_others_are_shown(no_caches):
    app = layers(focus="intel_i7_12700k", pin=[pin("four bits", "int4"), pin("usual")])
    assert "“four bits”, pinned, cannot be shown" in " ".join(
        str(each.value) for each in app.warning
    )
    table = next(each.value for each in app.dataframe if "Configuration" in each.value)
    assert list(table["Configuration"])[1:] == ["B: usual"]


def test_what_is_shown_is_pinned_here_too(no_caches):
    app = layers(**{"conv2d_stack.layers": "4"})
    app.button(key="_pin").click().run()
    assert not app.exception
    table = next(each.value for each in app.dataframe if "Configuration" in each.value)
    assert list(table["Configuration"]) == [
        "Now: conv2d_stack, layers 4, batch 1", "A: conv2d_stack, layers 4, batch 1"
    ]  # fmt: skip
    assert app.query_params["pin"]

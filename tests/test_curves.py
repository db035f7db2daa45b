"""A parameter's whole curve: the same numbers as one by one, and nothing traced for it."""

import doctest

import pandas as pd
import pytest
import streamlit as st

from characterize import session, store, templates
from dashboard import charts_curve, curve_panel, curve_rows, curves, queries, readable
from dashboard.queries import Network, Request

pytestmark = pytest.mark.usefixtures("no_caches")

DEVICES = ("intel_i7_12700k", "nvidia_h100_sxm", "google_coral_edge_tpu", "stillwater_kpu_t256")
STACK = queries.families()["conv2d_stack"]


def request(**changed):
    network = Network("conv2d_stack", tuple({**STACK.defaults, **changed}.items()))
    return Request(network, DEVICES)


@pytest.mark.parametrize(
    ("parameter", "values"), [("channels", (8, 24, 512)), ("batch", (1, 3, 64))]
)
def test_a_curve_goes_through_the_answers_at_its_values(parameter, values):
    queries.answer(request())
    found = curves.curve(request(), parameter, values)
    assert found.values == values
    for index, value in enumerate(values):
        network = request(**({parameter: value} if parameter != "batch" else {})).network
        at = Network(network.model, network.parameters, value if parameter == "batch" else 1)
        rows = queries.answer(Request(at, DEVICES)).rows
        for column in curves.COLUMNS:
            ours = [found.series[column][name][index] for name in DEVICES]
            assert ours == pytest.approx(list(rows[column]), rel=1e-12), (value, column)


def test_a_curve_does_not_depend_on_where_its_own_slider_stands():
    queries.answer(request())
    here = curves.curve(request(channels=8), "channels", (8, 16))
    there = curves.curve(request(channels=64), "channels", (8, 16))
    assert here == there


def test_nothing_is_traced_for_a_curve(monkeypatch):
    def traced(*_args, **_kwargs):
        raise AssertionError("a network was traced")

    queries.answer(request())
    monkeypatch.setattr(templates, "_traced", traced)
    # one channel is another topology: a convolution of one group that is also depthwise
    found = curves.curve(request(), "channels", (1, 16))
    assert found.values + found.missing == (16, 1)


def test_values_that_do_not_go_with_the_others_are_named(fresh_store):
    grouped = request(channels=16, in_channels=16, groups=4)
    queries.answer(grouped)
    found = curves.curve(grouped, "channels", (16, 18, 20))
    assert found.refused == (18,)  # 4 does not divide it
    assert found.values == (16, 20)


def test_a_template_that_only_the_store_has_is_found_there(fresh_store, monkeypatch):
    asked = request(kernel_size=5)
    # another test may have traced it already, and what is known here is not stored again
    monkeypatch.setattr(templates, "_TEMPLATES", templates._Templates())
    queries.answer(asked)
    monkeypatch.setattr(templates, "_TEMPLATES", templates._Templates())
    assert curves.curve(asked, "channels", (16, 32)).values == (16, 32)
    assert store.Store().frame("SELECT count(*) AS n FROM results")["n"][0] == len(DEVICES)


def test_the_values_of_a_curve_are_those_of_its_slider():
    stops = curve_panel.stops(STACK.parameter("channels"))
    assert stops == sorted(set(stops))
    assert {1, 16, 24, 4096} <= set(stops)
    linear = curve_panel.stops(STACK.parameter("layers"))
    assert len(linear) <= curve_panel.MOST


FRAME = curve_rows.frame(
    (1, 2),
    {
        "latency_s": {"a": (1e-3, 2e-3), "b": (2e-3, 2e-3)},
        "latency_low_s": {"a": (5e-4, 1e-3), "b": (1e-3, 1e-3)},
        "latency_high_s": {"a": (2e-3, 4e-3), "b": (4e-3, 4e-3)},
    },
    readable.LATENCY,
    [("a", "A", "cpu"), ("b", "B", "cpu")],
    logarithmic=True,
)


def test_the_frame_has_points_labels_that_keep_apart_and_a_text_a_device():
    table = pd.DataFrame(FRAME)
    assert list(table["role"].value_counts()[["point", "label", "rule"]]) == [4, 2, 2]
    labels = table[table["role"] == "label"]
    assert list(labels["at"]) == [2, 2]
    # both lines end at 2 ms; bands go from 0.5 to 4 ms, so the axis from 0.1 to 10: two decades
    first, second = labels["label_at"]
    assert second / first == pytest.approx(100 ** (1 / curve_rows.LABEL_STEPS))
    assert list(labels["place"]) == [0, 1]
    assert list(labels["dash"]) == [0, 1]
    rules = table[table["role"] == "rule"]
    assert list(rules["v0"]) == ["1 ms", "2 ms"]
    assert list(table[table["role"] == "point"]["dash"]) == [
        0,
        0,
        1,
        1,
    ]  # told apart without colour


def test_the_chart_follows_the_pointer_by_itself_and_tells_every_device():
    chart = charts_curve.curve(
        pd.DataFrame(), "Latency", "s", "Channels", ("A", "B"), logarithmic=True, spread="log"
    ).to_dict()
    params = {each["name"]: each["select"] for each in chart["params"]}
    assert params["hover"]["on"] == "pointermove"
    assert params["hover"]["nearest"] is params[charts_curve.PICK]["nearest"] is True
    tooltips = [
        each["title"] for layer in chart["layer"] for each in layer["encoding"].get("tooltip", [])
    ]
    assert tooltips == ["Channels", "A", "B"]
    fields = {
        definition["field"]
        for layer in chart["layer"]
        for definition in layer["encoding"].values()
        if isinstance(definition, dict) and "field" in definition
    }
    assert fields <= set(FRAME)


def test_the_example_of_the_module_holds():
    assert doctest.testmod(curve_rows).failed == 0


def test_the_steps_of_a_slider_are_answered_from_its_curve(monkeypatch):
    queries.answer(request())
    fresh = {
        value: queries.answer(request(in_channels=value)) for value in (4, 8)
    }  # computed one by one
    kernels = {
        value: queries.kernels(request(in_channels=value).network, DEVICES[1]) for value in fresh
    }
    st.cache_data.clear()
    curves.curve(request(), "in_channels", (2, 4, 8))
    monkeypatch.setattr(session, "kernels", None)  # nothing is computed again
    monkeypatch.setattr(queries._keeper(), "later", lambda _task: None)
    monkeypatch.setattr(session, "answer", None)
    for value, alone in fresh.items():
        together = queries.answer(request(in_channels=value))
        assert list(together.rows) == list(alone.rows)
        for column, expected in alone.rows.items():
            numbers = isinstance(expected[0], float)
            same = pytest.approx(expected, rel=1e-12) if numbers else expected
            assert together.rows[column] == same, column
        assert together.notes == alone.notes
        found = queries.kernels(request(in_channels=value).network, DEVICES[1])
        assert list(found) == list(kernels[value])
        assert found["kernel"] == kernels[value]["kernel"]
        assert found["latency_s"] == pytest.approx(kernels[value]["latency_s"], rel=1e-12)


def test_a_curve_is_evaluated_once_until_a_template_comes_to_hand(no_caches, monkeypatch):
    monkeypatch.setattr(templates, "_TEMPLATES", templates._Templates())
    evaluated = []
    honest = curves._curve

    def counted(*arguments):
        evaluated.append(arguments)
        return honest(*arguments)

    monkeypatch.setattr(curves, "_curve", counted)
    # what ships holds from two channels on
    asked = request(kernel_size=5)
    queries.answer(asked)
    first = curves.curve(asked, "channels", (1, 16, 32))
    assert first.missing == (1,)
    assert curves.curve(request(kernel_size=5, channels=32), "channels", (1, 16, 32)) is first
    assert len(evaluated) == 1
    queries.answer(request(kernel_size=5, channels=1))  # traced now
    assert curves.curve(asked, "channels", (1, 16, 32)).missing == ()
    assert len(evaluated) == 2


def test_a_step_to_another_depth_is_answered_by_the_curve_that_is_drawn(no_caches, monkeypatch):
    asked = request(layers=7)
    values = curve_panel.stops(STACK.parameter("channels"))
    curves.ahead(asked, "channels", values)
    asked_again = []
    monkeypatch.setattr(queries, "_ask", lambda *_, keep: asked_again.append(keep))
    rows = queries.answer(asked).rows
    assert False not in asked_again  # it is only stored, later
    assert list(rows["layers"]) == [7] * len(DEVICES)
    assert list(rows["kernels"]) == [7] * len(DEVICES)

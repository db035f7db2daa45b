"""Sweep: stops, frames and charts are pure; then the view by AppTest, on a small sweep of its own."""

import dataclasses
import io
import json
import math
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from characterize import questions, sweeping
from characterize.models import Parameter
from characterize.questions import Budget
from dashboard import charts_sweep, jobs, links, palette, queries, state, sweep_rows, sweeps
from dashboard.readable import ENERGY, LATENCY
from tests.dashboard_support import figures, healthy, opened, words

pytestmark = pytest.mark.usefixtures("no_caches")

DEVICES = ["nvidia_t4", "hailo_8"]
KNOWN: dict[str, Any] = {
    "nvidia_t4": SimpleNamespace(short="T4", architecture="gpu"),
    "hailo_8": SimpleNamespace(short="Hailo-8", architecture="kpu"),
}


@pytest.fixture
def small(fresh_store):
    """MLPs of 3 widths and 2 batches on two devices, in a store of their own: 12 rows."""
    space = sweeping.grid("mlp", {"width": [64, 128, 1024]}, [1, 8])
    return sweeping.find(sweeping.sweep_to(space, hardware=DEVICES).key)


# budgets


def test_stops_span_the_values_and_end_with_anything():
    found = sweep_rows.stops(9.9e-4, 0.031, "s")
    assert list(found)[:3] == ["1 ms", "1.5 ms", "2 ms"]
    assert list(found)[-3:] == ["20 ms", "30 ms", "any"]
    assert found["1.5 ms"] == 1.5e-3
    assert found["any"] == math.inf
    assert sweep_rows.stops(0.0, 0.0, "s") == {"any": math.inf}


# which sweep


def test_a_sweep_is_told_from_others_by_what_comes_first_of_its_name(small):
    assert sweeps.label(small) == "mlp, 12 rows: width, batch"  # 3 widths · 2 batches · 2 devices
    cut_off = dataclasses.replace(small, complete=False)
    assert sweeps.label(cut_off) == "mlp, 12 rows, unfinished: width, batch"


@pytest.mark.parametrize(
    ("axes", "devices", "said"),
    [
        ({"layers": [1, 2, 3, 4], "batch": [8, 1], "bias": [True]}, 2,
         "layers 1 to 4 · batch 8, 1 · 2 devices"),
        ({"width": [1], "input_size": [32, 64, 128]}, 1, "input size 32, 64, 128 · 1 device"),
        ({"model": ["a", "b", "c", "d"]}, 3, "model a and 3 more · 3 devices"),
        ({}, 1, "1 device"),
    ],
)  # fmt: skip
def test_the_extent_of_a_sweep_is_said_axis_by_axis(axes, devices, said):
    described = {"axes": axes, "precisions": ["auto"], "stacks": ["compiled"]}
    assert sweep_rows.extent(described, devices) == said


# frames and charts


def test_a_heatmap_has_a_cell_a_pair_and_none_of_them_is_lost_outside_the_budgets(small):
    rows = questions.rows(small)
    latencies = sorted(rows.numbers("latency_s"))
    asked = [Budget("latency_s", latencies[5])]  # half of the 12 rows, or a tie more
    cells = questions.heatmap(rows, "width", "batch", "latency_s", asked)
    columns = sweep_rows.tiles(cells, "best", LATENCY, ("width", "batch"))
    assert {len(column) for column in columns.values()} == {6}
    assert columns["outside"] == [value is None for value in columns["value"]]
    assert cells["feasible"].sum() == sum(value <= latencies[5] for value in latencies)
    assert columns["said"][0] == f"width {columns['x'][0]}, batch 1: {columns['text'][0]}"
    across, up = (sweep_rows.order(cells, axis) for axis in ("x", "y"))
    assert up == ("8", "1")  # the larger above
    chart = charts_sweep.heatmap(
        pd.DataFrame(columns), "Latency", "s", x="W", y="B", share=False, of="best",
        across=across, up=up,
    ).to_dict()  # fmt: skip
    assert [layer["mark"]["type"] for layer in chart["layer"]] == ["rect", "point", "rect"]
    assert chart["layer"][0]["encoding"]["color"]["scale"] == {"type": "log", "reverse": True}


def test_lines_end_with_the_name_of_their_device(small):
    points = questions.lines(questions.rows(small), "width", "latency_s", "hardware")
    columns = sweep_rows.curves(points, "best", LATENCY, "width", KNOWN)
    assert columns["label"] == ["", "", "Hailo-8", "", "", "T4"]
    chart = charts_sweep.lines(
        pd.DataFrame(columns), "Latency", "s", x="W", spread="even"
    ).to_dict()
    marks = next(each for each in chart["layer"] if "shape" in each["encoding"])
    assert marks["encoding"]["color"]["scale"]["domain"] == list(palette.DOMAIN)


def test_marks_are_told_apart_by_what_they_stand_for(small):
    # the browser keeps a mark by its id when rows are replaced: of two with one id it would lose one
    rows = questions.rows(small)
    cells = questions.heatmap(rows, "width", "batch", "latency_s", [])
    points = questions.lines(rows, "width", "latency_s", "hardware")
    marks = questions.scatter(rows, "latency_s", "energy_j", by="hardware")
    shown = {
        "tiles": (sweep_rows.tiles(cells, "best", LATENCY, ("width", "batch")), 6),
        "curves": (sweep_rows.curves(points, "best", LATENCY, "width", KNOWN), 6),
        "cloud": (sweep_rows.cloud(marks, LATENCY, ENERGY, KNOWN, ["width", "batch"]), len(marks)),
    }
    for name, (columns, count) in shown.items():
        keys = columns.get("kept", columns["id"])
        assert len(set(keys)) == len(keys) == count, name
    # a row of the frontier may be in the sample too
    assert len(set(shown["cloud"][0]["id"])) < len(marks)


def test_a_mark_of_the_scatter_names_its_row(small):
    marks = questions.scatter(questions.rows(small), "latency_s", "energy_j", by="hardware")
    columns = sweep_rows.cloud(marks, LATENCY, ENERGY, KNOWN, ["width", "batch"])
    assert {len(column) for column in columns.values()} == {len(marks)}
    found = sweep_rows.picked(columns["id"][0])
    assert found is not None
    whole = sweep_rows.whole(found.row, small.description)
    for name in ("width", "batch", "hardware", "model", "stack", "depth", "activation"):
        assert whole[name] == marks[name][0]
    assert columns["settings"][0] == f"width {marks['width'][0]}, batch {marks['batch'][0]}"
    charts_sweep.scatter(
        pd.DataFrame(columns),
        x="L",
        x_unit="s",
        y="E",
        y_unit="J",
        x_spread="even",
        y_spread="even",
    ).to_dict()


def test_no_chart_gets_more_than_a_few_thousand_marks():
    many = pd.DataFrame({
        "width": range(100_000), "batch": 1, "hardware": "nvidia_t4", "architecture": "gpu",
        "confidence": "datasheet", "latency_s": [1e-3 + i * 1e-8 for i in range(100_000)],
        "energy_j": [1.0 - i * 1e-6 for i in range(100_000)],
    })  # fmt: skip
    assert len(questions.heatmap(many, "width", "batch", "latency_s")) <= 2_500
    assert len(questions.lines(many, "width", "latency_s", "hardware")) <= 2_500
    assert len(questions.scatter(many, "latency_s", "energy_j", by="hardware")) <= 2_500


@pytest.mark.parametrize("text", ["", "nonsense", "[1]", "3"])
def test_what_is_no_mark_is_nothing(text):
    assert sweep_rows.picked(text) is None


def test_a_cell_holds_the_values_between_its_ends():
    assert sweep_rows.inside([1, 2, 3, 4], (2, 3)) == [2, 3]
    assert sweep_rows.inside(["relu", "gelu"], ("gelu", "gelu")) == ["gelu"]


def test_only_sizes_get_a_range_before_anybody_asks():
    family = queries.families()["conv2d_stack"]
    found = sweep_rows.suggestions(family)
    assert (found["layers"], found["channels"], found["in_channels"]) == ("3", "4:64:4", "3")
    assert found["input_size"] == "16:256:16"
    assert found["batch_norm"] == "false"
    choice = Parameter("activation", "choice", "relu", "", choices=("relu", "gelu"))
    assert sweep_rows.suggestion(choice, 0) == "relu"


# the view


def sweep_view(**link):
    app = opened(devices=DEVICES, **link)
    return healthy(app.switch_page("views/sweep.py").run())


def test_without_a_sweep_the_view_says_how_to_begin(fresh_store):
    app = sweep_view()
    assert app.title[0].value.endswith("?")
    assert "No sweep yet" in words(app)
    # 16 channels x 16 sizes, on two devices
    assert "256 configurations × 2 devices = **512 rows**" in words(app)


def test_a_range_that_cannot_be_read_is_one_sentence(fresh_store):
    app = sweep_view()
    app.text_input(key="sweep.conv2d_stack.channels").set_value("16:").run()
    healthy(app)
    assert len(app.error) == 1
    assert "'16:'" in app.error[0].value


def test_a_sweep_runs_in_the_background_and_is_shown(fresh_store):
    app = sweep_view()
    app.text_input(key="sweep.conv2d_stack.channels").set_value("16,32").run()
    app.text_input(key="sweep.conv2d_stack.input_size").set_value("32,64").run()
    app.button(key="_sweep_run").click().run()
    for job in jobs.under(sweeps.JOB):
        job.wait(60)
    healthy(app.run())
    assert app.selectbox(key="sweep.id").value == next(iter(sweeps.kept()))
    assert "**8** of 8 rows are within the budgets" in words(app)


def test_a_budget_says_how_many_rows_are_within_it(small):
    app = sweep_view()
    rows = questions.rows(small)
    slider = app.select_slider(key="sweep.latency_s")
    stop = slider.options[len(slider.options) // 2]
    slider.set_value(stop).run()
    healthy(app)
    (limit,) = questions.budgets(f"latency_s <= {stop}")
    count = int((rows.numbers("latency_s") <= limit.limit).sum())
    assert 0 < count < 12
    assert f"**{count}** of 12 rows are within the budgets" in words(app)


def test_the_best_within_a_budget_opens_in_tune_with_its_link(small):
    app = sweep_view()
    app.select_slider(key="sweep.latency_s").set_value("any").run()
    app.button(key="_sweep_largest").click().run()
    healthy(app)
    # the most arithmetic: the widest, at the larger batch
    assert "mlp, batch 8" in words(app)
    assert figures(app)["Latency"]
    app = sweep_view()
    app.button(key="_sweep_best").click().run()
    healthy(app)
    assert "mlp, width 64, batch 1" in words(app)


def test_a_link_restores_sweep_picture_and_budget(small):
    app = sweep_view(**{
        "sweep.id": small.key[:12], "sweep.show": "Lines", "sweep.of": "Energy", "sweep.x": "batch",
        "sweep.device": "hailo_8",
    })  # fmt: skip
    assert app.selectbox(key="sweep.x").value == "batch"
    assert app.selectbox(key="sweep.of").value == "Energy"
    assert app.selectbox(key="sweep.device").value == "hailo_8"
    assert "of 6 rows are within the budgets" in words(app)


@pytest.mark.parametrize("show", ["Heatmap", "Lines", "Frontier"])
def test_every_picture_counts_the_same_rows_within_the_budgets(small, show):
    stop = list(sweep_rows.stops(*sweeps.reach(small, ["latency_s"])["latency_s"], "s"))[2]
    app = sweep_view(**{"sweep.show": show, "sweep.latency_s": stop})
    (limit,) = questions.budgets(f"latency <= {stop}")
    count = int((questions.rows(small).numbers("latency_s") <= limit.limit).sum())
    assert f"**{count}** of 12 rows are within the budgets" in words(app)


def test_a_sweep_that_is_gone_is_another_one(small):
    app = sweep_view(**{"sweep.id": "0123456789ab"})
    assert app.selectbox(key="sweep.id").value == small.key[:12]


def test_a_stopped_sweep_can_be_gone_on_with(small):
    manifest = small.folder / "sweep.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "complete": False}))
    app = sweep_view()
    assert "This sweep was stopped" in words(app)
    app.button(key="_sweep_resume").click().run()
    for job in jobs.under(sweeps.JOB):
        job.wait(60)
    healthy(app.run())
    assert "This sweep was stopped" not in words(app)
    assert sweeping.find(small.key).complete


def test_files_hold_all_rows_within_the_budgets(small):
    rows = questions.rows(small)
    limit = sorted(rows.numbers("latency_s"))[4]
    asked = [Budget("latency_s", limit)]
    table = sweeps.frame(small, asked, {"hardware": "hailo_8"})
    inside = (rows.numbers("latency_s") <= limit).sum()
    assert set(table["hardware"]) == {"hailo_8"}
    assert len(sweeps.frame(small, asked, {})) == inside
    content = sweeps.parquet(small, asked, {}, {"characterize": "{}"})
    file = pq.read_table(io.BytesIO(content))
    assert file.num_rows == inside
    assert file.schema.metadata[b"characterize"] == b"{}"
    assert "uncounted" in file.column_names


def test_links_of_a_network_hold_what_differs_from_defaults():
    family = queries.families()["mlp"]
    network = queries.Network(
        "mlp", tuple({**family.defaults, "width": 64}.items()), 8, "fp16", "eager"
    )
    assert state.link_to(network) == {
        "mlp.width": "64",
        "batch": "8",
        "precision": "fp16",
        "stack": "eager",
    }
    assert links.BATCH in state.link_to(network)

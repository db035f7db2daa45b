"""Layers without a browser: layout, groups, frames and charts are pure; then the view by AppTest."""

import inspect
import itertools
import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some
from streamlit.testing.v1 import AppTest

from characterize import costs, hardware, session
from characterize.records import Cost, Gemm, Precision
from dashboard import (
    anatomy,
    charts_layers,
    explain,
    kernel_layout,
    layer_rows,
    module_tree,
    palette,
    queries,
    roofline_rows,
)
from dashboard.anatomy import PricedOperator
from dashboard.queries import Network
from tests.dashboard_support import ROOT

APP = str(ROOT / "dashboard" / "app.py")
ONE = {
    "pattern": "conv", "kind": "convolution", "bottleneck": "compute", "macs": 50.0,
    "worked_macs": 50.0, "flops": 100.0, "memory_bytes": 20.0, "intensity": 5.0, "latency_s": 1e-3,
    "energy_dynamic_j": 1.0, "reason": "", "shapes": "1×3 → 1×8",
}  # fmt: skip
PATHS = ["stem", "body.0.a", "body.0.b", "body.1.a", "body.1.b", "head"]


def rows_of(*changes):
    """Kernels as ``session.kernels`` gives them, made from :data:`ONE` with changes."""
    made = [{**ONE, "kernel": f"k{i}", "module": "", **each} for i, each in enumerate(changes)]
    return layer_rows.numbered({name: [each[name] for each in made] for name in made[0]})


KERNELS = rows_of(
    *({"module": path, "latency_s": 1e-3 * place} for place, path in enumerate(PATHS, 1))
)
CHAIN = [(i, i + 1) for i in range(5)]


# layout


@some.composite
def graphs(draw):
    count = draw(some.integers(1, 14))
    pairs = [(i, j) for i, j in itertools.combinations(range(count), 2)]
    return count, tuple(draw(some.lists(some.sampled_from(pairs), unique=True))) if pairs else ()


@given(graphs())
def test_every_edge_leads_down_from_its_first_box_to_its_last(graph):
    count, edges = graph
    made = kernel_layout.layout(count, edges)
    assert len(made.x) == len(made.rank) == count
    for (first, last), path in zip(edges, made.paths, strict=True):
        assert path[0] == (made.x[first], made.rank[first])
        assert path[-1] == (made.x[last], made.rank[last])
        levels = [level for _, level in path]
        assert levels == list(range(made.rank[first], made.rank[last] + 1))


@given(graphs())
def test_boxes_of_a_rank_do_not_overlap_and_no_edge_runs_behind_one(graph):
    count, edges = graph
    made = kernel_layout.layout(count, edges)
    for one, other in itertools.combinations(range(count), 2):
        if made.rank[one] == made.rank[other]:
            assert abs(made.x[one] - made.x[other]) >= kernel_layout.NODE_WIDTH - 1e-9
    apart = (kernel_layout.NODE_WIDTH + kernel_layout.BEND_WIDTH) / 2
    for path in made.paths:
        for x, level in path[1:-1]:
            near = [made.x[i] for i in range(count) if made.rank[i] == level]
            assert all(abs(x - place) >= apart - 1e-9 for place in near)


def test_the_order_of_a_rank_removes_crossings_that_need_not_be():
    # 0 and 1 lead to 5, 4, 3, 2 in turn: as numbered, the links cross
    edges = ((0, 4), (0, 5), (1, 2), (1, 3))
    made = kernel_layout.layout(6, edges)
    rows = [
        sorted((i for i in range(6) if made.rank[i] == r), key=made.x.__getitem__) for r in (0, 1)
    ]
    assert kernel_layout.crossings([[0, 1], [2, 3, 4, 5]], edges) == 4
    assert kernel_layout.crossings(rows, edges) == 0


def test_a_chain_is_a_straight_line():
    made = kernel_layout.layout(6, tuple(CHAIN))
    assert set(made.x) == {0.0}
    assert made.ranks == 6
    assert made.width == 1.0


# groups


@given(some.lists(some.sampled_from([*PATHS, "", "body", "body.0"]), min_size=1, max_size=30),
       some.integers(1, 4), some.sets(some.sampled_from(["body", "body.0", "stem", ""])))  # fmt: skip
def test_groups_hold_every_kernel_once_in_order(paths, depth, opened):
    found = module_tree.groups(paths, depth, opened)
    assert [i for g in found for i in range(g.first, g.last + 1)] == list(range(len(paths)))
    order = list(itertools.pairwise(range(len(paths))))
    assert all(first < last for first, last in module_tree.joined(found, order))  # no circle


def test_depth_and_opening_decide_what_is_told_apart():
    def shown(depth, opened=()):
        return [group.path for group in module_tree.groups(PATHS, depth, opened)]

    assert shown(1) == ["stem", "body", "head"]
    assert shown(2) == ["stem", "body.0", "body.1", "head"]
    assert shown(1, {"body"}) == ["stem", "body.0", "body.1", "head"]
    assert shown(1, {"body", "body.0"}) == ["stem", "body.0.a", "body.0.b", "body.1", "head"]


def test_an_opened_module_without_modules_inside_shows_its_kernels():
    assert [g.size for g in module_tree.groups(["a", "a", "b"], 1)] == [2, 1]
    assert [g.size for g in module_tree.groups(["a", "a", "b"], 1, {"a"})] == [1, 1, 1]


def test_more_boxes_than_can_be_drawn_are_folded_and_can_be_opened():
    paths = [f"layer{i}" for i in range(500)]
    found = module_tree.groups(paths, 1)
    assert len(found) == 125  # ceil(500 / 160) = 4 in each
    assert found[1].path == "#5-8"
    assert len(module_tree.groups(paths, 1, {"#5-8"})) == 128


def test_the_comfortable_depth_is_the_deepest_that_fits():
    assert module_tree.comfortable_depth(PATHS, 6) == 3
    assert module_tree.comfortable_depth(PATHS, 4) == 2
    assert module_tree.comfortable_depth(PATHS, 2) == 1


def test_a_depth_that_says_next_to_nothing_is_not_comfortable():
    paths = ["embed", *(f"layers.{i}" for i in range(30)), "head"]
    assert module_tree.comfortable_depth(paths) == 2  # 32 boxes, as 3 would hide all of it


# frames


def test_the_bars_add_up_to_the_whole_and_are_stacked_by_bottleneck():
    kernels = rows_of(
        {"module": "a", "latency_s": 1e-3}, {"module": "a", "latency_s": 2e-3, "bottleneck": "launch"},
        {"module": "b", "latency_s": 5e-3, "bottleneck": "memory"},
    )  # fmt: skip
    frame = layer_rows.by_module(
        kernels, module_tree.groups(kernels["module"], 1), "latency_s", "s"
    )
    assert frame["label"] == ["a", "a", "b"]
    assert frame["bottleneck"] == ["compute", "launch", "memory"]
    assert sum(frame["value"]) == pytest.approx(8e-3)
    assert frame["share"] == pytest.approx([3 / 8, 3 / 8, 5 / 8])
    assert frame["end_text"] == ["", "38%", "62%"]


def test_modules_beyond_the_largest_share_one_bar():
    kernels = rows_of(*({"module": f"m{i}", "latency_s": 1e-3 * (i + 1)} for i in range(20)))
    frame = layer_rows.by_module(
        kernels, module_tree.groups(kernels["module"], 1, most=20), "latency_s", "s"
    )
    assert len(frame["label"]) == layer_rows.BARS + 1
    assert frame["label"][-1] == "6 other modules"
    assert frame["value"][-1] == pytest.approx(21e-3)  # 1 + 2 + ... + 6


def test_the_graph_has_a_box_for_each_group_and_a_line_for_each_edge_between_them():
    frame, ranks = layer_rows.graph(KERNELS, module_tree.groups(PATHS, 1), CHAIN)
    boxes = [i for i, role in enumerate(frame["role"]) if role == "node"]
    assert [frame["id"][i] for i in boxes] == ["k:0", "m:body", "k:5"]
    assert [frame["label"][i] for i in boxes] == ["k0", "▸ body", "k5"]
    assert len({edge for edge in frame["edge"] if edge is not None}) == 2
    assert ranks == 3
    # 2 + 3 + 4 + 5 ms of 21 ms
    assert frame["share_text"][boxes[1]] == "66.7%"


def test_a_box_says_why_its_neighbours_were_not_fused():
    kernels = rows_of({"reason": "cat not fused: it is not elementwise"})
    frame, _ = layer_rows.graph(kernels, module_tree.groups(kernels["module"], 1), ())
    assert frame["reason"][0] == "cat not fused: it is not elementwise"


def test_five_hundred_kernels_are_a_few_hundred_marks():
    kernels = rows_of(*({"module": f"m{i}"} for i in range(500)))
    edges = [(i, i + 1) for i in range(499)]
    frame, _ = layer_rows.graph(kernels, module_tree.groups(kernels["module"], 1), edges)
    boxes = frame["role"].count("node")
    assert boxes + len({edge for edge in frame["edge"] if edge is not None}) < 300


def test_kernels_of_one_name_are_told_apart():
    kernels = rows_of({"kernel": "pool"}, {"kernel": "pool"}, {"kernel": "conv"})
    assert kernels["label"] == ["pool", "pool (2)", "conv"]
    assert sum(kernels["share"]) == pytest.approx(1.0)


def test_the_search_wants_every_word_somewhere():
    assert layer_rows.matching(KERNELS, "body.1 CONV")["kernel"] == ["k3", "k4"]
    assert layer_rows.matching(KERNELS, "nothing")["kernel"] == []
    assert layer_rows.matching(KERNELS, "") == KERNELS


def test_the_screen_shows_the_units_of_its_headings_and_the_file_the_base_units():
    screen = layer_rows.on_screen(KERNELS)
    assert screen["Latency (µs)"][0] == pytest.approx(1000.0)
    assert screen["Share (%)"][0] == pytest.approx(100 / 21)
    file = layer_rows.for_file(KERNELS, {"model": "m", "batch": 1})
    assert file["latency_s"][0] == 1e-3
    assert file["model"] == ["m"] * 6
    assert "reason" in file


# roofline


def test_equal_kernels_are_one_point_and_kernels_without_arithmetic_none():
    kernels = rows_of({}, {}, {"flops": 0.0, "macs": 0.0, "worked_macs": 0.0})
    frame, without = roofline_rows.frame(kernels, [roofline_rows.Ceiling("p", "peak", 1e6)])
    assert frame["role"].count("kernel") == 1
    assert without == 1
    assert frame["name"][0] == "k0 and 1 like it"
    assert frame["intensity"][0] == 5.0  # 100 flop / 20 B
    assert frame["achieved"][0] == 1e5  # 100 flop / 1 ms


def test_what_a_causal_mask_leaves_out_is_not_achieved():
    # 100 flop, of which 2 * (50 - 30) are not worked: 60 flop in 1 ms
    kernels = rows_of({"worked_macs": 30.0})
    frame, _ = roofline_rows.frame(kernels, [roofline_rows.Ceiling("p", "peak", 1e6)])
    assert frame["achieved"][0] == pytest.approx(6e4)


@pytest.mark.parametrize("name", hardware.names())
def test_every_device_has_ceilings_that_meet_at_its_ridge(name):
    profile = hardware.load(name)
    bounds = roofline_rows.ceilings(profile, profile.default_precision)
    kinds = [bound.kind for bound in bounds]
    assert kinds[0] == "peak"
    assert ("on_chip" in kinds) == (profile.on_chip_bytes_per_s is not None)
    frame, _ = roofline_rows.frame(KERNELS, bounds)
    ends = {
        (frame["style"][i], frame["intensity"][i], frame["achieved"][i])
        for i, role in enumerate(frame["role"])
        if role == "ceiling"
    }
    peak = profile.peak(profile.default_precision)
    if "memory" in kinds:
        ridge = peak / profile.memory_bytes_per_s
        assert any(s == "memory" and y == peak and x == pytest.approx(ridge) for s, x, y in ends)
        assert any(s == "peak" and y == peak and x == pytest.approx(ridge) for s, x, y in ends)


def test_the_names_of_ceilings_do_not_touch():
    bounds = roofline_rows.ceilings(hardware.load("nvidia_h100_sxm"), Precision.FP16)
    flat = sorted(bound.flops_per_s for bound in bounds if bound.kind in {"peak", "other"})
    assert all(high >= 1.9 * low for low, high in itertools.pairwise(flat))


# charts

GROUPS = module_tree.groups(PATHS, 1)
MADE = {
    "modules": (
        charts_layers.modules(pd.DataFrame(), "Time", "s"),
        layer_rows.by_module(KERNELS, GROUPS, "latency_s", "s"),
    ),
    "roofline": (
        charts_layers.roofline(pd.DataFrame()),
        roofline_rows.frame(
            KERNELS, roofline_rows.ceilings(hardware.load("nvidia_t4"), Precision.FP16)
        )[0],
    ),
    "graph": (
        charts_layers.graph(pd.DataFrame(), 3),
        layer_rows.graph(KERNELS, GROUPS, CHAIN)[0],
    ),
}


def encodings(specification):
    for layer in specification["layer"]:
        for name, definition in layer["encoding"].items():
            for each in definition if isinstance(definition, list) else [definition]:
                yield name, each


@pytest.fixture(params=MADE)
def made(request):
    chart, frame = MADE[request.param]
    return chart.to_dict(), frame  # to_dict refuses what Vega-Lite's schema does not know


def test_every_field_is_a_column_of_the_frame_and_has_a_type(made):
    specification, frame = made
    for name, definition in encodings(specification):
        if "field" in definition:
            assert definition["field"] in frame
            assert "type" in definition or name in {"x2", "y2"}


def test_colours_come_from_the_theme_in_the_order_of_the_palette(made):
    specification, _ = made
    scales = [
        d["scale"] for name, d in encodings(specification) if name == "color" and "scale" in d
    ]
    assert scales
    assert all(scale["domain"] == list(palette.DOMAIN) for scale in scales)
    assert "range" not in json.dumps(scales)
    assert "#" not in json.dumps(specification["layer"])


@pytest.mark.parametrize("name", ["modules", "roofline"])
def test_axes_name_their_units(name):
    specification = MADE[name][0].to_dict()
    titles = {d.get("title") for channel, d in encodings(specification) if channel == "x"}
    assert all("(" in title for title in titles if title)


def test_no_axis_of_the_graph_is_left_to_vega():
    # one that is missing in a layer cannot be merged with those that are off
    for name, definition in encodings(MADE["graph"][0].to_dict()):
        if name in {"x", "y"}:
            assert definition["axis"] is None


# explanations


def priced(cost, output=(2, 3), name="aten.conv2d"):
    formula = inspect.getdoc(costs.formulas()[name].formula) or ""
    return PricedOperator(
        name, "m", (("input", (1, 2)),), (output,), (("stride", (1, 1)),), cost, formula
    )


def test_the_formula_is_shown_with_its_values():
    line = explain.values_line(priced(Cost(macs=24, gemm=Gemm(2, 3, 4))))
    assert line == "macs = m × n × k = 2 × 3 × 4 = 24"
    grouped = explain.values_line(priced(Cost(macs=120, gemm=Gemm(2, 3, 4, groups=5))))
    assert grouped == "macs = groups × m × n × k = 5 × 2 × 3 × 4 = 120"
    # attention has two products of one size
    twice = explain.values_line(priced(Cost(macs=48, gemm=Gemm(2, 3, 4))))
    assert twice.startswith("macs = 2 × m × n × k = 2 × 2 × 3 × 4 = 48")


def test_values_are_put_in_only_where_they_give_the_number():
    assert explain.values_line(priced(Cost(macs=25, gemm=Gemm(2, 3, 4)))) == "macs = 25"
    assert explain.values_line(priced(Cost(vector_flops=7))) == "vector_flops = 7"
    assert explain.values_line(priced(Cost(vector_flops=12))) == (
        "vector_flops = 2 × 6 elements of the output = 12"
    )


def test_an_operator_without_a_formula_says_so():
    assert "No cost formula" in explain.values_line(priced(Cost(counted=False)))


def test_a_formula_is_shown_without_its_example_and_its_stars_stay():
    text = explain.formula(priced(Cost()))
    assert "**Formula:**" in text
    assert "**Source:**" in text
    assert ">>>" not in text
    assert "B \\* prod(P)" in text


# the library behind the view


def test_edges_lead_from_the_kernel_that_wrote_to_those_that_read():
    found = anatomy.anatomy(
        Network("unet", tuple(queries.families()["unet"].defaults.items())), "nvidia_t4"
    )
    assert all(first < last for first, last in found.edges)
    readers = {last for _, last in found.edges}
    assert readers == set(range(1, len(found.kernels["kernel"])))  # only the first reads the input
    joins = [i for i, name in enumerate(found.kernels["pattern"]) if name == "cat"]
    assert joins
    for join in joins:  # a skip and what comes from below
        assert sum(1 for _, last in found.edges if last == join) == 2


def test_nothing_fused_moves_the_most_bytes_in_the_most_kernels():
    network = Network("unet", tuple(queries.families()["unet"].defaults.items()))
    unfused, *stacks = anatomy.stacks(network, "nvidia_t4")
    assert unfused.stack == anatomy.UNFUSED
    assert [each.stack for each in stacks] == ["eager", "compiled", "engine"]
    assert all(each.kernels <= unfused.kernels for each in stacks)
    assert all(each.memory_bytes <= unfused.memory_bytes for each in stacks)


# the view


def opened(**link):
    app = AppTest.from_file(APP, default_timeout=120)
    for name, value in link.items():
        app.query_params[name] = value
    app.run()
    app.switch_page("views/layers.py").run()
    assert not app.exception, app.exception
    return app


def words(app):
    kinds = (app.markdown, app.caption, app.warning, app.info, app.error)
    return " ".join(str(each.value) for kind in kinds for each in kind)


def test_the_default_network_is_taken_apart(no_caches):
    app = opened()
    assert app.title[0].value == "Where does the time and energy go, kernel by kernel?"
    assert [metric.label for metric in app.metric] == ["Latency", "Energy", "MACs", "Memory moved"]
    said = words(app)
    # 16·3 + 2·16·16 weights of 3x3
    assert "3 kernels · " in said
    assert "5.04 k parameters" in said
    assert "0 without a cost formula" in said
    assert "Time of the dearest of 3 kernels" in said
    assert not app.error


@pytest.mark.parametrize("tab", ["Graph", "Table"])
def test_a_tab_is_made_when_it_is_open_and_explains_a_kernel(no_caches, tab):
    app = opened(**{"layers.show": tab})
    assert "macs = m × n × k = " in words(app)
    assert "of the dearest of" not in words(app)
    assert not app.session_state["explain.formulas"]
    assert "Formula:" not in words(app)
    app.session_state["explain.formulas"] = True
    app.run()
    assert "Formula:" in words(app)


def test_what_fusion_saves_is_a_tab(no_caches):
    app = opened(**{"layers.show": "What fusion saves"})
    table = app.dataframe[0].value
    assert list(table["Stack"]) == ["Nothing fused", "Eager", "Compiled", "Engine"]
    assert list(table["Kernels"])[:1] == [6]  # three convolutions, three activations


def test_modules_are_told_apart_as_deep_as_asked(no_caches):
    deep = opened(**{"model": "unet", "layers.show": "Graph", "layers.depth": "all"})
    shallow = opened(**{"model": "unet", "layers.show": "Graph", "layers.depth": "1"})
    counts = [len(app.get("vega_lite_chart")[-1].proto.data.data) for app in (deep, shallow)]
    assert counts[0] > counts[1]


def test_the_dearest_kernels_are_of_what_is_asked_about(no_caches):
    app = opened(model="unet")
    kernels = app.session_state["_layers_last"].kernels
    for share, column in (("time", "latency_s"), ("energy", "energy_dynamic_j")):
        app.session_state["layers.of"] = share
        app.run()
        lines = next(m.value for m in app.markdown if " of the dearest of " in m.value).splitlines()
        first = max(range(len(kernels["label"])), key=lambda i: kernels[column][i])
        assert lines[2].startswith("1. **")
        assert lines[2].endswith(f"`{kernels['label'][first]}`")


def test_the_network_chosen_on_another_page_is_the_one_here(no_caches):
    app = opened(**{"model": "unet", "unet.base_channels": "32", "stack": "engine"})
    assert app.selectbox(key="model").value == "unet"
    assert app.select_slider(key="unet.base_channels").value == 32
    assert "**unet** on" in words(app)


def test_the_table_is_searched_and_its_rows_are_those_of_the_network(no_caches):
    app = opened(model="unet")
    app.session_state["layers.show"] = "Table"
    app.run()
    table = app.dataframe[0].value
    assert list(table["#"]) == list(range(1, len(table) + 1))
    app.text_input(key="layers.search").set_value("max_pool2d").run()
    assert not app.exception
    assert len(app.dataframe[0].value) == 4
    assert f"4 of {len(table)} kernels" in words(app)
    app.text_input(key="layers.search").set_value("no such kernel").run()
    assert "No kernel matches" in words(app)


def test_the_dearest_kernel_is_explained_first(no_caches):
    app = opened(model="unet")
    app.session_state["layers.show"] = "Table"
    app.run()
    table = app.dataframe[0].value
    dearest = table.sort_values("Latency (µs)", ascending=False).iloc[0]
    assert app.selectbox(key="layers.kernel").value.startswith(dearest["Kernel"])


def test_another_network_forgets_the_kernel_and_depth_of_the_last(no_caches):
    app = opened(**{"model": "unet", "layers.show": "Graph"})
    app.selectbox(key="layers.kernel").set_value("pool (2)").run()
    app.session_state["layers.depth"] = "4"
    app.run()
    app.session_state["model"] = "conv2d_stack"
    app.run()
    assert not app.exception
    assert app.selectbox(key="layers.kernel").value.startswith("layers.")


def test_operators_without_a_formula_are_named(no_caches, monkeypatch):
    honest = costs.priced

    def with_a_gap(graph):
        found = honest(graph)
        monkeypatch.setattr(type(found), "uncounted_names", ("aten.mystery",))
        return found

    monkeypatch.setattr(costs, "priced", with_a_gap)
    answer = session.answer

    def with_a_count(*args, **kwargs):
        found = answer(*args, **kwargs)
        found.table["uncounted"] = 1
        return found

    monkeypatch.setattr(session, "answer", with_a_count)
    monkeypatch.setattr(queries, "foresee", lambda _found: None)
    app = opened()
    assert "1 operator has no cost formula: `aten.mystery`" in app.warning[0].value


def test_a_causal_mask_is_said(no_caches):
    app = opened(**{"model": "transformer_decoder", "transformer_decoder.sequence": "512"})
    assert "A causal mask leaves out" in words(app)


def test_what_cannot_be_computed_is_one_sentence(no_caches):
    app = opened()
    app.session_state["conv2d_stack.groups"] = 3
    app.run()
    assert not app.exception
    assert "groups must divide channels" in app.error[0].value


def test_a_zoo_model_that_is_not_chosen_yet_says_what_to_do(no_caches, monkeypatch):
    monkeypatch.setattr(queries, "zoo_installed", lambda: True)
    app = opened(model="zoo")
    assert "Choose a zoo model" in words(app)


def test_a_zoo_library_that_is_missing_is_one_sentence(no_caches, monkeypatch):
    from characterize.errors import MissingExtraError

    def missing(_name):
        raise MissingExtraError("timm is not installed; pip install 'characterize[timm]'.")

    monkeypatch.setattr(queries, "zoo_installed", lambda: True)
    monkeypatch.setattr(queries, "zoo_parameters", missing)
    app = opened(model="zoo")
    app.query_params["zoo"] = "timm/resnet50"
    app.run()
    assert not app.exception
    assert "timm is not installed" in app.error[0].value
    assert "Choose a zoo model" in words(app)


@pytest.mark.parametrize(
    ("moved", "on_chip", "said"),
    [
        (5e5, 8e12, "500 kB at 500 GB/s, 50% of the bandwidth"),
        # in a microsecond the memory moves 1 MB at most: 3 of 4 MB stay, at half of the chip's 8 TB/s
        (4e6, 8e12, "4 MB at 4 TB/s, more than the memory's 1 TB/s: at least 75 % of it stays on chip, "
                    "50% of the 8 TB/s there"),
        (4e6, None, "4 MB at 4 TB/s, more than the memory's 1 TB/s: at least 75 % of it stays on chip"),
    ],
)  # fmt: skip
def test_traffic_that_stays_on_the_chip_is_not_held_against_the_memory(moved, on_chip, said):
    kernel = {
        "flops": 0.0, "macs": 0.0, "worked_macs": 0.0, "memory_bytes": moved, "compute_s": 0.0,
        "memory_s": 1e-6, "overhead_s": 0.0, "latency_s": 1e-6,
    }  # fmt: skip
    assert explain.time_rows(kernel, 1e12, 1e12, on_chip)["What it is"][1] == said

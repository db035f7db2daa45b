"""Layers without a browser: layout, groups, frames and charts are pure."""

import itertools
import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some

from characterize import hardware
from characterize.records import Precision
from dashboard import charts_layers, kernel_layout, layer_rows, module_tree, palette, roofline_rows
from tests.dashboard_support import encodings

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

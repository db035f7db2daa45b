"""Charts are pure: a frame in, a specification out, checked against Vega-Lite's schema by Altair."""

import ast
import re

import altair as alt
import pandas as pd
import pytest

from dashboard import charts, kernel_bars, palette, readable
from dashboard.encodings import axis, scale
from tests.dashboard_support import KERNELS, ROOT, ROWS, encodings

DEVICES = readable.by_device(ROWS, readable.LATENCY, {})
PLACES = {
    name: [1.0] for name in ("bandwidth", "peak")
} | {
    name: ["x"]
    for name in ("device", "architecture", "precision", "bandwidth_text", "peak_text",
                 "ridge_text", "power_text", "confidence", "chosen")
}  # fmt: skip
NAMES = tuple(DEVICES["device"])


def of_devices(rows=DEVICES, spread="log", pinned=True):
    """A chart with all that it can have."""
    return charts.devices(
        pd.DataFrame(rows), "Latency", "s", spread=spread, names=NAMES, ranged=True, pinned=pinned
    )


MADE = {
    "devices": (of_devices({}), DEVICES),
    "devices, linear": (of_devices({}, "even"), DEVICES),
    "devices, nothing pinned": (of_devices({}, pinned=False), DEVICES),
    "speedups": (charts.speedups(pd.DataFrame(), spread="log", names=NAMES), DEVICES),
    "kernels": (
        charts.kernels(pd.DataFrame(), "Time", "s"),
        kernel_bars.top_kernels(KERNELS, "latency_s", "s"),
    ),
    "places": (charts.places(pd.DataFrame()), PLACES),
    "key": (charts.key(pd.DataFrame()), readable.key()),
}


@pytest.fixture(params=MADE)
def made(request):
    chart, frame = MADE[request.param]
    return chart.to_dict(), frame  # to_dict refuses what Vega-Lite's schema does not know


def test_every_field_is_a_column_of_the_frame_and_has_a_type(made):
    specification, frame = made
    fields = [definition for _, definition in encodings(specification) if "field" in definition]
    assert fields
    for definition in fields:
        assert definition["field"] in frame
        if "type" not in definition:  # the second end of a range has that of the first
            assert definition["field"] in {"high", "value"}


def test_colours_come_from_the_theme_in_the_order_of_the_palette(made):
    specification, _ = made
    scales = [
        d["scale"] for name, d in encodings(specification) if name == "color" and "scale" in d
    ]
    assert scales
    for each in scales:
        assert each == {"domain": list(palette.DOMAIN)}  # and no range: that is the theme's


def test_architectures_have_shapes_and_not_only_colours():
    for name in ("devices", "speedups", "places", "key"):
        shapes = [d for channel, d in encodings(MADE[name][0].to_dict()) if channel == "shape"]
        assert shapes, name
        for shape in shapes:
            assert shape["field"] == "architecture"
            assert shape["scale"] == {"domain": list(palette.DOMAIN), "range": list(palette.SHAPES)}


def test_a_specification_does_not_depend_on_the_rows():
    # this is what lets a slider step send rows only
    some = of_devices().to_dict()
    none = MADE["devices"][0].to_dict()
    assert some["layer"] == none["layer"]


@pytest.mark.parametrize(("width", "written"), [
    (300, {"1ms", "2ms", "5ms", "10ms", "20ms", "50ms", "100ms"}),
    (200, {"1ms", "10ms", "100ms"}),
])  # fmt: skip
def test_two_decades_are_written_at_1_2_and_5_where_there_is_room(width, written):
    images = pytest.importorskip("vl_convert", reason="drawing needs the extra 'images'")
    values = [{"value": 1e-3, "device": "A"}, {"value": 0.1, "device": "B"}]
    x = alt.X("value:Q", scale=scale("log"), axis=axis("s", "log"))
    chart = alt.Chart(alt.Data(values=values)).mark_point().encode(x=x).properties(width=width)
    svg = images.vegalite_to_svg(chart.to_json())
    assert set(re.findall(r">(\d+m?s)<", svg)) == written


@pytest.mark.parametrize(("spread", "kind"), [("log", "log"), ("even", None)])
def test_decades_are_shown_on_a_logarithmic_axis_and_with_units(spread, kind):
    figure = of_devices({}, spread).to_dict()
    axes = [d for name, d in encodings(figure) if name == "x" and d["field"] == "value"]
    assert [axis["scale"].get("type") for axis in axes] == [kind]
    assert axes[0]["title"] == "Latency (s)"
    assert axes[0]["axis"]["labelExpr"].find("'s'") > 0


def test_no_bar_starts_from_zero_on_a_logarithmic_axis():
    # such a bar draws nothing; a range from low to high does
    figure = of_devices({}).to_dict()
    bars = [layer for layer in figure["layer"] if layer["mark"]["type"] == "bar"]
    assert [(bar["encoding"]["x"]["field"], bar["encoding"]["x2"]["field"]) for bar in bars] == [("low", "high")]  # fmt: skip


def test_what_is_not_pinned_has_no_layers():
    def marks(chart):
        return [layer["mark"]["type"] for layer in chart.to_dict()["layer"]]

    assert marks(of_devices(pinned=False)) == ["bar", "point"]
    assert marks(of_devices()) == ["bar", "rule", "point", "text", "point"]


def test_a_tooltip_says_range_confidence_and_what_was_not_counted():
    figure = of_devices({}).to_dict()
    told = {d["field"] for name, d in encodings(figure) if name == "tooltip"}
    assert {"text", "range_text", "pinned_text", "change_text", "confidence", "uncounted"} <= told


def test_the_module_draws_without_streamlit_and_names_no_colour():
    source = (ROOT / "dashboard" / "charts.py").read_text()
    imported = {
        name
        for node in ast.walk(ast.parse(source))
        for name in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import)
            else [node.module] if isinstance(node, ast.ImportFrom) else []
        )
    }  # fmt: skip
    assert not [name for name in imported if name and name.startswith("streamlit")]
    assert not re.findall(
        r"#[0-9A-Fa-f]{6}|['\"](?:red|blue|green|orange|black|white|gr[ae]y)['\"]", source
    )

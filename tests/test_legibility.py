"""What is written in charts can be read: its colour, its place on a narrow page, its signs."""

import re

import pandas as pd
import pytest

from dashboard import (
    charts,
    charts_compare,
    charts_curve,
    charts_layers,
    charts_sweep,
    charts_validation,
    encodings,
    images,
    line_names,
    palette,
    panels,
)
from tests.test_theme import THEME, contrast

NOTHING = pd.DataFrame()
CHARTS = {
    "devices": charts.devices(
        NOTHING, "Latency", "s", spread="log", names=("A",), ranged=True, pinned=True
    ),
    "speedups": charts.speedups(NOTHING, spread="log", names=("A",), pinned=True),
    "kernels": charts.kernels(NOTHING, "Time", "s"),
    "key": charts.key(NOTHING),
    "places": charts.places(NOTHING),
    "heatmap": charts_compare.heatmap(NOTHING, "Latency", "s", networks=3, reverse=True),
    "multiple": charts_compare.multiple(NOTHING, "Latency", "s", spread="log"),
    "frontier": charts_compare.frontier(NOTHING),
    "curve": charts_curve.curve(
        NOTHING, "Latency", "s", "Channels", ("A",), logarithmic=True, spread="log"
    ),
    "modules": charts_layers.modules(NOTHING, "Time", "s"),
    "roofline": charts_layers.roofline(NOTHING),
    "roofline, pinned": charts_layers.roofline(NOTHING, pinned=True),
    "graph": charts_layers.graph(NOTHING, 3),
    "sweep, lines": charts_sweep.lines(NOTHING, "Latency", "s", x="Layers", spread="log"),
    "agreement": charts_validation.agreement(NOTHING),
    "residuals": charts_validation.residuals(NOTHING),
}
TEXTS = sorted(
    name
    for name, chart in CHARTS.items()
    if any(layer["mark"]["type"] == "text" for layer in chart.to_dict()["layer"])
)


@pytest.mark.parametrize("name", TEXTS)
def test_text_has_the_colour_that_is_made_for_text(name):
    # 4.5:1 on the page (tests/test_theme.py), or black or white, whichever is legible on its cell
    for layer in CHARTS[name].to_dict()["layer"]:
        if layer["mark"]["type"] == "text":
            on_cell = layer["mark"].get("color", {}).get("expr", "")
            colour = layer["encoding"].get("color", {})
            is_reference = colour.get("datum") == palette.REFERENCE
            assert is_reference or on_cell == encodings.ON_COLOUR.format(field="value")


def blended(colour, background, opacity):
    channels = [[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in (colour, background)]
    return "#" + "".join(
        f"{round(opacity * x + (1 - opacity) * y):02X}" for x, y in zip(*channels, strict=True)
    )


def least_opacity(layer):
    """Of the marks of a layer, 1 where none is set."""
    said = layer["encoding"].get("opacity", layer["mark"].get("opacity", 1))
    if not isinstance(said, dict):
        return said
    conditions = said.get("condition", [])
    cases = [said, *(conditions if isinstance(conditions, list) else [conditions])]
    return min(case["value"] for case in cases if "value" in case)


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("name", CHARTS)
def test_marks_stand_out_from_the_page_also_where_they_are_paler(name, mode):
    colours = dict(zip(palette.DOMAIN, THEME[mode]["chartCategoricalColors"], strict=True))
    background = THEME[mode]["backgroundColor"]
    for layer in CHARTS[name].to_dict()["layer"]:
        field = layer["encoding"].get("color", {}).get("field")
        if layer["mark"]["type"] == "point" or field == "bottleneck":
            shown = palette.BOTTLENECKS if field == "bottleneck" else palette.ARCHITECTURES
            opacity = least_opacity(layer)
            for each in shown if opacity else ():  # 0: there to make room
                assert contrast(blended(colours[each], background, opacity), background) >= 3.0, (
                    each
                )


def test_every_chart_of_a_page_says_how_its_axes_and_legends_are_written():
    made = panels._specification(charts.devices, "Latency", "s", spread="log", names=("A",))
    assert made["config"]["mark"] == {"opacity": 1}  # Vega-Lite's own is 0.7 for points
    for part in ("axis", "legend"):
        for what in ("labelColor", "titleColor"):
            assert set(re.findall("#[0-9A-F]{6}", str(made["config"][part][what]))) == set(
                encodings.ON_PAGE
            )


def test_what_is_for_a_narrow_page_has_no_size_on_others_and_the_other_way_round():
    layers = CHARTS["curve"].to_dict()["layer"]
    texts = [
        layer["mark"]["fontSize"]["expr"] for layer in layers if layer["mark"]["type"] == "text"
    ]
    assert texts == [f"{line_names.NARROW} ? 0 : 11", f"{line_names.NARROW} ? 11 : 0"]


ROWS = [
    *({"role": "point", "at": at, "value": at * k, "low": at * k, "high": at * k, "device": name,
       "architecture": "cpu", "dash": k - 1} for at in (1, 2) for k, name in ((1, "A"), (2, "B"))),
    *({"role": "label", "at": 2, "label_at": 2 * k, "place": k - 1, "device": name,
       "architecture": "cpu", "dash": k - 1} for k, name in ((1, "A"), (2, "B"))),
]  # fmt: skip


def test_a_saved_curve_names_its_lines_beside_their_ends():
    pytest.importorskip("vl_convert", reason="pictures need the extra 'images'")
    specification = panels._specification(
        charts_curve.curve, "Latency", "s", "Channels", ("A", "B"), logarithmic=False, spread="even"
    )
    theme = images.Theme("#FFFFFF", "#0A121A", "#D5DCE3", ("#0072B2",) * 7 + ("#6B7280",))
    picture = images.draw("svg", specification, pd.DataFrame(ROWS), theme).decode()
    for name in "AB":
        ((across, fill),) = re.findall(
            rf'translate\(([\d.]+),[^>]*font-size="11px" fill="(#\w+)"[^>]*>{name}</text>', picture
        )
        # right of the plot, by the gap on either side of a piece of the line
        assert float(across) == images.WIDTH + 2 * line_names.GAP + line_names.SHORT
        assert fill == "#6B7280"  # and not the line's
    dashes = re.findall(r'<line[^>]*stroke="#0072B2"[^>]*stroke-width="2"[^>]*/?>', picture)
    assert len(dashes) == 2

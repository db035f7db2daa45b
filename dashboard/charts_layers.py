"""Charts of the Layers view: bars by module, a roofline, a drawn graph. Frames in, charts out.

As in ``dashboard.charts`` no chart knows Streamlit, a colour or a number: the frames of
``dashboard.layer_rows`` and ``dashboard.roofline_rows`` bring places and texts, and a chart's
specification is the same for every frame. A frame holds marks of several kinds in one table, told
apart by ``role``, so that one table travels.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import altair as alt
import pandas as pd

from dashboard import encodings, line_names, palette
from dashboard.encodings import PADDING, reference, texts

BAR_STEP: Final = 28
PINNED_STEP: Final = 36  # with letters above the lines across a bar
RANK_STEP: Final = 60  # pixels a rank of the graph: a box with two lines of text, and its edges
ROOFLINE_HEIGHT: Final = 460
LIST_TOP: Final = 104  # pixels from the axis down to the names of the ceilings on a narrow page
LABEL_LIMIT: Final = 190
BOX_TEXT: Final = "abs(scale('x', 0.92) - scale('x', 0)) - 16"  # pixels a box has for a text
PICK: Final = "pick"  # the selection of a box: its ``id``

_ROUND: Final = "indexof([1], +(format(datum.value, '.0e')[0])) >= 0"
_DASHES: Final = {
    "peak": [1, 0],
    "memory": [1, 0],
    "on_chip": [8, 3],
    "vector": [6, 4],
    "other": [2, 4],
}


def modules(rows: pd.DataFrame, title: str, unit: str, *, pinned: bool = False) -> alt.LayerChart:
    """Time or energy by module, each bar stacked by what binds the kernels in it.

    Args:
        rows: one row a module and bottleneck with ``label``, ``order``, ``value``, ``bottleneck``,
            ``bound_order``, ``end`` (of all in its row), ``end_text`` (once a bar), ``room``, ``said``
            and, for the tooltip, ``text``, ``share``, ``whole_text`` and ``count``; and one row a pin and
            module with ``pinned`` instead of ``value``, its ``letter`` and texts for the tooltip.
        title: what the bars measure.
        unit: its SI unit.
        pinned: whether there are pinned configurations.
    """
    heading = f"{title} ({unit})"
    y = encodings.rows("label", limit=LABEL_LIMIT, grid=False)
    axis = alt.Axis(labelExpr=f"format(datum.value, '~s') + '{unit}'", tickCount=4, grid=True)
    base = alt.Chart(rows).encode(y=y)
    parts = base.transform_filter("isValid(datum.value)")
    bars: alt.Chart = parts.mark_bar(height=16).encode(
        x=alt.X("value:Q", title=heading, stack="zero", axis=axis, scale=alt.Scale(padding=0)),
        color=_bound_colour(),
        order=alt.Order("bound_order:Q"),
        description="said:N",
        tooltip=[
            alt.Tooltip("label:N", title="Module"),
            alt.Tooltip("bottleneck:N", title="Kernels bound by"),
            alt.Tooltip("count:Q", title="Kernels", format=",d"),
            alt.Tooltip("text:N", title=f"{title} of these"),
            alt.Tooltip("whole_text:N", title=f"{title} of the module"),
            alt.Tooltip("share:Q", title="Share of the network", format=".1%"),
        ],
    )
    shares = parts.mark_text(align="left", baseline="middle", dx=6, fontSize=12).encode(
        x=alt.X("end:Q", title=heading), text="end_text:N", color=reference()
    )
    room = parts.mark_point(opacity=0, aria=False).encode(x=alt.X("room:Q", title=heading))
    ghosts = _pinned_bars(base, alt.X("pinned:Q", title=heading), title) if pinned else []
    figure = alt.LayerChart(layer=[bars, *ghosts, shares, room])
    step = PINNED_STEP if pinned else BAR_STEP
    return figure.properties(height=alt.Step(step), padding=PADDING)


def _pinned_bars(base: alt.Chart, x: alt.X, title: str) -> list[alt.Chart]:
    """A line across each bar at what a pinned configuration takes, with its letter."""
    ghosts = base.transform_filter("isValid(datum.pinned)").encode(
        x=x,
        tooltip=[
            alt.Tooltip("label:N", title="Module"),
            alt.Tooltip("pin:N", title="Pinned"),
            alt.Tooltip("pinned_text:N", title=f"Its {title.lower()}"),
            alt.Tooltip("change_text:N", title="Change from it"),
        ],
    )
    # on a strip of the page, since no grey stands out from every colour of the bars
    strips: alt.Chart = ghosts.mark_tick(
        orient="vertical", size=22, thickness=6, color=alt.ExprRef("background"), aria=False
    )
    lines: alt.Chart = ghosts.mark_tick(orient="vertical", size=22, thickness=2.5).encode(
        color=reference()
    )
    letters: alt.Chart = ghosts.mark_text(
        dy=-17, fontSize=10, fontWeight="bold", aria=False
    ).encode(text="letter:N", color=reference())
    return [strips, lines, letters]


def roofline(rows: pd.DataFrame, *, pinned: bool = False) -> alt.LayerChart:
    """Kernels by intensity and achieved throughput, under the device's ceilings.

    Args:
        rows: ``role`` ``kernel``: a point with ``intensity`` (flop/B), ``achieved`` (flop/s),
            ``share`` of the time, ``bottleneck``, ``said`` and texts for the tooltip; ``pinned``: one of a
            pinned configuration, with ``pin`` and its ``letter``; ``ceiling``: an end of ``line`` in
            a ``style``; ``name_left`` and ``name_right``: where its name stands, on a narrow page a
            ``short`` one; ``listed``: its ``place`` in the list of such a page.
        pinned: whether there are pinned kernels.
    """
    x = alt.X(
        "intensity:Q",
        title="Intensity (flop/B)",
        scale=alt.Scale(type="log", nice=False),
        axis=_log_axis(""),
    )
    y = alt.Y(
        "achieved:Q",
        title="Throughput (flop/s)",
        scale=alt.Scale(type="log", nice=False, padding=14),
        axis=_log_axis(""),
    )
    base = alt.Chart(rows).encode(x=x, y=y)
    lines: alt.Chart = (
        base.transform_filter("datum.role === 'ceiling'")
        .mark_line(strokeWidth=1.6, aria=False)
        .encode(
            color=reference(),
            detail="line:N",
            strokeDash=_styles(),
        )
    )
    name = alt.ExprRef(f"{line_names.NARROW} ? datum.short : datum.line")
    left = base.transform_filter("datum.role === 'name_left'").mark_text(
        align="left", baseline="middle", dx=6, fontSize=11, text=name
    )
    right = base.transform_filter("datum.role === 'name_right'").mark_text(
        align="right", baseline="bottom", dx=-2, dy=-3, fontSize=11, text=name
    )
    names = [each.encode(color=reference()) for each in (left, right)]
    listed = line_names.listed(
        alt.Chart(rows).transform_filter("datum.role === 'listed'"),
        "line",
        {"color": reference(), "strokeDash": _styles()},
        top=LIST_TOP,
        columns=1,
    )
    points = _roofline_points(base, "kernel").mark_point(filled=True, opacity=0.85)
    ghosts = _ghosts(base) if pinned else []
    figure = alt.LayerChart(layer=[lines, *names, *listed, *ghosts, points])
    return figure.properties(height=ROOFLINE_HEIGHT, padding=PADDING)


def _styles() -> alt.StrokeDash:
    styles = alt.Scale(domain=list(_DASHES), range=list(_DASHES.values()))
    return alt.StrokeDash("style:N", scale=styles, legend=None)


def _roofline_points(base: alt.Chart, role: str) -> alt.Chart:
    told = {
        **({"pin": "Pinned"} if role == "pinned" else {}),
        "name": "Kernel",
        "pattern": "Pattern",
        "intensity_text": "Intensity",
        "achieved_text": "Achieved",
        "latency_text": "Latency of one",
        "macs_text": "MACs",
        "bytes_text": "Memory traffic",
        "bottleneck": "Bound by",
    }
    made: alt.Chart = base.transform_filter(f"datum.role === '{role}'").encode(
        color=_bound_colour(),
        shape=_bound_shape(),
        size=alt.Size("share:Q", scale=alt.Scale(range=[45, 420], zero=True), legend=None),
        description="said:N",
        tooltip=[
            *texts(told),
            alt.Tooltip("share:Q", title="Share of the time", format=".1%"),
        ],
    )
    return made


def _ghosts(base: alt.Chart) -> list[alt.Chart]:
    """Pinned kernels as hollow marks, with the letter of their pin where they take long."""
    ghosts = _roofline_points(base, "pinned").mark_point(filled=False, strokeWidth=1.8)
    letters: alt.Chart = (
        base.transform_filter("datum.role === 'pinned'")
        .mark_text(dy=-13, fontSize=10, fontWeight="bold", aria=False)
        .encode(text="letter:N", color=reference())
    )
    return [ghosts, letters]


def graph(rows: pd.DataFrame, ranks: int, *, pin: str = "") -> alt.LayerChart:
    """Kernels, or modules of them, as boxes that data flows through from top to bottom.

    Each box has an outline and a strip as long as its share of the time, coloured by what binds
    it; a click picks its ``id``.

    Args:
        rows: ``role`` ``node``: a box ``x``..``x2``, ``y``..``y2`` with ``bar``, ``strip``,
            ``middle``, ``id``, ``label``, ``detail``, ``bottleneck`` and texts for the tooltip;
            ``edge``: point ``step`` of line ``edge``; ``room``: a corner of the picture.
        ranks: how many boxes it is tall.
        pin: the letter of the pinned configuration that boxes are compared with, if any.
    """
    x = alt.X("x:Q", axis=None, scale=alt.Scale(zero=False, nice=False, padding=0))
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(zero=False, nice=False, padding=0, reverse=True))
    base = alt.Chart(rows).encode(x=x, y=y)
    room = base.transform_filter("datum.role === 'room'").mark_point(opacity=0, aria=False)
    edges = (
        base.transform_filter("datum.role === 'edge'")
        .mark_line(
            strokeWidth=1.3,
            strokeOpacity=0.75,
            orient="horizontal",
            interpolate="monotone",
            aria=False,
        )
        .encode(detail="edge:N", order="step:Q", color=reference())
    )
    nodes = base.transform_filter("datum.role === 'node'")
    pick = alt.selection_point(name=PICK, fields=["id"], on="click", clear=False)
    boxes = (
        nodes.mark_rect(
            filled=False, fill="transparent", strokeWidth=1.5, cornerRadius=5, cursor="pointer"
        )
        .encode(
            x2="x2:Q",
            y2="y2:Q",
            color=_bound_colour("top"),
            tooltip=_box_tooltip(pin),
            description="name:N",
        )
        .add_params(pick)
    )
    strips = nodes.mark_rect(cornerRadius=2, aria=False).encode(
        x2="bar:Q", y=alt.Y("strip:Q", axis=None), y2="y2:Q", color=_bound_colour("top")
    )
    text: dict[str, Any] = {"align": "left", "dx": 8, "limit": {"expr": BOX_TEXT}, "aria": False}
    labels = nodes.mark_text(baseline="bottom", dy=-1, fontSize=12, fontWeight="bold", **text)
    details = nodes.mark_text(baseline="top", dy=1, fontSize=11, **text)
    middle = alt.Y("middle:Q", axis=None)  # left out in one layer, Vega-Lite fails to merge axes
    named = labels.encode(y=middle, text="label:N", color=reference())
    detailed = details.encode(y=middle, text="detail:N", color=reference())
    return (
        alt.layer(room, edges, strips, named, detailed, boxes)
        .properties(height=max(1, ranks) * RANK_STEP, padding=PADDING)
        .configure_view(stroke=None)
    )


def _box_tooltip(pin: str) -> list[alt.Tooltip]:
    told = {
        "name": "Kernel",
        "module": "Module",
        "pattern": "Pattern",
        "reason": "Not fused further",
        "macs_text": "MACs",
        "bytes_text": "Memory traffic",
        "intensity_text": "Intensity",
        "latency_text": "Latency",
        **({"before_text": f"Pinned ({pin})", "change_text": f"Change from {pin}"} if pin else {}),
        "share_text": "Share of the time",
        "bottleneck": "Bound by",
    }
    return texts(told)


def _scale() -> alt.Scale:
    # the whole domain, so that the theme's list of colours is read in its order
    return alt.Scale(domain=list(palette.DOMAIN))


def _bound_colour(side: Literal["bottom", "top"] = "bottom") -> alt.Color:
    return alt.Color("bottleneck:N", scale=_scale(), title=None, legend=_legend(side))


def _bound_shape() -> alt.Shape:
    scale = alt.Scale(domain=list(palette.DOMAIN), range=list(palette.SHAPES))
    return alt.Shape("bottleneck:N", scale=scale, title=None, legend=_legend("bottom"))


def _legend(side: Literal["bottom", "top"]) -> alt.Legend:
    return alt.Legend(
        values=list(palette.BOTTLENECKS),
        orient=side,
        title=None,
        symbolOpacity=1,
        symbolSize=100,
        symbolStrokeWidth=1,  # Streamlit's makes a blot of a cross
        offset=4,
    )


def _log_axis(unit: str) -> alt.Axis:
    """Powers of ten with SI prefixes."""
    written = f"format(datum.value, '~s') + '{unit}'"
    decades = {"condition": {"test": _ROUND, "value": 1}, "value": 0}
    return alt.Axis(
        labelExpr=f"{_ROUND} ? {written} : ''",
        grid=True,
        gridOpacity=decades,
        tickOpacity=decades,
        labelOverlap="greedy",
    )

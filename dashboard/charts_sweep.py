"""Charts of the Sweep view: a heatmap, lines, a scatter with its frontier. Frames in, charts out.

The frames come from ``dashboard.sweep_rows``; see ``dashboard.charts`` for what a chart knows. A click
on a mark is the selection ``pick``, whose ``id`` says what the mark stands for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import altair as alt
import pandas as pd
from altair.typing import ChartType

from dashboard import line_names, palette
from dashboard.encodings import (
    PADDING,
    Spread,
    axis,
    colour,
    gradient,
    log_legend,
    reference,
    scale,
    shape,
)

HEIGHT: Final = 460
LIST_TOP: Final = 98  # pixels from the axis down to the names of the lines on a narrow page
PICK: Final = "pick"
_KEPT: Final = "id:N"
"""A mark belongs to what it stands for. Without this every mark is taken out of the page and made
anew when rows are replaced, which takes longer than to change those that differ."""


def _pick() -> alt.Parameter:
    return alt.selection_point(name=PICK, fields=["id"], on="click", clear="dblclick")


def heatmap(
    tiles: pd.DataFrame,
    title: str,
    unit: str,
    *,
    x: str,
    y: str,
    share: bool,
    of: str,
    across: tuple[str, ...],
    up: tuple[str, ...],
) -> ChartType:
    """Two axes of a sweep: a cell's colour is its value, a small cross where nothing is in budget.

    Args:
        tiles: one row a cell with ``id``, ``x``, ``y``, ``value`` (missing outside the budgets),
            ``outside``, ``chosen`` (whether it was clicked), ``said``, what is read out of it, and
            texts for the tooltip.
        title: what is shown.
        unit: its SI unit, "" for a share or a count.
        x: what is across.
        y: what is up.
        share: whether values are shares, from 0 to 1.
        of: what of a cell's rows is shown: ``best``, ``median`` or ``share``.
        across: the values of x from left to right.
        up: the values of y from the top.
    """
    told = [
        alt.Tooltip("x:N", title=x),
        alt.Tooltip("y:N", title=y),
        alt.Tooltip("text:N", title=title),
        alt.Tooltip("best_text:N", title="Best"),
        alt.Tooltip("worst_text:N", title="Worst"),
        alt.Tooltip("feasible_text:N", title="Within the budgets"),
    ]
    if of == "best":
        del told[3]  # it is what is shown
    base = alt.Chart(tiles).encode(
        x=alt.X("x:N", title=x, scale=_domain(across), axis=alt.Axis(labelAngle=0, **_AXIS)),
        y=alt.Y("y:N", title=y, scale=_domain(up), axis=alt.Axis(**_AXIS)),
    )
    shares: dict[str, Any] = {
        "values": [0, 0.25, 0.5, 0.75, 1],
        "labelExpr": "format(datum.value, '.0%')",
    }
    legend = gradient(title, **shares) if share else log_legend(title, unit)
    kind = alt.Scale(domain=[0, 1]) if share else alt.Scale(type="log", reverse=True)
    boxes: alt.Chart = base.mark_rect().encode(
        key=_KEPT,
        color=alt.Color("value:Q", scale=kind, legend=legend),
        description="said:N",
        tooltip=told,
    )
    crosses: alt.Chart = (
        base.transform_filter("datum.outside")
        .mark_point(
            shape="cross", size=14, opacity=0.5, filled=True, color=alt.ExprRef(_GREY), aria=False
        )
        .encode(key=_KEPT)
    )
    ring: alt.Chart = base.transform_filter("datum.chosen").mark_rect(
        filled=False, strokeWidth=3, color=alt.ExprRef(_RING), aria=False
    )
    return alt.layer(boxes.add_params(_pick()), crosses, ring).properties(
        height=HEIGHT, padding=PADDING
    )


_AXIS: Final[dict[str, Any]] = {
    "labelOverlap": "parity", "labelFlush": False, "ticks": False, "domain": False,
}  # fmt: skip
"""Where labels do not fit, every other one is left out, so that those left are as far apart."""
_RING: Final = "'#E69F00'"  # stands out from every blue of a heatmap, in both themes
_GREY: Final = "'#808890'"  # between both backgrounds: 3:1 and more on either


def _domain(values: Sequence[str]) -> alt.Scale:
    """Values in their order, which the browser then need not work out from all rows."""
    return alt.Scale(domain=list(values))


def lines(points: pd.DataFrame, title: str, unit: str, *, x: str, spread: Spread) -> ChartType:
    """One axis of a sweep: a line a device, its name at the end.

    Args:
        points: one row a device and value of the axis with ``id``, ``x``, ``value``, ``device``,
            ``architecture``, ``label`` (at the end of a line), ``label_at`` (its height), ``chosen``
            and texts for the tooltip.
        title: what is up.
        unit: its SI unit.
        x: what is across.
        spread: how far the values lie apart.
    """
    heading = _named(title, unit)
    # lines of one architecture are told apart by their dashes
    table = alt.Chart(points).transform_window(
        dash="dense_rank()", groupby=["architecture"], sort=[alt.SortField("device")]
    )
    base = table.encode(
        x=alt.X("x:Q", title=x, scale=alt.Scale(nice=False, padding=6), axis=alt.Axis(tickCount=8)),
        y=alt.Y("value:Q", title=heading, scale=scale(spread), axis=axis(unit, spread, "y")),
        color=colour("architecture", palette.ARCHITECTURES),
        detail="device:N",
    )  # fmt: skip
    dash = line_names.dashes("dash", first=1)
    strokes: alt.Chart = base.mark_line(strokeWidth=2, aria=False).encode(strokeDash=dash)
    marks: alt.Chart = base.mark_point(filled=True, size=70).encode(
        key=_KEPT,
        shape=shape(shown=palette.ARCHITECTURES),
        description="said:N",
        tooltip=[
            alt.Tooltip("device:N", title="Device"),
            alt.Tooltip("x_text:N", title=x),
            alt.Tooltip("text:N", title=title),
            alt.Tooltip("best_text:N", title="Best"),
            alt.Tooltip("worst_text:N", title="Worst"),
            alt.Tooltip("feasible_text:N", title="Within the budgets"),
        ],
    )
    labels = table.transform_filter("datum.label !== ''").transform_window(place="row_number()")
    places = {"x": alt.X("x:Q", title=x), "y": alt.Y("label_at:Q", title=heading)}
    known = {"color": colour("architecture"), "strokeDash": dash}
    names = [
        *line_names.at_ends(labels, "label", places, known),
        *line_names.listed(labels, "label", known, top=LIST_TOP, place="datum.place - 1"),
    ]
    return alt.layer(strokes, marks.add_params(_pick()), *names, _chosen(base)).properties(
        height=HEIGHT, padding=PADDING
    )


def scatter(
    marks: pd.DataFrame,
    *,
    x: str,
    x_unit: str,
    y: str,
    y_unit: str,
    x_spread: Spread,
    y_spread: Spread,
) -> ChartType:
    """Two measures of a sweep: the frontier in full, and a sample of what lies behind it.

    Args:
        marks: one row a mark with ``id``, ``kept`` (a number for each ``id``, another on the
            frontier), ``x``, ``y``, ``architecture``, ``frontier``, ``size`` (square pixels),
            ``chosen``, ``said``, what is read out of it, and texts for the tooltip.
        x: what is across.
        x_unit: its SI unit.
        y: what is up.
        y_unit: its SI unit.
        x_spread: how far values lie apart across.
        y_spread: how far values lie apart upwards.
    """
    base = alt.Chart(marks).encode(
        x=alt.X("x:Q", title=_named(x, x_unit), scale=scale(x_spread), axis=axis(x_unit, x_spread)),
        y=alt.Y(
            "y:Q", title=_named(y, y_unit), scale=scale(y_spread), axis=axis(y_unit, y_spread, "y")
        ),
    )
    told = [
        alt.Tooltip("device:N", title="Device"),
        alt.Tooltip("settings:N", title="Configuration"),
        alt.Tooltip("x_text:N", title=x),
        alt.Tooltip("y_text:N", title=y),
        alt.Tooltip("count_text:N", title="Stands for"),
    ]
    best = base.transform_filter("datum.frontier")
    line: alt.Chart = best.mark_line(strokeWidth=1.5, interpolate="step-after", aria=False).encode(
        color=reference(), order="x:Q"
    )
    points: alt.Chart = base.mark_point(filled=True, opacity=1).encode(
        key="kept:Q",  # a row may be on the frontier and in the sample
        color=colour("architecture", palette.ARCHITECTURES),
        shape=shape(shown=palette.ARCHITECTURES),
        size=alt.Size("size:Q", scale=None, legend=None),
        description="said:N",
        tooltip=told,
    )
    return alt.layer(line, points.add_params(_pick()), _chosen(base)).properties(
        height=HEIGHT, padding=PADDING
    )


def _chosen(base: alt.Chart) -> alt.Chart:
    """A ring around the mark that was clicked."""
    found: alt.Chart = base.transform_filter("datum.chosen").mark_point(
        size=340, strokeWidth=2.5, filled=False, aria=False, shape="circle"
    )
    return found.encode(color=reference())


def _named(title: str, unit: str) -> str:
    return f"{title} ({unit})" if unit else title

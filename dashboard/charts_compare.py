"""Charts of the Compare view: a heatmap, small multiples, a frontier. Frames in, charts out.

The frames come from ``dashboard.compare_rows``; see ``dashboard.charts`` for what a chart knows.
"""

from __future__ import annotations

from typing import Any, Final

import altair as alt
import pandas as pd
from altair.typing import ChartType

from dashboard.encodings import (
    ON_COLOUR,
    PADDING,
    Spread,
    axis,
    colour,
    log_legend,
    reference,
    rows,
    scale,
    shape,
)

ROW_STEP: Final = 34  # pixels a device in the heatmap
SMALL_STEP: Final = 24  # and in a small multiple
TEXT_WIDTH: Final = 66  # pixels that a value needs in its cell
NAME_WIDTH: Final = 110  # pixels that the name of a network needs above its column
_TWO_LINES: Final = (
    "indexof(datum.label, ' ') < 0 ? ['', datum.label] : [split(datum.label, ' ')[0], "
    "substring(datum.label, indexof(datum.label, ' ') + 1)]"
)
FRONTIER_HEIGHT: Final = 300
NAME_LIMIT: Final = 150  # pixels of a device's name beside its row


def heatmap(
    cells: pd.DataFrame, title: str, unit: str, *, networks: int, reverse: bool
) -> ChartType:
    """One cell a network and device: its value in words, its standing as colour, a star if best.

    Args:
        cells: one row a cell with ``network``, ``network_order``, ``device``, ``order``, ``value``,
            ``cell_text``, ``best``, ``said`` and texts for the tooltip.
        title: what is compared.
        unit: its SI unit.
        networks: how many networks there are, which says whether a text fits into a cell.
        reverse: whether the strongest colour stands for the lowest value.
    """
    is_tight = f"width / {networks} < {NAME_WIDTH}"
    base = alt.Chart(cells).encode(
        x=alt.X(
            "network:N",
            title=None,
            sort=alt.EncodingSortField("network_order", op="min", order="ascending"),
            scale=alt.Scale(paddingInner=0.02),
            axis=alt.Axis(
                orient="top", labelAngle=0, ticks=False, domain=False,
                labelPadding=alt.ExprRef(f"{is_tight} ? 20 : 6"),
                labelLimit=alt.ExprRef(f"width / {networks} - 6"), labelFontWeight="bold",
                labelOverlap=False, labelFlush=False,  # each is cut to the width of its column
                # two lines where there is little of it
                labelExpr=f"{is_tight} ? {_TWO_LINES} : datum.label",
            ),
        ),
        y=rows("device", limit=NAME_LIMIT, grid=False, gap=0.06),
        tooltip=[
            alt.Tooltip("network:N", title="Network"),
            alt.Tooltip("device:N", title="Device"),
            alt.Tooltip("text:N", title=title),
            alt.Tooltip("range_text:N", title="Range"),
            alt.Tooltip("factor_text:N", title="Compared"),
            alt.Tooltip("precision:N", title="Precision"),
            alt.Tooltip("bound:N", title="Bound by"),
            alt.Tooltip("fits_text:N", title="Fits in memory"),
            alt.Tooltip("confidence:N", title="Confidence"),
            alt.Tooltip("uncounted:Q", title="Operators not counted", format="d"),
        ],
    )  # fmt: skip
    boxes: alt.Chart = base.mark_rect(cornerRadius=3).encode(
        description="said:N",
        color=alt.Color(
            "value:Q",
            scale=alt.Scale(type="log", reverse=reverse),
            legend=log_legend(f"{title} ({unit})", unit),
        ),
    )
    texts: alt.Chart = base.mark_text(
        fontSize=13,
        aria=False,
        opacity=alt.ExprRef(f"width / {networks} >= {TEXT_WIDTH} ? 1 : 0"),
        color=alt.ExprRef(ON_COLOUR.format(field="value")),
    ).encode(text="cell_text:N")
    return alt.layer(boxes, texts).properties(height=alt.Step(ROW_STEP), padding=PADDING)


def multiple(cells: pd.DataFrame, title: str, unit: str, *, spread: Spread) -> ChartType:
    """One of several small charts on a common axis: a network's value and range by device.

    Args:
        cells: the cells of one network, as for :func:`heatmap`, with ``low`` and ``high``, and in
            every row ``axis_low`` and ``axis_high``: how far the values of all networks reach.
        title: what is compared.
        unit: its SI unit.
        spread: how far the values of all networks lie apart.
    """
    base = alt.Chart(cells).encode(
        y=rows("device", limit=NAME_LIMIT),
        color=colour("architecture"),
        tooltip=[
            alt.Tooltip("device:N", title="Device"),
            alt.Tooltip("text:N", title=title),
            alt.Tooltip("range_text:N", title="Range"),
            alt.Tooltip("factor_text:N", title="Compared"),
            alt.Tooltip("bound:N", title="Bound by"),
            alt.Tooltip("confidence:N", title="Confidence"),
        ],
    )
    heading = f"{title} ({unit})"
    place = alt.X("value:Q", title=heading, scale=scale(spread), axis=axis(unit, spread))
    # marks that nobody sees make the axes of all charts reach as far
    ends = [
        base.mark_point(opacity=0, aria=False, tooltip=False).encode(
            x=alt.X(f"{end}:Q", title=heading)
        )
        for end in ("axis_low", "axis_high")
    ]
    band: alt.Chart = base.mark_bar(height=9, opacity=0.32, cornerRadius=4, aria=False).encode(
        x=alt.X("low:Q", title=heading), x2="high:Q"
    )
    marks: alt.Chart = base.mark_point(filled=True, size=110, opacity=1).encode(
        x=place, shape=shape(), description="said:N"
    )
    return alt.layer(*ends, band, marks).properties(height=alt.Step(SMALL_STEP), padding=PADDING)


def frontier(points: pd.DataFrame) -> ChartType:
    """Energy against latency of one network; a line joins the devices that no other beats in both.

    Args:
        points: one row a device with ``latency`` (s), ``energy`` (J), ``architecture``, ``step``
            (missing off the frontier), ``label``, where it stands from its mark (``label_dx``,
            ``label_dy``, ``label_align``) and texts, and in every row ``latency_low``,
            ``latency_high``, ``energy_low`` and ``energy_high``: how far all networks reach.
    """
    base = alt.Chart(points)
    places = _place("latency", "energy")
    on_it = base.transform_filter("isValid(datum.step)")
    ends = [
        base.mark_point(opacity=0, aria=False).encode(**_place(f"latency_{end}", f"energy_{end}"))
        for end in ("low", "high")
    ]
    line: alt.Chart = on_it.mark_line(strokeWidth=1.5, interpolate="step-after", aria=False).encode(
        **places, order="step:Q", color=reference()
    )
    marks: alt.Chart = base.mark_point(filled=True, opacity=1).encode(
        **places,
        color=colour("architecture"),
        shape=shape(),
        size=alt.when("isValid(datum.step)").then(alt.value(130)).otherwise(alt.value(60)),
        tooltip=[
            alt.Tooltip("device:N", title="Device"),
            alt.Tooltip("latency_text:N", title="Latency"),
            alt.Tooltip("energy_text:N", title="Energy"),
            alt.Tooltip("on_frontier:N", title="On the frontier"),
            alt.Tooltip("precision:N", title="Precision"),
            alt.Tooltip("confidence:N", title="Confidence"),
        ],
    )
    texts: alt.Chart = on_it.mark_text(
        align=alt.ExprRef("datum.label_align"),
        baseline="middle",
        dx=alt.ExprRef("datum.label_dx"),
        dy=alt.ExprRef("datum.label_dy"),
        fontSize=11,
        aria=False,
    ).encode(**places, text="label:N", color=reference())
    return alt.layer(*ends, line, marks, texts).properties(height=FRONTIER_HEIGHT, padding=PADDING)


def _place(latency: str, energy: str) -> dict[str, Any]:
    log = alt.Scale(type="log", nice=True, padding=18)
    return {
        "x": alt.X(f"{latency}:Q", title="Latency (s)", scale=log, axis=axis("s", "log")),
        "y": alt.Y(f"{energy}:Q", title="Energy (J)", scale=log, axis=axis("J", "log", "y")),
    }

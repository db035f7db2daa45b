"""Charts of the Validation view: predicted against measured, and the error by size.

The frames come from ``dashboard.validation_rows``; see ``dashboard.charts`` for what a chart knows.
What is outside its 80 % interval is hollow.
"""

from __future__ import annotations

from typing import Final

import altair as alt
import pandas as pd
from altair.typing import ChartType

from dashboard import palette
from dashboard.encodings import PADDING, axis, colour, reference, shape

HEIGHT: Final = 400


def agreement(points: pd.DataFrame) -> ChartType:
    """Predicted against measured latency on equal axes, with the diagonal on which both agree.

    Args:
        points: one row a measurement with ``measured`` and ``predicted`` (s), ``inside``,
            ``architecture``, ``axis_low`` and ``axis_high`` (both axes' ends) and texts.
    """
    log = alt.Scale(type="log", nice=False)
    x = alt.X("measured:Q", title="Measured latency (s)", scale=log, axis=axis("s", "log"))
    y = alt.Y("predicted:Q", title="Projected latency (s)", scale=log, axis=axis("s", "log", "y"))
    base = alt.Chart(points)
    # the diagonal goes from the first end of both axes to the last, and so sets them
    line = base.transform_aggregate(low="min(axis_low)", high="max(axis_high)").mark_rule(
        strokeDash=[6, 4], strokeWidth=1.5, aria=False
    )
    diagonal: alt.Chart = line.encode(
        x=alt.X("low:Q", title="Measured latency (s)"),
        y=alt.Y("low:Q", title="Projected latency (s)"),
        x2="high:Q",
        y2="high:Q",
        color=reference(),
    )
    return alt.layer(diagonal, *_marks(base.encode(x=x, y=y))).properties(
        height=HEIGHT, padding=PADDING
    )


def residuals(points: pd.DataFrame) -> ChartType:
    """Projected over measured latency, by how long it takes: is the error larger for small networks?

    Args:
        points: as for :func:`agreement`, with ``ratio``.
    """
    base = alt.Chart(points).encode(
        x=alt.X(
            "measured:Q",
            title="Measured latency (s)",
            scale=alt.Scale(type="log", nice=True),
            axis=axis("s", "log"),
        ),
        y=alt.Y(
            "ratio:Q",
            title="Projected / measured (×)",
            scale=alt.Scale(type="log", nice=True),
            axis=axis("×", "log", "y"),
        ),
    )
    line: alt.Chart = (
        alt.Chart(points)
        .transform_calculate(one="1")
        .transform_aggregate(one="min(one)")
        .mark_rule(strokeDash=[6, 4], strokeWidth=1.5, aria=False)
        .encode(y=alt.Y("one:Q", title="Projected / measured (×)"), color=reference())
    )
    return alt.layer(line, *_marks(base)).properties(height=HEIGHT, padding=PADDING)


def _marks(base: alt.Chart) -> list[alt.Chart]:
    """Filled where the measurement is inside the interval, hollow where it is not."""
    told = [
        alt.Tooltip("network:N", title="Network"),
        alt.Tooltip("setting:N", title="Setting"),
        alt.Tooltip("device:N", title="Device"),
        alt.Tooltip("measured_text:N", title="Measured"),
        alt.Tooltip("predicted_text:N", title="Projected"),
        alt.Tooltip("range_text:N", title="80 % interval"),
        alt.Tooltip("error_text:N", title="Error"),
        alt.Tooltip("inside_text:N", title="In the interval"),
    ]
    shown = {
        "color": colour("architecture", palette.ARCHITECTURES),
        "shape": shape(shown=palette.ARCHITECTURES),
        "tooltip": told,
    }
    inside: alt.Chart = (
        base.transform_filter("datum.inside")
        .mark_point(filled=True, size=55, opacity=1)
        .encode(**shown)
    )
    outside: alt.Chart = (
        base.transform_filter("!datum.inside")
        .mark_point(filled=False, size=55, strokeWidth=1.5, opacity=1)
        .encode(**shown)
    )
    return [inside, outside]

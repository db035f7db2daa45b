"""A parameter's curve: frames in, charts out. What follows the pointer follows it in the browser. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import altair as alt
import pandas as pd
from altair.typing import ChartType

from dashboard import line_names
from dashboard.encodings import PADDING, Spread, axis, colour, reference

PICK: Final = "pick"
HEIGHT: Final = 330
LIST_TOP: Final = 76  # pixels from the axis down to the names of the lines on a narrow page


def curve(
    rows: pd.DataFrame,
    title: str,
    unit: str,
    parameter: str,
    devices: Sequence[str],
    *,
    logarithmic: bool,
    spread: Spread,
) -> ChartType:
    """One quantity along one parameter: a line and a band a device, and a rule under the pointer.

    Args:
        rows: by ``role``: ``point`` with ``at``, ``device``, ``architecture``, ``dash``, ``value``,
            ``low`` and ``high``; ``label`` with ``at``, ``label_at``, ``device``, ``architecture``,
            ``dash`` and ``place`` (in a list of the devices);
            ``rule`` with ``at``, ``at_text`` and a text a device, ``v0``, ``v1``, ...
        title: what the quantity is called.
        unit: its SI unit.
        parameter: what the values of ``at`` are.
        devices: what the texts of a rule belong to, in order.
        logarithmic: whether the values of the parameter are doublings.
        spread: how far the quantities lie apart.
    """
    base = alt.Chart(rows)
    points = base.transform_filter("datum.role == 'point'").encode(
        x=_along(parameter, logarithmic), color=colour("architecture", ()), detail="device:N"
    )
    heading = f"{title} ({unit})" if unit else title
    value = alt.Y(
        "value:Q",
        title=heading,
        scale=alt.Scale(zero=True) if spread == "even" else alt.Scale(type="log", nice=True),
        axis=axis(unit, spread, "y"),
    )
    band = points.mark_area(opacity=0.14).encode(y=alt.Y("low:Q", title=heading), y2="high:Q")
    line = points.mark_line(strokeWidth=2).encode(y=value, strokeDash=line_names.dashes("dash"))
    labels = base.transform_filter("datum.role == 'label'")
    places = {"x": _along(parameter, logarithmic), "y": alt.Y("label_at:Q", title=heading)}
    known = {"color": colour("architecture", ()), "strokeDash": line_names.dashes("dash")}
    names = [
        *line_names.at_ends(labels, "device", places, known),
        *line_names.listed(labels, "device", known, top=LIST_TOP),
    ]
    hover = alt.selection_point(
        name="hover", fields=["at"], nearest=True, on="pointermove", clear="pointerout", empty=False
    )
    pick = alt.selection_point(name=PICK, fields=["at"], nearest=True, on="click")
    marked = points.mark_point(filled=True, size=70, aria=False).encode(
        y=value, opacity=alt.when(hover).then(alt.value(1)).otherwise(alt.value(0))
    )
    rule = _rule(base, parameter, logarithmic, devices, hover, pick)
    return alt.layer(band, line, *names, marked, rule).properties(height=HEIGHT, padding=PADDING)


def _rule(
    base: alt.Chart,
    parameter: str,
    logarithmic: bool,
    devices: Sequence[str],
    hover: alt.Parameter,
    pick: alt.Parameter,
) -> alt.Chart:
    """The line that follows the pointer, with every device's value at it."""
    told = [alt.Tooltip("at_text:N", title=parameter)]
    told += [alt.Tooltip(f"v{index}:N", title=name) for index, name in enumerate(devices)]
    rule: Any = base.transform_filter("datum.role == 'rule'").mark_rule(strokeWidth=1.5, aria=False)
    made: alt.Chart = rule.encode(
        x=_along(parameter, logarithmic),
        color=reference(),
        opacity=alt.when(hover).then(alt.value(0.9)).otherwise(alt.value(0)),
        tooltip=told,
    ).add_params(hover, pick)
    return made


def _along(parameter: str, logarithmic: bool) -> alt.X:
    scale = alt.Scale(type="log", base=2, nice=False) if logarithmic else alt.Scale(zero=False)
    return alt.X(
        "at:Q",
        title=parameter,
        scale=scale,
        axis=alt.Axis(format=",", grid=False, tickCount=8, labelOverlap="greedy"),
    )

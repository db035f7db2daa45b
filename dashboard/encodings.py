"""Axes, colours and shapes that charts share, so that a sign means the same in all of them.

Nothing here knows a number or a colour: scales name the whole domain of ``dashboard.palette``, and
the theme gives it its colours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import altair as alt

from dashboard import palette

PADDING: Final = {"left": 0, "top": 6, "right": 6, "bottom": 0}
LABEL_LIMIT: Final = 168  # pixels of a label beside a row
ON_COLOUR: Final = "luminance(scale('color', datum.{field})) > 0.179 ? '#000000' : '#ffffff'"
"""Text on a coloured cell: whichever of the two has 4.5:1 or more; they meet at this luminance."""

ON_PAGE: Final = ("#595959", "#C2C7CC")
"""Text at axes and legends, on a light page and on a dark one."""
_TEXT: Final = {"expr": f"luminance(background) > 0.179 ? '{ON_PAGE[0]}' : '{ON_PAGE[1]}'"}
_WORDS: Final = {"labelColor": _TEXT, "titleColor": _TEXT}
LEGIBLE: Final[dict[str, Any]] = {"axis": _WORDS, "legend": _WORDS, "mark": {"opacity": 1}}
"""The configuration of every chart: Streamlit's own grey has 3.7:1 on white, and Vega-Lite draws
points, and all signs of a legend beside them, at 70 %, where lighter colours have less than 3:1."""

Spread = Literal["even", "log"]
"""How far values lie apart: a linear axis, or a logarithmic one."""

_ROOM: Final = {"x": 110, "y": 46}  # pixels of a decade in which labels at 1, 2 and 5 have room
_DIGIT: Final = "+(format(datum.value, '.0e')[0])"
_PREFIXED: Final = "format(datum.value, '~s')"
_PLAIN: Final = "format(datum.value, datum.value < 1000 ? '~g' : '~s')"


def written(unit: str) -> str:
    """The expression that writes an axis value with an SI prefix and the unit."""
    # a ratio below 1 is 0.1, not 100 milli
    return f"{_PLAIN if unit in ('×', '') else _PREFIXED} + '{unit}'"


def log_legend(title: str, unit: str) -> alt.Legend:
    """The legend of logarithmic colours: five values as far apart, as there are few round ones."""
    first, last = "domain('color')[0]", "domain('color')[1]"
    parts = (0, 0.25, 0.5, 0.75, 1)
    between = ", ".join(f"pow({first}, {1 - part}) * pow({last}, {part})" for part in parts)
    rounded = "format(datum.value, '.2~s')"
    plain = f"datum.value < 1 ? format(datum.value, '.2~r') : {rounded}"
    return gradient(
        title,
        values=alt.ExprRef(f"{first} > 0 ? [{between}] : []"),
        labelExpr=f"({plain if unit in ('×', '') else rounded}) + '{unit}'",
    )


def gradient(title: str, **more: Any) -> alt.Legend:
    """The legend of a continuous colour, below the chart."""
    return alt.Legend(
        title=title,
        orient="bottom",
        gradientLength=alt.ExprRef("min(width - 8, 300)"),
        labelSeparation=4,
        labelOverlap="parity",
        **more,
    )


def axis(unit: str, spread: Spread, along: Literal["x", "y"] = "x", **more: Any) -> alt.Axis:
    """An axis whose values are written with an SI prefix and the unit.

    On a logarithmic one 1, 2 and 5 of each decade are written where there is room, else 1 only. The
    browser decides this: another specification would be another chart to it, drawn from nothing.
    """
    common: dict[str, Any] = {"tickCount": 4, "grid": True, "labelOverlap": "greedy", **more}
    if spread == "even":
        return alt.Axis(labelExpr=written(unit), **common)
    return alt.Axis(
        labelExpr=f"indexof({_written_digits(along)}, {_DIGIT}) >= 0 ? {written(unit)} : ''",
        gridOpacity=alt.when(f"{_DIGIT} == 1").then(alt.value(1.0)).otherwise(alt.value(0.35)),
        labelSeparation=4,
        **common,
    )


def _written_digits(along: Literal["x", "y"]) -> str:
    decades = f"(log(domain('{along}')[1] / domain('{along}')[0]) / LN10)"
    length = f"abs(range('{along}')[1] - range('{along}')[0])"
    return f"({length} >= {_ROOM[along]} * {decades} ? [1, 2, 5] : [1])"


def scale(spread: Spread, **more: Any) -> alt.Scale:
    """A scale for values that lie as far apart as ``spread`` says."""
    if spread == "even":
        return alt.Scale(zero=True, **more)
    return alt.Scale(type="log", nice=True, **more)


def rows(
    field: str, *, limit: int = LABEL_LIMIT, grid: bool = True, gap: float | None = None
) -> alt.Y:
    """One row a value of ``field``, in the order of the column ``order``, with its name beside it."""
    return alt.Y(
        f"{field}:N",
        title=None,
        sort=alt.EncodingSortField("order", op="min", order="ascending"),
        axis=alt.Axis(labelLimit=limit, ticks=False, domain=False, grid=grid, labelFlush=False),
        scale=alt.Undefined if gap is None else alt.Scale(paddingInner=gap),
    )


def texts(titles: Mapping[str, str]) -> list[alt.Tooltip]:
    """A tooltip that shows columns as they are, each under its title."""
    return [alt.Tooltip(f"{field}:N", title=title) for field, title in titles.items()]


def colour(field: str, shown: tuple[str, ...] = ()) -> alt.Color:
    """Colour by ``field`` over the whole domain of the palette, with a legend of ``shown`` only."""
    domain = alt.Scale(domain=list(palette.DOMAIN))
    return alt.Color(f"{field}:N", scale=domain, title=None, legend=_legend(shown))


def shape(field: str = "architecture", shown: tuple[str, ...] = ()) -> alt.Shape:
    """Shape by ``field``; over the whole domain, so that its legend and that of colour are one."""
    domain = alt.Scale(domain=list(palette.DOMAIN), range=list(palette.SHAPES))
    return alt.Shape(f"{field}:N", scale=domain, title=None, legend=_legend(shown))


def reference() -> alt.ColorDatum:
    """The colour of texts and of lines to compare with; the other layers set the scale."""
    return alt.ColorDatum(palette.REFERENCE, type="nominal")


def _legend(shown: tuple[str, ...]) -> alt.Legend | None:
    if not shown:
        return None
    return alt.Legend(
        values=list(shown),
        orient="bottom",
        title=None,
        labelExpr="upper(datum.label)" if shown == palette.ARCHITECTURES else "datum.label",
        symbolOpacity=1,
        symbolSize=80,
        symbolStrokeWidth=1,
        labelFontSize=11,
        columnPadding=5,  # all of it must fit under the narrow plot of a telephone
        offset=4,
    )

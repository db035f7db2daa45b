"""Charts as pictures: a specification and its rows in, SVG or PNG out, in the theme's colours. Pure.

Drawn by ``vl-convert-python`` (the optional extra ``images``), which has Vega and fonts inside and is
allowed to reach for nothing outside.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import pandas as pd

from dashboard.readable import Columns

NEEDS: Final = "vl_convert"
VEGA_LITE: Final = "6.4"  # the version that Altair 6 and Streamlit write and draw
WIDTH: Final = 640  # pixels of the plot; heights come from the chart
SCALE: Final = 2.0  # a PNG for a slide or a paper, not for the pixel grid of this screen
MIMES: Final = {"svg": "image/svg+xml", "png": "image/png"}

Kind = Literal["svg", "png"]


@dataclass(frozen=True, slots=True)
class Theme:
    """What a picture takes from the page's theme."""

    background: str
    text: str
    grid: str
    categories: tuple[str, ...]


def available() -> bool:
    """Whether pictures can be drawn here."""
    return importlib.util.find_spec(NEEDS) is not None


def draw(
    kind: Kind,
    specification: Mapping[str, Any],
    rows: Columns | pd.DataFrame,
    theme: Theme,
    *,
    title: str = "",
    subtitle: Sequence[str] = (),
) -> bytes:
    """The picture of a chart.

    Args:
        kind: ``"svg"`` or ``"png"``.
        specification: of Vega-Lite, without rows.
        rows: what it shows.
        theme: colours.
        title: written above it.
        subtitle: lines below the title: what is shown, where it comes from.
    """
    import vl_convert

    whole = json.dumps(complete(specification, rows, theme, title, subtitle), default=str)
    if kind == "svg":
        text: str = vl_convert.vegalite_to_svg(whole, vl_version=VEGA_LITE, allowed_base_urls=[])
        return text.encode()
    picture: bytes = vl_convert.vegalite_to_png(
        whole, vl_version=VEGA_LITE, scale=SCALE, allowed_base_urls=[]
    )
    return picture


def complete(
    specification: Mapping[str, Any],
    rows: Columns | pd.DataFrame,
    theme: Theme,
    title: str,
    subtitle: Sequence[str],
) -> dict[str, Any]:
    """The specification with its rows, a size and the theme: what draws itself anywhere."""
    values = json.loads(pd.DataFrame(rows).to_json(orient="records"))
    whole = {**specification, "data": {"values": values}, "padding": 12}
    if not {"hconcat", "vconcat", "concat", "facet", "repeat", "spec"} & set(whole):
        whole["width"] = WIDTH
    if title:
        whole["title"] = {"text": title, "subtitle": list(subtitle), "anchor": "start"}
    whole["config"] = _merged(_config(theme), whole.get("config", {}))
    return whole


def _merged(theme: dict[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """What a chart configures itself, over the theme, section by section."""
    both = {name for name in theme if name in own and isinstance(theme[name], dict)}
    return {**theme, **own, **{name: {**own[name], **theme[name]} for name in both}}


def _config(theme: Theme) -> dict[str, Any]:
    words = {"labelColor": theme.text, "titleColor": theme.text, "titleFontWeight": "normal"}
    return {
        "background": theme.background,
        "font": "sans-serif",
        "range": {"category": list(theme.categories)},
        "view": {"stroke": None},
        "axis": {
            **words,
            "labelFontSize": 12,
            "titleFontSize": 12,
            "gridColor": theme.grid,
            "domainColor": theme.grid,
            "tickColor": theme.grid,
        },
        "legend": {**words, "labelFontSize": 12},
        "header": words,
        "title": {
            "color": theme.text,
            "subtitleColor": theme.text,
            "fontSize": 16,
            "subtitleFontSize": 11,
            "offset": 12,
        },
        "text": {"color": theme.text},
    }

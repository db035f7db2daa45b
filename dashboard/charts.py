"""Frames in, charts out: what each figure shows, its axes, units and tooltips.

No chart knows Streamlit, a colour or the numbers it will show: sizes come from steps, colours from
the theme, texts from columns. So a chart's specification is the same for every frame of one
structure, can be kept, and a new result only replaces its rows in the browser.

Every function names the columns that it reads; ``dashboard.readable`` makes them.
"""

from __future__ import annotations

from typing import Any, Final

import altair as alt
import pandas as pd
from altair.typing import ChartType

from dashboard import palette
from dashboard.encodings import (
    LABEL_LIMIT,
    PADDING,
    Spread,
    axis,
    colour,
    reference,
    scale,
    shape,
    texts,
)

ROW_STEP: Final = 30  # pixels a device: a mark and its label, also under a thumb
KEY_HEIGHT: Final = 22  # pixels, with what is said beside it in their middle
RATIO: Final = "×"
BAND_OPACITY: Final = 0.32
PATH_OPACITY: Final = 0.75
REST_OPACITY: Final = 0.8  # of what is no kernel but the sum of others; any less would be too pale

PICK: Final = "pick"  # the selection of a bar

_PIN_TOOLTIP: Final = [
    alt.Tooltip("pin:N", title="Pinned"),
    alt.Tooltip("device:N", title="Device"),
    alt.Tooltip("pinned_text:N", title="Its value"),
    alt.Tooltip("change_text:N", title="Change from it"),
]


def devices(
    rows: pd.DataFrame,
    title: str,
    unit: str,
    *,
    spread: Spread,
    names: tuple[str, ...],
    ranged: bool = False,
    pinned: bool = False,
) -> ChartType:
    """One quantity by device: a mark, its range as a band, and pinned values as hollow marks.

    What is not there has no layer: an empty one costs a slider step as much as a full one.

    Args:
        rows: one row a device with ``device``, ``architecture``, ``value``, ``low``, ``high``,
            ``before`` (missing where nothing is pinned), ``said``, what is read out, and, for the
            tooltip, ``text``, ``range_text``, ``pinned_text``, ``change_text``, ``precision``,
            ``bound``, ``confidence`` and ``uncounted``; and one row a pin and device with
            ``pinned``, ``letter`` and ``pin`` instead of ``value``.
        title: what the quantity is called on the axis.
        unit: its SI unit, "" for a ratio.
        spread: how far the values lie apart.
        names: the devices from the top.
        ranged: whether values have a range.
        pinned: whether something is pinned.
    """
    base = _device_base(rows, names)
    told = _device_tooltip(title, ranged, pinned)
    layers = _device_marks(base, title, unit, spread, told, pinned)
    if ranged:
        heading = f"{title} ({unit})" if unit else title
        band = base.mark_bar(height=12, opacity=BAND_OPACITY, cornerRadius=6, aria=False)
        layers.insert(0, band.encode(x=alt.X("low:Q", title=heading), x2="high:Q", tooltip=told))
    return _by_device(layers)


def speedups(
    rows: pd.DataFrame, *, spread: Spread, names: tuple[str, ...], pinned: bool = False
) -> ChartType:
    """Speedup by device as lollipops that start at the baseline's 1.

    Reads the columns of :func:`devices`, and ``one``: the baseline's speedup in every row.
    """
    start = alt.X("one:Q", title=f"Speedup ({RATIO})")
    base = _device_base(rows, names)
    told = _device_tooltip("Speedup", False, pinned)
    # one stroke a row, as tall as the row: together a line at 1
    line = base.mark_tick(orient="vertical", size=ROW_STEP, thickness=1.5, aria=False)
    line = line.encode(x=start, color=reference())
    stem = base.mark_rule(strokeWidth=2, opacity=0.55, aria=False).encode(x=start, x2="value:Q")
    return _by_device([line, stem, *_device_marks(base, "Speedup", RATIO, spread, told, pinned)])


def _by_device(layers: list[alt.Chart]) -> ChartType:
    return alt.layer(*layers).properties(height=alt.Step(ROW_STEP), padding=PADDING)


def _device_base(rows: pd.DataFrame, names: tuple[str, ...]) -> alt.Chart:
    return alt.Chart(rows).encode(
        y=alt.Y(
            "device:N",
            title=None,
            scale=alt.Scale(domain=list(names)),
            axis=alt.Axis(
                labelLimit=LABEL_LIMIT, ticks=False, domain=False, grid=True, labelFlush=False
            ),
        ),
        color=colour("architecture", ()),
    )


def _device_tooltip(title: str, ranged: bool, pinned: bool) -> list[alt.Tooltip]:
    """What is told of a device; only the browser's time speaks against telling more."""
    told = {"device": "Device", "text": title}
    if ranged:
        told["range_text"] = "Range"
    if pinned:
        told |= {"pinned_text": "Pinned (A)", "change_text": "Change from A"}
    told |= {"precision": "Precision", "bound": "Bound by", "confidence": "Confidence"}
    return [*texts(told), alt.Tooltip("uncounted:Q", title="Operators not counted")]


def _device_marks(
    base: alt.Chart,
    title: str,
    unit: str,
    spread: Spread,
    told: list[alt.Tooltip],
    pinned: bool,
) -> list[alt.Chart]:
    """Path from the first pin, pinned values and their letters, value; the last sets the axis."""
    heading = f"{title} ({unit})" if unit else title
    value = alt.X(
        "value:Q",
        title=heading,
        scale=scale(spread),
        axis=axis(unit, spread),
    )
    mark = base.mark_point(filled=True, size=150, opacity=1.0).encode(
        x=value, shape=shape(), description="said:N", tooltip=told
    )
    if not pinned:
        return [mark]
    before, was = alt.X("before:Q", title=heading), alt.X("pinned:Q", title=heading)
    path = base.mark_rule(strokeDash=[3, 3], opacity=PATH_OPACITY, aria=False)
    ghost = base.mark_point(filled=False, size=110, strokeWidth=2, opacity=1.0)
    letter = base.mark_text(dy=-11, fontSize=10, fontWeight="bold", aria=False)
    return [
        path.encode(x=before, x2="value:Q"),
        ghost.encode(x=was, shape=shape(), description="said:N", tooltip=_PIN_TOOLTIP),
        letter.encode(x=was, text="letter:N", color=reference(), tooltip=_PIN_TOOLTIP),
        mark,
    ]


def kernels(rows: pd.DataFrame, title: str, unit: str) -> ChartType:
    """Where the time or the energy of one device goes: a bar a kernel, coloured by what binds it.

    Args:
        rows: one row a kernel with ``label``, ``order``, ``value``, ``end_text`` (written behind
            the bar), ``room``, ``rest``, ``bottleneck``, ``before`` (of the first pin, if any) and, for
            the tooltip, ``before_text``, ``kernel``, ``module``, ``pattern``, ``kind``, ``occurs``,
            ``text``, ``share``, ``flops_text``, ``bytes_text`` and ``tiles``.
        title: what the bars measure.
        unit: its SI unit.
    """
    base = alt.Chart(rows).encode(
        y=alt.Y(
            "label:N",
            title=None,
            sort=alt.EncodingSortField("order", op="min", order="ascending"),
            axis=alt.Axis(labelLimit=LABEL_LIMIT, ticks=False, domain=False, labelFlush=False),
        ),
        x=alt.X(
            "value:Q",
            title=f"{title} ({unit})",
            # room for the text behind the longest bar
            scale=alt.Scale(zero=True, padding=0),
            axis=axis(unit, "even"),
        ),
        tooltip=[
            alt.Tooltip("kernel:N", title="Kernel"),
            alt.Tooltip("module:N", title="Module"),
            alt.Tooltip("pattern:N", title="Fused pattern"),
            alt.Tooltip("kind:N", title="Kind"),
            alt.Tooltip("occurs:Q", title="Occurs", format=",d"),
            alt.Tooltip("text:N", title=title),
            alt.Tooltip("before_text:N", title="Pinned (A)"),
            alt.Tooltip("share:Q", title="Share of the total", format=".1%"),
            alt.Tooltip("flops_text:N", title="Arithmetic"),
            alt.Tooltip("bytes_text:N", title="Memory traffic"),
            alt.Tooltip("tiles:Q", title="Tiles", format=",d"),
            alt.Tooltip("bottleneck:N", title="Bound by"),
        ],
    )
    pick = alt.selection_point(name=PICK, fields=["label"], on="click")
    bars = base.mark_bar(height=16, cornerRadiusEnd=4, cursor="pointer").encode(
        color=colour("bottleneck", palette.BOTTLENECKS),
        # the sum of the others is no kernel
        opacity=alt.when("datum.rest").then(alt.value(REST_OPACITY)).otherwise(alt.value(1.0)),
    )
    ends = base.mark_text(align="left", baseline="middle", dx=6, fontSize=12).encode(
        text="end_text:N", color=reference()
    )
    was = alt.X("before:Q", title=f"{title} ({unit})")
    tick: dict[str, Any] = {"orient": "vertical", "size": 22, "aria": False}
    # on a strip of the page, since no grey stands out from every colour of the bars
    strip = base.mark_tick(thickness=6, color=alt.ExprRef("background"), **tick).encode(x=was)
    before = base.mark_tick(thickness=2.5, **tick).encode(x=was, color=reference())
    # an invisible mark at a third more than the longest bar keeps its text inside the frame
    room = base.mark_point(opacity=0, aria=False).encode(
        x=alt.X("room:Q", title=f"{title} ({unit})")
    )
    return alt.layer(bars.add_params(pick), strip, before, ends, room).properties(
        height=alt.Step(ROW_STEP), padding=PADDING
    )


def key(rows: pd.DataFrame) -> ChartType:
    """What the marks of the device charts stand for, once for all of them.

    Args:
        rows: one row an architecture with ``architecture``, ``label`` and ``place`` (0, 1, ...).
    """
    base = alt.Chart(rows).encode(
        x=alt.X("place:Q", axis=None, scale=alt.Scale(domain=[-0.1, 4], nice=False)),
        y=alt.value(KEY_HEIGHT / 2),
    )
    marks = base.mark_point(filled=True, size=110, opacity=1.0).encode(
        color=colour("architecture", ()), shape=shape()
    )
    names = base.mark_text(align="left", dx=10, fontSize=13).encode(
        text="label:N", color=reference()
    )
    return (
        alt.layer(marks, names).properties(height=KEY_HEIGHT, padding=0).configure_view(stroke=None)
    )


def places(rows: pd.DataFrame) -> ChartType:
    """Devices by memory bandwidth and peak: up is arithmetic, right is data.

    Args:
        rows: one row a device with ``device``, ``architecture``, ``bandwidth`` (B/s), ``peak``
            (flop/s), ``chosen`` (whether it is the one looked at) and texts for the tooltip.
    """
    base = alt.Chart(rows).encode(
        x=alt.X(
            "bandwidth:Q",
            title="Memory bandwidth (B/s)",
            scale=alt.Scale(type="log", nice=True),
            axis=axis("B/s", "log"),
        ),
        y=alt.Y(
            "peak:Q",
            title="Peak at the usual precision (flop/s)",
            scale=alt.Scale(type="log", nice=True),
            axis=axis("", "log", "y"),
        ),
    )
    marks = base.mark_point(filled=True, size=110, opacity=1.0).encode(
        color=colour("architecture", palette.ARCHITECTURES),
        shape=shape(shown=palette.ARCHITECTURES),
        tooltip=[
            alt.Tooltip("device:N", title="Device"),
            alt.Tooltip("peak_text:N", title="Peak"),
            alt.Tooltip("precision:N", title="Precision"),
            alt.Tooltip("bandwidth_text:N", title="Bandwidth"),
            alt.Tooltip("ridge_text:N", title="Memory-bound below"),
            alt.Tooltip("power_text:N", title="Power limit"),
            alt.Tooltip("confidence:N", title="Confidence"),
        ],
    )
    chosen = base.transform_filter("datum.chosen")
    ring = chosen.mark_point(size=420, strokeWidth=2).encode(color=reference())
    # in the corner of much arithmetic on little data, where hardly a device is: beside its mark the
    # name would cover others
    sign = chosen.mark_point(size=200, strokeWidth=2, aria=False).encode(
        x=alt.value(16), y=alt.value(16), color=reference()
    )
    name = chosen.mark_text(align="left", fontSize=13, fontWeight="bold", aria=False).encode(
        x=alt.value(32), y=alt.value(17), text="device:N", color=reference()
    )
    return alt.layer(marks, ring, sign, name).properties(height=380, padding=PADDING)

"""The pieces that views are put together from. They draw; what they draw is made elsewhere."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import pyarrow as pa
import streamlit as st
from altair.typing import ChartType
from altair.utils import schemapi
from streamlit.delta_generator import DeltaGenerator

import characterize.hardware
from characterize.errors import CharacterizeError
from dashboard import charts, encodings, palette, queries, readable, saving, tables
from dashboard.readable import Columns, Pinned, Quantity

if TYPE_CHECKING:
    from characterize.hardware import Profile

NOTHING_PASSES: Final = "No row passes these filters; loosen one of them."
CARD_WIDTH: Final = 300  # pixels a chart needs beside another
KPI_WIDTH: Final = 148


# Charts


@functools.lru_cache(maxsize=64)
def _specification(
    chart: Callable[..., ChartType], *arguments: Any, **options: Any
) -> dict[str, Any]:
    """A chart's specification without its rows.

    It depends on the structure of the frame only, and making it takes far longer than sending rows:
    so it is made once, and only rows travel when a slider moves. Tests hold every chart against the
    schema of Vega-Lite; here that would only cost time.
    """
    with schemapi.debug_mode(False):
        made = chart(pd.DataFrame(), *arguments, **options).to_dict(validate=False)
    made.pop("datasets", None)
    made.pop("data", None)
    for layer in made.get("layer", []):
        layer.pop("data", None)
    made["config"] = {**made.get("config", {}), **encodings.LEGIBLE}
    return made


@functools.lru_cache(maxsize=64)
def _read_by(
    chart: Callable[..., ChartType], columns: tuple[str, ...], *arguments: Any, **options: Any
) -> tuple[str, ...]:
    """Of columns those that a chart's specification names anywhere; only these need to travel."""
    words = set(re.findall(r"\w+", json.dumps(_specification(chart, *arguments, **options))))
    return tuple(column for column in columns if column in words)


def draw(
    chart: Callable[..., ChartType],
    frame: Columns | pd.DataFrame,
    *arguments: Any,
    key: str,
    alt_text: str,
    title: str = "",
    on_select: Any = "ignore",
    selection_mode: str | None = None,
    **options: Any,
) -> Any:
    """Draw ``chart(frame, *arguments)``, sending only the rows where the chart is known.

    Args:
        chart: a function of ``dashboard.charts`` and the like.
        frame: its first argument.
        arguments: the others; they and ``options`` decide the specification, which is kept.
        key: of the element.
        alt_text: what the chart is of, for who cannot see it. It must not change with the rows:
            Streamlit would draw the whole chart again, which takes longer than all else of a step.
            Every mark is read out with its own values.
        title: what it is called when it is saved; by default what ``alt_text`` begins with.
        on_select: as of ``st.vega_lite_chart``.
        selection_mode: as of ``st.vega_lite_chart``.
        options: of the chart.

    Returns:
        What was selected, where ``on_select`` asks for it.
    """
    specification = _specification(chart, *arguments, **options)
    rows: Any = frame
    if not isinstance(frame, pd.DataFrame):
        read = _read_by(chart, tuple(frame), *arguments, **options)
        rows = pa.table({column: frame[column] for column in read})
    name = title or alt_text.partition(":")[0]
    saving.remember_chart(key, saving.Drawn(name, specification, frame))
    return st.vega_lite_chart(
        rows,
        specification,
        key=key,
        alt=alt_text,
        width="stretch",
        on_select=on_select,
        selection_mode=selection_mode,
    )


def card(title: str, meaning: str, key: str) -> DeltaGenerator:
    """A card with its heading, for a chart that is written into it later."""
    with st.container(border=True, gap="xsmall", key=f"{key}_card"):
        st.markdown(f"**{title}**", help=meaning)
        return st.container()


def device_card(frame: Columns, quantity: Quantity, key: str) -> None:
    """A quantity by device in a card of its own."""
    with card(f"{quantity.title} by device", quantity.meaning, key):
        by_device(frame, quantity, key)


def by_device(frame: Columns, quantity: Quantity, key: str) -> None:
    """A quantity by device."""
    marks = [*frame["low"], *frame["high"], *frame["value"], *frame["pinned"]]
    shown: dict[str, Any] = {
        "spread": readable.spread([mark for mark in marks if mark is not None]),
        "names": tuple(dict.fromkeys(frame["device"])),
        "pinned": any(frame["letter"]),
    }
    alt_text = (
        f"{quantity.title} by device: a mark a device; the table of all figures has the values"
    )
    if quantity is readable.SPEEDUP:
        draw(charts.speedups, frame, key=key, alt_text=alt_text, **shown)
    else:
        title = f"{quantity.title} of one batch"
        draw(
            charts.devices,
            frame,
            title,
            quantity.unit,
            ranged=bool(quantity.low),
            key=key,
            alt_text=alt_text,
            **shown,
        )


# Figures


def kpis(row: Mapping[str, Any], before: Mapping[str, Any] | None, pin_name: str) -> None:
    """The figures of one device in large print, with the change against the pinned ones."""
    with kpi_grid():
        metrics(row, before, pin_name)


def kpi_grid(count: int = len(readable.KPIS)) -> DeltaGenerator:
    """The place of the large figures."""
    return st.grid(count, min_column_width=KPI_WIDTH, gap="xsmall")


def kept_after(error: CharacterizeError, key: str) -> Any:
    """What went wrong, and what the session keeps under ``key``: the last that could be computed."""
    st.error(str(error), icon=":material/error:")
    if key in st.session_state:
        st.caption(":material/history: The figures below are the last that could be computed.")
    return st.session_state.get(key)


def metrics(
    row: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    pin_name: str,
    quantities: Sequence[Quantity] = readable.KPIS,
) -> None:
    """The large figures themselves, to be written into :func:`kpi_grid`."""
    for quantity in quantities:
        now = float(row[quantity.column])
        colour = "inverse" if quantity.lower_is_better else "normal"
        change = {} if before is None else delta(now, float(before[quantity.column]), colour)
        st.metric(
            quantity.title,
            readable.number(now, quantity.unit),
            **change,
            help=f"{quantity.meaning} {f'Change against “{pin_name}”.' if before else ''}",
            border=True,
            height="stretch",
        )


def delta(now: float, before: float, colour: str) -> dict[str, Any]:
    """A change as ``st.metric`` takes it; one that is none has neither colour nor arrow."""
    text = readable.change(now, before)
    if text == "0 %":
        return {"delta": text, "delta_color": "off", "delta_arrow": "off"}
    # Streamlit tells the direction from the sign
    said = text.replace("−", "-", 1) if now >= before or text.startswith("−") else f"- {text}"
    return {"delta": said, "delta_color": colour}


def key_of_marks(pinned: Sequence[tuple[str, str]]) -> None:
    """What shapes and colours mean in the charts below, and the letters of pins with their names."""
    with st.container(horizontal=True, vertical_alignment="center"):
        specification = _specification(charts.key)
        st.vega_lite_chart(
            pa.table(readable.key()),
            specification,
            key="key_of_marks",
            alt="Circles are CPUs, squares GPUs, triangles TPUs and diamonds KPUs",
            width=300,
        )
        if pinned:
            names = ", ".join(f"**{letter}** “{name}”" for letter, name in pinned)
            st.caption(f"Hollow, pinned: {names}", width="content")


def standing(row: Mapping[str, Any], title: str, summary: str, rows: Columns | None = None) -> None:
    """What one device's figures rest on: precision, range, what binds it, confidence, gaps.

    With all ``rows`` it is also said how many operators have no cost formula: loudly if any.
    """
    low = readable.number(float(row["latency_low_s"]), "s")
    high = readable.number(float(row["latency_high_s"]), "s")
    icon = palette.CONFIDENCE_ICONS.get(str(row["confidence"]), "")
    parts = [
        f"**{summary}** on **{title}**",
        f"{row['precision']}",
        f"most likely {low} to {high}",
        f"bound by {row['bottleneck']}",
        f"{icon} {row['confidence']} confidence",
    ]
    if row["fits"] is False or row["fits"] == False:  # noqa: E712 - numpy's False too
        parts.append(":material/warning: does not fit in its memory")
    if row["cautions"]:
        parts.append(f":material/warning: {row['cautions']}: errors are larger")
    missing = 0 if rows is None else max(rows["uncounted"], default=0)
    if rows is not None and not missing:
        parts.append(":material/check_circle: every operator is counted (0 without a cost formula)")
    st.markdown(" · ".join(parts))
    if missing:
        plural = "operator has" if missing == 1 else "operators have"
        st.warning(
            f"{missing} {plural} no cost formula: their time and energy are not in these figures.",
            icon=":material/report:",
        )


# Table


def table(
    rows: Columns,
    titles: Mapping[str, str],
    pinned: Sequence[Pinned],
    request: Mapping[str, Any],
    picked: Callable[[str], None],
) -> None:
    """The result rows that pass the filters, and files of exactly those that are shown.

    Args:
        rows: of all devices.
        titles: of the devices, by name.
        pinned: what they are compared with.
        request: what was asked, for the files.
        picked: called with the device's name when its row is selected.
    """
    positions = tables.passing(rows, filters())
    chosen = tables.take(rows, positions)
    count, total = len(positions), readable.length(rows)
    st.caption(f"{count} of {total} rows" if count < total else f"All {total} rows")
    if not count:
        st.info(NOTHING_PASSES, icon=":material/filter_alt_off:")
    else:
        st.dataframe(
            pa.table(tables.on_screen(chosen, titles, pinned)),
            hide_index=True,
            column_config=_column_config(tuple(pinned_titles(pinned).items())),
            key="results",
            alt="Result rows: one device a row. Select a row to have it explained below.",
            on_select=lambda: _picked_row(chosen, picked),
            selection_mode="single-row",
            height="content",
        )
    saving.downloads(chosen, "results", request=request)


def _picked_row(chosen: Columns, picked: Callable[[str], None]) -> None:
    places = st.session_state["results"]["selection"]["rows"]
    if places and places[0] < readable.length(chosen):
        picked(str(chosen["hardware"][places[0]]))


def filters() -> tables.Filters:
    """The filters above a result table; they are kept while the table is not on the page."""
    bound: dict[str, Any] = {"bind": "query-params"}
    at_most: dict[str, Any] = {"min_value": 0.0, "value": None, "width": 170, "placeholder": "any"}
    many: dict[str, Any] = {"selection_mode": "multi"}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        classes = st.pills(
            "Class", palette.ARCHITECTURES, format_func=str.upper, key="show.class", **many, **bound
        )
        limits = st.pills("Bound by", palette.BOTTLENECKS, key="show.bound", **many, **bound)
        latency_ms = st.number_input("Latency at most (ms)", key="show.latency", **at_most, **bound)
        energy_mj = st.number_input("Energy at most (mJ)", key="show.energy", **at_most, **bound)
        fits = st.toggle("Fits in memory", key="show.fits", **bound)
    return tables.Filters(
        architectures=tuple(classes or ()),
        bottlenecks=tuple(limits or ()),
        fits_only=fits,
        latency_at_most_s=None if latency_ms is None else latency_ms / 1e3,
        energy_at_most_j=None if energy_mj is None else energy_mj / 1e3,
    )


def pinned_titles(pinned: Sequence[Pinned]) -> dict[str, str]:
    """The headings of the columns that compare with pins, and what they mean."""
    return {
        tables.change_title(pin.letter): f"Latency over that of “{pin.name}”: below 1 is faster."
        for pin in pinned
    }


@functools.lru_cache(maxsize=16)
def _column_config(against: tuple[tuple[str, str], ...] = ()) -> dict[str, Any]:
    config: dict[str, Any] = {
        "Device": st.column_config.TextColumn("Device", pinned=True, width="medium"),
    }
    for title, meaning in against:
        config[title] = st.column_config.NumberColumn(title, format="%.3g", help=meaning)
    for column in tables.COLUMNS:
        if column.format:
            config[column.title] = st.column_config.NumberColumn(
                column.title, format=column.format, help=column.meaning or None
            )
        elif column.meaning and column.source != "fits":
            config[column.title] = st.column_config.TextColumn(
                column.title, help=column.meaning, width="small"
            )
    return config


def profile_download(profile: Profile, key: str = "profile.toml") -> None:
    """A button that saves a device as the file that ``--hardware`` takes."""
    st.download_button(
        "Profile as TOML",
        data=lambda: characterize.hardware.to_toml(profile).encode(),
        file_name=f"{profile.name}.toml",
        mime="application/toml",
        key=key,
        on_click="ignore",
        icon=":material/download:",
    )


def stored_table(
    rows: Columns, key: str = "stored.table", alt_text: str = "Stored result rows"
) -> None:
    """Rows of many networks in one table: what they are first, then the figures."""
    if not readable.length(rows):
        st.info(NOTHING_PASSES, icon=":material/filter_alt_off:")
        return
    titles = {name: device.title for name, device in queries.devices().items()}
    defaults = {name: family.defaults for name, family in queries.families().items()}
    of = tables.identity(rows, defaults)
    first = next(iter(of))
    config = {**_column_config(), first: st.column_config.TextColumn(first, pinned=True)}
    st.dataframe(
        pa.table({**of, **tables.on_screen(rows, titles)}),
        hide_index=True,
        column_config=config,
        placeholder="",
        key=key,
        alt=alt_text,
    )


# Words


def glossary() -> None:
    """What the terms mean, for whoever meets them first here."""
    with st.popover("What the terms mean", icon=":material/help:", type="tertiary"):
        for quantity in readable.KPIS:
            st.markdown(f"**{quantity.title}** — {quantity.meaning}")
        for term, meaning in readable.TERMS.items():
            st.markdown(f"**{term}** — {meaning}")


def left_out(names: tuple[str, ...], precision: str) -> None:
    """Which devices are not shown, because they lack the precision."""
    if names:
        known = queries.devices()
        titles = ", ".join(known[name].title for name in names)
        st.info(f"Not shown, for lack of {precision}: {titles}.", icon=":material/block:")

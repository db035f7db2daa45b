"""The pieces of the Sweep view. They draw; what they draw is made elsewhere."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import streamlit as st

from characterize import questions
from characterize.errors import CharacterizeError
from characterize.models import Family
from characterize.questions import Budget
from characterize.sweeping import Kept
from dashboard import (
    charts_sweep,
    controls,
    curve_rows,
    exports,
    panels,
    queries,
    readable,
    saving,
    sweep_rows,
    sweeps,
)
from dashboard.jobs import Job
from dashboard.readable import Quantity
from dashboard.sweeps import Plan

FIELD_WIDTH: Final = 150
# more would be finer than a screen shows, and slower than a slider should be
CELLS: Final = 25  # along an axis of a heatmap
POINTS: Final = 40  # along a line
MARKS: Final = 400  # of a scatter, its frontier included
IN_MEMORY: Final = 300_000  # rows that a table holds; more are written by DuckDB, as Parquet
CHART: Final = "_sweep_chart"
FEW: Final = 6  # parameters that are shown before the others are tucked away


# A new sweep


def axis_fields(family: Family) -> dict[str, str]:
    """A field for every parameter: a value, a list or a range; what they say, by parameter."""
    suggested = sweep_rows.suggestions(family)
    names = [parameter.name for parameter in family.parameters]
    texts = _fields(family, names[:FEW], suggested)
    if names[FEW:]:
        with st.expander("More parameters", icon=":material/tune:"):
            texts |= _fields(family, names[FEW:], suggested)
    return texts


def _fields(family: Family, names: Sequence[str], suggested: Mapping[str, str]) -> dict[str, str]:
    texts = {}
    with st.grid(4, min_column_width=FIELD_WIDTH, gap="small"):
        for name in names:
            parameter = family.parameter(name)
            texts[name] = _field(
                controls.parameter_label(parameter),
                f"sweep.{family.name}.{name}",
                suggested[name],
                f"{parameter.sentence} {parameter.describe_range()}.",
            )
    return texts


def run_fields() -> dict[str, str]:
    """Batch, precision and stack, each a value or a list."""
    fields = (
        ("batch", "Batch", "1", "Samples that are run together: 1,8,32 or 1:32."),
        ("precision", "Precision", "auto", "auto, or number formats: fp32,fp16."),
        ("stack", "Software stack", "compiled", f"One or more of {', '.join(sweep_rows.STACKS)}."),
    )
    with st.grid(4, min_column_width=FIELD_WIDTH, gap="small"):
        return {
            name: _field(label, f"sweep.{name}", first, words)
            for name, label, first, words in fields
        }


def _field(label: str, key: str, first: str, sentence: str) -> str:
    said = st.text_input(label, first, key=key, bind=controls.BOUND, help=sentence)
    return said.strip() or first


def size(plan: Plan) -> None:
    """How large a sweep will be, before anybody runs it."""
    st.caption(
        f"{plan.grid.configurations:,} configurations × {len(plan.profiles)} devices = "
        f"**{plan.rows:,} rows**"
    )


def progress(job: Job) -> None:
    """How far a sweep is, and a way to stop it."""
    with st.container(border=True):
        st.progress(job.share, text=f"**{job.title}**: {job.text or 'starting'}")
        st.button(
            "Stop",
            icon=":material/stop_circle:",
            key="_sweep_stop",
            on_click=job.stop,
            help="What is done stays done, and can be gone on with.",
        )


# Budgets


def budgets(sweep: Kept) -> list[Budget]:
    """A slider for each budget, from what is tight to anything; what they ask for."""
    found = []
    reach = sweeps.reach(sweep, [quantity.column for quantity in sweep_rows.BUDGETS])
    with st.grid(4, min_column_width=FIELD_WIDTH, gap="medium"):
        for quantity in sweep_rows.BUDGETS:
            stops = sweep_rows.stops(*reach[quantity.column], quantity.unit)
            stop = st.select_slider(
                f"{quantity.title} at most",
                list(stops),
                value=sweep_rows.ANY,
                key=f"sweep.{quantity.column}",
                bind=controls.BOUND,
                help=quantity.meaning,
                disabled=len(stops) == 1,
            )
            limit = stops[str(stop)]
            if math.isfinite(limit):
                found.append(Budget(quantity.column, limit))
    return found


# Charts


def heatmap(
    found: questions.Rows,
    axes: tuple[str, str],
    of: str,
    quantity: Quantity,
    asked: Sequence[Budget],
    where: Mapping[str, Any],
) -> int:
    """Two axes; returns how many rows are within the budgets."""
    x, y = axes
    cells = questions.heatmap(found, x, y, quantity.column, list(asked), where, CELLS)
    columns = sweep_rows.tiles(cells, of, quantity, axes)
    met = int(cells["feasible"].sum())
    title = (
        "Share within the budgets"
        if of == "share"
        else f"{of.capitalize()} {quantity.title.lower()}"
    )
    _draw(
        charts_sweep.heatmap,
        columns,
        title if of == "share" or not quantity.unit else f"{title} ({quantity.unit})",
        "" if of == "share" else quantity.unit,
        x=named(x),
        y=named(y),
        share=of == "share",
        of=of,
        across=sweep_rows.order(cells, "x"),
        up=sweep_rows.order(cells, "y"),
        alt_text=f"{title} by {named(x)} and {named(y)}, as a heatmap",
    )
    return met


def lines(
    found: questions.Rows,
    x: str,
    of: str,
    quantity: Quantity,
    asked: Sequence[Budget],
    where: Mapping[str, Any],
) -> int:
    """One axis, a line a device; returns how many rows are within the budgets."""
    points = questions.lines(found, x, quantity.column, "hardware", list(asked), where, POINTS)
    columns = sweep_rows.curves(points, of, quantity, x, queries.devices())
    met = int(points["feasible"].sum())
    title = f"{of.capitalize()} {quantity.title.lower()}"
    values = columns["value"]
    spread = readable.spread(values)
    ends = [place for place, label in enumerate(columns["label"]) if label]
    heights = curve_rows.apart([values[place] for place in ends], values, spread != "even")
    columns["label_at"] = list(values)
    for place, height in zip(ends, heights, strict=True):
        columns["label_at"][place] = height
    _draw(
        charts_sweep.lines,
        columns,
        title,
        quantity.unit,
        x=named(x),
        spread=spread,
        alt_text=f"{title} along {named(x)}, a line a device",
    )
    return met


def scatter(
    found: questions.Rows,
    x: Quantity,
    y: Quantity,
    axes: Sequence[str],
    asked: Sequence[Budget],
    where: Mapping[str, Any],
) -> int:
    """Two measures, the frontier and a sample behind it; returns how many rows are in the budgets."""
    marks = questions.scatter(
        found, x.column, y.column, list(asked), where, "hardware", marks=MARKS
    )
    columns = sweep_rows.cloud(marks, x, y, queries.devices(), axes)
    met = int(marks["count"][~marks["frontier"]].sum())  # the sample stands for all of them
    _draw(
        charts_sweep.scatter,
        columns,
        x=x.title,
        x_unit=x.unit,
        y=y.title,
        y_unit=y.unit,
        x_spread=readable.spread(columns["x"]),
        y_spread=readable.spread(columns["y"]),
        alt_text=f"{y.title} against {x.title.lower()}: the frontier, and a sample behind it",
    )
    return met


def _draw(
    chart: Any, columns: Mapping[str, Any], *arguments: Any, alt_text: str, **options: Any
) -> None:
    at = picked_id()
    panels.draw(
        chart,
        {**columns, "chosen": [each == at for each in columns["id"]]},
        *arguments,
        key=CHART,
        alt_text=alt_text,
        on_select="rerun",
        selection_mode=charts_sweep.PICK,
        **options,
    )


def picked_id() -> str:
    """The mark that was clicked in the chart, empty if none."""
    selection = st.session_state.get(CHART, {}).get("selection", {})
    marks = selection.get(charts_sweep.PICK) or []
    return str(marks[0].get("id", "")) if marks else ""


def picked() -> sweep_rows.Picked | None:
    """What the mark that was clicked stands for."""
    return sweep_rows.picked(picked_id())


def named(axis: str) -> str:
    """An axis as a person reads it."""
    return axis.replace("_", " ").capitalize()


# Files


def downloads(sweep: Kept, asked: Sequence[Budget], where: Mapping[str, Any], count: int) -> None:
    """All rows within the budgets as files, made when their button is pressed."""
    opened = st.popover(
        "Download", icon=saving.ICON, key="_sweep_downloads", on_change="rerun", type="tertiary"
    )
    if not opened.open:  # buttons that nobody sees would be made again at every step
        return
    stem = f"characterize_sweep_{sweep.key[: sweeps.SHORT]}_{count}rows"
    request = saving.asked({"sweep": sweep.description, "budgets": list(map(str, asked)), **where})
    profiles = saving.profiles_of(sweep.hardware)
    large = count > IN_MEMORY
    write = functools.partial(_written, sweep, list(asked), dict(where), request, profiles)
    with opened, st.container(horizontal=True, gap="xsmall"):
        for kind in exports.FORMATS:
            st.download_button(
                kind.name,
                data=functools.partial(write, kind, large),
                file_name=f"{stem}.{kind.suffix}",
                mime=kind.mime,
                key=f"_sweep_save.{kind.name}",
                on_click="ignore",
                icon=saving.ICON,
                disabled=not count or not kind.available or (large and kind.name != "Parquet"),
                help=f"All {count:,} rows within the budgets, with all columns."
                if not large or kind.name == "Parquet"
                else f"{count:,} rows are too many for this format; Parquet holds them all.",
            )


def _written(
    sweep: Kept,
    asked: Sequence[Budget],
    where: Mapping[str, Any],
    request: Mapping[str, Any],
    profiles: Mapping[str, str],
    kind: exports.Format,
    large: bool,
) -> bytes:
    provenance = saving.provenance(request, profiles)
    if large:
        return sweeps.parquet(sweep, asked, where, {"characterize": json.dumps(provenance.facts())})
    return kind.write(sweeps.frame(sweep, asked, where), provenance)


def trouble(error: CharacterizeError) -> None:
    """What went wrong, in its own words."""
    st.error(str(error), icon=":material/error:")

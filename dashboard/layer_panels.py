"""The pieces of the Layers view. They draw; what they draw is made elsewhere."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import pyarrow as pa
import streamlit as st

from characterize.hardware import Profile
from dashboard import anatomy, charts_layers, explain, layer_beside, layer_rows, panels, readable
from dashboard.anatomy import Anatomy, Fused
from dashboard.layer_pins import PinnedLayers
from dashboard.module_tree import Group
from dashboard.queries import Network
from dashboard.readable import Columns, Pinned, number
from dashboard.tables import Column

GRAPH_HEIGHT: Final = 660
TABLE_HEIGHT: Final = 560
KPI_COLUMNS: Final = (
    "latency_s", "energy_j", "macs", "parameters", "memory_bytes", "peak_memory_bytes", "intensity",
    "kernels",
)  # fmt: skip
BETTER_LOW: Final = frozenset({"latency_s", "energy_j", "memory_bytes", "peak_memory_bytes"})
STACK_TITLES: Final = {
    anatomy.UNFUSED: "Nothing fused",
    "eager": "Eager",
    "compiled": "Compiled",
    "engine": "Engine",
}


# Figures


def kpis(found: Anatomy, unfused: Fused, pin: PinnedLayers | None = None) -> None:
    """What the network is, counted: work, size, traffic, kernels; with the change against a pin."""
    row = found.whole
    precision = str(row["precision"])
    figures: Sequence[tuple[str, str, str | None, str]] = (
        ("Latency", number(row["latency_s"], "s"), None, readable.LATENCY.meaning),
        ("Energy", number(row["energy_j"], "J"), None, readable.ENERGY.meaning),
        (
            "MACs",
            number(row["macs"]),
            f"{number(row['flops'], 'flop')} in all",
            f"{readable.MACS.meaning} Below, all arithmetic: two a mac, one for all else.",
        ),
        (
            "Parameters",
            number(row["parameters"]),
            None,
            "Elements of all weights; those that are shared count once.",
        ),
        (
            "Memory moved",
            number(row["memory_bytes"], "B"),
            f"{number(unfused.memory_bytes, 'B')} unfused",
            f"Bytes that kernels read and write in {precision} if nothing is reused between them; "
            "below, with every operator a kernel of its own.",
        ),
        ("Peak memory", number(row["peak_memory_bytes"], "B"), None, readable.PEAK_MEMORY.meaning),
        (
            "Intensity",
            number(row["intensity"], "flop/B"),
            None,
            "Arithmetic over memory moved: the more, the less memory is the limit.",
        ),
        (
            "Kernels",
            f"{row['kernels']:,}",
            f"{unfused.kernels:,} unfused",
            "Passes over memory under this software stack; below, with nothing fused.",
        ),
    )
    with st.grid(4, min_column_width=panels.KPI_WIDTH, gap="xsmall"):
        for (title, value, beside, meaning), column in zip(figures, KPI_COLUMNS, strict=True):
            against = f" Change against “{pin.kernels.name}”." if pin else ""
            change: dict[str, Any] = {"delta": beside, "delta_color": "off", "delta_arrow": "off"}
            if pin:
                colour = "inverse" if column in BETTER_LOW else "off"
                change = panels.delta(float(row[column]), float(pin.whole[column]), colour)
            st.metric(
                title,
                value,
                **change,
                help=f"{meaning}{against}",
                border=True,
                height="stretch",
            )


def beside(table: Columns) -> None:
    """What is shown and what is pinned in whole, side by side."""
    config: dict[str, Any] = {
        column.title: st.column_config.NumberColumn(column.title, format=column.format)
        for column in layer_beside.TOTALS
    }
    over = layer_beside.NOW_OVER_IT
    config["Configuration"] = st.column_config.TextColumn("Configuration", pinned=True)
    config[over] = st.column_config.NumberColumn(
        over, format="%.3g", help="Latency now over that of the row: below 1 is faster."
    )
    st.dataframe(
        pa.table(table),
        hide_index=True,
        placeholder="–",
        key="layers.beside",
        alt="What is shown and what is pinned, one configuration a row",
        height="content",
        column_config=config,
    )


def gaps(found: Anatomy) -> None:
    """What is not in the figures, by name; and what is in them that is not worked."""
    names, missing = found.uncounted, int(found.whole["uncounted"])
    if missing:
        plural = "operator has" if missing == 1 else "operators have"
        listed = ", ".join(f"`{name}`" for name in names)
        st.warning(
            f"{missing} {plural} no cost formula: {listed}. Their time and energy are not in "
            "these figures.",
            icon=":material/report:",
        )
    else:
        st.caption(":material/check_circle: Every operator is counted (0 without a cost formula).")
    counted, worked = sum(found.kernels["macs"]), sum(found.kernels["worked_macs"])
    notes = [note for note in found.notes if not note.startswith("A causal mask")]
    if worked < counted:
        notes.append(
            f"A causal mask leaves out {1 - worked / counted:.1%} of the {number(counted)} macs: "
            f"time and energy are of the {number(worked)} that are worked."
        )
    if found.folded:
        notes.append(f"{found.folded} operators are folded into weights and cost nothing.")
    for note in notes:
        st.caption(f":material/info: {note}")


def stacks(rows: Sequence[Fused], chosen: str) -> None:
    """What fusion saves: kernels, traffic and latency under each stack, side by side."""
    most = max(row.memory_bytes for row in rows) or 1.0
    table = {
        "Stack": [STACK_TITLES[row.stack] for row in rows],
        "Kernels": [row.kernels for row in rows],
        "Memory moved (MB)": [row.memory_bytes / 1e6 for row in rows],
        "Of unfused": [row.memory_bytes / most for row in rows],
        "Latency (ms)": [None if row.latency_s is None else row.latency_s * 1e3 for row in rows],
        "": ["shown here" if row.stack == chosen else "" for row in rows],
    }
    st.dataframe(
        pa.table(table),
        hide_index=True,
        placeholder="–",
        key="layers.stacks",
        alt="Kernels, memory moved and latency with nothing fused and under each software stack",
        column_config={
            "Memory moved (MB)": st.column_config.NumberColumn(format="%.4g"),
            "Of unfused": st.column_config.ProgressColumn(
                format="percent", min_value=0.0, max_value=1.0
            ),
            "Latency (ms)": st.column_config.NumberColumn(format="%.4g"),
        },
    )


# Charts


def modules(
    kernels: Columns,
    groups: Sequence[Group],
    share: tuple[str, str, str],
    pinned: Sequence[tuple[Pinned, Sequence[Group]]],
) -> None:
    """Time or energy by module."""
    column, title, unit = share
    frame = layer_rows.by_module(kernels, groups, column, unit, pinned)
    alt_text = f"{title} by module: a bar a module, in the order they run; the table has the values"
    panels.draw(
        charts_layers.modules,
        frame,
        title,
        unit,
        pinned=bool(pinned),
        key="layers.modules",
        alt_text=alt_text,
    )


def roofline(frame: Columns, without: int, device: str) -> None:
    """Kernels under the ceilings of the device."""
    if not frame:
        st.info("No kernel of this network does arithmetic.", icon=":material/functions:")
        return
    panels.draw(
        charts_layers.roofline,
        frame,
        pinned="pinned" in frame["role"],
        key="layers.roofline",
        alt_text=f"{frame['role'].count('kernel')} kinds of kernel by intensity and throughput "
        f"under the ceilings of {device}",
    )
    if without:
        plural = "kernel does" if without == 1 else "kernels do"
        st.caption(
            f"{without} {plural} no arithmetic (copies and the like) and have no place here."
        )


def graph(frame: Columns, ranks: int, boxes: int, key: str, picked: Any, pin: str = "") -> None:
    """The drawn graph; ``picked`` is called when a box is clicked."""
    height = min(GRAPH_HEIGHT, ranks * charts_layers.RANK_STEP + 90)
    with st.container(height=height, border=True, key=f"{key}.frame"):
        panels.draw(
            charts_layers.graph,
            frame,
            ranks,
            pin=pin,
            key=key,
            title="Graph of kernels",
            on_select=picked,
            selection_mode=charts_layers.PICK,
            alt_text=f"Graph of {boxes} kernels and modules, data flowing down; the table has them "
            "all",
        )


def table(kernels: Columns, pinned: Sequence[Pinned], key: str, picked: Any) -> None:
    """The kernels as a table; ``picked`` is called when a row is selected."""
    columns = layer_rows.columns(pinned)
    if not readable.length(kernels):
        st.info("No kernel matches; loosen the search.", icon=":material/filter_alt_off:")
        return
    st.dataframe(
        pa.table(layer_rows.on_screen(kernels, columns)),
        hide_index=True,
        placeholder="–",
        column_config=_column_config(columns),
        on_select=picked,
        selection_mode="single-row",
        key=key,
        alt="Kernels in the order they run, one a row",
        height=TABLE_HEIGHT,
    )


@lru_cache(maxsize=16)
def _column_config(columns: tuple[Column, ...]) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for column in columns:
        if column.format:
            config[column.title] = st.column_config.NumberColumn(
                column.title, format=column.format, help=column.meaning or None
            )
        else:
            config[column.title] = st.column_config.TextColumn(
                column.title, help=column.meaning or None, pinned=column.source == "kernel"
            )
    return config


# One kernel


def explained(
    kernel: Mapping[str, Any], found: Sequence[anatomy.PricedOperator], profile: Profile,
    network: Network, pinned: Sequence[Pinned] = (),
) -> None:  # fmt: skip
    """Where the figures of one kernel come from: formula with values, parts of the time."""
    module = f"module `{kernel['module']}`" if kernel["module"] else "the network itself"
    st.markdown(
        f"**{number(kernel['latency_s'], 's')}**, {kernel['share']:.1%} of the time, bound by "
        f"**{kernel['bottleneck']}** · {kernel['pattern']} · {module}"
    )
    if pinned:
        st.caption(f":material/keep: {_against(kernel, pinned)}")
    if kernel["reason"]:
        st.caption(f":material/call_split: Fused no further: {kernel['reason']}.")
    st.markdown("**What it does**")
    lines = [f"- {explain.operator_line(o)}  \n  {explain.values_line(o)}" for o in found]
    st.markdown("\n".join(lines))
    st.caption(
        f"{number(kernel['macs'])} macs, {number(kernel['flops'], 'flop')}, "
        f"{number(kernel['memory_bytes'], 'B')} moved, {number(kernel['intensity'], 'flop/B')}"
    )
    _formulas(found)
    st.markdown(f"**Why it takes as long on {profile.title}**")
    precision = anatomy.precision_of(network, profile)
    bandwidth = profile.memory_bytes_per_s
    rows = explain.time_rows(
        kernel,
        profile.peak(precision),
        bandwidth if math.isfinite(bandwidth) else 0.0,
        profile.on_chip_bytes_per_s,
    )
    st.markdown(explain.table(rows))
    _device(profile, network)


def _against(kernel: Mapping[str, Any], pinned: Sequence[Pinned]) -> str:
    said = []
    for pin in pinned:
        before = layer_beside.before_s(kernel, pin.letter)
        if before is None:
            said.append(f"no such kernel in {pin.letter} “{pin.name}”")
        else:
            change = readable.change(kernel["latency_s"], before)
            said.append(f"{number(before, 's')} in {pin.letter} “{pin.name}” ({change})")
    sentence = "; ".join(said)
    return f"{sentence[:1].upper()}{sentence[1:]}."


def _formulas(found: Sequence[anatomy.PricedOperator]) -> None:
    unique = {operator.formula: operator for operator in found if operator.formula}
    with st.expander("The formulas", icon=":material/function:"):
        for operator in unique.values():
            alike = [f"`{o.name}`" for o in found if o.formula == operator.formula]
            st.markdown(f"{', '.join(dict.fromkeys(alike))}  \n{explain.formula(operator)}")


def _device(profile: Profile, network: Network) -> None:
    with st.expander("How the device's model puts the parts together", icon=":material/timer:"):
        st.markdown(anatomy.execution_words(profile))
    with st.expander("The device's figures and their sources", icon=":material/menu_book:"):
        st.dataframe(
            pa.table(explain.figure_rows(anatomy.figures_used(profile, network))),
            hide_index=True,
            key="layers.figures",
            alt=f"Figures of {profile.title} that these numbers rest on, with sources",
        )

"""The pieces of the Layers view. They draw; what they draw is made elsewhere."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import pyarrow as pa
import streamlit as st
from streamlit.elements.lib.mutable_expander_container import ExpanderContainer

from characterize.hardware import Profile
from dashboard import anatomy, charts_layers, explain, layer_beside, layer_rows, panels, readable
from dashboard.anatomy import Anatomy, Fused
from dashboard.module_tree import Group
from dashboard.queries import Network
from dashboard.readable import Columns, Pinned, Quantity, number
from dashboard.tables import Column

GRAPH_HEIGHT: Final = 660
TABLE_HEIGHT: Final = 560
TRAFFIC: Final = Quantity(
    "memory_bytes",
    "Memory moved",
    "B",
    True,
    "Bytes that kernels read and write if nothing is reused between them.",
)
KPIS: Final = (readable.LATENCY, readable.ENERGY, readable.MACS, TRAFFIC)
COUNTED: Final = (
    "Kernels are passes over memory under this software stack. All arithmetic counts two a mac and "
    "one for all else. Parameters are the elements of all weights; those that are shared count once. "
    "The peak is parameters plus the largest set of activations alive at once. Arithmetic over memory "
    "moved (flop/B) is the intensity: the more, the less memory is the limit."
)
DEAREST: Final = 8  # kernels in the list of the dearest
STACK_TITLES: Final = {
    anatomy.UNFUSED: "Nothing fused",
    "eager": "Eager",
    "compiled": "Compiled",
    "engine": "Engine",
}


# Figures


def counted(found: Anatomy) -> None:
    """What else the network is, counted, and how far the figures can be trusted, in one line."""
    row, missing = found.whole, int(found.whole["uncounted"])
    kernels = int(row["kernels"])
    parts = [
        f"{kernels:,} kernel{'' if kernels == 1 else 's'}",
        f"{number(row['flops'], 'flop')} in all",
        f"{number(row['parameters'])} parameters",
        f"{number(row['peak_memory_bytes'], 'B')} at the peak",
        f"{number(row['intensity'], 'flop/B')}",
        *([] if missing else ["every operator is counted (0 without a cost formula)"]),
        *_notes(found),
    ]
    st.caption(" · ".join(parts), help=COUNTED)
    if missing:
        plural = "operator has" if missing == 1 else "operators have"
        listed = ", ".join(f"`{name}`" for name in found.uncounted)
        st.warning(
            f"{missing} {plural} no cost formula: {listed}. Their time and energy are not in "
            "these figures.",
            icon=":material/report:",
        )


def _notes(found: Anatomy) -> list[str]:
    """What is in the figures that is not worked, and what the library says of them."""
    counted_macs, worked = sum(found.kernels["macs"]), sum(found.kernels["worked_macs"])
    notes = [note for note in found.notes if not note.startswith("A causal mask")]
    if worked < counted_macs:
        notes.append(
            f"A causal mask leaves out {1 - worked / counted_macs:.1%} of the "
            f"{number(counted_macs)} macs: time and energy are of the {number(worked)} that are "
            "worked"
        )
    if found.folded:
        notes.append(f"{found.folded} operators are folded into weights and cost nothing")
    return notes


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


def dearest(kernels: Columns, share: tuple[str, str, str]) -> None:
    """The kernels that take most, in a list."""
    column, title, unit = share
    lines = layer_rows.dearest(kernels, column, unit, DEAREST)
    numbered = "\n".join(f"{place}. {line}" for place, line in enumerate(lines, 1))
    of = f"{title} of the dearest of {readable.length(kernels):,} kernels"
    st.markdown(f"{of}; Graph and Table have all of them, and explain each.\n\n{numbered}")


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
    precision = anatomy.precision_of(network, profile)
    bandwidth = profile.memory_bytes_per_s
    rows = explain.time_rows(
        kernel,
        profile.peak(precision),
        bandwidth if math.isfinite(bandwidth) else 0.0,
        profile.on_chip_bytes_per_s,
    )
    # one element, since each of them takes the browser time
    st.markdown(
        "\n\n".join(
            [
                f"**{number(kernel['latency_s'], 's')}**, {kernel['share']:.1%} of the time, bound by "
                f"**{kernel['bottleneck']}** · {kernel['pattern']} · {module}",
                *([f":material/keep: {_against(kernel, pinned)}"] if pinned else []),
                *(
                    [f":material/call_split: Fused no further: {kernel['reason']}."]
                    if kernel["reason"]
                    else []
                ),
                "**What it does**",
                "\n".join(
                    f"- {explain.operator_line(o)}  \n  {explain.values_line(o)}" for o in found
                ),
                f"{number(kernel['macs'])} macs, {number(kernel['flops'], 'flop')}, "
                f"{number(kernel['memory_bytes'], 'B')} moved, "
                f"{number(kernel['intensity'], 'flop/B')}",
                f"**Why it takes as long on {profile.title}**",
                explain.table(rows),
            ]
        )
    )
    _formulas(found)
    _device(profile, network)


def _folded(title: str, icon: str, key: str) -> ExpanderContainer:
    """An expander whose content is made when it is opened."""
    return st.expander(title, icon=icon, key=key, on_change="rerun")


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
    folded = _folded("The formulas", ":material/function:", "explain.formulas")
    if not folded.open:
        return
    unique = {operator.formula: operator for operator in found if operator.formula}
    with folded:
        for operator in unique.values():
            alike = [f"`{o.name}`" for o in found if o.formula == operator.formula]
            st.markdown(f"{', '.join(dict.fromkeys(alike))}  \n{explain.formula(operator)}")


def _device(profile: Profile, network: Network) -> None:
    folded = _folded(
        "How the device's model puts the parts together", ":material/timer:", "explain.model"
    )
    if folded.open:
        folded.markdown(anatomy.execution_words(profile))
    folded = _folded(
        "The device's figures and their sources", ":material/menu_book:", "explain.sources"
    )
    if folded.open:
        folded.dataframe(
            pa.table(explain.figure_rows(anatomy.figures_used(profile, network))),
            hide_index=True,
            key="layers.figures",
            alt=f"Figures of {profile.title} that these numbers rest on, with sources",
        )

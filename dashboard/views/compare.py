"""Compare: which device, which network?

As in Tune, what stays the same when a slider moves is made once, by the script; one fragment writes
what changes into the places left for it. The heatmap is always there; beside it one thing at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from characterize.errors import CharacterizeError
from dashboard import (
    charts_compare,
    compare_rows,
    comparison_report,
    controls,
    curve_panel,
    line_up,
    links,
    panels,
    queries,
    readable,
    saving,
    state,
    tables,
)
from dashboard.compare_rows import QUANTITIES, Entry
from dashboard.queries import Request
from dashboard.readable import LATENCY, Columns, Quantity

RESULTS = "compare"
HEATMAP = "compare.heatmap"
OF, SIDE = "compare.of", "compare.beside"  # in the URL
DEVICES, FRONTIER, TABLE = "By device", "Energy against latency", "All figures"


@dataclass(frozen=True)
class Places:
    """Where the fragment writes: made once, filled again at every step."""

    messages: DeltaGenerator
    heatmap: DeltaGenerator
    tabs: Mapping[str, DeltaGenerator]  # the open one


def places() -> Places:
    messages = st.container()
    st.segmented_control(
        "Compare by",
        list(QUANTITIES),
        default=LATENCY.title,
        required=True,
        key=OF,
        bind=controls.BOUND,
    )
    quantity = asked()
    heatmap = panels.card(f"{quantity.title} by network and device", quantity.meaning, HEATMAP)
    st.header("One network beside the other", anchor="beside")
    panels.key_of_marks(())
    titles = (DEVICES, FRONTIER, TABLE)
    tabs = st.tabs(titles, key=SIDE, on_change="rerun", bind=controls.BOUND)
    shown = {title: tab for title, tab in zip(titles, tabs, strict=True) if tab.open}
    return Places(messages, heatmap, shown)


def asked() -> Quantity:
    """What networks and devices are compared by."""
    return QUANTITIES.get(st.session_state.get(OF) or "", LATENCY)


@st.fragment(key=RESULTS)
def results(at: Places) -> None:
    shared.sizes()
    compared = controls.chosen_comparison()
    with at.messages:
        entries = answers(compared.devices, compared.baseline)
        if not entries:
            return
    order = list(compared.devices)
    titles = {name: device.short for name, device in queries.devices().items()}
    quantity = asked()
    cells = compare_rows.cells(entries, quantity, titles, order)
    with at.heatmap:
        heatmap(cells, quantity, len(entries))
    small: list[str] = []
    for title, tab in at.tabs.items():
        with tab:
            if title == DEVICES:
                small = multiples(cells, quantity)
            elif title == FRONTIER:
                small = frontiers(compare_rows.frontier(entries, titles, order))
            else:
                table(compare_rows.together(entries))
    report(entries, [f"{compare_rows.takeaway(cells, quantity)}."], [HEATMAP, *small])


def answers(devices: tuple[str, ...], baseline: str | None) -> list[Entry]:
    """The rows of every network; one that cannot be computed says why, and the others are shown."""
    found, current = [], controls.chosen_network()
    for pin in line_up.chosen(current):
        quick, request = queries.is_quick(pin.network), Request(pin.network, devices, baseline)
        try:
            with nullcontext() if quick else st.spinner(f"Tracing {pin.name}"):
                if pin.network == current:
                    curve_panel.look_ahead(request)
                answer = queries.answer(request)
        except CharacterizeError as error:
            st.error(f"{pin.name}: {error}", icon=":material/error:")
            continue
        panels.left_out(answer.left_out, pin.network.precision)
        found.append(Entry(pin.name, answer.rows))
    return found


def report(entries: Sequence[Entry], lines: list[str], charts: list[str]) -> None:
    """Offer what is on the page as a report."""
    known = {pin.name: pin.network for pin in line_up.chosen(controls.chosen_network())}
    networks = {entry.name: known[entry.name] for entry in entries}
    saving.offer_report(
        f"characterize_{tables.slug('-'.join(networks))}",
        lambda: comparison_report.of_networks(
            networks, compare_rows.together(entries), lines, saving.asked(), charts
        ),
    )


def heatmap(cells: Columns, quantity: Quantity, networks: int) -> None:
    panels.draw(
        charts_compare.heatmap,
        cells,
        quantity.title,
        quantity.unit,
        networks=networks,
        reverse=quantity.lower_is_better,
        key=HEATMAP,
        alt_text=f"{quantity.title} by network and device, as a heatmap",
    )
    low_or_high = "lower" if quantity.lower_is_better else "higher"
    st.caption(
        f"{compare_rows.takeaway(cells, quantity)}.  \n★ the best device of a network; the stronger "
        f"the colour, the {low_or_high} and the better."
    )


def multiples(cells: Columns, quantity: Quantity) -> list[str]:
    """A chart a network; returns the keys of the charts."""
    keys = []
    spread = readable.spread([*cells["low"], *cells["high"]])
    for name, key, part in cards("multiple", compare_rows.apart(cells, compare_rows.VALUE_ENDS)):
        keys.append(key)
        panels.draw(
            charts_compare.multiple,
            part,
            quantity.title,
            quantity.unit,
            spread=spread,
            key=key,
            alt_text=f"{quantity.title} of {name} by device",
        )
    return keys


def frontiers(points: Columns) -> list[str]:
    """Energy against latency, a chart a network; returns the keys of the charts."""
    keys = []
    st.caption(
        "Left is fast, down is frugal. A line joins the devices that are worth having for a network: "
        "nothing else is both faster and more frugal. Those off the line are always beaten."
    )
    parts = compare_rows.apart(points, compare_rows.FRONTIER_ENDS)
    for name, key, part in cards("frontier", parts):
        keys.append(key)
        alt_text = f"Energy against latency of {name}"
        panels.draw(charts_compare.frontier, part, key=key, alt_text=alt_text)
        st.caption(compare_rows.frontier_takeaway(part))
    return keys


def cards(kind: str, parts: Sequence[tuple[str, Columns]]) -> Iterator[tuple[str, str, Columns]]:
    """A card a network, while it is written into: its name, the key of its chart, its rows."""
    with st.grid(3, min_column_width=panels.CARD_WIDTH, gap="small"):
        for index, (name, part) in enumerate(parts):
            with st.container(border=True, gap="xsmall"):
                st.markdown(f"**{name}**")
                yield name, f"compare.{kind}.{index}", part


@st.fragment
def table(rows: Columns) -> None:
    positions = tables.passing(rows, panels.filters())
    chosen, total = tables.take(rows, positions), readable.length(rows)
    shown = f"{len(positions)} of {total}" if len(positions) < total else f"All {total}"
    st.caption(f"{shown} rows")
    panels.stored_table(chosen, "compare.table", "Compared rows: one network and device a row")
    saving.downloads(chosen, "compare")


def include_current() -> None:
    network = controls.chosen_network()
    if network is not None:
        line_up.include(network)


st.title("Which device, which network?", anchor=False)
shared = controls.Controls(RESULTS, moved=curve_panel.remember)
notes = state.begin("compare", (links.MODEL, links.DEVICES, links.BASELINE))
notes += line_up.adopt()
with st.sidebar:
    shared.network()
    st.button(
        "Keep this network",
        icon=":material/playlist_add:",
        key="_compare_add",
        on_click=include_current,
        width="stretch",
        help="Compare the network that these controls stand at now with whatever you change next.",
    )
for note in notes:
    st.warning(note, icon=":material/link_off:")
st.multiselect(
    "Networks to compare",
    line_up.options(),
    key=line_up.CONTROL,
    on_change=line_up.take,
    accept_new_options=True,
    placeholder="Choose at least one network",
    help="Families, examples and pins are listed. Any other model of an installed library can be "
    "typed by its name: torchvision/resnet50, timm/vit_base_patch16_224.",
)
controls.choose_devices()
with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
    shared.baseline()
    saving.menu()
    panels.glossary()
if not controls.chosen_comparison().devices:
    shared.sizes()
    st.info("Choose at least one device to compare.", icon=":material/devices:")
elif not st.session_state[line_up.CONTROL]:
    shared.sizes()
    st.info(
        "Choose at least one network above: a family, an example, or any model by name.",
        icon=":material/account_tree:",
    )
else:
    results(places())

"""Compare: which device, which network?

As in Tune, what stays the same when a slider moves is made once, by the script; one fragment writes
what changes into the places left for it. The heatmap is always there; beside it one thing at a time.
The charts of networks that the controls do not move are another fragment, which runs when the axes
that all share become others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import cached_property

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
from dashboard.encodings import Spread
from dashboard.pins import Pin
from dashboard.queries import Request
from dashboard.readable import LATENCY, Columns, Quantity

RESULTS, OTHERS = "compare", "compare.others"  # fragments
HEATMAP = "compare.heatmap"
OF, SIDE = "compare.of", "compare.beside"  # in the URL
DEVICES, FRONTIER, TABLE = "By device", "Energy against latency", "All figures"
LAST, DRAWN = "_compare_last", "_compare_drawn"


@dataclass(frozen=True)
class Places:
    """Where the fragment writes: made once, filled again at every step."""

    messages: DeltaGenerator
    heatmap: DeltaGenerator
    cards: Mapping[str, DeltaGenerator]  # of the open tab, by network
    table: DeltaGenerator | None


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
    for title, tab in zip(titles, tabs, strict=True):
        with tab:
            if title != TABLE and tab.open:
                return Places(messages, heatmap, cards(title), None)
    return Places(messages, heatmap, {}, tabs[-1])


def cards(title: str) -> dict[str, DeltaGenerator]:
    """A card for each network, for charts that are written into it later."""
    if title == FRONTIER:
        st.caption(
            "Left is fast, down is frugal. A line joins the devices that are worth having for a "
            "network: nothing else is both faster and more frugal. Those off the line are always "
            "beaten."
        )
    made = {}
    with st.grid(3, min_column_width=panels.CARD_WIDTH, gap="small"):
        for name in st.session_state[line_up.CONTROL]:
            with st.container(border=True, gap="xsmall"):
                st.markdown(f"**{name}**")
                made[name] = st.container()
    return made


def asked() -> Quantity:
    """What networks and devices are compared by."""
    return QUANTITIES.get(st.session_state.get(OF) or "", LATENCY)


@dataclass(frozen=True)
class Found:
    """What is compared: the networks that can be computed, by what, on which devices."""

    entries: list[Entry]
    quantity: Quantity
    devices: tuple[str, ...]

    @cached_property
    def cells(self) -> Columns:
        """The frame of the heatmap and of the charts by device."""
        return compare_rows.cells(self.entries, self.quantity, short_names(), self.devices)

    def small(self, shown: str) -> Small:
        """The small charts of what is looked at."""
        if shown == FRONTIER:
            points = compare_rows.frontier(self.entries, short_names(), self.devices)
            return Small(shown, dict(compare_rows.apart(points, compare_rows.FRONTIER_ENDS)))
        cells = self.cells
        spread = readable.spread([*cells["low"], *cells["high"]])
        ends = compare_rows.VALUE_ENDS
        return Small(shown, dict(compare_rows.apart(cells, ends, spread)), spread, self.quantity)


@dataclass(frozen=True)
class Small:
    """A chart a network: what of, the rows of each, and what the axes of all have in common."""

    shown: str
    rows: dict[str, Columns]
    spread: Spread = "log"
    quantity: Quantity = LATENCY

    @property
    def others(self) -> Small:
        """Without what the controls stand at."""
        return replace(self, rows={n: r for n, r in self.rows.items() if n != line_up.LIVE_LABEL})


def short_names() -> dict[str, str]:
    return {name: device.short for name, device in queries.devices().items()}


def looked_at() -> str:
    """The open tab."""
    return str(st.session_state.get(SIDE) or DEVICES)


@st.fragment(key=RESULTS)
def results(at: Places) -> None:
    shared.sizes()
    compared = controls.chosen_comparison()
    with at.messages:
        entries = answers(compared.devices, compared.baseline)
        if not entries:
            st.session_state.pop(LAST, None)
            return
    found = st.session_state[LAST] = Found(entries, asked(), compared.devices)
    cells = found.cells
    with at.heatmap:
        heatmap(cells, found.quantity, len(entries))
    small = found.small(looked_at()) if at.cards else None
    if small:
        draw(small, [line_up.LIVE_LABEL], at)
    if at.table:
        with at.table:
            table(compare_rows.together(entries))
    keys = [key_of(small, name) for name in small.rows] if small else []
    report(entries, [f"{compare_rows.takeaway(cells, found.quantity)}."], [HEATMAP, *keys])


@st.fragment(key=OTHERS)
def others(at: Places) -> None:
    """The charts of all networks but the one that the controls move."""
    found: Found | None = st.session_state.get(LAST)
    st.session_state.pop(DRAWN, None)
    if found is None or not at.cards:
        return
    st.session_state[DRAWN] = small = found.small(looked_at()).others
    draw(small, [name for name in at.cards if name != line_up.LIVE_LABEL], at)


def moved(key: str) -> None:
    """A slider of the network was moved: its charts are drawn again, the others' if they must be."""
    curve_panel.remember(key)
    shown, compared, found = looked_at(), controls.chosen_comparison(), []
    if shown == TABLE:
        return
    for pin, request in questions(compared.devices, compared.baseline):
        if pin.name == line_up.LIVE_LABEL and not queries.is_quick(pin.network):
            controls.run_again(RESULTS, OTHERS)  # which say what is being traced
        with suppress(CharacterizeError):  # it is said by who asks for it to show it
            ahead(pin, request)
            found.append(Entry(pin.name, queries.answer(request).rows))
    if found:
        small = Found(found, asked(), compared.devices).small(shown)
        if small.others != st.session_state.get(DRAWN):
            controls.run_again(RESULTS, OTHERS)


# The answer


def questions(devices: tuple[str, ...], baseline: str | None) -> list[tuple[Pin, Request]]:
    """What is asked of every network."""
    return [
        (pin, Request(pin.network, devices, baseline))
        for pin in line_up.chosen(controls.chosen_network())
    ]


def ahead(pin: Pin, request: Request) -> None:
    """Answer what the controls stand at for the whole slider that moves it."""
    if pin.network == controls.chosen_network():
        curve_panel.look_ahead(request)


def answers(devices: tuple[str, ...], baseline: str | None) -> list[Entry]:
    """The rows of every network; one that cannot be computed says why, and the others are shown."""
    found = []
    for pin, request in questions(devices, baseline):
        quick = queries.is_quick(pin.network)
        try:
            with nullcontext() if quick else st.spinner(f"Tracing {pin.name}"):
                ahead(pin, request)
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


def key_of(small: Small, name: str) -> str:
    """The key of a network's chart."""
    kind = "frontier" if small.shown == FRONTIER else "multiple"
    return f"compare.{kind}.{st.session_state[line_up.CONTROL].index(name)}"


def draw(small: Small, names: Sequence[str], at: Places) -> None:
    """The charts of some networks, in their cards."""
    for name in names:
        if name in at.cards:
            with at.cards[name]:
                chart(small, name)


def chart(small: Small, name: str) -> None:
    rows = small.rows.get(name)
    if rows is None:
        st.caption("Nothing of it can be shown.")
    elif small.shown == FRONTIER:
        alt_text = f"Energy against latency of {name}"
        panels.draw(charts_compare.frontier, rows, key=key_of(small, name), alt_text=alt_text)
        st.caption(compare_rows.frontier_takeaway(rows))
    else:
        panels.draw(
            charts_compare.multiple,
            rows,
            small.quantity.title,
            small.quantity.unit,
            spread=small.spread,
            key=key_of(small, name),
            alt_text=f"{small.quantity.title} of {name} by device",
        )


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
shared = controls.Controls(RESULTS, OTHERS, moved=moved)
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
    at = places()
    results(at)
    others(at)

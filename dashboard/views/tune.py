"""Tune: what does this network cost, and what if I change it?"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import streamlit as st

from characterize.errors import CharacterizeError
from dashboard import charts, controls, links, panels, presets, queries, readable, state
from dashboard.controls import Comparison
from dashboard.queries import AUTO, Answer, Network, Request
from dashboard.readable import Columns

SHARES = {
    "time": ("latency_s", "Time", "s"),
    "energy": ("energy_dynamic_j", "Dynamic energy", "J"),
}
RESULTS = "results"
Found = tuple[Network, Comparison, Answer, Columns | None]
LAST = "_tune_last"  # the last answer that could be computed, kept on the page when one cannot


@st.fragment(key=RESULTS)
def results() -> None:
    network, comparison = controls.chosen_network(), controls.chosen_comparison()
    if network is None:
        st.info("Choose a zoo model on the left to see what it costs.", icon=":material/search:")
    elif not comparison.devices:
        st.info("Choose at least one device to compare.", icon=":material/devices:")
    else:
        found = ask(network, comparison)
        if found is not None:
            show(*found)


def ask(network: Network, comparison: Comparison) -> Found | None:
    """The answer, the pinned one and the comparison; after an error, those of the last time."""
    request = Request(network, comparison.devices, comparison.baseline)
    try:
        with nullcontext() if queries.is_quick(network) else st.spinner("Tracing the network"):
            answer = queries.answer(request)
    except CharacterizeError as error:
        st.error(str(error), icon=":material/error:")
        if LAST not in st.session_state:
            return None
        st.caption(":material/history: The figures below are the last that could be computed.")
        last: Found = st.session_state[LAST]
        return last
    found = (network, comparison, answer, pinned_rows(comparison))
    st.session_state[LAST] = found
    return found


def pinned_rows(comparison: Comparison) -> Columns | None:
    """The pinned configuration on the devices that are compared now."""
    pin = state.pinned()
    if pin is None:
        return None
    try:
        return queries.answer(Request(pin.network, comparison.devices, comparison.baseline)).rows
    except CharacterizeError as error:
        st.warning(f"The pinned configuration cannot be shown: {error}", icon=":material/keep_off:")
        return None


def show(network: Network, comparison: Comparison, answer: Answer, pinned: Columns | None) -> None:
    rows = answer.rows
    devices = queries.devices()
    titles = {name: device.title for name, device in devices.items()}
    short = {name: device.short for name, device in devices.items()}
    focus = focused(rows, comparison.focus)
    pin = state.pinned()
    before = None if pinned is None else row_of(pinned, focus["hardware"])
    panels.left_out(answer.left_out, network.precision)
    for note in answer.notes:
        st.caption(f":material/info: {note}")
    panels.standing(focus, titles.get(focus["hardware"], focus["hardware"]), summary(network))
    panels.kpis(focus, before, pin.name if pin else "")
    panels.coverage(rows)
    panels.key_of_marks(pin.name if pin is not None and pinned is not None else "")
    with st.grid(3, min_column_width=panels.CARD_WIDTH, gap="small"):
        for quantity in (readable.LATENCY, readable.ENERGY, readable.SPEEDUP):
            frame = readable.by_device(rows, quantity, short, pinned)
            panels.device_card(frame, quantity, key=f"by_device_{quantity.column}")
    where_it_goes(network, focus, titles)
    st.header("All figures", anchor="figures")
    panels.table(rows, titles, pinned)


def focused(rows: Columns, focus: str) -> dict[str, Any]:
    """The row of the device looked at: the one asked for, else the fastest."""
    latencies = list(rows["latency_s"])
    fastest = readable.row(rows, latencies.index(min(latencies)))
    return fastest if focus == AUTO else row_of(rows, focus) or fastest


def row_of(rows: Columns, hardware: str) -> dict[str, Any] | None:
    names = list(rows["hardware"])
    return readable.row(rows, names.index(hardware)) if hardware in names else None


@st.fragment
def where_it_goes(network: Network, focus: dict[str, Any], titles: dict[str, str]) -> None:
    name = focus["hardware"]
    st.header(f"Where it goes on {titles.get(name, name)}", anchor="kernels")
    what = st.segmented_control(
        "Share of",
        list(SHARES),
        default="time",
        required=True,
        key="kernels.of",
        bind="query-params",
        label_visibility="collapsed",
    )
    try:
        kernels = queries.kernels(network, name)
    except CharacterizeError as error:
        st.error(str(error), icon=":material/error:")
        return
    column, title, unit = SHARES[str(what)]
    frame = readable.top_kernels(kernels, column, unit)
    if not frame:
        st.info("This network has no kernels: it computes nothing.", icon=":material/info:")
        return
    outside = readable.outside_kernels(frame, float(focus[column]), unit)
    if outside:
        st.caption(outside)
    with st.container(border=True):
        panels.draw(
            charts.kernels,
            frame,
            title,
            unit,
            key="kernels.chart",
            alt_text=f"{title} by kernel: {frame['label'][0]} takes {frame['share'][0]:.0%}",
        )


def pin_controls() -> None:
    """Pin what is shown, or see to what is pinned; undo."""
    pin = state.pinned()
    if pin is None:
        st.button(
            "Pin to compare",
            icon=":material/keep:",
            key="_pin",
            on_click=pin_current,
            help="Keep these figures beside those of whatever you change next.",
        )
    else:
        with st.popover(f"Pinned: {pin.name}", icon=":material/keep:", key="_pinned"):
            pinned_menu(pin)
    if state.can_undo():
        st.button(
            "Undo",
            icon=":material/undo:",
            type="tertiary",
            key="_undo",
            on_click=state.undo_pin,
            help="Go back to what was pinned before.",
        )
    examples()
    panels.glossary()


def pin_current() -> None:
    network = controls.chosen_network()
    if network is not None:
        state.set_pin(state.Pin(summary(network), network))


def pinned_menu(pin: state.Pin) -> None:
    st.text_input(
        "Name", value=pin.name, max_chars=state.LONGEST_NAME, key="_pin_name", on_change=rename
    )
    st.caption(summary(pin.network))
    choices = (
        ("Set the controls to it", ":material/restore:", state.restore, (pin.network,)),
        ("Pin what is shown now instead", ":material/keep:", pin_current, ()),
        ("Unpin", ":material/keep_off:", state.set_pin, (None,)),
    )
    for label, icon, callback, arguments in choices:
        st.button(label, icon=icon, width="stretch", on_click=callback, args=arguments)


def examples() -> None:
    with st.popover("Examples", icon=":material/school:", type="tertiary"):
        for preset in presets.PRESETS:
            st.button(
                preset.title,
                help=preset.question,
                width="stretch",
                on_click=start_from,
                args=(preset,),
            )


def start_from(preset: presets.Preset) -> None:
    state.restore(preset.network(queries.families()[preset.model].defaults))
    chosen = {
        links.DEVICES: list(preset.devices),
        links.BASELINE: preset.baseline,
        links.FOCUS: AUTO,
    }
    for name, value in chosen.items():
        st.session_state[name] = value
        links.publish(name)


def rename() -> None:
    pin, name = state.pinned(), st.session_state["_pin_name"].strip()
    if pin is not None and name:
        state.set_pin(replace(pin, name=name))


def summary(network: Network) -> str:
    """A configuration in a few words: what differs from the defaults."""
    family = queries.families().get(network.model)
    defaults = family.defaults if family else {}
    changed = [f"{k} {v}" for k, v in network.parameters if defaults.get(k) != v]
    words = [network.model, *changed[:3], f"batch {network.batch}"]
    if network.precision != AUTO:
        words.append(network.precision)
    if network.stack != links.DEFAULT_STACK:
        words.append(network.stack)
    return ", ".join(words)[: state.LONGEST_NAME]


st.title("What does this network cost, and what if I change it?", anchor=False)
shared = controls.Controls(RESULTS)
notes = [*links.notes(), *state.note_on_pin()]
links.adopt("tune", controls.LINKED)
state.publish_pin()
with st.sidebar:
    shared.network()
for note in notes:
    st.warning(note, icon=":material/link_off:")
shared.devices()
with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
    shared.comparison()
    pin_controls()
results()

"""Tune: what does this network cost, and what if I change it?"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import streamlit as st

from characterize.errors import CharacterizeError
from dashboard import (
    charts,
    comparison_report,
    controls,
    kernel_bars,
    links,
    panels,
    pins,
    presets,
    queries,
    readable,
    saving,
    state,
    tables,
)
from dashboard.controls import Comparison
from dashboard.queries import AUTO, Answer, Network, Request
from dashboard.readable import Columns, Pinned

SHARES = {
    "time": ("latency_s", "Time", "s"),
    "energy": ("energy_dynamic_j", "Dynamic energy", "J"),
}
RESULTS = "results"
Found = tuple[Network, Comparison, Answer, list[Pinned]]
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


def pinned_rows(comparison: Comparison) -> list[Pinned]:
    """The pinned configurations on the devices that are compared now; those that can be shown."""
    found = []
    for index, pin in enumerate(pins.pinned()):
        asked = Request(pin.network, comparison.devices, comparison.baseline)
        try:
            found.append(Pinned(pins.letter(index), pin.name, queries.answer(asked).rows))
        except CharacterizeError as error:
            st.warning(
                f"“{pin.name}”, pinned, cannot be shown: {error}", icon=":material/keep_off:"
            )
    return found


def show(network: Network, comparison: Comparison, answer: Answer, pinned: list[Pinned]) -> None:
    rows = answer.rows
    devices = queries.devices()
    titles = {name: device.title for name, device in devices.items()}
    short = {name: device.short for name, device in devices.items()}
    focus = focused(rows, comparison.focus)
    before = row_of(pinned[0].rows, focus["hardware"]) if pinned else None
    panels.left_out(answer.left_out, network.precision)
    for note in answer.notes:
        st.caption(f":material/info: {note}")
    panels.standing(focus, titles.get(focus["hardware"], focus["hardware"]), pins.summary(network))
    panels.kpis(focus, before, pinned[0].name if pinned else "")
    panels.coverage(rows)
    panels.key_of_marks(pinned)
    with st.grid(3, min_column_width=panels.CARD_WIDTH, gap="small"):
        for quantity in (readable.LATENCY, readable.ENERGY, readable.SPEEDUP):
            frame = readable.by_device(rows, quantity, short, pinned)
            panels.device_card(frame, quantity, key=f"by_device_{quantity.column}")
    where_it_goes(network, focus, titles)
    st.header("All figures", anchor="figures")
    asked = {
        "model": network.model,
        "parameters": dict(network.parameters),
        "batch": network.batch,
        "precision": network.precision,
        "stack": network.stack,
        "devices": list(comparison.devices),
        "baseline": comparison.baseline or AUTO,
    }
    panels.table(rows, titles, pinned, asked)
    saving.describe_charts(pins.summary(network))
    saving.offer_report(
        f"characterize_{tables.slug(pins.summary(network))}",
        lambda: comparison_report.of_network(network, answer, focus, pinned, saving.asked(asked)),
    )


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
        first = pins.pinned()[:1]
        before = queries.kernels(first[0].network, name) if first else None
    except CharacterizeError as error:
        st.error(str(error), icon=":material/error:")
        return
    column, title, unit = SHARES[str(what)]
    frame = kernel_bars.top_kernels(kernels, column, unit, before=before)
    if not frame:
        st.info("This network has no kernels: it computes nothing.", icon=":material/info:")
        return
    outside = kernel_bars.outside_kernels(frame, float(focus[column]), unit)
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
    """Pin what is shown, see to what is pinned, go back."""
    count = len(pins.pinned())
    st.button(
        "Pin to compare",
        icon=":material/keep:",
        key="_pin",
        on_click=pin_current,
        help="Keep these figures beside those of whatever you change next; pin as many as you like.",
    )
    if count:
        with st.popover(f"Pinned: {count}", icon=":material/keep:", key="_pinned"):
            pinned_menu()
    if pins.can_undo():
        st.button(
            "Undo",
            icon=":material/undo:",
            type="tertiary",
            key="_undo",
            on_click=pins.undo,
            help="Go back to what was pinned before.",
        )
    examples()
    saving.menu()
    panels.glossary()


def pin_current() -> None:
    network = controls.chosen_network()
    if network is not None:
        pins.add(pins.Pin(pins.summary(network), network))


def pinned_menu() -> None:
    """One pin looked at, and what can be done with it."""
    now = pins.pinned()
    which = st.selectbox(
        "Pinned configuration",
        range(len(now)),
        format_func=lambda index: f"{pins.letter(index)} · {now[index].name}",
    )
    pin = now[which]
    named = f"_pin_name.{which}.{pin.name}"  # another name is another field, with that name in it
    st.text_input(
        "Name",
        value=pin.name,
        max_chars=pins.LONGEST_NAME,
        key=named,
        on_change=lambda: pins.rename(which, st.session_state[named]),
    )
    st.caption(pins.summary(pin.network))
    choices: list[tuple[str, str, Callable[..., None], tuple[Any, ...]]] = [
        ("Set the controls to it", ":material/restore:", state.restore, (pin.network,)),
        ("Unpin it", ":material/keep_off:", pins.remove, (which,)),
    ]
    if which:
        choices.insert(1, ("Measure changes against it", ":material/flag:", pins.lead, (which,)))
    if len(now) > 1:
        choices.append(("Unpin all", ":material/clear_all:", pins.clear, ()))
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


st.title("What does this network cost, and what if I change it?", anchor=False)
shared = controls.Controls(RESULTS)
notes = state.begin("tune", controls.LINKED)
with st.sidebar:
    shared.network()
for note in notes:
    st.warning(note, icon=":material/link_off:")
shared.devices()
with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
    shared.comparison()
    pin_controls()
results()

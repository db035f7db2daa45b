"""Pinning what is shown, and seeing to what is pinned; examples to start from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard import controls, links, pins, presets, queries, state
from dashboard.queries import AUTO


def pinning() -> None:
    """Pin what is shown, see to what is pinned, go back."""
    count = len(pins.pinned())
    st.button(
        "Pin to compare",
        icon=":material/keep:",
        key="_pin",
        on_click=_pin_current,
        help="Keep these figures beside those of whatever you change next; pin as many as you like.",
    )
    if count:
        with st.popover(f"Pinned: {count}", icon=":material/keep:", key="_pinned"):
            _pinned_menu()
    if pins.can_undo():
        st.button(
            "Undo",
            icon=":material/undo:",
            type="tertiary",
            key="_undo",
            on_click=pins.undo,
            help="Go back to what was pinned before.",
        )


def _pin_current() -> None:
    network = controls.chosen_network()
    if network is not None:
        pins.add(pins.Pin(pins.summary(network), network))


def _pinned_menu() -> None:
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
    """Configurations that teach something, to start from."""
    with st.popover("Examples", icon=":material/school:", type="tertiary"):
        for preset in presets.PRESETS:
            st.button(
                preset.title,
                help=preset.question,
                width="stretch",
                on_click=_start_from,
                args=(preset,),
            )


def _start_from(preset: presets.Preset) -> None:
    state.restore(preset.network(queries.families()[preset.model].defaults))
    chosen = {
        links.DEVICES: list(preset.devices),
        links.BASELINE: preset.baseline,
        links.FOCUS: AUTO,
    }
    for name, value in chosen.items():
        st.session_state[name] = value
        links.publish(name)

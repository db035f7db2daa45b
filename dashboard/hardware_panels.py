"""The pieces of the Hardware view that change devices: the what-if editor, and uploads."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final

import streamlit as st

from characterize.errors import CharacterizeError
from dashboard import links, own_devices, panels, queries, readable, what_if
from dashboard.queries import Network, Request
from dashboard.readable import Pinned
from dashboard.what_if import Editable

FIELD_WIDTH: Final = 150
UPLOAD: Final = "_own_upload"
_SAID: Final = "_own_said"  # what came of the last upload or edit


# The editor


def editor(base: str) -> None:
    """Fields for the figures of a device; each edit is in force at once, everywhere."""
    fields = what_if.editables(queries.profile(base))
    edits = own_devices.edits(base)
    with st.grid(4, min_column_width=FIELD_WIDTH, gap="small"):
        for field in fields:
            with st.container(gap="xxsmall"):
                _field(base, field, edits)
    said = st.session_state.pop(_SAID, None)
    if said:
        st.error(said, icon=":material/error:")


def _field(base: str, field: Editable, edits: dict[str, float]) -> None:
    key = f"_what_if.{base}.{field.key}"
    value = edits[field.key] / field.scale if field.key in edits else field.value
    # what is in force is what the fields show, also after a link, a reset or a refused value
    st.session_state[key] = value
    st.number_input(
        field.label,
        min_value=field.lowest,
        step=_step(field.value),
        format="%.6g",
        key=key,
        on_change=functools.partial(_take, base),
        help=field.help,
    )
    was = f":material/edit: assumed; was {field.origin}" if field.key in edits else field.origin
    st.caption(was)


def _step(value: float) -> float:
    """A tenth of the value, rounded to one digit, so that the buttons of a field are of use."""
    return float(f"{value / 10:.0e}") or 1.0


def _take(base: str) -> None:
    fields = what_if.editables(queries.profile(base))
    values = {f.key: st.session_state.get(f"_what_if.{base}.{f.key}") for f in fields}
    try:
        own_devices.edit(base, what_if.changed(fields, values))
    except CharacterizeError as error:
        st.session_state[_SAID] = str(error)


def effect(
    base: str, edited: str, network: Network, devices: tuple[str, ...], baseline: str | None
) -> None:
    """What the edit does to a network: figures with their change, and charts beside the others."""
    asked = tuple(dict.fromkeys([base, edited, *devices]))
    try:
        answer = queries.answer(Request(network, asked, baseline))
    except CharacterizeError as error:
        st.error(str(error), icon=":material/error:")
        return
    rows = answer.rows
    before, after = what_if.only(rows, base), what_if.only(rows, edited)
    if not before["hardware"] or not after["hardware"]:
        panels.left_out(answer.left_out, network.precision)
        return
    st.markdown(what_if.verdict(before, after))
    panels.kpis(readable.row(after, 0), readable.row(before, 0), "as it is")
    original = Pinned("0", "as it is", what_if.as_edited(before, edited))
    short = {name: device.short for name, device in queries.devices().items()}
    st.caption("The hollow mark, 0, is the device as it is.")
    with st.grid(3, min_column_width=panels.CARD_WIDTH, gap="small"):
        for quantity in (readable.LATENCY, readable.ENERGY, readable.SPEEDUP):
            frame = readable.by_device(rows, quantity, short, [original])
            panels.device_card(frame, quantity, key=f"what_if_{quantity.column}")


def edited_actions(base: str, edited: str) -> None:
    """What can be done with an edited device: compare it, save it, go back."""
    with st.container(horizontal=True, vertical_alignment="center"):
        compare(edited)
        panels.profile_download(queries.profile(edited), "edited.toml")
        st.button(
            "Back to the original",
            icon=":material/undo:",
            type="tertiary",
            key="_what_if_reset",
            on_click=own_devices.edit,
            args=(base, {}),
        )


def compare(name: str) -> None:
    """A button that adds a device to those that every view compares."""
    chosen = list(st.session_state[links.DEVICES])
    st.button(
        "Compared in every view" if name in chosen else "Compare it in every view",
        icon=":material/playlist_add_check:" if name in chosen else ":material/playlist_add:",
        key=f"_compare.{name}",
        on_click=functools.partial(_choose, [*chosen, name]),
        disabled=name in chosen,
    )


def _choose(names: list[str]) -> None:
    st.session_state[links.DEVICES] = names
    links.publish(links.DEVICES)


# Uploads


def upload(opened: Callable[[str], None]) -> None:
    """Take in a profile; what came of it is said in a sentence.

    Args:
        opened: called with the name of a device that was taken in.
    """
    with st.popover("Add a device", icon=":material/upload_file:"):
        st.markdown(
            "A profile in TOML joins the devices of every view, for this session. To start from one "
            "that there is, save it below, change it, and bring it back."
        )
        st.file_uploader(
            "Profile (TOML)",
            type=["toml"],
            key=UPLOAD,
            on_change=functools.partial(_read, opened),
            max_upload_size=1,
        )
        for name in own_devices.uploaded():
            st.button(
                f"Remove {queries.profile(name).title}",
                icon=":material/delete:",
                key=f"_remove.{name}",
                on_click=functools.partial(_remove, name),
            )
    outcome = st.session_state.pop(f"{UPLOAD}.said", None)
    if outcome:
        show, sentence = outcome
        if show == "error":
            st.error(sentence, icon=":material/error:")
        else:
            st.success(sentence, icon=":material/check_circle:")


def _read(opened: Callable[[str], None]) -> None:
    file = st.session_state[UPLOAD]
    if file is None:
        return
    try:
        profile, note = own_devices.upload(file.getvalue(), file.name)
    except CharacterizeError as error:
        st.session_state[f"{UPLOAD}.said"] = ("error", str(error))
        return
    sentence = note or f"{profile.title} is now among the devices of every view."
    st.session_state[f"{UPLOAD}.said"] = ("success", sentence)
    opened(profile.name)


def _remove(name: str) -> None:
    chosen = [each for each in st.session_state[links.DEVICES] if own_devices.base_of(each) != name]
    _choose(chosen)
    own_devices.remove(name)

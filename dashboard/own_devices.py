"""Devices of this session: uploaded ones, and shipped ones with other figures.

They are wherever a device can be chosen, and gone when the session ends. An edit is small enough for
the URL, so a link restores it: one ``hardware.edit`` a device,
``nvidia_h100_sxm:memory.bytes_per_s=4e12,power.tdp_w=500``. An upload stays with who uploaded it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import streamlit as st

import characterize.hardware
from characterize.errors import BrokenRecordError, CharacterizeError
from characterize.hardware import KEYS, Profile
from characterize.records import Confidence
from dashboard import address

EDIT: Final = "hardware.edit"
EDITED: Final = "_edited"  # ends the name of a device with other figures
_EDITS: Final = "_own_edits"  # base device -> figure -> value
_UPLOADED: Final = "_own_uploaded"  # name -> profile
_NOTES: Final = "_own_notes"

Changes = Mapping[str, float]


# What there is


def profiles() -> dict[str, Profile]:
    """The session's own devices by name: uploaded ones first, then edited ones."""
    found: dict[str, Profile] = dict(st.session_state.get(_UPLOADED, {}))
    for base, changes in st.session_state.get(_EDITS, {}).items():
        name = edited_name(base)
        found[name] = edited(_base(base), name, tuple(changes.items()))
    return found


def edited_name(base: str) -> str:
    """What an edited device is called; with a number if an uploaded one has that name."""
    return free_name(f"{base}{EDITED}", st.session_state.get(_UPLOADED, {}))


def edits(base: str) -> dict[str, float]:
    """What is changed of a device, by figure."""
    return dict(st.session_state.get(_EDITS, {}).get(base, {}))


def uploaded() -> tuple[str, ...]:
    """Names of the devices that were uploaded in this session."""
    return tuple(st.session_state.get(_UPLOADED, {}))


def base_of(name: str) -> str:
    """The device that an edited one was made from; any other is its own."""
    return next((b for b in st.session_state.get(_EDITS, {}) if edited_name(b) == name), name)


def _base(name: str) -> Profile:
    uploads: dict[str, Profile] = st.session_state.get(_UPLOADED, {})
    return uploads.get(name) or characterize.hardware.load(name)


# Changing it


@functools.lru_cache(maxsize=256)
def edited(base: Profile, name: str, changes: tuple[tuple[str, float], ...]) -> Profile:
    """``base`` with other figures: each is an assumption that says what it was before.

    There is no silicon like it, so its confidence is that of a design.

    Raises:
        BrokenRecordError: a value that the figure cannot have.
        UnknownNameError: a device has no such figure.
    """
    made = base.with_(
        {key: KEYS[key].type(value) if key in KEYS else value for key, value in changes},
        name=name,
        title=f"{base.title}, edited",
        confidence=Confidence.DESIGN,
    )
    # the reader knows what a figure can be, and says so
    text = characterize.hardware.to_toml(made)
    characterize.hardware.parse(text, f"{base.title} with this change")
    return made


def edit(base: str, changes: Changes) -> None:
    """Change figures of a device to ``changes``; none of them takes the edited device away.

    Raises:
        BrokenRecordError: a value that the figure cannot have; nothing is changed then.
    """
    held = dict(st.session_state.get(_EDITS, {}))
    held.pop(base, None)
    if changes:
        edited(_base(base), edited_name(base), tuple(changes.items()))
        held[base] = dict(changes)
    st.session_state[_EDITS] = held
    publish()


def upload(content: bytes, file_name: str) -> tuple[Profile, str]:
    """Take in a profile as TOML, under a name that is free; also says if that is another one.

    Raises:
        BrokenRecordError: the file breaks the format.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        msg = f"{file_name} is not a text in UTF-8."
        raise BrokenRecordError(msg) from error
    profile = characterize.hardware.parse(text, file_name)
    known = {name: _base(name) for name in characterize.hardware.names()} | profiles()
    if known.get(profile.name) == profile:
        return profile, f"{profile.title} is here already, with the same figures."
    name = free_name(profile.name, known)
    note = ""
    if name != profile.name:
        note = f"Another device is named {profile.name}, so this one is now {name}."
        profile = replace(profile, name=name, title=f"{profile.title} ({file_name})")
    st.session_state[_UPLOADED] = {**st.session_state.get(_UPLOADED, {}), name: profile}
    return profile, note


def free_name(name: str, known: Mapping[str, object]) -> str:
    """``name``, with a number if another device has it.

    >>> free_name("npu", {}), free_name("npu", {"npu": 1, "npu_2": 1})
    ('npu', 'npu_3')
    """
    if name not in known:
        return name
    return next(f"{name}_{n}" for n in range(2, len(known) + 3) if f"{name}_{n}" not in known)


def remove(name: str) -> None:
    """Forget an uploaded device, and what was made from it."""
    held = dict(st.session_state.get(_UPLOADED, {}))
    held.pop(name, None)
    st.session_state[_UPLOADED] = held
    edit(name, {})


# The URL


def follow() -> None:
    """Take the link's edits on the first run of a session, and keep the URL in step afterwards.

    To be called before any page runs: what a link names may be a device that it also makes.
    """
    if _EDITS in st.session_state:
        publish()
        return
    st.session_state[_EDITS], st.session_state[_NOTES] = {}, []
    for text in st.query_params.get_all(EDIT):
        try:
            edit(*decode(text))
        except CharacterizeError as error:
            st.session_state[_NOTES].append(f"The link's edit {text!r} was left out: {error}")
    publish()


def notes() -> list[str]:
    """What could not be followed in the link; said once."""
    return list(st.session_state.pop(_NOTES, []))


def publish() -> None:
    """Write the edits into the URL."""
    held: Mapping[str, Changes] = st.session_state.get(_EDITS, {})
    texts = [encode(base, changes) for base, changes in held.items()]
    address.write(EDIT, texts)


def encode(base: str, changes: Changes) -> str:
    """One device's edit as it is in the URL.

    >>> encode("nvidia_t4", {"memory.bytes_per_s": 4e11, "power.tdp_w": 50.0})
    'nvidia_t4:memory.bytes_per_s=400000000000,power.tdp_w=50'
    """
    return f"{base}:" + ",".join(f"{key}={value:.12g}" for key, value in changes.items())


def decode(text: str) -> tuple[str, dict[str, float]]:
    """What :func:`encode` wrote.

    Raises:
        BrokenRecordError: it is no such text.

    >>> decode("nvidia_t4:power.tdp_w=50")
    ('nvidia_t4', {'power.tdp_w': 50.0})
    """
    base, _, rest = text.partition(":")
    try:
        pairs = [pair.split("=") for pair in rest.split(",")]
        return base, {key: float(value) for key, value in pairs}
    except ValueError as error:
        msg = "it must read device:figure=value, with several figures apart by commas."
        raise BrokenRecordError(msg) from error

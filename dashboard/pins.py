"""Configurations to compare with: any number of them, named, in the URL, and with a way back.

A pin has no control of its own, so the URL's ``pin`` (repeated, one a pin) is written here. The
first pin is the reference: changes are measured against it. Every pin has a letter, which stands
for it in charts and tables.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import streamlit as st

from characterize.errors import CharacterizeError
from dashboard import address, links, queries
from dashboard.queries import Network

LONGEST_NAME: Final = 60
_PINS: Final = (
    "_pins"  # every list of pins there was, the last one in force: what undo goes through
)
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

Pins = tuple["Pin", ...]
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Pin:
    """A named configuration to compare with."""

    name: str
    network: Network


def letter(index: int) -> str:
    """What stands for the pin at ``index`` where there is no room for its name.

    >>> letter(0), letter(25), letter(26)
    ('A', 'Z', 'A2')
    """
    rounds, place = divmod(index, len(_LETTERS))
    return _LETTERS[place] + (str(rounds + 1) if rounds else "")


# What is pinned


def pinned() -> Pins:
    """The pins in force: the session's, or on the first run the URL's."""
    if _PINS not in st.session_state:
        read = [decode(text) for text in st.query_params.get_all(links.PIN)]
        st.session_state[_PINS] = [tuple(pin for pin in read if pin is not None)]
    last: Pins = st.session_state[_PINS][-1]
    return last


def each(make: Callable[[str, Pin], Made]) -> list[Made]:
    """What ``make`` makes of every pin and its letter; of one that it cannot use it is said why."""
    found = []
    for index, pin in enumerate(pinned()):
        try:
            found.append(make(letter(index), pin))
        except CharacterizeError as error:
            st.warning(
                f"“{pin.name}”, pinned, cannot be shown: {error}", icon=":material/keep_off:"
            )
    return found


def notes() -> list[str]:
    """A sentence if the URL names pins that cannot be read; said once a session."""
    texts = st.query_params.get_all(links.PIN)
    if _PINS in st.session_state or not texts:
        return []
    lost = len(texts) - len(pinned())
    if not lost:
        return []
    which = "pinned configuration" if lost == 1 else f"{lost} pinned configurations"
    return [f"The link's {which} cannot be read and was left out."]


# What a person does with them


def add(pin: Pin) -> None:
    """Pin one configuration more."""
    _put((*pinned(), pin))


def remove(index: int) -> None:
    """Take the pin at ``index`` away."""
    now = pinned()
    _put((*now[:index], *now[index + 1 :]))


def rename(index: int, name: str) -> None:
    """Give the pin at ``index`` another name; an empty one is not taken."""
    now = list(pinned())
    if name.strip() and index < len(now):
        now[index] = replace(now[index], name=name.strip()[:LONGEST_NAME])
        _put(tuple(now))


def lead(index: int) -> None:
    """Make the pin at ``index`` the reference."""
    now = list(pinned())
    now.insert(0, now.pop(index))
    _put(tuple(now))


def clear() -> None:
    """Pin nothing."""
    _put(())


def undo() -> None:
    """Go back to what was pinned before the last change."""
    if can_undo():
        st.session_state[_PINS] = st.session_state[_PINS][:-1]
        publish()


def can_undo() -> bool:
    """Whether something else was pinned before."""
    pinned()
    return len(st.session_state[_PINS]) > 1


def _put(now: Pins) -> None:
    if now != pinned():
        st.session_state[_PINS] = [*st.session_state[_PINS], now]
        publish()


# The link


def publish() -> None:
    """Write what is pinned into the URL."""
    address.write(links.PIN, [encode(pin) for pin in pinned()])


def encode(pin: Pin) -> str:
    """A pin as short JSON for the URL: a family's parameters only where they differ from defaults."""
    network = pin.network
    family = queries.families().get(network.model)
    defaults = family.defaults if family else {}
    record = {
        "name": pin.name,
        "model": network.model,
        "set": {name: value for name, value in network.parameters if defaults.get(name) != value},
        "batch": network.batch,
        "precision": network.precision,
        "stack": network.stack,
    }
    return json.dumps(record, separators=(",", ":"))


def decode(text: str) -> Pin | None:
    """The pin that :func:`encode` wrote; ``None`` where the text is no such thing.

    A family's parameters are checked and filled in; those of a zoo model, when it is computed.
    """
    try:
        record = json.loads(text)
        model, given = str(record["model"]), dict(record["set"])
        family = queries.families().get(model)
        network = Network(
            model,
            tuple((family.check(**given) if family else given).items()),
            int(record["batch"]),
            str(record["precision"]),
            str(record["stack"]),
        )
        hash(network)
        return Pin(str(record["name"])[:LONGEST_NAME], network)
    except (CharacterizeError, ValueError, TypeError, KeyError, AttributeError):
        return None


def summary(network: Network, most: int = LONGEST_NAME) -> str:
    """A configuration in a few words: what differs from the defaults."""
    family = queries.families().get(network.model)
    defaults = family.defaults if family else {}
    changed = [f"{k} {v}" for k, v in network.parameters if defaults.get(k) != v]
    words = [network.model, *changed[:3], f"batch {network.batch}"]
    words += _unusual(network)
    return ", ".join(words)[:most]


def _unusual(network: Network) -> Sequence[str]:
    precision = [] if network.precision == queries.AUTO else [network.precision]
    return [*precision, *([] if network.stack == links.DEFAULT_STACK else [network.stack])]

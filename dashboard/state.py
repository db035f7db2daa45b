"""What a person has chosen beyond the controls: the stops of sliders, and the pinned configuration.

A pin is a named configuration to compare with. It has no control of its own, so the URL's ``pin`` is
written here; what was pinned before can be had back.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from characterize.errors import CharacterizeError
from dashboard import links, queries
from dashboard.queries import Network

if TYPE_CHECKING:
    from characterize.models import Parameter

LONGEST_NAME: Final = 60
_PINS: Final = "_pins"  # every pin there was, the last one in force: what undo goes back through


@dataclass(frozen=True, slots=True)
class Pin:
    """A named configuration to compare with."""

    name: str
    network: Network


# Steps of a slider


def stops(parameter: Parameter, extra: Sequence[Any] = ()) -> list[int]:
    """The values a logarithmic slider stops at: doublings and the halves between, in range.

    ``extra`` values in range are stops too, so that a link to 299 pixels shows 299.

    >>> from characterize.models import Parameter
    >>> stops(Parameter("channels", "int", 16, "", 1, 40, 1, scale="log"))
    [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 40]
    """
    low, high = int(parameter.low or 0), int(parameter.high or 0)
    step = int(parameter.step or 1)
    found = {low, high, int(parameter.default)}
    power = 1
    while power <= high:
        found |= {value for value in (power, power * 3 // 2) if value % step == 0}
        power *= 2
    found |= {int(value) for value in extra}
    return sorted(value for value in found if low <= value <= high)


def remembered(key: str) -> list[int]:
    """Whole numbers that the URL or the session held for ``key``: its slider offers them too."""
    kept: list[int] = st.session_state.setdefault(f"_stops.{key}", [])
    now = links.whole_numbers([*st.query_params.get_all(key), st.session_state.get(key)])
    kept += [number for number in now if number not in kept]
    return kept


# The pinned configuration


def pinned() -> Pin | None:
    """The pin in force: the session's, or on the first run the URL's."""
    if _PINS not in st.session_state:
        text = st.query_params.get(links.PIN)
        st.session_state[_PINS] = [decode(text) if text else None]
    last: Pin | None = st.session_state[_PINS][-1]
    return last


def note_on_pin() -> list[str]:
    """A sentence if the URL names a pin that cannot be read; said once a session."""
    text = st.query_params.get(links.PIN)
    if _PINS in st.session_state or not text or pinned() is not None:
        return []
    return ["The link's pinned configuration cannot be read, so nothing is pinned."]


def set_pin(pin: Pin | None) -> None:
    """Pin a configuration, or nothing; what was pinned can be had back with :func:`undo_pin`."""
    if pin != pinned():
        st.session_state[_PINS] = [*st.session_state[_PINS], pin]
        publish_pin()


def undo_pin() -> None:
    """Go back to what was pinned before."""
    if can_undo():
        st.session_state[_PINS] = st.session_state[_PINS][:-1]
        publish_pin()


def can_undo() -> bool:
    """Whether something else was pinned before."""
    pinned()
    return len(st.session_state[_PINS]) > 1


def publish_pin() -> None:
    """Write what is pinned into the URL."""
    pin = pinned()
    text = None if pin is None else encode(pin)
    if text != st.query_params.get(links.PIN):
        if text is None:
            del st.query_params[links.PIN]
        else:
            st.query_params[links.PIN] = text


def encode(pin: Pin) -> str:
    """A pin as short JSON for the URL."""
    network = pin.network
    record = {
        "name": pin.name,
        "model": network.model,
        "set": dict(network.parameters),
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


def restore(network: Network) -> None:
    """Set every control to ``network``; only inside a callback, before the controls are made."""
    from_zoo = "/" in network.model
    st.session_state[links.MODEL] = links.ZOO if from_zoo else network.model
    links.publish(links.MODEL)
    if from_zoo:
        st.session_state[links.ZOO_NAME] = network.model
    for name, value in network.parameters:
        st.session_state[links.key_of(network.model, name)] = value
    st.session_state[links.BATCH] = network.batch
    st.session_state[links.PRECISION] = network.precision
    st.session_state[links.STACK] = network.stack

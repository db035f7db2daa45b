"""What a person has chosen, and how the URL says it.

The URL contract, shared by every view (a value equal to its default is left out):

    model                   a family, or ``zoo`` for a model by name
    zoo                     the zoo model's name
    <model>.<parameter>     each parameter, ``conv2d_stack.layers=5``
    batch, precision, stack
    devices                 names, repeated
    baseline, focus         a name, or ``auto``
    pin                     the pinned configuration, as ``encode`` writes it

Widgets are bound to these names, so Streamlit reads and writes them; ``pin`` has no widget and is
written here. The rest of the dashboard sees only the frozen records of ``dashboard.queries``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from characterize.errors import CharacterizeError
from characterize.records import Precision
from dashboard import queries
from dashboard.queries import AUTO, Network

if TYPE_CHECKING:
    from characterize.models import Parameter

ZOO: Final = "zoo"
MODEL, ZOO_NAME, BATCH, PRECISION, STACK = "model", "zoo", "batch", "precision", "stack"
DEVICES, BASELINE, FOCUS, PIN = "devices", "baseline", "focus", "pin"

STACKS: Final = ("eager", "compiled", "engine")
DEFAULT_STACK: Final = "compiled"
DEFAULT_MODEL: Final = "conv2d_stack"

_PINS = "_pins"  # every pin there was, the last one in force: what undo goes back through


@dataclass(frozen=True, slots=True)
class Pin:
    """A named configuration to compare with."""

    name: str
    network: Network


def key_of(model: str, parameter: str) -> str:
    """The widget key and URL name of a model's parameter."""
    return f"{model}.{parameter}"


# Steps of a slider


def stops(parameter: Parameter, extra: Sequence[Any] = ()) -> list[Any]:
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
    """Whole numbers that the URL or the session hold for ``key``, to be offered by its slider."""
    texts = [*st.query_params.get_all(key), st.session_state.get(key)]
    kept: list[int] = st.session_state.setdefault(f"_stops.{key}", [])
    for text in texts:
        if str(text).isdecimal() and int(text) not in kept:
            kept.append(int(text))
    return kept


# The pinned configuration


def pinned() -> Pin | None:
    """The pin in force: the session's, or on the first run the URL's."""
    if _PINS not in st.session_state:
        text = st.query_params.get(PIN)
        st.session_state[_PINS] = [decode(text) if text else None]
    last: Pin | None = st.session_state[_PINS][-1]
    return last


def set_pin(pin: Pin | None) -> None:
    """Pin a configuration, or nothing; what was pinned can be had back with :func:`undo_pin`."""
    before = pinned()
    if pin != before:
        st.session_state[_PINS] = [*st.session_state[_PINS], pin]
        _write_pin(pin)


def undo_pin() -> None:
    """Go back to what was pinned before."""
    if can_undo():
        st.session_state[_PINS] = st.session_state[_PINS][:-1]
        _write_pin(pinned())


def can_undo() -> bool:
    """Whether something else was pinned before."""
    pinned()
    return len(st.session_state[_PINS]) > 1


def _write_pin(pin: Pin | None) -> None:
    if pin is None:
        st.query_params.pop(PIN, None)
    else:
        st.query_params[PIN] = encode(pin)


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
        return Pin(str(record["name"])[:60], network)
    except (CharacterizeError, ValueError, TypeError, KeyError, AttributeError):
        return None


def restore(network: Network) -> None:
    """Set every control to ``network``; only inside a callback, before the widgets are made."""
    st.session_state[MODEL] = ZOO if "/" in network.model else network.model
    if "/" in network.model:
        st.session_state[ZOO_NAME] = network.model
    for name, value in network.parameters:
        st.session_state[key_of(network.model, name)] = value
    st.session_state[BATCH] = network.batch
    st.session_state[PRECISION] = network.precision
    st.session_state[STACK] = network.stack


# Links that cannot be read


def notes_on_link() -> list[str]:
    """One sentence for each part of the URL that names nothing we have; said once a session."""
    if st.session_state.get("_link_read"):
        return []
    st.session_state["_link_read"] = True
    return bad_parts({name: st.query_params.get_all(name) for name in st.query_params})


def bad_parts(link: Mapping[str, Sequence[str]]) -> list[str]:
    """What is wrong in a link's parameters; each falls back to its default."""
    families, devices = queries.families(), queries.devices()
    known: dict[str, Sequence[str]] = {
        MODEL: [*families, ZOO],
        PRECISION: [AUTO, *precisions()],
        STACK: STACKS,
        DEVICES: list(devices),
        BASELINE: [AUTO, *devices],
        FOCUS: [AUTO, *devices],
    }
    notes = []
    for name, values in link.items():
        if name in known:
            notes += [
                f"The link's {name} {value!r} is not known, so the default is shown."
                for value in values
                if value not in known[name]
            ]
        elif "." in name:
            notes += _bad_parameter(name, values)
        elif name == BATCH and not all(value.isdecimal() and int(value) > 0 for value in values):
            notes.append(f"The link's batch {values[0]!r} is no whole number above 0; 1 is shown.")
        elif name == PIN and not all(decode(value) for value in values):
            notes.append("The link's pinned configuration cannot be read, so nothing is pinned.")
    return notes


def _bad_parameter(name: str, values: Sequence[str]) -> list[str]:
    model, _, parameter = name.partition(".")
    family = queries.families().get(model)
    if family is None:
        return []
    try:
        family.parameter(parameter).resolve(values[-1], model)
    except CharacterizeError as error:
        return [f"The link was changed to its default here: {error}"]
    return []


def precisions() -> list[str]:
    """The precisions that some device of the catalogue runs, in the order of the vocabulary."""
    able = {precision for device in queries.devices().values() for precision in device.precisions}
    return [str(precision) for precision in Precision if str(precision) in able]

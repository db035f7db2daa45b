"""Which networks are compared, in their order, and how the URL says it.

There is one ``compare.network`` a network: ``current`` for what the controls stand at, a name where
all is at its defaults (``resnet``, ``timm/vit_base_patch16_224``), else what a pin is written as
(``dashboard.pins``).
"""

from __future__ import annotations

from typing import Final

import streamlit as st

import characterize.models
from characterize.errors import CharacterizeError
from dashboard import address, pins, presets, queries
from dashboard.pins import Pin
from dashboard.queries import Network

NETWORK: Final = "compare.network"
CONTROL: Final = "_compare_networks"
NOBODY: Final = "none"  # what the URL says where every network was taken away
LIVE: Final = "current"
LIVE_LABEL: Final = "Current network"
FIRST: Final = (LIVE, "resnet", "vit")
"""What is compared at first: what the controls stand at, a classic, one without convolutions."""

_CHOSEN: Final = "_line_up"  # labels in their order
_ADDED: Final = "_line_up_added"  # label -> network, beyond what everybody knows
_NOTES: Final = "_line_up_notes"


def known() -> dict[str, Network]:
    """What can be chosen, by label: families at their defaults, examples, pins, what was added."""
    families = queries.families()
    found = {family.title: at_defaults(name) for name, family in families.items()}
    for preset in presets.PRESETS:
        found[preset.title] = preset.network(families[preset.model].defaults)
    found |= {f"{pin.name} (pinned)": pin.network for pin in pins.pinned()}
    added: dict[str, Network] = st.session_state.get(_ADDED, {})
    return found | added


def at_defaults(name: str) -> Network:
    """A family or zoo model with nothing changed."""
    family = queries.families().get(name)
    return Network(name, tuple(family.defaults.items()) if family else ())


def options() -> list[str]:
    """The labels that the control offers."""
    return [LIVE_LABEL, *known()]


def chosen(current: Network | None) -> list[Pin]:
    """The networks that are compared, each with its label.

    Args:
        current: what the controls stand at, if they do.
    """
    networks = known()
    if current is not None:
        networks = {LIVE_LABEL: current, **networks}
    return [Pin(label, networks[label]) for label in st.session_state[_CHOSEN] if label in networks]


def adopt() -> list[str]:
    """Set the control before it is made; returns what a link or an entry could not give."""
    if _CHOSEN not in st.session_state:
        st.session_state[_CHOSEN] = _from_link()
    st.session_state[CONTROL] = list(st.session_state[_CHOSEN])
    publish()
    return list(st.session_state.pop(_NOTES, []))


def take() -> None:
    """Take over what the control says; a text that was typed is looked up as a name."""
    labels = []
    for label in st.session_state[CONTROL]:
        try:
            is_known = label in options()
            labels.append(label if is_known else add(label, _named(label)))
        except CharacterizeError as error:
            _note(str(error))
    st.session_state[_CHOSEN] = list(dict.fromkeys(labels))
    publish()


def include(network: Network) -> None:
    """Compare one network more."""
    label = add(pins.summary(network), network)
    st.session_state[_CHOSEN] = list(dict.fromkeys([*st.session_state[_CHOSEN], label]))
    publish()


def add(label: str, network: Network) -> str:
    """Make a network known under a label, and say which it is: one that it has already, if any."""
    held = known()
    for name, each in held.items():
        if each == network:
            return name
    while label in held:
        label = f"{label}, again"
    st.session_state[_ADDED] = {**st.session_state.get(_ADDED, {}), label: network}
    return label


def _named(text: str) -> Network:
    name = text.strip()
    if "/" not in name:
        characterize.models.family(name)
    return at_defaults(name)


def _note(sentence: str) -> None:
    st.session_state[_NOTES] = [*st.session_state.get(_NOTES, []), sentence]


# The link


def _from_link() -> list[str]:
    texts = st.query_params.get_all(NETWORK)
    if texts == [NOBODY]:
        return []
    labels = []
    for text in texts or FIRST:
        pin = decode(text)
        if text == LIVE:
            labels.append(LIVE_LABEL)
        elif pin is not None:
            labels.append(add(pin.name, pin.network))
        else:
            _note(f"The link's network {text!r} is not known and was left out.")
    return labels


def publish() -> None:
    """Write what is compared into the URL; nothing where that is what everybody sees first."""
    networks = known()
    texts = [
        LIVE if label == LIVE_LABEL else encode(Pin(label, networks[label]))
        for label in st.session_state[_CHOSEN]
        if label in networks or label == LIVE_LABEL
    ] or [NOBODY]
    address.write(NETWORK, [] if texts == list(FIRST) else texts)


def encode(pin: Pin) -> str:
    """One network as it is in the URL."""
    model = pin.network.model
    return model if pin.network == at_defaults(model) else pins.encode(pin)


def decode(text: str) -> Pin | None:
    """The network that :func:`encode` wrote, ``None`` where the text is no such thing."""
    if text in queries.families():
        return Pin(queries.families()[text].title, at_defaults(text))
    if "/" in text and not text.startswith("{"):
        return Pin(text, at_defaults(text))
    return pins.decode(text)

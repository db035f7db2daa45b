"""What a person has chosen: how a page begins from it, and the stops of sliders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import links, pins, queries, saving

if TYPE_CHECKING:
    from characterize.models import Parameter
    from dashboard.queries import Network


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


# Beginning a page


def begin(page: str, names: Sequence[str]) -> list[str]:
    """Make the link and the session agree before a view makes its controls.

    To be called once a run, first of all: Streamlit takes what it cannot use out of the URL.

    Args:
        page: the view's name, the same in every run.
        names: the controls of ``links.linked`` that the view will make.

    Returns:
        A sentence for each part of the link that could not be followed; said once a session.
    """
    notes = [*links.notes(), *pins.notes()]
    links.adopt(page, names)
    pins.publish()
    saving.forget_charts()
    return notes


def restore(network: Network) -> None:
    """Set every control to ``network``; only inside a callback, before the controls are made."""
    from_zoo = "/" in network.model
    st.session_state[links.MODEL] = links.ZOO if from_zoo else network.model
    links.publish(links.MODEL)
    if from_zoo:
        st.session_state[links.ZOO_NAME] = network.model
    family = queries.families().get(network.model)
    usual = family.defaults if family else {}
    for name, value in network.parameters:
        _set(links.key_of(network.model, name), value, usual.get(name))
    _set(links.BATCH, network.batch, 1)
    _set(links.PRECISION, network.precision, queries.AUTO)
    _set(links.STACK, network.stack, links.DEFAULT_STACK)


def link_to(network: Network) -> dict[str, str | list[str]]:
    """The URL's parameters for ``network`` and for what is compared now, as far as not at defaults."""
    family = queries.families().get(network.model)
    usual: dict[str, Any] = {
        links.BATCH: 1,
        links.PRECISION: queries.AUTO,
        links.STACK: links.DEFAULT_STACK,
        **{
            links.key_of(network.model, k): v
            for k, v in (family.defaults if family else {}).items()
        },
    }
    said: dict[str, Any] = {links.key_of(network.model, k): v for k, v in network.parameters}
    said |= {
        links.BATCH: network.batch,
        links.PRECISION: network.precision,
        links.STACK: network.stack,
    }
    link: dict[str, str | list[str]] = {
        name: links.text(value) for name, value in said.items() if usual.get(name) != value
    }
    if family is None:
        link[links.ZOO_NAME] = network.model
    for name in (links.MODEL, links.DEVICES, links.BASELINE, links.FOCUS):
        if name in st.session_state:
            texts = links.linked()[name].texts(st.session_state[name])
            if texts:
                link[name] = texts
    return link


def _set(key: str, value: Any, default: Any) -> None:
    """Give a bound control its value; one that was never made does not write its own parameter."""
    if key not in st.session_state and value != default:
        links.bind(key, value)
    else:
        st.session_state[key] = value

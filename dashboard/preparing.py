"""What the next step of a slider is likely to need, made while a person looks at the last one.

Another number of layers is another network: its operators are fused, and the kernels launched for
them found, before any of its sizes is looked at. That takes about as long as all else of a step.
Whoever has moved such a slider by one is likely to move it on, so its neighbours are made in the
time between; only those whose templates are at hand, so that nothing is traced for it.
"""

from __future__ import annotations

import contextlib
import functools
from dataclasses import replace
from typing import Final

import streamlit as st

from characterize import session
from characterize.errors import CharacterizeError
from dashboard import queries
from dashboard.keeping import Keeper
from dashboard.queries import Network

QUIET_S: Final = 0.15  # the browser is drawing until then


def neighbours(network: Network, name: str) -> tuple[Network, ...]:
    """The networks that a parameter's slider has beside this one, the greater first.

    None where the parameter is no number, or only a size: all sizes have one network.
    """
    family = queries.families().get(network.model)
    found = next((p for p in family.parameters if p.name == name), None) if family else None
    if found is None or found.symbolic or found.kind != "int" or found.scale == "log":
        return ()
    now, step = int(dict(network.parameters)[name]), int(found.step or 1)
    low, high = found.low or now, found.high or now
    return tuple(
        replace(
            network, parameters=tuple((n, at if n == name else v) for n, v in network.parameters)
        )
        for at in (now + step, now - step)
        if low <= at <= high
    )


def ahead(network: Network, name: str) -> None:
    """Prepare what the slider of ``name`` may ask for next, once it has been quiet for a moment."""
    for each in neighbours(network, name):
        _soon().later(functools.partial(_prepare, network, each))


def _prepare(now: Network, near: Network) -> None:
    with contextlib.suppress(CharacterizeError):  # whoever asks for it tells
        session.prepare(queries.subject(near), queries.subject(now), now.stack)


@st.cache_resource(show_spinner=False)
def _soon() -> Keeper:
    return Keeper(QUIET_S)

"""A row explained: each of its numbers as a formula with the values put in, and what it rests on.

Nothing of it is made while it is closed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import pyarrow as pa
import streamlit as st

from characterize.errors import CharacterizeError
from characterize.hardware import Profile
from dashboard import (
    anatomy,
    catalogue,
    explain,
    layer_panels,
    layer_rows,
    palette,
    queries,
    readable,
)
from dashboard.queries import Answer, Network

FRAGMENT: Final = "explain"
OPEN, DEVICE, KERNEL = "tune.explain", "_explained_device", "_explained_kernel"
WHOLE: Final = -1  # of the kernels: none of them, the row itself


class Shown(Protocol):
    """What the page shows, as far as a row of it is explained."""

    @property
    def network(self) -> Network: ...  # noqa: D102 - the record that has it says what it is
    @property
    def answer(self) -> Answer: ...  # noqa: D102


def picked(hardware: str) -> None:
    """A row was selected: explain it."""
    st.session_state[DEVICE], st.session_state[KERNEL] = hardware, WHOLE
    st.session_state[OPEN] = True
    st.rerun(FRAGMENT)


def explain_kernel(hardware: str, index: int) -> None:
    """A kernel was selected: explain it, and the row it belongs to."""
    st.session_state[DEVICE], st.session_state[KERNEL] = hardware, index
    st.session_state[OPEN] = True
    st.rerun(FRAGMENT)


@st.fragment(key=FRAGMENT)
def explanation(shown: Callable[[], Shown]) -> None:
    """The explanation of one row; select a row of the table, or choose a device here."""
    folded = st.expander(
        "Explain a row: formulas with their values, figures with their sources",
        icon=":material/function:",
        key=OPEN,
        on_change="rerun",
    )
    if not folded.open:
        return
    with folded:
        found = shown()
        names = [str(name) for name in found.answer.rows["hardware"]]
        if st.session_state.get(DEVICE) not in names:
            st.session_state[DEVICE] = names[0]
        titles = {name: device.title for name, device in queries.devices().items()}
        left, right = st.columns(2)
        name = left.selectbox(
            "Device", names, key=DEVICE, format_func=lambda each: titles.get(each, each)
        )
        try:
            _explained(found, str(name), right)
        except CharacterizeError as error:
            st.error(str(error), icon=":material/error:")


def _explained(found: Shown, name: str, beside: Any) -> None:
    rows, network, profile = found.answer.rows, found.network, queries.profile(name)
    row = readable.row(rows, list(rows["hardware"]).index(name))
    kernels = layer_rows.numbered(anatomy.anatomy(network, name).kernels)
    chosen = _choose_kernel(kernels["label"], beside)
    if chosen != WHOLE:
        kernel = {column: values[chosen] for column, values in kernels.items()}
        operators = anatomy.operators(network, chosen)
        layer_panels.explained(kernel, operators, profile, network)
        return
    st.markdown(explain.table(explain.row_formulas(row, kernels, profile)))
    _rests_on(profile, network)


def _choose_kernel(labels: Sequence[str], beside: Any) -> int:
    options = [WHOLE, *range(len(labels))]
    if st.session_state.get(KERNEL) not in options:
        st.session_state[KERNEL] = WHOLE
    index: int = beside.selectbox(
        "Part",
        options,
        key=KERNEL,
        format_func=lambda each: "the whole network" if each == WHOLE else f"kernel {labels[each]}",
    )
    return index


def _rests_on(profile: Profile, network: Network) -> None:
    icon = palette.CONFIDENCE_ICONS.get(str(profile.confidence), "")
    st.markdown(f"**What it rests on** · {icon} {explain.confidence(profile)}")
    fits = catalogue.fits(profile)
    if len(fits):
        st.dataframe(
            fits, hide_index=True, key="explain.fits", alt=f"What {profile.title} was fitted on"
        )
    st.markdown(f"**Figures of {profile.title} that were used, and where they come from**")
    st.dataframe(
        pa.table(explain.figure_rows(anatomy.figures_used(profile, network))),
        hide_index=True,
        key="explain.figures",
        alt=f"Figures of {profile.title} that these numbers rest on, with sources",
    )

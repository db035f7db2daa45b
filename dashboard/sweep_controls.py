"""What of a sweep is shown, and how: the controls above its picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import streamlit as st

from characterize.sweeping import Kept
from dashboard import controls, links, queries
from dashboard.readable import ENERGY, LATENCY, Quantity
from dashboard.sweep_rows import MEASURES

DEVICE: Final = "sweep.device"  # in the URL
ALL: Final = "all"
SHOWN: Final = ("Heatmap", "Lines", "Frontier")
OF: Final = ("best", "median", "share")


@dataclass(frozen=True)
class Choice:
    """How a sweep is shown: as what, which measure, along which axes, and on which device.

    ``of`` says what of a mark's rows is shown, ``against`` what a frontier sets the measure against.
    """

    show: str
    quantity: Quantity
    device: str
    axes: tuple[str, ...]
    of: str = ""
    against: Quantity | None = None

    @property
    def sentence(self) -> str:
        """``Best latency by channels and input size, on all devices``."""
        on = "all devices" if self.device == ALL else _label(self.device)
        if self.against:
            return f"{self.quantity.title} against {self.against.title.lower()}, on {on}"
        share = self.of == "share"
        what = "Share within the budgets" if share else f"{self.of} {self.quantity.title.lower()}"
        axes = " and ".join(axis.replace("_", " ") for axis in self.axes)
        return f"{what[0].upper()}{what[1:]} by {axes}, on {on}"


def choice(sweep: Kept, axes: Sequence[str]) -> Choice:
    """The controls above the picture. What is set once waits in a popover, and is told beside it.

    Args:
        sweep: what is shown.
        axes: those that have several values.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        show = st.segmented_control(
            "Show as",
            SHOWN,
            default=SHOWN[0],
            required=True,
            key="sweep.show",
            bind=controls.BOUND,
            label_visibility="collapsed",
        )
        with st.popover("Axes and measure", icon=":material/tune:", key="_sweep_axes"):
            title = st.selectbox("Measure", list(MEASURES), key="sweep.of", bind=controls.BOUND)
            quantity = MEASURES[title]
            if show == "Frontier" or not axes:
                found = Choice(str(show), quantity, ALL, tuple(axes), against=_second(quantity))
            else:
                found = Choice(str(show), quantity, ALL, *_over_axes(str(show), axes))
            found = replace(found, device=_device(sweep))
        st.markdown(found.sentence, width="content")
    return found


def _device(sweep: Kept) -> str:
    links.hold(DEVICE, [ALL, *sweep.hardware], ALL)
    return str(st.selectbox("On", [ALL, *sweep.hardware], key=DEVICE, format_func=_label))


def _label(device: str) -> str:
    known = queries.devices().get(device)
    return "all devices" if device == ALL else controls.device_label(known, device)


def _second(quantity: Quantity) -> Quantity:
    others = [title for title, each in MEASURES.items() if each is not quantity]
    usual = (LATENCY if quantity is ENERGY else ENERGY).title
    title = st.selectbox(
        "Against", others, index=others.index(usual), key="sweep.against", bind=controls.BOUND
    )
    return MEASURES[title]


def _over_axes(show: str, axes: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Along which axes the rows are laid out, and what of each mark's rows is shown."""
    of = st.segmented_control(
        "Of each mark",
        OF if show == "Heatmap" else OF[:2],
        default=OF[0],
        required=True,
        key=f"sweep.each.{show.lower()}",
        bind=controls.BOUND,
        help="A mark stands for several rows: those on other devices and along other axes.",
    )
    x = st.selectbox("Across", axes, key="sweep.x", bind=controls.BOUND)
    if show != "Heatmap":
        return (x,), str(of)
    others = [axis for axis in axes if axis != x] or ["hardware"]
    return (x, st.selectbox("Up", others, key="sweep.y", bind=controls.BOUND)), str(of)

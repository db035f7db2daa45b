"""What of a sweep is shown, and how: the controls above its picture."""

from __future__ import annotations

from collections.abc import Sequence
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


def picture(sweep: Kept) -> tuple[str, str, Quantity]:
    """How the sweep is shown, on which device (or :data:`ALL`), and by which measure."""
    devices = queries.devices()
    links.hold(DEVICE, [ALL, *sweep.hardware], ALL)
    with st.container(horizontal=True, vertical_alignment="top", gap="small"):
        show = st.segmented_control(
            "Show as", SHOWN, default=SHOWN[0], required=True, key="sweep.show", bind=controls.BOUND
        )
        title = st.selectbox(
            "Measure", list(MEASURES), key="sweep.of", bind=controls.BOUND, width=150
        )
        device = st.selectbox(
            "On",
            [ALL, *sweep.hardware],
            key=DEVICE,
            format_func=lambda n: (
                "all devices" if n == ALL else controls.device_label(devices.get(n), n)
            ),
            width=260,
        )
    return str(show), device, MEASURES[title]


def second(quantity: Quantity) -> Quantity:
    """What ``quantity`` is set against."""
    others = [title for title, each in MEASURES.items() if each is not quantity]
    usual = (LATENCY if quantity is ENERGY else ENERGY).title
    title = st.selectbox(
        "Against",
        others,
        index=others.index(usual),
        key="sweep.against",
        bind=controls.BOUND,
        width=150,
    )
    return MEASURES[title]


def over_axes(show: str, axes: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Along which axes the rows are laid out, and what of each mark's rows is shown."""
    with st.container(horizontal=True, vertical_alignment="top", gap="small"):
        x = st.selectbox("Across", axes, key="sweep.x", bind=controls.BOUND, width=150)
        shown: tuple[str, ...] = (x,)
        if show == "Heatmap":
            others = [axis for axis in axes if axis != x] or ["hardware"]
            up = st.selectbox("Up", others, key="sweep.y", bind=controls.BOUND, width=150)
            shown = (x, up)
        of = st.segmented_control(
            "Of each",
            OF if show == "Heatmap" else OF[:2],
            default=OF[0],
            required=True,
            key=f"sweep.each.{show.lower()}",
            bind=controls.BOUND,
            help="A mark stands for several rows: those on other devices and along other axes.",
        )
    return shown, str(of)

"""What of a sweep is shown, and how: the controls above its picture."""

from __future__ import annotations

from typing import Final

import streamlit as st

from characterize.sweeping import Kept
from dashboard import controls, links, queries
from dashboard.readable import ENERGY, LATENCY, Quantity
from dashboard.sweep_rows import MEASURES

DEVICE: Final = "sweep.device"  # in the URL
ALL: Final = "all"
SHOWN: Final = ("Heatmap", "Lines", "Frontier")


def picture(sweep: Kept) -> tuple[str, str, Quantity]:
    """How the sweep is shown, on which device (or :data:`ALL`), and by which measure."""
    devices = queries.devices()
    links.hold(DEVICE, [ALL, *sweep.hardware], ALL)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
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

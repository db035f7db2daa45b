"""Where the time and the energy of one device go, kernel by kernel: bars that explain themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import streamlit as st

from characterize.errors import CharacterizeError
from dashboard import charts, kernel_bars, panels, queries, row_panel
from dashboard.queries import Network

OF: Final = "kernels.of"  # in the URL
CHART: Final = "kernels.chart"
SHARES: Final = {
    "time": ("latency_s", "Time", "s"),
    "energy": ("energy_dynamic_j", "Dynamic energy", "J"),
}
HELP: Final = (
    "The dearest kernels of the device in large print. A line across a bar marks what the first "
    "pinned configuration takes in the same place. Click a bar to have it explained."
)


def share_of() -> None:
    """Choose time or energy."""
    st.segmented_control(
        "Share of",
        list(SHARES),
        default="time",
        required=True,
        key=OF,
        bind="query-params",
        help=HELP,
    )


def bars(network: Network, focus: Mapping[str, Any], pinned: Network | None) -> None:
    """The bars, and what is in no kernel."""
    name = str(focus["hardware"])
    try:
        rows = queries.kernels(network, name)
        before = None if pinned is None else queries.kernels(pinned, name)
    except CharacterizeError as error:
        st.error(str(error), icon=":material/error:")
        return
    column, title, unit = SHARES[st.session_state.get(OF) or "time"]
    frame = kernel_bars.top_kernels(rows, column, unit, before=before)
    if not frame:
        st.info("This network has no kernels: it computes nothing.", icon=":material/info:")
        return
    known = queries.devices()
    outside = kernel_bars.outside_kernels(frame, float(focus[column]), unit)
    st.caption(f"On **{known[name].title if name in known else name}**. {outside}")
    with st.container(border=True):
        panels.draw(
            charts.kernels,
            frame,
            title,
            unit,
            key=CHART,
            title=f"{title} by kernel",
            alt_text=f"{title} by kernel: a bar a kind of kernel, the dearest first",
            on_select=lambda: _picked(frame, name),
            selection_mode=charts.PICK,
        )


def _picked(frame: Mapping[str, Any], device: str) -> None:
    chosen = st.session_state[CHART]["selection"].get(charts.PICK) or [{}]
    label = chosen[0].get("label")
    if label in frame["label"]:
        place = list(frame["label"]).index(label)
        if not frame["rest"][place]:
            row_panel.explain_kernel(device, int(frame["first"][place]))

"""The frame of the dashboard: page configuration and navigation. No analysis."""

from __future__ import annotations

import streamlit as st

st.set_page_config(page_title="Characterize", page_icon=":material/speed:", layout="wide")
page = st.navigation(
    [
        st.Page(
            "views/tune.py",
            title="Tune",
            icon=":material/tune:",
            default=True,
            help="What does this network cost, and what if I change it? Sliders for its shape, "
            "latency, energy and speedup by device.",
        ),
        st.Page(
            "views/hardware.py",
            title="Hardware",
            icon=":material/developer_board:",
            help="What are these devices, and who says so? Every figure with its source.",
        ),
        st.Page(
            "views/results.py",
            title="Results",
            icon=":material/table_view:",
            help="What has been computed so far? Filter it, ask it in SQL, take it along.",
        ),
    ],
    position="top",
)
page.run()

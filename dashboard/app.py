"""The frame of the dashboard: page configuration and navigation. No analysis."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard import links, own_devices

# a file of ours: an icon by name would be fetched from another host
ICON = str(Path(__file__).with_name("icon.svg"))

st.set_page_config(page_title="Characterize", page_icon=ICON, layout="wide")
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
            "views/compare.py",
            title="Compare",
            icon=":material/grid_on:",
            help="Which device, which network? Several of both: a heatmap, small multiples, and "
            "what is both fast and frugal.",
        ),
        st.Page(
            "views/layers.py",
            title="Layers",
            icon=":material/layers:",
            help="Where does the time and energy go? Modules, roofline, the graph of kernels.",
        ),
        st.Page(
            "views/sweep.py",
            title="Sweep",
            icon=":material/grid_view:",
            help="Which configuration, of all of them? Thousands to millions at once: heatmap, lines, "
            "frontier, budgets.",
        ),
        st.Page(
            "views/hardware.py",
            title="Hardware",
            icon=":material/developer_board:",
            help="What are these devices, and who says so? Every figure with its source.",
        ),
        st.Page(
            "views/validation.py",
            title="Validation",
            icon=":material/fact_check:",
            help="How wrong are these numbers? Projections against measurements, what was fitted on "
            "what, and the Conv2D report.",
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
own_devices.follow()
page.run()
for note in links.unfollowed():
    st.toast(note, icon=":material/link_off:", duration="infinite")

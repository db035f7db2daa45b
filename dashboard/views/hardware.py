"""Hardware: what are these devices, who says so, and what if they were different?"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import (
    catalogue,
    charts,
    controls,
    hardware_panels,
    links,
    own_devices,
    palette,
    panels,
    pins,
    queries,
    saving,
    state,
)

ROWS = "_catalogue"
RESULTS = "hardware"


def chosen_devices() -> pd.DataFrame:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        words = st.text_input(
            "Search",
            key="hardware.search",
            type="search",
            live="300ms",
            placeholder="name, vendor, process …",
            bind="query-params",
            width=260,
        )
        classes = st.pills(
            "Class",
            palette.ARCHITECTURES,
            selection_mode="multi",
            format_func=str.upper,
            key="hardware.class",
            bind="query-params",
        )
        idealised = st.toggle(
            "Idealised devices",
            key="hardware.idealised",
            bind="query-params",
            help="The four of the Conv2D validation report, which are no products.",
        )
    names = [n for n, d in queries.devices().items() if idealised or not d.is_reference]
    table = queries.overview()
    table = table[table["name"].isin(names)]
    return catalogue.matching(table, words or "", {"Class": tuple(classes or ())})


@st.fragment(key=RESULTS)
def browse() -> None:
    shared.sizes()
    rows = chosen_devices()
    known = queries.devices()
    st.caption(
        f"{len(rows)} of {len(known)} devices. Select a row to see every figure and its source."
    )
    if rows.empty:
        st.info("No device matches; loosen the search.", icon=":material/filter_alt_off:")
        return
    shown = rows.drop(columns="name")
    event = st.dataframe(
        shown,
        hide_index=True,
        column_config={
            "Device": st.column_config.TextColumn("Device", pinned=True, width="medium"),
            "Year": st.column_config.NumberColumn("Year", format="%d"),
            **{
                name: st.column_config.NumberColumn(name, format="%.4g")
                for name in shown
                if name.endswith(")")
            },
        },
        placeholder="–",
        on_select="rerun",
        selection_mode="single-row",
        key=ROWS,
        alt="Hardware catalogue: one device a row",
        height=390,
    )
    with st.container(horizontal=True):
        saving.downloads(rows, "catalogue", name="hardware_catalogue")
        hardware_panels.upload(look_at)
    picked = [rows.iloc[i]["name"] for i in event.selection.rows if i < len(rows)]
    names = list(rows["name"])
    if picked and picked[0] != st.session_state.get("_picked"):
        st.session_state["_picked"] = picked[0]
        st.session_state[links.DEVICE] = picked[0]
    elif st.session_state[links.DEVICE] not in names:
        st.session_state[links.DEVICE] = names[0]
    links.publish(links.DEVICE)
    name = st.selectbox(
        "Device",
        names,
        key=links.DEVICE,
        on_change=links.publish,
        args=(links.DEVICE,),
        format_func=lambda each: controls.device_label(known.get(each), each),
    )
    identity(name)
    what_if(name)
    where(name, names)
    sources(name)


def where(name: str, names: list[str]) -> None:
    frame = catalogue.places([queries.profile(each) for each in names])
    if frame.empty:
        return
    frame["chosen"] = frame["name"] == name
    with st.container(border=True):
        st.markdown(
            "**Arithmetic against bandwidth**",
            help="A device low and right moves data easily; one high and left needs many "
            "operations on each byte to be used well.",
        )
        panels.draw(
            charts.places,
            frame,
            key="hardware.places",
            alt_text=f"{len(frame)} devices by memory bandwidth and peak throughput",
        )


def identity(name: str) -> None:
    profile = queries.profile(name)
    icon = palette.CONFIDENCE_ICONS[str(profile.confidence)]
    facts = [
        controls.architecture_label(str(profile.architecture)),
        profile.vendor,
        str(profile.year or ""),
        profile.process,
        f"{icon} {profile.confidence} confidence",
    ]
    st.header(profile.title, anchor="device")
    st.markdown(" · ".join(fact for fact in facts if fact))
    if profile.summary:
        st.caption(profile.summary)


def what_if(name: str) -> None:
    """The editor of the device looked at (of the original, if that is an edited one)."""
    base = own_devices.base_of(name)
    if queries.profile(base).is_reference:
        return
    st.header("What if it were different?", anchor="what-if")
    st.caption(
        "Change a figure: an edited device appears beside the original, here and wherever a device "
        "can be chosen. What you change is an assumption, and the file says so."
    )
    hardware_panels.editor(base)
    if not own_devices.edits(base):
        return
    edited = own_devices.edited_name(base)
    hardware_panels.edited_actions(base, edited)
    network = controls.chosen_network()
    if network is not None:
        compared = controls.chosen_comparison()
        st.subheader(f"What it does to {pins.summary(network)}", anchor="effect")
        hardware_panels.effect(base, edited, network, compared.devices, compared.baseline)


def sources(name: str) -> None:
    profile = queries.profile(name)
    figures = catalogue.figures(profile)
    st.header("Every figure and where it comes from", anchor="figures")
    st.caption(
        "Published, derived from published ones, measured, or assumed for want of anything better: "
        "the kind says which. Double-click a cell to read all of it."
    )
    st.dataframe(
        figures,
        hide_index=True,
        key="hardware.figures",
        alt=f"Every figure of {profile.title} with its source",
        height=560,
        column_config={
            "Figure": st.column_config.TextColumn("Figure", pinned=True, width="medium"),
            "Source": st.column_config.TextColumn("Source", width="large"),
        },
    )
    fits = catalogue.fits(profile)
    if len(fits):
        st.header("Fitted to measurements", anchor="fits")
        st.dataframe(
            fits, hide_index=True, key="hardware.fits", alt="Numbers fitted to measurements"
        )
    with st.container(horizontal=True):
        panels.profile_download(profile)
        saving.downloads(figures, "figures", name=f"{name}_figures")


def look_at(name: str) -> None:
    """Show a device that was just taken in."""
    st.session_state[links.DEVICE] = name
    links.publish(links.DEVICE)


st.title("What are these devices, and what if they were different?", anchor=False)
shared = controls.Controls(RESULTS)
notes = state.begin("hardware", (*controls.LINKED, links.DEVICE))
with st.sidebar:
    shared.network()
for note in notes:
    st.warning(note, icon=":material/link_off:")
saving.menu()
browse()

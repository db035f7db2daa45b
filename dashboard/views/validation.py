"""Validation: how wrong are these numbers?"""

from __future__ import annotations

import streamlit as st

from characterize import validation
from characterize.errors import CharacterizeError
from characterize.validation import Validation
from dashboard import (
    links,
    panels,
    queries,
    saving,
    state,
    validation_panels,
    validation_rows,
    validations,
)
from dashboard.validations import SHIPPED, UPLOADED, Measurements

RESULTS = "validation"
ORIGIN, DEVICE = "validation.of", "validation.device"  # in the URL
ALL = "all"


def measurements() -> Measurements | None:
    """The measurements that are looked at: those that come along, or the person's own."""
    own = validations.uploaded()
    options = [SHIPPED, UPLOADED] if own else [SHIPPED]
    links.hold(ORIGIN, options, SHIPPED)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if own:  # or there is nothing to choose
            st.segmented_control(
                "Measurements", options, key=ORIGIN, required=True, format_func=str.capitalize
            )
        validation_panels.upload(show_uploaded)
        panels.glossary()
        saving.menu()
    if st.session_state[ORIGIN] == UPLOADED:
        return own
    try:
        return validations.shipped()
    except CharacterizeError as error:
        st.error(str(error), icon=":material/error:")
        return None


def show_uploaded() -> None:
    st.session_state[ORIGIN] = UPLOADED


def watch(measured: Measurements) -> None:
    """The projection that is running; when it ends, the page is made again."""
    job = validations.running(measured)
    if job is None:
        st.rerun()
    else:
        validation_panels.progress(job)


@st.fragment(key=RESULTS)
def results(found: Validation) -> None:
    names = sorted(found.table["hardware"].astype(str).unique())
    devices = queries.devices()
    links.hold(DEVICE, [ALL, *names], ALL)
    name = st.selectbox(
        "Device",
        [ALL, *names],
        key=DEVICE,
        format_func=lambda n: "all devices" if n == ALL else validation_panels.title(n),
        width=320,
    )
    table = found.table if name == ALL else found.table[found.table["hardware"] == name]
    if table.empty:
        st.info("Nothing of this could be projected; see below why.", icon=":material/info:")
        validation_panels.left_out(found.left_out)
        return
    part = Validation(table, found.left_out)
    summary = validation.summary(table)
    validation_panels.kpis(summary)
    validation_panels.charts(validation_rows.points(table, devices), summary, len(table))
    titles = {each: device.title for each, device in devices.items()}
    st.header("Error by device, stack and precision", anchor="errors")
    validation_panels.error_table(part.summaries(), titles, "validation.errors", "Errors by device")
    st.header("Error by family of networks", anchor="families")
    validation_panels.error_table(
        part.families(), titles, "validation.families", "Errors by family"
    )
    st.header("The ten furthest off", anchor="worst")
    validation_panels.worst(part.worst(), titles)
    validation_panels.left_out(found.left_out)
    saving.downloads(table, "validation", name="characterize_validation")


st.title("How wrong are these numbers?", anchor=False)
for note in state.begin("validation", []):
    st.warning(note, icon=":material/link_off:")
measured = measurements()
if measured is not None:
    answer = validations.answer(measured)
    if answer is None and measured.is_shipped and not validations.trouble(measured):
        validations.project(measured)  # seconds: the networks of these ship as graphs
    if validations.running(measured) is not None:
        st.fragment(watch, run_every=0.5)(measured)
    elif answer is None:
        validation_panels.offer(measured)
    if answer is not None:
        validation_panels.mind(measured)
        results(answer)
st.header("What was fitted on what", anchor="fits")
validation_panels.fits()
st.header("The Conv2D validation report", anchor="conv2d")
validation_panels.conv2d()

"""Sweep: which configuration, of all of them?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from characterize import questions
from characterize.errors import CharacterizeError
from characterize.questions import Budget
from characterize.sweeping import Kept
from dashboard import (
    controls,
    links,
    panels,
    pins,
    queries,
    readable,
    saving,
    state,
    sweep_controls,
    sweep_panels,
    sweep_rows,
    sweeps,
)
from dashboard.queries import Network
from dashboard.readable import Quantity
from dashboard.sweep_controls import Choice

RESULTS = "sweep"
CHOSEN, FAMILY = "sweep.id", "sweep.family"  # in the URL
JOB, GO = "_sweep_job", "_sweep_go"


# A new sweep


@st.fragment
def new_sweep(opened: bool) -> None:
    folded = st.expander(
        "New sweep",
        expanded=opened,
        icon=":material/add_chart:",
        key="_sweep_new",
        on_change="rerun",
    )
    if not folded.open:  # its fields would cost every step of a budget's slider time
        return
    with folded:
        families = queries.families()
        links.hold(FAMILY, list(families), links.DEFAULT_MODEL)
        name = st.selectbox(
            "Family", list(families), key=FAMILY, format_func=lambda each: families[each].title
        )
        st.caption("In each field one value, a list (16,32,64) or a range (first:last:step).")
        texts = sweep_panels.axis_fields(families[name])
        run = sweep_panels.run_fields()
        controls.choose_devices()
        compared = controls.chosen_comparison()
        try:
            plan = sweeps.plan(name, texts, run, compared.devices, compared.baseline)
        except CharacterizeError as error:
            sweep_panels.trouble(error)
            return
        sweep_panels.size(plan)
        busy = sweeps.running() is not None
        if st.button(
            "Run the sweep",
            type="primary",
            icon=":material/play_arrow:",
            key="_sweep_run",
            disabled=busy,
            help="Another sweep is running." if busy else None,
        ):
            start(plan)
            st.rerun()


def start(plan: sweeps.Plan) -> None:
    sweeps.run(plan)
    st.session_state[JOB] = plan.key


def watch() -> None:
    """The sweep that is running; when it ends, the page is made again with what it found."""
    job = sweeps.running()
    if job is not None:
        sweep_panels.progress(job)
    elif JOB in st.session_state:
        st.rerun()


def take_over() -> None:
    """What came of a sweep that this session started."""
    key = st.session_state.get(JOB)
    job = sweeps.ended(key) if key else None
    if job is None:
        return
    del st.session_state[JOB]
    if job.error:
        st.error(job.error, icon=":material/error:")
    elif job.stopped:
        st.info(f"Stopped: {job.text}. It can be gone on with below.", icon=":material/pause:")
    else:
        st.session_state[CHOSEN] = job.result


# What a sweep says


@dataclass(frozen=True)
class Picture:
    """What of a sweep is shown, and how."""

    sweep: Kept
    found: questions.Rows
    choice: Choice

    @property
    def where(self) -> dict[str, Any]:
        """What its rows are restricted to."""
        device = self.choice.device
        return {} if device == sweep_controls.ALL else {"hardware": device}


@dataclass(frozen=True)
class Places:
    """Where the fragment of the budgets writes, on both sides of the controls of the picture."""

    sliders: DeltaGenerator
    below: DeltaGenerator


def answer(sweep: Kept) -> None:
    """All that a sweep says.

    Only the budgets and the picture are a fragment: what a budget does not change is not sent again
    when it moves.
    """
    if not sweep.complete:
        unfinished(sweep)
    st.header("Budgets", anchor="budgets")
    sliders = st.container()
    card = st.container(border=True, gap="xsmall")
    at = Places(sliders, st.container())
    with card:
        try:
            picture = asked_for(sweep)
        except CharacterizeError as error:
            sweep_panels.trouble(error)
        else:
            results(picture, at)


def asked_for(sweep: Kept) -> Picture:
    """The controls above the picture."""
    found = sweeps.rows(sweep)
    axes = sweep_rows.several(sweep.description)
    return Picture(sweep, found, sweep_controls.choice(sweep, axes))


@st.fragment(key=RESULTS)
def results(picture: Picture, at: Places) -> None:
    """The budgets, the picture and what can be done with it."""
    link = st.session_state.pop(GO, None)
    if link is not None:
        st.switch_page("views/tune.py", query_params=link)
    try:
        with at.sliders:
            asked = sweep_panels.budgets(picture.sweep)
        with sorting(picture):
            met = draw(picture, asked)
        with at.below:
            below(picture, asked, met)
    except CharacterizeError as error:
        sweep_panels.trouble(error)


def draw(picture: Picture, asked: Sequence[Budget]) -> int:
    """The picture; returns how many rows are within the budgets."""
    found, choice, where = picture.found, picture.choice, picture.where
    quantity, axes = choice.quantity, choice.axes
    if choice.against:
        return sweep_panels.scatter(found, quantity, choice.against, axes, asked, where)
    if choice.show == "Lines":
        return sweep_panels.lines(found, axes[0], choice.of, quantity, asked, where)
    return sweep_panels.heatmap(found, (axes[0], axes[1]), choice.of, quantity, asked, where)


def below(picture: Picture, asked: Sequence[Budget], met: int) -> None:
    """How many rows are within the budgets, the one that was clicked, ways to Tune and files."""
    sweep, found, where = picture.sweep, picture.found, picture.where
    quantity = picture.choice.quantity
    total = len(found.where(**where))
    st.caption(
        f"**{met:,}** of {total:,} rows are within the budgets. Click a mark to look at it; a double "
        "click lets go of it."
    )
    chosen = looked_at(found, quantity, asked, where)
    if chosen is not None:
        detail(sweep, chosen)
    shortcuts(sweep, found, quantity, asked, where, met)
    sweep_panels.downloads(sweep, asked, where, met)


def sorting(picture: Picture) -> AbstractContextManager[None]:
    """Says that rows are sorted, where this picture of this sweep is made for the first time."""
    first = sweeps.first_time((picture.sweep.key, str(picture.choice)))
    return st.spinner("Sorting the rows of the sweep") if first else nullcontext()


# From a mark to Tune


def looked_at(
    found: questions.Rows, quantity: Quantity, asked: Sequence[Budget], where: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """The row that was clicked, or the best one of the cell that was."""
    mark = sweep_panels.picked()
    if mark is None or mark.row:
        return mark.row if mark else None
    try:
        inside = {
            name: sweep_rows.inside(list(found.coded(name).values), span)
            for name, span in mark.cell.items()
        }
        return sweeps.within(found, quantity.column, asked, {**where, **inside})
    except CharacterizeError:
        return None  # it was of another sweep


def detail(sweep: Kept, row: Mapping[str, Any]) -> None:
    """One configuration on one device: what it is and comes to, and a way to Tune."""
    network, device = sweeps.network_of(row, sweep), str(row["hardware"])
    try:
        answer = queries.answer(queries.Request(network, (device,)))
    except CharacterizeError as error:
        sweep_panels.trouble(error)
        return
    title = queries.devices()[device].title if device in queries.devices() else device
    with st.container(border=True, gap="small", key="sweep_detail"):
        panels.standing(readable.row(answer.rows, 0), title, pins.summary(network))
        panels.kpis(readable.row(answer.rows, 0), None, "")
        st.button(
            "Open in Tune",
            icon=":material/tune:",
            key="_sweep_open",
            on_click=open_in_tune,
            args=(network, device),
        )


def open_in_tune(network: Network, device: str) -> None:
    """Set Tune's controls, before any is made; the page is left when it is made again."""
    state.restore(network)
    chosen = list(links.stands_at(links.DEVICES))
    st.session_state[links.DEVICES] = chosen if device in chosen else [*chosen, device]
    st.session_state[links.FOCUS] = device
    for name in (links.DEVICES, links.FOCUS):
        links.publish(name)
    st.session_state[GO] = state.link_to(network)


def shortcuts(
    sweep: Kept,
    found: questions.Rows,
    quantity: Quantity,
    asked: Sequence[Budget],
    where: Mapping[str, Any],
    met: int,
) -> None:
    """The best configuration and the largest one within the budgets, opened in Tune at once."""
    low = "lowest" if quantity.lower_is_better else "highest"
    choices = (
        (f"Open the {low} {quantity.title.lower()} in Tune", quantity.column, False, "best"),
        ("Open the most arithmetic in Tune", "macs", True, "largest"),
    )
    with st.container(horizontal=True):
        for label, column, largest, key in choices:
            st.button(
                label,
                icon=":material/tune:",
                key=f"_sweep_{key}",
                disabled=not met,
                on_click=open_within,
                args=(sweep, found, column, asked, where, largest),
            )


def open_within(
    sweep: Kept,
    found: questions.Rows,
    column: str,
    asked: Sequence[Budget],
    where: Mapping[str, Any],
    largest: bool,
) -> None:
    row = sweeps.within(found, column, asked, where, largest=largest)
    if row is not None:
        open_in_tune(sweeps.network_of(row, sweep), str(row["hardware"]))


def unfinished(sweep: Kept) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            ":material/pause: This sweep was stopped; what is done is shown.", width="content"
        )
        if st.button(
            "Go on with it", icon=":material/play_arrow:", key="_sweep_resume",
            disabled=sweeps.running() is not None or not sweep.family,
        ):  # fmt: skip
            try:
                start(sweeps.again(sweep))
            except CharacterizeError as error:
                sweep_panels.trouble(error)
            else:
                st.rerun()


st.title("Which configuration, of all of them?", anchor=False)
for note in state.begin("sweep", controls.LINKED):
    st.warning(note, icon=":material/link_off:")
take_over()
everything = sweeps.kept()
with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
    saving.menu()
    panels.glossary()
new_sweep(opened=not everything)
running = sweeps.running()
st.fragment(watch, run_every=0.5 if running else None)()
if everything:
    links.hold(CHOSEN, list(everything), next(iter(everything)))
    st.selectbox(
        "Sweep",
        list(everything),
        key=CHOSEN,
        format_func=lambda key: sweeps.label(everything[key]),
        help="Every sweep that was run here or on the command line is kept beside the store.",
    )
    chosen = everything[st.session_state[CHOSEN]]
    st.caption(sweep_rows.extent(chosen.description, len(chosen.hardware)))
    answer(chosen)
else:
    st.info(
        "No sweep yet. Choose ranges above and run one, or use the command line: "
        "`characterize sweep conv2d_stack --set layers=1:16 channels=16:256:16`.",
        icon=":material/grid_view:",
    )

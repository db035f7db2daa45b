"""Tune: what does this network cost, and what if I change it?

What stays the same when a slider moves is made once, by the script; one fragment, which the sliders
belong to, writes what changes into the places that the script has left for it. Every element that is
on the page costs the browser time at each step: so what is looked at now and then waits in tabs and
popovers, and is made when they are opened.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from characterize.errors import CharacterizeError
from dashboard import (
    comparison_report,
    controls,
    curve_panel,
    kernel_panel,
    panels,
    pin_menu,
    pins,
    queries,
    readable,
    row_panel,
    saving,
    state,
    tables,
)
from dashboard.controls import Comparison
from dashboard.queries import AUTO, Answer, Network, Request
from dashboard.readable import Columns, Pinned

RESULTS = "results"  # the fragment
SHOW = "tune.show"  # in the URL
CURVE, KERNELS, TABLE = "Along one slider", "Where it goes", "All figures"
CARDS = (readable.LATENCY, readable.ENERGY, readable.SPEEDUP)
LAST = "_tune_last"  # the last answer that could be computed, kept on the page when one cannot


@dataclass(frozen=True)
class Found:
    """What the page shows: the question, its answer, and what it is compared with."""

    network: Network
    comparison: Comparison
    answer: Answer
    pinned: list[Pinned]

    @property
    def focus(self) -> dict[str, Any]:
        """The row of the device looked at: the one asked for, else the fastest."""
        rows = self.answer.rows
        latencies = list(rows["latency_s"])
        fastest = readable.row(rows, latencies.index(min(latencies)))
        asked = self.comparison.focus
        return fastest if asked == AUTO else row_of(rows, asked) or fastest

    @property
    def asked(self) -> dict[str, Any]:
        """The question in words, for files."""
        network, comparison = self.network, self.comparison
        return {
            "model": network.model,
            "parameters": dict(network.parameters),
            "batch": network.batch,
            "precision": network.precision,
            "stack": network.stack,
            "devices": list(comparison.devices),
            "baseline": comparison.baseline or AUTO,
        }


def row_of(rows: Columns, hardware: str) -> dict[str, Any] | None:
    names = list(rows["hardware"])
    return readable.row(rows, names.index(hardware)) if hardware in names else None


# The answer


def ask(network: Network, comparison: Comparison) -> Found | None:
    """The answer, and that of the pins; after an error, those of the last time."""
    request = Request(network, comparison.devices, comparison.baseline)
    try:
        quick = queries.is_quick(network)
        if quick and st.session_state.get(SHOW, CURVE) == CURVE:
            curve_panel.look_along(request)
        with nullcontext() if quick else st.spinner("Tracing the network"):
            answer = queries.answer(request)
    except CharacterizeError as error:
        last: Found | None = panels.kept_after(error, LAST)
        return last
    found = Found(network, comparison, answer, pinned_rows(comparison))
    st.session_state[LAST] = found
    return found


def pinned_rows(comparison: Comparison) -> list[Pinned]:
    """The pinned configurations on the devices that are compared now; those that can be shown."""

    def answered(letter: str, pin: pins.Pin) -> Pinned:
        asked = Request(pin.network, comparison.devices, comparison.baseline)
        return Pinned(letter, pin.name, queries.answer(asked).rows)

    return pins.each(answered)


def shown() -> Found:
    """What :func:`results` has found in this run, or found last."""
    found: Found = st.session_state[LAST]
    return found


# Figures and charts


@dataclass(frozen=True)
class Places:
    """Where the fragments write: made once, filled again at every step."""

    messages: DeltaGenerator
    figures: DeltaGenerator
    cards: tuple[DeltaGenerator, ...]
    curve: DeltaGenerator | None
    kernels: DeltaGenerator | None
    table: DeltaGenerator | None


def places() -> Places:
    messages = st.container()
    figures = panels.kpi_grid()
    panels.key_of_marks([(pins.letter(i), pin.name) for i, pin in enumerate(pins.pinned())])
    with st.grid(len(CARDS), min_column_width=panels.CARD_WIDTH, gap="small"):
        cards = tuple(
            panels.card(f"{q.title} by device", q.meaning, f"by_device_{q.column}") for q in CARDS
        )
    # beside the figures one thing at a time; what is not looked at is not made
    tabs = st.tabs([CURVE, KERNELS, TABLE], key=SHOW, on_change="rerun", bind=controls.BOUND)
    return Places(messages, figures, cards, *(tab if tab.open else None for tab in tabs))


@st.fragment(key=RESULTS)
def results(at: Places) -> None:
    shared.sizes()
    network, comparison = controls.chosen_network(), controls.chosen_comparison()
    with at.messages:
        found = None if network is None else ask(network, comparison)
        if found is None:
            return
    focus, pinned = found.focus, found.pinned
    before = row_of(pinned[0].rows, focus["hardware"]) if pinned else None
    short = {name: device.short for name, device in queries.devices().items()}
    # the charts first: they take the browser longest
    for quantity, card in zip(CARDS, at.cards, strict=True):
        with card:
            frame = readable.by_device(found.answer.rows, quantity, short, pinned)
            panels.by_device(frame, quantity, key=f"by_device_{quantity.column}")
    with at.figures:
        panels.metrics(focus, before, pinned[0].name if pinned else "")
    with at.messages:
        say(found)
    saving.describe_charts(pins.summary(found.network))
    saving.offer_report(
        f"characterize_{tables.slug(pins.summary(found.network))}",
        lambda: comparison_report.of_network(
            found.network, found.answer, focus, pinned, saving.asked(found.asked)
        ),
    )
    for place, part in ((at.kernels, kernels), (at.table, table)):
        if place:
            with place:
                part()
                row_panel.explanation(shown)


def moved(key: str) -> None:
    """A slider of the network was moved: its fragment runs again, and the curve if it must."""
    if curve_panel.outdated(key) and st.session_state.get(SHOW, CURVE) == CURVE:
        controls.run_again(RESULTS, curve_panel.FRAGMENT)


def say(found: Found) -> None:
    """What there is to say of the answer before its figures."""
    answer, focus = found.answer, found.focus
    titles = {name: device.title for name, device in queries.devices().items()}
    panels.left_out(answer.left_out, found.network.precision)
    for note in answer.notes:
        st.caption(f":material/info: {note}")
    name = titles.get(focus["hardware"], focus["hardware"])
    panels.standing(focus, name, pins.summary(found.network), answer.rows)


@st.fragment(key="kernels")
def kernels() -> None:
    found = shown()
    kernel_panel.share_of()
    first = pins.pinned()[:1]
    kernel_panel.bars(found.network, found.focus, first[0].network if first else None)


@st.fragment(key="table")
def table() -> None:
    found = shown()
    titles = {name: device.title for name, device in queries.devices().items()}
    panels.table(found.answer.rows, titles, found.pinned, found.asked, row_panel.picked)


st.title("What does this network cost, and what if I change it?", anchor=False)
shared = controls.Controls(RESULTS, moved=moved)
notes = state.begin("tune", controls.LINKED)
with st.sidebar:
    shared.network()
for note in notes:
    st.warning(note, icon=":material/link_off:")
with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
    with controls.devices_menu():
        controls.choose_devices()
        shared.comparison()
    pin_menu.pinning()
    pin_menu.examples()
    saving.menu()
    panels.glossary()
if not shared.model:
    shared.sizes()
    st.info("Choose a zoo model on the left to see what it costs.", icon=":material/search:")
elif not controls.chosen_comparison().devices:
    shared.sizes()
    st.info("Choose at least one device to compare.", icon=":material/devices:")
else:
    here = places()
    results(here)
    if here.curve and LAST in st.session_state:
        with here.curve:
            curve_panel.panel()

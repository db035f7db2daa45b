"""One slider's whole curve, sent once: hovering over it answers in the browser, a click sets the slider."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, Final

import streamlit as st

from characterize.errors import CharacterizeError
from characterize.models import Parameter
from dashboard import (
    charts_curve,
    controls,
    curve_rows,
    curves,
    links,
    panels,
    preparing,
    queries,
    readable,
    state,
)
from dashboard.curves import Curve
from dashboard.queries import AUTO, Network, Request
from dashboard.readable import Quantity

FRAGMENT: Final = "curve"
OF, BY = "curve.of", "curve.by"  # in the URL
CHART: Final = "curve.chart"
MOVED: Final = "_moved"  # the parameter whose slider was moved last
QUANTITIES: Final = {q.title: q for q in (readable.LATENCY, readable.ENERGY, readable.SPEEDUP)}
MOST: Final = 64  # values of a curve
HELP: Final = (
    "Every value of one slider at once, the others as they stand. Point at it to read all devices; "
    "click to set the slider there. It is computed only when something else has changed."
)


def remember(key: str) -> None:
    """Remember which slider was moved, for :func:`look_ahead` and for a curve that follows it."""
    if "." in key or key == links.BATCH:
        st.session_state[MOVED] = key.rpartition(".")[2]


def outdated(key: str) -> bool:
    """Remember which slider was moved; whether the curve changes with it: not if it is its own."""
    network = controls.chosen_network()
    before = _drawn_for(network)
    remember(key)
    after = _drawn_for(network)
    return not before == after == key.rpartition(".")[2]


def look_ahead(*requests: Request) -> None:
    """Answer ``requests`` at every stop of the slider that was moved last, in one go each."""
    for request in requests:
        _ahead(request, _moved())
        preparing.ahead(request.network, _moved())


def look_along(request: Request) -> None:
    """Evaluate the curve that :func:`panel` is about to draw, so that one evaluation answers both."""
    _ahead(request, _drawn_for(request.network))
    preparing.ahead(request.network, _moved())


def _moved() -> str:
    """The parameter whose slider was moved last."""
    return str(st.session_state.get(MOVED, ""))


def _ahead(request: Request, name: str) -> None:
    if name in _options(request.network):
        with contextlib.suppress(CharacterizeError):  # whoever asks for it tells
            curves.ahead(request, name, stops(_parameter(request.network.model, name)))


def _options(network: Network) -> tuple[str, ...]:
    return curves.drawable(network.model)


def _drawn_for(network: Network | None) -> str:
    """The parameter of the curve: the one chosen, else the one moved last, else the first size."""
    options = _options(network) if network else ()
    chosen, moved = st.session_state.get(OF, AUTO), _moved()
    if chosen in options:
        return str(chosen)
    return moved if moved in options else next(iter(options), "")


@st.fragment(key=FRAGMENT)
def panel() -> None:
    """The curve and what it shows."""
    network, comparison = controls.chosen_network(), controls.chosen_comparison()
    options = _options(network) if network else ()
    if network is None or not options or not comparison.devices:
        st.info(
            "Curves are drawn for families, whose sizes are sliders; a zoo model has none.",
            icon=":material/show_chart:",
        )
        return
    quantity = _choices(options)
    name = _drawn_for(network)
    parameter = _parameter(network.model, name)
    request = Request(network, comparison.devices, comparison.baseline)
    try:
        able = queries.answer(request).rows["hardware"]
        request = Request(network, tuple(map(str, able)), comparison.baseline)
        found = curves.curve(request, name, stops(parameter))
    except CharacterizeError as error:
        st.error(str(error), icon=":material/error:")
        return
    if not found.values:
        reason = "it has not been traced yet" if found.missing else "no value goes with the others"
        st.info(f"No curve of this network: {reason}.", icon=":material/show_chart:")
        return
    _draw(found, parameter, quantity)
    _left_out(found, parameter)


def _choices(options: Sequence[str]) -> Quantity:
    if st.session_state.get(OF) not in (None, AUTO, *options):
        del st.session_state[OF]
    with st.container(horizontal=True, gap="medium"):
        st.selectbox(
            "Along",
            [AUTO, *options],
            key=OF,
            bind="query-params",
            width=230,
            help=f"{HELP} Auto follows the slider that was moved last.",
        )
        title = st.segmented_control(
            "Quantity",
            list(QUANTITIES),
            default=readable.LATENCY.title,
            required=True,
            key=BY,
            bind="query-params",
        )
    return QUANTITIES[str(title)]


def _parameter(model: str, name: str) -> Parameter:
    return controls.BATCH if name == links.BATCH else queries.families()[model].parameter(name)


def stops(parameter: Parameter) -> list[int]:
    """The values of a curve: those that its slider stops at, at most :data:`MOST` of them."""
    low, high, step = (int(each or 0) for each in (parameter.low, parameter.high, parameter.step))
    if parameter.scale == "log":
        return state.stops(parameter)
    every = list(range(low, high + 1, max(step, 1)))
    return every[:: -(-len(every) // MOST)]


def _draw(found: Curve, parameter: Parameter, quantity: Quantity) -> None:
    known = queries.devices()
    devices = [(name, known[name].short, known[name].architecture) for name in found.devices]
    numbers = [v for line in found.series[quantity.column].values() for v in line]
    ends = (*numbers, *(v for column in (quantity.low, quantity.high) if column
                        for line in found.series[column].values() for v in line))  # fmt: skip
    spread = readable.spread(ends)
    label = controls.parameter_label(parameter)
    frame = curve_rows.frame(
        found.values, found.series, quantity, devices, logarithmic=spread != "even"
    )
    with st.container(border=True):
        panels.draw(
            charts_curve.curve,
            frame,
            quantity.title,
            quantity.unit,
            label,
            tuple(title for _, title, _ in devices),
            logarithmic=parameter.scale == "log" and found.values[0] > 0,
            spread=spread,
            key=CHART,
            title=f"{quantity.title} along {label.lower()}",
            alt_text=f"{quantity.title} of {len(devices)} devices along {label.lower()}, from "
            f"{found.values[0]:,} to {found.values[-1]:,}",
            on_select=lambda: _picked(parameter),
            selection_mode=charts_curve.PICK,
        )
    if st.session_state.pop(_SET, False):
        st.rerun()  # the slider is outside of this fragment


_SET: Final = "_curve_set"


def _picked(parameter: Parameter) -> None:
    chosen: list[dict[str, Any]] = st.session_state[CHART]["selection"].get(charts_curve.PICK) or [
        {}
    ]
    value, network = chosen[0].get("at"), controls.chosen_network()
    if value is None or network is None:
        return
    name = parameter.name
    key = links.BATCH if name == links.BATCH else links.key_of(network.model, name)
    st.session_state[MOVED] = name
    st.session_state[key] = int(value)
    st.session_state[_SET] = True


def _left_out(found: Curve, parameter: Parameter) -> None:
    name = controls.parameter_label(parameter).lower()
    if found.missing:
        st.caption(
            f"Not drawn at {name} {_listed(found.missing)}: the network has another structure there, "
            "which is traced when the slider is moved there."
        )
    if found.refused:
        st.caption(f"Not drawn at {name} {_listed(found.refused)}: does not go with the others.")


def _listed(values: Sequence[int]) -> str:
    """``1, 2, 3`` or ``1, 2, … 64``."""
    if len(values) <= 4:
        return ", ".join(f"{value:,}" for value in values)
    return f"{values[0]:,}, {values[1]:,}, … {values[-1]:,}"

"""The controls that views share: which network, run how, on which devices.

Every control is bound to the URL under its key (see ``dashboard.state``). A model's parameters
describe themselves, so a new family has its sliders without a line here.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.errors import StreamlitAPIException

from characterize.errors import CharacterizeError
from characterize.models import Parameter
from dashboard import links, palette, queries, state
from dashboard.queries import AUTO, Device, Network

BOUND: Final = "query-params"
FEW: Final = 4  # choices that fit side by side in the sidebar
VISIBLE: Final = 6  # sliders before the others are tucked away

BATCH: Final = Parameter(
    links.BATCH, "int", 1, "Samples that are run together.", 1, 1024, 1, scale="log"
)
ZOO_TITLE: Final = "A zoo model by name…"
BASELINE_HELP: Final = "The device whose latency counts as 1×."
DEVICE_HELP: Final = "Auto takes the fastest of the devices that Tune compares."
PRECISION_HELP: Final = (
    "The number format. Auto takes what each device is usually run in for inference: a CPU fp32, a GPU "
    "fp16, a TPU bf16, an edge accelerator int8. On a GPU fp16 is mixed precision over fp32 weights where "
    "casting them pays; bf16 has its weights in that format."
)
STACK_HELP: Final = (
    "Eager runs every operator by itself. Compiled fuses pointwise operators into their neighbours. An "
    "engine also folds batch norms into weights."
)
FOCUS_HELP: Final = "The device whose figures are shown large, and whose kernels are listed."


@dataclass(frozen=True, slots=True)
class Comparison:
    """The devices side by side, what speedups are relative to, and the one looked at closely."""

    devices: tuple[str, ...]
    baseline: str | None
    focus: str  # a name, or AUTO for the fastest


def run_again(*fragments: str) -> None:
    """Leave a callback so that only these fragments run; returns if the page has none of them yet."""
    with suppress(StreamlitAPIException):
        st.rerun(list(fragments))


# What is chosen now


def chosen_network() -> Network | None:
    """The network that the controls stand at; ``None`` until a zoo model can be."""
    held = st.session_state
    model = held.get(links.ZOO_NAME) if held[links.MODEL] == links.ZOO else held[links.MODEL]
    if not model:
        return None
    try:
        keys = {p.name: links.key_of(model, p.name) for p in _parameters_of(model)}
    except CharacterizeError:
        return None  # the sidebar says why
    values = [(name, held[key]) for name, key in keys.items()]
    stack = held[links.STACK] or links.DEFAULT_STACK
    usual = {p.name: p.default for p in _parameters_of(model)}
    links.keep(
        {key: (held[key], usual[name]) for name, key in keys.items()}
        | {
            links.ZOO_NAME: (held.get(links.ZOO_NAME), None),
            links.BATCH: (held[links.BATCH], 1),
            links.PRECISION: (held[links.PRECISION], AUTO),
            links.STACK: (stack, links.DEFAULT_STACK),
        }
    )
    return Network(model, tuple(values), int(held[links.BATCH]), held[links.PRECISION], stack)


def chosen_comparison() -> Comparison:
    """The devices that the controls stand at, in the order of the catalogue."""
    held = st.session_state
    asked = set(held[links.DEVICES])
    devices = tuple(name for name in queries.devices() if name in asked)
    baseline, focus = held[links.BASELINE], held.get(links.FOCUS, AUTO)
    return Comparison(devices, None if baseline == AUTO else baseline, focus)


def _parameters_of(model: str) -> tuple[Parameter, ...]:
    family = queries.families().get(model)
    return family.parameters if family else queries.zoo_parameters(model)


# Controls


LINKED: Final = (links.MODEL, links.DEVICES, links.BASELINE, links.FOCUS)
"""The controls here that ``links.adopt`` sets before they are made."""


class Controls:
    """The controls of one view, which rerun only what depends on them.

    Args:
        fragments: keys of the fragments that show the results, the first the one that makes the sliders
            that are moved most itself (:meth:`sizes`). Other controls rerun these alone.
        moved: called with the key of a control of the network when it is moved.
    """

    def __init__(self, *fragments: str, moved: Callable[[str], None] | None = None) -> None:
        self._fragments = fragments
        self._moved = moved
        self.model = ""
        self._parameters: tuple[Parameter, ...] = ()
        self._sizes: DeltaGenerator = st.sidebar
        self._batch: DeltaGenerator = st.sidebar

    def network(self) -> None:
        """Which network, and how it is run; :meth:`sizes` puts its first sliders between."""
        st.header("Network", anchor=False)
        try:
            self.model = _model()
            self._parameters = _parameters_of(self.model) if self.model else ()
        except CharacterizeError as error:  # a zoo's library that is missing or cannot be used
            st.error(str(error), icon=":material/error:")
        self._sizes = st.container()
        self._more()
        st.header("Run", anchor=False)
        self._batch = st.container()
        st.selectbox(
            "Precision",
            [AUTO, *queries.precisions()],
            **self._outside(links.PRECISION, PRECISION_HELP),
        )
        st.segmented_control(
            "Software stack",
            links.STACKS,
            default=links.DEFAULT_STACK,
            required=True,
            **self._outside(links.STACK, STACK_HELP),
        )

    def sizes(self) -> None:
        """The sliders that are moved most: the first parameters of the network, and the batch.

        To be called by the fragment that shows the results: it is then what Streamlit runs, once,
        when one of these is moved. Were they outside of it, Streamlit would first announce another
        run, only to hear that the fragment suffices, and the browser would draw the page anew for
        each. But all that a fragment makes is sent again by each of its runs: so other controls are
        left outside.
        """
        with self._sizes:
            for parameter in self._parameters[:VISIBLE]:
                key = links.key_of(self.model, parameter.name)
                self.parameter(parameter, self._inside(key, parameter.sentence))
        with self._batch:
            self.parameter(BATCH, self._inside(links.BATCH, BATCH.sentence))

    def _more(self) -> None:
        """A control for each further parameter, in a popover.

        What a closed popover holds is not on the page, so that it costs the browser nothing.
        """
        rest = self._parameters[VISIBLE:]
        if not rest:
            return
        with st.popover("More parameters", icon=":material/tune:", width="stretch", key="_more"):
            for parameter in rest:
                key = links.key_of(self.model, parameter.name)
                self.parameter(parameter, self._outside(key, parameter.sentence))

    def comparison(self) -> None:
        """What speedups are relative to, and the device whose figures stand out."""
        chosen = list(chosen_comparison().devices)
        self.baseline()
        self._device("Figures of", chosen, links.FOCUS, "the fastest device", FOCUS_HELP)

    def baseline(self) -> None:
        """What speedups are relative to."""
        names = [*queries.devices()]
        self._device("Speedup relative to", names, links.BASELINE, "the first CPU", BASELINE_HELP)

    def device(self) -> None:
        """The one device that is looked at closely, of all there are."""
        names = [*queries.devices()]
        self._device("Device", names, links.FOCUS, "the fastest compared", DEVICE_HELP)

    def parameter(self, parameter: Parameter, common: dict[str, Any]) -> None:
        """The widget that fits one parameter."""
        label = parameter_label(parameter)
        if parameter.kind == "bool":
            st.toggle(label, value=bool(parameter.default), **common)
        elif parameter.kind == "choice":
            _choice(label, parameter, common)
        elif parameter.kind == "int" and parameter.scale == "log":
            options = state.stops(parameter, state.remembered(common["key"]))
            st.select_slider(label, options, value=parameter.default, **common)
        else:
            number = int if parameter.kind == "int" else float
            low, high, step = (
                number(bound or 0) for bound in (parameter.low, parameter.high, parameter.step)
            )
            st.slider(label, low, high, value=number(parameter.default), step=step, **common)

    def _inside(self, key: str, sentence: str) -> dict[str, Any]:
        common: dict[str, Any] = {"key": key, "bind": BOUND, "help": sentence}
        if self._moved:
            common |= {"on_change": self._moved, "args": (key,)}
        return common

    def _outside(self, key: str, sentence: str) -> dict[str, Any]:
        return {
            **self._inside(key, sentence),
            "on_change": self._moved_outside,
            "args": (key,),
        }

    def _moved_outside(self, key: str) -> None:
        if self._moved:
            self._moved(key)
        self._rerun()

    def _publish_and_rerun(self, name: str) -> None:
        links.publish(name)
        self._rerun()

    def _rerun(self) -> None:
        run_again(*self._fragments)
        st.rerun()

    def _device(self, label: str, names: list[str], key: str, auto: str, sentence: str) -> None:
        known, options = queries.devices(), [AUTO, *names]
        if st.session_state[key] not in options:  # it was taken out of the comparison
            st.session_state[key] = AUTO
            links.publish(key)
        st.selectbox(
            label,
            options,
            format_func=lambda name: auto if name == AUTO else device_label(known.get(name), name),
            width=230,
            key=key,
            help=sentence,
            on_change=self._publish_and_rerun,
            args=(key,),
        )


def devices_menu() -> DeltaGenerator:
    """A popover for the devices that are compared, which says how many they are."""
    count = len(chosen_comparison().devices)
    plural = "device" if count == 1 else "devices"
    return st.popover(f"{count} {plural}", icon=":material/devices:", key="_devices")


def choose_devices() -> None:
    """Which devices are compared."""
    known = queries.devices()
    st.multiselect(
        "Devices to compare",
        list(known),
        key=links.DEVICES,
        on_change=links.publish,
        args=(links.DEVICES,),
        format_func=lambda name: device_label(known.get(name), name),
        placeholder="Choose at least one device",
        help="Ordered by architecture. Type to search: gpu, orin, edge …",
    )


def _model() -> str:
    families = queries.families()
    options = [*families, links.ZOO] if queries.zoo_installed() else [*families]
    chosen = st.selectbox(
        "Model",
        options,
        key=links.MODEL,
        on_change=links.publish,
        args=(links.MODEL,),
        format_func=lambda name: families[name].title if name in families else ZOO_TITLE,
        help="A family has a slider for each parameter; a zoo model comes from a library.",
    )
    if chosen == links.ZOO:
        return _zoo_model()
    st.caption(families[chosen].summary)
    return str(chosen)


def _zoo_model() -> str:
    held = st.session_state.get(links.ZOO_NAME) or st.query_params.get(links.ZOO_NAME)
    words = st.text_input(
        "Search the zoo",
        key="_zoo_words",
        type="search",
        placeholder="resnet50, vit base, …",
        persist_state="session",
    )
    names = list(queries.zoo_names(words)) if words else []
    if held and held not in names:
        names.insert(0, held)
    if not names:
        st.caption(f"No model matches “{words}”." if words else "Type a part of a model's name.")
        return ""
    name = st.selectbox(
        f"{len(names)} found",
        names,
        index=None,
        key=links.ZOO_NAME,
        bind=BOUND,
        placeholder="Choose a model",
    )
    return str(name or "")


def _choice(label: str, parameter: Parameter, common: dict[str, Any]) -> None:
    choices = list(parameter.choices)
    if len(choices) <= FEW or all(isinstance(choice, int) for choice in choices):
        st.segmented_control(label, choices, default=parameter.default, required=True, **common)
    else:
        st.selectbox(label, choices, index=choices.index(parameter.default), **common)


# Labels


def parameter_label(parameter: Parameter) -> str:
    """``Input size (px)``; a unit that the name says already is left out."""
    label = parameter.name.replace("_", " ").capitalize()
    unit = parameter.unit if parameter.unit and parameter.unit not in parameter.name else ""
    return f"{label} ({unit})" if unit else label


def device_label(device: Device | None, name: str) -> str:
    """``GPU · NVIDIA RTX 4090``: the architecture first, so that a list reads in groups."""
    return f"{device.architecture.upper()} · {device.title}" if device else name


def architecture_label(name: str) -> str:
    """An architecture with its icon."""
    return f"{palette.ARCHITECTURE_ICONS.get(name, '')} {name.upper()}"

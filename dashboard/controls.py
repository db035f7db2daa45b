"""The controls that views share: which network, run how, on which devices.

Every control is bound to the URL under its key (see ``dashboard.state``). A model's parameters
describe themselves, so a new family has its sliders without a line here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from characterize.models import Parameter
from dashboard import palette, queries, state
from dashboard.queries import AUTO, Network

BOUND: Final = "query-params"
FEW: Final = 4  # choices that fit side by side in the sidebar
VISIBLE: Final = 6  # sliders before the others are tucked away

BATCH: Final = Parameter(
    state.BATCH, "int", 1, "Samples that are run together.", 1, 1024, 1, scale="log"
)
PREFERRED: Final = (
    "intel_i7_12700k",
    "raspberry_pi_5",
    "nvidia_rtx_4090",
    "nvidia_h100_sxm",
    "google_tpu_v5e",
    "google_coral_edge_tpu",
    "stillwater_kpu_t256",
    "hailo_8",
)
"""What is compared at first: two devices of each architecture, one small and one large."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The devices side by side, what speedups are relative to, and the one looked at closely."""

    devices: tuple[str, ...]
    baseline: str | None
    focus: str  # a name, or AUTO for the fastest


def network() -> Network | None:
    """Controls for the network and how it is run; ``None`` until a zoo model is chosen."""
    with st.container(gap="small"):
        st.subheader("Network", anchor=False)
        model, parameters = _model()
        values = _parameters(model, parameters)
        st.subheader("Run", anchor=False)
        batch = control(BATCH, state.BATCH)
        precision = st.selectbox(
            "Precision",
            [AUTO, *state.precisions()],
            key=state.PRECISION,
            bind=BOUND,
            format_func=lambda name: "auto (each device's own)" if name == AUTO else name,
            help="The number format. Auto takes what each device is usually run in for inference: "
            "a CPU fp32, a GPU fp16, a TPU bf16, an edge accelerator int8.",
        )
        stack = st.segmented_control(
            "Software stack",
            state.STACKS,
            default=state.DEFAULT_STACK,
            required=True,
            key=state.STACK,
            bind=BOUND,
            help="Eager runs every operator by itself. Compiled fuses pointwise operators into "
            "their neighbours. An engine also folds batch norms into weights.",
        )
    if not model:
        return None
    return Network(model, values, int(batch), str(precision), str(stack))


def _parameters(model: str, parameters: tuple[Parameter, ...]) -> tuple[tuple[str, Any], ...]:
    """A control for each parameter; those beyond the first few wait in an expander."""
    first, rest = parameters[:VISIBLE], parameters[VISIBLE:]
    values = [(p.name, control(p, state.key_of(model, p.name))) for p in first]
    if rest:
        changed = any(state.key_of(model, p.name) in st.query_params for p in rest)
        with st.expander("More parameters", expanded=changed, icon=":material/tune:"):
            values += [(p.name, control(p, state.key_of(model, p.name))) for p in rest]
    return tuple(values)


def _model() -> tuple[str, tuple[Parameter, ...]]:
    families = queries.families()
    titles = {name: family.title for name, family in families.items()}
    options = [*families, state.ZOO] if queries.zoo_installed() else [*families]
    default = options.index(state.DEFAULT_MODEL) if state.DEFAULT_MODEL in options else 0
    chosen = st.selectbox(
        "Model",
        options,
        index=default,
        key=state.MODEL,
        bind=BOUND,
        format_func=lambda name: titles.get(name, "A zoo model by name…"),
        help="A family has a slider for each parameter; a zoo model comes from a library.",
    )
    if chosen == state.ZOO:
        return _zoo_model()
    st.caption(families[chosen].summary)
    return chosen, families[chosen].parameters


def _zoo_model() -> tuple[str, tuple[Parameter, ...]]:
    held = st.session_state.get(state.ZOO_NAME) or st.query_params.get(state.ZOO_NAME)
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
        return "", ()
    name = st.selectbox(
        f"{len(names)} found",
        names,
        index=None,
        key=state.ZOO_NAME,
        bind=BOUND,
        placeholder="Choose a model",
    )
    if name is None:
        return "", ()
    return name, queries.zoo_parameters(name)


def control(parameter: Parameter, key: str) -> Any:
    """The widget that fits one parameter, bound to the URL."""
    label = parameter_label(parameter)
    common = {"key": key, "bind": BOUND, "help": parameter.sentence}
    if parameter.kind == "bool":
        return st.toggle(label, value=bool(parameter.default), **common)
    if parameter.kind == "choice":
        return _choice(label, parameter, common)
    if parameter.kind == "int" and parameter.scale == "log":
        options = state.stops(parameter, state.remembered(key))
        return st.select_slider(label, options, value=parameter.default, **common)
    number = int if parameter.kind == "int" else float
    return st.slider(
        label,
        min_value=number(parameter.low or 0),
        max_value=number(parameter.high or 0),
        value=number(parameter.default),
        step=number(parameter.step or 1),
        **common,
    )


def parameter_label(parameter: Parameter) -> str:
    """``Input size (px)``; a unit that the name says already is left out."""
    label = parameter.name.replace("_", " ").capitalize()
    unit = parameter.unit if parameter.unit and parameter.unit not in parameter.name else ""
    return f"{label} ({unit})" if unit else label


def _choice(label: str, parameter: Parameter, common: dict[str, Any]) -> Any:
    choices = list(parameter.choices)
    if len(choices) <= FEW or all(isinstance(choice, int) for choice in choices):
        return st.segmented_control(
            label, choices, default=parameter.default, required=True, **common
        )
    return st.selectbox(label, choices, index=choices.index(parameter.default), **common)


def devices() -> tuple[str, ...]:
    """The devices to compare, in the order of the catalogue."""
    known = queries.devices()
    chosen = st.multiselect(
        "Devices to compare",
        list(known),
        default=[name for name in PREFERRED if name in known],
        key=state.DEVICES,
        bind=BOUND,
        format_func=device_label,
        placeholder="Choose at least one device",
        help="Ordered by architecture. Type to search: gpu, orin, edge …",
    )
    return tuple(name for name in known if name in chosen)


def comparison(chosen: tuple[str, ...]) -> Comparison:
    """What speedups are relative to, and the device whose figures stand out."""
    baseline = _device_choice(
        "Speedup relative to",
        list(queries.devices()),
        state.BASELINE,
        "the first CPU",
        "The device whose latency counts as 1×.",
    )
    focus = _device_choice(
        "Figures of",
        list(chosen),
        state.FOCUS,
        "the fastest device",
        "The device whose figures are shown large, and whose kernels are listed.",
    )
    return Comparison(chosen, None if baseline == AUTO else baseline, focus)


def _device_choice(label: str, names: list[str], key: str, auto: str, sentence: str) -> str:
    chosen = st.selectbox(
        label,
        [AUTO, *names],
        key=key,
        bind=BOUND,
        format_func=lambda name: auto if name == AUTO else device_label(name),
        help=sentence,
        width=230,
    )
    return str(chosen)


def device_label(name: str) -> str:
    """``GPU · NVIDIA RTX 4090``: the architecture first, so that a list reads in groups."""
    device = queries.devices().get(name)
    return f"{device.architecture.upper()} · {device.title}" if device else name


def architecture_label(name: str) -> str:
    """An architecture with its icon."""
    return f"{palette.ARCHITECTURE_ICONS.get(name, '')} {name.upper()}"

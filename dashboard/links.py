"""The URL is part of the interface: what it holds, and how it and the controls keep in step.

The contract, shared by every view (a value equal to its default is left out):

    model                   a family, or ``zoo`` for a model by name
    zoo                     the zoo model's name
    <model>.<parameter>     each parameter, ``conv2d_stack.layers=5``
    batch, precision, stack
    devices                 names, repeated
    baseline, focus         a name, or ``auto``
    device                  the device that Hardware shows
    show.*, kernels.*, ...  what one view shows, under a prefix of ``PREFIXES``
    hardware.edit           a device with other figures, see ``dashboard.own_devices``
    compare.network         networks that are compared, see ``dashboard.line_up``
    pin                     pinned configurations, repeated, see ``dashboard.pins``

Most controls are bound by Streamlit, which writes what a control *shows*; what the page before has
left them at is kept here, and given back to both the control and the URL. Those that show a title
for a name (a model, a device) are kept in step here instead, so that links hold names, as the
command line does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import streamlit as st

from characterize.errors import CharacterizeError
from dashboard import address, own_devices, queries
from dashboard.queries import AUTO

ZOO: Final = "zoo"
MODEL, ZOO_NAME, BATCH, PRECISION, STACK = "model", "zoo", "batch", "precision", "stack"
DEVICES, BASELINE, FOCUS, DEVICE, PIN = "devices", "baseline", "focus", "device", "pin"

STACKS: Final = ("eager", "compiled", "engine")
DEFAULT_STACK: Final = "compiled"
DEFAULT_MODEL: Final = "conv2d_stack"
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

PREFIXES: Final = (
    "show", "kernels", "curve",
    "tune", "compare", "layers", "sweep", "hardware", "validation", "stored", "report",
)  # fmt: skip
"""What the names of one view's own parameters begin with, before the dot."""

PAGE: Final = "_page"  # the view that is open, in the session
_KEPT: Final = "_kept"  # what bound controls stood at on the page before, where it is no default
_OWN: Final = "_link_own"  # what the URL said of one view's own controls, until those are made
_TOLD_LATER: Final = frozenset(PREFIXES) - {"stored"}  # Results tells of its own itself
_WRITTEN: Final = "_link."  # what the URL held for a name when it was last written or read


def key_of(model: str, parameter: str) -> str:
    """The widget key and URL name of a model's parameter."""
    return f"{model}.{parameter}"


@dataclass(frozen=True, slots=True)
class Link:
    """A control that is kept in step with the URL here: its name, values and default."""

    name: str
    known: tuple[str, ...]
    default: tuple[str, ...]
    many: bool = False

    def value(self, texts: Sequence[str]) -> str | list[str]:
        """The control's value for what the URL says, the default where that is not known."""
        good = [text for text in texts if text in self.known] or list(self.default)
        return good if self.many else good[-1]

    def texts(self, value: str | Iterable[str]) -> list[str]:
        """What the URL says for the control's value; nothing for the default."""
        values = [value] if isinstance(value, str) else list(value)
        return [] if sorted(values) == sorted(self.default) else values


def linked() -> dict[str, Link]:
    """The controls that are kept in step here, by name."""
    devices = tuple(queries.devices())
    first = tuple(name for name in PREFERRED if name in devices)
    found = (
        Link(MODEL, (*queries.families(), ZOO), (DEFAULT_MODEL,)),
        Link(DEVICES, devices, first, many=True),
        Link(BASELINE, (AUTO, *devices), (AUTO,)),
        Link(FOCUS, (AUTO, *devices), (AUTO,)),
        Link(DEVICE, devices, devices[:1]),
    )
    return {link.name: link for link in found}


def adopt(page: str, names: Sequence[str]) -> None:
    """Set the controls ``names`` to what the URL says, before they are made.

    The URL counts when the session starts and when it was changed from outside (back, forward);
    after a change of page it does not: Streamlit empties it, so it is written again.
    """
    links = linked()
    came_from_elsewhere = st.session_state.get(PAGE, page) != page
    st.session_state[PAGE] = page
    if came_from_elsewhere:
        _recall()
    for name in names:
        link, memory = links[name], f"{_WRITTEN}{name}"
        said = st.query_params.get_all(name)
        held = st.session_state.get(memory)
        if held is None or (said != held and not came_from_elsewhere):
            st.session_state[name] = link.value(said)
            st.session_state[memory] = said
        else:
            # a control of another page has another identity, so its value is lost: memory has it
            if came_from_elsewhere or name not in st.session_state:
                st.session_state[name] = link.value(held)
            publish(name)


def stands_at(name: str) -> str | list[str]:
    """What a control of :func:`linked` stands at, or did when it was last on the page."""
    if name in st.session_state:
        value: str | list[str] = st.session_state[name]
        return value
    return linked()[name].value(st.session_state.get(f"{_WRITTEN}{name}", ()))


def keep(values: Mapping[str, tuple[Any, Any]]) -> None:
    """Remember what bound controls stand at, each with its default, for the page that comes next."""
    kept = {**st.session_state.get(_KEPT, {}), **values}
    st.session_state[_KEPT] = {name: pair for name, pair in kept.items() if pair[0] != pair[1]}


def _recall() -> None:
    """Give the controls of this page, and the URL, what :func:`keep` was told on the one before."""
    for name, (value, _default) in st.session_state.get(_KEPT, {}).items():
        if name not in st.query_params:
            bind(name, value)


def bind(name: str, value: Any) -> None:
    """Give a bound control that is not made yet its value, and the URL its parameter."""
    st.query_params[name] = text(value)
    st.session_state[name] = value


def text(value: Any) -> str:
    """A bound control's value as Streamlit writes it into the URL."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def publish(name: str) -> None:
    """Write a control's value into the URL."""
    texts = linked()[name].texts(st.session_state[name])
    st.session_state[f"{_WRITTEN}{name}"] = texts
    address.write(name, texts)


def hold(name: str, known: Sequence[str], default: str) -> None:
    """Keep a control with one value in step with the URL, where it shows titles for names.

    To be called before the control is made, whose key is ``name``. What is in the URL counts when
    there is no value yet; what is not known gives way to the default.
    """
    memory = f"{_WRITTEN}{name}"
    if name not in st.session_state:
        held = st.session_state.get(memory) or st.query_params.get(name)
        st.session_state[name] = held if held in known else default
    elif st.session_state[name] not in known:
        st.session_state[name] = default
    value = st.session_state[memory] = st.session_state[name]
    if value == default:
        if name in st.query_params:
            del st.query_params[name]
    elif st.query_params.get(name) != value:
        st.query_params[name] = value


def hold_many(name: str, known: Sequence[str], default: Sequence[str] = ()) -> None:
    """As :func:`hold`, for a control with any number of values."""
    memory = f"{_WRITTEN}{name}"
    if name not in st.session_state:
        held = st.session_state.get(memory) or st.query_params.get_all(name) or default
        st.session_state[name] = [value for value in held if value in known] or list(default)
    values = st.session_state[name] = [v for v in st.session_state[name] if v in known]
    st.session_state[memory] = values
    address.write(name, [] if values == list(default) else values)


def notes() -> list[str]:
    """A sentence for each part of the URL that names nothing we have; said once a session.

    To be asked before any control is made: Streamlit takes what it cannot use out of the URL.
    """
    if st.session_state.get("_link_read"):
        return []
    st.session_state["_link_read"] = True
    link = address.read()
    st.session_state[_OWN] = {n: v for n, v in link.items() if n.partition(".")[0] in _TOLD_LATER}
    return [*own_devices.notes(), *bad_parts(link)]


def unfollowed() -> list[str]:
    """A sentence for each of the view's own controls that does not stand at what the URL said.

    To be asked once a view has made its controls, and said once a session: only they know what they
    can stand at. A control that was not made is not spoken of: it may be behind a tab.
    """
    asked: dict[str, list[str]] = st.session_state.pop(_OWN, {})
    held = address.read()
    return [
        f"The link's {name} {', '.join(map(repr, said))} cannot be shown here; "
        f"{', '.join(_texts(st.session_state[name])) or 'nothing'} is."
        for name, said in asked.items()
        # what Streamlit could use it has left there, in words of its own (GPU for gpu)
        if held.get(name) != said
        and name in st.session_state
        and not _same(said, _texts(st.session_state[name]))
    ]


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    return [text(each) for each in (value if isinstance(value, list | tuple) else [value])]


def _same(said: Sequence[str], shown: Sequence[str]) -> bool:
    return sorted(map(_as_number, said)) == sorted(map(_as_number, shown))


def _as_number(said: str) -> str:
    """``5`` and ``5.0`` are one number."""
    try:
        return repr(float(said))
    except ValueError:
        return said


def bad_parts(link: Mapping[str, Sequence[str]]) -> list[str]:
    """What is wrong in a link's parameters; each falls back to its default."""
    known: dict[str, Sequence[str]] = {name: each.known for name, each in linked().items()}
    known |= {PRECISION: [AUTO, *queries.precisions()], STACK: STACKS}
    found = []
    for name, values in link.items():
        if name in known:
            wrong = [value for value in values if value not in known[name]]
            found += [
                f"The link's {name} {value!r} is not known and was left out." for value in wrong
            ]
        elif name == BATCH and not all(value.isdecimal() and int(value) > 0 for value in values):
            found.append(f"The link's batch {values[0]!r} is no whole number above 0; 1 is shown.")
        elif "." in name:
            found += _bad_parameter(name, values)
        elif name not in (BATCH, ZOO_NAME, PIN):
            found.append(_not_known(name))
    return found


def _bad_parameter(name: str, values: Sequence[str]) -> list[str]:
    model, _, parameter = name.partition(".")
    family = queries.families().get(model)
    if family is None:
        # a zoo model's parameters are checked when it is computed
        return [] if model in PREFIXES or "/" in model else [_not_known(name)]
    try:
        family.parameter(parameter).resolve(values[-1], model)
    except CharacterizeError as error:
        return [f"The link was not followed here, the default is shown: {error}"]
    return []


def _not_known(name: str) -> str:
    return f"The link's parameter {name!r} is not known (it may be of another version) and was left out."


def whole_numbers(texts: Iterable[Any]) -> list[int]:
    """The whole numbers among texts of a URL."""
    return [int(text) for text in map(str, texts) if text.isdecimal()]

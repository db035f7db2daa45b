"""What the dashboard asks of the library, each answer kept for the next rerun.

The only module of the dashboard that knows where numbers come from. It draws nothing. Errors are
the library's own, one sentence each; the panels show them.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import streamlit as st

import characterize.hardware
import characterize.models
from characterize import session, store, templates
from characterize.errors import CharacterizeError, UnsupportedError
from characterize.records import Precision
from dashboard import catalogue, own_devices, palette
from dashboard.foresight import Foreseen, Foresight
from dashboard.keeping import Keeper
from dashboard.readable import Columns

if TYPE_CHECKING:
    import pandas as pd

    from characterize.hardware import Profile
    from characterize.models import Family, Parameter

AUTO = "auto"
SHORTEST_NAME = 4  # letters that still say which device it is


@dataclass(frozen=True, slots=True)
class Device:
    """A device as a choice: what its label and the controls need."""

    name: str
    title: str
    short: str  # without the vendor, for axes
    architecture: str
    precisions: tuple[str, ...]
    default_precision: str
    confidence: str
    is_reference: bool


@dataclass(frozen=True, slots=True)
class Network:
    """What is computed, without the devices: this is what is pinned and compared."""

    model: str
    parameters: tuple[tuple[str, Any], ...] = ()
    batch: int = 1
    precision: str = AUTO
    stack: str = "compiled"


@dataclass(frozen=True, slots=True)
class Request:
    """A network on devices: the whole question, and so the key of its answer."""

    network: Network
    hardware: tuple[str, ...]
    baseline: str | None = None


@dataclass(frozen=True)
class Answer:
    """Rows in the order of the devices asked for, and what to say about them.

    ``left_out`` are the devices that lack the precision; ``notes`` come from the library.
    """

    rows: Columns
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def devices() -> dict[str, Device]:
    """All profiles by name, the session's own too, by architecture, the idealised ones last."""
    return _devices(_own())


def _own() -> tuple[Profile, ...]:
    return tuple(own_devices.profiles().values())


@functools.lru_cache(maxsize=64)
def _devices(own: tuple[Profile, ...]) -> dict[str, Device]:
    shipped = [characterize.hardware.load(name) for name in characterize.hardware.names()]
    found = [_device(each) for each in (*shipped, *own)]
    order = palette.ARCHITECTURES.index
    found.sort(key=lambda d: (d.is_reference, order(d.architecture), d.title.lower()))
    return {device.name: device for device in found}


def _device(profile: Profile) -> Device:
    return Device(
        name=profile.name,
        title=profile.title,
        short=_without(profile.vendor, profile.title),
        architecture=str(profile.architecture),
        precisions=tuple(str(precision) for precision in profile.precisions),
        default_precision=str(profile.default_precision),
        confidence=str(profile.confidence),
        is_reference=profile.is_reference,
    )


def _without(vendor: str, title: str) -> str:
    """The title without the vendor, unless that is part of the name (Raspberry Pi 5)."""
    rest = title.removeprefix(f"{vendor} ")
    return rest if len(rest) >= SHORTEST_NAME else title


def profile(name: str) -> Profile:
    """One device with every figure and its source: the session's own, or one of the catalogue."""
    return own_devices.profiles().get(name) or characterize.hardware.load(name)


def contents(names: Iterable[str | None]) -> tuple[str, ...]:
    """Digests of the session's own devices among ``names``.

    Another session's may differ, so that whatever is kept for both is kept under these too.
    """
    own = own_devices.profiles()
    return tuple(own[name].content_hash for name in names if name in own) if own else ()


@functools.cache
def families() -> dict[str, Family]:
    """The parametric networks by name."""
    return dict(characterize.models.families())


@st.cache_data(show_spinner=False, max_entries=64)
def zoo_names(words: str) -> tuple[str, ...]:
    """Names of zoo models that match ``words``, from the libraries that are installed."""
    return tuple(characterize.models.zoo_names(words))


def answer(request: Request) -> Answer:
    """Result rows for ``request``; a device that lacks the precision is left out and named.

    Raises:
        UnsupportedError: every device lacks the precision.
        CharacterizeError: whatever else the library refuses.
    """
    known, precision = devices(), request.network.precision
    able = tuple(n for n in request.hardware if _runs(known.get(n), precision))
    left_out = tuple(n for n in request.hardware if n not in able)
    if left_out and not able:
        titles = ", ".join(known[name].title for name in left_out)
        msg = f"None of the chosen devices runs {precision}: {titles}; choose auto, or others."
        raise UnsupportedError(msg)
    asked = replace(request, hardware=able)
    rows, notes = _answered(asked, contents((*able, request.baseline)))
    return Answer(rows, left_out, notes)


def _runs(device: Device | None, precision: str) -> bool:
    # an unknown name is passed on: the library says what is near it
    return device is None or precision == AUTO or precision in device.precisions


# a request as text names all that is asked; Streamlit's own look into it takes as long as an answer
@st.cache_data(show_spinner=False, max_entries=512, hash_funcs={Request: repr})
def _answered(request: Request, contents: tuple[str, ...]) -> tuple[Columns, tuple[str, ...]]:
    """Rows and notes: computed from the template at hand, else from the store the first time.

    ``contents`` tells the session's own devices from those of another session.
    """
    # the keeper's thread belongs to no session, so what devices are called is settled here
    ask = functools.partial(_ask, request, _profiles(request), _baseline(request))
    foreseen = foresight().get((request, contents))
    if foreseen is not None:
        _keeper().later(functools.partial(_keep, ask))
        return foreseen.rows(), foreseen.notes
    if is_quick(request.network):
        found = ask(keep=False)
        _keeper().later(functools.partial(_keep, ask))
    else:
        found = ask(keep=True)
        _known_topologies().add(_topology(request.network))
    return found.table.to_dict("list"), found.notes


def _profiles(request: Request) -> list[Profile]:
    return [profile(name) for name in request.hardware]


def _baseline(request: Request) -> Profile | None:
    return None if request.baseline is None else profile(request.baseline)


def _ask(
    request: Request, profiles: list[Profile], baseline: Profile | None, *, keep: bool
) -> session.Answer:
    network = request.network
    return session.answer(
        network.model,
        dict(network.parameters),
        batch=network.batch,
        precision=network.precision,
        stack=network.stack,
        hardware=profiles,
        baseline=baseline,
        keep=keep,
    )


def _keep(ask: Callable[..., session.Answer]) -> None:
    # the person has the answer already: what is wrong with the store, the next new network tells
    with contextlib.suppress(CharacterizeError):
        ask(keep=True)


def subject(network: Network) -> session.Subject:
    """A network as the library takes it, checked.

    Raises:
        CharacterizeError: whatever the library refuses.
    """
    return session.subject(network.model, dict(network.parameters), network.batch)


def is_quick(network: Network) -> bool:
    """Whether ``network`` is answered without tracing, and so without keeping anybody waiting."""
    topology = _topology(network)
    return topology is not None and (topology in _known_topologies() or _at_hand(network))


def _at_hand(network: Network) -> bool:
    try:
        asked = subject(network)
    except CharacterizeError:
        return False  # whoever asks for it tells
    return templates.at_hand(asked) is not None


def _topology(network: Network) -> tuple[Any, ...] | None:
    """What decides which template answers; ``None`` where there are no templates."""
    family = families().get(network.model)
    if family is None:
        return None
    fixed = tuple(pair for pair in network.parameters if pair[0] not in family.symbolic)
    return (network.model, fixed)


@st.cache_resource(show_spinner=False)
def _known_topologies() -> set[tuple[Any, ...] | None]:
    return set()


@st.cache_resource(show_spinner=False)
def _keeper() -> Keeper:
    return Keeper()


def foresee(found: Mapping[Request, Foreseen]) -> None:
    """Keep answers that are likely to be asked for next, and the kernels on their devices."""
    known: dict[Hashable, Foreseen] = {}
    told: dict[Hashable, tuple[str, ...]] = {}  # the same devices in all of them
    for request, each in found.items():
        names = (*request.hardware, request.baseline)
        if names not in told:
            told |= {names: contents(names)} | {name: contents([name]) for name in request.hardware}
        known[(request, told[names])] = each
        for name in request.hardware:
            known[(request.network, name, told[name])] = each
    foresight().add(known)


@st.cache_resource(show_spinner=False)
def foresight() -> Foresight:
    """What was foreseen so far."""
    return Foresight()


def kernels(network: Network, hardware: str) -> Columns:
    """One row a kernel of ``network`` on one device, in the order they run."""
    foreseen = foresight().get((network, hardware, contents([hardware])))
    if foreseen is not None:
        return foreseen.kernels(hardware)
    return _kernels(network, hardware, contents([hardware]))


@st.cache_data(show_spinner=False, max_entries=128)
def _kernels(network: Network, hardware: str, contents: tuple[str, ...]) -> Columns:
    found = session.kernels(
        network.model,
        dict(network.parameters),
        batch=network.batch,
        precision=network.precision,
        stack=network.stack,
        hardware=[profile(hardware)],
    )
    return found.to_dict("list")


@functools.cache
def zoo_installed() -> bool:
    """Whether a library with zoo models is installed (it is not imported to find out)."""
    return any(importlib.util.find_spec(name) for name in characterize.models.LIBRARIES)


@st.cache_resource(show_spinner=False, max_entries=64)
def zoo_parameters(name: str) -> tuple[Parameter, ...]:
    """The parameters of a zoo model."""
    return tuple(characterize.models.zoo(name).parameters)


def overview() -> pd.DataFrame:
    """The catalogue as a table, in the order of :func:`devices`; not to be changed."""
    return _overview(tuple(profile(name) for name in devices()))


@functools.lru_cache(maxsize=8)
def _overview(profiles: tuple[Profile, ...]) -> pd.DataFrame:
    return catalogue.overview(profiles)


def stored() -> pd.DataFrame:
    """Every result row in the store, the newest state of the file.

    Raises:
        StoreError: the store cannot be read.
    """
    path = store.default_path()
    return _stored(str(path), path.stat().st_mtime_ns if path.exists() else 0)


@st.cache_data(show_spinner="Reading the store", max_entries=2)
def _stored(path: str, changed_ns: int) -> pd.DataFrame:
    # nullable integers: a parameter that other families lack is 3, not 3.0
    return store.Store(path).frame("SELECT * FROM results").convert_dtypes()


def ask_store(statement: str) -> pd.DataFrame:
    """What one read-only statement over the stored results answers.

    Raises:
        InvalidValueError: the statement writes, or DuckDB does not understand it.
        StoreError: the store cannot be read.
    """
    return store.Store().frame(statement)


def precisions() -> tuple[str, ...]:
    """The precisions that some device runs, in the order of the vocabulary."""
    able = {precision for device in devices().values() for precision in device.precisions}
    return tuple(str(precision) for precision in Precision if str(precision) in able)

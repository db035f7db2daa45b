"""A parameter's whole curve: one network on devices, at every stop of one slider, in one evaluation.

It does not depend on where that slider stands, so it is sent once and answers in the browser.
Values are evaluated together on the templates at hand; those that would need a trace are named, not
traced.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from characterize import features, models, projection, session, store, symbols, templates
from characterize.columns import Recent
from characterize.errors import CharacterizeError
from characterize.records import Stack
from characterize.subjects import Subject
from dashboard import queries
from dashboard.foresight import Foreseen
from dashboard.queries import Request

Sizes = dict[str, NDArray[np.int64]]


@dataclass(frozen=True)
class Curve:
    """Quantities by value and device: ``series[column][device]`` has an entry for each of ``values``.

    ``missing`` are values that no template at hand holds for; ``refused`` those that do not go with
    the other parameters.
    """

    values: tuple[int, ...]
    devices: tuple[str, ...]
    series: Mapping[str, Mapping[str, tuple[float, ...]]]
    missing: tuple[int, ...] = ()
    refused: tuple[int, ...] = ()


BATCH: Final = "batch"
KEPT_SIZES: Final = 8
KEPT_ELEMENTS: Final = (
    1 << 14
)  # kernels times values; a device keeps a dozen quantities or two of each
MOST: Final = 256  # curves that are kept; the oldest go first
COLUMNS: Final = ("latency_s", "latency_low_s", "latency_high_s", "energy_j", "speedup")


def curve(request: Request, parameter: str, values: Sequence[int]) -> Curve:
    """The curve of ``parameter`` over ``values``; everything else is as in ``request``.

    Args:
        request: the network, whose own value of ``parameter`` does not matter, and the devices.
        parameter: a symbolic parameter of the family, or ``batch``.
        values: what the slider stops at, ascending.

    Raises:
        CharacterizeError: whatever the library refuses.
    """
    question = _question(request, parameter, values)
    known = _seen().get(question)
    if known is not None and not _found_since(request, parameter, known.missing):
        return known
    own, request = request, _without(request, parameter)
    # a row that came from the store did not need its template: the curve does
    asked = queries.subject(own.network)
    if templates.at_hand(asked) is None:
        templates.at_hand(asked, store.Store())
    with _latest().lock:
        found = _curve(own, request, parameter, values)
    _keep(question, found)
    return found


def ahead(request: Request, parameter: str, values: Sequence[int]) -> None:
    """Evaluate, once, what the steps of a slider will ask for.

    Raises:
        CharacterizeError: whatever the library refuses.
    """
    question = _question(request, parameter, values)
    if question not in _seen():
        _keep(question, None)
        curve(request, parameter, values)


def _question(request: Request, parameter: str, values: Sequence[int]) -> Hashable:
    names = (*request.hardware, request.baseline)
    return (_without(request, parameter), parameter, tuple(values), queries.contents(names))


@st.cache_resource(show_spinner=False)
def _seen() -> dict[Hashable, Curve | None]:
    """The curves that were asked for; ``None`` while, or where, there is no answer."""
    return {}


def _found_since(request: Request, parameter: str, missing: Sequence[int]) -> bool:
    """Whether a template has come to hand for a value that there was none for."""
    for value in missing:
        network = _at(request, parameter, value).network
        asked = queries.subject(network)
        if templates.at_hand(asked) is not None:
            return True
    return False


def _keep(question: Hashable, found: Curve | None) -> None:
    seen = _seen()
    seen[question] = found
    for oldest in list(seen)[: max(0, len(seen) - MOST)]:
        seen.pop(oldest, None)


def _without(request: Request, parameter: str) -> Request:
    """The request with the parameter's own value taken out: the curve is the same wherever it stands."""
    network = request.network
    if parameter == BATCH:
        return replace(request, network=replace(network, batch=1))
    kept = tuple((name, value) for name, value in network.parameters if name != parameter)
    return replace(request, network=replace(network, parameters=kept))


def _curve(own: Request, request: Request, parameter: str, values: Sequence[int]) -> Curve:
    network = request.network
    family = models.family(network.model)
    given = {**family.defaults, **dict(network.parameters)}
    sizes = {p.name: _whole(given[p.name], len(values)) for p in family.parameters if p.symbolic}
    sizes["batch"] = _whole(network.batch, len(values))
    sizes[parameter] = np.asarray(values, dtype=np.int64)
    changed = {name: array for name, array in sizes.items() if name != "batch"}
    valid = np.broadcast_to(family.holds({**given, **changed}), (len(values),)).copy()
    profiles = [queries.profile(name) for name in request.hardware]
    base = None if request.baseline is None else queries.profile(request.baseline)
    found: dict[str, dict[str, Any]] = {
        column: {profile.name: np.full(len(values), np.nan) for profile in profiles}
        for column in COLUMNS
    }
    drawn = np.zeros(len(values), dtype=bool)
    for places, columns in _evaluated(request, given, sizes, valid):
        result = projection.project(
            columns,
            profiles,
            network.precision,
            projection.choose_baseline(profiles, base),
            labels=_labels(own, parameter, sizes[parameter][places].tolist()),
        )
        _fill(found, places, result)
        _foresee(own, parameter, sizes[parameter][places].tolist(), result)
        drawn |= places
    return Curve(
        values=tuple(np.asarray(values)[drawn].tolist()),
        devices=request.hardware,
        series={
            column: {name: tuple(array[drawn].tolist()) for name, array in by_device.items()}
            for column, by_device in found.items()
        },
        missing=tuple(np.asarray(values)[valid & ~drawn].tolist()),
        refused=tuple(np.asarray(values)[~valid].tolist()),
    )


def _whole(value: Any, length: int) -> NDArray[np.int64]:
    return np.full(length, int(value), dtype=np.int64)


class _Latest:
    """What was evaluated last: a network of another depth at the same sizes has the same kernels.

    To be used by one thread at a time, which ``lock`` sees to.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._recent = Recent(KEPT_ELEMENTS)
        self._at: dict[Hashable, features.Evaluation] = {}

    def at(self, sizes: Sizes) -> features.Evaluation:
        """The evaluation at these sizes, which knows the networks that were evaluated before."""
        key = tuple((name, array.tobytes()) for name, array in sizes.items())
        found = self._at.pop(key, None) or features.Evaluation(sizes, self._recent)
        self._at[key] = found
        if len(self._at) > KEPT_SIZES:
            del self._at[next(iter(self._at))]
        return found


@st.cache_resource(show_spinner=False)
def _latest() -> _Latest:
    return _Latest()


def _evaluated(
    request: Request, given: Mapping[str, Any], sizes: Sizes, valid: NDArray[np.bool_]
) -> Iterator[tuple[NDArray[np.bool_], features.Columns]]:
    """Columns of the valid values, template by template, as far as there are templates."""
    network, left = request.network, valid.copy()
    family = models.family(network.model)
    while left.any():
        first = int(left.argmax())
        at = {**given, **{name: int(array[first]) for name, array in sizes.items()}}
        asked = Subject(
            family.name, family.name, tuple((p.name, at[p.name]) for p in family.parameters),
            int(sizes["batch"][first]), str(family.version),
        )  # fmt: skip
        graph = templates.at_hand(asked)
        if graph is None:
            left[first] = False
            continue
        frame = session.frame(asked, Stack(network.stack), None)
        # asked only of values that go together: others may divide by zero
        among = {name: array[left] for name, array in sizes.items()}
        holds = np.zeros_like(left)
        holds[left] = np.broadcast_to(symbols.holds(graph.guards, among), (int(left.sum()),))
        at_these = {name: array[holds] for name, array in sizes.items()}
        yield holds, _latest().at(at_these).columns(frame)
        left &= ~holds


def _labels(own: Request, parameter: str, values: list[int]) -> dict[str, Any]:
    network = own.network
    asked = queries.subject(network)
    return {**asked.labels, parameter: values}


def _foresee(
    own: Request, parameter: str, values: Sequence[int], result: projection.Projection
) -> None:
    """Keep the evaluation: each of its values is what the next step of the slider asks for."""
    kernels = result.columns.kernels
    if (kernels.worked_macs < kernels.macs).any():
        return  # what a mask leaves out is said of each configuration by itself
    notes = tuple(result.columns.skeleton.graph.graph.notes)
    queries.foresee(
        {
            _at(own, parameter, value): Foreseen(result, index, notes)
            for index, value in enumerate(values)
        }
    )


def _at(own: Request, parameter: str, value: int) -> Request:
    """The request with another value of the parameter."""
    network = own.network
    if parameter == BATCH:
        return replace(own, network=replace(network, batch=value))
    changed = tuple((n, value if n == parameter else v) for n, v in network.parameters)
    return replace(own, network=replace(network, parameters=changed))


def _fill(
    found: Mapping[str, Mapping[str, Any]],
    places: NDArray[np.bool_],
    result: projection.Projection,
) -> None:
    for device in result.devices:
        quantities = {
            "latency_s": device.latency_s,
            "latency_low_s": device.latency_low_s,
            "latency_high_s": device.latency_high_s,
            "energy_j": device.energy_j,
            "speedup": result.baseline.latency_s / device.latency_s,
        }
        for column, array in quantities.items():
            found[column][device.profile.name][places] = array


def drawable(model: str) -> tuple[str, ...]:
    """The parameters of a model whose curve can be drawn without tracing: its sizes, and the batch."""
    try:
        family = models.family(model)
    except CharacterizeError:
        return ()
    return (*(p.name for p in family.parameters if p.symbolic), BATCH)

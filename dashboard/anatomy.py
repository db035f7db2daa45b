"""What the Layers view asks of the library: one network on one device, kernel by kernel.

Like ``dashboard.queries`` it knows where numbers come from and draws nothing. Answers are kept for
the next rerun and are not to be changed.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from characterize import costs, features, fusion, hardware, session, store, symbols, templates
from characterize.hardware import Profile, execution
from characterize.records import Cost, Graph, KernelGraph, Operator, Precision, Stack
from characterize.subjects import Subject
from dashboard import queries
from dashboard.queries import Network
from dashboard.readable import Columns

UNFUSED = "unfused"


@dataclass(frozen=True)
class Anatomy:
    """A network fused for a stack, on one device.

    ``kernels`` is one row a kernel in the order they run; ``edges`` lead from the kernel that wrote
    a value to those that read it; ``folded`` names the operators that vanish into weights.
    """

    kernels: Columns
    edges: tuple[tuple[int, int], ...]
    whole: dict[str, Any]
    uncounted: tuple[str, ...]
    folded: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class PricedOperator:
    """One operator of a kernel with its shapes and what its formula gives for them."""

    name: str
    module: str
    inputs: tuple[tuple[str, tuple[int, ...]], ...]  # argument and shape
    outputs: tuple[tuple[int, ...], ...]
    attributes: tuple[tuple[str, Any], ...]
    cost: Cost
    formula: str  # the docstring of the formula, empty where there is none


@dataclass(frozen=True, slots=True)
class Fused:
    """Kernels and traffic of one network under one stack, or with nothing fused."""

    stack: str
    kernels: int
    memory_bytes: float
    latency_s: float | None


def anatomy(network: Network, device: str, beside: Sequence[str] = ()) -> Anatomy:
    """Everything the view needs of ``network`` on ``device``.

    Args:
        network: what is taken apart.
        device: what it runs on.
        beside: devices that are asked for anyway, so that one answer does for all.

    Raises:
        CharacterizeError: whatever the library refuses.
    """
    hardware = tuple(beside) if device in beside else (device,)
    return _anatomy(network, device, hardware, queries.contents(hardware))


@st.cache_resource(show_spinner=False, max_entries=64)
def _anatomy(
    network: Network, device: str, hardware: tuple[str, ...], contents: tuple[str, ...]
) -> Anatomy:
    found = queries.answer(queries.Request(network, hardware))
    place = list(found.rows["hardware"]).index(device)
    whole = {name: values[place] for name, values in found.rows.items()}
    fused = session.kernel_graph(queries.subject(network), network.stack, store.Store())
    return Anatomy(
        kernels=queries.kernels(network, device),
        edges=edges(fused),
        whole=whole,
        uncounted=_fused(network)[1].uncounted_names if whole["uncounted"] else (),
        folded=len(fused.folded),
        notes=tuple(dict.fromkeys([*found.notes, *fused.graph.notes])),
    )


def with_shapes(network: Network, kernels: Columns) -> dict[str, Sequence[Any]]:
    """The kernels with ``shapes``: those that the largest operator of each reads first and writes."""
    fused, graph = _fused(network)
    return {**kernels, "shapes": [_shapes(graph, kernel.anchor) for kernel in fused.kernels]}


@st.cache_resource(show_spinner=False, max_entries=64)
def _fused(network: Network) -> tuple[KernelGraph, Graph]:
    """The kernels, and the graph with numbers for its sizes and a cost for every operator."""
    asked = queries.subject(network)
    fused = session.kernel_graph(asked, network.stack, store.Store())
    return fused, costs.priced(_bound(fused.graph, asked))


def _bound(graph: Graph, asked: Subject) -> Graph:
    return symbols.bind(graph, _sizes(asked)) if asked.family else graph


def _sizes(asked: Subject) -> dict[str, int]:
    return templates.topology(asked)[1]


def _shapes(graph: Graph, index: int) -> str:
    """``1×3×224×224 → 1×64×112×112``: the first input and the first output of an operator."""
    operator = graph.operators[index]
    ends = [
        "×".join(str(int(dim)) for dim in graph.values[values[0]].shape) or "scalar"
        for values in (operator.inputs, operator.outputs)
        if values
    ]
    return " → ".join(ends)


def edges(fused: KernelGraph) -> tuple[tuple[int, int], ...]:
    """Which kernel reads what another wrote; memory that is written twice has its last writer."""
    values = fused.graph.values
    writer: dict[int, int] = {}
    found = set()
    for index, kernel in enumerate(fused.kernels):
        for value in kernel.reads:
            made_by = writer.get(values[value].storage)
            if made_by is not None:
                found.add((made_by, index))
        for value in kernel.writes:
            writer[values[value].storage] = index
    return tuple(sorted(found))


def operators(network: Network, kernel: int) -> tuple[PricedOperator, ...]:
    """The operators of one kernel, each with its formula."""
    fused, graph = _fused(network)
    return tuple(_priced(graph, graph.operators[i]) for i in fused.kernels[kernel].operators)


def _priced(graph: Graph, operator: Operator) -> PricedOperator:
    estimator = costs.formulas().get(operator.name) or costs.formulas().get(
        operator.name.removesuffix("_")
    )
    named = (*operator.arguments, *("input" for _ in operator.inputs))
    return PricedOperator(
        operator.name,
        operator.module,
        tuple((n, _sized(graph, i)) for n, i in zip(named, operator.inputs, strict=False)),
        tuple(_sized(graph, index) for index in operator.outputs),
        tuple(operator.attributes.items()),
        operator.cost or Cost(counted=False),
        (inspect.getdoc(estimator.formula) or "") if estimator else "",
    )


def _sized(graph: Graph, index: int) -> tuple[int, ...]:
    return tuple(int(dim) for dim in graph.values[index].shape)


def questions(network: Network, device: str) -> list[queries.Request]:
    """What :func:`stacks` asks of the library."""
    return [queries.Request(replace(network, stack=each.value), (device,)) for each in Stack]


def stacks(network: Network, device: str) -> tuple[Fused, ...]:
    """The network with nothing fused, and under each stack."""
    return _stacks(network, device, queries.contents([device]))


@st.cache_resource(show_spinner=False, max_entries=64)
def _stacks(network: Network, device: str, contents: tuple[str, ...]) -> tuple[Fused, ...]:
    asked = queries.subject(network)
    single = _unfused(session.graph(asked, store.Store()))
    found = features.columns(single, _sizes(asked) if asked.family else None)
    precision = precision_of(network, queries.profile(device))
    moved = found.kernels.memory_bytes(precision) * found.kernels.count
    rows = [Fused(UNFUSED, len(single.graph.kernels), float(moved.sum()), None)]
    for stack in Stack:
        answer = queries.answer(queries.Request(replace(network, stack=stack.value), (device,)))
        row = {name: values[0] for name, values in answer.rows.items()}
        kernels, moved_bytes = int(row["kernels"]), float(row["memory_bytes"])
        rows.append(Fused(stack.value, kernels, moved_bytes, float(row["latency_s"])))
    return tuple(rows)


# the answer holds the graph, so that no other can take its identity
@st.cache_resource(show_spinner=False, max_entries=64, hash_funcs={Graph: id})
def _unfused(graph: Graph) -> features.Skeleton:
    return features.skeleton(fusion.unfused(graph))


def precision_of(network: Network, profile: Profile) -> Precision:
    """The precision that a network runs in on a device."""
    asked = network.precision
    return profile.default_precision if asked == queries.AUTO else Precision(asked)


def execution_words(profile: Profile) -> str:
    """How the execution model of a device puts a latency together, in its own words."""
    module = inspect.getmodule(execution.model(profile.execution_model))
    return inspect.getdoc(module) or ""


def figures_used(profile: Profile, network: Network) -> Sequence[tuple[str, hardware.Figure]]:
    """The figures of a profile that a projection of ``network`` rests on, by key."""
    precision = str(precision_of(network, profile))
    wanted = (
        f"peak_flops_per_s.{precision}",
        f"energy.j_per_flop.{precision}",
        f"overhead.kernel_s.{network.stack}",
    )
    sections = ("vector_flops_per_s.", "memory.", "link.", "on_chip.", "efficiency.", "reference.")
    keys = [key for key in profile.figures if key in wanted or key.startswith(sections)]
    return [(key, profile.figures[key]) for key in keys]

"""What of a fused network does not depend on its sizes: distinct kernels, traffic, lives of values.

A network repeats itself: kernels with the same operators on the same shapes are one row with a
multiplicity. The rows are found on the symbolic graph, once; `features` evaluates them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from characterize import lowering, reuse
from characterize.records import Graph, Kernel, KernelGraph, Launching, Operator, Role, Value


@dataclass(frozen=True)
class Traffic:
    """One value that a kernel reads or writes."""

    value: Value
    source: Value
    weight: bool
    override: tuple[int, int] | None  # (operator, position) whose cost says how much moves


@dataclass(frozen=True)
class Row:
    """One distinct kernel, its dimensions not yet evaluated."""

    kernel: Kernel
    operators: tuple[Operator, ...]
    anchor: int  # position in operators
    reads: tuple[Traffic, ...]
    writes: tuple[Traffic, ...]
    inside: tuple[Value, ...]
    count: int
    likeness: Hashable = field(compare=False, repr=False)  # equal for kernels with equal features


Sizes = tuple[tuple[tuple[tuple[Any, ...], str], int], ...]  # ((shape, dtype), how many)


@dataclass(frozen=True)
class Skeleton:
    """What does not depend on the sizes: the distinct kernels and how often each occurs."""

    graph: KernelGraph
    rows: tuple[Row, ...]
    row_of: tuple[int, ...]  # kernel -> row
    parameter_sizes: Sizes
    live_sizes: tuple[Sizes, ...]  # distinct sets of values alive at once
    live_of: tuple[int, ...]  # kernel -> the set alive while it runs
    spans: tuple[tuple[reuse.Span, ...], ...] = ()  # row -> per read, kernels since it was touched
    launched_by: dict[Launching, Launched] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def likeness(self) -> Hashable:
        """Equal for networks whose distinct kernels are the same, however often each occurs."""
        text = repr(([row.likeness for row in self.rows], self.spans))
        return hashlib.sha256(text.encode()).digest()

    def launched(self, how: Launching) -> Launched:
        """The kernels that PyTorch launches for these (see `lowering`), made once."""
        found = self.launched_by.get(how)
        if found is None:
            found = _launched(self, how)
            known = tuple(self.launched_by.values())
            found = next((each for each in known if each == found), found)  # evaluated once
            self.launched_by[how] = found
        return found


@dataclass(frozen=True)
class Launched:
    """Launched kernels, and how often each distinct one occurs for each distinct fused kernel."""

    skeleton: Skeleton
    occurrences: tuple[tuple[int, int, int], ...]  # (fused row, launched row, how often)


def _launched(frame: Skeleton, how: Launching) -> Launched:
    lowered = lowering.lower(frame.graph, how)
    made = skeleton(lowered.graph, history=True)
    counts = Counter(
        (frame.row_of[owner], row) for owner, row in zip(lowered.owner, made.row_of, strict=True)
    )
    return Launched(made, tuple((*pair, count) for pair, count in counts.items()))


def skeleton(graph: KernelGraph, *, history: bool = False) -> Skeleton:
    """The distinct kernels of a fused network, found without evaluating a dimension.

    With ``history``, also how long ago each kernel's inputs were touched; what only the fused
    graph is asked for (parameters, liveness) is then left out.
    """
    source = graph.graph
    signatures: dict[Any, int] = {}
    rows: list[Row] = []
    counts: Counter[int] = Counter()
    row_of = []
    for kernel in graph.kernels:
        signature = _signature(source, kernel)
        index = signatures.get(signature)
        if index is None:
            index = signatures[signature] = len(rows)
            rows.append(_row(source, kernel, (signature, _roles(source, kernel))))
        counts[index] += 1
        row_of.append(index)
    rows = [replace(row, count=counts[i]) for i, row in enumerate(rows)]
    if history:
        spans = reuse.spans(graph, row_of, len(rows))
        return Skeleton(graph, tuple(rows), tuple(row_of), (), (), (), spans)
    live, live_of = _liveness(graph)
    return Skeleton(graph, tuple(rows), tuple(row_of), _parameters(source), live, live_of)


def _signature(graph: Graph, kernel: Kernel) -> Any:
    values = graph.values

    def of(index: int) -> Any:
        value = values[index]
        source = values[value.source].shape
        return value.shape, value.dtype, is_weight(value), source, value.order, value.turned

    first = kernel.operators[0]
    return (
        kernel.pattern,
        kernel.anchor - first,
        tuple(
            (op.name, op.attributes, tuple(map(of, op.inputs)), tuple(map(of, op.outputs)))
            for op in (graph.operators[i] for i in kernel.operators)
        ),
        tuple(map(of, kernel.reads)),
        tuple(map(of, kernel.writes)),
    )


def is_weight(value: Value) -> bool:
    """Whether a value does not depend on the network's input."""
    return value.role not in (Role.ACTIVATION, Role.INPUT)


def _roles(graph: Graph, kernel: Kernel) -> Hashable:
    """Where the values that a kernel uses come from, and which of them are views."""
    values = graph.values
    used = [i for place in kernel.operators for i in graph.operators[place].inputs]
    return tuple(
        (values[i].role, values[values[i].source].role, values[i].source == i)
        for i in (*used, *kernel.reads)
    )


def _row(graph: Graph, kernel: Kernel, likeness: Hashable) -> Row:
    operators = tuple(graph.operators[i] for i in kernel.operators)
    read_at: dict[int, tuple[int, int]] = {}
    written_at: dict[int, tuple[int, int]] = {}
    for position, operator in enumerate(operators):
        for place, index in enumerate(operator.inputs):
            read_at.setdefault(graph.values[index].source, (position, place))
        for place, index in enumerate(operator.outputs):
            written_at.setdefault(index, (position, place))
    reads = []
    for index in kernel.reads:
        value = graph.values[index]
        source = graph.values[value.source]
        weight = is_weight(value) or is_weight(source)
        reads.append(Traffic(value, source, weight, read_at.get(value.source)))
    writes = [
        Traffic(graph.values[i], graph.values[i], False, written_at.get(i)) for i in kernel.writes
    ]
    kept = set(kernel.writes)
    inside = tuple(
        graph.values[i] for operator in operators for i in operator.outputs if i not in kept
    )
    anchor = kernel.operators.index(kernel.anchor)
    return Row(kernel, operators, anchor, tuple(reads), tuple(writes), inside, 1, likeness)


def _parameters(graph: Graph) -> Sizes:
    seen: dict[int, Value] = {}
    for value in graph.values:
        if value.role is Role.PARAMETER:
            seen.setdefault(value.storage, value)
    return sizes(seen.values())


def sizes(values: Iterable[Value]) -> Sizes:
    """Equal shapes and types counted once."""
    return tuple(Counter((value.shape, value.dtype) for value in values).items())


def _liveness(graph: KernelGraph) -> tuple[tuple[Sizes, ...], tuple[int, ...]]:
    """Sets of activations alive while each kernel runs.

    From the kernel that writes to the last that reads; inputs from the start, outputs to the end.
    """
    values = graph.graph.values
    last: dict[int, int] = {}
    first: dict[int, int] = {}
    home: dict[int, Value] = {}
    for index in graph.graph.inputs:
        first[values[index].storage] = 0
        home.setdefault(values[index].storage, values[index])
    for step, kernel in enumerate(graph.kernels):
        for index in kernel.writes:
            storage = values[index].storage
            first.setdefault(storage, step)
            home.setdefault(storage, values[index])
            last[storage] = step
        for index in kernel.reads:
            last[values[index].storage] = step
    end = len(graph.kernels) - 1
    for index in graph.graph.outputs:
        last[values[index].storage] = end
    births: dict[int, list[int]] = {}
    deaths: dict[int, list[int]] = {}
    for storage, step in first.items():
        if is_weight(home[storage]) and home[storage].role is not Role.DERIVED:
            continue
        births.setdefault(step, []).append(storage)
        deaths.setdefault(last.get(storage, step), []).append(storage)
    return _live_sets(births, deaths, home, len(graph.kernels))


def _live_sets(
    births: Mapping[int, list[int]],
    deaths: Mapping[int, list[int]],
    home: Mapping[int, Value],
    steps: int,
) -> tuple[tuple[Sizes, ...], tuple[int, ...]]:
    alive: Counter[tuple[tuple[Any, ...], str]] = Counter()
    known: dict[frozenset[Any], int] = {}
    sets: list[Sizes] = []
    live_of = []
    for step in range(steps):
        for storage in births.get(step, ()):
            alive[home[storage].shape, home[storage].dtype] += 1
        items = tuple((size, count) for size, count in alive.items() if count)
        index = known.setdefault(frozenset(items), len(sets))
        if index == len(sets):
            sets.append(items)
        live_of.append(index)
        for storage in deaths.get(step, ()):
            alive[home[storage].shape, home[storage].dtype] -= 1
    return tuple(sets), tuple(live_of)

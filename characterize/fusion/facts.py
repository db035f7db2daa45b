"""What a fuser asks about a graph, worked out once: who makes a value, who uses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from characterize.fusion.dims import settled_shapes
from characterize.fusion.shapes import Numel, keeps_order, numel
from characterize.fusion.tables import Loop, base_name, loop_of
from characterize.records import Graph, Operator, Role, Shape

WEIGHTS = frozenset({Role.PARAMETER, Role.BUFFER, Role.CONSTANT, Role.DERIVED})
"""Roles of values that do not depend on the network's input."""

Order = tuple[object, ...]
"""How a view shows its source: empty for in order, else what tells one turn from another."""

Orders = frozenset[Order]
"""All the ways in which operators read one value."""

IN_ORDER: Orders = frozenset([()])

_COPIES = frozenset({Loop.REARRANGE, Loop.CONCATENATION})


@dataclass(frozen=True, slots=True)
class Facts:
    """A graph, indexed for fusion. Values stand for their ``source`` throughout.

    ``uses`` has, by source value, the operators that read it, in order and each once;
    ``reads`` has, by operator, the source values it reads, each once; ``shapes`` and
    ``sizes`` (numbers of elements) are by value.
    """

    graph: Graph
    shapes: tuple[Shape, ...]
    sizes: tuple[Numel, ...]
    loops: tuple[Loop, ...]
    reads: tuple[tuple[int, ...], ...]
    uses: tuple[list[int], ...]
    producer: tuple[int, ...]
    escapes: frozenset[int]
    weight: tuple[bool, ...]

    def numel(self, value: int) -> Numel:
        """Elements of a value."""
        return self.sizes[value]

    def numel_out(self, index: int) -> Numel:
        """Elements of an operator's first output."""
        outputs = self.graph.operators[index].outputs
        return self.sizes[outputs[0]] if outputs else (1, ())

    def shape_out(self, index: int) -> Shape:
        """Shape of an operator's first output."""
        outputs = self.graph.operators[index].outputs
        return self.shapes[outputs[0]] if outputs else ()

    def shape_in(self, index: int) -> Shape:
        """Shape of an operator's first input, as it is read."""
        inputs = self.graph.operators[index].inputs
        return self.shapes[inputs[0]] if inputs else ()

    def numel_in(self, index: int) -> Numel:
        """Elements of an operator's first input, as it is read."""
        inputs = self.graph.operators[index].inputs
        return self.sizes[inputs[0]] if inputs else (1, ())

    def views_of(self, index: int, source: int) -> list[int]:
        """The inputs of an operator that show the elements of ``source``."""
        values = self.graph.values
        return [v for v in self.graph.operators[index].inputs if values[v].source == source]

    def reads_all(self, index: int, source: int) -> bool:
        """Whether an operator reads each element of ``source`` once, in whatever order."""
        size = self.sizes[source]
        return all(self.sizes[view] == size for view in self.views_of(index, source))

    def orders(self, index: int, source: int) -> Orders:
        """In which orders an operator reads ``source``; of a turned view its dimensions say how."""
        values = self.graph.values
        views = self.views_of(index, source)
        if not any(values[view].order for view in views):
            return IN_ORDER
        orders = [(values[view].order, self.shapes[view]) for view in views]
        return frozenset([order if order[0] else () for order in orders])

    def in_order(self, index: int, source: int) -> bool:
        """Whether an operator reads all of ``source`` in order, whatever views lie between."""
        return all(
            view == source or shows_in_order(self.graph, self.shapes, view)
            for view in self.views_of(index, source)
        )


def gather(graph: Graph) -> Facts:
    """Index a graph for fusion; linear in its operators."""
    values, operators = graph.values, graph.operators
    sources = [value.source for value in values]
    producer = [-1] * len(values)
    uses: list[list[int]] = [[] for _ in values]
    reads = []
    for index, operator in enumerate(operators):
        read = tuple(dict.fromkeys([sources[v] for v in operator.inputs]))
        reads.append(read)
        for source in read:
            uses[source].append(index)
        for value in operator.outputs:
            producer[value] = index
    named = tuple([_named(operator) for operator in operators])
    shapes = settled_shapes(graph, named)
    return Facts(
        graph=graph,
        shapes=shapes,
        sizes=tuple([numel(shape) for shape in shapes]),
        loops=tuple(
            [_refined(graph, shapes, *pair) for pair in zip(operators, named, strict=True)]
        ),
        reads=tuple(reads),
        uses=tuple(uses),
        producer=tuple(producer),
        escapes=_escapes(graph),
        weight=tuple([_is_weight(graph, operator) for operator in operators]),
    )


def _escapes(graph: Graph) -> frozenset[int]:
    """Values that must be in memory at the end: outputs, and what was changed in place outside.

    An in-place operator on an input, a parameter or a buffer changes memory that the caller sees;
    of several, the last one's result is what is seen.
    """
    values = graph.values
    outside = {value.storage for value in values if value.role is Role.INPUT or value.name}
    changed = {
        values[out].storage: out
        for operator in graph.operators
        if operator.inplace
        for out in operator.outputs
        if values[out].storage in outside
    }
    return frozenset(values[v].source for v in (*graph.outputs, *changed.values()))


def _is_weight(graph: Graph, operator: Operator) -> bool:
    """Whether an operator computes from weights and constants alone."""
    return bool(operator.outputs) and graph.values[operator.outputs[0]].role in WEIGHTS


def _named(operator: Operator) -> Loop:
    """The operator's loop, as far as its name and attributes tell."""
    loop, attributes = loop_of(operator.name), operator.attributes
    if loop is Loop.BATCH_NORM and (attributes.get("training") or attributes.get("train")):
        return Loop.ROWS
    if "written" in attributes or (loop is Loop.POINTWISE and len(operator.outputs) != 1):
        return Loop.OPAQUE  # writes a part of a tensor in place; makes a mask beside its result
    if loop is Loop.POINTWISE and not operator.inputs:
        return Loop.CREATION
    if loop is Loop.REDUCTION and len(operator.inputs) == 2:
        return Loop.POINTWISE  # the larger of two tensors
    return loop


def _refined(graph: Graph, shapes: Sequence[Shape], operator: Operator, loop: Loop) -> Loop:
    """The operator's loop, as its shapes tell too."""
    if loop is Loop.WINDOW and _pools_all(shapes, operator):
        return Loop.REDUCTION
    if loop in _COPIES and _copies_in_order(graph, shapes, operator):
        return Loop.POINTWISE
    return loop


def shows_in_order(graph: Graph, shapes: Sequence[Shape], view: int) -> bool:
    """Whether a view shows all of its source in order; transposed equal sizes its strides tell."""
    value = graph.values[view]
    return not value.order and keeps_order(shapes[view], shapes[value.source])


def _copies_in_order(graph: Graph, shapes: Sequence[Shape], operator: Operator) -> bool:
    """Whether a copy moves nothing: a concatenation of one tensor, a clone of an unpermuted one."""
    if len(operator.inputs) != 1 or len(operator.outputs) != 1:
        return False
    if base_name(operator.name) not in ("clone", "contiguous", "cat"):
        return False
    (read,), (out,) = operator.inputs, operator.outputs
    return keeps_order(shapes[out], shapes[read]) and shows_in_order(graph, shapes, read)


def _pools_all(shapes: Sequence[Shape], operator: Operator) -> bool:
    """Whether an adaptive pooling leaves one position, which makes it a mean or maximum of rows."""
    if "adaptive" not in operator.name or not operator.outputs:
        return False
    rank = int(operator.name.rstrip("_")[-2])
    return all(dim == 1 for dim in shapes[operator.outputs[0]][-rank:])

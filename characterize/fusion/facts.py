"""What a fuser asks about a graph, worked out once: who makes a value, who uses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from characterize.fusion.shapes import Numel, broadcasts, keeps_order, numel, repeats_over
from characterize.fusion.tables import Loop, base_name, loop_of
from characterize.records import Graph, Operator, Role, Shape

WEIGHTS = frozenset({Role.PARAMETER, Role.BUFFER, Role.CONSTANT, Role.DERIVED})
"""Roles of values that do not depend on the network's input."""

_COPIES = frozenset({Loop.REARRANGE, Loop.CONCATENATION})

Rows = tuple[object, ...]
"""What tells one way of reducing from another: two reductions fuse if theirs are equal."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A graph, indexed for fusion. Values stand for their ``source`` throughout.

    ``uses`` has, by source value, the operators that read it, in order and each once;
    ``reads`` has, by operator, the source values it reads, each once.
    """

    graph: Graph
    loops: tuple[Loop, ...]
    reads: tuple[tuple[int, ...], ...]
    uses: tuple[list[int], ...]
    producer: tuple[int, ...]
    escapes: frozenset[int]
    weight: tuple[bool, ...]

    def numel_out(self, index: int) -> Numel:
        """Elements of an operator's first output."""
        return numel(self.shape_out(index))

    def shape_out(self, index: int) -> Shape:
        """Shape of an operator's first output."""
        operator = self.graph.operators[index]
        return self.graph.values[operator.outputs[0]].shape if operator.outputs else ()

    def shape_in(self, index: int) -> Shape:
        """Shape of an operator's first input, as it is read."""
        operator = self.graph.operators[index]
        return self.graph.values[operator.inputs[0]].shape if operator.inputs else ()

    def views_of(self, index: int, source: int) -> list[int]:
        """The inputs of an operator that show the elements of ``source``."""
        values = self.graph.values
        return [v for v in self.graph.operators[index].inputs if values[v].source == source]

    def reads_all(self, index: int, source: int) -> bool:
        """Whether an operator reads each element of ``source`` once, in whatever order."""
        values = self.graph.values
        size = numel(values[source].shape)
        return all(numel(values[view].shape) == size for view in self.views_of(index, source))

    def in_order(self, index: int, source: int) -> bool:
        """Whether an operator reads all of ``source`` in order, whatever views lie between."""
        values = self.graph.values
        shape = values[source].shape
        return all(
            view == source or keeps_order(values[view].shape, shape)
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
    return Facts(
        graph=graph,
        loops=tuple([_loop(graph, operator) for operator in operators]),
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


def _loop(graph: Graph, operator: Operator) -> Loop:
    """The operator's loop, refined by what its name does not say."""
    loop = loop_of(operator.name)
    attributes = operator.attributes
    if loop is Loop.BATCH_NORM and (attributes.get("training") or attributes.get("train")):
        return Loop.ROWS
    if loop is Loop.WINDOW and _pools_all(graph, operator):
        return Loop.REDUCTION
    if "written" in attributes or (loop is Loop.POINTWISE and len(operator.outputs) != 1):
        return Loop.OPAQUE  # writes a part of a tensor in place; makes a mask beside its result
    if loop is Loop.POINTWISE and not operator.inputs:
        return Loop.CREATION
    if loop in _COPIES and _copies_in_order(graph, operator):
        return Loop.POINTWISE
    if base_name(operator.name) in ("max", "min") and len(operator.inputs) == 2:
        return Loop.POINTWISE
    return loop


def _copies_in_order(graph: Graph, operator: Operator) -> bool:
    """Whether a copy moves nothing: a concatenation of one tensor, a clone of an unpermuted one."""
    if len(operator.inputs) != 1 or len(operator.outputs) != 1:
        return False
    if base_name(operator.name) not in ("clone", "contiguous", "cat"):
        return False
    values = graph.values
    read = values[operator.inputs[0]]
    shape = values[operator.outputs[0]].shape
    return keeps_order(shape, read.shape) and keeps_order(read.shape, values[read.source].shape)


def _pools_all(graph: Graph, operator: Operator) -> bool:
    """Whether an adaptive pooling leaves one position, which makes it a mean or maximum of rows."""
    if "adaptive" not in operator.name or not operator.outputs:
        return False
    rank = int(operator.name.rstrip("_")[-2])
    return all(dim == 1 for dim in graph.values[operator.outputs[0]].shape[-rank:])


def rows_of(facts: Facts, index: int) -> Rows:
    """The rows that a reduction, normalisation or softmax works on.

    Rows that are contiguous are told by their number and length, so that a mean over ``[h, w]``
    and one over ``[h*w]`` are alike; others by shape and positions.
    """
    operator, shape = facts.graph.operators[index], facts.shape_in(index)
    groups = operator.attributes.get("num_groups", operator.attributes.get("group"))
    if groups is not None:
        return ("groups", shape, groups)
    reduced = reduced_dims(operator, shape)
    kept = [i for i in range(len(shape)) if i not in reduced and shape[i] != 1]
    inner = [i for i in reduced if shape[i] != 1]
    if not kept or not inner or max(kept) < min(inner):
        return (
            "contiguous",
            numel(tuple(shape[i] for i in kept)),
            numel(tuple(shape[i] for i in inner)),
        )
    squeezed = [i for i in range(len(shape)) if shape[i] != 1]
    return (
        "strided",
        tuple(shape[i] for i in squeezed),
        tuple(n for n, i in enumerate(squeezed) if i in reduced),
    )


def reduced_dims(operator: Operator, shape: Shape) -> tuple[int, ...]:
    """Positions of the dimensions that an operator reduces over, ascending."""
    name, attributes, rank = base_name(operator.name), operator.attributes, len(shape)
    if "normalized_shape" in attributes:
        return tuple(range(rank - len(attributes["normalized_shape"]), rank))
    if "group_norm" in name:
        return tuple(range(1, rank))  # within each group of channels, see `rows_of`
    if "instance_norm" in name:
        return tuple(range(2, rank))
    if "batch_norm" in name:
        return tuple(i for i in range(rank) if i != 1)
    if "adaptive" in name:
        return tuple(range(rank - int(name[-2]), rank))
    dims = attributes.get("dim")
    if dims is None or (isinstance(dims, Sequence) and not dims):
        return tuple(range(rank))
    listed = dims if isinstance(dims, Sequence) else (dims,)
    return tuple(sorted({int(dim) % rank for dim in listed})) if rank else ()


def outer_numel(facts: Facts, index: int) -> Numel:
    """How many rows a reduction works on."""
    shape = facts.shape_in(index)
    reduced = reduced_dims(facts.graph.operators[index], shape)
    return numel(tuple(dim for i, dim in enumerate(shape) if i not in reduced))


def spreads_rows(view: Shape, full: Shape, rows: Rows) -> bool:
    """Whether a value with one element a row is spread over its own rows of ``full``.

    ``x - mean`` is one pass only if the mean of a row meets the elements of that row.
    """
    if not broadcasts(view, full):
        return False
    over = repeats_over(view, full)
    kept = [i for i, dim in enumerate(full) if i not in over and dim != 1]
    if rows[0] == "groups":
        return False
    if rows[0] == "contiguous":
        trailing = not kept or not over or max(kept) < min(over)
        return trailing and numel(tuple(full[i] for i in kept)) == rows[1]
    squeezed = [i for i, dim in enumerate(full) if dim != 1]
    return (tuple(full[i] for i in squeezed), tuple(squeezed.index(i) for i in over)) == rows[1:]

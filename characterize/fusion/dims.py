"""Dimensions that a graph says are equal, though their texts differ.

A symbolic trace writes one size in several ways: ``d - (d + 1)//2`` for one half of ``d`` and
``(d + 1)//2`` for the other. Adding the two halves says that they are equal wherever the template
holds, because neither is 1 there. So operands and results of elementwise operators are compared
dimension by dimension, and each class of equal texts gets one name. Nothing is evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator

from characterize.fusion.tables import ELEMENTWISE, Loop, base_name
from characterize.records import Dim, Graph, Operator, Shape

_FIRST_ONLY = frozenset({"type_as", "prelu", "fill"})
"""Elementwise operators whose other operands do not broadcast against the result."""


def settled_shapes(graph: Graph, loops: tuple[Loop, ...]) -> tuple[Shape, ...]:
    """The shape of every value, with one text for each class of equal dimensions."""
    shapes = tuple([value.shape for value in graph.values])
    if not any(isinstance(dim, str) for shape in shapes for dim in shape):
        return shapes
    names: dict[Dim, Dim] = {}
    for operator, loop in zip(graph.operators, loops, strict=True):
        for one, other in _equal_dims(shapes, operator, loop):
            _unite(names, one, other)
    return tuple([tuple([_name(names, dim) for dim in shape]) for shape in shapes])


def _equal_dims(
    shapes: tuple[Shape, ...], operator: Operator, loop: Loop
) -> Iterator[tuple[Dim, Dim]]:
    """Pairs of dimensions that an operator needs to be equal and that are written differently."""
    if (loop not in ELEMENTWISE and loop is not Loop.ROWS) or not operator.outputs:
        return
    out = shapes[operator.outputs[0]]
    broadcast = loop is Loop.POINTWISE and base_name(operator.name) not in _FIRST_ONLY
    for value in operator.inputs if broadcast else operator.inputs[:1]:
        for dim, aim in zip(reversed(shapes[value]), reversed(out), strict=False):
            if dim not in (1, aim):
                yield dim, aim


def _name(names: dict[Dim, Dim], dim: Dim) -> Dim:
    """The name of a dimension's class."""
    while dim in names:
        dim = names[dim]
    return dim


def _unite(names: dict[Dim, Dim], one: Dim, other: Dim) -> None:
    """Make one class of two; a number is the best name, then the shortest text."""
    first, second = sorted((_name(names, one), _name(names, other)), key=_rank)
    if first != second and isinstance(second, str):
        names[second] = first


def _rank(dim: Dim) -> tuple[bool, int, str]:
    return (isinstance(dim, str), len(str(dim)), str(dim))

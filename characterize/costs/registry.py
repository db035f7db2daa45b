"""Which formula prices which operator.

A formula takes a :class:`Work`, shapes and attributes without tensors, and returns a
:class:`~characterize.records.Cost`. It branches on ranks, argument names and attributes only,
because a dimension may be an array with one entry a configuration; :func:`smaller`,
:func:`larger`, :func:`everywhere` and :func:`log2_ceiling` serve integers and arrays alike.
An operator without a formula is priced as uncounted, never as free.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from characterize import errors
from characterize.records import (
    Cost,
    Count,
    Frozen,
    Graph,
    KernelKind,
    Operator,
    Role,
    Shape,
    Value,
)


@dataclass(frozen=True, slots=True)
class Work:
    """What one operator is given and makes, without the tensors.

    ``arguments`` names, input by input, the schema argument it was passed as; the tensors of a list
    carry the name of the list. ``attributes`` hold only the arguments that were passed, and
    ``written``, a shape, where an operator writes in place through a view: its output is then the
    whole value behind the view, of which it works on that part.
    """

    name: str
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    arguments: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=Frozen)
    input_dtypes: tuple[str, ...] = ()
    output_dtypes: tuple[str, ...] = ()
    input_roles: tuple[Role, ...] = ()

    @property
    def inplace(self) -> bool:
        """Whether the operator overwrites its first input ("aten.relu_")."""
        return self.name.endswith("_") and not self.name.endswith("__")

    @property
    def output(self) -> Shape:
        """Shape of the first output, or of the part of it that is written."""
        written: Shape | None = self.attributes.get("written")
        return self.outputs[0] if written is None else written

    @property
    def elements(self) -> Count:
        """Elements of the first output, or of the part of it that is written."""
        return math.prod(self.output)

    def argument(self, name: str) -> Shape | None:
        """Shape of the first input passed as ``name``, ``None`` if it was not passed."""
        for argument, shape in zip(self.arguments, self.inputs, strict=False):
            if argument == name:
                return shape
        return None

    def required(self, *names: str) -> Shape:
        """Shape of the first of these arguments that was passed."""
        for name in names:
            shape = self.argument(name)
            if shape is not None:
                return shape
        msg = f"{self.name} was priced without its argument {names[0]!r}; it got {self.arguments}."
        raise errors.InvalidValueError(msg)

    def every(self, name: str) -> tuple[Shape, ...]:
        """Shapes of all inputs passed as ``name``: the tensors of a list."""
        pairs = zip(self.arguments, self.inputs, strict=False)
        return tuple(shape for argument, shape in pairs if argument == name)

    def role(self, name: str) -> Role | None:
        """Where the first input passed as ``name`` comes from, ``None`` if that is not known."""
        for argument, role in zip(self.arguments, self.input_roles, strict=False):
            if argument == name:
                return role
        return None

    def reads(self, /, **elements: Count) -> tuple[Count | None, ...]:
        """A ``Cost.reads`` that overrides the arguments named here and reads all of the others."""
        return tuple(elements.get(argument) for argument in self.arguments)


Formula = Callable[[Work], Cost]
Table = tuple[tuple[str, ...], ...]
"""Rows of text, the header first: the operators of one formula that differ in a number."""


@dataclass(frozen=True, slots=True)
class Estimator:
    """A formula and the operators it serves, as the formula reference lists them."""

    names: tuple[str, ...]
    formula: Formula
    table: Table = ()

    @property
    def topic(self) -> str:
        """The module the formula is defined in, without its package ("convolution")."""
        return self.formula.__module__.rpartition(".")[2]


_ESTIMATORS: dict[str, Estimator] = {}


def cost_of(*names: str, table: Table = ()) -> Callable[[Formula], Formula]:
    """Register a formula for operators, named without overload ("aten.relu", "mylib.attend").

    The in-place variant ("aten.relu_") shares the formula unless it has its own. A second claim on
    a name is an error. Composite operators with a formula are kept whole by the tracer. A ``table``
    is printed below the formula in the reference.

    >>> @cost_of("mylib.scale")
    ... def scale(work: Work) -> Cost:
    ...     return Cost(kind=KernelKind.ELEMENTWISE, vector_flops=work.elements)
    >>> estimate("mylib.scale", {"input": (2, 3)}, (2, 3)).flops
    6
    >>> forget("mylib.scale")
    """
    if not names:
        msg = "A cost formula needs the name of an operator, such as 'aten.relu'."
        raise errors.InvalidValueError(msg)

    def register(formula: Formula) -> Formula:
        taken = [name for name in names if name in _ESTIMATORS]
        if taken or len(set(names)) < len(names):
            msg = f"{(taken or list(names))[0]} has a cost formula already; forget() it first."
            raise errors.InvalidValueError(msg)
        estimator = Estimator(names, formula, table)
        _ESTIMATORS.update(dict.fromkeys(names, estimator))
        return formula

    return register


register_formula = cost_of


def forget(name: str) -> None:
    """Drop the formula of one operator, so that another can be registered."""
    if name not in _ESTIMATORS:
        what = "cost formula"
        raise errors.unknown(what, name, _ESTIMATORS)
    del _ESTIMATORS[name]


def formulas() -> Mapping[str, Estimator]:
    """Every operator with a formula, as a read-only mapping from its name."""
    return MappingProxyType(dict(sorted(_ESTIMATORS.items())))


def kept_composites() -> frozenset[str]:
    """Operators that a tracer must not decompose, because there is a formula for them whole.

    It is every registered name: keeping an operator that PyTorch does not decompose anyway changes
    nothing, and a formula registered from outside is kept from then on.
    """
    return frozenset(_ESTIMATORS)


def find(name: str) -> Estimator | None:
    """The estimator of an operator, or of the functional twin of an in-place operator."""
    found = _ESTIMATORS.get(name)
    if found is None and name.endswith("_"):
        return _ESTIMATORS.get(name[:-1])
    return found


UNCOUNTED = Cost(kind=KernelKind.OTHER, counted=False)


def cost(work: Work) -> Cost:
    """The cost of some work; ``counted`` is false where no formula is registered."""
    estimator = find(work.name)
    if estimator is None:
        return UNCOUNTED
    found = estimator.formula(work)
    if found.writes is None and "written" in work.attributes:
        return replace(found, writes=(work.elements, *(None for _ in work.outputs[1:])))
    return found


class Values(Protocol):
    """The values of a graph by index: its own tuple, or one that binds them when they are asked for."""

    def __getitem__(self, index: int, /) -> Value:
        """One value, its shape in numbers or arrays."""


def price(operator: Operator, values: Values) -> Cost:
    """The cost of an operator of a graph whose dimensions are numbers or arrays."""
    inputs = [values[index] for index in operator.inputs]
    outputs = [values[index] for index in operator.outputs]
    return cost(
        Work(
            operator.name,
            tuple([value.shape for value in inputs]),  # a list is faster here than a generator
            tuple([value.shape for value in outputs]),
            operator.arguments,
            operator.attributes,
            tuple([value.dtype for value in inputs]),
            tuple([value.dtype for value in outputs]),
            tuple([value.role for value in inputs]),
        )
    )


def priced(graph: Graph) -> Graph:
    """The graph with the cost of every operator filled in; a symbolic graph comes back unpriced."""
    if graph.is_symbolic:
        return replace(graph, operators=tuple(replace(op, cost=None) for op in graph.operators))
    operators = tuple(replace(op, cost=price(op, graph.values)) for op in graph.operators)
    return replace(graph, operators=operators)


def estimate(
    name: str,
    inputs: Mapping[str, Sequence[Any]],
    *outputs: Shape,
    input_dtypes: Mapping[str, str] = MappingProxyType({}),
    output_dtype: str = "float32",
    **attributes: Any,
) -> Cost:
    """The cost of one operator from shapes alone, by argument name; a list of shapes is a list.

    >>> estimate("aten.mm", {"self": (4, 5), "mat2": (5, 6)}, (4, 6)).macs
    120
    """
    named = list(_flat(inputs))
    return cost(
        Work(
            name=name,
            inputs=tuple(shape for _, shape in named),
            outputs=outputs,
            arguments=tuple(argument for argument, _ in named),
            attributes=Frozen(attributes),
            input_dtypes=tuple(input_dtypes.get(argument, "float32") for argument, _ in named),
            output_dtypes=(output_dtype,) * len(outputs),
        )
    )


def _flat(inputs: Mapping[str, Sequence[Any]]) -> Iterator[tuple[str, Shape]]:
    for argument, shapes in inputs.items():
        for shape in shapes if isinstance(shapes, list) else [shapes]:
            yield argument, tuple(shape)


def smaller(first: Count, second: Count) -> Count:
    """The lesser of two counts, entry by entry where one is an array."""
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return np.minimum(first, second)
    return min(first, second)


def larger(first: Count, second: Count) -> Count:
    """The greater of two counts, entry by entry where one is an array."""
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return np.maximum(first, second)
    return max(first, second)


def everywhere(count: Count, value: int) -> bool:
    """Whether a count is this value in every configuration."""
    return bool(np.all(count == value)) if isinstance(count, np.ndarray) else bool(count == value)


def common_divisor(first: Count, second: Count) -> Count:
    """Greatest common divisor, entry by entry where one is an array."""
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return np.gcd(first, second)
    return math.gcd(first, second)


def log2_ceiling(count: Count) -> Count:
    """The least whole number of halvings that brings ``count`` down to one; 0 up to one.

    >>> [log2_ceiling(n) for n in (0, 1, 2, 3, 1024, 1025)]
    [0, 0, 1, 2, 10, 11]
    """
    if isinstance(count, np.ndarray):
        return np.ceil(np.log2(np.maximum(count, 1))).astype(np.int64)
    return (max(int(count), 1) - 1).bit_length()

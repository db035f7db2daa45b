"""Expressions over named symbols, kept as text and evaluated on integers or arrays.

A template's dimensions are text such as ``"(input_size - 1)//2 + 1"``, so that it can be stored and
evaluated without torch or sympy. Only arithmetic, comparisons and the few functions below are
allowed: a stored expression can never run code.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from types import CodeType
from typing import Any

import numpy as np

from characterize.errors import BrokenRecordError
from characterize.records import Dim, Frozen, Graph, Operator, Shape, Value

_NODES = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Call, ast.Name, ast.Constant, ast.Load,
    ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Div, ast.Mod, ast.Pow, ast.USub, ast.UAdd,
    ast.BitAnd, ast.BitOr, ast.Invert, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE,
)  # fmt: skip


def _reduce(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def over(*arguments: Any) -> Any:
        result = arguments[0]
        for argument in arguments[1:]:
            result = function(result, argument)
        return result

    return over


# the function names that sympy and torch print
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "FloorDiv": lambda a, b: a // b,
    "CleanDiv": lambda a, b: a // b,
    "Mod": lambda a, b: a % b,
    "PythonMod": lambda a, b: a % b,
    "Max": _reduce(np.maximum),
    "Min": _reduce(np.minimum),
    "Eq": lambda a, b: a == b,
    "Ne": lambda a, b: a != b,
    "And": _reduce(np.logical_and),
    "Or": _reduce(np.logical_or),
    "Not": np.logical_not,
    "floor": np.floor,
    "ceiling": np.ceil,
    "CeilToInt": np.ceil,
    "FloorToInt": np.floor,
    "TruncToInt": np.trunc,
    "RoundToInt": np.round,
    "IntTrueDiv": lambda a, b: a / b,
    "FloatTrueDiv": lambda a, b: a / b,
    "ToFloat": lambda a: a * 1.0,
    "Where": np.where,
}


@lru_cache(maxsize=65536)
def _compiled(expression: str) -> tuple[CodeType, frozenset[str]]:
    try:
        tree = ast.parse(expression, mode="eval")
    except SyntaxError as error:
        msg = f"The expression {expression!r} of a template cannot be read."
        raise BrokenRecordError(msg) from error
    names = set()
    for node in ast.walk(tree):
        if not isinstance(node, _NODES) or (
            isinstance(node, ast.Call)
            and not (isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS)
        ):
            msg = f"The expression {expression!r} of a template uses more than arithmetic."
            raise BrokenRecordError(msg)
        if isinstance(node, ast.Name) and node.id not in _FUNCTIONS:
            names.add(node.id)
    return compile(tree, "<dimension>", "eval"), frozenset(names)


def free(expression: Dim) -> frozenset[str]:
    """Names of the symbols in a dimension; none in a number.

    >>> sorted(free("batch * channels"))
    ['batch', 'channels']
    """
    return _compiled(expression)[1] if isinstance(expression, str) else frozenset()


def evaluate(expression: Dim, values: Mapping[str, Any]) -> Any:
    """The value of a dimension where symbols have these values (integers or arrays).

    >>> evaluate("(input_size - 1)//2 + 1", {"input_size": 224})
    112

    Raises:
        BrokenRecordError: the expression uses more than arithmetic, or a symbol without a value.
    """
    if not isinstance(expression, str):
        return expression
    code, names = _compiled(expression)
    missing = names - values.keys()
    if missing:
        msg = f"The expression {expression!r} needs a value for {', '.join(sorted(missing))}."
        raise BrokenRecordError(msg)
    scope = {**_FUNCTIONS, **values, "__builtins__": {}}
    return eval(code, scope)  # the syntax tree was checked above


def holds(guards: tuple[str, ...], values: Mapping[str, Any]) -> Any:
    """Whether all guards hold: a ``bool``, or an array of them where values are arrays.

    Entries that do not go together are asked about too, such as more heads than channels; what they
    divide by zero is nobody's concern, as nothing is computed for them.
    """
    result: Any = True
    with np.errstate(divide="ignore", invalid="ignore"):
        for guard in guards:
            result = np.logical_and(result, evaluate(guard, values))
    return result


class Binder:
    """Replaces expressions by values, each expression evaluated once."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = {
            name: value if np.isscalar(value) else np.asarray(value, dtype=np.int64)
            for name, value in values.items()
        }
        self._known: dict[str, Any] = {}
        self._numels: dict[Shape, Any] = {}

    def dim(self, dim: Dim) -> Any:
        """One dimension as an integer or an array."""
        if not isinstance(dim, str):
            return dim
        found = self._known.get(dim)
        if found is None:
            found = evaluate(dim, self._values)
            self._known[dim] = found
        return found

    def numel(self, shape: Shape) -> Any:
        """Elements of a shape."""
        found = self._numels.get(shape)
        if found is None:
            factors: dict[tuple[int, ...], Any] = {}  # along the same axes first: they are few
            for dim in map(self.dim, shape):
                axes = np.shape(dim)
                factors[axes] = factors.get(axes, 1) * dim
            found = 1
            for factor in sorted(factors.values(), key=np.size):
                found = found * factor
            self._numels[shape] = found
        return found

    def shape(self, shape: Shape) -> Shape:
        """A whole shape."""
        return tuple(self.dim(dim) for dim in shape)

    def value(self, value: Value) -> Value:
        """A value with its shape bound."""
        return replace(value, shape=self.shape(value.shape))

    def operator(self, operator: Operator) -> Operator:
        """An operator with the sizes among its attributes bound (the groups of a convolution)."""
        changed = {
            name: bound
            for name, value in operator.attributes.items()
            if (bound := self._attribute(value)) is not value
        }
        if not changed:
            return operator
        return replace(operator, attributes=Frozen({**operator.attributes, **changed}))

    def _attribute(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.dim(value) if self._is_size(value) else value
        if isinstance(value, tuple):
            bound = tuple(self._attribute(item) for item in value)
            return value if all(a is b for a, b in zip(bound, value, strict=True)) else bound
        return value

    def _is_size(self, text: str) -> bool:
        """Whether a text attribute is an expression over our symbols, not a word such as "mean"."""
        try:
            names = free(text)
        except BrokenRecordError:
            return False
        return bool(names) and names <= self._values.keys()


def bind(graph: Graph, values: Mapping[str, Any]) -> Graph:
    """The graph with every expression replaced by its integer or array (costs are not filled)."""
    if not graph.is_symbolic:
        return graph
    binder = Binder(values)
    bound = tuple(binder.value(value) for value in graph.values)
    operators = tuple(binder.operator(operator) for operator in graph.operators)
    return replace(graph, values=bound, operators=operators, symbols=(), guards=())

"""Tracing a family with symbols for its sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sympy
import torch
from torch._dynamo.source import ConstantSource
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv

from characterize import costs, models, symbols
from characterize.records import Frozen, Graph
from characterize.tracing import modules
from characterize.tracing.recorder import Recorder


class _Sizes:
    """Symbols for named sizes, and how their expressions read as text."""

    def __init__(self, hints: Mapping[str, int], may_be_zero: frozenset[str]) -> None:
        self.environment = ShapeEnv(duck_shape=False, specialize_zero_one=False)
        self.sizes: dict[str, Any] = {}
        self._names: dict[Any, Any] = {}
        self._texts: dict[Any, Any] = {}
        for name, hint in hints.items():
            source = ConstantSource(name)
            # Of a size that is never zero, sympy drops the guard that it is not: a guard less.
            positive = None if name in may_be_zero else True
            symbol = self.environment.create_symbol(
                hint,
                source=source,
                dynamic_dim=DimDynamic.DYNAMIC,
                constraint_dim=None,
                positive=positive,
            )
            if not isinstance(symbol, sympy.Symbol):
                self.sizes[name] = hint
                continue
            node = self.environment.create_symintnode(symbol, hint=hint, source=source)
            self.sizes[name] = node
            self._names[symbol] = sympy.Symbol(
                name, integer=True, nonnegative=True, positive=positive
            )

    def text(self, expression: Any) -> Any:
        """A sympy expression as text over the names, or as a number."""
        known = self._texts.get(expression)
        if known is None:
            renamed = expression.xreplace(self._names)
            known = int(renamed) if renamed.is_Integer else str(renamed)
            self._texts[expression] = known
        return known

    def dim(self, size: Any) -> Any:
        """A size of a tensor as text or number."""
        if isinstance(size, torch.SymInt):
            return self.text(self.environment.replace(size.node.expr))
        return int(size)

    def settled(self) -> dict[str, Any]:
        """Dimensions that read otherwise at the end of a trace, by how they read when first met.

        A size that turns out to be a number (a batch of one broadcasts) is still a symbol in what
        was recorded before that; left so, equal shapes would not look equal.
        """
        known = dict(self._texts)
        read = {text: self.text(self.environment.replace(old)) for old, text in known.items()}
        return {old: new for old, new in read.items() if isinstance(old, str) and old != new}

    def guards(self) -> tuple[str, ...]:
        """The conditions under which the trace holds, those on numbers left out."""
        found = []
        for guard in self.environment.guards:
            renamed = guard.expr.xreplace(self._names)
            if renamed is not sympy.true and renamed.free_symbols:
                found.append(str(renamed))
        for symbol, value in self.environment.replacements.items():
            if symbol in self._names:
                found.append(str(sympy.Eq(self._names[symbol], value.xreplace(self._names))))
        return tuple(dict.fromkeys(found))


def trace_family(
    name: str, parameters: Mapping[str, Any], symbolic: tuple[str, ...], batch: int
) -> Graph:
    """A family traced with the named parameters (and ``"batch"``) as symbols."""
    family = models.family(name)
    values = family.check(**parameters)
    hints = {key: (batch if key == "batch" else int(values[key])) for key in symbolic}
    zero = frozenset(p.name for p in family.parameters if p.symbolic and p.low == 0)
    sizes = _Sizes(hints, zero)
    given = {**values, **{k: v for k, v in sizes.sizes.items() if k != "batch"}}
    samples = sizes.sizes.get("batch", batch)
    fake = FakeTensorMode(shape_env=sizes.environment, allow_non_fake_inputs=True)
    with modules.translated_errors(name), fake:
        module = modules.build(lambda: family.build(**given))
        with torch.device("meta"):
            inputs = family.inputs(**given, batch=samples)
        path = modules.ModulePath(module)
        recorder = Recorder(modules.tensor_names(module), sizes.dim, path)
        indices, outputs = modules.run(module, inputs, {}, recorder, path)
    graph = _settled(recorder.graph(name, indices, modules.leaves(outputs)), sizes.settled())
    guards = tuple(guard for guard in sizes.guards() if not _always(guard, hints))
    graph = replace(graph, symbols=tuple(symbolic), guards=guards)
    return graph if graph.is_symbolic else costs.priced(graph)


def _settled(graph: Graph, dims: Mapping[str, Any]) -> Graph:
    """The graph with dimensions as they read at the end of the trace."""
    if not dims:
        return graph

    def settle(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(settle(item) for item in value)
        return dims.get(value, value) if isinstance(value, str) else value

    values = (replace(value, shape=settle(value.shape)) for value in graph.values)
    operators = (
        replace(each, attributes=Frozen({k: settle(v) for k, v in each.attributes.items()}))
        for each in graph.operators
    )
    return replace(graph, values=tuple(values), operators=tuple(operators))


def _always(guard: str, hints: Mapping[str, int]) -> bool:
    """Whether a guard says no more than that sizes are at least one."""
    names = symbols.free(guard)
    return not names or bool(guard in {f"{n} >= 1" for n in hints} | {f"{n} > 0" for n in hints})

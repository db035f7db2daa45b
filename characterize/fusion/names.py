"""Names for kernels: from module paths, and from the operators they fuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from characterize.fusion.facts import Facts
from characterize.fusion.tables import CALLS, ELEMENTWISE, base_name, short_name
from characterize.records import Graph

MAX_PARTS = 6  # in a kernel's name


def containers(graph: Graph) -> frozenset[str]:
    """Module paths that have modules with operators below them."""
    found = {""}
    for path in {operator.module for operator in graph.operators}:
        parent = path.rpartition(".")[0]
        while parent and parent not in found:
            found.add(parent)
            parent = parent.rpartition(".")[0]
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Namer:
    """Names the kernels of one graph."""

    facts: Facts
    containers: frozenset[str]

    def name(self, operators: Sequence[int]) -> str:
        """Module paths joined by plus, each after the first relative to what it shares with it.

        ``layer1.0.conv1+bn1+relu``; an operator that a container calls directly adds its own name,
        ``layer1.0.conv2+bn2+add+relu``.
        """
        if len(operators) == 1:
            return self._label(operators[0])
        labels = list(dict.fromkeys(self._label(index) for index in operators))
        first = labels[0]
        parts = [first, *(_relative(label, first) for label in labels[1:MAX_PARTS])]
        more = len(labels) - MAX_PARTS
        return "+".join(parts) + (f"+{more} more" if more > 0 else "")

    def _label(self, index: int) -> str:
        """The module's path, with the operator's name where the module is not a leaf."""
        operator = self.facts.graph.operators[index]
        if operator.module not in self.containers:
            return operator.module
        word = short_name(operator.name)
        return f"{operator.module}.{word}" if operator.module else word

    def pattern(self, operators: Sequence[int], folded: Sequence[int] = ()) -> str:
        """What was fused: ``conv+bn+relu``, ``add+layer_norm``, ``pointwise x4``."""
        if len(operators) == 1 and not folded:
            return short_name(self.facts.graph.operators[operators[0]].name)
        members = sorted((*operators, *folded))
        words = self._words(members, frozenset(folded))
        called = any(self.facts.loops[index] in CALLS for index in members)
        if called or len(words) == 1:
            return "+".join(word for word, _ in words)
        parts = []
        for plain, run in groupby(words, key=lambda pair: pair[1]):
            texts = [word for word, _ in run]
            long = plain and len(texts) > 2
            parts += [f"pointwise x{len(texts)}"] if long else texts
        return "+".join(parts)

    def _words(self, members: Sequence[int], folded: frozenset[int]) -> list[tuple[str, bool]]:
        """The members' names, ``x * sigmoid(x)`` as one word, and whether each is elementwise."""
        operators = self.facts.graph.operators
        words: list[tuple[str, bool]] = []
        gate = None
        for index in members:
            operator = operators[index]
            word, plain = short_name(operator.name), self.facts.loops[index] in ELEMENTWISE
            if word == "mul" and gate is not None and self._gates(gate, index):
                words[-1] = ("silu", True)
            else:
                words.append((f"{word}(folded)" if index in folded else word, plain))
            gate = index if base_name(operator.name) == "sigmoid" else None
        return words

    def _gates(self, sigmoid: int, product: int) -> bool:
        """Whether a product is of a value and its own sigmoid."""
        gate = self.facts.graph.operators[sigmoid].outputs[0]
        reads = set(self.facts.reads[product])
        return reads == {gate, self.facts.reads[sigmoid][0]}


def _relative(label: str, first: str) -> str:
    """A path without the leading part that it shares with the first of the name."""
    mine, other = label.split("."), first.split(".")
    shared = 0
    while shared < min(len(mine), len(other)) - 1 and mine[shared] == other[shared]:
        shared += 1
    return ".".join(mine[shared:])

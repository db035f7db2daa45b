"""Why a kernel ends where it does: one short phrase about the first operator that was not taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from characterize.fusion.assembly import Group
from characterize.fusion.epilogues import MAX_REGION
from characterize.fusion.facts import Facts
from characterize.fusion.names import Namer
from characterize.fusion.tables import CALLS, ELEMENTWISE, Loop, short_name
from characterize.records import Stack


@dataclass(frozen=True, slots=True)
class Reasons:
    """Explains the kernels of one graph."""

    facts: Facts
    stack: Stack
    takers: frozenset[Loop]
    home: dict[int, Group]
    containers: frozenset[str]

    @classmethod
    def of(
        cls, namer: Namer, stack: Stack, takers: frozenset[Loop], groups: Sequence[Group]
    ) -> Reasons:
        """Reasons for these kernels, in a stack whose ``takers`` are given an epilogue."""
        home = {i: g for g in groups for i in (*g.operators, *g.folded)}
        return cls(namer.facts, stack, takers, home, namer.containers)

    def explain(self, group: Group, writes: Sequence[int]) -> str:
        """Why the operators that read what a kernel writes are not in it."""
        if self.stack is Stack.EAGER:
            return "eager runs every operator by itself"
        facts = self.facts
        if any(value in facts.escapes for value in writes):
            return "its result leaves the network"
        if not writes:
            return "nothing reads its result"
        value = max(writes, key=lambda v: (facts.producer[v], len(facts.uses[v])))
        for use in facts.uses[value]:
            if self.home.get(use) is not group:
                return self._refusal(group, value, use)
        return "nothing reads its result"

    def _refusal(self, group: Group, value: int, first: int) -> str:
        """What kept the first reader of a value out."""
        facts, last = self.facts, self.facts.producer[value]
        word = short_name(facts.graph.operators[first].name)
        if facts.loops[first] in CALLS:
            return f"{word} begins a kernel of its own"
        called = next((i for i in group.operators if facts.loops[i] in CALLS), None)
        consumers = len(facts.uses[value])
        if called is not None and consumers > 1:
            return f"{word} not fused: {self._label(last)}'s output has {consumers} consumers"
        if called is not None and facts.loops[called] not in self.takers:
            call = short_name(facts.graph.operators[called].name)
            return f"{word} not fused: {call} is a library call without epilogue"
        return f"{word} not fused: {self._obstacle(group, value, first, called is not None)}"

    def _obstacle(self, group: Group, value: int, first: int, called: bool) -> str:
        """The rule that an operator broke, without its name."""
        facts = self.facts
        loop, other = facts.loops[first], self.home.get(first)
        if called and loop not in ELEMENTWISE:
            return "it is not elementwise"
        if any(facts.loops[i] is Loop.CONCATENATION for i in group.operators):
            return "nothing follows a concatenation in its kernel"
        if loop in (Loop.WINDOW, Loop.GATHER, Loop.REARRANGE, Loop.CONCATENATION):
            return "it does not read element by element"
        if facts.numel_out(first) != facts.numel(value):
            return "it walks over another number of elements"
        if not facts.in_order(first, value):
            return "it reads the result in another order"
        if other and any(facts.loops[i] in CALLS for i in other.operators):
            return f"it went to {self._label(other.operators[0])}, which runs later"
        if len(group.operators) >= MAX_REGION:
            return "the kernel is full"
        return "it also needs a kernel that runs in between"

    def _label(self, index: int) -> str:
        """The end of a module's path, from a part that is a word; in a container the operator."""
        operator = self.facts.graph.operators[index]
        if operator.module in self.containers:
            return short_name(operator.name)
        parts = operator.module.split(".")
        start = max((n for n, part in enumerate(parts) if not part.isdigit()), default=0)
        return ".".join(parts[start:])

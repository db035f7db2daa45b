"""Epilogues: elementwise operators that a convolution or matrix product applies to its result.

A *region* grows from a call along its result. It may be cut only where a single value leaves it, so
everything before the cut has all its consumers inside: the intermediate is never written, and the
region can be run as late as its last operand needs without a cycle. That also covers results used
twice inside (``x * sigmoid(x)``) and residual additions.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from characterize.fusion.facts import Facts
from characterize.fusion.stacks import EPILOGUES
from characterize.fusion.tables import CALLS, ELEMENTWISE
from characterize.records import Stack

MAX_REGION = 64  # operators in one region
MAX_LOOKAHEAD = 16  # operators beyond the last place where the region could be cut


@dataclass(slots=True)
class Region:
    """A call with its epilogue. ``operators[0]`` is the call, the last makes what leaves."""

    operators: list[int]
    stopped: str = ""  # why it grew no further

    @property
    def exit(self) -> int:
        """The operator whose result leaves the region."""
        return self.operators[-1]


@dataclass(slots=True)
class _Growth:
    """A region while it grows: ``open`` has, by value, the uses that lie outside."""

    operators: list[int]
    open: dict[int, int]
    queue: list[int]
    committed: int = 1
    seen: set[int] = field(default_factory=set)


def regions(facts: Facts, stack: Stack) -> dict[int, Region]:
    """A region for every call of the graph, by the index of the call.

    Calls are taken last first, so that a residual addition goes to the later of its two producers:
    by the time that one runs, the other's result is in memory.
    """
    taken: set[int] = set()
    found: dict[int, Region] = {}
    allowed = EPILOGUES[stack]
    for index in range(len(facts.loops) - 1, -1, -1):
        loop = facts.loops[index]
        if loop not in CALLS:
            continue
        plain = (
            loop not in allowed
            or facts.weight[index]
            or len(facts.graph.operators[index].outputs) != 1
        )
        region = Region([index]) if plain else _grow(facts, index, taken)
        taken.update(region.operators)
        found[index] = region
    return found


def _grow(facts: Facts, call: int, taken: set[int]) -> Region:
    """The largest region from ``call`` that one value leaves."""
    value = facts.graph.operators[call].outputs[0]
    growth = _Growth([call], {value: len(facts.uses[value])}, list(facts.uses[value]))
    stopped = ""
    if value in facts.escapes:
        growth.queue.clear()
    while growth.queue and not stopped:
        index = heapq.heappop(growth.queue)
        if index in growth.seen:
            continue
        stopped = _refusal(facts, growth, index, taken) or _add(facts, growth, index)
    return Region(growth.operators[: growth.committed], stopped)


def _refusal(facts: Facts, growth: _Growth, index: int, taken: set[int]) -> str:
    """Why an operator can't join, or nothing."""
    if index in taken:
        return "taken"
    if facts.loops[index] not in ELEMENTWISE or facts.weight[index]:
        return "not elementwise"
    if len(growth.operators) >= min(MAX_REGION, growth.committed + MAX_LOOKAHEAD):
        return "too long"
    if facts.numel_out(index) != facts.numel_out(growth.operators[0]):
        return "iteration space"
    inside = [source for source in facts.reads[index] if source in growth.open]
    if not all(facts.in_place(index, source) for source in inside):
        return "view"
    return ""


def _add(facts: Facts, growth: _Growth, index: int) -> str:
    """Put an operator into the region and cut there if only its result is still used outside."""
    growth.seen.add(index)
    growth.operators.append(index)
    for source in facts.reads[index]:
        if source in growth.open:
            growth.open[source] -= 1
            if not growth.open[source]:
                del growth.open[source]
    out = facts.graph.operators[index].outputs[0]
    growth.open[out] = len(facts.uses[out])
    if len(growth.open) == 1:
        growth.committed = len(growth.operators)
    if out in facts.escapes:
        return "escapes"
    for use in facts.uses[out]:
        heapq.heappush(growth.queue, use)
    return ""

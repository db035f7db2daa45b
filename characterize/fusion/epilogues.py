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
from characterize.fusion.tables import CALLS, ELEMENTWISE, Loop, base_name

MAX_REGION = 64  # operators in one region
MAX_LOOKAHEAD = 16  # operators beyond the last place where the region could be cut


Region = tuple[int, ...]
"""A call and its epilogue, in order: the first is the call, the last makes what leaves."""


@dataclass(slots=True)
class _Growth:
    """A region while it grows: ``open`` has, by value, the uses that lie outside."""

    operators: list[int]
    open: dict[int, int]
    queue: list[int] = field(default_factory=list)
    committed: int = 1
    seen: set[int] = field(default_factory=set)


def regions(facts: Facts, takers: frozenset[Loop]) -> dict[int, Region]:
    """A region for every call of the graph, by its index; ``takers`` are given an epilogue.

    Calls are taken last first, so that a residual addition goes to the later of its two producers:
    by the time that one runs, the other's result is in memory.
    """
    taken: set[int] = set()
    found: dict[int, Region] = {}
    for index in range(len(facts.loops) - 1, -1, -1):
        loop = facts.loops[index]
        if loop not in CALLS:
            continue
        region: Region = (index,)
        if len(facts.graph.operators[index].outputs) == 1 and not facts.weight[index]:
            if loop in takers:
                region = _grow(facts, index, taken)
            elif loop is Loop.ATTENTION:
                region = _with_copy(facts, index)
        taken.update(region)
        found[index] = region
    return found


def _with_copy(facts: Facts, call: int) -> Region:
    """Attention, and the copy of its result that joins the heads, where that copy is none.

    Flash-like kernels lay their result out as the query is: where the query is a view of
    ``[batch, position, heads * channels]``, the result has the heads side by side already.
    """
    (value,) = facts.graph.operators[call].outputs
    query = facts.graph.operators[call].inputs[0]
    uses = facts.uses[value]
    if len(uses) != 1 or value in facts.escapes or not facts.reads_all(uses[0], value):
        return (call,)
    copies = base_name(facts.graph.operators[uses[0]].name) in ("clone", "contiguous")
    permuted = not facts.in_order(call, facts.graph.values[query].source)
    return (call, uses[0]) if copies and permuted else (call,)


def _grow(facts: Facts, call: int, taken: set[int]) -> Region:
    """The largest region from ``call`` that one value leaves."""
    value = facts.graph.operators[call].outputs[0]
    growth = _Growth([call], {value: len(facts.uses[value])})
    if value not in facts.escapes:
        growth.queue.extend(facts.uses[value])
    while growth.queue:
        index = heapq.heappop(growth.queue)
        if index in growth.seen:
            continue
        if index in taken or not _fits(facts, growth, index):
            break
        _add(facts, growth, index)
        if facts.graph.operators[index].outputs[0] in facts.escapes:
            break
    return tuple(growth.operators[: growth.committed])


def _fits(facts: Facts, growth: _Growth, index: int) -> bool:
    """Whether an operator walks over the call's result, element by element and in order."""
    if facts.loops[index] not in ELEMENTWISE or facts.weight[index]:
        return False
    if len(growth.operators) >= min(MAX_REGION, growth.committed + MAX_LOOKAHEAD):
        return False
    if facts.numel_out(index) != facts.numel_out(growth.operators[0]):
        return False
    return all(
        facts.in_order(index, source) for source in facts.reads[index] if source in growth.open
    )


def _add(facts: Facts, growth: _Growth, index: int) -> None:
    """Put an operator into the region, and cut there if only its result is still used outside."""
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
    for use in facts.uses[out]:
        heapq.heappush(growth.queue, use)

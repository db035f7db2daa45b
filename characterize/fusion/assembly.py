"""From groups of operators to kernels: what each reads and writes, and the order they run in."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from characterize.fusion.facts import Facts
from characterize.fusion.shapes import covers
from characterize.fusion.tables import CALLS, Loop

_ANCHOR_RANK = {
    Loop.ROWS: 1,
    Loop.REDUCTION: 2,
    Loop.WINDOW: 3,
    Loop.GATHER: 4,
    Loop.CONCATENATION: 5,
    Loop.REARRANGE: 6,
    Loop.BATCH_NORM: 7,
    Loop.POINTWISE: 8,
    Loop.CREATION: 9,
}


@dataclass(frozen=True, slots=True)
class Group:
    """Operators that are to be one kernel, in order, and those of them that vanish."""

    operators: tuple[int, ...]
    folded: tuple[int, ...] = ()


def anchor_of(facts: Facts, operators: Sequence[int]) -> int:
    """The operator that decides a kernel's kind: the call, else the one that is hardest to run."""
    calls = [index for index in operators if facts.loops[index] in CALLS]
    if calls:
        return calls[-1]
    return min(operators, key=lambda index: _ANCHOR_RANK[facts.loops[index]])


def reads_of(facts: Facts, group: Group, inside: frozenset[int]) -> tuple[int, ...]:
    """The values that a kernel reads from memory, in the order it first asks for them.

    A source that some operator reads whole is there once, as its first whole view. One that is read
    in parts only is there as each distinct part.
    """
    values = facts.graph.values
    whole: dict[int, int] = {}
    asked: dict[int, None] = {}
    for index in group.operators:
        for view in facts.graph.operators[index].inputs:
            source = values[view].source
            if facts.producer[source] in inside or view in asked:
                continue
            asked[view] = None
            if source not in whole and (
                view == source or covers(facts.shapes[view], facts.shapes[source])
            ):
                whole[source] = view
    reads = [v for v in asked if whole.get(values[v].source, v) == v]
    return tuple(reads + _shift_of(facts, group))


def _shift_of(facts: Facts, group: Group) -> list[int]:
    """The bias that a folded batch normalisation leaves where its call had none."""
    found = []
    for index in group.folded:
        norm = facts.graph.operators[index]
        call = facts.graph.operators[facts.producer[facts.reads[index][0]]]
        if "bias" not in call.arguments and "bias" in norm.arguments:
            found.append(norm.inputs[norm.arguments.index("bias")])
    return found


def writes_of(facts: Facts, inside: frozenset[int], *, every: bool = False) -> tuple[int, ...]:
    """The values that a kernel must leave in memory: used outside it, or by nobody at all.

    An output that nobody uses is written only if its operator has no other (it is there for its
    effect), or if ``every`` output is, as in eager execution.
    """
    if every:
        return tuple(v for i in sorted(inside) for v in facts.graph.operators[i].outputs)
    found: list[int] = []
    for index in sorted(inside):
        outputs = facts.graph.operators[index].outputs
        used = [v for v in outputs if facts.uses[v] or v in facts.escapes]
        needed = [
            v for v in used if v in facts.escapes or any(use not in inside for use in facts.uses[v])
        ]
        found += needed if used else outputs
    return tuple(found)


def ordered(facts: Facts, groups: Iterable[Group]) -> list[Group]:
    """Groups in an order that respects every dependency and otherwise follows execution."""
    waiting = sorted(groups, key=lambda group: group.operators[0])
    home = {i: n for n, g in enumerate(waiting) for i in (*g.operators, *g.folded)}
    blockers = [0] * len(waiting)
    followers: list[list[int]] = [[] for _ in waiting]
    for n, group in enumerate(waiting):
        makers = {
            home.get(facts.producer[source], n)
            for index in group.operators
            for source in facts.reads[index]
        } - {n}
        blockers[n] = len(makers)
        for maker in makers:
            followers[maker].append(n)
    ready = [n for n, count in enumerate(blockers) if not count]
    result = []
    while ready:
        n = heapq.heappop(ready)
        result.append(waiting[n])
        for follower in followers[n]:
            blockers[follower] -= 1
            if not blockers[follower]:
                heapq.heappush(ready, follower)
    assert len(result) == len(waiting), "kernels form a cycle"
    return result

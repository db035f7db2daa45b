"""Loop kernels: elementwise chains, reductions, normalisation and softmax in one pass over memory.

Operators are visited in execution order, and each joins a loop that makes one of its operands, or
reads one of them, if both walk over the same elements. Three facts keep kernels free of cycles, and
each is a comparison of two numbers:

- every loop has a *depth*, the largest number of library calls on a path to it; an operator joins
  only a loop of its own depth, so no call lies between;
- among loops of one depth, an operator joins only the latest of those it depends on (or a later one
  that it does not depend on), so edges between loops always point from an earlier to a later one;
- a loop all of whose results go to one operator may be run as late as that operator, and join it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from characterize.fusion.epilogues import Region
from characterize.fusion.facts import Facts
from characterize.fusion.rows import Rows, outer_numel, rows_of, spreads_rows
from characterize.fusion.shapes import Numel, broadcasts
from characterize.fusion.tables import ELEMENTWISE, Loop

MAX_LOOP = 64  # operators in one kernel, as TorchInductor's `max_fusion_size`

_ROWS = frozenset({Loop.REDUCTION, Loop.ROWS})
_MOVES = frozenset({Loop.REARRANGE, Loop.CONCATENATION})
_ON_DEMAND = ELEMENTWISE | {Loop.CREATION, Loop.GATHER}


@dataclass(slots=True, eq=False)
class LoopGroup:
    """A loop kernel while it grows. ``open`` counts uses of its results that lie outside."""

    order: int
    depth: int
    full: Numel
    weight: bool
    operators: list[int] = field(default_factory=list)
    rows: Rows | None = None
    outer: Numel | None = None
    pure: bool = True  # any element can be computed by itself, where it is read
    closed: bool = False  # nothing may follow: concatenation
    open: int = 0
    asked: set[int] = field(default_factory=set)  # values read from outside
    into: LoopGroup | None = None

    def root(self) -> LoopGroup:
        """The group that this one has become part of."""
        group = self
        while group.into is not None:
            group = group.into
        return group


@dataclass(slots=True)
class _State:
    """What the visit has found so far."""

    facts: Facts
    group_of: list[LoopGroup | None]  # by operator; look at its root
    call_depth: list[int]  # by operator of a finished region, else -1
    reader: dict[int, LoopGroup] = field(default_factory=dict)  # last loop that reads a value
    made: int = 0


def loop_groups(
    facts: Facts, regions: dict[int, Region], absent: frozenset[int]
) -> list[LoopGroup]:
    """Group every operator that is neither in a region nor ``absent`` into loop kernels."""
    count = len(facts.loops) + 1  # the last is for the producer -1 of what nobody makes
    state = _State(facts, [None] * count, [-1] * count)
    ends = {region[-1]: region for region in regions.values()}
    inner = {i for region in regions.values() for i in region}
    for index in range(len(facts.loops)):
        if index in ends:
            _finish_call(state, ends[index])
        elif index not in inner and index not in absent:
            _visit(state, index)
    roots = {id(group): group for group in (g.root() for g in state.group_of if g)}
    return list(roots.values())


def _finish_call(state: _State, region: Region) -> None:
    """Give a region its depth once all its operands are made."""
    inside = set(region)
    depth = 0
    for index in region:
        for source in state.facts.reads[index]:
            maker = state.facts.producer[source]
            if maker not in inside:
                depth = max(depth, _depth(state, maker) + 1)
    for index in region:
        state.call_depth[index] = depth


def _depth(state: _State, maker: int) -> int:
    """Depth of the kernel that holds an operator, -1 where a value comes from outside."""
    group = state.group_of[maker]
    return group.root().depth if group else state.call_depth[maker]


def _visit(state: _State, index: int) -> None:
    """Put one operator into a loop, and draw in the loops that only feed the operator."""
    facts = state.facts
    depth = 0
    feeders: dict[int, tuple[LoopGroup, list[int]]] = {}
    for source in facts.reads[index]:
        maker = facts.producer[source]
        maker_group = state.group_of[maker]
        if maker_group:
            group = maker_group.root()
            depth = max(depth, group.depth)
            feeders.setdefault(id(group), (group, []))[1].append(source)
        elif state.call_depth[maker] >= depth:
            depth = state.call_depth[maker] + 1
    home = _home(state, index, depth, [group for group, _ in feeders.values()])
    group = home or _new(state, index, depth)
    drawn = [
        feeder
        for feeder, sources in feeders.values()
        if feeder is not group and _can_draw(state, index, sources, feeder, group)
    ]
    _join(state, index, group)
    for feeder in drawn:
        _merge(feeder, group, feeders[id(feeder)][1])


def _home(state: _State, index: int, depth: int, feeders: list[LoopGroup]) -> LoopGroup | None:
    """The loop that an operator joins: the latest it depends on, or one that reads the same."""
    facts = state.facts
    same = [group for group in feeders if group.depth == depth]
    latest = max(same, key=lambda group: group.order, default=None)
    if latest and _accepts(state, index, latest):
        return latest
    floor = latest.order if latest else -1
    for source in facts.reads[index]:
        reader = state.reader.get(source)
        if reader is None or facts.numel(source) != _walk(facts, index):
            continue
        group = reader.root()
        if group.depth == depth and group.order > floor and _accepts(state, index, group):
            return group
    return None


def _new(state: _State, index: int, depth: int) -> LoopGroup:
    """A loop of its own for an operator."""
    facts = state.facts
    state.made += 1
    return LoopGroup(state.made, depth, _walk(facts, index), facts.weight[index])


def _accepts(state: _State, index: int, group: LoopGroup) -> bool:
    """Whether an operator walks over the same elements, in the same order, as a loop."""
    facts, loop = state.facts, state.facts.loops[index]
    if group.closed or len(group.operators) >= MAX_LOOP or group.weight != facts.weight[index]:
        return False
    if loop in ELEMENTWISE:
        size = facts.numel_out(index)
        if size not in (group.full, group.outer):
            return False
    elif loop in _ROWS:
        if facts.numel_in(index) != group.full:
            return False
        if group.rows is not None and rows_of(facts, index) != group.rows:
            return False
    else:
        return False
    return all(_in_step(state, index, source, group) for source in facts.reads[index])


def _in_step(state: _State, index: int, source: int, group: LoopGroup) -> bool:
    """Whether an operand that the loop makes is read at the element where it is made."""
    facts = state.facts
    if not _made_by(state, source, group):
        return True
    if facts.numel(source) == _walk(facts, index):
        return facts.in_order(index, source)
    if group.rows is None or facts.loops[index] not in ELEMENTWISE:
        return False
    shapes, full = facts.shapes, facts.shape_out(index)
    views = facts.views_of(index, source)
    return not any(facts.graph.values[view].order for view in views) and all(
        spreads_rows(shapes[view], full, group.rows)
        or (shapes[view] == full and spreads_rows(shapes[source], full, group.rows))
        for view in views
    )


def _walk(facts: Facts, index: int) -> Numel:
    """How many elements an operator walks over."""
    return facts.numel_in(index) if facts.loops[index] in _ROWS else facts.numel_out(index)


def _join(state: _State, index: int, group: LoopGroup) -> None:
    """Put an operator into a loop and keep the loop's account of uses outside."""
    facts, loop = state.facts, state.facts.loops[index]
    for source in facts.reads[index]:
        if _made_by(state, source, group):
            group.open -= 1
        else:
            group.asked.add(source)
        state.reader[source] = group
    group.operators.append(index)
    state.group_of[index] = group
    for value in facts.graph.operators[index].outputs:
        group.open += len(facts.uses[value]) + (value in facts.escapes)
    if loop in _ROWS and group.rows is None:
        group.rows, group.outer = rows_of(facts, index), outer_numel(facts, index)
    group.pure = group.pure and loop in _ON_DEMAND
    group.closed = group.closed or loop is Loop.CONCATENATION


def _can_draw(
    state: _State, index: int, sources: list[int], feeder: LoopGroup, group: LoopGroup
) -> bool:
    """Whether a loop whose results all go to one operator can run inside that operator's loop."""
    if feeder.open != len(sources) or feeder.closed:
        return False
    if len(feeder.operators) + len(group.operators) >= MAX_LOOP:
        return False
    if feeder.pure and all(_on_demand(state, index, source, feeder) for source in sources):
        return True
    facts, loop = state.facts, state.facts.loops[index]
    if feeder.weight != group.weight or (loop not in _ROWS and loop not in ELEMENTWISE):
        return False
    rows = rows_of(facts, index) if loop in _ROWS else group.rows
    if feeder.full != group.full or (feeder.rows and rows and feeder.rows != rows):
        return False
    return all(_in_step(state, index, source, feeder) for source in sources)


def _on_demand(state: _State, index: int, source: int, feeder: LoopGroup) -> bool:
    """Whether an operator can compute the elements of an operand where it reads them.

    It must ask for all of them. Where it asks for the same one again, for the overlaps of a window,
    that has to be cheap: the operand reads a single value. A small operand that is broadcast is
    computed again for every element, as TorchInductor does.
    """
    facts, loop = state.facts, state.facts.loops[index]
    values = facts.graph.values
    if not facts.reads_all(index, source):
        return False
    if loop is Loop.WINDOW:
        return len(feeder.asked) == 1
    if loop is Loop.GATHER:
        return source != values[facts.graph.operators[index].inputs[0]].source  # no table
    if loop in _MOVES or facts.numel(source) == _walk(facts, index):
        return loop in _MOVES or loop in _ROWS or loop in ELEMENTWISE
    full = facts.shape_out(index)
    return loop in ELEMENTWISE and all(
        broadcasts(facts.shapes[view], full) for view in facts.views_of(index, source)
    )


def _made_by(state: _State, source: int, group: LoopGroup) -> bool:
    """Whether a value is made in a loop."""
    maker = state.group_of[state.facts.producer[source]]
    return maker is not None and maker.root() is group


def _merge(feeder: LoopGroup, group: LoopGroup, sources: list[int]) -> None:
    """Make one loop of two, once the one operator that the first feeds is in the second."""
    feeder.into = group
    group.operators = sorted(feeder.operators + group.operators)
    group.pure = group.pure and feeder.pure
    group.asked = group.asked.difference(sources) | feeder.asked
    if group.rows is None:
        group.rows, group.outer = feeder.rows, feeder.outer

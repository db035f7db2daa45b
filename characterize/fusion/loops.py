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
from characterize.fusion.facts import IN_ORDER, Facts, Order, Orders
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
    asked: dict[int, Orders] = field(default_factory=dict)  # values read from outside, and how
    mixed: bool = False  # two operators read one of those in different orders
    aside: set[int] = field(default_factory=set)  # results that are met in another order than rows
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
    drawn = _drawn(state, index, group, list(feeders.values()))
    _join(state, index, group)
    for feeder in drawn:
        _merge(state, index, feeders[id(feeder)][1], feeder, group)


def _drawn(
    state: _State, index: int, group: LoopGroup, feeders: list[tuple[LoopGroup, list[int]]]
) -> list[LoopGroup]:
    """The loops that only feed an operator, and can run inside the loop that it joins."""
    found: list[LoopGroup] = []
    asked: dict[int, Orders] | None = None
    for feeder, sources in feeders:
        if feeder is group or not _can_draw(state, index, sources, feeder, group):
            continue
        if group.rows or feeder.rows or state.facts.loops[index] in _ROWS:
            asked = asked or group.asked | _asks(state, index, group)
            more = _drawn_asks(state, index, sources, feeder)
            aside = feeder.mixed or not feeder.aside.isdisjoint(sources)
            if aside or not (_alike(state, index, group) and _one_order(asked, more)):
                continue
            asked |= more
        found.append(feeder)
    return found


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
    if (loop in _ROWS or group.rows) and not _shares_rows(state, index, group):
        return False
    return all(_in_step(state, index, source, group) for source in facts.reads[index])


def _shares_rows(state: _State, index: int, group: LoopGroup) -> bool:
    """Whether one pass over rows is right for an operator and a loop, as to what both read.

    Where they read a value in different orders it is, if neither needs the other's results:
    elements are computed as the rows that hold them pass, aside.
    """
    if _alike(state, index, group):
        return True
    made = {source for source in state.facts.reads[index] if _made_by(state, source, group)}
    if state.facts.loops[index] in _ROWS:
        return not made and group.rows is None
    return made <= group.aside


def _alike(state: _State, index: int, group: LoopGroup) -> bool:
    """Whether an operator meets all that it reads in the order of a loop's rows."""
    aside = not group.aside.isdisjoint(state.facts.reads[index])
    return not (group.mixed or aside) and _one_order(group.asked, _asks(state, index, group))


def _asks(state: _State, index: int, group: LoopGroup) -> dict[int, Orders]:
    """What an operator reads from outside a loop, and in which order."""
    facts = state.facts
    return {
        source: facts.orders(index, source)
        for source in facts.reads[index]
        if not _made_by(state, source, group)
    }


def _one_order(asked: dict[int, Orders], more: dict[int, Orders]) -> bool:
    """Whether what two parts of a loop both read is read in one order, as a pass over rows asks.

    A square matrix has as many rows as columns, and as long; their sums are two passes.
    """
    return all(asked.get(source, orders) == orders for source, orders in more.items())


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
    if group.rows or loop in _ROWS:
        _ask_in_rows(state, index, group)
    else:
        _ask(group, _asks(state, index, group))
    for source in facts.reads[index]:
        group.open -= _made_by(state, source, group)
        state.reader[source] = group
    group.operators.append(index)
    state.group_of[index] = group
    for value in facts.graph.operators[index].outputs:
        group.open += len(facts.uses[value]) + (value in facts.escapes)
    if loop in _ROWS and group.rows is None:
        group.rows, group.outer = rows_of(facts, index), outer_numel(facts, index)
    group.pure = group.pure and loop in _ON_DEMAND
    group.closed = group.closed or loop is Loop.CONCATENATION


def _ask(group: LoopGroup, more: dict[int, Orders]) -> None:
    """Have a loop read more values from outside."""
    group.mixed = group.mixed or not _one_order(group.asked, more)
    for source, orders in more.items():
        group.asked[source] = group.asked.get(source, orders) | orders


def _ask_in_rows(state: _State, index: int, group: LoopGroup) -> None:
    """Have a loop over rows read what an operator reads; what has another order stands aside."""
    operators, rows = state.facts.graph.operators, state.facts.loops[index] in _ROWS
    if _alike(state, index, group):
        _ask(group, _asks(state, index, group))
    elif rows:
        group.aside.update(out for each in group.operators for out in operators[each].outputs)
        group.asked, group.mixed = _asks(state, index, group), False
    else:
        group.aside.update(operators[index].outputs)


def _drawn_asks(
    state: _State, index: int, sources: list[int], feeder: LoopGroup
) -> dict[int, Orders]:
    """What a loop reads from outside as the one operator sees it that its results go to."""
    turns = frozenset[Order]().union(*(state.facts.orders(index, source) for source in sources))
    if turns == IN_ORDER:
        return feeder.asked
    return {
        source: frozenset((*turn, "of", *order) for turn in turns for order in orders)
        for source, orders in feeder.asked.items()
    }


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


def _merge(
    state: _State, index: int, sources: list[int], feeder: LoopGroup, group: LoopGroup
) -> None:
    """Make one loop of two, once the one operator that the first feeds is in the second."""
    feeder.into = group
    group.operators = sorted(feeder.operators + group.operators)
    group.pure = group.pure and feeder.pure
    for source in sources:
        group.asked.pop(source, None)
    group.mixed, group.aside = group.mixed or feeder.mixed, group.aside | feeder.aside
    _ask(group, _drawn_asks(state, index, sources, feeder))
    if group.rows is None:
        group.rows, group.outer = feeder.rows, feeder.outer

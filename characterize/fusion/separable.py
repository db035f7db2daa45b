"""Depthwise-separable pairs: a depthwise convolution and the 1x1 one that mixes its channels.

A kernel that keeps a few rows of the depthwise result on chip can feed them to the 1x1 convolution
at once, so the tensor between them never reaches memory. No library does that by default; it is an
option for execution models that can.
"""

from __future__ import annotations

from typing import Any

from characterize.fusion.assembly import Group
from characterize.fusion.facts import Facts
from characterize.fusion.tables import Loop, base_name
from characterize.records import Operator, Shape


def join_separable(facts: Facts, groups: list[Group]) -> list[Group]:
    """Join each depthwise group to the 1x1 group that alone reads its result."""
    by_exit = {facts.graph.operators[max(g.operators + g.folded)].outputs[0]: g for g in groups}
    joined: dict[int, Group] = {}
    gone: set[int] = set()
    for group in groups:
        call = group.operators[0]
        source = facts.reads[call][0] if facts.reads[call] else -1
        first = by_exit.get(source)
        if first is None or not _is_pair(facts, first.operators[0], call):
            continue
        if facts.uses[source] != [call] or source in facts.escapes:
            continue
        if facts.graph.operators[call].inputs[0] != source:
            continue
        joined[call] = Group((*first.operators, *group.operators), (*first.folded, *group.folded))
        gone.add(first.operators[0])
    return [joined.get(g.operators[0], g) for g in groups if g.operators[0] not in gone]


def _is_pair(facts: Facts, first: int, second: int) -> bool:
    """Whether two calls are a depthwise and a 1x1 convolution."""
    loops = facts.loops
    return (
        loops[first] is loops[second] is Loop.CONVOLUTION
        and _is_depthwise(facts, first)
        and _is_mixing(facts, second)
    )


def _weight_shape(facts: Facts, operator: Operator) -> Shape:
    """Shape of a convolution's weight."""
    arguments = operator.arguments
    position = arguments.index("weight") if "weight" in arguments else 1
    return facts.shapes[operator.inputs[position]]


def _is_depthwise(facts: Facts, index: int) -> bool:
    """Whether every group of a convolution has one input channel and there are several groups."""
    operator = facts.graph.operators[index]
    if _is_transposed(operator) or operator.attributes.get("groups", 1) == 1:
        return False
    return bool(_weight_shape(facts, operator)[1] == 1)


def _is_mixing(facts: Facts, index: int) -> bool:
    """Whether a convolution is dense, 1x1, with stride 1 and no padding."""
    operator = facts.graph.operators[index]
    attributes = operator.attributes
    return (
        not _is_transposed(operator)
        and attributes.get("groups", 1) == 1
        and all(dim == 1 for dim in _weight_shape(facts, operator)[2:])
        and _all_are(attributes.get("stride", 1), 1)
        and _all_are(attributes.get("padding", 0), 0)
    )


def _is_transposed(operator: Operator) -> bool:
    return bool(operator.attributes.get("transposed")) or "transpose" in base_name(operator.name)


def _all_are(value: Any, expected: int) -> bool:
    """Whether a number, or each of a sequence of numbers, is the expected one."""
    listed = value if isinstance(value, tuple | list) else (value,)
    return all(item == expected for item in listed)

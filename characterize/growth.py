"""Templates of deeper networks from those of shallow ones, without tracing.

A network of n equal layers is a beginning, n times the same block, and an end. The templates of one
depth and of one layer more tell the block apart; a deeper template repeats it. What is a number in a
record (the value that an operator reads, the memory it lies in, the place in a module's name) moves by
the same step from block to block or stays; all else (shapes, types, attributes) has to be equal in
three blocks in a row. Where that is not so (a stride makes each layer smaller than the one before) there is
no answer, and the network is traced as it is. Tests hold grown templates against traced ones, record
by record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from characterize.records import Graph, Operator, Value

Parts = tuple[Any, tuple[int, ...]]  # what must be equal in every block, and what moves evenly
_NUMBER = re.compile(r"(\d+)")


def grown(small: Graph, large: Graph, more: int) -> Graph | None:
    """The template with ``more`` layers than ``small``, where ``large`` has one more.

    ``None`` where the two do not tell: their guards differ, or the last blocks are not alike.
    """
    named = ("model", "symbols", "guards", "notes", "inputs")
    if any(getattr(small, name) != getattr(large, name) for name in named):
        return None
    values = _longer(small.values, large.values, more, _of_value)
    operators = _longer(small.operators, large.operators, more, _of_operator)
    # what a network returns comes first, then what its layers keep, keys and values
    result = _longer(small.outputs[:1], large.outputs[:1], more, _of_index)
    kept = _longer(small.outputs[1:], large.outputs[1:], more, _of_index)
    if values is None or operators is None or result is None or kept is None:
        return None
    return Graph(
        small.model,
        tuple(_value(*parts) for parts in values),
        tuple(_operator(*parts) for parts in operators),
        small.inputs,
        tuple(index for _, (index,) in (*result, *kept)),
        small.symbols,
        small.guards,
        small.notes,
    )


def _longer(
    small: Sequence[Any], large: Sequence[Any], more: int, apart: Callable[[Any], Parts]
) -> list[Parts] | None:
    """The records of ``small`` with ``more`` blocks where ``large`` has one."""
    block = len(large) - len(small)
    begin = next(
        (i for i, pair in enumerate(zip(small, large, strict=False)) if pair[0] != pair[1]),
        min(len(small), len(large)),
    )
    if block < 0 or begin < 2 * block:
        return None
    parts = [apart(each) for each in large]
    last, middle, first = (parts[begin - k * block : begin - (k - 1) * block] for k in (0, 1, 2))
    steps, before = _steps(middle, last), _steps(first, middle)
    end, later = [apart(each) for each in small[begin:]], parts[begin + block :]
    moves = _steps(end, later)
    if steps is None or moves is None or steps != before:
        return None
    found = parts[:begin]
    for times in range(more):
        found += _moved(last, steps, times)
    return found + _moved(end, moves, more)


def _steps(before: Sequence[Parts], after: Sequence[Parts]) -> list[tuple[int, ...]] | None:
    """How far each number moves from one block to the next; ``None`` where they are not alike."""
    found = []
    for (fixed, numbers), (other, moved) in zip(before, after, strict=True):
        if fixed != other or len(numbers) != len(moved):
            return None
        found.append(tuple(b - a for a, b in zip(numbers, moved, strict=True)))
    return found


def _moved(block: Sequence[Parts], steps: Iterable[tuple[int, ...]], times: int) -> list[Parts]:
    return [
        (fixed, tuple(n + times * step for n, step in zip(numbers, by, strict=True)))
        for (fixed, numbers), by in zip(block, steps, strict=True)
    ]


# Records apart, and together again


@lru_cache(maxsize=4096)
def _named(name: str) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """``layers.3.mlp.0`` as its words and its numbers."""
    words = _NUMBER.split(name)
    return tuple(words[::2]), tuple(map(int, words[1::2]))


def _name(words: tuple[str, ...], numbers: Sequence[int]) -> str:
    return words[0] + "".join(f"{n}{w}" for n, w in zip(numbers, words[1:], strict=True))


def _of_index(index: int) -> Parts:
    return None, (index,)


def _of_value(value: Value) -> Parts:
    words, numbers = _named(value.name)
    fixed = (value.shape, value.dtype, value.role, words, value.order, value.turned)
    return fixed, (value.source, value.storage, *numbers)


def _value(fixed: Any, numbers: tuple[int, ...]) -> Value:
    shape, dtype, role, words, order, turned = fixed
    source, storage, *places = numbers
    return Value(shape, dtype, role, source, storage, _name(words, places), order, turned)


def _of_operator(operator: Operator) -> Parts:
    words, numbers = _named(operator.module)
    reads, writes = len(operator.inputs), len(operator.outputs)
    fixed = (
        operator.name, operator.arguments, operator.attributes, words, operator.inplace, reads, writes,
    )  # fmt: skip
    return fixed, (*operator.inputs, *operator.outputs, *numbers)


def _operator(fixed: Any, numbers: tuple[int, ...]) -> Operator:
    name, arguments, attributes, words, inplace, reads, writes = fixed
    inputs, outputs = numbers[:reads], numbers[reads : reads + writes]
    module = _name(words, numbers[reads + writes :])
    return Operator(name, inputs, outputs, arguments, attributes, module, inplace)

"""In which order a view shows the elements of its source, read from strides.

Shapes tell a transposed matrix only where its two sizes differ, and not at all where a view splits
what another merged (a channel shuffle, ``[s*b, c]`` seen as ``[b, s, c]``); strides tell both.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

Layout = tuple[tuple[int, ...], tuple[int, ...]]
"""Sizes and strides of a tensor."""


def layout_of(tensor: Any) -> Layout:
    """How a tensor lies in memory; of symbols their hints, which binds nothing.

    The order of a view does not depend on its sizes, but for sizes of one, which have no place in
    it. A symbol is never taken for one: where the template is evaluated it may be more.
    """
    sizes, strides = tensor.shape, tensor.stride()
    return (
        tuple([size if type(size) is int else max(int(size.node.hint), 2) for size in sizes]),
        tuple([step if type(step) is int else int(step.node.hint) for step in strides]),
    )


@lru_cache(maxsize=65536)
def order_of(view: Layout, source: Layout) -> tuple[int, ...]:
    """The dimensions of a view from outermost to innermost in its source; empty for ascending ones.

    Dimensions of one element, and those that repeat one, are left out.

    >>> matrix = ((2, 3, 3), (9, 3, 1))
    >>> order_of(((2, 3, 3), (9, 1, 3)), matrix), order_of(((2, 9), (9, 1)), matrix)
    ((0, 2, 1), ())

    A source may itself lie transposed in memory; its own order is what counts:

    >>> order_of(((3, 2), (2, 1)), ((2, 3), (1, 2)))
    (1, 0)
    """
    pairs = enumerate(zip(*view, strict=True))
    shown = [(position, step) for position, (size, step) in pairs if size != 1 and step]
    steps = _steps(source)
    outer_first = sorted(shown, key=lambda each: -_step(each[1], steps))
    order = tuple([position for position, _ in outer_first])
    return order if any(one > other for one, other in pairwise(order)) else ()


@lru_cache(maxsize=65536)
def is_turned(view: Layout, source: Layout) -> bool:
    """Whether a view's last dimension is a whole one of its source's, but not the source's last.

    >>> tokens = ((2, 9, 4), (36, 4, 1))
    >>> is_turned(((2, 4, 9), (36, 1, 4)), tokens), is_turned(((2, 2, 9, 2), (36, 2, 4, 1)), tokens)
    (True, False)
    """
    sizes, strides = view
    if not sizes or not source[0] or sizes[-1] == 1 or source[0][-1] == 1:
        return False
    own = contiguous(source[0])
    step = _step(strides[-1], _steps(source))
    return (sizes[-1], step) in tuple(zip(*own, strict=True))[:-1]


def contiguous(shape: Sequence[int]) -> Layout:
    """The layout of a tensor whose elements lie in order without gaps.

    >>> contiguous((2, 3, 4))
    ((2, 3, 4), (12, 4, 1))
    """
    strides = [1]
    for size in reversed(shape[1:]):
        strides.append(strides[-1] * size)
    return tuple(shape), tuple(reversed(strides[: len(shape)]))


def _steps(source: Layout) -> list[tuple[int, int]]:
    """By stride in memory, largest first: how many elements on in the source's own order that is."""
    found, step = [], 1
    for size, stride in zip(*map(reversed, source), strict=True):
        if size != 1 and stride:
            found.append((stride, step))
        step *= size
    return sorted(found, reverse=True)


def _step(stride: int, steps: Sequence[tuple[int, int]]) -> int:
    """How many elements on in the source a stride in memory leads."""
    for own, step in steps:
        if stride >= own and stride % own == 0:
            return stride // own * step
    return stride

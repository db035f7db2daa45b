"""Comparing shapes whose dimensions are numbers or text, without ever evaluating an expression.

Two counts of elements are the same if their integer parts are equal and their symbolic factors are
the same multiset: ``(batch, 16, "h*w")`` has as many elements as ``(batch, "w", 4, "h", 4)``.
Counts that are equal only after algebra (``(h + 1)*(h - 1)`` and ``h**2 - 1``) are taken to differ,
which costs a fusion and is never wrong.
"""

from __future__ import annotations

import re
from functools import lru_cache

from characterize.records import Shape

Numel = tuple[int, tuple[str, ...]]
"""A number of elements: an integer and the sorted symbolic factors beside it."""

_TOKEN = re.compile(r"\*\*|//|[-+*/%()]|[^-+*/%()]+")


def _split(text: str) -> list[str] | None:
    """The factors of a product, or None if the text is not a plain product."""
    parts, depth = [""], 0
    for token in _TOKEN.findall(text):
        if depth == 0 and token == "*":
            parts.append("")
            continue
        if depth == 0 and token in ("+", "-", "/", "//", "%"):
            return None
        depth += (token == "(") - (token == ")")
        parts[-1] += token
    return parts


def _power(part: str) -> tuple[str, int]:
    """``("h", 3)`` for ``"h**3"``."""
    base, mark, exponent = part.rpartition("**")
    return (base, int(exponent)) if mark and exponent.isdigit() and base else (part, 1)


@lru_cache(maxsize=65536)
def _factors(dim: str) -> Numel:
    """The integer and the sorted symbolic factors of one dimension's text."""
    text = dim.replace(" ", "")
    parts = _split(text)
    if parts is None:
        return 1, (text,)
    number, names = 1, []
    for part in parts:
        base, exponent = _power(part)
        if base.isdigit():
            number *= int(base) ** exponent
        elif base != text and base.startswith("(") and base.endswith(")"):
            inner, inner_names = _factors(base[1:-1])
            number *= inner**exponent
            names += list(inner_names) * exponent
        else:
            names += [base] * exponent
    return number, tuple(sorted(names))


@lru_cache(maxsize=65536)
def numel(shape: Shape) -> Numel:
    """The number of elements of a shape, as an integer and symbolic factors.

    >>> numel((8, 16, "h", "2*h"))
    (256, ('h', 'h'))
    """
    number = 1
    names: list[str] = []
    for dim in shape:
        if isinstance(dim, str):
            part, part_names = _factors(dim)
            number *= part
            names += part_names
        else:
            number *= dim
    return (number, tuple(sorted(names))) if number else (0, ())


@lru_cache(maxsize=65536)
def keeps_order(view: Shape, source: Shape) -> bool:
    """Whether a view of this shape can show the source's elements all, in the same order.

    Dimensions may be split or merged and ones inserted; anything else (a transpose, a slice, an
    expansion) is refused. A transpose of two equal dimensions can't be told by the shapes, which is
    what :attr:`~characterize.records.Value.order` is for.
    """
    left = [dim for dim in view if dim != 1]
    right = [dim for dim in source if dim != 1]
    if left == right:
        return True
    if numel(view) != numel(source):
        return False
    i = j = 0
    while i < len(left) and j < len(right):
        merged, split = _run(left[i], right, j), _run(right[j], left, i)
        if merged:
            i, j = i + 1, j + merged
        elif split:
            i, j = i + split, j + 1
        else:
            return False
    return i == len(left) and j == len(right)


def _run(dim: object, dims: list[object], start: int) -> int:
    """How many of ``dims`` from ``start`` make up ``dim`` by their product; 0 if none do."""
    whole = numel((dim,))
    for stop in range(start + 1, len(dims) + 1):
        if numel(tuple(dims[start:stop])) == whole:
            return stop - start
    return 0


@lru_cache(maxsize=65536)
def covers(view: Shape, source: Shape) -> bool:
    """Whether a view of this shape surely reaches every element of its source.

    True for as many elements or a multiple of them (an expansion); a slice has fewer.
    """
    number, names = numel(view)
    source_number, source_names = numel(source)
    if not names and not source_names:
        return number >= source_number
    left = list(names)
    for name in source_names:
        if name not in left:
            return False
        left.remove(name)
    return number >= source_number


@lru_cache(maxsize=65536)
def broadcasts(shape: Shape, target: Shape) -> bool:
    """Whether ``shape`` broadcasts to ``target``: aligned right, each dimension equal or 1."""
    if len(shape) > len(target):
        return False
    pairs = zip(reversed(shape), reversed(target), strict=False)
    return all(dim == 1 or dim == aim for dim, aim in pairs)


@lru_cache(maxsize=65536)
def repeats_over(shape: Shape, target: Shape) -> tuple[int, ...]:
    """Positions in ``target`` along which a broadcast ``shape`` is repeated."""
    missing = len(target) - len(shape)
    padded = (1,) * missing + tuple(shape)
    return tuple(
        i for i, (dim, aim) in enumerate(zip(padded, target, strict=True)) if dim == 1 and aim != 1
    )

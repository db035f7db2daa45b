"""Ranges and lists on the command line: ``1:16``, ``32:512:32``, ``16,32,64``.

A range includes both ends (the upper one where its steps meet it). Ranges and lists mix:
``1:4,8,16``. Whole numbers stay whole; steps of decimal numbers are exact decimals.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Final

from characterize.cli.parser import settings
from characterize.errors import InvalidValueError

Value = int | float | str
LIMIT: Final = 1_000_000  # values of one axis


def values(text: str) -> list[Value]:
    """Every value that ``text`` stands for, in the order written, none twice.

    >>> values("1:4,8,relu")
    [1, 2, 3, 4, 8, 'relu']
    >>> values("0.5:1:0.25")
    [0.5, 0.75, 1.0]

    Raises:
        InvalidValueError: an empty item, a range without numbers, without steps or too long.
    """
    found: dict[Value, None] = {}
    for item in text.split(","):
        item = item.strip()
        if not item:
            msg = f"{text!r} has an empty item; write lists as 16,32,64 and ranges as 32:512:32."
            raise InvalidValueError(msg)
        found.update(dict.fromkeys(_range(item) if ":" in item else [_value(item)]))
        if len(found) > LIMIT:
            msg = f"{text!r} stands for more than {LIMIT:,} values."
            raise InvalidValueError(msg)
    return list(found)


def _range(item: str) -> list[Value]:
    parts = [part.strip() for part in item.split(":")]
    if len(parts) not in (2, 3):
        msg = f"{item!r} is no range; write first:last or first:last:step."
        raise InvalidValueError(msg)
    try:
        first, last, *rest = (Decimal(part) for part in parts)
    except InvalidOperation:
        msg = f"{item!r} is no range: its ends and its step are numbers, such as 32:512:32."
        raise InvalidValueError(msg) from None
    step = rest[0] if rest else Decimal(1)
    if not all(number.is_finite() for number in (first, last, step)) or step <= 0 or last < first:
        msg = f"{item!r} has no values: a range goes up from its first value, by a step above 0."
        raise InvalidValueError(msg)
    count = int((last - first) / step) + 1
    if count > LIMIT:
        msg = f"{item!r} stands for {count:,} values; {LIMIT:,} are the most."
        raise InvalidValueError(msg)
    if all("." not in part and "e" not in part.lower() for part in parts):
        return list(range(int(first), int(last) + 1, int(step)))
    return [float(first + index * step) for index in range(count)]


def _value(item: str) -> Value:
    """A number where it is one, else text; the words true, false, nan and inf stay words."""
    for kind in (int, float):
        try:
            number = kind(item)
        except ValueError:
            continue
        return number if math.isfinite(number) else item
    return item


def whole(option: str, text: str) -> int:
    """A whole number from 1 on.

    Raises:
        InvalidValueError: it is none.
    """
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        msg = f"{option} takes a whole number from 1 on, and {text!r} is none."
        raise InvalidValueError(msg)
    return int(text)


def axes(option: str, pairs: Iterable[str]) -> dict[str, list[Value]]:
    """The values of each key of an option that takes ``key=VALUES``; the last for a key stands."""
    example = "memory.bytes_per_s=x1,x2" if option == "--vary" else "channels=16,32,64"
    return {name: values(text) for name, text in settings(pairs, option, example).items()}

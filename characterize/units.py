"""SI base units inside, prefixes only at the edge.

Every number is in flops, bytes, seconds, joules or watts, or one of them per second; the suffix of
its name says which. Multiply by a constant here to enter, call :func:`si` to leave.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

NANO: Final = 1e-9
PICO: Final = 1e-12
MICRO: Final = 1e-6
MILLI: Final = 1e-3
KILO: Final = 1e3
MEGA: Final = 1e6
GIGA: Final = 1e9
TERA: Final = 1e12  # never 2**40, vendors quote decimal tera

PREFIXES: Final[Mapping[int, str]] = MappingProxyType(
    {
        -5: "f", -4: "p", -3: "n", -2: "µ", -1: "m", 0: "", 1: "k", 2: "M", 3: "G", 4: "T", 5: "P",
    }
)  # fmt: skip
"""By the power of a thousand."""

_WHOLE: Final = ("flop", "mac")  # nobody says milliflop


def si(value: float, unit: str = "", digits: int = 3) -> str:
    """``value`` with the SI prefix a person would choose, to ``digits`` significant digits.

    >>> si(3.35e12, "B/s")
    '3.35 TB/s'
    >>> si(0.0182, "s")
    '18.2 ms'
    >>> si(0, "J")
    '0 J'
    >>> si(0.4991, "flop/B")
    '0.499 flop/B'
    """
    if not math.isfinite(value):
        return f"{value} {unit}".rstrip()
    if value == 0:
        return f"0 {unit}".rstrip()
    if abs(value) < 1 and unit.lower().startswith(_WHOLE):
        return f"{value:.{digits}g} {unit}"
    rounded = float(f"{value:.{digits - 1}e}")
    power = min(max(math.floor(math.log10(abs(rounded)) + 1e-12) // 3, -5), 5)
    scaled = rounded / 1000.0**power
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(scaled)) + 1e-12))
    text = f"{scaled:.{decimals}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{text} {PREFIXES[power]}{unit}".rstrip()

"""Budgets as people write them: ``latency <= 5 ms on the KPU and energy <= 10 mJ``.

A budget bounds one column of the result rows. Without a device it is asked of every row by itself;
with one (a device, a class, or ``all``) it is asked of the *configuration*: every device named must
have a row of it that meets the bound. Several bounds on one device are met by one row together.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from characterize import errors
from characterize.units import si

ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "latency": "latency_s",
        "time": "latency_s",
        "energy": "energy_j",
        "power": "power_w",
        "throughput": "throughput_per_s",
        "memory": "peak_memory_bytes",
        "peak_memory": "peak_memory_bytes",
        "traffic": "memory_bytes",
        "params": "parameters",
    }
)
"""What people call the columns that budgets are about."""

MEASURES: Final = (
    "latency_s", "latency_high_s", "energy_j", "power_w", "throughput_per_s", "peak_memory_bytes",
    "memory_bytes", "parameters", "macs", "flops", "kernels", "tiles", "intensity", "speedup",
)  # fmt: skip
"""Columns of numbers that a result row always has, those asked for most first."""

LARGER_IS_BETTER: Final = frozenset({"throughput_per_s", "speedup", "intensity"})
"""Measures of which more is better; a column that a user joins (an accuracy) is one of them too."""

_SECONDS: Final = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "min": 60.0}
_JOULES: Final = {
    "J": 1.0, "kJ": 1e3, "mJ": 1e-3, "uJ": 1e-6, "µJ": 1e-6, "nJ": 1e-9, "pJ": 1e-12, "Wh": 3600.0,
}  # fmt: skip
_BYTES: Final = {
    "B": 1.0, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
    "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40,
}  # fmt: skip
_WATTS: Final = {"W": 1.0, "mW": 1e-3, "kW": 1e3}
_RATES: Final = {"/s": 1.0, "k/s": 1e3, "M/s": 1e6, "per s": 1.0, "fps": 1.0}
_COUNTS: Final = {"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12}
_UNITS: Final = (  # the end of a column's name says which units it takes; the first that fits counts
    ("_per_s", _RATES), ("_bytes", _BYTES), ("_s", _SECONDS), ("_j", _JOULES), ("_w", _WATTS),
)  # fmt: skip
_BASE: Final = {"_per_s": "/s", "_bytes": "B", "_s": "s", "_j": "J", "_w": "W"}

_FORM: Final = re.compile(
    r"\s*(?P<name>[A-Za-z_][\w.]*)\s*(?P<relation><=|>=|<|>|≤|≥)\s*(?P<number>[-+]?[\d_.]+(?:[eE][-+]?\d+)?)"
    r"\s*(?P<unit>[A-Za-zµ%/][A-Za-zµ/ ]*?)?(?:\s+on\s+(?:the\s+)?(?P<device>\S+))?\s*"
)
_JOINED: Final = re.compile(r"\s*(?:,|;|\band\b|&)\s*")
_RELATIONS: Final = {"<=": "<=", "<": "<=", "≤": "<=", ">=": ">=", ">": ">=", "≥": ">="}


@dataclass(frozen=True, slots=True)
class Budget:
    """One bound on one column, in SI base units.

    ``device`` is a device, a class or ``"all"``: then the configuration must meet it there.
    """

    column: str
    limit: float
    relation: str = "<="
    device: str = ""

    def met(self, values: Any) -> Any:
        """Whether numbers are within the bound; a NaN never is."""
        return values <= self.limit if self.relation == "<=" else values >= self.limit

    def __str__(self) -> str:
        where = f" on {self.device}" if self.device else ""
        return f"{self.column} {self.relation} {shown(self.column, self.limit)}{where}"


Asked = str | Budget | Iterable[str | Budget]


def budgets(asked: Asked | None, columns: Sequence[str] = MEASURES) -> tuple[Budget, ...]:
    """Budgets from text, or from several texts and budgets.

    >>> [str(each) for each in budgets("latency <= 5 ms on the KPU and energy<=10mJ")]
    ['latency_s <= 5 ms on kpu', 'energy_j <= 10 mJ']

    Args:
        asked: what people write, joined by "and" or commas; budgets pass as they are.
        columns: what may be bounded.

    Raises:
        UnknownNameError: a column that there is not.
        InvalidValueError: no bound, no number, or a unit of something else.
    """
    if asked is None:
        return ()
    several = [asked] if isinstance(asked, str | Budget) else list(asked)
    found: list[Budget] = []
    for each in several:
        if isinstance(each, Budget):
            column(each.column, columns)
            found.append(each)
        else:
            found.extend(_one(text, columns) for text in split(each))
    return tuple(found)


def split(text: str) -> list[str]:
    """The single budgets of a text that joins them by "and" or commas."""
    return [part for part in _JOINED.split(text) if part.strip()]


def _one(text: str, columns: Sequence[str]) -> Budget:
    match = _FORM.fullmatch(text)
    if match is None:
        msg = (
            f"{text.strip()!r} is no budget; write a column, <= or >=, and a number with its unit, "
            "such as 'latency <= 5 ms' or 'energy <= 10 mJ on the KPU'."
        )
        raise errors.InvalidValueError(msg)
    name = column(match["name"], columns)
    limit = _number(match["number"], text) * _scale(name, (match["unit"] or "").strip())
    device = (match["device"] or "").rstrip(".,")
    device = device.lower() if device.lower() in ("all", "cpu", "gpu", "tpu", "kpu") else device
    return Budget(name, limit, _RELATIONS[match["relation"]], device)


def column(name: str, columns: Sequence[str] = MEASURES) -> str:
    """The column that a person means: its own name, or one of :data:`ALIASES`.

    Raises:
        UnknownNameError: there is none.
    """
    for known in (name, ALIASES.get(name, ""), name.lower(), ALIASES.get(name.lower(), "")):
        if known and known in columns:
            return known
    aliases = [alias for alias, known in ALIASES.items() if known in columns]
    raise errors.unknown("column of numbers", name, [*columns, *aliases], limit=20)


def _number(text: str, budget: str) -> float:
    try:
        number = float(text.replace("_", ""))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        msg = f"{text!r} in {budget.strip()!r} is no number."
        raise errors.InvalidValueError(msg)
    return number


def _scale(name: str, unit: str) -> float:
    ending = next((end for end, _ in _UNITS if name.endswith(end)), "")
    units = dict(_UNITS).get(ending, _COUNTS)
    if not unit:
        return 1.0
    if unit in units:
        return units[unit]
    what = f"in {_BASE[ending]}" if ending else "a count"
    msg = f"{name} is {what}: {unit!r} is no unit of it; it takes {', '.join(units)}."
    raise errors.InvalidValueError(msg)


def shown(name: str, value: float) -> str:
    """A value of a column as a person reads it.

    >>> shown("latency_s", 0.005), shown("macs", 4e9)
    ('5 ms', '4 G')
    """
    ending = next((end for end, _ in _UNITS if name.endswith(end)), "")
    return si(value, _BASE.get(ending, ""), 6) if abs(value) >= 1 or ending else f"{value:.6g}"


def sign(name: str, larger: Iterable[str] = ()) -> int:
    """1 where less of a column is better, -1 where more is."""
    known = name in LARGER_IS_BETTER or name in larger
    return -1 if known or name not in MEASURES else 1


def bounds_met(known: Iterable[Budget], numbers: Callable[[str], Any], allowed: Any = None) -> Any:
    """Where all budgets are met, of what is allowed already; ``None`` stands for everything.

    Where nothing is left, no further numbers are asked for.
    """
    for budget in known:
        if allowed is not None and not allowed.any():
            break
        met = budget.met(numbers(budget.column))
        allowed = met if allowed is None else allowed & met
    return allowed

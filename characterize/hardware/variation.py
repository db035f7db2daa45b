"""What if a device were otherwise: figures at other values, or several times what they are.

    variations({"memory.bytes_per_s": ["x1", "x2", "4TB/s"], "power.tdp_w": [150, "x1"]})

A varied device is named by what is different, ``nvidia_h100_sxm[memory.bytes_per_s=x2]``; where all
its figures are as stated it keeps its name. A section such as ``peak_flops_per_s`` stands for all its
figures and takes factors only.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from characterize import errors
from characterize.hardware import schema
from characterize.hardware.record import Profile
from characterize.hardware.schema import Field
from characterize.records import Precision
from characterize.units import si

_FORM: Final = re.compile(r"(?P<number>[\d._]+(?:[eE][-+]?\d+)?)\s*(?P<unit>[A-Za-zµ/]*)")
_FACTOR: Final = re.compile(r"[xX×](?P<factor>[\d.]+(?:[eE][-+]?\d+)?)")
_PREFIXES: Final = {
    "": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
    "m": 1e-3, "u": 1e-6, "µ": 1e-6, "n": 1e-9, "p": 1e-12,
}  # fmt: skip
SECTIONS: Final = ("peak_flops_per_s", "vector_flops_per_s", "energy.j_per_flop")
"""Sections keyed by precision that can be varied as a whole."""


@dataclass(frozen=True, slots=True)
class Variation:
    """One figure, or section, at another value: a factor on what is stated, or a value of its own."""

    key: str
    factor: float | None = None
    value: float | None = None

    def __str__(self) -> str:
        if self.factor is not None:
            return f"x{self.factor:g}"
        unit = schema.KEYS[self.key].unit
        return si(self.value or 0.0, unit, 6).replace(" ", "")

    def changed(self, profile: Profile) -> dict[str, float]:
        """The figures of a device that differ, with their new values.

        Raises:
            UnsupportedError: a factor on what the device does not have.
            InvalidValueError: a value outside the figure's range.
        """
        if self.factor == 1.0:
            return {}
        if self.value is not None:
            return {self.key: _checked(self.key, self.value)}
        keys = [self.key]
        if self.key in SECTIONS:
            keys = [f"{self.key}.{name}" for name in profile.section(self.key)]
        known = {key: profile.number(key) for key in keys if profile.value(key) is not None}
        if not known:
            msg = f"{profile.name} has no {self.key} to take {self} of; give a value, or leave it out."
            raise errors.UnsupportedError(msg)
        return {key: _checked(key, value * (self.factor or 1.0)) for key, value in known.items()}


def _checked(key: str, value: float) -> float:
    field = schema.KEYS[key]
    if field.type is int:
        value = float(max(1, round(value)))
    if not (field.low <= value <= field.high) or (value == 0 and not field.zero):
        msg = f"{key} is {field.sentence}; {value:g} {field.unit} is outside {field.low:g} to {field.high:g}."
        raise errors.InvalidValueError(msg)
    return value


Vary = Mapping[str, tuple[Variation, ...]]


def variations(asked: Mapping[str, Any] | None) -> Vary:
    """Figures and the values that each takes: factors ``"x2"``, texts with a unit, or numbers in SI.

    Raises:
        UnknownNameError: no such figure of hardware.
        InvalidValueError: a value that is none, or in another unit.
    """
    found: dict[str, tuple[Variation, ...]] = {}
    for name, values in (asked or {}).items():
        field = _field(name)
        listed = [values] if isinstance(values, str | int | float) else list(values)
        if not listed:
            msg = f"The figure {name} is varied over no values."
            raise errors.InvalidValueError(msg)
        found[name] = tuple(dict.fromkeys(_one(name, value, field) for value in listed))
    return found


def _field(name: str) -> Field | None:
    if name in SECTIONS:
        return None
    numbers = [key for key, field in schema.KEYS.items() if field.type in (int, float)]
    if name not in numbers:
        raise errors.unknown("figure of hardware", name, [*SECTIONS, *numbers], limit=20)
    return schema.KEYS[name]


def _one(name: str, value: Any, field: Field | None) -> Variation:
    text = str(value).strip()
    factor = _FACTOR.fullmatch(text)
    if factor:
        return Variation(name, factor=_number(factor["factor"], name))
    if field is None:
        msg = f"{name} is varied as a whole by factors such as x2; {text!r} is none."
        raise errors.InvalidValueError(msg)
    match = _FORM.fullmatch(text)
    if match is None:
        unit = f" with its unit {field.unit}" if field.unit else ""
        msg = f"{text!r} is no value of {name}; write a factor such as x2, or a number{unit}."
        raise errors.InvalidValueError(msg)
    return Variation(
        name, value=_number(match["number"], name) * _scale(name, match["unit"], field)
    )


def _number(text: str, name: str) -> float:
    try:
        return float(text.replace("_", ""))
    except ValueError:
        msg = f"{text!r} is no number for {name}."
        raise errors.InvalidValueError(msg) from None


def _scale(name: str, unit: str, field: Field) -> float:
    base = field.unit.lower()
    if not unit:
        return 1.0
    if unit.lower().endswith(base):
        prefix = unit[: len(unit) - len(base)]
        if prefix in _PREFIXES:
            return _PREFIXES[prefix]
    expected = f"in {field.unit}" if field.unit else "a plain number"
    msg = f"{name} is {expected}; {unit!r} is no unit of it."
    raise errors.InvalidValueError(msg)


def varied(profiles: Iterable[Profile], vary: Vary) -> list[Profile]:
    """Every device at every combination of values.

    Raises:
        UnsupportedError: a factor on a figure that a device does not have.
    """
    if not vary:
        return list(profiles)
    found = {}
    for profile in profiles:
        for chosen in itertools.product(*vary.values()):
            made = _device(profile, chosen)
            found[made.name] = made
    return list(found.values())


def _device(profile: Profile, chosen: Sequence[Variation]) -> Profile:
    figures: dict[str, Any] = {}
    different = []
    for variation in chosen:
        changed = variation.changed(profile)
        figures |= changed
        if changed:
            different.append(f"{variation.key}={variation}")
    if not figures:
        return profile
    label = ", ".join(different)
    named = {
        "name": f"{profile.name}[{label.replace(', ', ',')}]",
        "title": f"{profile.title} [{label}]",
    }
    return profile.with_({**figures, **named})


def figure(profile: Profile, key: str, precision: Precision) -> float:
    """What a device has of a varied figure; of a section, what it has in a precision."""
    return profile.number(f"{key}.{precision}" if key in SECTIONS else key)

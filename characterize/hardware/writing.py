"""From a profile back to TOML: what :func:`reading.parse` reads again as the same profile."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from characterize.hardware import execution, schema
from characterize.hardware.figures import Figure, Fit
from characterize.hardware.record import Profile


def to_toml(profile: Profile) -> str:
    """The profile as a file: identity first, then one line a figure, sections in their order.

    Only what is stated is written; assumptions by architecture are made again when it is read.
    """
    names_of, day = _named_sources(profile), _usual_day(profile)
    lines = [f"{key} = {_scalar(value)}" for key, value in _identity(profile).items()]
    lines += [f"read_on = {_scalar(day)}"] if day else []
    for section, names in schema.FIELDS.items():
        stated = {name: profile.stated.get(schema.dotted(section, name)) for name in names}
        figures = {name: figure for name, figure in stated.items() if figure is not None}
        if figures and section:
            lines += ["", f"[{section}]"]
        lines += [f"{name} = {_figure(figure, names_of, day)}" for name, figure in figures.items()]
    if names_of:
        lines += ["", "[sources]"]
        lines += [f"{name} = {_scalar(source)}" for source, name in names_of.items()]
    for key, fitted in profile.fitted.items():
        lines += ["", f"[{key}]"]
        lines += [f"{name} = {_scalar(value)}" for name, value in fitted.values.items()]
        lines += ["", f"[{key}.fit]", *_fit(fitted.fit)]
    return "\n".join(lines) + "\n"


def _identity(profile: Profile) -> dict[str, str]:
    values = {key: str(getattr(profile, key)) for key in schema.IDENTITY}
    if profile.execution_model == execution.BY_ARCHITECTURE[profile.architecture]:
        del values["execution_model"]
    return {key: value for key, value in values.items() if value}


def _named_sources(profile: Profile) -> dict[str, str]:
    """Source -> its short name, for the sources that several figures share."""
    counts = Counter(f.source for f in profile.stated.values() if f.value is not None)
    named: dict[str, str] = {}
    for source, count in counts.items():
        if count > 1:
            word = next(iter(re.findall(r"[a-z0-9]+", source.lower())), "source")
            taken = [name for name in named.values() if name.split("_")[0] == word]
            named[source] = f"{word}_{len(taken) + 1}" if taken else word
    return named


def _usual_day(profile: Profile) -> datetime.date | None:
    """The day most figures were read on; None if some have none, as they would inherit it."""
    days = Counter(f.read_on for f in profile.stated.values() if f.value is not None)
    return None if None in days or not days else days.most_common(1)[0][0]


def _figure(figure: Figure, names_of: Mapping[str, str], day: datetime.date | None) -> str:
    if figure.value is None:
        return f"{{ unsourced = {_scalar(figure.source)} }}"
    source = names_of.get(figure.source, figure.source)
    parts: dict[str, Any] = {"value": figure.value, "kind": figure.kind.value, "source": source}
    parts |= {"read_on": figure.read_on} if figure.read_on not in (None, day) else {}
    parts |= {"note": figure.note} if figure.note else {}
    return f"{{ {', '.join(f'{name} = {_scalar(value)}' for name, value in parts.items())} }}"


def _fit(fit: Fit) -> list[str]:
    parts = {"on": fit.on, "n": fit.n, "error": fit.error, "date": fit.date, "note": fit.note}
    return [f"{key} = {_scalar(value)}" for key, value in parts.items() if value not in (None, "")]


def _scalar(value: Any) -> str:
    """A TOML scalar; floats in the shortest form that reads back as the same number."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, int):
        return str(value)
    return _number(value) if isinstance(value, float) else _text(value)


def _number(value: float) -> str:
    """The shorter of ``1.008e12`` and ``1008.0`` that reads back as the same number."""
    powers = (f"{value:.{digits}e}" for digits in range(17))
    mantissa, power = next(text for text in powers if float(text) == value).split("e")
    scientific = f"{mantissa}e{int(power)}"
    return min(repr(value).replace("e+", "e"), scientific, key=len)


def _text(value: str) -> str:
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    plain = "".join(escapes.get(c, c if c.isprintable() else f"\\u{ord(c):04x}") for c in value)
    return f'"{plain}"'

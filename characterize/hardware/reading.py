"""From a TOML file to a profile, or to everything that is wrong with it.

A file is read as a whole: :func:`read` returns the profile and all problems, so that ``hardware
check`` lists every one of them; :func:`parse` refuses a file with any.
"""

from __future__ import annotations

import datetime
import difflib
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from characterize.errors import BrokenRecordError
from characterize.hardware import execution, schema
from characterize.hardware.figures import Figure, FigureKind, Fit, Fitted
from characterize.hardware.record import Profile
from characterize.records import Architecture, Confidence, Frozen, Precision

Table = Mapping[str, Any]
_ENUMS: Final[Mapping[str, type[StrEnum]]] = MappingProxyType(
    {"architecture": Architecture, "confidence": Confidence, "default_precision": Precision}
)
_KINDS: Final = tuple(kind for kind in FigureKind if kind is not FigureKind.UNSOURCED)
_FORM: Final = "{ value = ..., kind = ..., source = ... }"
_PREFIXED: Final = ": without a prefix, 26 TOPS are 26e12"
_TYPES: Final = {float: "a number", int: "a whole number", str: "a text", bool: "true or false"}


@dataclass
class _Findings:
    """What has been read so far, and what was wrong with it."""

    problems: list[str] = field(default_factory=list)
    sources: Mapping[str, str] = field(default_factory=dict)
    read_on: datetime.date | None = None
    figures: dict[str, Figure] = field(default_factory=dict)
    fitted: dict[str, Fitted] = field(default_factory=dict)

    def add(self, problem: str) -> None:
        self.problems.append(problem)


def parse(text: str, where: str, name: str | None = None) -> Profile:
    """The profile that ``text`` states.

    Args:
        text: a profile in TOML.
        where: what to call the text in a message, its file's name.
        name: the name that it must bear; None allows any.

    Raises:
        BrokenRecordError: with the first problem, and how many more there are.
    """
    profile, problems = read(text, name)
    if profile is None or problems:
        more = f" There are {len(problems) - 1} more problems." if len(problems) > 1 else ""
        message = f"{where}: {problems[0]}{more}"
        raise BrokenRecordError(message)
    return profile


def read(text: str, name: str | None = None) -> tuple[Profile | None, list[str]]:
    """The profile that ``text`` states (None if its identity is broken) and every problem."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return None, [f"it is not valid TOML: {error}."]
    found = _Findings()
    identity = _identity(document, found)
    if name is not None and identity.get("name", name) != name:
        found.add(
            f"name is {identity['name']!r}, but the file is called {name!r}: make them equal."
        )
    found.sources = _sources(document.get("sources", {}), found)
    found.read_on = _read_on(document.get("read_on"), found)
    apart = {*schema.IDENTITY, *schema.SHARED}
    _section("", {key: raw for key, raw in document.items() if key not in apart}, found)
    if not {*schema.REQUIRED_IDENTITY} <= {*identity}:
        return None, found.problems
    architecture = identity["architecture"]
    peak = found.figures.get("peak_flops_per_s.fp32")
    fp32 = None if peak is None or peak.value is None else float(peak.value)
    identity.setdefault("execution_model", execution.usual(architecture, fp32))
    profile = Profile(**identity, stated=Frozen(found.figures), fitted=Frozen(found.fitted))
    seen = tuple(found.problems)  # what is there and broken is not also missing
    broken = {key for key in schema.KEYS if any(p.startswith(f"{key} ") for p in seen)}
    return profile, [*seen, *(problem for key, problem in _missing(profile) if key not in broken)]


# Identity


def _identity(document: Table, found: _Findings) -> dict[str, Any]:
    choices: dict[str, Iterable[str]] = {**_ENUMS, "execution_model": execution.HOMES}
    identity: dict[str, Any] = {}
    for key in schema.IDENTITY:
        value = document.get(key)
        if value is None:
            if key in schema.REQUIRED_IDENTITY:
                found.add(f"{key} is missing: {schema.IDENTITY[key]}.")
        elif not isinstance(value, str) or not value.strip():
            found.add(f"{key} is {value!r}, but must be a text: {schema.IDENTITY[key]}.")
        elif key in choices and value not in list(choices[key]):
            found.add(f"{key} is {value!r}, but must be one of {', '.join(choices[key])}.")
        else:
            identity[key] = _ENUMS[key](value) if key in _ENUMS else value
    return identity


def _sources(raw: Any, found: _Findings) -> Mapping[str, str]:
    """Short name -> citation, for sources that several figures share."""
    if not isinstance(raw, dict):
        found.add(f"sources is {raw!r}, but must be a section of texts.")
        return {}
    for name, text in raw.items():
        if not isinstance(text, str) or not text.strip():
            found.add(f"sources.{name} is {text!r}, but must be a text.")
    return {name: text for name, text in raw.items() if isinstance(text, str)}


def _read_on(raw: Any, found: _Findings) -> datetime.date | None:
    """When the figures without a date of their own were read."""
    if raw is not None and type(raw) is not datetime.date:
        found.add(f"read_on is {raw!r}, but must be a date such as 2026-11-22.")
        return None
    return raw


# Sections and figures


def _section(section: str, table: Table, found: _Findings) -> None:
    names = schema.FIELDS.get(section, {})
    for name, raw in table.items():
        key = schema.dotted(section, name)
        if name in names:
            _figure(key, raw, found)
        elif key in schema.FIELDS:
            if isinstance(raw, dict):
                _section(key, raw, found)
            else:
                found.add(f"{key} is {raw!r}, but must be a section of figures.")
        elif section in schema.FITTED_SECTIONS and schema.is_fitted_name(name):
            _fitted(key, raw, found)
        else:
            found.add(f"{key} is unknown.{_near(name, section)}")


def _near(name: str, section: str) -> str:
    """What may have been meant by an unknown key: a name of its section, or the same elsewhere."""
    inner = section.count(".") + 1 if section else 0
    sections = [s.split(".")[inner] for s in schema.FIELDS if s and s.startswith(section)
                and s.count(".") == inner]  # fmt: skip
    known = sorted({*schema.FIELDS.get(section, {}), *sections})
    if not section:
        known += schema.IDENTITY
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    elsewhere = [key for key in schema.KEYS if key.split(".")[-1] == name]
    suggestions = near or elsewhere[:3]
    if suggestions:
        return f" Did you mean {' or '.join(repr(each) for each in suggestions)}?"
    return f" Known here: {', '.join(known)}."


def _figure(key: str, raw: Any, found: _Findings) -> None:
    if not isinstance(raw, dict):
        found.add(
            f"{key} is a bare {raw!r}: write it as {_FORM}, so that it says where it was read."
        )
        return
    if "unsourced" in raw:
        _unsourced(key, raw, found)
        return
    problems = [*_unknown_parts(key, raw), *_wrong_provenance(key, raw)]
    value, wrong = _value(key, raw)
    problems += wrong
    found.problems += problems
    if not problems:
        found.figures[key] = Figure(
            value,
            FigureKind(raw["kind"]),
            found.sources.get(raw["source"], raw["source"]),
            raw.get("read_on", found.read_on),
            raw.get("note", ""),
        )


def _unsourced(key: str, raw: Table, found: _Findings) -> None:
    looked_for = raw["unsourced"]
    if len(raw) > 1 or not isinstance(looked_for, str) or not looked_for.strip():
        found.add(f"{key} is unsourced: then it holds one text, what was looked for, and no more.")
        return
    found.figures[key] = Figure.unsourced(looked_for)


def _unknown_parts(key: str, raw: Table) -> Iterable[str]:
    for part in raw:
        if part not in schema.FIGURE_KEYS:
            near = difflib.get_close_matches(part, schema.FIGURE_KEYS, n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            yield f"{key} has an unknown part {part!r}.{hint} A figure is {_FORM}."


def _wrong_provenance(key: str, raw: Table) -> Iterable[str]:
    kind, source = raw.get("kind"), raw.get("source")
    if kind not in _KINDS:
        given = "has no kind" if kind is None else f"is of kind {kind!r}"
        yield f"{key} {given}: it must be one of {', '.join(_KINDS)}."
    if not isinstance(source, str) or not source.strip():
        yield f"{key} has no source: say where it was read (derived: from what; assumed: why)."
    read_on = raw.get("read_on")
    if read_on is not None and type(read_on) is not datetime.date:
        yield f"{key} was read on {read_on!r}, but that must be a date such as 2026-11-22."
    if not isinstance(raw.get("note", ""), str):
        yield f"{key} has a note that is not a text."


def _value(key: str, raw: Table) -> tuple[Any, list[str]]:
    """The value of a figure in the type of its field, or what is wrong with it."""
    if "value" not in raw:
        return None, [f"{key} has no value: leave the figure out, or say what was looked for."]
    known, value = schema.KEYS[key], raw["value"]
    if known.type in (str, bool):
        fine = type(value) is known.type and value != ""
        return value, [] if fine else [f"{key} is {value!r}, but must be {_TYPES[known.type]}."]
    problem = _number_problem(value, known)
    if problem:
        return None, [f"{key} is {value!r}, but must be {problem}."]
    return known.type(value), []


def _number_problem(value: Any, known: schema.Field) -> str:
    """What a number must be and is not; empty where it is fine."""
    unit = f" in {known.unit}" if known.unit else ""
    if type(value) not in (int, float) or (known.type is int and value != value // 1):
        return f"{_TYPES[known.type]}{unit}"
    if not math.isfinite(value):
        return f"finite{unit}"
    if value < 0 or (value == 0 and not known.zero):
        return f"{'not negative' if known.zero else 'more than 0'}{unit}"
    if not known.low <= value <= known.high:
        bound = f"at least {known.low:g}" if value < known.low else f"at most {known.high:g}"
        return f"{bound}{unit}{_PREFIXED if unit and value < known.low else ''}"
    return ""


# Fitted tables


def _fitted(key: str, raw: Any, found: _Findings) -> None:
    if not isinstance(raw, dict):
        found.add(f"{key} is {raw!r}, but must be a table of numbers with a fit.")
        return
    values, problems = {}, []
    for name, value in raw.items():
        if name == "fit":
            continue
        if type(value) not in (int, float) or not math.isfinite(value) or value < 0:
            problems.append(
                f"{key}.{name} is {value!r}, but must be a number that is not negative."
            )
        else:
            values[name] = float(value)
    fit, wrong = _fit(key, raw.get("fit"))
    found.problems += [*problems, *wrong]
    if fit is not None and not problems:
        found.fitted[key] = Fitted(Frozen(values), fit)


def _fit(key: str, raw: Any) -> tuple[Fit | None, list[str]]:
    if not isinstance(raw, dict):
        return None, [f"{key} has no fit: add [{key}.fit] with on, n and date."]
    problems = [f"{key}.fit.{part} is unknown." for part in raw if part not in schema.FIT_KEYS]
    for part, wanted in (("on", str), ("n", int), ("date", datetime.date)):
        if type(raw.get(part)) is not wanted:
            problems.append(f"{key}.fit.{part} is missing or of the wrong type.")
    error = raw.get("error")
    if error is not None and (type(error) not in (int, float) or not 0 <= error < math.inf):
        problems.append(f"{key}.fit.error is {error!r}, but must be a fraction such as 0.08.")
    return (None, problems) if problems else (Fit(**raw), [])


# What must be there


def _missing(profile: Profile) -> Iterable[tuple[str, str]]:
    """Figures without which nothing can be projected: their keys, and what to say."""
    has, default = profile.value, profile.default_precision
    peak = f"peak_flops_per_s.{default}"
    if has(peak) is None:
        peaks = ", ".join(profile.precisions) or "none"
        yield peak, f"default_precision is {default}, but {peak} is missing (peaks given: {peaks})."
    if profile.is_reference:
        needed = ("reference.latency_factor", f"energy.j_per_flop.{default}")
        for key in (*needed, "energy.memory_j_per_byte"):
            if has(key) is None:
                yield key, f"{key} is missing: the reference model needs it."
    elif profile.on_chip_only:
        key = "on_chip.capacity_bytes"
        if has(key) is None:
            yield key, f"memory.on_chip_only is true, but {key} is missing."
    elif has("memory.bytes_per_s") is None:
        how = "state it, or memory.on_chip_only for a device without memory of its own"
        yield "memory.bytes_per_s", f"memory.bytes_per_s is missing: {how}."

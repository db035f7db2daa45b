"""Which figures of a device can be changed, in units that a person thinks in. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from characterize.hardware import KEYS
from characterize.units import GIGA, MEGA, MICRO, PICO, TERA
from dashboard.readable import Columns, length, number, row

if TYPE_CHECKING:
    from characterize.hardware import Figure, Profile

SMALLEST_MOVE: Final = 0.005  # a change of a figure below this is written as none


@dataclass(frozen=True, slots=True)
class Editable:
    """One figure of a device as a field: its key, its name, the unit on screen, its value in it."""

    key: str
    label: str
    unit: str
    scale: float
    figure: Figure

    @property
    def value(self) -> float:
        """The figure's value in the unit on screen."""
        return float(self.figure.value or 0.0) / self.scale

    @property
    def lowest(self) -> float:
        """What the field may go down to, in the unit on screen."""
        return KEYS[self.key].low / self.scale

    @property
    def help(self) -> str:
        """What it is and where the original comes from, for whoever asks."""
        parts = [f"{KEYS[self.key].sentence.capitalize()}.", self.origin]
        source = f"Source: {self.figure.source}." if self.figure.source else ""
        return " ".join(filter(None, [*parts, source, self.figure.note]))

    @property
    def origin(self) -> str:
        """The original value and how it is known: ``3.35 TB/s, published``."""
        unit = KEYS[self.key].unit
        return f"{number(float(self.figure.value or 0.0), unit)}, {self.figure.kind}"


_PLAIN: Final[Sequence[tuple[str, str, str, float]]] = (
    ("memory.bytes_per_s", "Memory bandwidth", "GB/s", GIGA),
    ("memory.capacity_bytes", "Memory", "GB", GIGA),
    ("link.bytes_per_s", "Link bandwidth", "GB/s", GIGA),
    ("on_chip.bytes_per_s", "On-chip bandwidth", "GB/s", GIGA),
    ("on_chip.capacity_bytes", "On-chip memory", "MB", MEGA),
    ("power.tdp_w", "Power limit", "W", 1.0),
    ("power.idle_w", "Idle power", "W", 1.0),
    ("energy.memory_j_per_byte", "Energy a byte", "pJ/B", PICO),
    ("overhead.inference_s", "Overhead an inference", "µs", MICRO),
)


def editables(profile: Profile) -> list[Editable]:
    """The figures of a device that can be changed: its peaks, the usual precision's first, and on."""
    peaks = sorted(profile.peak_flops_per_s, key=lambda p: p != profile.default_precision)
    usual = str(profile.default_precision)
    wanted = [
        *((f"peak_flops_per_s.{p}", f"Peak {p}", "Tflop/s", TERA) for p in peaks),
        *_PLAIN,
        (f"energy.j_per_flop.{usual}", f"Energy a flop {usual}", "pJ/flop", PICO),
    ]
    found = []
    for key, label, unit, scale in wanted:
        figure = profile.figures.get(key)
        if figure is not None and isinstance(figure.value, int | float):
            found.append(Editable(key, f"{label} ({unit})", unit, scale, figure))
    return found


def changed(fields: Sequence[Editable], values: Mapping[str, float | None]) -> dict[str, float]:
    """The figures whose field says something else than the original, in SI base units."""
    found = {}
    for field in fields:
        value = values.get(field.key)
        if value is not None and not _same(value, field.value):
            found[field.key] = float(f"{value * field.scale:.12g}")
    return found


def _same(value: float, original: float) -> bool:
    return abs(value - original) <= 1e-9 * max(abs(value), abs(original))


def as_edited(original: Columns, hardware: str) -> dict[str, list[Any]]:
    """The original's row as if the edited device had it, so that charts draw it beside that one's."""
    return {
        name: [hardware] if name == "hardware" else list(values)
        for name, values in original.items()
    }


def only(rows: Columns, hardware: str) -> dict[str, list[Any]]:
    """The row of one device."""
    places = [i for i, name in enumerate(rows["hardware"]) if name == hardware]
    return {name: [values[i] for i in places] for name, values in rows.items()}


def verdict(before: Columns, after: Columns) -> str:
    """What the change does to one network, in a sentence; also why it does nothing, if so."""
    if not length(before) or not length(after):
        return ""
    old, new = row(before, 0), row(after, 0)
    parts = [
        f"{word} {_move(float(old[column]), float(new[column]))}"
        for column, word in (("latency_s", "latency"), ("energy_j", "energy"))
    ]
    sentence = f"With these figures, {' and '.join(parts)}"
    if all(part.endswith("as before") for part in parts):
        sentence += f": this network is bound by {old['bottleneck']} here"
    elif old["bottleneck"] != new["bottleneck"]:
        sentence += f"; what binds it changes from {old['bottleneck']} to {new['bottleneck']}"
    return f"{sentence}."


def _move(before: float, after: float) -> str:
    if before <= 0 or abs(after / before - 1.0) < SMALLEST_MOVE:
        return "stays as before"
    if after < before:
        return f"falls to {after / before:.2g} of what it was"
    return f"rises to {after / before:.3g} times what it was"

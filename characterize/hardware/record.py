"""A hardware profile: one device, every figure with where it was read.

``Profile.stated`` is the file; ``Profile.figures`` adds what the execution models need and the file
does not say, as assumptions by architecture (see ``assumptions``). Models read plain numbers
through the properties and methods below.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, TypeVar

from characterize import errors
from characterize.hardware import assumptions, schema
from characterize.hardware.figures import Figure, FigureKind, Fit, Fitted
from characterize.records import Architecture, Confidence, Frozen, Precision, Stack

SIGMAS_80_PERCENT: Final = 1.2815515655446004  # half the 80 % interval of a normal

Found = TypeVar("Found")

_OF_THE_CHIP: Final = ("energy.", "power.idle_w", "power.active_w")

_WIDER: Final[Mapping[Precision, tuple[Precision, ...]]] = MappingProxyType(
    {
        Precision.FP64: (),
        Precision.FP32: (Precision.FP64,),
        Precision.TF32: (Precision.FP32, Precision.FP64),
        Precision.BF16: (Precision.TF32, Precision.FP32, Precision.FP64),
        Precision.FP16: (Precision.TF32, Precision.FP32, Precision.FP64),
        Precision.FP8: (
            Precision.FP16,
            Precision.BF16,
            Precision.TF32,
            Precision.FP32,
            Precision.FP64,
        ),
        Precision.INT16: (),
        Precision.INT8: (Precision.INT16,),
        Precision.INT4: (Precision.INT8, Precision.INT16),
    }
)
"""Formats that hold every value of a format: a device computes in one where that is faster."""


@dataclass(frozen=True, eq=False)
class Profile:
    """One device. Equal profiles give equal projections: comparison is by ``content_hash``."""

    name: str
    title: str
    vendor: str
    architecture: Architecture
    default_precision: Precision
    execution_model: str
    confidence: Confidence = Confidence.DATASHEET
    summary: str = ""
    stated: Mapping[str, Figure] = field(default_factory=Frozen)
    fitted: Mapping[str, Fitted] = field(default_factory=Frozen)  # "efficiency.compiled" -> numbers

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Profile) and self.content_hash == other.content_hash

    def __hash__(self) -> int:
        return hash(self.content_hash)

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}  # no caches

    @cached_property
    def figures(self) -> Mapping[str, Figure]:
        """Dotted key -> figure: what the file states, then what is assumed for its architecture."""
        known = dict(self.stated)
        if not self.is_reference:
            known |= assumptions.missing(
                self.architecture,
                self.execution_model,
                self.confidence,
                self.default_precision,
                self.stated,
            )
        return Frozen(known)

    @cached_property
    def content_hash(self) -> str:
        """Sixteen hex digits of everything that a projection depends on (no sources, no notes)."""
        values = {key: f.value for key, f in self.figures.items() if f.value is not None}
        fitted = {key: dict(table.values) for key, table in self.fitted.items()}
        identity = (self.name, self.architecture, self.confidence, self.default_precision)
        text = json.dumps([*identity, self.execution_model, values, fitted], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def _known(self) -> dict[Hashable, Any]:
        return {}

    def once(self, key: Hashable, make: Callable[[], Found]) -> Found:
        """What ``make`` answered when this was first asked of this profile; treat it as read-only."""
        found: Found | None = self._known.get(key)
        if found is None:
            found = self._known[key] = make()
        return found

    def value(self, key: str) -> Any:
        """The value at a dotted key, None where there is none."""
        figure = self.figures.get(key)
        return None if figure is None else figure.value

    def number(self, key: str, default: float = math.nan) -> float:
        """The number at a dotted key, ``default`` where there is none."""
        value = self.value(key)
        return default if value is None else float(value)

    def _optional(self, key: str) -> float | None:
        value = self.value(key)
        return None if value is None else float(value)

    def section(self, section: str) -> Mapping[str, float]:
        """The numbers of one section by name: ``section("units")["sms"]``."""
        return self.once(("section", section), lambda: self._section(section))

    def _section(self, section: str) -> Mapping[str, float]:
        prefix = f"{section}."
        return {
            key.removeprefix(prefix): float(figure.value)
            for key, figure in self.figures.items()
            if key.startswith(prefix)
            and "." not in key.removeprefix(prefix)
            and isinstance(figure.value, int | float)
        }

    # Identity

    @property
    def is_reference(self) -> bool:
        """Whether it is one of the idealised devices of the Conv2D validation report."""
        return self.execution_model == "reference"

    @property
    def year(self) -> int | None:
        """Year of introduction."""
        value = self.value("year")
        return None if value is None else int(value)

    @property
    def process(self) -> str:
        """Manufacturing process, empty where it is not published."""
        return str(self.value("process") or "")

    # Compute

    @cached_property
    def peak_flops_per_s(self) -> Mapping[Precision, float]:
        """Dense peak by precision, as stated."""
        return _by_precision(self.section("peak_flops_per_s"))

    @cached_property
    def vector_flops_per_s(self) -> Mapping[Precision, float]:
        """Peak of the vector units by precision, stated or assumed."""
        return _by_precision(self.section("vector_flops_per_s"))

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """The number formats it has a peak for, widest first."""
        return tuple(precision for precision in Precision if precision in self.peak_flops_per_s)

    def require(self, precision: Precision) -> None:
        """Refuse a precision that the device lacks."""
        if precision not in self.peak_flops_per_s:
            has = ", ".join(self.precisions)
            message = f"{self.title} ({self.name}) does not run {precision}; it has {has}."
            raise errors.UnsupportedError(message)

    def peak(self, precision: Precision) -> float:
        """Matrix peak in flop/s: the fastest of its formats that hold ``precision``."""
        self.require(precision)
        held = (precision, *_WIDER[precision])
        return max(self.peak_flops_per_s.get(wider, 0.0) for wider in held)

    def vector_peak(self, precision: Precision) -> float:
        """Vector peak in flop/s, from the formats at least as wide; never above the matrix peak."""
        peaks = self.vector_flops_per_s
        wide = [peak for key, peak in peaks.items() if key.bytes >= precision.bytes]
        return min(max(wide, default=min(peaks.values())), self.peak(precision))

    # Memory

    @property
    def on_chip_only(self) -> bool:
        """Whether the device has no main memory of its own."""
        return bool(self.value("memory.on_chip_only"))

    @property
    def memory_bytes_per_s(self) -> float:
        """Bandwidth behind the chip: main memory, or the link to the host where there is none."""
        link = self.number("link.bytes_per_s", math.inf)
        return self.number("memory.bytes_per_s", link if self.on_chip_only else math.inf)

    @property
    def memory_capacity_bytes(self) -> float:
        """What a network must fit into, infinite where it is not stated.

        A device without memory and without a link to a host's has what is on the chip.
        """
        alone = self.on_chip_only and self.value("link.bytes_per_s") is None
        without = self.on_chip_capacity_bytes if alone else math.inf
        return self.number("memory.capacity_bytes", without)

    @property
    def on_chip_capacity_bytes(self) -> float:
        """Size of the last on-chip level, infinite where it is not stated."""
        return self.number("on_chip.capacity_bytes", math.inf)

    @property
    def on_chip_bytes_per_s(self) -> float | None:
        """Bandwidth of the last on-chip level, None where it is not known."""
        return self._optional("on_chip.bytes_per_s")

    @property
    def units(self) -> Mapping[str, float]:
        """Counts and clocks of the execution units by name."""
        return self.section("units")

    # Power, energy, overhead

    @property
    def tdp_w(self) -> float | None:
        """Sustained power limit."""
        return self._optional("power.tdp_w")

    @property
    def idle_w(self) -> float:
        """Power with clocks up and nothing to do."""
        return self.number("power.idle_w", 0.0)

    @property
    def memory_j_per_byte(self) -> float:
        """Energy to move a byte from main memory."""
        return self.number("energy.memory_j_per_byte")

    @property
    def on_chip_j_per_byte(self) -> float:
        """Energy to move a byte from on chip, never above that of main memory."""
        return min(self.number("energy.on_chip_j_per_byte"), self.memory_j_per_byte)

    def j_per_flop(self, precision: Precision) -> float:
        """Dynamic energy of one matrix operation: the cheapest format that holds ``precision``."""
        self.require(precision)
        table = self.section("energy.j_per_flop")
        held = (precision, *_WIDER[precision])
        return min(table[wider] for wider in held if wider in table)

    @cached_property
    def _vector_j_per_flop(self) -> Mapping[Precision, float]:
        return _by_precision(self.section("energy.vector_j_per_flop"))

    def vector_j_per_flop(self, precision: Precision) -> float:
        """Dynamic energy of one vector operation, from the formats at least as wide."""
        table = self._vector_j_per_flop
        wide = [energy for key, energy in table.items() if key.bytes >= precision.bytes]
        return min(wide, default=max(table.values()))

    def kernel_overhead_s(self, stack: Stack) -> float:
        """Fixed time a kernel under a stack."""
        return self.number(f"overhead.kernel_s.{stack}", 0.0)

    @property
    def inference_overhead_s(self) -> float:
        """Fixed time an inference."""
        return self.number("overhead.inference_s", 0.0)

    # Efficiency and uncertainty

    def efficiency(self, table: str = "") -> Mapping[str, float]:
        """Efficiencies: the device's own, overridden by those fitted for a stack."""
        base = self.section("efficiency")
        fitted = self.fitted.get(f"efficiency.{table}")
        return {**base, **fitted.values} if fitted else base

    def log_std(self, table: str = "") -> float:
        """Standard deviation of ln(measured / projected), of a stack where it was fitted.

        Else that which the profile states; else that of devices which were left out of a fit under
        this stack; else what is assumed for its model or its confidence.
        """
        fitted = self.fitted.get(f"uncertainty.{table}")
        if fitted and "log_std" in fitted.values:
            return fitted.values["log_std"]
        memory = str(self.value("memory.technology") or "")
        left_out = assumptions.left_out_log_std(
            self.execution_model, table, self.confidence, memory
        )
        if left_out is not None and self.stated.get("uncertainty.log_std") is None:
            return left_out
        return self.number("uncertainty.log_std", 0.0)

    def band(self, table: str = "") -> tuple[float, float]:
        """Factors on a latency that give its 80 % interval."""
        width = math.exp(SIGMAS_80_PERCENT * self.log_std(table))
        return 1.0 / width, width

    # What if

    def with_(self, changes: Mapping[str, Any] | None = None, /, **named: Any) -> Profile:
        """A copy with other figures: ``with_(memory_bytes_per_s=2e12, name="faster")``.

        A figure is named by its dotted key, with dots or underscores: ``peak_flops_per_s_fp16``.
        Identity fields (``name``, ``title``, ``confidence``, ...) can be changed too. Another power
        limit is one of the same chip: what was assumed of its power and energies stays.
        """
        asked = {**(changes or {}), **named}
        identity = {key: asked.pop(key) for key in list(asked) if key in schema.IDENTITY}
        stated = dict(self.stated)
        if "power.tdp_w" in map(_figure_key, asked):
            stated |= {k: f for k, f in self.figures.items() if k.startswith(_OF_THE_CHIP)}
        for key, value in asked.items():
            known = _figure_key(key)
            before = self.value(known)
            note = "not stated before" if before is None else f"was {before!r}"
            stated[known] = Figure(value, FigureKind.ASSUMED, "what if", note=note)
        return replace(self, stated=Frozen(stated), **identity)

    def with_fitted(self, key: str, values: Mapping[str, float], fit: Fit) -> Profile:
        """A copy with one fitted table: ``with_fitted("efficiency.compiled", {...}, fit)``."""
        return replace(self, fitted=Frozen({**self.fitted, key: Fitted(Frozen(values), fit)}))


def _by_precision(table: Mapping[str, float]) -> Mapping[Precision, float]:
    return MappingProxyType({Precision(key): value for key, value in table.items()})


def _figure_key(asked: str) -> str:
    flat = {key.replace(".", "_"): key for key in schema.KEYS}
    key = asked if asked in schema.KEYS else flat.get(asked)
    if key is None:
        raise errors.unknown(what="hardware figure", asked=asked, known=schema.KEYS)
    return key

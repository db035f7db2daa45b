"""The profile format: which sections and figures a device file may hold, with units and meanings.

Keys are dotted, section first: ``memory.bytes_per_s``. A section may be keyed by precision
(``peak_flops_per_s.fp16``), by stack (``overhead.kernel_s.eager``) or by fixed names. The loader
refuses whatever is not listed here; the dashboard takes its words from it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from characterize.records import Precision, Stack

IDENTITY: Final = MappingProxyType(
    {
        "name": "the file's name without .toml: vendor_model in lower case",
        "title": "what the vendor calls it",
        "vendor": "who makes it",
        "architecture": "how it executes a kernel: cpu, gpu, tpu or kpu",
        "confidence": "what the figures rest on: measured, calibrated, datasheet or design",
        "default_precision": "the number format that inference usually runs in on it",
        "execution_model": "how its kernels are projected; left out, its architecture's",
        "summary": "one sentence for a reader who does not know the device",
    }
)
SHARED: Final = ("read_on", "sources")  # what figures share: a date, and citations by short name
REQUIRED_IDENTITY: Final = ("name", "title", "vendor", "architecture", "default_precision")


@dataclass(frozen=True, slots=True)
class Field:
    """What one figure means, and which values it can have."""

    unit: str
    sentence: str
    type: type = float  # float, int, str or bool
    low: float = 0.0
    high: float = float("inf")
    zero: bool = False  # whether 0 is a possible value


def _count(sentence: str) -> Field:
    return Field("", sentence, int)


def _bytes(sentence: str) -> Field:
    return Field("B", sentence, low=64.0)


def _rate(sentence: str) -> Field:
    return Field("B/s", sentence, low=1e3)


def _clock(sentence: str) -> Field:
    return Field("Hz", sentence, low=1e5)


# The least that a device can have keeps 26 TOPS from being written as 26, and 2.4 GHz as 2.4.
_LEAST_FLOPS_PER_S: Final = 1e6
_PEAK = Field(
    "flop/s",
    "dense peak of the matrix units (of the SIMD units where there are none)",
    low=_LEAST_FLOPS_PER_S,
)
_VECTOR = Field(
    "flop/s",
    "peak of the units that do elementwise, norm, softmax, depthwise work",
    low=_LEAST_FLOPS_PER_S,
)
_J_PER_FLOP = Field("J/flop", "dynamic energy of one operation of a matrix product", zero=True)
_VECTOR_J = Field("J/flop", "dynamic energy of one operation on the vector units", zero=True)
_KERNEL_S = Field("s", "fixed time a kernel: launch and dispatch", zero=True)
_SHARE = Field("", "share of the datasheet figure that real kernels reach", high=1.0)

FIELDS: Final[Mapping[str, Mapping[str, Field]]] = MappingProxyType(
    {
        "": {
            "year": Field("", "year of introduction", int, low=1970, high=2100),
            "process": Field("", "manufacturing process", str),
        },
        "peak_flops_per_s": {precision.value: _PEAK for precision in Precision},
        "vector_flops_per_s": {precision.value: _VECTOR for precision in Precision},
        "memory": {
            "bytes_per_s": _rate("bandwidth of the main memory"),
            "capacity_bytes": _bytes("size of the main memory"),
            "technology": Field("", "kind and width of the main memory", str),
            "on_chip_only": Field("", "whether it has no main memory of its own", bool),
        },
        "link": {
            "bytes_per_s": _rate("bandwidth of the link to the host"),
            "technology": Field("", "kind of the link to the host", str),
        },
        "on_chip": {
            "capacity_bytes": _bytes("size of the last on-chip level (L3, L2, unified buffer)"),
            "bytes_per_s": _rate("bandwidth of the last on-chip level"),
            "resident_bytes": _bytes("working set up to which that bandwidth is really reached"),
            "registers_bytes": _bytes("all register files together"),
            "l1_bytes": _bytes("all first-level data caches or local memories together"),
            "l2_bytes": _bytes("all second-level caches together"),
            "l3_bytes": _bytes("all third-level caches together"),
            "scratchpad_bytes": _bytes("software-managed memory apart from the last level"),
            "accumulator_bytes": _bytes("accumulator memory of matrix units"),
        },
        "units": {
            "cores": _count("cores"),
            "threads": _count("hardware threads"),
            "performance_cores": _count("large cores of a hybrid processor"),
            "efficiency_cores": _count("small cores of a hybrid processor"),
            "flops_per_clock": Field("flop", "fp32 operations a (large) core and clock"),
            "efficiency_flops_per_clock": Field("flop", "fp32 operations a small core and clock"),
            "simd_bits": _count("width of one SIMD register"),
            "sms": _count("streaming multiprocessors"),
            "cuda_cores": _count("scalar fp32 lanes of a GPU"),
            "tensor_cores": _count("matrix units of a GPU"),
            "arrays": _count("systolic arrays"),
            "array_rows": _count("rows of one array of processing elements"),
            "array_columns": _count("columns of one array of processing elements"),
            "vector_lanes": _count("lanes of the vector unit"),
            "tiles": _count("compute tiles of a fabric"),
            "tiles_int8": _count("tiles specialised in int8"),
            "tiles_bf16": _count("tiles specialised in bf16"),
            "tiles_matrix": _count("tiles specialised in matrix products"),
            "fill_cycles": Field("clock", "clocks until an array is full", zero=True),
            "drain_cycles": Field("clock", "clocks until an array is empty again", zero=True),
            "clock_base_hz": _clock("guaranteed clock"),
            "clock_boost_hz": _clock("highest clock"),
            "clock_peak_hz": _clock("clock at which the peaks hold"),
            "clock_floor_hz": _clock("clock below which the voltage falls no further"),
            "efficiency_clock_base_hz": _clock("guaranteed clock of the small cores"),
            "efficiency_clock_boost_hz": _clock("highest clock of the small cores"),
        },
        "power": {
            "tdp_w": Field("W", "sustained power limit"),
            "base_w": Field("W", "power limit at which a processor holds the clock of its peak"),
            "idle_w": Field("W", "power with clocks up and nothing to do", zero=True),
            "active_w": Field("W", "power of busy units besides operations and bytes", zero=True),
            "maximum_w": Field("W", "highest power allowed or measured"),
            "minimum_w": Field("W", "lowest power limit that can be set"),
            "mean_w": Field("W", "mean power in service"),
            "wall_base_w": Field("W", "whole system at the wall while it runs, without the work"),
        },
        "energy": {
            "memory_j_per_byte": Field("J/B", "energy to move a byte from main memory", zero=True),
            "on_chip_j_per_byte": Field("J/B", "energy to move a byte from on chip", zero=True),
        },
        "energy.j_per_flop": {precision.value: _J_PER_FLOP for precision in Precision},
        "energy.vector_j_per_flop": {precision.value: _VECTOR_J for precision in Precision},
        "overhead": {
            "inference_s": Field("s", "fixed time an inference: transfer, synchronise", zero=True),
        },
        "overhead.kernel_s": {stack.value: _KERNEL_S for stack in Stack},
        "efficiency": {"compute": _SHARE, "memory": _SHARE, "vector": _SHARE, "on_chip": _SHARE},
        "uncertainty": {
            "log_std": Field("", "standard deviation of ln(measured / projected)", zero=True),
        },
        "reference": {
            "latency_factor": Field("", "latency is flops / peak times this factor"),
        },
    }
)
"""Section -> figure -> field; the section ``""`` is the top of the file."""

FITTED_SECTIONS: Final = ("efficiency", "uncertainty")
"""Sections that may hold ``[section.<stack>]`` tables of named numbers with a ``fit``."""

FIT_KEYS: Final = MappingProxyType(
    {"on": str, "n": int, "error": float, "date": object, "note": str}
)
FIGURE_KEYS: Final = ("value", "kind", "source", "read_on", "note")

_FITTED_NAME = re.compile(rf"({'|'.join(stack.value for stack in Stack)})(_[a-z0-9]+)*")


def is_fitted_name(name: str) -> bool:
    """Whether ``name`` may head a fitted table: a stack, or one with a suffix (``eager_nchw``)."""
    return _FITTED_NAME.fullmatch(name) is not None


def dotted(section: str, name: str) -> str:
    """The key of a figure: ``memory.bytes_per_s``; ``year`` at the top of the file."""
    return f"{section}.{name}" if section else name


KEYS: Final[Mapping[str, Field]] = MappingProxyType(
    {
        dotted(section, name): field
        for section, names in FIELDS.items()
        for name, field in names.items()
    }
)
"""Every figure a file may hold, by its dotted key."""

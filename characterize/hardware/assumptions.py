"""What a model needs and a datasheet does not say: one assumption an architecture, each with why.

Nothing here overrides a stated figure. The assumptions appear among a profile's figures as
``assumed``, so that whoever reads a projection can see which of its inputs nobody measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from characterize.hardware.figures import Figure, FigureKind
from characterize.records import Architecture, Confidence, Precision, Stack
from characterize.units import PICO

_CPU, _GPU, _TPU, _KPU = Architecture.CPU, Architecture.GPU, Architecture.TPU, Architecture.KPU
Assumption = tuple[float, str]

BY_ARCHITECTURE: Final[Mapping[str, Mapping[Architecture, Assumption]]] = MappingProxyType(
    {
        "efficiency.compute": {
            _CPU: (0.45, "published CNN and HPL runs on CPUs reach 0.28 to 0.46 of the SIMD peak"),
            _GPU: (0.70, "best published bf16 matmuls reach 0.78 to 0.87, typical shapes less"),
            _TPU: (0.78, "array-active share of CNN0 on TPU v1 (Jouppi, ISCA 2017, table 3)"),
            _KPU: (0.53, "dense convolutions of the Hailo-8 model zoo run at 53 % of its peak"),
        },
        "efficiency.memory": {
            _CPU: (0.70, "streaming CPU kernels reach 0.6 to 0.8 of the DRAM interface rate"),
            _GPU: (0.85, "published DRAM streams on A100, V100, L40, H200 reach 0.65 to 0.98"),
            _TPU: (0.98, "DMA without caches: the most that streams on HBM reach (H200)"),
            _KPU: (0.80, "DMA streams without caches, no published measurement"),
        },
        "efficiency.vector": {
            _CPU: (0.45, "as for its matrix products, which run on the same SIMD units"),
            _GPU: (0.70, "as for its matrix products; fp32 FMA streams reach 0.98 on an A100"),
            _TPU: (0.70, "no published measurement, taken from GPUs"),
            _KPU: (0.50, "no published measurement, taken from its matrix products"),
        },
        "efficiency.on_chip": {
            _CPU: (0.70, "as for its main memory, no published measurement"),
            _GPU: (0.85, "as for its main memory; the rates stated are measured ones"),
            _TPU: (0.85, "as for its main memory, no published measurement"),
            _KPU: (0.80, "as for its main memory, no published measurement"),
        },
        "overhead.kernel_s.eager": {
            _CPU: (30e-6, "fitted on a Core i9-10940X, compiled: 26 to 55 us a library call"),
            _GPU: (
                12e-6,
                "a pointwise kernel's, from networks on an RTX 4090 that wait for the host",
            ),
            _TPU: (100e-6, "published eager calls on a TPU v3 take 100 to 300 us"),
            _KPU: (1e-6, "a program is loaded once an operator; nothing is published"),
        },
        "overhead.kernel_s.compiled": {
            _CPU: (
                10e-6,
                "fitted on a Core i9-10940X: 3 us a small loop, 26 to 55 us a library call",
            ),
            _GPU: (18e-6, "fitted on an RTX 4090: 17.7 us a kernel that the host sends"),
            _TPU: (2e-6, "one program a network; taken from kernels in a GPU stream"),
            _KPU: (1e-6, "a program is loaded once an operator; nothing is published"),
        },
        "overhead.kernel_s.engine": {
            _CPU: (5e-6, "half of the compiled figure: no Python between kernels"),
            _GPU: (1.4e-6, "small kernels in a CUDA graph: 1.4 us on A100, 1.3 on H200"),
            _TPU: (2e-6, "one program a network; taken from kernels in a GPU stream"),
            _KPU: (1e-6, "a program is loaded once an operator; nothing is published"),
        },
        "overhead.inference_s": {
            _CPU: (50e-6, "fitted on a Core i9-10940X: less than 0.1 ms a step"),
            _GPU: (20e-6, "a published call with synchronisation on A100 takes 21 us"),
            _TPU: (400e-6, "fitted on a Coral Edge TPU behind PCIe: 0.4 to 0.5 ms a call"),
            _KPU: (100e-6, "host call and DMA set-up; nothing is published"),
        },
        "energy.memory_j_per_byte": {
            _CPU: (162 * PICO, "DDR4: 1300 pJ for 64 bits (Jouppi, ISCA 2021, table 2)"),
            _GPU: (120 * PICO, "slope of board power over bandwidth: A100 115-122, H200 122 pJ/B"),
            _TPU: (120 * PICO, "taken from GPUs with the same HBM: 115 to 122 pJ/B measured"),
            _KPU: (64 * PICO, "LPDDR4: 8 pJ a bit (default of Accelergy)"),
        },
        "energy.on_chip_j_per_byte": {
            _CPU: (60 * PICO, "taken from the RTX 3090: L1 6.2 and L2 1.35 pJ a bit"),
            _GPU: (60 * PICO, "measured on an RTX 3090: L1 6.2 and L2 1.35 pJ a bit"),
            _TPU: (10 * PICO, "1 MB SRAM at 7 nm, 1.75 pJ/B, times 6 as measured against datapath"),
            _KPU: (10 * PICO, "1 MB SRAM at 7 nm, 1.75 pJ/B, times 6 as measured against datapath"),
        },
    }
)

_IDLE_SHARE: Final[Mapping[Architecture, Assumption]] = MappingProxyType(
    {
        _CPU: (0.30, "0.28 of the power limit on a Xeon E5-2699 v3 (Jouppi, ISCA 2017, table 2)"),
        _GPU: (0.15, "0.15 to 0.16 of the power limit on A100 and H200 at full clock"),
        _TPU: (0.45, "0.37 on TPU v1, 0.47 of the highest power on TPU v4"),
        _KPU: (0.08, "0.06 to 0.08 in the design figures of Stillwater's KPU"),
    }
)

_ACTIVE_SHARE: Final[Mapping[Architecture, Assumption]] = MappingProxyType(
    {
        _GPU: (
            0.25,
            "0.25 of what the limit leaves beside idle power: 0.33 on our H100, 0.29 on RTX PRO 6000",
        )
    }
)
_COMPUTE_SHARE: Final = 0.9
_COMPUTE_SHARE_WHY: Final = (
    "0.9 of (power limit - idle and active power) / peak: the bound that the power limit sets; fits "
    "to MLPerf power results of A100-class cards give about as much (0.97 pJ an int8 "
    "multiply-accumulate, active power included)"
)
_J_PER_FLOP_AT_32_BITS: Final[Mapping[Architecture, Assumption]] = MappingProxyType(
    {
        _CPU: (39 * PICO, "slope of wall power on a Raspberry Pi 4, 79 pJ a multiply-accumulate"),
        _GPU: (5.2 * PICO, "slope of board power over fp32 FMA streams on A100: 4.9 to 5.5 pJ"),
        _TPU: (0.74 * PICO, "TPU v4, (192 - 90) W over 275 Tflop/s bf16, scaled with the width"),
        _KPU: (0.38 * PICO, "Hailo-8, 2.5 W over 26 Top/s int8, scaled with the width"),
    }
)
_VECTOR_J_PER_FLOP: Final = 5.2 * PICO
_VECTOR_SHARE: Final[Mapping[Architecture, Assumption]] = MappingProxyType(
    {
        _CPU: (1.0, "the same SIMD units"),
        _GPU: (1 / 8, "an eighth of the matrix peak, as on cards that publish both"),
        _TPU: (1 / 32, "TPU v5e: 8 x 128 lanes x 4 ALUs at 1.5 GHz beside 197 Tflop/s"),
        _KPU: (1 / 50, "depthwise work on a Hailo-8 runs at 1/50 of its dense rate"),
    }
)
_LOG_STD: Final[Mapping[Confidence, Assumption]] = MappingProxyType(
    {
        Confidence.MEASURED: (0.10, "a calibrated model on the device it was fitted on"),
        Confidence.CALIBRATED: (0.20, "a calibrated model on a device of the same kind"),
        Confidence.DATASHEET: (0.45, "rooflines with typical efficiencies miss by 16 to 58 %"),
        Confidence.DESIGN: (0.70, "nothing to measure: wider than a datasheet's"),
    }
)

_LEFT_OUT: Final[Mapping[tuple[str, str], Assumption]] = MappingProxyType(
    {
        ("edge_cores", "engine"): (0.15, "TFLite on four boards, each left out of the fit"),
        ("simt_waves", "engine"): (
            0.26,
            "MLPerf servers, an accelerator left out: 0.07 at large batches, 0.26 for one sample",
        ),
        ("simt_waves", "eager"): (
            0.12,
            "0.06 to 0.08 between RTX 3090 and 4090, each left out; half as much again for newer cards",
        ),
        ("simt_waves", "compiled"): (0.14, "as eager, in proportion to the fitted cards' own"),
        ("systolic_array", ""): (0.40, "a Coral Edge TPU from its datasheet, array assumed"),
        ("domain_flow", ""): (0.46, "a Hailo-8 from its datasheet alone, 41 networks"),
    }
)
"""(execution model, stack; "" any) -> spread of devices from the datasheet alone: 80 % quantiles."""

Figures = Mapping[str, Figure]


def missing(
    architecture: Architecture,
    model: str,
    confidence: Confidence,
    usual: Precision,
    stated: Figures,
) -> Figures:
    """The figures that models need and ``stated`` lacks, by dotted key.

    ``usual`` is the device's default precision, whose peak others are taken from; ``model`` its
    execution model, of which devices may have been left out.
    """
    found = {key: _of(table[architecture]) for key, table in BY_ARCHITECTURE.items()}
    left_out = _LEFT_OUT.get((model, "")) if confidence is Confidence.DATASHEET else None
    found["uncertainty.log_std"] = _of(left_out or _LOG_STD[confidence])
    found |= _vector_peak(architecture, usual, stated)
    found |= _idle(architecture, stated)
    found |= _compute_energy(architecture, {**found, **stated})
    found |= _vector_energy(architecture, {**found, **stated})
    return {key: figure for key, figure in found.items() if _number(stated, key) is None}


def left_out_log_std(
    model: str, stack: str, confidence: Confidence, memory: str = ""
) -> float | None:
    """Spread under one stack of a device that nobody measured; None where none was left out.

    Of the stacks of PyTorch two cards with GDDR memory were, too unlike those with HBM.
    """
    unlike = "HBM" in memory and stack in (Stack.EAGER, Stack.COMPILED)
    known = None if unlike else _LEFT_OUT.get((model, stack))
    return known[0] if known and confidence is Confidence.DATASHEET else None


def _of(assumption: Assumption) -> Figure:
    return Figure.assumed(*assumption)


def _number(figures: Figures, key: str) -> float | None:
    figure = figures.get(key)
    return None if figure is None or figure.value is None else float(figure.value)


def _peaks(figures: Figures, section: str = "peak_flops_per_s") -> dict[Precision, float]:
    numbers = {p: _number(figures, f"{section}.{p}") for p in Precision}
    return {precision: number for precision, number in numbers.items() if number is not None}


def _vector_peak(architecture: Architecture, usual: Precision, stated: Figures) -> Figures:
    if _peaks(stated, "vector_flops_per_s"):
        return {}
    peaks = _peaks(stated)
    if Precision.FP32 in peaks and architecture in (_CPU, _GPU):
        why = "the fp32 peak, which is that of the SIMD units or scalar lanes"
        return {"vector_flops_per_s.fp32": Figure.assumed(peaks[Precision.FP32], why)}
    share, why = _VECTOR_SHARE[architecture]
    peak = peaks.get(usual, 0.0)
    return {"vector_flops_per_s.fp32": Figure.assumed(share * peak, why)}


def _power_limit(stated: Figures) -> float | None:
    keys = ("power.tdp_w", "power.maximum_w", "power.mean_w")
    return next(filter(None, (_number(stated, key) for key in keys)), None)


def _idle(architecture: Architecture, stated: Figures) -> Figures:
    limit = _power_limit(stated)
    if limit is None:
        why = "no power limit is stated, so no share of it can be taken"
        return {"power.idle_w": Figure.assumed(0.0, why)}
    share, why = _IDLE_SHARE[architecture]
    found = {"power.idle_w": Figure.assumed(share * limit, why)}
    idle = _number(stated, "power.idle_w")
    left = limit - (share * limit if idle is None else idle)
    if architecture in _ACTIVE_SHARE:
        share, why = _ACTIVE_SHARE[architecture]
        found["power.active_w"] = Figure.assumed(share * max(0.0, left), why)
    return found


def _compute_energy(architecture: Architecture, known: Figures) -> Figures:
    limit, idle = _power_limit(known), _number(known, "power.idle_w")
    beside = (idle or 0.0) + (_number(known, "power.active_w") or 0.0)
    found = {}
    for precision, peak in _peaks(known).items():
        if limit is not None and idle is not None and limit > beside:
            energy, why = _COMPUTE_SHARE * (limit - beside) / peak, _COMPUTE_SHARE_WHY
        else:
            at_32, why = _J_PER_FLOP_AT_32_BITS[architecture]
            energy = at_32 * precision.bytes / Precision.FP32.bytes
        found[f"energy.j_per_flop.{precision}"] = Figure(energy, FigureKind.ASSUMED, why)
    return found


def _vector_energy(architecture: Architecture, known: Figures) -> Figures:
    if _peaks(known, "energy.vector_j_per_flop"):
        return {}
    own = _number(known, "energy.j_per_flop.fp32")
    if own is not None and architecture in (_CPU, _GPU):
        why = "as a matrix operation in fp32, which runs on the same units"
        return {"energy.vector_j_per_flop.fp32": Figure.assumed(own, why)}
    why = "an fp32 operation with its instruction and registers, measured on A100: 4.9 to 5.5 pJ"
    return {"energy.vector_j_per_flop.fp32": Figure.assumed(_VECTOR_J_PER_FLOP, why)}

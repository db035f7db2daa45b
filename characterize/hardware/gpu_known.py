"""What is known of a GPU's kernels under a stack: fitted numbers, borrowed ones, and whose bound whose.

Some devices' compilers were measured (GeForce, Hopper), some devices' engines (A100, A30, A10, A2, T4), and
single operators on A100s. An engine is never slower than a compiler: what was measured bounds the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from characterize.columns import KernelColumns
from characterize.hardware import catalogue, gpu_engine, gpu_kernels, gpu_rows, parameters
from characterize.hardware.gpu_kernels import Device, Efficiencies, Times
from characterize.hardware.record import Profile
from characterize.records import KernelKind, Precision, Stack

HOST_GAIN: Final = 0.93
"""Time of the host's work from one year's machines to the next: single threads gain 7 % a year."""


def efficiencies(profile: Profile, stack: Stack | str) -> dict[str, float]:
    """The numbers of :data:`parameters.GPU` for a device and stack.

    Fitted ones if the profile has them; else those of the card that most measurements are of, with
    a clock of at most 1 for cards other than RTX (the others are rated at their highest clock). An
    overhead or an efficiency that the profile itself states wins over a borrowed one. Engines have
    their own (`gpu_engine`).
    """
    return dict(profile.once(("efficiencies", stack), lambda: _efficiencies(profile, stack)))


def _efficiencies(profile: Profile, stack: Stack | str) -> dict[str, float]:
    if stack == Stack.ENGINE:
        known = gpu_engine.efficiencies(profile)
        if "mac_j" in known and compilers_known(profile):  # `clocks` knows the power limit's clock
            del known["mac_j"]
            known["clock"] = efficiencies(profile, Stack.COMPILED)["clock"]
        return known
    table = str(stack)
    values = {name: parameter.start for name, parameter in parameters.GPU.items()}
    fitted = profile.fitted.get(f"efficiency.{table}")
    if fitted is not None and fitted.values.keys() & parameters.GPU.keys():
        values |= fitted.values
    else:
        values |= _borrowed(profile, table, values)
        if "RTX" not in profile.title:
            values["clock"] = min(1.0, values["clock"])
            if table.startswith("eager") and not _hopper(profile):
                values |= gpu_rows.MEASURED
        values |= _stated(profile, table, values)
    return values


def _borrowed(profile: Profile, table: str, values: Efficiencies) -> Mapping[str, float]:
    """Fitted numbers of the measured card nearest in kind: HBM with fp8 means Hopper and after.

    The host's share is that of the RTX card, less for a newer card: it is run in a newer machine.
    """
    card = "nvidia_rtx_3090" if table.startswith("eager") else "nvidia_rtx_4090"
    found = {**values, **_fitted(card, table)}
    dispatch = found["dispatch"]
    if _hopper(profile):
        found |= _fitted("nvidia_h100_sxm", table)
    newer = (profile.year or 0) - (catalogue.load(card).year or 0)
    return {**found, "dispatch": dispatch * HOST_GAIN ** max(0, newer)}


def _pointwise_s(profile: Profile) -> float:
    """What the host of a card of its year takes for a pointwise kernel, in eager execution."""
    values = {name: parameter.start for name, parameter in parameters.GPU.items()}
    return float(_borrowed(profile, str(Stack.EAGER), values)["dispatch"])


def compilers_known(profile: Profile) -> bool:
    """Whether a compiler's kernels were measured on a device of the kind: GeForce and Hopper, or itself."""
    own = profile.fitted.get(f"efficiency.{Stack.COMPILED}")
    return own is not None or "RTX" in profile.title or _hopper(profile)


def operators_known(profile: Profile) -> bool:
    """Whether a library's products were measured on a device whose compilers were not: on A100s.

    Of operators in half precision (Vidur, LLMCompass), from which their energies are derived.
    """
    stated = any(key.startswith("energy.j_per_flop.") for key in profile.stated)
    return stated and not compilers_known(profile)


def in_a_library(profile: Profile, precision: Precision) -> Precision:
    """The precision that a library's product runs in: none below half, if the device has half."""
    narrow = precision.bytes < Precision.FP16.bytes
    return Precision.FP16 if narrow and Precision.FP16 in profile.peak_flops_per_s else precision


def no_faster_than_engines(
    times: Times, columns: KernelColumns, profile: Profile, precision: Precision, stack: Stack
) -> Times:
    """Products of PyTorch on devices whose engines were measured, and they not."""
    if f"efficiency.{stack}" in profile.fitted or compilers_known(profile):
        return times
    products = columns.macs > 0
    if operators_known(profile) and in_a_library(profile, precision) is precision:
        products = columns.is_kind(KernelKind.RECURRENT)
    if not products.any():
        return times
    engine = measured_engine(columns, profile, precision, stack)
    return gpu_engine.no_faster(times, engine, products)


def measured_engine(
    columns: KernelColumns, profile: Profile, precision: Precision, stack: Stack
) -> Times:
    """Times of an engine on a device whose engines were measured; on A100s also a library's own."""
    engine, limit_w = efficiencies(profile, Stack.ENGINE), gpu_engine.budget_w(profile)
    times = gpu_engine.kernel_times(columns, Device.of(profile, precision), engine, limit_w)
    half = in_a_library(profile, precision)
    if not operators_known(profile) or half is precision:
        return times
    device = Device.of(profile, half)
    library = gpu_kernels.kernel_times(columns, device, efficiencies(profile, stack))
    return gpu_engine.faster(times, library)


def replayed(profile: Profile) -> dict[str, float]:
    """A library's kernels as an engine replays them: padded, from a graph, none shorter than its own."""
    engine = efficiencies(profile, Stack.ENGINE)
    own = {name: engine[name] for name in ("launch", "dispatch", "shortest") if name in engine}
    padded = dict.fromkeys(("misaligned", "odd_product", "odd_linear", "even_linear"), 1.0)
    return efficiencies(profile, Stack.COMPILED) | padded | own


def _hopper(profile: Profile) -> bool:
    hbm = "HBM" in str(profile.value("memory.technology") or "")
    return hbm and Precision.FP8 in profile.peak_flops_per_s


def _fitted(name: str, table: str) -> dict[str, float]:
    fitted = catalogue.load(name).fitted.get(f"efficiency.{table}")
    return dict(fitted.values) if fitted else {}


def _stated(profile: Profile, table: str, values: Efficiencies) -> dict[str, float]:
    """Overheads and efficiencies that a profile states rather than leaves to be assumed."""
    found: dict[str, float] = {}
    if profile.stated.get(f"overhead.kernel_s.{table}") is not None:
        found["dispatch"] = profile.number(f"overhead.kernel_s.{table}")
    elif profile.stated.get(f"overhead.kernel_s.{Stack.EAGER}") is not None:
        # a host that is known to be slower, or faster, is that under other stacks too
        slower = profile.number(f"overhead.kernel_s.{Stack.EAGER}") / _pointwise_s(profile)
        found["dispatch"] = values["dispatch"] * slower
    if profile.stated.get(f"overhead.kernel_s.{Stack.ENGINE}") is not None:  # gap, without a host
        gap = profile.number(f"overhead.kernel_s.{Stack.ENGINE}")
        found["launch"] = max(values["launch"], gap)
    return found | parameters.stated(profile, values, parameters.MATRIX_SHARES)

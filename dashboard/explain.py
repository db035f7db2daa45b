"""One kernel explained: what it does, what that costs and why it takes as long. Pure: Markdown.

Formulas are the docstrings of ``characterize.costs`` and values are put in only where they give
the number that was used, so that no explanation can differ from the calculation.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from characterize.hardware import KEYS, static_power_w
from characterize.records import Cost
from dashboard.readable import number

if TYPE_CHECKING:
    from characterize.hardware import Figure, Profile
    from dashboard.anatomy import PricedOperator

_LABEL: Final = re.compile(r"^([A-Z][a-z]+): ")
_SHOWN: Final = ("stride", "padding", "dilation", "groups", "normalized_shape", "is_causal", "dim")


def operator_line(operator: PricedOperator) -> str:
    """One operator: name, shapes in and out, and what makes a difference among its attributes."""
    inputs = ", ".join(f"{name} {_shape(shape)}" for name, shape in operator.inputs)
    outputs = ", ".join(_shape(shape) for shape in operator.outputs)
    told = [f"{n}={v}" for n, v in operator.attributes if n in _SHOWN and v is not None]
    details = f" ({', '.join(told)})" if told else ""
    return f"**`{operator.name}`**{details}: {inputs} → {outputs}"


def _shape(shape: Sequence[int]) -> str:
    return "`[" + ", ".join(map(str, shape)) + "]`"


def values_line(operator: PricedOperator) -> str:
    """The formula with its values put in, and what comes out of it."""
    cost = operator.cost
    if not cost.counted:
        return ":material/report: No cost formula: its work is in none of these figures."
    parts = []
    if cost.macs:
        parts.append(f"macs = {_product(cost)}{int(cost.macs):,}")
    if cost.masked_macs is not None and cost.masked_macs != cost.macs:
        parts.append(f"of them {int(cost.masked_macs):,} under the causal mask")
    if cost.vector_flops:
        parts.append(f"vector_flops = {_per_element(operator)}{int(cost.vector_flops):,}")
    return "; ".join(parts) or "moves data, and computes nothing"


def _product(cost: Cost) -> str:
    """``m × n × k`` of the matrix product, where the macs are a multiple of it."""
    gemm = cost.gemm
    if gemm is None:
        return ""
    product = int(gemm.groups) * int(gemm.m) * int(gemm.n) * int(gemm.k)
    times = int(cost.macs) // product if product and int(cost.macs) % product == 0 else 0
    if not times:
        return ""
    names, sizes = ["m", "n", "k"], [gemm.m, gemm.n, gemm.k]
    if gemm.groups != 1:
        names, sizes = ["groups", *names], [gemm.groups, *sizes]
    factor = f"{times} × " if times > 1 else ""
    return f"{factor}{' × '.join(names)} = {factor}{' × '.join(f'{int(s):,}' for s in sizes)} = "


def _per_element(operator: PricedOperator) -> str:
    elements = 1
    for size in operator.outputs[0] if operator.outputs else ():
        elements *= size
    flops = int(operator.cost.vector_flops)
    if not elements or flops % elements:
        return ""
    return f"{flops // elements} × {elements:,} elements of the output = "


def formula(operator: PricedOperator) -> str:
    """The docstring of a formula as Markdown, without its example."""
    head, *paragraphs = operator.formula.split("\n\n")
    kept = [
        _LABEL.sub(r"**\1:** ", _escaped(" ".join(paragraph.split())))
        for paragraph in paragraphs
        if not paragraph.startswith("Example:")
    ]
    return "\n\n".join([_escaped(head), *kept])


def _escaped(text: str) -> str:
    pieces = text.replace("``", "`").split("`")
    pieces[::2] = [re.sub(r"([*_~$\[\]])", r"\\\1", piece) for piece in pieces[::2]]
    return "`".join(pieces)


def time_rows(
    kernel: Mapping[str, Any],
    peak: float,
    bytes_per_s: float,
    on_chip_bytes_per_s: float | None = None,
) -> dict[str, list[str]]:
    """The parts of a kernel's latency, and what each comes to beside the device's figures.

    Args:
        kernel: its row.
        peak: of the matrix arithmetic, in flop/s.
        bytes_per_s: of the memory; 0 where there is none.
        on_chip_bytes_per_s: of the memory on the chip, where the profile has it.
    """
    work = kernel["flops"] - 2.0 * (kernel["macs"] - kernel["worked_macs"])
    compute, memory = kernel["compute_s"], kernel["memory_s"]
    return {
        "Part": ["Arithmetic", "Memory", "Overhead", "**Latency**"],
        "Time": [
            _unbroken(compute),
            _unbroken(memory),
            _unbroken(kernel["overhead_s"]),
            f"**{_unbroken(kernel['latency_s'])}**",
        ],
        "What it is": [
            _rate(work, "flop", compute, peak, "the matrix peak"),
            _moved(kernel["memory_bytes"], memory, bytes_per_s, on_chip_bytes_per_s),
            "starting the kernel",
            "the parts overlap as the execution model says, below",
        ],
    }


def _unbroken(seconds: float) -> str:
    """A time whose unit stays on the line of its number, in a narrow column too."""
    return number(seconds, "s").replace(" ", "\N{NO-BREAK SPACE}")


def row_formulas(
    row: Mapping[str, Any], kernels: Mapping[str, Sequence[Any]], profile: Profile
) -> dict[str, list[str]]:
    """Each number of a result row as a formula with its values put in.

    Args:
        row: of the network on ``profile``.
        kernels: its kernels, one a row.
        profile: the device.
    """
    latency, energy = float(row["latency_s"]), float(row["energy_j"])
    low, high = profile.band(str(row["stack"]))
    idle = static_power_w(profile)
    batch, speedup = int(row["batch"]), float(row["speedup"])
    told = {
        "Latency": (number(latency, "s"), _latency(latency, kernels, profile)),
        "Range": (
            f"{number(row['latency_low_s'], 's')} to {number(row['latency_high_s'], 's')}",
            f"80 % interval: {low:.3g} × latency to {high:.3g} × latency",
        ),
        "Energy": (
            number(energy, "J"),
            f"dynamic {number(row['energy_dynamic_j'], 'J')} + idle power {number(idle, 'W')} × "
            f"latency {number(latency, 's')} = {number(row['energy_static_j'], 'J')}",
        ),
        "Power": (
            number(row["power_w"], "W"),
            f"energy {number(energy, 'J')} / latency {number(latency, 's')}",
        ),
        "Throughput": (
            number(row["throughput_per_s"], "/s"),
            f"batch {batch:,} / latency {number(latency, 's')}",
        ),
        "Speedup": (
            number(speedup, "×"),
            f"the baseline's latency {number(speedup * latency, 's')} / {number(latency, 's')}",
        ),
        "Arithmetic": (
            number(row["flops"], "flop"),
            f"2 × {number(row['macs'])} macs + {number(row['flops'] - 2.0 * row['macs'], 'flop')} "
            "of everything else",
        ),
        "Intensity": (
            number(row["intensity"], "flop/B"),
            f"{number(row['flops'], 'flop')} / {number(row['memory_bytes'], 'B')} moved by "
            f"{row['kernels']:,} kernels",
        ),
    }
    return {
        "Number": [f"**{name}**" for name in told],
        "Value": [value for value, _ in told.values()],
        "How it comes about": [formula for _, formula in told.values()],
    }


def _latency(latency: float, kernels: Mapping[str, Sequence[Any]], profile: Profile) -> str:
    """The kernels by what binds them, the fixed part, and what a power limit adds."""
    by_bound: dict[str, list[float]] = {}
    for bound, seconds in zip(kernels["bottleneck"], kernels["latency_s"], strict=True):
        by_bound.setdefault(str(bound), []).append(float(seconds))
    parts = [
        f"{number(sum(times), 's')} in {len(times):,} kernel{'s' if len(times) > 1 else ''} bound by "
        f"{bound}"
        for bound, times in by_bound.items()
    ]
    fixed = profile.inference_overhead_s
    if fixed:
        parts.append(f"{number(fixed, 's')} fixed for an inference")
    rest = latency - fixed - sum(map(sum, by_bound.values()))
    if rest > 0.005 * latency:
        parts.append(f"{number(rest, 's')} because of the power limit")
    return " + ".join(parts)


def confidence(profile: Profile) -> str:
    """What the confidence of a device means for its numbers, in a sentence."""
    meaning = {
        "measured": "measured on the device",
        "calibrated": "calibrated against measurements",
        "datasheet": "a datasheet's figures and assumed efficiencies; not compared with measurements",
        "design": "a design: there is no silicon to compare with",
    }
    word = str(profile.confidence)
    return f"{word} confidence: {meaning.get(word, word)}."


def _rate(amount: float, unit: str, seconds: float, bound: float, name: str) -> str:
    if not amount or not seconds:
        return number(amount, unit)
    rate = amount / seconds
    text = f"{number(amount, unit)} at {number(rate, f'{unit}/s')}"
    share = rate / bound if bound > 0 else 0.0
    return f"{text}, {share:.0%} of {name}" if share else text


def _moved(amount: float, seconds: float, off_chip: float, on_chip: float | None) -> str:
    """Traffic beside the bandwidth of the memory, or of the chip where it is too fast for memory.

    In ``seconds`` the memory can have moved ``off_chip × seconds`` at most; the rest never left.
    """
    rate = amount / seconds if seconds else 0.0
    if not off_chip or rate <= _EXACT * off_chip:
        return _rate(amount, "B", seconds, off_chip, "the bandwidth")
    stays = math.floor(100.0 * (1.0 - off_chip / rate))
    text = (
        f"{number(amount, 'B')} at {number(rate, 'B/s')}, more than the memory's "
        f"{number(off_chip, 'B/s')}: at least {stays} % of it stays on chip"
    )
    if on_chip and rate <= _EXACT * on_chip:
        return f"{text}, {rate / on_chip:.0%} of the {number(on_chip, 'B/s')} there"
    return text


_EXACT: Final = 1.01  # a ratio up to here is 1 as far as it is written


def table(columns: Mapping[str, Sequence[str]]) -> str:
    """A small table as Markdown."""
    lines = [" | ".join(columns), " | ".join("---" for _ in columns)]
    lines += [" | ".join(cells) for cells in zip(*columns.values(), strict=True)]
    return "\n".join(f"| {line} |" for line in lines)


def figure_rows(figures: Iterable[tuple[str, Figure]]) -> dict[str, list[str]]:
    """The figures of a profile as rows: what, how much, how it is known and from where."""
    known = [(key, figure) for key, figure in figures if figure.value is not None]
    return {
        "Figure": [key for key, _ in known],
        "Value": [_value(key, figure) for key, figure in known],
        "Kind": [str(figure.kind) for _, figure in known],
        "Source": [figure.source for _, figure in known],
    }


def _value(key: str, figure: Figure) -> str:
    field = KEYS.get(key)
    if isinstance(figure.value, bool) or not isinstance(figure.value, int | float):
        return str(figure.value)
    unit = field.unit if field else ""
    return number(float(figure.value), unit) if unit else f"{figure.value:g}"

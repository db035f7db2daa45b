"""``characterize project``: latency, energy and speedup of one network on several devices."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from characterize.cli import output, tables
from characterize.cli.parser import Names, Subparsers, one_of, settings
from characterize.records import Confidence, Precision, Stack

_COLUMNS: Final = {
    "hardware": "hardware",
    "precision": "precision",
    "latency_s": "latency",
    "interval": "80 % interval",
    "throughput_per_s": "throughput",
    "energy_j": "energy",
    "power_w": "power",
    "speedup": "speedup",
    "bottleneck": "bottleneck",
    "memory_bytes": "memory moved",
    "peak_memory_bytes": "peak memory",
    "fits": "fits",
    "tiles": "tiles",
    "confidence": "confidence",
}
_KERNEL_COLUMNS: Final = {
    "hardware": "hardware",
    "kernel": "kernel",
    "pattern": "pattern",
    "repeats": "repeats",
    "flops": "flops",
    "memory_bytes": "memory moved",
    "intensity": "intensity",
    "latency_s": "latency",
    "energy_dynamic_j": "dynamic energy",
    "bottleneck": "bottleneck",
    "tiles": "tiles",
}
_NO_SETTINGS: Final = {"model", "family"}
_NAMED: Final = 4  # more devices than that are counted, not listed
_WEAK: Final = {
    Confidence.DATASHEET: "projected from published figures, not yet held against measurements",
    Confidence.DESIGN: "a design without silicon: nobody can have measured it",
}
_CAUTIONS: Final = (
    "cautions: rare paths of libraries that take a good share of the time, and GPUs that wait for "
    "their host; errors are larger there"
)


def add_parser(subparsers: Subparsers) -> None:
    """Describe the verb."""
    parser = subparsers.add_parser(
        "project",
        help="latency, energy and speedup of one network on several devices",
        description="Project one network onto hardware: one row a device.",
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="a family (resnet), a zoo model (timm/resnet50), a .pt2 file or file.py:factory",
    )
    add_subject(parser)
    parser.add_argument("--baseline", metavar="NAME", help="device that speedups are relative to")
    parser.add_argument(
        "--kernels", action="store_true", help="one row a kernel and device instead of one a device"
    )
    output.add_options(parser)
    parser.set_defaults(run=run)


def add_subject(parser: argparse.ArgumentParser) -> None:
    """Give ``parser`` the options that say what runs, how, and on which devices."""
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="key=value",
        help="parameters of the model; `characterize models show MODEL` lists them",
    )
    parser.add_argument("--batch", default="1", metavar="N", help="samples that run together (1)")
    parser.add_argument(
        "--precision",
        type=one_of("precision", ("auto", *Precision)),
        default="auto",
        metavar="P",
        help="fp32, bf16, fp16, int8, ...; auto (the default) takes each device's usual one",
    )
    parser.add_argument(
        "--stack",
        type=one_of("stack", Stack),
        default=Stack.COMPILED.value,
        metavar="S",
        help="software that runs it: eager, compiled (the default) or engine",
    )
    parser.add_argument(
        "--hardware",
        nargs="+",
        action=Names,
        metavar="NAME",
        help="devices, classes (cpu, gpu, tpu, kpu), TOML profiles, or all (the default)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Project and print."""
    output.chosen_format(arguments)  # a wrong one is refused before the work
    from characterize import session

    asked = {
        "batch": arguments.batch,
        "precision": arguments.precision,
        "stack": arguments.stack,
        "hardware": arguments.hardware or "all",
        "baseline": arguments.baseline,
        "progress": output.progress(),
    }
    parameters = settings(arguments.set)
    if arguments.kernels:
        output.emit(session.kernels(arguments.model, parameters, **asked), arguments, kernel_table)
        return 0
    answer = session.answer(arguments.model, parameters, **asked)
    for note in answer.notes:
        output.note(note)
    if answer.left_out:
        output.note(f"left out, without {arguments.precision}: {', '.join(answer.left_out)}")
    output.emit(answer.table, arguments, lambda rows: table(rows, arguments.baseline))
    return 0


def table(rows: Sequence[Mapping[str, Any]], baseline: str | None = None) -> str:
    """Result rows as a person reads them: what all share above, a line a device below."""
    shown = [{**row, "interval": _interval(row)} for row in rows]
    remarks = [*_over(rows, baseline), *_remarks(rows)]
    columns = dict(_COLUMNS)
    if any(row["cautions"] for row in rows):
        columns["cautions"] = "cautions"
        remarks.append(_CAUTIONS)
    return "\n".join(
        [_heading(rows[0]), _totals(rows), "", tables.of(shown, columns), "", *remarks]
    ).rstrip()


def kernel_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Kernel rows as a person reads them."""
    return tables.of(rows, _KERNEL_COLUMNS)


def _heading(row: Mapping[str, Any]) -> str:
    names = list(row)
    own = [name for name in names[: names.index("batch")] if name not in _NO_SETTINGS]
    given = ", ".join(f"{name}={_setting(row[name])}" for name in own)
    model = f"{row['model']} ({given})" if given else str(row["model"])
    return f"{model}, batch {row['batch']}, {row['stack']}"


def _setting(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _totals(rows: Sequence[Mapping[str, Any]]) -> str:
    row = rows[0]
    uncounted = max(row["uncounted"] or 0 for row in rows)
    counted = (
        f"{tables.cell('parameters', row['parameters'])} parameters, "
        f"{tables.cell('macs', row['macs'])}, {tables.cell('flops', row['flops'])}, "
        f"{row['kernels']} kernels, uncounted operators: {uncounted}"
    )
    if uncounted:
        counted += " (they have no cost formula: every figure below is too low by what they take)"
    return counted


def _interval(row: Mapping[str, Any]) -> str:
    low, high = row["latency_low_s"], row["latency_high_s"]
    if low is None or high is None:
        return tables.ABSENT
    return f"{tables.cell('latency_s', low)} to {tables.cell('latency_s', high)}"


def _over(rows: Sequence[Mapping[str, Any]], baseline: str | None) -> list[str]:
    """Which device the speedups are relative to: the one named, else the one that is 1 exactly."""
    found = baseline or next((row["hardware"] for row in rows if row["speedup"] == 1.0), None)
    return [f"speedup: over {found}"] if found else []


def _remarks(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What a reader should know before trusting a line."""
    for confidence, meaning in _WEAK.items():
        names = [row["hardware"] for row in rows if row["confidence"] == confidence]
        if names:
            yield f"{confidence.value}: {meaning} ({_listed(names, len(rows))})"
    full = [row["hardware"] for row in rows if row["fits"] is False]
    if full:
        yield f"does not fit into the device's memory: {', '.join(full)}"


def _listed(names: Sequence[str], of: int) -> str:
    """A few names, or how many there are."""
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"all {of} devices" if len(names) == of else f"{len(names)} of {of} devices"

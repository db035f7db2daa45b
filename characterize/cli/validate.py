"""``characterize validate``: projections against measurements, and how wrong they are."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from characterize.cli import output, tables
from characterize.cli.parser import Names, Subparsers

if TYPE_CHECKING:
    from characterize.validation import Validation

_FORMATS: Final = ("table", "json")
_EVERY: Final = 25  # networks between two lines of progress
_ENERGIES: Final = {
    "power_w": "power",
    "energy_j": "energy",
    "wall_power_w": "power at the wall",
    "wall_energy_j": "energy at the wall",
}
_SUMMARY: Final = ("n", "median", "mean", "p90", "rho", "bias", "in band")


def add_parser(subparsers: Subparsers) -> None:
    """Describe the verb."""
    parser = subparsers.add_parser(
        "validate",
        help="projections against measurements: the error we make",
        description=(
            "Project what was measured and say how wrong that is. Without a file, against the cited "
            "figures that come with the package."
        ),
    )
    parser.add_argument(
        "--measurements", metavar="FILE", help="a CSV file: model, input_size, batch, precision, "
        "stack, memory_format, hardware, latency_s[, power_w, energy_j]",
    )  # fmt: skip
    parser.add_argument(
        "--hardware", nargs="+", action=Names, metavar="NAME", help="devices, or paths of TOML profiles; by "
        "default every device in the file",
    )  # fmt: skip
    output.add_options(parser, _FORMATS)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Validate and print the errors."""
    format = output.chosen_format(arguments)
    from characterize import evidence, validation

    frame = (
        evidence.read(arguments.measurements) if arguments.measurements else evidence.published()
    )
    for reason, count in frame.attrs.get("set_aside", {}).items():
        output.note(f"{count} published rows are set aside: {reason} (data/published/README.md)")
    found = validation.validate(frame, arguments.hardware, progress())
    if format == "json":
        text = output.as_json(output.records(found.summaries()))
        for line in _left_out(found):
            output.note(line)
    else:
        text = table(found)
    output.write(text, arguments.output)
    return 0


def progress() -> Any:
    """Says on stderr every so often which network is being projected."""
    seen = 0

    def say(text: str) -> None:
        nonlocal seen
        if seen % _EVERY == 0:
            output.note(text)
        seen += 1

    return say


def table(found: Validation) -> str:
    """Errors by device and stack, the worst ten, and by family of models."""
    summaries = found.summaries()
    if not summaries:
        return "\n".join(["Nothing could be projected.", *_left_out(found)])
    names = ("hardware", "stack", "precision")
    parts = [_errors(summaries, names), *_energies(summaries, names), "", "Furthest off:"]
    worst = output.records(found.worst())
    rows = [
        [row["model"], _size(row), str(row["batch"]), row["hardware"], row["stack"],
         tables.cell("latency_s", row["latency_s"]), tables.cell("latency_s", row["predicted_s"]),
         f"{row['predicted_s'] / row['latency_s'] - 1.0:+.0%}"]
        for row in worst
    ]  # fmt: skip
    heads = ("model", "size", "batch", "hardware", "stack", "measured", "projected", "error")
    parts += [tables.aligned(rows, heads), "", "By family of models:"]
    parts += [_errors(found.families(), ("family",))]
    left = _left_out(found)
    if left:
        parts += ["", "Left out:", *left]
    return "\n".join(parts)


def _errors(summaries: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    rows = [
        [
            *(str(each[name]) for name in names), str(each["n"]), _percent(each["median_ape"]),
            _percent(each["mean_ape"]), _percent(each["p90_ape"]),
            tables.ABSENT if each["spearman_rho"] is None else f"{each['spearman_rho']:.4f}",
            f"{each['bias']:+.1%}", f"{each['coverage']:.0%}",
        ]
        for each in summaries
    ]  # fmt: skip
    return tables.aligned(rows, (*names, *_SUMMARY))


def _energies(summaries: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    """Median errors of power and energy, of the device and at the wall, where they were measured."""
    rows = [
        [
            *(str(each[name]) for name in names),
            *(
                _percent(each[f"{kind}_median_ape"])
                if f"{kind}_median_ape" in each
                else tables.ABSENT
                for kind in _ENERGIES
            ),
        ]
        for each in summaries
        if any(f"{kind}_median_ape" in each for kind in _ENERGIES)
    ]
    heads = (*names, *_ENERGIES.values())
    return ["", "Power and energy:", tables.aligned(rows, heads)] if rows else []


def _percent(value: float) -> str:
    return f"{value:.1%}"


def _size(row: Mapping[str, Any]) -> str:
    return tables.ABSENT if row["input_size"] is None else f"{row['input_size']:g}"


def _left_out(found: Validation) -> list[str]:
    lines = []
    for each in found.left_out:
        name = f"{each['model']} {each['input_size']}".strip()
        lines.append(f"{name}: {each['reason']}" if name else each["reason"])
    return list(dict.fromkeys(lines))

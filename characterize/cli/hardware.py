"""``characterize hardware``: the devices, their figures with sources, and checking a file."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any, Final

from characterize.cli import output, tables
from characterize.cli.parser import Subparsers
from characterize.errors import BrokenRecordError
from characterize.units import si

_LISTED: Final = {
    "name": "name",
    "title": "device",
    "architecture": "class",
    "default_precision": "precision",
    "peak_flops_per_s": "peak",
    "memory_bytes_per_s": "bandwidth",
    "memory_capacity_bytes": "memory",
    "tdp_w": "power",
    "confidence": "confidence",
}
_SHOWN: Final = {
    "figure": "figure",
    "shown": "value",
    "kind": "kind",
    "read_on": "read on",
    "source": "source",
}


def add_parser(subparsers: Subparsers) -> None:
    """Describe the verb."""
    parser = subparsers.add_parser(
        "hardware",
        help="the devices: list, show NAME, check FILE",
        description="Hardware profiles: one device a file, every figure with its source.",
    )
    verbs = parser.add_subparsers(metavar="VERB", dest="hardware_verb", required=True)

    listing = verbs.add_parser("list", help="every device that comes with the package")
    output.add_options(listing, output.LIST_FORMATS)
    listing.set_defaults(run=run_list)

    show = verbs.add_parser("show", help="every figure of one device, with its source")
    show.add_argument("name", metavar="NAME", help="a device, or the path of a TOML profile")
    output.add_options(show, output.LIST_FORMATS)
    show.set_defaults(run=run_show)

    check = verbs.add_parser("check", help="whether a TOML profile would be accepted")
    check.add_argument("file", metavar="FILE", help="a TOML profile")
    check.set_defaults(run=run_check)


def run_list(arguments: argparse.Namespace) -> int:
    """Print one line a device."""
    output.chosen_format(arguments)
    from characterize import hardware

    rows = [_summary(hardware.load(name)) for name in hardware.names()]
    output.emit(rows, arguments, lambda plain: tables.of(plain, _LISTED))
    return 0


def run_show(arguments: argparse.Namespace) -> int:
    """Print every figure of a device."""
    output.chosen_format(arguments)
    from characterize import hardware

    profile = hardware.load(arguments.name)
    rows = [
        {
            "figure": key,
            "value": figure.value,
            "unit": hardware.KEYS[key].unit,
            "kind": figure.kind.value,
            "read_on": figure.read_on.isoformat() if figure.read_on else None,
            "source": figure.source,
            "note": figure.note,
        }
        for key, figure in sorted(profile.figures.items())
    ]

    def table(plain: Sequence[Mapping[str, Any]]) -> str:
        shown = [{**row, "shown": _value(row)} for row in plain]
        return "\n".join([*_identity(profile), "", tables.of(shown, _SHOWN)])

    output.emit(rows, arguments, table)
    return 0


def run_check(arguments: argparse.Namespace) -> int:
    """Say whether a profile file would be accepted, and everything that is wrong if not."""
    from characterize import hardware

    problems = hardware.check(arguments.file)
    if len(problems) == 1:
        msg = f"{arguments.file} is refused: {problems[0]}"
        raise BrokenRecordError(msg)
    if problems:
        msg = "\n  ".join([f"{arguments.file} has {len(problems)} problems:", *problems])
        raise BrokenRecordError(msg)
    profile = hardware.load(arguments.file)
    print(f"{arguments.file} is fine: {profile.title}, {len(profile.stated)} figures with sources.")
    return 0


def _summary(profile: Any) -> dict[str, Any]:
    """A device as a row; the peak is that of its default precision."""
    precision = profile.default_precision
    return {
        "name": profile.name,
        "title": profile.title,
        "vendor": profile.vendor,
        "architecture": profile.architecture.value,
        "default_precision": precision.value,
        "peak_flops_per_s": profile.peak(precision),
        "memory_bytes_per_s": profile.memory_bytes_per_s,
        "memory_capacity_bytes": profile.memory_capacity_bytes,
        "tdp_w": profile.tdp_w,
        "confidence": profile.confidence.value,
        "precisions": " ".join(profile.precisions),
    }


def _identity(profile: Any) -> list[str]:
    usual = f"usually in {profile.default_precision.value}"
    confidence = f"confidence: {profile.confidence.value}"
    lines = [
        f"{profile.title} ({profile.name})",
        f"{profile.vendor}, {profile.architecture.value}, {usual}, {confidence}",
    ]
    return [*lines, profile.summary] if profile.summary else lines


def _value(row: Mapping[str, Any]) -> str:
    value = row["value"]
    if value is None:
        return tables.ABSENT
    if isinstance(value, bool) or not isinstance(value, int | float):
        return tables.cell("", value)
    return si(value, row["unit"]) if row["unit"] else f"{value:,}"

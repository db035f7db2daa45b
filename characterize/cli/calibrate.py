"""``characterize calibrate``: a profile fitted to measurements, with what it was fitted on."""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path

from characterize.cli import output
from characterize.cli.parser import Subparsers, one_of
from characterize.cli.validate import progress
from characterize.records import Stack


def add_parser(subparsers: Subparsers) -> None:
    """Describe the verb."""
    parser = subparsers.add_parser(
        "calibrate",
        help="fit a profile's efficiencies to measurements",
        description=(
            "Fit the efficiencies of a device to measurements of it, and write the profile with what "
            "it was fitted on and how wrong it is on models it has not seen."
        ),
    )
    parser.add_argument(
        "--measurements", metavar="FILE", required=True,
        help="a CSV file with the columns of `characterize validate`",
    )  # fmt: skip
    parser.add_argument("--hardware", metavar="NAME", required=True, help="a device or a TOML file")
    parser.add_argument(
        "--stack", type=one_of("stack", list(Stack)), metavar="STACK",
        help="only this one; by default every stack in the file",
    )  # fmt: skip
    parser.add_argument("--output", metavar="FILE", help="write to FILE.toml instead of stdout")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Fit, say how well, and write the profile."""
    from characterize import errors, evidence, fitting, hardware

    profile = hardware.load(arguments.hardware)
    frame = evidence.read(arguments.measurements)
    kept = frame[frame["hardware"] == profile.name]
    if arguments.stack:
        kept = kept[kept["stack"] == arguments.stack]
    if len(kept) < fitting.LEAST:
        msg = (
            f"{Path(arguments.measurements).name} has {len(kept)} measurements of {profile.name}"
            f"{' with this stack' if arguments.stack else ''}; at least {fitting.LEAST} are needed."
        )
        raise errors.InvalidValueError(msg)
    samples, left = fitting.gather(kept.reset_index(drop=True), profile, progress())
    for line in left:
        output.note(f"left out: {line}")
    source, today = Path(arguments.measurements).name, datetime.date.today()
    for (table, precision), part in sorted(samples.items()):
        if len(part.measured_s) < fitting.LEAST:
            output.note(f"{table}, {precision}: too few measurements ({len(part.measured_s)})")
            continue
        found = fitting.calibrate(part, profile, table, precision)
        kind = "on its own measurements" if found.held is None else "on families held back"
        output.note(
            f"{table}, {precision}: {len(part.measured_s)} measurements, "
            f"median error {found.error:.1%} {kind}"
        )
        profile = fitting.applied(profile, found, f"{source}: {precision}, {table}", today)
    output.write(hardware.to_toml(profile), arguments.output)
    return 0

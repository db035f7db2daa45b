"""``characterize sweep``: every combination of parameter values on several devices."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from characterize.cli import output, ranges, sweep_models
from characterize.cli.parser import Subparsers, add_grid_options
from characterize.units import si

if TYPE_CHECKING:
    from characterize.sweeping import Progress, Sweep

_EVERY_S = 0.2  # between two progress lines


def add_parser(subparsers: Subparsers) -> None:
    """Describe the verb."""
    parser = subparsers.add_parser(
        "sweep",
        help="every combination of parameter values, or many models, on several devices",
        description=(
            "Sweep a family over lists (16,32,64) and ranges (1:16, 32:512:32, both ends included). "
            "Rows go into the store, or into FILE; a stopped sweep goes on where it was. Several models "
            "(timm/resnet50 'timm/vit_*') are traced one by one, on all processors or a cluster."
        ),
    )
    parser.add_argument(
        "models_named", nargs="*", metavar="MODEL",
        help="a family (`characterize models list`); or several, zoo models and 'patterns/*'",
    )  # fmt: skip
    add_grid_options(parser)
    parser.add_argument(
        "--output", metavar="FILE", help=".parquet, .csv or .json instead of the store"
    )
    sweep_models.add_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Sweep, and say what came of it."""
    from characterize.sweeping import requests

    entries = sweep_models.entries(arguments)
    if requests.is_several(entries):
        return sweep_models.run(arguments, entries)
    sweep_models.refuse_options(arguments)
    axes = ranges.axes("--set", arguments.set)
    from characterize import sweeping

    space = sweeping.grid(
        str(entries[0]),
        axes,
        ranges.values(str(arguments.batch)),
        ranges.values(arguments.precision),
        ranges.values(arguments.stack),
        ranges.axes("--vary", arguments.vary),
    )
    try:
        done = sweeping.sweep_to(
            space,
            Path(arguments.output) if arguments.output else None,
            hardware=arguments.hardware or "all",
            baseline=arguments.baseline,
            progress=_Line() if sys.stderr.isatty() else None,
        )
    except KeyboardInterrupt:
        if not arguments.output:
            output.note("what is written stays; the same command goes on from there")
        raise
    print(_summary(done, arguments.output))
    return 0


class _Line:
    """One line on the terminal that says how far it is, how fast, and how long it will take."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        last = progress.configurations == progress.total
        if now < self._next and not last:
            return
        self._next = now + _EVERY_S
        share = progress.configurations / progress.total
        text = (
            f"{share:4.0%}  {progress.configurations:,} of {progress.total:,} configurations, "
            f"{si(progress.rate_per_s, '/s')}, {progress.remaining_s:.0f} s left"
        )
        print(f"\r{text:<100}", end="\n" if last else "", file=sys.stderr, flush=True)


def _summary(done: Sweep, output: str | None) -> str:
    tally = done.tally
    fresh = tally.configurations - done.resumed
    lines = [
        f"{tally.configurations:,} configurations on {len(done.hardware)} devices: {tally.rows:,} rows "
        f"in {done.elapsed_s:.2f} s",
        f"kept in {output}" if output else f"kept in the store as sweep {done.key[:12]}",
    ]
    if done.resumed:
        lines.append(f"{done.resumed:,} were there already, {fresh:,} were computed")
    if done.left_out:
        lines.append(f"left out for lack of the precision: {', '.join(done.left_out)}")
    if tally.refused:
        lines.append(f"{tally.refused:,} combinations do not go together:")
        lines.extend(f"  {count:,} x {reason}" for reason, count in _most(tally.invalid))
    return "\n".join(lines)


def _most(reasons: Any, limit: int = 5) -> list[tuple[str, int]]:
    shown = reasons.most_common(limit)
    others = sum(reasons.values()) - sum(count for _, count in shown)
    return [*shown, *([("other reasons", others)] if others else [])]

"""``characterize sweep`` over many different models: what is asked, how far it is, what came of it."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from characterize.cli import output, ranges
from characterize.cli.parser import settings
from characterize.errors import InvalidValueError

if TYPE_CHECKING:
    from characterize.sweeping import ModelProgress, ModelSweep
    from characterize.sweeping.requests import Entry

_AUTO = "auto"
_EVERY_S = 0.2  # between two progress lines on a terminal
_SELDOM_S = 30  # and in a log
_SHOWN = 5  # reasons


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give ``parser`` the options that only a sweep over models has."""
    group = parser.add_argument_group("over many models")
    group.add_argument(
        "--models", metavar="FILE",
        help="names, patterns and names with settings (resnet depth=101 batch=8), one a line",
    )  # fmt: skip
    group.add_argument(
        "--scheduler", default=_AUTO, metavar="WHERE",
        help="local (processes here; the default for many), none (this process), or the address "
        "of a Dask scheduler, tcp://HOST:PORT",
    )  # fmt: skip
    group.add_argument(
        "--workers", type=_count, metavar="N", help="local processes (one a processor)"
    )
    group.add_argument(
        "--retry-failed", action="store_true", help="try once more what failed before"
    )


def entries(arguments: argparse.Namespace) -> list[Entry]:
    """The models that are named on the command line and in a file."""
    from characterize.sweeping import requests

    return [*arguments.models_named, *(requests.read(arguments.models) if arguments.models else [])]


def refuse_options(arguments: argparse.Namespace) -> None:
    """A sweep over one family has none of these options.

    Raises:
        InvalidValueError: one of them was given.
    """
    given = {
        "--scheduler": arguments.scheduler not in (_AUTO, "none"),
        "--workers": arguments.workers is not None,
        "--retry-failed": arguments.retry_failed,
    }
    for option, is_given in given.items():
        if is_given:
            msg = (
                f"{option} is of a sweep over many models; one family is traced once and evaluated as "
                "arrays in this process."
            )
            raise InvalidValueError(msg)


def run(arguments: argparse.Namespace, named: list[Entry]) -> int:
    """Sweep over models, and say what came of it."""
    if arguments.vary:
        msg = "--vary is of a sweep over one family; give many models a TOML profile with those figures."
        raise InvalidValueError(msg)
    from characterize import sweeping
    from characterize.sweeping import requests, schedulers

    schedulers.foreseen(arguments.scheduler, named)
    asked = requests.requests(
        named,
        {name: ranges.values(text) for name, text in settings(arguments.set).items()},
        ranges.values(str(arguments.batch)),
        ranges.values(arguments.precision),
        ranges.values(arguments.stack),
    )
    done = sweeping.sweep_models_to(
        asked,
        Path(arguments.output) if arguments.output else None,
        hardware=arguments.hardware or "all",
        baseline=arguments.baseline,
        scheduler=arguments.scheduler,
        workers=arguments.workers,
        again=arguments.retry_failed,
        progress=_Line(),
    )
    for note in done.notes:
        output.note(note)
    print(_summary(done, arguments.output))
    return 0


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        msg = f"{text!r} is not a number of processes, from 1 on"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


class _Line:
    """How far it is, how fast, and how long it will take: one line on a terminal, few in a log."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._waits_for = ""
        self._next = 0.0 if self._terminal else time.monotonic() + _SELDOM_S

    def __call__(self, progress: ModelProgress) -> None:
        now = time.monotonic()
        last = progress.done == progress.total and self._terminal
        if now < self._next and not last and progress.waits_for == self._waits_for:
            return
        self._waits_for = progress.waits_for
        self._next = now + (_EVERY_S if self._terminal else _SELDOM_S)
        left = f"{progress.remaining_s:.0f} s left" if progress.rate_per_s else "starting"
        left = progress.waits_for or left
        text = (
            f"{progress.done / progress.total:4.0%}  {progress.done:,} of {progress.total:,} models, "
            f"{progress.failed:,} failed, {progress.rate_per_s:.3g} models/s, {left}"
        )
        if self._terminal:
            print(f"\r{text:<100}", end="\n" if last else "", file=sys.stderr, flush=True)
        else:
            output.note(text.strip())


def _summary(done: ModelSweep, file: str | None) -> str:
    fresh = done.total - done.resumed
    lines = [
        f"{done.total:,} models on {len(done.hardware)} devices: {done.rows:,} rows in "
        f"{done.elapsed_s:.1f} s",
        f"kept in {file} and in the store" if file else "kept in the store",
        f"(as sweep {done.key[:12]}, scheduler {done.scheduler})",
    ]
    if done.resumed:
        lines.append(f"{done.resumed:,} were there already, {fresh:,} were traced")
    if done.left_out:
        lines.append(f"left out for lack of the precision: {', '.join(done.left_out)}")
    if done.failures:
        lines.extend(_failed(done))
    return "\n".join(lines)


def _failed(done: ModelSweep) -> list[str]:
    reasons: Counter[str] = Counter(failure.reason for failure in done.failures)
    first: dict[str, str] = {}
    for failure in done.failures:
        first.setdefault(failure.reason, failure.model)
    lines = [f"{len(done.failures):,} failed; all of them are in {done.failures_file}"]
    for reason, count in reasons.most_common(_SHOWN):
        others = f" and {count - 1:,} more" if count > 1 else ""
        lines.append(f"  {first[reason]}{others}: {reason}")
    rest = sum(reasons.values()) - sum(count for _, count in reasons.most_common(_SHOWN))
    return [*lines, *([f"  {rest:,} x other reasons"] if rest else [])]

"""The best of ten million configurations, on one device and on four, and whether they are the best.

    python -m benchmarks.optimize_speed            # all of it, into benchmarks/results/optimize.md
    python -m benchmarks.optimize_speed --small    # a hundredth of it, to see that it works

Each question is the command line as a process, from the start of Python to the table that it prints,
with the templates of the space in the store (`cold`: traced on the way). On a small space the answers are
compared with brute force: all rows of a sweep, sorted.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks.sweep_speed import DEVICES, swept

if TYPE_CHECKING:
    import pandas as pd

RESULTS: Final = Path(__file__).parent / "results" / "optimize.md"
ONE: Final = ("nvidia_rtx_4090",)  # the dearest execution model
# 10 x 100 x 100 x 100 = 10,000,000
AXES: Final = {"layers": "1:10", "channels": "8:800:8", "input_size": "8:800:8"}
BATCH: Final = "1:100"
# 4 x 8 x 8 x 8 = 2,048 for brute force, and a hundredth of the large space for --small
SMALL: Final = ({"layers": "1,2,4,9", "channels": "8:800:100", "input_size": "8:800:100"}, "1:64:9")
HUNDREDTH: Final = ({"layers": "1:10", "channels": "8:800:80", "input_size": "8:800:80"}, BATCH)
RUNS: Final = 3
TOP: Final = 5


@dataclass(frozen=True)
class Question:
    """What is asked: the command line's words, and the same of a row for brute force."""

    objective: str
    budget: str
    column: str
    direction: int  # 1: less is better
    met: tuple[tuple[str, str, float], ...]


QUESTIONS: Final = (
    Question(
        "max parameters", "latency <= 5 ms and energy <= 100 mJ", "parameters", -1,
        (("latency_s", "<=", 5e-3), ("energy_j", "<=", 0.1)),
    ),
    Question(
        "energy", "macs >= 10G and latency <= 5 ms", "energy_j", 1,
        (("macs", ">=", 1e10), ("latency_s", "<=", 5e-3)),
    ),
    Question(
        "max throughput", "parameters >= 1M and peak_memory <= 1 GB", "throughput_per_s", -1,
        (("parameters", ">=", 1e6), ("peak_memory_bytes", "<=", 1e9)),
    ),
)  # fmt: skip


def command(
    question: Question, devices: Sequence[str], axes: Mapping[str, str], batch: str
) -> list[str]:
    """The question, as one types it."""
    pairs = [f"{name}={values}" for name, values in axes.items()]
    return [
        "optimize", "conv2d_stack", "--set", *pairs, "--batch", batch, "--objective", question.objective,
        "--budget", question.budget, "--hardware", *devices,
    ]  # fmt: skip


def timed(small: bool) -> dict[tuple[Question, int], list[dict[str, float]]]:
    """Runs of every question on one device and on four; the first process traces the templates."""
    axes, batch = HUNDREDTH if small else (AXES, BATCH)
    found: dict[tuple[Question, int], list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for question in QUESTIONS:
            for devices in (ONE, DEVICES):
                asked = command(question, devices, axes, batch)
                runs = [swept(asked, folder) for _ in range(1 if small else RUNS)]
                found[question, len(devices)] = runs
                print(question.objective, len(devices), runs, file=sys.stderr)
    return found


# brute force


def compared() -> dict[Question, int]:
    """How many answers on the small space brute force gives too, question by question.

    Raises:
        SystemExit: an answer that it does not give.
    """
    import characterize as ch
    from characterize.cli import ranges

    axes: dict[str, Any] = {name: ranges.values(text) for name, text in SMALL[0].items()}
    batch = ranges.values(SMALL[1])
    rows = ch.sweep("conv2d_stack", hardware=list(DEVICES), batch=batch, **axes)
    equal: dict[Question, int] = {}
    for question in QUESTIONS:
        answers = ch.optimize(
            "conv2d_stack", objective=question.objective, budgets=question.budget,
            hardware=list(DEVICES), batch=batch, top=TOP, **axes,
        )  # fmt: skip
        equal[question] = _equal(question, rows, answers)
    return equal


def _equal(question: Question, rows: pd.DataFrame, answers: pd.DataFrame) -> int:
    keys = [*AXES, "batch"]
    count = 0
    for device in DEVICES:
        own = rows[rows["hardware"] == device]
        for column, relation, limit in question.met:
            own = own[own[column] <= limit] if relation == "<=" else own[own[column] >= limit]
        score = question.direction * own[question.column]
        order = own.assign(score=score).sort_values(["score", "latency_s"], kind="stable")[:TOP]
        given = answers[answers["hardware"] == device] if len(answers) else answers
        if not _same(order, given, question.column) or len(order) != len(given):
            msg = f"{question.objective}, {device}: {given[keys]} is not {order[keys]}."
            raise SystemExit(msg)
        count += len(given)
    return count


def _same(expected: pd.DataFrame, given: pd.DataFrame, column: str) -> bool:
    """Whether objective and latency agree; configurations with equal ones may be listed either way."""
    pairs = (
        zip(expected[name], given[name], strict=False)
        for name in (column, "latency_s")
        if len(expected)
    )
    return all(math.isclose(a, b, rel_tol=1e-12) for each in pairs for a, b in each)


# the table


def markdown(
    runs: Mapping[tuple[Question, int], list[dict[str, float]]],
    equal: Mapping[Question, int],
    size: int,
) -> str:
    """What was found."""
    asked = " ".join(command(QUESTIONS[0], ONE, AXES, BATCH))
    lines = [
        "# The best of ten million configurations",
        "",
        f"`python -m benchmarks.optimize_speed` on {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}:",
        f"`characterize {asked}`",
        f"and other questions, each a process of its own that looks at {size:,} configurations.",
        f"One device: {ONE[0]}; four: {', '.join(DEVICES)}.",
        "The first run of the first question traces the templates, which the store then has.",
        "",
        "| objective | budgets | devices | first | median | best | processor | memory |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for (question, devices), each in runs.items():
        seconds = [run["seconds"] for run in each]
        best = min(each, key=lambda run: run["seconds"])
        lines.append(
            f"| {question.objective} | {question.budget} | {devices} | {seconds[0]:.1f} s "
            f"| {statistics.median(seconds):.1f} s | {best['seconds']:.1f} s | {best['cpu_s']:.1f} s "
            f"| {best['bytes'] / 1e9:.2f} GB |"
        )
    found = ", ".join(f"{count} ({question.objective})" for question, count in equal.items())
    rows = [*SMALL[0].values(), SMALL[1]]
    return "\n".join(
        [
            *lines,
            "",
            f"On a space of {_size(rows):,} configurations ({', '.join(rows)}) the answers on the four",
            f"devices are those of brute force, all rows of a sweep sorted: {found}.",
            "",
        ]
    )


def _size(texts: Sequence[str]) -> int:
    from characterize.cli import ranges

    return math.prod(len(ranges.values(text)) for text in texts)


def main() -> None:
    """Compare with brute force, time the questions, and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="to see that it works; prints only")
    arguments = parser.parse_args()
    equal = compared()
    axes, batch = HUNDREDTH if arguments.small else (AXES, BATCH)
    text = markdown(timed(arguments.small), equal, _size([*axes.values(), batch]))
    print(text)
    if not arguments.small:
        RESULTS.write_text(text)


if __name__ == "__main__":
    main()

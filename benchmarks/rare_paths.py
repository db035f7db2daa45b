"""How far off rows with cautions are, and those without: the profiles as they ship, nothing fitted.

    python -m benchmarks.rare_paths FILE [--framework NAME] [--every N] [--cache FOLDER]

Projects every third network of FILE on the devices and stacks that the cautions were found on. The
table is in docs/validation.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from benchmarks.judge_families import rows
from benchmarks.kept_graphs import kept_in
from characterize import cautions, evidence, fitting, hardware, projection
from characterize.records import Precision, Stack

SETS: Final[Mapping[str, tuple[str, str, str]]] = {
    "RTX 3090 eager NHWC": ("nvidia_rtx_3090", "eager", "nhwc"),
    "RTX 3090 eager NCHW": ("nvidia_rtx_3090", "eager", "nchw"),
    "RTX 4090 compiled": ("nvidia_rtx_4090", "compiled", "nchw"),
    "RTX 4090 eager NHWC, nothing fitted on it": ("nvidia_rtx_4090", "eager", "nhwc"),
    "RTX 4090 eager NCHW, nothing fitted on it": ("nvidia_rtx_4090", "eager", "nchw"),
}
FAR: Final = 0.2


def projected(part: pd.DataFrame, networks: evidence.Networks | None) -> pd.DataFrame:
    """Each measurement's ln(projected / measured), and the flags of its cautions."""
    name, stack, layout = SETS[part.attrs["set"]]
    device = hardware.in_format(hardware.load(name), Stack(stack), layout)
    found = []
    for subject in evidence.subjects(part, None, networks):
        if subject.graph is None:
            print(f"{subject.model} is left out: {subject.reason}", file=sys.stderr)
            continue
        kernels = evidence.Kernels(subject.graph)
        for place in subject.rows:
            row = part.iloc[place]
            columns, precision = (
                kernels.at(Stack(stack), [row["batch"]]),
                Precision(row["precision"]),
            )
            estimate, seconds, _ = projection.totals(columns, device, precision, Stack(stack))
            flags = cautions.flags(columns, estimate, device, precision, Stack(stack))
            found.append((float(np.log(seconds.item() / row["latency_s"])), int(flags.item())))
    return pd.DataFrame(found, columns=["off", "flags"])


def cell(off: Sequence[float]) -> str:
    """Median and 90th percentile of the error, and the 80 % quantile of its logarithm, in percent."""
    size = np.abs(np.asarray(off))
    error = np.abs(np.expm1(np.asarray(off)))
    values = np.median(error), np.quantile(error, 0.9), np.quantile(size, 0.8)
    return ", ".join(f"{100 * value:.1f}" for value in values)


def main() -> None:
    """Project and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--framework", default="pytorch-2.4.0", help="only rows of this framework")
    parser.add_argument("--every", type=int, default=3, help="only every n-th network")
    parser.add_argument("--cache", type=Path, help="folder to keep traced networks in")
    asked = parser.parse_args()
    networks = kept_in(asked.cache) if asked.cache else None
    frame = rows(asked.file, asked.framework, every=asked.every)
    print("| | rows, flagged | not flagged | flagged |\n|---|---|---|---|")
    for title, (name, stack, layout) in SETS.items():
        chosen = (frame["hardware"] == name) & (frame["stack"] == stack)
        if stack == Stack.EAGER:
            chosen &= frame["memory_format"] == layout
        part = frame[chosen].reset_index(drop=True)
        part.attrs["set"] = title
        table = projected(part, networks)
        flagged = table["flags"] > 0
        clear, rare = table["off"][~flagged], table["off"][flagged]
        print(f"| {title} | {len(table)}, {flagged.sum()} | {cell(clear)} | {cell(rare)} |")
        far = np.abs(np.expm1(table["off"])) > FAR
        wider = fitting.width(rare) / device_width(title)
        print(
            f"    off by more than {FAR:.0%}: {far[flagged].mean():.0%} of the flagged, "
            f"{far[~flagged].mean():.0%} of the others; of those off so far {flagged[far].mean():.0%} "
            f"are flagged; the flagged need {wider:.2f} times the stack's interval"
        )
        print(f"    {by_caution(table)}")


def device_width(title: str) -> float:
    """Width of the interval that the profile states for a stack."""
    name, stack, layout = SETS[title]
    table = "eager_nchw" if (stack, layout) == ("eager", "nchw") else stack
    return hardware.load(name).log_std(table)


def by_caution(table: pd.DataFrame) -> str:
    """How many rows each caution has, and how many of them are off by more than a fifth."""
    parts = []
    for bit, code in enumerate(cautions.CODES):
        off = table["off"][(table["flags"].to_numpy() >> bit) & 1 == 1]
        if len(off):
            parts.append(f"{code}: {len(off)}, {np.mean(np.abs(np.expm1(off)) > FAR):.0%}")
    return "; ".join(parts)


if __name__ == "__main__":
    main()

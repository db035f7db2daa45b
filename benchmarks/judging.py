"""What the benchmarks that hold projections against published tables share: arguments and lines."""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from characterize import fitting

Given = TypeVar("Given")
Check = Callable[[Path, Given, bool], Any]
"""Judges one set: the folder of the tables, what was traced for it, whether to print fits."""

HEADING = "| | n | median | p90 | bias | rho | log std of 80 % |\n|---|---|---|---|---|---|---|"


def judge(
    doc: str | None, checks: Mapping[str, Check[Given]], given: Callable[[str, Path | None], Given]
) -> None:
    """Read the arguments and judge each set that they name.

    ``given`` is asked for what is traced of a set, with the folder to keep it in, if there is one.
    """
    parser = argparse.ArgumentParser(description=(doc or "").split("\n", 1)[0])
    parser.add_argument("measurements", type=Path, help="folder of the published tables")
    parser.add_argument("sets", nargs="*", default=list(checks), help=", ".join(checks))
    parser.add_argument("--fits", action="store_true", help="print what a fit on everything gives")
    parser.add_argument("--cache", type=Path, help="folder to keep what is traced in")
    asked = parser.parse_args()
    print(HEADING)
    for name in asked.sets:
        checks[name](asked.measurements, given(name, asked.cache), asked.fits)


def kept(cache: Path | None, name: str, make: Callable[[], Given]) -> Given:
    """What ``make`` gives, kept in a folder under a name where a folder is given."""
    file = cache / f"{name}.pickle" if cache else None
    if file and file.exists():
        known: Given = pickle.loads(file.read_bytes())
        return known
    found = make()
    if file:
        file.write_bytes(pickle.dumps(found))
    return found


def summary(predicted: Any, measured: Any) -> dict[str, float]:
    """n, median and 90th percentile of the absolute error, bias, spread, rank correlation."""
    ratio = np.asarray(predicted, dtype=float) / np.asarray(measured, dtype=float)
    error = np.abs(ratio - 1.0)
    ranks = pd.DataFrame({"p": np.asarray(predicted), "m": np.asarray(measured)}).rank().corr()
    return {
        "n": len(error),
        "median": float(np.median(error)),
        "p90": float(np.quantile(error, 0.9)),
        "bias": float(np.median(ratio) - 1.0),
        "log_std_80": fitting.width(np.log(ratio)),
        "rho": float(ranks.loc["p", "m"]),
    }


def report(title: str, predicted: Any, measured: Any) -> None:
    """One line of a table."""
    found = summary(predicted, measured)
    print(
        f"| {title} | {found['n']} | {100 * found['median']:.1f} % | {100 * found['p90']:.0f} % |"
        f" {100 * found['bias']:+.1f} % | {found['rho']:.3f} | {found['log_std_80']:.2f} |"
    )

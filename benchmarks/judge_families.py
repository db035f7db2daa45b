"""How wrong fits are on families of models that they have not seen, and on another device.

    python -m benchmarks.judge_families FILE --hardware NAME [--stack NAME] [--split TEXT]
        [--transfer NAME] [--transfer-framework NAME] [--cache FOLDER]

Halves the families of FILE's models by a hash of their names, projects each half by a fit to the
other, and prints the errors of both together and the families that are furthest off; a --split of
another text halves them otherwise. With --transfer, fits are held against the measurements of another
device, or another framework, of which nothing is fitted: the fit of all of NAME's measurements, and the
fits to each half on families that they have not seen. Networks that trace to another graph than was
timed are left out (OTHERS). Tracing some 1,400 networks takes a quarter of an hour, each fit some
minutes; with --cache, traced graphs are kept in a folder, and traced anew where the tracer's code or a
library is another.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.kept_graphs import kept_in
from characterize import evidence, fitting, hardware, validation
from characterize.columns import Array
from characterize.hardware import Profile
from characterize.hardware.record import SIGMAS_80_PERCENT
from characterize.records import Precision, Stack

OTHERS = (
    "repvgg|mobileone|ghostnetv3|repghost|repvit|fastvit|fastervit|mobileclip|davit|test_"
    "|efficientnet_cc|sequencer|efficientformerv2"
)
LEAST = 3  # measurements of a family that is listed

Sets = dict[tuple[str, Precision], fitting.Samples]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--hardware", required=True)
    parser.add_argument("--stack", help="only measurements of this stack")
    parser.add_argument("--transfer", metavar="NAME", help="a device that nothing is fitted on")
    parser.add_argument("--framework", default="pytorch-2.4.0", help="only rows of this framework")
    parser.add_argument("--transfer-framework", metavar="NAME", help="of what nothing is fitted on")
    parser.add_argument("--without", default=OTHERS, metavar="REGEX", help="models to leave out")
    parser.add_argument("--split", default="", help="another text halves the families otherwise")
    parser.add_argument("--every", type=int, default=1, help="only every n-th network, to be quick")
    parser.add_argument("--cache", type=Path, help="folder to keep traced networks in")
    return parser.parse_args()


def rows(file: str, framework: str, without: str = OTHERS, every: int = 1) -> pd.DataFrame:
    """The measurements of a framework, of every n-th network that traces to what was timed."""
    frame = evidence.read(file)
    if "framework" in frame and framework:
        frame = frame[frame["framework"].astype(str) == framework]
    frame = frame[~frame["model"].str.contains(without, flags=re.IGNORECASE)]
    names = frame[["model", "input_size"]].drop_duplicates().iloc[::every]
    return frame.merge(names, on=["model", "input_size"]).reset_index(drop=True)


def line(residual: Array, measured_s: Array) -> str:
    """Errors of some measurements from ln(projected / measured)."""
    size = np.abs(np.expm1(residual))
    rho = validation.spearman(np.exp(residual) * measured_s, measured_s)
    return (
        f"n {len(size):5d}  median {np.median(size):6.2%}  mean {size.mean():6.2%}  "
        f"p90 {np.quantile(size, 0.9):6.2%}  bias {np.expm1(np.median(residual)):+6.2%}  "
        f"rho {rho or float('nan'):.4f}"
    )


def furthest(residual: Array, families: tuple[str, ...], count: int = 8) -> str:
    """Families whose median error is furthest from none, too fast and too slow."""
    table = pd.DataFrame({"family": families, "off": residual}).groupby("family")["off"]
    medians = table.median()[table.size() >= LEAST].sort_values()
    named = [f"{name} {np.expm1(off):+.0%}" for name, off in medians.items()]
    return f"too fast: {', '.join(named[:count])}; too slow: {', '.join(named[: -count - 1 : -1])}"


def judged(
    table: str, precision: Precision, samples: fitting.Samples, profile: Profile, split: str
) -> fitting.Calibration:
    """Fit a table, and print its errors."""
    found = fitting.calibrate(samples, profile, table, precision, split=split)
    name = f"{profile.name} {table} {precision}"
    print(f"{name} fitted  {line(found.fitted, samples.measured_s)}")
    if found.held is not None:
        print(f"{name} held    {line(found.held, samples.measured_s)}")
        band = np.mean(np.abs(found.held) <= SIGMAS_80_PERCENT * profile.log_std(table))
        print(f"    80 % band: ln std {found.log_std:.4f}; in the profile's {band:.1%}")
        print(f"    {furthest(found.held, samples.families)}")
    return found


def transferred(
    found: fitting.Calibration,
    samples: fitting.Samples,
    unseen: fitting.Samples,
    device: Profile,
    precision: Precision,
    split: str,
) -> None:
    """Print the errors of a fit on measurements of which nothing is fitted."""
    predict = fitting.predictor(unseen, device, precision)
    name = f"{device.name} {found.table} {precision}"
    error = np.log(predict(fitting.whole_values(found, device)) / unseen.measured_s)
    print(f"{name} unseen  {line(error, unseen.measured_s)}")
    print(f"    80 % band: ln std {fitting.width(error):.4f}")
    if found.halves:
        first = dict(zip(samples.families, fitting.half(samples.families, split), strict=True))
        # the first half's fit has not seen the second half, and the other way round
        side = np.array([first.get(family, True) for family in unseen.families])
        by_first, by_second = (predict(values) for values in found.halves)
        error = np.log(np.where(side, by_second, by_first) / unseen.measured_s)
        print(f"{name} unseen, families too  {line(error, unseen.measured_s)}")


def main() -> None:
    """Fit, judge and print."""
    asked = _arguments()
    networks = kept_in(asked.cache) if asked.cache else None

    def gathered(name: str, framework: str) -> Sets:
        frame = rows(asked.file, framework, asked.without, asked.every)
        stacks = [asked.stack] if asked.stack else list(Stack)
        chosen = (frame["hardware"] == name) & frame["stack"].isin(stacks)
        own = frame[chosen].reset_index(drop=True)
        found, left = fitting.gather(own, hardware.load(name), networks=networks)
        print(f"{name}: {len(left)} networks left out", file=sys.stderr)
        return found

    profile, other = hardware.load(asked.hardware), hardware.load(asked.transfer or asked.hardware)
    elsewhere: Sets = {}
    if asked.transfer or asked.transfer_framework:
        elsewhere = gathered(other.name, asked.transfer_framework or asked.framework)
    for (table, precision), samples in sorted(gathered(profile.name, asked.framework).items()):
        found = judged(table, precision, samples, profile, asked.split)
        if (table, precision) in elsewhere:
            unseen = elsewhere[table, precision]
            transferred(found, samples, unseen, other, precision, asked.split)
        sys.stdout.flush()


if __name__ == "__main__":
    main()

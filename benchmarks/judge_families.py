"""How wrong fits are on families of models that they have not seen, and on another device.

    python -m benchmarks.judge_families FILE --hardware NAME [--transfer NAME] [--split TEXT]

Halves the families of FILE's models by a hash of their names, projects each half by a fit to the
other, and prints the errors of both together; a --split of another text halves them otherwise.
With --transfer, the fit of all of NAME's measurements is held against those of another device, of
which nothing is fitted. Networks that trace to another graph than was timed are left out (OTHERS).
Tracing some 1,400 networks takes a quarter of an hour, each fit a minute.
"""

from __future__ import annotations

import argparse
import re
import sys

import numpy as np

from characterize import evidence, fitting, hardware, validation
from characterize.columns import Array
from characterize.records import Precision

OTHERS = (
    "repvgg|mobileone|ghostnetv3|repghost|repvit|fastvit|fastervit|mobileclip|davit|test_"
    "|efficientnet_cc|sequencer|efficientformerv2"
)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--hardware", required=True)
    parser.add_argument("--transfer", metavar="NAME", help="a device that nothing is fitted on")
    parser.add_argument("--framework", default="pytorch-2.4.0", help="only rows of this framework")
    parser.add_argument("--without", default=OTHERS, metavar="REGEX", help="models to leave out")
    parser.add_argument("--split", default="", help="another text halves the families otherwise")
    parser.add_argument("--every", type=int, default=1, help="only every n-th network, to be quick")
    return parser.parse_args()


def line(residual: Array, measured_s: Array) -> str:
    """Errors of some measurements from ln(projected / measured)."""
    size = np.abs(np.expm1(residual))
    rho = validation.spearman(np.exp(residual) * measured_s, measured_s)
    return (
        f"n {len(size):5d}  median {np.median(size):6.2%}  mean {size.mean():6.2%}  "
        f"p90 {np.quantile(size, 0.9):6.2%}  bias {np.expm1(np.median(residual)):+6.2%}  "
        f"rho {rho or float('nan'):.4f}"
    )


def main() -> None:
    """Fit, judge and print."""
    asked = _arguments()
    frame = evidence.read(asked.file)
    if "framework" in frame and asked.framework:
        frame = frame[frame["framework"].astype(str) == asked.framework]
    frame = frame[~frame["model"].str.contains(asked.without, flags=re.IGNORECASE)]
    names = frame[["model", "input_size"]].drop_duplicates().iloc[:: asked.every]
    frame = frame.merge(names, on=["model", "input_size"]).reset_index(drop=True)

    def gathered(name: str) -> dict[tuple[str, Precision], fitting.Samples]:
        own = frame[frame["hardware"] == name].reset_index(drop=True)
        found, left = fitting.gather(own, hardware.load(name))
        print(f"{name}: {len(left)} networks left out", file=sys.stderr)
        return found

    profile, other = hardware.load(asked.hardware), asked.transfer
    elsewhere = gathered(other) if other else {}
    for (table, precision), samples in sorted(gathered(profile.name).items()):
        found = fitting.calibrate(samples, profile, table, precision, split=asked.split)
        print(
            f"{profile.name} {table} {precision} fitted  {line(found.fitted, samples.measured_s)}"
        )
        if found.held is not None:
            print(
                f"{profile.name} {table} {precision} held    {line(found.held, samples.measured_s)}"
            )
            print(f"    80 % band: ln std {found.log_std:.4f}")
        unseen = elsewhere.get((table, precision))
        if unseen is not None:
            predict = fitting.predictor(unseen, hardware.load(other), precision)
            values = fitting.whole_values(found, profile)
            error = np.log(predict(values) / unseen.measured_s)
            print(f"{other} {table} {precision} unseen  {line(error, unseen.measured_s)}")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

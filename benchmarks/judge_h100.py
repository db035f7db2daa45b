"""How wrong the GPU model is on our own H100 and H200: held-out families, a device left out, the profiles.

    python -m benchmarks.judge_h100 [--table eager] [--toml]

The rows are those of `data/published/h1*.csv` and `h200*.csv` that hold no waiting for the host, so that
its dispatch is no part of the fit: replays from a graph, batches of 256, networks that their
`set_aside` does not name. One fit serves both devices, which have the same chip, and all precisions.
The clock is known (1.98 GHz over the 1.83 of the peak), so is what single operators show
(`h100_operators.csv`: MEASURED). Each half of the families is projected by a fit to the other, three
times with other halves, and the H200 by a fit to the H100's rows. --toml prints the fitted numbers.
Needs no torch; five minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import cache
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.judge_families import line
from characterize import calibration, evidence, fitting, hardware
from characterize.columns import Array
from characterize.hardware import parameters
from characterize.paths import data_directory
from characterize.records import Graph, Precision, Stack

DEVICES: Final = ("nvidia_h100_sxm", "nvidia_h200_sxm")
BATCH: Final = 256
SPLITS: Final = ("", "other", "third")
LEFT_OUT: Final = ("transformers/", "lstm")
"""Captured, text models do other work than in eager; steps of a recurrence wait for each other."""

MEASURED: Final[Mapping[str, float]] = {
    "clock": 1.082,
    "dispatch": parameters.GPU["dispatch"].low,
    "attention_wide": 0.48,
    "vector_product": 0.68,
    "wide_norms": 1.0,
    "odd_linear": 3.8,
    "even_linear": 3.0,
}
"""Of single operators: fp32 attention at 512 and 1,024 keys 31 and 33 of 66.9 TFLOP/s; fp32 products 42
to 53; and PyTorch 2.11's autocast, which runs layer norms in fp32."""

MEASURED_OF: Final[Mapping[str, Mapping[str, float]]] = {
    "eager": {
        "broadcast": 0.62,
        "norm_step": 0.45e-6,
        "stem_element": 1.05,
        "sliced": 2.0,
    },
    "eager_nchw": {"broadcast": 0.66},
    "compiled": {"wide_norms": 0.0, "sliced": 2.0, "dispatch": 23.6e-6, "ahead": 0.143},
}
"""Clocks an element: batch norms 0.49 to 0.70, scaled channels 0.66 to 0.71, biases of rows 0.66. In bf16, of
kernels in two networks (`h100_kernels.csv`): see `hardware.gpu_bf16`. A compiler fuses the casts of norms;
its host's time is of batches of 1 (`hardware.host`), and 0.143 of it (quartiles 0.10 and 0.19 of 23 rows) is
what a step with a synchronise takes more than a steady one: it passes before the first kernel is sent."""

STARTS: Final[Mapping[str, Mapping[str, float]]] = {
    "eager": {
        "start": 3e-6, "launch": 2e-6, "convolution": 0.85, "pointwise": 0.7, "linear": 0.85,
        "depthwise": 0.7, "grouped": 0.5, "memory_pooling": 5.0, "memory_copy": 3.5, "stem": 0.7,
        "patch": 0.2, "bandwidth": 0.85, "misaligned": 2.2, "vector_convolution": 0.5,
    },
    "eager_nchw": {
        "start": 3e-6, "launch": 2.2e-6, "convolution": 0.95, "pointwise": 0.7, "linear": 0.75,
        "matmul": 0.5, "grouped": 0.9, "attention": 0.99, "stem": 0.5, "patch": 0.225,
        "attention_keys": 37.0, "attention_depth": 32.0, "misaligned": 1.19, "overlap": 1.9,
        "memory_pooling": 5.0, "memory_copy": 3.7, "layer_norm_row": 320.0, "layout_dense": 1.1,
        "bandwidth": 0.76, "cache_share": 0.42, "depthwise_seven": 0.23, "tile": 10.0,
    },
    "compiled": {},
}  # fmt: skip
"""Where fits start and are held near: where one to all rows came to rest, rounded."""

PRIORS: Final = {"eager": 1.0, "eager_nchw": 0.15, "compiled": 0.15}
"""How strongly. Three in four eager numbers are of few networks each; with 0.15 held families are 13
to 17 % off, with 0.5 10 to 13 %."""


def rows() -> pd.DataFrame:
    """The measurements that do not wait for the host."""
    folder = data_directory() / "published"
    models = evidence.read(folder / "h100_models.csv")
    parts = [models[(models["batch"] == BATCH) & models["model"].str.startswith("torchvision/")]]
    parts.append(evidence.read(folder / "h100_model_graphs.csv"))
    parts += [evidence.read(folder / f"{name}_network_graphs.csv") for name in ("h100", "h200")]
    own = evidence.read(folder / "h100_networks.csv")
    large = (own["stack"] == Stack.EAGER) | (own["batch"] > 16)
    parts.append(own[own["set_aside"].isna() & large])
    frame = pd.concat(parts, ignore_index=True)
    return frame[~frame["model"].str.startswith(LEFT_OUT)].reset_index(drop=True)


@cache
def network(model: str, size: int | None) -> Graph:
    """A network, read once."""
    return evidence.network(model, size)


class Joint:
    """Samples of several devices and precisions, as one."""

    def __init__(self, parts: list[tuple[str, Precision, fitting.Samples]]) -> None:
        self.parts = parts
        self.predictors = [
            fitting.predictor(samples, hardware.load(name), precision)
            for name, precision, samples in parts
        ]
        self.measured_s = np.concatenate([samples.measured_s for _, _, samples in parts])
        self.families = [family for _, _, samples in parts for family in samples.families]
        lengths = [len(samples.measured_s) for _, _, samples in parts]
        self.devices = np.repeat([name for name, _, _ in parts], lengths)
        self.precisions = np.repeat([str(precision) for _, precision, _ in parts], lengths)

    @classmethod
    def of(cls, frame: pd.DataFrame, table: str) -> Joint:
        """What a table of all devices is fitted on."""
        parts = []
        for name in DEVICES:
            own = frame[frame["hardware"] == name]
            found, left = fitting.gather(own, hardware.load(name), networks=network)
            for reason in left:
                print(reason)
            parts += [(name, p, samples) for (kind, p), samples in found.items() if kind == table]
        return cls(parts)

    def __call__(self, values: Mapping[str, float]) -> Array:
        """Projected seconds."""
        return np.concatenate([predict(values) for predict in self.predictors])

    def error(self, values: Mapping[str, float]) -> Array:
        """ln(projected / measured)."""
        return np.asarray(np.log(self(values) / self.measured_s))

    def some(self, wanted: NDArray[np.bool_]) -> Joint:
        """The measurements where ``wanted`` holds."""
        parts, begun = [], 0
        for name, precision, samples in self.parts:
            own = wanted[begun : begun + len(samples.measured_s)]
            begun += len(own)
            if own.any():
                parts.append((name, precision, samples.some(own)))
        return Joint(parts)


def fitted(joint: Joint, table: str) -> dict[str, float]:
    """All values of a fit."""
    known = {**MEASURED, **MEASURED_OF[table]}
    free = [name for name in parameters.FREE[f"gpu.{table}"] if name not in known] + ["bandwidth"]
    free += ["start"] if "broadcast" in known else []
    if any(precision is Precision.FP32 for _, precision, _ in joint.parts):
        free.append("vector_convolution")
    start = {**parameters.STARTS[f"gpu.{table}"], **STARTS[table], **known}
    found = calibration.fit(
        joint, joint.measured_s, parameters.GPU, free, start,
        softness=fitting.SOFTNESS[hardware.load(DEVICES[0]).architecture], prior=PRIORS[table],
    )  # fmt: skip
    return dict(found.values)


def report(title: str, joint: Joint, error: Array) -> None:
    """Errors of all, and of each device and precision."""
    print(title, line(error, joint.measured_s))
    for device in dict.fromkeys(joint.devices):
        for precision in dict.fromkeys(joint.precisions):
            own = (joint.devices == device) & (joint.precisions == precision)
            if own.any():
                print(f"    {device} {precision:5}", line(error[own], joint.measured_s[own]))


def held(joint: Joint, table: str, split: str) -> Array:
    """Errors of each half of the families by a fit to the other."""
    first, error = fitting.half(joint.families, split), np.empty(len(joint.measured_s))
    for side in (first, ~first):
        values = fitted(joint.some(side), table)
        error[~side] = joint.error(values)[~side]
    return error


def judge(frame: pd.DataFrame, table: str, *, toml: bool) -> None:
    """Fit, judge and print one table."""
    joint = Joint.of(frame, table)
    shipped = dict(hardware.load(DEVICES[0]).fitted[f"efficiency.{table}"].values)
    start = {key: each.start for key, each in parameters.GPU.items()}
    report(
        f"{table} as it ships",
        joint,
        joint.error({**start, **shipped, **MEASURED, **MEASURED_OF[table]}),
    )
    values = fitted(joint, table)
    report(f"{table} fitted", joint, joint.error(values))
    for split in SPLITS:
        error = held(joint, table, split)
        report(f"{table} held {split!r}", joint, error)
        print(f"    80 % band: ln std {np.quantile(np.abs(error), 0.8) / 1.2816:.4f}")
    if len({*joint.devices}) > 1:
        other = joint.devices == DEVICES[1]
        alone = fitted(joint.some(~other), table)
        report(f"{table} fitted to the H100 alone", joint, joint.error(alone))
    if toml:
        for name in parameters.GPU:
            if values[name] != parameters.GPU[name].start:
                print(f"{name} = {values[name]:.4g}")


def main() -> None:
    """Judge every table, or one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--table", choices=tuple(STARTS))
    parser.add_argument("--toml", action="store_true")
    options = parser.parse_args()
    frame = rows()
    for table in [options.table] if options.table else STARTS:
        judge(frame, table, toml=options.toml)


if __name__ == "__main__":
    main()

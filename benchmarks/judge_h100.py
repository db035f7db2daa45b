"""How wrong the GPU model is on our own H100: held-out families, and the profile as it ships.

    python -m benchmarks.judge_h100

The rows are data/published/h100_models.csv at batch 256 and h100_model_graphs.csv, fp16, networks of
torchvision: those that hold no waiting for the host, so that its dispatch is no part of the fit. The
clock is known (1.98 GHz over the 1.83 of the peak), the bandwidth is fitted. Each half of the families
is projected by a fit to the other. What the RTX cards' numbers would give is printed too. Needs no torch;
a minute.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.judge_families import furthest, line
from characterize import evidence, fitting, hardware
from characterize.hardware import parameters
from characterize.paths import data_directory
from characterize.records import Precision

DEVICE = "nvidia_h100_sxm"
BATCH = 256
ELSEWHERE = {
    "eager": "nvidia_rtx_3090",
    "eager_nchw": "nvidia_rtx_3090",
    "compiled": "nvidia_rtx_4090",
}
KNOWN = {"clock": 1.082, "dispatch": parameters.GPU["dispatch"].low}


def rows() -> pd.DataFrame:
    """The measurements that do not wait for the host."""
    folder = data_directory() / "published"
    models = evidence.read(folder / "h100_models.csv")
    models = models[(models["precision"] == Precision.FP16) & (models["batch"] == BATCH)]
    graphs = evidence.read(folder / "h100_model_graphs.csv")
    every = pd.concat([models, graphs], ignore_index=True)
    return every[every["model"].str.startswith("torchvision/")].reset_index(drop=True)


def main() -> None:
    """Fit, judge and print."""
    device = hardware.load(DEVICE)
    found, left = fitting.gather(rows(), device)
    for reason in left:
        print(reason)
    for (table, precision), samples in sorted(found.items()):
        name, seconds = f"{device.name} {table}", samples.measured_s
        predict = fitting.predictor(samples, device, precision)
        start = {key: each.start for key, each in parameters.GPU.items()}
        for title, source in (("as it ships ", DEVICE), ("as RTX cards", ELSEWHERE[table])):
            own = dict(hardware.load(source).fitted[f"efficiency.{table}"].values)
            error = np.log(predict(start | own | KNOWN) / seconds)
            print(f"{name} {title} {line(error, seconds)}")
        made = fitting.calibrate(samples, device, table, precision, known=KNOWN, also=["bandwidth"])
        print(f"{name} fitted       {line(made.fitted, seconds)}")
        if made.held is not None:
            print(f"{name} held         {line(made.held, seconds)}")
            print(f"    80 % band: ln std {fitting.width(made.held):.4f}")
            print(f"    {furthest(made.held, samples.families, 4)}")


if __name__ == "__main__":
    main()

"""A sweep over small networks that trace in milliseconds."""

from __future__ import annotations

import characterize as ch

DEVICES = ["reference_cpu", "nvidia_rtx_4090"]
# Different networks that trace in milliseconds, one of them twice at another size.
SMALL = [
    "mlp depth=1", "mlp depth=2 width=32", "conv2d_stack layers=1", "conv2d_stack layers=2 channels=8",
    "lstm layers=1 sequence=2", "mlp_mixer layers=1", "mlp depth=3", "mlp depth=4",
]  # fmt: skip
WRONG = "resnet depth=7"


def swept(entries=SMALL, scheduler="none", **more):
    more.setdefault("hardware", DEVICES)
    return ch.sweep_models(entries, scheduler=scheduler, **more)

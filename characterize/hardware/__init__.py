"""Hardware: profiles with the source of every figure, and the execution models that use them.

    hardware.names()                                   the devices that we ship
    hardware.load("nvidia_rtx_4090")                   one of them, or a file: "./my_npu.toml"
    hardware.select(["gpu", "intel_i9_10940x"])        several, classes among them
    hardware.check("my_npu.toml")                      all that is wrong with a file
    hardware.estimate(columns, profile, precision, stack)   kernels on a device

Importing this loads neither NumPy nor PyTorch; an execution model loads NumPy when it runs.
"""

from characterize.hardware.catalogue import check, classes, load, names, parse, select
from characterize.hardware.energy import capped_latency_s, static_power_w, wall_power_w
from characterize.hardware.execution import estimate, execution_model
from characterize.hardware.figures import Figure, FigureKind, Fit, Fitted
from characterize.hardware.layouts import in_format
from characterize.hardware.record import Profile
from characterize.hardware.schema import FIELDS, KEYS, Field
from characterize.hardware.variation import figure, variations, varied
from characterize.hardware.writing import to_toml

__all__ = [
    "FIELDS",
    "KEYS",
    "Field",
    "Figure",
    "FigureKind",
    "Fit",
    "Fitted",
    "Profile",
    "capped_latency_s",
    "check",
    "classes",
    "estimate",
    "execution_model",
    "figure",
    "in_format",
    "load",
    "names",
    "parse",
    "select",
    "static_power_w",
    "to_toml",
    "variations",
    "varied",
    "wall_power_w",
]

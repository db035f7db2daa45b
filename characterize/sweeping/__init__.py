"""A grid of configurations x devices → rows: a family is traced once and evaluated as arrays.

Many different models are traced one by one, by several processes or a cluster (`over_models`).
"""

from characterize.sweeping.catalogue import Kept, export, find, forget, frame, save, sweeps
from characterize.sweeping.grid import Grid, grid
from characterize.sweeping.model_run import ModelProgress
from characterize.sweeping.over_models import ModelSweep, sweep_models, sweep_models_to
from characterize.sweeping.requests import Request
from characterize.sweeping.run import Progress, Sweep, sweep, sweep_to

__all__ = [
    "Grid",
    "Kept",
    "ModelProgress",
    "ModelSweep",
    "Progress",
    "Request",
    "Sweep",
    "export",
    "find",
    "forget",
    "frame",
    "grid",
    "save",
    "sweep",
    "sweep_models",
    "sweep_models_to",
    "sweep_to",
    "sweeps",
]

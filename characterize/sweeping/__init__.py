"""A grid of configurations x devices → rows: a family is traced once and evaluated as arrays."""

from characterize.sweeping.catalogue import Kept, find, forget, frame, sweeps
from characterize.sweeping.grid import Grid, grid
from characterize.sweeping.run import Progress, Sweep, sweep, sweep_to

__all__ = [
    "Grid",
    "Kept",
    "Progress",
    "Sweep",
    "find",
    "forget",
    "frame",
    "grid",
    "sweep",
    "sweep_to",
    "sweeps",
]

"""A grid of configurations x devices → rows: a family is traced once and evaluated as arrays."""

from characterize.sweeping.run import Progress, Sweep, sweep, sweep_to

__all__ = ["Progress", "Sweep", "sweep", "sweep_to"]

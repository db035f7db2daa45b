"""Operator fusion: which operators of a graph make one kernel, under a software stack."""

from characterize.fusion.fuser import fuse, unfused
from characterize.fusion.patterns import Pattern, patterns

__all__ = ["Pattern", "fuse", "patterns", "unfused"]

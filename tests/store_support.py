"""A row as a store keeps it."""

from __future__ import annotations

from characterize.store.schema import TAIL


def row(**changes):
    """A full result row of a family with two parameters; changes to its columns by name."""
    values = dict.fromkeys(TAIL, 1.5) | {
        "batch": 32, "precision": "fp32", "stack": "compiled", "hardware": "reference_cpu",
        "architecture": "cpu", "confidence": "design", "parameters": 5056, "macs": 906_000_000,
        "flops": 1_818_230_784, "memory_bytes": 50_359_296, "peak_memory_bytes": 16_786_432,
        "fits": True, "kernels": 3, "tiles": 3, "bottleneck": "compute", "uncounted": 0,
        "cautions": "odd channels",
    }  # fmt: skip
    return (
        {"model": "conv2d_stack", "family": "conv2d_stack", "layers": 3, "bias": False}
        | values
        | changes
    )

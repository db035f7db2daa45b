"""Commands as a person types them, and rows that a session might answer with."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest

from characterize import cli

ROW = {
    "model": "resnet", "family": "resnet", "depth": 50, "bias": False, "batch": 8,
    "precision": "fp16", "stack": "compiled", "hardware": "nvidia_rtx_4090", "architecture": "gpu",
    "confidence": "datasheet", "parameters": 25_557_032, "macs": 32_712_859_648,
    "flops": 65_728_000_000, "memory_bytes": 500_000_000, "peak_memory_bytes": 80_000_000,
    "fits": True, "intensity": 131.456, "kernels": 53, "tiles": 4000, "latency_s": 0.00123,
    "latency_low_s": 0.001, "latency_high_s": 0.0015, "throughput_per_s": 6504.0,
    "energy_j": 0.5, "energy_static_j": 0.1, "energy_dynamic_j": 0.4, "power_w": 406.5,
    "speedup": 12.5, "bottleneck": "memory", "uncounted": 0,
    "cautions": "",
}  # fmt: skip
DESIGN = ROW | {
    "hardware": "stillwater_kpu_t64", "architecture": "kpu", "confidence": "design",
    "precision": "int8", "speedup": math.nan, "latency_high_s": math.inf, "fits": None,
}  # fmt: skip


def run(capsys, *argv):
    """Exit code, stdout and stderr of one command."""
    code = cli.main(list(argv))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def process(*argv, **settings):
    """The same as a process of its own."""
    command = [sys.executable, "-m", "characterize", *argv]
    return subprocess.run(command, capture_output=True, text=True, check=False, **settings)


def strict(text):
    """What is read of JSON that has neither NaN nor infinity."""
    return json.loads(text, parse_constant=pytest.fail)

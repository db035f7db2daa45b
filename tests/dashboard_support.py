"""Rows and kernels of a made-up network on made-up devices, for tests of the dashboard."""

from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ROWS: dict[str, list[Any]] = {
    "model": ["conv2d_stack"] * 3,
    "hardware": ["a_cpu", "a_gpu", "a_kpu"],
    "architecture": ["cpu", "gpu", "kpu"],
    "precision": ["fp32", "fp16", "int8"],
    "confidence": ["datasheet", "calibrated", "design"],
    "bottleneck": ["compute", "launch", "memory"],
    "uncounted": [0, 0, 0],
    "cautions": ["", "", ""],
    "latency_s": [1e-2, 1e-4, 2e-3],
    "latency_low_s": [5e-3, 5e-5, 1e-3],
    "latency_high_s": [2e-2, 2e-4, 4e-3],
    "energy_j": [1.0, 0.5, 0.1],
    "speedup": [1.0, 100.0, 5.0],
}
KERNELS: dict[str, list[Any]] = {
    "kernel": ["conv1+relu1", "conv2+relu2", "fc"],
    "module": ["conv1", "conv2", "fc"],
    "pattern": ["conv+relu", "conv+relu", "linear"],
    "kind": ["convolution", "convolution", "linear"],
    "bottleneck": ["compute", "compute", "memory"],
    "flops": [100, 100, 10],
    "memory_bytes": [20, 20, 40],
    "tiles": [2, 2, 1],
    "latency_s": [3e-3, 3e-3, 2e-3],
    "energy_dynamic_j": [1.0, 1.0, 0.5],
}

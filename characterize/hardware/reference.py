"""The idealised devices of the Conv2D validation report.

``latency = flops / peak x factor`` and ``energy = flops x e + bytes x b`` a kernel, one tile each,
no overhead and no static power. The factor multiplies the time, as the report's figures need it:
1,818,230,784 flops / 10 Tflop/s x 0.6 = 1.09e-4 s.
"""

from __future__ import annotations

import numpy as np

from characterize.columns import KernelColumns, KernelEstimate
from characterize.hardware.execution import execution_model
from characterize.hardware.record import Profile
from characterize.records import Precision, Stack


@execution_model("reference")
def reference(
    columns: KernelColumns, profile: Profile, precision: Precision, _stack: Stack
) -> KernelEstimate:
    """Time and energy in proportion to flops and bytes, and nothing else."""
    flops, moved = np.broadcast_arrays(columns.flops, columns.memory_bytes(precision))
    factor = profile.number("reference.latency_factor")
    latency_s = flops / profile.peak(precision) * factor
    none = np.zeros_like(latency_s)
    return KernelEstimate(
        latency_s=latency_s,
        compute_s=latency_s,
        memory_s=none,
        overhead_s=none,
        tiles=np.ones_like(latency_s),
        compute_energy_j=flops * profile.j_per_flop(precision),
        memory_energy_j=moved * profile.memory_j_per_byte,
    )

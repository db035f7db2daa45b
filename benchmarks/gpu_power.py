"""Power, clock, temperature and clock limits of an NVIDIA GPU, sampled beside a running load.

Mean power comes from the device's energy counter, between two moments at which it stepped: that
needs no knowledge of how the driver averages its power reading. Where the NVML bindings are missing,
``nvidia-smi`` is asked instead and the power readings are averaged.
"""

from __future__ import annotations

import statistics
import subprocess
import threading
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

PERIOD_S: Final = 0.02
REASONS: Final = {
    0x4: "power_cap",
    0x8: "hw_slowdown",
    0x20: "thermal",
    0x40: "hw_thermal",
    0x80: "power_brake",
}
"""Bits of NVML's clock event reasons that say a clock was held down; idle and settings are left out."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at the device; ``energy_j`` is its running total, or None where it has no counter."""

    at_s: float
    power_w: float
    sm_clock_mhz: float
    temperature_c: float
    energy_j: float | None = None
    reasons: int = 0


@dataclass(frozen=True, slots=True)
class Draw:
    """What a load drew over a window."""

    power_w: float
    reading_w: float
    sm_clock_mhz: float
    temperature_c: float
    limited_by: str
    samples: int


class Meter:
    """Samples the device in a thread of its own, from ``with`` to the end of the block."""

    def __init__(self, index: int = 0) -> None:
        self._index = index
        self._samples: list[Sample] = []
        self._stop = threading.Event()
        self._nvml: Any = None
        self._handle: Any = None
        self._thread: threading.Thread | None = None
        try:
            import pynvml

            pynvml.nvmlInit()
            self._handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            self._nvml = pynvml
        except Exception:  # noqa: BLE001 (no driver and no bindings raise different things)
            self._nvml = None

    def __enter__(self) -> Meter:
        target = self._poll if self._nvml is not None else self._follow
        self._thread = threading.Thread(target=target, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def clock_mhz(self) -> float | None:
        """The SM clock now, or None where nothing can tell."""
        if self._nvml is not None:
            return float(self._nvml.nvmlDeviceGetClockInfo(self._handle, self._nvml.NVML_CLOCK_SM))
        return self._samples[-1].sm_clock_mhz if self._samples else None

    def over(self, began_s: float, ended_s: float) -> Draw | None:
        """What was drawn between two moments of ``time.perf_counter``; None without samples."""
        inside = [s for s in list(self._samples) if began_s <= s.at_s <= ended_s]
        if len(inside) < 3:
            return None
        reading_w = statistics.fmean(s.power_w for s in inside)
        held = 0
        for sample in inside:
            held |= sample.reasons
        return Draw(
            power_w=_counted_power(inside) or reading_w,
            reading_w=reading_w,
            sm_clock_mhz=statistics.fmean(s.sm_clock_mhz for s in inside),
            temperature_c=max(s.temperature_c for s in inside),
            limited_by="+".join(name for bit, name in REASONS.items() if held & bit),
            samples=len(inside),
        )

    def _poll(self) -> None:
        nvml, handle = self._nvml, self._handle
        while not self._stop.wait(PERIOD_S):
            energy_j = nvml.nvmlDeviceGetTotalEnergyConsumption(handle) * 1e-3
            at_s = time.perf_counter()
            sample = Sample(
                at_s=at_s,
                power_w=nvml.nvmlDeviceGetPowerUsage(handle) * 1e-3,
                sm_clock_mhz=nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM),
                temperature_c=nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU),
                energy_j=energy_j,
                reasons=nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle),
            )
            self._samples.append(sample)

    def _follow(self) -> None:
        query = "--query-gpu=power.draw,clocks.sm,temperature.gpu"
        command = [
            "nvidia-smi",
            f"--id={self._index}",
            query,
            "--format=csv,noheader,nounits",
            "-lms",
            "50",
        ]
        try:
            reader = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        except OSError:
            return
        assert reader.stdout is not None
        for line in reader.stdout:
            fields = line.split(",")
            if len(fields) == 3:
                power, clock, heat = (float(field) for field in fields)
                self._samples.append(Sample(time.perf_counter(), power, clock, heat))
            if self._stop.is_set():
                break
        reader.terminate()
        reader.wait()


def _counted_power(samples: list[Sample]) -> float | None:
    """Mean power between the first and the last step of the energy counter."""
    steps = [
        after
        for before, after in pairwise(samples)
        if before.energy_j is not None and after.energy_j != before.energy_j
    ]
    if len(steps) < 2 or steps[0].energy_j is None or steps[-1].energy_j is None:
        return None
    return (steps[-1].energy_j - steps[0].energy_j) / (steps[-1].at_s - steps[0].at_s)

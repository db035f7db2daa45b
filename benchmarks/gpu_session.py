"""One measuring process: its device, its power meter, its clock and the table that it writes."""

from __future__ import annotations

import argparse
import csv
import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch

from benchmarks.gpu_power import Meter
from benchmarks.gpu_timing import Runner, Timing, keep_busy

Row = dict[str, Any]

SHAPE_COLUMNS: Final = (
    "batch", "m", "n", "k", "channels", "height", "width", "out_channels", "kernel_h", "kernel_w", "stride",
    "dilation", "groups", "channels_last", "rows", "columns", "elements", "heads", "kv_heads", "q_len",
    "kv_len", "head_dim", "causal", "masked",
)  # fmt: skip
TIMING_COLUMNS: Final = ("latency_s", "latency_p10_s", "latency_p90_s", "samples", "calls")
LOAD_COLUMNS: Final = ("steady_s", "power_w", "energy_j", "sm_clock_mhz", "limited_by")
OPERATOR_COLUMNS: Final = (
    "operator", "precision", "cache", "method", *SHAPE_COLUMNS, "macs", "memory_bytes", *TIMING_COLUMNS,
    *LOAD_COLUMNS, "hardware", "framework",
)  # fmt: skip
LAUNCH_COLUMNS: Final = (
    "what", "method", *TIMING_COLUMNS, *LOAD_COLUMNS, "temperature_c", "hardware", "framework",
)  # fmt: skip
MODEL_COLUMNS: Final = (
    "model", "input_size", "batch", "precision", "stack", "memory_format", "hardware", "latency_s", "power_w",
    "energy_j", "latency_p10_s", "latency_p90_s", "samples", "steady_s", "sm_clock_mhz", "limited_by",
    "launcher", "cast", "framework",
)  # fmt: skip

SETTLE_S: Final = 0.3
WINDOW_S: Final = 0.9


class Session:
    """One measuring process: the device, its power meter, the clock and the table being written."""

    def __init__(self, options: argparse.Namespace, meter: Meter | None, columns: tuple[str, ...]):
        self.device = torch.device(options.device)
        self.meter = meter
        self.quick = bool(options.quick)
        self.ends_s = time.perf_counter() + options.deadline
        self._constants = {
            "hardware": options.hardware,
            "framework": f"pytorch-{torch.__version__.split('+')[0]}",
        }
        options.output.parent.mkdir(parents=True, exist_ok=True)
        self._file = options.output.open("w", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._file, columns, restval="", lineterminator="\n")
        self._writer.writeheader()
        self.written = 0
        self._free_mhz = 0.0

    def rest(self) -> None:
        """Wait, a second at most, until the load before no longer holds the clock down."""
        for _ in range(50):
            mhz = self.meter.clock_mhz() if self.meter else None
            if mhz is None or mhz >= self._free_mhz:
                self._free_mhz = mhz or 0.0
                return
            time.sleep(0.02)

    def out_of_time(self) -> bool:
        """Whether nothing more may be begun."""
        return time.perf_counter() > self.ends_s

    def write(self, row: Row) -> None:
        """One row, with what holds for all of them."""
        row = {**row, **self._constants}
        self._writer.writerow(
            {k: f"{v:.5g}" if isinstance(v, float) else v for k, v in row.items()}
        )
        self._file.flush()
        self.written += 1

    def clock(self) -> Row:
        """The SM clock while something runs."""
        mhz = self.meter.clock_mhz() if self.meter else None
        return {} if mhz is None else {"sm_clock_mhz": mhz}

    def load(self, runner: Runner, *, power: bool) -> Row:
        """Run back to back: the mean time a call, and what the device drew meanwhile."""
        seconds = 0.05 if self.quick else WINDOW_S if power else 0.2
        if power and not self.quick:
            keep_busy(runner, self.device, SETTLE_S)
        began_s, ended_s, calls = keep_busy(runner, self.device, seconds)
        row: Row = {"steady_s": (ended_s - began_s) / calls}
        draw = self.meter.over(began_s, ended_s) if self.meter else None
        if draw is not None:
            row |= {"sm_clock_mhz": round(draw.sm_clock_mhz), "limited_by": draw.limited_by}
            row["temperature_c"] = draw.temperature_c
            if power:
                row |= {"power_w": draw.power_w, "energy_j": draw.power_w * row["steady_s"]}
        return row


@contextmanager
def arithmetic(precision: str) -> Iterator[None]:
    """Full fp32 unless the precision is tf32 (or autocast leaves something in fp32: as by default)."""
    allowed = precision != "fp32"
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed
    torch.backends.cudnn.benchmark = True
    yield


def timing_row(timing: Timing) -> Row:
    """The timing columns."""
    return {
        "latency_s": timing.median_s,
        "latency_p10_s": timing.p10_s,
        "latency_p90_s": timing.p90_s,
        "samples": timing.samples,
        "calls": timing.calls,
    }


def attempt(session: Session, measure: Callable[[], Row], title: str, precision: str) -> None:
    """Write what ``measure`` returns, or say what went wrong, and free the memory."""
    try:
        with torch.inference_mode(), arithmetic(precision):
            session.write(measure())
    except (RuntimeError, ValueError, TypeError, NotImplementedError, KeyError) as error:
        print(f"failed: {title}: {str(error).splitlines()[0][:150]}", flush=True)
    if session.device.type == "cuda" and torch.cuda.memory_reserved() > 30e9:
        gc.collect()
        torch.cuda.empty_cache()

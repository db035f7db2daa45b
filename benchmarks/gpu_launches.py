"""What it costs to launch: operators too small to take any time themselves, and the idle device."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from benchmarks.gpu_session import Row, Session, attempt, timing_row
from benchmarks.gpu_timing import (
    Call,
    Runner,
    prepare,
    quantiles,
    synchronise,
    time_runner,
    time_steps,
)


def small_calls(device: torch.device) -> dict[str, Callable[[], Any]]:
    """Operators so small that only their launch costs time."""
    functional = torch.nn.functional
    half = torch.float16
    one = torch.zeros(1, device=device)
    rows = torch.randn(8, 64, device=device, dtype=half)
    weight = torch.randn(64, 64, device=device, dtype=half)
    image = torch.randn(1, 8, 8, 8, device=device, dtype=half)
    kernel = torch.randn(8, 8, 3, 3, device=device, dtype=half)
    scale = torch.ones(8, device=device, dtype=half)
    wide = torch.ones(64, device=device, dtype=half)
    heads = torch.randn(1, 2, 16, 32, device=device, dtype=half)
    wide32, kernel32 = weight.float(), kernel.float()

    def cast(function: Callable[[], Any]) -> Callable[[], Any]:
        def call() -> Any:
            with torch.autocast(device.type, dtype=half):
                return function()

        return call

    return {
        "add_": lambda: one.add_(1),
        "add": lambda: one + one,
        "view": lambda: rows.view(64, 8),
        "relu": lambda: torch.relu(image),
        "gelu": lambda: functional.gelu(rows),
        "linear": lambda: functional.linear(rows, weight),
        "linear_bias": lambda: functional.linear(rows, weight, wide),
        "linear_autocast": cast(lambda: functional.linear(rows, wide32)),
        "conv2d": lambda: functional.conv2d(image, kernel, None, 1, 1),
        "conv2d_bias": lambda: functional.conv2d(image, kernel, scale, 1, 1),
        "conv2d_autocast": cast(lambda: functional.conv2d(image, kernel32, None, 1, 1)),
        "batch_norm": lambda: functional.batch_norm(image, scale, scale, scale, scale),
        "layer_norm": lambda: functional.layer_norm(rows, (64,), wide, wide),
        "softmax": lambda: torch.softmax(rows, -1),
        "sdpa": lambda: functional.scaled_dot_product_attention(heads, heads, heads),
        "max_pool2d": lambda: functional.max_pool2d(image, 2),
        "mean_hw": lambda: image.mean((2, 3)),
        "cat": lambda: torch.cat((rows, rows), 1),
        "to_fp32": lambda: rows.float(),
        "bmm": lambda: torch.bmm(heads[0], heads[0].transpose(1, 2)),
    }


def measure_launches(session: Session) -> None:
    """The idle device; then every small call from the host and from a graph, and one alone."""
    device = session.device
    many = 50 if session.quick else 500
    _measure_idle(session, 0.5 if session.quick else 3.0)
    calls = small_calls(device)
    for name, call in calls.items():
        attempt(session, partial(_back_to_back, name, call, many, session), name, "fp16")
        if name != "view":  # which launches nothing
            attempt(session, partial(_replayed, name, call, session), name, "fp16")
    attempt(session, partial(_alone, calls["add_"], session), "alone", "fp16")
    attempt(session, partial(_launching, calls["add_"], session), "launching", "fp16")


def _measure_idle(session: Session, seconds: float) -> None:
    if session.meter is None:
        return
    time.sleep(seconds)
    began_s = time.perf_counter()
    time.sleep(seconds)
    draw = session.meter.over(began_s, time.perf_counter())
    if draw is not None:
        idle: Row = {"power_w": draw.power_w, "sm_clock_mhz": round(draw.sm_clock_mhz)}
        idle |= {"temperature_c": draw.temperature_c}
        session.write({"what": "idle, context held, before any load", **idle})


def _repeated(call: Call, many: int) -> Runner:
    return Runner(lambda: [call() for _ in range(many)], many, "stream")


def _back_to_back(name: str, call: Call, many: int, session: Session) -> Row:
    runner = _repeated(call, many)
    runner.run()
    spans = [_time_host(runner, session.device) for _ in range(9)]
    row = {"what": name, "method": "stream"} | timing_row(quantiles(spans, many, "stream"))
    return row | session.clock()


def _replayed(name: str, call: Call, session: Session) -> Row:
    timing = time_runner(prepare([call], session.device), session.device)
    return {"what": name, "method": timing.method} | timing_row(timing) | session.clock()


def _alone(call: Call, session: Session) -> Row:
    timing = time_steps(call, session.device, warm_up=20, budget_s=0.5)
    return {"what": "add_ and synchronise", "method": "step"} | timing_row(timing)


def _launching(call: Call, session: Session) -> Row:
    row: Row = {"what": "add_", "method": "steady stream"}
    return row | session.load(_repeated(call, 100), power=True)


def _time_host(runner: Runner, device: torch.device) -> float:
    """Seconds a call of one run, from the first launch to the end of the last."""
    synchronise(device)
    started = time.perf_counter()
    runner.run()
    synchronise(device)
    return (time.perf_counter() - started) / runner.calls

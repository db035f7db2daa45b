"""Timing on a GPU: captured graphs for single operators, synchronised steps for whole models.

A single operator of a few microseconds is shorter than the host needs to launch it, so it is
captured many times into one CUDA graph and the replays are timed by device events: what remains is
the kernel and the gap to the next one. A model is timed as its user waits for it: a step, a
synchronise, a look at the clock.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import torch

Call = Callable[[], Any]

RUN_S: Final = 2e-3
"""One replay is about this long, so that what a replay costs by itself is well below 1 %."""
CAPTURED_CALLS: Final = 1000
QUEUED_RUNS: Final = 6


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds a call: quantiles over ``samples``, each the mean of ``calls`` in a row."""

    median_s: float
    p10_s: float
    p90_s: float
    samples: int
    calls: int
    method: str


@dataclass(frozen=True, slots=True)
class Runner:
    """Something that makes ``calls`` calls each time it is run, without waiting for the device."""

    run: Callable[[], Any]
    calls: int
    method: str


def quantiles(samples_s: Sequence[float], calls: int, method: str) -> Timing:
    """The timing that a list of samples (seconds a call) stands for."""
    ordered = sorted(samples_s)

    def at(share: float) -> float:
        position = share * (len(ordered) - 1)
        low = math.floor(position)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (position - low) * (ordered[high] - ordered[low])

    return Timing(at(0.5), at(0.1), at(0.9), len(ordered), calls, method)


def synchronise(device: torch.device) -> None:
    """Wait until the device has nothing left to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def prepare(calls: Sequence[Call], device: torch.device, *, keep: bool = False) -> Runner:
    """Warm ``calls`` up and capture them, in turn and repeatedly, into one graph.

    With ``keep`` every output stays where it was written, so that no call finds its predecessor's
    output in the cache; without it the outputs share memory.
    """
    for call in [calls[0], calls[0], *calls]:
        call()
    synchronise(device)
    started = time.perf_counter()
    for _ in range(3):
        calls[0]()
    synchronise(device)
    call_s = (time.perf_counter() - started) / 3
    rounds = max(1, min(math.ceil(RUN_S / call_s), CAPTURED_CALLS) // len(calls))
    sequence = list(calls) * rounds
    if device.type != "cuda":
        return Runner(lambda: [call() for call in sequence], len(sequence), "loop")
    return _captured(sequence, keep=keep)


def _captured(sequence: Sequence[Call], *, keep: bool) -> Runner:
    graph = torch.cuda.CUDAGraph()
    outputs: list[Any] = []
    try:
        with torch.cuda.graph(graph):
            for call in sequence:
                output = call()
                if keep:
                    outputs.append(output)
    except RuntimeError:  # an operator that waits for the device cannot be captured
        torch.cuda.synchronize()
        return Runner(lambda: [call() for call in sequence], len(sequence), "stream")
    outputs.clear()
    graph.replay()
    torch.cuda.synchronize()
    return Runner(graph.replay, len(sequence), "graph")


def time_runner(
    runner: Runner,
    device: torch.device,
    *,
    budget_s: float = 0.03,
    glance: Callable[[], Any] | None = None,
) -> Timing:
    """Time at least seven runs, more if they fit the budget; ``glance`` is called while it works."""
    if device.type != "cuda":
        return _time_on_host(runner, budget_s)
    first, second = _event(), _event()
    first.record()
    runner.run()
    second.record()
    torch.cuda.synchronize()
    run_s = first.elapsed_time(second) * 1e-3
    samples = max(7, min(50, int(budget_s / max(run_s, 1e-6))))
    events = [_event() for _ in range(samples + 1)]
    events[0].record()
    for event in events[1:]:
        runner.run()
        event.record()
    if glance is not None:
        events[samples // 2].synchronize()  # half-way: the clock needs time to fall
        glance()
    torch.cuda.synchronize()
    spans = [start.elapsed_time(end) * 1e-3 / runner.calls for start, end in pairwise(events)]
    return quantiles(spans, runner.calls, runner.method)


def _event() -> Any:
    return torch.cuda.Event(enable_timing=True)


def _time_on_host(runner: Runner, budget_s: float) -> Timing:
    spans: list[float] = []
    while len(spans) < 7 or sum(spans) * runner.calls < budget_s:
        started = time.perf_counter()
        runner.run()
        spans.append((time.perf_counter() - started) / runner.calls)
    return quantiles(spans, runner.calls, runner.method)


def time_steps(call: Call, device: torch.device, *, warm_up: int, budget_s: float) -> Timing:
    """Time whole steps on the host's clock, each with a synchronise after it (10 to 100 of them)."""
    for _ in range(warm_up):
        call()
    synchronise(device)
    spans: list[float] = []
    while len(spans) < 10 or (sum(spans) < budget_s and len(spans) < 100):
        started = time.perf_counter()
        call()
        synchronise(device)
        spans.append(time.perf_counter() - started)
    return quantiles(spans, 1, "step")


def keep_busy(runner: Runner, device: torch.device, seconds: float) -> tuple[float, float, int]:
    """Run back to back for at least ``seconds``, a few runs ahead of the device.

    Returns:
        When it began and ended (``time.perf_counter``) and how many calls were made.
    """
    synchronise(device)
    began = time.perf_counter()
    runs = 0
    ahead: deque[Any] = deque()
    while time.perf_counter() - began < seconds or runs < 2:
        runner.run()
        runs += 1
        if device.type == "cuda":
            event = torch.cuda.Event()
            event.record()
            ahead.append(event)
            if len(ahead) > QUEUED_RUNS:
                ahead.popleft().synchronize()
    synchronise(device)
    return began, time.perf_counter(), runs * runner.calls

"""Measure latency, power and clock of operators and whole models on the GPU of this machine.

    python -m benchmarks.measure_gpu operators --output h100_operators.csv
    python -m benchmarks.measure_gpu launches --output h100_launches.csv
    python -m benchmarks.measure_gpu eager --output h100_eager.csv
    python -m benchmarks.measure_gpu compiled --output h100_compiled.csv --precompile 6
    python -m benchmarks.measure_gpu operators --device cpu --quick      # does it run at all?

Rows are written as they are measured; ``--deadline`` (seconds) ends a run early and whole. How each
kind is timed is said in :mod:`benchmarks.gpu_timing`, power in :mod:`benchmarks.gpu_power`.
"""

from __future__ import annotations

import argparse
import csv
import gc
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch

from benchmarks import gpu_grid, gpu_models
from benchmarks.gpu_operators import BUILDERS, Bench
from benchmarks.gpu_power import Meter
from benchmarks.gpu_timing import (
    Runner,
    Timing,
    keep_busy,
    prepare,
    quantiles,
    time_runner,
    time_steps,
)

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

COLD_BYTES: Final = 150_000_000
"""Operands that a cold case goes round: three times the 50 MB of an H100's second-level cache."""
SETTLE_S: Final = 0.4
WINDOW_S: Final = 1.2


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


def measure_operator(case: gpu_grid.Case, session: Session) -> Row:
    """Build, warm up, capture and time one operator at one shape."""
    bench = Bench(session.device, case.precision)
    build = BUILDERS[case.operator]
    work = build(bench, case.shape)
    output = work()
    row: Row = {
        "operator": case.operator,
        "precision": case.precision,
        "cache": "cold" if case.cold else "warm",
        **case.shape,
        "macs": work.macs or "",
        "memory_bytes": work.memory_bytes(output),
    }
    del output
    sets = 1
    if case.cold:
        sets = max(2, min(400, -(-COLD_BYTES // row["memory_bytes"])))
    calls = [work, *(build(bench, case.shape) for _ in range(sets - 1))]
    runner = prepare(calls, session.device, keep=case.cold)
    session.rest()
    glance: Row = {}
    timing = time_runner(runner, session.device, glance=lambda: glance.update(session.clock()))
    row |= {"method": timing.method, **timing_row(timing), **glance}
    if case.power:
        row |= session.load(runner, power=True)
        row.pop("temperature_c", None)
    return row


def measure_operators(session: Session) -> None:
    """Every operator of the grid; one that fails is named and left out."""
    grid = gpu_grid.quick_cases() if session.quick else gpu_grid.cases()
    for number, case in enumerate(grid):
        if session.out_of_time():
            print(f"out of time after {number} of {len(grid)} operators", flush=True)
            return
        attempt(
            session, lambda case=case: measure_operator(case, session), str(case), case.precision
        )
        if number % 100 == 0:
            print(f"{number}/{len(grid)} operators", flush=True)


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
    """Tiny operators back to back from the host and from a graph, one alone, and the idle device."""
    device = session.device
    many = 50 if session.quick else 500
    if session.meter:
        time.sleep(0.5 if session.quick else 3.0)
        began_s = time.perf_counter()
        time.sleep(0.5 if session.quick else 3.0)
        draw = session.meter.over(began_s, time.perf_counter())
        if draw is not None:
            idle: Row = {"power_w": draw.power_w, "sm_clock_mhz": round(draw.sm_clock_mhz)}
            idle |= {"temperature_c": draw.temperature_c}
            session.write({"what": "idle, context held, before any load", **idle})
    for name, call in small_calls(device).items():
        stream = Runner(lambda call=call: [call() for _ in range(many)], many, "stream")

        def back_to_back(name: str = name, stream: Runner = stream) -> Row:
            stream.run()
            spans = [time_host(stream, device) for _ in range(9)]
            row = {"what": name, "method": "stream"} | timing_row(quantiles(spans, many, "stream"))
            return row | session.clock()

        def replayed(name: str = name, call: Callable[[], Any] = call) -> Row:
            runner = prepare([call], device)
            timing = time_runner(runner, device)
            return {"what": name, "method": timing.method} | timing_row(timing) | session.clock()

        attempt(session, back_to_back, name, "fp16")
        if name != "view":  # which launches nothing
            attempt(session, replayed, name, "fp16")
    single = small_calls(device)["add_"]

    def alone() -> Row:
        timing = time_steps(single, device, warm_up=20, budget_s=0.5)
        return {"what": "add_ and synchronise", "method": "step"} | timing_row(timing)

    def launching() -> Row:
        runner = Runner(lambda: [single() for _ in range(100)], 100, "stream")
        return {"what": "add_", "method": "steady stream"} | session.load(runner, power=True)

    attempt(session, alone, "alone", "fp16")
    attempt(session, launching, "launching", "fp16")


def time_host(runner: Runner, device: torch.device) -> float:
    """Seconds a call of one run, from the first launch to the end of the last."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    runner.run()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - started) / runner.calls


def measure_model(run: gpu_models.Run, model: Any, session: Session) -> Row:
    """Time one model at one batch: synchronised steps, then steps back to back."""
    device = session.device
    call = gpu_models.step(run, model, gpu_models.inputs(run, device), device)
    budget_s = 0.1 if session.quick else 0.3
    row: Row = {
        "model": run.name, "input_size": run.input_size, "batch": run.batch, "precision": run.precision,
        "stack": run.stack, "memory_format": run.memory_format, "launcher": run.launcher, "cast": run.cast,
    }  # fmt: skip
    output = call()
    if not finite(output):
        print(f"not finite: {run}", flush=True)
    del output
    if run.launcher == "graph":
        runner = prepare([call], device)
        timing = time_runner(runner, device, budget_s=0.2)
        if timing.method != "graph":
            msg = "not captured"
            raise RuntimeError(msg)
    else:
        timing = time_steps(call, device, warm_up=2 if session.quick else 10, budget_s=budget_s)
        runner = Runner(call, 1, "stream")
    row |= timing_row(timing)
    row.pop("calls")
    row |= session.load(runner, power=run.power)
    row.pop("temperature_c", None)
    return row


def finite(output: Any) -> bool:
    """Whether no element of the output overflowed."""
    if isinstance(output, torch.Tensor):
        return bool(torch.isfinite(output).all())
    values = output.values() if hasattr(output, "values") else output
    return all(finite(value) for value in values if isinstance(value, torch.Tensor | dict | tuple))


def measure_models(runs: list[gpu_models.Run], session: Session) -> None:
    """Every run; a model is built once for as long as the runs that need it follow each other."""
    held: tuple[Any, ...] = ()
    model: Any = None
    for number, run in enumerate(runs):
        if session.out_of_time():
            print(f"out of time after {number} of {len(runs)} runs", flush=True)
            return
        started = time.perf_counter()
        wanted = (run.name, run.input_size, run.precision, run.stack, run.memory_format)
        try:
            if wanted != held:
                model, held = None, ()
                model = gpu_models.build(run, session.device)
                held = wanted
            if run.stack == "compiled":
                torch._dynamo.reset()
        except (RuntimeError, ValueError, TypeError, KeyError, ImportError) as error:
            print(f"failed to build {run.name}: {str(error)[:150]}", flush=True)
            continue
        ready = torch.compile(model, dynamic=False) if run.stack == "compiled" else model
        attempt(
            session,
            lambda run=run, m=ready: measure_model(run, m, session),
            str(run),
            run.precision,
        )
        print(f"{number + 1}/{len(runs)} {time.perf_counter() - started:.1f} s {run}", flush=True)


def precompile(runs: list[gpu_models.Run], options: argparse.Namespace) -> None:
    """Fill the compiler's cache from several processes at once, so that measuring finds it full."""
    common = [
        sys.executable,
        "-m",
        "benchmarks.measure_gpu",
        "compiled",
        "--device",
        options.device,
    ]
    common += ["--quick"] if options.quick else []
    workers = []
    for share in range(options.precompile):
        command = [*common, "--share", f"{share}/{options.precompile}", "--output", "/dev/null"]
        workers.append(subprocess.Popen(command))
    ends_s = time.perf_counter() + 0.45 * options.deadline
    for worker in workers:
        try:
            worker.wait(timeout=max(1.0, ends_s - time.perf_counter()))
        except subprocess.TimeoutExpired:
            worker.terminate()
            worker.wait()
    print(f"compiled {len(runs)} models in advance", flush=True)


def warm_share(runs: list[gpu_models.Run], options: argparse.Namespace) -> None:
    """Compile and run once every n-th model: the work of one worker of :func:`precompile`."""
    number, of = (int(part) for part in options.share.split("/"))
    device = torch.device(options.device)
    for run in runs[number::of]:
        started = time.perf_counter()
        try:
            with torch.inference_mode(), arithmetic(run.precision):
                torch._dynamo.reset()
                model = torch.compile(gpu_models.build(run, device), dynamic=False)
                gpu_models.step(run, model, gpu_models.inputs(run, device), device)()
        except (RuntimeError, ValueError, TypeError, KeyError, ImportError) as error:
            print(f"failed to compile {run.name}: {str(error)[:150]}", flush=True)
        print(f"  compiled in {time.perf_counter() - started:.1f} s {run}", flush=True)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("what", choices=("operators", "launches", "eager", "compiled"))
    parser.add_argument("--device", default="cuda")
    parser.add_argument(
        "--hardware", default="nvidia_h100_sxm", help="the profile's name, for the rows"
    )
    parser.add_argument("--output", type=Path, default=Path("measured.csv"))
    parser.add_argument(
        "--deadline", type=float, default=540.0, help="begin nothing after so many seconds"
    )
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes, to see that everything runs"
    )
    parser.add_argument(
        "--precompile", type=int, default=0, help="processes that compile in advance"
    )
    parser.add_argument("--start", type=int, default=0, help="leave so many runs of models out")
    parser.add_argument("--share", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Measure what the command line asks for."""
    options = parse(arguments)
    if options.what in {"eager", "compiled"}:
        listed = gpu_models.eager_runs() if options.what == "eager" else gpu_models.compiled_runs()
        runs = gpu_models.quick_runs(options.what) if options.quick else listed[options.start :]
        if options.share:
            warm_share(runs, options)
            return
        started = time.perf_counter()
        if options.precompile:
            precompile(runs, options)
        options.deadline -= time.perf_counter() - started
        columns, measure = MODEL_COLUMNS, lambda session: measure_models(runs, session)
    elif options.what == "operators":
        columns, measure = OPERATOR_COLUMNS, measure_operators
    else:
        columns, measure = LAUNCH_COLUMNS, measure_launches
    if options.device != "cuda":
        session = Session(options, None, columns)
        measure(session)
    else:
        torch.zeros(1, device="cuda")
        with Meter() as meter:
            session = Session(options, meter, columns)
            measure(session)
    print(f"{session.written} rows in {options.output}", flush=True)


if __name__ == "__main__":
    main()

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
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch

from benchmarks import gpu_grid, gpu_models
from benchmarks.gpu_launches import measure_launches
from benchmarks.gpu_operators import BUILDERS, Bench
from benchmarks.gpu_power import Meter
from benchmarks.gpu_session import (
    LAUNCH_COLUMNS,
    MODEL_COLUMNS,
    OPERATOR_COLUMNS,
    Row,
    Session,
    arithmetic,
    attempt,
    timing_row,
)
from benchmarks.gpu_timing import Runner, prepare, time_runner, time_steps

COLD_BYTES: Final = 150_000_000
"""Operands that a cold case goes round: three times the 50 MB of an H100's second-level cache."""


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
        attempt(session, partial(measure_operator, case, session), str(case), case.precision)
        if number % 100 == 0:
            print(f"{number}/{len(grid)} operators", flush=True)


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
            partial(measure_model, run, ready, session),
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
    columns: tuple[str, ...] = MODEL_COLUMNS
    measure: Callable[[Session], None]
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
        measure = partial(measure_models, runs)
    elif options.what == "operators":
        columns, measure = OPERATOR_COLUMNS, measure_operators
    else:
        columns, measure = LAUNCH_COLUMNS, measure_launches
    if options.device == "cuda":
        torch.zeros(1, device="cuda")  # the meter is to see the device awake
        with Meter() as meter:
            session = Session(options, meter, columns)
            measure(session)
    else:
        session = Session(options, None, columns)
        measure(session)
    print(f"{session.written} rows in {options.output}", flush=True)


if __name__ == "__main__":
    main()

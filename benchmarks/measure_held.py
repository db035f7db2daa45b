"""Measure networks that no fit has seen, and first write down what is projected for them.

    python -m benchmarks.measure_held --project projected.csv --hardware nvidia_h100_sxm
    python -m benchmarks.measure_held --output held --deadline 330 --hardware nvidia_h100_sxm

What is run is what ``characterize measure`` runs (`characterize.measurement`), timed as
`benchmarks.gpu_timing` times models; rows are in `benchmarks.gpu_networks`. Compiled networks have a
process each, which compiles while the others do, then waits for its turn at the GPU. Files:
NAME_models.csv, NAME_graphs.csv (replayed), NAME_compiled_*.csv, NAME_kernels.json (of some rows,
microseconds by kernel name). ``--quick --device cpu`` shows whether it runs at all.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import torch

from benchmarks import gpu_networks
from benchmarks.gpu_networks import Row
from benchmarks.gpu_power import Meter
from benchmarks.gpu_session import MODEL_COLUMNS, Session, timing_row
from benchmarks.gpu_timing import Runner, prepare, synchronise, time_runner, time_steps
from characterize import measurement
from characterize.errors import CharacterizeError
from characterize.records import Precision, Stack

KERNELS: Final = 40  # names a profiled row


def named(row: Row, form: str, launcher: str) -> dict[str, Any]:
    """The columns that say what was measured."""
    return {
        "model": row.model, "input_size": row.size or "", "batch": row.batch,
        "precision": row.precision, "stack": row.stack, "memory_format": form, "launcher": launcher,
        "cast": "autocast" if row.precision == "fp16" else "none",
    }  # fmt: skip


def measure(row: Row, made: measurement.Prepared, session: Session) -> dict[str, Any]:
    """Steps with a synchronise after each, then steps back to back."""
    timing = time_steps(made.step, session.device, warm_up=5, budget_s=0.25)
    found = named(row, made.memory_format, "stream") | timing_row(timing)
    found.pop("calls")
    found |= session.load(Runner(made.step, 1, "stream"), power=row.power)
    found.pop("temperature_c", None)
    return found


def replayed(row: Row, made: measurement.Prepared, session: Session) -> dict[str, Any]:
    """The same from a captured graph."""
    runner = prepare([made.step], session.device)
    timing = time_runner(runner, session.device, budget_s=0.1)
    if timing.method != "graph":
        msg = "not captured"
        raise RuntimeError(msg)
    found = named(row, made.memory_format, "graph") | timing_row(timing) | session.clock()
    found.pop("calls")
    return found


def kernels(step: Callable[[], Any], device: torch.device) -> dict[str, list[float]]:
    """Microseconds and launches of each kernel name over two steps, the dearest first."""
    activity = torch.profiler.ProfilerActivity
    wanted = [activity.CUDA] if device.type == "cuda" else [activity.CPU]
    with torch.profiler.profile(activities=wanted) as profile:
        step()
        step()
        synchronise(device)
    found: dict[str, list[float]] = {}
    for event in profile.events():
        total = found.setdefault(event.name[:160], [0.0, 0])
        total[0] += event.device_time_total if device.type == "cuda" else event.cpu_time_total
        total[1] += 1
    dear = sorted(found.items(), key=lambda each: -each[1][0])[:KERNELS]
    return {name: [round(us / 2, 2), calls / 2] for name, (us, calls) in dear}


class Held:
    """The tables of a run, and the network that is in memory."""

    def __init__(self, options: argparse.Namespace, meter: Meter | None, suffix: str = "") -> None:
        def table(what: str, deadline: float) -> Session:
            path = options.output.with_name(f"{options.output.name}_{what}{suffix}.csv")
            own = argparse.Namespace(**{**vars(options), "output": path, "deadline": deadline})
            return Session(own, meter, MODEL_COLUMNS)

        self.models = table("models", options.deadline)
        self.replays = None if suffix else table("graphs", options.deadline)
        self.profiles = options.output.with_name(f"{options.output.name}_kernels{suffix}.json")
        self.found: dict[str, Any] = {}
        self.held: tuple[Any, ...] = ()
        self.module: torch.nn.Module | None = None

    def prepared(self, row: Row) -> measurement.Prepared:
        """A row's step; weights stay as long as the network does and is in fp32."""
        wanted, device = (row.model, row.size), self.models.device.type
        if wanted != self.held:
            self.module, self.held = None, ()
            if device == "cuda":
                torch.cuda.empty_cache()
            self.module = measurement.built(row.subject, device)
            self.held = wanted
        return measurement.prepared(
            row.subject, Precision(row.precision), Stack(row.stack), device, row.memory_format,
            self.module,
        )  # fmt: skip

    def row(self, row: Row, made: measurement.Prepared | None = None) -> None:
        """Measure one row and write it; what fails is said and left out."""
        begun = time.perf_counter()
        try:
            with measurement.running(Precision(row.precision)):
                made = made or self.prepared(row)
                self.models.write(measure(row, made, self.models))
                if row.replay and self.replays is not None:
                    self.replays.write(replayed(row, made, self.replays))
                if row.profile:
                    key = json.dumps(
                        [row.model, row.batch, row.precision, row.stack, row.memory_format]
                    )
                    self.found[key] = kernels(made.step, self.models.device)
                    self.profiles.write_text(json.dumps(self.found))
        except (RuntimeError, ValueError, TypeError, KeyError, CharacterizeError) as error:
            print(f"failed: {row}: {' '.join(str(error).split())[:200]}", flush=True)
        short = f"{row.model} {row.size} b{row.batch} {row.precision} {row.memory_format}"
        print(f"{time.perf_counter() - begun:.1f} s {short}", flush=True)


def compiled(options: argparse.Namespace) -> None:
    """One process's compiled rows: make them all, say so, wait for the turn, measure."""
    number = options.share
    rows = gpu_networks.compiled_rows()[number]
    if options.quick:
        rows = [replace(row, batch=1) for row in rows[:1]]
    ready: list[tuple[Row, measurement.Prepared]] = []
    flags = options.output.parent
    device = torch.device(options.device)
    for row in rows:
        begun = time.perf_counter()
        with measurement.running(Precision(row.precision)):
            made = measurement.prepared(
                row.subject, Precision(row.precision), Stack(row.stack), device.type,
                row.memory_format,
            )  # fmt: skip
            made.step()
            made.step()
            synchronise(device)
        ready.append((row, made))
        (flags / f"ready.{number}").write_text(str(len(ready)))
        print(f"compiled in {time.perf_counter() - begun:.1f} s {row}", flush=True)
        if (flags / "begin").exists():
            break
    while not (flags / f"turn.{number}").exists():
        time.sleep(0.05)
    with Meter() if device.type == "cuda" else _nothing() as meter:
        held = Held(options, meter, f"_compiled_{number}")
        for row, made in ready:
            held.row(replace(row, profile=row.batch > 16), made)
    (flags / f"done.{number}").write_text("")


class _nothing:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def begun_workers(options: argparse.Namespace) -> dict[int, subprocess.Popen[bytes]]:
    """A process for each compiled network."""
    flags = options.output.parent
    for old in [
        *flags.glob("ready.*"),
        *flags.glob("turn.*"),
        *flags.glob("done.*"),
        *flags.glob("begin"),
    ]:
        old.unlink()
    common = [sys.executable, "-m", "benchmarks.measure_held", "--device", options.device]
    common += ["--output", str(options.output), "--hardware", options.hardware]
    common += ["--quick"] if options.quick else []
    return {
        number: subprocess.Popen([*common, "--share", str(number)])
        for number in range(min(options.compiled, len(gpu_networks.COMPILED)))
    }


def turns(workers: dict[int, subprocess.Popen[bytes]], options: argparse.Namespace) -> None:
    """Let each process that has compiled something measure, one after another; end the others."""
    flags = options.output.parent
    (flags / "begin").write_text("")
    ready = [number for number in workers if (flags / f"ready.{number}").exists()]
    for number, worker in workers.items():
        if number not in ready:
            print(f"not compiled in time: {gpu_networks.COMPILED[number]}", flush=True)
            worker.kill()
            worker.wait()
    for number in ready:
        _settled(workers, number, flags)
    for number in ready:
        (flags / f"turn.{number}").write_text("")
        worker = workers[number]
        until = time.perf_counter() + 25.0
        while worker.poll() is None and time.perf_counter() < until:
            time.sleep(0.05)
        if worker.poll() is None:
            worker.kill()
        worker.wait()


def _settled(workers: dict[int, subprocess.Popen[bytes]], number: int, flags: Path) -> None:
    """Wait, ten seconds at most, until a process no longer compiles its second batch."""
    wanted = len(gpu_networks.COMPILED[number][3])
    until = time.perf_counter() + 10.0
    while time.perf_counter() < until and workers[number].poll() is None:
        if int((flags / f"ready.{number}").read_text() or 0) >= wanted:
            return
        time.sleep(0.1)


def wanted_rows(options: argparse.Namespace) -> Iterator[Row]:
    """The rows of eager execution that were asked for."""
    rows = list(gpu_networks.brief_rows() if options.brief else gpu_networks.eager_rows())
    if options.quick:
        rows = [replace(row, batch=1) for row in rows][:: options.every]
    yield from rows


def project(options: argparse.Namespace) -> None:
    """What the present code projects for every row, before anything is measured."""
    import pandas as pd

    from characterize import evidence, hardware, validation

    rows = [
        *gpu_networks.eager_rows(),
        *gpu_networks.brief_rows(),
        *(row for part in gpu_networks.compiled_rows() for row in part),
    ]
    frame = pd.DataFrame(asdict(row) for row in rows).rename(columns={"size": "input_size"})
    frame = frame.drop(columns=["power", "replay", "profile"]).drop_duplicates()
    frame = frame.assign(hardware=options.hardware, latency_s=1.0).reset_index(drop=True)
    frame[["power_w", "energy_j", "wall_power_w", "wall_energy_j"]] = float("nan")
    found = validation.validate(frame, [hardware.load(options.hardware)], print)
    for reason in found.left_out:
        print(reason)
    columns = [name for name in found.table if not name.startswith(("wall", "predicted_wall"))]
    found.table[columns].drop(columns=["latency_s", "power_w", "energy_j"]).to_csv(
        options.project, index=False
    )
    print(f"{len(found.table)} of {len(frame)} rows in {options.project}, {evidence.__name__}")


def main() -> None:
    """Project, or measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else "")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--hardware", default="nvidia_h100_sxm")
    parser.add_argument("--output", type=Path, default=Path("held"))
    parser.add_argument("--project", type=Path)
    parser.add_argument("--deadline", type=float, default=330.0, help="begin nothing after so long")
    parser.add_argument("--compile-until", type=float, default=90.0)
    parser.add_argument("--compiled", type=int, default=99, help="the first N compiled networks")
    parser.add_argument(
        "--brief", action="store_true", help="two rows a network, each from a graph too"
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--share", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.project:
        project(options)
        return
    options.output.parent.mkdir(parents=True, exist_ok=True)
    if options.share is not None:
        compiled(options)
        return
    begun = time.perf_counter()
    workers = begun_workers(options)
    while time.perf_counter() - begun < options.compile_until:
        if all((options.output.parent / f"ready.{n}").exists() for n in workers):
            break
        time.sleep(0.2)
    turns(workers, options)
    print(f"compiled rows after {time.perf_counter() - begun:.0f} s", flush=True)
    options.deadline -= time.perf_counter() - begun
    if options.device == "cuda":
        torch.zeros(1, device="cuda")
    with Meter() if options.device == "cuda" else _nothing() as meter:
        held = Held(options, meter)
        for row in wanted_rows(options):
            if held.models.out_of_time():
                print("out of time", flush=True)
                break
            held.row(row)
    print(f"{held.models.written} rows after {time.perf_counter() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    main()

"""Many zoo models in one process, by Dask's workers, and by workers of which one is killed.

    python -m benchmarks.scale_out [--models 200] [--workers 2] [--output benchmarks/results/scale_out.md]

Each way runs in a process of its own, into a store of its own, timed from outside: the imports that
every worker pays for are in it. The rows must be the same, to the bit. The one that is killed is a
worker, by SIGKILL, once a third of the models is done.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import platform
import resource
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

RESULTS = Path(__file__).parent / "results" / "scale_out.md"
WORKERS_IMPORT = "benchmarks.cpu_torchvision"
WAYS = ("none", "local", "killed")
TORCHVISION_SHARE = 0.4  # of the models; the others are timm's


@dataclass(frozen=True)
class Run:
    """One way, and what it took."""

    way: str
    wall_s: float
    worker_mb: float  # the largest resident set of one worker, or of the one process
    rows: pd.DataFrame
    failures: int


def choose(count: int) -> list[str]:
    """Classification models of torchvision, and of timm's every n-th."""
    from characterize import models
    from tests.zoo_support import torchvision_imports

    torchvision_imports()
    zoo = importlib.import_module("torchvision.models")
    ours = [f"torchvision/{name}" for name in zoo.list_models(zoo)]
    theirs = models.zoo_names("timm/")
    first = round(count * TORCHVISION_SHARE)
    return [*_spread(ours, first), *_spread(theirs, count - min(first, len(ours)))]


def _spread(names: list[str], count: int) -> list[str]:
    step = max(1, len(names) // max(1, count))
    return names[::step][:count]


def perform(way: str, models: Path, workers: int, output: Path) -> None:
    """One way, in this process: rows into a file, a summary in JSON on the last line."""
    import dask

    from characterize.sweeping import ModelProgress, requests, sweep_models_to

    if way == "none":
        importlib.import_module(WORKERS_IMPORT)
    killed: list[int] = []

    def progress(now: ModelProgress) -> None:
        if way == "killed" and not killed and 3 * now.done >= now.total:
            killed.append(multiprocessing.active_children()[0].pid or 0)
            os.kill(killed[0], signal.SIGKILL)

    with dask.config.set({"distributed.worker.preload": [WORKERS_IMPORT]}):
        done = sweep_models_to(
            requests.requests(requests.read(models)), output,
            scheduler="none" if way == "none" else "local", workers=workers, progress=progress,
        )  # fmt: skip
    whose = resource.RUSAGE_SELF if way == "none" else resource.RUSAGE_CHILDREN
    summary = {
        "worker_mb": resource.getrusage(whose).ru_maxrss / 1000,
        "failures": [f"{failure.model}: {failure.reason}" for failure in done.failures],
        "killed": len(killed),
    }
    print(json.dumps(summary))


def measure(way: str, models: Path, workers: int, folder: Path) -> tuple[Run, list[str]]:
    """One way in a process and a store of its own."""
    output = folder / f"{way}.parquet"
    environment = {
        **os.environ,
        "CHARACTERIZE_STORE": str(folder / f"{way}.duckdb"),
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
    }
    command = [
        sys.executable, "-m", "benchmarks.scale_out", "--one", way, str(models), str(output),
        "--workers", str(workers),
    ]  # fmt: skip
    begun = time.perf_counter()
    finished = subprocess.run(
        command, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    wall_s = time.perf_counter() - begun
    said: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    if (way == "killed") != bool(said["killed"]):
        msg = f"{way}: {said['killed']} workers were killed"
        raise RuntimeError(msg)
    failures = said["failures"]
    rows = pd.read_parquet(output)
    return Run(way, wall_s, said["worker_mb"], rows, len(failures)), failures


def report(runs: list[Run], failures: list[str], models: int, workers: int) -> str:
    """The comparison as Markdown."""
    alone = runs[0]
    names = {
        "none": "one process", "local": f"{workers} workers", "killed": f"{workers} workers, one killed",
    }  # fmt: skip
    lines = [
        "# Many models: one process, Dask's workers, a worker killed",
        "",
        f"{models} models of torchvision and timm on {alone.rows['hardware'].nunique()} devices; "
        f"{len(os.sched_getaffinity(0))} processors, Python {platform.python_version()}. Wall time from "
        "outside, imports",
        "and the store's writes in it; each way in a process and a store of its own.",
        "",
        "| way | wall | models/s | against one process | rows | failed | largest process |",
        "| :-- | --: | --: | --: | --: | --: | --: |",
    ]
    lines += [
        f"| {names[run.way]} | {run.wall_s:.1f} s | {models / run.wall_s:.2f} | "
        f"{alone.wall_s / run.wall_s:.2f}x | {len(run.rows):,} | {run.failures} | "
        f"{run.worker_mb:,.0f} MB |"
        for run in runs
    ]
    same = all(run.rows.equals(alone.rows) for run in runs)
    lines += [
        "",
        f"The rows of all ways are {'the same, to the bit' if same else '**not the same**'}.",
    ]
    lines += ["", "Failed:", "", *(f"- {failure}" for failure in failures)] if failures else []
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure every way, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", type=int, default=200, help="how many (200)")
    parser.add_argument("--workers", type=int, default=2, help="local processes (2)")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--one", nargs=3, metavar=("WAY", "MODELS", "ROWS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        way, models, output = arguments.one
        perform(way, Path(models), arguments.workers, Path(output))
        return
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models.txt"
        names = choose(arguments.models)
        models.write_text("\n".join(names))
        runs = []
        for way in WAYS:
            run, failures = measure(way, models, arguments.workers, Path(folder))
            runs.append(run)
            print(
                f"{way}: {run.wall_s:.1f} s, {len(run.rows):,} rows, {run.failures} failed",
                flush=True,
            )
    text = report(runs, failures, len(names), arguments.workers)
    arguments.output.parent.mkdir(exist_ok=True)
    arguments.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()

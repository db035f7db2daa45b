"""Many zoo models in one process, by Dask's workers, and by workers of which one is killed.

    python -m benchmarks.scale_out [--models 200] [--workers 2] [--output benchmarks/results/scale_out.md]

Each way runs in a process of its own, into a store of its own, timed from outside: imports are in it.
The rows must be the same, to the bit. The one that is killed is a worker, by SIGKILL, once a third of
the models is done. "Apart" is what this machine gives at best: as many single processes as there are
workers, started at once by hand, each with its share of the models and a store of its own; they know
nothing of each other, and slow each other down by what processors share alone.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import multiprocessing
import os
import platform
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

RESULTS = Path(__file__).parent / "results" / "scale_out.md"
WORKERS_IMPORT = "benchmarks.cpu_torchvision"
APART = "apart"
WAYS = ("none", APART, "local", "killed")
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
    from characterize.sweeping import ModelProgress, requests, sweep_models_to

    killed: list[int] = []
    largest = {"": 0.0}

    def progress(now: ModelProgress) -> None:
        children = [child.pid or 0 for child in multiprocessing.active_children()]
        largest.update((str(pid), _peak_mb(pid)) for pid in children)
        if way == "killed" and not killed and 3 * now.done >= now.total:
            killed.append(children[0])
            os.kill(killed[0], signal.SIGKILL)

    with contextlib.ExitStack() as stack:
        if way == "none":
            importlib.import_module(WORKERS_IMPORT)
        else:
            import dask

            stack.enter_context(dask.config.set({"distributed.worker.preload": [WORKERS_IMPORT]}))
        done = sweep_models_to(
            requests.requests(requests.read(models)), output,
            scheduler="none" if way == "none" else "local", workers=workers, progress=progress,
        )  # fmt: skip
    alone_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    summary = {
        "worker_mb": alone_mb if way == "none" else max(largest.values()),
        "failures": [f"{failure.model}: {failure.reason}" for failure in done.failures],
        "killed": len(killed),
    }
    print(json.dumps(summary))


def _peak_mb(pid: int) -> float:
    """The largest resident set of a process so far; 0 where the system does not say."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1000 if found else 0.0


def measure(way: str, lists: Sequence[Path], workers: int, folder: Path) -> tuple[Run, list[str]]:
    """One way, in a process and a store of its own for each list of models, all at once."""
    outputs = [folder / f"{way}-{place}.parquet" for place, _ in enumerate(lists)]
    begun = time.perf_counter()
    started = [
        _start("none" if way == APART else way, models, workers, output)
        for models, output in zip(lists, outputs, strict=True)
    ]
    texts = [process.communicate()[0] for process in started]
    wall_s = time.perf_counter() - begun
    if any(process.returncode for process in started):
        msg = f"{way} failed; what it said is above."
        raise RuntimeError(msg)
    said: list[dict[str, Any]] = [json.loads(text.splitlines()[-1]) for text in texts]
    if (way == "killed") != any(one["killed"] for one in said):
        msg = f"{way}: {said[0]['killed']} workers were killed"
        raise RuntimeError(msg)
    failures = [failure for one in said for failure in one["failures"]]
    rows = pd.concat([pd.read_parquet(output) for output in outputs], ignore_index=True)
    return Run(way, wall_s, max(one["worker_mb"] for one in said), rows, len(failures)), failures


def _start(way: str, models: Path, workers: int, output: Path) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "CHARACTERIZE_STORE": str(output.with_suffix(".duckdb")),
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
    }
    command = [
        sys.executable, "-m", "benchmarks.scale_out", "--one", way, str(models), str(output),
        "--workers", str(workers),
    ]  # fmt: skip
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def report(runs: list[Run], failures: list[str], models: int, workers: int) -> str:
    """The comparison as Markdown."""
    alone = runs[0]
    names = {
        "none": "one process", APART: f"{workers} processes apart, a share each",
        "local": f"{workers} workers", "killed": f"{workers} workers, one killed",
    }  # fmt: skip
    lines = [
        "# Many models: one process, Dask's workers, a worker killed",
        "",
        f"{models} models of torchvision and timm on {alone.rows['hardware'].nunique()} devices; "
        f"{len(os.sched_getaffinity(0))} processors, Python {platform.python_version()}. Wall time from "
        "outside, imports",
        "and the store's writes in it; each way in a process and a store of its own. Processes apart share "
        "nothing but",
        "the machine: what this one gives at best.",
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
    same = all(
        _in_order(run.rows, alone.rows).equals(_in_order(alone.rows, alone.rows))
        if run.way == APART
        else run.rows.equals(alone.rows)
        for run in runs
    )
    lines += [
        "",
        f"The rows of all ways are {'the same, to the bit' if same else '**not the same**'}.",
    ]
    lines += ["", "Failed:", "", *(f"- {failure}" for failure in failures)] if failures else []
    return "\n".join(lines) + "\n"


def _in_order(rows: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
    """By model, in the columns of others: shares are in another order, and know their own parameters."""
    found = rows.reindex(columns=like.columns).astype(like.dtypes.to_dict())
    return found.sort_values("model", kind="stable", ignore_index=True)


def _listed(lists: Sequence[Sequence[str]], folder: Path) -> list[Path]:
    folder.mkdir()
    files = [folder / f"models-{place}.txt" for place, _ in enumerate(lists)]
    for file, names in zip(files, lists, strict=True):
        file.write_text("\n".join(names))
    return files


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
        names = choose(arguments.models)
        (models,) = _listed([names], Path(folder) / "all")
        shares = [names[place :: arguments.workers] for place in range(arguments.workers)]
        lists = {APART: _listed(shares, Path(folder) / "shares")}
        runs = []
        for way in WAYS:
            run, failures = measure(way, lists.get(way, [models]), arguments.workers, Path(folder))
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

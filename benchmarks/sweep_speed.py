"""A million configurations on four devices, next to the counters that people loop over them.

    python -m benchmarks.sweep_speed                    # all of it, into benchmarks/results/sweeps.md
    python -m benchmarks.sweep_speed --small            # a thousandth of it, to see that it works
    python -m benchmarks.sweep_speed --one torch_cpu    # one counter, as JSON

Ours is the command line as a process: from the start of Python to the rows in the store, templates traced
on the way ("cold", in an empty store) or found there ("warm"). The projection alone is timed in one thread:
columns from templates, and each device's execution model on them. Every other counter answers one
question of one device, how many operations, and is looped over configurations drawn from the same space
(seeded): the network is built and counted, each in a process of its own that stops after a minute.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.counters import TOOLS

RESULTS: Final = Path(__file__).parent / "results" / "sweeps.md"
DEVICES: Final = ("intel_i9_10940x", "nvidia_rtx_4090", "google_tpu_v4", "stillwater_kpu_t256")
# 10 x 50 x 100 x 20 = 1,000,000
AXES: Final = {"layers": "1:10", "channels": "2:100:2", "input_size": "2:200:2"}
BATCH: Final = "1:20"
SMALL: Final = ({"layers": "1:2", "channels": "2:100:10", "input_size": "2:200:20"}, "1:5")
LOOPS: Final = {"torch_meta": 200, "torch_cpu": 200}  # the others stop after a minute
LIMIT_S: Final = 60.0
RUNS: Final = 3

Row = Mapping[str, Any]


def command(axes: Mapping[str, str], batch: str) -> list[str]:
    """The sweep, as one types it."""
    pairs = [f"{name}={values}" for name, values in axes.items()]
    return ["sweep", "conv2d_stack", "--set", *pairs, "--batch", batch, "--hardware", *DEVICES]


def swept(arguments: Sequence[str], folder: Path) -> dict[str, float]:
    """Seconds, processor seconds and memory of one sweep in a process of its own."""
    code = "import resource, sys; from characterize.cli import main; code = main(sys.argv[1:]); " \
        "used = resource.getrusage(resource.RUSAGE_SELF); " \
        "print('USED', used.ru_utime + used.ru_stime, used.ru_maxrss); sys.exit(code)"  # fmt: skip
    settings = {**os.environ, "CHARACTERIZE_STORE": str(folder / "store.duckdb")}
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=settings,
        check=True,
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - begun
    _, cpu, kilobytes = done.stdout.rsplit("\n", 2)[1].split()
    parts = sum(file.stat().st_size for file in folder.rglob("*.parquet"))
    return {
        "seconds": seconds,
        "cpu_s": float(cpu),
        "bytes": float(kilobytes) * 1024,
        "parts": parts,
    }


def ours(small: bool) -> dict[str, list[dict[str, float]]]:
    """Cold sweeps, each into an empty store, and warm ones, whose store has the templates."""
    axes, batch = SMALL if small else (AXES, BATCH)
    found: dict[str, list[dict[str, float]]] = {"cold": [], "warm": []}
    for _ in range(1 if small else RUNS):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            for name in ("cold", "warm"):
                found[name].append(swept(command(axes, batch), folder))
                for file in sorted(folder.glob("*.sweeps/*/*")):
                    file.unlink()
    return found


def projection_rates(small: bool) -> dict[str, float]:
    """Rows a second in one thread of the whole sweep, from its plans to its rows' numbers.

    Of each device, and of all four on the same columns; all that a new process does once is in it.
    """
    from characterize import hardware, sweeping
    from characterize.cli import ranges
    from characterize.sweeping import evaluation

    axes = {name: ranges.values(text) for name, text in (SMALL[0] if small else AXES).items()}
    space = sweeping.grid("conv2d_stack", axes, ranges.values(SMALL[1] if small else BATCH))
    planned = [evaluation.plan(block, space.family, None) for block in space.blocks()]
    profiles = hardware.select(DEVICES)
    whole, latest = dict.fromkeys(["columns", *DEVICES], 0.0), evaluation.Latest()
    for plan in planned:
        _spend(whole, plan, latest, profiles)
    alone = dict.fromkeys(["columns", *DEVICES], 0.0)
    for plan in planned:
        _spend(alone, plan, evaluation.Latest(), profiles)  # which knows of no other depth
    rates = {name: space.configurations / seconds for name, seconds in whole.items()}
    rates["all"] = len(DEVICES) * space.configurations / sum(whole.values())
    rates["alone"] = len(DEVICES) * space.configurations / sum(alone.values())
    return rates


def _spend(spent: dict[str, float], plan: Any, latest: Any, profiles: Sequence[Any]) -> None:
    """Add up seconds of a block: of its columns, and of each device on them."""
    from characterize import projection

    for sizes, frame in plan.parts:
        begun = time.thread_time()
        columns = latest.at(sizes).columns(frame)
        spent["columns"] += time.thread_time() - begun
        for name, profile in zip(DEVICES, profiles, strict=True):
            before = time.thread_time()
            projection.project_columns(columns, profile, "auto", plan.block.stack)
            spent[name] += time.thread_time() - before


# the others


def drawn(count: int) -> Iterator[tuple[int, int, int, int]]:
    """Layers, channels, input size and batch of configurations of the space."""
    from characterize.cli import ranges

    generator = random.Random(20)
    axes = [ranges.values(text) for text in (*AXES.values(), BATCH)]
    for _ in range(count):
        layers, channels, size, batch = (generator.choice(values) for values in axes)
        yield int(layers), int(channels), int(size), int(batch)


def counted(tool: str, loops: int) -> dict[str, Any]:
    """Median and mean seconds a configuration: build the network, count it."""
    import torch

    from characterize import models
    from tests.zoo_support import torchvision_imports

    torchvision_imports()  # which some counters import, whatever they count
    family, device = models.family("conv2d_stack"), TOOLS[tool].device
    times: list[float] = []
    begun = time.perf_counter()
    with torch.inference_mode():
        for layers, channels, size, batch in drawn(loops + 1):
            start = time.perf_counter()
            network = family.build(device=device, layers=layers, channels=channels)
            image = torch.empty(batch, 3, size, size, device=device)
            TOOLS[tool].counter(network, image)()
            times.append(time.perf_counter() - start)
            if time.perf_counter() - begun > LIMIT_S and tool not in LOOPS:
                break
    times = times[1:]  # the first imports the tool
    return {"n": len(times), "mean_s": statistics.mean(times), "median_s": statistics.median(times)}


def others(small: bool) -> dict[str, dict[str, Any]]:
    """Every counter in a process of its own; what fails says how."""
    found: dict[str, dict[str, Any]] = {}
    for tool in TOOLS:
        if tool in ("characterize", "rows"):
            continue
        loops = 3 if small else LOOPS.get(tool, 200)
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.sweep_speed", "--one", tool, "--loops", str(loops)],
            capture_output=True, text=True,
        )  # fmt: skip
        last = done.stdout.strip().rsplit("\n", 1)[-1]
        problem = (done.stderr.strip().rsplit("\n", 1) or [""])[-1]
        found[tool] = json.loads(last) if not done.returncode else {"problem": problem[:120]}
        print(tool, found[tool], file=sys.stderr)
    return found


# the table


def markdown(
    sweeps: Mapping[str, list[dict[str, float]]], rates: Row, loops: Mapping[str, Row], size: int
) -> str:
    """What was found."""
    best = {name: min(runs, key=lambda run: run["seconds"]) for name, runs in sweeps.items()}
    middle = {n: statistics.median(run["seconds"] for run in runs) for n, runs in sweeps.items()}
    each = middle["cold"] / size
    lines = [
        "# Sweeps: a million configurations on four devices",
        "",
        f"`python -m benchmarks.sweep_speed` on {platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}: `characterize {' '.join(command(AXES, BATCH))}`",
        "",
        "| whole process | configurations | rows | median | best | processor | memory | on disk |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
        *(
            f"| {name} | {size:,} | {size * len(DEVICES):,} | {middle[name]:.2f} s | {run['seconds']:.2f} s "
            f"| {run['cpu_s']:.1f} s | {run['bytes'] / 1e9:.2f} GB | {run['parts'] / 1e6:.0f} MB |"
            for name, run in best.items()
        ),
        "",
        "Cold: an empty store; templates come with the package, grow from those that do, or are "
        "traced. Warm: the store has them.",
        "",
        "| projection alone, one thread | rows a second |",
        "|---|---:|",
        *(f"| {name} | {rates[name] / 1e6:.2f} M |" for name in DEVICES),
        f"| all four, and the columns they share | {rates['all'] / 1e6:.2f} M |",
        f"| the same, each depth by itself | {rates['alone'] / 1e6:.2f} M |",
        "",
        "Over the whole space, with all that a new process does once. Networks of different depth share",
        "times of their kernels; in the last line they do not.",
        "",
        "A counter is looped over configurations of the same space and answers for each how many operations",
        f"it has. Ours takes {each * 1e6:.1f} µs a configuration (cold, the whole process) and answers",
        "latency, energy and everything else on four devices.",
        "",
        "| counter | configurations | mean | median | a million would take | ours is faster |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for tool, row in loops.items():
        title = TOOLS[tool].title
        if "problem" in row:
            lines.append(f"| {title} | | | | {row['problem']} | |")
            continue
        hours = row["mean_s"] * 1e6 / 3600
        lines.append(
            f"| {title} | {row['n']} | {row['mean_s'] * 1e3:.1f} ms | {row['median_s'] * 1e3:.1f} ms "
            f"| {hours:,.1f} h | {row['mean_s'] / each:,.0f}x |"
        )
    return "\n".join([*lines, ""])


def main() -> None:
    """Time all of it and write the table, or one counter."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="to see that it works; prints only")
    parser.add_argument("--one", choices=list(TOOLS))
    parser.add_argument("--loops", type=int, default=200)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(counted(arguments.one, arguments.loops)))
        return
    size = 2 * 10 * 10 * 5 if arguments.small else 1_000_000
    sweeps = ours(arguments.small)
    print(json.dumps(sweeps, indent=1), file=sys.stderr)
    text = markdown(sweeps, projection_rates(arguments.small), others(arguments.small), size)
    print(text)
    if not arguments.small:
        RESULTS.write_text(text)


if __name__ == "__main__":
    main()

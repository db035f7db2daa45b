"""What one core does in a second, and what follows for ten thousand cores and a billion configurations.

    python -m benchmarks.scale_rates [--models 40] [--output benchmarks/results/scale_rates.md]

Rates are of processor time, not wall time, so that they are those of one core whatever else runs. The
second table is arithmetic on the first; docs/scale.md says what it leaves out.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "scale_rates.md"
DEVICES = ["intel_i9_10940x", "nvidia_rtx_4090", "google_tpu_v4", "stillwater_kpu_t256"]
CORES = 10_000
CLUSTER = 500  # of them, that one scheduler serves
CONFIGURATIONS = 1e9
PER_PART = 1 << 16  # configurations of a family in a part
PER_CHUNK = 32  # models in a part


@dataclass(frozen=True)
class Rates:
    """Seconds of one core, and bytes."""

    evaluation_s: float  # a row of a family, evaluated and written
    row_bytes: float
    trace_s: float  # a zoo model, traced and projected onto four devices
    small_trace_s: float  # a network of an architecture search
    model_row_bytes: float
    task_s: float  # of the scheduler and the client, for a task
    register_s: float  # of the driver, for a row into the store


def evaluation(folder: Path) -> tuple[float, float]:
    """Seconds and bytes a row of a family's sweep, template, projection and Parquet in it."""
    from characterize import store, sweeping

    axes = {"channels": range(1, 257), "input_size": range(32, 288), "layers": 3}
    sweeping.sweep_to(sweeping.grid("conv2d_stack", {"layers": 3}), hardware=DEVICES)  # warm
    shelf = store.Store(folder / "grid.duckdb")
    begun = time.process_time()
    done = sweeping.sweep_to(
        sweeping.grid("conv2d_stack", axes, batch=[1, 2, 4, 8]), hardware=DEVICES, keep=shelf
    )
    spent = time.process_time() - begun
    rows = done.tally.rows
    written = sum(file.stat().st_size for file in folder.glob("grid.sweeps/*/part-*.parquet"))
    return spent / rows, written / rows


def tracing(entries: list[str]) -> tuple[float, Any]:
    """Seconds a model, and what came of all of them as one chunk."""
    from characterize import hardware
    from characterize.sweeping import chunks, requests

    asked = tuple(requests.requests(entries))
    profiles = tuple(hardware.load(name) for name in DEVICES)
    job = chunks.Job("", "", profiles, profiles[0])
    chunks.perform(job, chunks.Chunk(0, asked[:1]), write=False)  # imports
    begun = time.process_time()
    outcome = chunks.perform(job, chunks.Chunk(0, asked), write=False)
    return (time.process_time() - begun) / len(asked), outcome


def keeping(outcome: Any, folder: Path) -> tuple[float, float]:
    """Bytes of a row in a part of a chunk's models, and seconds to put a row into the store."""
    from characterize import store
    from characterize.sweeping import chunks

    folder.mkdir()
    chunks.save(folder, outcome)
    rows = list(chunks.rows(folder, outcome))
    written = sum(file.stat().st_size for file in folder.iterdir())
    shelf = store.Store(folder / "models.duckdb")
    shelf.put([("first", rows[0])])
    several = [(f"{copy}-{i}", row) for copy in range(16) for i, row in enumerate(rows)]
    begun = time.process_time()
    shelf.put(several)
    return written / len(rows), (time.process_time() - begun) / len(several)


def nothing(_chunk: Any) -> None:
    """A task that does nothing."""


def scheduling(tasks: int = 4000) -> float:
    """Processor seconds of Dask's scheduler and client, which share this process, for a task."""
    import logging

    import distributed

    from characterize.sweeping import chunks, requests

    request = requests.Request("timm/resnet50", (("input_size", 224),))
    pieces = [chunks.Chunk(i, (request,) * PER_CHUNK) for i in range(tasks)]
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.gather(client.map(nothing, pieces[:100], pure=False))
        begun = time.process_time()
        futures = client.map(nothing, pieces, pure=False)
        for future in distributed.as_completed(futures):
            future.result()
        return (time.process_time() - begun) / tasks


def measure(models: int) -> Rates:
    """All rates, in this process."""
    from benchmarks.scale_out import choose

    search = [
        f"resnet depth=18 width={width / 8} input_size={size}"
        for width in range(4, 12) for size in (96, 128, 160, 192)
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ["CHARACTERIZE_STORE"] = str(place / "store.duckdb")
        evaluation_s, row_bytes = evaluation(place)
        trace_s, _ = tracing(choose(models))
        small_trace_s, outcome = tracing(search)
        model_row_bytes, register_s = keeping(outcome, place / "models")
    return Rates(
        evaluation_s, row_bytes, trace_s, small_trace_s, model_row_bytes, scheduling(), register_s
    )


def report(rates: Rates) -> str:
    """What was measured, and the arithmetic on it, as Markdown."""
    devices = len(DEVICES)
    rows = CONFIGURATIONS * devices
    family_s = rows * rates.evaluation_s / CORES
    family_parts = CONFIGURATIONS / PER_PART
    search_s = CONFIGURATIONS * rates.small_trace_s / CORES
    tasks = CONFIGURATIONS / PER_CHUNK
    templates = [
        f"{rows:.0e} x {rates.evaluation_s * 1e6:.2f} us = {family_s * CORES / 3600:.1f} core hours",
        f"{family_s:.1f} s",
        f"{family_s * CORES / 2 / 3600:.1f} h",
        f"{rows * rates.row_bytes / 1e9:,.0f} GB",
        f"{family_parts:,.0f} of {PER_PART:,} configurations",
        f"{family_parts * rates.task_s:.0f} s",
        "not done: parts only",
    ]
    networks = [
        f"1e9 x {rates.small_trace_s * 1e3:.0f} ms = {search_s * CORES / 3600:,.0f} core hours",
        f"{search_s / 3600:.1f} h",
        f"{search_s * CORES / 2 / 3600 / 24 / 365:.1f} years",
        f"{rows * rates.model_row_bytes / 1e9:,.0f} GB",
        f"{tasks:,.0f} of {PER_CHUNK} networks",
        f"{tasks * rates.task_s / 3600:.1f} h",
        f"{rows * rates.register_s / 3600:,.0f} h",
    ]
    titles = [
        "work", f"of {CORES:,} cores", "of two cores", "Parquet", "tasks (parts)", "scheduler, one core",
        "driver, rows into DuckDB",
    ]  # fmt: skip
    extrapolated = "\n".join(
        f"| {title} | {one} | {other} |"
        for title, one, other in zip(titles, templates, networks, strict=True)
    )
    evaluation = f"{rates.evaluation_s * 1e6:.2f} us ({1 / rates.evaluation_s / 1e6:.2f} million/s)"
    return f"""# Ten thousand cores and a billion configurations

Processor time of one core, Python {platform.python_version()}, {devices} devices ({", ".join(DEVICES)}).

| measured | |
| :-- | --: |
| a row of a family's sweep, written | {evaluation} |
| bytes of it | {rates.row_bytes:.0f} |
| a model of torchvision or timm, traced and projected | {rates.trace_s * 1e3:.0f} ms |
| a network of a search (ResNet-18 of other widths and sizes) | {rates.small_trace_s * 1e3:.0f} ms |
| bytes of a row of a model, in parts of 32 | {rates.model_row_bytes:.0f} |
| a task, of Dask's scheduler and client | {rates.task_s * 1e3:.2f} ms |
| a row into DuckDB, by the driver | {rates.register_s * 1e6:.0f} us |

| a billion x {devices} devices on {CORES:,} cores | one family (templates) | as many different networks |
| :-- | --: | --: |
{extrapolated}

{_a_million(rates)}
"""


def _a_million(rates: Rates) -> str:
    """A run of a million networks, of which a billion is a thousand, on one cluster."""
    task_s = PER_CHUNK * rates.small_trace_s
    rows = CLUSTER / rates.small_trace_s * len(DEVICES)
    lines = {
        f"a task of {PER_CHUNK} networks": f"{task_s:.2f} s",
        "cores that one scheduler keeps busy": f"{task_s / rates.task_s:,.0f}",
        "its scheduler": f"{1e6 / PER_CHUNK * rates.task_s:.0f} s",
        "its cores": f"{1e6 * rates.small_trace_s / CLUSTER:.0f} s",
        "rows, where they travel through the driver": f"{rows * rates.model_row_bytes / 1e6:.1f} MB/s",
        "a part": f"{PER_CHUNK * len(DEVICES) * rates.model_row_bytes / 1e3:.0f} KB",
    }
    table = "\n".join(f"| {title} | {value} |" for title, value in lines.items())
    return (
        f"| a run of a million networks, a cluster of {CLUSTER} cores | |\n| :-- | --: |\n{table}"
    )


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", type=int, default=40, help="zoo models to trace (40)")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    text = report(measure(arguments.models))
    arguments.output.parent.mkdir(exist_ok=True)
    arguments.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()

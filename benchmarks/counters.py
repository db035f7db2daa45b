"""Time to characterise ResNet-50 and ViT-B/16, next to the counters that people use today.

    python -m benchmarks.counters                          # all of it, into benchmarks/results/
    python -m benchmarks.counters --one fvcore vit_b_16    # one measurement, as JSON

Each measurement has a process of its own: some counters patch PyTorch and leave it patched. Every
counter is called as its own instructions show, on the same torchvision model in ``eval`` mode and
one image of 224 x 224. "Process" runs from the start of Python to the answer, the imports and the
model's construction included; "cold" is the import of the tool and its first call, with torch and
the model there already; "warm" is the median of the five calls that follow. All report 2 x
multiply-accumulates; what is exact is PyTorch's counter on ``meta``, which has a formula for every
product in both networks. "Memory" is how much the most that the process held grew by.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

RESULTS: Final = Path(__file__).parent / "results" / "counters.md"
MODELS: Final = {"resnet50": "ResNet-50", "vit_b_16": "ViT-B/16"}
TRACED: Final = {**MODELS, "swin_b": "Swin-B"}
WARM_CALLS: Final = 5
PAIRED_CALLS: Final = 9

Counter = Callable[[Any, Any], Callable[[], float]]
"""Takes a module and an input, imports its tool; the result counts once and returns 2 x macs."""


def characterize_trace(module: Any, image: Any) -> Callable[[], float]:
    """Ours, on the module: every operator with its shapes, flops and bytes."""
    import characterize as ch

    return lambda: 2.0 * ch.trace(module, image).macs


def characterize_rows(module: Any, image: Any) -> Callable[[], float]:
    """Ours, all the way: trace, fuse, and a result row for every device of the catalogue."""
    import characterize as ch

    def count() -> float:
        table = ch.project(
            ch.fuse(ch.trace(module, image), stack="compiled"), hardware="all"
        ).table()
        return 2.0 * float(table["macs"].iloc[0])

    return count


def torch_counter(module: Any, image: Any) -> Callable[[], float]:
    """PyTorch's own counter, on whatever device the module is."""
    from torch.utils.flop_counter import FlopCounterMode

    def count() -> float:
        with FlopCounterMode(display=False) as counter:
            module(image)
        return float(counter.get_total_flops())

    return count


def fvcore(module: Any, image: Any) -> Callable[[], float]:
    """Meta's fvcore, which counts a multiply-accumulate as one flop."""
    from fvcore.nn import FlopCountAnalysis

    def count() -> float:
        analysis = FlopCountAnalysis(module, (image,))
        analysis.unsupported_ops_warnings(False)
        analysis.uncalled_modules_warnings(False)
        return 2.0 * float(analysis.total())

    return count


def _ptflops(backend: str) -> Counter:
    def counter(module: Any, image: Any) -> Callable[[], float]:
        from ptflops import get_model_complexity_info

        def count() -> float:
            macs, _ = get_model_complexity_info(
                module, tuple(image.shape[1:]), backend=backend, as_strings=False,
                print_per_layer_stat=False, verbose=False,
            )  # fmt: skip
            return 2.0 * float(macs or 0)

        return count

    return counter


def torchinfo(module: Any, image: Any) -> Callable[[], float]:
    """torchinfo, a layer at a time."""
    import torchinfo as tool

    return lambda: 2.0 * tool.summary(module, input_data=image, verbose=0, depth=1).total_mult_adds


def calflops(module: Any, image: Any) -> Callable[[], float]:
    """calflops, which patches ``torch.nn.functional``."""
    from calflops import calculate_flops

    def count() -> float:
        _, macs, _ = calculate_flops(
            module, args=[image], output_as_string=False, print_results=False, print_detailed=False
        )
        return 2.0 * float(macs)

    return count


class Tool(NamedTuple):
    """A counter, and the device on which it wants its module."""

    title: str
    counter: Counter
    device: str


TOOLS: Final = {
    "characterize": Tool("characterize: trace", characterize_trace, "meta"),
    "rows": Tool("characterize: trace, fuse, project on every device", characterize_rows, "meta"),
    "torch_meta": Tool("torch FlopCounterMode on meta", torch_counter, "meta"),
    "torch_cpu": Tool("torch FlopCounterMode on CPU", torch_counter, "cpu"),
    "fvcore": Tool("fvcore", fvcore, "cpu"),
    "ptflops_aten": Tool("ptflops, aten", _ptflops("aten"), "cpu"),
    "ptflops_pytorch": Tool("ptflops, pytorch", _ptflops("pytorch"), "cpu"),
    "torchinfo": Tool("torchinfo", torchinfo, "cpu"),
    "calflops": Tool("calflops", calflops, "cpu"),
}


def models() -> Any:
    """Torchvision's models, also beside a torch that its wheel was not built for."""
    from tests import zoo_support

    zoo_support.torchvision_imports()
    import torchvision

    return torchvision.models


def build(model: str, device: str) -> tuple[Any, Any]:
    """The torchvision model in inference mode and one image, both on ``device``."""
    import torch

    with torch.device(device):
        return models().get_model(model).eval(), torch.empty(1, 3, 224, 224)


def peak_memory_bytes() -> int:
    """The most memory that this process has held (Linux counts it in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(tool: str, model: str, started: float) -> dict[str, float]:
    """One tool on one model, in this process, which is fresh: begun at ``started`` (Unix time)."""
    models()  # the memory that torch and torchvision take is not the tool's
    before = peak_memory_bytes()
    module, image = build(model, TOOLS[tool].device)
    start = time.perf_counter()
    count = TOOLS[tool].counter(module, image)
    flops = count()
    cold_s = time.perf_counter() - start
    process_s = time.time() - started
    warm_s = []
    for _ in range(WARM_CALLS):
        start = time.perf_counter()
        count()
        warm_s.append(time.perf_counter() - start)
    return {
        "flops": flops,
        "process_s": process_s,
        "cold_s": cold_s,
        "warm_s": statistics.median(warm_s),
        "memory_bytes": peak_memory_bytes() - before,
    }


def measure_pair(model: str) -> dict[str, float]:
    """Our trace and torch's counter on ``meta``, by turns in this process: medians."""
    module, image = build(model, "meta")
    counts = [characterize_trace(module, image), torch_counter(module, image)]
    times: list[list[float]] = [[], []]
    flops = [0.0, 0.0]
    for turn in range(PAIRED_CALLS + 1):
        for which, count in enumerate(counts):
            start = time.perf_counter()
            flops[which] = count()
            if turn:  # the first of each is cold
                times[which].append(time.perf_counter() - start)
    ours_s, torch_s = map(statistics.median, times)
    return {"ours_s": ours_s, "torch_s": torch_s, "ours_flops": flops[0], "torch_flops": flops[1]}


def in_fresh_process(*arguments: str) -> dict[str, float]:
    """What that measurement found; its own complaint is shown where it fails."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.counters", *arguments]
    command += ["--started", str(time.time())]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
    result: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return result


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    """Lines of a Markdown table: the first column to the left, numbers to the right."""
    rule = [":--"] + ["--:"] * (len(header) - 1)
    return [f"| {' | '.join(cells)} |" for cells in (header, rule, *rows)]


def comparison(rows: dict[str, dict[str, float]]) -> list[str]:
    """One model: what each tool reports, how long it takes, and how long next to ours."""
    header = ["tool", "GFLOP", "of exact", "process (s)", "cold (s)", "warm (s)"]
    header += ["process / ours", "cold / ours", "warm / ours", "memory (MB)"]
    ours, exact = rows["characterize"], rows["torch_meta"]
    cells = [
        [
            TOOLS[tool].title,
            f"{row['flops'] / 1e9:.2f}",
            f"{row['flops'] / exact['flops']:.3f}",
            f"{row['process_s']:.2f}",
            f"{row['cold_s']:.2f}",
            f"{row['warm_s']:.3f}",
            f"{row['process_s'] / ours['process_s']:.2f}",
            f"{row['cold_s'] / ours['cold_s']:.2f}",
            f"{row['warm_s'] / ours['warm_s']:.2f}",
            f"{row['memory_bytes'] / 1e6:.0f}",
        ]
        for tool, row in rows.items()
    ]
    return table(header, cells)


def tracing(rows: dict[str, dict[str, float]]) -> list[str]:
    """Our trace next to torch's counter, both on ``meta``, by turns in one process."""
    header = ["model", "GFLOP, ours", "GFLOP, torch", "ours (s)", "torch (s)", "ours / torch"]
    cells = [
        [
            TRACED[model],
            f"{row['ours_flops'] / 1e9:.3f}",
            f"{row['torch_flops'] / 1e9:.3f}",
            f"{row['ours_s']:.3f}",
            f"{row['torch_s']:.3f}",
            f"{row['ours_s'] / row['torch_s']:.2f}",
        ]
        for model, row in rows.items()
    ]
    return table(header, cells)


def machine() -> str:
    """What was timed on what, and how busy it was: under load the seconds mean little."""
    import torch

    names = [
        line.partition(":")[2].strip() for line in _cpu_lines() if line.startswith("model name")
    ]
    cpu = names[0] if names else platform.processor() or platform.machine()
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    load = f"load average {os.getloadavg()[0]:.1f} at the start"
    return f"{cpu}, {os.cpu_count()} cores; {versions}; {load}."


def _cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def main() -> None:
    """Measure what was asked: one tool on one model, one model against torch, or everything."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.counters", description=__doc__.split("\n")[0]
    )
    parser.add_argument(
        "--one", nargs=2, metavar=("TOOL", "MODEL"), help="one measurement, as JSON"
    )
    parser.add_argument("--started", type=float, default=time.time(), help="Unix time it was")
    parser.add_argument(
        "--pair", metavar="MODEL", help="our trace and torch's counter by turns, as JSON"
    )
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the tables go")
    arguments = parser.parse_args()
    if arguments.one:
        tool, model = arguments.one
        print(json.dumps(measure(tool, model, arguments.started)))
        return
    if arguments.pair:
        print(json.dumps(measure_pair(arguments.pair)))
        return
    text = "\n".join(["# Counters side by side", "", machine(), "", *_method(), *_everything()])
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(f"{text}\n")
    print(text)


def _everything() -> list[str]:
    lines = []
    for model, title in MODELS.items():
        rows = {}
        for tool in TOOLS:
            print(f"==> {title}: {TOOLS[tool].title}", file=sys.stderr)
            rows[tool] = in_fresh_process("--one", tool, model)
        lines += [f"## {title}", "", *comparison(rows), ""]
    pairs = {}
    for model, title in TRACED.items():
        print(f"==> {title}: our trace and torch's counter, by turns", file=sys.stderr)
        pairs[model] = in_fresh_process("--pair", model)
    return [*lines, "## Our trace and torch's counter, by turns on meta", "", *tracing(pairs)]


def _method() -> list[str]:
    paragraph = __doc__.rpartition("\n\n")[2].strip().replace("\n", " ").replace("``", "`")
    return [paragraph, ""]


if __name__ == "__main__":
    main()

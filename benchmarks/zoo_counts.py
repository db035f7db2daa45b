"""Counts of zoo models against PyTorch's own counter: macs, parameters, and what has no formula.

    python -m benchmarks.zoo_counts [--timm 300] [--output benchmarks/results/zoo_counts.md]

Traces every torchvision classification model and a sample of timm's image models on ``meta`` at the
size they were trained at, and compares 2 x macs with ``torch.utils.flop_counter`` on the same module
and the number of parameters with the module's own. What differs, or could not be traced, is listed.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from characterize import models
from characterize.errors import CharacterizeError
from characterize.tracing import modules

RESULTS = Path(__file__).parent / "results" / "zoo_counts.md"


@dataclass(frozen=True)
class Count:
    """One model, ours and PyTorch's."""

    name: str
    macs: int = 0
    counted_flops: int = 0
    parameters: int = 0
    own_parameters: int = 0
    uncounted: tuple[str, ...] = ()
    problem: str = ""

    @property
    def agrees(self) -> bool:
        """Whether macs and parameters are equal and every operator has a formula."""
        return (
            not self.problem
            and 2 * self.macs == self.counted_flops
            and self.parameters == self.own_parameters
            and not self.uncounted
        )


def count(name: str) -> Count:
    """Trace one zoo model and count it both ways."""
    try:
        model = models.zoo(name)
        values = model.check()
        module = modules.build(lambda: model.build(**values)).requires_grad_(False)
        with torch.device("meta"):
            inputs: Any = model.inputs(batch=1, **values)
        keywords = inputs if isinstance(inputs, dict) else {}
        positional = () if keywords else tuple(inputs)
        graph = modules.trace_module(module, positional, keywords, name)
        with FlopCounterMode(display=False) as counter, torch.no_grad(), torch.device("meta"):
            module(*positional, **keywords)
    except CharacterizeError as error:
        return Count(name, problem=str(error))
    return Count(
        name,
        graph.macs,
        counter.get_total_flops(),
        graph.parameters,
        sum(parameter.numel() for parameter in module.parameters()),
        graph.uncounted_names,
    )


def names(timm: int) -> Iterator[str]:
    """All of torchvision's classification models, and every n-th of timm's image models."""
    import torchvision

    yield from (f"torchvision/{n}" for n in torchvision.models.list_models(torchvision.models))
    ours = models.zoo_names("timm/")
    if ours and timm:
        step = max(1, len(ours) // timm)
        yield from ours[::step][:timm]


def report(counts: list[Count]) -> str:
    """The comparison as Markdown."""
    lines = [
        "# Zoo models against PyTorch's counter",
        "",
        f"torch {torch.__version__}. Every model on `meta`, one sample, without weights. Equal means: 2 x",
        "macs equal to `torch.utils.flop_counter` on `meta`, parameters equal to the module's, no operator",
        "without a formula.",
        "",
        "| zoo | models | equal | traced, not equal | not traced |",
        "| :-- | --: | --: | --: | --: |",
    ]
    for zoo in sorted({c.name.partition("/")[0] for c in counts}):
        own = [c for c in counts if c.name.startswith(f"{zoo}/")]
        equal = sum(c.agrees for c in own)
        failed = sum(bool(c.problem) for c in own)
        lines.append(f"| {zoo} | {len(own)} | {equal} | {len(own) - equal - failed} | {failed} |")
    rest = [c for c in counts if not c.agrees]
    lines += ["", "## What is not equal", ""] if rest else ["", "Nothing differs."]
    lines += [f"- {c.name}: {_difference(c)}" for c in rest]
    return "\n".join(lines) + "\n"


def _difference(count: Count) -> str:
    if count.problem:
        return count.problem
    parts = []
    if 2 * count.macs != count.counted_flops:
        parts.append(f"2 x macs {2 * count.macs:,}, PyTorch {count.counted_flops:,}")
    if count.parameters != count.own_parameters:
        parts.append(f"parameters {count.parameters:,} used of {count.own_parameters:,}")
    if count.uncounted:
        parts.append(f"without a formula: {', '.join(count.uncounted)}")
    return "; ".join(parts)


def main() -> None:
    """Count, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--timm", type=int, default=300, help="timm models (300)")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    counts = []
    for name in names(arguments.timm):
        counts.append(count(name))
        mark = "=" if counts[-1].agrees else "!"
        print(mark, name, "" if counts[-1].agrees else _difference(counts[-1]), flush=True)
    text = report(counts)
    arguments.output.parent.mkdir(exist_ok=True)
    arguments.output.write_text(text)
    print(text)


if __name__ == "__main__":
    main()

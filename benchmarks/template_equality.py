"""Templates against concrete traces, at random configurations of every family.

    python -m benchmarks.template_equality [--configurations 500] [--families resnet vit] [--processes 2]

A template is a trace with symbols for the sizes, evaluated at a configuration; a concrete trace is of
the network built at that configuration. Both are fused and projected, and must agree exactly: macs,
flops, parameters, bytes, peak memory, kernels, and the tiles of four devices. Configurations are drawn
over the whole range of every size; what changes the topology takes a few values, twenty combinations a
family. The draws are seeded by the family's name.
"""

from __future__ import annotations

import argparse
import random
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from characterize import features, fusion, hardware, models, projection, session, tracing
from characterize.errors import CharacterizeError
from characterize.models import Family
from characterize.models.parameters import Parameter
from characterize.records import Precision, Stack

RESULTS: Final = Path(__file__).parent / "results" / "templates.md"
DEVICES: Final = ("intel_i9_10940x", "nvidia_rtx_4090", "google_tpu_v4", "stillwater_kpu_t256")
TOPOLOGIES: Final = 20
BATCHES: Final = (1, 2, 3, 8, 32)
EXACT: Final = 2.0**53  # integers up to here are exact in the numbers that both sides are summed in
_CANDIDATES: Final = 4000

Values = dict[str, Any]


def draw(family: Family, count: int, topologies: int = TOPOLOGIES) -> Iterator[tuple[Values, int]]:
    """Random configurations and batches; sizes over their whole range, as far as rules allow."""
    generator = random.Random(family.name)
    shapes = [_topology(family, generator) for _ in range(topologies)]
    shapes[0] = {p.name: p.default for p in family.parameters if not p.symbolic}
    drawn = 0
    for attempt in range(50 * count):
        fixed = shapes[attempt % len(shapes)]
        values = _sizes(family, fixed, generator)
        if values is not None:
            yield values, generator.choice(BATCHES)
            drawn += 1
        if drawn == count:
            return


def _topology(family: Family, generator: random.Random) -> Values:
    fixed = {}
    for parameter in family.parameters:
        if not parameter.symbolic:
            keep = generator.random() < 0.4
            fixed[parameter.name] = parameter.default if keep else _other(parameter, generator)
    return fixed


def _other(parameter: Parameter, generator: random.Random) -> Any:
    if parameter.kind == "bool":
        return generator.random() < 0.5
    if parameter.kind == "choice":
        return generator.choice(parameter.choices)
    if parameter.kind == "float":
        return parameter.default
    # a deep network takes long to build and shows nothing that a shallow one does not
    high = min(int(parameter.high or 8), 2 * int(parameter.default) + 2)
    return generator.randint(int(parameter.low or 1), high)


def _sizes(family: Family, fixed: Values, generator: random.Random) -> Values | None:
    """One configuration of a topology that meets the rules, None where none was found."""
    numbers = np.random.default_rng(generator.getrandbits(32))
    drawn: Values = dict(fixed)
    for parameter in family.parameters:
        if parameter.symbolic:
            drawn[parameter.name] = _candidates(parameter, numbers)
    met = np.flatnonzero(np.broadcast_to(family.holds(drawn), _CANDIDATES))
    if not len(met):
        return None
    chosen = int(met[0])
    return {k: int(v[chosen]) if np.ndim(v) else v for k, v in drawn.items()}


def _candidates(parameter: Parameter, numbers: np.random.Generator) -> Any:
    """Sizes over the range, evenly on a logarithmic scale; many are multiples or powers of two."""
    low, high = int(parameter.low or 1), int(parameter.high or 1)
    anywhere = np.exp(numbers.uniform(np.log(max(low, 1)), np.log(high + 1), _CANDIDATES))
    step = int(parameter.step or 1)
    shapes = np.stack(
        [
            anywhere.astype(int),
            (anywhere / max(step, 8)).astype(int) * max(step, 8),
            2 ** np.round(np.log2(anywhere)).astype(int),
            np.full(_CANDIDATES, int(parameter.default)),
        ]
    )
    kind = numbers.integers(0, len(shapes), _CANDIDATES)
    return np.clip(shapes[kind, np.arange(_CANDIDATES)], low, high)


def figures(columns: features.Columns, stack: Stack) -> dict[str, Any]:
    """Everything that must be equal to the last digit."""
    kernels = columns.kernels
    moved = kernels.flat(kernels.memory_bytes(Precision.FP16)) * kernels.repeats
    found: dict[str, Any] = {
        "macs": columns.macs[0],
        "flops": columns.flops[0],
        "parameters": columns.parameters[0],
        "bytes": moved.sum(),
        "peak memory": columns.peak_memory_bytes(Precision.FP16)[0],
        "kernels": len(columns.skeleton.row_of),
        "uncounted": columns.uncounted,
    }
    for name in DEVICES:
        device = projection.project_columns(columns, hardware.load(name), "auto", stack)
        found[f"tiles of {name}"] = device.tiles[0]
    return found


def differences(family: Family, values: Values, batch: int, stack: Stack) -> dict[str, Any] | None:
    """What differs between template and concrete trace; None where numbers are too large to be exact."""
    asked = session.subject(family.name, values, batch)
    bound = figures(session.columns(asked, stack), stack)
    if bound["flops"] >= EXACT or bound["bytes"] >= EXACT:
        return None
    concrete = tracing.trace(family.name, batch=batch, **values)
    direct = figures(features.columns(fusion.fuse(concrete, stack)), stack)
    return {name: (bound[name], direct[name]) for name in bound if bound[name] != direct[name]}


@dataclass
class Report:
    """One family."""

    name: str
    compared: int = 0
    equal: int = 0
    too_large: int = 0
    refused: int = 0
    topologies: int = 0
    seconds: float = 0.0
    differing: list[str] = field(default_factory=list)


def compare(name: str, count: int) -> Report:
    """``count`` configurations of a family, half of them compiled, half eager."""
    family = models.family(name)
    report = Report(name)
    begun = time.perf_counter()
    seen = set()
    for values, batch in draw(family, 4 * count):
        if report.compared == count:
            break
        stack = (Stack.COMPILED, Stack.EAGER)[report.compared % 2]
        try:
            found = differences(family, values, batch, stack)
        except CharacterizeError as error:
            report.refused += 1
            report.differing.append(f"refused: {error} {_said(values, batch)}")
            continue
        if found is None:
            report.too_large += 1
            continue
        seen.add(tuple(values[p.name] for p in family.parameters if not p.symbolic))
        report.compared += 1
        report.equal += not found
        if found:
            report.differing.append(f"{found} {_said(values, batch)} {stack}")
    report.topologies = len(seen)
    report.seconds = time.perf_counter() - begun
    return report


def _said(values: Mapping[str, Any], batch: int) -> str:
    return f"at {', '.join(f'{k}={v}' for k, v in values.items())}, batch={batch}"


def markdown(reports: Sequence[Report]) -> str:
    """The table, and what differs."""
    lines = [
        "# Templates against concrete traces",
        "",
        "`python -m benchmarks.template_equality`: macs, flops, parameters, bytes, peak memory, kernels",
        f"and the tiles of {', '.join(DEVICES)},",
        "at random configurations, equal to the last digit. Half of them compiled, half eager. Draws whose",
        "counts exceed 2^53, where sums are no longer exact, are left out and counted.",
        "",
        "| family | configurations | equal | topologies | too large | refused |",
        "|---|---:|---:|---:|---:|---:|",
        *(
            f"| {r.name} | {r.compared} | {r.equal} | {r.topologies} | {r.too_large} | {r.refused} |"
            for r in reports
        ),
        "",
    ]
    problems = [f"- {r.name}: {each}" for r in reports for each in r.differing[:5]]
    return "\n".join(
        [
            *lines,
            *(["What differs (five a family at most):", "", *problems, ""] if problems else []),
        ]
    )


def main() -> None:
    """Compare, print, and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--configurations", type=int, default=500)
    parser.add_argument("--families", nargs="+", default=list(models.families()))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    counts = [arguments.configurations] * len(arguments.families)
    with ProcessPoolExecutor(arguments.processes) as pool:
        reports = []
        for report in pool.map(compare, arguments.families, counts):
            reports.append(report)
            print(
                f"{report.name}: {report.equal} of {report.compared} equal, {report.seconds:.0f} s",
                flush=True,
            )
            arguments.output.write_text(markdown(reports))  # what is done stays if it is stopped


if __name__ == "__main__":
    main()

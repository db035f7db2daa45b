"""``characterize optimize``: the best configurations of a family under budgets, and what binds them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from characterize.cli import output, ranges, tables
from characterize.cli.parser import Subparsers, add_grid_options

if TYPE_CHECKING:
    import pandas as pd

_SENSITIVITIES = {
    "parameter": "parameter", "change": "change", "before": "from", "after": "to",
    "hardware": "hardware", "latency_s": "latency", "latency_s_change": "latency +",
    "energy_j": "energy", "energy_j_change": "energy +", "macs": "macs", "macs_change": "macs +",
    "parameters": "parameters", "parameters_change": "parameters +", "note": "note",
}  # fmt: skip


def add_parser(subparsers: Subparsers) -> None:
    """Describe the verb."""
    parser = subparsers.add_parser(
        "optimize",
        help="the best configurations under budgets, and what binds them",
        description=(
            "Look at every combination of lists (16,32,64) and ranges (1:16) and print the best "
            "configurations of each device: exact, nothing is stored."
        ),
        epilog="characterize optimize conv2d_stack --set layers=1:16 channels=8:512:8 "
        "--budget 'latency <= 5 ms on the KPU and energy <= 10 mJ' --hardware kpu gpu",
    )
    parser.add_argument("family", metavar="FAMILY", help="a family; `characterize models list`")
    parser.add_argument(
        "--objective", default="max parameters", metavar="TEXT",
        help="what is best: 'max parameters' (the default), latency, energy, 'max accuracy', ...",
    )  # fmt: skip
    parser.add_argument(
        "--budget", nargs="+", action="extend", default=[], metavar="TEXT",
        help="'latency<=5ms', 'energy <= 10 mJ on the KPU', memory<=512MB; several are all met",
    )  # fmt: skip
    add_grid_options(parser)
    parser.add_argument("--top", default="5", metavar="N", help="configurations a device (5)")
    parser.add_argument(
        "--join", metavar="FILE",
        help="CSV with more columns, an accuracy say, by the parameters that its header names",
    )  # fmt: skip
    several = parser.add_mutually_exclusive_group()
    several.add_argument(
        "--cheapest", metavar="BY",
        help="devices that meet the budgets, the cheapest first, by tdp_w, energy, ...",
    )  # fmt: skip
    several.add_argument(
        "--sensitivities", action="store_true",
        help="what one step of each parameter costs around the best configuration of each device",
    )  # fmt: skip
    output.add_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Look, and print what is best."""
    output.chosen_format(arguments)
    from characterize import questions
    from characterize.questions import bounds

    axes = ranges.axes("--set", arguments.set)
    asked = {
        "objective": arguments.objective,
        "budgets": [part for text in arguments.budget for part in bounds.split(text)],
        "hardware": arguments.hardware or "all",
        "batch": ranges.values(str(arguments.batch)),
        "precision": ranges.values(arguments.precision),
        "stack": ranges.values(arguments.stack),
        "baseline": arguments.baseline,
        "join": arguments.join,
        "vary": ranges.axes("--vary", arguments.vary),
        **axes,
    }
    if arguments.cheapest:
        found = questions.cheapest(arguments.family, by=arguments.cheapest, **asked)
    else:
        top = 1 if arguments.sensitivities else ranges.whole("--top", arguments.top)
        found = questions.optimize(arguments.family, top=top, **asked)
    if not len(found):
        output.note("no configuration meets the budgets")
        output.emit(found, arguments, lambda _rows: "")
        return 0
    if arguments.sensitivities:
        found = _sensitivities(arguments.family, found)
        output.emit(found, arguments, _sensitivity_table)
        return 0
    shown = _columns(found, asked, arguments.cheapest)
    output.emit(found, arguments, lambda rows: tables.of(rows, shown))
    return 0


def _columns(found: pd.DataFrame, asked: Mapping[str, Any], cheapest: str | None) -> dict[str, str]:
    """What a person reads: the axes with several values, what was asked about, what binds."""
    from characterize.questions import FIGURES, MEASURES, bounds

    known = list(found.columns)
    first = known[0] if cheapest and known and known[0] != "rank" else None
    several = [n for n in known if n in ("batch", "precision", "stack") or n in asked]
    axes = [n for n in several if n in asked and _many(asked[n])]
    text = str(asked["objective"]).split()[-1]
    columns = [
        bounds.ALIASES.get(text, text),
        *(b.column for b in bounds.budgets(asked["budgets"], known)),
    ]
    names = [
        "rank",
        first,
        "hardware",
        *axes,
        *columns,
        "latency_s",
        "energy_j",
        "bottleneck",
        "binds",
    ]
    shown = dict.fromkeys(name for name in names if name in known)
    units = ("_per_s", "_s", "_j", "_bytes", "_w")
    own = {*MEASURES, *FIGURES}
    endings = {n: next((e for e in units if n.endswith(e) and n in own), "") for n in shown}
    return {name: name.removesuffix(endings[name]).replace("_", " ") for name in shown}


def _many(values: Any) -> bool:
    return isinstance(values, list) and len(values) > 1


def _sensitivities(family: str, best: pd.DataFrame) -> pd.DataFrame:
    """Sensitivities around the best configuration of each device, on that device."""
    import pandas as pd

    from characterize import models, questions

    names = list(models.family(family).defaults)
    parts = [
        questions.sensitivities(
            family,
            hardware=[row["hardware"]],
            batch=int(row["batch"]),
            precision=row["precision"],
            stack=row["stack"],
            **{name: row[name] for name in names},
        )
        for row in best.to_dict("records")
    ]
    return pd.concat(parts, ignore_index=True)


def _sensitivity_table(rows: Sequence[Mapping[str, Any]]) -> str:
    shown = [
        {n: f"{v:+.2%}" if n.endswith("_change") and v is not None else v for n, v in row.items()}
        for row in rows
    ]
    noted = any(row.get("note") for row in rows)
    titles = {n: t for n, t in _SENSITIVITIES.items() if noted or n != "note"}
    return tables.of(shown, titles)

"""``characterize models``: the families, their parameters, and where zoo models come from."""

from __future__ import annotations

import argparse
from typing import Any, Final

from characterize.cli import output, tables
from characterize.cli.parser import Subparsers

_LISTED: Final = {"name": "name", "title": "family", "parameters": "parameters"}
_SHOWN: Final = {
    "name": "parameter",
    "kind": "kind",
    "default": "default",
    "range": "range",
    "unit": "unit",
    "sentence": "meaning",
}


def add_parser(subparsers: Subparsers) -> None:
    """Describe the verb."""
    parser = subparsers.add_parser(
        "models",
        help="the models: list, show NAME",
        description="Families, whose parameters --set takes, and models of installed libraries.",
    )
    verbs = parser.add_subparsers(metavar="VERB", dest="models_verb", required=True)

    listing = verbs.add_parser("list", help="every family, or models of installed libraries")
    listing.add_argument(
        "--zoo",
        nargs="?",
        const="",
        metavar="WORDS",
        help="models of torchvision, timm and transformers whose names have all of these words",
    )
    output.add_options(listing, output.LIST_FORMATS)
    listing.set_defaults(run=run_list)

    show = verbs.add_parser("show", help="the parameters of one model")
    show.add_argument("name", metavar="NAME", help="a family or a zoo model")
    output.add_options(show, output.LIST_FORMATS)
    show.set_defaults(run=run_show)


def run_list(arguments: argparse.Namespace) -> int:
    """Print one line a family, or one a model of a library."""
    output.chosen_format(arguments)
    from characterize import models

    if arguments.zoo is not None:
        names = [{"name": name} for name in models.zoo_names(arguments.zoo)]
        if not names:
            output.note(f"no installed library has a model whose name has {arguments.zoo!r}")
        output.emit(names, arguments, lambda plain: "\n".join(row["name"] for row in plain))
        return 0
    rows = [
        {
            "name": family.name,
            "title": family.title,
            "summary": family.summary,
            "parameters": " ".join(parameter.name for parameter in family.parameters),
        }
        for family in models.families().values()
    ]
    output.emit(rows, arguments, lambda plain: tables.of(plain, _LISTED))
    return 0


def run_show(arguments: argparse.Namespace) -> int:
    """Print one line a parameter."""
    output.chosen_format(arguments)
    from characterize import models

    name = arguments.name
    model = models.zoo(name) if "/" in name else models.family(name)
    rows = [
        {
            "name": parameter.name,
            "kind": parameter.kind,
            "default": parameter.default,
            "range": parameter.describe_range(),
            "unit": parameter.unit,
            "sentence": parameter.sentence,
        }
        for parameter in model.parameters
    ]

    def table(plain: list[dict[str, Any]]) -> str:
        return "\n".join([f"{model.title} ({name})", model.summary, "", tables.of(plain, _SHOWN)])

    output.emit(rows, arguments, table)
    return 0

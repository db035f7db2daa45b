"""``characterize store``: where the results are, and taking them out."""

from __future__ import annotations

import argparse
import json

from characterize.cli import output, tables
from characterize.cli.parser import Subparsers
from characterize.units import si


def add_parser(subparsers: Subparsers) -> None:
    """Describe the verb."""
    parser = subparsers.add_parser(
        "store",
        help="the results computed before: info, export, clear",
        description="Results computed before, in the file that CHARACTERIZE_STORE names.",
    )
    verbs = parser.add_subparsers(metavar="VERB", dest="store_verb", required=True)

    info = verbs.add_parser("info", help="where the store is and what is in it")
    info.add_argument("--json", action="store_true", help="for a program")
    info.set_defaults(run=show_info)

    export = verbs.add_parser("export", help="write result rows to a file or to stdout")
    export.add_argument(
        "--where",
        default="",
        metavar="CONDITION",
        help="an SQL condition over the columns, such as \"hardware = 'nvidia_rtx_4090'\"",
    )
    output.add_options(export, ("csv", "json", "parquet"))
    export.set_defaults(run=run_export)

    clear = verbs.add_parser("clear", help="forget every result and template")
    clear.set_defaults(run=run_clear)


def show_info(arguments: argparse.Namespace) -> int:
    """Print where the store is and what is in it."""
    from characterize.store import Store

    facts = Store().info()
    if arguments.json:
        print(json.dumps(facts, indent=2))
        return 0
    size = si(facts["size_bytes"], "B") if facts["exists"] else "not made yet"
    versions = ", ".join(
        f"{version or 'unnamed'} ({count:,} rows)"
        for version, count in facts["model_versions"].items()
    )
    lines = [
        ("path", facts["path"]),
        ("size", size),
        ("rows", f"{facts['rows']:,}"),
        ("templates", f"{facts['templates']:,}"),
        ("schema version", str(facts["schema_version"])),
        ("model versions", versions or tables.ABSENT),
    ]
    print("\n".join(f"{name:<16}{value}" for name, value in lines))
    return 0


def run_export(arguments: argparse.Namespace) -> int:
    """Write result rows out."""
    format = output.chosen_format(arguments)
    from characterize.store import Store

    if arguments.output:
        count = Store().export(arguments.output, format, arguments.where)
        output.note(f"{count:,} rows written to {arguments.output}")
        return 0
    condition = arguments.where.strip() or "true"
    rows = Store().frame(f"SELECT * FROM results WHERE ({condition})")
    output.emit(rows, arguments, str)
    return 0


def run_clear(_arguments: argparse.Namespace) -> int:
    """Empty the store."""
    from characterize.store import Store

    store = Store()
    print(f"{store.clear():,} rows forgotten: {store.path}")
    return 0

"""``characterize store``: where the results are, and taking them out."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from characterize.cli import output, tables
from characterize.cli.parser import Subparsers
from characterize.errors import InvalidValueError
from characterize.units import si

if TYPE_CHECKING:
    from characterize.sweeping import Kept


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
    export.add_argument("--sweep", metavar="KEY", help="the rows of this sweep (see info) instead")
    output.add_options(export, ("csv", "json", "parquet"))
    export.set_defaults(run=run_export)

    clear = verbs.add_parser("clear", help="forget every result, template and sweep")
    clear.add_argument("--sweep", metavar="KEY", help="forget only this sweep")
    clear.add_argument("--yes", action="store_true", help="do not ask")
    clear.set_defaults(run=run_clear)


def show_info(arguments: argparse.Namespace) -> int:
    """Print where the store is and what is in it."""
    from characterize import sweeping
    from characterize.store import Store

    facts = Store().info()
    kept = sweeping.sweeps()
    if arguments.json:
        facts["sweeps"] = [
            {
                "key": sweep.key,
                "title": sweep.title,
                "configurations": sweep.configurations,
                "devices": len(sweep.hardware),
                "complete": sweep.complete,
                "size_bytes": sweep.size_bytes,
                "folder": str(sweep.folder),
            }
            for sweep in kept
        ]
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
        ("sweeps", f"{len(kept)} ({si(sum(s.size_bytes for s in kept), 'B')})" if kept else "0"),
    ]
    print("\n".join(f"{name:<16}{value}" for name, value in lines))
    if kept:
        print(f"\n{_sweeps(kept)}")
    return 0


def _sweeps(kept: Sequence[Kept]) -> str:
    rows = [
        [
            sweep.key[:12],
            si(sweep.size_bytes, "B"),
            f"{sweep.configurations:,}",
            f"{len(sweep.hardware):,}",
            "yes" if sweep.complete else "no",
            sweep.title,
        ]
        for sweep in kept
    ]
    return tables.aligned(rows, ("sweep", "size", "configurations", "devices", "whole", "of"))


def run_export(arguments: argparse.Namespace) -> int:
    """Write result rows out."""
    format = output.chosen_format(arguments)
    from characterize import sweeping
    from characterize.store import Store

    kept = sweeping.find(arguments.sweep) if arguments.sweep else None
    if arguments.output and kept is not None:
        count = sweeping.export(kept, Path(arguments.output), format, arguments.where)
    elif arguments.output:
        count = Store().export(arguments.output, format, arguments.where)
    else:
        condition = arguments.where.strip() or "true"
        query = f"SELECT * FROM {'sweep' if kept else 'results'} WHERE ({condition})"
        output.emit(sweeping.frame(kept, query) if kept else Store().frame(query), arguments, str)
        return 0
    output.note(f"{count:,} rows written to {arguments.output}")
    return 0


def run_clear(arguments: argparse.Namespace) -> int:
    """Empty the store, or forget a sweep."""
    from characterize import sweeping
    from characterize.store import Store

    store = Store()
    kept = [sweeping.find(arguments.sweep)] if arguments.sweep else sweeping.sweeps()
    taken = (
        f"{len(kept)} sweeps ({si(sum(sweep.size_bytes for sweep in kept), 'B')})" if kept else ""
    )
    also = f", and {taken}" if taken else ""
    what = f"the sweep {kept[0].title}" if arguments.sweep else f"every row and template{also}"
    if not (arguments.yes or _agreed(f"Forget {what}: {store.path}?")):
        return 0
    for sweep in kept:
        sweeping.forget(sweep)
    if arguments.sweep:
        print(f"forgotten: {what}")
    else:
        print(f"{store.clear():,} rows forgotten{also}: {store.path}")
    return 0


def _agreed(question: str) -> bool:
    """What a person answers; where nobody can be asked, it takes --yes."""
    if not sys.stdin.isatty():
        msg = f"{question} Nobody can be asked here: say --yes."
        raise InvalidValueError(msg)
    return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}

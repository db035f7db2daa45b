"""The page ``docs/families.md``, written from the families so that it cannot drift from them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from characterize.models.definition import Family
from characterize.models.parameters import Parameter
from characterize.models.registry import families

_PAGE: Final = Path(__file__).parents[2] / "docs" / "families.md"
_HEAD = """# Families

A family is a network with parameters. Each parameter is a slider in the dashboard, an axis of a sweep and
a `--set name=value` on the command line. `characterize models show NAME` prints the same.

A parameter marked **symbolic** only scales sizes: the family is traced once with a symbol in its place,
and a sweep over it costs no further trace. The others change which operators there are.

This page is written from the code (`make docs`); edit the families instead.
"""


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join([_HEAD, *map(_section, families().values())])


def _section(family: Family) -> str:
    rows = [
        "| parameter | default | values | unit | symbolic | |",
        "|---|---|---|---|---|---|",
        *map(_row, family.parameters),
    ]
    return "\n".join([f"## {family.title} (`{family.name}`)", "", family.summary, "", *rows, ""])


def _row(parameter: Parameter) -> str:
    default = str(parameter.default).lower() if parameter.kind == "bool" else parameter.default
    cells = (
        f"`{parameter.name}`",
        default,
        parameter.describe_range(),
        parameter.unit,
        "yes" if parameter.symbolic else "",
        parameter.sentence,
    )
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    _PAGE.write_text(page(), encoding="utf-8")

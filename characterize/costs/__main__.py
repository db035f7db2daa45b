"""The formula reference, written or checked: python -m characterize.costs [--check] [PATH]."""

from __future__ import annotations

import argparse
from pathlib import Path

from characterize.costs import reference

DEFAULT = Path(__file__).parents[2] / "docs" / "formulas.md"


def main(arguments: list[str] | None = None) -> None:
    """Write ``docs/formulas.md`` from the docstrings; with ``--check`` only compare."""
    parser = argparse.ArgumentParser(prog="python -m characterize.costs", description=main.__doc__)
    parser.add_argument("path", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--check", action="store_true", help="fail if the file is out of date")
    given = parser.parse_args(arguments)
    text = reference.text()
    if not given.check:
        given.path.write_text(text, encoding="utf-8")
    elif not given.path.is_file() or given.path.read_text(encoding="utf-8") != text:
        message = f"{given.path} is out of date; run `python -m characterize.costs` to write it."
        raise SystemExit(message)


if __name__ == "__main__":
    main()

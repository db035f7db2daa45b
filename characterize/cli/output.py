"""Rows on their way out: a table to read, or JSON, CSV and Parquet to work with.

What a program reads holds SI base units and the columns of the result row; only the table has
prefixes.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from characterize.cli.parser import one_of
from characterize.errors import InvalidValueError, unknown

if TYPE_CHECKING:
    import pandas as pd

ROW_FORMATS: Final = ("table", "json", "csv", "parquet")
LIST_FORMATS: Final = ("table", "json", "csv")
_SUFFIXES: Final = {
    ".txt": "table",
    ".json": "json",
    ".csv": "csv",
    ".parquet": "parquet",
    ".md": "markdown",
}


def add_options(parser: argparse.ArgumentParser, formats: Sequence[str] = ROW_FORMATS) -> None:
    """Give ``parser`` the options ``--format`` and ``--output``."""
    parser.add_argument(
        "--format",
        type=one_of("format", formats),
        metavar="FORMAT",
        help=f"{', '.join(formats)}; by default what FILE's suffix says, else {formats[0]}",
    )
    parser.add_argument("--output", metavar="FILE", help="write to FILE instead of stdout")
    parser.set_defaults(formats=tuple(formats))


def chosen_format(arguments: argparse.Namespace) -> str:
    """The format asked for, else the one that the output file's suffix names.

    Called before any work is done, so that a wrong file name costs nothing.

    Raises:
        UnknownNameError: the suffix names none of the formats.
        InvalidValueError: Parquet without a file.
    """
    format = arguments.format
    if not format and arguments.output:
        suffix = Path(arguments.output).suffix.lower()
        format = _SUFFIXES.get(suffix)
        if format not in arguments.formats:
            known = [name for name, known in _SUFFIXES.items() if known in arguments.formats]
            error = unknown("format for the suffix", suffix, known)
            raise error
    if format == "parquet" and not arguments.output:
        msg = "Parquet is not text: name the file to write with --output FILE."
        raise InvalidValueError(msg)
    return format or arguments.formats[0]


def emit(
    rows: pd.DataFrame | Sequence[Mapping[str, Any]],
    arguments: argparse.Namespace,
    table: Callable[[list[dict[str, Any]]], str],
) -> None:
    """Write rows in the format asked for, to the file asked for or to stdout.

    ``table`` makes the text that a person reads.
    """
    format = chosen_format(arguments)
    if format == "parquet":
        _write(lambda path: _frame(rows).to_parquet(path, index=False), arguments.output)
        return
    plain = records(rows)
    if format == "json":
        text = as_json(plain)
    elif format == "csv":
        text = _frame(rows).to_csv(index=False)
    else:
        text = table(plain)
    write(text, arguments.output)


def records(rows: pd.DataFrame | Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows as dictionaries of Python's own types; what is missing or not finite is ``None``."""
    listed: Iterable[Mapping[str, Any]] = (
        rows.to_dict("records") if hasattr(rows, "to_dict") else rows
    )
    return [{str(name): _plain(value) for name, value in row.items()} for row in listed]


def as_json(value: Any) -> str:
    """Strict JSON, one row under the other: no NaN, no infinity."""
    return json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False, default=str)


def write(text: str, output: str | None) -> None:
    """Text to a file, or to stdout."""
    if output:
        content = text if text.endswith("\n") else f"{text}\n"
        _write(lambda path: path.write_text(content, encoding="utf-8"), output)
    else:
        print(text.removesuffix("\n"))


def note(text: str) -> None:
    """A remark beside the answer, on stderr."""
    print(f"characterize: {text}", file=sys.stderr)


def progress() -> Callable[[str], None] | None:
    """Something that shows what is being done, if a person is watching stderr."""
    return _show_progress if sys.stderr.isatty() else None


def _show_progress(text: str) -> None:
    note(f"{text} ...")


def _write(write: Callable[[Path], Any], output: str) -> None:
    try:
        write(Path(output))
    except OSError as error:
        msg = f"{output!r} cannot be written: {error.strerror or error}."
        raise InvalidValueError(msg) from error


def _frame(rows: pd.DataFrame | Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return rows if isinstance(rows, pd.DataFrame) else pd.DataFrame([dict(row) for row in rows])


def _plain(value: Any) -> Any:
    if hasattr(value, "item") and not isinstance(value, str | bytes):
        value = value.item()
    if type(value).__name__ in {"NAType", "NaTType"}:
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value

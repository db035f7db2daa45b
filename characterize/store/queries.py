"""Questions in SQL: one statement, read only, over the view ``results``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from characterize.errors import InvalidValueError
from characterize.store.schema import quoted

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

FORMATS: Final = ("csv", "json", "parquet")
_COPY_OPTIONS: Final = {
    "csv": "FORMAT csv, HEADER",
    "json": "FORMAT json, ARRAY true",
    "parquet": "FORMAT parquet",
}


def refuse_all_but_one(sql: str) -> None:
    """Let a single statement that only reads pass.

    Raises:
        InvalidValueError: it is none, several, one that writes, or not SQL.
    """
    import duckdb

    reading = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise _not_understood(error) from error
    if len(statements) != 1 or statements[0].type not in reading:
        msg = (
            "The store answers one statement that reads, such as SELECT * FROM results, "
            f"and this is not one: {sql.strip()!r}."
        )
        raise InvalidValueError(msg)


def answer(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[Any]
) -> pd.DataFrame:
    """The rows that ``sql`` finds.

    Raises:
        InvalidValueError: DuckDB does not understand the statement, or will not run it.
    """
    import duckdb

    try:
        return connection.execute(sql, list(parameters)).df()
    except duckdb.Error as error:
        raise _not_understood(error) from error


def copy(connection: duckdb.DuckDBPyConnection, query: str, target: Path, format: str) -> int:
    """Write the rows that ``query`` finds to ``target``; returns how many.

    Raises:
        InvalidValueError: DuckDB does not understand the query, or the file cannot be written.
    """
    import duckdb

    literal = _literal(str(target))
    try:
        described = connection.execute(f"DESCRIBE {query}").fetchall()
        columns = ", ".join(_exported(name, kind, format) for name, kind, *_ in described)
        copied = connection.execute(
            f"COPY (SELECT {columns} FROM ({query})) TO {literal} ({_COPY_OPTIONS[format]})"
        ).fetchone()
    except duckdb.Error as error:
        raise _not_understood(error) from error
    return int(copied[0]) if copied else 0


def _exported(name: str, kind: str, format: str) -> str:
    """A column as it is written: JSON has no NaN and no infinity; CSV is as pandas writes it."""
    column = quoted(name)
    if kind == "DOUBLE" and format != "parquet":
        fine = f"isfinite({column})" if format == "json" else f"NOT isnan({column})"
        return f"CASE WHEN {fine} THEN {column} END AS {column}"
    if kind == "BOOLEAN" and format == "csv":
        return f"CASE {column} WHEN true THEN 'True' WHEN false THEN 'False' END AS {column}"
    return column


def _not_understood(error: duckdb.Error) -> InvalidValueError:
    """DuckDB's complaint without the drawing of where in the statement it is."""
    complaint = str(error).split("\n\nLINE ")[0]
    sentence = " ".join(complaint.split())
    return InvalidValueError(f"The store could not answer: {sentence}")


def save_parquet(
    pattern: str,
    sql: str,
    parameters: Sequence[Any],
    target: Path,
    facts: Mapping[str, str],
    *,
    by_name: bool = False,
) -> int:
    """Write the rows that a query over the view ``sweep`` finds as Parquet; returns how many.

    ``facts`` go into the file's metadata. No row passes through Python, so that memory stays bounded.

    Raises:
        InvalidValueError: DuckDB does not understand the query, or the file cannot be written.
    """
    import duckdb

    refuse_all_but_one(sql)
    notes = ", ".join(f"{_literal(name)}: {_literal(text)}" for name, text in facts.items())
    options = f"FORMAT parquet, COMPRESSION zstd, KV_METADATA {{{notes}}}"
    try:
        with duckdb.connect(":memory:") as connection:
            connection.execute(f"CREATE VIEW sweep AS FROM {_files(pattern, by_name)}")
            copied = connection.execute(
                f"COPY ({sql}) TO {_literal(str(target))} ({options})", list(parameters)
            ).fetchone()
    except duckdb.Error as error:
        raise _not_understood(error) from error
    return int(copied[0]) if copied else 0


def copy_parquet(
    pattern: str, target: Path, format: str, where: str = "", *, by_name: bool = False
) -> int:
    """Write those rows of the Parquet files that match ``pattern`` to a file; returns how many.

    Raises:
        InvalidValueError: DuckDB does not understand the condition, or the file cannot be written.
    """
    import duckdb

    query = f"SELECT * FROM {_files(pattern, by_name)} WHERE ({where.strip() or 'true'})"
    refuse_all_but_one(query)
    with duckdb.connect(":memory:") as connection:
        return copy(connection, query, target, format)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _files(pattern: str, by_name: bool) -> str:
    return f"read_parquet({_literal(pattern)}, union_by_name = {'true' if by_name else 'false'})"


def over_parquet(
    pattern: str, view: str, sql: str, parameters: Sequence[Any] = (), *, by_name: bool = False
) -> pd.DataFrame:
    """What one reading statement answers over a view of the Parquet files that match ``pattern``.

    ``by_name`` is for files that do not all have the same columns.

    Raises:
        InvalidValueError: it is not one statement that reads, or DuckDB does not understand it.
    """
    import duckdb

    refuse_all_but_one(sql)
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"CREATE VIEW {quoted(view)} AS FROM {_files(pattern, by_name)}")
        return answer(connection, sql, parameters)

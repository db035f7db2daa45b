"""Tables of the store, and how they grow.

``entries`` has one row a result: its key, the model version that computed it, and the columns of a
result row. The columns that every row has come first; those of a family's parameters are added
when a row first brings them, and widened when two families disagree about a type. ``settings``
keeps the parameters as they were given, so that a row comes back with exactly the values it went in
with, whatever its columns have become. The view ``results`` is what people query: the columns of a
result row in their order, and nothing else.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from characterize.errors import StoreError

if TYPE_CHECKING:
    import duckdb

SCHEMA_VERSION: Final = 2

# A result row is HEAD, one column per family parameter, TAIL.
HEAD: Final = MappingProxyType({"model": "VARCHAR", "family": "VARCHAR"})
TAIL: Final = MappingProxyType(
    {
        "batch": "BIGINT",
        "precision": "VARCHAR",
        "stack": "VARCHAR",
        "hardware": "VARCHAR",
        "architecture": "VARCHAR",
        "confidence": "VARCHAR",
        "parameters": "BIGINT",
        "macs": "BIGINT",
        "flops": "BIGINT",
        "memory_bytes": "BIGINT",
        "peak_memory_bytes": "BIGINT",
        "fits": "BOOLEAN",
        "intensity": "DOUBLE",
        "kernels": "BIGINT",
        "tiles": "BIGINT",
        "latency_s": "DOUBLE",
        "latency_low_s": "DOUBLE",
        "latency_high_s": "DOUBLE",
        "throughput_per_s": "DOUBLE",
        "energy_j": "DOUBLE",
        "energy_static_j": "DOUBLE",
        "energy_dynamic_j": "DOUBLE",
        "power_w": "DOUBLE",
        "speedup": "DOUBLE",
        "bottleneck": "VARCHAR",
        "uncounted": "BIGINT",
        "cautions": "VARCHAR",
    }
)
FIXED: Final = MappingProxyType({**HEAD, **TAIL})
_SINCE: Final = MappingProxyType({2: ("cautions",)})  # columns that a schema version brought
# Ours alone; a parameter of the same name gets an underscore.
_OWN: Final = ("entry_key", "entry_version", "entry_written_at", "entry_settings")
_LARGEST: Final = 2**63 - 1


def create(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables of an empty store."""
    columns = ", ".join(f"{quoted(name)} {kind}" for name, kind in FIXED.items())
    connection.execute(
        f"""
        BEGIN;
        CREATE TABLE meta (name VARCHAR PRIMARY KEY, value VARCHAR NOT NULL);
        INSERT INTO meta VALUES ('schema_version', '{SCHEMA_VERSION}');
        CREATE TABLE entries (
            entry_key VARCHAR PRIMARY KEY, entry_version VARCHAR, entry_written_at TIMESTAMP,
            entry_settings VARCHAR, {columns});
        CREATE TABLE grown (name VARCHAR PRIMARY KEY, place VARCHAR NOT NULL);
        CREATE TABLE templates (
            template_key VARCHAR PRIMARY KEY, content BLOB NOT NULL, written_at TIMESTAMP);
        """
    )
    _show(connection)
    connection.execute("COMMIT")


def drop(connection: duckdb.DuckDBPyConnection) -> None:
    """Empty the store, its grown columns included."""
    connection.execute(
        "DROP VIEW results; DROP TABLE entries; DROP TABLE grown; "
        "DROP TABLE templates; DROP TABLE meta"
    )
    create(connection)


def check(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """The schema version of a store; a database that is none, or one of a newer version, is refused.

    Raises:
        StoreError: with what the file is instead.
    """
    tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    version = 0
    if ("meta",) in tables and ("entries",) in tables:
        found = connection.execute("SELECT value FROM meta WHERE name = 'schema_version'")
        version = int((found.fetchone() or ("0",))[0])
    if 0 < version <= SCHEMA_VERSION:
        return version
    if version > SCHEMA_VERSION:
        msg = (
            f"The store {path} was written by a newer Characterize (schema {version}; this one "
            f"knows up to {SCHEMA_VERSION}); upgrade, or set CHARACTERIZE_STORE to another file."
        )
    else:
        msg = (
            f"{path} is a DuckDB database but not a store of Characterize, so it is left alone; "
            "set CHARACTERIZE_STORE to another file."
        )
    raise StoreError(msg)


def upgrade(connection: duckdb.DuckDBPyConnection, version: int) -> None:
    """Bring the tables of an older store to this schema; its rows keep what they had."""
    connection.execute("BEGIN")
    for since, columns in _SINCE.items():
        for name in columns if since > version else ():
            connection.execute(f"ALTER TABLE entries ADD COLUMN {quoted(name)} {TAIL[name]}")
    connection.execute(
        "UPDATE meta SET value = ? WHERE name = 'schema_version'", [str(SCHEMA_VERSION)]
    )
    _show(connection)
    connection.execute("COMMIT")


def _grow(
    connection: duckdb.DuckDBPyConnection, rows: Iterable[Mapping[str, Any]]
) -> dict[str, str]:
    """Add and widen columns until ``entries`` can hold ``rows``; returns every column's type.

    Columns that stand before the ``batch`` of a row are a family's parameters; what stands after
    and is none of ours is shown at the end.
    """
    described = connection.execute("DESCRIBE entries").fetchall()
    types = {name: kind for name, kind, *_ in described if name not in _OWN}
    known = {name.lower(): name for name in types}
    changed = False
    for row in rows:
        parameters, _extras = split(row)
        for name, value in row.items():
            column = known.get(column_of(name).lower(), column_of(name))
            needed = _type_of(value, types.get(column))
            if needed is None or needed == types.get(column):
                continue
            changed = True
            if column in types:
                connection.execute(f"ALTER TABLE entries ALTER {quoted(column)} TYPE {needed}")
            else:
                connection.execute(f"ALTER TABLE entries ADD COLUMN {quoted(column)} {needed}")
                place = "parameter" if name in parameters else "extra"
                connection.execute("INSERT INTO grown VALUES (?, ?)", [column, place])
            types[column] = needed
            known[column.lower()] = column
    if changed:
        _show(connection)
    return types


def insert(
    connection: duckdb.DuckDBPyConnection, entries: Mapping[str, Mapping[str, Any]], version: str
) -> None:
    """Write ``entries`` (rows by key) in one statement, growing the table where they need it."""
    types = _grow(connection, entries.values())
    rows = [{column_of(name): value for name, value in row.items()} for row in entries.values()]
    # One list a column: DuckDB takes a thousand rows so in a tenth of the time of placeholders.
    data: dict[str, tuple[str, list[Any]]] = {
        "entry_key": ("VARCHAR", list(entries)),
        "entry_settings": ("VARCHAR", [_settings(row) for row in entries.values()]),
    }
    lowered = [{name.lower(): value for name, value in row.items()} for row in rows]
    for column, kind in types.items():
        data[column] = (kind, [cell(row.get(column.lower()), kind) for row in lowered])
    unnested = ", ".join(
        f"unnest(?::{kind}[]) AS {quoted(name)}" for name, (kind, _) in data.items()
    )
    connection.execute(
        f"""
        INSERT OR REPLACE INTO entries BY NAME
        SELECT {unnested}, ? AS entry_version, current_timestamp::TIMESTAMP AS entry_written_at
        """,
        [*(values for _, values in data.values()), version],
    )


def restored(record: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A record of ``entries`` as the key and the row that were put in."""
    settings = json.loads(record["entry_settings"])
    head = {name: record[name] for name in HEAD}
    tail = {name: record[name] for name in TAIL}
    return record["entry_key"], {**head, **settings["parameters"], **tail, **settings["extras"]}


def _settings(row: Mapping[str, Any]) -> str:
    """The columns of ``row`` that not every row has, as text that gives their values back."""
    parameters, extras = split(row)
    return json.dumps({"parameters": parameters, "extras": extras}, default=plain)


def split(row: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The family's parameters of a row, and what it has beyond the columns we know."""
    names = list(row)
    end = next((index for index, name in enumerate(names) if name in TAIL), len(names))
    others = [name for name in names if name not in FIXED]
    parameters = {name: row[name] for name in others if names.index(name) < end}
    return parameters, {name: row[name] for name in others if name not in parameters}


def column_of(name: str) -> str:
    """The column that holds the parameter ``name``."""
    taken = {*FIXED, *_OWN} if name not in FIXED else set(_OWN)
    return f"{name}_" if name.lower() in taken else name


def plain(value: Any) -> Any:
    """``value`` as Python's own type; whatever pandas and NumPy say for "nothing" is ``None``."""
    if type(value).__name__ in {"NAType", "NaTType"}:
        return None
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        value = value.item()
    return str(value) if isinstance(value, str) else value


def cell(value: Any, kind: str) -> Any:
    """``value`` as a column of type ``kind`` takes it."""
    value = plain(value)
    if value is None:
        return None
    if kind == "BIGINT":
        return None if isinstance(value, float) and math.isnan(value) else int(value)
    if kind == "VARCHAR" and not isinstance(value, str):
        return json.dumps(value, default=str)
    return value


def quoted(name: str) -> str:
    """``name`` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _type_of(value: Any, current: str | None) -> str | None:
    """The type a column of type ``current`` must have to hold ``value``, ``None`` for any."""
    value = plain(value)
    if value is None or (isinstance(value, float) and math.isnan(value) and current):
        return None
    needed = _own_type(value)
    if current is None or current == needed:
        return needed
    if {current, needed} == {"BIGINT", "DOUBLE"}:
        # A count that came as 8.0 is still a count.
        whole = isinstance(value, float) and value.is_integer() and abs(value) <= _LARGEST
        return "BIGINT" if current == "BIGINT" and whole else "DOUBLE"
    return "VARCHAR"


def _own_type(value: Any) -> str:
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, int):
        return "BIGINT" if abs(value) <= _LARGEST else "DOUBLE"
    return "DOUBLE" if isinstance(value, float) else "VARCHAR"


def _show(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the view ``results`` again, with the columns that ``entries`` now has."""
    grown = connection.execute("SELECT name, place FROM grown ORDER BY rowid").fetchall()
    parameters = [name for name, place in grown if place == "parameter"]
    extras = [name for name, place in grown if place == "extra"]
    columns = ", ".join(quoted(name) for name in (*HEAD, *parameters, *TAIL, *extras))
    connection.execute(f"CREATE OR REPLACE VIEW results AS SELECT {columns} FROM entries")

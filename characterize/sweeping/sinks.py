"""Where the rows of a sweep go: memory, a file, or parts beside the store.

Parts are written under a temporary name and renamed, so a part that is there is whole; a sweep that
was stopped, however roughly, goes on with the parts that are missing.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from characterize.errors import StoreError, unknown
from characterize.sweeping.evaluation import Tally

FORMATS = (".parquet", ".csv", ".json")


class Sink(Protocol):
    """Takes the tables of one block after another."""

    in_any_order: bool  # whether blocks may be written as they come, by several threads

    def done(self, index: int) -> Tally | None:
        """What a block counted when it was written before, ``None`` if it is still to do."""

    def write(self, index: int, tables: Sequence[pa.Table], tally: Tally) -> None:
        """Take the rows of one block."""

    def close(self) -> None:
        """Finish what was written."""


class Memory:
    """Keeps all rows."""

    in_any_order = False

    def __init__(self) -> None:
        self._tables: list[pa.Table] = []

    def done(self, _index: int) -> Tally | None:
        """Nothing is there before."""
        return None

    def write(self, _index: int, tables: Sequence[pa.Table], _tally: Tally) -> None:
        """Take the rows of one block."""
        self._tables.extend(tables)

    def close(self) -> None:
        """Nothing to finish."""

    def table(self) -> pa.Table:
        """All rows as one table."""
        if not self._tables:
            return pa.table({})
        return pa.concat_tables([_plain(t) for t in self._tables])


def _plain(table: pa.Table) -> pa.Table:
    """The table with texts instead of dictionaries, so that tables of all devices look the same."""
    for i, column in enumerate(table.columns):
        if pa.types.is_dictionary(column.type):
            table = table.set_column(i, table.column_names[i], column.cast(pa.string()))
    return table


class File:
    """One file, written from the first row to the last."""

    in_any_order = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kind = path.suffix.lower()
        if self._kind not in FORMATS:
            raise unknown("file format", self._kind or str(path), FORMATS)
        self._partial = path.with_name(f".{path.name}.partial")
        self._writer: Any = None
        self._first = True

    def done(self, _index: int) -> Tally | None:
        """A file is always written anew."""
        return None

    def write(self, _index: int, tables: Sequence[pa.Table], _tally: Tally) -> None:
        """Append the rows of one block."""
        for table in map(_plain, tables):
            if self._writer is None:
                self._writer = self._open(table.schema)
            if self._kind == ".json":
                self._rows(table)
            else:
                self._writer.write_table(table)

    def _open(self, schema: pa.Schema) -> Any:
        if self._kind == ".parquet":
            return pq.ParquetWriter(self._partial, schema, compression="zstd")
        if self._kind == ".csv":
            return pyarrow.csv.CSVWriter(self._partial, schema)
        return self._partial.open("w", encoding="utf-8")

    def _rows(self, table: pa.Table) -> None:
        for row in table.to_pylist():
            self._writer.write(("[\n" if self._first else ",\n") + json.dumps(row))
            self._first = False

    def close(self) -> None:
        """Give the file its name: it is whole now."""
        if self._writer is None:
            self._partial.write_text("[]\n" if self._kind == ".json" else "")
        else:
            if self._kind == ".json":
                self._writer.write("\n]\n")
            self._writer.close()
        self._partial.replace(self._path)


class Parts:
    """A folder of Parquet parts, one a block, that a stopped sweep goes on from."""

    in_any_order = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            msg = f"The sweep cannot be kept in {folder}: {error.strerror}."
            raise StoreError(msg) from error
        self._tidy()

    def _tidy(self) -> None:
        """Delete what writers that are no more left half-written."""
        for partial in self.folder.glob("*.partial"):
            writer = _WRITER.search(partial.name)
            if writer is not None and not _runs(int(writer[1])):
                with suppress(OSError):
                    partial.unlink()

    def _tally_file(self, index: int) -> Path:
        return self.folder / f"block-{index:07d}.json"

    def done(self, index: int) -> Tally | None:
        """The tally beside the part, which is written last."""
        try:
            document = json.loads(self._tally_file(index).read_text())
        except (OSError, ValueError):
            return None
        tally = Tally(document["configurations"], document["rows"])
        tally.invalid.update(document["invalid"])
        return tally

    def write(self, index: int, tables: Sequence[pa.Table], tally: Tally) -> None:
        """Write the part, then its tally: both under a temporary name first."""
        if tables:
            part = self.folder / f"part-{index:07d}.parquet"
            partial = part.with_suffix(f".{os.getpid()}.partial")
            with pq.ParquetWriter(
                partial,
                tables[0].schema,
                compression="lz4",
                use_dictionary=_few_values(tables[0].schema),
                write_statistics=[name for name in tables[0].column_names if name not in _SPREAD],
            ) as writer:
                for table in tables:
                    writer.write_table(table)
            partial.replace(part)
        document = {
            "configurations": tally.configurations, "rows": tally.rows, "invalid": dict(tally.invalid),
        }  # fmt: skip
        partial = self._tally_file(index).with_suffix(f".{os.getpid()}.partial")
        partial.write_text(json.dumps(document))
        partial.replace(self._tally_file(index))

    def close(self) -> None:
        """Nothing to finish: every part is whole."""


# the end of a name that a part is written under
_WRITER = re.compile(r"^[^.]+\.(\d+)\.partial$")


def _runs(pid: int) -> bool:
    """Whether a process of this machine may still be writing."""
    if os.name == "nt":  # where a signal would end it, and a file that is open cannot be deleted
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        return True
    return True


# columns of numbers all over their range: bounds of a part would say nothing
_SPREAD = {
    "parameters", "macs", "flops", "memory_bytes", "peak_memory_bytes", "fits", "intensity", "tiles",
    "latency_s", "latency_low_s", "latency_high_s", "throughput_per_s", "energy_j",
    "energy_static_j", "energy_dynamic_j", "power_w", "speedup",
}  # fmt: skip


def _few_values(schema: pa.Schema) -> list[str]:
    """Columns with few distinct values; the others are cheaper written plainly."""
    texts = [column.name for column in schema if pa.types.is_dictionary(column.type)]
    return [*texts, "kernels", "uncounted"]

"""The sweeps that are kept beside the store, and questions to their rows in SQL."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from characterize import errors, store
from characterize.store import queries

if TYPE_CHECKING:
    import pandas as pd

_MANIFEST = "sweep.json"


@dataclass(frozen=True)
class Kept:
    """One sweep beside the store."""

    key: str
    folder: Path
    description: dict[str, Any]
    hardware: tuple[str, ...]
    configurations: int
    complete: bool

    @property
    def title(self) -> str:
        """The family (or that it is over models) and its axes of more than one value."""
        axes = self.description.get("axes", {})
        several = [f"{name} x{len(values)}" for name, values in axes.items() if len(values) > 1]
        return f"{self.family or 'models'}: {', '.join(several) or 'one configuration'}"

    @property
    def family(self) -> str:
        """The family; empty where the sweep is over many models."""
        return str(self.description.get("family", ""))

    @property
    def size_bytes(self) -> int:
        """What its files take, those that a stopped run left half-written among them."""
        return sum(file.stat().st_size for file in self.folder.iterdir() if file.is_file())

    @property
    def parts(self) -> str:
        """The pattern of its Parquet parts."""
        return str(self.folder / "part-*.parquet")


def root(shelf: store.Store) -> Path:
    """The folder of all sweeps beside a store."""
    return shelf.path.with_suffix(".sweeps")


def folder(shelf: store.Store, key: str) -> Path:
    """The folder of one sweep."""
    return root(shelf) / key[:32]


def describe(place: Path, manifest: dict[str, Any]) -> None:
    """Write what a sweep is of beside its parts."""
    partial = place / f".{_MANIFEST}.partial"
    partial.write_text(json.dumps(manifest, indent=1))
    partial.replace(place / _MANIFEST)


def sweeps(shelf: store.Store | None = None) -> list[Kept]:
    """Every sweep beside the store, the newest first; unreadable ones are left out."""
    place = root(shelf or store.Store())
    files = sorted(place.glob(f"*/{_MANIFEST}"), key=lambda f: f.stat().st_mtime, reverse=True)
    return [kept for kept in map(_read, files) if kept is not None]


def _read(file: Path) -> Kept | None:
    try:
        document = json.loads(file.read_text())
        return Kept(
            document["key"],
            file.parent,
            document["description"],
            tuple(document["hardware"]),
            document["configurations"],
            document["complete"],
        )
    except (OSError, ValueError, KeyError):
        return None


def find(key: str, shelf: store.Store | None = None) -> Kept:
    """The sweep whose key begins like this.

    Raises:
        UnknownNameError: there is none, or more than one.
    """
    kept = sweeps(shelf)
    found = [sweep for sweep in kept if sweep.key.startswith(key)]
    if len(found) != 1:
        raise errors.unknown("sweep", key, [sweep.key[:12] for sweep in kept])
    return found[0]


def frame(kept: Kept, sql: str, parameters: Sequence[Any] = ()) -> pd.DataFrame:
    """What one SQL query over the view ``sweep`` answers: aggregation happens here, not in a browser.

    Raises:
        InvalidValueError: DuckDB does not understand the query.
        StoreError: the sweep has no rows.
    """
    _need_rows(kept)
    return queries.over_parquet(kept.parts, "sweep", sql, parameters, by_name=not kept.family)


def save(
    kept: Kept, sql: str, parameters: Sequence[Any], target: Path, facts: Mapping[str, str]
) -> int:
    """Write what a query over the view ``sweep`` finds as a Parquet file; returns how many rows.

    Args:
        kept: the sweep.
        sql: one statement that reads.
        parameters: its values.
        target: the file.
        facts: where the rows come from, for the file's metadata.

    Raises:
        InvalidValueError: DuckDB does not understand the query, or the file cannot be written.
        StoreError: the sweep has no rows.
    """
    _need_rows(kept)
    return queries.save_parquet(kept.parts, sql, parameters, target, facts, by_name=not kept.family)


def export(kept: Kept, path: Path, format: str, where: str = "") -> int:
    """Write the rows for which an SQL condition holds to a file; returns how many.

    Args:
        kept: the sweep.
        path: the file, replaced if it is there.
        format: ``csv``, ``json`` or ``parquet``.
        where: a condition over the columns; all rows when left out.

    Raises:
        InvalidValueError: DuckDB does not understand the condition, or the file cannot be written.
        StoreError: the sweep has no rows.
    """
    _need_rows(kept)
    return queries.copy_parquet(kept.parts, path, format, where, by_name=not kept.family)


def _need_rows(kept: Kept) -> None:
    if not any(kept.folder.glob("part-*.parquet")):
        msg = f"The sweep {kept.title} has no rows yet."
        raise errors.StoreError(msg)


def forget(kept: Kept) -> None:
    """Delete a sweep and its rows."""
    shutil.rmtree(kept.folder)

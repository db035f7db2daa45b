"""Tables as files: exactly the rows given, units in the headings, where they come from inside. Pure.

CSV, Parquet and JSON keep the columns of the result row (``docs/design.md``), whose names carry the
SI unit; an Excel sheet is read by people, so its headings say the unit in brackets. The provenance
is in the metadata of Parquet, beside the rows in JSON, on a sheet of its own in Excel, and in
columns at the end of CSV, so that whatever reads CSV still reads it.
"""

from __future__ import annotations

import importlib.util
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd

from characterize import __version__
from characterize.projection import MODEL_VERSION
from dashboard.readable import Columns

Table: TypeAlias = "Columns | pd.DataFrame"

UNITS: Final = {
    "_flops_per_s": "flop/s",
    "_bytes_per_s": "B/s",
    "_per_s": "1/s",
    "_bytes": "B",
    "_s": "s",
    "_j": "J",
    "_w": "W",
}
"""What the end of a column's name says of its unit, the longest first."""
WHOLE_NAMES: Final = {"intensity": "flop/B", "speedup": "×", "flops": "flop"}


@dataclass(frozen=True)
class Provenance:
    """Where the numbers of a file come from.

    Args:
        made_at: when the file was made, ISO 8601 in UTC.
        request: what was asked: model, parameters, filters, a query.
        profiles: the digest of each device's profile by name.
    """

    made_at: str
    request: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    profiles: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    version: str = __version__
    model_version: str = str(MODEL_VERSION)

    def facts(self) -> dict[str, Any]:
        """All of it by name, as JSON can hold it."""
        return {
            "made_by": "characterize",
            "version": self.version,
            "model_version": self.model_version,
            "made_at": self.made_at,
            "request": dict(self.request),
            "profiles": dict(self.profiles),
        }


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of file: its name on the button, its suffix, its media type, and what writes it."""

    name: str
    suffix: str
    mime: str
    write: Callable[[Table, Provenance], bytes]
    needs: str = ""  # the module without which it cannot be written

    @property
    def available(self) -> bool:
        """Whether what it needs is installed."""
        return not self.needs or importlib.util.find_spec(self.needs) is not None


def as_csv(rows: Table, about: Provenance) -> bytes:
    """Comma-separated values; the provenance in columns at the end, the same in every row."""
    frame = pd.DataFrame(rows).copy()
    frame["provenance_version"] = f"{about.version}/{about.model_version}"
    frame["provenance_made_at"] = about.made_at
    frame["provenance_request"] = json.dumps(dict(about.request), default=str)
    if "hardware" in frame and about.profiles:
        frame["provenance_profile"] = frame["hardware"].map(dict(about.profiles))
    return frame.to_csv(index=False).encode()


def as_json(rows: Table, about: Provenance) -> bytes:
    """``{"provenance": {...}, "rows": [...]}``, the rows as ``--format json`` prints them."""
    text: str = pd.DataFrame(rows).to_json(orient="records", double_precision=15)
    document = {"provenance": about.facts(), "rows": json.loads(text)}
    return json.dumps(document, indent=1, default=str, ensure_ascii=False).encode()


def as_parquet(rows: Table, about: Provenance) -> bytes:
    """An Apache Parquet file whose schema carries the provenance as JSON under ``characterize``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(pd.DataFrame(rows), preserve_index=False)
    facts = json.dumps(about.facts(), default=str).encode()
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), b"characterize": facts})
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def as_excel(rows: Table, about: Provenance) -> bytes:
    """A workbook: the rows under headings with units, and a sheet that says where they come from."""
    import openpyxl
    from openpyxl.styles import Font

    frame = pd.DataFrame(rows)
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Rows")
    sheet.freeze_panes = "A2"
    sheet.append([_cell(sheet, heading(str(name)), Font(bold=True)) for name in frame.columns])
    for values in frame.itertuples(index=False):
        sheet.append([_cell(sheet, value) for value in values])
    origin = book.create_sheet("Provenance")
    for name, value in about.facts().items():
        pairs = value.items() if isinstance(value, dict) else [("", value)]
        for key, each in pairs:
            origin.append([_cell(origin, text) for text in (name, key, str(each))])
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _cell(sheet: Any, value: Any, font: Any = None) -> Any:
    from openpyxl.cell import WriteOnlyCell

    cell = WriteOnlyCell(sheet, value=_plain(value))
    if isinstance(value, str):
        cell.data_type = "s"  # a name that begins with "=" is no formula
    if font is not None:
        cell.font = font
    return cell


def _plain(value: Any) -> Any:
    """A value as a workbook can hold it."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is pd.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value if isinstance(value, int | float | str | bool) else str(value)


def heading(name: str) -> str:
    """A column's name as people read it, with its unit.

    >>> heading("latency_s"), heading("throughput_per_s"), heading("Memory (MB)"), heading("batch")
    ('Latency (s)', 'Throughput (1/s)', 'Memory (MB)', 'Batch')
    """
    if name != name.lower() or " " in name:
        return name  # it is a heading already
    stem, unit = name, WHOLE_NAMES.get(name, "")
    if not unit:
        end = next((suffix for suffix in UNITS if name.endswith(suffix)), "")
        stem, unit = name.removesuffix(end), UNITS.get(end, "")
    words = stem.replace("_", " ").capitalize()
    return f"{words} ({unit})" if unit else words


FORMATS: Final[Sequence[Format]] = (
    Format("CSV", "csv", "text/csv", as_csv),
    Format("Parquet", "parquet", "application/vnd.apache.parquet", as_parquet),
    Format("JSON", "json", "application/json", as_json),
    Format(
        "Excel",
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        as_excel,
        needs="openpyxl",
    ),
)
"""The files that every table can be saved as, in the order of the buttons."""

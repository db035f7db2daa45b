"""Measured networks, traced once and kept in a folder, so that errors can be computed again at once.

What is kept belongs to the code that traced it and to the libraries that the networks come from: under
another tracer or another timm it is not found, and the network is traced anew. Fusion, lowering and
projection are never kept.
"""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path
from typing import Final

import characterize
from characterize import codec, errors, evidence
from characterize.records import Graph

_TRACES: Final = ("tracing", "costs", "models", "records.py", "codec.py", "evidence.py")
_LIBRARIES: Final = ("torch", "torchvision", "timm", "transformers")


def tracer_key() -> str:
    """A name for everything that a traced graph depends on."""
    home = Path(characterize.__file__).parent
    found = hashlib.sha256()
    for name in _TRACES:
        files = [home / name] if name.endswith(".py") else sorted((home / name).rglob("*.py"))
        for file in files:
            found.update(file.read_bytes())
    for library in _LIBRARIES:
        try:
            found.update(f"{library} {metadata.version(library)}".encode())
        except metadata.PackageNotFoundError:
            found.update(library.encode())
    return found.hexdigest()[:16]


def kept_in(folder: Path) -> evidence.Networks:
    """Networks traced by :func:`characterize.evidence.traced`, each kept in the folder.

    One that cannot be traced is tried again every time.
    """
    place = folder / tracer_key()
    place.mkdir(parents=True, exist_ok=True)

    def network(model: str, size: int | None) -> Graph:
        file = place / evidence.file_name(model, size)
        try:
            return codec.decode(file.read_bytes())
        except (OSError, errors.BrokenRecordError):
            graph = evidence.traced(model, size)
        unfinished = file.with_suffix(".part")
        unfinished.write_bytes(codec.encode(graph))
        unfinished.replace(file)
        return graph

    return network

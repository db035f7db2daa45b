"""What a name and parameters stand for: the subject of a request, before anything is traced."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from characterize import errors, models

MAXIMUM_BATCH: Final = 1 << 20


@dataclass(frozen=True)
class Subject:
    """A network at a size: what is traced, whatever it later runs on.

    ``version`` names everything outside the parameters that the graph depends on: the family's
    version, the zoo library's, the content of a user's file.
    """

    model: str
    family: str
    parameters: tuple[tuple[str, Any], ...]
    batch: int
    version: str

    @property
    def values(self) -> dict[str, Any]:
        """The parameters as keyword arguments."""
        return dict(self.parameters)

    @property
    def labels(self) -> dict[str, Any]:
        """The columns that name its result rows."""
        return {"model": self.model, "family": self.family, **self.values, "batch": self.batch}


def subject(
    model: str, parameters: Mapping[str, Any] | None = None, batch: int | str = 1
) -> Subject:
    """What a name and parameters stand for, checked, without tracing or importing torch.

    Raises:
        UnknownNameError: no such model or parameter.
        InvalidValueError: a value outside its range.
    """
    given = dict(parameters or {})
    size = _batch(batch)
    if is_file(model):
        return Subject(model, "", tuple(sorted(given.items())), size, _file_version(model))
    if "/" in model:
        found = models.zoo(model)
        values = found.check(**given)
        return Subject(model, "", tuple(values.items()), size, found.version)
    family = models.family(model)
    values = family.check(**given)
    return Subject(model, model, tuple(values.items()), size, str(family.version))


def _batch(batch: int | str) -> int:
    try:
        size = int(batch)
    except (TypeError, ValueError):
        size = 0
    if not 1 <= size <= MAXIMUM_BATCH:
        msg = (
            f"The batch is {batch!r}; it is a whole number of samples from 1 to {MAXIMUM_BATCH:,}."
        )
        raise errors.InvalidValueError(msg)
    return size


def is_file(model: str) -> bool:
    """Whether a model's name is that of a file."""
    return ".py:" in model or model.endswith((".pt2", ".onnx", ".py"))


def _file_version(model: str) -> str:
    path = Path(model.rpartition(":")[0] if ".py:" in model else model)
    if not path.is_file():
        msg = (
            f"There is no file {str(path)!r}; MODEL is a family, a zoo model, a .pt2 or .onnx file "
            "or path/to/file.py:factory."
        )
        raise errors.UnknownNameError(msg)
    if model.endswith(".py"):
        msg = f"{model!r} names no factory; write {model}:function, a function that returns (module, inputs)."
        raise errors.InvalidValueError(msg)
    return hashlib.sha256(path.read_bytes()).hexdigest()

"""Which models a sweep over many is of: names, patterns, lists and files → requests.

An entry is a model's name, with settings of its own if it has any, or a pattern over names:
``timm/resnet50``, ``timm/vit_* input_size=384``, ``conv2d_stack layers=3 channels=17 batch=8``.
"""

from __future__ import annotations

import fnmatch
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from characterize import errors, models
from characterize.models.zoos.zoo_model import installed_version
from characterize.records import Precision, Stack
from characterize.subjects import Subject, is_file, subject

Entry = str | tuple[str, Mapping[str, Any]]
"""A name or pattern with settings behind it, or the name and its settings."""

_WILD: Final = frozenset("*?[")


@dataclass(frozen=True)
class Request:
    """One network as one row a device: what is asked, nothing of it checked but the name."""

    model: str
    parameters: tuple[tuple[str, Any], ...] = ()
    batch: Any = 1
    precision: str = "auto"
    stack: str = Stack.COMPILED.value

    @property
    def subject(self) -> Subject:
        """What is traced.

        Raises:
            CharacterizeError: no such model or parameter, or a value outside its range.
        """
        return subject(self.model, dict(self.parameters), self.batch)


def requests(
    entries: Sequence[Entry],
    axes: Mapping[str, Any] | None = None,
    batch: Any = 1,
    precision: Any = "auto",
    stack: Any = "compiled",
) -> list[Request]:
    """Every model of ``entries`` at every combination of the axes, in that order, none twice.

    Args:
        entries: names, patterns, names with settings (which win over ``axes``).
        axes: parameters for all models, each one value or several.
        batch: one or several.
        precision: one or several.
        stack: one or several.

    Raises:
        UnknownNameError: a family or library that we do not have, a pattern that fits no model.
        MissingExtraError: the library of a pattern is not installed.
        InvalidValueError: no models, an axis without values, a setting that is not key=value.
    """
    if not entries:
        msg = "No models were named; name some, such as 'timm/resnet*', or a file of names."
        raise errors.InvalidValueError(msg)
    spread = {name: _several(name, values) for name, values in (axes or {}).items()}
    batches = _several("batch", batch)
    precisions = [_known("precision", p, ("auto", *Precision)) for p in _several("", precision)]
    stacks = [_known("stack", s, tuple(Stack)) for s in _several("", stack)]
    found: dict[Request, None] = {}
    for entry in entries:
        text, given = entry if isinstance(entry, tuple) else _parsed(entry)
        own = dict(given)
        sizes = [own.pop("batch")] if "batch" in own else batches
        rest = {name: values for name, values in spread.items() if name not in own}
        for name in _names(text):
            for values in itertools.product(*rest.values()):
                settings = (*own.items(), *zip(rest, values, strict=True))
                for size, s, p in itertools.product(sizes, stacks, precisions):
                    found[Request(name, settings, size, p, s)] = None
    return list(found)


def read(path: Path | str) -> list[Entry]:
    """The entries of a file: one a line; what follows a ``#`` is a remark.

    Raises:
        InvalidValueError: the file cannot be read.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        msg = f"The models were to be read from {str(path)!r}, which cannot be: {reason}."
        raise errors.InvalidValueError(msg) from error
    texts = (line.partition("#")[0].strip() for line in lines)
    return [text for text in texts if text]


def is_pattern(name: str) -> bool:
    """Whether a name stands for all the models that it fits."""
    return not _WILD.isdisjoint(name.partition(" ")[0])


def is_several(entries: Sequence[Entry]) -> bool:
    """Whether these are several models or zoo models, and not one family."""
    if len(entries) != 1 or isinstance(entries[0], tuple):
        return True
    name = entries[0]
    return name not in models.families() and (
        " " in name or "/" in name or not _WILD.isdisjoint(name)
    )


def version(model: str) -> str:
    """What of the world outside the parameters a model's rows depend on (see `Subject.version`)."""
    if is_file(model):
        return subject(model).version
    if "/" in model:
        library = model.partition("/")[0]
        return f"{library} {installed_version(library)}"
    return str(models.family(model).version)


def _parsed(entry: str) -> tuple[str, dict[str, str]]:
    name, *pairs = entry.split()
    settings = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not (key and separator and value):
            msg = f"In {entry!r}, settings behind the name are key=value, and {pair!r} is not."
            raise errors.InvalidValueError(msg)
        settings[key] = value
    return name, settings


def _names(text: str) -> Iterator[str]:
    """The models that a name or pattern stands for."""
    if is_file(text):
        yield text
        return
    library, slash, _ = text.partition("/")
    if slash and _WILD.isdisjoint(library):
        if library not in models.LIBRARIES:
            raise errors.unknown("model library", library, models.LIBRARIES)
        installed_version(library)
    if _WILD.isdisjoint(text):
        if not slash:
            models.family(text)
        yield text  # a library is asked for its models where they are traced
        return
    known = models.zoo_names(f"{library}/" if _WILD.isdisjoint(library) else "") if slash else []
    if not slash:
        known = list(models.families())
    fitting = fnmatch.filter(known, text)
    if not fitting:
        raise errors.unknown("model that fits the pattern", text, known)
    yield from fitting


def _several(name: str, values: Any) -> list[Any]:
    several = not isinstance(values, str | bytes) and hasattr(values, "__iter__")
    found = list(values) if several else [values]
    if not found:
        msg = f"The axis {name} has no values."
        raise errors.InvalidValueError(msg)
    return found


def _known(what: str, value: Any, known: Sequence[str]) -> str:
    if str(value) not in known:
        raise errors.unknown(what, str(value), known)
    return str(value)

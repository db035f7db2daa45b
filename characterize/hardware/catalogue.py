"""The devices that we ship and those of a user: by name, by class, by file.

A file is read once and again only after it has changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from characterize import errors
from characterize.hardware import reading
from characterize.hardware.record import Profile
from characterize.paths import data_directory
from characterize.records import Architecture

EVERYTHING = "all"
_REFERENCE = "reference_"  # the idealised four, asked for by name only


def names(include_reference: bool = True) -> list[str]:
    """Names of the devices that we ship, sorted."""
    found = sorted(path.stem for path in _directory().glob("*.toml"))
    return [name for name in found if include_reference or not name.startswith(_REFERENCE)]


def classes() -> list[str]:
    """What may stand for several devices in :func:`select`."""
    return [EVERYTHING, *Architecture]


def load(name_or_path: str | Path) -> Profile:
    """One device: by name, or from a file (what ends in ``.toml`` or has a separator).

    Raises:
        UnknownNameError: there is no such device or file.
        BrokenRecordError: the file breaks the format.
    """
    path = _path(name_or_path)
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        if _is_path(name_or_path):
            message = f"There is no hardware profile at {str(name_or_path)!r}."
            raise errors.UnknownNameError(message) from None
        raise errors.unknown(what="device", asked=str(name_or_path), known=names()) from None
    return _load(path, changed)


def select(wanted: str | Path | Iterable[str | Path]) -> list[Profile]:
    """The devices that a list of names, classes and files stands for, in order, each once.

    Raises:
        UnknownNameError: a name is neither a device, nor a class, nor a file.
        InvalidValueError: two different devices bear one name.
    """
    chosen: dict[str, Profile] = {}
    for each in [wanted] if isinstance(wanted, str | Path) else wanted:
        for profile in _stands_for(each):
            earlier = chosen.setdefault(profile.name, profile)
            if earlier != profile:
                message = (
                    f"Two different devices are named {profile.name!r}: give the one in"
                    f" {str(each)!r} another name."
                )
                raise errors.InvalidValueError(message)
    return list(chosen.values())


def check(path: str | Path) -> list[str]:
    """Everything that is wrong with a profile file, one sentence each; empty if it is fine."""
    file = Path(path)
    try:
        text = _text(file)
    except errors.BrokenRecordError as error:
        return [str(error)]
    return reading.read(text, file.stem)[1]


def parse(text: str, where: str = "the uploaded profile") -> Profile:
    """A device from the text of a profile, under whatever name it bears."""
    return reading.parse(text, where)


def _directory() -> Path:
    return data_directory() / "hardware"


def _is_path(asked: str | Path) -> bool:
    text = str(asked)
    return isinstance(asked, Path) or text.endswith(".toml") or "/" in text or "\\" in text


def _path(asked: str | Path) -> Path:
    return Path(asked).expanduser() if _is_path(asked) else _directory() / f"{asked}.toml"


@lru_cache(maxsize=1024)
def _load(path: Path, _changed: int) -> Profile:
    return reading.parse(_text(path), path.name, path.stem)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        message = f"{path.name} is not a text in UTF-8."
    except OSError as error:
        message = f"{path.name} cannot be read: {error.strerror or error}."
    raise errors.BrokenRecordError(message)


def _stands_for(asked: str | Path) -> list[Profile]:
    if _is_path(asked):
        return [load(asked)]
    if asked in classes():
        profiles = [load(name) for name in names(include_reference=False)]
        return [p for p in profiles if asked in (EVERYTHING, p.architecture)]
    if asked not in names():
        known = [*names(), *classes()]
        raise errors.unknown(what="device or class", asked=str(asked), known=known)
    return [load(asked)]

"""Models of installed libraries by name: ``torchvision/resnet50``, ``timm/...``, ``transformers/...``.

No weights are loaded and nothing is downloaded: a model is built on ``meta`` from its library's code.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from characterize.errors import MissingExtraError, unknown
from characterize.models.zoos.zoo_model import ZooModel, installed_version

__all__ = ["LIBRARIES", "ZooModel", "zoo", "zoo_names"]

LIBRARIES: Final[Mapping[str, str]] = {
    "torchvision": "characterize.models.zoos.torchvision_zoo",
    "timm": "characterize.models.zoos.timm_zoo",
    "transformers": "characterize.models.zoos.transformers_zoo",
}
"""Libraries that models come from, and the module that knows each."""


def _adapter(library: str) -> Any:
    return importlib.import_module(LIBRARIES[library])


@cache
def _names(library: str) -> tuple[str, ...]:
    """Names without the library; the library itself may have to be imported for them."""
    installed_version(library)
    return tuple(sorted(_adapter(library).names()))


def zoo_names(query: str = "") -> list[str]:
    """Names of the models that can be built here, those that contain every word of ``query``.

    Libraries that are not installed have no models. A query that starts with a library's name and a
    slash imports no other library.
    """
    asked = query.strip().lower()
    prefix, slash, _ = asked.partition("/")
    libraries = [prefix] if slash and prefix in LIBRARIES else list(LIBRARIES)
    found = []
    for library in libraries:
        try:
            names = _names(library)
        except MissingExtraError:
            continue
        found += [f"{library}/{name}" for name in names]
    words = asked.split()
    return [name for name in found if all(word in name.lower() for word in words)]


def zoo(name: str) -> ZooModel:
    """The model of this name, ``library/model``.

    Raises:
        UnknownNameError: no such library, or no such model in it.
        MissingExtraError: the library is not installed.
    """
    library, slash, model = name.partition("/")
    if not slash or library not in LIBRARIES:
        raise unknown("model library", library, LIBRARIES)
    known = _names(library)
    if model not in known:
        raise unknown(f"model in {library}", model, known)
    described: ZooModel = _adapter(library).describe(model)
    return described

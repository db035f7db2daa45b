"""The families by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from characterize.errors import unknown
from characterize.models.catalogue import conv2d_stack, language, mlp, mobile, resnet, vision
from characterize.models.definition import Family

_CATALOGUES: Final = (conv2d_stack, mlp, resnet, mobile, vision, language)

_FAMILIES: Final[Mapping[str, Family]] = MappingProxyType(
    {family.name: family for catalogue in _CATALOGUES for family in catalogue.FAMILIES}
)


def families() -> Mapping[str, Family]:
    """Every family by its name, simple ones first."""
    return _FAMILIES


def family(name: str) -> Family:
    """The family of this name.

    Raises:
        UnknownNameError: there is no such family.
    """
    if name not in _FAMILIES:
        raise unknown("family", name, _FAMILIES, limit=len(_FAMILIES))
    return _FAMILIES[name]

"""Models by name: parametric families of our own, and the zoos of installed libraries.

A :class:`Family` has parameters that become sliders and sweep axes. A :class:`ZooModel` is a model of
torchvision, timm or transformers, built without weights. Both are described without torch and built
with it.
"""

from __future__ import annotations

from characterize.models.definition import Family, Rule, TensorSpec
from characterize.models.parameters import Parameter
from characterize.models.registry import families, family
from characterize.models.zoos import LIBRARIES, ZooModel, zoo, zoo_names

__all__ = [
    "LIBRARIES",
    "Family",
    "Parameter",
    "Rule",
    "TensorSpec",
    "ZooModel",
    "families",
    "family",
    "zoo",
    "zoo_names",
]

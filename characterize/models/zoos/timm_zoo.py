"""The models of timm, all of which take an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from characterize.models.definition import TensorSpec
from characterize.models.parameters import integer
from characterize.models.zoos.zoo_model import ZooModel, imported, installed_version

if TYPE_CHECKING:
    from torch import nn

_LIBRARY: Final = "timm"


def names() -> list[str]:
    """Every architecture, without the tags of its weights."""
    listed: list[str] = imported(_LIBRARY).list_models()
    return listed


def describe(name: str) -> ZooModel:
    """One model by name; its default size is that of its first published weights."""
    timm = imported(_LIBRARY)
    config = timm.get_pretrained_cfg(name)
    channels, height, width = config.input_size

    def shape(input_size: Any) -> tuple[Any, Any]:
        return (input_size, input_size * width // height)

    def make(input_size: int) -> nn.Module:
        # Models with learnt positions or windows are built for one size; the others take any.
        resized = config.fixed_input_size and input_size != height
        arguments = {"img_size": shape(input_size)} if resized else {}
        module: nn.Module = timm.create_model(name, pretrained=False, **arguments)
        return module

    def specs(batch: Any, input_size: Any) -> tuple[TensorSpec, ...]:
        return (TensorSpec("image", (batch, channels, *shape(input_size))),)

    what = (
        "Height and width" if height == width else f"Height (the width is {width}/{height} of it)"
    )
    sentence = f"{what} of the input image; the published weights take {height}."
    size = integer("input_size", height, 16, 2048, sentence, step=16, scale="log", unit="px")
    return ZooModel(
        name=f"{_LIBRARY}/{name}",
        title=name,
        summary=f"Image model of timm ({config.architecture or name}).",
        parameters=(size,),
        version=f"{_LIBRARY} {installed_version(_LIBRARY)}",
        make=make,
        input_specs=specs,
    )

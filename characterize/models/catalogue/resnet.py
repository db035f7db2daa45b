"""``resnet``: residual networks of the five published depths."""

from __future__ import annotations

from typing import Any, Final

from characterize.models.definition import Family, TensorSpec, image
from characterize.models.parameters import choice, classes, image_size, width_multiplier


def _image(batch: Any, input_size: Any, **_: Any) -> tuple[TensorSpec, ...]:
    return (image(batch, input_size),)


RESNET: Final = Family(
    name="resnet",
    title="ResNet",
    summary="Residual network of 18 to 152 layers (He et al. 2015), the stride in the 3x3 convolution.",
    parameters=(
        choice(
            "depth", 50, (18, 34, 50, 101, 152),
            "Layers with weights; from 50 on in bottleneck blocks.", unit="layers",
        ),
        width_multiplier(),
        image_size(224),
        classes(),
    ),
    network="resnet:ResNet",
    input_specs=_image,
)  # fmt: skip

FAMILIES: Final = (RESNET,)

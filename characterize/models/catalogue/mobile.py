"""``mobilenet``, ``efficientnet`` and the ``detector``: inverted residuals and their heads."""

from __future__ import annotations

from typing import Any, Final

from characterize.models.definition import Family, TensorSpec, image
from characterize.models.parameters import choice, classes, image_size, integer, width_multiplier


def _image(batch: Any, input_size: Any, **_: Any) -> tuple[TensorSpec, ...]:
    return (image(batch, input_size),)


MOBILENET: Final = Family(
    name="mobilenet",
    title="MobileNet",
    summary="Depthwise-separable convolutions (v1), in inverted residuals (v2), with "
    "squeeze-and-excitation and hard swish (v3).",
    parameters=(
        choice(
            "version", "v2", ("v1", "v2", "v3_small", "v3_large"), "The published architecture."
        ),
        width_multiplier(),
        image_size(224),
        classes(),
    ),
    network="mobilenet:mobilenet",
    input_specs=_image,
)

EFFICIENTNET: Final = Family(
    name="efficientnet",
    title="EfficientNet",
    summary="Inverted residuals scaled in width and depth together, b0 to b7; the lite variants "
    "without squeeze-and-excitation and with ReLU6.",
    parameters=(
        choice(
            "variant", "b0",
            ("b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7", "lite0", "lite1", "lite2", "lite3", "lite4"),
            "The published scaling of width and depth.",
        ),
        image_size(224),
        classes(),
    ),
    network="efficientnet:EfficientNet",
    input_specs=_image,
)  # fmt: skip

DETECTOR: Final = Family(
    name="detector",
    title="SSDLite detector",
    summary="MobileNet v3 with extra scales and a box and a class head on each of six feature maps; "
    "box decoding and suppression, which depend on the data, are left out.",
    parameters=(
        width_multiplier(),
        image_size(320),
        classes(91),
        integer("anchors", 6, 1, 32, "Boxes predicted at every position.", symbolic=True),
    ),
    network="detector:Detector",
    input_specs=_image,
)

FAMILIES: Final = (MOBILENET, EFFICIENTNET, DETECTOR)

"""``mlp`` and ``mlp_mixer``: networks of nothing but linear layers."""

from __future__ import annotations

from typing import Any, Final

from characterize.models.definition import Family, TensorSpec, image
from characterize.models.parameters import (
    activation,
    choice,
    classes,
    flag,
    image_size,
    layers,
    size,
)


def _vector(batch: Any, in_features: Any, **_: Any) -> tuple[TensorSpec, ...]:
    return (TensorSpec("features", (batch, in_features)),)


def _image(batch: Any, input_size: Any, **_: Any) -> tuple[TensorSpec, ...]:
    return (image(batch, input_size),)


MLP: Final = Family(
    name="mlp",
    title="Multilayer perceptron",
    summary="Linear layers with an activation between them.",
    parameters=(
        layers(3, 128, "Linear layers, the last one included.", name="depth"),
        size("width", 1024, 1, 65_536, "Features between the layers.", step=16, unit="features"),
        size("in_features", 784, 1, 262_144, "Features of the input.", unit="features"),
        size("out_features", 10, 1, 262_144, "Features of the output.", unit="features"),
        activation("relu"),
        flag("bias", True, "Whether layers add a bias."),
    ),
    network="mlp:MLP",
    input_specs=_vector,
)

MLP_MIXER: Final = Family(
    name="mlp_mixer",
    title="MLP-Mixer",
    summary="Perceptrons that mix the patches of an image and then their channels; by default "
    "Mixer-B/16. Pixels beyond the last whole patch are ignored.",
    parameters=(
        choice("patch", 16, (8, 14, 16, 32), "Height and width of a patch.", unit="px"),
        layers(12, 96, "Mixer blocks."),
        size("hidden", 768, 8, 8192, "Channels of a patch.", step=8, unit="channels"),
        size(
            "token_width", 384, 1, 16_384, "Hidden features of the perceptron that mixes patches."
        ),
        size("channel_width", 3072, 1, 65_536, "Hidden features of the one that mixes channels."),
        image_size(224),
        classes(),
    ),
    network="mlp:MLPMixer",
    input_specs=_image,
)

FAMILIES: Final = (MLP, MLP_MIXER)

"""``convnext``, ``unet``, ``vit`` and ``swin``."""

from __future__ import annotations

from typing import Any, Final

from characterize.models.definition import Family, Rule, TensorSpec, image, multiple_of
from characterize.models.parameters import (
    choice,
    classes,
    image_size,
    integer,
    layers,
    size,
    width_multiplier,
)


def _image(batch: Any, input_size: Any, **_: Any) -> tuple[TensorSpec, ...]:
    return (image(batch, input_size),)


def _image_of_channels(
    batch: Any, input_size: Any, in_channels: Any, **_: Any
) -> tuple[TensorSpec, ...]:
    return (image(batch, input_size, in_channels),)


CONVNEXT: Final = Family(
    name="convnext",
    title="ConvNeXt",
    summary="Convolutional network laid out like a transformer: large depthwise kernels, layer norm, "
    "perceptrons over channels (Liu et al. 2022).",
    parameters=(
        choice(
            "variant", "tiny", ("tiny", "small", "base", "large"),
            "The published depths and channel counts.",
        ),
        width_multiplier(),
        choice("kernel_size", 7, (3, 5, 7, 9, 11, 13), "Side of the depthwise kernels.", "px"),
        image_size(224),
        classes(),
    ),
    network="convnext:ConvNeXt",
    input_specs=_image,
)  # fmt: skip


def _halves(input_size: Any, depth: Any, decoder: Any) -> Any:
    exact = input_size % 2**depth == 0
    return (input_size >= 2**depth) & (exact | (decoder == "resize"))


def _explain_halves(input_size: int, depth: int, decoder: str) -> str:
    unit = 2**depth
    below = max(unit, input_size // unit * unit)
    return (
        f"with depth={depth} the image is halved {depth} times, so decoder={decoder} needs an "
        f"input_size that is a multiple of {unit} (decoder=resize: at least {unit}); {input_size} "
        f"was asked, near are {below} and {below + unit}."
    )


UNET: Final = Family(
    name="unet",
    title="U-Net",
    summary="Encoder and decoder with a skip connection at every scale, for segmentation "
    "(Ronneberger et al. 2015, with padding and batch norm).",
    parameters=(
        integer("depth", 4, 1, 7, "How often the image is halved and doubled.", unit="scales"),
        size(
            "base_channels", 64, 1, 512, "Channels at full size; doubled at every scale.",
            step=8, unit="channels",
        ),
        choice(
            "decoder", "transposed", ("transposed", "resize"),
            "How the decoder doubles the size: a transposed 2x2 convolution, or bilinear resizing "
            "and a 1x1 convolution.",
        ),
        size("in_channels", 3, 1, 256, "Channels of the input image.", unit="channels"),
        image_size(256),
        classes(2),
    ),
    network="unet:UNet",
    input_specs=_image_of_channels,
    rules=(Rule(("input_size", "depth", "decoder"), _halves, _explain_halves),),
)  # fmt: skip

VIT: Final = Family(
    name="vit",
    title="Vision transformer",
    summary="Transformer encoder over the patches of an image (Dosovitskiy et al. 2020); by default "
    "ViT-B/16. Pixels beyond the last whole patch are ignored.",
    parameters=(
        choice("patch", 16, (8, 14, 16, 32), "Height and width of a patch.", "px"),
        layers(12, 96, "Encoder layers."),
        size("hidden", 768, 8, 8192, "Channels of a token.", step=64, unit="channels"),
        size("heads", 12, 1, 128, "Attention heads; hidden is split among them.", unit="heads"),
        size("intermediate", 3072, 8, 65_536, "Hidden features of the perceptrons.", step=64),
        image_size(224),
        classes(),
    ),
    network="vit:VisionTransformer",
    input_specs=_image,
    rules=(multiple_of("hidden", "heads"),),
)

SWIN: Final = Family(
    name="swin",
    title="Swin transformer",
    summary="Attention inside shifted windows, at four scales (Liu et al. 2021).",
    parameters=(
        choice("variant", "tiny", ("tiny", "small", "base"), "The published depths and widths."),
        choice("window", 7, (4, 7, 8, 12, 14, 16), "Height and width of a window.", "tokens"),
        image_size(224, symbolic=False),
        classes(),
    ),
    network="swin:Swin",
    input_specs=_image,
)

FAMILIES: Final = (CONVNEXT, UNET, VIT, SWIN)

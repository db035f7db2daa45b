"""``conv2d_stack``: convolutions one after another, the smallest network worth tuning."""

from __future__ import annotations

from typing import Any, Final

from characterize.models.definition import Family, Rule, TensorSpec, image
from characterize.models.parameters import activation, flag, integer, layers, size

LARGEST_OUTPUT_PX: Final = 65_536
"""Transposed layers multiply the size; beyond this no image is meant."""


def output_size(
    input_size: Any, layers: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any,
    transposed: bool,
) -> list[Any]:  # fmt: skip
    """Height and width after every layer, in px.

    A convolution yields ``(size + 2 padding - dilation (kernel - 1) - 1) // stride + 1``, a
    transposed one the inverse, ``(size - 1) stride - 2 padding + dilation (kernel - 1) + 1``.
    """
    reach = dilation * (kernel_size - 1)
    sizes, current = [], input_size
    for _ in range(layers):
        if transposed:
            current = (current - 1) * stride - 2 * padding + reach + 1
        else:
            current = (current + 2 * padding - reach - 1) // stride + 1
        sizes.append(current)
    return sizes


_GEOMETRY: Final = (
    "input_size", "layers", "kernel_size", "stride", "padding", "dilation", "transposed",
)  # fmt: skip


def _fits(*geometry: Any) -> Any:
    result: Any = True
    for current in output_size(*geometry):
        result = result & (current >= 1) & (current <= LARGEST_OUTPUT_PX)
    return result


def _explain_size(input_size: int, layers: int, *geometry: Any) -> str:
    sizes = output_size(input_size, layers, *geometry)
    wrong = next(i for i, s in enumerate(sizes) if not 1 <= s <= LARGEST_OUTPUT_PX)
    if sizes[wrong] < 1:
        left = f"the image has shrunk to nothing after layer {wrong + 1} of {layers}"
        advice = "take a larger input_size or padding, or a smaller kernel_size, stride or dilation"
    else:
        left = f"the image has grown to {sizes[wrong]} px after layer {wrong + 1} of {layers}"
        advice = f"stay below {LARGEST_OUTPUT_PX} px with fewer layers or a smaller stride"
    return f"from input_size={input_size} {left}; {advice}."


def _explain_groups(channels: int, groups: int) -> str:
    divisors = [d for d in range(1, channels + 1) if channels % d == 0]
    near = min(divisors, key=lambda divisor: abs(divisor - groups))
    return (
        f"groups must divide channels; groups={groups} with channels={channels} was asked, the "
        f"nearest divisor is {near}."
    )


def _inputs(batch: Any, input_size: Any, in_channels: Any, **_: Any) -> tuple[TensorSpec, ...]:
    return (image(batch, input_size, in_channels),)


CONV2D_STACK: Final = Family(
    name="conv2d_stack",
    title="Conv2D stack",
    summary="Equal 2-D convolutions one after another; plain, grouped, depthwise-separable, dilated "
    "or transposed.",
    parameters=(
        layers(3, 128, "Convolutions one after another."),
        size("channels", 16, 1, 4096, "Output channels of every layer.", unit="channels"),
        size("in_channels", 3, 1, 4096, "Channels of the input image.", unit="channels"),
        integer(
            "input_size", 64, 1, 4096, "Height and width of the input image.",
            step=1, scale="log", symbolic=True, unit="px",
        ),
        integer("kernel_size", 3, 1, 15, "Height and width of the kernel.", unit="px"),
        integer("stride", 1, 1, 8, "Step between two kernel positions, in every layer.", unit="px"),
        integer("padding", 1, 0, 15, "Zeros added on each side of the image.", unit="px"),
        integer("dilation", 1, 1, 8, "Distance between two taps of the kernel.", unit="px"),
        integer(
            "groups", 1, 1, 1024,
            "Groups that the channels are split into; the first layer stays dense where groups does "
            "not divide in_channels.",
            scale="log",
        ),
        flag(
            "depthwise", False,
            "Depthwise-separable: each layer is a depthwise convolution and a 1x1 convolution.",
        ),
        flag("transposed", False, "Transposed convolutions, which enlarge the image by the stride."),
        flag("batch_norm", False, "Batch normalisation after every convolution."),
        activation("relu"),
        flag("bias", False, "Whether convolutions add a bias."),
    ),
    network="conv2d_stack:Conv2dStack",
    input_specs=_inputs,
    rules=(
        Rule(("channels", "groups"), lambda channels, groups: channels % groups == 0, _explain_groups),
        Rule(
            ("groups", "depthwise"),
            lambda groups, depthwise: (groups == 1) | (not depthwise),
            lambda groups, depthwise: (
                f"depthwise={str(depthwise).lower()} sets the groups itself; groups={groups} was "
                "asked, with depthwise only 1 is known."
            ),
        ),
        Rule(_GEOMETRY, _fits, _explain_size),
    ),
)  # fmt: skip

FAMILIES: Final = (CONV2D_STACK,)

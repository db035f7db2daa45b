"""The network of ``conv2d_stack``."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from characterize.models.networks.layers import Size, activations


class Conv2dStack(nn.Module):
    """Convolutions, each with its batch norm and activation."""

    def __init__(
        self,
        layers: int,
        channels: Size,
        in_channels: Size,
        kernel_size: int,
        stride: int,
        padding: int,
        dilation: int,
        groups: int,
        depthwise: bool,
        transposed: bool,
        batch_norm: bool,
        activation: str,
        bias: bool,
        **_: Any,
    ) -> None:
        super().__init__()
        kind = nn.ConvTranspose2d if transposed else nn.Conv2d

        def layer(entering: Size, leaving: Size, parts: Size, *, pointwise: bool) -> nn.Sequential:
            where: dict[str, Any] = (
                {"kernel_size": 1}
                if pointwise
                else {
                    "kernel_size": kernel_size,
                    "stride": stride,
                    "padding": padding,
                    "dilation": dilation,
                }
            )
            convolution = (nn.Conv2d if pointwise else kind)(
                entering, leaving, groups=parts, bias=bias, **where
            )
            norm = [nn.BatchNorm2d(leaving)] if batch_norm else []
            return nn.Sequential(convolution, *norm, *activations(activation))

        stack = []
        for index in range(layers):
            entering = channels if index else in_channels
            if depthwise:
                stack.append(layer(entering, entering, entering, pointwise=False))
                stack.append(layer(entering, channels, 1, pointwise=True))
            else:
                parts = groups if groups == 1 or entering % groups == 0 else 1
                stack.append(layer(entering, channels, parts, pointwise=False))
        self.layers = nn.Sequential(*stack)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """``[b, in_channels, s, s]`` to ``[b, channels, s', s']``."""
        return self.layers(image)

"""Blocks that several networks are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import nn

Size = Any
"""An ``int`` or a symbolic one; torch's own annotations do not know the latter."""

_ACTIVATIONS: Final[dict[str, Callable[[], nn.Module]]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "relu6": lambda: nn.ReLU6(inplace=True),
    "leaky_relu": lambda: nn.LeakyReLU(inplace=True),
    "gelu": nn.GELU,
    "silu": lambda: nn.SiLU(inplace=True),
    "hardswish": lambda: nn.Hardswish(inplace=True),
    "hardsigmoid": lambda: nn.Hardsigmoid(inplace=True),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}


def activations(name: str) -> list[nn.Module]:
    """The activation of this name as a list of one module, or of none for ``none``."""
    return [] if name == "none" else [_ACTIVATIONS[name]()]


def round_channels(channels: float, divisor: int = 8) -> int:
    """The multiple of ``divisor`` nearest to ``channels``, at least one and never 10 % too small.

    This is the rounding of the MobileNet papers' reference code, which every zoo follows.
    """
    nearest = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * channels else nearest


class ConvNormAct(nn.Sequential):
    """Convolution without bias, batch norm, activation; padded so that stride 1 keeps the size."""

    def __init__(
        self,
        in_channels: Size,
        out_channels: Size,
        kernel_size: int = 3,
        stride: int = 1,
        groups: Size = 1,
        activation: str = "relu",
    ) -> None:
        padding = (kernel_size - 1) // 2
        super().__init__(
            nn.Conv2d(
                in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False
            ),
            nn.BatchNorm2d(out_channels),
            *activations(activation),
        )


class SqueezeExcite(nn.Module):
    """Channels scaled by a gate that is computed from their means."""

    def __init__(self, channels: int, squeezed: int, activation: str, gate: str) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.act = activations(activation)[0]
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.gate = activations(gate)[0]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[b, c, h, w]`` scaled by ``[b, c, 1, 1]``."""
        scale = x.mean((2, 3), keepdim=True)
        return x * self.gate(self.fc2(self.act(self.fc1(scale))))


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of an image ``[b, c, h, w]``."""

    def __init__(self, channels: Size) -> None:
        super().__init__((channels,), eps=1e-6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise with channels last, where layer norm wants them, and move them back."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

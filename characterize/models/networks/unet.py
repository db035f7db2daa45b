"""The network of ``unet``."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from characterize.models.networks.layers import ConvNormAct, Size


def _two_convolutions(entering: Size, leaving: Size) -> nn.Sequential:
    return nn.Sequential(ConvNormAct(entering, leaving), ConvNormAct(leaving, leaving))


class Decode(nn.Module):
    """Doubles the size, halves the channels, joins the skip connection, convolves twice."""

    def __init__(self, channels: Size, decoder: str) -> None:
        super().__init__()
        self.resize = decoder == "resize"
        self.up: nn.Module = (
            nn.Conv2d(2 * channels, channels, 1)
            if self.resize
            else nn.ConvTranspose2d(2 * channels, channels, 2, 2)
        )
        self.convolutions = _two_convolutions(2 * channels, channels)

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """``[b, 2 c, s / 2, s / 2]`` and the skip ``[b, c, s, s]`` to ``[b, c, s, s]``."""
        if self.resize:
            x = functional.interpolate(x, size=skip.shape[2:], mode="bilinear")
        return self.convolutions(torch.cat((skip, self.up(x)), 1))


class UNet(nn.Module):
    """Encoder, decoder, and a 1x1 convolution to a class for every pixel."""

    def __init__(
        self,
        depth: int,
        base_channels: Size,
        decoder: str,
        in_channels: Size,
        classes: Size,
        **_: Any,
    ) -> None:
        super().__init__()
        channels = [base_channels * 2**scale for scale in range(depth + 1)]
        self.encoder = nn.ModuleList(
            map(_two_convolutions, [in_channels, *channels[:-1]], channels)
        )
        self.pool = nn.MaxPool2d(2)
        self.decoder = nn.ModuleList(Decode(count, decoder) for count in reversed(channels[:-1]))
        self.head = nn.Conv2d(base_channels, classes, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """``[b, in_channels, s, s]`` to ``[b, classes, s, s]``."""
        skips = [self.encoder[0](image)]
        for encode in list(self.encoder)[1:]:
            skips.append(encode(self.pool(skips[-1])))
        x = skips.pop()
        for decode in self.decoder:
            x = decode(x, skips.pop())
        return self.head(x)

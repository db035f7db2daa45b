"""The network of ``convnext``."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import nn

from characterize.models.networks.layers import ChannelNorm, Size, round_channels

VARIANTS: Final = {
    "tiny": ((3, 3, 9, 3), 96),
    "small": ((3, 3, 27, 3), 96),
    "base": ((3, 3, 27, 3), 128),
    "large": ((3, 3, 27, 3), 192),
}
"""Blocks in each stage and channels of the first (Liu et al. 2022, section 3)."""


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution, layer norm, perceptron over channels, learnt scale, shortcut."""

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            channels, channels, kernel_size, padding=kernel_size // 2, groups=channels
        )
        self.norm = nn.LayerNorm((channels,), eps=1e-6)
        self.expand = nn.Linear(channels, 4 * channels)
        self.act = nn.GELU()
        self.project = nn.Linear(4 * channels, channels)
        self.scale = nn.Parameter(torch.full((channels, 1, 1), 1e-6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[b, c, s, s]`` to the same."""
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.project(self.act(self.expand(y))).permute(0, 3, 1, 2)
        return x + self.scale * y


class ConvNeXt(nn.Module):
    """Patches of 4 px, four stages with 2x2 convolutions between them, classifier."""

    def __init__(
        self, variant: str, width: float, kernel_size: int, classes: Size, **_: Any
    ) -> None:
        super().__init__()
        depths, base = VARIANTS[variant]
        channels = [round_channels(base * width) * 2**stage for stage in range(len(depths))]
        features: list[nn.Module] = [nn.Conv2d(3, channels[0], 4, 4), ChannelNorm(channels[0])]
        for stage, blocks in enumerate(depths):
            if stage:
                features.append(ChannelNorm(channels[stage - 1]))
                features.append(nn.Conv2d(channels[stage - 1], channels[stage], 2, 2))
            features += [ConvNeXtBlock(channels[stage], kernel_size) for _ in range(blocks)]
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.norm = ChannelNorm(channels[-1])
        self.head = nn.Linear(channels[-1], classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """``[b, 3, s, s]`` to ``[b, classes]``."""
        return self.head(self.norm(self.avgpool(self.features(image))).flatten(1))

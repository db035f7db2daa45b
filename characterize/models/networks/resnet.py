"""The network of ``resnet``."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import nn

from characterize.models.networks.layers import Size, round_channels

STAGES: Final = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
"""Blocks in each of the four stages, by depth (He et al. 2015, table 1)."""


class Residual(nn.Module):
    """A block of convolutions with a shortcut, projected where the shape changes."""

    def __init__(self, entering: int, channels: int, stride: int, *, bottleneck: bool) -> None:
        super().__init__()
        leaving = channels * 4 if bottleneck else channels
        # (kernel, input channels, output channels, stride) of every convolution
        plan = (
            [(1, entering, channels, 1), (3, channels, channels, stride), (1, channels, leaving, 1)]
            if bottleneck
            else [(3, entering, channels, stride), (3, channels, leaving, 1)]
        )
        self.convolutions = len(plan)
        for index, (kernel, inward, outward, step) in enumerate(plan, 1):
            convolution = nn.Conv2d(inward, outward, kernel, step, kernel // 2, bias=False)
            self.add_module(f"conv{index}", convolution)
            self.add_module(f"bn{index}", nn.BatchNorm2d(outward))
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or entering != leaving:
            self.downsample = nn.Sequential(
                nn.Conv2d(entering, leaving, 1, stride, bias=False), nn.BatchNorm2d(leaving)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[b, entering, s, s]`` to ``[b, leaving, s / stride, s / stride]``."""
        y = x
        for index in range(1, self.convolutions + 1):
            y = self.get_submodule(f"bn{index}")(self.get_submodule(f"conv{index}")(y))
            y = self.relu(y) if index < self.convolutions else y
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)


class ResNet(nn.Module):
    """Stem, four stages of residual blocks, mean over the image, classifier."""

    def __init__(self, depth: int, width: float, classes: Size, **_: Any) -> None:
        super().__init__()
        bottleneck = depth >= 50
        base = round_channels(64 * width)
        self.conv1 = nn.Conv2d(3, base, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(base)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        entering = base
        for stage, blocks in enumerate(STAGES[depth]):
            channels = base * 2**stage
            made = []
            for block in range(blocks):
                stride = 2 if stage and block == 0 else 1
                made.append(Residual(entering, channels, stride, bottleneck=bottleneck))
                entering = channels * 4 if bottleneck else channels
            self.add_module(f"layer{stage + 1}", nn.Sequential(*made))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(entering, classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """``[b, 3, s, s]`` to ``[b, classes]``."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(image))))
        for stage in range(1, 5):
            x = self.get_submodule(f"layer{stage}")(x)
        return self.fc(self.avgpool(x).flatten(1))

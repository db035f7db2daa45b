"""The networks of ``mobilenet``: versions 1, 2 and 3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import torch
from torch import nn

from characterize.models.networks.inverted_residual import InvertedResidual, Plan
from characterize.models.networks.layers import ConvNormAct, Size, activations, round_channels

# Howard et al. 2017, table 1: (output channels, stride) of every depthwise-separable convolution.
_V1: Final = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *[(512, 1)] * 5,
    (1024, 2),
    (1024, 1),
)

# Sandler et al. 2018, table 2: expansion, output channels, blocks, stride of the first.
_V2: Final = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip

# Howard et al. 2019, tables 1 and 2: kernel, expanded, output channels, squeeze, activation, stride.
V3_LARGE: Final = (
    (3, 16, 16, False, "relu", 1), (3, 64, 24, False, "relu", 2), (3, 72, 24, False, "relu", 1),
    (5, 72, 40, True, "relu", 2), (5, 120, 40, True, "relu", 1), (5, 120, 40, True, "relu", 1),
    (3, 240, 80, False, "hardswish", 2), (3, 200, 80, False, "hardswish", 1),
    (3, 184, 80, False, "hardswish", 1), (3, 184, 80, False, "hardswish", 1),
    (3, 480, 112, True, "hardswish", 1), (3, 672, 112, True, "hardswish", 1),
    (5, 672, 160, True, "hardswish", 2), (5, 960, 160, True, "hardswish", 1),
    (5, 960, 160, True, "hardswish", 1),
)  # fmt: skip
V3_SMALL: Final = (
    (3, 16, 16, True, "relu", 2), (3, 72, 24, False, "relu", 2), (3, 88, 24, False, "relu", 1),
    (5, 96, 40, True, "hardswish", 2), (5, 240, 40, True, "hardswish", 1),
    (5, 240, 40, True, "hardswish", 1), (5, 120, 48, True, "hardswish", 1),
    (5, 144, 48, True, "hardswish", 1), (5, 288, 96, True, "hardswish", 2),
    (5, 576, 96, True, "hardswish", 1), (5, 576, 96, True, "hardswish", 1),
)  # fmt: skip


class ImageClassifier(nn.Module):
    """Features, mean over the image, classifier."""

    def __init__(self, features: Sequence[nn.Module], classifier: Sequence[nn.Module]) -> None:
        super().__init__()
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(*classifier)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """``[b, 3, s, s]`` to ``[b, classes]``."""
        return self.classifier(self.avgpool(self.features(image)).flatten(1))


def _version1(width: float, classes: Size) -> ImageClassifier:
    entering = round_channels(32 * width)
    features: list[nn.Module] = [ConvNormAct(3, entering, 3, 2)]
    for channels, stride in _V1:
        leaving = round_channels(channels * width)
        features.append(ConvNormAct(entering, entering, 3, stride, entering))
        features.append(ConvNormAct(entering, leaving, 1))
        entering = leaving
    return ImageClassifier(features, [nn.Linear(entering, classes)])


def _version2(width: float, classes: Size) -> ImageClassifier:
    entering = round_channels(32 * width)
    last = round_channels(1280 * max(1.0, width))
    features: list[nn.Module] = [ConvNormAct(3, entering, 3, 2, activation="relu6")]
    for expansion, channels, blocks, first_stride in _V2:
        leaving = round_channels(channels * width)
        for block in range(blocks):
            stride = 1 if block else first_stride
            expanded = entering * expansion
            features.append(InvertedResidual(Plan(3, entering, expanded, leaving, stride, "relu6")))
            entering = leaving
    features.append(ConvNormAct(entering, last, 1, activation="relu6"))
    return ImageClassifier(features, [nn.Linear(last, classes)])


def version3_features(
    table: Sequence[tuple[int, int, int, bool, str, int]], width: float, tail_divisor: int = 1
) -> list[nn.Module]:
    """Stem, inverted residuals and last 1x1 convolution of a version 3.

    ``tail_divisor`` 2 halves the channels of the last stage, as the paper does for detectors.
    """
    entering = round_channels(16 * width)
    features: list[nn.Module] = [ConvNormAct(3, entering, 3, 2, activation="hardswish")]
    first_of_tail = max(i for i, row in enumerate(table) if row[5] == 2)
    for index, (kernel, expanded, leaving, squeeze, activation, stride) in enumerate(table):
        # The stage's first expansion still belongs to the stage before it.
        wide = round_channels(expanded / (tail_divisor if index > first_of_tail else 1) * width)
        narrow = round_channels(leaving / (tail_divisor if index >= first_of_tail else 1) * width)
        squeezed = round_channels(wide // 4) if squeeze else 0
        features.append(
            InvertedResidual(Plan(kernel, entering, wide, narrow, stride, activation, squeezed))
        )
        entering = narrow
    features.append(ConvNormAct(entering, 6 * entering, 1, activation="hardswish"))
    return features


def _version3(
    table: Sequence[tuple[int, int, int, bool, str, int]],
    last: int,
    width: float,
    classes: Size,
) -> ImageClassifier:
    entering = 6 * round_channels(table[-1][2] * width)
    hidden = round_channels(last * width)
    head = [nn.Linear(entering, hidden), *activations("hardswish")]
    return ImageClassifier(version3_features(table, width), [*head, nn.Linear(hidden, classes)])


def mobilenet(version: str, width: float, classes: Size, **_: Any) -> ImageClassifier:
    """The network of this version."""
    if version == "v1":
        return _version1(width, classes)
    if version == "v2":
        return _version2(width, classes)
    table, last = (V3_SMALL, 1024) if version == "v3_small" else (V3_LARGE, 1280)
    return _version3(table, last, width, classes)

"""The network of ``detector``."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from characterize.models.networks.inverted_residual import InvertedResidual
from characterize.models.networks.layers import ConvNormAct, Size, round_channels
from characterize.models.networks.mobilenet import V3_LARGE, version3_features

_FOURTH_SCALE = 13
"""Index of the block that leaves the fourth scale (1/16) in a MobileNet v3 large's features."""


def _extra_scale(entering: int, leaving: int) -> nn.Sequential:
    """Half the size: project to half the channels, depthwise with stride 2, project."""
    middle = leaving // 2
    return nn.Sequential(
        ConvNormAct(entering, middle, 1, activation="relu6"),
        ConvNormAct(middle, middle, 3, 2, middle, "relu6"),
        ConvNormAct(middle, leaving, 1, activation="relu6"),
    )


def _head(channels: list[int], predictions: Size) -> nn.ModuleList:
    """One depthwise-separable prediction per feature map."""
    return nn.ModuleList(
        nn.Sequential(
            ConvNormAct(count, count, 3, 1, count, "relu6"), nn.Conv2d(count, predictions, 1)
        )
        for count in channels
    )


class Detector(nn.Module):
    """Six feature maps from 1/16 down, each with a class head and a box head.

    The first map is the expansion inside the block that leaves 1/16, as in the MobileNet papers.
    """

    def __init__(self, width: float, classes: Size, anchors: Size, **_: Any) -> None:
        super().__init__()
        features = version3_features(V3_LARGE, width, tail_divisor=2)
        leaving = features[_FOURTH_SCALE]
        assert isinstance(leaving, InvertedResidual)
        expansion, *rest = leaving.block
        fourth = round_channels(V3_LARGE[_FOURTH_SCALE - 1][1] * width)
        fifth = 6 * round_channels(V3_LARGE[-1][2] / 2 * width)
        extra = [round_channels(count * width) for count in (512, 256, 256, 128)]
        self.scales = nn.ModuleList(
            [
                nn.Sequential(*features[:_FOURTH_SCALE], expansion),
                nn.Sequential(*rest, *features[_FOURTH_SCALE + 1 :]),
                *map(_extra_scale, [fifth, *extra[:-1]], extra),
            ]
        )
        channels = [fourth, fifth, *extra]
        self.classes = classes
        self.class_heads = _head(channels, anchors * classes)
        self.box_heads = _head(channels, anchors * 4)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """``[b, 3, s, s]`` to scores ``[b, boxes, classes]`` and box offsets ``[b, boxes, 4]``."""
        scores, boxes = [], []
        for scale, class_head, box_head in zip(
            self.scales, self.class_heads, self.box_heads, strict=True
        ):
            image = scale(image)
            scores.append(self._rows(class_head(image), self.classes))
            boxes.append(self._rows(box_head(image), 4))
        return torch.cat(scores, 1), torch.cat(boxes, 1)

    @staticmethod
    def _rows(prediction: torch.Tensor, values: Size) -> torch.Tensor:
        """``[b, anchors * values, h, w]`` to ``[b, h * w * anchors, values]``."""
        batch, channels, height, width = prediction.shape
        rows = height * width * (channels // values)
        return prediction.permute(0, 2, 3, 1).reshape(batch, rows, values)

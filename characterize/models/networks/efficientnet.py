"""The network of ``efficientnet``."""

from __future__ import annotations

import math
from typing import Any, Final

from torch import nn

from characterize.models.networks.inverted_residual import InvertedResidual, Plan
from characterize.models.networks.layers import ConvNormAct, Size, round_channels
from characterize.models.networks.mobilenet import ImageClassifier

# Tan and Le 2019, table 1: expansion, kernel, stride of the first block, output channels, blocks.
_STAGES: Final = (
    (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4), (6, 3, 1, 320, 1),
)  # fmt: skip

SCALES: Final = {
    "b0": (1.0, 1.0), "b1": (1.0, 1.1), "b2": (1.1, 1.2), "b3": (1.2, 1.4), "b4": (1.4, 1.8),
    "b5": (1.6, 2.2), "b6": (1.8, 2.6), "b7": (2.0, 3.1),
    "lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2), "lite3": (1.2, 1.4),
    "lite4": (1.4, 1.8),
}  # fmt: skip
"""Factors on width and depth, by variant (the reference implementations of both papers)."""


class EfficientNet(ImageClassifier):
    """Stem, seven stages of inverted residuals, 1x1 convolution, classifier.

    The lite variants keep the width of stem and head and the depth of the first and last stage.
    """

    def __init__(self, variant: str, classes: Size, **_: Any) -> None:
        lite = variant.startswith("lite")
        width, depth = SCALES[variant]
        activation = "relu6" if lite else "silu"
        entering = 32 if lite else round_channels(32 * width)
        last = 1280 if lite else round_channels(320 * width) * 4
        features: list[nn.Module] = [ConvNormAct(3, entering, 3, 2, activation=activation)]
        for stage, (expansion, kernel, first_stride, channels, blocks) in enumerate(_STAGES):
            leaving = round_channels(channels * width)
            fixed = lite and stage in (0, len(_STAGES) - 1)
            for block in range(blocks if fixed else math.ceil(blocks * depth)):
                features.append(
                    InvertedResidual(
                        Plan(
                            kernel,
                            entering,
                            round_channels(entering * expansion),
                            leaving,
                            1 if block else first_stride,
                            activation,
                            squeezed=0 if lite else max(1, entering // 4),
                            squeeze_activation="silu",
                            gate="sigmoid",
                        )
                    )
                )
                entering = leaving
        features.append(ConvNormAct(entering, last, 1, activation=activation))
        super().__init__(features, [nn.Linear(last, classes)])

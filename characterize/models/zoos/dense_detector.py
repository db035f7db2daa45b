"""The parts of a torchvision detector whose work does not depend on what it finds."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class DenseDetector(nn.Module):
    """Backbone and dense head; of a detector in two stages also the box head, on given regions."""

    def __init__(self, detector: Any) -> None:
        super().__init__()
        self.backbone = detector.backbone
        self.two_stages = hasattr(detector, "rpn")
        self.head = detector.rpn.head if self.two_stages else detector.head
        if self.two_stages:
            self.box_head = detector.roi_heads.box_head
            self.box_predictor = detector.roi_heads.box_predictor

    def forward(self, image: torch.Tensor, regions: torch.Tensor | None = None) -> Any:
        """``[b, 3, s, s]`` and regions ``[r, c, 7, 7]`` to the predictions of every head."""
        features = self.backbone(image)
        maps = [features] if isinstance(features, torch.Tensor) else list(features.values())
        dense = self.head(maps)
        return (dense, self.box_predictor(self.box_head(regions))) if self.two_stages else dense

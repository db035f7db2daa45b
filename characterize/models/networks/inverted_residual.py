"""The inverted residual: expand, convolve each channel by itself, squeeze and excite, project."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from characterize.models.networks.layers import ConvNormAct, SqueezeExcite


@dataclass(frozen=True, slots=True)
class Plan:
    """One inverted residual; ``squeezed`` is 0 where there is no squeeze-and-excitation."""

    kernel: int
    entering: int
    expanded: int
    leaving: int
    stride: int
    activation: str
    squeezed: int = 0
    squeeze_activation: str = "relu"
    gate: str = "hardsigmoid"


class InvertedResidual(nn.Module):
    """One block, with a shortcut where neither size nor channels change."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.shortcut = plan.stride == 1 and plan.entering == plan.leaving
        parts: list[nn.Module] = []
        if plan.expanded != plan.entering:
            parts.append(ConvNormAct(plan.entering, plan.expanded, 1, activation=plan.activation))
        parts.append(
            ConvNormAct(
                plan.expanded,
                plan.expanded,
                plan.kernel,
                plan.stride,
                plan.expanded,
                plan.activation,
            )
        )
        if plan.squeezed:
            parts.append(
                SqueezeExcite(plan.expanded, plan.squeezed, plan.squeeze_activation, plan.gate)
            )
        parts.append(ConvNormAct(plan.expanded, plan.leaving, 1, activation="none"))
        self.block = nn.Sequential(*parts)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[b, entering, s, s]`` to ``[b, leaving, s / stride, s / stride]``."""
        return x + self.block(x) if self.shortcut else self.block(x)

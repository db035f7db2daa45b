"""The networks of ``mlp`` and ``mlp_mixer``."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from characterize.models.networks.layers import Size, activations


class MLP(nn.Module):
    """Linear layers with an activation after every one but the last."""

    def __init__(
        self,
        depth: int,
        width: Size,
        in_features: Size,
        out_features: Size,
        activation: str,
        bias: bool,
    ) -> None:
        super().__init__()
        features = [in_features, *[width] * (depth - 1), out_features]
        stack: list[nn.Module] = []
        for index in range(depth):
            stack.append(nn.Linear(features[index], features[index + 1], bias=bias))
            stack += activations(activation) if index < depth - 1 else []
        self.layers = nn.Sequential(*stack)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """``[b, in_features]`` to ``[b, out_features]``."""
        return self.layers(features)


class Perceptron(nn.Sequential):
    """Two linear layers with a GELU between them."""

    def __init__(self, features: Size, hidden: Size) -> None:
        super().__init__(nn.Linear(features, hidden), nn.GELU(), nn.Linear(hidden, features))


class MixerBlock(nn.Module):
    """Mixes patches, then channels, each with a residual connection."""

    def __init__(self, patches: Size, hidden: Size, token_width: Size, channel_width: Size) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm((hidden,), eps=1e-6)
        self.mlp_tokens = Perceptron(patches, token_width)
        self.norm2 = nn.LayerNorm((hidden,), eps=1e-6)
        self.mlp_channels = Perceptron(hidden, channel_width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[b, patches, hidden]`` to the same."""
        x = x + self.mlp_tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.mlp_channels(self.norm2(x))


class MLPMixer(nn.Module):
    """Patches, mixer blocks, mean over patches, classifier (Tolstikhin et al. 2021)."""

    def __init__(
        self,
        patch: int,
        layers: int,
        hidden: Size,
        token_width: Size,
        channel_width: Size,
        input_size: Size,
        classes: Size,
        **_: Any,
    ) -> None:
        super().__init__()
        side = (input_size - patch) // patch + 1
        self.stem = nn.Conv2d(3, hidden, patch, patch)
        self.blocks = nn.Sequential(
            *(MixerBlock(side * side, hidden, token_width, channel_width) for _ in range(layers))
        )
        self.norm = nn.LayerNorm((hidden,), eps=1e-6)
        self.head = nn.Linear(hidden, classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """``[b, 3, s, s]`` to ``[b, classes]``."""
        x = self.stem(image).flatten(2).transpose(1, 2)
        return self.head(self.norm(self.blocks(x)).mean(1))

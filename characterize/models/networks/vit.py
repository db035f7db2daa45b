"""The network of ``vit``."""

from __future__ import annotations

import torch
from torch import nn

from characterize.models.networks.attention import SelfAttention
from characterize.models.networks.layers import Size
from characterize.models.networks.mlp import Perceptron


class EncoderLayer(nn.Module):
    """Attention and a perceptron, each behind a layer norm and beside a shortcut."""

    def __init__(self, hidden: Size, heads: Size, intermediate: Size) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm((hidden,), eps=1e-6)
        self.attention = SelfAttention(hidden, heads)
        self.ln_2 = nn.LayerNorm((hidden,), eps=1e-6)
        self.mlp = Perceptron(hidden, intermediate)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[b, s, hidden]`` to the same."""
        x = x + self.attention(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class VisionTransformer(nn.Module):
    """Patches and a class token, learnt positions, encoder layers, classifier on the class token."""

    def __init__(
        self,
        patch: int,
        layers: int,
        hidden: Size,
        heads: Size,
        intermediate: Size,
        input_size: Size,
        classes: Size,
    ) -> None:
        super().__init__()
        side = (input_size - patch) // patch + 1
        self.patches = nn.Conv2d(3, hidden, patch, patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, hidden))
        self.positions = nn.Parameter(torch.zeros(1, side * side + 1, hidden))
        self.layers = nn.Sequential(
            *(EncoderLayer(hidden, heads, intermediate) for _ in range(layers))
        )
        self.norm = nn.LayerNorm((hidden,), eps=1e-6)
        self.head = nn.Linear(hidden, classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """``[b, 3, s, s]`` to ``[b, classes]``."""
        x = self.patches(image).flatten(2).transpose(1, 2)
        x = torch.cat((self.class_token.expand(image.shape[0], -1, -1), x), 1) + self.positions
        return self.head(self.norm(self.layers(x)).select(1, 0))

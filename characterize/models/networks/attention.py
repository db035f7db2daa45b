"""Attention and rotary positions, shared by the transformers."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from characterize.models.networks.layers import Size


def split_heads(x: torch.Tensor, heads: Size, head_size: Size) -> torch.Tensor:
    """``[b, s, heads * d]`` to ``[b, heads, s, d]``."""
    batch, sequence = x.shape[:2]
    return x.view(batch, sequence, heads, head_size).transpose(1, 2)


def join_heads(x: torch.Tensor) -> torch.Tensor:
    """``[b, heads, s, d]`` to ``[b, s, heads * d]``."""
    return x.transpose(1, 2).flatten(2)


class SelfAttention(nn.Module):
    """Every token attends to every token; one matrix product for queries, keys and values."""

    def __init__(self, hidden: Size, heads: Size) -> None:
        super().__init__()
        self.heads = heads
        self.head_size = hidden // heads
        self.inside = heads * self.head_size
        self.in_proj = nn.Linear(hidden, 3 * self.inside)
        self.out_proj = nn.Linear(self.inside, hidden)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[b, s, hidden]`` to the same."""
        batch, sequence = x.shape[:2]
        # [b, s, 3 h d] -> [3, b, h, s, d]
        parts = self.in_proj(x).view(batch, sequence, 3, self.heads, self.head_size)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        attended = functional.scaled_dot_product_attention(query, key, value)
        return self.out_proj(join_heads(attended))


def rotate(x: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    """Rotary position embedding: ``x [b, h, s, d]`` turned by the angles ``[s, d / 2]``."""
    first, second = x.chunk(2, -1)
    return torch.cat((first * cosine - second * sine, second * cosine + first * sine), -1)

"""The network of ``transformer_encoder``."""

from __future__ import annotations

from typing import Final

import torch
from torch import nn
from torch.nn import functional

from characterize.models.networks.attention import join_heads, split_heads
from characterize.models.networks.layers import Size

POSITIONS: Final = 512
"""Rows of BERT's position table (Devlin et al. 2018)."""

_EPSILON: Final = 1e-12


class Embeddings(nn.Module):
    """The sum of token, position and segment embeddings, normalised; every token in segment 0."""

    def __init__(self, vocab: Size, hidden: Size, sequence: Size) -> None:
        super().__init__()
        rows = max(POSITIONS, sequence)
        self.tokens = nn.Embedding(vocab, hidden)
        self.positions = nn.Parameter(torch.zeros(rows, hidden))
        self.segments = nn.Parameter(torch.zeros(2, hidden))
        self.norm = nn.LayerNorm((hidden,), eps=_EPSILON)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """``[b, s]`` to ``[b, s, hidden]``."""
        x = self.tokens(tokens) + self.positions.narrow(0, 0, tokens.shape[1]) + self.segments[0]
        return self.norm(x)


class EncoderLayer(nn.Module):
    """Attention and a perceptron, each with a shortcut and a layer norm behind it."""

    def __init__(self, hidden: Size, heads: Size, intermediate: Size) -> None:
        super().__init__()
        self.heads, self.head_size = heads, hidden // heads
        inside = heads * self.head_size
        self.query = nn.Linear(hidden, inside)
        self.key = nn.Linear(hidden, inside)
        self.value = nn.Linear(hidden, inside)
        self.output = nn.Linear(inside, hidden)
        self.attention_norm = nn.LayerNorm((hidden,), eps=_EPSILON)
        self.expand = nn.Linear(hidden, intermediate)
        self.act = nn.GELU()
        self.project = nn.Linear(intermediate, hidden)
        self.output_norm = nn.LayerNorm((hidden,), eps=_EPSILON)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[b, s, hidden]`` to the same."""
        query, key, value = (
            split_heads(layer(x), self.heads, self.head_size)
            for layer in (self.query, self.key, self.value)
        )
        attended = functional.scaled_dot_product_attention(query, key, value)
        x = self.attention_norm(x + self.output(join_heads(attended)))
        return self.output_norm(x + self.project(self.act(self.expand(x))))


class TransformerEncoder(nn.Module):
    """Embeddings, encoder layers, and a pooled first token (Devlin et al. 2018)."""

    def __init__(
        self,
        layers: int,
        hidden: Size,
        heads: Size,
        intermediate: Size,
        sequence: Size,
        vocab: Size,
    ) -> None:
        super().__init__()
        self.embeddings = Embeddings(vocab, hidden, sequence)
        self.layers = nn.Sequential(
            *(EncoderLayer(hidden, heads, intermediate) for _ in range(layers))
        )
        self.pooler = nn.Linear(hidden, hidden)

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """``[b, s]`` to ``[b, s, hidden]`` and the pooled first token ``[b, hidden]``."""
        x = self.layers(self.embeddings(tokens))
        return x, torch.tanh(self.pooler(x.select(1, 0)))

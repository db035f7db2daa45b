"""The network of ``transformer_decoder``."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import nn
from torch.nn import functional

from characterize.models.networks.attention import join_heads, rotate, split_heads
from characterize.models.networks.layers import Size

_ROTARY_BASE: Final = 10_000.0
"""Longest wavelength of the rotary positions over 2 pi (Su et al. 2021)."""


class CachedAttention(nn.Module):
    """Causal attention of the new tokens to the cached ones and to themselves."""

    def __init__(self, hidden: Size, heads: Size, kv_heads: Size) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_size = heads, kv_heads, hidden // heads
        self.query = nn.Linear(hidden, heads * self.head_size, bias=False)
        self.key = nn.Linear(hidden, kv_heads * self.head_size, bias=False)
        self.value = nn.Linear(hidden, kv_heads * self.head_size, bias=False)
        self.output = nn.Linear(heads * self.head_size, hidden, bias=False)

    def forward(
        self,
        x: torch.Tensor,
        angles: tuple[torch.Tensor, torch.Tensor],
        mask: torch.Tensor | None,
        cache: tuple[torch.Tensor, ...],
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """``[b, s, hidden]`` to the same, and the keys and values ``[b, kv, cached + s, d]``.

        A cache has room for the new tokens at its end, so that writing them there moves no others.
        """
        query = rotate(split_heads(self.query(x), self.heads, self.head_size), *angles)
        key = rotate(split_heads(self.key(x), self.kv_heads, self.head_size), *angles)
        value = split_heads(self.value(x), self.kv_heads, self.head_size)
        if cache:
            start = cache[0].shape[2] - x.shape[1]
            for whole, new in zip(cache, (key, value), strict=True):
                whole.narrow(2, start, x.shape[1]).copy_(new)
            key, value = cache
        attended = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=not cache, enable_gqa=True
        )
        return self.output(join_heads(attended)), key, value


class DecoderLayer(nn.Module):
    """Attention and a gated perceptron, each behind an RMS norm and beside a shortcut."""

    def __init__(self, hidden: Size, heads: Size, kv_heads: Size, intermediate: Size) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm((hidden,), eps=1e-6)
        self.attention = CachedAttention(hidden, heads, kv_heads)
        self.mlp_norm = nn.RMSNorm((hidden,), eps=1e-6)
        self.gate = nn.Linear(hidden, intermediate, bias=False)
        self.up = nn.Linear(hidden, intermediate, bias=False)
        self.down = nn.Linear(intermediate, hidden, bias=False)

    def forward(
        self,
        x: torch.Tensor,
        angles: tuple[torch.Tensor, torch.Tensor],
        mask: torch.Tensor | None,
        cache: tuple[torch.Tensor, ...],
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """``[b, s, hidden]`` to the same, and the layer's keys and values."""
        attended, key, value = self.attention(self.attention_norm(x), angles, mask, cache)
        x = x + attended
        y = self.mlp_norm(x)
        return x + self.down(functional.silu(self.gate(y)) * self.up(y)), key, value


class TransformerDecoder(nn.Module):
    """Token table, decoder layers, RMS norm, scores over the vocabulary (Touvron et al. 2023)."""

    def __init__(
        self,
        layers: int,
        hidden: Size,
        heads: Size,
        kv_heads: Size,
        intermediate: Size,
        vocab: Size,
        logits: str,
        **_: Any,
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocab, hidden)
        self.layers = nn.ModuleList(
            DecoderLayer(hidden, heads, kv_heads, intermediate) for _ in range(layers)
        )
        self.norm = nn.RMSNorm((hidden,), eps=1e-6)
        self.head = nn.Linear(hidden, vocab, bias=False)
        self.last_only = logits == "last"
        head_size = hidden // heads
        steps = torch.arange(0, head_size, 2) / head_size
        self.frequencies: torch.Tensor
        self.register_buffer("frequencies", _ROTARY_BASE**-steps, persistent=False)

    def forward(self, tokens: torch.Tensor, *cache: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """``[b, s]`` and two cache tensors a layer to scores ``[b, 1 or s, vocab]`` and all caches."""
        sequence = tokens.shape[1]
        cached = cache[0].shape[2] - sequence if cache else 0
        positions = torch.arange(cached, cached + sequence, device=tokens.device)
        angle = positions.unsqueeze(1) * self.frequencies
        angles = (angle.cos(), angle.sin())
        mask = None
        if cache and sequence > 1:
            # token i of the new ones sees everything up to position cached + i
            mask = torch.arange(cached + sequence, device=tokens.device) <= positions.unsqueeze(1)
        x, filled = self.tokens(tokens), []
        for index, layer in enumerate(self.layers):
            x, key, value = layer(x, angles, mask, cache[2 * index : 2 * index + 2])
            filled += [key, value]
        x = x.narrow(1, sequence - 1, 1) if self.last_only else x
        return self.head(self.norm(x)), *filled

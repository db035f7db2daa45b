"""The network of ``swin``."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import nn
from torch.nn import functional

from characterize.models.networks.layers import Size
from characterize.models.networks.mlp import Perceptron

VARIANTS: Final = {
    "tiny": ((2, 2, 6, 2), (3, 6, 12, 24), 96),
    "small": ((2, 2, 18, 2), (3, 6, 12, 24), 96),
    "base": ((2, 2, 18, 2), (4, 8, 16, 32), 128),
}
"""Blocks and heads of each stage, channels of the first (Liu et al. 2021, section 3.3)."""


def relative_positions(window: int) -> torch.Tensor:
    """For each pair of tokens in a window, the row of the bias table for their offset.

    The table has ``(2 window - 1) ** 2`` rows, one an offset; the result is ``[window ** 4]``.
    """
    row = torch.arange(window * window) // window
    column = torch.arange(window * window) % window
    vertical = row[:, None] - row[None, :] + window - 1
    horizontal = column[:, None] - column[None, :] + window - 1
    return (vertical * (2 * window - 1) + horizontal).flatten()


def shifted_mask(side: int, window: int, shift: int) -> torch.Tensor:
    """``[windows, tokens, tokens]``: -100 between tokens that only the shift made neighbours."""
    edge = torch.arange(side)
    band = (edge >= side - window).long() + (edge >= side - shift).long()
    region = band[:, None] * 3 + band[None, :]
    count = side // window
    region = region.view(count, window, count, window).transpose(1, 2).reshape(-1, window * window)
    return (region[:, :, None] != region[:, None, :]) * -100.0


class WindowAttention(nn.Module):
    """Attention among the tokens of each window of an image ``[b, side, side, c]``.

    The image is padded up to whole windows. Where ``shift`` is not 0, windows are laid half a
    window lower and further right, around the edges, and a mask parts what is not adjacent.
    """

    def __init__(self, channels: int, heads: int, side: int, window: int, shift: int) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.pad = -side % window
        self.side = side + self.pad
        self.shift = shift if self.side > window else 0
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.bias_index: torch.Tensor
        self.register_buffer("bias_index", relative_positions(window))
        self.mask: torch.Tensor | None
        mask = shifted_mask(self.side, window, self.shift) if self.shift else None
        self.register_buffer("mask", mask)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[b, side, side, c]`` to the same."""
        if self.pad:
            x = functional.pad(x, (0, 0, 0, self.pad, 0, self.pad))
        if self.shift:
            x = x.roll((-self.shift, -self.shift), (1, 2))
        batch, channels = x.shape[0], x.shape[3]
        count, window = self.side // self.window, self.window
        x = x.view(batch, count, window, count, window, channels).transpose(2, 3)
        x = self._attend(x.reshape(batch * count * count, window * window, channels))
        x = x.view(batch, count, count, window, window, channels).transpose(2, 3)
        x = x.reshape(batch, self.side, self.side, channels)
        if self.shift:
            x = x.roll((self.shift, self.shift), (1, 2))
        return x[:, : x.shape[1] - self.pad, : x.shape[2] - self.pad] if self.pad else x

    def _attend(self, x: torch.Tensor) -> torch.Tensor:
        """``[windows, tokens, c]`` to the same."""
        windows, length, channels = x.shape
        head_size = channels // self.heads
        parts = self.qkv(x).view(windows, length, 3, self.heads, head_size)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        scores = (query * head_size**-0.5) @ key.transpose(-2, -1)
        bias = self.bias_table[self.bias_index].view(length, length, self.heads)
        scores = scores + bias.permute(2, 0, 1)
        if self.mask is not None:
            kinds = self.mask.shape[0]
            scores = scores.view(windows // kinds, kinds, self.heads, length, length)
            scores = (scores + self.mask[:, None]).view(windows, self.heads, length, length)
        attended = scores.softmax(-1) @ value
        return self.proj(attended.transpose(1, 2).reshape(windows, length, channels))


class SwinBlock(nn.Module):
    """Window attention and a perceptron, each behind a layer norm and beside a shortcut."""

    def __init__(self, channels: int, heads: int, side: int, window: int, shift: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm((channels,))
        self.attention = WindowAttention(channels, heads, side, window, shift)
        self.norm2 = nn.LayerNorm((channels,))
        self.mlp = Perceptron(channels, 4 * channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[b, side, side, c]`` to the same."""
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class PatchMerging(nn.Module):
    """Four neighbours become one token of twice the channels; odd sides are padded by one."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm((4 * channels,))
        self.reduction = nn.Linear(4 * channels, 2 * channels, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[b, side, side, c]`` to ``[b, side / 2, side / 2, 2 c]``."""
        if x.shape[1] % 2:
            x = functional.pad(x, (0, 0, 0, 1, 0, 1))
        quarters = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.reduction(self.norm(torch.cat(quarters, -1)))


class Swin(nn.Module):
    """Patches of 4 px, four stages of blocks, every second one shifted, classifier."""

    def __init__(self, variant: str, window: int, input_size: int, classes: Size, **_: Any) -> None:
        super().__init__()
        depths, heads, channels = VARIANTS[variant]
        side = (input_size - 4) // 4 + 1
        self.patches = nn.Conv2d(3, channels, 4, 4)
        self.patch_norm = nn.LayerNorm((channels,))
        stages: list[nn.Module] = []
        for stage, blocks in enumerate(depths):
            if stage:
                stages.append(PatchMerging(channels))
                side, channels = (side + 1) // 2, channels * 2
            for block in range(blocks):
                shift = window // 2 if block % 2 else 0
                stages.append(SwinBlock(channels, heads[stage], side, window, shift))
        self.stages = nn.Sequential(*stages)
        self.norm = nn.LayerNorm((channels,))
        self.head = nn.Linear(channels, classes)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """``[b, 3, s, s]`` to ``[b, classes]``."""
        x = self.patch_norm(self.patches(image).permute(0, 2, 3, 1))
        return self.head(self.norm(self.stages(x)).mean((1, 2)))

"""The network of ``lstm``."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from characterize.models.networks.layers import Size


class LSTM(nn.Module):
    """Layers of LSTM cells, run as one operator.

    ``torch.nn.LSTM`` refuses symbolic sizes in its constructor, so the weights are made here; names
    and shapes are the same.
    """

    def __init__(
        self, layers: int, hidden: Size, in_features: Size, bidirectional: bool, **_: Any
    ) -> None:
        super().__init__()
        self.layers, self.hidden, self.bidirectional = layers, hidden, bidirectional
        self.directions = 2 if bidirectional else 1
        self.weight_names: list[str] = []
        for layer in range(layers):
            entering = self.directions * hidden if layer else in_features
            shapes = {
                "weight_ih": (4 * hidden, entering),
                "weight_hh": (4 * hidden, hidden),
                "bias_ih": (4 * hidden,),
                "bias_hh": (4 * hidden,),
            }
            for suffix in ("", "_reverse")[: self.directions]:
                for kind, shape in shapes.items():
                    name = f"{kind}_l{layer}{suffix}"
                    weight = nn.Parameter(torch.empty(shape))
                    nn.init.normal_(weight, std=0.02)
                    self.register_parameter(name, weight)
                    self.weight_names.append(name)

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """``[b, s, in_features]`` to ``[b, s, directions * hidden]``, last states and cells."""
        shape = (self.layers * self.directions, features.shape[0], self.hidden)
        start = features.new_zeros(shape)
        weights = [getattr(self, name) for name in self.weight_names]
        return torch.lstm(
            features,
            (start, start),
            weights,
            True,
            self.layers,
            0.0,
            False,
            self.bidirectional,
            True,
        )

"""Results of common operators without PyTorch's shape inference, which dominates a trace.

On ``meta`` a batch norm is decomposed in Python, element type promotion and broadcasting included:
a millisecond for a result that is shaped like its input. A shortcut answers only where the result
is plain to see, and leaves everything else, wrong shapes above all, to PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Shortcut = Callable[[tuple[Any, ...], dict[str, Any]], Any]
"""Takes what the operator takes; returns its result (a tensor or several), or ``None``."""


def _alike(args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.Tensor | None:
    """A function of each element: shaped, typed and laid out like the input."""
    source = args[0]
    if kwargs.get("dtype") is not None or not source.is_floating_point():
        return None
    return torch.empty_like(source)


def _same(args: tuple[Any, ...], _kwargs: dict[str, Any]) -> torch.Tensor | None:
    """A function of each element, in place."""
    source = args[0]
    return source if source.is_floating_point() else None


def _pair(args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.Tensor | None:
    """Arithmetic of two tensors that look the same."""
    first, second = args[0], args[1]
    if (
        kwargs
        or len(args) != 2
        or not isinstance(second, torch.Tensor)
        or first.shape != second.shape
        or first.dtype != second.dtype
        or first.stride() != second.stride()
    ):
        return None
    return torch.empty_like(first)


def _pair_in_place(args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.Tensor | None:
    first, second = args[0], args[1]
    if kwargs or not isinstance(second, torch.Tensor) or first.shape != second.shape:
        return None
    return first if first.dtype == second.dtype else None


def _batch_norm(args: tuple[Any, ...], _kwargs: dict[str, Any]) -> torch.Tensor | None:
    source, scale = args[0], args[1]
    if len(args) < 6 or args[5] or source.dim() < 2 or scale is None:
        return None
    return torch.empty_like(source) if scale.shape[0] == source.shape[1] else None


def _layer_norm(args: tuple[Any, ...], _kwargs: dict[str, Any]) -> torch.Tensor | None:
    source, shape = args[0], tuple(args[1])
    if tuple(source.shape[-len(shape) :]) != shape:
        return None
    return torch.empty_like(source, memory_format=torch.contiguous_format)


def _linear(args: tuple[Any, ...], _kwargs: dict[str, Any]) -> torch.Tensor | None:
    source, weight = args[0], args[1]
    if weight.dim() != 2 or source.dim() < 1 or source.shape[-1] != weight.shape[1]:
        return None
    if source.dtype != weight.dtype:
        return None
    return source.new_empty((*source.shape[:-1], weight.shape[0]))


def _lstm(
    args: tuple[Any, ...], _kwargs: dict[str, Any]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None:
    """``[b, s, i]`` to ``[b, s, directions * h]`` and last states, which PyTorch unrolls step by step."""
    if len(args) != 9 or not isinstance(args[1], list | tuple):  # a packed sequence
        return None
    source, (state, cell), weights, *_, bidirectional, batch_first = args
    if source.dim() != 3 or source.dtype != weights[0].dtype:
        return None
    if source.shape[2] != weights[0].shape[1]:
        return None
    features = (2 if bidirectional else 1) * state.shape[2]
    # PyTorch computes step after step and turns the result around where the batch comes first.
    first, second = (1, 0) if batch_first else (0, 1)
    result = source.new_empty((source.shape[first], source.shape[second], features))
    return (
        result.transpose(0, 1) if batch_first else result,
        state.new_empty(state.shape),
        cell.new_empty(cell.shape),
    )


def _resize(args: tuple[Any, ...], _kwargs: dict[str, Any]) -> torch.Tensor | None:
    """Resizing to a stated size; PyTorch infers it by gathering pixels, which symbols stop."""
    source = args[0]
    size = args[1] if len(args) > 1 else None
    if not isinstance(size, list | tuple) or len(size) != source.dim() - 2:
        return None
    if not source.is_floating_point() or not source.is_contiguous():
        return None
    return source.new_empty((*source.shape[:2], *size))


RESIZES = tuple(f"aten.upsample_{name}2d" for name in ("bilinear", "bicubic", "nearest"))

_ELEMENTWISE = [
    "relu",
    "gelu",
    "silu",
    "sigmoid",
    "hardswish",
    "hardsigmoid",
    "tanh",
    "relu6",
    "hardtanh",
    "elu",
    "leaky_relu",
    "mish",
    "selu",
    "softplus",
    "exp",
    "sqrt",
    "rsqrt",
    "neg",
    "abs",
    "sin",
    "cos",
    "erf",
]
_ARITHMETIC = ["add", "sub", "mul", "div"]

SHORTCUTS: dict[str, Shortcut] = {
    **{f"aten.{name}": _alike for name in _ELEMENTWISE},
    **{f"aten.{name}_": _same for name in _ELEMENTWISE},
    **{f"aten.{name}": _pair for name in _ARITHMETIC},
    **{f"aten.{name}_": _pair_in_place for name in _ARITHMETIC},
    "aten.softmax": _alike,
    "aten.batch_norm": _batch_norm,
    "aten.layer_norm": _layer_norm,
    "aten.linear": _linear,
    "aten.lstm": _lstm,
    **dict.fromkeys(RESIZES, _resize),
}
SYMBOLIC = frozenset({"aten.lstm", *RESIZES})
"""Shortcuts that bind no symbol, which the tracer of templates takes too."""

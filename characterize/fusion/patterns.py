"""The list of what each stack fuses, for the documentation and the dashboard."""

from __future__ import annotations

from dataclasses import dataclass

from characterize.fusion.stacks import stack_named
from characterize.records import Stack


@dataclass(frozen=True, slots=True)
class Pattern:
    """A fusion by name: the stacks that make it, and what happens."""

    name: str
    stacks: tuple[Stack, ...]
    sentence: str


_BOTH = (Stack.COMPILED, Stack.ENGINE)
_ENGINE = (Stack.ENGINE,)

_PATTERNS: tuple[Pattern, ...] = (
    Pattern("conv+bias, linear+bias", tuple(Stack), "The bias is the accumulator's start value."),
    Pattern(
        "conv+bn", (Stack.COMPILED,), "Inference batch norm scales and shifts the accumulator."
    ),
    Pattern("conv+bn(folded)", _ENGINE, "Batch norm vanishes into the weights and bias."),
    Pattern(
        "conv+relu", _BOTH, "Any elementwise activation, applied before the result is written."
    ),
    Pattern("conv+bn+relu", _BOTH, "Batch norm (folded in an engine), then the activation."),
    Pattern(
        "conv+add, conv+add+relu", _BOTH, "A residual is added by the later of its two producers."
    ),
    Pattern("conv+sigmoid", _BOTH, "Gates: sigmoid, hardsigmoid, tanh."),
    Pattern("conv+silu", _BOTH, "SiLU as one operator, or x * sigmoid(x) spelled out."),
    Pattern("conv+hardswish", _BOTH, "Hardswish, and relu6 or hardtanh."),
    Pattern(
        "linear+relu", _BOTH, "Any elementwise activation after a matrix product with weights."
    ),
    Pattern("linear+gelu", _BOTH, "GELU as one operator, or its tanh form spelled out."),
    Pattern("linear+add", _BOTH, "A residual is added by the later of its two producers."),
    Pattern(
        "bmm+mul", _ENGINE, "A matrix product of activations takes an epilogue in an engine only."
    ),
    Pattern(
        "pointwise xN", _BOTH, "A chain or a bush of elementwise operators over the same elements."
    ),
    Pattern(
        "add+layer_norm", _BOTH, "Elementwise prologue of a normalisation, softmax or reduction."
    ),
    Pattern(
        "layer_norm+mul", _BOTH, "Elementwise epilogue of a normalisation, softmax or reduction."
    ),
    Pattern(
        "pow+mean+add+rsqrt+mul", _BOTH, "A normalisation spelled out is one pass over its rows."
    ),
    Pattern("mul+add+softmax", _BOTH, "Scale and mask before a softmax."),
    Pattern("sibling loops", _BOTH, "Loops that read the same value over the same elements."),
    Pattern("hardsigmoid+mul", _BOTH, "A small operand is computed where it is broadcast."),
    Pattern("relu+max_pool2d", _BOTH, "A window computes again an operand that reads one value."),
    Pattern("attention+clone", _BOTH, "Heads are joined by the layout that attention writes."),
    Pattern("relu+cat", _BOTH, "A concatenation computes what it alone reads; nothing follows it."),
    Pattern(
        "weights only",
        _ENGINE,
        "What depends on weights alone is computed when the engine is built.",
    ),
    Pattern(
        "dw_conv+pw_conv",
        _BOTH,
        "A depthwise-separable pair, where asked for: `fuse(..., depthwise_separable=True)`.",
    ),
)


def patterns(stack: Stack | str | None = None) -> tuple[Pattern, ...]:
    """The fusions that a stack makes, or those of all stacks."""
    if stack is None:
        return _PATTERNS
    wanted = stack_named(stack)
    return tuple(pattern for pattern in _PATTERNS if wanted in pattern.stacks)

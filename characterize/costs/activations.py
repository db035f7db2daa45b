"""Activation functions, with the operations each is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from characterize.costs.registry import Work, cost_of
from characterize.records import Cost, KernelKind


@dataclass(frozen=True, slots=True)
class Activation:
    """Operations that one element takes, and the formula they are counted in."""

    operations: int
    transcendentals: int
    definition: str


ACTIVATIONS: Final[Mapping[str, Activation]] = MappingProxyType(
    {
        "aten.sigmoid": Activation(4, 1, "1 / (1 + exp(-x))"),
        "aten.silu": Activation(4, 1, "x / (1 + exp(-x))"),
        "aten.gelu": Activation(5, 1, "(0.5 * x) * (1 + erf(x * sqrt(1/2)))"),
        "aten.mish": Activation(4, 3, "x * tanh(log1p(exp(x)))"),
        "aten.softplus": Activation(5, 2, "log1p(exp(beta * x)) / beta, x over a threshold"),
        "aten.log_sigmoid": Activation(6, 2, "min(x, 0) - log1p(exp(-|x|))"),
        "aten.log_sigmoid_forward": Activation(6, 2, "min(x, 0) - log1p(exp(-|x|))"),
        "aten.logit": Activation(3, 1, "log(x / (1 - x))"),
        "aten.elu": Activation(4, 1, "x if x > 0, otherwise alpha * (exp(x) - 1)"),
        "aten.selu": Activation(5, 1, "scale * elu(x)"),
        "aten.celu": Activation(5, 1, "x if x > 0, otherwise alpha * (exp(x / alpha) - 1)"),
        "aten.relu6": Activation(2, 0, "min(max(x, 0), 6)"),
        "aten.hardtanh": Activation(2, 0, "min(max(x, low), high)"),
        "aten.hardsigmoid": Activation(4, 0, "min(max(x + 3, 0), 6) * (1/6)"),
        "aten.hardswish": Activation(5, 0, "x * min(max(x + 3, 0), 6) * (1/6)"),
        "aten.leaky_relu": Activation(2, 0, "x if x > 0, otherwise slope * x"),
        "aten.prelu": Activation(2, 0, "x if x > 0, otherwise weight * x"),
        "aten._prelu_kernel": Activation(2, 0, "x if x > 0, otherwise weight * x"),
        "aten.rrelu": Activation(2, 0, "x if x > 0, otherwise slope * x"),
        "aten.rrelu_with_noise": Activation(2, 0, "x if x > 0, otherwise slope * x"),
        "aten.hardshrink": Activation(2, 0, "x if |x| > bound, otherwise 0"),
        "aten.softshrink": Activation(3, 0, "x - bound, x + bound or 0"),
        "aten.glu": Activation(5, 1, "a * sigmoid(b), an element of the output"),
    }
)
_GELU_TANH: Final = Activation(9, 1, "0.5 * x * (1 + tanh(c * (x + d * x * x * x)))")


@cost_of(
    *ACTIVATIONS,
    table=(
        ("operator", "operations", "transcendentals", "definition"),
        *(
            (name, str(row.operations), str(row.transcendentals), row.definition)
            for name, row in ACTIVATIONS.items()
        ),
        (
            "aten.gelu, approximate tanh",
            str(_GELU_TANH.operations),
            str(_GELU_TANH.transcendentals),
            _GELU_TANH.definition,
        ),
    ),
)
def activation(work: Work) -> Cost:
    """Activation functions beyond ReLU.

    Shapes: input and output ``[*D]`` (glu halves one axis).

    Formula: vector_flops and transcendentals = (those of the table) * elements of the output.
        Negations, comparisons and products with constants count; constants of the function do not.

    Source: definitions in the reference of torch.nn.functional, written with the fewest operations.

    Example:
        >>> from characterize.costs import estimate
        >>> cost = estimate("aten.silu", {"self": (8, 32, 112, 112)}, (8, 32, 112, 112))
        >>> cost.vector_flops, cost.transcendentals  # 4 and 1 for each of 3211264
        (12845056, 3211264)
    """
    row = ACTIVATIONS[work.name.removesuffix("_")]
    if work.attributes.get("approximate") == "tanh":
        row = _GELU_TANH
    return Cost(
        kind=KernelKind.ELEMENTWISE,
        vector_flops=row.operations * work.elements,
        transcendentals=row.transcendentals * work.elements,
    )

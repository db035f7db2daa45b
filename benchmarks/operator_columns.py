"""Single operators as launched kernels: what published operator benchmarks timed, by shape.

Each is traced, fused and lowered as a network of one operator. `Shape` names it: the operator and
its sizes, in the order that its builder takes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import torch
from torch import nn
from torch.nn import functional

from characterize import features, fusion, tracing
from characterize.columns import KernelColumns
from characterize.records import Launching, Stack

Shape = tuple[Any, ...]


class Operator(nn.Module):
    """A function of its inputs and of parameters of the given shapes."""

    def __init__(self, function: Callable[..., Any], *shapes: tuple[int, ...]) -> None:
        super().__init__()
        self.function = function
        self.weights = nn.ParameterList(nn.Parameter(torch.empty(shape)) for shape in shapes)

    def forward(self, *inputs: torch.Tensor) -> Any:
        """The function of inputs and parameters."""
        return self.function(*inputs, *self.weights)


def launched(
    operator: Operator, *shapes: tuple[int, ...], stack: Stack = Stack.EAGER, whole: bool = False
) -> KernelColumns:
    """Launched kernels of an operator on inputs of the given shapes, of indices where ``whole``."""
    dtype = torch.int64 if whole else torch.float32
    inputs = [torch.empty(shape, dtype=dtype, device="meta") for shape in shapes]
    graph = tracing.trace(operator.to("meta").eval(), *inputs)
    kernels = features.columns(fusion.fuse(graph, stack=stack)).kernels
    found, _ = kernels.launched(Launching(split_bias=True))
    return found


def _norm(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return functional.layer_norm(x, x.shape[-1:], weight, bias)


def _gated(x: torch.Tensor) -> torch.Tensor:
    gate, value = x.chunk(2, -1)
    return functional.silu(gate) * value


def _root_mean_square(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return functional.rms_norm(x, x.shape[-1:], weight)


UNARY: Final[Mapping[str, Callable[..., Any]]] = {
    "relu": functional.relu,
    "gelu": functional.gelu,
    "tanh": torch.tanh,
    "powu": lambda x: x**2,
    "addu": lambda x: x + 1.5,
    "mulu": lambda x: x * 1.5,
    "divu": lambda x: x / 1.5,
    "softmax": lambda x: torch.softmax(x, -1),
}
BINARY: Final[Mapping[str, Callable[..., Any]]] = {
    "add": torch.add, "mul": torch.mul, "div": torch.div, "pow": torch.pow,
}  # fmt: skip


def kernels(shape: Shape) -> KernelColumns:
    """The launched kernels of an operator: ``("linear", rows, k, n)``, ``("relu", rows, width)``."""
    name, rows, *sizes = shape
    if name == "linear":
        k, n = sizes
        return launched(Operator(functional.linear, (n, k)), (rows, k))
    if name == "embedding":
        entries, width = sizes
        lookup = Operator(functional.embedding, (entries, width))
        return launched(lookup, (rows,), whole=True)
    if name == "rotary":  # one pass over queries and keys: a rotation needs both halves of a head
        heads, width = sizes
        turn = Operator(torch.mul)
        return launched(turn, (rows, heads, width), (rows, 1, width))
    (width,) = sizes
    if name == "ln":
        return launched(Operator(_norm, (width,), (width,)), (rows, width))
    if name == "rms":
        return launched(Operator(_root_mean_square, (width,)), (rows, width))
    if name == "gated":
        return launched(Operator(_gated), (rows, 2 * width), stack=Stack.COMPILED)
    if name == "add3":
        return launched(Operator(lambda a, b, c: a + b + c), *((rows, width),) * 3)
    if name in UNARY:
        return launched(Operator(UNARY[name]), (rows, width))
    return launched(Operator(BINARY[name]), (rows, width), (rows, width))


def table(shapes: Iterable[Shape]) -> dict[Shape, KernelColumns]:
    """The kernels of each distinct shape."""
    return {shape: kernels(shape) for shape in dict.fromkeys(shapes)}

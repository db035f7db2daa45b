"""Recurrent layers as one operator: LSTM, GRU and the plain cell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from characterize.costs.registry import Work, cost_of
from characterize.records import Cost, Count, Gemm, KernelKind


@dataclass(frozen=True, slots=True)
class Cell:
    """Arithmetic of one hidden unit in one time step, beside the matrix products."""

    gates: int  # rows of weight_hh, in hidden sizes
    operations: int
    transcendentals: int
    definition: str


CELLS: Final[Mapping[str, Cell]] = MappingProxyType(
    {
        "aten.lstm": Cell(
            4, 22, 5, "4 sums of two products, 3 sigmoids (4 each), 2 tanh, f*c + i*g, o*tanh(c)"
        ),
        "aten.gru": Cell(3, 16, 3, "2 sums, 2 sigmoids (4 each), r*h, a sum, tanh, (h - n)*z + n"),
        "aten.rnn_tanh": Cell(1, 2, 1, "a sum and tanh"),
        "aten.rnn_relu": Cell(1, 2, 0, "a sum and a maximum"),
    }
)


@cost_of(
    *CELLS,
    table=(
        ("operator", "gates", "operations", "transcendentals", "of one hidden unit in one step"),
        *(
            (name, *map(str, (cell.gates, cell.operations, cell.transcendentals)), cell.definition)
            for name, cell in CELLS.items()
        ),
    ),
)
def recurrent(work: Work) -> Cost:
    """Recurrent layers: stacked, bidirectional, projected, packed.

    Shapes: input ``[T, B, i]`` (``[B, T, i]`` batch first, ``[T, i]`` alone, ``[rows, i]`` packed);
        per layer and direction weights ``[G*h, i or D*o]``, ``[G*h, o]``, biases ``[G*h]`` and, if
        the state of h is projected to o, ``[o, h]``.

    Formula: macs = T * B * (elements of all weight matrices): each meets each time step once.
        vector_flops and transcendentals = T * B * layers * directions * h * (the cell's own, in the
        table). Biases are what accumulators start from. The matrix product is that of a step:
        T * layers * directions times m = B, n = G*h, k = o; it is a part of macs.

    Source: definitions in the reference of torch.nn.LSTM, GRU and RNN; 2 * macs is what
        torch.utils.flop_counter gives once they are decomposed.

    Example:
        >>> from characterize.costs import estimate
        >>> weights = [(20, 4), (20, 5), (20,), (20,)]  # G*h = 4*5, i = 4, h = 5
        >>> shapes = {"input": (7, 2, 4), "hx": [(1, 2, 5), (1, 2, 5)], "params": weights}
        >>> cost = estimate("aten.lstm", shapes, (7, 2, 5), (1, 2, 5), (1, 2, 5), num_layers=1)
        >>> cost.macs, cost.vector_flops  # 7*2 * (20*4 + 20*5) and 7*2 * 5 * 22
        (2520, 1540)
    """
    cell = CELLS[work.name]
    weights = work.every("params")
    matrices = [shape for shape in weights if len(shape) == 2]
    steps, batch = _steps_and_batch(work)
    hidden = weights[0][0] // cell.gates
    directions = 2 if work.attributes.get("bidirectional") else 1
    passes = work.attributes.get("num_layers", 1) * directions
    units = steps * batch * passes * hidden
    return Cost(
        kind=KernelKind.RECURRENT,
        macs=steps * batch * sum(math.prod(shape) for shape in matrices),
        vector_flops=cell.operations * units,
        transcendentals=cell.transcendentals * units,
        gemm=Gemm(m=batch, n=weights[0][0], k=weights[1][1], groups=steps * passes),
    )


def _steps_and_batch(work: Work) -> tuple[Count, Count]:
    """Time steps and sequences; a packed batch is all of its rows in steps of one."""
    packed = work.argument("data")
    if packed is not None:
        return packed[0], 1
    shape = work.required("input")
    if len(shape) == 2:
        return shape[0], 1
    return (shape[1], shape[0]) if work.attributes.get("batch_first") else (shape[0], shape[1])

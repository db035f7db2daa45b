"""What an operator costs: one formula for each, from shapes to operations and data moved.

``macs`` are multiply-accumulates of convolutions and matrix products, attention included; 2 * macs
is what ``torch.utils.flop_counter`` counts on ``meta``. ``vector_flops`` is one an element and
operation of everything else. A formula reads ranks, argument names and attributes, and computes
with ``+ - * //``, so that one formula serves a number and an array with one entry a configuration.
"""

from __future__ import annotations

from characterize.costs import (
    activations,
    attention,
    convolution,
    copies,
    detection,
    gather,
    interpolation,
    matmul,
    normalisation,
    pointwise,
    pooling,
    recurrent,
    reductions,
    sorting,
    spectral,
)
from characterize.costs.registry import (
    Estimator,
    Formula,
    Work,
    cost,
    cost_of,
    estimate,
    forget,
    formulas,
    kept_composites,
    price,
    priced,
    register_formula,
)

TOPICS = (
    convolution,
    matmul,
    attention,
    recurrent,
    normalisation,
    pointwise,
    activations,
    reductions,
    pooling,
    interpolation,
    gather,
    copies,
    sorting,
    spectral,
    detection,
)
"""The modules with the formulas of this package, in the order of the reference."""

__all__ = [
    "TOPICS",
    "Estimator",
    "Formula",
    "Work",
    "cost",
    "cost_of",
    "estimate",
    "forget",
    "formulas",
    "kept_composites",
    "price",
    "priced",
    "register_formula",
]

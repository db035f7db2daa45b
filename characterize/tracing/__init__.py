"""A PyTorch model, run once on tensors without data, as an operator graph.

Nothing is computed and no weights are allocated: everything lives on PyTorch's ``meta`` device.
With ``symbols`` the sizes that they name stay symbolic and the graph is a template.

Importing this package does not load torch; tracing does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from characterize.records import Graph

__all__ = ["trace", "trace_template"]


def trace(
    model: Any,
    *inputs: Any,
    keywords: Mapping[str, Any] | None = None,
    batch: int = 1,
    **parameters: Any,
) -> Graph:
    """The operator graph of a model, every operator with its cost.

    Args:
        model: the name of a family (``"resnet"``) or of a zoo model (``"timm/vit_base_patch16_224"``),
            ``path/to/file.py:factory``, an ``.onnx`` or ``.pt2`` file, or an ``nn.Module``, on the
            ``meta`` device or with weights.
        inputs: example inputs of an ``nn.Module``, on any device; only their shapes are used.
        keywords: example inputs that are passed by name.
        batch: samples that run together, for a model given by name.
        parameters: of the family or zoo model: ``depth=50``, ``input_size=224``.

    Raises:
        UnknownNameError: no such model, or the model has no such parameter.
        InvalidValueError: a parameter outside its range.
        TraceError: the model could not be run on tensors without data; says where and why.
    """
    if isinstance(model, str):
        from characterize.tracing import sources

        return sources.trace_name(model, batch, parameters)
    from characterize.tracing import modules

    return modules.trace_module(model, inputs, keywords or {})


def trace_template(
    name: str, parameters: Mapping[str, Any], symbols: Sequence[str], batch: int = 1
) -> Graph:
    """A family as a template: the parameters in ``symbols`` (and ``"batch"``) stay symbolic.

    ``parameters`` and ``batch`` are the sizes at which the trace is made: the branches that the
    model takes there become the template's guards.

    Raises:
        TraceError: the family cannot be traced with these symbols at these sizes.
    """
    from characterize.tracing import symbolic

    return symbolic.trace_family(name, parameters, tuple(symbols), batch)

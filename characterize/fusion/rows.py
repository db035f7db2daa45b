"""Rows: what a reduction, a normalisation or a softmax walks over, and who may share its walk."""

from __future__ import annotations

from collections.abc import Sequence

from characterize.fusion.facts import Facts
from characterize.fusion.shapes import Numel, broadcasts, numel, repeats_over
from characterize.fusion.tables import base_name
from characterize.records import Operator, Shape

Rows = tuple[object, ...]
"""What tells one way of reducing from another: reductions fuse only if theirs are equal."""


def rows_of(facts: Facts, index: int) -> Rows:
    """The rows that a reduction, normalisation or softmax works on.

    Rows that are contiguous are told by their number and length, so that a mean over ``[h, w]``
    and one over ``[h*w]`` are alike; others by shape and positions.
    """
    operator, shape = facts.graph.operators[index], facts.shape_in(index)
    groups = operator.attributes.get("num_groups", operator.attributes.get("group"))
    if groups is not None:
        return ("groups", shape, groups)
    reduced = reduced_dims(operator, shape)
    kept = [i for i in range(len(shape)) if i not in reduced and shape[i] != 1]
    inner = [i for i in reduced if shape[i] != 1]
    if not kept or not inner or max(kept) < min(inner):
        return (
            "contiguous",
            numel(tuple(shape[i] for i in kept)),
            numel(tuple(shape[i] for i in inner)),
        )
    squeezed = [i for i in range(len(shape)) if shape[i] != 1]
    return (
        "strided",
        tuple(shape[i] for i in squeezed),
        tuple(n for n, i in enumerate(squeezed) if i in reduced),
    )


def reduced_dims(operator: Operator, shape: Shape) -> tuple[int, ...]:
    """Positions of the dimensions that an operator reduces over, ascending."""
    name, attributes, rank = base_name(operator.name), operator.attributes, len(shape)
    if "normalized_shape" in attributes:
        return tuple(range(rank - len(attributes["normalized_shape"]), rank))
    if "group_norm" in name:
        return tuple(range(1, rank))  # within each group of channels, see `rows_of`
    if "instance_norm" in name:
        return tuple(range(2, rank))
    if "batch_norm" in name:
        return tuple(i for i in range(rank) if i != 1)
    if "adaptive" in name:
        return tuple(range(rank - int(name[-2]), rank))
    dims = attributes.get("dim")
    if dims is None or (isinstance(dims, Sequence) and not dims):
        return tuple(range(rank))
    listed = dims if isinstance(dims, Sequence) else (dims,)
    return tuple(sorted({int(dim) % rank for dim in listed})) if rank else ()


def outer_numel(facts: Facts, index: int) -> Numel:
    """How many rows a reduction works on."""
    shape = facts.shape_in(index)
    reduced = reduced_dims(facts.graph.operators[index], shape)
    return numel(tuple(dim for i, dim in enumerate(shape) if i not in reduced))


def spreads_rows(view: Shape, full: Shape, rows: Rows) -> bool:
    """Whether a value with one element a row is spread over its own rows of ``full``.

    ``x - mean`` is one pass only if the mean of a row meets the elements of that row.
    """
    if not broadcasts(view, full):
        return False
    over = repeats_over(view, full)
    kept = [i for i, dim in enumerate(full) if i not in over and dim != 1]
    if rows[0] == "groups":
        return False
    if rows[0] == "contiguous":
        trailing = not kept or not over or max(kept) < min(over)
        return trailing and numel(tuple(full[i] for i in kept)) == rows[1]
    squeezed = [i for i, dim in enumerate(full) if dim != 1]
    return (tuple(full[i] for i in squeezed), tuple(squeezed.index(i) for i in over)) == rows[1:]

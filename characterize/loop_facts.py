"""What decides how a processor runs a kernel besides its sizes: layouts, and pieces for threads.

TorchInductor's C++ loops and the convolutions that PyTorch calls for them differ in what these say:

- a 1x1 or depthwise convolution that reads tokens, or a channels-last value, through a permuted
  view is run in the other layout (``plain``): its input is copied and its output turned back;
- operators that move elements one by one are not vectorised (``rearranging``);
- a reduction over pixels leaves as many pieces for threads as it has channels or groups
  (``chunks``); the channels of a group lie side by side (``run``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from characterize.fusion.tables import base_name
from characterize.records import Count, Operator, Shape
from characterize.skeletons import Row
from characterize.symbols import Binder

_REARRANGE: Final = frozenset(
    ["cat", "stack", "constant_pad_nd", "reflection_pad2d", "pad", "roll", "repeat", "im2col",
     "col2im"]
)  # fmt: skip
_OVER_PIXELS: Final = frozenset(["mean", "sum", "adaptive_avg_pool2d"])
_LANES: Final = 16  # channels that one vector of a reduction over pixels takes


def loop_facts(row: Row, binder: Binder) -> dict[str, Any]:
    """The facts of one distinct kernel, by the name of their column."""
    names = [base_name(operator.name) for operator in row.operators]
    anchor = row.operators[row.anchor]
    found: dict[str, Any] = {
        "images": 0,
        "plain": 0,
        "rearranging": sum(name in _REARRANGE for name in names),
        "chunks": 0,
        "run": 0,
    }
    if base_name(anchor.name).startswith("conv"):
        found |= _convolution(row, binder)
    for name, operator in zip(names, row.operators, strict=True):
        if name in _OVER_PIXELS or name == "group_norm":
            found |= _reduction(row, name, operator, binder)
    return found


def _convolution(row: Row, binder: Binder) -> dict[str, Any]:
    inputs = [t for t in row.reads if not t.weight]
    weights = [t.value.shape for t in row.reads if t.weight and len(t.value.shape) > 2]
    if not inputs or not weights:
        return {}
    read, kernel = inputs[0], weights[0]
    ambiguous = kernel[1] == 1 or all(size == 1 for size in kernel[2:])
    turned = read.value is not read.source and turned_view(read.value.shape, read.source.shape)
    return {"images": binder.dim(read.value.shape[0]), "plain": int(ambiguous and turned)}


def turned_view(shape: Shape, source: Shape) -> bool:
    """Whether an image is a view of channels-last values or of tokens.

    >>> turned_view((1, 64, 7, 7), (1, 7, 7, 64)), turned_view((1, 64, 7, 7), (1, 49, 64))
    (True, True)
    >>> turned_view((1, 64, 7, 7), (1, 64, 49))
    False
    """
    if len(shape) != 4:
        return False
    if len(source) == 4:
        return (shape[1], shape[2], shape[3]) == (source[3], source[1], source[2])
    return len(source) == 3 and shape[1] == source[2] and shape[1] != source[1]


def _reduction(row: Row, name: str, operator: Operator, binder: Binder) -> dict[str, Any]:
    shapes: Iterable[Shape] = (t.value.shape for t in row.reads if not t.weight)
    images = [shape for shape in shapes if len(shape) == 4]
    if not images:
        return {}
    batch, channels = binder.dim(images[0][0]), binder.dim(images[0][1])
    if name != "group_norm":
        return {"chunks": batch * (-(-channels // _LANES))}
    groups: Count = binder.dim(operator.attributes.get("num_groups", 1))
    return {"chunks": batch * groups, "run": channels // groups}

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
from characterize.records import Count, Operator, Shape, Value
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
    view = read.value is not read.source
    plain = ambiguous and view and channels_innermost(read.value, read.source.shape)
    return {"images": binder.dim(read.value.shape[0]), "plain": int(plain)}


def channels_innermost(value: Value, source: Shape) -> bool:
    """Whether an image ``[b, c, h, w]`` is a view of channels-last values or of tokens.

    Either way its channels are what lies side by side: its order is (0, 2, 3, 1).
    """
    if len(value.shape) != 4 or len(source) not in (3, 4) or value.shape[1] != source[-1]:
        return False
    image = value.shape[2:]
    if len(source) == 4 and image != source[1:3]:
        return False
    *outer, inner = value.order or (0,)
    return (inner == 1 and outer == sorted(outer)) or (len(source) == 4 and image == (1, 1))


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

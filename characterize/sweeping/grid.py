"""The space of a sweep: axes, the topologies among them, and blocks of configurations.

A parameter that only scales sizes stays a symbol, so all of its values share a template; one that
changes the topology selects the template. A block is one topology and a run of sizes, as arrays.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from characterize import errors, models
from characterize.models import Family
from characterize.records import Precision, Stack

Sizes = dict[str, NDArray[np.int64]]
BLOCK = 1 << 16  # configurations: large enough for NumPy, small enough for caches and memory


@dataclass(frozen=True)
class Block:
    """A run of configurations of one topology, precision and stack.

    ``sizes`` has an array for every parameter that is a symbol, the batch among them.
    """

    index: int
    fixed: Mapping[str, Any]
    sizes: Sizes
    precision: str
    stack: Stack

    def __len__(self) -> int:
        return len(self.sizes["batch"])

    def configuration(self, position: int) -> dict[str, Any]:
        """Every family parameter of one configuration."""
        sizes = {k: int(v[position]) for k, v in self.sizes.items() if k != "batch"}
        return {**self.fixed, **sizes}


@dataclass(frozen=True)
class Grid:
    """All combinations of the axes over one family."""

    family: Family
    axes: Mapping[str, tuple[Any, ...]]  # every parameter and "batch", one value or more
    precisions: tuple[str, ...]
    stacks: tuple[Stack, ...]

    @property
    def open(self) -> tuple[str, ...]:
        """Axes whose values share a template."""
        symbolic = {p.name for p in self.family.parameters if p.symbolic}
        return (*(name for name in self.axes if name in symbolic), "batch")

    @property
    def configurations(self) -> int:
        """Combinations of family parameters, batch, precision and stack."""
        per_stack = math.prod(len(values) for values in self.axes.values())
        return per_stack * len(self.precisions) * len(self.stacks)

    def blocks(self, size: int = BLOCK) -> Iterator[Block]:
        """The whole space, in an order that never changes."""
        names = self.open
        fixed = [name for name in self.axes if name not in names]
        values = [np.asarray(self.axes[name], dtype=np.int64) for name in names]
        shape = tuple(len(v) for v in values)
        total = math.prod(shape)
        index = 0
        outer = itertools.product(self.stacks, self.precisions, *(self.axes[n] for n in fixed))
        for stack, precision, *chosen in outer:
            for start in range(0, total, size):
                places = np.unravel_index(np.arange(start, min(start + size, total)), shape)
                sizes = {n: v[p] for n, v, p in zip(names, values, places, strict=True)}
                yield Block(index, dict(zip(fixed, chosen, strict=True)), sizes, precision, stack)
                index += 1

    def description(self) -> dict[str, Any]:
        """What the sweep is of, in plain values: part of its key."""
        return {
            "family": self.family.name,
            "version": self.family.version,
            "axes": {name: list(values) for name, values in self.axes.items()},
            "precisions": list(self.precisions),
            "stacks": [stack.value for stack in self.stacks],
        }


def grid(
    family: str,
    axes: Mapping[str, Any],
    batch: Any = 1,
    precision: Any = "auto",
    stack: Any = "compiled",
) -> Grid:
    """The grid of a sweep; a value that stands alone is an axis of one.

    Values outside a parameter's own range are refused here; combinations that do not go together
    are left out when the sweep runs, and counted.

    Raises:
        UnknownNameError: an axis that the family does not have, an unknown choice or stack.
        InvalidValueError: a value outside its range, or an axis without values.
    """
    found = models.family(family)
    known = {parameter.name for parameter in found.parameters}
    for name in axes:
        if name not in known:
            raise errors.unknown(f"parameter of {family}", name, known)
    full: dict[str, tuple[Any, ...]] = {}
    for parameter in found.parameters:
        values = _several(parameter.name, axes.get(parameter.name, parameter.default))
        full[parameter.name] = tuple(
            dict.fromkeys(parameter.resolve(value, family) for value in values)
        )
    full["batch"] = tuple(dict.fromkeys(_whole(value) for value in _several("batch", batch)))
    return Grid(found, full, _precisions(precision), _stacks(stack))


def _precisions(asked: Any) -> tuple[str, ...]:
    names = tuple(str(value) for value in _several("precision", asked))
    for name in names:
        if name not in ("auto", *Precision):
            raise errors.unknown("precision", name, ["auto", *Precision])
    return names


def _stacks(asked: Any) -> tuple[Stack, ...]:
    names = [str(value) for value in _several("stack", asked)]
    for name in names:
        if name not in tuple(Stack):
            raise errors.unknown("stack", name, Stack)
    return tuple(Stack(name) for name in names)


def _several(name: str, values: Any) -> Sequence[Any]:
    if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
        return [values]
    found = list(values)
    if not found:
        msg = f"The axis {name} has no values."
        raise errors.InvalidValueError(msg)
    return found


def _whole(value: Any) -> int:
    try:
        size = int(value)
    except (TypeError, ValueError):
        size = 0
    if size < 1:
        msg = f"The batch is {value!r}; it is a whole number of samples from 1 on."
        raise errors.InvalidValueError(msg)
    return size

"""The space of a sweep: axes, the topologies among them, and blocks of configurations.

A parameter that only scales sizes stays a symbol, so all of its values share a template; one that
changes the topology selects the template. A block is one topology and a grid of sizes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from characterize import errors, models
from characterize.hardware.variation import Vary, variations
from characterize.models import Family
from characterize.records import Precision, Stack

Sizes = dict[str, Any]  # parameter -> an integer, or an array over the grid of a block
BLOCK = 1 << 16  # configurations: large enough for NumPy, small enough for caches and memory


@dataclass(frozen=True)
class Block:
    """A part of the space: one topology, precision and stack, and a grid of sizes.

    ``axes`` has the values of every parameter that is a symbol, the batch among them; configurations
    are counted through with the last axis running fastest.
    """

    index: int
    fixed: Mapping[str, Any]
    axes: Mapping[str, NDArray[np.int64]]
    precision: str
    stack: Stack

    def __len__(self) -> int:
        return math.prod(len(values) for values in self.axes.values())

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes that have more than one value; (1,) if none has."""
        return tuple(len(values) for values in self.axes.values() if len(values) > 1) or (1,)

    @property
    def sizes(self) -> Sizes:
        """Sizes over the grid: an integer for an axis of one value, else an array of one axis."""
        return mesh(self.axes)

    def part(self, mask: NDArray[np.bool_]) -> Sizes:
        """Sizes of the configurations where a mask over the grid holds.

        On a grid of their own where they make one, else as arrays with one entry a configuration.
        """
        several = [name for name, values in self.axes.items() if len(values) > 1]
        if not several:
            return self.sizes
        others = [tuple(k for k in range(mask.ndim) if k != axis) for axis in range(mask.ndim)]
        kept = [np.flatnonzero(mask.any(axis=along)) for along in others]
        if mask[np.ix_(*kept)].all():
            some = dict(zip(several, kept, strict=True))
            return mesh({n: v[some[n]] if n in some else v for n, v in self.axes.items()})
        places = dict(zip(several, np.nonzero(mask), strict=True))
        return {
            name: values[places[name]] if name in places else int(values[0])
            for name, values in self.axes.items()
        }

    def configuration(self, position: int) -> dict[str, Any]:
        """Every family parameter of one configuration, and the batch."""
        places = np.unravel_index(position, [len(values) for values in self.axes.values()])
        chosen = zip(self.axes.items(), places, strict=True)
        return {**self.fixed, **{name: int(values[place]) for (name, values), place in chosen}}


def mesh(axes: Mapping[str, NDArray[np.int64]]) -> Sizes:
    """Axes spread over the dimensions of a grid, one a dimension; one of a single value is a number.

    >>> [np.shape(v) for v in mesh({"a": np.arange(2), "b": np.arange(1), "c": np.arange(3)}).values()]
    [(2, 1), (), (1, 3)]
    """
    several = [name for name, values in axes.items() if len(values) > 1]
    found: Sizes = {}
    for name, values in axes.items():
        if name in several:
            shape = [1] * len(several)
            shape[several.index(name)] = len(values)
            found[name] = values.reshape(shape)
        else:
            found[name] = int(values[0])
    return found


@dataclass(frozen=True)
class Grid:
    """All combinations of the axes over one family."""

    family: Family
    axes: Mapping[str, tuple[Any, ...]]  # every parameter and "batch", one value or more
    precisions: tuple[str, ...]
    stacks: tuple[Stack, ...]
    vary: Vary = field(default_factory=dict)  # figures of hardware, and what they are tried at

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
        """The whole space, in an order that never changes; blocks of at most ``size``.

        Topologies at the same sizes follow each other, as kernels that they share are evaluated once.
        """
        fixed = [name for name in self.axes if name not in self.open]
        several = [self.stacks, *(self.axes[n] for n in fixed), self.precisions]
        index = 0
        for axes in _pieces(self._sizes(), size):
            for stack, *chosen, precision in itertools.product(*several):
                yield Block(index, dict(zip(fixed, chosen, strict=True)), axes, precision, stack)
                index += 1

    def _sizes(self) -> dict[str, NDArray[np.int64]]:
        """The axes that share a template; the longest runs fastest, which NumPy likes best."""
        names = sorted(self.open, key=lambda name: len(self.axes[name]))
        return {name: np.asarray(self.axes[name], dtype=np.int64) for name in names}

    def description(self) -> dict[str, Any]:
        """What the sweep is of, in plain values: part of its key."""
        return {
            "family": self.family.name,
            "version": self.family.version,
            "axes": {name: list(values) for name, values in self.axes.items()},
            "precisions": list(self.precisions),
            "stacks": [stack.value for stack in self.stacks],
            **(
                {"vary": {k: [str(v) for v in tried] for k, tried in self.vary.items()}}
                if self.vary
                else {}
            ),
        }


def _pieces(
    axes: Mapping[str, NDArray[np.int64]], size: int
) -> Iterator[dict[str, NDArray[np.int64]]]:
    """Grids of at most ``size`` that make up a grid: whole inner axes, runs of one, single outer ones."""
    names, inner = list(axes), 1
    while names and inner * len(axes[names[-1]]) <= size:
        inner *= len(axes[names.pop()])
    if not names:
        yield dict(axes)
        return
    cut = names.pop()
    runs = np.array_split(axes[cut], -(-len(axes[cut]) // max(1, size // inner)))
    for chosen in itertools.product(*(axes[name] for name in names)):
        single = {name: np.array([value]) for name, value in zip(names, chosen, strict=True)}
        for run in runs:
            yield {**axes, **single, cut: run}


def grid(
    family: str,
    axes: Mapping[str, Any],
    batch: Any = 1,
    precision: Any = "auto",
    stack: Any = "compiled",
    vary: Mapping[str, Any] | None = None,
) -> Grid:
    """The grid of a sweep; a value that stands alone is an axis of one.

    Values outside a parameter's own range are refused here; combinations that do not go together
    are left out when the sweep runs, and counted. ``vary`` tries figures of the hardware at other
    values: ``{"memory.bytes_per_s": ["x1", "x2"]}`` (:mod:`characterize.hardware.variation`).

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
    return Grid(found, full, _precisions(precision), _stacks(stack), variations(vary))


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

"""Kernels as columns: what an execution model reads, and what it answers.

Arrays have the shape ``[K, N]``: a row a distinct kernel, a column a configuration; ``N`` is 1 for
one model, and a quantity that does not vary over configurations may be ``[K, 1]``. A single model
is a sweep of one, so this is the only representation that the projection knows.

The configurations of a sweep lie on a grid: there ``N`` is ``A x B x ...``, one dimension an axis, and
a quantity has length 1 along the axes that it does not depend on. What depends on the channels
alone is then computed once a channel count. :meth:`KernelColumns.flat` makes ``[K, N]`` of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache, cached_property
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from characterize.records import Count, KernelKind, Launching, Precision

Array = NDArray[np.float64]
Grid = tuple[int, ...]
"""Lengths of the axes of configurations."""

KINDS: tuple[KernelKind, ...] = tuple(KernelKind)


_PER_SAMPLE = (
    "macs", "worked_macs", "vector_flops", "transcendentals", "input_elements", "other_elements",
    "output_elements", "fixed_read_bytes", "fixed_write_bytes", "intermediate_elements",
    "input_distance", "other_distance", "entering_elements",
    "sliced_elements", "turned_elements", "images", "chunks",
)  # fmt: skip


_WHOLE = ("grid", "extents", "lowerings", "cast")  # not by row
_WORTH_SPLITTING = 4096  # configurations from which two smaller evaluations cost less than one


_KEPT_ELEMENTS = 1 << 21  # answers x kernels x configurations
_FEW = 1024  # configurations below which a call for all rows costs less than a loop over them

Found = TypeVar("Found")


class Lowerings(Protocol):
    """Makes the columns of launched kernels when they are first asked for."""

    def launched(self, how: Launching) -> tuple[KernelColumns, Array]:
        """Columns of L launched kernels, and how many of each a fused kernel stands for."""


@cache
def _among(kinds: tuple[KernelKind, ...]) -> NDArray[np.bool_]:
    """Whether each of all kinds is one of these."""
    return np.array([kind in kinds for kind in KINDS])


def _none() -> Array:
    return np.zeros((1, 1))


def _never() -> Array:
    return np.full((1, 1), np.inf)


@dataclass(frozen=True)
class KernelColumns:
    """The features of K distinct kernels under N configurations.

    Element counts are of floating-point values, whose size follows the precision a device runs in;
    ``fixed_read_bytes`` and ``fixed_write_bytes`` are of integers and booleans, whose size does not.
    ``m, n, k, groups`` describe the kernel's matrix product (0 where it has none).
    """

    kind: NDArray[np.int64]  # [K] index into KINDS
    count: Array  # [K, 1] how often the kernel occurs
    macs: Array  # multiply-accumulates
    worked_macs: Array  # of them really done (a causal mask skips blocks), otherwise = macs
    vector_flops: Array  # all other arithmetic
    transcendentals: Array  # evaluations of exp, tanh, ... among vector_flops
    m: Array
    n: Array
    k: Array
    groups: Array
    kernel_area: Array  # kh * kw of a convolution, 1 elsewhere
    stride: Array  # largest stride of a convolution, 1 elsewhere
    input_elements: Array  # the largest activation read
    other_elements: Array  # the other activations read
    weight_elements: Array  # parameters, buffers and what is derived from them alone
    output_elements: Array
    fixed_read_bytes: Array
    fixed_write_bytes: Array
    intermediate_elements: Array  # made and used up inside the kernel: what fusion saved
    operators: Array  # [K, 1] operators in the kernel
    row_elements: Array = field(default_factory=_none)  # a row of a layer norm, 0 elsewhere
    masked: Array = field(default_factory=_none)  # [K, 1] 1 where attention reads a mask
    batch_norms: Array = field(default_factory=_none)  # [K, 1] batch norms in the kernel
    derived: Array = field(default_factory=_none)  # [K, 1] 1 where it works on weights alone
    computed_weights: Array = field(default_factory=_none)  # 1 where the model computes weights
    beside_grouped: Array = field(default_factory=_none)  # 1 where it has grouped convolutions
    input_distance: Array = field(default_factory=_never)  # elements moved since the touch of
    other_distance: Array = field(default_factory=_never)  # the largest and the other inputs
    input_weight_distance: Array = field(default_factory=_none)  # weights moved since then
    other_weight_distance: Array = field(default_factory=_none)
    sliced_elements: Array = field(default_factory=_none)  # read of part of a larger value
    turned_elements: Array = field(default_factory=_none)  # read across their order in memory
    images: Array = field(default_factory=_none)  # that a convolution reads, 0 elsewhere
    plain: Array = field(default_factory=_none)  # [K, 1] 1: a convolution of a permuted view
    rearranging: Array = field(default_factory=_none)  # [K, 1] operators that move single elements
    chunks: Array = field(default_factory=_none)  # pieces for threads that a reduction leaves, or 0
    run: Array = field(default_factory=_none)  # channels of a group of a group norm, 0 elsewhere
    entering_elements: Array = field(default_factory=_none)  # [1, N] the network's inputs
    kernel_extent: Array = field(
        default_factory=_none
    )  # the longest side of a convolution's kernel
    grid: tuple[int, ...] | None = None  # lengths of the axes, N altogether; None: made by hand
    extents: tuple[Grid, ...] | None = (
        None  # by row, lengths of the axes that it depends on, else 1
    )
    lowerings: Lowerings | None = field(default=None, repr=False, compare=False)
    cast: bool = False  # fp16 is autocast whatever that costs, as it was where a network was timed

    @cached_property
    def _known(self) -> dict[Hashable, Any]:
        return {}

    def once(self, key: Hashable, make: Callable[[], Found]) -> Found:
        """What ``make`` answers; it must not depend on ``count``.

        It is asked once, as long as the answers (of many devices, perhaps) do not fill the memory.
        """
        found: Found | None = self._known.get(key)
        if found is None:
            found = make()
            elements = len(self.kind) * math.prod(self.grid or (1,))
            if (1 + len(self._known)) * elements <= _KEPT_ELEMENTS:
                self._known[key] = found
        return found

    def counted(self, count: Array, **changes: Any) -> KernelColumns:
        """The same kernels at another multiplicity: what was computed of each of them stays."""
        same = replace(self, count=count, **changes)
        same.__dict__["_known"] = self._known
        return same

    @property
    def repeats(self) -> Array:
        """How often each kernel occurs, ``[K, 1]`` on any grid."""
        return self.count.reshape(len(self.kind), 1)

    def flat(self, array: Any) -> Any:
        """An array over the grid as ``[K, N]``; one that is that already stays as it is."""
        rows = len(self.kind)
        if self.grid is None:
            return np.broadcast_to(array, (rows, array.shape[1]))
        if array.ndim == 2 and array.shape == (rows, math.prod(self.grid)):
            return array
        if array.ndim > 2 and array.size == len(array):  # the same in all configurations
            array = array.reshape(-1, 1)
        if array.ndim > 2:
            return np.broadcast_to(array, (rows, *self.grid)).reshape(rows, -1)
        return np.broadcast_to(array, (rows, math.prod(self.grid)))

    @property
    def width(self) -> Array:
        """Channels that one element of a convolution's result is of: those of its group."""
        return self.k / np.maximum(self.kernel_area, 1.0)

    def launched(self, how: Launching) -> tuple[KernelColumns, Array | None]:
        """What PyTorch launches for these kernels, and shares ``[K, L]`` of launched per fused.

        Columns made by hand are taken to be what is launched; their shares are None.
        """
        if self.lowerings is None:
            return self, None
        return self.lowerings.launched(how)

    def by_extent(self) -> list[tuple[NDArray[np.int64], KernelColumns]]:
        """The rows in groups, those that depend on few axes only without the others."""
        return self.once("by extent", self._by_extent)

    def _by_extent(self) -> list[tuple[NDArray[np.int64], KernelColumns]]:
        every = np.arange(len(self.kind))
        if self.grid is None or self.extents is None or math.prod(self.grid) < _WORTH_SPLITTING:
            return [(every, self)]
        groups: dict[Grid, list[int]] = {}
        for row, extent in enumerate(self.extents):
            small = 2 * math.prod(extent) <= math.prod(self.grid)
            groups.setdefault(extent if small else self.grid, []).append(row)
        if len(groups) == 1 and self.grid in groups:
            return [(every, self)]
        index = {extent: np.array(rows) for extent, rows in groups.items()}
        return [(rows, self.rows(rows, extent)) for extent, rows in index.items()]

    def rows(self, index: NDArray[np.int64], extent: Grid | None = None) -> KernelColumns:
        """Some of the kernels, by row; only the first entry of axes whose extent is 1."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _WHOLE}
        rows = len(self.kind)
        first = tuple(slice(0, 1) if length == 1 else slice(None) for length in extent or ())

        chosen = _progression(index)  # a view where that is possible

        def some_of(array: Any) -> Any:
            part = array[:, *first] if array.ndim == len(first) + 1 else array
            return part[chosen] if len(part) == rows else part

        once = {id(v): some_of(v) for v in own.values()}  # equal stays the same
        some = {k: once[id(v)] for k, v in own.items()}
        return KernelColumns(**some, grid=self.grid)

    def batched(self, factor: Array | float) -> KernelColumns:
        """The same kernels for ``factor`` times the batch; work on weights alone stays as it is.

        Exact wherever a batch only multiplies the activations: rows of a product with weights,
        the number of products of activations.
        """
        scale = np.where(self.derived > 0, 1.0, factor)
        activations = self.is_kind(KernelKind.MATMUL, KernelKind.ATTENTION)
        changed = {name: getattr(self, name) * scale for name in _PER_SAMPLE}
        changed["m"] = np.where(activations, self.m, self.m * scale)
        changed["groups"] = np.where(activations, self.groups * scale, self.groups)
        own = None if self.lowerings is None else _Batched(self.lowerings, factor)
        one = (
            self.grid is not None and math.prod(self.grid) == 1
        )  # now as many as there are factors
        grid = (np.size(factor),) if one else self.grid
        return replace(self, lowerings=own, grid=grid, extents=None, **changed)

    @property
    def flops(self) -> Array:
        """All arithmetic, two a multiply-accumulate."""
        return 2.0 * self.macs + self.vector_flops

    def memory_bytes(self, precision: Precision) -> Array:
        """Bytes a kernel must move if nothing is reused between kernels."""
        return self.once(("memory_bytes", precision.bytes), lambda: self._bytes(precision.bytes))

    def _bytes(self, size: float) -> Array:
        elements = self.once(
            "elements",
            lambda: (
                (self.input_elements + self.output_elements)
                + (self.other_elements + self.weight_elements)
            ),
        )
        fixed = self.fixed_read_bytes + self.fixed_write_bytes
        return elements * size + fixed if fixed.any() else elements * size

    def is_kind(self, *kinds: KernelKind) -> NDArray[np.bool_]:
        """``[K, 1]`` mask of the kernels of these kinds."""
        mask: NDArray[np.bool_] = _among(kinds)[self.kind]
        return mask.reshape(self.count.shape)


def _progression(index: NDArray[np.int64]) -> NDArray[np.int64] | slice:
    """Indices as a slice where they ascend by equal steps."""
    if not len(index):
        return index
    first, last = int(index[0]), int(index[-1])
    step = (last - first) // (len(index) - 1) if len(index) > 1 else 1
    same = step > 0 and bool((index == first + step * np.arange(len(index))).all())
    return slice(first, last + 1, step) if same else index


def weighted(weights: Array, rows: Array) -> Array:
    """The sum of rows ``[K, N]``, each times its weight (``[K]`` or ``[K, 1]``): ``[N]``."""
    flat = weights.reshape(-1)
    if rows.shape[1] < _FEW:
        return np.asarray(flat @ rows)
    total: Array = flat[0] * rows[0]
    for weight, row in zip(flat[1:], rows[1:], strict=True):
        total += weight * row
    return total


class Recent:
    """What was made last, under its key: so much of it as has at most ``most`` elements a quantity.

    Not more, because every device keeps a dozen quantities or two of it.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[Hashable, tuple[Any, int]] = {}

    def get(self, key: Hashable, elements: int, make: Callable[[], Found]) -> Found:
        """What ``make`` answered for the key the last time, if that is still here."""
        found: Found
        found, _ = self._known.pop(key, (None, 0))
        if found is None:
            found = make()
        if elements <= self._most:
            self._known[key] = (found, elements)  # the end
        while sum(size for _, size in self._known.values()) > self._most:
            del self._known[next(iter(self._known))]
        return found


def positive(*arrays: Array) -> bool:
    """Whether all entries are above 0: cheap to ask of factors, dear of their product."""
    return all(array.min(initial=1.0) > 0 for array in arrays)


@dataclass(frozen=True)
class _Batched:
    """Launched kernels at another batch."""

    lowerings: Lowerings
    factor: Array | float

    def launched(self, how: Launching) -> tuple[KernelColumns, Array]:
        """Columns of L launched kernels, and how many of each a fused kernel stands for."""
        found, shares = self.lowerings.launched(how)
        return found.batched(self.factor), shares


@dataclass(frozen=True)
class KernelEstimate:
    """What an execution model answers, ``[K, N]``, for one occurrence of each kernel.

    ``latency_s`` is at least each of its three parts; how they overlap is the model's business.
    Energy here is dynamic; static energy is idle power times the whole latency, added once.
    """

    latency_s: Array
    compute_s: Array
    memory_s: Array
    overhead_s: Array
    tiles: Array
    compute_energy_j: Array
    memory_energy_j: Array

    def flat(self, columns: KernelColumns) -> KernelEstimate:
        """The same with every array ``[K, N]``."""
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        flat = {name: columns.flat(array) for name, array in own.items()}
        if all(flat[name] is array for name, array in own.items()):
            return self
        return KernelEstimate(**flat)

    @cached_property
    def energy_j(self) -> Array:
        """Dynamic energy of each kernel."""
        return self.compute_energy_j + self.memory_energy_j

    @cached_property
    def bound_s(self) -> tuple[Array, Array, Array]:
        """The latency of each kernel where compute, memory or launch binds it, 0 where it does not."""
        compute, memory, launch = self.compute_s, self.memory_s, self.overhead_s
        by_compute = (compute >= memory) & (compute >= launch)
        by_memory = ~by_compute & (memory >= launch)
        by_launch = ~(by_compute | by_memory)
        latency = self.latency_s
        return latency * by_compute, latency * by_memory, latency * by_launch


def spread(value: Count, grid: Grid | None) -> Array:
    """One entry a configuration, ``[N]``, of what may depend on some axes of a grid only."""
    if grid is None:
        return np.asarray(value, dtype=np.float64).reshape(-1)
    return np.broadcast_to(np.asarray(value, dtype=np.float64), grid).reshape(-1)


def on_grid(value: Count, grid: Grid) -> Array:
    """A value that may depend on some axes only, with all dimensions of the grid."""
    array = np.asarray(value, dtype=np.float64)
    return array if array.ndim else array.reshape((1,) * len(grid))


def stacked(values: Sequence[Count], grid: Grid) -> Array:
    """A row a value, ``[K, *grid]`` with length 1 along the axes that none depends on."""
    shapes = {np.shape(value) for value in values}
    if shapes <= {()}:
        return np.array(values, dtype=np.float64).reshape(-1, *(1,) * len(grid))
    shape = np.broadcast_shapes((1,) * len(grid), *shapes)
    found = np.empty((len(values), *shape))
    for place, value in enumerate(values):
        found[place] = value
    return found

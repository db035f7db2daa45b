"""One block of configurations on all devices, as Arrow tables with the columns of a result row."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from characterize import cautions, errors, features, session, store, symbols
from characterize import projection as projections
from characterize.columns import Recent
from characterize.hardware import Profile, figure
from characterize.projection import DeviceProjection
from characterize.records import Bottleneck
from characterize.sweeping.grid import Block, Sizes

_BOTTLENECKS = pa.array(
    [b.value for b in (Bottleneck.COMPUTE, Bottleneck.MEMORY, Bottleneck.LAUNCH)]
)
_KEPT_BYTES = 31 << 20
_KEPT_ELEMENTS = 1 << 20  # kernels x configurations x devices
_SIZES = 2
_CAUTIONS = pa.array(cautions.TEXTS)


@dataclass
class Tally:
    """What became of the configurations of a sweep."""

    configurations: int = 0
    rows: int = 0
    invalid: Counter[str] = field(default_factory=Counter)  # reason -> configurations

    @property
    def refused(self) -> int:
        """Configurations that do not go together."""
        return sum(self.invalid.values())

    def add(self, other: Tally) -> None:
        """Count what another part of the sweep counted."""
        self.configurations += other.configurations
        self.rows += other.rows
        self.invalid.update(other.invalid)


Parts = tuple[tuple[Sizes, features.Skeleton], ...]


class Latest(threading.local):
    """What a thread evaluated last: the next block may be of other topologies at the same sizes."""

    def __init__(self, devices: int = 1) -> None:
        self._recent = Recent(_KEPT_ELEMENTS // max(4, devices))
        self._at: dict[Any, features.Evaluation] = {}

    def at(self, sizes: Sizes) -> features.Evaluation:
        """The evaluation at these sizes, which knows the networks that were evaluated before.

        Of two sizes, as a block often has two templates: one for a batch of one, one for others.
        """
        key = tuple((n, v.tobytes() if isinstance(v, np.ndarray) else v) for n, v in sizes.items())
        found = self._at.pop(key, None) or features.Evaluation(sizes, self._recent)
        self._at[key] = found
        if len(self._at) > _SIZES:
            del self._at[next(iter(self._at))]
        return found


@dataclass(frozen=True)
class Plan:
    """A block with the templates that its configurations are evaluated on; no longer needs a tracer."""

    block: Block
    family: Any
    parts: Parts  # sizes, and the distinct kernels that hold there
    tally: Tally

    def projected(
        self, profiles: Sequence[Profile], base: Profile, before: Latest | None = None
    ) -> Iterator[tuple[Sizes, projections.Projection]]:
        """Sizes and projections of all configurations that go together."""
        known = before or Latest()
        for sizes, frame in self.parts:
            columns = known.at(sizes).columns(frame)
            yield sizes, projections.project(columns, profiles, self.block.precision, base)

    def tables(
        self,
        profiles: Sequence[Profile],
        base: Profile,
        figures: Sequence[str] = (),
        before: Latest | None = None,
    ) -> tuple[list[pa.Table], Tally]:
        """The rows of the block, device by device, and how many configurations it has and lacks.

        ``figures`` of the hardware become columns after the device's name.
        """
        found: list[pa.Table] = []
        for sizes, result in self.projected(profiles, base, before):
            labels = _labels(self.block, self.family, sizes, len(result.columns.parameters))
            found.extend(table(result, device, labels, figures) for device in result.devices)
        rows = sum(each.num_rows for each in found)
        return found, Tally(self.tally.configurations, rows, self.tally.invalid)


def plan(block: Block, family: Any, keep: store.Store | None) -> Plan:
    """Which templates the configurations of a block take; traces those that nobody has."""
    _keep_freed_memory()
    tally = Tally(configurations=len(block))
    holds = family.holds({**block.fixed, **_parameters(block)})
    valid = np.broadcast_to(holds, block.shape)
    if not valid.all():
        _explain(block, family, valid, tally)
    return Plan(block, family, tuple(_parts(block, family, valid, tally, keep)), tally)


@lru_cache(maxsize=1)
def _keep_freed_memory() -> None:
    """Have the C library keep what a block frees for the next: fresh pages took half of the time.

    glibc raises the sizes from which it maps memory anew and gives it back, to once and twice that
    of the largest mapped array (of up to 32 MiB) that was freed. This one is never touched.
    """
    np.empty(_KEPT_BYTES, dtype=np.uint8)


def evaluate(
    block: Block, family: Any, profiles: Sequence[Profile], base: Profile, keep: store.Store | None
) -> tuple[list[pa.Table], Tally]:
    """The rows of a block, device by device, and how many configurations it has and lacks."""
    return plan(block, family, keep).tables(profiles, base)


def _parameters(block: Block) -> dict[str, Any]:
    return {name: values for name, values in block.sizes.items() if name != "batch"}


def _explain(block: Block, family: Any, valid: Any, tally: Tally) -> None:
    """Count what is refused by the rule that refuses it first."""
    left = ~valid
    full = {**family.defaults, **block.fixed, **_parameters(block)}
    for rule in family.rules:
        holds = np.broadcast_to(rule.holds(*rule.arguments(full)), valid.shape)
        broken = left & ~holds
        if broken.any():
            values = [
                int(np.broadcast_to(v, valid.shape)[broken][0]) if np.ndim(v) else v
                for v in rule.arguments(full)
            ]
            tally.invalid[f"{family.name}: {rule.explain(*values)}"] += int(broken.sum())
            left = left & holds
    if left.any():
        tally.invalid[f"{family.name}: a parameter outside its range"] += int(left.sum())


def _parts(
    block: Block, family: Any, valid: Any, tally: Tally, keep: store.Store | None
) -> Iterator[tuple[Sizes, features.Skeleton]]:
    """All valid configurations, template by template: each holds where its guards do."""
    left = valid.copy()
    sizes = block.sizes
    while left.any():
        first = int(left.argmax())
        chosen = block.configuration(first)
        asked = session.Subject(
            family.name, family.name, _items(family, chosen), chosen["batch"], str(family.version)
        )
        try:
            frame = session.frame(asked, block.stack, keep)
        except errors.TraceError as error:
            tally.invalid[str(error)] += 1
            left.flat[first] = False
            continue
        guards = frame.graph.graph.guards
        holds = left & np.broadcast_to(symbols.holds(guards, sizes), left.shape)
        if not holds.flat[first]:
            msg = f"The template of {family.name} does not hold where it was traced."
            raise errors.TraceError(msg)
        yield (sizes if holds.all() else block.part(holds)), frame
        left = left & ~holds


def _items(family: Any, values: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple((p.name, values[p.name]) for p in family.parameters)


def _labels(block: Block, family: Any, sizes: Sizes, length: int) -> dict[str, Any]:
    """What rows are of, as Arrow columns: the same ones for every device."""
    shape = np.broadcast_shapes((1,), *(np.shape(size) for size in sizes.values()))
    spread = {
        n: np.broadcast_to(v, shape).reshape(-1) if np.ndim(v) else v for n, v in sizes.items()
    }
    values = {**block.fixed, **spread}
    names = [parameter.name for parameter in family.parameters]
    found = {"model": family.name, "family": family.name, **{n: values[n] for n in names}}
    return {name: _column(value, length) for name, value in found.items()} | {
        "batch": np.broadcast_to(np.asarray(spread["batch"]), length)
    }


def table(
    result: projections.Projection,
    device: DeviceProjection,
    labels: Mapping[str, Any],
    figures: Sequence[str] = (),
) -> pa.Table:
    """The result rows of one device; columns that repeat a text are dictionaries."""
    columns, profile = result.columns, device.profile
    length = len(columns.parameters)
    latency = device.latency_s
    energy = device.energy_j
    capacity = profile.memory_capacity_bytes
    fits: Any = pa.nulls(length, pa.bool_())
    if math.isfinite(capacity):
        fits = device.peak_memory_bytes <= capacity
    batch = labels["batch"]
    filled: dict[str, Any] = {
        **labels,
        "precision": device.precision.value,
        "stack": result.stack.value,
        "hardware": profile.name,
        **{key: figure(profile, key, device.precision) for key in figures},
        "architecture": profile.architecture.value,
        "confidence": profile.confidence.value,
        "parameters": _whole(columns.parameters),
        "macs": _whole(columns.macs),
        "flops": _whole(columns.flops),
        "memory_bytes": _whole(device.memory_bytes),
        "peak_memory_bytes": _whole(device.peak_memory_bytes),
        "fits": fits,
        "intensity": _ratio(columns.flops, device.memory_bytes),
        "kernels": len(columns.skeleton.row_of),
        "tiles": _whole(device.tiles),
        "latency_s": latency,
        "latency_low_s": device.latency_low_s,
        "latency_high_s": device.latency_high_s,
        "throughput_per_s": _ratio(batch, latency),
        "energy_j": energy,
        "energy_static_j": device.energy_static_j,
        "energy_dynamic_j": device.energy_dynamic_j,
        "power_w": _ratio(energy, latency),
        "speedup": _ratio(result.baseline.latency_s, latency),
        "bottleneck": pa.DictionaryArray.from_arrays(
            pa.array(device.bottleneck.astype(np.int8)), _BOTTLENECKS
        ),
        "uncounted": columns.uncounted,
        "cautions": pa.DictionaryArray.from_arrays(pa.array(device.caution_flags), _CAUTIONS),
    }
    arrays = {name: _column(value, length) for name, value in filled.items()}
    return pa.Table.from_arrays(list(arrays.values()), schema=_schema(arrays, figures))


def _schema(arrays: Mapping[str, pa.Array], figures: Sequence[str]) -> pa.Schema:
    """The same on every device. Parquet takes half as long to write a column that has no gaps."""
    gaps = {"fits", *figures, *(n for n, array in arrays.items() if array.null_count)}
    return pa.schema([pa.field(n, array.type, n in gaps) for n, array in arrays.items()])


def _whole(values: Any) -> Any:
    return np.asarray(values).astype(np.int64)


def _ratio(above: Any, below: Any) -> Any:
    return np.divide(above, below, out=np.zeros(len(below)), where=below != 0)


def _column(value: Any, length: int) -> pa.Array:
    if isinstance(value, pa.Array):
        return value
    if isinstance(value, str):
        places = pa.array(np.zeros(length, dtype=np.int8))
        return pa.DictionaryArray.from_arrays(places, pa.array([value]))
    if isinstance(value, bool | int | float) or np.ndim(value) == 0:
        return pa.array(np.full(length, value))
    return pa.array(value)

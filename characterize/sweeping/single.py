"""One configuration of a grid, as a record that can be kept, compared and evaluated by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from characterize import store
from characterize.hardware import Profile
from characterize.records import Stack
from characterize.sweeping import evaluation, sinks
from characterize.sweeping.grid import Block, Grid


@dataclass(frozen=True)
class Configuration:
    """Family parameters and batch, precision and stack."""

    items: tuple[tuple[str, Any], ...]
    precision: str
    stack: str

    @property
    def values(self) -> dict[str, Any]:
        """Family parameters and the batch."""
        return dict(self.items)

    def changed(self, name: str, value: Any) -> Configuration:
        """The same with another value of one parameter, or another batch."""
        items = tuple((key, value if key == name else old) for key, old in self.items)
        return Configuration(items, self.precision, self.stack)

    @classmethod
    def of(
        cls, block: Block, sizes: Mapping[str, Any], where: Sequence[np.integer[Any]]
    ) -> Configuration:
        """The configuration at a place of a block's grid, or of a part of it."""
        chosen = {name: _at(size, where) for name, size in sizes.items()}
        return cls(tuple({**block.fixed, **chosen}.items()), block.precision, block.stack.value)

    def block(self, space: Grid) -> Block:
        """A block of this configuration alone."""
        values = self.values
        axes = {name: np.array([values[name]], dtype=np.int64) for name in space.open}
        fixed = {name: value for name, value in self.items if name not in axes}
        return Block(0, fixed, axes, self.precision, Stack(self.stack))


def _at(size: Any, where: Sequence[Any]) -> int:
    if not np.ndim(size):
        return int(size)
    place = tuple(i if length > 1 else 0 for i, length in zip(where, np.shape(size), strict=True))
    return int(size[place])


def rows_of(
    configuration: Configuration,
    space: Grid,
    profiles: Sequence[Profile],
    base: Profile,
    keep: store.Store | None,
) -> list[dict[str, Any]]:
    """Result rows of one configuration, device by device; none if its values do not go together."""
    planned = evaluation.plan(configuration.block(space), space.family, keep)
    memory = sinks.Memory()
    memory.write(0, *planned.tables(profiles, base, tuple(space.vary)))
    return [dict(row) for row in memory.table().to_pylist()]

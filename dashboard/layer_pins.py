"""Pinned configurations on the device that Layers looks at, kernel by kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard import (
    anatomy,
    layer_beside,
    layer_rows,
    module_tree,
    pins,
    queries,
    roofline_rows,
)
from dashboard.anatomy import Anatomy
from dashboard.module_tree import Group
from dashboard.pins import Pin
from dashboard.queries import Network
from dashboard.readable import Columns, Pinned


@dataclass(frozen=True)
class PinnedLayers:
    """A pinned configuration on one device: in whole, its kernels, and its points of the roofline."""

    whole: Mapping[str, Any]
    kernels: Pinned
    points: Sequence[Mapping[str, Any]]


def pinned(device: str) -> list[PinnedLayers]:
    """The pinned configurations that ``device`` can run; of the others it is said why not."""
    contents = queries.contents([device])
    return pins.each(lambda letter, pin: _layers(letter, pin, device, contents))


# a pin does not change when a slider moves
@st.cache_resource(show_spinner=False, max_entries=64)
def _layers(letter: str, pin: Pin, device: str, contents: tuple[str, ...]) -> PinnedLayers:
    found = anatomy.anatomy(pin.network, device)
    kernels = Pinned(letter, pin.name, layer_rows.numbered(found.kernels))
    return PinnedLayers(found.whole, kernels, roofline_rows.pinned(kernels))


def totals(network: Network, now: Anatomy, beside: Sequence[PinnedLayers]) -> Columns:
    """What is shown and what is pinned in whole, side by side."""
    rows: list[tuple[str, Mapping[str, Any]]] = [(f"Now: {pins.summary(network)}", now.whole)]
    rows += [(f"{each.kernels.letter}: {each.kernels.name}", each.whole) for each in beside]
    return layer_beside.totals(rows)


def alike(pinned: Sequence[PinnedLayers], depth: int) -> list[tuple[Pinned, Sequence[Group]]]:
    """The pins, each with its modules told apart as deep as those of the network."""
    paths = [pin.kernels.rows["module"] for pin in pinned]
    return [
        (pin.kernels, module_tree.groups(theirs, depth, most=len(theirs)))
        for pin, theirs in zip(pinned, paths, strict=True)
    ]

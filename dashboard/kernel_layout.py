"""Where the boxes of a graph go: layers by depth, few crossings, edges around boxes. Pure.

The graph is acyclic and drawn downwards. A node's rank is the longest path that leads to it. An
edge over several ranks is given a bend in each rank between, which takes a place in the row like a
narrow box, so that no edge runs behind a box. Rows are ordered by the mean place of what their
members are joined to, up and down in turn, and the order with the fewest crossings is kept. Then
members are moved towards what they are joined to as far as the order and the room allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

Edge = tuple[int, int]
Point = tuple[float, float]

NODE_WIDTH: Final = 1.0  # every other width is a share of a box with its margin
BEND_WIDTH: Final = 0.22
ORDER_SWEEPS: Final = 8
PLACE_SWEEPS: Final = 16


@dataclass(frozen=True)
class Layout:
    """Places in units of a box's width across and of a rank down.

    ``x`` and ``rank`` have one entry a node; ``paths`` one an edge, in the order they were given:
    the points that it leads through, from its first node to its last.
    """

    x: tuple[float, ...]
    rank: tuple[int, ...]
    paths: tuple[tuple[Point, ...], ...]
    width: float
    ranks: int


@lru_cache(maxsize=64)
def layout(count: int, edges: tuple[Edge, ...]) -> Layout:
    """Places for ``count`` nodes, joined by edges that each lead from a lower to a higher number.

    >>> layout(4, ((0, 1), (0, 2), (1, 3), (2, 3))).x
    (0.5, 0.0, 1.0, 0.5)
    """
    rank = ranks(count, edges)
    chains, bend_ranks = _chains(count, edges, rank)
    levels = [*rank, *bend_ranks]
    links = sorted({link for chain in chains for link in pairwise(chain)})
    rows = _ordered(_rows(levels), links, levels)
    places = _placed(rows, links, count)
    left = min(places, default=0.0)
    places = [place - left for place in places]
    return Layout(
        tuple(places[:count]),
        tuple(rank),
        tuple(tuple((places[i], float(levels[i])) for i in chain) for chain in chains),
        max(places, default=0.0) + NODE_WIDTH,
        max(rank, default=-1) + 1,
    )


def ranks(count: int, edges: Sequence[Edge]) -> list[int]:
    """The number of edges on the longest path to each node.

    >>> ranks(4, [(0, 1), (1, 2), (0, 2), (0, 3)])
    [0, 1, 2, 1]
    """
    found = [0] * count
    for first, last in sorted(edges):  # by the first node: its own rank is final by then
        found[last] = max(found[last], found[first] + 1)
    return found


def _chains(
    count: int, edges: Sequence[Edge], rank: Sequence[int]
) -> tuple[list[list[int]], list[int]]:
    """Each edge as the nodes and bends it leads through, and the ranks of the bends.

    Edges out of one node share their bends, as they carry the same value.
    """
    bends: dict[tuple[int, int], int] = {}
    bend_ranks: list[int] = []
    chains = []
    for first, last in edges:
        chain = [first]
        for level in range(rank[first] + 1, rank[last]):
            bend = bends.setdefault((first, level), count + len(bend_ranks))
            if bend == count + len(bend_ranks):
                bend_ranks.append(level)
            chain.append(bend)
        chains.append([*chain, last])
    return chains, bend_ranks


def _rows(levels: Sequence[int]) -> list[list[int]]:
    rows: list[list[int]] = [[] for _ in range(max(levels, default=-1) + 1)]
    for member, level in enumerate(levels):
        rows[level].append(member)
    return rows


def _ordered(
    rows: list[list[int]], links: Sequence[Edge], levels: Sequence[int]
) -> list[list[int]]:
    """The rows, each ordered so that few links cross."""
    above: list[list[int]] = [[] for _ in levels]
    below: list[list[int]] = [[] for _ in levels]
    for first, last in links:
        below[first].append(last)
        above[last].append(first)
    best, fewest = [list(row) for row in rows], crossings(rows, links)
    for sweep in range(ORDER_SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 0
        beside = above if down else below
        for row in rows if down else rows[::-1]:
            _sort_by_mean(row, beside, _places_in(rows))
        found = crossings(rows, links)
        if found < fewest:
            best, fewest = [list(row) for row in rows], found
    return best


def _places_in(rows: Sequence[Sequence[int]]) -> dict[int, float]:
    return {member: (place + 0.5) / len(row) for row in rows for place, member in enumerate(row)}


def _sort_by_mean(
    row: list[int], beside: Sequence[Sequence[int]], places: dict[int, float]
) -> None:
    def mean(member: int) -> float:
        joined = beside[member]
        if not joined:
            return places[member]
        return sum(places[each] for each in joined) / len(joined)

    row.sort(key=mean)


def crossings(rows: Sequence[Sequence[int]], links: Sequence[Edge]) -> int:
    """How many pairs of links cross between neighbouring rows.

    >>> crossings([[0, 1], [2, 3]], [(0, 3), (1, 2)])
    1
    """
    place = {member: index for row in rows for index, member in enumerate(row)}
    level = {member: index for index, row in enumerate(rows) for member in row}
    between: list[list[Edge]] = [[] for _ in rows]
    for first, last in links:
        between[level[first]].append((place[first], place[last]))
    total = 0
    for pairs in between:
        ends = [end for _, end in sorted(pairs)]
        total += sum(1 for i, end in enumerate(ends) for later in ends[i + 1 :] if later < end)
    return total


def _placed(rows: Sequence[Sequence[int]], links: Sequence[Edge], count: int) -> list[float]:
    """A place across for every member: near what it is joined to, never over its neighbour."""
    joined: dict[int, list[int]] = {}
    for first, last in links:
        joined.setdefault(first, []).append(last)
        joined.setdefault(last, []).append(first)
    places = [0.0] * sum(len(row) for row in rows)
    for row in rows:
        _spread(row, dict.fromkeys(row, 0.0), places, count)
    for sweep in range(PLACE_SWEEPS):
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            wanted = {
                member: sum(places[each] for each in joined[member]) / len(joined[member])
                if member in joined
                else places[member]
                for member in row
            }
            _spread(row, wanted, places, count)
    return places


def _spread(row: Sequence[int], wanted: dict[int, float], places: list[float], count: int) -> None:
    """Put a row where it wants to be, in order and without overlap, at the least squared distance.

    Less the room before it, a member's place must not fall along the row: members that would
    overlap are pooled into a block, which stands at the mean of what its members want.
    """
    offsets, offset = [], 0.0
    for before, member in zip([None, *row], row, strict=False):
        offset += 0.0 if before is None else (_width(before, count) + _width(member, count)) / 2
        offsets.append(offset)
    blocks: list[tuple[float, int]] = []  # (mean, members)
    for member, room in zip(row, offsets, strict=True):
        mean, size = wanted[member] - room, 1
        while blocks and blocks[-1][0] > mean:
            other, members = blocks.pop()
            mean = (mean * size + other * members) / (size + members)
            size += members
        blocks.append((mean, size))
    means = [mean for mean, size in blocks for _ in range(size)]
    for member, mean, room in zip(row, means, offsets, strict=True):
        places[member] = mean + room


def _width(member: int, count: int) -> float:
    return NODE_WIDTH if member < count else BEND_WIDTH

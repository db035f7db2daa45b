"""Kernels gathered by the modules they belong to, as deep as asked. Pure.

A group is a run of kernels that follow each other and share a module path. Runs of a topological
order can be drawn as single boxes without ever making a circle, which sets of kernels cannot.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

COMFORTABLE: Final = 20  # boxes that are looked through without scrolling for long
FEW: Final = 5  # boxes that say next to nothing
MOST: Final = 160  # boxes that are ever drawn; more are folded


@dataclass(frozen=True, slots=True)
class Group:
    """Kernels ``first`` to ``last``, both counted, drawn as one.

    ``path`` is what opening it is called: a module path, or ``#12-19`` for a run that was folded.
    """

    path: str
    first: int
    last: int

    @property
    def size(self) -> int:
        """How many kernels there are in it."""
        return self.last - self.first + 1


def parts(path: str) -> list[str]:
    """A module path in its steps; none for the network itself."""
    return path.split(".") if path else []


def prefixes(path: str) -> list[str]:
    """A module and those that it is inside of, the outermost first.

    >>> prefixes("encoder.0.conv")
    ['encoder', 'encoder.0', 'encoder.0.conv']
    """
    steps = parts(path)
    return [".".join(steps[:length]) for length in range(1, len(steps) + 1)]


def deepest(paths: Iterable[str]) -> int:
    """Steps of the longest path, at least 1."""
    return max((len(parts(path)) for path in paths), default=1) or 1


def groups(
    paths: Sequence[str], depth: int, opened: Collection[str] = (), most: int = MOST
) -> tuple[Group, ...]:
    """Runs of kernels that share the first ``depth`` steps of their module paths.

    Args:
        paths: each kernel's module path, in the order the kernels run.
        depth: steps of the path that are told apart.
        opened: modules that are shown one step deeper, or as kernels where they have no step more;
            and folded runs that are shown as kernels.
        most: groups there may be; more are folded, run by run.

    >>> [g.path for g in groups(["a.0", "a.1", "b"], 1)]
    ['a', 'b']
    >>> [g.path for g in groups(["a.0", "a.1", "b"], 1, {"a"})]
    ['a.0', 'a.1', 'b']
    """
    found: list[Group] = []
    single = False
    for index, path in enumerate(paths):
        shown, is_kernel = _shown(path, depth, opened)
        if found and not (is_kernel or single) and found[-1].path == shown:
            found[-1] = Group(shown, found[-1].first, index)
        else:
            found.append(Group(shown, index, index))
        single = is_kernel
    return tuple(_folded(found, most, opened))


def _shown(path: str, depth: int, opened: Collection[str]) -> tuple[str, bool]:
    """The part of a path that is shown, and whether its kernels stand alone."""
    steps = parts(path)
    length = min(depth, len(steps))
    while (shown := ".".join(steps[:length])) in opened:
        if length == len(steps):
            return shown, True
        length += 1
    return shown, False


def _folded(found: list[Group], most: int, opened: Collection[str]) -> Iterable[Group]:
    """At most about ``most`` groups: neighbours are put together, unless they were opened."""
    step = -(-len(found) // most)
    if step <= 1:
        return found
    kept: list[Group] = []
    for start in range(0, len(found), step):
        run = found[start : start + step]
        path = f"#{run[0].first + 1}-{run[-1].last + 1}"
        kept += run if path in opened else [Group(path, run[0].first, run[-1].last)]
    return kept


def comfortable_depth(paths: Sequence[str], most: int = COMFORTABLE) -> int:
    """The greatest depth that needs at most ``most`` groups, at least 1.

    One more where that would say next to nothing: a network whose layers are all in one module.
    """
    counts = [len(groups(paths, depth)) for depth in range(1, deepest(paths) + 1)]
    depth = max((d for d, count in enumerate(counts, 1) if count <= most), default=1)
    if counts[depth - 1] <= FEW < most and depth < len(counts) and counts[depth] <= MOST:
        return depth + 1
    return depth


def joined(found: Sequence[Group], edges: Iterable[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """Edges between groups, and how many edges between kernels each stands for.

    >>> joined(groups(["a", "a", "b"], 1), [(0, 1), (0, 2), (1, 2)])
    {(0, 1): 2}
    """
    home = [index for index, group in enumerate(found) for _ in range(group.size)]
    counts: dict[tuple[int, int], int] = {}
    for first, last in edges:
        pair = (home[first], home[last])
        if pair[0] != pair[1]:
            counts[pair] = counts.get(pair, 0) + 1
    return counts

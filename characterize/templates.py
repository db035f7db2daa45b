"""Templates of families: traced once, then found in this process, in the package, or in the store.

Two templates of one topology differ in their guards: a batch of one broadcasts, so it has its own.
Those of the families at their defaults ship with the package, so that a first look needs no torch;
``python -m characterize.templates`` writes them. Networks of equal layers follow from those of four
and five (:mod:`characterize.growth`), so that another number of layers needs no trace either.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final

from characterize import codec, errors, growth, models, paths, store, symbols
from characterize.records import Graph
from characterize.subjects import Subject, subject

VARIANTS: Final = 16  # templates of one topology that the store keeps
SHIPPED_BATCHES: Final = (1, 8)
SEEDS: Final = (4, 5)  # layers: three are alike where the first and the last are others
MISSED: Final = 4096  # sizes without a template that are remembered
_SUFFIX: Final = ".json.zz"


def topology(asked: Subject) -> tuple[str, dict[str, int]]:
    """The key of a family's template, and the sizes that the template leaves open."""
    family = models.family(asked.family)
    open_ = {p.name for p in family.parameters if p.symbolic}
    fixed = {k: v for k, v in asked.parameters if k not in open_}
    sizes = {k: int(v) for k, v in asked.parameters if k in open_} | {"batch": asked.batch}
    key = store.key(
        {"family": asked.family, "version": asked.version, "fixed": fixed, "format": codec.FORMAT}
    )
    return key, sizes


class _Templates:
    """The templates of this process, filled from the package, the store, and the tracer."""

    def __init__(self) -> None:
        self._graphs: dict[str, list[Graph]] = {}
        self._absent: dict[Hashable, set[str]] = {}  # no template is at hand; until one of these is
        self._lock = threading.Lock()

    def get(self, asked: Subject, keep: store.Store | None) -> Graph:
        """A template that holds at the subject's sizes, traced now if there is none."""
        key, sizes = topology(asked)
        graph = self._known(key, sizes)
        if graph is None:
            graph = (
                _grown(asked, lambda seed: self.get(seed, keep))
                or _kept(key, sizes, keep)
                or _traced(asked, key, sizes, keep)
            )
            self._add(key, graph)
        return graph

    def at_hand(self, asked: Subject, keep: store.Store | None) -> Graph | None:
        """A template that holds at the subject's sizes, from wherever one is kept."""
        key, sizes = topology(asked)
        graph = self._known(key, sizes)
        if graph is not None:
            return graph
        place = (folder(), key, tuple(sizes.items()))
        if keep is None and place in self._absent:
            return None
        graph = _grown(asked, lambda seed: self.at_hand(seed, keep)) or _kept(key, sizes, keep)
        if graph is not None:
            self._add(key, graph)
        else:
            self._miss(place, {key, *(topology(seed)[0] for seed in seeds(asked))})
        return graph

    def _known(self, key: str, sizes: Mapping[str, int]) -> Graph | None:
        with self._lock:
            known = list(self._graphs.get(key, ()))
        return next((graph for graph in known if symbols.holds(graph.guards, sizes)), None)

    def _add(self, key: str, graph: Graph) -> None:
        with self._lock:
            self._graphs.setdefault(key, []).append(graph)
            self._absent = {place: at for place, at in self._absent.items() if key not in at}

    def _miss(self, place: Hashable, until: set[str]) -> None:
        """Remember that nothing holds at ``place`` until a template of ``until`` comes to hand."""
        with self._lock:
            if len(self._absent) >= MISSED:
                self._absent.clear()
            self._absent[place] = until


_TEMPLATES = _Templates()


def template(asked: Subject, keep: store.Store | None = None) -> Graph:
    """The template of a family that holds at the subject's sizes.

    Raises:
        TraceError: there is none yet and the family cannot be traced at these sizes.
    """
    return _TEMPLATES.get(asked, keep)


def at_hand(asked: Subject, keep: store.Store | None = None) -> Graph | None:
    """A template that holds at the subject's sizes, if there is one without tracing.

    Looked for in this process, in the package, and in ``keep`` if one is given.
    """
    return _TEMPLATES.at_hand(asked, keep)


def seeds(asked: Subject) -> tuple[Subject, ...]:
    """The same network of so few layers that deeper ones follow from it; none where none do."""
    name = _repeated(asked.family)
    if name is None or asked.values[name] <= SEEDS[-1]:
        return ()
    return tuple(
        replace(asked, parameters=tuple((k, n if k == name else v) for k, v in asked.parameters))
        for n in SEEDS
    )


def _repeated(family: str) -> str | None:
    """The parameter that says how many equal layers there are."""
    return next((p.name for p in models.family(family).parameters if p.repeats), None)


def _grown(asked: Subject, find: Callable[[Subject], Graph | None]) -> Graph | None:
    """The template as it follows from those of fewer layers, if it does."""
    found = []
    for seed in seeds(asked):
        try:
            graph = find(seed)
        except errors.TraceError:
            graph = None
        if graph is None:
            return None
        found.append(graph)
    if not found:
        return None
    more = int(asked.values[_repeated(asked.family) or ""]) - SEEDS[0]
    return growth.grown(found[0], found[1], more)


def _kept(key: str, sizes: Mapping[str, int], keep: store.Store | None) -> Graph | None:
    for content in _texts(key, keep):
        try:
            graph = codec.decode(content)
        except errors.BrokenRecordError:
            continue
        if symbols.holds(graph.guards, sizes):
            return graph
    return None


def _texts(key: str, keep: store.Store | None) -> Iterator[bytes]:
    for file in _files(folder()):
        if f"-{key[:16]}-" in file.name:
            yield file.read_bytes()
    for slot in range(VARIANTS if keep is not None else 0):
        try:
            content = keep.template(f"{key}/{slot}") if keep is not None else None
        except errors.StoreError:
            return
        if content is None:
            return
        yield content


@lru_cache(maxsize=1)  # asked for at every other number of layers
def _files(place: Path) -> tuple[Path, ...]:
    return tuple(sorted(place.glob(f"*{_SUFFIX}")))


def _traced(asked: Subject, key: str, sizes: Mapping[str, int], keep: store.Store | None) -> Graph:
    from characterize import tracing  # it leads to torch

    names = [name for name in sizes if name != "batch"]
    graph = tracing.trace_template(asked.family, asked.values, [*names, "batch"], asked.batch)
    if keep is not None:
        _keep(keep, key, codec.encode(graph))
    return graph


def _keep(keep: store.Store, key: str, content: bytes) -> None:
    """Put a template into the first free slot; a store that cannot be written costs a trace later."""
    try:
        for slot in range(VARIANTS):
            if keep.template(f"{key}/{slot}") is None:
                keep.put_template(f"{key}/{slot}", content)
                return
    except errors.StoreError:
        return


def folder() -> Path:
    """Where the templates that ship with the package are."""
    return paths.data_directory() / "templates"


def shipped() -> Iterator[tuple[str, bytes]]:
    """Name and content of every template that ships."""
    from characterize import tracing

    for asked in shipping():
        sizes = topology(asked)[1]
        names = [size for size in sizes if size != "batch"]
        graph = tracing.trace_template(asked.family, asked.values, [*names, "batch"], asked.batch)
        yield shipped_name(asked), codec.encode(graph)


def shipping() -> Iterator[Subject]:
    """What the templates that ship are of: all families at their defaults, at any number of layers."""
    for name in models.families():
        repeated = _repeated(name)
        layers = range(1, SEEDS[-1] + 1) if repeated else (0,)
        for batch in SHIPPED_BATCHES:
            for count in layers:
                yield subject(name, {repeated: count} if repeated else {}, batch)


def shipped_name(asked: Subject) -> str:
    """The name of the file that a template ships in."""
    return f"{asked.family}-{topology(asked)[0][:16]}-{asked.batch}{_SUFFIX}"


def write(place: Path | None = None) -> int:
    """Write the templates that ship, in place of those that are there; returns how many."""
    place = place or folder()
    place.mkdir(parents=True, exist_ok=True)
    made = dict(shipped())
    for old in place.glob(f"*{_SUFFIX}"):
        if old.name not in made:
            old.unlink()
    for name, content in made.items():
        (place / name).write_bytes(content)
    return len(made)


if __name__ == "__main__":
    write()

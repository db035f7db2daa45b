"""A request and its answer: from the store where it is there, computed where it is not.

This is what the command line and the dashboard call. A family is answered from a template (traced
once with symbols for its sizes, kept in this process, in the store, or shipped with the package), so
that a changed size needs no torch; other models are traced at the sizes asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from characterize import __version__, errors, features, fusion, store, templates
from characterize import projection as projections
from characterize.hardware import Profile
from characterize.records import Graph, KernelGraph, Stack
from characterize.subjects import Subject, subject

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Answer",
    "Subject",
    "answer",
    "columns",
    "frame",
    "graph",
    "kernel_graph",
    "kernels",
    "project",
    "row_key",
    "subject",
]

Progress = Callable[[str], None]
T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """Result rows, and what the person who asked should be told about them."""

    table: pd.DataFrame
    notes: tuple[str, ...] = ()
    stored: int = 0  # rows that were in the store already
    left_out: tuple[str, ...] = field(default=())  # devices of a class that lack the precision


# graphs and columns


@lru_cache(maxsize=256)
def _concrete(asked: Subject) -> Graph:
    from characterize import tracing

    return tracing.trace(asked.model, batch=asked.batch, **asked.values)


def graph(asked: Subject, keep: store.Store | None = None) -> Graph:
    """The subject's graph: a template for a family, else a concrete trace."""
    return templates.template(asked, keep) if asked.family else _concrete(asked)


@dataclass(frozen=True)
class _Same(Generic[T]):
    """A large record that hashes by identity, so that what is made from it can be cached."""

    record: T

    def __hash__(self) -> int:
        return id(self.record)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.record is self.record


@lru_cache(maxsize=512)
def _skeleton(graph: _Same[Graph], stack: Stack) -> features.Skeleton:
    return features.skeleton(fusion.fuse(graph.record, stack=stack))


def kernel_graph(
    asked: Subject, stack: str | Stack, keep: store.Store | None = None
) -> KernelGraph:
    """The subject fused for a stack (its sizes still symbolic where it is a family)."""
    return frame(asked, stack, keep).graph


def frame(asked: Subject, stack: str | Stack, keep: store.Store | None) -> features.Skeleton:
    """The distinct kernels of the subject, fused for a stack."""
    found = graph(asked, keep)
    return _skeleton(_Same(found), _stack(stack))


def _stack(stack: str | Stack) -> Stack:
    try:
        return Stack(stack)
    except ValueError as error:
        raise errors.unknown("stack", str(stack), Stack) from error


def prepare(asked: Subject, like: Subject, stack: str | Stack) -> None:
    """Make what of a network does not depend on its sizes, as far as it was made for another.

    Args:
        asked: the network, of a family; nothing is made if its template is not at hand.
        like: a network that was projected; the kernels launched for it say which will be asked for.
        stack: of both.

    Raises:
        UnknownNameError: no such stack.
        TraceError: ``like`` has no template and cannot be traced.
    """
    if templates.at_hand(asked) is None:
        return
    made, known = frame(asked, stack, None), frame(like, stack, None)
    others = [made.launched(how).skeleton for how in tuple(known.launched_by)]
    for each in (made, *others):
        _ = each.likeness  # kept with it, once it was asked for


@lru_cache(maxsize=256)
def _columns(asked: Subject, frame: _Same[features.Skeleton]) -> features.Columns:
    sizes = templates.topology(asked)[1] if asked.family else None
    return features.columns(frame.record, sizes)


def columns(
    asked: Subject, stack: str | Stack = Stack.COMPILED, keep: store.Store | None = None
) -> features.Columns:
    """The subject's kernels as columns, one configuration wide."""
    found = frame(asked, stack, keep)
    return _columns(asked, _Same(found))


# answers


def project(
    model: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    batch: int = 1,
    precision: str = "auto",
    stack: str = "compiled",
    hardware: Sequence[str | Profile] | str = "all",
    baseline: str | None = None,
    progress: Progress | None = None,
    keep: bool = True,
) -> pd.DataFrame:
    """Result rows of one network on several devices; see :func:`answer`."""
    return answer(
        model, parameters, batch=batch, precision=precision, stack=stack,
        hardware=hardware, baseline=baseline, progress=progress, keep=keep,
    ).table  # fmt: skip


def answer(
    model: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    batch: int = 1,
    precision: str = "auto",
    stack: str = "compiled",
    hardware: Sequence[str | Profile] | str = "all",
    baseline: str | Profile | None = None,
    progress: Progress | None = None,
    keep: bool = True,
) -> Answer:
    """Result rows of one network on several devices, and notes on them.

    Args:
        model: a family, a zoo model, a file.
        parameters: of the model; texts are read as the command line would.
        batch: samples that run together.
        precision: ``"auto"`` takes each device's usual inference precision.
        stack: ``"eager"``, ``"compiled"`` or ``"engine"``.
        hardware: names, classes, TOML paths, profiles, or ``"all"``.
        baseline: the device that speedups are relative to; by default the first CPU.
        progress: called with a sentence before each long step.
        keep: look in the store, and write to it.

    Raises:
        CharacterizeError: one sentence on what was asked, what is near it and what is known.
    """
    import pandas as pd

    say = progress or (lambda _text: None)
    asked = subject(model, parameters, batch)
    chosen = _stack(stack)
    profiles, left = projections.supported(hardware, precision)
    base = projections.choose_baseline(profiles, baseline)
    shelf = store.Store() if keep else None
    notes: list[str] = []
    keys = [row_key(asked, chosen, precision, profile, base) for profile in profiles]
    found = _look_up(shelf, keys, notes)
    if notes:  # the store cannot be used: nothing is looked for in it again
        shelf = None
    missing = [p for p, key in zip(profiles, keys, strict=True) if key not in found]
    if missing:
        say(f"Tracing {model}")
        fresh = columns(asked, chosen, shelf)
        say(f"Projecting onto {len(missing)} devices")
        result = projections.project(fresh, missing, precision, base, labels=asked.labels)
        new = {row["hardware"]: row for row in result.rows()}
        entries = [
            (key, new[p.name]) for p, key in zip(profiles, keys, strict=True) if p.name in new
        ]
        found.update(entries)
        notes.extend(fresh.skeleton.graph.graph.notes)
        notes.extend(_masked(fresh))
        _put(shelf, entries, notes)
    table = pd.DataFrame([found[key] for key in keys])
    stored = len(keys) - len(missing)
    return Answer(table, tuple(notes), stored, tuple(profile.name for profile in left))


def _masked(found: features.Columns) -> list[str]:
    """What a causal mask leaves out of the work, where there is one."""
    kernels = found.kernels
    counted = float((kernels.macs * kernels.count).sum())
    worked = float((kernels.worked_macs * kernels.count).sum())
    if worked >= counted:
        return []
    share = 1.0 - worked / counted
    return [
        f"A causal mask leaves out {share:.0%} of the macs: latency and energy are of the unmasked "
        "blocks, macs and flops count all of them."
    ]


def row_key(asked: Subject, stack: Stack, precision: str, profile: Profile, base: Profile) -> str:
    """The key that a result row is stored under."""
    return store.key(
        {
            "model": asked.model,
            "version": asked.version,
            "parameters": dict(asked.parameters),
            "batch": asked.batch,
            "stack": stack.value,
            "precision": projections.device_precision(profile, precision).value,
            "baseline_precision": precision,
            "profile": profile.content_hash,
            "baseline": base.content_hash,
            "code": [__version__, projections.MODEL_VERSION],
        }
    )


def _look_up(shelf: store.Store | None, keys: Sequence[str], notes: list[str]) -> dict[str, Any]:
    if shelf is None:
        return {}
    try:
        return dict(shelf.rows(keys))
    except errors.StoreError as error:
        notes.append(f"The store was not used: {error}")
        return {}


def _put(shelf: store.Store | None, entries: Sequence[tuple[str, Any]], notes: list[str]) -> None:
    if shelf is None or not entries:
        return
    try:
        shelf.put(entries, model_version=f"{__version__}/{projections.MODEL_VERSION}")
    except errors.StoreError as error:
        notes.append(f"The results were not stored: {error}")


def kernels(
    model: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    batch: int = 1,
    precision: str = "auto",
    stack: str = "compiled",
    hardware: Sequence[str | Profile] | str = "all",
    baseline: str | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """One row a kernel and device: where the time and energy of a network go."""
    say = progress or (lambda _text: None)
    say(f"Tracing {model}")
    asked = subject(model, parameters, batch)
    found = columns(asked, stack, store.Store())
    return projections.project(found, hardware, precision, baseline, labels=asked.labels).kernels()

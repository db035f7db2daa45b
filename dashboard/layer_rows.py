"""One network on one device as frames for ``dashboard.charts_layers`` and for a table. Pure.

Kernels come as columns, one row a kernel in the order they run, in SI base units
(``session.kernels``). Nothing here computes a quantity; sums over groups are all there is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from characterize.units import GIGA, MEGA, MICRO
from dashboard import layer_beside, letters, palette
from dashboard.kernel_layout import Layout, Point, layout
from dashboard.module_tree import Group, joined
from dashboard.readable import Columns, Pinned, change, length, number, row
from dashboard.tables import Column, take

ROOT: Final = "(the network itself)"
OPEN: Final = "▸ "  # before the name of a box that a click opens
BARS: Final = 14
BOX: Final = (0.46, 0.36)  # half a box, in widths and in ranks
LEAST_WIDTH: Final = 2.2  # boxes beside each other that a row has room for, at least

TABLE: Final = (
    Column("order", "#", 1.0, "%d", "The place in which the kernel runs."),
    Column("kernel", "Kernel"),
    Column("latency_s", "Latency (µs)", MICRO, "%.4g", "Projected time of the kernel."),
    Column("share", "Share (%)", 0.01, "%.3g", "Of the latency of all kernels."),
    Column("bottleneck", "Bound by", meaning="What most of its latency is spent on."),
    Column("pattern", "Pattern", meaning="The operators that were fused."),
    Column("shapes", "Shapes", meaning="Largest operator: first input → output."),
    Column("macs", "MACs (M)", MEGA, "%.4g", "Multiply-accumulates."),
    Column("flops", "Arithmetic (Gflop)", GIGA, "%.4g", "Two a mac, one for all else."),
    Column("memory_bytes", "Traffic (MB)", MEGA, "%.4g", "Bytes moved if nothing is reused."),
    Column("intensity", "Intensity (flop/B)", 1.0, "%.4g", "Arithmetic over traffic."),
    Column("module", "Module", meaning="The module whose code it is."),
    Column("reason", "Not fused further because"),
)
"""The kernel table on the screen."""


def numbered(kernels: Columns) -> dict[str, list[Any]]:
    """The kernels with ``order``, ``share`` of the latency and ``label``, which is unique."""
    total = sum(kernels["latency_s"]) or 1.0
    seen: Counter[str] = Counter()
    labels = []
    for name in kernels["kernel"]:
        seen[name] += 1
        labels.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return {
        **{name: list(values) for name, values in kernels.items()},
        "order": list(range(1, length(kernels) + 1)),
        "share": [value / total for value in kernels["latency_s"]],
        "label": labels,
    }


def matching(kernels: Columns, words: str) -> dict[str, list[Any]]:
    """The kernels whose texts have all ``words``."""
    wanted = words.lower().split()
    texts = zip(*(kernels[name] for name in _TEXTS), strict=True)
    found = [i for i, text in enumerate(texts) if _has(" ".join(map(str, text)).lower(), wanted)]
    return take(kernels, found)


_TEXTS: Final = ("label", "module", "pattern", "kind", "shapes", "bottleneck")


def _has(text: str, words: Sequence[str]) -> bool:
    return all(word in text for word in words)


def columns(pinned: Sequence[Pinned] = ()) -> tuple[Column, ...]:
    """The columns of the kernel table: those of pins stand beside the latency."""
    place = 1 + next(i for i, column in enumerate(TABLE) if column.source == "latency_s")
    return (*TABLE[:place], *layer_beside.columns(pinned), *TABLE[place:])


def on_screen(kernels: Columns, shown: Sequence[Column] = TABLE) -> dict[str, list[Any]]:
    """The kernel table as shown, values in the units of the headings."""
    return {
        column.title: list(kernels[column.source])
        if column.scale == 1.0
        else [float(value) / column.scale for value in kernels[column.source]]
        for column in shown
    }


def for_file(kernels: Columns, identity: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The kernels as they are saved: of what network and device, then every column."""
    count = length(kernels)
    left_out = {"label", "repeats", *identity}
    kept = {name: list(values) for name, values in kernels.items() if name not in left_out}
    return {**{name: [value] * count for name, value in identity.items()}, **kept}


def dearest(kernels: Columns, column: str, unit: str, most: int) -> list[str]:
    """The kernels that take most of a quantity, the first the dearest, each as a line of Markdown."""
    whole = sum(kernels[column]) or 1.0
    order = sorted(range(length(kernels)), key=lambda i: -kernels[column][i])[:most]
    return [
        f"**{kernels[column][i] / whole:.1%}** · {number(kernels[column][i], unit)} · bound by "
        f"{kernels['bottleneck'][i]} · {kernels['pattern'][i]} · `{kernels['label'][i]}`"
        for i in order
    ]


# Bars by module


def by_module(
    kernels: Columns,
    groups: Sequence[Group],
    column: str,
    unit: str,
    pinned: Sequence[tuple[Pinned, Sequence[Group]]] = (),
) -> dict[str, list[Any]]:
    """The frame of ``charts_layers.modules``: one row a module and what binds its kernels.

    Args:
        kernels: one row a kernel in the order they run.
        groups: the modules they are told apart by.
        column: ``latency_s`` or ``energy_dynamic_j``.
        unit: its unit.
        pinned: kernels of pinned configurations, each with its modules; they give a row a module.
    """
    names, totals = _summed_by_module(kernels, groups, column)
    marks = [(pin, _summed_by_module(pin.rows, theirs, column)[1]) for pin, theirs in pinned]
    everything = dict(totals)
    for _, theirs in marks:
        for name, value in theirs.items():
            everything[name] = max(everything.get(name, 0.0), value)
    kept = set(sorted(everything, key=lambda name: -everything[name])[:BARS])
    rest = f"{len(everything) - len(kept)} other modules"
    shown = {name: name if name in kept else rest for name in everything}
    parts: dict[tuple[str, str], list[float]] = {}
    for name, bound, value in zip(names, kernels["bottleneck"], kernels[column], strict=True):
        parts.setdefault((shown[name], str(bound)), []).append(float(value))
    sums = _gathered(totals, shown)
    before = [(pin, _gathered(theirs, shown)) for pin, theirs in marks]
    ends = {
        name: max(end.get(name, 0.0) for end in (sums, *(each for _, each in before)))
        for name in dict.fromkeys(shown.values())
    }
    order = {name: place for place, name in enumerate(sorted(ends, key=lambda name: name == rest))}
    whole, room = sum(totals.values()) or 1.0, 1.16 * max(ends.values())
    last = dict(sorted(parts, key=_bound_order))
    bars: list[dict[str, Any]] = [
        {
            "label": name,
            "order": order[name],
            "value": sum(values),
            "bottleneck": bound,
            "bound_order": palette.BOTTLENECKS.index(bound),
            "text": number(sum(values), unit),
            "share": sums[name] / whole,
            "whole_text": number(sums[name], unit),
            "count": len(values),
            "end": ends[name],
            "end_text": f"{sums[name] / whole:.0%}" if last[name] == bound else "",
            "said": f"{name}, bound by {bound}: {number(sum(values), unit)} of "
            f"{number(sums[name], unit)}, {sums[name] / whole:.0%} of the network",
            "room": room,
        }
        for (name, bound), values in parts.items()
    ]
    lettered = {
        name: letters.joined(
            [pin.letter for pin, _ in before],
            letters.along([each.get(name) for _, each in before], 0.0, room, log=False),
        )
        for name in ends
    }
    ghosts: list[dict[str, Any]] = [
        {
            "label": name,
            "order": order[name],
            "bound_order": 0,
            "pinned": value,
            "letter": lettered[name][index],
            "pin": f"{pin.letter} “{pin.name}”",
            "pinned_text": number(value, unit),
            "change_text": change(sums.get(name, 0.0), value),
        }
        for index, (pin, theirs) in enumerate(before)
        for name, value in theirs.items()
    ]
    rows = [*bars, *ghosts]
    return _columns(sorted(rows, key=lambda bar: (bar["order"], bar["bound_order"])))


def _summed_by_module(
    kernels: Columns, groups: Sequence[Group], column: str
) -> tuple[list[str], dict[str, float]]:
    """The module of each kernel, and the sum of each module, in the order they run."""
    names = [group.path or ROOT for group in groups for _ in range(group.size)]
    totals: dict[str, float] = {}
    for name, value in zip(names, kernels[column], strict=True):
        totals[name] = totals.get(name, 0.0) + float(value)
    return names, totals


def _gathered(totals: Mapping[str, float], shown: Mapping[str, str]) -> dict[str, float]:
    """Sums under the names that they are shown under."""
    found: dict[str, float] = {}
    for name, value in totals.items():
        found[shown[name]] = found.get(shown[name], 0.0) + value
    return found


def _bound_order(part: tuple[str, str]) -> int:
    return palette.BOTTLENECKS.index(part[1])


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    names = list(dict.fromkeys(name for each in rows for name in each))
    return {name: [each.get(name) for each in rows] for name in names}


# The graph of kernels


def graph(
    kernels: Columns,
    groups: Sequence[Group],
    edges: Sequence[tuple[int, int]],
    pin: str = "",
) -> tuple[dict[str, list[Any]], int]:
    """The frame of ``charts_layers.graph``, and how many ranks it is tall.

    Rows are told apart by ``role``: ``node`` a box, ``edge`` a point that a line leads through,
    ``room`` a corner of the picture.

    Args:
        kernels: one row a kernel.
        groups: what each box holds.
        edges: between kernels.
        pin: the letter of the pinned configuration that boxes are compared with, if any.
    """
    counts = joined(groups, edges)
    placed = layout(len(groups), tuple(counts))
    summed = [_summed(kernels, group, pin) for group in groups]
    dearest = max((each["latency_s"] for each in summed), default=0.0) or 1.0
    whole = sum(each["latency_s"] for each in summed) or 1.0
    rows = [
        {**_box(placed, index, each["latency_s"] / dearest), **_words(group, each, whole)}
        for index, (group, each) in enumerate(zip(groups, summed, strict=True))
    ]
    rows += [point for index, path in enumerate(placed.paths) for point in _line(index, path)]
    margin = (max(placed.width, LEAST_WIDTH) - placed.width) / 2
    rows += [
        {"role": "room", "x": x, "y": y}
        for x, y in ((-0.5 - margin, 0.0), (placed.width - 0.5 + margin, float(placed.ranks)))
    ]
    return _columns(rows), placed.ranks


def _box(placed: Layout, index: int, part: float) -> dict[str, Any]:
    half_width, half_height = BOX
    left, right = placed.x[index] - half_width, placed.x[index] + half_width
    middle = placed.rank[index] + 0.5
    return {
        "role": "node",
        "x": left,
        "x2": right,
        "bar": left + part * (right - left),
        "y": middle - half_height,
        "y2": middle + half_height,
        "strip": middle + half_height - 0.08,
        "middle": middle,
    }


def _line(index: int, path: Sequence[Point]) -> list[dict[str, Any]]:
    """Points from the lower edge of the first box, straight past those between, to the last."""
    half = BOX[1]
    first, *between, last = path
    points = [(first[0], first[1] + half)]
    for x, y in between:
        points += [(x, y - half), (x, y + half)]
    points.append((last[0], last[1] - half))
    return [
        {"role": "edge", "edge": index, "step": step, "x": x, "y": y + 0.5}
        for step, (x, y) in enumerate(points)
    ]


_SUMMED: Final = ("macs", "flops", "memory_bytes", "latency_s", "energy_dynamic_j")


def _summed(kernels: Columns, group: Group, pin: str) -> dict[str, Any]:
    members = [row(kernels, index) for index in range(group.first, group.last + 1)]
    by_bound: Counter[str] = Counter()
    for member in members:
        by_bound[str(member["bottleneck"])] += member["latency_s"]
    sums = {name: sum(float(member[name]) for member in members) for name in _SUMMED}
    before = [layer_beside.before_s(member, pin) for member in members] if pin else [None]
    return {
        **members[0],
        **sums,
        "before_s": None if None in before else sum(filter(None, before)),
        "bottleneck": by_bound.most_common(1)[0][0],
    }


def _words(group: Group, summed: Mapping[str, Any], whole: float) -> dict[str, Any]:
    single = group.size == 1
    share, bound = summed["latency_s"] / whole, summed["bottleneck"]
    moved = summed["memory_bytes"]
    place = f"kernel {group.first + 1}" if single else f"kernels {group.first + 1}-{group.last + 1}"
    name = summed["label"] if single else _titled(group)
    return {
        "id": f"k:{group.first}" if single else f"m:{group.path}",
        "label": name if single else f"{OPEN}{name}",
        "detail": f"{share:.1%} · {bound} · {summed['pattern']}"
        if single
        else f"{share:.1%} · {bound} · {group.size} kernels",
        "name": f"{name} ({place})",
        "module": summed["module"] if single else group.path,
        "pattern": summed["pattern"] if single else f"{group.size} kernels",
        "reason": (summed["reason"] or "–") if single else "Click to see what is inside.",
        "bottleneck": bound,
        "macs_text": number(summed["macs"]),
        "bytes_text": number(moved, "B"),
        "intensity_text": number(summed["flops"] / moved if moved else None, "flop/B"),
        "latency_text": number(summed["latency_s"], "s"),
        "share_text": f"{share:.1%}",
        "before_text": number(summed["before_s"], "s"),
        "change_text": change(summed["latency_s"], summed["before_s"]),
    }


def _titled(group: Group) -> str:
    return f"{group.first + 1} to {group.last + 1}" if "#" in group.path else group.path or ROOT

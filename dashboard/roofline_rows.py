"""Kernels as points under the ceilings of a device: the frame of ``charts_layers.roofline``. Pure.

Intensity and achieved throughput are of the arithmetic really done: where a causal mask leaves
blocks out, they are not in it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dashboard.readable import Columns, Pinned, length, number, row

if TYPE_CHECKING:
    from characterize.hardware import Profile
    from characterize.records import Precision

MARGIN: Final = 1.6  # of the range of the points, beyond them
ROOM: Final = 80.0  # to their right, where names stand
CORNER: Final = 300.0  # ratio of intensities that the names in the upper left corner take
LINE: Final = 2.2  # ratio of throughputs from one name to the next below
DASH: Final = {"memory": "— ", "on_chip": "- - "}  # how the lines of the names there are drawn
LETTERED: Final = 0.05  # share of the time from which on a pinned kernel carries its letter
APART: Final = 1.9  # ratio of two ceilings whose names do not touch


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A bound on throughput: flat where ``flops_per_s`` is finite, else a slope."""

    name: str
    kind: str  # "peak", "other" precisions, "vector", "memory", "on_chip"; how it is drawn
    flops_per_s: float = math.inf
    bytes_per_s: float = math.inf

    @property
    def text(self) -> str:
        """The name with its figure."""
        if math.isfinite(self.flops_per_s):
            return f"{self.name} {number(self.flops_per_s, 'flop/s')}"
        return f"{self.name} {number(self.bytes_per_s, 'B/s')}"


def ceilings(profile: Profile, precision: Precision) -> tuple[Ceiling, ...]:
    """The ceilings of a device: the precision in use, the others, vector units, memory levels."""
    peak = profile.peak(precision)
    found = [Ceiling(f"{precision} matrix", "peak", peak)]
    if profile.vector_flops_per_s:
        vector = profile.vector_peak(precision)
        if vector < peak / 1.02:
            found.append(Ceiling("vector", "vector", vector))
        else:
            found[0] = Ceiling(f"{precision} matrix and vector", "peak", peak)
    by_peak: dict[float, list[str]] = {}
    for other, value in profile.peak_flops_per_s.items():
        if other is not precision:
            by_peak.setdefault(value, []).append(str(other))
    for value, names in sorted(by_peak.items()):
        if all(_apart(value, known.flops_per_s) for known in found):
            found.append(Ceiling(", ".join(names), "other", value))
    if math.isfinite(profile.memory_bytes_per_s):
        name = "link to host" if profile.on_chip_only else "memory"
        found.append(Ceiling(name, "memory", bytes_per_s=profile.memory_bytes_per_s))
    if profile.on_chip_bytes_per_s is not None:
        found.append(Ceiling("on chip", "on_chip", bytes_per_s=profile.on_chip_bytes_per_s))
    return tuple(found)


def _apart(first: float, second: float) -> bool:
    return max(first, second) >= APART * min(first, second)


def frame(
    kernels: Columns, bounds: Sequence[Ceiling], ghosts: Sequence[Mapping[str, Any]] = ()
) -> tuple[dict[str, list[Any]], int]:
    """The frame of ``charts_layers.roofline``, and how many kernels do no arithmetic.

    Rows are told apart by ``role``: ``kernel`` a point, ``pinned`` one of a pinned configuration,
    ``ceiling`` an end of a line, ``name`` a text beside one, ``listed`` its name in a list. Kernels
    that do the same work are one point.

    Args:
        kernels: one row a kernel.
        bounds: of the device.
        ghosts: points of :func:`pinned` for the same device.
    """
    points, without = _points(kernels)
    if not points:
        return {}, without
    points += map(dict, ghosts)
    left = min(point["intensity"] for point in points) / MARGIN
    right = max(point["intensity"] for point in points) * ROOM
    low = min(point["achieved"] for point in points) / MARGIN
    flats = [bound.flops_per_s for bound in bounds if math.isfinite(bound.flops_per_s)]
    slopes = [bound.bytes_per_s for bound in bounds if math.isfinite(bound.bytes_per_s)]
    peak = next((bound.flops_per_s for bound in bounds if bound.kind == "peak"), max(flats))
    if slopes:
        right = max(right, ROOM * peak / min(slopes))
        left = min(left, peak / max(slopes) / CORNER)
    rows = [*points]
    for bound in bounds:
        rows += _drawn(bound, left, right, low, peak, min(slopes, default=math.inf))
    downwards = sorted(bounds, key=lambda bound: (bound.kind in DASH, -bound.flops_per_s))
    rows += [
        {"role": "listed", "place": place, "line": bound.text, "style": bound.kind}
        for place, bound in enumerate(downwards)
    ]
    corner = [bound for bound in bounds if bound.kind in DASH]
    rows += [
        {
            "role": "name_left",
            "intensity": left,
            "achieved": max(flats) / LINE**place,
            "line": f"{DASH[bound.kind]}{bound.text}",
            "short": f"{DASH[bound.kind]}{bound.name}",
            "style": bound.kind,
        }
        for place, bound in enumerate(corner)
    ]
    names = list(dict.fromkeys(name for each in rows for name in each))
    return {name: [each.get(name) for each in rows] for name in names}, without


def pinned(pin: Pinned) -> list[dict[str, Any]]:
    """The points of a pinned configuration's kernels; those that take long carry its letter."""
    points = _points(pin.rows)[0]
    return [
        {
            **point,
            "role": "pinned",
            "pin": f"{pin.letter} “{pin.name}”",
            "letter": pin.letter if point["share"] >= LETTERED else "",
            "said": f"{pin.letter}, pinned as {pin.name}: {point['said']}",
        }
        for point in points
    ]


def _points(kernels: Columns) -> tuple[list[dict[str, Any]], int]:
    whole = sum(kernels["latency_s"]) or 1.0
    alike: dict[tuple[Any, ...], dict[str, Any]] = {}
    without = 0
    for index in range(length(kernels)):
        kernel = row(kernels, index)
        flops = kernel["flops"] - 2.0 * (kernel["macs"] - kernel["worked_macs"])
        if not (flops > 0 and kernel["memory_bytes"] > 0 and kernel["latency_s"] > 0):
            without += 1
            continue
        same = tuple(kernel[name] for name in ("pattern", "flops", "memory_bytes", "latency_s"))
        point = alike.setdefault(same, {**kernel, "work": flops, "count": 0})
        point["count"] += 1
    return [_point(point, whole) for point in alike.values()], without


def _point(kernel: dict[str, Any], whole: float) -> dict[str, Any]:
    count, name = kernel["count"], kernel["label"]
    intensity = kernel["work"] / kernel["memory_bytes"]
    achieved = kernel["work"] / kernel["latency_s"]
    return {
        "role": "kernel",
        "intensity": intensity,
        "achieved": achieved,
        "share": count * kernel["latency_s"] / whole,
        "bottleneck": str(kernel["bottleneck"]),
        "name": name if count == 1 else f"{name} and {count - 1} like it",
        "pattern": kernel["pattern"],
        "intensity_text": number(intensity, "flop/B"),
        "achieved_text": number(achieved, "flop/s"),
        "latency_text": number(kernel["latency_s"], "s"),
        "macs_text": number(kernel["macs"]),
        "bytes_text": number(kernel["memory_bytes"], "B"),
        "said": f"{name}: {number(achieved, 'flop/s')} at {number(intensity, 'flop/B')}, bound by "
        f"{kernel['bottleneck']}",
    }


def _drawn(
    bound: Ceiling, left: float, right: float, low: float, peak: float, memory: float
) -> list[dict[str, Any]]:
    """Both ends of a ceiling, inside the picture, and the name of a flat one."""
    if math.isfinite(bound.flops_per_s):
        # a flat ceiling begins where the memory's slope reaches it
        start = bound.flops_per_s / memory if math.isfinite(memory) else left
        ends = [(min(max(left, start), right), bound.flops_per_s), (right, bound.flops_per_s)]
        names = [("name_right", ends[1])]
    else:
        start = max(left, low / bound.bytes_per_s)
        stop = peak / bound.bytes_per_s
        ends, names = [(start, start * bound.bytes_per_s), (stop, peak)], []
    same = {"line": bound.text, "short": bound.name, "style": bound.kind}
    return [
        {"role": role, "intensity": x, "achieved": y, **same}
        for role, (x, y) in [*(("ceiling", end) for end in ends), *names]
    ]

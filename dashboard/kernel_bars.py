"""Where the time or the energy of one device goes, kernel by kernel: bars for charts and tables. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dashboard.readable import Columns, length, number, row

TOP_KERNELS: Final = 12
BAR_ROOM: Final = 1.45  # of the longest bar, for the text behind it
VARIOUS: Final = "various"
_ALIKE: Final = ("pattern", "kind", "flops", "memory_bytes", "bottleneck")
_SUMMED: Final = ("flops", "memory_bytes", "tiles")


def top_kernels(
    kernels: Columns,
    column: str,
    unit: str,
    limit: int = TOP_KERNELS,
    before: Columns | None = None,
) -> dict[str, list[Any]]:
    """The frame of ``charts.kernels``: the dearest kernels first, the others summed in one row.

    Kernels that do the same work (a block that repeats) share a bar, which says how many they are.

    Args:
        kernels: rows of ``session.kernels`` for one device, one a kernel in the order they run.
        column: ``latency_s`` or ``energy_dynamic_j``.
        unit: its unit.
        limit: how many kinds of kernel get a bar of their own.
        before: the kernels of the first pin on the same device, to mark what its bars would be.
    """
    ordered = _grouped(kernels, column)
    bars = [_kernel_bar(group) for group in ordered[:limit]]
    if len(ordered) > limit:
        bars.append(_rest_bar(ordered[limit:]))
    known = {} if before is None else {_same(g): g["value"] for g in _grouped(before, column)}
    for bar, group in zip(bars, ordered, strict=False):
        bar["before"] = None if bar["pattern"] == VARIOUS else known.get(_same(group))
    return _finished_bars(bars, unit)


def _same(group: Mapping[str, Any]) -> tuple[str, str]:
    """What a kernel is found again by when sizes have changed: where it is and what it does."""
    return str(group["module"]), str(group["pattern"])


def _grouped(kernels: Columns, column: str) -> list[dict[str, Any]]:
    """Kernels that do the same work, together; the dearest first."""
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for index in range(length(kernels)):
        kernel = row(kernels, index)
        alike = tuple(kernel[name] for name in (*_ALIKE, column))
        group = groups.setdefault(
            alike, {**kernel, **dict.fromkeys(("count", *_SUMMED), 0), "value": 0.0, "first": index}
        )
        group["count"] += 1
        group["value"] += float(kernel[column])
        for name in _SUMMED:
            group[name] += float(kernel[name])
    return sorted(groups.values(), key=lambda group: -group["value"])


def _kernel_bar(row: Mapping[Any, Any]) -> dict[str, Any]:
    count, name = int(row["count"]), str(row["kernel"])
    return {
        **{key: row[key] for key in ("module", "value", "flops", "memory_bytes", "tiles", "first")},
        "label": f"{count} × {name}" if count > 1 else name,
        "kernel": name if count == 1 else f"{name} and {count - 1} like it",
        "pattern": str(row["pattern"]),
        "kind": str(row["kind"]).replace("_", " "),
        "occurs": count,
        "bottleneck": str(row["bottleneck"]),
    }


def _rest_bar(rest: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    count = sum(group["count"] for group in rest)
    name = f"{count} other kernels" if count > 1 else "1 other kernel"
    sums = {key: sum(group[key] for group in rest) for key in ("value", *_SUMMED)}
    # written as bound by what binds most of its time
    by_bound: Counter[str] = Counter()
    for group in rest:
        by_bound[str(group["bottleneck"])] += group["value"]
    words = {"label": name, "kernel": name, "module": "–", "pattern": VARIOUS, "kind": VARIOUS}
    return {
        **sums,
        **words,
        "occurs": count,
        "first": -1,
        "bottleneck": by_bound.most_common(1)[0][0],
    }


def _finished_bars(bars: list[dict[str, Any]], unit: str) -> dict[str, list[Any]]:
    """Texts, order and room for the texts; kernels that share a name get a number."""
    total = sum(bar["value"] for bar in bars)
    values = [value for bar in bars for value in (bar["value"], bar["before"]) if value is not None]
    longest = max(values, default=0.0)
    seen: Counter[str] = Counter()
    for order, bar in enumerate(bars):
        seen[bar["label"]] += 1
        if seen[bar["label"]] > 1:  # or one bar would hide the other
            bar["label"] = f"{bar['label']} ({seen[bar['label']]})"
        share = bar["value"] / total if total > 0 else 0.0
        named = bar["pattern"] != VARIOUS
        bar |= {
            "order": order,
            "share": share,
            "rest": not named,
            "room": longest * BAR_ROOM,
            "text": number(bar["value"], unit),
            "before_text": number(bar["before"], unit),
            "end_text": f"{share:.0%} {bar['pattern']}" if named else f"{share:.0%}",
            "flops_text": number(bar.pop("flops"), "flop"),
            "bytes_text": number(bar.pop("memory_bytes"), "B"),
        }
    return {name: [bar[name] for bar in bars] for name in (bars[0] if bars else ())}


def outside_kernels(bars: Columns, total: float, unit: str) -> str:
    """How much of a device's ``total`` is in no kernel, in a sentence; nothing below one percent."""
    inside = sum(bars["value"])
    rest = total - inside
    if total <= 0 or rest < 0.01 * total:
        return ""
    return (
        f"The kernels take {number(inside, unit)} of {number(total, unit)}; the other "
        f"{rest / total:.0%} is what an inference takes beside them."
    )

"""The report of a comparison: a network on devices, or several, with what its numbers rest on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dashboard import anatomy, catalogue, explain, pins, queries, readable, saving, tables
from dashboard.queries import Answer, Network
from dashboard.readable import Columns, Pinned
from dashboard.report_page import Listing, Report

CHARTS: Final = tuple(
    f"by_device_{quantity.column}"
    for quantity in (readable.LATENCY, readable.ENERGY, readable.SPEEDUP)
)
"""The charts of Tune that belong on the page, by key."""


def of_network(
    network: Network,
    answer: Answer,
    focus: Mapping[str, Any],
    pinned: Sequence[Pinned],
    request: Mapping[str, Any],
    charts: Sequence[str] = CHARTS,
) -> Report:
    """The report of what Tune shows.

    Args:
        network: what is computed.
        answer: its rows.
        focus: the row whose figures are large.
        pinned: what it is compared with.
        request: what was asked, for the provenance.
        charts: keys of the charts to show.
    """
    titles = {name: device.title for name, device in queries.devices().items()}
    names = [str(name) for name in answer.rows["hardware"]]
    lines = [
        f"On {titles.get(str(focus['hardware']), focus['hardware'])}: the figures in large print.",
        _settings(network),
        *(f"{pin.letter} is “{pin.name}”, pinned." for pin in pinned),
        *(f"Not shown, for lack of {network.precision}: {titles[n]}." for n in answer.left_out),
        *answer.notes,
    ]
    return Report(
        title=f"What {pins.summary(network)} costs on {len(names)} devices",
        lines=lines,
        figures=[
            (each.title, readable.number(float(focus[each.column]), each.unit))
            for each in readable.KPIS
        ],
        charts=charts,
        listings=[
            Listing("All figures", tables.on_screen(answer.rows, titles, pinned)),
            Listing("What the confidence rests on", _confidence(names)),
            Listing(_FIGURES, _figures(network, names), _KINDS),
        ],
        about=saving.provenance(request, saving.profiles_of(names)),
    )


def of_networks(
    networks: Mapping[str, Network],
    rows: Columns,
    lines: Sequence[str],
    request: Mapping[str, Any],
    charts: Sequence[str],
) -> Report:
    """The report of what Compare shows.

    Args:
        networks: what is compared, by name.
        rows: of all of them on all devices, with a column ``network``.
        lines: what the charts tell.
        request: what was asked, for the provenance.
        charts: keys of the charts to show.
    """
    titles = {name: device.title for name, device in queries.devices().items()}
    names = list(dict.fromkeys(str(name) for name in rows["hardware"]))
    figures: dict[tuple[Any, ...], None] = {}
    heads: list[str] = []
    for network in networks.values():  # of each precision and stack its own, those of both once
        found = _figures(network, names)
        heads = list(found)
        figures |= dict.fromkeys(zip(*found.values(), strict=True))
    plural = "network" if len(networks) == 1 else "networks"
    return Report(
        title=f"{len(networks)} {plural} on {len(names)} devices",
        lines=[*lines, *(f"{name}: {_settings(network)}" for name, network in networks.items())],
        figures=(),
        charts=charts,
        listings=[
            Listing(
                "All figures",
                {"Network": list(rows["network"]), **tables.on_screen(rows, titles)},
            ),
            Listing("What the confidence rests on", _confidence(names)),
            Listing(
                _FIGURES,
                {head: [row[place] for row in figures] for place, head in enumerate(heads)},
                _KINDS,
            ),
        ],
        about=saving.provenance(request, saving.profiles_of(names)),
    )


_FIGURES: Final = "Figures of the devices and where they come from"
_KINDS: Final = "Published, derived from published ones, measured, or assumed: the kind says which."


def _settings(network: Network) -> str:
    parts = [f"{name} {value}" for name, value in network.parameters]
    return (
        f"{network.model} ({', '.join(parts)}), batch {network.batch}, precision "
        f"{network.precision}, {network.stack} stack."
    )


def _confidence(names: Sequence[str]) -> Columns:
    """What each device's numbers were fitted on, or that nothing was."""
    rows: dict[str, list[Any]] = {
        name: [] for name in ("Device", "Confidence", "Fitted on", "Points", "Median error (%)")
    }
    for name in names:
        profile = queries.profile(name)
        fits = catalogue.fits(profile).to_dict("records") or [{}]
        for fit in fits:
            on = fit.get("Fitted on", "nothing")
            found = (on, fit.get("Points"), fit.get("Median error (%)"))
            values = (profile.title, str(profile.confidence), *found)
            for column, value in zip(rows, values, strict=True):
                rows[column].append(value)
    return _unique(rows)


def _unique(rows: dict[str, list[Any]]) -> Columns:
    kept = list(dict.fromkeys(zip(*rows.values(), strict=True)))
    return {name: [row[index] for row in kept] for index, name in enumerate(rows)}


def _figures(network: Network, names: Sequence[str]) -> Columns:
    rows: dict[str, list[str]] = {}
    for name in names:
        profile = queries.profile(name)
        found = explain.figure_rows(anatomy.figures_used(profile, network))
        count = len(found["Figure"])
        for column, values in {"Device": [profile.title] * count, **found}.items():
            rows.setdefault(column, []).extend(values)
    return rows

"""How the time of a sweep grows: against configurations, devices and layers, as a plot in the docs.

    python -m benchmarks.growth [--output docs/images/growth.svg] [--small]

Every point is a sweep of `conv2d_stack` into the store, in this process, the best of three; templates
are traced before, except in the last plot, which shows the tracing too. Both axes are logarithmic: a
dashed line has the slope of linear growth.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from characterize import hardware, session, store, sweeping, tracing
from characterize.records import Stack
from characterize.subjects import subject

RESULTS: Final = Path(__file__).parent.parent / "docs" / "images" / "growth.svg"
DEVICES: Final = ("intel_i9_10940x", "nvidia_rtx_4090", "google_tpu_v4", "stillwater_kpu_t256")
RUNS: Final = 3
WIDTH, HEIGHT, LEFT, TOP, GAP = 300.0, 240.0, 62.0, 46.0, 84.0
COLOURS: Final = ("#0072B2", "#D55E00")

Points = list[tuple[float, float]]


def seconds(axes: Mapping[str, Any], batch: Sequence[int], devices: Sequence[str]) -> float:
    """The best of a few sweeps into an empty store."""
    space = sweeping.grid("conv2d_stack", axes, batch)
    times = []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as place:
            shelf = store.Store(Path(place) / "store.duckdb")
            begun = time.perf_counter()
            sweeping.sweep_to(space, hardware=list(devices), keep=shelf)
            times.append(time.perf_counter() - begun)
    return min(times)


def against_configurations(small: bool) -> Points:
    """A thousand to four million configurations on four devices."""
    found = []
    for side in (10, 32, 100) if small else (10, 22, 46, 100, 215, 316, 447, 707):
        axes = {"layers": 3, "channels": range(1, side + 1), "input_size": range(8, side + 8)}
        found.append((side * side * 8.0, seconds(axes, range(2, 10), DEVICES)))
    return found


def against_devices(small: bool) -> Points:
    """One device to all GPUs there are, on 20,000 configurations."""
    names = [profile.name for profile in hardware.select(["gpu"])]
    axes = {"layers": 3, "channels": range(1, 101), "input_size": range(8, 58 if not small else 18)}
    counts = [n for n in (1, 2, 4, 8, 16, 32) if n <= len(names)]
    return [(float(n), seconds(axes, [2, 3, 4, 5], names[:n])) for n in counts]


def against_layers(small: bool) -> tuple[Points, Points]:
    """One to 128 layers, on 20,000 configurations: the sweep, and tracing the template."""
    sweeps, traces = [], []
    for layers in (1, 4, 16) if small else (1, 2, 4, 8, 16, 32, 64, 128):
        asked = subject("conv2d_stack", {"layers": layers}, 2)
        begun = time.perf_counter()
        names = ["channels", "in_channels", "input_size", "batch"]
        tracing.trace_template("conv2d_stack", asked.values, names, 2)
        traces.append((float(layers), time.perf_counter() - begun))
        session.frame(asked, Stack.COMPILED, None)
        axes = {"layers": layers, "channels": range(1, 101), "input_size": range(8, 58)}
        sweeps.append((float(layers), seconds(axes, [2, 3, 4, 5], DEVICES)))
    return sweeps, traces


# the plot


class Scale:
    """Values on a logarithmic axis as places on the page."""

    def __init__(self, values: Iterable[float], first: float, last: float) -> None:
        known = [math.log10(value) for value in values]
        self.low, self.high = math.floor(min(known)), math.ceil(max(known) + 1e-9)
        self._first, self._last = first, last

    def __call__(self, value: float) -> float:
        """The place of a value."""
        share = (math.log10(value) - self.low) / max(self.high - self.low, 1)
        return self._first + share * (self._last - self._first)

    @property
    def decades(self) -> list[float]:
        """Powers of ten inside."""
        return [10.0**power for power in range(self.low, self.high + 1)]


def panel(title: str, across: str, series: Mapping[str, Points], place: float) -> list[str]:
    """One plot: axes, points joined by lines, and the slope of linear growth through the last."""
    everything = [point for points in series.values() for point in points]
    x = Scale([a for a, _ in everything], place, place + WIDTH)
    y = Scale([b for _, b in everything], TOP + HEIGHT, TOP)
    parts = [_text(place, TOP - 22, title, weight="600")]
    for value in x.decades:
        parts += [_line([(x(value), TOP), (x(value), TOP + HEIGHT)], "#DDDDDD", 1)]
        parts += [_text(x(value), TOP + HEIGHT + 18, _number(value), anchor="middle")]
    for value in y.decades:
        parts += [_line([(place, y(value)), (place + WIDTH, y(value))], "#DDDDDD", 1)]
        parts += [_text(place - 8, y(value) + 4, f"{_number(value)} s", anchor="end")]
    parts.append(_text(place + WIDTH / 2, TOP + HEIGHT + 40, across, anchor="middle"))
    for colour, (name, points) in zip(COLOURS, series.items(), strict=False):
        parts.append(_line([(x(a), y(b)) for a, b in points], colour, 2))
        parts += [
            f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="3.5" fill="{colour}"/>' for a, b in points
        ]
        a, b = points[-1]
        parts.append(_text(x(a) - 8, y(b) - 8, name, anchor="end", fill=colour))
        lowest = max(10.0**x.low, a * 10.0**y.low / b)
        parts.append(
            _line([(x(lowest), y(b * lowest / a)), (x(a), y(b))], "#777777", 1, dash="5 4")
        )
    return parts


def _text(
    x: float, y: float, text: str, anchor: str = "start", weight: str = "400", fill: str = "#333333"
) -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {where} font-weight="{weight}" fill="{fill}">{text}</text>'


def _line(points: Sequence[tuple[float, float]], colour: str, width: int, dash: str = "") -> str:
    listed = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<polyline points="{listed}" fill="none" stroke="{colour}" stroke-width="{width}"{dashes}/>'


def _number(value: float) -> str:
    for scale, suffix in ((1e6, " M"), (1e3, " k")):
        if value >= scale:
            return f"{value / scale:g}{suffix}"
    return f"{value:g}"


def svg(panels: Sequence[tuple[str, str, Mapping[str, Points]]]) -> str:
    """The three plots side by side."""
    width = LEFT + len(panels) * (WIDTH + GAP)
    height = TOP + HEIGHT + 60
    said = "Seconds of a sweep against configurations, devices and layers, on logarithmic axes."
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'font-family="sans-serif" font-size="13"><title>{said}</title>',
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#FFFFFF"/>',
    ]
    for index, (title, across, series) in enumerate(panels):
        parts += panel(title, across, series, LEFT + index * (WIDTH + GAP))
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--small", action="store_true", help="fewer points, to see that it works")
    arguments = parser.parse_args()
    configurations = against_configurations(arguments.small)
    devices = against_devices(arguments.small)
    sweeps, traces = against_layers(arguments.small)
    panels = [
        ("Configurations, on four devices", "configurations", {"sweep": configurations}),
        ("Devices (GPUs), 20 k configurations", "devices", {"sweep": devices}),
        (
            "Layers, 20 k configurations, four devices",
            "layers",
            {"sweep": sweeps, "trace, once": traces},
        ),
    ]
    for title, _, series in panels:
        print(
            title, {name: [(a, round(b, 3)) for a, b in points] for name, points in series.items()}
        )
    arguments.output.write_text(svg(panels))


if __name__ == "__main__":
    main()

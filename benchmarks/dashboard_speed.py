"""How long a slider step takes to reach the charts, and a first visit to show figures, in chromium.

    python -m benchmarks.dashboard_speed                     all of it, into benchmarks/results/
    python -m benchmarks.dashboard_speed --steps 8 --case "Tune, 3 layers" --output -

The floor is a bare Streamlit app, one slider and one line of text, measured in the same run; beside it
a page of a slider and four small charts, as one writes it first, and the least that sliders and charts
like those of Tune can cost: seven sliders and three charts in one fragment, to which only rows are sent,
and nothing else. These are measured before the other pages and after them, as the machine's pace
changes. A step is timed in the page, from the key to the frame that first shows the changed text (of the
bare app) or the last of the charts that change. Every step goes to a value that was not shown before; the
first step of each slider, which evaluates all its stops, warms up. The server's share is the whole run of
the script: from before the callback to after the last element.

A first visit has a server, a profile and a store of its own; it is compared with a bare page that
has one Altair chart. The server is the one that `characterize dashboard` starts.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, ElementHandle, Page, sync_playwright

from benchmarks.screenshots import APP, CHROMIUM, FLAGS, served, settled

RESULTS: Final = Path(__file__).parent / "results" / "dashboard.md"
TARGET_RATIO, TARGET_SHARE_MS, TARGET_PAINT_S = 2.5, 30.0, 3.0
QUIET_MS: Final = 350  # without a change: the step has arrived whole
BARE: Final = """
import streamlit as st
value = st.slider("Value", 0, 1000, 10)
st.write(f"The value is {value}")
"""
BARE_CHART: Final = """
import altair as alt
import pandas as pd
import streamlit as st
frame = pd.DataFrame({"x": range(8), "y": range(8)})
st.altair_chart(alt.Chart(frame).mark_point().encode(x="x:Q", y="y:Q"))
"""
NAIVE: Final = """
import altair as alt
import pandas as pd
import streamlit as st
value = st.slider("Value", 0, 1000, 10)
for name in "abcd":
    frame = pd.DataFrame({"x": range(8), "y": [value * (1 + x % 3) for x in range(8)]})
    st.altair_chart(alt.Chart(frame, title=name).mark_bar().encode(x="x:O", y="y:Q"))
"""
LEAST: Final = """
import pyarrow as pa
import streamlit as st
ACROSS = {"field": "x", "type": "quantitative", "scale": {"domain": [0, 4000]}}
CHART = {"mark": "point", "encoding": {"x": ACROSS, "y": {"field": "y", "type": "nominal"}}}
@st.fragment
def page():
    value = st.slider("Value", 0, 1000, 10)
    for name in "bcdefg":
        st.slider(name, 0, 100, 10)
    for place, name in zip(st.columns(3), "xyz"):
        rows = {"x": [value * (1 + x % 3) for x in range(8)], "y": list("abcdefgh")}
        place.vega_lite_chart(pa.table(rows), CHART, key=name)
page()
"""
PINS: Final = "".join(
    f'&pin={{"name":"{name}","model":"conv2d_stack","set":{{"layers":{layers}}},"batch":1,'
    '"precision":"auto","stack":"compiled"}'
    for name, layers in (("a", 4), ("b", 8))
)
STACK: Final = ("Channels", "Input size (px)", "In channels")
RESNET: Final = ("Input size (px)", "Classes", "Batch")
CASES: Final = {
    "Tune, 3 layers": ("/?conv2d_stack.layers=3", STACK),
    "Tune, 50 layers": ("/?conv2d_stack.layers=50", STACK),
    "Tune, ResNet-50": ("/?model=resnet", RESNET),
    "Tune, 3 layers, two pins": (f"/?conv2d_stack.layers=3{PINS}", STACK),
    "Layers, 3 layers": ("/layers?conv2d_stack.layers=3", STACK),
    "Layers, 50 layers": ("/layers?conv2d_stack.layers=50", STACK),
    "Layers, ResNet-50": ("/layers?model=resnet", RESNET),
    "Compare": ("/compare?conv2d_stack.layers=3", STACK),
    "Tune, another number of layers each step": ("/?conv2d_stack.layers=3", ("Layers",)),
}
"""By name: the address, and the sliders that are moved. All but those of the last keep the topology."""

# The key is seen before the page's own listeners; charts and texts are watched for what changes next.
WATCH: Final = """() => {
    const inChart = node => (node.nodeType === 1 ? node : node.parentElement)
        ?.closest('[data-testid=stVegaLiteChart]');
    window.step = {start: 0, charts: new Map(), text: 0, last: 0};
    document.addEventListener('keydown', () => {
        window.step = {start: performance.now(), charts: new Map(), text: 0, last: performance.now()};
    }, true);
    // what has changed is there for a person once the frame that shows it has been made
    const shown = note => requestAnimationFrame(() => setTimeout(() => note(performance.now())));
    new MutationObserver(records => {
        const step = window.step;
        for (const record of records) {
            const chart = inChart(record.target);
            const node = record.target.nodeType === 1 ? record.target : record.target.parentElement;
            if (chart && (record.type === 'childList' || node.closest('svg.marks'))) {
                step.last = performance.now();
                if (!step.charts.has(chart)) {
                    step.charts.set(chart, step.last);
                    shown(now => step.charts.set(chart, now));
                }
            } else if (record.type !== 'attributes' && node?.closest('[data-testid=stMarkdown]')) {
                step.last = performance.now();
                if (!step.text) {
                    step.text = step.last;
                    shown(now => { step.text = now; });
                }
            }
        }
    }).observe(document.body, {subtree: true, childList: true, characterData: true, attributes: true});
}"""
READ: Final = """(quiet) => {
    const step = window.step;
    if (!step.text && !step.charts.size) return null;
    if (performance.now() - step.last < quiet) return null;
    const charts = [...step.charts.values()].map(at => at - step.start);
    return {text: step.text - step.start, charts: charts.length ? Math.max(...charts) : null};
}"""


@dataclass(frozen=True)
class Case:
    """What was measured of one page: milliseconds a step, and of the server's part of it."""

    name: str
    steps: list[float]
    shares: list[float]
    messages: float
    kilobytes: float


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of ``values`` lie, between neighbours."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


# Steps


def steps(
    page: Page, names: Sequence[str], count: int, times: Path
) -> Iterator[tuple[float, float, int, int]]:
    """Move sliders up, to values that nothing was computed for.

    Yields:
        milliseconds to the charts (or the text), the server's seconds, messages and bytes.
    """
    page.evaluate(WATCH)
    done = 0
    for name in names:
        thumb = thumb_of(page, name)
        first = True  # it warms up what only this slider asks for
        while done < count:
            was, runs = stands_at(thumb), len(times.read_text().splitlines())
            thumb.press("ArrowRight")
            if stands_at(thumb) == was:
                break  # it is at its end
            found = arrived(page, times, runs)
            if not first:
                yield found
                done += 1
            first = False


def arrived(page: Page, times: Path, runs: int) -> tuple[float, float, int, int]:
    """What one step took, once all of it is there."""
    line = ended_run(times, runs)
    seen = page.wait_for_function(READ, arg=QUIET_MS, timeout=30_000, polling=50).json_value()
    took, messages, size, _cpu = line.split()
    at = seen["text"] if seen["charts"] is None else seen["charts"]
    return float(at), float(took), int(messages), int(size)


def thumb_of(page: Page, name: str) -> ElementHandle:
    """What is moved of a slider: the element itself, for looking it up takes the page's time."""
    return page.get_by_role("group", name=name, exact=True).get_by_role("slider").element_handle()


def stands_at(thumb: ElementHandle) -> str:
    """The value that a slider shows."""
    return f"{thumb.get_attribute('aria-valuetext')} {thumb.get_attribute('aria-valuenow')}"


def ended_run(times: Path, before: int) -> str:
    """The line of the first run that ends after ``before`` others."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        lines = times.read_text().splitlines()
        if len(lines) > before:
            return lines[before]
        time.sleep(0.01)
    msg = "The server did not answer the slider."
    raise RuntimeError(msg)


def measure(
    browser: Browser, name: str, address: str, sliders: Sequence[str], count: int, times: Path
) -> Case:
    """Steps of one page in a profile of its own."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    page.goto(address)
    page.get_by_role("slider").first.wait_for(timeout=60_000)
    if name in CASES:
        settled(page)
    page.wait_for_timeout(1500)
    found = list(steps(page, sliders, count, times))
    context.close()
    print(f"{name}: {statistics.median(each[0] for each in found):.0f} ms", flush=True)
    return Case(
        name,
        [each[0] for each in found],
        [1e3 * each[1] for each in found],
        statistics.median(each[2] for each in found),
        statistics.median(each[3] for each in found) / 1e3,
    )


def pooled(one: Case, other: Case) -> Case:
    """A page that was measured twice, before and after the others: the machine's pace changes."""
    return replace(one, steps=one.steps + other.steps, shares=one.shares + other.shares)


# First visits


def first_paints(
    folder: Path, app: Path, ready: str, times: int, server: str = "streamlit"
) -> list[float]:
    """Seconds from opening the address until ``ready`` is there; everything is new every time."""
    found = []
    for index in range(times):
        os.environ["CHARACTERIZE_STORE"] = str(folder / f"first{index}.duckdb")
        with served(app, server) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
            page = browser.new_page(viewport={"width": 1440, "height": 1000})
            before = time.perf_counter()
            page.goto(address)
            page.wait_for_function(ready, timeout=60_000)
            found.append(time.perf_counter() - before)
            browser.close()
    return found


CHART_DRAWN: Final = "() => document.querySelector('[data-testid=stVegaLiteChart] svg')"
DASHBOARD_DRAWN: Final = """() =>
    document.querySelectorAll('[data-testid=stMetricValue]').length >= 6
    && document.querySelectorAll('[data-testid=stVegaLiteChart] svg').length >= 3"""


# The page of results


def report(bare: Case, cases: Sequence[Case], paints: tuple[list[float], list[float]]) -> str:
    """The results as Markdown."""
    rows = [_row(case, bare) for case in (bare, *cases)]
    ours, chart = (statistics.median(each) if each else float("nan") for each in paints)
    return "\n".join(
        [
            "# The dashboard: slider steps and first visits",
            "",
            f"`python -m benchmarks.dashboard_speed`, {time.strftime('%Y-%m-%d')}, {os.cpu_count()} "
            f"cores ({platform.machine()}), Streamlit's server and chromium on the same machine, 8 "
            "devices unless the view shows one.",
            "",
            "Milliseconds from the key to the charts; times the bare app's (the target is "
            f"{TARGET_RATIO}); the server's share, from the callback to the last element (the target "
            f"is {TARGET_SHARE_MS:.0f} ms); messages and kilobytes a step.",
            "",
            "| page | n | median | 95 % | × median | × 95 % | share, median | share, 95 % | messages | kB |",
            "|---|---|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            f"First visit (server, profile and store new, n = {len(paints[0])}, median): {ours:.2f} s "
            f"until figures and charts are drawn (the target is {TARGET_PAINT_S:.0f} s); a bare page "
            f"with one Altair chart: {chart:.2f} s.",
            "",
        ]
    )


def _row(case: Case, bare: Case) -> str:
    middle, high = quantile(case.steps, 0.5), quantile(case.steps, 0.95)
    cells = [
        case.name,
        f"{len(case.steps)}",
        f"{middle:.0f}",
        f"{high:.0f}",
        f"{middle / quantile(bare.steps, 0.5):.2f}",
        f"{high / quantile(bare.steps, 0.95):.2f}",
        f"{quantile(case.shares, 0.5):.1f}",
        f"{quantile(case.shares, 0.95):.1f}",
        f"{case.messages:.0f}",
        f"{case.kilobytes:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=[*CASES], action="append")
    parser.add_argument("--steps", type=int, default=24, help="timed steps a page")
    parser.add_argument("--first-visits", type=int, default=5)
    parser.add_argument("--output", type=Path, default=RESULTS, help="'-' prints only")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        text = run(Path(name), asked.case or [*CASES], asked.steps, asked.first_visits)
    print(text)
    if str(asked.output) != "-":
        asked.output.write_text(text)


def run(folder: Path, names: Sequence[str], count: int, visits: int) -> str:
    """All measurements; ``folder`` holds the bare apps, the store and the server's times."""
    bare, bare_chart, times = folder / "bare.py", folder / "bare_chart.py", folder / "times.txt"
    naive, least = folder / "naive.py", folder / "least.py"
    bare.write_text(BARE)
    naive.write_text(NAIVE)
    least.write_text(LEAST)
    bare_chart.write_text(BARE_CHART)
    times.write_text("")
    os.environ["TIMES"] = str(times)
    os.environ["CHARACTERIZE_STORE"] = str(folder / "store.duckdb")
    with contextlib.ExitStack() as stack:
        floor = stack.enter_context(served(bare, "benchmarks.timed_server"))
        four = stack.enter_context(served(naive, "benchmarks.timed_server"))
        seven = stack.enter_context(served(least, "benchmarks.timed_server"))
        ours = stack.enter_context(served(APP, "benchmarks.timed_server"))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        plain = (
            ("Bare", floor),
            ("A slider and four charts", four),
            ("Seven sliders and three charts, nothing else", seven),
        )
        before = [measure(browser, name, at, ["Value"], count, times) for name, at in plain]
        cases = [
            measure(browser, name, ours + CASES[name][0], CASES[name][1], count, times)
            for name in names
        ]
        after = [measure(browser, name, at, ["Value"], count, times) for name, at in plain]
        browser.close()
    found, *simple = map(pooled, before, after)
    paints = (
        first_paints(folder, APP, DASHBOARD_DRAWN, visits, "dashboard.serve"),
        first_paints(folder, bare_chart, CHART_DRAWN, visits),
    )
    return report(found, [*simple, *cases], paints)


if __name__ == "__main__":
    main()

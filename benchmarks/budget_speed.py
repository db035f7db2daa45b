"""How long a budget slider of the Sweep view takes to its new picture, on ten million rows.

    python -m benchmarks.budget_speed                       runs the sweep, then measures
    python -m benchmarks.budget_speed --store FOLDER        keeps the sweep there for the next time
    python -m benchmarks.budget_speed --sizes 25 --steps 4 --output -     a small try

The sweep is 250 channels x 250 image sizes x 40 batches of ``conv2d_stack`` on four devices, one of each
architecture. Steps are timed as in ``benchmarks.dashboard_speed``, and held against a bare Streamlit app
in the same run: 3.5 times its floor is the target.
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
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from benchmarks.dashboard_speed import (
    BARE,
    WATCH,
    Case,
    arrived,
    ended_run,
    measure,
    pooled,
    quantile,
    stands_at,
    thumb_of,
)
from benchmarks.screenshots import APP, CHROMIUM, FLAGS, served, settled
from characterize import store, sweeping

RESULTS: Final = Path(__file__).parent / "results" / "budget_speed.md"
TARGET_RATIO: Final = 3.5
DEVICES: Final = ("intel_i7_12700k", "nvidia_rtx_4090", "google_tpu_v5e", "stillwater_kpu_t256")
PICTURES: Final = ("Heatmap", "Lines", "Frontier")
SLIDERS: Final = ("Latency at most", "Energy at most")
PER_SLIDER: Final = 20  # steps up one slider before the next
SETTLE_MS: Final = 1_500  # a new picture is there by then


def prepared(folder: Path, sizes: int) -> int:
    """Run the sweep beside the store, or find it there; returns its rows."""
    axes = {"channels": range(1, sizes + 1), "input_size": range(16, 16 + sizes)}
    space = sweeping.grid("conv2d_stack", axes, range(1, 41))
    shelf = store.Store(folder / "store.duckdb")
    done = sweeping.sweep_to(space, hardware=DEVICES, keep=shelf)
    print(f"{done.tally.rows:,} rows, {done.resumed:,} configurations were there", flush=True)
    return done.tally.rows


def steps(
    browser: Browser, address: str, picture: str, count: int, times: Path
) -> tuple[list[float], list[float], list[int]]:
    """Milliseconds to the new picture, the server's part of them, and bytes a step."""
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    page.goto(f"{address}/sweep?sweep.show={picture}")
    page.get_by_role("slider").first.wait_for(timeout=300_000)
    count_of_rows = page.get_by_text("rows are within the budgets")
    count_of_rows.wait_for(timeout=300_000)
    settled(page)
    page.evaluate(WATCH)
    found = []
    for name in SLIDERS:
        thumb = thumb_of(page, name)
        thumb.press("Home")  # the tightest; this step reads a column, and is not counted
        page.wait_for_timeout(4 * SETTLE_MS)
        for _ in range(PER_SLIDER):
            runs, before = len(times.read_text().splitlines()), count_of_rows.inner_text()
            was = stands_at(thumb)
            thumb.press("ArrowRight")
            if stands_at(thumb) == was:
                break  # it is at its end
            ended_run(times, runs)
            page.wait_for_timeout(SETTLE_MS)
            if count_of_rows.inner_text() != before:  # else there is nothing new to draw
                found.append(arrived(page, times, runs))
            if len(found) >= count:
                break
        thumb.press("End")
        page.wait_for_timeout(SETTLE_MS)
    page.close()
    return (
        [each[0] for each in found],
        [1e3 * each[1] for each in found],
        [each[3] for each in found],
    )


@contextlib.contextmanager
def folder_of(asked: Path | None) -> Iterator[Path]:
    """Where the sweep is kept."""
    if asked is not None:
        asked.mkdir(parents=True, exist_ok=True)
        yield asked
        return
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def report(
    rows: int, bare: Case, found: dict[str, tuple[list[float], list[float], list[int]]]
) -> str:
    """The results as Markdown."""
    middle, high = quantile(bare.steps, 0.5), quantile(bare.steps, 0.95)
    lines = [
        "# A budget slider on a large sweep",
        "",
        f"`python -m benchmarks.budget_speed`, {time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores "
        f"({platform.machine()}), Streamlit's server and chromium on the same machine: {rows:,} rows. "
        f"The target is {TARGET_RATIO} times a bare Streamlit app.",
        "",
        "| picture | n | median, ms | 95 %, ms | × median | × 95 % | server, median | kB |",
        "|---|---|---|---|---|---|---|---|",
        f"| bare app | {len(bare.steps)} | {middle:.0f} | {high:.0f} | 1.00 | 1.00 | "
        f"{quantile(bare.shares, 0.5):.0f} | 0 |",
    ]
    for name, (took, shares, sizes) in found.items():
        ours, ours_high = quantile(took, 0.5), quantile(took, 0.95)
        lines.append(
            f"| {name} | {len(took)} | {ours:.0f} | {ours_high:.0f} | {ours / middle:.2f} | "
            f"{ours_high / high:.2f} | {quantile(shares, 0.5):.0f} | {statistics.median(sizes) / 1e3:.0f} |"
        )
    return "\n".join([*lines, ""])


def run(folder: Path, sizes: int, count: int, pictures: Sequence[str]) -> str:
    """The sweep, the bare app's floor and every picture's steps."""
    rows = prepared(folder, sizes)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        bare, times = Path(name) / "bare.py", Path(name) / "times.txt"
        bare.write_text(BARE)
        times.write_text("")
        os.environ["TIMES"] = str(times)
        os.environ["CHARACTERIZE_STORE"] = str(folder / "store.duckdb")
        floor = stack.enter_context(served(bare, "benchmarks.timed_server"))
        ours = stack.enter_context(served(APP, "benchmarks.timed_server"))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        least = measure(browser, "Bare", floor, ["Value"], count, times)
        found = {each: steps(browser, ours, each, count, times) for each in pictures}
        again = measure(browser, "Bare", floor, ["Value"], count, times)
        browser.close()
    return report(rows, pooled(least, again), found)


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, help="a folder that keeps the sweep")
    parser.add_argument("--sizes", type=int, default=250, help="channels and image sizes")
    parser.add_argument("--steps", type=int, default=24, help="timed steps a picture")
    parser.add_argument("--picture", choices=PICTURES, action="append")
    parser.add_argument("--output", type=Path, default=RESULTS, help="'-' prints only")
    asked = parser.parse_args()
    with folder_of(asked.store) as folder:
        text = run(folder, asked.sizes, asked.steps, asked.picture or PICTURES)
    print(text)
    if str(asked.output) != "-":
        asked.output.write_text(text)


if __name__ == "__main__":
    main()

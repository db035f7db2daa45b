"""Pictures of every view, wide and narrow, light and dark, for a person to look through.

    python -m benchmarks.screenshots                 all of them, into ./screenshots
    python -m benchmarks.screenshots --view tune --width 390 --theme dark

Starts the dashboard on a free local port with a store of its own, in which a sweep and some results
are prepared, and Debian's chromium. ``index.html`` shows the pictures side by side.
"""

from __future__ import annotations

import argparse
import contextlib
import html
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page, sync_playwright

ROOT: Final = Path(__file__).resolve().parent.parent
APP: Final = ROOT / "dashboard" / "app.py"
CHROMIUM: Final = "/usr/bin/chromium"
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PIN: Final = (
    '{"name":"the default","model":"conv2d_stack","set":{},"batch":1,"precision":"auto",'
    '"stack":"compiled"}'
)
VIEWS: Final = {
    "tune": "/",
    "tune_pinned": f"/?conv2d_stack.layers=8&conv2d_stack.channels=64&batch=8&pin={PIN}",
    "tune_kernels": "/?tune.show=Where it goes",
    "tune_table": "/?tune.show=All figures",
    "compare": "/compare",
    "compare_frontiers": "/compare?compare.beside=Energy against latency&compare.of=Speedup",
    "compare_table": "/compare?compare.beside=All figures",
    "layers": "/layers?model=unet",
    "layers_graph": "/layers?model=unet&layers.show=Graph",
    "layers_fusion": "/layers?model=unet&layers.show=What fusion saves",
    "layers_table": "/layers?model=unet&layers.show=Table",
    "layers_pinned": f"/layers?conv2d_stack.layers=8&conv2d_stack.channels=64&batch=8&pin={PIN}",
    "sweep": "/sweep",
    "sweep_lines": "/sweep?sweep.show=Lines",
    "sweep_frontier": "/sweep?sweep.show=Frontier",
    "hardware": "/hardware",
    "hardware_edited": "/hardware?device=nvidia_h100_sxm&model=vit&batch=32"
    "&hardware.edit=nvidia_h100_sxm:memory.bytes_per_s=6e12,power.tdp_w=500",
    "validation": "/validation",
    "results": "/results",
}
PREPARED: Final = (
    "sweep conv2d_stack --set layers=1:16 channels=16:256:16 input_size=32,64,128 --hardware "
    "intel_i7_12700k nvidia_rtx_4090 google_coral_edge_tpu stillwater_kpu_t256 hailo_8",
    "project resnet",
    "project unet",
    "project vit --batch 8",
)
"""What the store holds, or Sweep and Results would be empty: arguments of the command line."""
WIDTHS: Final = (1440, 768, 390)
THEMES: Final = ("light", "dark")


@contextlib.contextmanager
def prepared_store() -> Iterator[Path]:
    """A store with :data:`PREPARED` in it, so that no view is empty and no one's own is pictured."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store.duckdb"
        for arguments in PREPARED:
            subprocess.run(
                [sys.executable, "-m", "characterize", *arguments.split()],
                env={**os.environ, "CHARACTERIZE_STORE": str(store)},
                cwd=ROOT,
                stdout=subprocess.DEVNULL,
                check=True,
            )
        yield store


@contextlib.contextmanager
def served(
    app: Path = APP, server: str = "streamlit", environment: Mapping[str, str] | None = None
) -> Iterator[str]:
    """The dashboard on a free port of this machine; yields its address.

    Args:
        app: the script to serve.
        server: the module that serves it, with Streamlit's command line.
        environment: variables beyond those of this process.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", server, "run", str(app),
        "--server.port", str(port), "--server.address", "127.0.0.1", "--server.headless", "true",
        "--browser.gatherUsageStats", "false", "--server.fileWatcherType", "none",
    ]  # fmt: skip
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, env={**os.environ, **(environment or {})}
    )
    try:
        _wait_until_healthy(f"http://127.0.0.1:{port}/_stcore/health", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_until_healthy(address: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        with contextlib.suppress(urllib.error.URLError, OSError):
            if urllib.request.urlopen(address, timeout=2).status == 200:
                return
        time.sleep(0.1)
    msg = "The dashboard did not start; see its messages above."
    raise RuntimeError(msg)


def settled(page: Page) -> None:
    """Wait until the script and what it does in the background have run and every chart is drawn."""
    page.get_by_role("heading", level=1).first.wait_for(timeout=60_000)
    page.wait_for_function(
        """() => {
            const all = name => [...document.querySelectorAll(`[data-testid=${name}]`)];
            const done = ["stDataFrame", "stAlert", "stVegaLiteChart"].some(n => all(n).length);
            const busy = ["stSkeleton", "stStatusWidget", "stSpinner", "stProgress"];
            const running = all("stApp").some(app => app.dataset.testScriptState === "running");
            return done && !running && !busy.some(n => all(n).length)
                && all("stVegaLiteChart").every(chart => chart.querySelector("svg, canvas"));
        }""",
        timeout=180_000,  # the networks of the measurements are traced once
    )
    page.wait_for_timeout(600)  # for what fades in


def take(browser: Browser, address: str, theme: str, width: int, target: Path) -> None:
    """One picture of one view, as tall as the view is."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)  # type: ignore[arg-type]
    page.goto(address)
    settled(page)
    # the page scrolls inside an element of its own: show all of it
    height = page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": width, "height": max(900, int(height))})
    settled(page)
    page.screenshot(path=target, timeout=120_000)  # tall ones take long on a machine that is busy
    page.close()


def main() -> None:
    """Take the pictures asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--view", choices=[*VIEWS], action="append")
    parser.add_argument("--width", type=int, action="append")
    parser.add_argument("--theme", choices=THEMES, action="append")
    parser.add_argument("--app", type=Path, default=APP)
    parser.add_argument("--output", type=Path, default=ROOT / "screenshots")
    asked = parser.parse_args()
    asked.output.mkdir(parents=True, exist_ok=True)
    with (
        prepared_store() as store,
        served(asked.app, environment={"CHARACTERIZE_STORE": str(store)}) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        for view in asked.view or VIEWS:
            for width in asked.width or WIDTHS:
                for theme in asked.theme or THEMES:
                    target = asked.output / f"{view}_{width}_{theme}.png"
                    take(browser, address + VIEWS[view], theme, width, target)
        browser.close()
    _index(asked.output)


def _index(folder: Path) -> None:
    figures = "\n".join(
        f'<figure><figcaption>{html.escape(file.stem)}</figcaption><img src="{file.name}" '
        f'alt="{html.escape(file.stem)}" style="max-width:720px;border:1px solid"></figure>'
        for file in sorted(folder.glob("*.png"))
    )
    (folder / "index.html").write_text(f"<!doctype html><title>Views</title>\n{figures}\n")


if __name__ == "__main__":
    main()

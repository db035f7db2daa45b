"""``characterize dashboard``: open the dashboard in a browser."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from characterize.cli.parser import Subparsers
from characterize.errors import MissingExtraError


def add_parser(subparsers: Subparsers) -> None:
    """Describe the verb."""
    parser = subparsers.add_parser(
        "dashboard",
        help="open the dashboard",
        description="Serve the dashboard on this machine and open it in a browser.",
    )
    parser.add_argument("--port", metavar="N", help="port to serve on (8501)")
    parser.add_argument("--address", metavar="HOST", help="address to serve on (localhost)")
    parser.add_argument("--headless", action="store_true", help="open no browser")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Become the dashboard's server."""
    call = command(arguments)
    store = os.environ.get("CHARACTERIZE_STORE", "").strip()
    if store:  # relative to where the user stands, which is about to change
        os.environ["CHARACTERIZE_STORE"] = str(Path(store).expanduser().absolute())
    os.chdir(app().parent.parent)  # Streamlit reads .streamlit/config.toml from where it is started
    if os.name == "posix":
        os.execv(call[0], call)
    return subprocess.call(call)


def command(arguments: argparse.Namespace) -> list[str]:
    """The command that serves the dashboard."""
    options = {
        "--server.port": arguments.port,
        "--server.address": arguments.address or "localhost",
        "--server.headless": "true" if arguments.headless else "false",
        "--server.showEmailPrompt": "false",
    }
    given = [part for name, value in options.items() if value for part in (name, value)]
    return [sys.executable, "-m", "dashboard.serve", "run", str(app()), *given]


def app() -> Path:
    """The dashboard's entry file, wherever it is installed.

    Raises:
        MissingExtraError: the installation has no dashboard.
    """
    found = find_spec("dashboard")
    for folder in (found.submodule_search_locations if found else None) or ():
        file = Path(folder) / "app.py"
        if file.is_file():
            return file
    msg = (
        "The package `dashboard` is not installed beside `characterize`; install the project again."
    )
    raise MissingExtraError(msg)

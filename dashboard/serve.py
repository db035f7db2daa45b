"""Streamlit's server, which reads the large libraries while the browser still loads the page.

    python -m dashboard.serve run dashboard/app.py      as ``python -m streamlit run``

Streamlit runs a script, and imports what it needs, only when the first visitor has come. The modules
of the dashboard itself are left to it: their caches belong to a server that runs.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from importlib import import_module
from typing import Final

from streamlit.web import cli

LIBRARIES: Final = (
    "pandas",
    "pyarrow",
    "altair",
    "duckdb",
    "characterize.session",
    "characterize.hardware",
    "characterize.questions",
)


def read_ahead() -> threading.Thread:
    """Import :data:`LIBRARIES` beside what the server does; what fails, fails where it is used."""

    def read() -> None:
        for name in LIBRARIES:
            with contextlib.suppress(Exception):
                import_module(name)

    thread = threading.Thread(target=read, name="read-ahead", daemon=True)
    thread.start()
    return thread


if __name__ == "__main__":
    read_ahead()
    sys.exit(cli.main())

"""Local workers as copies of one process that has imported what they need.

PyTorch and a zoo take seconds to import. One process does that while this one starts a scheduler; a
worker, also one that replaces another, is forked from it and begins at once. It ends with this process.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.forkserver
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import dask

from characterize import models

IMPORTS: Final = "CHARACTERIZE_WORKERS_IMPORT"
"""The environment variable that tells `imported` what to import, with commas between."""

_IMPORTED: Final = "characterize.sweeping.imported"
_ONE_THREAD: Final = dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"
)
_MODULE: Final = re.compile(r"[A-Za-z_]\w*(\.(?!py$)[A-Za-z_]\w*)*")


def begin(names: Iterable[str]) -> str:
    """Start to import what workers need for these models, unless that has begun already.

    Args:
        names: of families and zoo models, or patterns over them.

    Returns:
        How processes are made, as Dask and `multiprocessing` call it: ``"forkserver"`` on Linux,
        ``"spawn"`` elsewhere, where a process that has loaded PyTorch may not survive a fork.
    """
    if sys.platform != "linux":
        return "spawn"
    prefixes = dict.fromkeys(name.partition("/")[0] for name in names if "/" in name)
    wanted = [*_preloaded(), *(library for library in prefixes if library in models.LIBRARIES)]
    multiprocessing.set_forkserver_preload([_IMPORTED])
    with _environment({**_ONE_THREAD, **os.environ, IMPORTS: ",".join(wanted)}):
        multiprocessing.forkserver.ensure_running()
    return "forkserver"


def _preloaded() -> list[str]:
    """Modules that the user has told Dask's workers to import first; files and addresses are left."""
    given = dask.config.get("distributed.worker.preload", None) or []
    texts = [given] if isinstance(given, str) else given
    return [text for text in texts if _MODULE.fullmatch(text)]


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for a process that starts meanwhile, and only for it."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        for name in values.keys() - before.keys():
            os.environ.pop(name, None)
        os.environ.update({name: before[name] for name in values.keys() & before.keys()})

"""Imported for its effect, by the process that local workers are forked from and by no other.

It imports what `forking` names, so that workers need not. What cannot be imported is left: the
first model that asks for it fails with the reason.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import warnings
from collections.abc import Sequence

from characterize import models
from characterize.sweeping.chunks import set_aside
from characterize.sweeping.forking import IMPORTS


def _prepare(names: Sequence[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started the sweep
    warnings.simplefilter("ignore")
    for name in ("characterize.tracing.sources", "distributed.nanny", *names):
        with contextlib.suppress(Exception):
            if name in models.LIBRARIES:
                models.zoo_names(f"{name}/")  # with the modules of all its models
            else:
                importlib.import_module(name)
    set_aside()  # a collection that looked at them would copy their pages in every worker


if IMPORTS in os.environ:
    _prepare([name for name in os.environ[IMPORTS].split(",") if name])

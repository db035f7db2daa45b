"""Streamlit's own server, which also writes how long each run of the script took.

    TIMES=runs.txt python -m benchmarks.timed_server run dashboard/app.py

The script runner is wrapped here and not in the product. One line a run: seconds from before the
callback of the widget that moved until after the last element was handed over for sending, how many
messages that were, how many bytes, and seconds of processor time. PROFILE=file adds up where the
time of the last runs goes.
"""

from __future__ import annotations

import cProfile
import os
import pstats
import sys
import time
from pathlib import Path
from typing import Any

from streamlit.runtime.scriptrunner import script_runner
from streamlit.web import cli

_run = script_runner.ScriptRunner._run_script
_send = script_runner.ScriptRunner._enqueue_forward_msg
_sent = [0, 0]
_runs: list[cProfile.Profile] = []


def _timed(runner: Any, rerun_data: Any) -> None:
    profile = cProfile.Profile() if "PROFILE" in os.environ else None
    before, worked = time.perf_counter(), time.thread_time()
    _sent[:] = 0, 0
    if profile:
        profile.enable()
    try:
        _run(runner, rerun_data)
    finally:
        took = time.perf_counter() - before
        worked = time.thread_time() - worked
        if profile:
            profile.disable()
            _runs.append(profile)
            pstats.Stats(*_runs[-20:]).dump_stats(os.environ["PROFILE"])
        with Path(os.environ["TIMES"]).open("a") as file:
            file.write(f"{took:.6f} {_sent[0]} {_sent[1]} {worked:.6f}\n")


def _counted(runner: Any, message: Any) -> None:
    _sent[0] += 1
    _sent[1] += message.ByteSize()
    _send(runner, message)


if __name__ == "__main__":
    runner: Any = script_runner.ScriptRunner
    runner._run_script, runner._enqueue_forward_msg = _timed, _counted
    sys.exit(cli.main())

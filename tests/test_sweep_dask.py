"""Sweeps over many models by Dask: workers and drivers that are killed, clusters that are waited for."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading

import pandas as pd
import pytest

from characterize import store, sweeping
from characterize.errors import (
    SchedulerError,
)
from characterize.sweeping import chunks, requests, schedulers
from tests.sweep_support import DEVICES, SMALL, WRONG, swept

pytestmark = pytest.mark.usefixtures("fresh_store")


@pytest.mark.slow
def test_two_workers_one_of_them_killed_make_the_rows_of_one_process(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    entries = [*SMALL, WRONG]
    expected = swept(entries)
    monkeypatch.setenv("CHARACTERIZE_STORE", str(tmp_path / "other.duckdb"))
    killed: list[int] = []
    waits: set[str] = set()
    from characterize.sweeping import on_dask

    monkeypatch.setattr(on_dask, "_LOOK_S", 0.05)

    def kill(progress):
        waits.add(progress.waits_for)
        if progress.done and not killed:
            killed.append(multiprocessing.active_children()[0].pid or 0)
            os.kill(killed[0], signal.SIGKILL)

    table = swept(entries, "local", workers=2, progress=kill)
    assert killed
    assert waits == {""}  # the other worker lives on
    pd.testing.assert_frame_equal(table, expected)
    assert table.attrs["failures"] == expected.attrs["failures"]
    assert store.Store().info()["rows"] == len(table)


PRETENDING = """
import os, time
from characterize.sweeping import chunks
def rows(job, request, asked):
    if asked.values["width"] == 13:
        time.sleep(1)  # not while the worker starts, which Dask takes long to notice
        os.kill(os.getpid(), 9)
    return [{**asked.labels, "hardware": profile.name, "latency_s": 1.0} for profile in job.profiles]
chunks._rows = rows
"""


@pytest.mark.slow
def test_a_model_that_kills_its_workers_is_a_failure_and_its_neighbours_are_not(
    tmp_path, monkeypatch
):
    pytest.importorskip("distributed")  # first, as its defaults leave with what is set around it
    dask = pytest.importorskip("dask")
    pretending = tmp_path / "pretending.py"  # workers that trace nothing start in half the time
    pretending.write_text(PRETENDING)
    monkeypatch.setattr(chunks, "_PARTS_WANTED", 1)  # one chunk of all
    with dask.config.set({"distributed.worker.preload": [str(pretending)]}):
        table = swept(["mlp"], "local", workers=1, width=[12, 13, 14])
    assert list(table["width"]) == [12, 12, 14, 14]
    (failure,) = table.attrs["failures"]
    assert failure["parameters"] == "width=13"
    assert "its worker process died" in failure["reason"]


def test_a_worker_that_dask_gave_up_is_replaced(monkeypatch):
    pytest.importorskip("distributed")
    from characterize.sweeping import on_dask

    class Cluster:
        workers: dict[int, str] = {0: "one"}  # noqa: RUF012  # of two
        scaled = threading.Event()

        def scale(self, count):
            self.workers = dict.fromkeys(range(count), "one")
            self.scaled.set()

    monkeypatch.setattr(on_dask, "_LOOK_S", 0.01)
    cluster = Cluster()
    with on_dask._kept_up(cluster, 2):
        assert cluster.scaled.wait(10)
    assert len(cluster.workers) == 2


@pytest.mark.slow
def test_a_killed_driver_leaves_whole_parts_and_the_same_call_goes_on(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    code = f"""
        import os, characterize as ch
        def kill(progress):
            if progress.done >= 2:
                os.kill(os.getpid(), 9)
        if __name__ == "__main__":
            ch.sweep_models({SMALL!r}, hardware={DEVICES!r}, scheduler="local", workers=1, progress=kill)
    """
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(code))
    killed = subprocess.run([sys.executable, script], check=False, timeout=120, capture_output=True)
    assert killed.returncode == -9, killed.stderr
    asked = requests.requests(SMALL)
    done = sweeping.sweep_models_to(asked, hardware=DEVICES, scheduler="none")
    assert 2 <= done.resumed < len(SMALL)
    assert not list(done.folder.glob(".*.partial"))
    rows = sweeping.frame(sweeping.find(done.key), "SELECT * FROM sweep")
    monkeypatch.setenv("CHARACTERIZE_STORE", str(tmp_path / "other.duckdb"))
    pd.testing.assert_frame_equal(
        rows[["model", "hardware", "latency_s", "energy_j"]],
        swept()[["model", "hardware", "latency_s", "energy_j"]],
        check_dtype=False,
    )


@pytest.mark.slow
def test_a_cluster_without_workers_is_waited_for_aloud(monkeypatch):
    distributed = pytest.importorskip("distributed")
    from characterize.sweeping import on_dask

    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # which a worker would set, here in this process
    monkeypatch.setattr(on_dask, "_LOOK_S", 0.05)
    monkeypatch.setattr(on_dask, "_PATIENCE_S", 60)
    heard: list[str] = []
    with distributed.LocalCluster(
        n_workers=0, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        address = cluster.scheduler_address

        def come(progress):
            if progress.waits_for and not any(heard):
                cluster.scale(1)
            heard.append(progress.waits_for)

        assert len(swept(SMALL[:2], address, progress=come)) == 2 * len(DEVICES)
        lacking = f"The Dask scheduler at {address} has no workers"
        assert set(heard) == {"", f"{lacking}; waiting up to 60 s for one"}
        assert (heard[0], heard[-1]) == ("", "")  # silent until it waits, and when they have come
        cluster.scale(0)
        cluster.sync(cluster._correct_state)
        monkeypatch.setattr(on_dask, "_PATIENCE_S", 0.1)
        with pytest.raises(SchedulerError, match=f"{lacking} for 0 s; what was done is kept"):
            swept(SMALL[2:3], address)


def test_what_a_progress_line_waits_for_is_said_at_once(monkeypatch, capsys):
    from characterize.cli import sweep_models

    line = sweep_models._Line()  # into a log: a line in 30 s
    line(sweeping.ModelProgress(0, 5, 0, 0, 5.0, "no workers"))
    line(sweeping.ModelProgress(0, 5, 0, 0, 6.0, "no workers"))
    line(sweeping.ModelProgress(1, 5, 0, 0, 10.0, ""))
    said = capsys.readouterr().err.splitlines()
    assert [text.rpartition(", ")[2] for text in said] == ["no workers", "40 s left"]


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")
def test_what_workers_need_is_imported_before_they_are_forked(monkeypatch):
    pytest.importorskip("distributed")  # first, as its defaults leave with what is set around it
    dask = pytest.importorskip("dask")
    from characterize.sweeping import forking

    seen: list[dict[str, str]] = []
    monkeypatch.setattr(
        "multiprocessing.forkserver.ensure_running", lambda: seen.append(dict(os.environ))
    )
    monkeypatch.setattr("multiprocessing.set_forkserver_preload", lambda _names: None)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before = dict(os.environ)
    given = ["my.models", "/tmp/a.py", "b.py", "http://c/d"]  # files are for the workers themselves
    with dask.config.set({"distributed.worker.preload": given}):
        names = ["mlp", "timm/resnet50 batch=2", "timm/v*", "a/b.py:make", "torchvision/vgg11"]
        assert forking.begin(names) == "forkserver"
    (environment,) = seen
    assert environment[forking.IMPORTS] == "my.models,timm,torchvision"
    assert (environment["OMP_NUM_THREADS"], environment["MKL_NUM_THREADS"]) == ("3", "1")
    assert dict(os.environ) == before


@pytest.mark.slow
def test_the_process_that_workers_are_forked_from_survives_what_cannot_be_imported():
    pytest.importorskip("distributed")
    from characterize.sweeping import forking

    code = """
        import gc, signal, sys
        import characterize.sweeping.imported
        print(all(name in sys.modules for name in ("torch", "distributed", "wave")))
        print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN, gc.get_freeze_count() > 100_000)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], check=False, capture_output=True, text=True,
        env={**os.environ, forking.IMPORTS: "no_such_module,wave"},
    )  # fmt: skip
    assert done.stdout.split() == ["True"] * 3, done.stderr


def test_libraries_that_a_sweep_imports_are_set_aside_only_while_it_runs():
    import gc

    before = gc.get_freeze_count()
    swept(SMALL[:1])
    assert gc.get_freeze_count() == before


def test_workers_begin_early_where_there_will_be_some(monkeypatch):
    pytest.importorskip("distributed")
    from characterize.sweeping import forking

    begun: list[list[str]] = []
    monkeypatch.setattr(forking, "begin", lambda names: begun.append(list(names)))
    monkeypatch.setattr(schedulers, "processors", lambda: 2)
    for scheduler, entries in [
        ("none", ["timm/*"]), ("tcp://a:1", ["timm/*"]), ("auto", ["mlp", "timm/resnet50"]),
        ("auto", ["resnet depth=*"]),
    ]:  # fmt: skip
        schedulers.foreseen(scheduler, entries)
    assert begun == []
    schedulers.foreseen("local", ["mlp"])
    schedulers.foreseen("auto", [("timm/res*", {"batch": 2})])
    assert begun == [["mlp"], ["timm/res*"]]


def test_a_scheduler_that_does_not_answer_is_said_in_a_sentence(monkeypatch):
    pytest.importorskip("distributed")
    from characterize.sweeping import on_dask

    monkeypatch.setattr(on_dask, "_CONNECT_S", 0.2)
    with pytest.raises(
        SchedulerError, match=r"No Dask scheduler answers at 'tcp://127\.0\.0\.1:9'"
    ):
        swept(SMALL[:1], "tcp://127.0.0.1:9")

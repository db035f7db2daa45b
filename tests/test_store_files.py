"""The file of the store: whatever it is, whoever else has it, whoever was killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from characterize.errors import StoreError
from characterize.store import Store, behind, schema
from characterize.store.schema import HEAD, SCHEMA_VERSION, TAIL
from tests.store_support import row

HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


def script(path, text, **popen):
    """Another Python process that has ``store`` at ``path``."""
    start = f"from characterize.store import Store\nstore = Store({str(path)!r})\n"
    return subprocess.Popen(
        [sys.executable, "-c", start + text], text=True, stdout=subprocess.PIPE, **popen
    )


@contextlib.contextmanager
def held(path):
    """Another process that has the file open for writing, and what makes it let go."""
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder, holder.stdin.close


# files that are no store


@pytest.mark.parametrize("use", ["rows", "put", "frame"])
def test_a_store_of_an_older_schema_is_brought_up_to_date(store, use):
    import duckdb

    store.put([("a", row())])
    with duckdb.connect(str(store.path)) as connection:  # as version 1 left it
        connection.execute("DROP VIEW results; ALTER TABLE entries DROP COLUMN cautions")
        columns = ", ".join(schema.quoted(n) for n in (*HEAD, *TAIL) if n != "cautions")
        connection.execute(f"CREATE VIEW results AS SELECT {columns} FROM entries")
        connection.execute("UPDATE meta SET value = '1' WHERE name = 'schema_version'")
    if use == "put":
        store.put([("b", row(cautions="odd channels"))])
    elif use == "frame":
        assert store.frame("SELECT cautions FROM results")["cautions"].isna().all()
    kept = store.rows(["a", "b"])
    assert kept["a"] == row(cautions=None)
    assert [each["cautions"] for each in kept.values()][1:] == ["odd channels"] * (use == "put")
    assert store.info()["schema_version"] == SCHEMA_VERSION


def _directory(path):
    path.mkdir()


def _text(path):
    path.write_text("no database" * 1000)


def _foreign(path):
    import duckdb

    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE mine (a INTEGER)")


def _newer(path):
    import duckdb

    Store(path).put([("a", row())])
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE name = 'schema_version'")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_directory, "is a directory, not a file"),
        (_text, "is not a DuckDB file"),
        (_foreign, "is a DuckDB database but not a store of Characterize"),
        (
            _newer,
            f"written by a newer Characterize .schema 99; this one knows up to {SCHEMA_VERSION}",
        ),
    ],
)
@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.rows(["a"]),
        lambda store: store.put([("b", row())]),
        lambda store: store.frame("SELECT 1"),
        lambda store: store.info(),
        lambda store: store.clear(),
    ],
    ids=["rows", "put", "frame", "info", "clear"],
)
def test_a_file_that_is_no_store_is_left_alone_with_one_sentence(store, make, said, use):
    make(store.path)
    before = store.path.is_file() and store.path.read_bytes()
    with pytest.raises(StoreError, match=said) as refusal:
        use(store)
    assert "\n" not in str(refusal.value)
    assert str(store.path) in str(refusal.value)
    assert before == (store.path.is_file() and store.path.read_bytes())


def test_a_place_where_no_file_can_be_is_named(tmp_path):
    (tmp_path / "file").touch()
    store = Store(tmp_path / "file" / "store.duckdb")
    with pytest.raises(
        StoreError, match=r"file/store.duckdb cannot be used .a folder on its path is a file"
    ):
        store.put([("a", row())])


def test_a_file_that_may_not_be_opened_is_named(store, monkeypatch):
    import duckdb

    store.put([("a", row())])

    def refuse(*_args, **_settings):
        raise duckdb.IOException(f'IO Error: Cannot open file "{store.path}": Permission denied')

    monkeypatch.setattr(duckdb, "connect", refuse)  # the superuser may open anything
    with pytest.raises(StoreError, match="may not be opened by this user"):
        store.rows(["a"])


def test_a_damaged_file_is_named(store):
    store.put([(str(index), row(layers=index)) for index in range(100)])
    content = bytearray(store.path.read_bytes())
    content[12_288:] = b"\xff" * (len(content) - 12_288)  # all but the headers
    store.path.write_bytes(bytes(content))
    with pytest.raises(StoreError, match=str(store.path)):
        store.rows(["1"])


# several at once


def test_a_file_that_another_process_keeps_is_named_with_its_holder(store):
    store.put([("a", row())])
    impatient = Store(store.path, wait_s=0.2)
    with held(store.path) as (holder, release):
        with pytest.raises(StoreError, match=f"in use by process {holder.pid} .*for 0.2 s"):
            impatient.rows(["a"])
        with pytest.raises(StoreError, match=f"in use by process {holder.pid}"):
            impatient.put([("b", row())])
        release()
    assert list(impatient.rows(["a", "b"])) == ["a"]


def test_a_file_that_another_process_lets_go_of_is_waited_for(store):
    store.put([("a", row())])
    with held(store.path) as (_holder, release):
        later = threading.Timer(0.3, release)
        later.start()
        assert list(Store(store.path, wait_s=30).rows(["a"])) == ["a"]
        later.join()


def test_processes_that_write_at_once_lose_nothing(store):
    # Three writers, one of them here, race to make the file and then interleave.
    write = """
import sys
for index in range(8):
    store.put([(f"{sys.argv[1]}-{index}", {"model": sys.argv[1], "family": "f", sys.argv[1]: index, "batch": index})])
"""
    start = f"from characterize.store import Store\nstore = Store({str(store.path)!r}, wait_s=60)\n"
    writers = [
        subprocess.Popen([sys.executable, "-c", start + write, name]) for name in ("one", "two")
    ]
    here = Store(store.path, wait_s=60)
    for index in range(8):
        here.put([(f"here-{index}", row(batch=index))])
        here.rows([f"here-{index}"])
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    shown = here.frame(
        "SELECT model, count(*) AS n, sum(batch) AS total FROM results GROUP BY 1 ORDER BY 1"
    )
    # each wrote 0 + 1 + ... + 7 = 28
    assert shown.to_dict("list") == {
        "model": ["conv2d_stack", "one", "two"],
        "n": [8] * 3,
        "total": [28] * 3,
    }


def test_threads_of_one_process_read_and_write_at_once(store):
    failures = []

    def work(name):
        try:
            for index in range(5):
                store.put([(f"{name}-{index}", row())])
                assert list(store.rows([f"{name}-{index}"])) == [f"{name}-{index}"]
        except Exception as error:  # noqa: BLE001 - whatever it is, the test must see it
            failures.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.info()["rows"] == 15


@pytest.mark.skipif(os.name != "posix", reason="only there is kill -9")
def test_a_process_that_is_killed_loses_only_what_it_had_not_written(store):
    text = """
for index in range(10_000):
    store.put([(str(index), {"model": "m", "family": "f", "batch": index})])
    print(index, flush=True)
"""
    with script(store.path, text) as writer:
        for expected in range(3):
            assert writer.stdout.readline() == f"{expected}\n"
        writer.send_signal(signal.SIGKILL)
    kept = store.rows(["0", "1", "2"])
    assert {k: found["batch"] for k, found in kept.items()} == {"0": 0, "1": 1, "2": 2}
    store.put([("after", row())])
    assert list(store.rows(["after"])) == ["after"]


@pytest.mark.skipif(os.name != "posix", reason="only there is kill -9")
def test_what_was_committed_before_a_kill_is_replayed_and_what_was_not_is_gone(store):
    store.put([("a", row())])
    text = """
import time
from characterize.store import access
with access.opened(store.path, write=True) as connection:
    connection.execute("INSERT INTO templates VALUES ('kept', 'x', NULL)")
    connection.execute("BEGIN")
    connection.execute("INSERT INTO templates VALUES ('lost', 'x', NULL)")
    print("open", flush=True)
    time.sleep(60)
"""
    with script(store.path, text) as writer:
        assert writer.stdout.readline() == "open\n"
        writer.kill()
    # The log lies beside the file; a reader takes it into account, a writer works it in.
    assert store.path.with_name("store.duckdb.wal").exists()
    assert (store.template("kept"), store.template("lost")) == (b"x", None)
    store.put([("b", row())])
    assert (store.template("kept"), store.template("lost")) == (b"x", None)
    assert list(store.rows(["a", "b"])) == ["a", "b"]


# writing behind


def test_rows_put_later_are_there_after_a_flush(store):
    store.put_later([("a", row())], model_version="1")
    store.put_later([("b", row())], model_version="2")
    Store(store.path).flush()  # one queue a file
    assert store.info()["model_versions"] == {"1": 1, "2": 1}
    assert store.trouble == ""


def test_rows_put_later_are_written_by_themselves(store):
    queue = behind.Queue(lambda rows, version: store.put(rows, model_version=version), delay_s=0.0)
    for index in range(3):
        queue.add([(str(index), row())], "")
    while queue:  # the test's time limit is what fails it
        time.sleep(0.01)
    assert len(store.rows(["0", "1", "2"])) == 3


def test_rows_that_could_not_be_written_stay_queued_and_say_why():
    written, broken = [], [True]

    def write(rows, _version):
        if broken[0]:
            raise StoreError("in use by process 7")
        written.extend(rows)

    queue = behind.Queue(write, delay_s=60.0)  # only flushed by hand
    queue.add([("a", {"batch": 1}), ("a", {"batch": 2})], "")
    with pytest.raises(StoreError, match="process 7"):
        queue.flush()
    assert (len(queue), queue.trouble) == (1, "in use by process 7")
    broken[0] = False
    queue.flush()
    assert (len(queue), queue.trouble, written) == (0, "", [("a", {"batch": 2})])


def test_a_row_queued_again_while_it_is_written_is_written_again():
    written = []

    def write(rows, _version):
        written.extend(rows)
        if len(written) == 1:
            queue.add([("a", {"batch": 2})], "")

    queue = behind.Queue(write, delay_s=60.0)
    queue.add([("a", {"batch": 1})], "")
    queue.flush()
    assert len(queue) == 1
    queue.flush()
    assert written == [("a", {"batch": 1}), ("a", {"batch": 2})]


def test_a_queue_lets_the_oldest_rows_go_when_it_overflows(monkeypatch):
    monkeypatch.setattr(behind, "LIMIT", 2)
    written: list[tuple[str, behind.Row]] = []
    queue = behind.Queue(lambda rows, _version: written.extend(rows), delay_s=60.0)
    queue.add([(name, {}) for name in "abc"], "")
    queue.flush()
    assert [name for name, _ in written] == ["b", "c"]


def test_what_is_queued_when_a_process_ends_is_written(store):
    with script(store.path, "store.put_later([('a', {'model': 'm', 'batch': 1})])") as writer:
        assert writer.wait(timeout=60) == 0
    assert store.rows(["a"])["a"]["batch"] == 1


def test_importing_the_store_loads_neither_duckdb_nor_pandas():
    check = (
        "import sys, characterize.store as s; s.Store().path; s.key({'a': 1});"
        "print(sorted({'duckdb', 'pandas', 'numpy', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

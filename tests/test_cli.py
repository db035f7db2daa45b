"""The command line: what it prints where, what it refuses and how, what it loads."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest

from characterize import __version__, cli, hardware, session
from characterize.cli import output
from tests.cli_support import DESIGN, ROW, process, run, strict

pytestmark = pytest.mark.usefixtures("fresh_store")

HEAVY = {"torch", "pandas", "duckdb", "numpy", "streamlit", "altair", "pyarrow"}


@pytest.fixture
def asked(monkeypatch):
    """A session that answers with two rows and remembers what it was asked."""
    calls = []

    def answer(model, parameters=None, **rest):
        calls.append({"model": model, "parameters": parameters, **rest})
        return session.Answer(pd.DataFrame([ROW, DESIGN]), ("a note",), 0, ("intel_i9_10940x",))

    def kernels(model, parameters=None, **rest):
        calls.append({"model": model, "parameters": parameters, **rest})
        row = {
            "kernel": "conv1+bn1+relu",
            "hardware": "nvidia_rtx_4090",
            "latency_s": 1e-5,
            "flops": 2.5e8,
        }
        return pd.DataFrame([row])

    monkeypatch.setattr(session, "answer", answer)
    monkeypatch.setattr(session, "kernels", kernels)
    return calls


# what is loaded


@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["project", "--help"], ["projct"]])
def test_help_and_errors_load_nothing_heavy(argv):
    check = (
        f"import sys; from characterize import cli; cli.main({argv!r});"
        f"print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "argv",
    [
        ["hardware", "list"],
        ["hardware", "show", "nvidia_rtx_4090"],
        ["models", "list"],
        ["store", "info"],
    ],
)
def test_the_catalogues_are_listed_without_torch(argv):
    check = (
        f"import sys; from characterize import cli; code = cli.main({argv!r});"
        "print(code, 'torch' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "0 False"


def test_help_names_every_verb_and_exits_with_0():
    done = process("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"\n    {verb} " in done.stdout for verb in cli.VERBS)


def test_the_version_is_the_packages(capsys):
    assert run(capsys, "--version") == (0, f"characterize {__version__}\n", "")


def test_devices_may_have_commas_between_and_a_file_s_path_may_have_one(tmp_path, capsys):
    own = tmp_path / "a,b" / "mine.toml"
    own.parent.mkdir()
    own.write_text(hardware.to_toml(replace(hardware.load("reference_cpu"), name="mine")))
    asked = ["reference_gpu,reference_tpu", str(own), "reference_kpu,"]
    command = ["project", "conv2d_stack", "--hardware", *asked, "--format", "csv"]
    assert cli.main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    column = lines[0].split(",").index("hardware")
    names = [line.split(",")[column] for line in lines[1:]]
    assert names == ["reference_gpu", "reference_tpu", "mine", "reference_kpu"]


# what is refused


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "needs one of project, "),
        (["projct"], "No verb named 'projct'. Did you mean 'project'?"),
        (["hardware"], "`characterize hardware` needs one of list, show, check"),
        (["hardware", "lst"], "No verb named 'lst'. Did you mean 'list'?"),
        (["project"], "needs MODEL"),
        (
            ["project", "--set", "depth=50", "resnet"],
            "needs MODEL, before options that take several values",
        ),
        (["project", "resnet", "--bach", "8"], "named '--bach'. Did you mean '--batch'"),
        (["project", "resnet", "--bach=8"], "named '--bach'. Did you mean '--batch'"),
        (["project", "resnet", "--form", "json"], "named '--form'. Did you mean '--format'"),
        (["project", "resnet", "vit"], "does not know what to do with 'vit'"),
        (["project", "resnet", "--batch"], "--batch: expected one argument"),
        (["project", "resnet", "--format", "jsn"], "No format named 'jsn'. Did you mean 'json'?"),
        (["project", "resnet", "--precision", "fp61"], "No precision named 'fp61'. Did you mean"),
        (
            ["project", "resnet", "--stack", "compild"],
            "No stack named 'compild'. Did you mean 'compiled'?",
        ),
        (
            ["project", "resnet", "--set", "depth"],
            "--set takes key=value, such as depth=50, and 'depth'",
        ),
        (["project", "resnet", "--set", "=1"], "--set takes key=value"),
        (["project", "resnet", "--set", "depth="], "--set takes key=value"),
        (["project", "resnet", "--format", "parquet"], "name the file to write with --output"),
        (["project", "resnet", "--output", "rows.jsn"], "'.jsn'. Did you mean '.json'?"),
        (["project", "resnt"], "No family named 'resnt'. Did you mean 'resnet'"),
        (["project", "resnet", "--set", "dpth=50"], "named 'dpth'. Did you mean 'depth'"),
        (["project", "resnet", "--set", "depth=51"], "depth must be one of 18, 34, 50, 101, 152"),
        (["project", "resnet", "--batch", "0"], "The batch is '0'"),
        (["project", "resnet", "--hardware", "nvidia_rtx_490"], "Did you mean 'nvidia_rtx_4090'"),
        (["hardware", "show", "nvidia_rtx_490"], "Did you mean 'nvidia_rtx_4090'"),
        (
            ["hardware", "check", "nothing.toml"],
            "nothing.toml is refused: nothing.toml cannot be read",
        ),
        (["models", "show", "resnt"], "Did you mean 'resnet'"),
        (["report", "conv3d"], "Did you mean 'conv2d'?"),
        (["store", "export", "--where", "nothing = 1"], "nothing"),
        (["store", "export", "--output", "/no/such/folder/rows.csv"], "/no/such/folder/rows.csv"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_sentence_on_stderr_and_exit_code_2(capsys, argv, said):
    code, out, err = run(capsys, *argv)
    assert (code, out) == (2, "")
    assert said in err
    assert err.startswith("characterize: ")
    assert err.count("\n") == 1


def test_a_mistake_shows_no_traceback_in_a_process_of_its_own():
    done = process("project", "resnt")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_an_output_file_that_cannot_be_written_is_named(capsys, asked, tmp_path):
    code, out, err = run(capsys, "project", "resnet", "--output", str(tmp_path / "no" / "rows.csv"))
    assert (code, out) == (2, "")
    assert "rows.csv' cannot be written: No such file or directory." in err


def test_an_interrupt_is_130(capsys, monkeypatch):
    def interrupt(*_args, **_settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(session, "answer", interrupt)
    assert run(capsys, "project", "resnet") == (130, "", "characterize: interrupted\n")


@pytest.mark.skipif(os.name != "posix", reason="only there are pipes broken")
def test_a_reader_that_goes_away_is_no_error():
    # The shell's `... | head -0`: the reading end is closed before anything is written.
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "characterize", "models", "list"],
            stdout=pipe, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (141, "")


def test_a_warning_is_one_line_on_stderr(capsys, monkeypatch, recwarn):
    import warnings

    def warn(*_args, **_settings):
        warnings.simplefilter("always")
        warnings.warn("weights are odd", UserWarning, stacklevel=1)
        warnings.warn("for programmers", DeprecationWarning, stacklevel=1)
        return session.Answer(pd.DataFrame([ROW]))

    monkeypatch.setattr(session, "answer", warn)
    assert run(capsys, "project", "resnet")[2] == "characterize: warning: weights are odd\n"
    assert len(recwarn) == 0


# project


def test_project_passes_on_what_was_asked(capsys, asked):
    argv = [
        "project",
        "resnet",
        "--set",
        "depth=50",
        "width=0.5",
        "--hardware",
        "gpu",
        "--batch",
        "8",
    ]
    argv += [
        "--set",
        "depth=101",
        "--hardware",
        "intel_i9_10940x",
        "./my.toml",
        "--baseline",
        "intel_i9_10940x",
    ]
    argv += ["--precision", "fp32", "--stack", "engine"]
    assert run(capsys, *argv)[0] == 0
    assert asked == [
        {
            "model": "resnet",
            "parameters": {"depth": "101", "width": "0.5"},
            "batch": "8",
            "precision": "fp32",
            "stack": "engine",
            "hardware": ["gpu", "intel_i9_10940x", "./my.toml"],
            "baseline": "intel_i9_10940x",
            "progress": None,
        }
    ]


def test_project_has_defaults_for_all_but_the_model(capsys, asked):
    run(capsys, "project", "resnet")
    assert asked[0] | {"progress": None} == {
        "model": "resnet", "parameters": {}, "batch": "1", "precision": "auto", "stack": "compiled",
        "hardware": "all", "baseline": None, "progress": None,
    }  # fmt: skip


def test_json_is_a_list_of_rows_and_nothing_else(capsys, asked):
    code, out, err = run(capsys, "project", "resnet", "--format", "json")
    rows = strict(out)
    assert code == 0
    assert [list(row) for row in rows] == [list(ROW), list(ROW)]
    assert rows[0] == ROW
    # JSON has neither NaN nor infinity.
    assert (rows[1]["speedup"], rows[1]["latency_high_s"], rows[1]["fits"]) == (None, None, None)
    assert "a note" in err
    assert "left out, without auto: intel_i9_10940x" in err


def test_csv_has_the_columns_of_a_row(capsys, asked):
    _, out, _ = run(capsys, "project", "resnet", "--format", "csv")
    header, first, *_ = csv.reader(io.StringIO(out))
    assert header == list(ROW)
    assert first[header.index("flops")] == "65728000000"


@pytest.mark.parametrize(
    ("suffix", "read"), [("csv", pd.read_csv), ("json", pd.read_json), ("parquet", pd.read_parquet)]
)
def test_the_files_suffix_says_the_format(capsys, asked, tmp_path, suffix, read):
    target = tmp_path / f"rows.{suffix}"
    code, out, _ = run(capsys, "project", "resnet", "--output", str(target))
    assert (code, out) == (0, "")
    assert read(target).latency_s.tolist() == pytest.approx([0.00123, 0.00123])


def test_a_format_asked_for_beats_the_files_suffix(capsys, asked, tmp_path):
    run(capsys, "project", "resnet", "--format", "json", "--output", str(tmp_path / "rows.csv"))
    assert len(strict((tmp_path / "rows.csv").read_text())) == 2


def test_a_wrong_file_name_is_refused_before_the_work(capsys, asked):
    assert run(capsys, "project", "resnet", "--output", "rows.xyz")[0] == 2
    assert asked == []


def test_the_table_has_units_and_says_what_it_rests_on(capsys, asked):
    _, out, _ = run(capsys, "project", "resnet")
    assert out.splitlines()[0] == "resnet (depth=50, bias=false), batch 8, compiled"
    assert out.splitlines()[1] == (
        "25.6 M parameters, 32.7 GMAC, 65.7 GFLOP, 53 kernels, uncounted operators: 0"
    )
    (line,) = (line for line in out.splitlines() if line.startswith("nvidia_rtx_4090"))
    for cell in (
        "1.23 ms",
        "1 ms to 1.5 ms",
        "6.5 k/s",
        "500 mJ",
        "406 W",
        "12.5",
        "500 MB",
        "memory",
    ):
        assert cell in line
    assert (
        "design: a design without silicon: nobody can have measured it (stillwater_kpu_t64)" in out
    )
    assert "not yet held against measurements (nvidia_rtx_4090)" in out


def test_the_table_says_what_uncounted_operators_mean(capsys, monkeypatch):
    rows = pd.DataFrame([ROW | {"uncounted": 2, "fits": False, "confidence": "measured"}])
    monkeypatch.setattr(session, "answer", lambda *_a, **_k: session.Answer(rows))
    _, out, _ = run(capsys, "project", "resnet")
    assert "uncounted operators: 2 (they have no cost formula" in out
    assert "does not fit into the device's memory: nvidia_rtx_4090" in out
    assert "published figures" not in out


def test_the_table_has_a_column_of_cautions_where_there_are_any(capsys, monkeypatch):
    rows = pd.DataFrame([ROW | {"cautions": "odd channels"}, DESIGN])
    monkeypatch.setattr(session, "answer", lambda *_a, **_k: session.Answer(rows))
    _, out, _ = run(capsys, "project", "resnet")
    line = next(line for line in out.splitlines() if line.startswith("nvidia_rtx_4090"))
    assert line.endswith("odd channels")
    assert "cautions: rare paths" in out
    monkeypatch.setattr(session, "answer", lambda *_a, **_k: session.Answer(pd.DataFrame([ROW])))
    assert "cautions" not in run(capsys, "project", "resnet")[1]


@pytest.mark.parametrize("format", ["table", "json", "csv"])
def test_kernels_are_asked_for_with_an_option(capsys, asked, format):
    code, out, _ = run(capsys, "project", "resnet", "--kernels", "--format", format)
    assert code == 0
    assert "conv1+bn1+relu" in out


def test_progress_is_shown_to_a_person_only(capsys, monkeypatch):
    assert output.progress() is None
    monkeypatch.setattr(
        sys, "stderr", SimpleNamespace(isatty=lambda: True, write=lambda _text: None)
    )
    assert output.progress() is not None


# project, with nothing replaced

REPORT = [
    "project",
    "conv2d_stack",
    "--batch",
    "32",
    "--baseline",
    "reference_cpu",
    "--format",
    "json",
]
REPORT += ["--hardware", "reference_cpu", "reference_gpu", "reference_tpu", "reference_kpu"]


@pytest.mark.parametrize(
    ("in_channels", "flops", "moved"),
    [(16, 1_818_230_784, 50_359_296), (3, 1_327_497_216, 43_536_064)],
)
def test_the_reports_configuration_gives_its_figures(capsys, in_channels, flops, moved):
    # tests/test_report.py has the arithmetic
    code, out, err = run(capsys, *REPORT, "--set", f"in_channels={in_channels}")
    rows = strict(out)
    assert (code, err) == (0, "")
    assert {
        (row["flops"], row["memory_bytes"], row["tiles"], row["uncounted"]) for row in rows
    } == {(flops, moved, 3, 0)}
    # peak / factor / 100 GFLOP/s: 10e12 / 0.6 / 1e11 = 166.7, 45e12 / 0.6 / 1e11, 1e12 / 0.6 / 1e11
    assert [round(row["speedup"], 1) for row in rows] == [1.0, 166.7, 750.0, 16.7]


def test_the_same_request_again_is_answered_from_the_store_without_torch(capsys):
    _, first, _ = run(capsys, *REPORT)
    check = (
        f"import sys; from characterize import cli; cli.main({REPORT!r});"
        "print('torch' in sys.modules, file=sys.stderr)"
    )
    again = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True
    )
    assert again.stdout == first
    assert again.stderr == "False\n"


def test_rows_are_printed_though_the_store_cannot_be_used(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("CHARACTERIZE_STORE", str(tmp_path))
    code, out, err = run(capsys, *REPORT)
    assert (code, len(strict(out))) == (0, 4)
    assert "is a directory, not a file" in err


def test_kernels_are_listed_with_what_made_them(capsys):
    _, out, _ = run(capsys, *REPORT, "--kernels")
    rows = [row for row in strict(out) if row["hardware"] == "reference_cpu"]
    assert [row["pattern"] for row in rows] == ["conv+relu"] * 3
    assert sum(row["flops"] for row in rows) == 1_327_497_216

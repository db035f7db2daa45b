"""The command line: its catalogues, the store and the dashboard."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import pandas as pd
import pytest

from characterize import cli, errors
from characterize.cli import dashboard
from characterize.store import Store
from tests.cli_support import DESIGN, ROW, run, strict

pytestmark = pytest.mark.usefixtures("fresh_store")


# the catalogues


def test_hardware_list_has_one_line_a_device(capsys):
    from characterize import hardware

    _, out, _ = run(capsys, "hardware", "list", "--format", "json")
    assert [row["name"] for row in strict(out)] == hardware.names()
    _, out, _ = run(capsys, "hardware", "list")
    assert len(out.splitlines()) == 2 + len(hardware.names())


def test_hardware_show_has_every_figure_with_its_source(capsys):
    _, out, _ = run(capsys, "hardware", "show", "nvidia_rtx_4090", "--format", "json")
    rows = {row["figure"]: row for row in strict(out)}
    # 24 GDDR6X chips' worth of a 384-bit bus at 21 Gbit/s: 384 * 21e9 / 8 = 1.008e12
    assert rows["memory.bytes_per_s"]["value"] == pytest.approx(1.008e12)
    assert rows["memory.bytes_per_s"]["unit"] == "B/s"
    assert all(row["source"] for row in rows.values())
    _, out, _ = run(capsys, "hardware", "show", "nvidia_rtx_4090")
    assert "1.01 TB/s" in out


def test_hardware_check_accepts_a_profile_of_ours(capsys):
    from characterize.paths import data_directory

    file = data_directory() / "hardware" / "nvidia_rtx_4090.toml"
    code, out, _ = run(capsys, "hardware", "check", str(file))
    assert code == 0
    assert "is fine: " in out


def test_hardware_check_lists_everything_that_is_wrong(capsys, tmp_path):
    (tmp_path / "mine.toml").write_text('name = "mine"\ntitle = "Mine"\ncolour = "red"\n')
    code, out, err = run(capsys, "hardware", "check", str(tmp_path / "mine.toml"))
    assert (code, out) == (2, "")
    assert "problems:" in err.splitlines()[0]
    assert any("vendor is missing" in line for line in err.splitlines())
    assert any("colour" in line for line in err.splitlines())


def test_models_list_has_one_line_a_family(capsys):
    from characterize import models

    _, out, _ = run(capsys, "models", "list", "--format", "json")
    assert {row["name"] for row in strict(out)} == set(models.families())


def test_models_show_lists_what_set_takes(capsys):
    _, out, _ = run(capsys, "models", "show", "resnet", "--format", "json")
    depth = next(row for row in strict(out) if row["name"] == "depth")
    assert (depth["default"], depth["range"]) == (50, "18, 34, 50, 101, 152")
    _, out, _ = run(capsys, "models", "show", "resnet")
    assert "depth" in out


def test_models_list_finds_models_of_libraries_by_words(capsys, monkeypatch):
    from characterize import models

    asked = []

    def zoo_names(words):
        asked.append(words)
        return ["timm/resnet50"]

    monkeypatch.setattr(models, "zoo_names", zoo_names)
    assert run(capsys, "models", "list", "--zoo", "timm resnet")[1] == "timm/resnet50\n"
    assert strict(run(capsys, "models", "list", "--zoo", "--format", "json")[1]) == [
        {"name": "timm/resnet50"}
    ]
    assert asked == ["timm resnet", ""]
    monkeypatch.setattr(models, "zoo_names", lambda _words: [])
    assert "no installed library has a model" in run(capsys, "models", "list", "--zoo", "xyzzy")[2]


# the store


def test_store_info_says_where_it_is_before_it_is_made(capsys, fresh_store):
    code, out, _ = run(capsys, "store", "info")
    assert code == 0
    assert str(fresh_store) in out
    assert "not made yet" in out
    assert not fresh_store.exists()


def test_the_store_is_exported_and_cleared(capsys, tmp_path):
    Store().put([("a", ROW), ("b", DESIGN)], model_version="1")
    _, out, _ = run(capsys, "store", "info", "--json")
    assert strict(out)["rows"] == 2
    _, out, _ = run(
        capsys, "store", "export", "--where", "architecture = 'gpu'", "--format", "json"
    )
    assert strict(out) == [ROW]
    _, out, _ = run(capsys, "store", "export")
    assert out.splitlines()[0] == ",".join(ROW)
    code, out, _ = run(capsys, "store", "export", "--output", str(tmp_path / "rows.parquet"))
    assert (code, out) == (0, "")
    assert len(pd.read_parquet(tmp_path / "rows.parquet")) == 2
    code, _, err = run(capsys, "store", "clear")  # nobody can be asked
    assert (code, Store().info()["rows"]) == (2, 2)
    assert "Forget every row and template" in err
    assert "say --yes" in err
    _, out, _ = run(capsys, "store", "clear", "--yes")
    assert out.startswith("2 rows forgotten")
    assert Store().info()["rows"] == 0


def test_a_store_that_cannot_be_opened_is_one_sentence(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("CHARACTERIZE_STORE", str(tmp_path))
    code, out, err = run(capsys, "store", "info")
    assert (code, out) == (2, "")
    assert "is a directory, not a file" in err


# the dashboard


def test_the_dashboard_is_streamlit_on_the_installed_app():
    options = SimpleNamespace(port="9000", address=None, headless=True)
    command = dashboard.command(options)  # type: ignore[arg-type]
    assert command[:4] == [sys.executable, "-m", "dashboard.serve", "run"]
    assert command[5:] == [
        "--server.port",
        "9000",
        "--server.address",
        "localhost",
        "--server.headless",
        "true",
        "--server.showEmailPrompt",
        "false",
    ]


def test_the_dashboard_keeps_a_store_that_is_named_relative_to_here(monkeypatch, tmp_path):
    started = []
    monkeypatch.setattr(os, "execv", lambda program, call: started.append((program, call)))
    monkeypatch.setattr(os, "chdir", lambda _folder: None)
    monkeypatch.setenv("CHARACTERIZE_STORE", "mine.duckdb")
    monkeypatch.setattr(dashboard, "app", lambda: tmp_path / "dashboard" / "app.py")
    monkeypatch.setattr(os, "name", "posix")
    cli.main(["dashboard"])
    assert started[0][0] == sys.executable
    assert os.path.isabs(os.environ["CHARACTERIZE_STORE"])  # noqa: PTH117 - the variable is text


def test_an_installation_without_dashboard_is_one_sentence(monkeypatch):
    monkeypatch.setattr(dashboard, "find_spec", lambda _name: None)
    with pytest.raises(errors.MissingExtraError, match="`dashboard` is not installed"):
        dashboard.app()

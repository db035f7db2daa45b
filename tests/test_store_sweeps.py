"""Sweeps beside the store, on the command line: listed with their sizes, exported, forgotten."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from characterize import store, sweeping
from characterize.cli import main
from characterize.sweeping import requests

DEVICES = ["reference_cpu", "nvidia_rtx_4090"]


@pytest.fixture(autouse=True)
def two_sweeps(tmp_path, monkeypatch):
    """One over a family and one over models, in a store of their own: the newest comes first."""
    monkeypatch.setenv("CHARACTERIZE_STORE", str(tmp_path / "results.duckdb"))
    sweeping.sweep_to(sweeping.grid("mlp", {"width": [8, 16, 24]}, 4), hardware=DEVICES)
    asked = requests.requests(["mlp depth=1", "conv2d_stack layers=1"])
    sweeping.sweep_models_to(asked, hardware=DEVICES, scheduler="none")
    return {kept.family or "models": kept for kept in sweeping.sweeps()}


def test_info_lists_sweeps_with_their_sizes(two_sweeps, capsys):
    assert main(["store", "info"]) == 0
    printed = capsys.readouterr().out
    for kept in two_sweeps.values():
        (line,) = (line for line in printed.splitlines() if line.startswith(kept.key[:12]))
        assert kept.title in line
        assert " yes " in line
    assert main(["store", "info", "--json"]) == 0
    listed = {sweep["key"]: sweep for sweep in json.loads(capsys.readouterr().out)["sweeps"]}
    family = two_sweeps["mlp"]
    parts = sum(file.stat().st_size for file in family.folder.iterdir())
    assert listed[family.key]["size_bytes"] == parts > 0
    assert (listed[family.key]["configurations"], listed[family.key]["devices"]) == (3, 2)


@pytest.mark.parametrize("which", ["mlp", "models"])
@pytest.mark.parametrize("suffix", ["parquet", "csv", "json"])
def test_a_sweep_is_exported(which, suffix, two_sweeps, tmp_path, capsys):
    kept = two_sweeps[which]
    file = tmp_path / f"rows.{suffix}"
    where = "hardware = 'nvidia_rtx_4090'"
    command = ["store", "export", "--sweep", kept.key[:10], "--where", where]
    assert main([*command, "--output", str(file)]) == 0
    read = {"parquet": pd.read_parquet, "csv": pd.read_csv, "json": pd.read_json}[suffix]
    rows = sweeping.frame(kept, f"SELECT * FROM sweep WHERE {where}")
    assert list(read(file)["latency_s"]) == pytest.approx(list(rows["latency_s"]))
    capsys.readouterr()
    assert main([*command, "--format", "csv"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(rows)
    assert main(["store", "export", "--sweep", "ffffffffff", "--output", str(file)]) == 2
    assert "No sweep named 'ffffffffff'" in capsys.readouterr().err


def test_one_sweep_or_all_are_forgotten_when_that_is_meant(two_sweeps, capsys, monkeypatch):
    key = two_sweeps["mlp"].key
    assert main(["store", "clear", "--sweep", key[:10]]) == 2
    assert "say --yes" in capsys.readouterr().err
    assert main(["store", "clear", "--sweep", key[:10], "--yes"]) == 0
    assert [kept.family for kept in sweeping.sweeps()] == [""]
    # a person is asked, and what was not said is not meant
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    asked: list[str] = []

    def says_nothing(text: str) -> str:
        asked.append(text)
        return ""

    monkeypatch.setattr("builtins.input", says_nothing)
    assert main(["store", "clear"]) == 0
    assert asked[0].startswith("Forget every row and template, and 1 sweeps (")
    assert len(sweeping.sweeps()) == 1
    monkeypatch.setattr("builtins.input", lambda _text: "y")
    assert main(["store", "clear"]) == 0
    assert (sweeping.sweeps(), store.Store().info()["rows"]) == ([], 0)

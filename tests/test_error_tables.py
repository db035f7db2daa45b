"""The command that computes published errors again knows every page that states some."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

from benchmarks import error_tables

ROOT = Path(__file__).parent.parent
EVERY = error_tables.commands(Path("tables"), Path("kept"))


def test_every_page_of_errors_has_a_command():
    pages = {page.relative_to(ROOT).as_posix() for page in (ROOT / "docs").glob("validation*.md")}
    named = {page for title, _ in EVERY for page in re.findall(r"[\w/-]+\.md", title)}
    assert pages <= named
    assert all((ROOT / page).is_file() for page in named)


def test_every_command_is_there_and_its_folders_are_filled_in():
    for _, (module, *arguments) in EVERY:
        assert importlib.util.find_spec(module), module
        assert not any("{" in each for each in arguments)
    assert ["benchmarks.validate_edge", "tables"] in [command for _, command in EVERY]


def test_a_command_that_a_page_states_is_one_of_those_that_are_run():
    run = {command[0] for _, command in EVERY}
    for page in (ROOT / "docs").glob("validation*.md"):
        stated = set(re.findall(r"python -m (benchmarks\.\w+)", page.read_text(encoding="utf-8")))
        assert stated <= run | {"benchmarks.error_tables"}, page.name


def test_some_of_them_can_be_chosen():
    (only,) = error_tables.commands(Path("tables"), Path("kept"), "validation-edge")
    assert only[1] == ["benchmarks.validate_edge", "tables"]


def test_a_folder_without_the_tables_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["error_tables", str(tmp_path)])
    assert error_tables.main() == 2
    assert "has no timm_inference.csv" in capsys.readouterr().err


def test_a_command_that_fails_is_named_and_the_others_run(tmp_path, monkeypatch, capsys):
    (tmp_path / "timm_inference.csv").write_text("", encoding="utf-8")
    seen = []

    def fails_first(module):
        seen.append(module)
        return len(seen) == 1

    monkeypatch.setattr(error_tables, "run", fails_first)
    monkeypatch.setattr(sys, "argv", ["error_tables", str(tmp_path), "--cache", str(tmp_path)])
    assert error_tables.main() == 1
    assert len(seen) == len(EVERY)
    assert capsys.readouterr().err == f"failed: {EVERY[0][0]}\n"


def test_a_module_is_run_as_itself(tmp_path, monkeypatch):
    (tmp_path / "told.py").write_text(
        "import sys; assert __name__ == '__main__'; assert sys.argv[1:] == ['a']; sys.exit(3)",
        encoding="utf-8",
    )
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{tmp_path}")
    assert error_tables.run(["told", "a"]) == 3  # an assertion that fails gives 1

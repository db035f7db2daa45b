"""What the README shows is what happens."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from characterize.cli import main

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
# Zoo models need a library that may be missing; the tests of the models run them.
COMMANDS = [
    line.strip()
    for line in README.splitlines()
    if line.startswith("    characterize ") and "torchvision/" not in line
]


def test_the_ten_lines_run(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "25,557,032 parameters" in printed  # ResNet-50, as torchvision has it
    assert "nvidia_rtx_4090" in printed


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_runs(command, capsys):
    assert main(shlex.split(command)[1:]) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize(
    "file", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md"]
)
def test_a_link_leads_somewhere(file):
    links = re.findall(r"\]\(([^)#]+)", (ROOT / file).read_text(encoding="utf-8"))
    missing = [
        link for link in links if ":" not in link and not ((ROOT / file).parent / link).exists()
    ]
    assert missing == []


def test_contributing_stays_short_enough_to_be_read():
    assert len((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()) <= 60

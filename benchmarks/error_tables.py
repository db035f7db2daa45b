"""Every error that the documents state, computed anew: what to run after a projection has moved.

    python -m benchmarks.error_tables MEASUREMENTS [--cache FOLDER] [--only TEXT]

Runs the commands of TABLES one after another, each under the page that has its numbers; `--only` runs
those whose line contains a text (a page, a command). MEASUREMENTS is the folder of the published tables
(what each is: docs/validation.md and the pages beside it). Nothing is written: the pages are changed by
hand, and CHANGELOG.md says from what to what. Some two hours of one core, most of it fits; the first run
also traces some 1,400 networks, which --cache keeps.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

FAMILIES: Final = "benchmarks.judge_families {folder}/timm_inference.csv --cache {cache}/graphs"
TABLES: Final = (  # (page and what is on it, module and arguments)
    ("data/published/README.md and the Validation view: the figures that ship", "characterize validate"),
    ("docs/validation.md: i9-10940X, and PyTorch 2.2.1 with nothing fitted on it",
     f"{FAMILIES} --hardware intel_i9_10940x --transfer-framework pytorch-2.2.1"),
    ("docs/validation.md: RTX 4090 compiled",
     f"{FAMILIES} --hardware nvidia_rtx_4090 --stack compiled"),
    ("docs/validation.md: RTX 3090, and the RTX 4090 with nothing fitted on it",
     f"{FAMILIES} --hardware nvidia_rtx_3090 --transfer nvidia_rtx_4090"),
    ("docs/validation.md: RTX 4090 compiled, other halves",
     f"{FAMILIES} --hardware nvidia_rtx_4090 --stack compiled --split other"),
    ("docs/validation.md: RTX 3090, other halves",
     f"{FAMILIES} --hardware nvidia_rtx_3090 --split other"),
    ("docs/validation.md: i9-10940X, other halves",
     f"{FAMILIES} --hardware intel_i9_10940x --split other"),
    ("docs/validation.md: i9-10940X, other halves again",
     f"{FAMILIES} --hardware intel_i9_10940x --split another"),
    ("docs/validation.md: from the RTX 4090 to the RTX 3090, every second network",
     f"{FAMILIES} --hardware nvidia_rtx_4090 --stack eager --transfer nvidia_rtx_3090 --every 2"),
    ("docs/validation.md: H100", "benchmarks.judge_h100"),
    ("docs/validation.md: rare paths",
     "benchmarks.rare_paths {folder}/timm_inference.csv --cache {cache}/graphs"),
    ("docs/validation-operators.md", "benchmarks.validate_operators {folder}"),
    ("docs/validation-servers.md", "benchmarks.validate_servers {folder}"),
    ("docs/validation-edge.md", "benchmarks.validate_edge {folder}"),
)  # fmt: skip
"""Everything that is stated and can be computed again from tables that are at hand."""

_RUN: Final = (  # a torchvision that was built for CUDA imports too; see benchmarks.cpu_torchvision
    "import runpy, sys; import benchmarks.cpu_torchvision; sys.argv = sys.argv[1:]; "
    "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
)


def commands(folder: Path, cache: Path, only: str = "") -> list[tuple[str, list[str]]]:
    """What is on which page, and the module with its arguments."""
    filled = [(page, text.format(folder=folder, cache=cache)) for page, text in TABLES]
    return [(page, shlex.split(text)) for page, text in filled if only in f"{page} {text}"]


def run(module: Sequence[str]) -> int:
    """Run a module as a process of its own; its exit status."""
    return subprocess.run([sys.executable, "-c", _RUN, *module], check=False).returncode


def main() -> int:
    """Run every command; 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("measurements", type=Path, help="folder of the published tables")
    parser.add_argument("--cache", type=Path, default=Path("build/errors"), help="keeps networks")
    parser.add_argument("--only", default="", help="only what has this text in its page or command")
    asked = parser.parse_args()
    if not (asked.measurements / "timm_inference.csv").exists():
        print(f"{asked.measurements} has no timm_inference.csv: it is not the folder of the published "
              "tables.", file=sys.stderr)  # fmt: skip
        return 2
    failed = []
    for page, module in commands(asked.measurements, asked.cache, asked.only):
        print(f"\n## {page}\n\n    python -m {shlex.join(module)}\n", flush=True)
        if run(module):
            failed.append(page)
    for page in failed:
        print(f"failed: {page}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

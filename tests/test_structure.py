"""The shape of the project: what it exports, what it loads, how large its files may grow."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

import characterize

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("characterize", "dashboard")

# The names at the top of the repository. A new one needs a reason that this comment can give:
# six that the product consists of, what documents and times it, and what tools insist on finding here.
TOP_LEVEL = {
    "characterize", "dashboard", "data", "tests", "pyproject.toml", ".streamlit",
    "benchmarks", "docs",
    ".ci", ".git", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "constraints.txt",
}  # fmt: skip

CODE_LINES = 300
# Modules that may be longer, each with its reason.
LONGER: dict[str, tuple[int, str]] = {}


def modules() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def code_lines(path: Path) -> int:
    """Lines that hold code: no blank ones, no comments, no docstrings."""
    with path.open("rb") as file:
        skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
                   tokenize.ENCODING, tokenize.ENDMARKER}  # fmt: skip
        lines = {
            line
            for token in tokenize.tokenize(file.readline)
            if token.type not in skipped
            for line in range(token.start[0], token.end[0] + 1)
        }
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Expr(value=ast.Constant(value=str())):
                lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after ``statement``."""
    code = (
        f"{statement}\nimport sys\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(run.stdout.splitlines()[-1].split())


def test_the_public_names_are_exactly_these():
    names = {
        "trace",
        "fuse",
        "project",
        "sweep",
        "cheapest",
        "frontier",
        "optimize",
        "sensitivities",
        "sweep_models",
        "register_formula",
        "CharacterizeError",
        "__version__",
    }
    assert set(characterize.__all__) == names
    assert names <= set(dir(characterize))


@pytest.mark.parametrize(
    "name",
    [
        "trace",
        "fuse",
        "project",
        "sweep",
        "sweep_models",
        "frontier",
        "optimize",
        "cheapest",
        "sensitivities",
        "register_formula",
    ],
)
def test_a_verb_of_the_library_is_a_function_and_stays_one(name):
    # Importing a submodule puts it into its package under its name: no verb may be a module's name.
    for path in modules():
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        assert module != f"characterize.{name}"
    assert type(getattr(characterize, name)).__name__ == "function"


def test_a_name_that_is_not_public_is_refused():
    with pytest.raises(AttributeError, match="'characterize' has no attribute 'tracr'"):
        _ = characterize.tracr


def test_importing_the_library_loads_neither_torch_nor_numpy():
    assert not {"torch", "numpy", "pandas", "duckdb"} & loaded_by("import characterize")


def test_asking_the_command_line_for_help_loads_no_torch():
    run = (
        "import contextlib, io, sys; sys.argv = ['characterize', '--help']\n"
        "from characterize.cli import main\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()): main()"
    )
    loaded = loaded_by(run)
    assert "characterize" in loaded
    assert not {"torch", "sympy", "streamlit"} & loaded


def test_listing_the_hardware_loads_no_torch():
    run = (
        "import contextlib, io, sys; sys.argv = ['characterize', 'hardware', 'list']\n"
        "from characterize.cli import main\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()): main()"
    )
    assert not {"torch", "streamlit"} & loaded_by(run)


def test_a_module_is_short_enough_to_be_read():
    lengths = {str(path.relative_to(ROOT)): code_lines(path) for path in modules()}
    budgets = {name: LONGER.get(name, (CODE_LINES, ""))[0] for name in lengths}
    assert {name: length for name, length in lengths.items() if length > budgets[name]} == {}


def test_every_exception_to_the_length_is_still_needed():
    for name, (budget, reason) in LONGER.items():
        assert CODE_LINES < code_lines(ROOT / name) <= budget, name
        assert reason, name


@pytest.fixture(scope="module")
def tracked() -> list[str]:
    """Every file that git holds, or a skip where there is no git."""
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT)
    if listed.returncode or not listed.stdout:
        pytest.skip("not a git checkout with commits")
    return listed.stdout.splitlines()


def test_the_top_of_the_repository_holds_only_the_known_names(tracked):
    assert {name.split("/")[0] for name in tracked} <= TOP_LEVEL


def test_no_file_names_a_place_of_the_machine_it_was_written_on(tracked):
    place = re.compile(r"(?<![\w.])/(work|root|home)/\w")  # a path, not a part of an address
    texts = {".py", ".toml", ".md", ".txt", ".csv", ".json", ""}
    files = [ROOT / name for name in tracked if Path(name).suffix in texts]
    assert [f for f in files if f.is_file() and place.search(f.read_text(errors="ignore"))] == []

"""The command line: one module a verb, and the only place that prints.

A verb is a module with ``add_parser(subparsers)``, which describes its options and names the
function that runs it, ``parser.set_defaults(run=run)``, where ``run(arguments) -> int`` returns the
exit code. Verbs import what they need inside ``run``: ``characterize --help`` pays for none of it.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Final

from characterize import __version__
from characterize.cli.parser import Parser
from characterize.errors import CharacterizeError

VERBS: Final = (
    "project", "sweep", "optimize", "hardware", "models", "validate", "measure", "calibrate", "report",
    "store", "dashboard",
)  # fmt: skip
"""Modules of this package, in the order in which ``--help`` lists them."""

FAILED: Final = 2
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells have it
BROKEN_PIPE: Final = 141  # 128 + SIGPIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0: done. 2: refused, with one sentence on stderr. 130: interrupted. 141: the reader went away.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that lacks µ gets a question mark
            stream.reconfigure(errors="replace")
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _say_warning
            arguments = _parser().parse_args(argv)
            code = int(arguments.run(arguments))
            sys.stdout.flush()
            return code
    except SystemExit as stop:  # argparse, after --help and --version
        return int(stop.code or 0)
    except CharacterizeError as error:
        print(f"characterize: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("characterize: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes stdout once more on its way out, which must not fail either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def _parser() -> Parser:
    """The whole command line."""
    parser = Parser(
        prog="characterize",
        description="Latency, energy and speedup of a PyTorch network on CPU, GPU, TPU and KPU.",
        epilog="Start with: characterize project resnet --batch 8 --hardware gpu",
    )
    parser.add_argument("--version", action="version", version=f"characterize {__version__}")
    subparsers = parser.add_subparsers(title="verbs", metavar="VERB", dest="verb", required=True)
    for verb in VERBS:
        importlib.import_module(f"characterize.cli.{verb}").add_parser(subparsers)
    return parser


def _say_warning(
    message: Warning | str, category: type[Warning], *_where: object, **_source: object
) -> None:
    """A warning as one line; what only concerns programmers stays unsaid."""
    if not issubclass(category, DeprecationWarning | PendingDeprecationWarning | FutureWarning):
        print(f"characterize: warning: {message}", file=sys.stderr)

"""argparse with our errors: one sentence on what was asked, what is near it and what is known."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from characterize.errors import InvalidValueError, unknown

Subparsers: TypeAlias = "argparse._SubParsersAction[Parser]"
"""What :meth:`argparse.ArgumentParser.add_subparsers` returns."""

_MISSING = re.compile(r"the following arguments are required: (?P<names>.+)")


class _Help(argparse.HelpFormatter):
    """Room for the longest option, and for the longest verb, beside its help."""

    def __init__(self, prog: str, **settings: Any) -> None:
        super().__init__(prog, **{"max_help_position": 30, **settings})
        self._action_max_length = 15  # argparse forgets that verbs are indented twice


class Parser(argparse.ArgumentParser):
    """A parser that raises what :mod:`characterize.errors` defines and never abbreviates."""

    def __init__(self, **settings: Any) -> None:
        settings.setdefault("allow_abbrev", False)  # --form must not come to mean --format
        settings.setdefault("formatter_class", _Help)
        super().__init__(**settings)

    def error(self, message: str) -> NoReturn:
        """Say what argparse found, in our words."""
        missing = _MISSING.fullmatch(message)
        if missing and "VERB" in missing["names"]:
            msg = (
                f"`{self.prog}` needs one of {', '.join(self._verbs())}; see `{self.prog} --help`."
            )
        elif missing:
            msg = (
                f"`{self.prog}` needs {missing['names']}, before options that take several values; "
                f"see `{self.prog} --help`."
            )
        else:
            msg = f"`{self.prog}`: {message.removeprefix('argument ')}."
        raise InvalidValueError(msg)

    def parse_known_args(  # type: ignore[override]  # argparse overloads it by namespace
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """As argparse, but what is not known is refused by the parser that knows what is near."""
        found, rest = super().parse_known_args(args, namespace)
        options = [text for text in rest if text.startswith("-")]
        if options:
            error = unknown(
                f"option of `{self.prog}`", options[0].partition("=")[0], self._options()
            )
            raise error
        if rest:
            msg = f"`{self.prog}` does not know what to do with {rest[0]!r}."
            raise InvalidValueError(msg)
        return found, rest

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        # The only choices we leave to argparse are verbs.
        if action.choices is not None and value not in action.choices:
            error = unknown("verb", str(value), action.choices)
            raise error

    def _options(self) -> list[str]:
        return [name for name in self._option_string_actions if name.startswith("--")]

    def _verbs(self) -> list[str]:
        return [
            name
            for action in self._actions
            if isinstance(action, argparse._SubParsersAction)
            for name in action.choices
        ]


def one_of(what: str, known: Iterable[str]) -> Callable[[str], str]:
    """An argument type: one of a few names, with the nearest named when it is none of them."""
    names = [str(name) for name in known]

    def check(text: str) -> str:
        if text not in names:
            error = unknown(what, text, names)
            raise error
        return text

    return check


def settings(
    pairs: Iterable[str], option: str = "--set", example: str = "depth=50"
) -> dict[str, str]:
    """``key=value`` texts as a mapping; the last of two values for a key stands.

    >>> settings(["depth=50", "width=0.5"])
    {'depth': '50', 'width': '0.5'}
    """
    found = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not (name and separator and value):
            msg = f"{option} takes key=value, such as {example}, and {pair!r} is not of that form."
            raise InvalidValueError(msg)
        found[name] = value
    return found


class Names(argparse.Action):
    """Names apart or with commas between, as values of --set have them; a file's name stays whole."""

    def __call__(
        self,
        _parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        _option: str | None = None,
    ) -> None:
        """Add them to those that came before."""
        found = [*(getattr(namespace, self.dest) or [])]
        for text in [values] if isinstance(values, str) else values or ():
            found += [text] if Path(text).exists() else [n for n in text.split(",") if n]
        setattr(namespace, self.dest, found)


def add_grid_options(parser: argparse.ArgumentParser) -> None:
    """The axes of a grid, and the devices that it is projected onto."""
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="key=VALUES",
        help="layers=1:16 channels=16,32,64",
    )  # fmt: skip
    parser.add_argument("--batch", default="1", metavar="VALUES", help="batch sizes (1)")
    parser.add_argument("--precision", default="auto", metavar="VALUES", help="precisions (auto)")
    parser.add_argument("--stack", default="compiled", metavar="VALUES", help="stacks (compiled)")
    parser.add_argument(
        "--hardware", nargs="+", action=Names, metavar="NAME",
        help="devices, classes, TOML profiles, or all (the default)",
    )  # fmt: skip
    parser.add_argument(
        "--vary", nargs="+", action="extend", default=[], metavar="key=VALUES",
        help="figures of the hardware: memory.bytes_per_s=x1,x2 power.tdp_w=75W,150W",
    )  # fmt: skip
    parser.add_argument("--baseline", metavar="NAME", help="device that speedups are relative to")

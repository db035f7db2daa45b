"""The formula reference, written from the docstrings of the formulas so that it cannot drift."""

from __future__ import annotations

import inspect
import re
from types import ModuleType

from characterize import costs
from characterize.costs.registry import Estimator, Table

HEADER = """# Formula reference

Written by `python -m characterize.costs`; do not edit. One entry a formula: the operators it
serves, shapes, formula, source and a worked example, which the tests run.

**Units.** `macs` are multiply-accumulates of convolutions and matrix products, attention included;
2 × `macs` is what `torch.utils.flop_counter` counts on `meta`, where it has a formula.
`vector_flops` is one an element and operation of everything else: a sum, a product, a quotient, a
root, a comparison and an evaluation of an elementary function count one each; `transcendentals`
says how many of them are evaluations of exp, log, tanh and their like.
`flops` = 2 × `macs` + `vector_flops`. A bias is what an accumulator starts from, 0. `reads` and
`writes` are elements, tensor by tensor; `None` stands for all of them, and bytes follow from the
precision a device runs in.

**Shapes.** Sizes are in brackets, `*S` is any number of them; `prod` is their product. A size may
be an array with one entry a configuration: a formula looks at ranks, argument names and
attributes, and at no size. Where a kind of kernel depends on sizes it must hold for every
configuration.

**What is missing.** An operator without a formula is counted in `uncounted`, never as free.
Register one with `@characterize.costs.cost_of("mylib.attend")`, a function from `Work` to `Cost`;
the tracer then keeps the operator whole. An in-place operator shares the formula of its functional
twin. Backward passes, optimisers, quantised and sparse operators have no formulas.

The examples follow `from characterize.costs import estimate`.
"""
_LABEL = re.compile(r"^([A-Z][a-z]+): ")
_IMPORT = ">>> from characterize.costs import estimate"


def text() -> str:
    """The whole reference as Markdown."""
    found = [(topic, _estimators(topic)) for topic in costs.TOPICS]
    parts = [HEADER]
    for topic, estimators in found:
        parts.append(f"## {_first_line(topic)}\n")
        parts.extend(entry(estimator) for estimator in estimators)
    parts.append(_index([estimator for _, estimators in found for estimator in estimators]))
    return "\n".join(parts)


def _estimators(topic: ModuleType) -> list[Estimator]:
    """The estimators of one module, in the order they are written in it."""
    unique = {id(estimator): estimator for estimator in costs.formulas().values()}
    own = [one for one in unique.values() if one.formula.__module__ == topic.__name__]
    return sorted(own, key=lambda one: inspect.unwrap(one.formula).__code__.co_firstlineno)


def _first_line(documented: object) -> str:
    return (inspect.getdoc(documented) or "").partition("\n")[0].rstrip(".")


def title(estimator: Estimator) -> str:
    """The heading of an entry: the name of its formula, as words."""
    return estimator.formula.__name__.replace("_", " ")


def entry(estimator: Estimator) -> str:
    """One estimator as Markdown."""
    head, *paragraphs = (inspect.getdoc(estimator.formula) or "").split("\n\n")
    names = ", ".join(f"`{name}`" for name in estimator.names)
    lines = [f"### {title(estimator)}\n", f"{_escaped(head)}\n", f"**Operators:** {names}\n"]
    for paragraph in paragraphs:
        if paragraph.startswith("Example:"):
            lines += [_table(estimator.table), _example(paragraph)]
        else:
            lines.append(_escaped(_LABEL.sub(r"**\1:** ", _joined(paragraph))) + "\n")
    return "\n".join(line for line in lines if line)


def _joined(paragraph: str) -> str:
    return " ".join(line.strip() for line in paragraph.splitlines())


def _escaped(paragraph: str) -> str:
    """Text whose asterisks and underscores stay as they are, outside code and the label."""
    label, text = re.match(r"(\*\*\w+:\*\* )?(.*)", paragraph, re.DOTALL).groups()  # type: ignore[union-attr]
    text = text.replace("``", "`")
    pieces = text.split("`")
    pieces[::2] = [re.sub(r"(\*\*|\b_|(?<!\w)_)", _backslashed, piece) for piece in pieces[::2]]
    return (label or "") + "`".join(pieces)


def _backslashed(match: re.Match[str]) -> str:
    return "".join(f"\\{character}" for character in match.group())


def _example(paragraph: str) -> str:
    _, _, body = paragraph.partition("\n")
    lines = inspect.cleandoc(body).splitlines()
    kept = [line for line in lines if line != _IMPORT]
    return "\n".join(["```python", *kept, "```", ""])


def _table(table: Table) -> str:
    if not table:
        return ""
    header, *rows = table
    rule = "|".join("---" for _ in header)
    cells = [" | ".join(_cell(cell) for cell in row) for row in rows]
    return "\n".join(
        [f"| {' | '.join(header)} |", f"|{rule}|", *(f"| {row} |" for row in cells), ""]
    )


def _cell(text: str) -> str:
    """A cell of a table, as code where Markdown would read it otherwise."""
    is_name = text.startswith("aten.") and " " not in text
    if is_name or any(mark in text for mark in "*_|"):
        return f"`{text}`".replace("|", "\\|")
    return text


def _index(estimators: list[Estimator]) -> str:
    places = {name: title(estimator) for estimator in estimators for name in estimator.names}
    rows = [
        f"| `{name}` | [{place}](#{place.replace(' ', '-')}) |"
        for name, place in sorted(places.items())
    ]
    return "\n".join(["## Operators", "", "| operator | formula |", "|---|---|", *rows, ""])

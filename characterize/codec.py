"""A graph as JSON and back, so that a template can be stored and read without torch.

Values and operators are written as short rows; the text is compressed. The format carries its own
version: a text written by another version is refused, never misread.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

from characterize.errors import BrokenRecordError
from characterize.records import Frozen, Graph, Operator, Role, Value

FORMAT = 3


def encode(graph: Graph) -> bytes:
    """The graph, without its costs, as compressed JSON."""
    document = {
        "format": FORMAT,
        "model": graph.model,
        "values": [
            [list(v.shape), v.dtype, v.role.value, v.source, v.storage, v.name]
            + ([list(v.order), v.turned] if v.order or v.turned else [])
            for v in graph.values
        ],
        "operators": [
            [
                o.name,
                list(o.inputs),
                list(o.outputs),
                list(o.arguments),
                dict(o.attributes),
                o.module,
                o.inplace,
            ]
            for o in graph.operators
        ],
        "inputs": list(graph.inputs),
        "outputs": list(graph.outputs),
        "symbols": list(graph.symbols),
        "guards": list(graph.guards),
        "notes": list(graph.notes),
    }
    text = json.dumps(document, separators=(",", ":"), allow_nan=True)
    return zlib.compress(text.encode(), 6)


def decode(data: bytes) -> Graph:
    """The graph that :func:`encode` wrote, without costs.

    Raises:
        BrokenRecordError: the bytes are not a graph, or one of another format version.
    """
    try:
        document = json.loads(zlib.decompress(data))
    except (zlib.error, ValueError) as error:
        msg = "A stored template cannot be read; clear the store to have it traced again."
        raise BrokenRecordError(msg) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        found = document.get("format") if isinstance(document, dict) else None
        msg = f"A stored template has format {found!r}; this version reads format {FORMAT}."
        raise BrokenRecordError(msg)
    return Graph(
        model=document["model"],
        values=tuple(_value(row) for row in document["values"]),
        operators=tuple(_operator(row) for row in document["operators"]),
        inputs=tuple(document["inputs"]),
        outputs=tuple(document["outputs"]),
        symbols=tuple(document["symbols"]),
        guards=tuple(document["guards"]),
        notes=tuple(document["notes"]),
    )


def _value(row: list[Any]) -> Value:
    shape, dtype, role, source, storage, name, *lie = row
    order, turned = lie or ((), False)
    return Value(tuple(shape), dtype, Role(role), source, storage, name, tuple(order), turned)


def _operator(row: list[Any]) -> Operator:
    name, inputs, outputs, arguments, attributes, module, inplace = row
    return Operator(
        name,
        tuple(inputs),
        tuple(outputs),
        tuple(arguments),
        Frozen({key: _tuples(value) for key, value in attributes.items()}),
        module,
        inplace,
    )


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value

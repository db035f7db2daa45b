"""From the name a user types to a traced graph: families, zoo models, files."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from characterize import errors, models
from characterize.records import Graph
from characterize.tracing import modules


def trace_name(name: str, batch: int, parameters: Mapping[str, Any]) -> Graph:
    """The graph of a family, a zoo model, ``file.py:factory``, ``.onnx`` or ``.pt2`` file."""
    if ".py:" in name:
        return _trace_factory(name, batch, parameters)
    if name.endswith(".pt2"):
        return _trace_exported(name)
    if name.endswith(".onnx"):
        from characterize.tracing import onnx_files

        return onnx_files.trace_file(name, batch)
    if "/" in name:
        return _trace_zoo(name, batch, parameters)
    family = models.family(name)
    values = family.check(**parameters)
    with modules.translated_errors(name):
        module = modules.build(lambda: family.build(**values))
        with torch.device("meta"):
            inputs = family.inputs(**values, batch=batch)
    return modules.trace_module(module, inputs, {}, name)


def _trace_zoo(name: str, batch: int, parameters: Mapping[str, Any]) -> Graph:
    model = models.zoo(name)
    values = model.check(**parameters)
    with modules.translated_errors(name):
        module = modules.build(lambda: model.build(**values))
        with torch.device("meta"):
            inputs = model.inputs(batch=batch, **values)
    if isinstance(inputs, dict):
        return modules.trace_module(module, (), inputs, name)
    return modules.trace_module(module, inputs, {}, name)


def _trace_factory(name: str, batch: int, parameters: Mapping[str, Any]) -> Graph:
    """``file.py:factory``: the factory returns a module and its example inputs.

    The factory may take ``batch`` and any ``--set`` parameter; it returns ``(module, inputs)``.
    """
    path, _, attribute = name.rpartition(":")
    file = Path(path)
    if not file.is_file():
        msg = (
            f"There is no file {path!r}; MODEL is a family, a zoo name or path/to/file.py:factory."
        )
        raise errors.UnknownNameError(msg)
    spec = importlib.util.spec_from_file_location(f"_characterize_user_{file.stem}", file)
    if spec is None or spec.loader is None:
        msg = f"{path!r} cannot be imported as Python."
        raise errors.InvalidValueError(msg)
    user = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = user
    with modules.translated_errors(name):
        spec.loader.exec_module(user)
    factory = getattr(user, attribute, None)
    if not callable(factory):
        known = [n for n, v in vars(user).items() if callable(v) and not n.startswith("_")]
        raise errors.unknown(f"factory in {path}", attribute, known)
    with modules.translated_errors(name):
        made = _call(factory, batch, parameters)
    if not (isinstance(made, tuple) and len(made) == 2):
        msg = f"{name} returned {type(made).__name__}; a factory returns (module, example inputs)."
        raise errors.InvalidValueError(msg)
    module, inputs = made
    keywords = inputs if isinstance(inputs, dict) else {}
    positional = () if keywords else inputs if isinstance(inputs, tuple) else (inputs,)
    return modules.trace_module(module, positional, keywords, name)


def _call(factory: Any, batch: int, parameters: Mapping[str, Any]) -> Any:
    import inspect

    accepted = inspect.signature(factory).parameters
    anything = any(p.kind is p.VAR_KEYWORD for p in accepted.values())
    unknown = [key for key in parameters if key not in accepted]
    if unknown and not anything:
        raise errors.unknown("parameter of the factory", unknown[0], accepted)
    extra = {"batch": batch} if "batch" in accepted or anything else {}
    with torch.device("meta"), modules.without_initialisation():
        return factory(**{k: _number(v) for k, v in parameters.items()}, **extra)


def _number(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(value.lower(), value)


def _trace_exported(name: str) -> Graph:
    """A program saved with ``torch.export.save``, with the sizes it was exported at."""
    if not Path(name).is_file():
        msg = f"There is no file {name!r}."
        raise errors.UnknownNameError(msg)
    with modules.translated_errors(name):
        program = torch.export.load(name)
        if program.example_inputs is None:
            msg = f"{name} was saved without example inputs; export it with them."
            raise errors.InvalidValueError(msg)
        args, kwargs = program.example_inputs
        module = program.module()
    return modules.trace_module(_NoMode(module), args, kwargs, Path(name).name)


class _NoMode(torch.nn.Module):
    """An exported program, whose own module refuses ``eval()``."""

    def __init__(self, program: torch.nn.Module) -> None:
        super().__init__()
        self.program = program

    def eval(self) -> _NoMode:
        """Nothing: the mode was fixed when the program was exported."""
        return self

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the exported program."""
        return self.program(*args, **kwargs)

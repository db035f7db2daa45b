"""Running a module on the meta device under the recorder."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn.modules import module as nn_module
from torch.utils import _pytree

from characterize import costs
from characterize.errors import CharacterizeError, InvalidValueError, TraceError
from characterize.records import Graph, Role
from characterize.tracing.recorder import Recorder

_DATA_DEPENDENT = (
    "meta tensors",
    "data-dependent",
    "data dependent",
    "Cannot copy out of meta tensor",
    "item()",
    "_local_scalar_dense",
    "aten::nonzero",
)


@contextlib.contextmanager
def without_initialisation() -> Iterator[None]:
    """Build modules without filling their weights: nothing of them is ever used.

    Initialisation also calls ``math.sqrt`` on sizes, which would turn a symbol into a number.
    """
    names = [name for name in vars(nn.init) if name.endswith("_") and not name.startswith("_")]
    names += ["_calculate_fan_in_and_fan_out", "_calculate_correct_fan", "calculate_gain"]
    saved = {name: getattr(nn.init, name) for name in names if hasattr(nn.init, name)}

    def nothing(tensor: Any = None, *_args: Any, **_kwargs: Any) -> Any:
        return tensor

    replacements: dict[str, Callable[..., Any]] = dict.fromkeys(saved, nothing)
    replacements["_calculate_fan_in_and_fan_out"] = lambda *_: (1, 1)
    replacements["_calculate_correct_fan"] = lambda *_: 1
    replacements["calculate_gain"] = lambda *_: 1.0
    try:
        for name, replacement in replacements.items():
            setattr(nn.init, name, replacement)
        yield
    finally:
        for name, original in saved.items():
            setattr(nn.init, name, original)


def build(factory: Callable[[], nn.Module]) -> nn.Module:
    """The module that ``factory`` makes, on ``meta``, uninitialised, in evaluation mode."""
    with torch.device("meta"), without_initialisation():
        return factory().eval()


class ModulePath:
    """Knows the dotted path of the module that is running."""

    def __init__(self, root: nn.Module) -> None:
        self._names = {id(module): name for name, module in root.named_modules()}
        self._stack: list[str] = [""]

    def __call__(self) -> str:
        """The dotted path of the innermost running module."""
        return self._stack[-1]

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Follow every module call while the context is open."""

        def enter(module: nn.Module, _inputs: Any) -> None:
            self._stack.append(self._names.get(id(module), self._stack[-1]))

        def leave(_module: nn.Module, _inputs: Any, _output: Any) -> None:
            self._stack.pop()

        before = nn_module.register_module_forward_pre_hook(enter)
        after = nn_module.register_module_forward_hook(leave, always_call=True)
        try:
            yield
        finally:
            before.remove()
            after.remove()


def tensor_names(module: nn.Module) -> dict[int, tuple[str, Role]]:
    """``id(tensor) -> (dotted name, role)`` of a module's parameters and buffers."""
    names = {id(p): (name, Role.PARAMETER) for name, p in module.named_parameters()}
    names.update({id(b): (name, Role.BUFFER) for name, b in module.named_buffers()})
    return names


def to_meta(value: Any) -> Any:
    """``value`` with every tensor in it replaced by one without data."""
    return _pytree.tree_map(
        lambda leaf: (
            torch.empty_like(leaf, device="meta", requires_grad=False)
            if isinstance(leaf, torch.Tensor) and leaf.device.type != "meta"
            else leaf
        ),
        value,
    )


def leaves(value: Any) -> list[Any]:
    """Every leaf of nested lists, tuples, dicts and model outputs."""
    flat = []
    for leaf in _pytree.tree_leaves(value):
        if isinstance(leaf, Mapping):
            flat.extend(leaves(list(leaf.values())))
        elif hasattr(leaf, "__dataclass_fields__"):
            flat.extend(leaves([getattr(leaf, name) for name in leaf.__dataclass_fields__]))
        else:
            flat.append(leaf)
    return flat


def run(
    module: nn.Module,
    inputs: Sequence[Any],
    keywords: Mapping[str, Any],
    recorder: Recorder,
    path: ModulePath,
) -> tuple[list[int], Any]:
    """Run a module under the recorder: the values of its inputs, and its outputs."""
    indices = []
    with torch.inference_mode(), torch.device("meta"), path.watching():
        given = leaves([*inputs, *keywords.values()])
        indices = [recorder.value(x, Role.INPUT) for x in given if isinstance(x, torch.Tensor)]
        with recorder:
            outputs = module(*inputs, **keywords)
    return indices, outputs


def trace_module(
    module: Any, inputs: Sequence[Any], keywords: Mapping[str, Any], name: str = ""
) -> Graph:
    """The priced graph of a module on example inputs; the module itself is left as it was."""
    if not isinstance(module, nn.Module):
        msg = f"A model is a name or an nn.Module with example inputs, not {type(module).__name__}."
        raise InvalidValueError(msg)
    training = [m for m in module.modules() if m.training]
    module.eval()
    try:
        return _trace(module, to_meta(tuple(inputs)), to_meta(dict(keywords)), name)
    finally:
        for part in training:
            part.training = True


def _trace(module: nn.Module, inputs: Any, keywords: Any, name: str) -> Graph:
    tensors: list[tuple[str, torch.Tensor]] = []
    tensors += module.named_parameters(remove_duplicate=False)
    tensors += module.named_buffers(remove_duplicate=False)
    twins: dict[int, Any] = {}
    swapped = {}
    for key, tensor in tensors:
        if tensor.device.type != "meta":
            twin = twins.setdefault(
                id(tensor), torch.empty_like(tensor, device="meta", requires_grad=False)
            )
            swapped[key] = twin
    path = ModulePath(module)
    with contextlib.ExitStack() as stack:
        if swapped:
            from torch.nn.utils import stateless

            stack.enter_context(stateless._reparametrize_module(module, swapped, tie_weights=True))
        names = tensor_names(module)
        if swapped:
            parameters = {key for key, _ in module.named_parameters(remove_duplicate=False)}
            for key, twin in swapped.items():
                role = Role.PARAMETER if key in parameters else Role.BUFFER
                names.setdefault(id(twin), (key, role))
        recorder = Recorder(names, path=path)
        with translated_errors(name or type(module).__name__):
            indices, outputs = run(module, inputs, keywords, recorder, path)
            notes = _unused(module, recorder)
        graph = recorder.graph(name or type(module).__name__, indices, leaves(outputs))
    return costs.priced(replace(graph, notes=notes))


def _unused(module: nn.Module, recorder: Recorder) -> tuple[str, ...]:
    """Give parameters that the forward pass never reads a value too; a note on them.

    They take memory and are part of the published count, whether this input needs them or not.
    """
    read = {value.name for value in recorder.values}
    unused = [name for name, _ in module.named_parameters() if name not in read]
    for name, parameter in module.named_parameters():
        if name not in read:
            recorder.value(parameter)
    if not unused:
        return ()
    shown = ", ".join(sorted(unused)[:3]) + (", ..." if len(unused) > 3 else "")
    return (f"The forward pass does not read {len(unused)} parameter tensors ({shown}).",)


@contextlib.contextmanager
def translated_errors(name: str) -> Iterator[None]:
    """Turn whatever goes wrong in a model's forward pass into one sentence with its line."""
    try:
        yield
    except CharacterizeError:
        raise
    except Exception as error:
        raise TraceError(_explain(name, error)) from error


def _explain(name: str, error: Exception) -> str:
    text = " ".join(str(error).split())
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        f
        for f in frames
        if "/torch/" not in f.filename.replace("\\", "/")
        and "/characterize/tracing/" not in f.filename.replace("\\", "/")
    ]
    frame = own[-1] if own else frames[-1]
    where = f"{frame.filename}, line {frame.lineno}"
    line = f" ({frame.line})" if frame.line else ""
    if any(sign in text for sign in _DATA_DEPENDENT):
        return (
            f"{name} takes a decision that depends on the values of a tensor at {where}{line}; "
            "a trace has shapes but no values, so this cannot be characterised."
        )
    kind = type(error).__name__
    return f"{name} could not be traced: {kind} at {where}{line}: {text[:300]}"

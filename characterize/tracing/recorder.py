"""A dispatch mode that writes down operators as PyTorch dispatches them.

Under ``torch.inference_mode`` a dispatch mode sees composite operators whole. Those with a cost
formula stay whole (``aten.linear``, ``aten.layer_norm``, attention); operators that only rearrange
are run as they are and turn out, by the memory of their result, to be a view or a copy; the rest
is decomposed by PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from characterize import costs
from characterize.records import Frozen, Graph, Operator, Role, Value
from characterize.tracing.operators import DROPOUTS, IGNORED, LAYOUT
from characterize.tracing.orders import Layout, is_turned, layout_of, order_of
from characterize.tracing.shortcuts import SHORTCUTS, SYMBOLIC

_WEIGHTS = frozenset({Role.PARAMETER, Role.BUFFER, Role.CONSTANT, Role.DERIVED})
_Dim = Callable[[Any], Any]


class _Action(Enum):
    RECORD = 1
    LAYOUT = 2
    IGNORE = 3
    DECOMPOSE = 4


class _Known:
    """What we know of an operator overload, worked out once."""

    __slots__ = ("action", "inplace", "name", "names", "shortcut")

    def __init__(self, func: Any) -> None:
        schema = func._schema
        self.name: str = schema.name.replace("::", ".")
        self.names: tuple[str, ...] = tuple(argument.name for argument in schema.arguments)
        self.inplace: bool = schema.is_mutable
        self.shortcut = SHORTCUTS.get(self.name)
        if self.name in LAYOUT:
            self.action = _Action.LAYOUT
        elif self.name in IGNORED or self.name.startswith("prim."):
            self.action = _Action.IGNORE
        elif self.name in costs.kept_composites():
            self.action = _Action.RECORD
        elif torch._C._dispatch_has_kernel_for_dispatch_key(
            func.name(), "CompositeImplicitAutograd"
        ):
            self.action = _Action.DECOMPOSE
        else:
            self.action = _Action.RECORD


_KNOWN: dict[Any, _Known] = {}
_KEPT: set[str] = set()  # the operators with a formula when _KNOWN was filled


def _forget_if_formulas_changed() -> None:
    """A formula that was registered since may keep a composite whole."""
    kept = costs.kept_composites()
    if kept != _KEPT:
        _KNOWN.clear()
        _KEPT.clear()
        _KEPT.update(kept)


def _tensors(argument: Any) -> Iterator[torch.Tensor]:
    if isinstance(argument, torch.Tensor):
        yield argument
    elif isinstance(argument, list | tuple):
        for item in argument:
            yield from _tensors(item)


class Recorder(TorchDispatchMode):
    """Writes operators and values while a model runs on tensors without data.

    Args:
        names: ``id(tensor) -> (dotted name, role)`` of parameters and buffers.
        dim: how a size becomes a :data:`~characterize.records.Dim` (an expression for a SymInt).
        path: says which module is running.
    """

    def __init__(
        self,
        names: Mapping[int, tuple[str, Role]],
        dim: _Dim = int,
        path: Callable[[], str] = str,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # PyTorch's own
        _forget_if_formulas_changed()
        self.values: list[Value] = []
        self.operators: list[Operator] = []
        self._names = names
        self._dim = dim
        self._concrete = dim is int  # most shortcuts compare sizes, which would bind symbols
        self._path = path
        self._ids: dict[int, int] = {}  # id(tensor) -> value
        self._alive: list[torch.Tensor] = []  # so that no id is used twice
        self._storages: dict[int, int] = {}  # torch's storage -> our storage
        self._writer: dict[int, int] = {}  # our storage -> the value that last wrote it
        self._layouts: dict[int, Layout] = {}  # our storage -> how its source values lie
        self._dtypes: dict[torch.dtype, str] = {}

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run one operator and write it down."""
        kwargs = kwargs or {}
        known = _KNOWN.get(func)
        if known is None:
            known = _KNOWN[func] = _Known(func)
        if known.name in DROPOUTS and not args[2]:  # at inference it hands on what it is given
            return args[0]
        if known.action is _Action.DECOMPOSE:
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        quick = known.shortcut if self._concrete or known.name in SYMBOLIC else None
        result = quick(args, kwargs) if quick else None
        if result is None:
            result = func(*args, **kwargs)
        if known.action is _Action.IGNORE:
            return result
        if known.action is _Action.LAYOUT:
            self._layout(known, args, kwargs, result)
        else:
            self._record(known, args, kwargs, result)
        return result

    # values

    def _shape(self, tensor: torch.Tensor) -> tuple[Any, ...]:
        return tuple(d if type(d) is int else self._dim(d) for d in tensor.shape)

    def _storage(self, tensor: torch.Tensor) -> int:
        key = tensor.untyped_storage()._cdata
        return self._storages.setdefault(key, len(self._storages))

    def _dtype(self, dtype: torch.dtype) -> str:
        name = self._dtypes.get(dtype)
        if name is None:
            name = self._dtypes[dtype] = str(dtype).removeprefix("torch.")
        return name

    def _new(
        self, tensor: torch.Tensor, role: Role, source: int | None = None, name: str = ""
    ) -> int:
        index = len(self.values)
        storage = self._storage(tensor)
        layout = layout_of(tensor)
        shape, dtype = self._shape(tensor), self._dtype(tensor.dtype)
        if source is None:  # what is made lies in its own order
            value = Value(shape, dtype, role, index, storage, name)
        else:
            base = self._layouts[storage]
            order, turned = order_of(layout, base), is_turned(layout, base)
            value = Value(shape, dtype, role, source, storage, name, order, turned)
        self.values.append(value)
        self._ids[id(tensor)] = index
        self._alive.append(tensor)
        if source is None:
            self._writer[storage] = index
            self._layouts[storage] = layout
        return index

    def value(self, tensor: torch.Tensor, role: Role = Role.CONSTANT) -> int:
        """The index of the value that a tensor holds now."""
        index = self._ids.get(id(tensor))
        if index is None:
            name, known_role = self._names.get(id(tensor), ("", role))
            writer = self._writer.get(self._storage(tensor))
            if writer is not None:  # a view that was made where we could not see it
                return self._new(tensor, self.values[writer].role, writer, name)
            return self._new(tensor, known_role, None, name)
        value = self.values[index]
        writer = self._writer[value.storage]
        if value.source != writer:  # written in place since: the same elements, a newer source
            return self._new(tensor, self.values[writer].role, writer, value.name)
        return index

    # operators

    def _layout(self, known: _Known, args: Any, kwargs: Any, result: Any) -> None:
        source = next(_tensors(args), None)
        if source is None:
            return
        for output in _tensors(result):
            if output is source and known.name[-1] != "_":
                continue
            origin = self.value(source)
            if self._storage(output) == self.values[origin].storage:
                value = self.values[origin]
                self._new(output, value.role, value.source)
            else:
                cast = output.dtype != source.dtype
                name = "aten._to_copy" if cast else "aten.clone"
                self._append(name, [origin], ("input",), {}, [output], False)

    def _record(self, known: _Known, args: Any, kwargs: Any, result: Any) -> None:
        inputs: list[int] = []
        arguments: list[str] = []
        attributes: dict[str, Any] = {}
        pairs = list(zip(known.names, args, strict=False))
        pairs.extend(kwargs.items())
        for name, argument in pairs:
            found = False
            for tensor in _tensors(argument):
                inputs.append(self.value(tensor))
                arguments.append(name)
                found = True
            if not found:
                attributes[name] = self._attribute(argument)
        outputs = list(_tensors(result))
        if known.inplace and known.name.startswith("aten.copy_"):
            attributes["written"] = outputs[0].shape if outputs else ()
        self._append(known.name, inputs, tuple(arguments), attributes, outputs, known.inplace)

    def _append(
        self,
        name: str,
        inputs: list[int],
        arguments: tuple[str, ...],
        attributes: dict[str, Any],
        outputs: list[torch.Tensor],
        inplace: bool,
    ) -> None:
        roles = {self.values[index].role for index in inputs}
        if not roles:
            role = Role.CONSTANT
        elif roles <= _WEIGHTS:
            role = Role.DERIVED if roles - {Role.CONSTANT} else Role.CONSTANT
        else:
            role = Role.ACTIVATION
        written = []
        for tensor in outputs:
            old = self._ids.get(id(tensor)) if inplace else None
            if old is not None:
                written.append(self._rewrite(tensor, old, role, attributes))
            elif (writer := self._writer.get(self._storage(tensor))) is not None and not inplace:
                self._new(tensor, self.values[writer].role, writer)  # a view after all
                continue
            else:
                written.append(self._new(tensor, role))
        if not written:
            return
        operator = Operator(
            name,
            tuple(inputs),
            tuple(written),
            arguments,
            Frozen(attributes),
            self._path(),
            inplace,
        )
        self.operators.append(operator)

    def _rewrite(
        self, tensor: torch.Tensor, old: int, role: Role, attributes: dict[str, Any]
    ) -> int:
        """A new version of memory written in place; through a view the whole base is new."""
        value = self.values[old]
        base = self.values[self._writer[value.storage]]
        if base.role is Role.ACTIVATION:
            role = Role.ACTIVATION
        index = len(self.values)
        whole = value.source == old or (base.shape == value.shape and not value.order)
        if not whole:
            attributes["written"] = value.shape
        shape = value.shape if whole else base.shape
        self.values.append(Value(shape, value.dtype, role, index, value.storage, value.name))
        self._writer[value.storage] = index
        if whole:
            self._ids[id(tensor)] = index
        else:
            self._new(tensor, role, index)
        return index

    def _attribute(self, argument: Any) -> Any:
        if isinstance(argument, list | tuple):
            return tuple(self._attribute(item) for item in argument)
        if isinstance(argument, torch.SymInt):
            return self._dim(argument)
        if argument is None or isinstance(argument, bool | int | float | str):
            return argument
        return str(argument).removeprefix("torch.")

    def graph(self, model: str, inputs: list[int], outputs: Any) -> Graph:
        """Everything written down so far as a graph with these inputs and results."""
        found = dict.fromkeys(self.value(tensor) for tensor in _tensors(outputs))
        return Graph(model, tuple(self.values), tuple(self.operators), tuple(inputs), tuple(found))

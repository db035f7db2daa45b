"""From the fused graph to what a library really launches: casts, bias kernels, loops beside calls.

The kernels that a result row counts are those of the fused graph. Four things run beside them on
PyTorch, and take time (ablations in docs/validation.md):

- In fp16 and bf16, *autocast* keeps parameters in fp32: every call casts its weights anew, its
  fp32 inputs too, and some operators work in fp32. Such values count double (dtype ``"wide"``).
- cuDNN adds a convolution's bias in a kernel of its own.
- In bf16 PyTorch uses batch norms of its own: each first copies its mean to fp32, and inverts its
  deviation (`batch_norm_cuda_out` in ATen/native/cuda/Normalization.cu).
- TorchInductor's default fuses nothing into a library call: what follows one is a loop kernel.

:func:`lower` makes that graph from the fused one. It never evaluates a dimension, so templates are
lowered once for all sizes. ``owner`` says for each launched kernel which fused kernel it belongs
to. An engine casts when it is built and fuses epilogues: its graph is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from characterize import fusion
from characterize.fusion.tables import base_name
from characterize.records import (
    Frozen,
    Graph,
    KernelGraph,
    Launching,
    Operator,
    Role,
    Shape,
    Stack,
    Value,
)

WIDE: Final = "wide"
"""The dtype of a value that autocast keeps in fp32: two elements of the running precision each."""

_HALF: Final = "float16"
_FLOATS: Final = frozenset({"float16", "bfloat16", "float32", "float64"})
_CONVOLUTIONS: Final = frozenset(
    [
        "conv1d",
        "conv2d",
        "conv3d",
        "convolution",
        "conv_transpose1d",
        "conv_transpose2d",
        "conv_transpose3d",
    ]
)
_NARROW: Final = _CONVOLUTIONS | frozenset(
    [
        "linear",
        "addmm",
        "mm",
        "bmm",
        "baddbmm",
        "matmul",
        "mv",
        "addmv",
        "prelu",
        "_prelu_kernel",
        "einsum",
        "scaled_dot_product_attention",
        "lstm",
        "gru",
        "rnn_tanh",
        "rnn_relu",
        "layer_norm",
        "native_layer_norm",
        "group_norm",
        "native_group_norm",
        "rms_norm",
    ]
)
"""Run in the running precision; norms only where they are fast ones (`wide_norms`)."""

_NORMS: Final = frozenset(["layer_norm", "native_layer_norm", "group_norm", "native_group_norm"])
"""What PyTorch's autocast runs in fp32, and timm's fast norms in half precision."""

_BATCH_NORMS: Final = frozenset(["batch_norm", "native_batch_norm"])

_WIDENED: Final = frozenset(
    ["pow", "exp", "expm1", "log", "log10", "log2", "log1p", "rsqrt", "reciprocal", "norm",
     "softplus", "cdist"]
)  # fmt: skip
"""Autocast casts the inputs of these to fp32."""

_ACCUMULATED: Final = frozenset(
    [
        "softmax",
        "_softmax",
        "log_softmax",
        "_log_softmax",
        "linalg_vector_norm",
        "cumsum",
        "cumprod",
        "sum",
        "prod",
    ]
)
"""Autocast asks these for fp32 results: they read half precision, no kernel casts for them."""

_JOINED: Final = frozenset(["cat", "concat", "concatenate", "stack"])
_TOKENS: Final = frozenset(["linear", "addmm", "mm", "bmm", "layer_norm", "softmax", "_softmax"])
"""What these make is laid out as their output's shape says, whatever the input was."""

_Item = TypeVar("_Item")


def turned(view: Value, source: Value) -> bool:
    """Whether a view shows transposed matrices; one alone a product takes either way."""
    return view.turned and len(view.shape) > 2 and len(source.shape) > 2


@dataclass(frozen=True)
class Lowered:
    """A launched graph, and for each of its kernels the fused kernel that it belongs to."""

    graph: KernelGraph
    owner: tuple[int, ...]


def lower(kernels: KernelGraph, how: Launching) -> Lowered:
    """The kernels that PyTorch launches for a fused graph.

    Args:
        kernels: the fused graph.
        how: what PyTorch does beyond one kernel for each.
    """
    if kernels.stack is Stack.ENGINE:
        return Lowered(kernels, tuple(range(len(kernels.kernels))))
    shared = kernels.stack is Stack.COMPILED
    work = _Lowering(kernels.graph, shared, how)
    graph = work.run()
    launched = fusion.fuse(graph, kernels.stack, epilogues=False)
    home = {i: n for n, kernel in enumerate(kernels.kernels) for i in kernel.operators}
    owner = tuple(home[work.origin[kernel.anchor]] for kernel in launched.kernels)
    return Lowered(launched, owner)


@dataclass
class _Lowering:
    """The graph while it is rewritten. Old values keep their index; new ones are appended."""

    graph: Graph
    shared: bool  # whether equal casts are made once (a compiler sees them, eager does not)
    how: Launching
    values: list[Value] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)
    origin: list[int] = field(default_factory=list)
    wide: set[int] = field(default_factory=set)  # source values in fp32 under autocast
    made: dict[int, int] = field(default_factory=dict)  # value -> its cast
    images: set[int] = field(default_factory=set)
    readers: dict[int, set[str]] = field(default_factory=dict)  # value -> what reads it
    current: int = 0
    storages: int = 0

    def run(self) -> Graph:
        """Rewrite every operator in order."""
        self.values = list(self.graph.values)
        self.storages = 1 + max((value.storage for value in self.values), default=-1)
        if self.how.autocast:
            produced = {out for operator in self.graph.operators for out in operator.outputs}
            self.wide = {
                index
                for index, value in enumerate(self.values)
                if value.source == index and value.dtype in _FLOATS and index not in produced
            }
        self.readers = {out: set() for op in self.graph.operators for out in op.outputs}
        for operator in self.graph.operators:
            for value in operator.inputs:
                self.readers.setdefault(self.values[value].source, set()).add(
                    base_name(operator.name)
                )
        for index, operator in enumerate(self.graph.operators):
            self.current = index
            self._follow(operator)
            parts = self._attention(operator)
            for each in parts:
                self._operator(each, inside=len(parts) > 1)
        if self.how.autocast:
            self.values = [
                replace(value, dtype=WIDE if value.source in self.wide else _HALF)
                if value.dtype in _FLOATS
                else value
                for value in self.values
            ]
        return replace(
            self.graph, values=tuple(self.values), operators=tuple(self.operators), guards=()
        )

    # making

    def _append(self, operator: Operator) -> None:
        self.operators.append(operator)
        self.origin.append(self.current)

    def _value(
        self, shape: Shape, role: Role, source: int | None = None, order: tuple[int, ...] = ()
    ) -> int:
        index = len(self.values)
        if source is None:
            storage, self.storages = self.storages, self.storages + 1
        else:
            storage = self.values[source].storage
        own = index if source is None else source
        self.values.append(
            Value(shape, "float32", role, own, storage, order=order, turned=bool(order))
        )
        return index

    def _make(self, name: str, inputs: tuple[int, ...], output: int, names: str = "") -> Operator:
        arguments = tuple(names.split()) or ("self", "other")[: len(inputs)]
        module = self.graph.operators[self.current].module
        return Operator(name, inputs, (output,), arguments, Frozen(), module)

    # one operator

    def _operator(self, operator: Operator, *, inside: bool) -> None:
        """Add an operator; one ``inside`` another's implementation is out of autocast's reach."""
        base = base_name(operator.name)
        if base == "linear" and not self.shared:
            operator = self._contiguous(operator)
        if not self.how.autocast:
            self._emit(operator)
            return
        norm = self.how.wide_norms and not self.shared and base in _NORMS
        if inside or (base in _NARROW and not norm) or self._joined_narrow(base, operator):
            self._emit(self._cast(operator, to_wide=False))
            return
        if norm or base in _WIDENED:
            operator = self._cast(operator, to_wide=True)
            self.wide.update(operator.outputs)
        elif base in _ACCUMULATED:
            self.wide.update(operator.outputs)
        elif (operator.inplace and operator.inputs) or base in _BATCH_NORMS:
            if self._is_wide(operator.inputs[0]):
                self.wide.update(operator.outputs)
        elif self._promotes(operator.inputs):
            self.wide.update(operator.outputs)
        self._emit(operator)

    def _joined_narrow(self, base: str, operator: Operator) -> bool:
        """A compiler casts before it joins what only library calls read: the cast is no pass."""
        if not self.shared or base not in _JOINED:
            return False
        readers = self.readers[operator.outputs[0]]
        return bool(readers) and readers <= _NARROW

    def _follow(self, operator: Operator) -> None:
        """Remember which values are images: what convolutions make, and what is made of it alike."""
        base = base_name(operator.name)
        values = self.values
        image = base in _CONVOLUTIONS or any(
            values[v].source in self.images for v in operator.inputs
        )
        if image and base not in _TOKENS:
            self.images.update(out for out in operator.outputs if len(values[out].shape) == 4)

    def _contiguous(self, operator: Operator) -> Operator:
        """A product copies an input whose innermost dimension is not that of its memory.

        Images are left out: their memory may be in either order (channels-last or not).
        """
        place = operator.arguments.index("input") if "input" in operator.arguments else 0
        value = self.values[operator.inputs[place]]
        source = self.values[value.source]
        if value.source in self.images or not turned(value, source):
            return operator
        copied = self._value(value.shape, value.role)
        self._append(self._make("aten.clone", (operator.inputs[place],), copied))
        inputs = (*operator.inputs[:place], copied, *operator.inputs[place + 1 :])
        return replace(operator, inputs=inputs)

    def _is_wide(self, value: int) -> bool:
        return self.values[value].source in self.wide

    def _promotes(self, inputs: Iterable[int]) -> bool:
        """Type promotion: a tensor with dimensions outweighs a scalar tensor."""
        floats = [v for v in inputs if self.values[v].dtype in _FLOATS]
        ranked = [v for v in floats if self.values[v].shape] or floats
        return any(self._is_wide(v) for v in ranked) or not ranked

    def _cast(self, operator: Operator, *, to_wide: bool) -> Operator:
        inputs = tuple(
            self._cast_value(v, to_wide=to_wide)
            if self.values[v].dtype in _FLOATS and self._is_wide(v) is not to_wide
            else v
            for v in operator.inputs
        )
        return replace(operator, inputs=inputs)

    def _cast_value(self, value: int, *, to_wide: bool) -> int:
        weight = self.values[value].role not in (Role.ACTIVATION, Role.INPUT)
        if (self.shared or weight) and value in self.made:
            return self.made[value]
        # a parameter that is only cast is still one, unlike what is computed from it
        role = self.values[value].role if weight else Role.ACTIVATION
        result = self._value(self.values[value].shape, role)
        if to_wide:
            self.wide.add(result)
        self._append(self._make("aten._to_copy", (value,), result))
        self.made[value] = result
        return result

    def _emit(self, operator: Operator) -> None:
        if self.how.own_norms and not self.shared and base_name(operator.name) in _BATCH_NORMS:
            operator = self._statistics(operator)
        place = operator.arguments.index("bias") if "bias" in operator.arguments else -1
        if not (self.how.split_bias and place >= 0 and base_name(operator.name) in _CONVOLUTIONS):
            self._append(operator)
            return
        (output,) = operator.outputs
        shape, role = self.values[output].shape, self.values[output].role
        bias = operator.inputs[place]
        spatial = (1,) * (len(shape) - 2)
        shown = self._value(
            (*self.values[bias].shape, *spatial), self.values[bias].role, self.values[bias].source
        )
        between = self._value(shape, role)
        self._append(
            replace(
                operator,
                inputs=_without(operator.inputs, place),
                arguments=_without(operator.arguments, place),
                outputs=(between,),
            )
        )
        self._append(self._make("aten.add", (between, shown), output))

    def _statistics(self, operator: Operator) -> Operator:
        """PyTorch's own batch norm copies its mean, and inverts its deviation, before it starts."""
        inputs = list(operator.inputs)
        for name, kernel in (("running_mean", "aten._to_copy"), ("running_var", "aten.rsqrt")):
            if name in operator.arguments:
                place = operator.arguments.index(name)
                value = self.values[inputs[place]]
                made = self._value(value.shape, value.role)
                self.values[made] = replace(self.values[made], dtype=WIDE)
                self._append(self._make(kernel, (inputs[place],), made))
                inputs[place] = made
        return replace(operator, inputs=tuple(inputs))

    def _attention(self, operator: Operator) -> Sequence[Operator]:
        """Attention on tensors of other than four dimensions falls back to separate operators."""
        if base_name(operator.name) != "scaled_dot_product_attention":
            return (operator,)
        named = dict(zip(operator.arguments, operator.inputs, strict=False))
        query, key, value = named["query"], named["key"], named["value"]
        shape, keys = self.values[query].shape, self.values[key].shape
        if len(shape) == 4:
            return (operator,)
        role = self.values[operator.outputs[0]].role
        scaled_q = self._value(shape, role)
        scaled_k = self._value(keys, role)
        *lead, rows, columns = range(len(keys))
        order = (*lead, columns, rows)
        across = self._value(tuple([keys[i] for i in order]), role, scaled_k, order)
        scores = self._value((*shape[:-1], keys[-2]), role)
        weights = self._value((*shape[:-1], keys[-2]), role)
        found = [
            self._make("aten.mul", (query,), scaled_q),
            self._make("aten.mul", (key,), scaled_k),
            self._make("aten.bmm", (scaled_q, across), scores, "self mat2"),
        ]
        if "attn_mask" in named:
            masked = self._value((*shape[:-1], keys[-2]), role)
            found.append(self._make("aten.add", (scores, named["attn_mask"]), masked))
            scores = masked
        softmax = self._make("aten._softmax", (scores,), weights)
        found.append(replace(softmax, attributes=Frozen(dim=-1, half_to_float=False)))
        output = operator.outputs[0]
        found.append(self._make("aten.bmm", (weights, value), output, "self mat2"))
        return found


def _without(items: tuple[_Item, ...], place: int) -> tuple[_Item, ...]:
    return (*items[:place], *items[place + 1 :])

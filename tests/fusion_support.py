"""A builder of small graphs, a plain count of bytes and a brute-force judge of kernels, for tests."""

from __future__ import annotations

import math
from collections.abc import Sequence

from characterize.records import (
    Cost,
    Frozen,
    Graph,
    Kernel,
    KernelGraph,
    KernelKind,
    Operator,
    Role,
    Shape,
    Value,
)

ELEMENT_BYTES = 4
CALLS = ("conv", "linear", "bmm", "scaled_dot_product_attention", "sort")


class Net:
    """Builds a graph one operator at a time; every method returns the index of a value."""

    def __init__(self) -> None:
        self.values: list[Value] = []
        self.operators: list[Operator] = []
        self.inputs: list[int] = []

    def _value(self, shape: Shape, role: Role, source: int | None = None, name: str = "",
               order: tuple[int, ...] = ()) -> int:  # fmt: skip
        index = len(self.values)
        own = index if source is None else source
        storage = index if source is None else self.values[source].storage
        self.values.append(Value(tuple(shape), "float32", role, own, storage, name, order))
        return index

    def input(self, *shape) -> int:
        index = self._value(shape, Role.INPUT)
        self.inputs.append(index)
        return index

    def parameter(self, *shape, role: Role = Role.PARAMETER) -> int:
        return self._value(shape, role, name=f"p{len(self.values)}")

    def view(self, value: int, *shape, order: tuple[int, ...] = ()) -> int:
        """Another look at the same elements, or some of them."""
        shown = self.values[value]
        return self._value(shape, shown.role, shown.source, order=order)

    def op(self, name: str, inputs: Sequence[int], shape: Shape, *, module: str = "", inplace: bool = False,
           arguments: Sequence[str] = (), role: Role = Role.ACTIVATION, macs: int = 0, **attributes) -> int:  # fmt: skip
        out = self._value(shape, role)
        if inplace:
            old = self.values[inputs[0]]
            self.values[out] = Value(tuple(shape), "float32", role, out, old.storage)
        self.operators.append(
            Operator(f"aten.{name}", tuple(inputs), (out,), tuple(arguments), Frozen(attributes),
                     module, inplace, Cost(KernelKind.OTHER, macs=macs))
        )  # fmt: skip
        return out

    # the operators that most tests use

    def conv(self, x: int, channels, *, kernel: int = 3, module: str = "", **attributes) -> int:
        """A 'same' convolution without bias."""
        batch, cin, *space = self.values[x].shape
        groups = attributes.get("groups", 1)
        w = self.parameter(channels, 1 if groups != 1 else cin, *[kernel] * len(space))
        macs = _product(batch, channels, *space) if all(isinstance(d, int) for d in space) else 0
        return self.op("conv2d", (x, w), (batch, channels, *space), module=module,
                       arguments=("input", "weight"), macs=macs, **attributes)  # fmt: skip

    def linear(self, x: int, features, *, module: str = "") -> int:
        *lead, last = self.values[x].shape
        w = self.parameter(features, last)
        b = self.parameter(features)
        return self.op("linear", (x, w, b), (*lead, features), module=module,
                       arguments=("input", "weight", "bias"), macs=7)  # fmt: skip

    def bn(self, x: int, *, module: str = "", **attributes) -> int:
        channels = self.values[x].shape[1]
        names = ("input", "weight", "bias", "running_mean", "running_var")
        inputs = (x, *(self.parameter(channels) for _ in names[1:]))
        return self.op("batch_norm", inputs, self.values[x].shape, module=module, arguments=names,
                       **{"training": False, **attributes})  # fmt: skip

    def unary(self, name: str, x: int, **keywords) -> int:
        return self.op(name, (x,), self.values[x].shape, **keywords)

    def relu(self, x: int, **keywords) -> int:
        return self.unary("relu", x, **keywords)

    def add(self, a: int, b: int, **keywords) -> int:
        return self.op("add", (a, b), self.values[a].shape, **keywords)

    def mul(self, a: int, b: int, **keywords) -> int:
        return self.op("mul", (a, b), self.values[a].shape, **keywords)

    def layer_norm(self, x: int, **keywords) -> int:
        last = self.values[x].shape[-1]
        inputs = (x, self.parameter(last), self.parameter(last))
        return self.op(
            "layer_norm", inputs, self.values[x].shape, normalized_shape=(last,), **keywords
        )

    def graph(self, *outputs: int) -> Graph:
        return Graph("net", tuple(self.values), tuple(self.operators), tuple(self.inputs), outputs)


def _product(*dims) -> int:
    return math.prod(dims)


def elements(graph: Graph, value: int) -> int:
    """Elements that a read or write of a value moves: a view that repeats moves its source once."""
    shown = graph.values[value]
    return min(math.prod(shown.shape), math.prod(graph.values[shown.source].shape))


def kernel_bytes(graph: Graph, kernel: Kernel) -> int:
    return ELEMENT_BYTES * sum(elements(graph, v) for v in (*kernel.reads, *kernel.writes))


def total_bytes(kernels: KernelGraph) -> int:
    return sum(kernel_bytes(kernels.graph, kernel) for kernel in kernels.kernels)


def total_macs(kernels: KernelGraph) -> int:
    return sum(
        kernels.graph.operators[i].macs for kernel in kernels.kernels for i in kernel.operators
    )


def patterns_of(kernels: KernelGraph) -> list[str]:
    return [kernel.pattern for kernel in kernels.kernels]


def faults(kernels: KernelGraph, *, pairs: bool = False) -> list[str]:
    """Everything that is illegal about some kernels, found the slow and plain way.

    With ``pairs``, two convolutions may be one kernel.
    """
    graph = kernels.graph
    placed = [i for kernel in kernels.kernels for i in kernel.operators] + list(kernels.folded)
    if sorted(placed) != list(range(len(graph.operators))):
        return ["an operator is in no kernel, or in two"]
    producer = {v: i for i, op in enumerate(graph.operators) for v in op.outputs}
    escapes = {graph.values[v].source for v in graph.outputs}
    for value in graph.inputs:  # the last version of an input that was changed in place
        storage = graph.values[value].storage
        versions = [v for v in producer if graph.values[v].storage == storage]
        escapes |= {max(versions)} if versions else set()
    members, built = _members(kernels, producer)
    home = {i: n for n, inside in enumerate(members) for i in inside}
    memory = {n for n, value in enumerate(graph.values) if value.source == n and n not in producer}
    memory |= {v for i in built for v in graph.operators[i].outputs}
    found = []
    for n, kernel in enumerate(kernels.kernels):
        read, made = _run(graph, members[n], memory)
        if read is None:
            found.append(f"kernel {n} ({kernel.pattern}) reads what no kernel before it wrote")
            continue
        unread = {
            graph.values[v].source for i in kernel.operators for v in graph.operators[i].inputs
        } - made
        if {graph.values[v].source for v in kernel.reads} - _biases(kernels) != unread - _biases(
            kernels
        ):
            found.append(
                f"kernel {n} ({kernel.pattern}) reads {kernel.reads}, not {sorted(unread)}"
            )
        users = {v: {home.get(i) for i, op in enumerate(graph.operators)
                     if v in {graph.values[x].source for x in op.inputs}} for v in made}  # fmt: skip
        needed = {v for v in made if v in escapes or users[v] - {n}}
        if needed != {v for v in kernel.writes if users[v] or v in escapes}:
            found.append(
                f"kernel {n} ({kernel.pattern}) writes {kernel.writes}, not {sorted(needed)}"
            )
        memory.update(kernel.writes)
        found += [
            f"kernel {n} ({kernel.pattern}): {text}" for text in _space_faults(graph, kernel, pairs)
        ]
    if missing := escapes - memory:
        found.append(f"outputs {sorted(missing)} are not in memory")
    return found


def _members(kernels: KernelGraph, producer: dict[int, int]) -> tuple[list[list[int]], set[int]]:
    """Operators by kernel, with the batch norms that vanish into it, and those run at build time."""
    graph = kernels.graph
    members = [list(kernel.operators) for kernel in kernels.kernels]
    built = set()
    for index in kernels.folded:
        first = graph.operators[index].inputs[:1]
        maker = producer.get(graph.values[first[0]].source, -1) if first else -1
        homes = [inside for inside in members if maker in inside]
        if homes:
            homes[0].append(index)
        else:
            built.add(index)
    return [sorted(inside) for inside in members], built


def _run(
    graph: Graph, operators: Sequence[int], memory: set[int]
) -> tuple[set[int] | None, set[int]]:
    """What some operators take from memory as they run in order, or None if it is not there; what they make."""
    read: set[int] = set()
    made: set[int] = set()
    for index in operators:
        sources = {graph.values[v].source for v in graph.operators[index].inputs} - made
        if sources - memory:
            return None, made
        read |= sources
        made.update(graph.operators[index].outputs)
    return read, made


def _biases(kernels: KernelGraph) -> set[int]:
    """The parameters of folded batch norms, of which a kernel may read the bias."""
    operators = kernels.graph.operators
    return {v for i in kernels.folded for v in operators[i].inputs[1:]}


def _space_faults(graph: Graph, kernel: Kernel, pairs: bool) -> list[str]:
    """Members of a kernel that do not walk over its elements, or follow a call they may not follow."""

    def short(i: int) -> str:
        return graph.operators[i].name.removeprefix("aten.").rstrip("_")

    def size(values: Sequence[int]) -> int:
        return math.prod(graph.values[values[0]].shape)

    calls = [i for i in kernel.operators if short(i).startswith(CALLS)]
    if not calls:
        return []
    found = []
    paired = [short(i) for i in calls] == ["conv2d", "conv2d"] and pairs
    if (len(calls) > 1 and not paired) or kernel.operators[0] != calls[0]:
        found.append("a call is not at its beginning")
    for index in kernel.operators[1:]:
        operator = graph.operators[index]
        if size(operator.outputs) != size(graph.operators[calls[0]].outputs):
            found.append(f"{short(index)} walks over another number of elements than the call")
        if short(index) in ("mean", "softmax", "layer_norm", "cat"):
            found.append(f"{short(index)} is no epilogue")
    return found

"""ONNX files as operator graphs: nodes become the ATen operators that do the same.

Shapes come from ONNX's own shape inference; free dimensions are the batch. Only shapes and the
small constants that shapes depend on are read, weights are not. A node that stands for no operator
here keeps its name ("onnx.NonMaxSuppression") and is uncounted, never free.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from characterize import costs
from characterize.errors import MissingExtraError, TraceError, UnknownNameError
from characterize.records import Frozen, Graph, Operator, Role, Value
from characterize.tracing.orders import Layout, contiguous, is_turned, order_of

_DTYPES: Final = {
    1: "float32", 2: "uint8", 3: "int8", 5: "int16", 6: "int32", 7: "int64", 9: "bool",
    10: "float16", 11: "float64", 16: "bfloat16",
}  # fmt: skip

# nodes whose result shows elements of their first input
_VIEWS: Final = frozenset(
    {"Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze"}
    | {"Identity", "Slice", "Split", "Expand", "Dropout"}
)
_KEEPS_STRIDES: Final = frozenset({"Identity", "Slice", "Split", "Dropout"})
_RESHAPES: Final = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})
_IGNORED: Final = frozenset(["Shape", "Constant", "ConstantOfShape", "Size"])

_ELEMENTWISE: Final = {
    "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Gelu": "gelu", "HardSwish": "hardswish",
    "HardSigmoid": "hardsigmoid", "LeakyRelu": "leaky_relu", "Elu": "elu", "Softplus": "softplus",
    "Mish": "mish", "Clip": "clamp", "Exp": "exp", "Log": "log", "Sqrt": "sqrt", "Erf": "erf",
    "Neg": "neg", "Abs": "abs", "Sin": "sin", "Cos": "cos", "Reciprocal": "reciprocal", "Floor": "floor",
    "Ceil": "ceil", "Round": "round", "Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div",
    "Pow": "pow", "Min": "minimum", "Max": "maximum", "Where": "where", "Equal": "eq",
    "Greater": "gt", "Less": "lt", "And": "logical_and", "Or": "logical_or", "Not": "logical_not",
    "PRelu": "prelu", "Swish": "silu", "Mod": "remainder",
}  # fmt: skip
_REDUCTIONS: Final = {
    "ReduceMean": "mean", "ReduceSum": "sum", "ReduceMax": "amax", "ReduceMin": "amin",
    "ArgMax": "argmax", "ArgMin": "argmin", "ReduceProd": "prod",
}  # fmt: skip
_OTHERS: Final = {
    "Softmax": "softmax", "LogSoftmax": "log_softmax", "Concat": "cat", "Cast": "_to_copy",
    "BatchNormalization": "batch_norm", "LayerNormalization": "layer_norm",
    "InstanceNormalization": "instance_norm", "GroupNormalization": "group_norm",
    "GlobalAveragePool": "adaptive_avg_pool2d", "GlobalMaxPool": "adaptive_max_pool2d",
    "Tile": "repeat", "Pad": "constant_pad_nd", "CumSum": "cumsum", "TopK": "topk",
    "Range": "arange", "Trilu": "tril",
}  # fmt: skip
_BINARY: Final = ("self", "other", "value")
_ARGUMENTS: Final = {
    "batch_norm": ("input", "weight", "bias", "running_mean", "running_var"),
    "layer_norm": ("input", "weight", "bias"),
    "instance_norm": ("input", "weight", "bias"),
    "group_norm": ("input", "weight", "bias"),
    "cat": ("tensors",),
    "where": ("condition", "self", "other"),
    "prelu": ("self", "weight"),
}


def trace_file(name: str, batch: int = 1) -> Graph:
    """The priced graph of an ONNX file.

    Raises:
        MissingExtraError: the ``onnx`` package is not installed.
        UnknownNameError: there is no such file.
        TraceError: the file is not ONNX, or its shapes cannot be inferred.
    """
    try:
        import onnx
    except ImportError as error:
        msg = "Reading .onnx files needs the onnx package: pip install 'characterize[onnx]'."
        raise MissingExtraError(msg) from error
    path = Path(name)
    if not path.is_file():
        msg = f"There is no file {name!r}."
        raise UnknownNameError(msg)
    try:
        model = onnx.load(str(path), load_external_data=False)
        _fix_batch(model, batch)
        model = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        msg = f"{path.name} could not be read as ONNX: {text}"
        raise TraceError(msg) from error
    return costs.priced(_Reader(model.graph, path.name).graph())


def _fix_batch(model: Any, batch: int) -> None:
    """Give free dimensions of the inputs a size: the batch, as the first, and one elsewhere."""
    weights = {tensor.name for tensor in model.graph.initializer}
    for given in model.graph.input:
        if given.name in weights:
            continue
        for place, dim in enumerate(given.type.tensor_type.shape.dim):
            if not dim.HasField("dim_value") or dim.dim_value <= 0:
                dim.dim_value = batch if place == 0 else 1
    for made in [*model.graph.output, *model.graph.value_info]:
        made.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]


@dataclass
class _Made:
    """One operator on its way into the graph."""

    name: str
    arguments: tuple[str, ...]
    attributes: dict[str, Any] = field(default_factory=dict)


class _Reader:
    """Turns the nodes of one ONNX graph into operators, in their order."""

    def __init__(self, source: Any, name: str) -> None:
        self._source = source
        self._name = name
        self._values: list[Value] = []
        self._layouts: list[Layout | None] = []  # by value; None where only its shape is known
        self._index: dict[str, int] = {}
        self._shapes: dict[str, tuple[tuple[int, ...], str]] = {}
        for info in [*source.input, *source.value_info, *source.output]:
            kind = info.type.tensor_type
            shape = tuple(dim.dim_value for dim in kind.shape.dim)
            self._shapes[info.name] = shape, _DTYPES.get(kind.elem_type, "float32")

    def graph(self) -> Graph:
        """The whole file."""
        weights = set()
        for tensor in self._source.initializer:
            weights.add(tensor.name)
            dtype = _DTYPES.get(tensor.data_type, "float32")
            role = Role.PARAMETER if dtype.startswith(("float", "bfloat")) else Role.CONSTANT
            self._add(tensor.name, tuple(tensor.dims), dtype, role)
        inputs = [
            self._add(given.name, *self._shapes[given.name], Role.INPUT)
            for given in self._source.input
            if given.name not in weights
        ]
        operators = [made for node in self._source.node for made in self._node(node)]
        outputs = tuple(self._index[made.name] for made in self._source.output)
        return Graph(self._name, tuple(self._values), tuple(operators), tuple(inputs), outputs)

    def _add(self, name: str, shape: tuple[int, ...], dtype: str, role: Role) -> int:
        index = len(self._values)
        self._values.append(Value(shape, dtype, role, index, index, name))
        self._layouts.append(contiguous(shape))
        self._index[name] = index
        return index

    def _view(
        self, name: str, shape: tuple[int, ...], dtype: str, shown: int, layout: Layout | None
    ) -> int:
        index, value = len(self._values), self._values[shown]
        source = self._values[value.source]
        own = contiguous(source.shape)
        order = order_of(layout, own) if layout else ()
        turned = is_turned(layout, own) if layout else False
        self._values.append(
            Value(shape, dtype, value.role, value.source, source.storage, name, order, turned)
        )
        self._layouts.append(layout)
        self._index[name] = index
        return index

    def _layout(self, node: Any, shown: int, shape: tuple[int, ...]) -> Layout | None:
        """How the result of a view node lies in its source."""
        layout = self._layouts[shown]
        if layout is None:
            return None
        sizes, strides = layout
        if node.op_type == "Transpose":
            turned = _attributes(node).get("perm", range(len(sizes))[::-1])
            return shape, tuple([strides[place] for place in turned])
        if node.op_type in _KEEPS_STRIDES:
            return shape, strides
        plain = node.op_type in _RESHAPES and layout == contiguous(sizes)
        return contiguous(shape) if plain else None

    def _node(self, node: Any) -> list[Operator]:
        inputs = [self._index[name] for name in node.input if name in self._index]
        if node.op_type in _IGNORED or (not inputs and node.op_type not in _OTHERS):
            for name in node.output:
                self._add(name, *self._known(name, node), Role.CONSTANT)
            return []
        fixed = all(self._values[i].role not in (Role.INPUT, Role.ACTIVATION) for i in inputs)
        role = Role.DERIVED if fixed else Role.ACTIVATION
        if node.op_type in _VIEWS:
            for name in filter(None, node.output):
                shape, dtype = self._known(name, node)
                self._view(name, shape, dtype, inputs[0], self._layout(node, inputs[0], shape))
            return []
        if node.op_type in ("MatMul", "Gemm"):
            inputs = self._as_linear(node, inputs)
        shapes = [self._values[i].shape for i in inputs]
        made = _translate(node.op_type, shapes, _attributes(node))
        outputs = [
            self._add(name, *self._known(name, node), role) for name in filter(None, node.output)
        ]
        arguments = (*made.arguments, *(made.arguments[-1:] * len(inputs)))[: len(inputs)]
        attributes = Frozen(made.attributes)
        return [
            Operator(made.name, tuple(inputs), tuple(outputs), arguments, attributes, node.name)
        ]

    def _as_linear(self, node: Any, inputs: list[int]) -> list[int]:
        """A product with a matrix [k, n] as PyTorch's linear has it: the weight seen as [n, k]."""
        weight = self._values[inputs[1]]
        if len(weight.shape) != 2 or _attributes(node).get("transB", 0):
            return inputs
        shape, layout = weight.shape[::-1], self._layouts[inputs[1]]
        across = (shape, layout[1][::-1]) if layout else None
        seen = self._view(f"{weight.name}.T", shape, weight.dtype, inputs[1], across)
        return [inputs[0], seen, *inputs[2:]]

    def _known(self, name: str, node: Any) -> tuple[tuple[int, ...], str]:
        found = self._shapes.get(name)
        if found is None and node.op_type in _IGNORED:
            return (), "int64"
        if found is None or any(size < 0 for size in found[0]):
            msg = (
                f"{self._name}: ONNX cannot infer the shape that {node.op_type} {node.name} makes."
            )
            raise TraceError(msg)
        return found


def _attributes(node: Any) -> dict[str, Any]:
    import onnx

    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def _translate(kind: str, shapes: list[tuple[int, ...]], attributes: Mapping[str, Any]) -> _Made:
    if kind in _ELEMENTWISE:
        name = _ELEMENTWISE[kind]
        return _Made(f"aten.{name}", _ARGUMENTS.get(name, _BINARY))
    if kind in _REDUCTIONS:
        return _Made(f"aten.{_REDUCTIONS[kind]}", ("self",))
    if kind in _SPECIAL:
        return _SPECIAL[kind](shapes, attributes)
    if kind in _OTHERS:
        name = _OTHERS[kind]
        return _Made(f"aten.{name}", _ARGUMENTS.get(name, ("self",)))
    return _Made(f"onnx.{kind}", ("input",))


def _convolution(shapes: list[tuple[int, ...]], attributes: Mapping[str, Any]) -> _Made:
    rank = len(shapes[1]) - 2
    settings = {
        "stride": tuple(attributes.get("strides", (1,) * rank)),
        "dilation": tuple(attributes.get("dilations", (1,) * rank)),
        "groups": attributes.get("group", 1),
    }
    return _Made(f"aten.conv{rank}d", ("input", "weight", "bias"), settings)


def _transposed(shapes: list[tuple[int, ...]], attributes: Mapping[str, Any]) -> _Made:
    made = _convolution(shapes, attributes)
    rank = len(shapes[1]) - 2
    return _Made(f"aten.conv_transpose{rank}d", made.arguments, made.attributes)


def _product(shapes: list[tuple[int, ...]], _attributes: Mapping[str, Any]) -> _Made:
    if len(shapes[1]) == 2:  # a matrix, see _as_linear
        return _Made("aten.linear", ("input", "weight", "bias"))
    return _Made("aten.bmm", ("self", "mat2"))


def _pool(name: str) -> Callable[[list[tuple[int, ...]], Mapping[str, Any]], _Made]:
    def pool(shapes: list[tuple[int, ...]], attributes: Mapping[str, Any]) -> _Made:
        rank = len(shapes[0]) - 2
        size = tuple(attributes.get("kernel_shape", (1,) * rank))
        return _Made(f"aten.{name}{rank}d", ("self",), {"kernel_size": size})

    return pool


def _gather(shapes: list[tuple[int, ...]], attributes: Mapping[str, Any]) -> _Made:
    return _Made("aten.index_select", ("self", "index"), {"dim": attributes.get("axis", 0)})


def _resize(_shapes: list[tuple[int, ...]], attributes: Mapping[str, Any]) -> _Made:
    mode = attributes.get("mode", b"nearest").decode()
    name = {"linear": "upsample_bilinear2d", "cubic": "upsample_bicubic2d"}.get(mode)
    return _Made(f"aten.{name or 'upsample_nearest2d'}", ("self",))


_SPECIAL: Final = {
    "Conv": _convolution,
    "ConvTranspose": _transposed,
    "Gemm": _product,
    "MatMul": _product,
    "MaxPool": _pool("max_pool"),
    "AveragePool": _pool("avg_pool"),
    "Gather": _gather,
    "Resize": _resize,
}

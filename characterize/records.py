"""The nouns: frozen records and closed vocabularies that every stage shares.

A dimension (:data:`Dim`) is an ``int``; a ``str``, an expression over named symbols such as
``"(input_size + 1) // 2"``; or, once a template is bound to a grid of configurations, a NumPy
``int64`` array with one entry a configuration. Formulas written with ``+ - * //`` work on integers
and arrays alike, which is what makes one path serve one model and a million of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

Dim = Any
"""``int``, ``str`` (an expression over symbols) or an ``int64`` array (one entry a configuration)."""

Shape = tuple[Dim, ...]
Count = Any
"""A number or an array of numbers (one a configuration): a count of operations or elements."""


class Architecture(StrEnum):
    """The class of a device: how it executes a kernel."""

    CPU = "cpu"
    GPU = "gpu"
    TPU = "tpu"
    KPU = "kpu"


class Precision(StrEnum):
    """The number format that a network is run in."""

    FP64 = "fp64"
    FP32 = "fp32"
    TF32 = "tf32"
    BF16 = "bf16"
    FP16 = "fp16"
    FP8 = "fp8"
    INT16 = "int16"
    INT8 = "int8"
    INT4 = "int4"

    @property
    def bytes(self) -> float:
        """Bytes that one element takes in memory (TF32 is stored as FP32)."""
        return _PRECISION_BYTES[self]


_PRECISION_BYTES: Mapping[Precision, float] = MappingProxyType(
    {
        Precision.FP64: 8.0,
        Precision.FP32: 4.0,
        Precision.TF32: 4.0,
        Precision.BF16: 2.0,
        Precision.FP16: 2.0,
        Precision.FP8: 1.0,
        Precision.INT16: 2.0,
        Precision.INT8: 1.0,
        Precision.INT4: 0.5,
    }
)


class Stack(StrEnum):
    """The software that runs a network, which decides what is fused."""

    EAGER = "eager"
    COMPILED = "compiled"
    ENGINE = "engine"


class Confidence(StrEnum):
    """What a projection rests on, best first."""

    MEASURED = "measured"
    CALIBRATED = "calibrated"
    DATASHEET = "datasheet"
    DESIGN = "design"


class Bottleneck(StrEnum):
    """What most of the latency is spent on."""

    COMPUTE = "compute"
    MEMORY = "memory"
    LAUNCH = "launch"


class Role(StrEnum):
    """Where a value comes from."""

    INPUT = "input"
    PARAMETER = "parameter"
    BUFFER = "buffer"
    CONSTANT = "constant"  # made during the trace from nothing: arange, zeros, a literal tensor
    DERIVED = "derived"  # computed from parameters, buffers and constants alone, never scales with the batch
    ACTIVATION = "activation"


class KernelKind(StrEnum):
    """What a kernel, or the operator that anchors it, does: execution models choose units by it."""

    CONVOLUTION = "convolution"  # dense, kernel larger than 1x1
    POINTWISE_CONVOLUTION = "pointwise_convolution"  # dense, 1x1
    GROUPED_CONVOLUTION = "grouped_convolution"  # 1 < groups < channels
    DEPTHWISE_CONVOLUTION = "depthwise_convolution"  # one input channel a group
    TRANSPOSED_CONVOLUTION = "transposed_convolution"
    LINEAR = "linear"  # activation x weight
    MATMUL = "matmul"  # activation x activation
    ATTENTION = "attention"  # scaled dot-product attention as one operator
    RECURRENT = "recurrent"
    ELEMENTWISE = "elementwise"
    BATCH_NORM = "batch_norm"
    LAYER_NORM = "layer_norm"  # RMS norm too
    GROUP_NORM = "group_norm"  # instance norm too
    SOFTMAX = "softmax"
    REDUCTION = "reduction"
    POOLING = "pooling"
    INTERPOLATION = "interpolation"
    GATHER = "gather"  # embedding, index, gather, scatter: moves what is addressed
    COPY = "copy"  # clone, cat, pad, permuted copies, fills
    CAST = "cast"
    SORT = "sort"  # topk, sort, nms
    FFT = "fft"
    OTHER = "other"  # no formula: it is in `uncounted`


class Frozen(dict[str, Any]):
    """A read-only, hashable mapping for the attributes of an operator."""

    def _refuse(self, *_args: Any, **_kwargs: Any) -> Any:
        msg = "attributes are read-only"
        raise TypeError(msg)

    __setitem__ = __delitem__ = update = pop = popitem = clear = setdefault = __ior__ = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted((k, repr(v)) for k, v in self.items())))

    def __reduce__(self) -> tuple[Any, ...]:
        return (Frozen, (dict(self),))


@dataclass(frozen=True, slots=True)
class Value:
    """One tensor of a traced graph.

    ``source`` is the index of the value whose elements this one shows: itself, unless it is a view
    (transpose, expand, slice). Two values with the same ``storage`` live in the same memory; an
    in-place operator yields a new value in the old storage. ``order`` has the dimensions of a view
    from outermost to innermost in its source, (0, 2, 1) for the transposed matrices of a batch,
    those of size one left out; it is empty where they ascend. ``turned`` says that its last dimension
    is one of the source's, whole, that is not the source's last.
    """

    shape: Shape
    dtype: str  # torch's name without the prefix, "float32", "int64", "bool"
    role: Role
    source: int
    storage: int
    name: str = ""  # the parameter's or buffer's dotted name
    order: tuple[int, ...] = ()
    turned: bool = False

    @property
    def numel(self) -> Count:
        """Number of elements of a bound value (an empty shape has one)."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Gemm:
    """The matrix product at the heart of a kernel: ``groups`` of ``[m, k] @ [k, n]``.

    For a convolution ``m`` is batch x output positions, ``n`` output channels a group and
    ``k`` input channels a group x kernel positions. For attention see ``costs``.
    """

    m: Count
    n: Count
    k: Count
    groups: Count = 1
    kernel: tuple[int, ...] = ()  # spatial kernel size of a convolution
    stride: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Cost:
    """Work of one operator, as its formula gives it.

    ``macs`` are multiply-accumulates of convolutions and matrix products. ``vector_flops`` is all
    other arithmetic, one an element and operation; ``transcendentals`` says how many evaluations of
    exp, log, tanh and their like are among them. ``reads`` and ``writes`` override, input by input,
    how many elements really move (an embedding reads the rows it looks up, not the whole table);
    ``None`` means all of the value.
    """

    kind: KernelKind = KernelKind.OTHER
    macs: Count = 0
    vector_flops: Count = 0
    transcendentals: Count = 0
    gemm: Gemm | None = None
    reads: tuple[Count | None, ...] | None = None
    writes: tuple[Count | None, ...] | None = None
    masked_macs: Count | None = None  # macs really done, where a causal mask skips blocks
    counted: bool = True

    @property
    def flops(self) -> Count:
        """All arithmetic: two a multiply-accumulate, one for everything else."""
        return 2 * self.macs + self.vector_flops


@dataclass(frozen=True, slots=True)
class Operator:
    """One ATen operator of a traced graph.

    ``inputs`` and ``outputs`` index :attr:`Graph.values`; ``arguments`` names, input by input, the
    schema argument that it was passed as ("input", "weight", "tensors"). ``attributes`` are the
    arguments that are not tensors. ``cost`` is filled once every dimension is a number.
    """

    name: str  # "aten.conv2d"; the overload is left out
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    arguments: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=Frozen)
    module: str = ""  # dotted path of the module that called it
    inplace: bool = False
    cost: Cost | None = None

    @property
    def macs(self) -> Count:
        """Multiply-accumulates, 0 while the graph is symbolic."""
        return self.cost.macs if self.cost else 0

    @property
    def flops(self) -> Count:
        """All arithmetic, 0 while the graph is symbolic."""
        return self.cost.flops if self.cost else 0


@dataclass(frozen=True)
class Graph:
    """A traced network: values, and the operators that make one from the others, in order.

    ``symbols`` are the free names in the dimensions (empty for a concrete trace) and ``guards`` the
    conditions, expressions over them, under which the graph holds.
    """

    model: str
    values: tuple[Value, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    symbols: tuple[str, ...] = ()
    guards: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def parameters(self) -> Count:
        """Elements of all parameters; a tied weight counts once."""
        seen: dict[int, Count] = {}
        for value in self.values:
            if value.role is Role.PARAMETER and value.storage not in seen:
                seen[value.storage] = value.numel
        return sum(seen.values())

    @property
    def macs(self) -> Count:
        """Multiply-accumulates of the whole network."""
        return sum(op.macs for op in self.operators)

    @property
    def flops(self) -> Count:
        """All arithmetic of the whole network."""
        return sum(op.flops for op in self.operators)

    @property
    def uncounted(self) -> int:
        """How many operators have no cost formula."""
        return sum(1 for op in self.operators if op.cost is not None and not op.cost.counted)

    @property
    def uncounted_names(self) -> tuple[str, ...]:
        """Names of the operators without a cost formula, sorted."""
        return tuple(sorted({o.name for o in self.operators if o.cost and not o.cost.counted}))

    @property
    def is_symbolic(self) -> bool:
        """Whether some dimension is still an expression."""
        return bool(self.symbols)


@dataclass(frozen=True, slots=True)
class Kernel:
    """A fused group of operators that makes one pass over memory.

    ``reads`` and ``writes`` index :attr:`Graph.values` (views stand for what is really read);
    values made and used up inside the kernel are in neither.
    """

    name: str  # "conv1+bn1+relu", made from module paths and operator names
    operators: tuple[int, ...]
    anchor: int  # the operator that decides the kind
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    pattern: str  # "conv+bn+relu", or the operator's short name where nothing was fused
    reason: str = ""  # why the neighbours were not taken
    module: str = ""


@dataclass(frozen=True)
class KernelGraph:
    """A network as a software stack runs it: the graph, and its kernels in order."""

    graph: Graph
    stack: Stack
    kernels: tuple[Kernel, ...]
    folded: tuple[int, ...] = ()  # operators that vanish into weights (engine: batch norm)


@dataclass(frozen=True, slots=True)
class Launching:
    """How PyTorch launches what was fused (see ``characterize.lowering``).

    Attributes:
        autocast: parameters are in fp32 and cast at every call.
        split_bias: a convolution's bias is a kernel of its own.
        wide_norms: autocast runs layer and group norms in fp32, as PyTorch's own does; otherwise
            in half precision, as timm's fast norms do. Compilers fuse the casts.
        own_norms: batch norms are PyTorch's own kernels, as they are in bf16, which it does not
            hand to cuDNN. A compiler generates its own.
    """

    autocast: bool = False
    split_bias: bool = False
    wide_norms: bool = False
    own_norms: bool = False

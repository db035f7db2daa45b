"""Arithmetic, comparison and logic, element by element."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from characterize.costs.registry import Work, cost_of
from characterize.records import Cost, KernelKind

_SIMPLE: Final = (
    ("sub", "rsub", "subtract", "div", "divide", "true_divide", "floor_divide", "remainder"),
    ("fmod", "neg", "negative", "abs", "absolute", "sign", "sgn", "square"),
    ("sqrt", "rsqrt", "reciprocal", "floor", "ceil", "round", "trunc", "fix", "frac"),
    ("maximum", "minimum", "fmax", "fmin", "relu", "clamp_min", "clamp_max", "threshold"),
    ("copysign", "nextafter", "heaviside", "eq", "ne", "lt", "le", "gt"),
    ("ge", "isnan", "isinf", "isfinite", "isclose", "logical_and", "logical_or"),
    ("logical_xor", "logical_not", "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not"),
    ("bitwise_left_shift", "bitwise_right_shift", "__and__", "__or__", "__xor__"),
    ("__lshift__", "__rshift__", "where", "masked_fill", "tril", "triu", "nan_to_num"),
    ("isposinf", "isneginf", "signbit", "ldexp"),
)


@cost_of(*(f"aten.{name}" for group in _SIMPLE for name in group))
def one_operation(work: Work) -> Cost:
    """One operation an element: arithmetic, rounding, comparison, logic, selection.

    Shapes: inputs broadcast to the output ``[*D]``.

    Formula: vector_flops = elements of the output, twice that for complex numbers. A quotient, a
        root and a selection (where, masked_fill, tril) count as one like a sum does; a scalar alpha
        of sub that is not 1 adds one. Integer and boolean operations count alike.

    Source: convention: one an element and operation.

    Example:
        >>> from characterize.costs import estimate
        >>> estimate("aten.relu_", {"self": (2, 3, 4)}, (2, 3, 4)).vector_flops
        24
    """
    operations = 1 + int(work.attributes.get("alpha", 1) != 1)
    return Cost(
        kind=KernelKind.ELEMENTWISE,
        vector_flops=operations * _numbers(work) * work.elements,
    )


def _is_complex(dtypes: tuple[str, ...]) -> int:
    return sum(dtype.startswith("complex") for dtype in dtypes)


def _numbers(work: Work) -> int:
    """Real numbers that an output element is made of."""
    return 2 if _is_complex(work.output_dtypes[:1]) else 1


@cost_of("aten.add", "aten.mul", "aten.multiply")
def sum_or_product(work: Work) -> Cost:
    """Sum or product of two tensors, or of a tensor and a number.

    Shapes: inputs broadcast to the output ``[*D]``.

    Formula: vector_flops = elements of the output; a scalar alpha of add that is not 1 adds one.
        Complex numbers: a sum is 2, a product 6 (4 multiplications, 2 sums), 2 if one side is real.

    Source: convention: one an element and operation.

    Example:
        >>> from characterize.costs import estimate
        >>> estimate("aten.add", {"self": (8, 1), "other": (1, 4)}, (8, 4)).vector_flops
        32
        >>> spectrum = {"self": "complex64", "other": "complex64"}
        >>> shapes = {"self": (8, 4), "other": (8, 4)}
        >>> estimate(
        ...     "aten.mul", shapes, (8, 4), input_dtypes=spectrum, output_dtype="complex64"
        ... ).vector_flops
        192
    """
    product = not work.name.startswith("aten.add")
    both = _is_complex(work.input_dtypes) > 1
    operations = 6 if product and both else _numbers(work)
    operations += int(work.attributes.get("alpha", 1) != 1)
    return Cost(kind=KernelKind.ELEMENTWISE, vector_flops=operations * work.elements)


_ELEMENTARY: Final = (
    ("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin"),
    ("acos", "atan", "atan2", "arctan2", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh"),
    ("erf", "erfc", "erfinv", "lgamma", "digamma", "special_expit", "angle", "hypot", "i0"),
    ("sinc",),
)


@cost_of(*(f"aten.{name}" for group in _ELEMENTARY for name in group))
def elementary(work: Work) -> Cost:
    """Elementary functions: exponential, logarithm, trigonometric, hyperbolic, error function.

    Shapes: input and output ``[*D]``.

    Formula: vector_flops = transcendentals = elements: an evaluation is one operation, and is
        marked as one that a device takes longer over.

    Source: convention: one an element and operation.

    Example:
        >>> from characterize.costs import estimate
        >>> cost = estimate("aten.tanh", {"self": (2, 768)}, (2, 768))
        >>> cost.vector_flops, cost.transcendentals
        (1536, 1536)
    """
    return Cost(
        kind=KernelKind.ELEMENTWISE,
        vector_flops=work.elements,
        transcendentals=work.elements,
    )


_POWERS: Final[Mapping[float, int]] = MappingProxyType(
    {0: 0, 1: 0, 2: 1, 3: 2, 4: 2, 0.5: 1, -0.5: 1, -1: 1, -2: 2}
)


@cost_of("aten.pow", "aten.float_power")
def power(work: Work) -> Cost:
    """Power: a tensor, or a number, raised to a tensor or a number.

    Shapes: inputs broadcast to the output ``[*D]``.

    Formula: vector_flops = operations * elements with, for a number as the exponent, 0 (0, 1), 1
        (2, 0.5, -0.5, -1) or 2 (3, 4, -2) operations; otherwise one, and one transcendental.

    Source: convention: one an element and operation; the exponents are those that PyTorch's kernel
        writes out as products and roots.

    Example:
        >>> from characterize.costs import estimate
        >>> cost = estimate("aten.pow", {"self": (2, 16)}, (2, 16), exponent=3.0)
        >>> cost.vector_flops, cost.transcendentals
        (64, 0)
    """
    exponent = work.attributes.get("exponent")
    written_out = _POWERS.get(exponent) if isinstance(exponent, int | float) else None
    if written_out is not None:
        return Cost(kind=KernelKind.ELEMENTWISE, vector_flops=written_out * work.elements)
    return elementary(work)


@cost_of("aten.clamp", "aten.clip")
def clamp(work: Work) -> Cost:
    """Clamping to a lower bound, an upper bound, or both.

    Shapes: input and output ``[*D]``; bounds are numbers or broadcast.

    Formula: vector_flops = elements for each bound that is there.

    Source: convention: one an element and operation.

    Example:
        >>> from characterize.costs import estimate
        >>> estimate("aten.clamp", {"self": (5, 5)}, (5, 5), min=0.0, max=1.0).vector_flops
        50
    """
    bounds = sum(
        name in work.arguments or work.attributes.get(name) is not None for name in ("min", "max")
    )
    return Cost(kind=KernelKind.ELEMENTWISE, vector_flops=bounds * work.elements)


_COMBINED: Final = MappingProxyType({"aten.addcmul": 2, "aten.addcdiv": 2, "aten.lerp": 3})


@cost_of(*_COMBINED)
def combined(work: Work) -> Cost:
    """Three tensors in one pass: addcmul, addcdiv, lerp.

    Shapes: inputs broadcast to the output ``[*D]``.

    Formula: vector_flops = 2 * elements for a + b * c and a + b / c, one more if a scalar value
        other than 1 scales the product; 3 * elements for lerp, a + w * (b - a).

    Source: definitions in the reference of torch.addcmul, torch.addcdiv, torch.lerp.

    Example:
        >>> from characterize.costs import estimate
        >>> shapes = {"self": (1, 160), "tensor1": (1, 160), "tensor2": (9, 160)}
        >>> estimate("aten.addcmul", shapes, (9, 160)).vector_flops
        2880
    """
    operations = _COMBINED[work.name.rstrip("_")] + int(work.attributes.get("value", 1) != 1)
    return Cost(kind=KernelKind.ELEMENTWISE, vector_flops=operations * work.elements)


_RANDOM: Final = (
    ("rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like"),
    ("bernoulli", "normal", "uniform", "normal_functional", "exponential", "multinomial"),
)


@cost_of(*(f"aten.{name}" for group in _RANDOM for name in group))
def random_numbers(work: Work) -> Cost:
    """Random numbers.

    Shapes: output ``[*D]``.

    Formula: vector_flops = elements: one a number drawn; the generator's own integer arithmetic is
        not counted.

    Source: convention.

    Example:
        >>> from characterize.costs import estimate
        >>> estimate("aten.rand", {}, (4, 4)).vector_flops
        16
    """
    return Cost(kind=KernelKind.ELEMENTWISE, vector_flops=work.elements)


@cost_of("aten.native_dropout", "aten._fused_dropout")
def dropout(work: Work) -> Cost:
    """Dropout that is switched on; at inference there is no operator.

    Shapes: input, output and mask ``[*D]``.

    Formula: vector_flops = 4 * elements: the number drawn, the comparison, two products; none if
        train = False.

    Source: Srivastava et al. (JMLR 15, 2014), section 4; reference of torch.nn.Dropout.

    Example:
        >>> from characterize.costs import estimate
        >>> shape = (4, 4)
        >>> estimate("aten.native_dropout", {"input": shape}, shape, shape, p=0.5).vector_flops
        64
    """
    active = work.attributes.get("train", True) is not False
    return Cost(kind=KernelKind.ELEMENTWISE, vector_flops=4 * work.elements if active else 0)

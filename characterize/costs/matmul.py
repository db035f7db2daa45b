"""Matrix products: linear layers, and the forms that matmul and einsum decompose into."""

from __future__ import annotations

import math

from characterize.costs.registry import Work, cost_of
from characterize.records import Cost, Count, Gemm, KernelKind, Role

_WEIGHTS = (Role.PARAMETER, Role.BUFFER, Role.CONSTANT, Role.DERIVED)


@cost_of("aten.linear")
def linear(work: Work) -> Cost:
    """Linear layer: activations times the transposed weight.

    Shapes: input ``[*M, k]``, weight ``[n, k]`` (or ``[k]``), output ``[*M, n]``.

    Formula: macs = prod(M) * n * k. The bias is what the accumulator starts from: 0.

    Source: definition in the reference of torch.nn.Linear.

    Example:
        >>> from characterize.costs import estimate
        >>> shapes = {"input": (8, 197, 768), "weight": (3072, 768)}
        >>> estimate("aten.linear", shapes, (8, 197, 3072)).macs  # 8*197 * 3072 * 768
        3718250496
    """
    weight = work.required("weight")
    rows = math.prod(work.required("input")[:-1])
    gemm = Gemm(m=rows, n=math.prod(weight[:-1]), k=weight[-1])
    return Cost(kind=KernelKind.LINEAR, macs=rows * math.prod(weight), gemm=gemm)


@cost_of(
    "aten.mm",
    "aten.addmm",
    "aten._addmm_activation",
    "aten._scaled_mm",
    "aten._int_mm",
    "aten.bmm",
    "aten.baddbmm",
    "aten.addbmm",
)
def matrix_product(work: Work) -> Cost:
    """Matrix product, alone or added to a matrix, in a batch or not.

    Shapes: ``[*G, m, k] @ [*G, k, n] -> [*G, m, n]``; addbmm sums over ``G``.

    Formula: macs = prod(G) * m * n * k. The matrix it is added to is what the accumulator starts
        from: 0, unless beta or alpha scales something: one an output element for each. A fused
        activation of _addmm_activation adds one (ReLU) or five (GELU) an output element.

    Kind: linear if one operand is a parameter, buffer, constant or derived from them alone;
        otherwise, or if that is not known, matmul.

    Source: definition in the reference of torch.mm, torch.addmm, torch.baddbmm; 2 * macs is what
        torch.utils.flop_counter gives.

    Example:
        >>> from characterize.costs import estimate
        >>> estimate("aten.mm", {"self": (4, 5), "mat2": (5, 6)}, (4, 6)).macs  # 4 * 6 * 5
        120
        >>> shapes = {"self": (2, 4, 6), "batch1": (2, 4, 5), "batch2": (2, 5, 6)}
        >>> cost = estimate("aten.baddbmm", shapes, (2, 4, 6), alpha=0.5)
        >>> cost.macs, cost.vector_flops  # 2 * 4*6*5, and 2*4*6 scalings
        (240, 48)
    """
    left, right = _operands(work)
    first, second = work.required(left), work.required(right)
    groups = math.prod(first[:-2])
    m, k, n = first[-2], first[-1], second[-1]
    weights = work.role(left) in _WEIGHTS or work.role(right) in _WEIGHTS
    return Cost(
        kind=KernelKind.LINEAR if weights else KernelKind.MATMUL,
        macs=groups * m * n * k,
        vector_flops=(_scalings(work) + _activation(work)) * work.elements,
        transcendentals=work.elements if work.attributes.get("use_gelu", False) else 0,
        gemm=Gemm(m=m, n=n, k=k, groups=groups),
    )


def _operands(work: Work) -> tuple[str, str]:
    for pair in (("mat1", "mat2"), ("batch1", "batch2")):
        if pair[0] in work.arguments:
            return pair
    return "self", "mat2"


def _scalings(work: Work) -> int:
    """How many of alpha and beta are there and not 1 (a beta of 0 leaves its matrix out)."""
    alpha, beta = work.attributes.get("alpha", 1), work.attributes.get("beta", 1)
    return int(alpha != 1) + int(beta not in (0, 1))


def _activation(work: Work) -> int:
    if work.name != "aten._addmm_activation":
        return 0
    return 5 if work.attributes.get("use_gelu", False) else 1


@cost_of("aten._grouped_mm", "aten._scaled_grouped_mm")
def grouped_matrix_product(work: Work) -> Cost:
    """Matrix products of consecutive row groups with a matrix each: a mixture of experts.

    Shapes: ``[t, k] @ [e, k, n] -> [t, n]``; ``[e, m, k] @ [e, k, n] -> [e, m, n]``;
        ``[e, m, k] @ [k, n] -> [m, n]``; ``[m, k] @ [k, n] -> [e, m, n]``; the axis that the
        offsets cut into e pieces is t, none, n and k.

    Formula: every piece meets one of the e matrices: macs = t * k * n, e * m * k * n, m * k * n and
        m * k * n. The matrix product is given as e groups of equal pieces, rounded down.

    Source: definition in the reference of torch.nn.functional.grouped_mm.
        torch.utils.flop_counter has no formula for it.

    Example:
        >>> from characterize.costs import estimate
        >>> shapes = {"self": (6, 4), "mat2": (3, 4, 5), "offs": (3,)}
        >>> estimate("aten._grouped_mm", shapes, (6, 5)).macs  # 6 * 5 * 4
        120
    """
    first, second = work.required("self"), work.required("mat2")
    m, k, n = first[-2], first[-1], second[-1]
    stacked = first if len(first) == 3 else second
    experts = work.output[0] if len(first) == len(second) else stacked[0]
    pieces = 1 if len(first) == 2 or len(second) == 2 else experts
    if len(first) == 2 and len(second) == 3:
        gemm = Gemm(m=m // experts, n=n, k=k, groups=experts)
    elif len(second) == 3:
        gemm = Gemm(m=m, n=n, k=k, groups=experts)
    elif len(first) == 3:
        gemm = Gemm(m=m, n=n // experts, k=k, groups=experts)
    else:
        gemm = Gemm(m=m, n=n, k=k // experts, groups=experts)
    kind = KernelKind.LINEAR if work.role("mat2") in _WEIGHTS else KernelKind.MATMUL
    return Cost(kind=kind, macs=pieces * m * n * k, gemm=gemm)


@cost_of("aten.mv", "aten.addmv", "aten.dot", "aten.vdot", "aten.addr", "aten.ger")
def vector_product(work: Work) -> Cost:
    """Products with a vector: matrix times vector, inner and outer product.

    Shapes: ``[m, k] @ [k] -> [m]``, ``[k] . [k] -> []``, ``[m] x [n] -> [m, n]``.

    Formula: macs = m * k, k and m * n. What is added is where the accumulator starts: 0, unless
        beta or alpha scales something: one an output element for each.

    Source: definition in the reference of torch.mv, torch.dot, torch.addr.
        torch.utils.flop_counter has no formula for them; we count them as matrix products.

    Example:
        >>> from characterize.costs import estimate
        >>> estimate("aten.mv", {"self": (4, 5), "vec": (5,)}, (4,)).macs  # 4 * 5
        20
    """
    if "vec2" in work.arguments:
        m, n, k = work.required("vec1", "self")[0], work.required("vec2")[0], 1
    elif len(work.output) == 0:
        m, n, k = 1, 1, work.required("self")[0]
    else:
        (m, k), n = work.required("mat", "self"), 1
    return Cost(
        kind=KernelKind.MATMUL,
        macs=m * n * k,
        vector_flops=_scalings(work) * work.elements,
        gemm=Gemm(m=m, n=n, k=k),
    )


@cost_of("aten._trilinear")
def trilinear(work: Work) -> Cost:
    """Product of three tensors summed over axes: torch.nn.Bilinear.

    Shapes: ``i1 [b, 1, p, 1]``, ``i2 [1, o, p, q]``, ``i3 [b, 1, 1, q]`` and output ``[b, o]``, by
        way of the expand arguments.

    Formula: vector_flops = 3 * (the product space: all axes at their full size): two
        multiplications and an addition each; no macs, as torch.utils.flop_counter has none.

    Source: definition in the reference of torch.nn.Bilinear.

    Example:
        >>> from characterize.costs import estimate
        >>> shapes = {"i1": (2, 3), "i2": (5, 3, 4), "i3": (2, 4)}
        >>> axes = {"expand1": (1, 3), "expand2": (0,), "expand3": (1, 2)}
        >>> estimate("aten._trilinear", shapes, (2, 5), **axes).vector_flops  # 3 x 2*5*3*4
        360
    """
    operands = []
    for index in ("1", "2", "3"):
        shape = list(work.required(f"i{index}"))
        for axis in sorted(work.attributes.get(f"expand{index}", ())):
            shape.insert(axis, None)
        operands.append(shape)
    space: Count = 1
    for sizes in zip(*operands, strict=True):
        space = space * next(size for size in sizes if size is not None)
    return Cost(kind=KernelKind.MATMUL, vector_flops=3 * space)

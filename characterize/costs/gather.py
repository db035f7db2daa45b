"""Operators that read or write only what is addressed: embeddings, indexing, gather, scatter."""

from __future__ import annotations

import math

from characterize.costs.registry import Work, cost_of, log2_ceiling, smaller
from characterize.records import Cost, Count, KernelKind


def _gathered(work: Work, source: str, elements: Count, vector_flops: Count = 0) -> Cost:
    """A cost that reads at most ``elements`` of one input, and all of the others."""
    table = math.prod(work.required(source))
    return Cost(
        kind=KernelKind.GATHER,
        vector_flops=vector_flops,
        reads=work.reads(**{source: smaller(table, elements)}),
    )


@cost_of("aten.embedding")
def embedding(work: Work) -> Cost:
    """Rows of a table looked up by number.

    Shapes: weight ``[v, d]``, indices ``[*I]``, output ``[*I, d]``.

    Formula: no arithmetic. Reads the indices, and of the table the rows looked up:
        min(v * d, prod(I) * d) elements.

    Source: definition in the reference of torch.nn.Embedding; a row that is looked up twice is read
        once if the table is smaller than what is looked up.

    Example:
        >>> from characterize.costs import estimate
        >>> shapes = {"weight": (30522, 768), "indices": (8, 128)}
        >>> estimate("aten.embedding", shapes, (8, 128, 768)).reads  # 1024 rows of 768
        (786432, None)
    """
    return _gathered(work, "weight", work.elements)


@cost_of("aten._embedding_bag", "aten._embedding_bag_forward_only", "aten.embedding_bag")
def embedding_bag(work: Work) -> Cost:
    """Rows of a table looked up and reduced bag by bag.

    Shapes: weight ``[v, d]``, indices ``[n]``, offsets ``[b]``, output ``[b, d]``.

    Formula: vector_flops = n * d (sum or maximum), a quotient an output element for means, a
        product an element with per_sample_weights. Reads min(v, n) * d elements of the table.

    Source: definition in the reference of torch.nn.EmbeddingBag.

    Example:
        >>> from characterize.costs import estimate
        >>> shapes = {"weight": (1000, 16), "indices": (40,), "offsets": (8,)}
        >>> cost = estimate("aten._embedding_bag", shapes, (8, 16), mode=1)
        >>> cost.vector_flops, cost.reads[0]  # 40*16 sums + 8*16 quotients
        (768, 640)
    """
    looked_up = math.prod(work.required("indices")) * work.required("weight")[-1]
    weighted = int("per_sample_weights" in work.arguments)
    means = work.elements if work.attributes.get("mode", 0) == 1 else 0
    return _gathered(work, "weight", looked_up, (1 + weighted) * looked_up + means)


@cost_of(
    "aten.index",
    "aten._unsafe_index",
    "aten.index_select",
    "aten.gather",
    "aten.take",
    "aten.masked_select",
    "aten.repeat_interleave",
)
def gather(work: Work) -> Cost:
    """Elements picked by index tensors or a mask.

    Shapes: self ``[*D]``, index tensors that broadcast together, output ``[*P]``.

    Formula: no arithmetic. Reads the indices, and min(elements of self, output elements) of self.

    Source: definitions in the reference of torch.gather, torch.index_select, torch.Tensor indexing.

    Example:
        >>> from characterize.costs import estimate
        >>> shapes = {"self": (169, 4), "indices": [(2401,)]}
        >>> estimate("aten.index", shapes, (2401, 4)).reads  # all 676 < 9604
        (676, None)
    """
    source = "self" if "self" in work.arguments else work.arguments[0]
    return _gathered(work, source, work.elements)


@cost_of(
    "aten.scatter",
    "aten.scatter_add",
    "aten.scatter_reduce",
    "aten.index_put",
    "aten._unsafe_index_put",
    "aten._index_put_impl",
    "aten.index_add",
    "aten.index_copy",
    "aten.index_fill",
    "aten.index_reduce",
    "aten.masked_scatter",
    "aten.put",
    "aten.slice_scatter",
    "aten.select_scatter",
    "aten.diagonal_scatter",
)
def scatter(work: Work) -> Cost:
    """Elements written to where index tensors, a mask or a slice say.

    Shapes: self and output ``[*D]``, index tensors, source ``[*P]``.

    Formula: vector_flops = source elements if they are added or reduced, otherwise 0. In place,
        nothing else of self moves: it writes as many elements as the index of scatter, the mask or
        the source has (all, if a number is written), and reads as many of self if it adds to them.
        Otherwise all of self is read and all of the output written.

    Source: definitions in the reference of torch.Tensor.scatter_, index_put_, torch.slice_scatter.

    Example:
        >>> from characterize.costs import estimate
        >>> shapes = {"self": (100, 8), "indices": [(4,)], "values": (4, 8)}
        >>> cost = estimate("aten.index_put_", shapes, (100, 8), accumulate=True)
        >>> cost.vector_flops, cost.reads, cost.writes
        (32, (32, None, None), (32,))
    """
    moved = _scattered_elements(work)
    adds = _accumulates(work)
    vector_flops = moved if adds else 0
    if not work.inplace:
        return Cost(kind=KernelKind.GATHER, vector_flops=vector_flops)
    moved = smaller(moved, work.elements)
    return Cost(
        kind=KernelKind.GATHER,
        vector_flops=vector_flops,
        reads=work.reads(self=moved if adds else 0),
        writes=(moved,),
    )


_ADDING = ("scatter_add", "index_add", "scatter_reduce", "index_reduce")


def _accumulates(work: Work) -> bool:
    named = any(name in work.name for name in _ADDING)
    return named or bool(work.attributes.get("accumulate")) or bool(work.attributes.get("reduce"))


def _scattered_elements(work: Work) -> Count:
    """Elements that are written: those of an index of scatter, a mask or a source; at most all."""
    preferred = "index" if work.name.startswith("aten.scatter") else "mask"
    for name in (preferred, "src", "source", "values"):
        shape = work.argument(name)
        if shape:
            return math.prod(shape)
    return work.elements


@cost_of("aten.bucketize", "aten.searchsorted")
def search(work: Work) -> Cost:
    """Places of values in a sorted sequence.

    Shapes: values ``[*D]``, sequence ``[*B, n]``, output ``[*D]``.

    Formula: vector_flops = output elements * ceil(log2(n + 1)), the comparisons of a binary search.

    Source: Knuth, The Art of Computer Programming 3, section 6.2.1.

    Example:
        >>> from characterize.costs import estimate
        >>> estimate("aten.bucketize", {"self": (10,), "boundaries": (7,)}, (10,)).vector_flops
        30
    """
    count = work.required("boundaries", "sorted_sequence")[-1]
    return Cost(kind=KernelKind.GATHER, vector_flops=work.elements * log2_ceiling(count + 1))


@cost_of("aten.nonzero", "aten.nonzero_static", "aten.one_hot", "aten.isin", "aten.eye")
def marking(work: Work) -> Cost:
    """One comparison an element: nonzero, one-hot codes, membership, identity matrices.

    Shapes: nonzero ``[*D]`` to ``[count, axes]``; one_hot ``[*D]`` to ``[*D, classes]``; isin
        elements ``[*D]`` in ``[n]``; eye to ``[n, m]``.

    Formula: vector_flops = input elements (nonzero), output elements (one_hot, eye), or output
        elements * ceil(log2(n + 1)) (isin, by search in a sorted set).

    Source: definitions in the reference of torch.nonzero, torch.nn.functional.one_hot, torch.isin.

    Example:
        >>> from characterize.costs import estimate
        >>> estimate("aten.one_hot", {"self": (10,)}, (10, 5), num_classes=5).vector_flops
        50
    """
    if "nonzero" in work.name:
        return Cost(kind=KernelKind.GATHER, vector_flops=math.prod(work.required("self")))
    operations = work.elements
    if work.name == "aten.isin":
        tests = work.argument("test_elements") or (1,)
        operations = operations * log2_ceiling(math.prod(tests) + 1)
    return Cost(kind=KernelKind.ELEMENTWISE, vector_flops=operations)

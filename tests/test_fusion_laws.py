"""Laws that hold for every graph, tried on random ones and judged by a brute-force checker."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from characterize.fusion import fuse, unfused
from characterize.records import Graph, KernelGraph
from tests.fusion_support import Net, elements, faults, total_bytes, total_macs

FULL, POOLED, WIDE = (3, 4, 6, 6), (3, 4, 1, 1), (3, 8, 6, 6)
STACKS = ("eager", "compiled", "engine")

UNARY = ("relu", "exp", "sigmoid", "relu_")


@st.composite
def graphs(draw) -> Graph:
    """A random network of up to 14 operators: branches, joins, views, reductions, several outputs."""
    net = Net()
    values = [net.input(*FULL) for _ in range(draw(st.integers(1, 2)))]
    for _ in range(draw(st.integers(1, 14))):
        values.append(_step(draw, net, values))
    made = [op.outputs[0] for op in net.operators]
    used = {net.values[v].source for op in net.operators for v in op.inputs}
    extra = draw(st.sets(st.sampled_from(made or values), max_size=2))
    return net.graph(*(v for v in made if v not in used or v in extra))


def _unary(draw, net, x, values):
    name = draw(st.sampled_from(UNARY))
    inplace = name.endswith("_") and net.values[x].source == x
    return net.op(name, (x,), net.values[x].shape, inplace=inplace)


def _view(draw, net, x, values):
    shapes = [
        net.values[x].shape,
        (3, 144),
        (6, 6, 12),
        (3, 4, 5),
    ]  # same, merged, permuted, a part
    return net.view(x, *draw(st.sampled_from(shapes)))


def _join(name):
    def step(draw, net, x, values):
        return net.op(name, (x, _pick(draw, _shaped(net, values, FULL))), FULL)

    return step


def _cat(draw, net, x, values):
    return net.conv(net.op("cat", (x, _pick(draw, _shaped(net, values, FULL))), WIDE), 4)


STEPS = {
    "unary": _unary,
    "view": _view,
    "conv": lambda draw, net, x, values: net.conv(x, 4),
    "depthwise": lambda draw, net, x, values: net.conv(net.conv(x, 4, groups=4), 4, kernel=1),
    "bn": lambda draw, net, x, values: net.bn(x),
    "add": _join("add"),
    "sub": _join("sub"),
    "gate": lambda draw, net, x, values: net.mul(
        x, _pick(draw, _shaped(net, values, POOLED) or [x])
    ),
    "mean": lambda draw, net, x, values: net.op("mean", (x,), POOLED, dim=(2, 3), keepdim=True),
    "softmax": lambda draw, net, x, values: net.unary(
        "softmax", x, dim=draw(st.sampled_from([1, 3]))
    ),
    "cat": _cat,
    "pool": lambda draw, net, x, values: net.op("max_pool2d", (x,), FULL, kernel_size=(3, 3)),
    "sort": lambda draw, net, x, values: net.unary("sort", x),
    "clone": lambda draw, net, x, values: net.unary("clone", x),
}
ANY_SHAPE = ("unary", "unary", "unary", "view")
FULL_SHAPE = (
    "conv",
    "conv",
    "depthwise",
    "bn",
    "add",
    "add",
    "gate",
    "mean",
    "softmax",
    "cat",
    "pool",
    "sort",
    "clone",
    "sub",
)


def _step(draw, net: Net, values: list[int]) -> int:
    """One more operator or view, on values that are there. Recent values are drawn more often."""
    x = _pick(draw, values)
    kinds = ANY_SHAPE + (FULL_SHAPE if net.values[x].shape == FULL else ())
    return STEPS[draw(st.sampled_from(kinds))](draw, net, x, values)


def _pick(draw, values: list[int]) -> int:
    return values[-1 - min(draw(st.integers(0, 5)), len(values) - 1)]


def _shaped(net: Net, values: list[int], shape) -> list[int]:
    return [v for v in values if net.values[v].shape == shape]


@pytest.mark.parametrize("stack", STACKS)
@given(graph=graphs())
@settings(max_examples=80, deadline=None)
def test_every_kernel_is_legal(stack, graph):
    assert faults(fuse(graph, stack)) == []


@pytest.mark.parametrize("stack", STACKS)
@given(graph=graphs())
@settings(max_examples=40, deadline=None)
def test_every_option_is_legal_and_only_moves_kernels_its_way(stack, graph):
    fused = fuse(graph, stack)
    paired = fuse(graph, stack, depthwise_separable=True)
    plain = fuse(graph, stack, epilogues=False)
    assert faults(paired, pairs=True) == []
    assert faults(plain) == []
    assert len(paired.kernels) <= len(fused.kernels)
    assert total_bytes(paired) <= total_bytes(fused)
    assert total_macs(paired) == total_macs(plain) == graph.macs


@pytest.mark.parametrize("stack", STACKS)
@given(graph=graphs())
@settings(max_examples=50, deadline=None)
def test_fusing_never_changes_macs_and_never_adds_bytes_or_kernels(stack, graph):
    fused, plain = fuse(graph, stack), unfused(graph)
    assert total_macs(fused) == total_macs(plain) == graph.macs
    assert total_bytes(fused) <= total_bytes(plain)
    assert len(fused.kernels) <= len(plain.kernels)


@given(graph=graphs())
@settings(max_examples=50, deadline=None)
def test_what_fusion_saves_is_what_it_keeps_on_chip(graph):
    """Values that no kernel writes, or that a kernel makes and reads, are what the bytes differ by."""
    fused = fuse(graph)
    written = {v for kernel in fused.kernels for v in kernel.writes}
    made = {v for op in graph.operators for v in op.outputs}
    saved_writes = sum(elements(graph, v) for v in made - written)
    reads = [_read_elements(graph, kernels) for kernels in (unfused(graph), fused)]
    assert total_bytes(unfused(graph)) - total_bytes(fused) == 4 * (
        saved_writes + reads[0] - reads[1]
    )


def _read_elements(graph: Graph, kernels: KernelGraph) -> int:
    return sum(elements(graph, v) for kernel in kernels.kernels for v in kernel.reads)


@pytest.mark.parametrize("stack", STACKS)
@given(graph=graphs())
@settings(max_examples=40, deadline=None)
def test_symbols_in_place_of_numbers_change_nothing(stack, graph):
    """Text for every dimension, the same text for the same number: a comparison never evaluates."""
    names = {3: "batch", 4: "c", 6: "s", 8: "2*c", 5: "s - 1", 12: "batch*c", 144: "c*s**2"}
    values = tuple(
        dataclasses.replace(v, shape=tuple(names.get(d, d) for d in v.shape)) for v in graph.values
    )
    template = dataclasses.replace(graph, values=values, symbols=("batch", "c", "s"))
    groups = [[k.operators for k in fuse(g, stack).kernels] for g in (graph, template)]
    assert groups[0] == groups[1]


@given(graph=graphs())
@settings(max_examples=40, deadline=None)
def test_every_kernel_says_what_it_is_and_why_it_ends(graph):
    for stack in STACKS:
        for kernel in fuse(graph, stack).kernels:
            assert kernel.name
            assert kernel.pattern
            assert kernel.reason
            assert kernel.anchor in kernel.operators

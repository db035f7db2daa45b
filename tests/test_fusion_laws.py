"""Laws that hold for every graph, tried on random ones and judged by a brute-force checker."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fusion_support import Net, elements, faults, total_bytes, total_macs

from characterize.fusion import fuse, unfused
from characterize.records import Graph, KernelGraph

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


def _step(draw, net: Net, values: list[int]) -> int:
    """One more operator or view, on values that are there. Recent values are drawn more often."""
    x = _pick(draw, values)
    shape = net.values[x].shape
    kinds = ["unary", "unary", "unary", "view"]
    if shape == FULL:
        kinds += ["conv", "conv", "bn", "add", "add", "gate", "mean", "softmax", "cat", "pool", "sort", "clone", "sub"]
    kind = draw(st.sampled_from(kinds))
    match kind:
        case "unary":
            name = draw(st.sampled_from(UNARY))
            return net.op(name, (x,), shape, inplace=name.endswith("_") and net.values[x].source == x)
        case "view":
            return net.view(x, *draw(st.sampled_from([shape, (3, 144), (6, 6, 12), (3, 4, 5)])))
        case "conv":
            return net.conv(x, 4)
        case "bn":
            return net.bn(x)
        case "add" | "sub":
            return net.op(kind, (x, _pick(draw, _shaped(net, values, FULL))), FULL)
        case "gate":
            return net.mul(x, _pick(draw, _shaped(net, values, POOLED) or [x]))
        case "mean":
            return net.op("mean", (x,), POOLED, dim=(2, 3), keepdim=True)
        case "softmax":
            return net.unary("softmax", x, dim=draw(st.sampled_from([1, 3])))
        case "cat":
            joined = net.op("cat", (x, _pick(draw, _shaped(net, values, FULL))), WIDE)
            return net.conv(joined, 4)
        case "pool":
            return net.op("max_pool2d", (x,), FULL, kernel_size=(3, 3))
        case _:
            return net.unary(kind, x)


def _pick(draw, values: list[int]) -> int:
    return values[-1 - min(draw(st.integers(0, 5)), len(values) - 1)]


def _shaped(net: Net, values: list[int], shape) -> list[int]:
    return [v for v in values if net.values[v].shape == shape]


@pytest.mark.parametrize("stack", STACKS)
@given(graph=graphs())
@settings(max_examples=150, deadline=None)
def test_every_kernel_is_legal(stack, graph):
    assert faults(fuse(graph, stack)) == []


@pytest.mark.parametrize("stack", STACKS)
@given(graph=graphs())
@settings(max_examples=60, deadline=None)
def test_a_depthwise_option_is_legal_where_there_is_nothing_for_it(stack, graph):
    assert fuse(graph, stack, depthwise_separable=True) == fuse(graph, stack)


@pytest.mark.parametrize("stack", STACKS)
@given(graph=graphs())
@settings(max_examples=100, deadline=None)
def test_fusing_never_changes_macs_and_never_adds_bytes_or_kernels(stack, graph):
    fused, plain = fuse(graph, stack), unfused(graph)
    assert total_macs(fused) == total_macs(plain) == graph.macs
    assert total_bytes(fused) <= total_bytes(plain)
    assert len(fused.kernels) <= len(plain.kernels)


@given(graph=graphs())
@settings(max_examples=100, deadline=None)
def test_what_fusion_saves_is_what_it_keeps_on_chip(graph):
    """Values that no kernel writes, or that a kernel makes and reads, are what the bytes differ by."""
    fused = fuse(graph)
    written = {v for kernel in fused.kernels for v in kernel.writes}
    made = {v for op in graph.operators for v in op.outputs}
    saved_writes = sum(elements(graph, v) for v in made - written)
    reads = [_read_elements(graph, kernels) for kernels in (unfused(graph), fused)]
    assert total_bytes(unfused(graph)) - total_bytes(fused) == 4 * (saved_writes + reads[0] - reads[1])


def _read_elements(graph: Graph, kernels: KernelGraph) -> int:
    return sum(elements(graph, v) for kernel in kernels.kernels for v in kernel.reads)


@pytest.mark.parametrize("stack", STACKS)
@given(graph=graphs())
@settings(max_examples=60, deadline=None)
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
@settings(max_examples=60, deadline=None)
def test_every_kernel_says_what_it_is_and_why_it_ends(graph):
    for stack in STACKS:
        for kernel in fuse(graph, stack).kernels:
            assert kernel.name
            assert kernel.pattern
            assert kernel.reason
            assert kernel.anchor in kernel.operators

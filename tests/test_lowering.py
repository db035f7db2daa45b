"""What PyTorch launches for a fused graph: casts, bias kernels, loops beside calls, and reuse."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from characterize import costs, features, fusion, lowering, skeletons
from characterize.columns import KINDS
from characterize.records import Frozen, Graph, KernelKind, Launching, Operator, Role, Stack, Value


def values(*rows: tuple[tuple[int, ...], Role]) -> tuple[Value, ...]:
    return tuple(
        Value(shape, "float32", role, i, i, f"v{i}") for i, (shape, role) in enumerate(rows)
    )


@pytest.fixture
def network() -> Graph:
    """Convolution with bias, layer norm over the width, linear, square root of its square."""
    table = values(
        ((2, 4, 8, 8), Role.INPUT),
        ((6, 4, 3, 3), Role.PARAMETER),
        ((6,), Role.PARAMETER),
        ((2, 6, 8, 8), Role.ACTIVATION),
        ((2, 6, 8, 8), Role.ACTIVATION),
        ((5, 8), Role.PARAMETER),
        ((2, 6, 8, 5), Role.ACTIVATION),
        ((2, 6, 8, 5), Role.ACTIVATION),
        ((2, 6, 8, 5), Role.ACTIVATION),
    )
    operators = (
        Operator("aten.conv2d", (0, 1, 2), (3,), ("input", "weight", "bias"),
                 Frozen(stride=(1, 1), padding=(1, 1), dilation=(1, 1), groups=1)),
        Operator("aten.layer_norm", (3,), (4,), ("input",), Frozen(normalized_shape=(8,))),
        Operator("aten.linear", (4, 5), (6,), ("input", "weight")),
        Operator("aten.exp", (6,), (7,), ("self",)),
        Operator("aten.relu", (7,), (8,), ("self",)),
    )  # fmt: skip
    return costs.priced(Graph("small", table, operators, (0,), (8,)))


def names(graph: Graph) -> Counter[str]:
    return Counter(operator.name for operator in graph.operators)


def test_autocast_casts_inputs_weights_and_what_runs_wide(network):
    eager = fusion.fuse(network, Stack.EAGER)
    found = lowering.lower(eager, Launching(autocast=True, split_bias=True)).graph.graph
    # casts: the image, the convolution's weight and (separate) bias stays; the linear's weight; exp's input
    assert names(found)["aten._to_copy"] == 5
    assert names(found)["aten.add"] == 1
    wide = {v for v, value in enumerate(found.values) if value.dtype == lowering.WIDE}
    assert {0, 1, 2, 5} <= wide  # input and parameters are fp32
    assert 7 in wide  # exp runs in fp32
    assert 8 in wide  # and what follows keeps its type
    assert not {3, 4, 6} & wide


def test_without_autocast_and_with_native_bias_eager_is_what_it_was(network):
    eager = fusion.fuse(network, Stack.EAGER)
    found = lowering.lower(eager, Launching())
    assert found.graph.kernels == eager.kernels
    assert found.owner == tuple(range(5))


def test_a_compiler_fuses_nothing_into_a_library_call(network):
    compiled = fusion.fuse(network, Stack.COMPILED)
    assert len(compiled.kernels) < len(network.operators)
    found = lowering.lower(compiled, Launching())
    calls = [k for k in found.graph.kernels if network.operators[k.anchor].name.endswith(("2d", "linear"))]  # fmt: skip
    assert all(len(kernel.operators) == 1 for kernel in calls)
    assert set(found.owner) == set(range(len(compiled.kernels)))


def test_an_engine_is_left_as_it_is(network):
    engine = fusion.fuse(network, Stack.ENGINE)
    assert lowering.lower(engine, Launching(autocast=True, split_bias=True)).graph is engine


def test_attention_on_five_dimensions_falls_apart():
    shape = (1, 2, 3, 16, 8)
    table = values(*[(shape, Role.INPUT)] * 3, (shape, Role.ACTIVATION))
    attention = Operator("aten.scaled_dot_product_attention", (0, 1, 2), (3,),
                         ("query", "key", "value"))  # fmt: skip
    graph = costs.priced(Graph("five", table, (attention,), (0, 1, 2), (3,)))
    found = lowering.lower(fusion.fuse(graph, Stack.EAGER), Launching())
    assert [o.name for o in found.graph.graph.operators] == [
        "aten.mul", "aten.mul", "aten.bmm", "aten._softmax", "aten.bmm"]  # fmt: skip
    assert found.owner == (0,) * 5


def test_pytorchs_own_autocast_runs_norms_in_fp32(network):
    eager = fusion.fuse(network, Stack.EAGER)
    found = lowering.lower(
        eager, Launching(autocast=True, split_bias=True, wide_norms=True)
    ).graph.graph
    # two more than with fast norms: the norm's input to fp32, its result to half for the product
    assert names(found)["aten._to_copy"] == 7
    wide = {v for v, value in enumerate(found.values) if value.dtype == lowering.WIDE}
    assert 4 in wide
    assert not {3, 6} & wide
    # a compiler fuses those casts: nothing changes
    compiled = fusion.fuse(network, Stack.COMPILED)
    made = [lowering.lower(compiled, Launching(autocast=True, split_bias=True, wide_norms=w)).graph.graph
            for w in (False, True)]  # fmt: skip
    assert made[0] == made[1]


def test_attention_that_falls_apart_does_its_products_and_casts_nothing_inside():
    shape = (2, 16, 8)
    table = values(*[(shape, Role.INPUT)] * 3, (shape, Role.ACTIVATION))
    attention = Operator("aten.scaled_dot_product_attention", (0, 1, 2), (3,),
                         ("query", "key", "value"))  # fmt: skip
    graph = costs.priced(Graph("three", table, (attention,), (0, 1, 2), (3,)))
    columns = features.columns(fusion.fuse(graph, Stack.EAGER)).kernels
    launched, _ = columns.launched(Launching(autocast=True, split_bias=True))
    assert (launched.macs * launched.count).sum() == 2 * 2 * 16 * 16 * 8
    found = lowering.lower(
        fusion.fuse(graph, Stack.EAGER), Launching(autocast=True, split_bias=True)
    )
    # the three inputs; the softmax between the products runs in half precision
    assert names(found.graph.graph)["aten._to_copy"] == 3


def test_softmax_reads_half_precision_and_writes_fp32():
    table = values(((4, 6), Role.INPUT), ((4, 6), Role.ACTIVATION), ((6, 6), Role.PARAMETER),
                   ((4, 6), Role.ACTIVATION))  # fmt: skip
    operators = (
        Operator("aten.linear", (0, 2), (1,), ("input", "weight")),
        Operator("aten.softmax", (1,), (3,), ("self",), Frozen(dim=-1)),
    )
    graph = costs.priced(Graph("soft", table, operators, (0,), (3,)))
    found = lowering.lower(
        fusion.fuse(graph, Stack.EAGER), Launching(autocast=True, split_bias=True)
    )
    assert names(found.graph.graph)["aten._to_copy"] == 2  # input and weight of the product
    assert found.graph.graph.values[3].dtype == lowering.WIDE


@pytest.mark.parametrize(("stack", "copies"), [(Stack.EAGER, 1), (Stack.COMPILED, 0)])
def test_a_product_of_a_transposed_input_copies_it_first(stack, copies):
    table = (
        Value((2, 5, 8), "float32", Role.INPUT, 0, 0),
        Value((2, 5, 8), "float32", Role.ACTIVATION, 1, 1),
        Value(
            (2, 8, 5), "float32", Role.ACTIVATION, 1, 1, order=(0, 2, 1), turned=True
        ),  # shows value 1
        Value((7, 5), "float32", Role.PARAMETER, 3, 3),
        Value((2, 8, 7), "float32", Role.ACTIVATION, 4, 4),
    )
    operators = (
        Operator("aten.relu", (0,), (1,), ("self",)),
        Operator("aten.linear", (2, 3), (4,), ("input", "weight")),
    )
    graph = costs.priced(Graph("mixer", table, operators, (0,), (4,)))
    found = lowering.lower(fusion.fuse(graph, stack), Launching())
    assert names(found.graph.graph)["aten.clone"] == copies
    launched, _ = features.columns(fusion.fuse(graph, stack)).kernels.launched(Launching())
    assert launched.turned_elements.max() == 2 * 8 * 5  # read across its order in memory


def test_launched_kernels_do_the_work_of_the_fused_ones(network):
    for stack in (Stack.EAGER, Stack.COMPILED):
        columns = features.columns(fusion.fuse(network, stack)).kernels
        launched, shares = columns.launched(Launching(autocast=True, split_bias=True))
        assert shares is not None
        total = (columns.macs * columns.count).sum()
        assert (launched.macs * launched.count).sum() == total
        # every launched kernel belongs to fused ones exactly as often as it occurs
        np.testing.assert_allclose((shares * columns.count).sum(axis=0), launched.count[:, 0])


def test_a_wide_value_counts_double(network):
    columns = features.columns(fusion.fuse(network, Stack.EAGER)).kernels
    launched, _ = columns.launched(Launching(autocast=True, split_bias=True))
    image = 2 * 4 * 8 * 8
    cast = np.flatnonzero(launched.input_elements[:, 0] == 2 * image)
    assert len(cast) == 1
    assert launched.output_elements[cast[0], 0] == image


_LAYER_NORM, _CONVOLUTION = map(KINDS.index, (KernelKind.LAYER_NORM, KernelKind.CONVOLUTION))


def test_the_distance_is_what_moved_since_the_touch(network):
    frame = skeletons.skeleton(fusion.fuse(network, Stack.EAGER))
    columns = features.columns(frame).kernels
    launched, _ = columns.launched(Launching())
    kinds = launched.kind.tolist()
    norm, convolution = kinds.index(_LAYER_NORM), kinds.index(_CONVOLUTION)
    # the layer norm reads what the convolution just wrote: the convolution moved its input and output
    assert launched.input_distance[norm, 0] == 2 * 4 * 64 + 2 * 6 * 64
    assert launched.input_weight_distance[norm, 0] == 6 * 4 * 9 + 6
    assert np.isinf(launched.input_distance[convolution, 0])  # nobody touched the image before


def test_another_batch_scales_activations_and_not_weights(network):
    columns = features.columns(fusion.fuse(network, Stack.EAGER)).kernels
    twice = columns.batched(2.0)
    np.testing.assert_allclose(twice.macs, 2 * columns.macs)
    np.testing.assert_allclose(twice.weight_elements, columns.weight_elements)
    one, _ = columns.launched(Launching(autocast=True, split_bias=True))
    two, _ = twice.launched(Launching(autocast=True, split_bias=True))
    derived = one.derived[:, 0] > 0
    np.testing.assert_allclose(two.output_elements[derived], one.output_elements[derived])
    np.testing.assert_allclose(two.output_elements[~derived], 2 * one.output_elements[~derived])


@pytest.mark.parametrize("stack", [Stack.EAGER, Stack.COMPILED])
def test_pytorchs_own_batch_norm_prepares_its_statistics(stack):
    table = values(((2, 6, 8, 8), Role.INPUT), *[((6,), Role.PARAMETER)] * 4,
                   ((2, 6, 8, 8), Role.ACTIVATION))  # fmt: skip
    norm = Operator("aten.batch_norm", (0, 1, 2, 3, 4), (5,),
                    ("input", "weight", "bias", "running_mean", "running_var"))  # fmt: skip
    graph = costs.priced(Graph("norm", table, (norm,), (0,), (5,)))
    columns = features.columns(fusion.fuse(graph, stack)).kernels
    launched, shares = columns.launched(Launching(own_norms=True))
    if stack is Stack.COMPILED:  # a compiler computes them inside its kernel
        assert len(launched.kind) == 1
        return
    kinds = sorted(KINDS[kind] for kind in launched.kind)
    assert kinds == [
        "batch_norm",
        "cast",
        "elementwise",
    ]  # its mean in fp32, the root of its variance
    assert shares is not None
    assert shares.sum() == 3
    # and still reads weight, bias, mean and deviation: of 6 channels, the last two in fp32
    place = launched.kind.tolist().index(KINDS.index(KernelKind.BATCH_NORM))
    assert launched.weight_elements[place].item() == 6 + 6 + 2 * 6 + 2 * 6

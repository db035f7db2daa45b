"""Which operators share a pass: views on the way, reductions, bushes and siblings."""

from __future__ import annotations

import pytest

from characterize.fusion import fuse
from tests.fusion_support import Net, faults, patterns_of, total_bytes

IMAGE = (2, 16, 8, 8)
FUSING = ("compiled", "engine")


# views


def test_a_view_that_keeps_order_is_no_obstacle():
    net = Net()
    y = net.view(net.linear(net.input(4, 32), 64), 2, 2, 64)
    assert patterns_of(fuse(net.graph(net.relu(y)))) == ["linear+relu"]


@pytest.mark.parametrize("shape", [(64, 4), (4, 32)], ids=["transpose", "slice"])
def test_a_view_in_another_order_or_of_a_part_is_an_obstacle_for_an_epilogue(shape):
    net = Net()
    y = net.view(net.linear(net.input(4, 32), 64), *shape)
    kernels = fuse(net.graph(net.relu(y)))
    assert patterns_of(kernels) == ["linear", "relu"]
    assert kernels.kernels[1].reads == (y,)


@pytest.mark.parametrize(
    ("order", "expected"),
    [((), ["linear+clone"]), ((1, 0), ["linear", "clone"])],
    ids=["as it lies", "transposed"],
)
def test_a_copy_of_a_square_matrix_moves_it_only_if_it_is_transposed(order, expected):
    net = Net()
    y = net.linear(net.input(8, 32), 8)
    copied = net.op("clone", (net.view(y, 8, 8, order=order),), (8, 8))
    kernels = fuse(net.graph(copied))
    assert patterns_of(kernels) == expected
    # [8, 32] @ [32, 8] + [8], and the result; the copy reads it and writes it once more
    assert total_bytes(kernels) == 4 * (8 * 32 + 32 * 8 + 8 + 64 + (128 if order else 0))


def test_rows_of_a_square_are_not_met_by_what_is_read_across():
    # x [4, 4, 9] and its sums [4, 4, 1]: added to x as they lie is one pass, across it is not
    def kernels(order):
        net = Net()
        x = net.relu(net.input(4, 4, 9))
        total = net.op("sum", (x,), (4, 4, 1), dim=(-1,), keepdim=True)
        return fuse(net.graph(net.add(x, net.view(total, 4, 4, 1, order=order))))

    assert len(kernels(()).kernels) == 1
    assert len(kernels((1, 0)).kernels) == 2


TURNED = (1, 0)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [((), (), 1), (TURNED, TURNED, 1), ((), TURNED, 2), (TURNED, (), 2)],
    ids=["rows twice", "columns twice", "rows and columns", "columns and rows"],
)
def test_rows_and_columns_of_a_square_are_two_passes(first, second, expected):
    # x [6, 6] is 36 elements, what is summed up 6: one pass reads x once, two read it twice
    def summed(net, x, order):
        view = net.view(x, 6, 6, order=order) if order else x
        return net.op("sum", (view,), (6,), dim=(-1,))

    net = Net()
    x = net.input(6, 6)
    kernels = fuse(net.graph(summed(net, x, first), summed(net, x, second)))
    assert len(kernels.kernels) == expected
    assert total_bytes(kernels) == 4 * (expected * 36 + 2 * 6)


def test_rows_and_columns_stay_two_passes_where_their_sums_meet_or_are_computed_on_the_way():
    # the sum over relu(x) turned, the sum over x, and both added: relu+sum reads 36 and writes 6,
    # sum+add reads 36 and 6 and writes 6
    net = Net()
    x = net.input(6, 6)
    columns = net.op("sum", (net.view(net.relu(x), 6, 6, order=TURNED),), (6,), dim=(-1,))
    rows = net.op("sum", (x,), (6,), dim=(-1,))
    kernels = fuse(net.graph(net.add(columns, rows)))
    assert patterns_of(kernels) == ["relu+sum", "sum+add"]
    assert total_bytes(kernels) == 4 * (36 + 6 + 36 + 6 + 6)


def test_elements_are_computed_as_rows_pass_in_whatever_order_those_are():
    # a layer norm over the channels of an image, and the image times a number a channel, as MetaFormer
    # has them: each reads x [2, 6, 4, 4], neither the other; then something follows both
    def kernels(*, norm_first):
        net = Net()
        x = net.input(2, 6, 4, 4)
        scale = net.parameter(6, 1, 1)
        made = {}
        for name in ("norm", "scaled") if norm_first else ("scaled", "norm"):
            if name == "norm":
                made[name] = net.layer_norm(net.view(x, 2, 4, 4, 6, order=(0, 3, 1, 2)))
            else:
                made[name] = net.mul(x, scale)
        after = net.relu(made["norm"]), net.relu(made["scaled"])
        return fuse(net.graph(*after))

    # x, weight, bias and scale are read, both results are written
    for norm_first in (True, False):
        found = kernels(norm_first=norm_first)
        assert len(found.kernels) == 1
        assert total_bytes(found) == 4 * (192 + 6 + 6 + 6 + 2 * 192)


def test_what_scales_columns_by_the_sums_of_rows_is_a_pass_of_its_own():
    def kernels(order):
        net = Net()
        x = net.input(6, 6)
        total = net.op("sum", (x,), (6, 1), dim=(-1,), keepdim=True)
        return fuse(net.graph(net.mul(net.view(x, 6, 6, order=order), total)))

    # x once and the result; turned: x and the sums, then both and the result
    assert total_bytes(kernels(())) == 4 * (36 + 36)
    assert total_bytes(kernels(TURNED)) == 4 * (36 + 6 + 36 + 6 + 36)


@pytest.mark.parametrize(
    ("permuted", "expected"),
    [(True, ["linear", "attention+clone"]), (False, ["linear", "attention", "clone"])],
    ids=["query is a view by position", "query lies by head"],
)
def test_attention_writes_its_result_as_the_query_lies(permuted, expected):
    net = Net()
    x = net.input(2, 5, 32)
    k = v = net.input(2, 4, 5, 8)
    query = net.view(net.linear(x, 32), 2, 4, 5, 8) if permuted else net.input(2, 4, 5, 8)
    out = net.op("scaled_dot_product_attention", (query, k, v), (2, 4, 5, 8))
    joined = net.op("clone", (net.view(out, 2, 5, 4, 8),), (2, 5, 4, 8))
    kernels = fuse(net.graph(joined))
    assert patterns_of(kernels)[-len(expected) + 1 :] == expected[1:]
    assert faults(kernels) == []


def test_the_parts_of_a_tensor_are_read_one_by_one():
    net = Net()
    y = net.linear(net.input(2, 5, 32), 96)
    q, k, v = (net.view(y, 2, 4, 5, 8) for _ in range(3))
    out = net.op("scaled_dot_product_attention", (q, k, v), (2, 4, 5, 8))
    kernels = fuse(net.graph(out))
    assert kernels.kernels[1].reads == (q, k, v)  # a third of y each: together y once


def test_a_tensor_read_whole_and_in_part_is_read_once():
    net = Net()
    x = net.input(2, 8)
    half, whole = net.view(x, 2, 4), net.view(x, 8, 2)
    out = net.op("some_custom_operator", (half, whole, x), (2, 8))
    (kernel,) = fuse(net.graph(out)).kernels
    assert kernel.reads == (whole,)


# reductions, normalisation, softmax


def test_scale_mask_and_softmax_are_one_pass():
    net = Net()
    q, k = net.input(2, 4, 8, 16), net.input(2, 4, 16, 8)
    scores = net.op("bmm", (q, k), (2, 4, 8, 8))
    masked = net.add(net.unary("mul", scores), net.input(8, 8))
    kernels = fuse(net.graph(net.unary("softmax", masked, dim=-1)))
    assert patterns_of(kernels) == ["bmm", "mul+add+softmax"]
    assert kernels.kernels[0].reason == "mul not fused: bmm is a library call without epilogue"
    assert patterns_of(fuse(kernels.graph, "engine")) == ["bmm+mul+add", "softmax"]


def test_a_normalisation_spelled_out_is_one_pass():
    net = Net()
    x, w = net.input(4, 32), net.parameter(32)
    mean = net.op("mean", (net.unary("pow", x),), (4, 1), dim=(-1,), keepdim=True)
    scale = net.unary("rsqrt", net.unary("add", mean))
    kernels = fuse(net.graph(net.mul(net.mul(x, scale), w)))
    assert len(kernels.kernels) == 1
    assert kernels.kernels[0].reads == (x, w)
    assert faults(kernels) == []


def test_a_residual_and_the_normalisation_after_it_are_one_pass_that_writes_both():
    net = Net()
    x, y = net.input(4, 32), net.input(4, 32)
    total = net.add(x, y)
    normed = net.layer_norm(total)
    kernels = fuse(net.graph(net.linear(normed, 8), net.linear(total, 8)))
    assert patterns_of(kernels) == ["add+layer_norm", "linear", "linear"]
    assert kernels.kernels[0].writes == (total, normed)
    assert kernels.kernels[0].anchor == 1
    assert faults(kernels) == []


@pytest.mark.parametrize(
    ("dims", "count"),
    [
        pytest.param(((-1,), (-1,)), 1, id="the same rows"),
        pytest.param(((-1,), (0,)), 2, id="rows and columns"),
        pytest.param(((-1,), (0, 1)), 2, id="rows and everything"),
    ],
)
def test_two_reductions_fuse_if_they_reduce_the_same_rows(dims, count):
    net = Net()
    x = net.unary("exp", net.input(6, 6))
    shapes = {(-1,): (6, 1), (0,): (1, 6), (0, 1): (1, 1)}
    outs = [net.op("sum", (x,), shapes[dim], dim=dim, keepdim=True) for dim in dims]
    kernels = fuse(net.graph(*outs))
    assert len(kernels.kernels) == count
    assert faults(kernels) == []


def test_a_value_for_each_row_is_not_spread_over_columns_in_the_same_pass():
    net = Net()
    x = net.input(6, 6)
    mean = net.op("mean", (x,), (6,), dim=(-1,))  # without keepdim it broadcasts over columns
    kernels = fuse(net.graph(net.op("sub", (x, mean), (6, 6))))
    assert patterns_of(kernels) == ["mean", "sub"]


def test_squeeze_and_excitation_takes_its_four_kernels_and_a_product():
    net = Net()
    y = net.unary("silu", net.bn(net.conv(net.input(*IMAGE), 16)))
    pooled = net.op("mean", (y,), (2, 16, 1, 1), dim=(2, 3), keepdim=True)
    gate = net.unary(
        "sigmoid", net.conv(net.unary("silu", net.conv(pooled, 4, kernel=1)), 16, kernel=1)
    )
    out = net.conv(net.mul(y, gate), 24, kernel=1)
    kernels = fuse(net.graph(out))
    assert patterns_of(kernels) == [
        "conv+bn+silu",
        "mean",
        "conv+silu",
        "conv+sigmoid",
        "mul",
        "conv",
    ]
    assert faults(kernels) == []


def test_pooling_to_one_position_is_a_reduction_that_takes_a_prologue():
    net = Net()
    x = net.unary("relu", net.bn(net.input(*IMAGE)))
    kernels = fuse(
        net.graph(net.op("adaptive_avg_pool2d", (x,), (2, 16, 1, 1), output_size=(1, 1)))
    )
    assert patterns_of(kernels) == ["bn+relu+adaptive_avg_pool2d"]


# bushes and siblings


def test_a_bush_of_elementwise_operators_is_one_kernel():
    net = Net()
    a, b = net.input(*IMAGE), net.input(*IMAGE)
    left, right = net.unary("exp", a), net.unary("sigmoid", b)
    kernels = fuse(net.graph(net.mul(left, right)))
    assert patterns_of(kernels) == ["pointwise x3"]
    assert kernels.kernels[0].reads == (a, b)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((2, 16, 1, 1), ["hardsigmoid+mul"]),
        ((16, 1, 1), ["hardsigmoid+mul"]),
        ((2, 16, 8, 8), ["hardsigmoid+mul"]),
    ],
)
def test_a_small_operand_is_computed_where_it_is_broadcast(shape, expected):
    net = Net()
    x, small = net.input(*IMAGE), net.input(*shape)
    kernels = fuse(net.graph(net.mul(x, net.unary("hardsigmoid", small))))
    assert patterns_of(kernels) == expected
    assert kernels.kernels[0].reads == (small, x)
    assert faults(kernels) == []


def test_a_small_operand_that_others_read_too_is_computed_once():
    net = Net()
    gate = net.unary("hardsigmoid", net.input(2, 16, 1, 1))
    kernels = fuse(net.graph(net.mul(net.input(*IMAGE), gate), net.mul(net.input(*IMAGE), gate)))
    assert patterns_of(kernels)[0] == "hardsigmoid"
    assert faults(kernels) == []


def test_an_operand_is_computed_where_a_copy_or_a_permuted_view_reads_it():
    net = Net()
    x, other = net.input(4, 6), net.input(6, 4)
    permuted = net.view(net.unary("exp", x), 6, 4)
    assert patterns_of(fuse(net.graph(net.mul(other, permuted)))) == ["exp+mul"]


def test_an_operand_that_is_read_in_part_is_computed_whole():
    net = Net()
    part = net.view(net.unary("tanh", net.input(4, 6)), 2, 6)
    assert patterns_of(fuse(net.graph(net.relu(part)))) == ["tanh", "relu"]


def test_siblings_that_read_the_same_value_share_a_pass():
    net = Net()
    x = net.input(*IMAGE)
    kernels = fuse(net.graph(net.unary("exp", x), net.unary("tanh", x)))
    assert patterns_of(kernels) == ["exp+tanh"]
    assert kernels.kernels[0].reads == (x,)


def test_a_loop_does_not_reach_around_a_call():
    # a -> conv -> mul(a): the product needs the convolution, which needs a
    net = Net()
    a = net.unary("exp", net.input(*IMAGE))
    y = net.unary("sort", a)
    kernels = fuse(net.graph(net.mul(a, y)))
    assert patterns_of(kernels) == ["exp", "sort", "mul"]
    assert faults(kernels) == []


def test_a_loop_that_feeds_one_operator_waits_for_it():
    # exp(x) is ready long before the sorted value that it is multiplied with
    net = Net()
    x, z = net.input(*IMAGE), net.input(*IMAGE)
    early = net.unary("exp", x)
    kernels = fuse(net.graph(net.mul(net.unary("sort", z), early)))
    assert patterns_of(kernels) == ["sort", "exp+mul"]
    assert faults(kernels) == []


def test_a_concatenation_computes_what_it_alone_reads():
    net = Net()
    a, b = net.input(*IMAGE), net.input(*IMAGE)
    joined = net.op("cat", (net.relu(a), b), (2, 32, 8, 8))
    kernels = fuse(net.graph(net.unary("exp", joined)))
    assert patterns_of(kernels) == ["relu+cat", "exp"]
    assert faults(kernels) == []


@pytest.mark.parametrize(
    ("operands", "expected"),
    [(1, ["relu+max_pool2d"]), (2, ["add", "max_pool2d"])],
    ids=["one operand", "two operands"],
)
def test_a_pooling_window_evaluates_again_what_reads_one_value_only(operands, expected):
    net = Net()
    xs = [net.input(*IMAGE) for _ in range(operands)]
    y = net.relu(*xs) if operands == 1 else net.add(*xs)
    kernels = fuse(net.graph(net.op("max_pool2d", (y,), IMAGE, kernel_size=(3, 3), padding=(1, 1))))
    assert patterns_of(kernels) == expected
    assert faults(kernels) == []

"""Formulas of what multiplies (convolutions, products, attention, recurrent layers), by hand."""

from __future__ import annotations

import numpy as np
import pytest

from characterize import costs
from characterize.costs.attention import causal_scores
from characterize.records import Cost, KernelKind

estimate = costs.estimate


def conv(input_shape, weight, output, name="aten.conv2d", **attributes) -> Cost:
    return estimate(name, {"input": input_shape, "weight": weight}, output, **attributes)


# convolutions


@pytest.mark.parametrize(
    ("input_shape", "weight", "output", "attributes", "macs", "kind"),
    [
        # 1*8*8 positions, 5 channels out, 3 in, 3*3 kernel: 64 * 5 * 27
        pytest.param((1, 3, 8, 8), (5, 3, 3, 3), (1, 5, 8, 8), {"padding": (1, 1)},
                     8_640, "convolution", id="same"),
        # 1x1: 2*7*7 * 4 * 3
        pytest.param((2, 3, 7, 7), (4, 3, 1, 1), (2, 4, 7, 7), {},
                     1_176, "pointwise_convolution", id="1x1"),
        # stride 4 over a 2x2 kernel skips half of each axis: (9 - 2) // 4 + 1 = 2; 1*2*2 * 4 * 3*4
        pytest.param((1, 3, 9, 9), (4, 3, 2, 2), (1, 4, 2, 2), {"stride": (4, 4)},
                     192, "convolution", id="stride>size"),
        # dilation 2 spreads 3 to 5: 11 - 5 + 1 = 7; 1*7*7 * 2 * 2*9
        pytest.param((1, 2, 11, 11), (2, 2, 3, 3), (1, 2, 7, 7), {"dilation": (2, 2)},
                     1_764, "convolution", id="dilated"),
        # odd sizes: 7x5 with 3x2, stride 2x1 -> 3x4; 1*3*4 * 3 * 2*6
        pytest.param((1, 2, 7, 5), (3, 2, 3, 2), (1, 3, 3, 4), {"stride": (2, 1)},
                     432, "convolution", id="odd"),
        # two groups of 4 -> 3: each of 6 outputs sees 4 of 8 inputs; 1*5*5 * 6 * 4*9
        pytest.param((1, 8, 7, 7), (6, 4, 3, 3), (1, 6, 5, 5), {"groups": 2},
                     5_400, "grouped_convolution", id="grouped"),
        # groups = channels: 1*6*6 * 8 * 1*9
        pytest.param((1, 8, 6, 6), (8, 1, 3, 3), (1, 8, 6, 6), {"groups": 8, "padding": (1, 1)},
                     2_592, "depthwise_convolution", id="groups=channels"),
        # depthwise with a multiplier of 2: 1*4*4 * 16 * 1*9
        pytest.param((1, 8, 6, 6), (16, 1, 3, 3), (1, 16, 4, 4), {"groups": 8},
                     2_304, "depthwise_convolution", id="multiplier"),
        # a depthwise 1x1 is a scale a channel: 1*6*6 * 8
        pytest.param((1, 8, 6, 6), (8, 1, 1, 1), (1, 8, 6, 6), {"groups": 8},
                     288, "depthwise_convolution", id="depthwise-1x1"),
        # nothing in, nothing to do
        pytest.param((0, 3, 8, 8), (5, 3, 3, 3), (0, 5, 6, 6), {}, 0, "convolution", id="empty"),
        # no batch axis: 6*6 * 5 * 27
        pytest.param((3, 8, 8), (5, 3, 3, 3), (5, 6, 6), {}, 4_860, "convolution", id="unbatched"),
        # padding by name: 1*8*8 * 5 * 27
        pytest.param((1, 3, 8, 8), (5, 3, 3, 3), (1, 5, 8, 8), {"padding": "same"},
                     8_640, "convolution", id="padding-by-name"),
    ],
)  # fmt: skip
def test_convolution(input_shape, weight, output, attributes, macs, kind):
    cost = conv(input_shape, weight, output, **attributes)
    assert (cost.macs, cost.vector_flops, cost.kind.value) == (macs, 0, kind)
    gemm = cost.gemm
    assert gemm is not None
    assert gemm.m * gemm.n * gemm.k * gemm.groups == macs


def test_convolutions_of_one_and_three_dimensions():
    # 2*10 positions, 6 channels out, 4 in, kernel 3: 20 * 6 * 12
    assert conv((2, 4, 12), (6, 4, 3), (2, 6, 10), "aten.conv1d").macs == 1_440
    # 1*2*4*4 positions, 3 out, 2 in, 3*3*3: 32 * 3 * 54
    assert conv((1, 2, 4, 6, 6), (3, 2, 3, 3, 3), (1, 3, 2, 4, 4), "aten.conv3d").macs == 5_184


@pytest.mark.parametrize(
    ("input_shape", "weight", "output", "attributes", "macs"),
    [
        # 1*4*4 inputs, each meets 6 channels of 2*2, from 3: 16 * 3 * 24
        pytest.param((1, 3, 4, 4), (3, 6, 2, 2), (1, 6, 8, 8), {"stride": (2, 2)}, 1_152, id="double"),
        # output_padding adds outputs, not products: the same 16 * 3 * 24
        pytest.param((1, 3, 4, 4), (3, 6, 2, 2), (1, 6, 9, 9),
                     {"stride": (2, 2), "output_padding": (1, 1)}, 1_152, id="output-padding"),
        # two groups of 4 -> 3: 1*5*5 * 8 * 3*9
        pytest.param((1, 8, 5, 5), (8, 3, 3, 3), (1, 6, 7, 7), {"groups": 2}, 5_400, id="grouped"),
        # depthwise has one channel a group: 1*5*5 * 8 * 1*9
        pytest.param((1, 8, 5, 5), (8, 1, 3, 3), (1, 8, 7, 7), {"groups": 8}, 1_800, id="depthwise"),
        pytest.param((0, 3, 4, 4), (3, 6, 2, 2), (0, 6, 8, 8), {"stride": (2, 2)}, 0, id="empty"),
    ],
)  # fmt: skip
def test_transposed_convolution(input_shape, weight, output, attributes, macs):
    cost = conv(input_shape, weight, output, "aten.conv_transpose2d", **attributes)
    assert (cost.macs, cost.kind) == (macs, KernelKind.TRANSPOSED_CONVOLUTION)
    lowered = conv(input_shape, weight, output, "aten.convolution", transposed=True, **attributes)
    assert lowered == cost
    gemm = cost.gemm
    assert gemm is not None
    assert gemm.m * gemm.n * gemm.k * gemm.groups == macs


def test_the_matrix_product_of_a_convolution_has_its_sizes():
    gemm = conv((2, 8, 9, 9), (12, 4, 3, 5), (2, 12, 4, 5), groups=2, stride=(2,)).gemm
    assert gemm is not None
    # m = 2*4*5, n = 12/2, k = 4*3*5
    assert (gemm.m, gemm.n, gemm.k, gemm.groups) == (40, 6, 60, 2)
    assert (gemm.kernel, gemm.stride, gemm.dilation) == ((3, 5), (2, 2), (1, 1))
    gemm = conv((2, 8, 4, 4), (8, 3, 2, 2), (2, 6, 8, 8), "aten.conv_transpose2d", groups=2).gemm
    assert gemm is not None
    # m = 2*4*4, n = 3*2*2, k = 8/2
    assert (gemm.m, gemm.n, gemm.k, gemm.groups) == (32, 12, 4, 2)


def test_a_convolution_s_kind_holds_for_every_configuration():
    channels = np.array([8, 16])
    one, mixed = np.array([1, 1]), np.array([1, 2])

    def kind(per_group, groups, kernel=3):
        shape = (1, channels, 6, 6)
        weight = (channels, per_group, kernel, kernel)
        return conv(shape, weight, shape, groups=groups).kind

    assert kind(1, channels) is KernelKind.DEPTHWISE_CONVOLUTION
    assert kind(one, channels) is KernelKind.DEPTHWISE_CONVOLUTION
    assert kind(mixed, channels // mixed) is KernelKind.GROUPED_CONVOLUTION
    assert kind(channels, 1) is KernelKind.CONVOLUTION
    assert kind(channels, one) is KernelKind.CONVOLUTION
    assert kind(channels, 1, kernel=1) is KernelKind.POINTWISE_CONVOLUTION
    assert kind(channels, 1, kernel=one) is KernelKind.POINTWISE_CONVOLUTION
    assert kind(channels, 1, kernel=np.array([1, 3])) is KernelKind.CONVOLUTION


def test_a_deformable_convolution_samples_what_it_multiplies():
    shapes = {"input": (2, 4, 5, 5), "weight": (6, 2, 3, 3), "offset": (2, 18, 5, 5)}
    cost = estimate("torchvision.deform_conv2d", shapes, (2, 6, 5, 5), use_mask=True)
    # 2*25 positions * 6*2*9; 8 operations for each of 50 * 4 * 9 samples
    assert (cost.macs, cost.vector_flops) == (5_400, 14_400)


# matrix products


@pytest.mark.parametrize(
    ("name", "inputs", "output", "attributes", "macs", "vector_flops"),
    [
        # [2, 3, 5] @ [5 -> 7]: 6 rows * 7 * 5
        ("aten.linear", {"input": (2, 3, 5), "weight": (7, 5), "bias": (7,)}, (2, 3, 7), {}, 210, 0),
        ("aten.linear", {"input": (5,), "weight": (7, 5)}, (7,), {}, 35, 0),
        ("aten.linear", {"input": (4, 5), "weight": (5,)}, (4,), {}, 20, 0),
        ("aten.mm", {"self": (4, 5), "mat2": (5, 6)}, (4, 6), {}, 120, 0),
        ("aten.mm", {"self": (0, 5), "mat2": (5, 6)}, (0, 6), {}, 0, 0),
        ("aten.addmm", {"self": (6,), "mat1": (4, 5), "mat2": (5, 6)}, (4, 6), {}, 120, 0),
        # alpha and beta scale 4*6 outputs each
        ("aten.addmm", {"self": (4, 6), "mat1": (4, 5), "mat2": (5, 6)}, (4, 6), {"alpha": 2, "beta": 0.5}, 120, 48),
        # beta = 0 leaves the matrix out
        ("aten.addmm", {"self": (4, 6), "mat1": (4, 5), "mat2": (5, 6)}, (4, 6), {"beta": 0}, 120, 0),
        ("aten.bmm", {"self": (3, 4, 5), "mat2": (3, 5, 6)}, (3, 4, 6), {}, 360, 0),
        ("aten.baddbmm", {"self": (3, 4, 6), "batch1": (3, 4, 5), "batch2": (3, 5, 6)}, (3, 4, 6), {}, 360, 0),
        # summed over the batch: as many products, fewer outputs
        ("aten.addbmm", {"self": (4, 6), "batch1": (3, 4, 5), "batch2": (3, 5, 6)}, (4, 6), {}, 360, 0),
        ("aten._scaled_mm", {"self": (4, 5), "mat2": (5, 6), "scale_a": (), "scale_b": ()}, (4, 6), {}, 120, 0),
        # a fused GELU: 5 for each of 4*6
        ("aten._addmm_activation", {"self": (6,), "mat1": (4, 5), "mat2": (5, 6)}, (4, 6), {"use_gelu": True}, 120, 120),
        ("aten.mv", {"self": (4, 5), "vec": (5,)}, (4,), {}, 20, 0),
        ("aten.addmv", {"self": (4,), "mat": (4, 5), "vec": (5,)}, (4,), {"alpha": 2}, 20, 4),
        ("aten.dot", {"self": (9,), "tensor": (9,)}, (), {}, 9, 0),
        ("aten.ger", {"self": (4,), "vec2": (5,)}, (4, 5), {}, 20, 0),
        ("aten.addr", {"self": (4, 5), "vec1": (4,), "vec2": (5,)}, (4, 5), {}, 20, 0),
        # 6 rows meet one of 3 experts each: 6 * 4 * 5
        ("aten._grouped_mm", {"self": (6, 4), "mat2": (3, 4, 5), "offs": (3,)}, (6, 5), {}, 120, 0),
        ("aten._grouped_mm", {"self": (3, 2, 4), "mat2": (3, 4, 5)}, (3, 2, 5), {}, 120, 0),
        # columns shared out over 3: 2 * 4 * 15; the inner axis over 3: 2 * 12 * 5
        ("aten._grouped_mm", {"self": (3, 2, 4), "mat2": (4, 15), "offs": (3,)}, (2, 15), {}, 120, 0),
        ("aten._grouped_mm", {"self": (2, 12), "mat2": (12, 5), "offs": (3,)}, (3, 2, 5), {}, 120, 0),
    ],
)  # fmt: skip
def test_matrix_products(name, inputs, output, attributes, macs, vector_flops):
    cost = estimate(name, inputs, output, **attributes)
    assert (cost.macs, cost.vector_flops) == (macs, vector_flops)
    gemm = cost.gemm
    assert gemm is not None
    assert gemm.m * gemm.n * gemm.k * gemm.groups == macs


# attention


def sdpa(query, key, value, **attributes) -> Cost:
    inputs = {"query": query, "key": key, "value": value}
    if attributes.pop("mask", False):
        inputs["attn_mask"] = (query[-2], key[-2])
    return estimate(
        "aten.scaled_dot_product_attention", inputs, (*query[:-1], value[-1]), **attributes
    )


def test_attention_counts_two_products_and_a_softmax():
    cost = sdpa((2, 3, 5, 8), (2, 3, 7, 8), (2, 3, 7, 4))
    # 2*3 heads * 5 * 7 scores, times 8 + 4; 6 operations a score
    assert (cost.macs, cost.vector_flops, cost.transcendentals) == (2_520, 1_260, 210)
    assert cost.masked_macs is None
    gemm = cost.gemm
    assert gemm is not None
    assert (gemm.m, gemm.n, gemm.k, gemm.groups) == (5, 7, 8, 6)


def test_a_mask_adds_one_and_dropout_two_a_score():
    shape = (1, 1, 4, 4)
    assert sdpa(shape, shape, shape, mask=True).vector_flops == 7 * 16
    assert sdpa(shape, shape, shape, dropout_p=0.1).vector_flops == 8 * 16
    assert sdpa(shape, shape, shape, dropout_p=0.0).vector_flops == 6 * 16


def test_grouped_queries_cost_as_many_macs_as_if_keys_were_repeated():
    grouped = sdpa((1, 8, 5, 4), (1, 2, 5, 4), (1, 2, 5, 4), enable_gqa=True)
    assert grouped.macs == sdpa((1, 8, 5, 4), (1, 8, 5, 4), (1, 8, 5, 4)).macs == 8 * 25 * 8


def test_attention_without_a_batch_axis():
    assert sdpa((3, 5, 8), (3, 5, 8), (3, 5, 8)).macs == 3 * 25 * 16


@pytest.mark.parametrize(
    ("queries", "keys", "scores"),
    [
        pytest.param(128, 128, 128 * 128, id="one block"),
        pytest.param(256, 256, 3 * 128 * 128, id="3 of 4 blocks"),
        # 1 + 2 + ... + 8 of 64 blocks
        pytest.param(1024, 1024, 36 * 128 * 128, id="36 of 64 blocks"),
        # the second block of queries has 69 rows, which see all 197 keys
        pytest.param(197, 197, 128 * 128 + 69 * 197, id="odd"),
        # queries beyond the keys see all of them: 128*128 + 2 * 128*200
        pytest.param(384, 200, 128 * 128 + 2 * 128 * 200, id="more queries"),
        # top-left alignment, as torch has it: one query sees the first block
        pytest.param(1, 500, 128, id="one query"),
        pytest.param(0, 500, 0, id="no query"),
    ],
)
def test_a_causal_mask_leaves_the_blocks_on_and_below_the_diagonal(queries, keys, scores):
    assert causal_scores(queries, keys) == scores
    shape = (2, 3, queries, 16)
    cost = sdpa(shape, (2, 3, keys, 16), (2, 3, keys, 16), is_causal=True)
    assert cost.masked_macs == 2 * 3 * scores * 32
    assert cost.macs == 2 * 3 * queries * keys * 32


def counted_block_by_block(queries, keys, block=128):
    """Scores of the blocks that hold an unmasked score, one block at a time."""
    total = 0
    for top in range(0, queries, block):
        for left in range(0, keys, block):
            if left <= min(top + block, queries) - 1:
                total += min(block, queries - top) * min(block, keys - left)
    return total


@pytest.mark.parametrize("queries", [1, 127, 128, 129, 300, 512, 1000])
@pytest.mark.parametrize("keys", [1, 100, 128, 256, 300, 513, 2000])
def test_the_closed_form_of_causal_blocks_is_the_sum_over_blocks(queries, keys):
    assert causal_scores(queries, keys) == counted_block_by_block(queries, keys)


# recurrent layers


def test_lstm_layers_directions_and_projections():
    # 7 steps * 3 sequences, hidden 5, input 4, two layers both ways; biases are free
    first = [(20, 4), (20, 5), (20,), (20,)]
    second = [(20, 10), (20, 5), (20,), (20,)]
    shapes = {
        "input": (7, 3, 4),
        "hx": [(4, 3, 5), (4, 3, 5)],
        "params": [*first, *first, *second, *second],
    }
    cost = estimate(
        "aten.lstm", shapes, (7, 3, 10), num_layers=2, bidirectional=True, batch_first=False
    )
    # 21 * 2 * (20*4 + 20*5 + 20*10 + 20*5); 21 * 4 passes * 5 hidden * 22
    assert (cost.macs, cost.vector_flops, cost.transcendentals) == (20_160, 9_240, 2_100)
    projected = {"input": (7, 3, 4), "hx": [], "params": [(20, 4), (20, 2), (2, 5)]}
    cost = estimate("aten.lstm", projected, (7, 3, 2), num_layers=1)
    # 21 rows meet 20*4 + 20*2 + 2*5 weights
    assert cost.macs == 2_730


@pytest.mark.parametrize(
    ("name", "gates", "operations", "transcendentals"),
    [("aten.gru", 3, 16, 3), ("aten.rnn_tanh", 1, 2, 1), ("aten.rnn_relu", 1, 2, 0)],
)
def test_other_recurrent_cells(name, gates, operations, transcendentals):
    rows = 5 * gates
    shapes = {"input": (3, 7, 4), "hx": (1, 3, 5), "params": [(rows, 4), (rows, 5)]}
    cost = estimate(name, shapes, (3, 7, 5), num_layers=1, batch_first=True)
    # 3*7 * gates * 5*(4 + 5); 21*5 units
    assert cost.macs == 945 * gates
    assert (cost.vector_flops, cost.transcendentals) == (105 * operations, 105 * transcendentals)
    gemm = cost.gemm
    assert gemm is not None
    # a step: 3 sequences, all gates, from 5 hidden; 7 steps
    assert (gemm.m, gemm.n, gemm.k, gemm.groups) == (3, rows, 5, 7)


def test_a_recurrent_layer_without_a_batch_axis_and_on_packed_rows():
    params = [(20, 4), (20, 5)]
    alone = estimate("aten.lstm", {"input": (7, 4), "params": params}, (7, 5), num_layers=1)
    packed = {"data": (7, 4), "batch_sizes": (3,), "params": params}
    assert alone.macs == estimate("aten.lstm", packed, (7, 5), num_layers=1).macs == 7 * 180

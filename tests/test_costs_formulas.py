"""Formulas of everything that is no product, against numbers worked out by hand."""

from __future__ import annotations

import pytest

from characterize import costs
from characterize.records import Cost, KernelKind

estimate = costs.estimate


# normalisations


@pytest.mark.parametrize(
    ("name", "inputs", "attributes", "vector_flops", "kind"),
    [
        # a scale and a shift for 2*4*3*3 elements
        ("aten.batch_norm", {"input": (2, 4, 3, 3), "weight": (4,), "bias": (4,)}, {"training": False}, 144, "batch_norm"),
        ("aten._native_batch_norm_legit_no_training", {"input": (2, 4, 3, 3)}, {}, 144, "batch_norm"),
        # statistics of the batch: 7 * 72 + 4 * 4 channels; without affine 5 * 72 + 16
        ("aten.batch_norm", {"input": (2, 4, 3, 3), "weight": (4,), "bias": (4,)}, {"training": True}, 520, "batch_norm"),
        ("aten.batch_norm", {"input": (2, 4, 3, 3)}, {"training": True}, 376, "batch_norm"),
        ("aten.batch_norm", {"input": (2, 4)}, {"training": False}, 16, "batch_norm"),
        # 5, 6 or 7 * 24 + 4 * 6 rows
        ("aten.layer_norm", {"input": (2, 3, 4)}, {"normalized_shape": (4,)}, 144, "layer_norm"),
        ("aten.layer_norm", {"input": (2, 3, 4), "weight": (4,)}, {"normalized_shape": (4,)}, 168, "layer_norm"),
        ("aten.native_layer_norm", {"input": (2, 3, 4), "weight": (4,), "bias": (4,)}, {"normalized_shape": (4,)}, 192, "layer_norm"),
        # over two axes: 5 * 24 + 4 * 2 rows
        ("aten.layer_norm", {"input": (2, 3, 4)}, {"normalized_shape": (3, 4)}, 128, "layer_norm"),
        # 3 or 4 * 24 + 3 * 6 rows
        ("aten.rms_norm", {"input": (2, 3, 4)}, {"normalized_shape": (4,)}, 90, "layer_norm"),
        ("aten.rms_norm", {"input": (2, 3, 4), "weight": (4,)}, {"normalized_shape": (4,)}, 114, "layer_norm"),
        # 7 * 2*6*5 + 4 * 2*3 rows
        ("aten.group_norm", {"input": (2, 6, 5), "weight": (6,), "bias": (6,)}, {"num_groups": 3}, 444, "group_norm"),
        ("aten.native_group_norm", {"input": (2, 6, 5), "weight": (6,), "bias": (6,)}, {"N": 2, "C": 6, "HxW": 5, "group": 3}, 444, "group_norm"),
        # 5 * 60 + 4 * 12 rows; with running statistics 2 * 60
        ("aten.instance_norm", {"input": (2, 6, 5)}, {"use_input_stats": True}, 348, "group_norm"),
        ("aten.instance_norm", {"input": (2, 6, 5)}, {"use_input_stats": False}, 120, "group_norm"),
        ("aten.layer_norm", {"input": (0, 3, 4)}, {"normalized_shape": (4,)}, 0, "layer_norm"),
    ],
)  # fmt: skip
def test_normalisations(name, inputs, attributes, vector_flops, kind):
    cost = estimate(name, inputs, inputs["input"], **attributes)
    assert (cost.macs, cost.vector_flops, cost.kind.value) == (0, vector_flops, kind)


# element by element


@pytest.mark.parametrize(
    ("name", "inputs", "attributes", "per_element", "transcendentals"),
    [
        ("aten.relu", {"self": (3, 4)}, {}, 1, 0),
        ("aten.add", {"self": (3, 4), "other": (4,)}, {}, 1, 0),
        ("aten.add", {"self": (3, 4), "other": (4,)}, {"alpha": 2}, 2, 0),
        ("aten.sub", {"self": (3, 4), "other": (3, 4)}, {"alpha": 0.1}, 2, 0),
        ("aten.mul", {"self": (3, 4)}, {"other": 2.0}, 1, 0),
        ("aten.div", {"self": (3, 4), "other": (3, 1)}, {}, 1, 0),
        ("aten.sqrt", {"self": (3, 4)}, {}, 1, 0),
        ("aten.maximum", {"self": (3, 4), "other": ()}, {}, 1, 0),
        ("aten.where", {"condition": (3, 4), "self": (3, 4), "other": ()}, {}, 1, 0),
        ("aten.masked_fill", {"self": (3, 4), "mask": (3, 4)}, {"value": 0.0}, 1, 0),
        ("aten.logical_and", {"self": (3, 4), "other": (3, 4)}, {}, 1, 0),
        ("aten.exp", {"self": (3, 4)}, {}, 1, 1),
        ("aten.erf", {"self": (3, 4)}, {}, 1, 1),
        ("aten.clamp", {"self": (3, 4)}, {"min": 0.0}, 1, 0),
        ("aten.clamp", {"self": (3, 4)}, {"min": 0.0, "max": 6.0}, 2, 0),
        ("aten.clamp", {"self": (3, 4), "max": ()}, {"min": None}, 1, 0),
        ("aten.pow", {"self": (3, 4)}, {"exponent": 2}, 1, 0),
        ("aten.pow", {"self": (3, 4)}, {"exponent": 3.0}, 2, 0),
        ("aten.pow", {"self": (3, 4)}, {"exponent": 0.5}, 1, 0),
        ("aten.pow", {"self": (3, 4)}, {"exponent": 1.7}, 1, 1),
        ("aten.pow", {"exponent": (3, 4)}, {"self": 10000.0}, 1, 1),
        ("aten.lerp", {"self": (3, 4), "end": (3, 4)}, {"weight": 0.5}, 3, 0),
        ("aten.addcmul", {"self": (3, 4), "tensor1": (3, 4), "tensor2": (4,)}, {}, 2, 0),
        ("aten.addcmul", {"self": (3, 4), "tensor1": (3, 4), "tensor2": (4,)}, {"value": 0.1}, 3, 0),
        ("aten.sigmoid", {"self": (3, 4)}, {}, 4, 1),
        ("aten.silu", {"self": (3, 4)}, {}, 4, 1),
        ("aten.gelu", {"self": (3, 4)}, {}, 5, 1),
        ("aten.gelu", {"self": (3, 4)}, {"approximate": "none"}, 5, 1),
        ("aten.gelu", {"self": (3, 4)}, {"approximate": "tanh"}, 9, 1),
        ("aten.mish", {"self": (3, 4)}, {}, 4, 3),
        ("aten.softplus", {"self": (3, 4)}, {}, 5, 2),
        ("aten.elu", {"self": (3, 4)}, {}, 4, 1),
        ("aten.selu", {"self": (3, 4)}, {}, 5, 1),
        ("aten.hardswish", {"self": (3, 4)}, {}, 5, 0),
        ("aten.hardsigmoid", {"self": (3, 4)}, {}, 4, 0),
        ("aten.hardtanh", {"self": (3, 4)}, {"min_val": 0.0, "max_val": 6.0}, 2, 0),
        ("aten.relu6", {"self": (3, 4)}, {}, 2, 0),
        ("aten.leaky_relu", {"self": (3, 4)}, {"negative_slope": 0.1}, 2, 0),
        ("aten.prelu", {"self": (3, 4), "weight": (4,)}, {}, 2, 0),
        ("aten.bernoulli", {"self": (3, 4)}, {}, 1, 0),
        ("aten.native_dropout", {"input": (3, 4)}, {"p": 0.5, "train": True}, 4, 0),
        ("aten.native_dropout", {"input": (3, 4)}, {"p": 0.5, "train": False}, 0, 0),
    ],
)  # fmt: skip
def test_element_by_element(name, inputs, attributes, per_element, transcendentals):
    cost = estimate(name, inputs, (3, 4), **attributes)
    assert cost.kind is KernelKind.ELEMENTWISE
    assert (cost.vector_flops, cost.transcendentals) == (12 * per_element, 12 * transcendentals)


def test_broadcasting_costs_what_comes_out():
    assert estimate("aten.add", {"self": (8, 1), "other": (1, 6)}, (8, 6)).vector_flops == 48


def test_glu_costs_an_element_of_its_output():
    # 4 of a sigmoid and a product for each of 3*4
    assert estimate("aten.glu", {"self": (3, 8)}, (3, 4)).vector_flops == 60


def test_complex_numbers_cost_their_parts():
    both = {"self": "complex64", "other": "complex64"}
    shapes = {"self": (3, 4), "other": (3, 4)}

    def flops(name, dtypes):
        return estimate(
            name, shapes, (3, 4), input_dtypes=dtypes, output_dtype="complex64"
        ).vector_flops

    assert flops("aten.mul", both) == 12 * 6
    assert flops("aten.mul", {"self": "complex64"}) == 12 * 2
    assert flops("aten.add", both) == 12 * 2


# reductions, softmax, scans


@pytest.mark.parametrize(
    ("name", "output", "attributes", "vector_flops", "transcendentals"),
    [
        # 24 inputs; a mean has a quotient for each of 6 outputs
        ("aten.sum", (6,), {"dim": (1,)}, 24, 0),
        ("aten.mean", (6,), {"dim": (1,)}, 30, 0),
        ("aten.sum", (), {}, 24, 0),
        ("aten.amax", (6,), {"dim": (1,)}, 24, 0),
        ("aten.argmax", (6,), {"dim": 1}, 24, 0),
        ("aten.any", (), {}, 24, 0),
        # 4 an input, 2 or 3 an output
        ("aten.var", (6,), {"dim": (1,)}, 108, 0),
        ("aten.std_mean", (6,), {"dim": (1,)}, 114, 0),
        # 2 an input, a root an output
        ("aten.linalg_vector_norm", (6,), {"ord": 2.0, "dim": (1,)}, 54, 0),
        ("aten.linalg_vector_norm", (6,), {"ord": 1.0, "dim": (1,)}, 48, 0),
        ("aten.linalg_vector_norm", (6,), {"ord": float("inf"), "dim": (1,)}, 48, 0),
        ("aten.norm", (6,), {"p": 3.0, "dim": (1,)}, 78, 30),
        ("aten.norm", (), {"p": "fro"}, 49, 0),
        # 4 an input, 2 an output, with an exp and a log
        ("aten.logsumexp", (6,), {"dim": (1,)}, 108, 30),
    ],
)  # fmt: skip
def test_reductions(name, output, attributes, vector_flops, transcendentals):
    cost = estimate(name, {"self": (6, 4)}, output, **attributes)
    assert cost.kind is KernelKind.REDUCTION
    assert (cost.vector_flops, cost.transcendentals) == (vector_flops, transcendentals)


def test_softmax_and_its_logarithm():
    soft = estimate("aten.softmax", {"self": (2, 3, 8)}, (2, 3, 8), dim=-1)
    assert (soft.vector_flops, soft.transcendentals) == (240, 48)
    # 6 rows of 8 take a logarithm each; along the middle axis 16 rows of 3
    log = estimate("aten.log_softmax", {"self": (2, 3, 8)}, (2, 3, 8), dim=-1)
    assert (log.vector_flops, log.transcendentals) == (246, 54)
    middle = estimate("aten._log_softmax", {"self": (2, 3, 8)}, (2, 3, 8), dim=1)
    assert (middle.vector_flops, middle.transcendentals) == (256, 64)
    assert estimate("aten.log_softmax", {"self": ()}, (), dim=0).vector_flops == 6


def test_scans_take_one_an_element():
    assert estimate("aten.cumsum", {"self": (2, 9)}, (2, 9), dim=1).vector_flops == 18
    assert estimate("aten.logcumsumexp", {"self": (2, 9)}, (2, 9), dim=1).vector_flops == 90


# poolings


@pytest.mark.parametrize(
    ("name", "shape", "output", "attributes", "vector_flops"),
    [
        # 2*3*4*4 windows of 2*2
        ("aten.max_pool2d", (2, 3, 8, 8), (2, 3, 4, 4), {"kernel_size": (2, 2)}, 384),
        ("aten.max_pool2d", (2, 3, 8, 8), (2, 3, 4, 4), {"kernel_size": 2}, 384),
        ("aten.max_pool2d", (2, 3, 8, 8), (2, 3, 4, 4), {"kernel_size": (2,)}, 384),
        # overlapping: 3*4*4 windows of 3*3
        ("aten.max_pool2d", (1, 3, 8, 8), (1, 3, 4, 4), {"kernel_size": (3, 3), "stride": (2, 2), "padding": (1, 1)}, 432),
        ("aten.max_pool1d", (1, 3, 9), (1, 3, 4), {"kernel_size": (2,)}, 24),
        ("aten.max_pool3d", (1, 1, 4, 4, 4), (1, 1, 2, 2, 2), {"kernel_size": (2,)}, 64),
        # a stride over the kernel skips inputs: 4 windows of 1
        ("aten.max_pool2d", (1, 1, 8, 8), (1, 1, 2, 2), {"kernel_size": (1, 1), "stride": (5, 5)}, 4),
        # 12 windows of 2*2 and a quotient each
        ("aten.avg_pool2d", (1, 3, 4, 4), (1, 3, 2, 2), {"kernel_size": (2, 2)}, 60),
        # all of 1*3 planes of 7*5, and 3 quotients
        ("aten.adaptive_avg_pool2d", (1, 3, 7, 5), (1, 3, 1, 1), {}, 108),
        # 7 -> 3: windows of 3, 3, 3; 5 -> 2: of 3, 3: 3 * 9 * 6, and 18 quotients
        ("aten.adaptive_avg_pool2d", (1, 3, 7, 5), (1, 3, 3, 2), {}, 180),
        # as large as it was: 2 -> 2 is two windows of one
        ("aten.adaptive_max_pool1d", (1, 3, 2), (1, 3, 2), {}, 6),
        # larger than it was: 2 -> 4 is four windows of one
        ("aten.adaptive_max_pool1d", (1, 1, 2), (1, 1, 4), {}, 4),
        ("aten.adaptive_avg_pool2d", (0, 3, 7, 7), (0, 3, 1, 1), {}, 0),
    ],
)  # fmt: skip
def test_poolings(name, shape, output, attributes, vector_flops):
    cost = estimate(name, {"self": shape}, output, **attributes)
    assert (cost.vector_flops, cost.kind) == (vector_flops, KernelKind.POOLING)


@pytest.mark.parametrize("size", range(1, 14))
@pytest.mark.parametrize("positions", range(1, 14))
def test_adaptive_windows_add_up_to_their_closed_form(size, positions):
    windows = [
        -(-(index + 1) * size // positions) - index * size // positions
        for index in range(positions)
    ]
    cost = estimate("aten.adaptive_max_pool1d", {"self": (1, 1, size)}, (1, 1, positions))
    assert cost.vector_flops == sum(windows)


# resizing and sampling


@pytest.mark.parametrize(
    ("name", "shape", "output", "per_element"),
    [
        ("aten.upsample_nearest2d", (1, 2, 3, 3), (1, 2, 6, 6), 0),
        ("aten._upsample_nearest_exact2d", (1, 2, 3, 3), (1, 2, 6, 6), 0),
        ("aten.upsample_linear1d", (1, 2, 9), (1, 2, 36), 3),
        ("aten.upsample_bilinear2d", (1, 2, 3, 3), (1, 2, 6, 6), 7),
        ("aten.upsample_bicubic2d", (1, 2, 3, 3), (1, 2, 6, 6), 31),
        ("aten.upsample_trilinear3d", (1, 2, 3, 3, 1), (1, 2, 6, 6, 1), 15),
    ],
)
def test_resizing(name, shape, output, per_element):
    cost = estimate(name, {"input": shape}, output)
    assert (cost.vector_flops, cost.kind) == (72 * per_element, KernelKind.INTERPOLATION)


def test_antialiasing_widens_the_filter_only_when_it_shrinks():
    # 9 -> 3 bicubic: 2 * ceil(2 * 3) = 12 neighbours; 9*3 positions across, 3*3 down
    shrunk = estimate("aten._upsample_bicubic2d_aa", {"self": (1, 1, 9, 9)}, (1, 1, 3, 3))
    assert shrunk.vector_flops == 9 * 3 * 2 * 12 + 3 * 3 * 2 * 12
    # 3 -> 9: 4 neighbours; 3*9 across, 9*9 down
    grown = estimate("aten._upsample_bicubic2d_aa", {"self": (1, 1, 3, 3)}, (1, 1, 9, 9))
    assert grown.vector_flops == 3 * 9 * 2 * 4 + 9 * 9 * 2 * 4


def test_sampling_reads_at_most_its_neighbours():
    shapes = {"input": (1, 4, 100, 100), "grid": (1, 5, 5, 2)}
    bilinear = estimate("aten.grid_sampler_2d", shapes, (1, 4, 5, 5), interpolation_mode=0)
    # 100 outputs * 7, 25 positions * (2 * 6 + 4 corners); reads 4 neighbours each
    assert (bilinear.vector_flops, bilinear.reads) == (1_100, (400, None))
    nearest = estimate("aten.grid_sampler_2d", shapes, (1, 4, 5, 5), interpolation_mode=1)
    assert (nearest.vector_flops, nearest.reads) == (200, (100, None))
    volume = {"input": (1, 4, 9, 9, 9), "grid": (1, 5, 5, 1, 3)}
    trilinear = estimate("aten.grid_sampler_3d", volume, (1, 4, 5, 5, 1))
    # 100 outputs * 15, 25 positions * (3 * 6 + 8 corners * 2)
    assert trilinear.vector_flops == 1_500 + 25 * 34


# what is addressed


@pytest.mark.parametrize(
    ("name", "inputs", "output", "attributes", "reads"),
    [
        # 2*5 rows of 8 out of 100
        ("aten.embedding", {"weight": (100, 8), "indices": (2, 5)}, (2, 5, 8), {}, (80, None)),
        # a table smaller than what is looked up is read once
        ("aten.embedding", {"weight": (2, 8), "indices": (2, 5)}, (2, 5, 8), {}, (16, None)),
        ("aten.index_select", {"self": (100, 8), "index": (3,)}, (3, 8), {"dim": 0}, (24, None)),
        ("aten.gather", {"self": (4, 9), "index": (4, 2)}, (4, 2), {"dim": 1}, (8, None)),
        ("aten.index", {"self": (50, 6), "indices": [(7,), (7,)]}, (7,), {}, (7, None, None)),
    ],
)  # fmt: skip
def test_gathering_reads_what_it_looks_up(name, inputs, output, attributes, reads):
    cost = estimate(name, inputs, output, **attributes)
    assert (cost.flops, cost.reads, cost.kind) == (0, reads, KernelKind.GATHER)


def test_embedding_bags_sum_what_they_look_up():
    shapes = {"weight": (1000, 16), "indices": (40,), "offsets": (8,), "per_sample_weights": (40,)}
    cost = estimate("aten._embedding_bag", shapes, (8, 16), (40,), (8,), (8,), mode=0)
    # 40*16 products and sums
    assert (cost.vector_flops, cost.reads) == (1_280, (640, None, None, None))


@pytest.mark.parametrize(
    ("name", "inputs", "attributes", "vector_flops", "reads", "writes"),
    [
        # in place: 2*8 of 100*8 elements
        ("aten.index_put_", {"self": (100, 8), "indices": [(2,)], "values": (2, 8)}, {}, 0, (0, None, None), (16,)),
        ("aten.index_add_", {"self": (100, 8), "index": (2,), "source": (2, 8)}, {"dim": 0}, 16, (16, None, None), (16,)),
        ("aten.scatter_", {"self": (100, 8), "index": (3, 8)}, {"dim": 0, "value": 1.0}, 0, (0, None), (24,)),
        ("aten.masked_scatter_", {"self": (100, 8), "mask": (100, 8), "source": (900,)}, {}, 0, (0, None, None), (800,)),
        # a new tensor: everything moves
        ("aten.index_put", {"self": (100, 8), "indices": [(2,)], "values": (2, 8)}, {}, 0, None, None),
        ("aten.scatter_add", {"self": (100, 8), "index": (2, 8), "src": (2, 8)}, {"dim": 0}, 16, None, None),
        ("aten.slice_scatter", {"self": (100, 8), "src": (2, 8)}, {"dim": 0}, 0, None, None),
    ],
)  # fmt: skip
def test_scattering_in_place_moves_only_what_it_writes(
    name, inputs, attributes, vector_flops, reads, writes
):
    cost = estimate(name, inputs, (100, 8), **attributes)
    assert (cost.vector_flops, cost.reads, cost.writes) == (vector_flops, reads, writes)


def test_searching_takes_a_comparison_a_halving():
    # 8 boundaries make 9 places: 4 comparisons for each of 10
    assert estimate("aten.bucketize", {"self": (10,), "boundaries": (8,)}, (10,)).vector_flops == 40
    sets = {"elements": (10,), "test_elements": (7,)}
    assert estimate("aten.isin", sets, (10,)).vector_flops == 30
    assert estimate("aten.nonzero", {"self": (6, 7)}, (5, 2)).vector_flops == 42


# copies


@pytest.mark.parametrize(
    "name", ["aten.clone", "aten.roll", "aten.constant_pad_nd", "aten.pixel_shuffle", "aten.repeat"]
)
def test_copies_do_no_arithmetic_and_move_everything(name):
    cost = estimate(name, {"self": (2, 8)}, (4, 4))
    assert (cost.flops, cost.kind, cost.reads, cost.writes) == (0, KernelKind.COPY, None, None)


def test_a_copy_that_changes_the_format_is_a_cast():
    shapes = {"self": (4,)}
    half = estimate("aten._to_copy", shapes, (4,), output_dtype="float16")
    same = estimate("aten._to_copy", shapes, (4,))
    assert (half.kind, same.kind) == (KernelKind.CAST, KernelKind.COPY)
    both = {"self": (4,), "src": (4,)}
    into = estimate("aten.copy_", both, (4,), input_dtypes={"src": "float16"})
    assert (into.kind, into.reads) == (KernelKind.CAST, (0, None))


def test_fills_read_nothing_and_empty_tensors_are_not_written():
    assert estimate("aten.zeros", {}, (4, 4)) == Cost(kind=KernelKind.COPY, reads=())
    assert estimate("aten.full_like", {"self": (4, 4)}, (4, 4)).reads == (0,)
    assert estimate("aten.zero_", {"self": (4, 4)}, (4, 4)).reads == (0,)
    assert estimate("aten.empty", {}, (4, 4)).writes == (0,)


def test_unfolding_copies_and_folding_adds():
    # 1 image of 3 channels, 9 places of 2*2: 12 x 9 values
    assert estimate("aten.im2col", {"self": (1, 3, 4, 4)}, (1, 12, 9)).flops == 0
    assert estimate("aten.col2im", {"self": (1, 12, 9)}, (1, 3, 4, 4)).flops == 108


# sorting, transforms, detectors


def test_sorting_and_selecting():
    # 1000 elements halve 10 times; a heap of 5 has 3 levels, one of 1 a single one
    assert estimate("aten.sort", {"self": (3, 1000)}, (3, 1000), dim=-1).vector_flops == 30_000
    assert estimate("aten.sort", {"self": (1000, 3)}, (1000, 3), dim=0).vector_flops == 30_000
    assert estimate("aten.topk", {"self": (3, 1000)}, (3, 5), k=5).vector_flops == 9_000
    assert estimate("aten.topk", {"self": (3, 1000)}, (3, 1), k=1).vector_flops == 3_000
    assert estimate("aten.median", {"self": (3, 1000)}, (3,), dim=1).vector_flops == 9_000
    assert estimate("aten.sort", {"self": ()}, ()).vector_flops == 0


@pytest.mark.parametrize(
    ("name", "shape", "output", "dim", "flops"),
    [
        # 5 * 64 * log2(64) = 1920, for each of 3
        ("aten._fft_c2c", (3, 64), (3, 64), (1,), 5_760),
        # two axes are one transform of 8*8 points
        ("aten._fft_c2c", (3, 8, 8), (3, 8, 8), (1, 2), 5_760),
        # real: half of it, on either side
        ("aten._fft_r2c", (3, 64), (3, 33), (1,), 2_880),
        ("aten._fft_c2r", (3, 33), (3, 64), (1,), 2_880),
        # 14 points, as of a 14 x 14 feature map: 5 * 196 * log2(196) = 7462.4 (rounded)
        ("aten._fft_c2c", (14, 14), (14, 14), (0, 1), 7_462),
        ("aten._fft_c2c", (3, 1), (3, 1), (1,), 0),
        ("aten._fft_c2c", (0, 64), (0, 64), (1,), 0),
    ],
)
def test_fourier_transforms(name, shape, output, dim, flops):
    cost = estimate(name, {"self": shape}, output, dim=dim)
    assert (cost.vector_flops, cost.kind) == (flops, KernelKind.FFT)


def test_regions_are_sampled_and_boxes_compared():
    shapes = {"input": (1, 8, 20, 20), "rois": (3, 5)}
    aligned = estimate("torchvision.roi_align", shapes, (3, 8, 2, 2), sampling_ratio=3)
    # 96 outputs * (9 samples * 8 + 1); 36 neighbours each are more than there are: 3200
    assert (aligned.vector_flops, aligned.reads) == (96 * 73, (3_200, None))
    adaptive = estimate("torchvision.roi_align", shapes, (3, 8, 2, 2), sampling_ratio=-1)
    assert (adaptive.vector_flops, adaptive.reads) == (96 * 33, (1_536, None))
    assert estimate("torchvision.roi_pool", shapes, (3, 8, 2, 2)).vector_flops == 3 * 8 * 400
    # 16 boxes: 16 * 4 to sort, 3 * 16 areas, 120 pairs * 13
    boxes = {"dets": (16, 4), "scores": (16,)}
    assert estimate("torchvision.nms", boxes, (5,)).vector_flops == 64 + 48 + 1_560
    assert estimate("torchvision.nms", {"dets": (0, 4), "scores": (0,)}, (0,)).vector_flops == 0

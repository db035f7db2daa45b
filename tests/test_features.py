"""Columns: what is read and written, what repeats, what is alive. Arithmetic in the comments."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import characterize as ch
from characterize import codec, features, fusion, models, tracing
from characterize.columns import KINDS
from characterize.errors import BrokenRecordError
from characterize.records import KernelKind, Launching, Precision, Stack


def meta(*shape, dtype=torch.float32):
    return torch.empty(shape, dtype=dtype, device="meta")


def columns(module, *inputs, stack=Stack.COMPILED):
    return features.columns(fusion.fuse(ch.trace(module, *inputs), stack))


def test_the_conv2d_report_in_columns():
    graph = ch.trace("conv2d_stack", batch=32, in_channels=16)
    found = features.columns(fusion.fuse(graph, Stack.COMPILED))
    kernels = found.kernels
    assert len(kernels.kind) == 1  # three equal kernels are one row
    assert kernels.count.tolist() == [[3.0]]
    assert found.flops.tolist() == [1_818_230_784.0]
    # input 32x16x64x64 + weights 16x16x9 + output 32x16x64x64, 4 bytes each, three times
    moved = kernels.memory_bytes(Precision.FP32) * kernels.count
    assert moved.sum() == 3 * 4 * (2 * 32 * 16 * 64 * 64 + 16 * 16 * 9) == 50_359_296


def test_the_matrix_product_of_a_convolution():
    kernels = columns(
        nn.Conv2d(6, 10, 3, stride=2, padding=1, bias=False), meta(4, 6, 9, 9)
    ).kernels
    # 4 images x 5x5 positions, 10 channels, 6 x 3x3 deep
    sizes = [kernels.m, kernels.n, kernels.k, kernels.groups, kernels.kernel_area, kernels.stride]
    assert [a[0, 0] for a in sizes] == [100, 10, 54, 1, 9, 2]
    assert KINDS[kernels.kind[0]] is KernelKind.CONVOLUTION
    assert kernels.input_elements[0, 0] == 4 * 6 * 81
    assert kernels.weight_elements[0, 0] == 540
    assert kernels.output_elements[0, 0] == 1000


def test_an_embedding_reads_the_rows_that_it_looks_up():
    kernels = columns(nn.Embedding(50_000, 64), meta(2, 8, dtype=torch.int64)).kernels
    assert kernels.weight_elements[0, 0] == 16 * 64  # 16 rows of the 50,000
    assert kernels.fixed_read_bytes[0, 0] == 16 * 8  # int64 indices keep their size
    assert kernels.output_elements[0, 0] == 16 * 64


def test_expanding_is_free_until_the_copy_is_made():
    class Net(nn.Module):
        def forward(self, x):
            return x.expand(64, 8) * 2.0

    kernels = columns(Net(), meta(1, 8)).kernels
    assert kernels.input_elements[0, 0] == 8  # a view of 512 elements shows 8
    assert kernels.output_elements[0, 0] == 512


def test_what_stays_inside_a_kernel_moves_nothing():
    net = nn.Sequential(nn.Linear(32, 32, bias=False), nn.ReLU())
    fused = columns(net, meta(8, 32)).kernels
    eager = columns(net, meta(8, 32), stack=Stack.EAGER).kernels
    assert fused.memory_bytes(Precision.FP32).sum() == 4 * (256 + 1024 + 256)
    assert eager.memory_bytes(Precision.FP32).sum() == 4 * (256 + 1024 + 256 + 256 + 256)
    assert fused.intermediate_elements[0, 0] == 256


def test_peak_memory_is_parameters_and_the_largest_live_set():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.up = nn.Linear(8, 64, bias=False)
            self.down = nn.Linear(64, 8, bias=False)

        def forward(self, x):
            return x + self.down(self.up(x))

    found = columns(Net(), meta(2, 8), stack=Stack.EAGER)
    # while `down` runs: x (16, needed by the add), up's result (128) and its own (16)
    assert found.live_elements.max() == 16 + 128 + 16
    weights = 8 * 64 * 2
    assert found.peak_memory_bytes(Precision.FP32).tolist() == [4 * (weights + 160)]
    assert found.peak_memory_bytes(Precision.INT8).tolist() == [weights + 160]


def test_an_in_place_operator_needs_no_second_buffer():
    plain = columns(nn.Sequential(nn.Flatten(), nn.ReLU()), meta(4, 16), stack=Stack.EAGER)
    assert plain.live_elements.max() == 128

    class Net(nn.Module):
        def forward(self, x):
            y = x + 1.0
            return y.relu_()

    inplace = columns(Net(), meta(4, 16), stack=Stack.EAGER)
    assert inplace.live_elements.max() == 128  # x and y; the relu writes where y was


def test_a_grid_is_its_configurations_one_by_one():
    values = models.family("conv2d_stack").check(batch_norm=True, layers=3)
    names = [*models.family("conv2d_stack").symbolic, "batch"]
    frame = features.skeleton(fusion.fuse(tracing.trace_template("conv2d_stack", values, names, 4)))
    base = {name: values.get(name, 4) for name in names}
    sizes = np.array([8, 33, 64])
    grid = features.columns(frame, {**base, "channels": sizes})
    for i, size in enumerate(sizes.tolist()):
        one = features.columns(frame, {**base, "channels": size})
        assert grid.macs[i] == one.macs[0]
        assert grid.flops[i] == one.flops[0]
        assert grid.parameters[i] == one.parameters[0]
        assert np.broadcast_to(grid.kernels.output_elements, (len(grid.kernels.kind), 3))[
            :, i
        ].tolist() == (one.kernels.output_elements[:, 0].tolist())


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 4), st.integers(1, 3), st.sampled_from(["relu", "gelu", "silu"]))
def test_fusing_never_changes_macs_and_never_adds_bytes(layers, channels, activation):
    graph = ch.trace(
        "conv2d_stack", batch=2, layers=layers, channels=8 * channels, batch_norm=True,
        activation=activation, input_size=16,
    )  # fmt: skip
    apart = features.columns(fusion.unfused(graph))
    for stack in Stack:
        fused = features.columns(fusion.fuse(graph, stack))
        moved = (fused.kernels.memory_bytes(Precision.FP32) * fused.kernels.count).sum()
        before = (apart.kernels.memory_bytes(Precision.FP32) * apart.kernels.count).sum()
        assert moved <= before
        assert fused.macs.tolist() == apart.macs.tolist() == [graph.macs]
        assert fused.flops.tolist() == [graph.flops]


@pytest.mark.parametrize("symbolic", [True, False])
def test_a_graph_survives_its_text(symbolic):
    values = models.family("mlp").check()
    graph = (
        tracing.trace_template("mlp", values, ["width", "batch"], 4)
        if symbolic
        else ch.trace("mlp", batch=4)
    )
    again = codec.decode(codec.encode(graph))
    assert again.values == graph.values
    assert again.guards == graph.guards
    assert [(o.name, o.inputs, o.outputs, o.attributes, o.module) for o in again.operators] == [
        (o.name, o.inputs, o.outputs, o.attributes, o.module) for o in graph.operators
    ]
    sizes = {"width": 96, "batch": 3} if symbolic else None
    assert (
        features.columns(fusion.fuse(again), sizes).flops.tolist()
        == features.columns(fusion.fuse(graph), sizes).flops.tolist()
    )


def test_a_broken_text_is_refused():
    with pytest.raises(BrokenRecordError, match="cannot be read"):
        codec.decode(b"not a template")


def test_what_decides_how_a_processor_runs_a_kernel():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(3, 32, 3, padding=1)
            self.norm = nn.GroupNorm(4, 32)
            self.tokens = nn.LayerNorm(32)
            self.wide = nn.Conv2d(32, 64, 1)

        def forward(self, x):
            x = self.norm(self.stem(x))
            x = self.tokens(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            x = self.wide(x)
            return torch.cat([x, x.relu()], 1).mean((2, 3))

    fused = columns(Net(), meta(2, 3, 8, 8)).kernels
    found, _ = fused.launched(Launching())

    def of(kind, name):
        return getattr(found, name)[found.kind == KINDS.index(kind), 0].tolist()

    assert of(KernelKind.CONVOLUTION, "images") == [2]
    assert of(KernelKind.CONVOLUTION, "plain") == [0]
    assert of(KernelKind.POINTWISE_CONVOLUTION, "plain") == [1]  # it reads a view of (2, 8, 8, 32)
    assert of(KernelKind.GROUP_NORM, "chunks") == [2 * 4]  # a piece an image and group
    assert of(KernelKind.GROUP_NORM, "run") == [32 // 4]
    assert found.chunks.max() == 2 * 128 / 16  # the mean: 128 channels, a vector of 16 each
    assert (found.rearranging > 0).sum() == 1  # cat
    half = found.batched(0.5)
    assert half.images.max() == 1
    assert half.chunks.max() == 8

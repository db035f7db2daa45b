"""What the tracer writes down, on networks small enough to count by hand."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import characterize as ch
from characterize import costs, tracing
from characterize.errors import InvalidValueError, TraceError, UnknownNameError
from characterize.records import Cost, KernelKind, Precision, Role


def meta(*shape, dtype=torch.float32):
    return torch.empty(shape, dtype=dtype, device="meta")


def names(graph):
    return [operator.name for operator in graph.operators]


def test_operators_have_shapes_modules_and_edges():
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 10)
    )
    graph = ch.trace(net, meta(2, 3, 4, 4))
    assert names(graph) == ["aten.conv2d", "aten.relu", "aten.linear"]  # flatten is a view: free
    conv, relu, linear = graph.operators
    assert [o.module for o in graph.operators] == ["0", "1", "3"]
    assert [graph.values[i].shape for i in conv.inputs] == [(2, 3, 4, 4), (8, 3, 3, 3), (8,)]
    assert relu.inputs == conv.outputs
    flat = graph.values[linear.inputs[0]]
    assert flat.shape == (2, 128)
    assert flat.source == relu.outputs[0]  # the view shows the elements that relu wrote
    assert graph.outputs == linear.outputs


def test_counts_of_a_small_network_are_those_of_the_arithmetic():
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 10)
    )
    graph = ch.trace(net, meta(2, 3, 4, 4))
    # conv: 2x8x4x4 outputs x 3x9; linear: 2x10 outputs x 128
    assert graph.macs == 2 * 8 * 16 * 27 + 2 * 10 * 128
    assert graph.flops == 2 * graph.macs + 2 * 8 * 16  # one a ReLU element; biases are start values
    assert graph.parameters == 8 * 27 + 8 + 10 * 128 + 10
    assert graph.uncounted == 0


def test_a_view_of_part_reads_that_part_and_a_permuted_copy_is_real():
    class Net(nn.Module):
        def forward(self, x):
            half = x[:, :2]
            return half.permute(1, 0).contiguous() + 1.0

    graph = ch.trace(Net(), meta(4, 8))
    assert names(graph) == ["aten.clone", "aten.add"]
    view = graph.values[graph.operators[0].inputs[0]]
    assert view.shape == (2, 4)
    assert graph.values[view.source].shape == (4, 8)


@pytest.mark.parametrize(
    ("view", "order"),
    [
        (lambda x: x.transpose(1, 2), (0, 2, 1)),
        (lambda x: x.transpose(1, 2).transpose(1, 2), ()),
        (lambda x: x.permute(2, 0, 1), (1, 2, 0)),  # [5, 3, 5]: the last of x comes first
        (lambda x: x.flatten(0, 1), ()),
        (lambda x: x[:, :2].transpose(1, 2), (0, 2, 1)),
        (lambda x: x[:1].transpose(0, 1), ()),  # a dimension of one element has no place
        (lambda x: x.unsqueeze(1).expand(-1, 5, -1, -1).transpose(2, 3), (0, 3, 2)),
    ],
    ids=["transposed", "back", "permuted", "merged", "slice", "one", "expanded"],
)
def test_a_view_has_the_order_of_its_dimensions_even_if_sizes_are_equal(view, order):
    class Net(nn.Module):
        def forward(self, x):
            return view(torch.relu(x)) * 2.0

    graph = ch.trace(Net(), meta(3, 5, 5))
    relu, mul = graph.operators
    shown = graph.values[mul.inputs[0]]
    assert shown.source == relu.outputs[0]
    assert shown.order == order


def test_order_is_that_of_the_source_wherever_that_lies():
    class Net(nn.Module):
        def forward(self, x):
            y = torch.relu(x.t())  # laid out as x.t() is: column by column
            return y.t() * 2.0, y.view(4, 4) + 1.0

    graph = ch.trace(Net(), meta(4, 4))
    relu, mul, add = graph.operators
    assert [graph.values[o.inputs[0]].order for o in (relu, mul, add)] == [(1, 0), (1, 0), ()]


def test_writing_through_a_transposed_square_leaves_the_base_in_its_order():
    class Net(nn.Module):
        def forward(self, x):
            y = x + 1.0
            y.t().relu_()
            return y * 2.0

    graph = ch.trace(Net(), meta(4, 4))
    assert names(graph) == ["aten.add", "aten.relu_", "aten.mul"]
    relu, mul = graph.operators[1:]
    assert graph.values[relu.inputs[0]].order == (1, 0)
    read = graph.values[mul.inputs[0]]
    assert (read.source, read.order) == (relu.outputs[0], ())


def test_in_place_operators_make_a_new_value_in_the_old_memory():
    class Net(nn.Module):
        def forward(self, x):
            y = x + 1.0
            z = y.view(2, 8)
            y.relu_()
            return z * 2.0

    graph = ch.trace(Net(), meta(4, 4))
    add, relu, mul = graph.operators
    assert relu.inplace
    before, after = graph.values[add.outputs[0]], graph.values[relu.outputs[0]]
    assert before.storage == after.storage
    # z was made before relu_, but what it shows was written by relu_
    assert graph.values[mul.inputs[0]].source == relu.outputs[0]


def test_writing_part_of_a_buffer_moves_that_part():
    class Net(nn.Module):
        def forward(self, x):
            out = torch.zeros(4, 8)
            out[:, :2] = x
            return out * 2.0

    graph = ch.trace(Net(), meta(4, 2))
    copy = next(o for o in graph.operators if o.name == "aten.copy_")
    assert copy.attributes["written"] == (4, 2)
    assert graph.values[copy.outputs[0]].shape == (4, 8)
    mul = graph.operators[-1]
    assert graph.values[mul.inputs[0]].source == copy.outputs[0]
    assert graph.values[mul.outputs[0]].role is Role.ACTIVATION


def test_tied_weights_count_once():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(100, 16)
            self.head = nn.Linear(16, 100, bias=False)
            self.head.weight = self.embed.weight

        def forward(self, x):
            return self.head(self.embed(x))

    graph = ch.trace(Net(), meta(2, 5, dtype=torch.int64))
    assert graph.parameters == 1600
    assert graph.macs == 2 * 5 * 16 * 100


def test_attention_is_one_operator():
    graph = ch.trace(nn.MultiheadAttention(64, 4, batch_first=True), *[meta(2, 7, 64)] * 3)
    assert (
        names(graph).count("aten.scaled_dot_product_attention") + names(graph).count("aten.bmm")
        >= 1
    )
    fast = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True)
    graph = ch.trace(fast, meta(2, 7, 64))
    assert names(graph).count("aten.scaled_dot_product_attention") == 1
    # qkv 7x64x192, scores and values 2 x 4 heads x 7x7x16, projection 7x64x64, feed-forward 2 x 7x64x128
    assert graph.macs == 2 * (7 * 64 * 192 + 2 * 4 * 7 * 7 * 16 + 7 * 64 * 64 + 2 * 7 * 64 * 128)


def test_what_depends_only_on_weights_is_not_an_activation():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(8, 8))

        def forward(self, x):
            return x @ (self.weight * 2.0)

    graph = ch.trace(Net(), meta(3, 8))
    product = graph.operators[0]
    assert product.name == "aten.mul"
    assert graph.values[product.outputs[0]].role is Role.DERIVED


def test_a_module_with_weights_is_traced_without_touching_them():
    convolution, norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
    net = nn.Sequential(convolution, norm, nn.Dropout(0.5)).train()
    before = convolution.weight.clone()
    graph = ch.trace(net, torch.rand(1, 3, 8, 8))
    assert names(graph) == ["aten.conv2d", "aten.batch_norm"]
    assert graph.parameters == 4 * 27 + 4 + 8
    assert net.training
    assert norm.training
    assert torch.equal(convolution.weight, before)
    assert convolution.weight.device.type == "cpu"
    assert norm.num_batches_tracked is not None
    assert int(norm.num_batches_tracked) == 0


def test_a_decision_on_values_is_refused_with_its_line():
    class Net(nn.Module):
        def forward(self, x):
            if x.sum() > 0:
                return x
            return -x

    with pytest.raises(
        TraceError, match=r"depends on the values of a tensor at .*test_tracing.py, line \d+"
    ):
        ch.trace(Net(), meta(3))


def test_a_wrong_input_is_refused_with_its_line():
    with pytest.raises(TraceError, match="could not be traced"):
        ch.trace(nn.Linear(8, 4), meta(3, 9))


def test_what_is_no_model_is_refused():
    with pytest.raises(InvalidValueError, match=r"nn\.Module with example inputs, not int"):
        ch.trace(3)
    with pytest.raises(UnknownNameError, match="Did you mean 'resnet'"):
        ch.trace("resnett")


def test_an_operator_without_formula_is_counted_and_named():
    with torch.library._scoped_library("characterize_tests", "FRAGMENT") as library:
        library.define("mystery(Tensor x) -> Tensor")
        library.impl("mystery", lambda x: torch.empty_like(x), "Meta")

        class Net(nn.Module):
            def forward(self, x):
                return torch.ops.characterize_tests.mystery(x) + x

        graph = ch.trace(Net(), meta(3, 3))
    assert graph.uncounted == 1
    assert graph.uncounted_names == ("characterize_tests.mystery",)


@pytest.mark.parametrize(
    ("module", "shapes"),
    [
        (nn.Conv1d(8, 12, 5, stride=2, groups=4), [(2, 8, 33)]),
        (nn.Conv3d(2, 4, 3, dilation=2), [(1, 2, 9, 9, 9)]),
        (nn.ConvTranspose2d(8, 4, 3, stride=2, output_padding=1), [(2, 8, 7, 7)]),
        (nn.ConvTranspose2d(8, 8, 3, groups=8), [(1, 8, 5, 5)]),
        (nn.Bilinear(5, 6, 7), [(3, 5), (3, 6)]),
        (nn.LSTM(10, 20, 2, bidirectional=True), [(7, 2, 10)]),
        (nn.GRU(10, 20), [(7, 2, 10)]),
        (nn.LSTMCell(10, 20), [(2, 10)]),
    ],
    ids=str,
)  # fmt: skip
def test_macs_equal_those_of_torch(module, shapes):
    inputs = [meta(*shape) for shape in shapes]
    graph = ch.trace(module, *inputs)
    module = module.to("meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(*inputs)
    assert 2 * graph.macs == counter.get_total_flops()
    assert graph.uncounted == 0


def test_tracing_allocates_no_weights():
    # 40 GB of float32 weights: building them for real would not fit
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(50_000, 50_000, bias=False) for _ in range(4))

        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
            return x

    with torch.device("meta"):
        net = Net()
    graph = ch.trace(net, meta(1, 50_000))
    assert graph.parameters == 4 * 50_000**2
    assert graph.macs == 4 * 50_000**2


def test_a_template_evaluates_to_the_concrete_trace():
    from characterize import features, fusion, models, symbols

    family = models.family("conv2d_stack")
    values = family.check(layers=4, batch_norm=True)
    template = tracing.trace_template("conv2d_stack", values, [*family.symbolic, "batch"], 4)
    assert set(template.symbols) == {*family.symbolic, "batch"}
    for batch, channels, size in [(2, 8, 9), (32, 48, 224), (7, 33, 65)]:
        asked = {**values, "channels": channels, "input_size": size}
        sizes = {name: asked.get(name, batch) for name in template.symbols}
        assert symbols.holds(template.guards, sizes)
        bound = features.columns(fusion.fuse(template), sizes)
        concrete = ch.trace("conv2d_stack", batch=batch, **asked)
        direct = features.columns(fusion.fuse(concrete))
        assert bound.macs.tolist() == [concrete.macs]
        assert bound.flops.tolist() == [concrete.flops]
        assert bound.parameters.tolist() == [concrete.parameters]
        assert bound.skeleton.row_of == direct.skeleton.row_of
        moved = [
            (c.kernels.memory_bytes(Precision.FP32) * c.kernels.count).sum()
            for c in (bound, direct)
        ]
        assert moved[0] == moved[1]


def test_parameters_that_are_never_read_count_and_are_named():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.used = nn.Linear(4, 4, bias=False)
            self.spare = nn.Linear(4, 2, bias=False)

        def forward(self, x):
            return self.used(x)

    graph = ch.trace(Net(), meta(1, 4))
    assert graph.parameters == 16 + 8
    assert graph.notes == ("The forward pass does not read 1 parameter tensors (spare.weight).",)


def test_a_formula_registered_later_is_used():
    with torch.library._scoped_library("characterize_later", "FRAGMENT") as library:
        library.define("twice(Tensor x) -> Tensor")
        library.impl("twice", lambda x: x + x, "CompositeImplicitAutograd")

        class Net(nn.Module):
            def forward(self, x):
                return torch.ops.characterize_later.twice(x)

        assert names(ch.trace(Net(), meta(3))) == ["aten.add"]  # taken apart
        ch.register_formula("characterize_later.twice")(
            lambda work: Cost(kind=KernelKind.ELEMENTWISE, vector_flops=7 * work.elements)
        )
        try:
            graph = ch.trace(Net(), meta(3))
        finally:
            costs.forget("characterize_later.twice")
    assert names(graph) == ["characterize_later.twice"]
    assert graph.flops == 21

from __future__ import annotations

import pytest

from characterize.errors import UnknownNameError
from characterize.fusion import fuse, patterns, unfused
from characterize.records import Role, Stack
from tests.fusion_support import Net, faults, kernel_bytes, patterns_of, total_bytes

IMAGE = (2, 16, 8, 8)
FUSING = ("compiled", "engine")


def chain(*steps: str, kernel: int = 3):
    """An image through these steps, each a method of Net or the name of an elementwise operator."""
    net = Net()
    x = net.input(*IMAGE)
    for step in steps:
        match step:
            case "conv":
                x = net.conv(x, 16, kernel=kernel)
            case "bn":
                x = net.bn(x)
            case _:
                x = net.unary(step, x)
    return net.graph(x)


# what every stack makes of a chain


@pytest.mark.parametrize(
    ("steps", "compiled", "engine"),
    [
        (["conv", "relu"], ["conv+relu"], ["conv+relu"]),
        (["conv", "bn"], ["conv+bn"], ["conv+bn(folded)"]),
        (["conv", "bn", "relu"], ["conv+bn+relu"], ["conv+bn(folded)+relu"]),
        (["conv", "sigmoid"], ["conv+sigmoid"], ["conv+sigmoid"]),
        (["conv", "bn", "silu"], ["conv+bn+silu"], ["conv+bn(folded)+silu"]),
        (["conv", "bn", "hardswish"], ["conv+bn+hardswish"], ["conv+bn(folded)+hardswish"]),
        (["conv", "hardtanh_"], ["conv+hardtanh"], ["conv+hardtanh"]),
        (["bn", "relu", "conv"], ["bn+relu", "conv"], ["bn+relu", "conv"]),
        (["relu", "sigmoid", "tanh", "exp"], ["pointwise x4"], ["pointwise x4"]),
        (["conv", "relu", "bn"], ["conv+relu+bn"], ["conv+relu+bn"]),
    ],
)
def test_a_chain_fuses_as_its_stack_does(steps, compiled, engine):
    graph = chain(*steps)
    for stack, expected in (("compiled", compiled), ("engine", engine)):
        kernels = fuse(graph, stack)
        assert patterns_of(kernels) == expected
        assert faults(kernels) == []
    assert len(fuse(graph, "eager").kernels) == len(steps)


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu", "tanh"])
@pytest.mark.parametrize("stack", FUSING)
def test_a_linear_layer_takes_its_activation(activation, stack):
    net = Net()
    y = net.unary(activation, net.linear(net.input(4, 32), 64))
    assert patterns_of(fuse(net.graph(y), stack)) == [f"linear+{activation}"]


def test_eager_runs_every_operator_by_itself():
    graph = chain("conv", "bn", "relu")
    kernels = fuse(graph, "eager")
    assert kernels == unfused(graph)
    assert [kernel.operators for kernel in kernels.kernels] == [(0,), (1,), (2,)]
    assert {kernel.reason for kernel in kernels.kernels} == {"eager runs every operator by itself"}


def test_the_three_layers_of_the_report_are_three_kernels():
    net = Net()
    x = net.input(32, 16, 64, 64)
    for layer in range(3):
        x = net.relu(net.conv(x, 16, module=f"layers.{layer}.conv"), module=f"layers.{layer}.relu")
    kernels = fuse(net.graph(x))
    assert [kernel.name for kernel in kernels.kernels] == [
        "layers.0.conv+relu", "layers.1.conv+relu", "layers.2.conv+relu"
    ]  # fmt: skip
    # each: input + output 2 * 32*16*64*64 = 4,194,304 elements, weight 16*16*3*3 = 2,304; * 4 bytes
    assert [kernel_bytes(kernels.graph, k) for k in kernels.kernels] == [16_786_432] * 3
    assert total_bytes(kernels) == 50_359_296
    # unfused, each ReLU reads and writes 2,097,152 elements more: + 3 * 2 * 2,097,152 * 4
    assert total_bytes(unfused(kernels.graph)) == 50_359_296 + 50_331_648


# residual additions


@pytest.mark.parametrize("stack", FUSING)
def test_a_residual_is_added_by_the_convolution_before_it(stack):
    net = Net()
    x = net.input(*IMAGE)
    y = net.bn(net.conv(net.relu(net.bn(net.conv(x, 16))), 16))
    out = net.unary("relu_", net.op("add_", (y, x), IMAGE, inplace=True))
    kernels = fuse(net.graph(out), stack)
    bn = "bn" if stack == "compiled" else "bn(folded)"
    assert patterns_of(kernels) == [f"conv+{bn}+relu", f"conv+{bn}+add+relu"]
    assert x in kernels.kernels[1].reads
    assert faults(kernels) == []


@pytest.mark.parametrize("stack", FUSING)
def test_a_residual_goes_to_the_later_of_its_two_producers(stack):
    net = Net()
    x = net.input(*IMAGE)
    main = net.conv(x, 16, module="main")
    down = net.conv(x, 16, kernel=1, module="down")
    out = net.relu(net.add(main, down, module="join"), module="act")
    kernels = fuse(net.graph(out), stack)
    assert [kernel.name for kernel in kernels.kernels] == ["main", "down+join+act"]
    assert kernels.kernels[0].reason == "add not fused: it went to down, which runs later"
    assert main in kernels.kernels[1].reads
    assert faults(kernels) == []


def test_a_residual_from_a_slow_side_path_makes_the_convolution_wait():
    net = Net()
    x = net.input(*IMAGE)
    main = net.conv(x, 16)
    side = net.unary("sort", x)  # runs after the convolution in the trace, and does not need it
    kernels = fuse(net.graph(net.add(main, side)))
    assert patterns_of(kernels) == ["sort", "conv+add"]
    assert faults(kernels) == []


def test_an_operand_that_depends_on_the_result_through_another_kernel_stays_outside():
    # conv -> sort -> add, and conv -> add: the convolution cannot add what it must first give away
    net = Net()
    y = net.conv(net.input(*IMAGE), 16)
    out = net.add(y, net.unary("sort", y))
    kernels = fuse(net.graph(out))
    assert patterns_of(kernels) == ["conv", "sort", "add"]
    assert kernels.kernels[0].reason == "sort begins a kernel of its own"
    assert faults(kernels) == []


# one consumer, no escape


@pytest.mark.parametrize("stack", FUSING)
def test_a_result_with_two_consumers_is_written(stack):
    net = Net()
    y = net.conv(net.input(*IMAGE), 16, module="conv1")
    a = net.relu(y)
    b = net.conv(y, 8)
    kernels = fuse(net.graph(a, b), stack)
    assert patterns_of(kernels) == ["conv", "relu", "conv"]
    assert kernels.kernels[0].writes == (y,)
    assert kernels.kernels[0].reason == "relu not fused: conv1's output has 2 consumers"
    assert faults(kernels) == []


@pytest.mark.parametrize("stack", FUSING)
def test_a_result_that_escapes_is_written(stack):
    net = Net()
    y = net.conv(net.input(*IMAGE), 16)
    kernels = fuse(net.graph(y, net.relu(y)), stack)
    assert patterns_of(kernels) == ["conv", "relu"]
    assert kernels.kernels[0].reason == "its result leaves the network"
    assert faults(kernels) == []


def test_a_result_that_escapes_as_a_view_is_written():
    net = Net()
    y = net.conv(net.input(*IMAGE), 16)
    kernels = fuse(net.graph(net.view(y, 2, 1024), net.relu(y)))
    assert patterns_of(kernels) == ["conv", "relu"]


def test_a_change_of_the_caller_s_memory_is_written():
    net = Net()
    x = net.input(*IMAGE)
    a = net.op("relu_", (x,), IMAGE, inplace=True)
    kernels = fuse(net.graph(net.unary("exp", a)))
    assert patterns_of(kernels) == ["relu+exp"]
    assert a in kernels.kernels[0].writes


def test_in_place_and_out_of_place_fuse_alike():
    graphs = [chain("conv", "relu", "sigmoid")]
    net = Net()
    y = net.conv(net.input(*IMAGE), 16)
    for name in ("relu_", "sigmoid_"):
        y = net.op(name, (y,), IMAGE, inplace=True)
    graphs.append(net.graph(y))
    assert patterns_of(fuse(graphs[0])) == patterns_of(fuse(graphs[1])) == ["conv+relu+sigmoid"]


# results used twice inside


@pytest.mark.parametrize("stack", FUSING)
def test_a_gate_of_a_value_by_its_own_sigmoid_is_silu(stack):
    net = Net()
    y = net.conv(net.input(*IMAGE), 16)
    kernels = fuse(net.graph(net.mul(y, net.unary("sigmoid", y))), stack)
    assert patterns_of(kernels) == ["conv+silu"]
    assert kernels.kernels[0].operators == (0, 1, 2)
    assert faults(kernels) == []


def test_the_tanh_form_of_gelu_is_one_epilogue():
    # half the value times one plus the tanh of an odd cubic in it
    net = Net()
    y = net.linear(net.input(4, 32), 64)
    half, cube = net.unary("mul", y), net.unary("pow", y)
    inner = net.add(y, net.unary("mul", cube))
    gate = net.unary("add", net.unary("tanh", net.unary("mul", inner)))
    kernels = fuse(net.graph(net.mul(half, gate)))
    assert len(kernels.kernels) == 1
    assert faults(kernels) == []


def test_an_epilogue_is_cut_where_one_value_leaves():
    # relu(y) is used by sigmoid and by a pooling: the region ends at relu
    net = Net()
    y = net.relu(net.conv(net.input(*IMAGE), 16))
    gate = net.unary("sigmoid", y)
    pooled = net.op("max_pool2d", (y,), (2, 16, 4, 4))
    kernels = fuse(net.graph(gate, pooled))
    assert patterns_of(kernels) == ["conv+relu", "sigmoid", "max_pool2d"]
    assert faults(kernels) == []


# the engine


def test_an_engine_folds_a_batch_norm_and_keeps_its_shift_as_the_bias():
    net = Net()
    x = net.input(*IMAGE)
    y = net.bn(net.conv(x, 16))
    kernels = fuse(net.graph(y), "engine")
    weight, bias = 1, 4  # x, weight, conv's output, then weight, bias, mean, variance of the norm
    assert kernels.folded == (1,)
    assert kernels.kernels[0].operators == (0,)
    assert kernels.kernels[0].reads == (x, weight, bias)
    assert kernels.kernels[0].writes == (y,)


@pytest.mark.parametrize("what", ["training", "two consumers", "computed weight"])
def test_an_engine_folds_only_what_is_fixed_and_unshared(what):
    net = Net()
    x = net.input(*IMAGE)
    y = net.conv(x, 16)
    if what == "computed weight":
        net.values[1] = net.values[1].__class__((16, 16, 3, 3), "float32", Role.ACTIVATION, 1, 1)
    z = net.bn(y, training=what == "training")
    outputs = (z, y) if what == "two consumers" else (z,)
    assert fuse(net.graph(*outputs), "engine").folded == ()


def test_an_engine_computes_what_depends_on_weights_alone_when_it_is_built():
    net = Net()
    x, w = net.input(4, 32), net.parameter(32)
    scale = net.unary("exp", w, role=Role.DERIVED)
    out = net.mul(x, scale)
    kernels = fuse(net.graph(out), "engine")
    assert kernels.folded == (0,)
    assert patterns_of(kernels) == ["mul"]
    assert patterns_of(fuse(net.graph(out))) == ["exp+mul"]


def test_an_engine_keeps_matrix_products_of_weights_so_that_macs_stay():
    net = Net()
    x, a, b = net.input(4, 8), net.parameter(8, 8), net.parameter(8, 8)
    w = net.op("mm", (a, b), (8, 8), role=Role.DERIVED, macs=512)
    kernels = fuse(net.graph(net.mul(x, net.unary("exp", w, role=Role.DERIVED))), "engine")
    assert kernels.folded == ()


# depthwise-separable pairs


@pytest.mark.parametrize("stack", FUSING)
def test_a_depthwise_separable_pair_is_one_kernel_where_asked_for(stack):
    net = Net()
    y = net.relu(net.bn(net.conv(net.input(*IMAGE), 16, groups=16)))
    mixed = net.conv(y, 24, kernel=1)
    graph = net.graph(net.bn(mixed))
    bn = "bn" if stack == "compiled" else "bn(folded)"
    assert patterns_of(fuse(graph, stack)) == [f"conv+{bn}+relu", f"conv+{bn}"]
    kernels = fuse(graph, stack, depthwise_separable=True)
    assert patterns_of(kernels) == [f"conv+{bn}+relu+conv+{bn}"]
    assert y not in kernels.kernels[0].writes + kernels.kernels[0].reads
    assert graph.operators[kernels.kernels[0].anchor].outputs == (mixed,)  # most of the macs


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"groups": 1}, {"kernel": 1}),
        ({"groups": 16}, {"kernel": 3}),
        ({"groups": 16}, {"kernel": 1, "stride": (2, 2)}),
        ({"groups": 16}, {"kernel": 1, "padding": (1, 1)}),
    ],
)
def test_other_pairs_of_convolutions_stay_apart(first, second):
    net = Net()
    y = net.conv(net.conv(net.input(*IMAGE), 16, **first), 16, **second)
    assert len(fuse(net.graph(y), depthwise_separable=True).kernels) == 2


def test_a_pair_whose_middle_is_used_elsewhere_stays_apart():
    net = Net()
    middle = net.conv(net.input(*IMAGE), 16, groups=16)
    graph = net.graph(net.conv(middle, 24, kernel=1), net.conv(middle, 8, kernel=1))
    assert len(fuse(graph, depthwise_separable=True).kernels) == 3


# symbolic templates


def test_a_template_fuses_as_the_network_it_stands_for():
    def net(batch, channels, size):
        net = Net()
        x = net.input(batch, channels, size, size)
        y = net.relu(net.bn(net.conv(x, channels)))
        tokens = net.view(net.conv(y, channels, kernel=1), batch, channels, _times(size, size))
        out = net.unary("softmax", net.unary("mul", tokens), dim=-1)
        return fuse(net.graph(out))

    symbolic, concrete = net("batch", "channels", "size"), net(2, 16, 8)
    assert [k.operators for k in symbolic.kernels] == [k.operators for k in concrete.kernels]
    assert [k.reads for k in symbolic.kernels] == [k.reads for k in concrete.kernels]
    assert patterns_of(symbolic) == ["conv+bn+relu", "conv+mul", "softmax"]


def test_dimensions_that_are_added_are_equal_whatever_their_text():
    # the two halves of d: d - (d + 1)//2 and (d + 1)//2
    net = Net()
    a, b = net.input("t", "d - (d + 1)//2"), net.input("t", "(d + 1)//2")
    out = net.op("add", (net.unary("exp", a), net.unary("tanh", b)), ("t", "(d + 1)//2"))
    assert patterns_of(fuse(net.graph(out))) == ["pointwise x3"]


def _times(a, b):
    return f"{a}*{b}" if isinstance(a, str) else a * b


# names and the list of patterns


def test_a_kernel_is_named_by_its_modules():
    net = Net()
    y = net.conv(net.input(*IMAGE), 16, module="layer1.0.conv1")
    y = net.relu(net.bn(y, module="layer1.0.bn1"), module="layer1.0.relu")
    y2 = net.add(net.conv(y, 16, module="layer1.0.conv2"), y, module="layer1.0")
    out = net.unary("exp", net.unary("sort", y2))
    kernels = fuse(net.graph(out)).kernels
    assert [k.name for k in kernels] == [
        "layer1.0.conv1+bn1+relu",
        "layer1.0.conv2+add",
        "sort",
        "exp",
    ]
    assert kernels[0].module == "layer1.0.conv1"


def test_every_stack_lists_its_patterns():
    names = {stack: {pattern.name for pattern in patterns(stack)} for stack in Stack}
    assert {"conv+bn", "conv+bn+relu", "conv+relu", "linear+gelu"} <= names[Stack.COMPILED]
    assert "conv+bn(folded)" in names[Stack.ENGINE] - names[Stack.COMPILED]
    assert names[Stack.EAGER] == {"conv+bias, linear+bias"}
    assert {p.name for p in patterns()} == set().union(*names.values())


@pytest.mark.parametrize(
    "call",
    [lambda: fuse(Net().graph(), "compile"), lambda: patterns("compile")],
    ids=["fuse", "patterns"],
)
def test_an_unknown_stack_is_refused_with_the_near_one(call):
    with pytest.raises(
        UnknownNameError, match=r"No stack named 'compile'\. Did you mean 'compiled'\?"
    ):
        call()


def test_an_empty_graph_has_no_kernels():
    assert fuse(Net().graph()).kernels == ()

"""Models from files: torch.export programs and ONNX graphs."""

import numpy as np
import pytest
import torch
from torch import nn

import characterize as ch
from characterize.errors import TraceError, UnknownNameError

onnx = pytest.importorskip("onnx")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 10)

    def forward(self, x):
        return self.head(torch.relu(self.norm(self.conv(x))).mean((2, 3)))


def test_an_exported_program_is_its_module(tmp_path):
    file = tmp_path / "net.pt2"
    net = Net().eval()
    torch.export.save(torch.export.export(net, (torch.rand(2, 3, 8, 8),)), file)
    graph = ch.trace(str(file))
    direct = ch.trace(net, torch.rand(2, 3, 8, 8))
    assert graph.macs == direct.macs == 2 * 8 * 64 * 27 + 2 * 80
    assert graph.parameters == direct.parameters
    assert graph.uncounted == 0


@pytest.fixture
def onnx_file(tmp_path):
    """conv (3 -> 8, 3x3, padded) + relu, global mean, flatten, matmul (8 -> 10) + add, and one unknown."""
    from onnx import TensorProto, helper, numpy_helper

    def weight(name, *shape):
        return numpy_helper.from_array(np.zeros(shape, np.float32), name)

    nodes = [
        helper.make_node(
            "Conv", ["x", "w", "b"], ["c"], "conv", pads=[1, 1, 1, 1], kernel_shape=[3, 3]
        ),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        helper.make_node("GlobalAveragePool", ["r"], ["p"], "pool"),
        helper.make_node("Flatten", ["p"], ["f"], "flat"),
        helper.make_node("MatMul", ["f", "m"], ["o"], "head"),
        helper.make_node("Add", ["o", "a"], ["s"], "bias"),
        helper.make_node("Hardmax", ["s"], ["y"], "hard"),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 10])],
        [weight("w", 8, 3, 3, 3), weight("b", 8), weight("m", 8, 10), weight("a", 10)],
    )
    file = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), file)
    return str(file)


def test_an_onnx_graph_is_counted_by_the_same_formulas(onnx_file):
    graph = ch.trace(onnx_file, batch=4)
    assert [o.name for o in graph.operators] == [
        "aten.conv2d", "aten.relu", "aten.adaptive_avg_pool2d", "aten.linear", "aten.add", "onnx.Hardmax",
    ]  # fmt: skip
    # 4 images: 8 channels x 64 pixels x 27, and 8 x 10
    assert graph.macs == 4 * 8 * 64 * 27 + 4 * 80
    assert graph.parameters == 8 * 27 + 8 + 80 + 10
    assert graph.operators[0].module == "conv"


def test_a_node_without_formula_is_uncounted_not_free(onnx_file):
    assert ch.trace(onnx_file).uncounted_names == ("onnx.Hardmax",)


def test_an_onnx_graph_fuses_and_projects(onnx_file):
    kernels = ch.fuse(ch.trace(onnx_file, batch=4), stack="compiled")
    assert kernels.kernels[0].pattern == "conv+relu"
    row = ch.project(kernels, hardware=["reference_cpu"]).table().iloc[0]
    assert row["uncounted"] == 1


def test_what_is_no_onnx_is_refused(tmp_path):
    file = tmp_path / "net.onnx"
    file.write_bytes(b"nothing of the kind")
    with pytest.raises(TraceError, match=r"net\.onnx could not be read as ONNX"):
        ch.trace(str(file))
    with pytest.raises(UnknownNameError, match="no file"):
        ch.trace(str(tmp_path / "other.onnx"))


def test_a_transpose_of_equal_sizes_has_another_order(tmp_path):
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Relu", ["x"], ["r"], "relu"),
        helper.make_node("Transpose", ["r"], ["t"], "across", perm=[0, 2, 1]),
        helper.make_node("Sqrt", ["t"], ["s"], "sqrt"),
        helper.make_node("Transpose", ["t"], ["u"], "back", perm=[0, 2, 1]),
        helper.make_node("Exp", ["u"], ["e"], "exp"),
    ]
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 4, 4]) for name in "xse"]
    graph = helper.make_graph(nodes, "net", made[:1], made[1:])
    file = tmp_path / "across.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), file)
    found = ch.trace(str(file))
    relu, sqrt, exp = found.operators
    shown = [found.values[o.inputs[0]] for o in (sqrt, exp)]
    assert [value.order for value in shown] == [(0, 2, 1), ()]
    assert {value.source for value in shown} == set(relu.outputs)

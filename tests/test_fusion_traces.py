"""Fusion of traced networks: families and zoo models, templates and the networks they stand for."""

from __future__ import annotations

from collections import Counter

import pytest

from characterize import models
from characterize.fusion import fuse, unfused
from characterize.tracing import trace, trace_template
from tests import zoo_support
from tests.fusion_support import faults, patterns_of, total_bytes, total_macs

FAMILIES = sorted(models.families())
SMALL = {
    "resnet": {"depth": 18},
    "transformer_decoder": {"layers": 2},
    "transformer_encoder": {"layers": 2},
    "vit": {"layers": 2},
    "mlp_mixer": {"layers": 2},
}
QUICK = ("conv2d_stack", "mlp", "resnet", "transformer_decoder", "unet")


def test_resnet_50_is_56_kernels():
    graph = trace("resnet", depth=50, batch=2)
    # 16 blocks of three convolutions, 4 of them with a fourth beside, and the stem: 53
    assert Counter(patterns_of(fuse(graph))) == {
        "conv+bn+relu": 33,  # the stem and the first two of each block
        "conv+bn": 4,  # the last of the blocks where the convolution beside it runs later, and adds
        "conv+bn+add+relu": 16,  # one a block
        "max_pool2d": 1,
        "adaptive_avg_pool2d": 1,
        "linear": 1,
    }
    engine = fuse(graph, "engine")
    assert len(engine.kernels) == 56
    assert len(engine.folded) == 53  # every batch norm
    assert {graph.operators[i].name for i in engine.folded} == {"aten.batch_norm"}
    # 53 convolutions, 53 norms, 16 + 33 ReLUs, 16 additions, two poolings and the linear layer
    assert len(unfused(graph).kernels) == len(graph.operators) == 53 + 53 + 49 + 16 + 3


def test_the_report_s_network_moves_the_bytes_that_the_report_says():
    graph = trace("conv2d_stack", layers=3, in_channels=16, channels=16, input_size=64, batch=32)
    kernels = fuse(graph)
    assert patterns_of(kernels) == ["conv+relu"] * 3
    assert total_bytes(kernels) == 50_359_296


def test_a_layer_of_a_vision_transformer_is_seven_kernels():
    kernels = fuse(trace("vit", batch=1)).kernels
    assert [k.pattern for k in kernels if k.module.startswith("layers.5.")] == [
        "layer_norm", "linear", "attention+clone", "linear+add", "layer_norm", "linear+gelu", "linear+add",
    ]  # fmt: skip


def test_a_kernel_says_what_it_could_not_take():
    reasons = {k.name: k.reason for k in fuse(trace("resnet", depth=18)).kernels}
    assert "max_pool2d not fused: it is not elementwise" in reasons.values()
    assert any("runs later" in reason for reason in reasons.values())


@pytest.mark.parametrize("family", FAMILIES)
def test_kernels_of_a_family_are_legal_and_lose_nothing(family):
    graph = trace(family, keywords=None, **SMALL.get(family, {}))
    plain = unfused(graph)
    for stack in ("compiled", "engine"):
        kernels = fuse(graph, stack)
        assert faults(kernels) == []
        assert total_macs(kernels) == graph.macs
        assert total_bytes(kernels) <= total_bytes(plain)


@pytest.mark.parametrize(
    "family",
    [
        pytest.param(family, marks=() if family in QUICK else pytest.mark.slow)
        for family in FAMILIES
    ],
)
def test_a_template_is_fused_as_the_network_it_stands_for(family):
    small = SMALL.get(family, {})
    parameters = models.families()[family].parameters
    symbols = ["batch", *(p.name for p in parameters if p.symbolic)]
    template = trace_template(family, small, symbols, batch=3)
    network = trace(family, keywords=None, batch=3, **small)
    for stack in ("compiled", "engine"):
        groups = [[k.operators for k in fuse(g, stack).kernels] for g in (template, network)]
        assert groups[0] == groups[1]


@pytest.mark.parametrize("stack", ["compiled", "engine"])
@pytest.mark.parametrize(
    ("family", "fixed", "equal", "apart"),
    [
        # four heads of four tokens: [b, h, s, d] transposed is shaped as it was
        (
            "transformer_encoder", {"layers": 1, "vocab": 100},
            {"hidden": 64, "heads": 4, "sequence": 4}, {"hidden": 64, "heads": 4, "sequence": 6},
        ),
        # (32 / 8)^2 = 16 patches of 16 channels
        (
            "mlp_mixer", {"layers": 1, "patch": 8},
            {"hidden": 16, "input_size": 32}, {"hidden": 24, "input_size": 32},
        ),
    ],
    ids=["heads and sequence", "patches and hidden"],
)  # fmt: skip
def test_equal_sizes_are_fused_as_others_are(family, fixed, equal, apart, stack):
    template = trace_template(family, {**fixed, **apart}, [*apart, "batch"], batch=2)
    groups = [
        [(k.operators, k.reads) for k in fuse(graph, stack).kernels]
        for graph in (template, *(trace(family, batch=2, **fixed, **at) for at in (apart, equal)))
    ]
    assert groups[0] == groups[1] == groups[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "timm/swin_tiny_patch4_window7_224",
        "timm/nfnet_l0",
        "timm/xcit_nano_12_p8_224",
        "timm/maxvit_tiny_rw_224",
    ],
)
def test_kernels_of_a_zoo_model_are_legal(name):
    zoo_support.need("timm")
    graph = trace(name)
    for stack in ("compiled", "engine"):
        assert faults(fuse(graph, stack)) == []

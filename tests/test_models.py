"""Families: what they accept, what they refuse, and that every one of them runs."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from characterize import models
from characterize.errors import InvalidValueError, UnknownNameError
from characterize.models import reference
from characterize.models.catalogue.conv2d_stack import output_size
from characterize.models.parameters import Parameter, fraction, integer

ROOT = Path(__file__).resolve().parent.parent

# The columns of a result row that are no family parameter (docs/design.md).
ROW = {
    "model", "family", "batch", "precision", "stack", "hardware", "architecture", "confidence",
    "parameters", "macs", "flops", "memory_bytes", "peak_memory_bytes", "fits", "intensity", "kernels",
    "tiles", "latency_s", "latency_low_s", "latency_high_s", "throughput_per_s", "energy_j",
    "energy_static_j", "energy_dynamic_j", "power_w", "speedup", "bottleneck", "uncounted",
    "cautions",
}  # fmt: skip

NAMES = list(models.families())


def counted(name, batch=1, **values):
    """Macs and parameters of a family, as PyTorch's own counter finds them on meta."""
    from tests.zoo_support import macs_and_parameters

    family = models.family(name)
    values = family.check(**values)
    return macs_and_parameters(family.build(**values), family.inputs(batch=batch, **values))


def random_values(family: models.Family, seed: int) -> dict[str, Any]:
    """A setting that the family accepts, small enough to be built quickly."""
    generator = random.Random(seed)

    def draw(parameter: Parameter) -> object:
        if parameter.kind == "choice":
            return generator.choice(parameter.choices)
        if parameter.kind == "bool":
            return generator.random() < 0.5
        if parameter.kind == "float":
            return generator.choice([0.25, 0.5, 1.0, 1.25])
        if parameter.name in {"layers", "depth"}:
            return generator.randint(1, 3)
        if parameter.name in {"heads", "kv_heads", "groups"}:
            return generator.choice([1, 2, 4])
        longest = 40 if parameter.name == "sequence" else 300
        low, high = int(parameter.low or 0), min(int(parameter.high or 0), longest)
        return generator.randint(low, high)

    while True:
        values = {parameter.name: draw(parameter) for parameter in family.parameters}
        try:
            return family.check(**values)
        except InvalidValueError:
            continue


@pytest.mark.parametrize("name", NAMES)
def test_a_family_runs_at_its_defaults_without_allocating_weights(name):
    import torch

    family = models.family(name)
    module = family.build()
    assert all(p.is_meta for p in module.parameters())
    assert all(b.is_meta for b in module.buffers())
    assert not module.training
    with torch.inference_mode():
        outputs = module(*family.inputs(batch=2))
    first = outputs[0] if isinstance(outputs, tuple) else outputs
    assert first.is_meta
    assert first.shape[0] == 2


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(4))
def test_a_family_runs_wherever_check_lets_it(name, seed):
    import torch

    family = models.family(name)
    values = random_values(family, seed)
    module = family.build(**values)
    with torch.inference_mode():
        outputs = module(*family.inputs(batch=3, **values))
    first = outputs[0] if isinstance(outputs, tuple) else outputs
    assert first.shape[0] == 3
    assert first.numel() > 0


def test_a_family_computes_on_a_real_device_too():
    import torch

    for name, values in {
        "conv2d_stack": {"input_size": 8},
        "transformer_decoder": {
            "layers": 1, "hidden": 16, "heads": 4, "kv_heads": 2, "intermediate": 8, "vocab": 11,
            "sequence": 3, "cached_tokens": 2,
        },
        "swin": {"input_size": 40},
        "lstm": {"hidden": 8},
    }.items():  # fmt: skip
        family = models.family(name)
        values = family.check(**values)
        module = family.build(device="cpu", **values)
        with torch.inference_mode():
            outputs = module(*family.inputs(batch=2, device="cpu", **values))
        first = outputs[0] if isinstance(outputs, tuple) else outputs
        assert torch.isfinite(first).all(), name


def test_decoding_a_token_gives_what_reading_all_of_them_at_once_gives():
    import torch

    family = models.family("transformer_decoder")
    sizes = {"layers": 2, "hidden": 16, "heads": 4, "kv_heads": 2, "intermediate": 24, "vocab": 11}
    torch.manual_seed(0)
    module = family.build(device="cpu", **family.check(**sizes))
    tokens = torch.randint(0, 11, (3, 6))
    with torch.inference_mode():
        whole, *_ = module(tokens)
        for last in (1, 2):
            # what came before fills the cache, with room for the tokens to come
            _, *before = module(tokens[:, :-last])
            cache = [torch.cat((t, torch.zeros_like(t[:, :, :last])), 2) for t in before]
            scores, *filled = module(tokens[:, -last:], *cache)
            torch.testing.assert_close(scores, whole)
            assert filled[0].shape[2] == 6


def test_the_shifted_windows_of_swin_hide_exactly_what_is_not_adjacent():
    from characterize.models.networks.swin import shifted_mask

    # 4x4 tokens in windows of 2, shifted by 1: the first window is whole, the last holds four corners
    mask = shifted_mask(4, 2, 1)
    assert mask.shape == (4, 4, 4)
    assert (mask[0] == 0).all()
    assert (mask[3] == 0).sum() == 4  # each token sees itself only
    # the windows at one edge hold two pairs of neighbours: 2 * 2 * 2 visible entries
    assert (mask[1] == 0).sum() == (mask[2] == 0).sum() == 8


def test_the_decoder_reads_the_past_and_not_the_future():
    import torch

    family = models.family("transformer_decoder")
    sizes = {"layers": 1, "hidden": 16, "heads": 2, "kv_heads": 2, "intermediate": 8, "vocab": 11}
    torch.manual_seed(0)
    module = family.build(device="cpu", **family.check(logits="all", **sizes))
    tokens = torch.randint(0, 11, (1, 5))
    changed = tokens.clone()
    changed[0, 3] = (changed[0, 3] + 1) % 11
    with torch.inference_mode():
        before, after = module(tokens)[0], module(changed)[0]
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.allclose(before[:, 3:], after[:, 3:])


@pytest.mark.parametrize(
    ("values", "batch", "macs", "parameters"),
    [
        # 64·64 outputs x 16 channels x (3 + 16 + 16)·3·3; weights 16·(3 + 16 + 16)·9
        pytest.param({}, 1, 64 * 64 * 16 * 35 * 9, 16 * 35 * 9, id="default"),
        # the report's: 32 images, 16 channels into every layer
        pytest.param({"in_channels": 16}, 32, 32 * 64 * 64 * 16 * 48 * 9, 16 * 48 * 9, id="report"),
        # one layer, 6 x 6 -> 2 x 2 at stride 3 without padding: 4 outputs x 4 channels x 2·9, and 4 biases
        pytest.param(
            {"layers": 1, "channels": 4, "in_channels": 2, "input_size": 6, "stride": 3, "padding": 0, "bias": True},
            1, 4 * 4 * 18, 4 * 18 + 4, id="stride",
        ),
        # depthwise 3x3 over 3 channels, then 1x1 to 8: 16 positions x (3·9 + 3·8), twice 8 norm weights,
        # and 3 + 3 for the depthwise one's norm
        pytest.param(
            {"layers": 1, "channels": 8, "input_size": 4, "depthwise": True, "batch_norm": True},
            1, 16 * (27 + 24), 27 + 24 + 6 + 16, id="depthwise",
        ),
        # transposed: every one of 4 inputs x 3 channels meets 5 channels x 2·2 taps
        pytest.param(
            {"layers": 1, "channels": 5, "input_size": 2, "transposed": True, "kernel_size": 2, "stride": 2, "padding": 0},
            1, 4 * 3 * 5 * 4, 3 * 5 * 4, id="transposed",
        ),
        # two groups: each output sees half of the 4 channels; the first layer, of 3, stays dense
        pytest.param(
            {"layers": 2, "channels": 4, "input_size": 5, "groups": 2},
            1, 25 * 4 * 9 * (3 + 2), 4 * 9 * (3 + 2), id="groups",
        ),
    ],
)  # fmt: skip
def test_a_conv2d_stack_costs_what_its_sizes_say(values, batch, macs, parameters):
    assert counted("conv2d_stack", batch, **values) == (macs, parameters)


def test_an_mlp_costs_its_matrices():
    # 784·32 + 32·32 + 32·10 weights, 32 + 32 + 10 biases
    assert counted("mlp", 5, depth=3, width=32) == (5 * 26_432, 26_432 + 74)
    assert counted("mlp", 5, depth=1, width=32, bias=False) == (5 * 7840, 7840)


def test_a_resnet_is_wider_where_it_is_asked_to_be():
    _, narrow = counted("resnet", depth=18, width=0.5)
    _, whole = counted("resnet", depth=18)
    # convolutions hold nearly all parameters and have both sides scaled: about a quarter
    assert whole == 11_689_512
    assert 0.24 < narrow / whole < 0.27


def test_a_unet_costs_what_its_scales_say():
    # c=2 at 8x8 and 2c at 4x4, 1 channel in, 3 classes out, transposed 2x2:
    # encoder 64·9·(1·2 + 2·2) + 16·9·(2·4 + 4·4), up 16·4·2·4, decoder 64·9·(4·2 + 2·2), head 64·2·3
    macs = 64 * 9 * 6 + 16 * 9 * 24 + 16 * 4 * 8 + 64 * 9 * 12 + 64 * 6
    # weights, two norm weights a channel (2, 2, 4, 4, 2, 2 channels), biases of up (2) and head (3)
    parameters = 9 * 6 + 9 * 24 + 4 * 8 + 9 * 12 + 6 + 2 * 16 + 2 + 3
    values = {"depth": 1, "base_channels": 2, "in_channels": 1, "classes": 3}
    assert counted("unet", input_size=32, **values) == (16 * macs, parameters)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_an_lstm_costs_four_gates_a_step(bidirectional):
    # 2 sequences x 7 steps x 4 gates x (5 + 8)·8 and, above it, (directions·8 + 8)·8
    directions = 2 if bidirectional else 1
    per_step = 4 * directions * (13 * 8 + (8 * directions + 8) * 8)
    biases = 2 * directions * 2 * 4 * 8  # layers, directions, input and state, gates, features
    values = {"hidden": 8, "in_features": 5, "sequence": 7, "bidirectional": bidirectional}
    assert counted("lstm", 2, **values) == (14 * per_step, per_step + biases)


def test_decoding_needs_the_weights_once_and_attention_to_the_cache():
    sizes = {"layers": 1, "hidden": 16, "heads": 4, "kv_heads": 2, "intermediate": 24, "vocab": 11}
    # projections 16·16·2 + 16·8·2, gated perceptron 3·16·24, scores 11·16
    weights = 512 + 256 + 1152 + 176
    macs, parameters = counted("transformer_decoder", sequence=1, cached_tokens=9, **sizes)
    # 10 keys and 10 values of 16 channels
    assert macs == weights + 2 * 10 * 16
    assert parameters == weights + 11 * 16 + 3 * 16


@pytest.mark.parametrize(
    ("transposed", "kernel", "stride", "padding", "dilation", "expected"),
    [
        (False, 3, 1, 1, 1, [10, 10]),
        (False, 3, 2, 1, 1, [5, 3]),  # (10 + 2 - 2 - 1) // 2 + 1 = 5, (5 + 2 - 2 - 1) // 2 + 1 = 3
        (False, 3, 1, 0, 2, [6, 2]),  # 10 - 4 = 6, 6 - 4 = 2
        (True, 2, 2, 0, 1, [20, 40]),  # (10 - 1)·2 + 1 + 1 = 20
        (True, 3, 2, 1, 1, [19, 37]),  # (10 - 1)·2 - 2 + 2 + 1 = 19
    ],
)
def test_the_size_after_each_layer(transposed, kernel, stride, padding, dilation, expected):
    assert output_size(10, 2, kernel, stride, padding, dilation, transposed) == expected


def test_text_from_the_command_line_becomes_values():
    values = models.family("conv2d_stack").check(
        layers="2", channels=np.int64(8), depthwise="true", activation="GELU", bias=0
    )
    assert values["layers"] == 2
    assert type(values["channels"]) is int
    assert values["depthwise"] is True
    assert values["activation"] == "gelu"
    assert values["bias"] is False
    assert models.family("resnet").check(depth="101", width="0.5") == {
        "depth": 101, "width": 0.5, "input_size": 224, "classes": 1000,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "values", "kind", "sentence"),
    [
        ("conv2d_stack", {"layer": 3}, UnknownNameError, "No parameter of conv2d_stack named 'layer'. Did you mean 'layers'?"),
        ("conv2d_stack", {"layers": "three"}, InvalidValueError, "conv2d_stack: layers must be a whole number from 1 to 128; 'three' was asked."),
        ("conv2d_stack", {"layers": 2.5}, InvalidValueError, "layers must be a whole number"),
        ("conv2d_stack", {"layers": True}, InvalidValueError, "layers must be a whole number"),
        ("conv2d_stack", {"layers": math.nan}, InvalidValueError, "layers must be a whole number"),
        ("conv2d_stack", {"layers": math.inf}, InvalidValueError, "layers must be a whole number"),
        ("conv2d_stack", {"layers": 0}, InvalidValueError, "0 was asked, the nearest is 1."),
        ("conv2d_stack", {"bias": "maybe"}, InvalidValueError, "bias must be true or false; 'maybe' was asked."),
        ("conv2d_stack", {"activation": "rely"}, UnknownNameError, "No activation of conv2d_stack named 'rely'. Did you mean 'relu'"),
        ("conv2d_stack", {"groups": 3}, InvalidValueError, "groups=3 with channels=16 was asked, the nearest divisor is 2."),
        ("conv2d_stack", {"groups": 2, "depthwise": True}, InvalidValueError, "with depthwise only 1 is known"),
        ("conv2d_stack", {"input_size": 4, "padding": 0}, InvalidValueError, "shrunk to nothing after layer 2 of 3"),
        ("conv2d_stack", {"transposed": True, "stride": 8, "layers": 9}, InvalidValueError, "grown to"),
        ("resnet", {"depth": 51}, InvalidValueError, "resnet: depth must be one of 18, 34, 50, 101, 152; 51 was asked."),
        ("resnet", {"width": 9}, InvalidValueError, "width must be a number from 0.125 to 4; 9 was asked, the nearest is 4."),
        ("resnet", {"width": "wide"}, InvalidValueError, "'wide' was asked"),
        ("resnet", {"width": math.nan}, InvalidValueError, "nan was asked"),
        ("vit", {"hidden": 770}, InvalidValueError, "hidden=770 with heads=12 was asked, the nearest multiples are 768 and 780."),
        ("vit", {"hidden": 8}, InvalidValueError, "the nearest multiple is 12."),
        ("unet", {"input_size": 100}, InvalidValueError, "near are 96 and 112."),
        ("transformer_decoder", {"kv_heads": 5}, InvalidValueError, "heads must be a multiple of kv_heads"),
        ("transformer_decoder", {"hidden": 96}, InvalidValueError, "hidden/heads must be even"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_in_one_sentence(name, values, kind, sentence):
    with pytest.raises(kind) as refused:
        models.family(name).check(**values)
    assert sentence in str(refused.value)
    assert name in str(refused.value)


def test_an_unknown_family_names_the_nearest():
    with pytest.raises(UnknownNameError, match=r"No family named 'resnt'\. Did you mean 'resnet'"):
        models.family("resnt")


@pytest.mark.parametrize("name", NAMES)
def test_a_family_describes_itself_fully(name):
    family = models.family(name)
    assert family.name == name
    assert family.title
    assert family.summary.endswith(".")
    assert family.version >= 1
    assert family.check() == family.defaults
    names = [parameter.name for parameter in family.parameters]
    assert len(names) == len(set(names))
    assert not ROW & set(names), "a parameter would hide a result column"
    for parameter in family.parameters:
        assert parameter.sentence.endswith("."), parameter.name
        if parameter.kind in {"int", "float"}:
            assert parameter.low is not None, parameter.name
            assert parameter.high is not None, parameter.name
            assert parameter.step is not None, parameter.name
            assert parameter.low <= parameter.default <= parameter.high
            assert parameter.low >= 0 or not parameter.symbolic, "a symbol stands for a size"
        if parameter.kind == "choice":
            assert parameter.default in parameter.choices
    assert family.parameter(names[0]).name == names[0]
    with pytest.raises(UnknownNameError):
        family.parameter("no such parameter")


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_holds_agrees_with_check_on_whole_columns(data):
    family = models.family(data.draw(st.sampled_from(NAMES)))
    parameter = data.draw(
        st.sampled_from(
            [p for p in family.parameters if p.kind == "int" and p.name not in {"layers", "depth"}]
        )
    )
    low, high = int(parameter.low or 0), int(parameter.high or 0)
    column = data.draw(st.lists(st.integers(low - 3, min(high + 3, 5000)), min_size=1, max_size=8))

    def accepted(value: int) -> bool:
        try:
            family.check(**{parameter.name: value})
        except InvalidValueError:
            return False
        return True

    holds = np.broadcast_to(family.holds({parameter.name: np.array(column)}), len(column))
    assert holds.tolist() == [accepted(value) for value in column]


@given(st.integers(-50, 50))
def test_a_whole_number_is_accepted_exactly_inside_its_range(value):
    parameter = integer("size", 3, -7, 21, "A size.")
    if -7 <= value <= 21:
        assert parameter.resolve(str(value), "it") == parameter.resolve(value, "it") == value
    else:
        with pytest.raises(InvalidValueError):
            parameter.resolve(value, "it")


@given(st.floats(0.5, 2.0))
def test_a_number_survives_being_written_out(value):
    parameter = fraction("width", 1.0, 0.5, 2.0, "A factor.", step=0.1)
    assert parameter.resolve(repr(value), "it") == value


def test_describing_families_loads_no_torch():
    code = (
        "from characterize import models\n"
        "[family.check() for family in models.families().values()]\n"
        "import sys; print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert run.stdout.split() == ["False", "False"]


def test_the_page_of_families_is_the_one_the_code_writes():
    assert (ROOT / "docs" / "families.md").read_text() == reference.page(), "run: make docs"

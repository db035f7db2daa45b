"""Families held against the zoos that have the same network, and the zoos themselves."""

from __future__ import annotations

import csv
import importlib.metadata
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from characterize import models
from characterize.errors import InvalidValueError, MissingExtraError, UnknownNameError
from characterize.models import zoos
from tests.zoo_support import macs_and_parameters, need

ROOT = Path(__file__).resolve().parent.parent

# (family, its parameters, zoo model, the zoo's parameters)
SAME = [
    *[("resnet", {"depth": d}, f"torchvision/resnet{d}", {}) for d in (18, 34, 50, 101, 152)],
    ("resnet", {"input_size": 257}, "torchvision/resnet50", {"input_size": 257}),
    ("mobilenet", {"version": "v1"}, "timm/mobilenetv1_100", {}),
    ("mobilenet", {"version": "v2"}, "torchvision/mobilenet_v2", {}),
    ("mobilenet", {"version": "v3_small"}, "torchvision/mobilenet_v3_small", {}),
    ("mobilenet", {"version": "v3_large", "input_size": 161}, "torchvision/mobilenet_v3_large", {"input_size": 161}),
    ("mobilenet", {"version": "v2", "width": 0.5}, "timm/mobilenetv2_050", {}),
    *[("efficientnet", {"variant": f"b{i}"}, f"torchvision/efficientnet_b{i}", {"input_size": 224}) for i in range(8)],
    *[("efficientnet", {"variant": f"lite{i}"}, f"timm/tf_efficientnet_lite{i}", {"input_size": 224}) for i in range(5)],
    *[("convnext", {"variant": v}, f"torchvision/convnext_{v}", {}) for v in ("tiny", "small", "base", "large")],
    ("convnext", {"input_size": 250}, "torchvision/convnext_tiny", {"input_size": 250}),
    ("mlp_mixer", {}, "timm/mixer_b16_224", {}),
    (
        "mlp_mixer",
        {"patch": 32, "layers": 8, "hidden": 512, "token_width": 256, "channel_width": 2048},
        "timm/mixer_s32_224", {},
    ),
    ("vit", {}, "torchvision/vit_b_16", {}),
    ("vit", {"patch": 32, "input_size": 384}, "torchvision/vit_b_32", {"input_size": 384}),
    (
        "vit",
        {"patch": 14, "layers": 32, "hidden": 1280, "heads": 16, "intermediate": 5120, "input_size": 518},
        "torchvision/vit_h_14", {},
    ),
    ("vit", {}, "transformers/vit-base", {}),
    *[("swin", {"variant": v}, f"torchvision/swin_{v[0]}", {}) for v in ("tiny", "small", "base")],
    ("swin", {"input_size": 250}, "torchvision/swin_t", {"input_size": 250}),
    ("detector", {}, "torchvision/ssdlite320_mobilenet_v3_large", {}),
    ("detector", {"input_size": 200}, "torchvision/ssdlite320_mobilenet_v3_large", {"input_size": 200}),
    ("transformer_encoder", {}, "transformers/bert-base", {}),
    (
        "transformer_encoder",
        {"layers": 24, "hidden": 1024, "heads": 16, "intermediate": 4096, "sequence": 100},
        "transformers/bert-large", {"sequence": 100},
    ),
    ("transformer_decoder", {"logits": "all"}, "transformers/tinyllama-1.1b", {}),
    (
        "transformer_decoder",
        {"layers": 32, "hidden": 4096, "heads": 32, "kv_heads": 32, "intermediate": 11_008, "logits": "all"},
        "transformers/llama-7b", {},
    ),
]  # fmt: skip


def figures(model, batch=1, **values):
    values = model.check(**values)
    return macs_and_parameters(model.build(**values), model.inputs(batch=batch, **values))


@pytest.mark.parametrize(
    ("name", "values", "twin", "twin_values"), SAME, ids=[f"{s[2]}-{i}" for i, s in enumerate(SAME)]
)
def test_a_family_is_the_network_of_the_zoo(name, values, twin, twin_values):
    need(twin.partition("/")[0])
    assert figures(models.family(name), **values) == figures(models.zoo(twin), **twin_values)


def test_resnet50_is_the_published_one():
    # torchvision publishes 25,557,032 parameters and 4.089 GMACs at 224 px
    assert figures(models.family("resnet")) == (4_089_184_256, 25_557_032)


@pytest.mark.parametrize("width", [0.25, 0.5, 0.75, 1.5])
@pytest.mark.parametrize("version", ["v2", "v3_small", "v3_large"])
def test_a_mobilenet_of_another_width_is_torchvisions(version, width):
    need("torchvision")
    import torch
    import torchvision

    builder = getattr(torchvision.models, f"mobilenet_{version}")
    with torch.device("meta"):
        theirs = builder(weights=None, width_mult=width).eval()
    family = models.family("mobilenet")
    expected = macs_and_parameters(theirs, family.inputs())
    assert figures(family, version=version, width=width) == expected


def test_an_lstm_is_pytorchs_own():
    import torch

    values = {"layers": 2, "hidden": 24, "in_features": 10, "bidirectional": True}
    ours = models.family("lstm").build(device="cpu", **values)
    theirs = torch.nn.LSTM(10, 24, 2, bidirectional=True, batch_first=True).eval()
    theirs.load_state_dict(ours.state_dict())
    x = torch.rand(3, 7, 10)
    with torch.inference_mode():
        torch.testing.assert_close(ours(x)[0], theirs(x)[0])


def test_reading_a_prompt_scores_the_last_token_as_the_zoo_does():
    need("transformers")
    model = models.zoo("transformers/tinyllama-1.1b")
    inputs = model.inputs(batch=2, sequence=16)
    assert isinstance(inputs, dict)
    asked: dict[str, Any] = {**inputs, "logits_to_keep": 1}
    theirs = macs_and_parameters(model.build(), asked)
    assert figures(models.family("transformer_decoder"), batch=2, sequence=16) == theirs


# Torchvision publishes what ran on one image: with random regions nothing passed the box head's
# threshold in these, and mask heads ran on 100 regions in the others; we feed the box head what is
# kept at most and leave mask and keypoint heads out.
OTHERWISE = {
    "fasterrcnn_mobilenet_v3_large_320_fpn", "fasterrcnn_mobilenet_v3_large_fpn",
    "maskrcnn_resnet50_fpn_v2",
}  # fmt: skip
# Published with frozen batch norms, whose weights are buffers and not counted as parameters; or with
# mask and keypoint heads.
PARAMETERS_OTHERWISE = OTHERWISE | {
    "fcos_resnet50_fpn", "retinanet_resnet50_fpn", "fasterrcnn_resnet50_fpn",
    "keypointrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn",
}  # fmt: skip


@pytest.mark.slow
def test_torchvisions_models_have_the_published_macs(shared_measurements):
    need("torchvision")
    with (shared_measurements / "torchvision_ops.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["task"] != "quantization"]
    checked = 0
    for name in models.zoo_names("torchvision/"):
        short = name.partition("/")[2]
        published = [row for row in rows if row["model"] == short]
        if not published or short in OTHERWISE:
            continue
        macs, parameters = figures(models.zoo(name))
        at_default = {row["ops_gflops_as_published_GMACs"] for row in published}
        assert any(abs(macs / 1e9 - float(gmacs)) < 6e-4 for gmacs in at_default), (name, macs)
        if short not in PARAMETERS_OTHERWISE:
            assert str(parameters) in {row["params"] for row in published}, name
        checked += 1
    assert checked > 80


def test_a_sample_of_timm_runs_on_meta():
    need("timm")
    names = models.zoo_names("timm/")
    assert len(names) > 1000
    generator = random.Random(2)
    for name in generator.sample(names, 6):
        macs, parameters = figures(models.zoo(name))
        assert macs > 0, name
        assert parameters > 0, name


@pytest.mark.parametrize("size", [224, 256])
def test_a_timm_model_of_one_size_is_built_for_another(size):
    need("timm")
    macs, _ = figures(models.zoo("timm/vit_tiny_patch16_224"), input_size=size)
    family = models.family("vit")
    ours, _ = figures(family, hidden=192, heads=3, intermediate=768, input_size=size)
    assert macs == ours


def test_every_configuration_of_transformers_runs_on_meta():
    need("transformers")
    for name in models.zoo_names("transformers/"):
        model = models.zoo(name)
        if not any(part in name for part in ("xl", "large", "7b", "8b", "13b")):
            macs, parameters = figures(model)
            assert macs > 0, name
            assert parameters > 1_000_000, name
        assert len(model.parameters) == 1
        assert model.keywords


@pytest.mark.parametrize(
    ("name", "published"),
    [
        # parameters as the models' cards state them
        ("bert-base", 109_482_240),
        ("gpt2", 124_439_808),
        ("llama-2-7b", 6_738_415_616),
        ("llama-3-8b", 8_030_261_248),
        ("mistral-7b", 7_241_732_096),
        ("t5-small", 60_506_624),
        ("t5-base", 222_903_552),
        ("tinyllama-1.1b", 1_100_048_384),
    ],
)
def test_a_configuration_of_transformers_is_the_published_one(name, published):
    need("transformers")
    module = models.zoo(f"transformers/{name}").build()
    assert sum(parameter.numel() for parameter in module.parameters()) == published


def test_the_parts_of_a_video_model_scale_with_its_frames():
    need("torchvision")
    import torch

    model = models.zoo("torchvision/r3d_18")
    clip, *_ = model.inputs(batch=2)
    assert isinstance(clip, torch.Tensor)
    assert tuple(clip.shape) == (2, 3, 16, 112, 112)
    short, _ = figures(model)
    long, _ = figures(model, frames=32)
    assert long == pytest.approx(2 * short, rel=1e-4)  # the classifier stays


def test_names_are_found_by_their_words():
    need("torchvision")
    found = models.zoo_names("torchvision/ 50 RESNET")
    assert {"torchvision/resnet50", "torchvision/wide_resnet50_2"} <= set(found)
    assert all("resnet" in name and "50" in name for name in found)
    assert all("quantized" not in name for name in models.zoo_names("torchvision/"))
    assert models.zoo_names("torchvision/nothing is called so") == []


def test_a_wrong_zoo_name_says_what_is_near():
    need("transformers")
    with pytest.raises(
        UnknownNameError,
        match=r"No model in transformers named 'bert-bass'\. Did you mean 'bert-base'",
    ):
        models.zoo("transformers/bert-bass")
    with pytest.raises(
        UnknownNameError,
        match=r"No model library named 'transformer'\. Did you mean 'transformers'",
    ):
        models.zoo("transformer/bert-base")
    with pytest.raises(InvalidValueError, match="sequence must be a whole number from 1 to 512"):
        models.zoo("transformers/bert-base").check(sequence=513)
    with pytest.raises(
        UnknownNameError, match="No parameter of transformers/bert-base named 'seq'"
    ):
        models.zoo("transformers/bert-base").check(seq=1)


def test_a_size_that_a_model_cannot_have_is_refused_before_it_is_built():
    need("torchvision")
    with pytest.raises(
        InvalidValueError, match="multiple of 16; 230 was asked, near are 224 and 240"
    ):
        models.zoo("torchvision/vit_b_16").check(input_size=230)


@pytest.fixture
def nothing_installed(monkeypatch):
    def version(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    zoos._names.cache_clear()
    yield
    zoos._names.cache_clear()


def test_a_missing_library_says_how_to_install_it(nothing_installed):
    assert models.zoo_names() == []
    with pytest.raises(MissingExtraError, match=r"pip install 'characterize\[timm\]'"):
        models.zoo("timm/resnet50")


def test_a_library_that_does_not_import_says_why(monkeypatch):
    from characterize.models.zoos import zoo_model

    monkeypatch.setattr(importlib.metadata, "version", lambda _name: "1.2.3")

    def broken(_name):
        msg = "operator torchvision::nms\ndoes not exist"
        raise RuntimeError(msg)

    monkeypatch.setattr(importlib, "import_module", broken)
    with pytest.raises(
        MissingExtraError, match=r"1\.2\.3 is installed but cannot be imported .*nms does not exist"
    ):
        zoo_model.imported("torchvision")


def test_describing_a_configuration_of_transformers_imports_neither_torch_nor_the_library():
    need("transformers")
    code = (
        "from characterize import models\n"
        "model = models.zoo('transformers/bert-base'); model.check(sequence='16')\n"
        "import sys; print('torch' in sys.modules, 'transformers' in sys.modules, model.version)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    version = importlib.metadata.version("transformers")
    assert run.stdout.split() == ["False", "False", "transformers", version]

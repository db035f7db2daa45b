"""A network run on this machine: what is timed, what is written, what is refused."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch

from characterize import evidence, measurement, session
from characterize.cli import main
from characterize.errors import UnknownNameError, UnsupportedError
from characterize.records import Precision, Stack

MLP = session.subject("mlp", {"depth": 2, "width": 16}, 4)


def measured(**more):
    return measurement.measure(MLP, seconds=0.01, **more)


def test_steps_are_timed_after_warm_ups_and_the_median_lies_in_their_range():
    found = measured()
    assert found.warm_ups >= measurement.WARM
    assert found.samples >= measurement.LEAST
    assert 0 < found.latency_p10_s <= found.latency_s <= found.latency_p90_s
    assert found.framework == f"pytorch-{torch.__version__}"
    assert found.memory_format == ""  # no images


def test_the_clock_is_around_a_step_and_nothing_else(monkeypatch):
    # a clock that is one second later whenever it is asked: every step takes one second
    now = iter(range(10_000))
    clock = SimpleNamespace(perf_counter=lambda: float(next(now)))
    monkeypatch.setattr(measurement, "time", clock)
    steps = []
    warm_ups, times = measurement._timed(lambda: steps.append(1), "cpu", 0.0)
    assert (warm_ups, times) == (measurement.WARM, [1.0] * measurement.LEAST)
    assert len(steps) == measurement.WARM + measurement.LEAST


def test_what_compiles_first_is_no_warming_up(monkeypatch):
    # the first step takes 100 s, all others none: warming up still takes a tenth of the 10 s
    now = [0.0]
    clock = SimpleNamespace(perf_counter=lambda: now[0])
    monkeypatch.setattr(measurement, "time", clock)

    def step():
        now[0] += 100.0 if now[0] == 0.0 else 0.25

    warm_ups, times = measurement._timed(step, "cpu", 10.0)
    assert warm_ups == 1 + 4  # 1 s of steps of 0.25 s
    assert times == [0.25] * 40


def test_autocast_is_entered_at_every_step_and_casts_anew(monkeypatch):
    casts = []
    linear = torch.nn.functional.linear

    def spy(value, weight, bias=None):
        casts.append((torch.is_autocast_enabled("cpu"), weight.requires_grad, weight.dtype))
        return linear(value, weight, bias)

    monkeypatch.setattr(torch.nn.functional, "linear", spy)
    made = measurement.prepared(MLP, Precision.FP16, Stack.EAGER, "cpu", "nhwc")
    assert not torch.is_autocast_enabled("cpu")
    made.step()
    # PyTorch keeps a cast of a weight that needs gradients for as long as the context lasts
    assert casts == [(True, False, torch.float32)] * 2
    assert not torch.is_autocast_enabled("cpu")


def test_a_decoders_cache_is_no_image():
    asked = session.subject("transformer_decoder", {
        "layers": 1, "hidden": 16, "heads": 2, "kv_heads": 2, "intermediate": 16, "vocab": 20,
        "sequence": 1, "cached_tokens": 3,
    }, 2)  # fmt: skip
    found = measurement.measure(asked, seconds=0.01)
    assert found.memory_format == ""
    tokens, *cache = measurement._inputs(asked, "cpu")[0]
    assert int(tokens.max()) < 20
    assert all(each.is_contiguous() for each in cache)


def test_batch_norms_have_seen_a_batch_and_are_in_evaluation_again():
    asked = session.subject("conv2d_stack", {"layers": 2, "batch_norm": True, "input_size": 8}, 1)
    module = measurement.built(asked, "cpu")
    norms = [each for each in module.modules() if isinstance(each, torch.nn.BatchNorm2d)]
    assert norms
    for norm in norms:
        assert not norm.training
        assert norm.momentum == 0.1
        assert norm.running_mean is not None
        assert torch.count_nonzero(norm.running_mean)


def test_memory_that_does_not_suffice_is_a_sentence(monkeypatch):
    def fails(_self, *_args, **_kwargs):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 999 GiB")

    monkeypatch.setattr(torch.nn.Linear, "forward", fails)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (2**30, 8 * 2**30))
    with pytest.raises(
        UnsupportedError, match=r"mlp at a batch of 4 needs more memory .* 8\.0 GiB"
    ):
        measured()


def test_threads_are_as_asked_and_as_before_afterwards():
    before = torch.get_num_threads()
    assert measured(threads=1).threads == 1
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_network_runs_in_the_precision_asked(precision, monkeypatch):
    seen = set()
    linear = torch.nn.functional.linear

    def spy(value, weight, bias=None):
        seen.update([value.dtype, weight.dtype])
        return linear(value, weight, bias)

    monkeypatch.setattr(torch.nn.functional, "linear", spy)
    measured(precision=precision)
    assert seen == {{"fp32": torch.float32, "bf16": torch.bfloat16}[precision]}


@pytest.mark.parametrize("form", ["nhwc", "nchw"])
def test_images_are_in_the_memory_format_asked(form):
    asked = session.subject("conv2d_stack", {"layers": 1, "channels": 4, "input_size": 8}, 2)
    assert measurement.measure(asked, memory_format=form, seconds=0.01).memory_format == form


@pytest.mark.parametrize(
    ("more", "kind", "text"),
    [
        ({"precision": "int8"}, UnsupportedError, "no network in int8"),
        ({"stack": "engine"}, UnsupportedError, "not PyTorch"),
        ({"stack": "eagre"}, UnknownNameError, "Did you mean 'eager'"),
        ({"device": "tpu"}, UnknownNameError, "No device named 'tpu'"),
        ({"memory_format": "nhcw"}, UnknownNameError, "Did you mean"),
    ],
    ids=str,
)
def test_what_cannot_be_run_is_refused(more, kind, text):
    with pytest.raises(kind, match=text):
        measured(**more)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_said(capsys):
    assert main(["measure", "mlp", "--hardware", "nvidia_rtx_4090"]) == 2
    assert "finds no GPU on this machine" in capsys.readouterr().err
    assert main(["measure", "mlp", "--hardware", "google_tpu_v4"]) == 2
    assert "is a tpu; measured are processors and GPUs" in capsys.readouterr().err


def test_what_pytorch_raises_is_a_sentence(monkeypatch):
    def fails(_self, *_args, **_kwargs):
        raise RuntimeError("not enough memory:\n you tried to allocate a lot")

    monkeypatch.setattr(torch.nn.Linear, "forward", fails)
    with pytest.raises(
        UnsupportedError, match="could not be run on this machine: not enough memory"
    ):
        measured()


def test_measured_and_projected_stand_beside_each_other(capsys):
    command = [
        "measure",
        "mlp",
        "--set",
        "depth=2",
        "width=16",
        "--batch",
        "4",
        "--seconds",
        "0.01",
    ]
    assert main([*command, "--hardware", "intel_i9_10940x"]) == 0
    printed = capsys.readouterr().out
    assert "mlp depth=2 width=16, batch 4, fp32, eager: intel_i9_10940x" in printed
    assert "measured" in printed
    assert "the 80 % interval of intel_i9_10940x" in printed
    assert main([*command, "--format", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["projected_s"] is None
    assert row["latency_s"] > 0


def test_files_of_measurements_grow_and_are_those_that_calibrate_reads(tmp_path, capsys):
    file = tmp_path / "mine.csv"
    command = ["measure", "mlp", "--hardware", "intel_i9_10940x", "--seconds", "0.01", "--append"]
    for width in ("16", "32"):
        assert main([*command, "--set", f"width={width}", "--output", str(file)]) == 0
    frame = evidence.read(file)
    assert list(frame["model"]) == ["mlp width=16", "mlp width=32"]
    assert (frame["projected_s"] > 0).all()
    # what is validated is the network with those parameters
    (first, second) = (subject.graph for subject in evidence.subjects(frame))
    assert first is not None
    assert second is not None
    assert first.parameters == 784 * 16 + 16 + 16 * 16 + 16 + 16 * 10 + 10
    assert second.parameters == 784 * 32 + 32 + 32 * 32 + 32 + 32 * 10 + 10
    assert main([*command, "--output", str(tmp_path / "mine.json")]) == 2
    assert "--append adds lines to a CSV file" in capsys.readouterr().err

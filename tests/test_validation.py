"""Validation: the statistics by hand, what is refused, what is left out, and the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from characterize import errors, evidence, hardware, projection, session, validation
from characterize.cli import main
from characterize.records import Precision, Stack

HEADER = "model,input_size,batch,precision,stack,memory_format,hardware,latency_s"
MEASURED = Path("../shared/measurements/timm_inference.csv")


@pytest.fixture
def measurements(tmp_path):
    """Two rows of a family, one of a model that nobody has."""
    path = tmp_path / "measured.csv"
    rows = [
        "resnet,64,4,bf16,eager,nhwc,nvidia_rtx_3090,0.004",
        "resnet,64,8,bf16,eager,nchw,nvidia_rtx_3090,0.006",
        "nonesuch,64,8,fp16,eager,nchw,nvidia_rtx_3090,0.006",
    ]
    path.write_text("\n".join([HEADER, *rows]))
    return path


def rows(predicted: list[float], measured: list[float]) -> pd.DataFrame:
    low, high = np.array(predicted) / 1.2, np.array(predicted) * 1.2
    table = {"latency_s": measured, "predicted_s": predicted, "low_s": low, "high_s": high}
    empty = {"memory_format": "", "power_w": np.nan, "energy_j": np.nan}
    return pd.DataFrame({**table, **empty})


def test_the_statistics_by_hand():
    # errors +10 %, -50 %, 0 %, +100 %
    got = validation.summary(rows([1.1, 1.0, 3.0, 8.0], [1.0, 2.0, 3.0, 4.0]))
    assert got["n"] == 4
    assert got["median_ape"] == pytest.approx((0.1 + 0.5) / 2)
    assert got["mean_ape"] == pytest.approx(1.6 / 4)
    assert got["p90_ape"] == pytest.approx(0.5 + 0.7 * 0.5)  # between the third and fourth of four
    assert got["bias"] == pytest.approx(0.05)
    assert got["coverage"] == 0.5  # 1.0 in 0.92..1.32, 3.0 in 2.5..3.6; 2.0 and 4.0 outside
    # ranks 2 1 3 4 against 1 2 3 4: 1 - 6 * 2 / (4 * 15)
    assert got["spearman_rho"] == pytest.approx(0.8)


def test_a_rank_correlation_needs_three_different_values():
    assert validation.spearman(np.array([1.0, 2.0]), np.array([1.0, 2.0])) is None
    assert validation.spearman(np.ones(4), np.arange(4.0)) is None


def test_rows_are_projected_as_a_projection_does_and_unknown_models_are_listed(measurements):
    found = validation.validate(evidence.read(measurements))
    assert len(found.table) == 2
    assert found.left_out[0]["model"] == "nonesuch"
    assert "named 'nonesuch'" in found.left_out[0]["reason"]
    expected = session.project(
        "resnet", {"input_size": 64}, batch=4, stack="eager", precision="bf16",
        hardware=["nvidia_rtx_3090"], keep=False,
    ).latency_s.item()  # fmt: skip
    # a template and a trace may tell kernels apart differently, which moves reuse a little
    assert found.table.predicted_s.iloc[0] == pytest.approx(expected, rel=5e-3)
    (summary,) = found.summaries()
    assert summary["hardware"] == "nvidia_rtx_3090"
    assert summary["n"] == 2


def test_a_batch_that_is_scaled_is_the_batch_that_is_traced(measurements):
    frame = evidence.read(measurements)
    subject = next(iter(evidence.subjects(frame)))
    assert subject.graph is not None
    kernels = evidence.Kernels(subject.graph)
    card = hardware.load("nvidia_rtx_3090")
    for batch in (2, 16):
        columns = kernels.at(Stack.COMPILED, [batch])
        _, latency, _ = projection.totals(columns, card, Precision.BF16, Stack.COMPILED)
        expected = session.project(
            "resnet", {"input_size": 64}, batch=batch, stack="compiled", precision="bf16",
            hardware=["nvidia_rtx_3090"], keep=False,
        ).latency_s.item()  # fmt: skip
        assert latency.item() == pytest.approx(expected, rel=5e-3)


def test_what_was_timed_under_autocast_is_projected_under_autocast(measurements):
    # at batch 1 casting all weights at every step costs more than it saves: a projection leaves it
    # out, but whoever measured it did it
    subject = next(iter(evidence.subjects(evidence.read(measurements))))
    assert subject.graph is not None
    columns = evidence.Kernels(subject.graph).at(Stack.EAGER, [1])
    card = hardware.load("nvidia_rtx_3090")
    timed, chosen, never = (
        projection.totals(replace(columns, cast=cast), card, precision, Stack.EAGER)[1].item()
        for cast, precision in (
            (True, Precision.FP16), (False, Precision.FP16), (False, Precision.TF32),
        )
    )  # fmt: skip
    assert columns.cast
    assert timed > chosen
    assert chosen == pytest.approx(never)


def test_what_breaks_the_contract_is_refused(tmp_path):
    path = tmp_path / "broken.csv"
    path.write_text("model,batch\nresnet,1\n")
    with pytest.raises(errors.BrokenRecordError, match="lacks input_size, precision"):
        evidence.read(path)
    path.write_text(f"{HEADER}\nresnet,64,0,fp16,eager,nhwc,nvidia_rtx_3090,0.1\n")
    with pytest.raises(errors.BrokenRecordError, match="row 2: batch is 0, not above 0"):
        evidence.read(path)
    path.write_text(f"{HEADER}\nresnet,64,1,fp61,eager,nhwc,nvidia_rtx_3090,0.1\n")
    with pytest.raises(errors.UnknownNameError, match="No precision named 'fp61'"):
        evidence.read(path)


def test_a_device_without_measurements_is_refused(measurements):
    with pytest.raises(
        errors.UnknownNameError, match="No device in the measurements named 'nvidia_t4'"
    ):
        validation.validate(evidence.read(measurements), ["nvidia_t4"])


def test_the_command_line_prints_json_and_says_what_was_left_out(measurements, capsys):
    code = main(["validate", "--measurements", str(measurements), "--format", "json"])
    printed = capsys.readouterr()
    assert code == 0
    (summary,) = json.loads(printed.out)
    assert {"hardware", "stack", "precision", "n", "median_ape", "mean_ape", "p90_ape",
            "spearman_rho", "bias", "coverage"} <= set(summary)  # fmt: skip
    assert "nonesuch" in printed.err


def test_the_table_has_the_worst_and_the_families(measurements, capsys):
    assert main(["validate", "--measurements", str(measurements)]) == 0
    printed = capsys.readouterr().out
    assert "Furthest off:" in printed
    assert "By family of models:" in printed


@pytest.mark.parametrize(
    ("model", "family"),
    [("timm/tf_efficientnetv2_s", "efficientnetv2"), ("timm/resnet50d", "resnet"), ("vit", "vit"),
     ("torchvision/vgg16_bn", "vgg")],
)  # fmt: skip
def test_the_family_of_a_model_is_its_first_word(model, family):
    assert evidence.family_of(model) == family


@pytest.mark.parametrize("name", ["nvidia_rtx_3090", "intel_i9_10940x"])
def test_shared_measurements_are_projected_well(name):
    """A few plain networks of two devices, if the measurements are at hand."""
    if not MEASURED.exists():
        pytest.skip("the shared measurements are not here")
    frame = evidence.read(MEASURED)
    names = ["timm/resnet50", "timm/vit_base_patch16_224", "timm/convnext_tiny"]
    kept = frame[frame.model.isin(names) & frame.framework.str.contains("2.4", regex=False)]
    found = validation.validate(kept[kept.hardware == name].reset_index(drop=True))
    if not len(found.table):
        pytest.skip("timm cannot be used here")
    assert found.summaries()[0]["median_ape"] < 0.12

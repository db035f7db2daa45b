"""The Conv2D validation report: its figures come out again, and so do the right ones."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from characterize import cli, report
from characterize.cli.report import markdown, table

CPU, GPU, TPU, KPU = DEVICES = ("reference_cpu", "reference_gpu", "reference_tpu", "reference_kpu")

BATCH, CHANNELS, SIZE, KERNEL, LAYERS, FLOAT = 32, 16, 64 * 64, 9, 3, 4


@pytest.fixture(scope="module")
def found():
    return report.conv2d()


def layer_flops(in_channels):
    """The published formula, B*C_out*H_out*W_out*(2*C_in*K_h*K_w + 1); the 1 is the ReLU."""
    return BATCH * CHANNELS * SIZE * (2 * in_channels * KERNEL + 1)


def layer_bytes(in_channels):
    """Input, weights and output of a layer."""
    read = BATCH * in_channels * SIZE + CHANNELS * in_channels * KERNEL
    return FLOAT * (read + BATCH * CHANNELS * SIZE)


# 32*16*4096 = 2,097,152 outputs a layer, each (2*16*9 + 1) = 289 flops: 606,076,928 a layer, x 3.
SLIP_FLOPS = 1_818_230_784
# input and output 32*16*4096*4 = 8,388,608 each, weights 16*16*9*4 = 9,216: 16,786,432 a layer, x 3.
SLIP_BYTES = 50_359_296
# The first layer with 3 channels: 2,097,152 * (2*3*9 + 1) = 115,343,360, then 2 x 606,076,928.
RIGHT_FLOPS = 1_327_497_216
# The first layer: 32*3*4096*4 + 16*3*9*4 + 8,388,608 = 9,963,200, then 2 x 16,786,432.
RIGHT_BYTES = 43_536_064


def test_the_arithmetic_above_is_the_formulas():
    assert LAYERS * layer_flops(16) == SLIP_FLOPS
    assert LAYERS * layer_bytes(16) == SLIP_BYTES
    assert layer_flops(3) + 2 * layer_flops(16) == RIGHT_FLOPS
    assert layer_bytes(3) + 2 * layer_bytes(16) == RIGHT_BYTES


@pytest.mark.parametrize(
    ("metric", "published", "configured"),
    [
        ("flops", SLIP_FLOPS, RIGHT_FLOPS),
        ("memory_bytes", SLIP_BYTES, RIGHT_BYTES),
        ("tiles", 3, 3),
    ],
)
def test_counts_are_the_published_ones_with_the_slip_and_smaller_without(
    found, metric, published, configured
):
    assert found.value("published", metric) == published
    assert found.value("reproduced", metric) == published
    assert found.value("configured", metric) == configured


@pytest.mark.parametrize(
    ("metric", "printed"),
    [
        ("latency_s", ("1.82e-02", "1.09e-04", "2.42e-05", "1.09e-03")),
        ("energy_j", ("1.823", "0.911", "0.364", "0.182")),
        ("speedup", ("1.0", "166.7", "750.0", "16.7")),
    ],
)
def test_the_published_comparison_comes_out_again(found, metric, printed):
    for device, text in zip(DEVICES, printed, strict=True):
        half_unit = Decimal(5).scaleb(int(Decimal(text).as_tuple().exponent) - 1)
        ours = Decimal(found.value("reproduced", metric, device))
        assert abs(ours - Decimal(text)) <= half_unit, (metric, device)


# peak in flop/s, factor, J/flop, J/B of the four idealised architectures
REFERENCE = {
    CPU: (100e9, 1.0, 1e-9, 100e-12),
    GPU: (10e12, 0.6, 0.5e-9, 30e-12),
    TPU: (45e12, 0.6, 0.2e-9, 10e-12),
    KPU: (1e12, 0.6, 0.1e-9, 5e-12),
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("column", "flops", "moved"),
    [("reproduced", SLIP_FLOPS, SLIP_BYTES), ("configured", RIGHT_FLOPS, RIGHT_BYTES)],
)
def test_latency_and_energy_are_those_of_the_idealised_architectures(
    found, column, flops, moved, device
):
    peak, factor, per_flop, per_byte = REFERENCE[device]
    assert found.value(column, "latency_s", device) == pytest.approx(flops / peak * factor)
    assert found.value(column, "energy_j", device) == pytest.approx(
        flops * per_flop + moved * per_byte
    )
    # The work cancels: only peaks and factors are left.
    assert found.value(column, "speedup", device) == pytest.approx(peak / factor / 100e9)


def test_every_figure_agrees_but_the_one_that_was_misprinted(found):
    odd = [line for line in found.lines if not line.agrees]
    assert [(line.metric, line.hardware, line.printed) for line in odd] == [
        ("speedup", TPU, "750.1")
    ]
    assert "750.0" in odd[0].note


def test_the_sentence_says_why_the_columns_differ(found):
    for part in ("3 input channels", "16 input channels", "output shape for its input shape"):
        assert part in found.why
    assert found.why.count(". ") == 0, "one sentence"


def test_a_figure_that_is_not_in_the_report_is_a_mistake(found):
    with pytest.raises(KeyError):
        found.value("published", "power_w")


@pytest.mark.parametrize("page", [table, markdown])
def test_every_format_shows_the_three_columns_and_the_sentence(found, page):
    text = page(found)
    for part in ("as published", "reproduced with its slip", "as configured", "2025-10-17"):
        assert part in text
    for figure in (
        "1,818,230,784",
        "50,359,296",
        "1,327,497,216",
        "43,536,064",
        "750.1",
        "2.42e-05",
    ):
        assert figure in text
    assert " ".join(found.why.split()) in " ".join(text.split())


def test_the_command_prints_it_as_json(capsys, monkeypatch, found):
    monkeypatch.setattr(report, "conv2d", lambda _progress: found)
    assert cli.main(["report", "conv2d", "--format", "json"]) == 0
    page = json.loads(capsys.readouterr().out)
    assert (page["date"], len(page["rows"])) == ("2025-10-17", 15)
    assert page["rows"][0]["configured"] == RIGHT_FLOPS


def test_the_command_writes_markdown_to_a_file_of_that_suffix(capsys, monkeypatch, found, tmp_path):
    monkeypatch.setattr(report, "conv2d", lambda _progress: found)
    target = tmp_path / "conv2d.md"
    assert cli.main(["report", "conv2d", "--output", str(target)]) == 0
    assert capsys.readouterr().out == ""
    assert target.read_text().startswith("# Conv2D characterization validation report\n")


def test_recomputing_leaves_the_store_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("CHARACTERIZE_STORE", str(tmp_path / "store.duckdb"))
    report.conv2d()
    assert list(tmp_path.iterdir()) == []

"""What if a device were otherwise: variations are read, named, applied, and columns of a sweep."""

from typing import Any

import pytest

import characterize as ch
from characterize import hardware, questions
from characterize.cli import main
from characterize.errors import InvalidValueError, UnknownNameError, UnsupportedError
from characterize.questions import region
from characterize.records import Precision


@pytest.mark.parametrize(
    ("key", "asked", "factor", "value", "text"),
    [
        ("memory.bytes_per_s", "x2", 2.0, None, "x2"),
        ("memory.bytes_per_s", "1.5 TB/s", None, 1.5e12, "1.5TB/s"),
        ("memory.bytes_per_s", 5e11, None, 5e11, "500GB/s"),
        ("power.tdp_w", "75W", None, 75.0, "75W"),
        ("power.tdp_w", "250 mW", None, 0.25, "250mW"),
        ("units.sms", "x1.5", 1.5, None, "x1.5"),
        ("peak_flops_per_s.fp16", "1PFLOP/s", None, 1e15, "1Pflop/s"),
        ("on_chip.capacity_bytes", "64MB", None, 64e6, "64MB"),
    ],
)
def test_a_variation_is_read_as_it_is_written(key, asked, factor, value, text):
    ((found,),) = hardware.variations({key: asked}).values()
    assert (found.factor, found.value, str(found)) == (factor, value, text)


@pytest.mark.parametrize(
    ("vary", "kind", "sentence"),
    [
        ({"memory.bytes_per": "x2"}, UnknownNameError, "Did you mean 'memory.bytes_per_s'"),
        ({"memory.technology": "x2"}, UnknownNameError, "No figure of hardware"),  # a word
        ({"memory.bytes_per_s": "2W"}, InvalidValueError, "'W' is no unit of it"),
        (
            {"power.tdp_w": "much"},
            InvalidValueError,
            "a factor such as x2, or a number with its unit W",
        ),
        ({"peak_flops_per_s": "1e15"}, InvalidValueError, "varied as a whole by factors"),
        ({"power.tdp_w": []}, InvalidValueError, "over no values"),
        ({"power.tdp_w": "x1.2.3"}, InvalidValueError, "is no number"),
    ],
    ids=str,
)
def test_a_bad_variation_gets_one_sentence(vary, kind, sentence):
    with pytest.raises(kind, match=sentence):
        hardware.variations(vary)


def test_every_combination_is_a_device_with_a_name_of_its_own():
    device = hardware.load("nvidia_h100_sxm")
    vary = hardware.variations({"memory.bytes_per_s": ["x1", "x2"], "units.sms": ["x1", 66]})
    found = hardware.varied([device], vary)
    assert [profile.name for profile in found] == [
        "nvidia_h100_sxm",
        "nvidia_h100_sxm[units.sms=66]",
        "nvidia_h100_sxm[memory.bytes_per_s=x2]",
        "nvidia_h100_sxm[memory.bytes_per_s=x2,units.sms=66]",
    ]
    assert found[0] is device
    assert found[3].memory_bytes_per_s == 2 * device.memory_bytes_per_s
    assert found[3].units["sms"] == 66
    assert len({profile.content_hash for profile in found}) == 4


def test_a_section_is_varied_in_every_precision():
    device = hardware.load("nvidia_h100_sxm")
    (found,) = hardware.varied([device], hardware.variations({"peak_flops_per_s": "x2"}))
    assert {p: peak / 2 for p, peak in found.peak_flops_per_s.items()} == device.peak_flops_per_s
    assert hardware.figure(found, "peak_flops_per_s", Precision.FP8) == 2 * device.peak(
        Precision.FP8
    )


def test_what_a_device_lacks_or_cannot_have_is_refused():
    device = hardware.load("nvidia_h100_sxm")
    with pytest.raises(
        UnsupportedError, match=r"nvidia_h100_sxm has no link\.bytes_per_s to take x2 of"
    ):
        hardware.varied([device], hardware.variations({"link.bytes_per_s": "x2"}))
    with pytest.raises(InvalidValueError, match="share of the datasheet figure"):
        hardware.varied([device], hardware.variations({"efficiency.memory": 1.5}))


def test_rows_say_which_variant_they_are_of():
    asked: dict[str, Any] = {
        "channels": [64, 512],
        "batch": 64,
        "hardware": ["stillwater_kpu_t256", "nvidia_rtx_4090"],
    }
    table = ch.sweep("conv2d_stack", vary={"memory.bytes_per_s": ["x1", "x4"]}, **asked)
    assert list(table.columns)[table.columns.get_loc("hardware") + 1] == "memory.bytes_per_s"
    plain = ch.sweep("conv2d_stack", **asked)
    own = table[~table["hardware"].str.contains("[", regex=False)]
    assert own["latency_s"].tolist() == plain["latency_s"].tolist()
    faster = table[table["hardware"].str.contains("[", regex=False)]
    assert (faster["latency_s"].to_numpy() <= own["latency_s"].to_numpy()).all()
    assert (faster["latency_s"].to_numpy() < own["latency_s"].to_numpy()).any()
    # a figure of the hardware is an axis of charts, and not part of a configuration
    lines = questions.lines(table, "memory.bytes_per_s", "latency", by="hardware")
    assert len(lines) == 4
    assert len(set(region.configurations(questions.rows(table)))) == 2


def test_the_optimizer_tries_variants_as_devices():
    found = ch.optimize(
        "conv2d_stack", budgets="latency<=1ms", hardware=["nvidia_rtx_4090"], top=1,
        channels=range(64, 1088, 64), batch=16, vary={"peak_flops_per_s": ["x1", "x2"]},
    )  # fmt: skip
    assert found["channels"].is_monotonic_increasing
    assert found["channels"].iloc[1] > found["channels"].iloc[0]


def test_the_command_line_varies_hardware(capsys, fresh_store):
    asked = [
        "sweep",
        "mlp",
        "--hardware",
        "nvidia_rtx_4090",
        "--vary",
        "memory.bytes_per_s=x1,2TB/s",
    ]
    assert main([*asked, "power.tdp_w=x1,300W"]) == 0
    assert "1 configurations on 4 devices: 4 rows" in capsys.readouterr().out
    assert main(["sweep", "mlp", "--vary", "memory.bytes_per_s"]) == 2
    assert "--vary takes key=value, such as memory.bytes_per_s=x1,x2" in capsys.readouterr().err

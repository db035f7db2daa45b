"""Profiles are read, refused with a reason, and written back."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from characterize import hardware
from characterize.errors import BrokenRecordError, CharacterizeError
from characterize.hardware import Figure, FigureKind
from characterize.records import Architecture, Confidence, Precision

DOCS = Path(__file__).resolve().parent.parent / "docs" / "hardware.md"
BLOCKS = re.findall(r"```toml\n(.*?)```", DOCS.read_text(), flags=re.DOTALL)
TEMPLATE, *EXAMPLES, FITTED = BLOCKS
MINIMAL = """
name = "acme_npu"
title = "ACME NPU"
vendor = "ACME"
architecture = "kpu"
default_precision = "int8"
[peak_flops_per_s]
int8 = { value = 4e12, kind = "published", source = "brief" }
[memory]
bytes_per_s = { value = 8e9, kind = "published", source = "brief" }
"""


def problems_of(text: str, tmp_path: Path) -> list[str]:
    file = tmp_path / "acme_npu.toml"
    file.write_text(text)
    return hardware.check(file)


def edited(old: str, new: str) -> str:
    assert old in MINIMAL
    return MINIMAL.replace(old, new)


def test_the_template_of_the_documentation_is_accepted_and_says_what_it_says():
    npu = hardware.parse(TEMPLATE)
    assert npu.name == "acme_npu_1"
    assert npu.architecture is Architecture.KPU
    assert npu.default_precision is Precision.INT8
    assert npu.confidence is Confidence.DATASHEET
    assert npu.precisions == (Precision.BF16, Precision.INT8)
    assert npu.peak(Precision.INT8) == 16e12
    assert npu.memory_bytes_per_s == 51.2e9
    assert npu.memory_capacity_bytes == 8 * 2**30
    assert npu.units["array_columns"] == 32
    assert npu.figures["power.tdp_w"].source == "ACME, NPU-1 product brief, revision 3, page 2"
    assert str(npu.figures["power.tdp_w"].read_on) == "2026-11-22"


def test_the_least_that_a_profile_can_state_is_enough(tmp_path):
    assert problems_of(MINIMAL, tmp_path) == []


def test_what_is_not_found_counts_as_absent_but_is_remembered():
    npu = hardware.parse(TEMPLATE)
    figure = npu.figures["on_chip.bytes_per_s"]
    assert figure.kind is FigureKind.UNSOURCED
    assert npu.on_chip_bytes_per_s is None
    assert "not in the brief" in figure.source


def test_fitted_efficiencies_override_those_of_the_device():
    npu = hardware.parse(TEMPLATE + FITTED)
    assert npu.efficiency("compiled")["compute"] == 0.71
    assert npu.efficiency("eager")["compute"] == npu.number("efficiency.compute") != 0.71
    assert npu.fitted["efficiency.compiled"].fit.n == 400


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        # identity
        (edited('vendor = "ACME"', ""), "vendor is missing: who makes it."),
        (edited('"kpu"', '"npu"'), "architecture is 'npu', but must be one of cpu, gpu, tpu, kpu."),
        (edited('"int8"\n', '"int9"\n'), "default_precision is 'int9', but must be one of fp64,"),
        (edited('"acme_npu"', '"other"'), "name is 'other', but the file is called 'acme_npu'"),
        (edited('"ACME NPU"', "7"), "title is 7, but must be a text"),
        # unknown keys, with what is near
        (edited("bytes_per_s", "byte_per_s"), "memory.byte_per_s is unknown. Did you mean 'bytes_per_s'?"),
        (edited("[memory]", "[memry]"), "memry is unknown. Did you mean 'memory'"),
        (edited("[peak_flops_per_s]", "[peak_flops]"), "peak_flops is unknown. Did you mean 'peak_flops_per_s'?"),
        (MINIMAL + 'tdp_w = { value = 5, kind = "published", source = "s" }', "memory.tdp_w is unknown. Did you mean 'power.tdp_w'?"),
        (edited("source", "sources"), "peak_flops_per_s.int8 has an unknown part 'sources'. Did you mean 'source'?"),
        # provenance
        (edited('{ value = 4e12, kind = "published", source = "brief" }', "4e12"), "peak_flops_per_s.int8 is a bare 4000000000000.0"),
        (edited(', source = "brief" }\n[', " }\n["), "peak_flops_per_s.int8 has no source: say where it was read"),
        (edited('"brief" }\n[', '" " }\n['), "peak_flops_per_s.int8 has no source"),
        (edited('4e12, kind = "published",', "4e12,"), "peak_flops_per_s.int8 has no kind: it must be one of published, derived, measured, assumed."),
        (edited('4e12, kind = "published"', '4e12, kind = "guessed"'), "peak_flops_per_s.int8 is of kind 'guessed'"),
        (edited('source = "brief" }\n[', 'source = "brief", read_on = "today" }\n['), "peak_flops_per_s.int8 was read on 'today', but that must be a date"),
        (edited('source = "brief" }\n[', 'source = "brief", note = 3 }\n['), "peak_flops_per_s.int8 has a note that is not a text"),
        ("read_on = 2026\n" + MINIMAL, "read_on is 2026, but must be a date such as 2026-11-22."),
        ("sources = 3\n" + MINIMAL, "sources is 3, but must be a section of texts."),
        # values
        (edited("value = 4e12, ", ""), "peak_flops_per_s.int8 has no value"),
        (edited("4e12", "-4e12"), "peak_flops_per_s.int8 is -4000000000000.0, but must be more than 0 in flop/s."),
        (edited("4e12", "0"), "peak_flops_per_s.int8 is 0, but must be more than 0 in flop/s."),
        (edited("4e12", "inf"), "peak_flops_per_s.int8 is inf, but must be finite in flop/s."),
        (edited("4e12", "nan"), "peak_flops_per_s.int8 is nan, but must be finite in flop/s."),
        (edited("4e12", "4"), "peak_flops_per_s.int8 is 4, but must be at least 1e+06 in flop/s: without a prefix, 26 TOPS are 26e12."),
        (edited("8e9", "8"), "memory.bytes_per_s is 8, but must be at least 1000 in B/s: without a prefix"),
        (MINIMAL + '[units]\nclock_boost_hz = { value = 2.4, kind = "published", source = "s" }', "units.clock_boost_hz is 2.4, but must be at least 100000 in Hz"),
        (edited("4e12", '"4 TOPS"'), "peak_flops_per_s.int8 is '4 TOPS', but must be a number in flop/s."),
        (edited("4e12", "true"), "peak_flops_per_s.int8 is True, but must be a number in flop/s."),
        (MINIMAL + '[units]\ncores = { value = 2.5, kind = "published", source = "s" }', "units.cores is 2.5, but must be a whole number."),
        (MINIMAL + 'technology = { value = 5, kind = "published", source = "s" }', "memory.technology is 5, but must be a text."),
        (MINIMAL + '[efficiency]\ncompute = { value = 1.2, kind = "measured", source = "s" }', "efficiency.compute is 1.2, but must be at most 1."),
        (MINIMAL + '[power]\nidle_w = { value = -1, kind = "measured", source = "s" }', "power.idle_w is -1, but must be not negative in W."),
        (MINIMAL + "[power]\ntdp_w = { unsourced = \"\" }", "power.tdp_w is unsourced: then it holds one text"),
        # required figures
        (edited('default_precision = "int8"', 'default_precision = "fp16"'), "default_precision is fp16, but peak_flops_per_s.fp16 is missing (peaks given: int8)."),
        (edited('{ value = 4e12, kind = "published", source = "brief" }', '{ unsourced = "peak" }'), "default_precision is int8, but peak_flops_per_s.int8 is missing (peaks given: none)."),
        (edited('bytes_per_s = { value = 8e9, kind = "published", source = "brief" }', ""), "memory.bytes_per_s is missing: state it, or memory.on_chip_only"),
        (edited("bytes_per_s = { value = 8e9", "on_chip_only = { value = true"), "memory.on_chip_only is true, but on_chip.capacity_bytes is missing."),
        (edited("default_precision", 'execution_model = "reference"\ndefault_precision'), "reference.latency_factor is missing: the reference model needs it."),
        # fitted tables
        (MINIMAL + "[efficiency.compiled]\ncompute = 0.7", "efficiency.compiled has no fit: add [efficiency.compiled.fit] with on, n and date."),
        (MINIMAL + "[efficiency.compiled]\ncompute = -1\n[efficiency.compiled.fit]\non = 'x'\nn = 3\ndate = 2026-11-22", "efficiency.compiled.compute is -1, but must be a number"),
        (MINIMAL + "[efficiency.compiled]\ncompute = 1\n[efficiency.compiled.fit]\nn = 3\ndate = 2026-11-22", "efficiency.compiled.fit.on is missing or of the wrong type."),
        (MINIMAL + "[efficiency.fast]\ncompute = 1", "efficiency.fast is unknown."),
        # not TOML at all
        ("name = ", "it is not valid TOML: "),
    ],
)  # fmt: skip
def test_a_broken_profile_is_refused_with_one_clear_sentence(text, sentence, tmp_path):
    problems = problems_of(text, tmp_path)
    assert problems[0].startswith(sentence), problems
    with pytest.raises(BrokenRecordError, match=r"^acme_npu\.toml: "):
        hardware.load(tmp_path / "acme_npu.toml")


def test_a_check_lists_every_problem_and_a_refusal_counts_them(tmp_path):
    broken = edited("4e12", "-4e12").replace("8e9", '"fast"').replace('vendor = "ACME"', "")
    # vendor is missing, the peak is negative, the bandwidth is a text
    problems = problems_of(broken, tmp_path)
    assert [p.split()[0] for p in problems] == [
        "vendor",
        "peak_flops_per_s.int8",
        "memory.bytes_per_s",
    ]
    with pytest.raises(BrokenRecordError, match=r"There are 2 more problems\.$"):
        hardware.load(tmp_path / "acme_npu.toml")


def test_a_file_that_is_not_a_text_is_refused(tmp_path):
    file = tmp_path / "acme_npu.toml"
    file.write_bytes(b"\xff\xfe\x00")
    assert hardware.check(file) == ["acme_npu.toml is not a text in UTF-8."]
    with pytest.raises(BrokenRecordError, match="is not a text in UTF-8"):
        hardware.load(file)


def test_a_file_that_is_not_there_is_a_problem(tmp_path):
    assert hardware.check(tmp_path / "none.toml")[0].startswith("none.toml cannot be read")
    with pytest.raises(
        CharacterizeError, match=r"There is no hardware profile at '.*none\.toml'\."
    ):
        hardware.load(tmp_path / "none.toml")


@pytest.mark.parametrize("name", hardware.names())
def test_a_shipped_profile_written_and_read_again_is_the_same(name):
    profile = hardware.load(name)
    again = hardware.parse(hardware.to_toml(profile))
    assert again == profile
    assert again.stated == profile.stated
    assert again.fitted == profile.fitted
    assert hardware.to_toml(again) == hardware.to_toml(profile)


def test_awkward_texts_and_numbers_survive_writing():
    profile = hardware.parse(TEMPLATE + FITTED)
    awkward = 'a "quoted" \\ back\tslash, ü and 核'
    figures = {"power.tdp_w": Figure(1 / 3, FigureKind.MEASURED, awkward, note=awkward)}
    changed = profile.with_({"power.maximum_w": 1e-300}, summary=awkward)
    changed = replace(changed, stated={**changed.stated, **figures})
    again = hardware.parse(hardware.to_toml(changed))
    assert again.value("power.tdp_w") == 1 / 3
    assert again.value("power.maximum_w") == 1e-300
    assert again.figures["power.tdp_w"].note == awkward
    assert again.summary == awkward
    assert again.fitted == changed.fitted

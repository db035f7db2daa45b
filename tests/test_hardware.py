"""The catalogue: which devices there are, that their figures are sourced, and what a profile answers."""

from __future__ import annotations

import datetime
import math
import os
import pickle
import subprocess
import sys

import pytest

from characterize import hardware
from characterize.errors import InvalidValueError, UnknownNameError, UnsupportedError
from characterize.hardware import FigureKind
from characterize.records import Architecture, Confidence, Precision, Stack

NAMES = hardware.names()
REFERENCE = ["reference_cpu", "reference_gpu", "reference_kpu", "reference_tpu"]
REQUIRED = {
    "nvidia_rtx_3080", "nvidia_rtx_3090", "nvidia_rtx_4080", "nvidia_rtx_4090", "nvidia_rtx_5080",
    "nvidia_rtx_5090", "nvidia_rtx_pro_6000", "nvidia_rtx_pro_6000_maxq", "nvidia_a10",
    "nvidia_a100_sxm_80gb", "nvidia_l40s", "nvidia_h100_sxm", "nvidia_h100_pcie", "nvidia_h200_sxm",
    "nvidia_b200", "nvidia_l4", "nvidia_t4", "nvidia_v100_sxm_32gb", "nvidia_jetson_agx_orin_64gb",
    "nvidia_jetson_orin_nx_16gb", "nvidia_jetson_orin_nano_8gb", "nvidia_jetson_agx_xavier",
    "intel_i9_10940x", "intel_i7_12700k", "intel_i7_12700h", "intel_ultra_7_155h", "intel_xeon_8380",
    "intel_xeon_8490h", "amd_epyc_9654", "amd_ryzen_9950x", "raspberry_pi_4", "raspberry_pi_5",
    "arm_cortex_a78ae_orin", "google_tpu_v2", "google_tpu_v3", "google_tpu_v4", "google_tpu_v4i",
    "google_tpu_v5e", "google_tpu_v5p", "google_tpu_v6e", "google_coral_edge_tpu", "stillwater_kpu_t64",
    "stillwater_kpu_t256", "stillwater_kpu_t768", "kendryte_k210", "kendryte_k230", "hailo_8",
}  # fmt: skip


def test_the_devices_that_were_promised_are_there():
    assert set(NAMES) >= REQUIRED
    assert set(REFERENCE) <= set(NAMES)
    assert hardware.names(include_reference=False) == [n for n in NAMES if n not in REFERENCE]
    for architecture in Architecture:
        assert len(hardware.select([architecture])) >= 5


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_that_we_ship_says_where_and_when_it_was_read(name):
    profile = hardware.load(name)
    assert hardware.check(hardware.catalogue._path(name)) == []
    for key, figure in profile.stated.items():
        assert figure.source.strip(), key
        if figure.kind is not FigureKind.UNSOURCED:
            assert figure.value is not None, key
            assert isinstance(figure.read_on, datetime.date), key


@pytest.mark.parametrize("name", NAMES)
def test_a_derived_figure_that_we_ship_says_from_what(name):
    for key, figure in hardware.load(name).stated.items():
        if figure.kind is FigureKind.DERIVED:
            assert figure.note or len(figure.source) > 40, key


@pytest.mark.parametrize("name", [n for n in NAMES if n not in REFERENCE])
def test_what_a_model_needs_and_nobody_states_is_assumed_openly(name):
    profile = hardware.load(name)
    assumed = {key for key in profile.figures if profile.stated.get(key) != profile.figures[key]}
    assert {profile.figures[key].kind for key in assumed} == {FigureKind.ASSUMED}
    assert all(profile.figures[key].source for key in assumed)
    for share in ("compute", "memory", "vector", "on_chip"):
        assert 0 < profile.efficiency()[share] <= 1
    for precision in profile.precisions:
        assert 0 < profile.j_per_flop(precision) < 1e-9
        assert 0 < profile.vector_peak(precision) <= profile.peak(precision)
        assert profile.vector_j_per_flop(precision) > 0
    assert 0 <= profile.on_chip_j_per_byte <= profile.memory_j_per_byte < 1e-9
    assert profile.idle_w < (profile.tdp_w or math.inf)
    low, high = profile.band()
    assert low < 1 < high
    assert low * high == pytest.approx(1)


@pytest.mark.parametrize("name", NAMES)
def test_a_narrower_format_is_never_slower_and_never_dearer_an_operation(name):
    profile = hardware.load(name)
    for wide in profile.precisions:
        for narrow in profile.precisions:
            if narrow.bytes < wide.bytes:
                assert profile.peak(narrow) >= profile.peak(wide), (wide, narrow)
                assert profile.vector_peak(narrow) >= profile.vector_peak(wide), (wide, narrow)
                assert profile.j_per_flop(narrow) <= profile.j_per_flop(wide), (wide, narrow)
                assert profile.vector_j_per_flop(narrow) <= profile.vector_j_per_flop(wide)


def test_overheads_fall_from_eager_to_compiled_to_engine():
    for profile in hardware.select(["all"]):
        eager, compiled, engine = (profile.kernel_overhead_s(stack) for stack in Stack)
        assert min(eager, compiled) >= engine >= 0, profile.name
        # on a GPU the eager figure is of a pointwise kernel, of which most others are multiples
        assert eager >= compiled or profile.architecture is Architecture.GPU, profile.name


@pytest.mark.parametrize(
    ("name", "precision", "peak"),
    [
        # GeForce tensor cores with fp32 accumulation: a quarter of int8
        ("nvidia_rtx_3090", "fp16", 284e12 / 4),
        ("nvidia_rtx_4090", "fp16", 660.6e12 / 4),
        ("nvidia_rtx_5090", "fp16", 838e12 / 4),
        # 142 multiprocessors x 2.52 GHz x 1024 = 366e12; the datasheet says 362.05e12
        ("nvidia_l40s", "fp16", 362.05e12),
        # 14 cores x 2 AVX-512 units x 16 lanes x 2 x 3.3 GHz
        ("intel_i9_10940x", "fp32", 14 * 2 * 16 * 2 * 3.3e9),
        # 8 x 32 x 3.6 GHz + 4 x 16 x 2.7 GHz
        ("intel_i7_12700k", "fp32", 8 * 32 * 3.6e9 + 4 * 16 * 2.7e9),
        # 8 arrays x 128 x 128 x 2 x 1.05 GHz
        ("google_tpu_v4", "bf16", 8 * 128 * 128 * 2 * 1.05e9),
        # (44 + 13 + 7) tiles x 2048 x 475 MHz
        ("stillwater_kpu_t64", "int8", 64 * 2048 * 475e6),
        # 256 tiles x 2048 x 600 MHz
        ("stillwater_kpu_t256", "int8", 256 * 2048 * 600e6),
        # (537 x 512 + 154 x 512 + 77 x 8192) x 1375 MHz
        ("stillwater_kpu_t768", "int8", (537 * 512 + 154 * 512 + 77 * 8192) * 1375e6),
        # 64 units x 9 x 2 x 400 MHz
        ("kendryte_k210", "int8", 64 * 9 * 2 * 400e6),
        # 4 cores x 8 x 1.5 GHz, measured 47.88
        ("raspberry_pi_4", "fp32", 4 * 8 * 1.5e9),
    ],
)  # fmt: skip
def test_peaks_agree_with_the_arithmetic_of_their_units(name, precision, peak):
    assert hardware.load(name).peak(Precision(precision)) == pytest.approx(peak, rel=0.005)


def test_vendors_sparse_figures_are_not_taken():
    # NVIDIA advertises 275 TOPS for the module: sparse, and with the DLAs
    assert hardware.load("nvidia_jetson_agx_orin_64gb").peak(Precision.INT8) == 85e12
    assert hardware.load("nvidia_h100_sxm").peak(Precision.FP8) == pytest.approx(1979e12, rel=1e-3)


def test_a_design_without_silicon_says_so():
    for name in ("stillwater_kpu_t64", "stillwater_kpu_t256", "stillwater_kpu_t768"):
        profile = hardware.load(name)
        assert profile.confidence is Confidence.DESIGN
        assert profile.band()[1] > hardware.load("hailo_8").band()[1]


def test_a_device_without_memory_of_its_own_has_what_is_on_its_chip():
    k210, coral = hardware.load("kendryte_k210"), hardware.load("google_coral_edge_tpu")
    assert k210.on_chip_only
    assert k210.memory_capacity_bytes == 8 * 2**20
    # the Coral streams what does not fit over its link at every inference
    assert coral.on_chip_only
    assert coral.memory_capacity_bytes == math.inf
    assert coral.memory_bytes_per_s == 425e6


# Selection


def test_a_name_stands_for_its_device_and_a_class_for_its_members_without_the_idealised():
    assert [p.name for p in hardware.select(["nvidia_t4"])] == ["nvidia_t4"]
    assert hardware.select("nvidia_t4") == hardware.select(["nvidia_t4"])
    gpus = hardware.select(["gpu"])
    assert {p.architecture for p in gpus} == {Architecture.GPU}
    assert not [p for p in hardware.select(["all", "cpu", "tpu"]) if p.is_reference]
    assert [p.name for p in hardware.select(["reference_gpu"])] == ["reference_gpu"]


def test_a_selection_keeps_its_order_and_holds_a_device_once():
    chosen = [p.name for p in hardware.select(["nvidia_t4", "gpu", "nvidia_t4", "intel_i9_10940x"])]
    assert chosen[0] == "nvidia_t4"
    assert chosen[-1] == "intel_i9_10940x"
    assert len(chosen) == len(set(chosen))


def test_an_unknown_name_is_refused_with_what_is_near():
    with pytest.raises(
        UnknownNameError,
        match=r"No device or class named 'nvidia_rtx_490'.* Did you mean 'nvidia_rtx_4090'",
    ):
        hardware.select(["nvidia_rtx_490"])
    with pytest.raises(UnknownNameError, match="Did you mean 'tpu'"):
        hardware.select(["tpus"])
    with pytest.raises(UnknownNameError, match="No device named 'hailo_9'"):
        hardware.load("hailo_9")


def test_a_users_own_file_is_taken_wherever_a_name_is(tmp_path):
    text = hardware.to_toml(
        hardware.load("nvidia_t4").with_(name="my_card", memory_bytes_per_s=4e11)
    )
    path = tmp_path / "my_card.toml"
    path.write_text(text)
    mine, shipped = hardware.select([str(path), "nvidia_t4"])
    assert (mine.name, shipped.name) == ("my_card", "nvidia_t4")
    assert mine.memory_bytes_per_s == 4e11
    assert hardware.load(path) == mine


def test_two_different_devices_of_one_name_are_refused(tmp_path):
    path = tmp_path / "nvidia_t4.toml"
    path.write_text(hardware.to_toml(hardware.load("nvidia_t4").with_(memory_bytes_per_s=4e11)))
    with pytest.raises(InvalidValueError, match="Two different devices are named 'nvidia_t4'"):
        hardware.select(["nvidia_t4", str(path)])


def test_a_file_is_read_again_after_it_changed(tmp_path):
    path = tmp_path / "my_card.toml"
    base = hardware.load("nvidia_t4").with_(name="my_card")
    path.write_text(hardware.to_toml(base))
    first = hardware.load(path)
    assert hardware.load(path) is first
    path.write_text(hardware.to_toml(base.with_(memory_bytes_per_s=4e11)))
    os.utime(path, ns=(1, 1))
    assert hardware.load(path).memory_bytes_per_s == 4e11
    assert hardware.load(path).content_hash != first.content_hash


# Profiles


def test_a_precision_that_a_device_lacks_is_refused_with_what_it_has():
    with pytest.raises(
        UnsupportedError,
        match=r"NVIDIA T4 \(nvidia_t4\) does not run bf16; it has fp64, fp32, fp16, int8, int4\.",
    ):
        hardware.load("nvidia_t4").peak(Precision.BF16)


def test_a_format_that_is_slower_than_a_wider_one_runs_at_the_wider_ones_rate():
    # a Pascal card whose fp16 is a 64th of fp32 computes in fp32, which holds every fp16 value
    card = hardware.load("nvidia_p4").with_(peak_flops_per_s_fp16=8.9e10)
    assert card.peak(Precision.FP16) == card.peak(Precision.FP32) == 5.704e12
    assert card.j_per_flop(Precision.FP16) <= card.j_per_flop(Precision.FP32)


def test_a_what_if_changes_the_figure_and_the_hash():
    t4 = hardware.load("nvidia_t4")
    faster = t4.with_({"memory.bytes_per_s": 1e12}, power_tdp_w=140.0, name="faster")
    assert faster.memory_bytes_per_s == 1e12
    assert faster.figures["memory.bytes_per_s"].note == "was 320000000000.0"
    # assumed as shares of the power limit, and of the chip: another limit does not change them
    assert faster.idle_w == t4.idle_w
    assert faster.j_per_flop(Precision.FP16) == t4.j_per_flop(Precision.FP16)
    assert faster.content_hash != t4.content_hash
    assert t4.memory_bytes_per_s == 320e9
    with pytest.raises(UnknownNameError, match="No hardware figure named 'memory_bytes'"):
        t4.with_(memory_bytes=1)


def test_the_hash_depends_on_values_and_not_on_words():
    t4 = hardware.load("nvidia_t4")
    assert t4.with_(title="Tesla T4", summary="another sentence") == t4
    assert hash(t4.with_(title="Tesla T4")) == hash(t4)
    assert t4.with_(confidence=Confidence.DESIGN) != t4
    assert t4 != "nvidia_t4"


def test_a_profile_survives_being_sent_to_another_process():
    t4 = hardware.load("nvidia_t4")
    assert pickle.loads(pickle.dumps(t4)) == t4
    assert pickle.loads(pickle.dumps(t4)).peak(Precision.INT8) == t4.peak(Precision.INT8)


def test_every_figure_that_a_profile_may_hold_says_its_unit_and_its_meaning():
    for key, field in hardware.KEYS.items():
        assert field.sentence, key
        if key.endswith("_per_s") or ".bytes_per_s" in key:
            assert field.unit.endswith("/s"), key
        for suffix, unit in (("_bytes", "B"), ("_w", "W"), ("_hz", "Hz"), ("_s", "s")):
            if key.split(".")[-1].endswith(suffix) and not key.endswith("_per_s"):
                assert field.unit == unit, key


def test_listing_the_catalogue_loads_no_numpy():
    code = (
        "import sys; from characterize import hardware; hardware.select(['all', 'reference_cpu']);"
        "print(sorted({'numpy', 'pandas', 'torch', 'duckdb'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"

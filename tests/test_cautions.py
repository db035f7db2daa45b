"""Rare paths: which kernels are flagged, on what, and only where they matter."""

import numpy as np
import pytest

import characterize as ch
from characterize import cautions, features, hardware, session
from characterize.records import KernelKind, Precision, Stack
from tests.test_hardware_models import kernels

_K = KernelKind
DENSE = {"kind": _K.CONVOLUTION, "macs": 37e9, "m": 1e6, "n": 64, "k": 576, "kernel_area": 9,
         "kernel_extent": 3, "input_elements": 64e6, "output_elements": 64e6}  # fmt: skip
DEPTHWISE = {"kind": _K.DEPTHWISE_CONVOLUTION, "macs": 1e9, "m": 1e6, "n": 1, "k": 9, "groups": 64,
             "kernel_area": 9, "kernel_extent": 3, "input_elements": 64e6, "output_elements": 64e6}  # fmt: skip


def said(row, stack="compiled", device="nvidia_rtx_4090", precision="fp16"):
    """The cautions of a network of one kernel."""
    profile, columns = hardware.load(device), kernels(row)
    estimate = hardware.estimate(columns, profile, precision, stack)
    (flag,) = cautions.flags(columns, estimate, profile, Precision(precision), Stack(stack))
    return cautions.TEXTS[flag]


@pytest.mark.parametrize(
    ("row", "stack", "text"),
    [
        pytest.param(DENSE, "compiled", "", id="usual convolution"),
        pytest.param(DEPTHWISE, "eager", "", id="usual depthwise"),
        # 9 x 9 = 81 > 7 x 7
        pytest.param(DEPTHWISE | {"kernel_area": 81, "kernel_extent": 9}, "eager",
                     "large depthwise kernels", id="9x9"),
        pytest.param(DEPTHWISE | {"kernel_area": 5, "kernel_extent": 5}, "compiled",
                     "non-square depthwise kernels", id="1x5"),
        pytest.param(DEPTHWISE | {"kernel_area": 31, "kernel_extent": 31}, "compiled",
                     "large depthwise kernels; non-square depthwise kernels", id="1-D of 31"),
        pytest.param(DEPTHWISE | {"kernel_area": 5, "kernel_extent": 5}, "engine", "", id="engine"),
        # 60 = 7 x 8 + 4 channels come in (k = 60 x 9)
        pytest.param(DENSE | {"k": 540}, "compiled", "odd channels", id="60 channels in"),
        pytest.param(DENSE | {"n": 60}, "eager", "odd channels", id="60 channels out"),
        pytest.param(DENSE | {"k": 27}, "eager", "", id="an image has 3 channels"),
        pytest.param(DEPTHWISE | {"groups": 60}, "eager", "odd channels", id="60 depthwise"),
        pytest.param(DENSE | {"output_elements": 2.2e9}, "engine", "tensors over 2^31 elements", id="huge"),
        pytest.param(DENSE | {"kind": _K.GROUPED_CONVOLUTION, "groups": 2}, "compiled",
                     "grouped convolutions compiled", id="grouped"),
        pytest.param(DENSE | {"kind": _K.GROUPED_CONVOLUTION, "groups": 2}, "eager", "", id="grouped eager"),
        pytest.param({"kind": _K.GROUP_NORM, "output_elements": 64e6}, "eager", "group norm in NHWC", id="group norm"),
        pytest.param({"kind": _K.GROUP_NORM, "output_elements": 64e6}, "compiled", "", id="group norm compiled"),
    ],
)  # fmt: skip
def test_a_rare_path_has_its_code(row, stack, text):
    assert said(row, stack) == text


def test_sixteen_bytes_are_eight_halves_and_four_floats():
    row = DENSE | {"n": 60}
    assert said(row, precision="fp16") == said(row, precision="int8") == "odd channels"
    assert said(row, precision="fp32") == said(row, precision="tf32") == ""


@pytest.mark.parametrize(
    "name", ["intel_i9_10940x", "google_tpu_v4", "kendryte_k230", "reference_gpu"]
)
def test_only_gpu_libraries_have_rare_paths(name):
    device = hardware.load(name)
    row = DENSE | {"n": 61, "output_elements": 2.2e9}
    assert said(row, device=name, precision=device.default_precision) == ""


def test_a_path_that_takes_little_time_is_not_flagged():
    # the odd layer is one of 40 of equal work: a fortieth of the time is below a twentieth
    profile = hardware.load("nvidia_rtx_4090")
    columns = kernels(DENSE | {"count": 39}, DENSE | {"n": 63}, batches=(1,))
    estimate = hardware.estimate(columns, profile, "fp16", "compiled")
    share = estimate.latency_s[1] / (estimate.latency_s * columns.count).sum()
    assert share < cautions.SHARE
    assert not cautions.flags(columns, estimate, profile, Precision.FP16, Stack.COMPILED).any()


def test_every_configuration_is_flagged_for_itself():
    # 8 to 4 M samples of 1,000 elements: 2.2e9 elements are more than 2^31
    columns = kernels(
        DENSE | {"input_elements": 1e3, "output_elements": 1e3}, batches=(8, 2_200_000)
    )
    profile = hardware.load("nvidia_rtx_4090")
    estimate = hardware.estimate(columns, profile, "fp16", "engine")
    found = cautions.flags(columns, estimate, profile, Precision.FP16, Stack.ENGINE)
    assert [cautions.TEXTS[flag] for flag in found] == ["", "tensors over 2^31 elements"]


def test_a_real_network_is_flagged_in_its_row():
    # the default width of 16 is even; 20 channels are 2.5 times eight
    rows = session.project(
        "conv2d_stack", {"channels": 20, "layers": 4}, batch=64, keep=False,
        hardware=["nvidia_rtx_4090", "intel_i9_10940x"],
    )  # fmt: skip
    assert rows["cautions"].tolist() == ["odd channels", ""]
    assert list(rows.columns)[-1] == "cautions"


def test_the_longest_side_of_a_kernel_is_kept():
    import torch

    module = torch.nn.Conv2d(16, 16, (1, 7), groups=16, padding=(0, 3))
    columns = features.columns(ch.fuse(ch.trace(module, torch.empty(512, 16, 64, 64)))).kernels
    assert (columns.kernel_area.item(), columns.kernel_extent.item()) == (7, 7)
    flag = cautions.flags(
        columns, hardware.estimate(columns, hardware.load("nvidia_rtx_3090"), "fp16", "eager"),
        hardware.load("nvidia_rtx_3090"), Precision.FP16, Stack.EAGER,
    )  # fmt: skip
    assert cautions.TEXTS[flag.item()] == "non-square depthwise kernels"


def test_texts_are_the_codes_of_their_bits():
    assert cautions.TEXTS[0] == ""
    assert len(cautions.TEXTS) == 2 ** len(cautions.CODES) <= np.iinfo(np.int8).max + 1
    assert cautions.TEXTS[0b101] == f"{cautions.CODES[0]}; {cautions.CODES[2]}"


def test_a_flagged_row_has_a_wider_interval():
    # 20 channels are flagged, 16 are not: ln(high / latency) is 1.3 times as wide
    even, odd = (
        session.project(
            "conv2d_stack", {"channels": channels, "layers": 4}, batch=512, keep=False,
            hardware=["nvidia_rtx_4090"],
        ).iloc[0]
        for channels in (16, 20)
    )  # fmt: skip
    assert (even["cautions"], odd["cautions"]) == ("", "odd channels")
    for end in ("latency_low_s", "latency_high_s"):
        usual, wide = (np.log(row[end] / row["latency_s"]) for row in (even, odd))
        assert wide == pytest.approx(1.3 * usual)


def test_a_gpu_that_waits_for_its_host_is_flagged_and_its_interval_is_wide():
    # eight small convolutions at batch 1: microseconds each, and tens of them to send one
    def row(batch, stack, device="nvidia_rtx_4090"):
        return session.project(
            "conv2d_stack", {"layers": 8}, batch=batch, stack=stack, keep=False, hardware=[device]
        ).iloc[0]

    for stack in ("eager", "compiled"):
        small = row(1, stack)
        assert small["cautions"] == "waits for the host"
        assert small["latency_high_s"] / small["latency_s"] == pytest.approx(np.exp(0.4))
        assert small["latency_low_s"] / small["latency_s"] == pytest.approx(np.exp(-0.4))
        assert row(1024, stack)["cautions"] == ""
    # an engine is replayed from a graph; a processor is its own host
    assert row(1, "engine")["cautions"] == ""
    assert row(1, "eager", "intel_i9_10940x")["cautions"] == ""


def test_where_the_host_sets_the_pace_a_rare_path_is_not_narrower():
    wide = (1 / 2.0, 2.0)  # ln 2 = 0.69 is more than 0.4
    waits, rare = 1 << cautions.CODES.index(cautions.WAITS), 1
    for flag, upper in ((0, 2.0), (rare, 2.0**1.3), (waits, 2.0), (rare | waits, 2.0**1.3)):
        low, high = cautions.interval(wide, np.array([flag, waits], dtype=np.int8))
        assert (low[0], high[0]) == pytest.approx((1 / upper, upper))
    low, high = cautions.interval((0.9, 1.1), np.array([waits, 0], dtype=np.int8))
    assert high.tolist() == pytest.approx([np.exp(0.4), 1.1])
    assert low.tolist() == pytest.approx([np.exp(-0.4), 0.9])

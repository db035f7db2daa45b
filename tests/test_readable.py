"""Rows made readable: labels, units, changes, and the frames of the charts."""

import doctest
import itertools
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as some
from hypothesis import strategies as st

from dashboard import kernel_bars, letters, readable, tables
from tests.dashboard_support import KERNELS, ROWS


def test_a_kernel_is_marked_with_what_the_pinned_one_in_its_place_takes():
    slower = {**KERNELS, "latency_s": [4e-3, 4e-3, 1e-3], "flops": [200, 200, 10]}
    bars = kernel_bars.top_kernels(KERNELS, "latency_s", "s", before=slower)
    # conv1 and conv2 did the same work and still do: both bars hold two of them
    assert dict(zip(bars["label"], bars["before"], strict=True))["fc"] == 1e-3
    assert max(value for value in bars["before"] if value) == 8e-3
    assert bars["room"][0] == pytest.approx(8e-3 * kernel_bars.BAR_ROOM)  # room for the longer


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(readable).failed == 0


@pytest.mark.parametrize(("now", "before", "text"), [
    (1.2e-3, 1.0e-3, "+20 %"),
    (0.95, 1.0, "−5 %"),
    (0.996, 1.0, "−0.4 %"),
    (1.0, 1.0, "0 %"),
    (4.0, 1.0, "4× as much"),      # from four times on a factor reads better than +300 %
    (0.05, 1.0, "1/20 of it"),
    (1.0, 0.0, "–"),               # nothing to compare with
    (1.0, None, "–"),
    (math.nan, 1.0, "–"),
])  # fmt: skip
def test_changes_read_as_a_person_says_them(now, before, text):
    assert readable.change(now, before) == text


positive = st.floats(min_value=1e-9, max_value=1e9)


@given(now=positive, before=positive)
def test_the_sign_of_a_change_is_that_of_the_difference(now, before):
    text = readable.change(now, before)
    if text.startswith("+") or text.endswith("as much"):
        assert now > before
    elif text.startswith("−") or text.endswith("of it"):
        assert now < before
    else:
        assert now == pytest.approx(before, rel=1e-3)


@pytest.mark.parametrize(("values", "expected"), [
    ([1.0, 2.0], "even"),
    ([1.0, 12.0], "even"),
    ([1.0, 12.5], "log"),
    ([0.0, 1.0], "even"),  # zero has no place on a logarithmic axis
    ([], "even"),
])  # fmt: skip
def test_an_axis_is_logarithmic_where_values_span_decades(values, expected):
    assert readable.spread(values) == expected


@given(
    values=some.lists(
        some.floats(-1e300, 1e300) | some.sampled_from([math.nan, math.inf, -math.inf]), max_size=20
    ),
    unit=some.sampled_from(["s", "J", "B", "", "×", "flop", "MACs", "/s"]),
)
@example(values=[999.5, 999.4999, 0.9995, 1.235, 1.245, 1e15, 1e-15, 0.0, -3.0], unit="s")
def test_many_numbers_are_written_as_each_of_them_is(values, unit):
    assert readable.numbers(values, unit) == [readable.number(value, unit) for value in values]


def test_the_pinned_value_is_that_of_the_same_device():
    pinned: dict[str, list[Any]] = {"hardware": ["a_gpu", "a_cpu"], "latency_s": [2e-4, 5e-3]}
    frame = readable.by_device(
        ROWS, readable.LATENCY, {"a_gpu": "A GPU"}, [readable.Pinned("A", "mine", pinned)]
    )
    assert frame["device"] == 2 * ["a_cpu", "A GPU", "a_kpu"]  # and the pin's marks after them
    assert frame["pinned"] == [None, None, None, 5e-3, 2e-4, None]
    assert frame["letter"] == [None, None, None, "A", "A", ""]
    assert frame["before"][:3] == [5e-3, 2e-4, None]  # the KPU was not pinned
    # 10 ms against 5 ms, 0.1 ms against 0.2 ms
    assert frame["change_text"] == 2 * ["+100 %", "−50 %", "–"]
    assert frame["range_text"][0] == "5 ms to 20 ms"


@pytest.mark.parametrize(
    ("places", "written"),
    [
        ([0.2, 0.9, 0.5], ["A", "B", "C"]),
        # a letter takes 0.045: two at 0.04 run into each other, two at 0.05 do not
        ([0.54, 0.50, 0.9], ["", "B, A", "C"]),
        ([0.50, 0.55, 0.9], ["A", "B", "C"]),
        ([0.5, 0.5, 0.5], ["", "A, B, C", ""]),
        # "A, B" is 0.12 wide: half of it and half a letter, 0.0825, reach what lies at 0.57
        ([0.50, 0.50, 0.57], ["", "A, B, C", ""]),
        ([0.50, 0.50, 0.59], ["A, B", "", "C"]),
        ([math.nan, 0.1, math.nan], ["", "B", ""]),
        ([math.nan] * 3, ["", "", ""]),
    ],
)
def test_letters_that_would_run_into_each_other_are_joined(places, written):
    assert letters.joined(["A", "B", "C"], places) == written


@given(some.lists(some.floats(0.0, 1.0) | some.just(math.nan), max_size=8))
def test_every_drawn_mark_has_its_letter_once_and_no_two_texts_touch(places):
    names = [chr(ord("A") + index) for index in range(len(places))]
    texts = letters.joined(names, places)
    written = sorted(name for text in texts if text for name in text.split(", "))
    assert written == [n for n, place in zip(names, places, strict=True) if not math.isnan(place)]
    shown = sorted(
        (place, text.count(",") + 1) for place, text in zip(places, texts, strict=True) if text
    )
    for (left, before), (right, after) in itertools.pairwise(shown):
        wide = [letters.LETTER * n + letters.COMMA * (n - 1) for n in (before, after)]
        assert right - left >= sum(wide) / 2


def test_places_along_an_axis_are_those_of_its_scale():
    assert letters.along([0.0, 5.0, None], 0.0, 10.0, log=False)[:2] == [0.0, 0.5]
    places = letters.along([1e-3, 1e-2, 0.0, None], 1e-3, 1e-1, log=True)
    assert places[:2] == pytest.approx([0.0, 0.5])
    assert all(map(math.isnan, places[2:]))
    assert letters.along([3.0, None], 3.0, 3.0, log=True)[0] == 0.0  # all values are equal


def test_pins_of_equal_values_share_a_mark_s_letters():
    slow: dict[str, list[Any]] = {"hardware": ["a_cpu", "a_gpu"], "latency_s": [5e-3, 1e-5]}
    fast: dict[str, list[Any]] = {"hardware": ["a_cpu", "a_gpu"], "latency_s": [5e-3, 1e-3]}
    frame = readable.by_device(
        ROWS,
        readable.LATENCY,
        {},
        [readable.Pinned("A", "slow", slow), readable.Pinned("B", "fast", fast)],
    )
    assert frame["letter"][3:] == ["A, B", "A", "", "", "B", ""]  # devices of A, then of B


def test_kernels_that_do_the_same_share_a_bar_and_the_shares_add_up():
    bars = kernel_bars.top_kernels(KERNELS, "latency_s", "s")
    # 2 x 3 ms of convolutions and 2 ms of the linear layer: 6/8 and 2/8
    assert bars["label"] == ["2 × conv1+relu1", "fc"]
    assert bars["share"] == [0.75, 0.25]
    assert bars["text"] == ["6 ms", "2 ms"]
    assert bars["flops_text"] == ["200 flop", "10 flop"]


def test_what_does_not_fit_is_summed_in_one_bar():
    bars = kernel_bars.top_kernels(KERNELS, "latency_s", "s", limit=1)
    assert bars["label"] == ["2 × conv1+relu1", "1 other kernel"]
    assert sum(bars["share"]) == pytest.approx(1.0)


def test_what_is_in_no_kernel_is_said():
    bars = kernel_bars.top_kernels(KERNELS, "latency_s", "s")  # 8 ms together
    sentence = kernel_bars.outside_kernels(bars, 10e-3, "s")
    assert sentence.startswith("The kernels take 8 ms of 10 ms; the other 20%")
    assert kernel_bars.outside_kernels(bars, 8e-3, "s") == ""


def test_no_kernel_at_all_is_an_empty_frame():
    assert kernel_bars.top_kernels({name: [] for name in KERNELS}, "latency_s", "s") == {}


ALL = {**ROWS, **{name: [1.0] * 3 for name in (
    "throughput_per_s", "power_w", "peak_memory_bytes", "memory_bytes", "intensity", "flops",
    "kernels", "tiles")}, "fits": [True, None, False], "batch": [8] * 3, "stack": ["compiled"] * 3,
    "family": ["conv2d_stack"] * 3, "channels": [16, 32, None]}  # fmt: skip


@pytest.mark.parametrize(("filters", "expected"), [
    (tables.Filters(), [0, 1, 2]),
    (tables.Filters(architectures=("gpu", "kpu")), [1, 2]),
    (tables.Filters(bottlenecks=("compute",)), [0]),
    (tables.Filters(confidences=("design",)), [2]),
    (tables.Filters(fits_only=True), [0, 1]),           # unknown is not too large
    (tables.Filters(latency_at_most_s=2e-3), [1, 2]),   # at most: 2 ms itself passes
    (tables.Filters(architectures=("cpu",), latency_at_most_s=1e-3), []),
    (tables.Filters(energy_at_most_j=0.5), [1, 2]),
])  # fmt: skip
def test_a_row_is_shown_if_it_passes_every_filter(filters, expected):
    assert tables.passing(ALL, filters) == expected


def test_the_screen_scales_values_to_the_unit_of_the_heading():
    shown = tables.on_screen(
        ALL, {}, [readable.Pinned("A", "mine", {"hardware": ["a_cpu"], "latency_s": [5e-3]})]
    )
    assert shown["Latency (ms)"] == pytest.approx([10.0, 0.1, 2.0])
    assert shown["Energy (mJ)"] == pytest.approx([1000.0, 500.0, 100.0])
    assert shown["Latency / A (×)"] == [
        2.0,
        None,
        None,
    ]  # 10 ms over 5 ms; the others are not pinned
    assert shown["Not counted"] == [0, 0, 0]


def test_a_file_name_says_what_is_in_the_file():
    chosen = tables.take(ALL, [0, 2])
    assert tables.file_stem(chosen) == "characterize_conv2d_stack_batch8_2rows"
    assert tables.file_stem({"model": [], "batch": []}) == "characterize_0rows"


def test_a_stored_row_names_the_parameters_that_differ_from_their_defaults():
    named = tables.identity(ALL, {"conv2d_stack": {"channels": 16}})
    assert named["Parameters"] == ["all at their defaults", "channels 32", "all at their defaults"]

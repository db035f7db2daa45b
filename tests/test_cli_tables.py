"""The command line: what it reads as a range, and the tables that it prints."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from characterize import errors
from characterize.cli import parser, ranges, tables

# ranges


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1:16", list(range(1, 17))),
        ("32:512:32", list(range(32, 513, 32))),
        ("16,32,64", [16, 32, 64]),
        ("1:10:4", [1, 5, 9]),  # the steps do not meet 10
        ("1:3,8,2", [1, 2, 3, 8]),  # 2 is there already
        ("7", [7]),
        ("5:5", [5]),
        ("-2:2:2", [-2, 0, 2]),
        ("0.25:1:0.25", [0.25, 0.5, 0.75, 1.0]),
        ("0.1:0.3:0.1", [0.1, 0.2, 0.3]),  # not 0.30000000000000004
        ("1e3:3e3:1e3", [1000.0, 2000.0, 3000.0]),
        ("relu, gelu", ["relu", "gelu"]),
        ("true,false", ["true", "false"]),
        ("inf,nan", ["inf", "nan"]),
    ],
)
def test_a_range_includes_both_ends_and_a_list_keeps_its_order(text, expected):
    found = ranges.values(text)
    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty item"),
        ("1,,2", "empty item"),
        ("1:2:3:4", "no range"),
        ("a:b", "its ends and its step are numbers"),
        ("1:", "its ends and its step are numbers"),
        ("9:1", "goes up"),
        ("1:9:0", "goes up"),
        ("1:9:-1", "goes up"),
        ("1:inf", "goes up"),
        ("1:1000001", "1,000,000 are the most"),
        ("1:999999,2000000:2999999", "more than 1,000,000 values"),
    ],
)
def test_what_is_no_range_is_refused_with_what_one_is(text, said):
    with pytest.raises(errors.InvalidValueError, match=said):
        ranges.values(text)


@given(first=st.integers(-1000, 1000), count=st.integers(1, 50), step=st.integers(1, 100))
def test_a_range_of_whole_numbers_is_pythons_range_with_its_end(first, count, step):
    last = first + (count - 1) * step
    assert ranges.values(f"{first}:{last}:{step}") == list(range(first, last + 1, step))


# tables


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("latency_s", 1.82e-2, "18.2 ms"),
        ("energy_j", 0.182, "182 mJ"),
        ("throughput_per_s", 6504.0, "6.5 k/s"),
        ("memory_bytes_per_s", 1.008e12, "1.01 TB/s"),
        ("peak_flops_per_s", 8.26e13, "82.6 TFLOP/s"),
        ("macs", 4089184256, "4.09 GMAC"),
        ("intensity", 131.456, "131 FLOP/B"),
        ("speedup", 166.666, "166.7x"),
        ("kernels", 1234, "1,234"),
        ("fits", False, "no"),
        ("speedup", None, "-"),
        ("bottleneck", "launch", "launch"),
    ],
)
def test_a_cell_has_the_unit_of_its_column(name, value, shown):
    assert tables.cell(name, value) == shown


@given(st.lists(st.tuples(st.text("ab1", max_size=5), st.text("12.", max_size=5)), max_size=5))
def test_a_table_has_straight_columns(rows):
    lines = tables.aligned(rows, ["name", "value"]).split("\n")
    assert len(lines) == 2 + len(rows)
    width = max([len("name"), *(len(first) for first, _ in rows)])
    assert all(line[width : width + 2].strip() == "" for line in lines)


@given(st.dictionaries(st.text("abc_", min_size=1), st.text(min_size=1), max_size=4))
def test_settings_are_the_inverse_of_writing_them(pairs):
    assert parser.settings(f"{name}={value}" for name, value in pairs.items()) == pairs

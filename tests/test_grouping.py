"""Stored rows narrowed by any column, grouped and pivoted."""

import pandas as pd
import pytest

from dashboard import grouping

ROWS = pd.DataFrame(
    {
        "model": ["a", "a", "b", "b"],
        "hardware": ["x", "y", "x", "y"],
        "latency_s": [1.0, 2.0, 3.0, 6.0],
        "layers": [3, None, 5, 7],
        "fits": [True, False, None, True],
    }
).convert_dtypes()


@pytest.mark.parametrize(("values", "ranges", "left"), [
    ({}, {}, [0, 1, 2, 3]),
    ({"model": ["a"], "hardware": []}, {}, [0, 1]),
    ({"fits": ["True"]}, {}, [0, 3]),  # what is not known is neither
    ({}, {"latency_s": (2.0, None)}, [1, 2, 3]),
    ({}, {"layers": (None, 5.0)}, [0, 2]),  # no number is outside of every range
    ({"model": ["b"]}, {"latency_s": (None, 3.0), "layers": (None, None)}, [2]),
])  # fmt: skip
def test_rows_are_narrowed_by_any_column(values, ranges, left):
    assert list(grouping.narrowed(ROWS, values, ranges).index) == left


def test_a_group_is_a_row():
    found = grouping.grouped(ROWS, ["model"], None, "latency_s", "mean")
    # the means of 1 and 2, and of 3 and 6
    assert found.to_dict("list") == {"model": ["a", "b"], "mean of latency_s": [1.5, 4.5]}


def test_a_value_of_another_column_is_a_column():
    found = grouping.grouped(ROWS, ["model"], "hardware", "latency_s", "max")
    assert found.to_dict("list") == {
        "model": ["a", "b"],
        "latency_s · x": [1.0, 3.0],
        "latency_s · y": [2.0, 6.0],
    }


def test_groups_without_a_value_are_kept_and_counted():
    found = grouping.grouped(ROWS, ["layers"], None, "latency_s", "count")
    assert found["count of latency_s"].sum() == len(ROWS)


def test_only_numbers_can_be_measured():
    assert grouping.numbers(ROWS) == ["latency_s", "layers"]

from __future__ import annotations

import doctest

import pytest

from characterize.fusion import shapes, tables
from characterize.fusion.rows import spreads_rows
from characterize.fusion.shapes import broadcasts, covers, keeps_order, numel


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        pytest.param((), (1, ()), id="a scalar has one element"),
        pytest.param((2, 3, 5), (30, ()), id="numbers multiply"),
        pytest.param(("b", 4, "h", 2, "w"), (8, ("b", "h", "w")), id="symbols stay apart"),
        pytest.param(("h*w", 3), (3, ("h", "w")), id="a product is taken apart"),
        pytest.param(("2*h**2",), (2, ("h", "h")), id="a power is taken apart"),
        pytest.param(("4*(a*b)**2",), (4, ("a", "a", "b", "b")), id="so is a power of a product"),
        pytest.param(("(h + 1)//2", "w"), (1, ("(h+1)//2", "w")), id="a quotient is one factor"),
        pytest.param(("h + 1", "h+1"), (1, ("h+1", "h+1")), id="spaces do not matter"),
        pytest.param((0, "h"), (0, ()), id="an empty batch has no elements"),
        pytest.param(("Max(1, c//4)*h",), (1, ("Max(1,c//4)", "h")), id="a function is one factor"),
    ],
)
def test_elements_are_a_number_and_symbolic_factors(shape, expected):
    assert numel(shape) == expected


@pytest.mark.parametrize(
    ("view", "source", "same"),
    [
        ((2, 3), (2, 3), True),
        ((2, 1, 3), (2, 3), True),  # unsqueeze
        ((2, 15), (2, 3, 5), True),  # flatten
        ((2, 3, 5), (2, 15), True),  # unflatten
        (("b", "h*w", 8), ("b", "h", "w", 8), True),
        (("b", "t", 4, "d"), ("b", "t", "4*d"), True),
        ((3, 2), (2, 3), False),  # transpose
        (("b", "w", "h"), ("b", "h", "w"), False),
        ((2, 4, 7, 8), (2, 7, 32), False),  # split into heads and transposed
        ((2, 2), (2, 3), False),  # slice
        ((2, 4, 3), (2, 1, 3), False),  # expand
        (
            (8, 3),
            (6, 4),
            False,
        ),  # neither side is one dimension: refused, though a reshape could do it
        ((1,), (), True),
    ],
)
def test_a_view_keeps_order_if_dimensions_are_only_split_or_merged(view, source, same):
    assert keeps_order(view, source) is same


@pytest.mark.parametrize(
    ("view", "source", "whole"),
    [
        ((2, 3), (2, 3), True),
        ((3, 2), (2, 3), True),
        ((2, 4, 3), (2, 1, 3), True),
        ((2, 1), (2, 3), False),
        (("b", "t", "d"), ("b", 1, "d"), True),
        (("b", "d//2"), ("b", "d"), False),
        (("b", "t", "c"), ("b", "t", "3*c"), False),
    ],
)
def test_a_view_covers_its_source_unless_it_is_a_slice(view, source, whole):
    assert covers(view, source) is whole


def test_a_value_for_each_row_meets_its_own_row_only():
    rows = ("contiguous", numel((4,)), numel((4,)))
    assert spreads_rows((4, 1), (4, 4), rows)
    assert not spreads_rows((4,), (4, 4), rows)  # one for each column
    assert not spreads_rows((1, 4), (4, 4), rows)


def test_a_value_for_each_column_meets_its_own_column_only():
    rows = ("strided", (4, 6), (0,))  # reduced over the first of two dimensions
    assert spreads_rows((1, 6), (4, 6), rows)
    assert not spreads_rows((4, 1), (4, 6), rows)


def test_broadcasting_aligns_at_the_right():
    assert broadcasts(("c", 1, 1), ("b", "c", "h", "w"))
    assert not broadcasts(("c",), ("b", "c", "h", "w"))
    assert not broadcasts((1, 2, 3), (2, 3))


def test_the_examples_in_the_docstrings_hold():
    for module in (shapes, tables):
        result = doctest.testmod(module)
        assert result.failed == 0
        assert result.attempted > 0

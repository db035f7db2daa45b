import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from characterize import errors, symbols, units


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (3.35e12, "B/s", "3.35 TB/s"),
        (0.0182, "s", "18.2 ms"),
        (999.9, "", "1 k"),  # three digits round it to the next prefix
        (1e-6, "s", "1 µs"),
        (0, "J", "0 J"),
        (-2.5e9, "flop/s", "-2.5 Gflop/s"),
        (512, "B", "512 B"),
    ],
)
def test_a_quantity_reads_as_a_person_would_write_it(value, unit, text):
    assert units.si(value, unit) == text


@given(st.floats(1e-14, 1e17))
def test_a_prefix_keeps_the_number_between_one_and_a_thousand(value):
    number = float(units.si(value).split()[0])
    assert 1 <= number < 1000


def test_infinity_is_said_not_scaled():
    assert units.si(float("inf"), "s") == "inf s"


@pytest.mark.parametrize("module", [units, errors, symbols])
def test_examples_in_docstrings_run(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


def test_a_long_catalogue_is_cut_and_counted():
    message = str(errors.unknown("device", "x", [f"device_{i:02}" for i in range(20)]))
    assert "and 8 more" in message
    assert "device_11" in message
    assert "device_12" not in message


def test_every_error_is_one_tree_and_a_builtin_too():
    assert issubclass(errors.UnknownNameError, errors.CharacterizeError)
    assert issubclass(errors.UnknownNameError, LookupError)
    assert issubclass(errors.InvalidValueError, ValueError)

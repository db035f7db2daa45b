import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from characterize import symbols
from characterize.errors import BrokenRecordError
from characterize.records import Frozen, Graph, Operator, Role, Value


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        pytest.param("(s - 1)//2 + 1", {"s": 224}, 112, id="a stride of two halves 224"),
        pytest.param("Max(a, b, 3)", {"a": 1, "b": 2}, 3, id="sympy's Max takes many"),
        pytest.param("Mod(a, 4)", {"a": 10}, 2, id="10 = 2 x 4 + 2"),
        pytest.param("a**2*b", {"a": 3, "b": 2}, 18, id="9 x 2"),
        pytest.param("-1 + FloorDiv(a, 3)", {"a": 10}, 2, id="10 // 3 - 1"),
    ],
)
def test_an_expression_has_the_value_of_its_arithmetic(text, values, expected):
    assert symbols.evaluate(text, values) == expected


@given(st.lists(st.integers(2, 4096), min_size=1, max_size=20))
def test_arrays_and_integers_agree(sizes):
    text = "((s + 2*1 - 3)//2 + 1)**2 * 16"
    together = symbols.evaluate(text, {"s": np.array(sizes)})
    assert together.tolist() == [symbols.evaluate(text, {"s": size}) for size in sizes]


@pytest.mark.parametrize(
    "text", ["__import__('os')", "s.real", "[s]", "lambda: 1", "s if s else 1", "open(s)", "s +"]
)
def test_only_arithmetic_is_evaluated(text):
    with pytest.raises(BrokenRecordError, match="expression"):
        symbols.evaluate(text, {"s": 1})


def test_a_missing_symbol_is_named():
    with pytest.raises(BrokenRecordError, match="needs a value for channels"):
        symbols.evaluate("batch * channels", {"batch": 1})


def test_entries_that_do_not_go_together_are_asked_about_without_a_warning():
    sizes = {"hidden": np.array([8, 8]), "heads": np.array([4, 16])}  # 8 // 16 is 0
    held = symbols.holds(("Eq(Mod(hidden, hidden // heads), 0)",), sizes)
    assert held.tolist()[0] is True


def test_guards_hold_entry_by_entry():
    held = symbols.holds(("Ne(b, 1)", "b*c >= 8"), {"b": np.array([1, 2, 4]), "c": 3})
    assert held.tolist() == [False, False, True]  # 1 is refused, 2 x 3 < 8, 4 x 3 >= 8


def test_binding_replaces_every_expression():
    values = (Value(("b", "2*c"), "float32", Role.INPUT, 0, 0),)
    graph = Graph("g", values, (), (0,), (0,), symbols=("b", "c"))
    bound = symbols.bind(graph, {"b": 3, "c": 5})
    assert bound.values[0].shape == (3, 10)
    assert not bound.is_symbolic


def test_sizes_among_attributes_are_bound_and_words_are_not():
    operator = Operator(
        "aten.conv2d", (), (), (), Frozen({"groups": "2*c", "padding": "same", "size": ("c", 3)})
    )
    bound = symbols.Binder({"c": 5}).operator(operator)
    assert dict(bound.attributes) == {"groups": 10, "padding": "same", "size": (5, 3)}
    assert symbols.Binder({"d": 5}).operator(operator) is operator

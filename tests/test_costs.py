"""The registry of cost formulas: what it promises for every formula, whoever wrote it."""

from __future__ import annotations

import dataclasses
import doctest
import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from characterize import costs, errors
from characterize.costs import __main__ as command
from characterize.costs import reference, registry
from characterize.records import Cost, Frozen, Gemm, Graph, KernelKind, Operator, Role, Value

ESTIMATORS = {
    id(one): one
    for one in costs.formulas().values()
    if one.formula.__module__.startswith("characterize.costs")
}
Call = tuple[str, dict[str, Any], tuple[Any, ...], dict[str, Any]]


def worked_examples() -> dict[str, list[Call]]:
    """The calls of the worked examples of every formula, by the name of the formula."""
    found: dict[str, list[Call]] = {}
    original = costs.estimate
    for estimator in ESTIMATORS.values():
        calls: list[Call] = []

        def recorded(
            name: str, inputs: Any, *outputs: Any, _calls: Any = calls, **rest: Any
        ) -> Cost:
            _calls.append((name, inputs, outputs, rest))
            return original(name, inputs, *outputs, **rest)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(costs, "estimate", recorded)
            runner = doctest.DocTestRunner(verbose=False)
            for test in doctest.DocTestFinder().find(estimator.formula, globs={}):
                assert runner.run(test, out=lambda _text: None).failed == 0
        found[estimator.formula.__qualname__] = calls
    return found


EXAMPLES = worked_examples()
CALLS = [
    pytest.param(*call, id=f"{call[0]}-{index}")
    for index, call in enumerate(call for calls in EXAMPLES.values() for call in calls)
]


@pytest.fixture
def own_operator() -> Iterator[str]:
    """A name that is free before the test and after it."""
    name = "tests.attend"
    yield name
    if name in costs.formulas():
        costs.forget(name)


# the formula reference


@pytest.mark.parametrize("topic", [*costs.TOPICS, registry], ids=lambda module: module.__name__)
def test_worked_examples_give_the_numbers_they_show(topic):
    results = doctest.testmod(topic)
    assert results.attempted > 0
    assert results.failed == 0


@pytest.mark.parametrize(
    "estimator", ESTIMATORS.values(), ids=lambda estimator: estimator.formula.__name__
)
def test_a_formula_says_its_shapes_its_source_and_an_example(estimator):
    text = inspect.getdoc(estimator.formula) or ""
    for section in ("\n\nShapes: ", "\n\nFormula: ", "\n\nSource: ", "\n\nExample:\n"):
        assert section in text
    called = {name.removesuffix("_") for name, *_ in EXAMPLES[estimator.formula.__qualname__]}
    assert called & set(estimator.names), "the example prices none of the formula's operators"


def test_the_formula_reference_is_current():
    assert command.DEFAULT.read_text(encoding="utf-8") == reference.text()
    command.main(["--check"])


def test_an_outdated_reference_is_refused_and_rewritten(tmp_path):
    path = tmp_path / "formulas.md"
    path.write_text("old")
    with pytest.raises(SystemExit, match="out of date"):
        command.main(["--check", str(path)])
    command.main([str(path)])
    command.main(["--check", str(path)])
    assert path.read_text(encoding="utf-8").startswith("# Formula reference")


def test_the_reference_lists_every_operator_and_only_the_packages_own(own_operator):
    costs.cost_of(own_operator)(lambda work: Cost())
    text = reference.text()
    assert own_operator not in text
    for estimator in ESTIMATORS.values():
        assert f"\n### {reference.title(estimator)}\n" in text
        for name in estimator.names:
            assert f"\n| `{name}` | [" in text


def test_entries_have_headings_of_their_own():
    titles = [reference.title(estimator) for estimator in ESTIMATORS.values()]
    assert len(set(titles)) == len(titles)


# registering


def test_a_second_claim_on_an_operator_is_an_error():
    with pytest.raises(errors.InvalidValueError, match=r"aten\.relu has a cost formula already"):
        costs.cost_of("aten.relu")(lambda work: Cost())


def test_a_refused_claim_leaves_nothing_behind(own_operator):
    with pytest.raises(errors.InvalidValueError, match=r"aten\.conv2d"):
        costs.cost_of(own_operator, "aten.conv2d")(lambda work: Cost())
    assert own_operator not in costs.formulas()


def test_a_name_claimed_twice_in_one_breath_is_an_error(own_operator):
    with pytest.raises(errors.InvalidValueError, match="already"):
        costs.cost_of(own_operator, own_operator)(lambda work: Cost())


def test_a_formula_without_an_operator_is_an_error():
    with pytest.raises(errors.InvalidValueError, match="needs the name of an operator"):
        costs.cost_of()


def test_a_user_can_register_a_formula_and_take_it_back(own_operator):
    shapes = {"query": (4, 8)}
    assert not costs.estimate(own_operator, shapes, (4, 8)).counted

    @costs.register_formula(own_operator)
    def attend(work: costs.Work) -> Cost:
        return Cost(kind=KernelKind.ATTENTION, macs=3 * work.elements)

    assert costs.estimate(own_operator, shapes, (4, 8)).macs == 96  # 3 * 4*8
    assert costs.estimate(own_operator + "_", shapes, (4, 8)).macs == 96
    assert own_operator in costs.kept_composites()
    costs.forget(own_operator)
    assert own_operator not in costs.kept_composites()


def test_forgetting_an_unknown_operator_says_what_is_near():
    with pytest.raises(errors.UnknownNameError, match=r"Did you mean 'aten\.conv2d'"):
        costs.forget("aten.conv2dd")


def test_the_catalogue_cannot_be_written():
    with pytest.raises(TypeError):
        costs.formulas()["aten.relu"] = None  # type: ignore[index]


# pricing


def test_an_operator_without_a_formula_is_uncounted_and_not_free():
    cost = costs.estimate("mylib.mystery", {"self": (4,)}, (4,))
    assert cost.kind is KernelKind.OTHER
    assert not cost.counted


def test_an_in_place_operator_shares_the_formula_of_its_twin():
    shape = (8, 3, 5)
    for name in ("aten.relu", "aten.hardswish", "aten.mul", "aten.clamp_min", "aten.addcmul"):
        shapes = {"self": shape}
        assert costs.estimate(name + "_", shapes, shape) == costs.estimate(name, shapes, shape)


def test_a_missing_argument_is_named():
    with pytest.raises(errors.InvalidValueError, match="without its argument 'weight'"):
        costs.estimate("aten.linear", {"input": (2, 3)}, (2, 4))


def value(shape: tuple[Any, ...], role: Role = Role.ACTIVATION, index: int = 0) -> Value:
    return Value(shape, "float32", role, index, index)


def report_graph(**changes: Any) -> Graph:
    """The first layer of the Conv2D report: 3 -> 16 channels, 3x3, padding 1, batch 32, 64 x 64."""
    values = (
        value((32, 3, 64, 64), index=0),
        value((16, 3, 3, 3), Role.PARAMETER, index=1),
        value((32, 16, 64, 64), index=2),
        value((32, 16, 64, 64), index=3),
    )
    attributes = Frozen({"stride": (1, 1), "padding": (1, 1)})
    operators = (
        Operator("aten.conv2d", (0, 1), (2,), ("input", "weight"), attributes, "convs.0"),
        Operator("aten.relu_", (2,), (3,), ("self",), inplace=True),
        Operator("mylib.mystery", (3,), (3,), ("x",)),
    )
    parts = {"values": values, "operators": operators, "inputs": (0,), "outputs": (3,)}
    return Graph("conv2d_stack", **(parts | changes))


def test_the_report_s_first_layer_has_the_flops_of_its_formula():
    graph = costs.priced(report_graph())
    # B * C_out * H * W * (2 * C_in * K_h * K_w + 1) = 32 * 16 * 64 * 64 * (2 * 3 * 9 + 1)
    assert graph.flops == 32 * 16 * 64 * 64 * 55 == 115_343_360
    assert graph.macs == 56_623_104
    assert graph.uncounted == 1
    assert graph.uncounted_names == ("mylib.mystery",)


def test_pricing_changes_nothing_but_costs():
    graph = report_graph()
    priced = costs.priced(graph)
    assert all(operator.cost is None for operator in graph.operators)
    stripped = tuple(dataclasses.replace(operator, cost=None) for operator in priced.operators)
    assert dataclasses.replace(priced, operators=stripped) == graph


def test_a_symbolic_graph_comes_back_unpriced():
    graph = costs.priced(report_graph(symbols=("batch",)))
    assert all(operator.cost is None for operator in graph.operators)
    assert graph.flops == 0


def test_a_product_with_a_weight_is_linear_and_one_of_activations_is_not():
    values = (value((4, 5)), value((5, 6), Role.PARAMETER), value((5, 6)), value((4, 6)))
    by_weight = Operator("aten.mm", (0, 1), (3,), ("self", "mat2"))
    by_activation = Operator("aten.mm", (0, 2), (3,), ("self", "mat2"))
    assert costs.price(by_weight, values).kind is KernelKind.LINEAR
    assert costs.price(by_activation, values).kind is KernelKind.MATMUL


def test_writing_in_place_through_a_view_costs_the_part_that_is_written():
    # x[:, 0] += 1 on [8, 4, 16]: 8 * 16 elements of the whole that the tracer shows as the output
    part = costs.estimate("aten.add_", {"self": (8, 16)}, (8, 4, 16), written=(8, 16))
    assert part.vector_flops == 128
    assert part.writes == (128,)
    copied = costs.estimate(
        "aten.copy_", {"self": (8, 16), "src": (8, 16)}, (8, 4, 16), written=(8, 16)
    )
    assert (copied.reads, copied.writes) == ((0, None), (128,))


def test_every_formula_states_its_kind():
    for name, inputs, outputs, rest in (call for calls in EXAMPLES.values() for call in calls):
        cost = costs.estimate(name, inputs, *outputs, **rest)
        assert cost.counted
        assert cost.kind is not KernelKind.OTHER


# laws


@pytest.mark.parametrize(("name", "inputs", "outputs", "rest"), CALLS)
def test_an_array_of_configurations_costs_what_each_costs_alone(name, inputs, outputs, rest):
    """The same formula on integers and on arrays: sizes as they are, and 3 and 4 times as large."""
    factors = (1, 3, 4)
    together = costs.estimate(name, scaled(inputs, factors), *scaled(outputs, factors), **rest)
    for index, factor in enumerate(factors):
        alone = costs.estimate(name, scaled(inputs, factor), *scaled(outputs, factor), **rest)
        assert taken(together, index) == numbers(alone), f"{factor} times as large"


def scaled(shapes: Any, factor: Any) -> Any:
    """Shapes with every size times a factor, an array of sizes if there are several factors."""
    if isinstance(shapes, dict):
        return {name: scaled(shape, factor) for name, shape in shapes.items()}
    if isinstance(shapes, list | tuple):
        return type(shapes)(scaled(shape, factor) for shape in shapes)
    return shapes * (np.array(factor) if isinstance(factor, tuple) else factor)


COUNTS = ("macs", "vector_flops", "transcendentals", "masked_macs")


def numbers(cost: Cost) -> list[Any]:
    """Every count of a cost, in order."""
    gemm = cost.gemm or Gemm(0, 0, 0, 0)
    counts = [getattr(cost, name) for name in COUNTS]
    counts += [gemm.m, gemm.n, gemm.k, gemm.groups, *(cost.reads or ()), *(cost.writes or ())]
    return counts


def taken(cost: Cost, index: int) -> list[Any]:
    """Every count of a cost of several configurations, for one of them."""
    return [count[index] if isinstance(count, np.ndarray) else count for count in numbers(cost)]


@pytest.mark.parametrize(("name", "inputs", "outputs", "rest"), CALLS)
def test_counts_are_whole_and_transcendentals_are_part_of_the_arithmetic(
    name, inputs, outputs, rest
):
    cost = costs.estimate(name, inputs, *outputs, **rest)
    assert all(count is None or (isinstance(count, int) and count >= 0) for count in numbers(cost))
    assert cost.transcendentals <= cost.vector_flops
    assert cost.flops == 2 * cost.macs + cost.vector_flops
    assert cost.masked_macs is None or cost.masked_macs <= cost.macs


@pytest.mark.parametrize(("name", "inputs", "outputs", "rest"), CALLS)
def test_nothing_is_read_or_written_that_is_not_there(name, inputs, outputs, rest):
    cost = costs.estimate(name, inputs, *outputs, **rest)
    tensors = [
        s for shape in inputs.values() for s in (shape if isinstance(shape, list) else [shape])
    ]
    for moved, shapes in ((cost.reads, tensors), (cost.writes, outputs)):
        if moved is not None:
            assert len(moved) == len(shapes)
            assert all(
                m is None or m <= np.prod(s, dtype=int) for m, s in zip(moved, shapes, strict=True)
            )


SIZE = st.integers(1, 12)


@given(SIZE, SIZE, SIZE, SIZE, SIZE, st.integers(1, 5), st.integers(1, 4))
def test_a_grouped_convolution_is_that_many_convolutions(
    batch, rows, columns, c_in, c_out, kernel, groups
):
    whole = costs.estimate(
        "aten.conv2d",
        {"input": (batch, c_in * groups, 99, 99), "weight": (c_out * groups, c_in, kernel, kernel)},
        (batch, c_out * groups, rows, columns),
        groups=groups,
    )
    one = costs.estimate(
        "aten.conv2d",
        {"input": (batch, c_in, 99, 99), "weight": (c_out, c_in, kernel, kernel)},
        (batch, c_out, rows, columns),
    )
    assert whole.macs == groups * one.macs
    gemm = whole.gemm
    assert gemm is not None
    assert gemm.m * gemm.n * gemm.k * gemm.groups == whole.macs


@given(SIZE, SIZE, SIZE, SIZE, SIZE, SIZE)
def test_attention_is_its_two_matrix_products(batch, heads, queries, keys, wide, deep):
    cost = costs.estimate(
        "aten.scaled_dot_product_attention",
        {
            "query": (batch, heads, queries, wide),
            "key": (batch, heads, keys, wide),
            "value": (batch, heads, keys, deep),
        },
        (batch, heads, queries, deep),
    )
    scores = costs.estimate(
        "aten.bmm",
        {"self": (batch * heads, queries, wide), "mat2": (batch * heads, wide, keys)},
        (batch * heads, queries, keys),
    )
    values = costs.estimate(
        "aten.bmm",
        {"self": (batch * heads, queries, keys), "mat2": (batch * heads, keys, deep)},
        (batch * heads, queries, deep),
    )
    assert cost.macs == scores.macs + values.macs


BATCHED: dict[str, tuple[dict[str, Any], tuple[int, ...], dict[str, Any]]] = {
    "aten.conv2d": ({"input": (1, 4, 9, 9), "weight": (6, 4, 3, 3)}, (1, 6, 7, 7), {}),
    "aten.conv_transpose2d": ({"input": (1, 4, 5, 5), "weight": (4, 6, 2, 2)}, (1, 6, 10, 10), {}),
    "aten.linear": ({"input": (1, 7), "weight": (3, 7)}, (1, 3), {}),
    "aten.layer_norm": (
        {"input": (1, 5, 8), "weight": (8,)},
        (1, 5, 8),
        {"normalized_shape": (8,)},
    ),
    "aten.group_norm": ({"input": (1, 6, 4), "weight": (6,)}, (1, 6, 4), {"num_groups": 2}),
    "aten.softmax": ({"self": (1, 5, 8)}, (1, 5, 8), {"dim": -1}),
    "aten.max_pool2d": ({"self": (1, 4, 8, 8)}, (1, 4, 4, 4), {"kernel_size": 2}),
    "aten.adaptive_avg_pool2d": ({"self": (1, 4, 7, 7)}, (1, 4, 3, 3), {}),
    "aten.upsample_bicubic2d": ({"input": (1, 4, 7, 7)}, (1, 4, 14, 14), {}),
}


@pytest.mark.parametrize("name", BATCHED)
@given(batch=st.integers(0, 64))
def test_work_grows_with_the_batch_and_an_empty_batch_has_none(name, batch):
    inputs, output, attributes = BATCHED[name]
    one = costs.estimate(name, inputs, output, **attributes)
    first, *rest = inputs
    many_inputs = {first: (batch, *inputs[first][1:]), **{key: inputs[key] for key in rest}}
    many = costs.estimate(name, many_inputs, (batch, *output[1:]), **attributes)
    assert many.macs == batch * one.macs
    assert many.vector_flops == batch * one.vector_flops


@pytest.mark.parametrize("name", BATCHED)
def test_one_array_among_numbers_is_enough(name):
    inputs, output, attributes = BATCHED[name]
    first, *rest = inputs
    batches = np.array([0, 1, 64])
    many_inputs = {first: (batches, *inputs[first][1:]), **{key: inputs[key] for key in rest}}
    together = costs.estimate(name, many_inputs, (batches, *output[1:]), **attributes)
    one = costs.estimate(name, inputs, output, **attributes)
    for index, batch in enumerate(batches):
        expected = (batch * one.macs, batch * one.vector_flops)
        assert tuple(taken(together, index)[:2]) == expected
    assert together.kind is one.kind

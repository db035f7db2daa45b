"""A family traced once with symbols for its sizes is, wherever its guards hold, the family traced there."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch

from characterize import costs, models, symbols
from characterize.errors import InvalidValueError
from characterize.tracing import trace, trace_template

# Few layers: symbols are about sizes, and a template costs milliseconds an operator.
SHALLOW: dict[str, dict[str, Any]] = {
    "mlp_mixer": {"layers": 1},
    "resnet": {"depth": 18},
    "vit": {"layers": 1},
    "transformer_encoder": {"layers": 1},
    "transformer_decoder": {"layers": 1},
    "lstm": {"layers": 1, "sequence": 4},
}
HEADS = {"heads", "kv_heads"}


def scaled(
    family: models.Family, values: dict[str, Any], generator: random.Random
) -> dict[str, Any]:
    """Other sizes for every symbolic parameter, as far as the family accepts them."""
    while True:
        other = dict(values)
        for name in family.symbolic:
            parameter = family.parameter(name)
            factor = generator.choice([1, 2] if name in HEADS else [0.5, 0.75, 1, 1.25, 1.5, 2])
            size = round(int(values[name]) * factor)
            low = 1 if parameter.low is None else int(parameter.low)
            other[name] = min(max(size, low), int(parameter.high or size))
        try:
            return family.check(**other)
        except InvalidValueError:
            continue


@pytest.mark.parametrize("name", list(models.families()))
def test_a_template_is_the_family_at_other_sizes(name):
    family = models.family(name)
    values = family.check(**SHALLOW.get(name, {}))
    names = (*family.symbolic, "batch")
    template = trace_template(name, values, names, batch=4)
    assert set(template.symbols) == set(names)
    assert {
        n for value in template.values for dim in value.shape for n in symbols.free(dim)
    } <= set(names)

    generator = random.Random(5)
    held = 0
    for _ in range(24):
        other = scaled(family, values, generator)
        batch = generator.choice([2, 3, 7])
        sizes = {**{key: other[key] for key in family.symbolic}, "batch": batch}
        if not symbols.holds(template.guards, sizes):
            continue
        held += 1
        bound = costs.priced(symbols.bind(template, sizes))
        concrete = trace(name, batch=batch, **other)
        assert (bound.macs, bound.flops, bound.parameters) == (
            concrete.macs,
            concrete.flops,
            concrete.parameters,
        ), sizes
        assert [op.name for op in bound.operators] == [op.name for op in concrete.operators]
        if held == 3:
            break
    assert held == 3, template.guards


@pytest.mark.parametrize("name", list(models.families()))
def test_every_operator_of_a_family_has_a_formula(name):
    graph = trace(name, batch=1, **SHALLOW.get(name, {}))
    assert graph.uncounted_names == ()


@pytest.mark.parametrize(
    ("name", "values", "sizes"),
    [
        # the groups of a depthwise convolution are its channels
        ("conv2d_stack", {"depthwise": True}, {"channels": 24, "in_channels": 5}),
        ("conv2d_stack", {"transposed": True, "stride": 2}, {"channels": 24, "in_channels": 5}),
        # new keys and values are written into a part of the cache
        (
            "transformer_decoder",
            {"layers": 1, "sequence": 1, "cached_tokens": 64},
            {"hidden": 1024, "vocab": 500},
        ),
    ],
    ids=["depthwise", "transposed", "cache"],
)
def test_sizes_inside_attributes_are_those_of_the_setting_too(
    name: str, values: dict[str, Any], sizes: dict[str, Any]
):
    template = trace_template(name, values, (*sizes, "batch"), batch=4)
    assert symbols.holds(template.guards, {**sizes, "batch": 3})
    bound = costs.priced(symbols.bind(template, {**sizes, "batch": 3}))
    concrete = trace(name, batch=3, **values, **sizes)
    assert (bound.macs, bound.flops) == (concrete.macs, concrete.flops)


@pytest.mark.parametrize(
    ("at", "holds", "fails"),
    [
        # no cache is a topology of its own, and so is one token, which needs no mask
        ((1, 64), [(1, 1), (1, 4096)], [(1, 0), (2, 64)]),
        ((16, 64), [(2, 1), (300, 77)], [(16, 0), (1, 64)]),
    ],
    ids=["decode", "chunk"],
)
def test_cached_tokens_are_a_size_and_no_cache_is_another_template(at, holds, fails):
    family = models.family("transformer_decoder")
    names = (*family.symbolic, "batch")
    values = family.check(layers=1, sequence=at[0], cached_tokens=at[1])
    template = trace_template(family.name, values, names, batch=4)

    def sizes(sequence: int, cached: int) -> dict[str, int]:
        own = {**values, "sequence": sequence, "cached_tokens": cached, "batch": 3}
        return {name: own[name] for name in names}

    for sequence, cached in fails:
        assert not symbols.holds(template.guards, sizes(sequence, cached))
    for sequence, cached in holds:
        assert symbols.holds(template.guards, sizes(sequence, cached))
        bound = costs.priced(symbols.bind(template, sizes(sequence, cached)))
        concrete = trace(family.name, batch=3, layers=1, sequence=sequence, cached_tokens=cached)
        assert (bound.macs, bound.flops) == (concrete.macs, concrete.flops)
        assert [v.shape for v in bound.values] == [v.shape for v in concrete.values]


@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_steps_of_an_lstm_are_a_size(bidirectional):
    family = models.family("lstm")
    names = (*family.symbolic, "batch")
    values = family.check(layers=2, bidirectional=bidirectional)
    template = trace_template(family.name, values, names, batch=4)
    assert template.guards == ()
    for sequence, batch in ((1, 1), (7, 3), (500, 8)):
        sizes = {**{name: values[name] for name in family.symbolic}, "sequence": sequence}
        bound = costs.priced(symbols.bind(template, {**sizes, "batch": batch}))
        # each step multiplies with all matrices; 128 features enter, 512 a direction leave
        directions = 2 if bidirectional else 1
        matrices = directions * 4 * 512 * (128 + 512 + directions * 512 + 512)
        assert bound.macs == sequence * batch * matrices
        concrete = trace(
            family.name, batch=batch, layers=2, bidirectional=bidirectional, sequence=sequence
        )
        assert [v.shape for v in bound.values] == [v.shape for v in concrete.values]


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_what_an_lstm_returns_is_what_pytorch_makes_of_it(batch_first, bidirectional):
    module = torch.nn.LSTM(
        5, 6, num_layers=2, batch_first=batch_first, bidirectional=bidirectional, device="meta"
    )
    x = torch.empty(3, 4, 5, device="meta")
    out, (state, cell) = module(x)
    graph = trace(module, x)
    shapes = [tuple(graph.values[i].shape) for i in graph.outputs]
    assert shapes == [tuple(out.shape), tuple(state.shape), tuple(cell.shape)]

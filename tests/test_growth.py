"""Templates of deeper networks: record by record what the tracer makes, or refused."""

from dataclasses import replace

import pytest

from characterize import growth, session, templates, tracing
from characterize.errors import TraceError


def traced(name, values, batch=1):
    asked = session.subject(name, values, batch)
    sizes = templates.topology(asked)[1]
    names = [size for size in sizes if size != "batch"]
    return tracing.trace_template(name, asked.values, [*names, "batch"], batch)


def seed(name, values, batch):
    shipped = templates.at_hand(session.subject(name, values, batch))
    return shipped or traced(name, values, batch)


def grown(name, values, layers, batch=1, parameter="layers"):
    small, large = (seed(name, {**values, parameter: n}, batch) for n in templates.SEEDS)
    return growth.grown(small, large, layers - templates.SEEDS[0])


@pytest.mark.parametrize(
    ("name", "values", "layers", "batch"),
    [
        ("conv2d_stack", {}, 40, 1),
        ("conv2d_stack", {"groups": 4, "transposed": True, "bias": True}, 9, 8),
        # two modules a layer, three operators in each
        ("conv2d_stack", {"depthwise": True, "batch_norm": True, "activation": "gelu"}, 11, 2),
        ("mlp_mixer", {}, 7, 1),
        ("vit", {}, 13, 1),
        ("transformer_encoder", {}, 6, 8),
        ("transformer_decoder", {}, 6, 1),  # returns every layer's keys and values
    ],
)
def test_a_grown_template_is_the_traced_one(name, values, layers, batch):
    found = grown(name, values, layers, batch)
    assert found == traced(name, {**values, "layers": layers}, batch)


def test_the_last_layer_of_a_perceptron_stays_the_last():
    found = grown("mlp", {}, 9, parameter="depth")
    assert found == traced("mlp", {"depth": 9})
    # layers.0, layers.2 … with activations between: the ninth is layers.16
    assert found.operators[-1].module == "layers.16"


@pytest.mark.parametrize(
    "values", [{"stride": 2}, {"padding": 0}], ids=["halved in each layer", "two less in each"]
)
def test_layers_that_shrink_are_traced(values):
    assert grown("conv2d_stack", values, 6) is None
    asked = session.subject("conv2d_stack", {**values, "layers": 6, "input_size": 256})
    shapes = [value.shape for value in templates.template(asked).values]
    assert len(set(shapes)) > 6  # each layer's own


def test_templates_that_hold_elsewhere_do_not_grow():
    small, large = (traced("conv2d_stack", {"layers": n}) for n in templates.SEEDS)
    assert growth.grown(small, large, 3) is not None
    assert growth.grown(small, replace(large, guards=(*large.guards, "channels > 7")), 3) is None


def test_one_block_unlike_the_others_is_not_repeated():
    small, large = (traced("conv2d_stack", {"layers": n}) for n in templates.SEEDS)
    odd = large.operators[-1]
    assert odd.name == "aten.relu_"
    changed = replace(large, operators=(*large.operators[:-1], replace(odd, name="aten.tanh")))
    assert growth.grown(small, changed, 3) is None


def test_a_deep_network_is_not_traced_itself(monkeypatch):
    def refuse(*_arguments):
        msg = "no trace was expected"
        raise TraceError(msg)

    monkeypatch.setattr(templates, "_TEMPLATES", templates._Templates())
    monkeypatch.setattr(templates, "_traced", refuse)
    graph = templates.template(session.subject("vit", {"layers": 96}, 1))
    # patches, class token, positions; 11 operators a layer; norm and head
    assert len(graph.operators) == 3 + 96 * 11 + 2

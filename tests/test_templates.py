"""Templates: what ships, what it equals, and that it needs no torch."""

import subprocess
import sys
import textwrap

import pytest

from benchmarks import template_equality
from characterize import models, session, templates
from characterize.records import Stack

FAMILIES = list(models.families())


@pytest.mark.parametrize("name", FAMILIES)
def test_a_template_equals_the_concrete_trace(name):
    # two configurations of the default topology, sizes drawn over their whole range;
    # `python -m benchmarks.template_equality` draws 500, of twenty topologies
    family = models.family(name)
    compared = 0
    for values, batch in template_equality.draw(family, 20, topologies=1):
        for stack in (Stack.EAGER, Stack.COMPILED):
            found = template_equality.differences(family, values, batch, stack)
            assert not found, (values, batch, stack)
            asked = session.subject(name, values, batch)
            assert session.columns(asked, stack).uncounted == 0
        compared += found is not None  # None: too large for sums to be exact
        if compared == 2:
            break
    assert compared == 2


def test_a_resize_to_a_symbolic_size_is_traced():
    family = models.family("unet")
    values = {
        **family.defaults,
        "decoder": "resize",
        "depth": 2,
        "base_channels": 20,
        "input_size": 72,
    }
    assert template_equality.differences(family, values, 3, Stack.COMPILED) == {}


def test_every_family_answers_at_its_defaults_and_any_depth_without_torch(tmp_path):
    code = """
        import sys
        from characterize import models, session
        for name, family in models.families().items():
            depths = [{p.name: n} for p in family.parameters if p.repeats for n in (1, 2, p.high)]
            for values in ({}, *depths):
                for batch in (1, 32):
                    table = session.project(
                        name, values, batch=batch, hardware=["reference_cpu"], keep=False
                    )
                    assert table["macs"][0] > 0, name
        assert "torch" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, timeout=120)


def test_what_ships_is_what_the_tracer_makes_now():
    asked = session.subject("mlp", {}, 8)
    key, sizes = templates.topology(asked)
    file = templates.folder() / f"mlp-{key[:16]}-8.json.zz"
    from characterize import codec, tracing

    names = [size for size in sizes if size != "batch"]
    fresh = tracing.trace_template("mlp", asked.values, [*names, "batch"], 8)
    assert codec.decode(file.read_bytes()) == codec.decode(codec.encode(fresh))


def test_templates_ship_for_every_family_and_nothing_else():
    expected = {templates.shipped_name(asked) for asked in templates.shipping()}
    assert {asked.family for asked in templates.shipping()} == set(FAMILIES)
    assert {file.name for file in templates.folder().glob("*")} == expected


def test_what_no_template_holds_for_is_looked_for_once_until_one_comes_to_hand(monkeypatch):
    # one channel broadcasts, so what ships does not hold for it: neither at 7 layers nor at 4 and 5
    monkeypatch.setattr(templates, "_TEMPLATES", templates._Templates())
    looked_in = []
    kept = templates._kept

    def looked(key, *rest):
        looked_in.append(key)
        return kept(key, *rest)

    monkeypatch.setattr(templates, "_kept", looked)
    deep = session.subject("conv2d_stack", {"layers": 7, "channels": 1}, 1)
    assert templates.at_hand(deep) is None
    assert len(looked_in) == 2  # of the network itself, and of four layers: five would not help
    assert templates.at_hand(deep) is None
    assert len(looked_in) == 2
    for layers in (4, 5):
        templates.template(session.subject("conv2d_stack", {"layers": layers, "channels": 1}, 1))
    assert templates.at_hand(deep) is not None  # it follows from them

"""Templates: what ships, what it equals, and that it needs no torch."""

import random
import subprocess
import sys
import textwrap

import pytest

import characterize as ch
from characterize import features, fusion, models, session, templates
from characterize.errors import CharacterizeError
from characterize.records import Precision, Stack

FAMILIES = list(models.families())


def sizes_near(family, generator):
    """Defaults, with every symbolic parameter moved a little, as far as the family's rules allow."""
    for _ in range(50):
        values = family.defaults
        for parameter in family.parameters:
            if parameter.symbolic and parameter.default:  # no cache is a topology of its own
                step = int(parameter.step or 1)
                value = int(parameter.default) + step * generator.randint(-3, 3)
                values = {**values, parameter.name: max(int(parameter.low or 1), value)}
        try:
            return family.check(**values)
        except CharacterizeError:
            continue
    return family.defaults


def numbers(found):
    """Whole-network figures that must be equal to the last digit."""
    kernels = found.kernels
    moved = (kernels.memory_bytes(Precision.FP16) * kernels.count).sum()
    return {
        "macs": found.macs[0],
        "flops": found.flops[0],
        "parameters": found.parameters[0],
        "bytes": moved,
        "peak": found.peak_memory_bytes(Precision.FP16)[0],
        "kernels": len(found.skeleton.row_of),
        "uncounted": found.uncounted,
    }


@pytest.mark.parametrize("name", FAMILIES)
def test_a_template_equals_the_concrete_trace(name):
    generator = random.Random(name)
    family = models.family(name)
    values, batch = sizes_near(family, generator), generator.choice([2, 3, 8])
    asked = session.subject(name, values, batch)
    concrete = ch.trace(name, batch=batch, **values)
    for stack in (Stack.EAGER, Stack.COMPILED):
        bound = session.columns(asked, stack)
        direct = features.columns(fusion.fuse(concrete, stack))
        assert numbers(bound) == numbers(direct)
        assert numbers(bound)["uncounted"] == 0


def test_every_family_answers_at_its_defaults_without_torch(tmp_path):
    code = """
        import sys
        from characterize import models, session
        for name in models.families():
            for batch in (1, 32):
                table = session.project(name, batch=batch, hardware=["reference_cpu"], keep=False)
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


def test_a_template_ships_for_every_family_and_nothing_else():
    expected = set()
    for name in FAMILIES:
        for batch in templates.SHIPPED_BATCHES:
            key, _ = templates.topology(session.subject(name, {}, batch))
            expected.add(f"{name}-{key[:16]}-{batch}.json.zz")
    assert {file.name for file in templates.folder().glob("*")} == expected

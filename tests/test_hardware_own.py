"""A device of a user's own, from its datasheet alone: accepted, projected, and not absurd.

The files are the examples of docs/hardware.md, read as a stranger would copy them.
"""

import json
import re
import tomllib
from pathlib import Path

import pytest

from characterize import hardware, session
from characterize.cli import main
from characterize.records import Architecture, Stack

pytestmark = pytest.mark.usefixtures("fresh_store")

DOCS = Path(__file__).resolve().parent.parent / "docs" / "hardware.md"
EXAMPLES = re.findall(r"```toml\n(.*?)```", DOCS.read_text(), flags=re.DOTALL)[1:-1]
NAMES = [tomllib.loads(text)["name"] for text in EXAMPLES]


@pytest.fixture(params=EXAMPLES, ids=NAMES)
def file(request, tmp_path):
    """One example in a file of its name."""
    path = tmp_path / f"{tomllib.loads(request.param)['name']}.toml"
    path.write_text(request.param)
    return path


def test_there_is_an_example_of_every_architecture_and_of_a_board():
    found = [hardware.parse(text) for text in EXAMPLES]
    assert {profile.architecture for profile in found} == {*Architecture}
    assert {profile.execution_model for profile in found} == {
        "simd_cores", "edge_cores", "simt_waves", "systolic_array", "domain_flow",
    }  # fmt: skip


def test_a_file_is_fine_and_its_figures_are_listed(file, capsys):
    assert main(["hardware", "check", str(file)]) == 0
    assert "is fine" in capsys.readouterr().out
    assert main(["hardware", "show", str(file), "--format", "json"]) == 0
    figures = {row["figure"]: row for row in json.loads(capsys.readouterr().out)}
    assert figures["power.tdp_w"]["kind"] in ("published", "assumed")
    assert figures["efficiency.compute"]["kind"] == "assumed"


@pytest.mark.parametrize("model", ["resnet", "mobilenet", "vit"])
def test_a_device_is_projected_near_its_roofline(file, model):
    device = hardware.load(file)
    stack = Stack.ENGINE if device.execution_model == "edge_cores" else Stack.COMPILED
    row = session.project(
        model, batch=8, hardware=[str(file)], stack=stack.value, keep=False
    ).iloc[0]  # fmt: skip
    peak, bandwidth = device.peak(device.default_precision), device.memory_bytes_per_s
    roofline_s = max(row["flops"] / peak, row["memory_bytes"] / bandwidth)
    weights_s = row["parameters"] * device.default_precision.bytes / bandwidth
    assert row["latency_s"] >= max(row["flops"] / peak, weights_s)
    # plain rooflines are 60 to 80 % too fast, small networks on large devices wait for launches
    assert row["latency_s"] <= 10 * roofline_s + 1.5e-3
    assert device.tdp_w is not None
    assert device.idle_w <= row["power_w"] <= device.tdp_w * (1 + 1e-9)
    assert row["latency_low_s"] < row["latency_s"] < row["latency_high_s"]
    assert row["confidence"] == "datasheet"


def test_a_sweep_takes_a_file_beside_a_name(file, tmp_path, capsys):
    output = tmp_path / "rows.csv"
    asked = ["sweep", "conv2d_stack", "--set", "layers=1:3", "channels=8,16", "--batch", "1,4"]
    code = main([*asked, "--hardware", str(file), "intel_i9_10940x", "--output", str(output)])
    assert code == 0, capsys.readouterr().err
    lines = output.read_text().splitlines()
    assert len(lines) == 1 + 3 * 2 * 2 * 2
    assert sum(file.stem in line for line in lines) == 3 * 2 * 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("[power]\ntdp_w", "[power]\ntdp"), "power.tdp is unknown. Did you mean 'tdp_w'"),
        (("bytes_per_s", "bandwidth"), "memory.bandwidth is unknown."),
        (("architecture", "class"), "architecture is missing"),
        (("default_precision", "precision"), "default_precision is missing"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence_with_its_name_and_key(
    change, said, tmp_path, capsys
):
    path = tmp_path / f"{NAMES[0]}.toml"
    path.write_text(EXAMPLES[0].replace(*change, 1))
    for command in (["hardware", "check", str(path)], ["project", "mlp", "--hardware", str(path)]):
        assert main(command) == 2
        told = capsys.readouterr().err
        assert path.name in told
        assert said in told
        assert "Traceback" not in told

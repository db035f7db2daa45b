"""The optimizer against brute force, what binds, sensitivities, the cheapest device."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

import characterize as ch
from characterize import hardware, models, questions, session
from characterize.cli import main
from characterize.errors import InvalidValueError, UnknownNameError
from characterize.questions import bounds, optimizing, sensitivity

DEVICES = ["nvidia_rtx_4090", "stillwater_kpu_t256"]
AXES: dict[str, Any] = {"layers": [1, 3], "channels": list(range(8, 72, 8)), "groups": [1, 16]}
KEY = ["layers", "channels", "groups", "batch"]


@pytest.fixture(scope="module")
def table():
    """Every row of the small space."""
    return ch.sweep("conv2d_stack", hardware=DEVICES, batch=[1, 4], **AXES)


def best_by_hand(rows, objective, direction, top):
    """The first rows when all are sorted by the objective, then by latency."""
    score = direction * rows[objective]
    return rows.assign(score=score).sort_values(["score", "latency_s"], kind="stable")[:top]


@pytest.mark.parametrize(
    ("objective", "budget", "met"),
    [
        pytest.param("max macs", None, lambda r: r["macs"] > 0, id="no budget"),
        pytest.param("max parameters", "latency<=103us", lambda r: r["latency_s"] <= 103e-6, id="latency"),
        pytest.param("energy", "macs>=100M", lambda r: r["macs"] >= 1e8, id="least energy"),
        pytest.param(
            "throughput", ["memory<=1MB", "power<=80W"],
            lambda r: (r["peak_memory_bytes"] <= 1e6) & (r["power_w"] <= 80), id="two budgets",
        ),
    ],
)  # fmt: skip
def test_the_answer_is_that_of_brute_force(table, objective, budget, met, monkeypatch):
    monkeypatch.setattr(optimizing, "block_size", lambda _profiles: 5)  # so that blocks compete
    found = ch.optimize(
        "conv2d_stack", objective=objective, budgets=budget, hardware=DEVICES, batch=[1, 4], top=4,
        **AXES,
    )  # fmt: skip
    word, _, name = objective.rpartition(" ")
    column = bounds.column(name)
    direction = -1 if word == "max" or column == "throughput_per_s" else 1
    for device in DEVICES:
        rows = table[(table["hardware"] == device) & met(table)]
        expected = best_by_hand(rows, column, direction, 4)
        own = found[found["hardware"] == device]
        assert own[column].tolist() == pytest.approx(expected[column].tolist(), rel=1e-12)
        assert own["latency_s"].tolist() == pytest.approx(expected["latency_s"].tolist(), rel=1e-12)
        assert own["rank"].tolist() == list(range(1, len(own) + 1))
        assert 0 < len(own) <= 4


def test_a_budget_on_devices_is_one_of_the_configuration(table):
    limits = {d: float(table[table["hardware"] == d]["latency_s"].median()) for d in DEVICES}
    asked = [questions.Budget("latency_s", limit, "<=", d) for d, limit in limits.items()]
    found = ch.optimize(
        "conv2d_stack", objective="max macs", budgets=asked, hardware=DEVICES, batch=[1, 4], top=1,
        **AXES,
    )  # fmt: skip
    met = table[table["latency_s"] <= table["hardware"].map(limits).astype(float)]
    both = met.groupby(KEY, observed=True).filter(lambda rows: len(rows) == len(DEVICES))
    assert set(found["macs"]) == {both["macs"].max()}
    assert len(found) == 2


def test_what_binds_is_the_budget_that_a_better_neighbour_breaks():
    found = ch.optimize(
        "conv2d_stack",
        budgets="latency<=200us",
        hardware=DEVICES[:1],
        channels=range(8, 520, 8),
        top=1,
    ).iloc[0]
    over = int(found["channels"]) + 8
    more = session.project("conv2d_stack", {"channels": over}, hardware=DEVICES[:1], keep=False)
    assert found["latency_s"] <= 200e-6 < more["latency_s"][0]
    assert found["binds"].startswith(f"latency_s <= 200 µs (channels {over} takes ")
    free = ch.optimize("conv2d_stack", hardware=DEVICES[:1], channels=range(8, 72, 8), top=1).iloc[
        0
    ]
    assert free["binds"] == "channels ends at 64"


def test_an_accuracy_can_be_the_objective(tmp_path):
    file = tmp_path / "accuracy.csv"
    file.write_text("layers,channels,accuracy\n1,8,0.5\n3,16,0.8\n3,64,0.9\n")
    found = ch.optimize(
        "conv2d_stack", objective="max accuracy", join=file, hardware=DEVICES[1:], **AXES
    )
    # 0.9 and 0.8 exist with groups of 1 and of 16, 0.5 only with 1 (8 is no multiple of 16)
    assert found["accuracy"].tolist() == [0.9, 0.9, 0.8, 0.8, 0.5]
    assert found["latency_s"][0] <= found["latency_s"][1]


def test_nothing_that_meets_the_budgets_is_an_empty_answer():
    assert len(ch.optimize("mlp", budgets="latency<=1ns", hardware=DEVICES)) == 0


@pytest.mark.parametrize(
    ("asked", "kind", "text"),
    [
        ({"objective": "max macks"}, UnknownNameError, "Did you mean 'macs'"),
        ({"budgets": "latency<=1ms on nvidia_rtx_409"}, UnknownNameError, "Did you mean 'nvidia_rtx_4090'"),
        ({"top": 0}, InvalidValueError, "ask for 1 or more"),
        ({"wdith": [8]}, UnknownNameError, "Did you mean 'width'"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_optimised_gets_one_sentence(asked, kind, text):
    with pytest.raises(kind, match=text):
        ch.optimize("mlp", hardware=DEVICES, **asked)


# the cheapest device


def test_the_cheapest_device_has_the_least_of_the_figure():
    found = ch.cheapest(
        "conv2d_stack", budgets="latency<=1ms", hardware=["gpu", "kpu"], channels=[64]
    )
    fastest = ch.sweep("conv2d_stack", hardware=["gpu", "kpu"], channels=[64])
    met = fastest[fastest["latency_s"] <= 1e-3]["hardware"]
    assert sorted(found["hardware"]) == sorted(met)
    watts = [hardware.load(name).tdp_w for name in met]
    known = sorted(w for w in watts if w is not None)
    assert found["tdp_w"].dropna().tolist() == known
    assert found["tdp_w"].isna().sum() == len(watts) - len(known)
    by_energy = ch.cheapest(
        "conv2d_stack", by="energy", budgets="latency<=1ms", hardware=["kpu"], channels=[64]
    )
    assert by_energy["energy_j"].is_monotonic_increasing


def test_a_price_is_not_made_up():
    with pytest.raises(InvalidValueError, match="No profile states a price"):
        ch.cheapest("mlp", by="price")
    with pytest.raises(UnknownNameError, match="Did you mean 'tdp_w'"):
        ch.cheapest("mlp", by="tdp")


# sensitivities


def test_one_more_layer_costs_what_the_difference_of_two_projections_says():
    found = ch.sensitivities("conv2d_stack", hardware=DEVICES[:1], channels=64)
    one = session.project("conv2d_stack", {"channels": 64}, hardware=DEVICES[:1], keep=False)
    two = session.project(
        "conv2d_stack", {"channels": 64, "layers": 4}, hardware=DEVICES[:1], keep=False
    )
    line = found[found["parameter"] == "layers"].iloc[0]
    assert (line["before"], line["after"]) == (3, 4)
    assert line["latency_s"] == two["latency_s"][0]
    assert line["macs_change"] == pytest.approx(two["macs"][0] / one["macs"][0] - 1)
    channels = found[found["parameter"] == "channels"].set_index("change")
    assert channels.loc["+10 %", "after"] == 70  # 64 + round(6.4)


def test_a_change_that_does_not_go_together_says_why():
    # groups of 3 do not divide 64 channels
    found = ch.sensitivities("conv2d_stack", hardware=DEVICES[:1], channels=64, groups=2)
    line = found[found["parameter"] == "groups"].iloc[0]
    assert np.isnan(line["latency_s"])
    assert "groups must divide channels" in line["note"]


def test_changes_stay_in_range():
    parameters = models.family("conv2d_stack").parameters
    values = {p.name: p.high if p.kind == "int" else p.default for p in parameters}
    made = list(sensitivity.changes(parameters, values, 1))
    assert {c.parameter for c in made if c.change.startswith("+")} == {"batch"}


# the command


def test_the_command_prints_the_best_and_what_binds(capsys):
    asked = ["optimize", "conv2d_stack", "--set", "channels=8:64:8", "--hardware", DEVICES[1]]
    assert main([*asked, "--budget", "latency <= 1 ms", "energy<=10mJ", "--top", "2"]) == 0
    printed = capsys.readouterr().out
    assert "channels ends at 64" in printed
    assert "stillwater_kpu_t256" in printed
    assert main([*asked, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["channels"] for row in rows] == [64, 56, 48, 40, 32]
    assert main([*asked, "--sensitivities", "--format", "json"]) == 0
    lines = json.loads(capsys.readouterr().out)
    assert {line["parameter"] for line in lines} >= {"layers", "channels", "batch"}
    assert main([*asked, "--cheapest", "tdp_w", "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("tdp_w,rank,")


def test_the_command_says_when_nothing_meets_the_budgets(capsys):
    asked = ["optimize", "mlp", "--hardware", DEVICES[1], "--budget", "latency<=1ns"]
    assert main([*asked, "--format", "json"]) == 0
    read = capsys.readouterr()
    assert json.loads(read.out) == []
    assert "no configuration meets the budgets" in read.err
    assert main(["optimize", "mlp", "--top", "none"]) == 2
    assert "--top takes a whole number" in capsys.readouterr().err


def test_rows_of_an_optimum_are_result_rows():
    found = ch.optimize("mlp", hardware=DEVICES[1:], width=[64, 128], top=1)
    row = session.project("mlp", {"width": 128}, hardware=DEVICES[1:], keep=False)
    assert list(found.columns) == ["rank", *row.columns, "binds"]
    pd.testing.assert_series_equal(
        found.iloc[0][["macs", "parameters", "kernels"]],
        row.iloc[0][["macs", "parameters", "kernels"]],
        check_dtype=False,
    )

"""Questions to rows: frontiers, budgets, cells; held against what a loop over all rows answers."""

from typing import Any

import numpy as np
import pytest

import characterize as ch
from characterize import questions, store, sweeping
from characterize.errors import InvalidValueError, StoreError, UnknownNameError
from characterize.questions import bounds, coding, skyline

DEVICES = ["reference_cpu", "nvidia_rtx_4090", "stillwater_kpu_t256"]


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A sweep beside a store of its own, and the same rows as a table."""
    shelf = store.Store(tmp_path_factory.mktemp("questions") / "store.duckdb")
    axes: dict[str, Any] = {
        "layers": [1, 3],
        "channels": range(8, 72, 8),
        "input_size": [16, 32, 64],
    }
    space = sweeping.grid("conv2d_stack", axes, [1, 4])
    done = sweeping.sweep_to(space, hardware=DEVICES, keep=shelf)
    table = ch.sweep("conv2d_stack", batch=[1, 4], hardware=DEVICES, **axes)
    return sweeping.find(done.key, shelf), table


@pytest.fixture(params=["table", "kept"])
def asked(request, kept):
    """The rows in both forms, next to the table."""
    sweep, table = kept
    return (sweep if request.param == "kept" else table), table


# budgets


@pytest.mark.parametrize(
    ("text", "column", "relation", "limit", "device"),
    [
        pytest.param("latency<=5ms", "latency_s", "<=", 5e-3, "", id="ms"),
        pytest.param("energy_j <= 10 mJ on the KPU", "energy_j", "<=", 10e-3, "kpu", id="class"),
        pytest.param("memory<=512MB", "peak_memory_bytes", "<=", 512e6, "", id="decimal bytes"),
        # 1 MiB is 2^20 bytes
        pytest.param("memory < 1 MiB", "peak_memory_bytes", "<=", 2.0**20, "", id="binary bytes"),
        pytest.param("throughput>=30fps", "throughput_per_s", ">=", 30.0, "", id="rate"),
        pytest.param("params <= 25M", "parameters", "<=", 25e6, "", id="count"),
        pytest.param("macs≤4e9 on nvidia_rtx_4090", "macs", "<=", 4e9, "nvidia_rtx_4090", id="name"),
        pytest.param("power<=1.5kW", "power_w", "<=", 1500.0, "", id="kW"),
    ],
)  # fmt: skip
def test_a_budget_is_read_as_it_is_written(text, column, relation, limit, device):
    (found,) = bounds.budgets(text)
    assert (found.column, found.relation, found.device) == (column, relation, device)
    assert found.limit == pytest.approx(limit)
    again = bounds.budgets(str(found))[0]
    assert (again.column, again.device) == (column, device)
    assert again.limit == pytest.approx(limit, rel=1e-5)  # shown to six digits


def test_budgets_are_joined_by_and_or_commas():
    found = bounds.budgets("latency <= 5 ms on the KPU and energy <= 10 mJ, macs<=1G")
    assert [str(b) for b in found] == [
        "latency_s <= 5 ms on kpu",
        "energy_j <= 10 mJ",
        "macs <= 1 G",
    ]
    assert bounds.budgets([found[0], "macs<=1G"]) == (found[0], found[2])


@pytest.mark.parametrize(
    ("text", "kind", "sentence"),
    [
        ("latencyy<=5ms", UnknownNameError, "Did you mean 'latency'"),
        ("latency<=5mJ", InvalidValueError, "'mJ' is no unit of it; it takes s, ms"),
        ("macs<=5ms", InvalidValueError, "macs is a count"),
        ("latency=5ms", InvalidValueError, "write a column, <= or >="),
        ("latency<=1.2.3ms", InvalidValueError, "is no number"),
    ],
)
def test_a_bad_budget_gets_one_sentence(text, kind, sentence):
    with pytest.raises(kind, match=sentence):
        bounds.budgets(text)


# frontiers


def beaten(costs, row):
    return bool(((costs <= costs[row]).all(axis=1) & (costs < costs[row]).any(axis=1)).any())


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
@pytest.mark.parametrize("levels", [4, 1000])
def test_the_frontier_is_what_comparing_all_pairs_leaves(objectives, levels, monkeypatch):
    monkeypatch.setattr(skyline, "_FEW", 50)  # so that the table of cells has work
    monkeypatch.setattr(skyline, "_CELLS", 64)
    generator = np.random.default_rng(objectives * levels)
    costs = generator.integers(0, levels, (400, objectives)).astype(float)
    costs[::37, 0] = np.nan
    whole = [r for r in range(400) if not np.isnan(costs[r]).any()]
    expected = [r for r in whole if not beaten(costs[whole], whole.index(r))]
    assert skyline.skyline(costs).tolist() == expected


def test_equal_rows_stand_together_and_nothing_has_no_frontier():
    assert skyline.skyline(np.array([[1.0, 2.0], [1.0, 2.0], [2.0, 2.0]])).tolist() == [0, 1]
    assert skyline.skyline(np.empty((0, 2))).tolist() == []


def test_a_frontier_of_rows_is_that_of_their_numbers(asked):
    source, table = asked
    found = questions.frontier(source, ["latency", "throughput"], where={"layers": 3})
    rows = table[table["layers"] == 3]
    costs = np.stack([rows["latency_s"], -rows["throughput_per_s"]], axis=1)
    expected = rows[[not beaten(costs, i) for i in range(len(rows))]].sort_values("latency_s")
    assert found["latency_s"].tolist() == expected["latency_s"].tolist()
    assert found["channels"].tolist() == expected["channels"].tolist()


def test_more_can_be_worse_and_less_better_where_one_says_so(kept):
    _, table = kept
    most = questions.frontier(table, "max macs")
    assert set(most["macs"]) == {table["macs"].max()}
    assert list(most.columns) == list(table.columns)
    with pytest.raises(UnknownNameError, match="Did you mean 'energy'"):
        questions.frontier(table, ["enrgy"])


# budgets on rows


def test_the_feasible_region_is_counted_device_by_device(asked):
    source, table = asked
    found = questions.feasible(source, "latency<=50us").set_index("hardware")
    for device, rows in table.groupby("hardware", observed=True):
        assert found.loc[device, "rows"] == len(rows)
        assert found.loc[device, "feasible"] == (rows["latency_s"] <= 50e-6).sum()


def test_a_configuration_must_meet_every_devices_budget(asked):
    source, table = asked
    kpu, gpu = table["hardware"] == DEVICES[2], table["hardware"] == DEVICES[1]
    key = ["layers", "channels", "input_size", "batch"]
    limit = float(table[kpu]["latency_s"].median())
    joules = float(table[gpu]["energy_j"].median())
    met = table[kpu & (table["latency_s"] <= limit)].merge(
        table[gpu & (table["energy_j"] <= joules)], on=key
    )
    asked_for = [
        bounds.Budget("latency_s", limit, "<=", "kpu"),
        bounds.Budget("energy_j", joules, "<=", DEVICES[1]),
    ]
    found = questions.feasible(source, asked_for)
    assert set(found["feasible"]) == {len(met)}
    assert 0 < len(met) < kpu.sum()
    best = questions.largest(source, asked_for)
    assert set(best["parameters"]) == {met["parameters_x"].max()}
    with pytest.raises(UnknownNameError, match="Did you mean 'nvidia_rtx_4090'"):
        questions.feasible(source, "latency<=1ms on nvidia_rtx_409")


def test_the_largest_model_is_the_fastest_of_the_largest(asked):
    source, table = asked
    found = questions.largest(source, "latency<=100us", where={"hardware": DEVICES[1]})
    rows = table[(table["hardware"] == DEVICES[1]) & (table["latency_s"] <= 100e-6)]
    tied = rows[rows["parameters"] == rows["parameters"].max()]
    assert found["parameters"].tolist() == [tied["parameters"].max()]
    assert found["latency_s"].tolist() == [tied["latency_s"].min()]
    assert len(questions.largest(source, "latency<=1ns")) == 0


# charts


def test_a_heatmap_counts_and_orders_what_meets_the_budget(asked):
    source, table = asked
    rows = table[table["hardware"] == DEVICES[2]]
    limit = float(rows["energy_j"].median())
    found = questions.heatmap(
        source, "channels", "input_size", "latency",
        [bounds.Budget("energy_j", limit)], where={"hardware": DEVICES[2]},
    )  # fmt: skip
    assert len(found) == 8 * 3
    for cell in found.itertuples():
        here = rows[(rows["channels"] == cell.x) & (rows["input_size"] == cell.y)]
        met = np.sort(here[here["energy_j"] <= limit]["latency_s"])
        assert (cell.rows, cell.feasible) == (len(here), len(met))
        if len(met):
            assert (cell.best, cell.median, cell.worst) == (met[0], met[len(met) // 2], met[-1])
        else:
            assert np.isnan(cell.best)


def test_axes_of_many_values_share_cells(asked):
    source, table = asked
    found = questions.heatmap(source, "channels", "input_size", "macs", steps=3)
    # 8 values of channels in cells of ceil(8/3) = 3: 8..24, 32..48, 56..64
    assert sorted(set(zip(found["x"], found["x_to"], strict=True))) == [(8, 24), (32, 48), (56, 64)]
    assert found["rows"].sum() == len(table)


def test_lines_have_a_point_for_every_value(asked):
    source, table = asked
    found = questions.lines(source, "channels", "throughput", by="hardware")
    assert len(found) == 8 * 3
    for point in found.itertuples():
        here = table[(table["channels"] == point.x) & (table["hardware"] == point.by)]
        # of a throughput the most is best
        assert point.best == here["throughput_per_s"].max()
        assert point.worst == here["throughput_per_s"].min()


def test_a_scatter_has_the_whole_frontier_and_stands_for_every_feasible_row(asked):
    source, table = asked
    limit = float(table["latency_s"].median())
    found = questions.scatter(
        source, "latency", "energy", [bounds.Budget("latency_s", limit)], by="hardware", marks=60
    )
    exact = questions.frontier(table[table["latency_s"] <= limit], ["latency", "energy"])
    marked = found[found["frontier"]]
    assert marked["latency_s"].tolist() == exact["latency_s"].tolist()
    assert len(found) <= 60
    sample = found[~found["frontier"]]
    assert sample["count"].sum() == (table["latency_s"] <= limit).sum()
    assert (sample["latency_s"] <= limit).all()


def test_counts_are_of_rows_and_of_feasible_ones(asked):
    source, table = asked
    found = questions.counts(source, "bottleneck", "latency<=50us").set_index("by")
    for name, rows in table.groupby("bottleneck", observed=True):
        assert found.loc[name, "rows"] == len(rows)
        assert found.loc[name, "feasible"] == (rows["latency_s"] <= 50e-6).sum()


def test_a_value_or_column_that_is_not_there_is_said(asked):
    source, _ = asked
    with pytest.raises(UnknownNameError, match="Did you mean 'channels'"):
        questions.heatmap(source, "chanels", "input_size", "latency")
    with pytest.raises(UnknownNameError, match="Known: 1, 3"):
        questions.counts(source, "hardware", where={"layers": 2})


# accuracies


def test_an_accuracy_is_joined_on_the_parameters_that_its_header_names(asked, tmp_path):
    source, table = asked
    file = tmp_path / "accuracy.csv"
    file.write_text("layers,channels,accuracy\n1,8,0.5\n3,8,0.75\n3,64,0.9\n5,8,0.99\n")
    found = questions.frontier(source, ["latency", "accuracy"], join=file)
    known = {(1, 8): 0.5, (3, 8): 0.75, (3, 64): 0.9}
    rows = table[[pair in known for pair in zip(table["layers"], table["channels"], strict=True)]]
    joined = [known[pair] for pair in zip(rows["layers"], rows["channels"], strict=True)]
    costs = np.stack([rows["latency_s"], -np.array(joined)], axis=1)
    expected = sorted(rows["latency_s"].iloc[i] for i in range(len(rows)) if not beaten(costs, i))
    assert found["latency_s"].tolist() == expected
    assert set(found["accuracy"]) <= set(known.values())
    rows_with = questions.rows(source).joined(file)
    assert questions.largest(rows_with, "accuracy>=0.7", by="accuracy")["accuracy"].max() == 0.9


@pytest.mark.parametrize(
    ("text", "kind", "sentence"),
    [
        ("chanels,accuracy\n8,0.5\n", UnknownNameError, "Did you mean 'channels'"),
        ("top1\n0.5\n", InvalidValueError, "names no column to join on"),
        ("channels\n8\n", InvalidValueError, "no column besides"),
        ("channels,accuracy\n8,high\n", InvalidValueError, "joined as a number"),
        ("channels,accuracy\n8,0.5\n8,0.6\n", InvalidValueError, "twice of channels=8"),
        ("", InvalidValueError, "cannot be read as CSV"),
    ],
)
def test_a_file_that_cannot_be_joined_gets_one_sentence(kept, tmp_path, text, kind, sentence):
    file = tmp_path / "accuracy.csv"
    file.write_text(text)
    with pytest.raises(kind, match=sentence):
        questions.rows(kept[1]).joined(file)


# columns


def test_columns_are_coded_by_their_sorted_values():
    words = coding.coded(np.array(["b", None, "a", "b"], dtype=object))
    assert (words.values, words.codes.tolist()) == (("a", "b", None), [1, 2, 0, 1])
    numbers = coding.coded(np.array([7, 3, 7]))
    assert (numbers.values, numbers.codes.tolist()) == ((3, 7), [1, 0, 1])
    # too far apart for a table: searched
    far = coding.coded(np.array([10**12, 3]))
    assert (far.values, far.codes.tolist()) == ((3, 10**12), [1, 0])
    assert coding.coded(np.array([0.5, 0.25])).values == (0.25, 0.5)


def test_a_sweep_without_rows_says_so(kept, tmp_path):
    sweep, _ = kept
    empty = sweeping.Kept("0" * 12, tmp_path, sweep.description, sweep.hardware, 0, False)
    with pytest.raises(StoreError, match="no rows yet"):
        questions.rows(empty)

"""Sweeps: the same rows as one projection after another, whatever happens on the way."""

import itertools
import json
import os
import subprocess
import sys
import textwrap
from typing import Any

import numpy as np
import pandas as pd
import pytest

import characterize as ch
from characterize import columns, features, hardware, session, subjects, sweeping
from characterize.cli import main
from characterize.errors import InvalidValueError, UnknownNameError
from characterize.records import Launching, Precision, Stack
from characterize.sweeping import evaluation, sinks

pytestmark = pytest.mark.usefixtures("fresh_store")

DEVICES = ["reference_cpu", "nvidia_rtx_4090"]


def assert_same(row, alone):
    """What a row of a sweep says, its gaps left out, is what the network alone has."""
    for name in row.index:
        if isinstance(row[name], float) and row[name] == row[name]:
            assert row[name] == pytest.approx(alone[name], rel=1e-12), name
        elif row[name] == row[name]:
            assert row[name] == alone[name], name


def test_a_sweep_is_its_projections_one_by_one():
    table = ch.sweep(
        "conv2d_stack", layers=[1, 3], channels=[8, 9], input_size=[9, 32], batch=[1, 4],
        hardware=DEVICES, baseline="reference_cpu",
    )  # fmt: skip
    assert len(table) == 2 * 2 * 2 * 2 * 2
    for _, row in table.iterrows():
        parameters = {name: row[name] for name in ("layers", "channels", "input_size")}
        alone = session.project(
            "conv2d_stack", parameters, batch=row["batch"], hardware=[row["hardware"]],
            baseline="reference_cpu", keep=False,
        ).iloc[0]  # fmt: skip
        assert list(alone.index) == list(row.index)
        for name in row.index:
            if isinstance(row[name], float):
                assert row[name] == pytest.approx(alone[name], rel=1e-12), name
            else:
                assert row[name] == alone[name], name
    # nine channels do not fill sixteen bytes in fp16; three of an image are usual
    flagged = table[(table["channels"] == 9) & (table["layers"] == 3)]
    waits = "waits for the host"  # networks so small that sending their kernels takes longer
    assert set(flagged["cautions"]) == {"", f"odd channels; {waits}"}
    assert set(table[table["channels"] == 8]["cautions"]) == {"", waits}


def test_combinations_that_do_not_go_together_are_counted_with_their_reason():
    # three layers of 5x5 without padding take 12 pixels: 8 px vanish, 16 px become 4
    table = ch.sweep(
        "conv2d_stack", layers=3, kernel_size=5, padding=0, input_size=[8, 16], hardware=DEVICES
    )
    assert set(table["input_size"]) == {16}
    ((reason, count),) = table.attrs["invalid"].items()
    assert count == 1
    assert "shrunk" in reason


@pytest.mark.parametrize(
    ("axes", "kind", "text"),
    [
        ({"chanels": [1]}, UnknownNameError, "Did you mean 'channels'"),
        ({"channels": []}, InvalidValueError, "channels has no values"),
        ({"channels": [16, -1]}, InvalidValueError, "channels must be"),
        ({"batch": [0]}, InvalidValueError, "batch"),
        ({"precision": ["fp17"]}, UnknownNameError, "Did you mean 'fp16'"),
        ({"stack": ["eagre"]}, UnknownNameError, "Did you mean 'eager'"),
    ],
    ids=str,
)
def test_a_bad_axis_is_refused_before_the_work(axes, kind, text):
    with pytest.raises(kind, match=text):
        ch.sweep("conv2d_stack", hardware=DEVICES, **axes)


def test_too_many_rows_for_a_table_are_refused():
    with pytest.raises(InvalidValueError, match="a table holds"):
        ch.sweep("conv2d_stack", channels=range(1, 1025), input_size=range(1, 1025), batch=range(1, 99),
                 hardware=DEVICES)  # fmt: skip


NETWORKS: dict[str, dict[str, Any]] = {
    "conv2d_stack": {"layers": [1, 2, 7, 9], "channels": [8, 9, 256], "input_size": [9, 64]},
    "mlp": {"depth": [2, 3, 6], "width": [8, 500]},
    "lstm": {"layers": [1, 3], "hidden": [64, 96]},
}


@pytest.mark.parametrize("stack", ["eager", "compiled", "engine"])
@pytest.mark.parametrize("family", NETWORKS)
def test_what_topologies_share_is_what_each_of_them_has(family, stack):
    # kernels of networks that differ in the number of equal layers are timed once: what depends on
    # how many there are (a host's dispatch, the clock, weights that stay on a chip) must not be
    devices = [
        "intel_i9_10940x", "nvidia_rtx_4090", "nvidia_l4", "google_tpu_v4", "google_coral_edge_tpu",
        "stillwater_kpu_t256", "hailo_8", "raspberry_pi_4",
    ]  # fmt: skip
    axes = NETWORKS[family]
    table = ch.sweep(family, batch=[1, 64], stack=stack, hardware=devices, **axes)
    for _, row in table.sample(16, random_state=3).iterrows():
        alone = session.project(
            family, {name: row[name] for name in axes}, batch=row["batch"], stack=stack,
            hardware=[row["hardware"]], baseline="intel_i9_10940x", keep=False,
        ).iloc[0]  # fmt: skip
        assert_same(row, alone)


def test_kernels_that_several_topologies_have_are_evaluated_once():
    sizes = {"channels": np.array([8, 16]), "input_size": 32, "in_channels": 3, "batch": 4}
    at = features.Evaluation(sizes, columns.Recent(1000))
    found = {}
    for layers in (1, 3, 9):
        asked = subjects.subject("conv2d_stack", {"layers": layers}, 4)
        found[layers] = at.columns(session.frame(asked, Stack.COMPILED, None)).kernels
    assert found[3].macs is found[9].macs
    assert found[3].count.ravel().tolist() == [1, 2]  # the first reads the image
    assert found[9].count.ravel().tolist() == [1, 8]
    three, nine = (
        found[n].launched(Launching(autocast=True, split_bias=True))[0].input_distance
        for n in (3, 9)
    )
    assert three is nine
    assert len(found[1].kind) == 1
    assert found[1].macs is not found[3].macs


def test_what_was_made_last_is_kept_within_bounds():
    recent = columns.Recent(10)
    made: list[str] = []

    def make(key: str) -> str:
        made.append(key)
        return key

    def get(key: str, elements: int) -> str:
        return recent.get(key, elements, lambda: make(key))

    assert [get("a", 4), get("b", 6), get("a", 4)] == ["a", "b", "a"]
    assert made == ["a", "b"]
    get("c", 6)  # 4 + 6 + 6 > 10: b, which was asked for before a, goes
    get("a", 4)
    assert made == ["a", "b", "c"]
    get("b", 6)
    assert made == ["a", "b", "c", "b"]
    get("d", 11)
    get("d", 11)  # never kept, and nothing else goes for it
    get("b", 6)
    assert made == ["a", "b", "c", "b", "d", "d"]


def test_on_a_grid_every_execution_model_gives_what_it_gives_one_by_one(monkeypatch):
    # kernels that depend on few axes are timed on those alone, as in the large blocks of a real sweep
    monkeypatch.setattr(columns, "_WORTH_SPLITTING", 1)
    # three axes of several values, so that arrays have three dimensions; a batch of 1 has a template
    # of its own, and groups that do not divide the channels leave no grid
    devices = [
        "intel_i9_10940x", "nvidia_rtx_4090", "nvidia_h100_sxm", "google_tpu_v4", "google_coral_edge_tpu",
        "stillwater_kpu_t256", "hailo_8", "kendryte_k230", "raspberry_pi_4", "reference_tpu",
    ]  # fmt: skip
    axes: dict[str, Any] = {
        "channels": [8, 24, 528],
        "input_size": [9, 32, 65, 224],
        "groups": [1, 16],
    }
    table = ch.sweep("conv2d_stack", batch=[1, 2, 32], hardware=devices, batch_norm=True, **axes)
    assert len(table) == len(devices) * 3 * 4 * (3 + 1)  # only 528 is a multiple of 16
    chosen = table.sample(20, random_state=7)
    for _, row in chosen.iterrows():
        parameters = {name: row[name] for name in (*axes, "batch_norm")}
        alone = session.project(
            "conv2d_stack", parameters, batch=row["batch"], hardware=[row["hardware"]],
            baseline="intel_i9_10940x", keep=False,
        ).iloc[0]  # fmt: skip
        assert_same(row, alone)


def test_blocks_cover_the_space_once(monkeypatch):
    space = sweeping.grid("conv2d_stack", {"layers": [1, 2], "channels": range(1, 8)}, range(1, 4))
    seen = [
        (block.fixed["layers"], int(c), int(b))
        for block in space.blocks(size=5)
        for c, b in itertools.product(block.axes["channels"], block.axes["batch"])
    ]
    assert len(seen) == space.configurations == 2 * 7 * 3
    assert len(set(seen)) == len(seen)


def test_a_stopped_sweep_goes_on_where_it_was(monkeypatch):
    monkeypatch.setattr(sweeping.Grid, "blocks", _small_blocks)
    space = sweeping.grid("mlp", {"width": range(8, 48)}, 4)
    written: list[int] = []
    real = sinks.Parts.write

    def stop_after_two(self, index, tables, tally):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(index)
        real(self, index, tables, tally)

    monkeypatch.setattr(sinks.Parts, "write", stop_after_two)
    with pytest.raises(KeyboardInterrupt):
        sweeping.sweep_to(space, hardware=DEVICES, workers=1)
    monkeypatch.setattr(sinks.Parts, "write", real)
    done = sweeping.sweep_to(space, hardware=DEVICES)
    assert done.resumed == 20
    assert done.tally.rows == 80
    again = sweeping.sweep_to(space, hardware=DEVICES)
    assert again.resumed == 40
    kept = sweeping.find(done.key[:8])
    rows = sweeping.frame(kept, "SELECT width, hardware FROM sweep")
    assert len(rows) == len(rows.drop_duplicates()) == 80


def _small_blocks(self, _size):
    return _BLOCKS(self, 10)


_BLOCKS = sweeping.Grid.blocks


def test_a_killed_sweep_leaves_whole_parts_only(monkeypatch):
    code = """
        import os
        from characterize import sweeping
        from characterize.sweeping import sinks
        real, count = sinks.Parts.write, []
        def write(self, index, tables, tally):
            if len(count) == 3:
                for writer in (os.getpid(), os.getppid()):  # who started it lives on, and writes too
                    (self.folder / f"part-9999999.{writer}.partial").write_bytes(b"half a part")
                os.kill(os.getpid(), 9)
            count.append(index)
            real(self, index, tables, tally)
        sinks.Parts.write = write
        whole = sweeping.Grid.blocks
        sweeping.Grid.blocks = lambda self, size=0: whole(self, 10)
        sweeping.sweep_to(sweeping.grid("mlp", {"width": range(8, 72)}, 4), hardware=["reference_cpu"], workers=1)
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False, timeout=120)
    assert killed.returncode == -9
    monkeypatch.setattr(sweeping.Grid, "blocks", _small_blocks)
    done = sweeping.sweep_to(
        sweeping.grid("mlp", {"width": range(8, 72)}, 4), hardware=["reference_cpu"]
    )
    place = sweeping.find(done.key).folder
    assert [file.name for file in place.glob("*.partial")] == [
        f"part-9999999.{os.getpid()}.partial"
    ]
    assert done.resumed == 28  # 64 widths in seven runs: 10 + 9 + 9 in the first three
    rows = sweeping.frame(sweeping.find(done.key), "SELECT * FROM sweep ORDER BY width")
    whole = ch.sweep("mlp", width=range(8, 72), batch=4, hardware=["reference_cpu"])
    assert rows.pop("fits").isna().all()  # the idealised devices state no capacity
    assert whole.pop("fits").isna().all()
    pd.testing.assert_frame_equal(
        rows, whole.sort_values("width", ignore_index=True), check_dtype=False
    )


@pytest.mark.parametrize("suffix", ["parquet", "csv", "json"])
def test_a_file_holds_the_rows_of_the_table(tmp_path, suffix):
    file = tmp_path / f"sweep.{suffix}"
    code = main(
        [
            "sweep",
            "mlp",
            "--set",
            "width=8:24:8",
            "--batch",
            "4",
            "--hardware",
            *DEVICES,
            "--output",
            str(file),
        ]
    )
    assert code == 0
    read = {
        "parquet": pd.read_parquet,
        "csv": pd.read_csv,
        "json": lambda f: pd.DataFrame(json.loads(f.read_text())),
    }
    rows = read[suffix](file)
    table = ch.sweep("mlp", width=[8, 16, 24], batch=4, hardware=DEVICES)
    assert rows["latency_s"].tolist() == pytest.approx(table["latency_s"].tolist(), rel=1e-12)
    assert rows["hardware"].tolist() == table["hardware"].tolist()
    assert list(rows.columns) == list(table.columns)


def test_the_command_says_what_came_of_it(capsys):
    arguments = [
        "sweep",
        "conv2d_stack",
        "--set",
        "layers=3",
        "kernel_size=5",
        "padding=0",
        "input_size=8,16",
    ]
    assert main([*arguments, "--hardware", "reference_cpu"]) == 0
    printed = capsys.readouterr().out
    assert "2 configurations on 1 devices: 1 rows" in printed
    assert "1 combinations do not go together" in printed
    assert main(["sweep", "conv2d_stack", "--set", "channels=16:8"]) == 2
    assert "goes up" in capsys.readouterr().err


def test_bottleneck_texts_follow_their_numbers():
    assert evaluation._BOTTLENECKS.to_pylist() == ["compute", "memory", "launch"]


def test_a_what_if_device_can_be_swept():
    device = hardware.load("reference_gpu")
    faster = device.with_(peak_flops_per_s_fp32=2 * device.peak(Precision.FP32), name="faster")
    table = ch.sweep("mlp", width=[64], hardware=[device, faster])
    assert table["latency_s"][0] == pytest.approx(2 * table["latency_s"][1])

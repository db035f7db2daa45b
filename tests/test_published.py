"""The figures that ship: cited, projected without torch, and their networks as the tracer makes them."""

import csv
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest

from characterize import codec, evidence, hardware, projection
from characterize.paths import data_directory
from characterize.records import Architecture, Precision, Stack
from tests.zoo_support import need

FOLDER = data_directory() / "published"
CITED = [
    file for file in sorted(FOLDER.glob("*.csv")) if not file.name.startswith(("h100", "h200"))
]


def rows_of(file):
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


@pytest.mark.parametrize("file", CITED, ids=lambda file: file.stem)
def test_every_cited_figure_has_a_source_and_a_device_that_runs_it(file):
    for row in rows_of(file):
        assert row["source"].strip(), row
        assert float(row["latency_s"]) > 0, row
        device = hardware.load(row["hardware"])
        assert Precision(row["precision"]) in device.precisions, row


def test_figures_are_of_all_four_architectures_and_of_power_too():
    frame = evidence.published()
    devices = {name: hardware.load(name) for name in frame["hardware"].unique()}
    assert {device.architecture for device in devices.values()} == {*Architecture}
    # a few dozen beside our own tables of an H100 and an H200
    assert len(frame[~frame["hardware"].isin(["nvidia_h100_sxm", "nvidia_h200_sxm"])]) >= 40
    assert frame["power_w"].notna().sum() >= 10


def test_rows_whose_host_the_profiler_slowed_are_left_out_and_counted():
    frame = pd.read_csv(FOLDER / "h100_networks.csv")
    marked = frame["set_aside"].notna()
    keys = ["model", "input_size", "precision", "stack", "memory_format"]
    for _, rows in frame.groupby(keys, dropna=False):
        for index, row in rows.iterrows():
            larger = rows[rows["batch"] > row["batch"]]
            if (larger["latency_s"] < 1.5 * row["latency_s"]).any():
                assert marked[index], row["model"]
    kept = evidence.published()
    (reason,) = frame["set_aside"].dropna().unique()
    assert kept.attrs["set_aside"] == {reason: marked.sum()}
    assert kept["set_aside"].isna().all()


def test_networks_of_replays_and_of_rows_set_aside_ship_too():
    shipped = evidence.shipped()
    for name in ("h100_networks.csv", "h200_network_graphs.csv"):
        frame = evidence.read(FOLDER / name)
        for model, size in frame[["model", "input_size"]].drop_duplicates().itertuples(index=False):
            pair = (model, None if size != size else int(size))
            assert pair in shipped
            assert (FOLDER / "graphs" / evidence.file_name(*pair)).exists(), pair


def test_validating_what_ships_needs_no_torch():
    code = """
        import sys
        from characterize import evidence, validation
        found = validation.validate(evidence.published())
        assert "torch" not in sys.modules
        for summary in found.summaries():
            assert summary["n"] and summary["median_ape"] < 1, summary
        print([each["model"] for each in found.left_out])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        check=True, timeout=300, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


def test_power_at_the_wall_is_compared_where_a_board_was_measured(capsys):
    from characterize import validation
    from characterize.cli import main

    frame = evidence.read(FOLDER / "edge.csv")
    found = validation.validate(frame, ["raspberry_pi_4", "google_coral_edge_tpu"])
    by_device = {(each["hardware"], each["precision"]): each for each in found.summaries()}
    # MLPerf: 5.75 and 5.87 W in fp32; the base alone is 5.46 W
    assert by_device["raspberry_pi_4", "fp32"]["wall_power_w_median_ape"] < 0.06
    assert by_device["raspberry_pi_4", "fp32"]["wall_energy_j_median_ape"] < 0.12
    assert "wall_power_w_median_ape" not in by_device["google_coral_edge_tpu", "int8"]
    measured = str(FOLDER / "edge.csv")
    assert main(["validate", "--measurements", measured, "--hardware", "raspberry_pi_4"]) == 0
    assert "power at the wall" in capsys.readouterr().out


def test_a_graph_ships_for_every_network_and_nothing_else():
    wanted = {evidence.file_name(*pair) for pair in evidence.shipped()}
    assert {file.name for file in (FOLDER / "graphs").iterdir()} == wanted
    assert sum(file.stat().st_size for file in (FOLDER / "graphs").iterdir()) < 3e6


LIBRARIES = sorted({model.rpartition("/")[0] for model, _ in evidence.shipped()})


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda name: name or "families")
def test_what_ships_is_what_the_tracer_makes_now(library):
    if library:
        need("torchvision")  # which transformers imports too, if it is there
        need(library)
    pairs = [pair for pair in evidence.shipped() if pair[0].rpartition("/")[0] == library]
    for model, size in pairs:
        fresh = codec.decode(codec.encode(evidence.traced(model, size)))
        assert evidence.network(model, size) == fresh, f"python -m characterize.evidence: {model}"


def test_generators_ship_as_they_were_measured_without_a_cache():
    # with one, keys and values of each layer are joined to empty tensors: 2 x 12 and 2 x 16 copies;
    # what llama-small joins are the two halves of queries and keys, 2 a layer, and the angles once
    for model, joins in (("transformers/gpt2", 0), ("transformers/llama-small", 2 * 16 + 1)):
        operators = evidence.network(model, 512).operators
        assert sum(operator.name == "aten.cat" for operator in operators) == joins


def test_a_network_that_cannot_be_traced_keeps_its_graph_and_the_others_are_written(
    tmp_path, monkeypatch
):
    pairs = [("mobilenet", 224), ("timm/nonesuch", 224), ("resnet", 224)]
    monkeypatch.setattr(evidence, "shipped", lambda: pairs)
    kept = tmp_path / evidence.file_name("timm/nonesuch", 224)
    kept.write_bytes(b"as it was")
    (reason,) = evidence.write(tmp_path)
    assert reason.startswith("timm/nonesuch: ")
    assert kept.read_bytes() == b"as it was"
    for pair in (pairs[0], pairs[2]):
        file = evidence.file_name(*pair)
        assert (tmp_path / file).read_bytes() == (FOLDER / "graphs" / file).read_bytes()


def test_several_batches_at_once_are_each_batch_alone():
    kernels = evidence.Kernels(evidence.network("resnet", 224))
    for name, stack in (("nvidia_rtx_4090", Stack.EAGER), ("intel_i9_10940x", Stack.COMPILED)):
        device = hardware.load(name)
        together = projection.totals(
            kernels.at(stack, [1, 8, 64]), device, device.default_precision, stack
        )[1]
        alone = [
            projection.totals(kernels.at(stack, [n]), device, device.default_precision, stack)[1]
            for n in (1, 8, 64)
        ]
        np.testing.assert_allclose(together, np.concatenate(alone), rtol=1e-12)

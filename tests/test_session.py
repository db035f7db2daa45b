"""A request and its answer: what is stored, what is traced, what is refused."""

import subprocess
import sys
import textwrap
import threading

import pytest

import characterize as ch
from characterize import hardware, session
from characterize.errors import InvalidValueError, UnknownNameError, UnsupportedError
from characterize.hardware import Profile

REFERENCES = ["reference_cpu", "reference_gpu", "reference_tpu", "reference_kpu"]
COLUMNS = [
    "batch",
    "precision",
    "stack",
    "hardware",
    "architecture",
    "confidence",
    "parameters",
    "macs",
    "flops",
    "memory_bytes",
    "peak_memory_bytes",
    "fits",
    "intensity",
    "kernels",
    "tiles",
    "latency_s",
    "latency_low_s",
    "latency_high_s",
    "throughput_per_s",
    "energy_j",
    "energy_static_j",
    "energy_dynamic_j",
    "power_w",
    "speedup",
    "bottleneck",
    "uncounted",
    "cautions",
]


def test_the_rows_have_the_columns_of_the_contract(fresh_store):
    table = session.project("conv2d_stack", {"layers": 2}, hardware=REFERENCES)
    parameters = list(session.subject("conv2d_stack").values)
    assert list(table.columns) == ["model", "family", *parameters, *COLUMNS]
    assert table["hardware"].tolist() == REFERENCES


def test_the_conv2d_report_comes_out(fresh_store):
    table = session.project(
        "conv2d_stack", {"in_channels": 16}, batch=32, hardware=REFERENCES, baseline="reference_cpu"
    )
    assert table["flops"].tolist() == [1_818_230_784] * 4
    assert table["memory_bytes"].tolist() == [50_359_296] * 4
    assert table["tiles"].tolist() == [3] * 4
    # 1,818,230,784 / 100 G x 1.0; / 10 T x 0.6; / 45 T x 0.6; / 1 T x 0.6
    expected = [1.818230784e-2, 1.0909384704e-4, 2.4243077e-5, 1.0909384704e-3]
    assert table["latency_s"].tolist() == pytest.approx(expected, rel=1e-6)
    # flops x 1 nJ + 50,359,296 B x 100 pJ = 1.8182 + 0.0050 J; ...
    assert table["energy_j"].tolist() == pytest.approx(
        [1.8232667, 0.9106262, 0.3641497, 0.1820749], rel=1e-6
    )
    assert table["speedup"].tolist() == pytest.approx([1, 166.6667, 750, 16.66667], rel=1e-5)


def test_a_second_call_is_answered_without_tracing(fresh_store, monkeypatch):
    first = session.answer("conv2d_stack", hardware=["reference_cpu", "cpu"])
    assert first.stored == 0
    real, here = session.columns, threading.get_ident()

    def columns(*given):
        # what another test has left to a thread may still be stored
        assert threading.get_ident() != here, "traced again"
        return real(*given)

    monkeypatch.setattr(session, "columns", columns)
    second = session.answer("conv2d_stack", hardware=["reference_cpu", "cpu"])
    assert second.stored == len(second.table)
    assert second.table.to_dict("records") == first.table.to_dict("records")


def test_a_stored_answer_needs_no_torch(fresh_store):
    session.project("mlp", hardware=["reference_cpu"])
    code = """
        import sys
        from characterize import session
        table = session.project("mlp", hardware=["reference_cpu"])
        assert len(table) == 1 and "torch" not in sys.modules
        # a template of the family is in the store: another size needs no torch either
        table = session.project("mlp", {"width": 300}, hardware=["reference_cpu"])
        assert table["macs"][0] > 0 and "torch" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, timeout=120)


def test_a_changed_profile_is_projected_anew(fresh_store):
    device = hardware.load("reference_gpu")
    before = session.answer("mlp", hardware=[device])
    faster = device.with_(peak_flops_per_s_fp32=20e12)
    after = session.answer("mlp", hardware=[faster])
    assert after.stored == 0
    assert after.table["latency_s"][0] == pytest.approx(before.table["latency_s"][0] / 2)


def test_a_store_that_cannot_be_used_loses_no_result(tmp_path, monkeypatch):
    broken = tmp_path / "results.duckdb"
    broken.write_text("this is no database")
    monkeypatch.setenv("CHARACTERIZE_STORE", str(broken))
    answer = session.answer("mlp", hardware=["reference_cpu"])
    assert len(answer.table) == 1
    assert any("store" in note.lower() for note in answer.notes)


def test_a_class_leaves_out_what_lacks_the_precision_and_a_name_is_refused(fresh_store):
    answer = session.answer("mlp", hardware=["all"], precision="fp64")
    assert answer.left_out
    assert set(answer.left_out).isdisjoint(answer.table["hardware"])
    with pytest.raises(UnsupportedError, match="google_coral_edge_tpu"):
        session.answer("mlp", hardware=["google_coral_edge_tpu"], precision="fp64")


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        ({"model": "resnett"}, UnknownNameError, "Did you mean 'resnet'"),
        ({"model": "mlp", "parameters": {"widht": 3}}, UnknownNameError, "Did you mean 'width'"),
        ({"model": "mlp", "parameters": {"width": -3}}, InvalidValueError, "width"),
        ({"model": "mlp", "batch": 0}, InvalidValueError, "from 1 to"),
        ({"model": "mlp", "batch": "many"}, InvalidValueError, "'many'"),
        ({"model": "mlp", "precision": "fp17"}, UnknownNameError, "Did you mean 'fp16'"),
        ({"model": "mlp", "stack": "compiler"}, UnknownNameError, "Did you mean 'compiled'"),
        ({"model": "mlp", "hardware": ["gpus"]}, UnknownNameError, "Did you mean 'gpu'"),
        ({"model": "mlp", "hardware": []}, InvalidValueError, "No hardware"),
        ({"model": "nothing.pt2"}, UnknownNameError, "no file"),
        ({"model": "net.py:make"}, UnknownNameError, "no file"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_bad_request_gets_one_sentence(fresh_store, arguments, kind, text):
    with pytest.raises(kind, match=text):
        session.answer(**arguments)


def test_a_file_with_a_factory_is_a_model(fresh_store, tmp_path):
    file = tmp_path / "net.py"
    file.write_text(
        "import torch\n"
        "def make(batch, width=8):\n"
        "    return torch.nn.Linear(width, 4), torch.empty(batch, width)\n"
    )
    table = session.project(f"{file}:make", {"width": "16"}, batch=3, hardware=["reference_cpu"])
    assert table["macs"][0] == 3 * 16 * 4
    with pytest.raises(UnknownNameError, match="Did you mean 'make'"):
        session.project(f"{file}:mak", hardware=["reference_cpu"])


def test_the_library_projects_what_it_traced():
    graph = ch.trace("conv2d_stack", batch=8)
    result = ch.project(
        ch.fuse(graph, stack="compiled"), hardware=["nvidia_rtx_4090"], precision="fp16"
    )
    row = result.table().iloc[0]
    assert row["macs"] == graph.macs
    assert row["batch"] == 8
    kernels = result.kernels()
    assert kernels["latency_s"].sum() <= row["latency_s"] * (1 + 1e-9)
    assert kernels["macs"].sum() == graph.macs


@pytest.mark.parametrize(
    "name", ["nvidia_rtx_4090", "intel_i9_10940x", "google_tpu_v4", "stillwater_kpu_t256"]
)
def test_laws_of_every_architecture(name):
    device = hardware.load(name)
    graph = ch.trace("conv2d_stack", batch=8, channels=64, layers=4, batch_norm=True)

    def row(profile: Profile, batch=8):
        traced = (
            graph
            if batch == 8
            else ch.trace("conv2d_stack", batch=batch, channels=64, layers=4, batch_norm=True)
        )
        return ch.project(ch.fuse(traced), hardware=[profile]).table().iloc[0]

    base = row(device)
    peak = device.peak_flops_per_s[device.default_precision]
    assert (
        base["latency_s"] >= base["flops"] / peak * (1 - 1e-9)
        or base["macs"] * 2 / peak <= base["latency_s"]
    )
    assert base["latency_low_s"] <= base["latency_s"] <= base["latency_high_s"]
    assert base["energy_j"] >= device.idle_w * base["latency_s"] * (1 - 1e-9)
    assert base["energy_j"] == pytest.approx(base["energy_static_j"] + base["energy_dynamic_j"])
    assert row(device, 16)["latency_s"] >= base["latency_s"]
    wider = device.with_(memory_bytes_per_s=2 * device.memory_bytes_per_s)
    assert row(wider)["latency_s"] <= base["latency_s"] * (1 + 1e-9)
    key = f"peak_flops_per_s.{device.default_precision}"
    assert row(device.with_({key: 2 * peak}))["latency_s"] <= base["latency_s"] * (1 + 1e-9)

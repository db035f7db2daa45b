"""Sweeps over many models: the same rows wherever they are traced, whoever is killed on the way."""

from __future__ import annotations

import importlib.util

import pandas as pd
import pytest

from characterize import session, store, sweeping
from characterize.cli import main
from characterize.errors import (
    InvalidValueError,
    MissingExtraError,
    UnknownNameError,
)
from characterize.sweeping import chunks, model_run, requests, schedulers
from tests.sweep_support import DEVICES, SMALL, WRONG, swept

pytestmark = pytest.mark.usefixtures("fresh_store")


# which models


def test_names_patterns_and_settings_become_requests():
    asked = requests.requests(
        ["mlp", "mobile*", "resnet depth=101 batch=8", ("vit", {"layers": 2})],
        {"width": [0.5, 1.0]}, batch=[1, 2], precision="fp16", stack=["eager", "engine"],
    )  # fmt: skip
    models = [request.model for request in asked]
    # two widths x two batches x two stacks; the one with a batch of its own has half of that
    assert models.count("mlp") == models.count("mobilenet") == models.count("vit") == 8
    assert models.count("resnet") == 4
    own = next(request for request in asked if request.model == "resnet")
    assert (own.parameters, own.batch) == ((("depth", "101"), ("width", 0.5)), "8")
    assert len(set(asked)) == len(asked)
    assert requests.requests(["mlp", "mlp", "ml[p]"]) == requests.requests(["mlp"])


def test_a_pattern_is_of_the_zoo_that_it_names():
    asked = requests.requests(["transformers/gpt2*"])
    assert [request.model for request in asked] == [
        "transformers/gpt2", "transformers/gpt2-large", "transformers/gpt2-medium", "transformers/gpt2-xl",
    ]  # fmt: skip


def test_a_file_of_models_is_read_line_by_line(tmp_path):
    file = tmp_path / "models.txt"
    file.write_text("# a search\nmlp depth=2  # small\n\ntransformers/gpt2\n")
    assert requests.read(file) == ["mlp depth=2", "transformers/gpt2"]
    with pytest.raises(InvalidValueError, match=r"'nowhere\.txt', which cannot be: No such file"):
        requests.read("nowhere.txt")


@pytest.mark.parametrize(
    ("entries", "more", "kind", "text"),
    [
        ([], {}, InvalidValueError, "No models"),
        (["resnett"], {}, UnknownNameError, "Did you mean 'resnet'"),
        (["tim/resnet50"], {}, UnknownNameError, "Did you mean 'timm'"),
        (["rasnet*"], {}, UnknownNameError, "fits the pattern named 'rasnet"),
        (["mlp depth"], {}, InvalidValueError, "'depth' is not"),
        (["mlp"], {"stack": "eagre"}, UnknownNameError, "Did you mean 'eager'"),
        (["mlp"], {"precision": ["fp17"]}, UnknownNameError, "Did you mean 'fp16'"),
        (["mlp"], {"scheduler": "10.0.0.1:8786"}, InvalidValueError, "such as tcp://"),
        (["mlp"], {"hardware": ["intel_i7"]}, UnknownNameError, "Did you mean"),
    ],
    ids=str,
)
def test_what_is_wrong_for_all_models_is_refused_before_the_work(entries, more, kind, text):
    with pytest.raises(kind, match=text):
        swept(entries, **{"scheduler": "none", **more})


def test_one_family_is_a_grid_and_anything_else_is_several_models():
    assert not requests.is_several(["resnet"])
    assert not requests.is_several(["resnett"])  # refused as a family, with what is near
    for entries in (["timm/resnet50"], ["res*"], ["mlp", "vit"], ["mlp depth=2"], []):
        assert requests.is_several(entries)


def test_chunks_depend_on_the_requests_alone_and_cover_them_once():
    asked = [requests.Request("mlp", (("width", i),)) for i in range(1000)]
    pieces = chunks.chunked(asked)
    assert [request for piece in pieces for request in piece.requests] == asked
    assert {len(piece.requests) for piece in pieces} == {1000 // 128, 1000 % (1000 // 128)}
    assert len(chunks.chunked(asked[:9])) == 9
    assert len(chunks.chunked(asked * 100)) == 100_000 // chunks.LARGEST


def test_without_dask_many_models_are_traced_here_and_the_answer_says_how_to_have_more(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert schedulers.chosen("auto", 3) == ("none", "")
    how, note = schedulers.chosen("auto", 500)
    assert how == "none"
    assert "pip install 'characterize[dask]'" in note
    with pytest.raises(MissingExtraError, match=r"needs Dask.*pip install"):
        schedulers.chosen("local", 500)


# rows


def test_the_rows_are_those_of_the_models_one_by_one_and_are_found_in_the_store():
    table = swept([*SMALL[:3], WRONG], batch=[1, 4])
    assert len(table) == 3 * 2 * len(DEVICES)
    for place, (model, parameters) in enumerate(
        [("mlp", {"depth": 1}), ("mlp", {"depth": 2, "width": 32}), ("conv2d_stack", {"layers": 1})]
    ):
        for second, batch in enumerate([1, 4]):
            again = session.answer(model, parameters, batch=batch, hardware=DEVICES)
            assert again.stored == len(DEVICES)  # registered, so not traced again
            alone = session.project(
                model, parameters, batch=batch, hardware=DEVICES, keep=False
            ).to_dict("records")
            first = (place * 2 + second) * len(DEVICES)
            for row, kept, own in zip(
                table[first:].to_dict("records"),
                again.table.to_dict("records"),
                alone,
                strict=False,
            ):
                assert list(kept) == list(own)
                for name, value in own.items():
                    expected = (
                        pytest.approx(value, rel=1e-12) if isinstance(value, float) else value
                    )
                    assert row[name] == kept[name] == expected, name


def test_a_family_has_the_numbers_of_its_template_also_where_two_of_its_sizes_agree():
    sizes = {
        "layers": 2,
        "sequence": 32,
        "cached_tokens": 32,
    }  # kernels that differ elsewhere are alike
    entry = " ".join(["transformer_decoder", *(f"{name}={value}" for name, value in sizes.items())])
    table = swept([entry], batch=4)
    alone = session.project(
        "transformer_decoder", sizes, batch=4, hardware=DEVICES, keep=False
    ).to_dict("records")
    for row, own in zip(table.to_dict("records"), alone, strict=True):
        assert row["latency_s"] == pytest.approx(own["latency_s"], rel=1e-12)
        assert row["energy_j"] == pytest.approx(own["energy_j"], rel=1e-12)


def test_a_model_that_fails_is_in_the_table_of_failures(tmp_path, capsys):
    factory = tmp_path / "broken.py"
    factory.write_text("def make():\n    raise ZeroDivisionError('no such layer')\n")
    file = tmp_path / "rows.csv"
    command = [
        "sweep",
        "mlp",
        WRONG,
        f"{factory}:make",
        "--hardware",
        *DEVICES,
        "--output",
        str(file),
    ]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "3 models on 2 devices: 2 rows" in printed
    assert "2 failed" in printed
    assert "no such layer" in printed
    assert list(pd.read_csv(file)["model"]) == ["mlp", "mlp"]
    failures = pd.read_csv(tmp_path / "rows.failures.csv")
    assert list(failures["model"]) == ["resnet", f"{factory}:make"]
    assert failures["reason"][0].startswith("resnet: depth must be one of 18, 34")
    # mended, and tried once more: nothing else is traced, and nothing is left of the failure
    factory.write_text("import torch\ndef make():\n    return torch.nn.ReLU(), torch.empty(2, 3)\n")
    assert (
        main(["sweep", "mlp", f"{factory}:make", "--hardware", *DEVICES, "--output", str(file)])
        == 0
    )
    assert not (tmp_path / "rows.failures.csv").exists()
    assert list(pd.read_csv(file)["model"]) == ["mlp", "mlp", f"{factory}:make", f"{factory}:make"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["mlp", "--scheduler", "local"], "--scheduler is of a sweep over many models"),
        (["mlp", "--workers", "2"], "--workers is of"),
        (["mlp", "vit", "--workers", "0"], "'0' is not a number of processes"),
        (["mlp", "vit", "--vary", "memory.bytes_per_s=x2"], "--vary is of a sweep over one family"),
        (["mlp", "vit", "--models", "nowhere.txt"], "'nowhere.txt'"),
        ([], "No models were named"),
    ],
    ids=str,
)
def test_an_option_that_would_do_nothing_is_refused(arguments, text, capsys):
    assert main(["sweep", *arguments]) == 2
    assert text in capsys.readouterr().err


def test_more_rows_than_the_store_should_hold_stay_in_their_parts(monkeypatch):
    monkeypatch.setattr(model_run, "_ROWS_STORED", 3)
    done = sweeping.sweep_models_to(
        requests.requests(SMALL[:2]), hardware=DEVICES, scheduler="none"
    )
    assert done.rows == 4
    assert "More than 3 rows" in done.notes[0]
    assert store.Store().info()["rows"] == 0
    assert len(sweeping.frame(sweeping.find(done.key), "FROM sweep")) == 4


def test_what_failed_is_tried_again_when_asked(monkeypatch):
    def fails(_asked):
        raise MissingExtraError("not installed yet")

    asked = requests.requests(SMALL[:2])
    with monkeypatch.context() as patch:
        patch.setattr(requests.Request, "subject", property(fails))
        done = sweeping.sweep_models_to(asked, hardware=DEVICES, scheduler="none")
    assert [failure.reason for failure in done.failures] == ["not installed yet"] * 2
    assert done.failures_file.is_file()
    assert len(sweeping.sweep_models_to(asked, hardware=DEVICES, scheduler="none").failures) == 2
    done = sweeping.sweep_models_to(asked, hardware=DEVICES, scheduler="none", again=True)
    assert (done.rows, done.failures, done.failures_file.exists()) == (2 * len(DEVICES), (), False)


def test_an_interrupted_sweep_keeps_what_is_done_and_goes_on(monkeypatch):
    seen: list[sweeping.ModelProgress] = []

    def interrupt(progress):
        if progress.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        swept(progress=interrupt)
    assert store.Store().info()["rows"] == 3 * len(DEVICES)
    table = swept(progress=seen.append)
    assert (seen[0].done, seen[0].resumed, seen[-1].done) == (3, 3, len(SMALL))
    # three were there, so what remains is measured against five
    assert seen[-1].rate_per_s == pytest.approx(5 / seen[-1].elapsed_s)
    assert store.Store().info()["rows"] == len(table) == len(SMALL) * len(DEVICES)


def test_rows_come_back_from_workers_that_do_not_see_the_folder(monkeypatch):
    expected = swept(SMALL[:3])
    monkeypatch.setattr(
        model_run, "Job", lambda _folder, *rest: chunks.Job("/nowhere/at/all", *rest)
    )
    pd.testing.assert_frame_equal(swept(SMALL[:3], baseline="nvidia_rtx_4090").iloc[:, :-4],
                                  expected.iloc[:, :-4])  # fmt: skip


def test_a_sweep_over_models_is_listed_and_asked_like_any_other():
    swept()
    (kept,) = sweeping.sweeps()
    assert kept.title.startswith("models: model x4")
    counted = sweeping.frame(kept, "SELECT model, count(*) AS n FROM sweep GROUP BY 1 ORDER BY 1")
    assert dict(zip(counted["model"], counted["n"], strict=True)) == {
        "conv2d_stack": 4, "lstm": 2, "mlp": 8, "mlp_mixer": 2,
    }  # fmt: skip

"""Validation: frames and charts are pure; then the view by AppTest, and uploads."""

import doctest
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import streamlit as st

from characterize import evidence, validation
from characterize.errors import BrokenRecordError
from dashboard import charts_validation, jobs, queries, validation_rows, validations
from tests.dashboard_support import figures, healthy, opened, words

pytestmark = pytest.mark.usefixtures("no_caches")

HEADER = (
    "model,input_size,batch,precision,stack,memory_format,hardware,latency_s,power_w,energy_j\n"
)
KNOWN: dict[str, Any] = {"nvidia_t4": SimpleNamespace(short="T4", architecture="gpu")}
TABLE = pd.DataFrame({
    "model": ["mlp", "mlp", "unet"], "input_size": [None, None, 256.0], "batch": [1, 8, 1],
    "precision": "fp16", "stack": "compiled", "memory_format": "", "hardware": ["nvidia_t4", "nvidia_t4", "my_npu"],
    "latency_s": [1e-3, 2e-3, 1e-2], "power_w": [float("nan")] * 3, "energy_j": [float("nan")] * 3,
    "predicted_s": [1.1e-3, 1e-3, 1.2e-2], "low_s": [0.9e-3, 0.8e-3, 0.9e-2], "high_s": [1.3e-3, 1.2e-3, 1.5e-2],
    "predicted_energy_j": 1.0, "predicted_power_w": 1.0,
})  # fmt: skip


@pytest.fixture
def few(monkeypatch, fresh_store):
    """Three measurements of MLPs instead of those that come along."""
    table = pd.DataFrame({
        "model": "mlp", "input_size": None, "batch": [1, 8, 64], "precision": "fp16", "stack": "compiled",
        "memory_format": "", "hardware": "nvidia_t4", "latency_s": [1e-4, 1e-4, 2e-4],
        "power_w": float("nan"), "energy_j": float("nan"),
    })  # fmt: skip
    monkeypatch.setattr(evidence, "published", lambda: table)
    yield
    for job in jobs.under(validations.JOB):
        job.stop()
        job.wait(60)
    jobs._JOBS.clear()


# frames and charts


def test_figures_of_the_report_are_written_like_the_printed_ones():
    assert doctest.testmod(validation_rows).failed == 0


def test_a_point_says_how_far_off_and_whether_it_is_inside():
    points = validation_rows.points(TABLE, KNOWN)
    assert list(points["error_text"]) == ["+10 %", "-50 %", "+20 %"]
    assert list(points["inside"]) == [True, False, True]
    assert list(points["architecture"]) == ["gpu", "gpu", "reference"]  # a device that is not ours
    assert list(points["setting"])[2] == "size 256, batch 1, fp16, compiled"
    # both axes go from the lowest to the highest of both, and a quarter beyond
    assert set(points["axis_low"]) == {1e-3 / 1.25}
    assert set(points["axis_high"]) == {1.2e-2 * 1.25}


def test_many_measurements_are_drawn_by_an_even_sample():
    many = pd.concat([TABLE] * 3_000, ignore_index=True)
    assert len(validation_rows.points(many, KNOWN)) == validation_rows.MARKS


def test_charts_have_a_line_to_agree_on_and_hollow_marks_outside_the_interval():
    points = validation_rows.points(TABLE, KNOWN)
    for chart in (charts_validation.agreement(points), charts_validation.residuals(points)):
        rule, inside, outside = chart.to_dict()["layer"]
        assert rule["mark"]["type"] == "rule"
        assert (inside["mark"]["filled"], outside["mark"]["filled"]) == (True, False)
        assert {t["field"] for t in inside["encoding"]["tooltip"]} <= set(points)


def test_the_error_table_has_percentages_and_no_empty_columns():
    found = validation.Validation(TABLE)
    table = validation_rows.error_table(found.summaries(), {"nvidia_t4": "NVIDIA T4"})
    row = table[table["Device"] == "NVIDIA T4"].iloc[0]
    assert row["n"] == 2
    assert row["Median error (%)"] == pytest.approx(30.0)  # of 10 and 50
    assert row["Bias (%)"] == pytest.approx(-20.0)  # of +10 and -50
    assert row["In the band (%)"] == pytest.approx(50.0)
    assert "Power (%)" not in table
    assert list(validation_rows.error_table(found.families(), {})["Family"]) == ["mlp", "unet"]


def test_the_worst_are_named_with_their_setting():
    worst = validation_rows.worst_table(validation.Validation(TABLE).worst(1), {})
    assert worst.iloc[0].to_dict() == {
        "Network": "mlp", "Setting": "batch 8, fp16, compiled", "Device": "nvidia_t4",
        "Measured": "2 ms", "Projected": "1 ms", "Error (%)": pytest.approx(-50.0),
    }  # fmt: skip


def test_every_fit_of_the_catalogue_says_on_what():
    profiles = [queries.profile(name) for name in queries.devices()]
    table = validation_rows.fits(profiles)
    assert len(table) == sum(len(profile.fitted) for profile in profiles)
    assert table["Fitted on"].str.len().min() > 10
    assert (table["Points"] > 0).all()
    assert sum(validation_rows.resting_on(profiles).values()) == sum(
        not p.is_reference for p in profiles
    )


# uploads


def test_an_uploaded_file_is_checked_like_one_of_the_command_line(monkeypatch):
    monkeypatch.setattr(st, "session_state", {})
    text = HEADER + "mlp,,1,fp16,compiled,,nvidia_t4,0.001,,\n"
    found = validations.take(text.encode(), "mine.csv")
    assert (found.name, found.devices, found.networks) == ("mine.csv", ("nvidia_t4",), 1)
    assert validations.uploaded() is found


@pytest.mark.parametrize(("content", "said"), [
    (b"\xff\xfe\x00", "mine.csv cannot be read as CSV"),
    (b"model,batch\nmlp,1\n", "mine.csv lacks input_size, precision, stack"),
    (HEADER.encode(), "mine.csv has no measurement"),
    ((HEADER + "mlp,,1,fp16,compiled,,nvidia_t4,-1,,\n").encode(), "latency_s is -1"),
])  # fmt: skip
def test_a_broken_file_is_one_sentence(monkeypatch, content, said):
    monkeypatch.setattr(st, "session_state", {})
    with pytest.raises(BrokenRecordError) as refused:
        validations.take(content, "mine.csv")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert validations.uploaded() is None


# the view


def view(**link):
    app = opened(devices=["nvidia_t4"])
    for name, value in link.items():
        app.query_params[name] = value
    return healthy(app.switch_page("views/validation.py").run())


def test_measurements_are_projected_in_the_background_and_kept(few):
    app = view()
    assert app.title[0].value == "How wrong are these numbers?"
    assert "14 of 15 published figures come out again" in words(app)
    for job in jobs.under(validations.JOB):
        job.wait(120)
        assert not job.error
    healthy(app.run())
    assert figures(app)["Measurements"] == "3"
    assert figures(app)["Median error"].endswith("%")
    table = app.dataframe[0].value
    assert list(table["n"]) == [3]
    # another process finds the answer beside the store
    name = validations.key(validations.shipped())
    jobs.forget(validations.JOB + name)
    st.cache_resource.clear()
    again = view()
    assert figures(again) == figures(app)


def test_a_broken_upload_is_said_and_the_others_stay(few):
    app = view()
    app.file_uploader(key="_validation_file").upload("mine.csv", b"a,b\n1,2\n", "text/csv").run()
    healthy(app)
    assert len(app.error) == 1
    assert app.error[0].value.startswith("mine.csv lacks model")
    assert not [each for each in app.button_group if each.key == "validation.of"]  # no choice


def test_own_measurements_are_looked_at_at_once(few):
    app = view()
    text = (
        HEADER
        + "unet,256,1,fp16,compiled,,nvidia_t4,0.01,,\nunet,256,1,fp16,compiled,,my_npu,0.02,,\n"
    )
    app.file_uploader(key="_validation_file").upload("mine.csv", text.encode(), "text/csv").run()
    healthy(app)
    assert not app.error
    assert "**2 measurements** of 1 networks on 2 devices" in words(app)
    assert app.button_group(key="validation.of").options == ["Shipped", "Uploaded"]
    app.button(key="_validation_run").click().run()
    for job in jobs.under(validations.JOB):
        job.wait(120)
    healthy(app.run())
    assert figures(app)["Measurements"] == "1"
    assert "1 could not be projected" in [each.label for each in app.expander]


def test_a_projection_that_was_stopped_can_be_begun_again(few, monkeypatch):
    def stopped(*_args):
        raise jobs.Stopped

    monkeypatch.setattr(validation, "validate", stopped)
    app = view()
    for job in jobs.under(validations.JOB):
        job.wait(120)
    healthy(app.run())
    assert "It was stopped before it had an answer." in words(app)
    assert "**3 measurements** of 1 networks on 1 devices: NVIDIA T4" in words(app)
    assert not figures(app)

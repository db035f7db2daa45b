"""The link of Results: which rows it shows, in whole, and what of it cannot be followed."""

import pandas as pd
import pytest

from dashboard import queries, stored_links
from tests.dashboard_support import healthy, opened, words

ROWS = pd.DataFrame({
    "model": ["mlp", "unet"], "hardware": ["nvidia_t4"] * 2, "precision": ["fp16"] * 2,
    "stack": ["compiled"] * 2, "latency_s": [1e-3, 2e-3], "bottleneck": ["launch", "memory"],
    "fits": [True, None],
})  # fmt: skip


@pytest.mark.parametrize(("name", "texts"), [
    ("stored.model", ["mlp", "unet"]),
    ("stored.columns", ["latency_s", "bottleneck"]),
    ("stored.latency_s.from", ["0.001"]),
    ("stored.latency_s.to", ["2e-3"]),
    ("stored.bottleneck.in", ["launch"]),
    ("stored.by", ["model", "hardware"]),
    ("stored.across", ["precision"]),
    ("stored.measure", ["latency_s"]),
    ("stored.summary", ["max"]),
    ("stored.sql", ["SELECT anything"]),  # answered where it is asked
    ("show.class", ["of another view"]),
])  # fmt: skip
def test_what_goes_with_the_rows_is_followed(name, texts):
    assert stored_links.wrong(ROWS, {name: texts}) == {}


@pytest.mark.parametrize(("name", "texts", "left_out"), [
    ("stored.model", ["mlp", "vgg"], "'vgg'"),
    ("stored.columns", ["latency", "model"], "'latency', 'model'"),  # the second has its own field
    ("stored.latency_s.from", ["fast"], "'fast'"),
    ("stored.latency_s.from", ["nan"], "'nan'"),
    ("stored.latency_s.in", ["0.001"], "'0.001'"),  # a number has ends
    ("stored.bottleneck.to", ["1"], "'1'"),  # and a text has none
    ("stored.bottleneck.in", ["luck"], "'luck'"),
    ("stored.nothing.from", ["1"], "'1'"),
    ("stored.measure", ["bottleneck"], "'bottleneck'"),
    ("stored.summary", ["mode"], "'mode'"),
    ("stored.colour", ["red"], "'red'"),
])  # fmt: skip
def test_what_does_not_is_one_sentence(name, texts, left_out):
    assert stored_links.wrong(ROWS, {name: texts}) == {
        name: f"The link's {name} {left_out} is not known here and was left out."
    }


def results(**link):
    """Results with a link, as another person opens it, after two networks were computed here."""
    app = opened()
    app.session_state["model"] = "mlp"
    app.run()
    queries._keeper().close()
    for name in list(app.query_params):
        del app.query_params[name]
    for name, value in link.items():
        app.query_params[name] = value
    app.switch_page("views/results.py").run()
    healthy(app)
    return app


def test_a_link_restores_filters_on_any_column_and_the_groups(no_caches, fresh_store):
    app = results(**{
        "stored.columns": ["latency_s", "architecture"],
        "stored.latency_s.to": "0.001",
        "stored.architecture.in": "gpu",
        "stored.by": ["model", "hardware"],
        "stored.across": "precision",
        "stored.summary": "max",
    })  # fmt: skip
    shown, groups = app.dataframe[0].value, app.dataframe[1].value
    assert set(shown["Class"]) == {"gpu"}
    assert shown["Latency (ms)"].max() <= 1.0
    assert len(shown) == 4  # two networks on two GPUs, each well below a millisecond
    assert list(groups.columns) == ["Model", "Hardware", "Latency (s) · fp16"]
    assert app.number_input(key="stored.latency_s.to").value == 0.001
    assert not app.warning


def test_columns_and_groups_are_in_the_link_by_their_names(no_caches, fresh_store):
    app = results()
    app.multiselect(key="stored.columns").set_value(["energy_j", "bottleneck"]).run()
    app.selectbox(key="stored.measure").set_value("energy_j").run()
    app.multiselect(key="stored.by").set_value(["model"]).run()
    healthy(app)
    assert app.query_params["stored.columns"] == ["energy_j", "bottleneck"]
    assert app.query_params["stored.measure"] == "energy_j"
    assert app.query_params["stored.by"] == "model"
    app.multiselect(key="stored.by").set_value(["hardware"]).run()
    assert "stored.by" not in app.query_params  # as everybody sees it first


def test_what_cannot_be_followed_is_said_once_and_the_rest_is_shown(no_caches, fresh_store):
    app = results(**{
        "stored.model": ["mlp", "of_another_store"],
        "stored.latency_s.from": "fast",
        "stored.gone.from": "1",
    })  # fmt: skip
    assert len(app.warning) == 3
    assert "The link's stored.model 'of_another_store' is not known here" in words(app)
    assert set(app.dataframe[0].value["Model"]) == {"mlp"}
    assert "stored.gone.from" not in app.query_params
    app.run()
    assert not app.warning

"""The Layers view by AppTest: tabs, search, depth, the kernel that is explained, refusals."""

import pytest

from characterize import costs, session
from dashboard import queries
from tests.dashboard_support import layers, words


def test_the_default_network_is_taken_apart(no_caches):
    app = layers()
    assert app.title[0].value == "Where does the time and energy go, kernel by kernel?"
    assert [metric.label for metric in app.metric] == ["Latency", "Energy", "MACs", "Memory moved"]
    said = words(app)
    # 16·3 + 2·16·16 weights of 3x3
    assert "3 kernels · " in said
    assert "5.04 k parameters" in said
    assert "0 without a cost formula" in said
    assert "Time of the dearest of 3 kernels" in said
    assert not app.error


@pytest.mark.parametrize("tab", ["Graph", "Table"])
def test_a_tab_is_made_when_it_is_open_and_explains_a_kernel(no_caches, tab):
    app = layers(**{"layers.show": tab})
    assert "macs = m × n × k = " in words(app)
    assert "of the dearest of" not in words(app)
    assert not app.session_state["explain.formulas"]
    assert "Formula:" not in words(app)
    app.session_state["explain.formulas"] = True
    app.run()
    assert "Formula:" in words(app)


@pytest.mark.parametrize(
    ("said", "tab"),
    [
        ({"layers.kernel": "pool (2)"}, "Graph"),  # as links were when the graph came first
        ({"layers.open": "encoder"}, "Graph"),
        ({"layers.kernel": "pool (2)", "layers.show": "Table"}, "Table"),
        ({}, "Dearest kernels"),
    ],
)
def test_a_link_to_a_kernel_opens_where_the_kernel_is_shown(no_caches, said, tab):
    app = layers(model="unet", **said)
    assert app.session_state["layers.show"] == tab
    if "layers.kernel" in said:
        assert app.selectbox(key="layers.kernel").value == said["layers.kernel"]


def test_what_fusion_saves_is_a_tab(no_caches):
    app = layers(**{"layers.show": "What fusion saves"})
    table = app.dataframe[0].value
    assert list(table["Stack"]) == ["Nothing fused", "Eager", "Compiled", "Engine"]
    assert list(table["Kernels"])[:1] == [6]  # three convolutions, three activations


def test_modules_are_told_apart_as_deep_as_asked(no_caches):
    deep = layers(**{"model": "unet", "layers.show": "Graph", "layers.depth": "all"})
    shallow = layers(**{"model": "unet", "layers.show": "Graph", "layers.depth": "1"})
    counts = [len(app.get("vega_lite_chart")[-1].proto.data.data) for app in (deep, shallow)]
    assert counts[0] > counts[1]


def test_the_dearest_kernels_are_of_what_is_asked_about(no_caches):
    app = layers(model="unet")
    kernels = app.session_state["_layers_last"].kernels
    for share, column in (("time", "latency_s"), ("energy", "energy_dynamic_j")):
        app.session_state["layers.of"] = share
        app.run()
        lines = next(m.value for m in app.markdown if " of the dearest of " in m.value).splitlines()
        first = max(range(len(kernels["label"])), key=lambda i: kernels[column][i])
        assert lines[2].startswith("1. **")
        assert lines[2].endswith(f"`{kernels['label'][first]}`")


def test_the_network_chosen_on_another_page_is_the_one_here(no_caches):
    app = layers(**{"model": "unet", "unet.base_channels": "32", "stack": "engine"})
    assert app.selectbox(key="model").value == "unet"
    assert app.select_slider(key="unet.base_channels").value == 32
    assert "**unet** on" in words(app)


def test_the_table_is_searched_and_its_rows_are_those_of_the_network(no_caches):
    app = layers(model="unet")
    app.session_state["layers.show"] = "Table"
    app.run()
    table = app.dataframe[0].value
    assert list(table["#"]) == list(range(1, len(table) + 1))
    app.text_input(key="layers.search").set_value("max_pool2d").run()
    assert not app.exception
    assert len(app.dataframe[0].value) == 4
    assert f"4 of {len(table)} kernels" in words(app)
    app.text_input(key="layers.search").set_value("no such kernel").run()
    assert "No kernel matches" in words(app)


def test_the_dearest_kernel_is_explained_first(no_caches):
    app = layers(model="unet")
    app.session_state["layers.show"] = "Table"
    app.run()
    table = app.dataframe[0].value
    dearest = table.sort_values("Latency (µs)", ascending=False).iloc[0]
    assert str(app.selectbox(key="layers.kernel").value).startswith(dearest["Kernel"])


def test_another_network_forgets_the_kernel_and_depth_of_the_last(no_caches):
    app = layers(**{"model": "unet", "layers.show": "Graph"})
    app.selectbox(key="layers.kernel").set_value("pool (2)").run()
    app.session_state["layers.depth"] = "4"
    app.run()
    app.session_state["model"] = "conv2d_stack"
    app.run()
    assert not app.exception
    assert str(app.selectbox(key="layers.kernel").value).startswith("layers.")


def test_operators_without_a_formula_are_named(no_caches, monkeypatch):
    honest = costs.priced

    def with_a_gap(graph):
        found = honest(graph)
        monkeypatch.setattr(type(found), "uncounted_names", ("aten.mystery",))
        return found

    monkeypatch.setattr(costs, "priced", with_a_gap)
    answer = session.answer

    def with_a_count(*args, **kwargs):
        found = answer(*args, **kwargs)
        found.table["uncounted"] = 1
        return found

    monkeypatch.setattr(session, "answer", with_a_count)
    monkeypatch.setattr(queries, "foresee", lambda _found: None)
    app = layers()
    assert "1 operator has no cost formula: `aten.mystery`" in app.warning[0].value


def test_a_causal_mask_is_said(no_caches):
    app = layers(**{"model": "transformer_decoder", "transformer_decoder.sequence": "512"})
    assert "A causal mask leaves out" in words(app)


def test_what_cannot_be_computed_is_one_sentence(no_caches):
    app = layers()
    app.session_state["conv2d_stack.groups"] = 3
    app.run()
    assert not app.exception
    assert "groups must divide channels" in app.error[0].value


def test_a_zoo_model_that_is_not_chosen_yet_says_what_to_do(no_caches, monkeypatch):
    monkeypatch.setattr(queries, "zoo_installed", lambda: True)
    app = layers(model="zoo")
    assert "Choose a zoo model" in words(app)


def test_a_zoo_library_that_is_missing_is_one_sentence(no_caches, monkeypatch):
    from characterize.errors import MissingExtraError

    def missing(_name):
        raise MissingExtraError("timm is not installed; pip install 'characterize[timm]'.")

    monkeypatch.setattr(queries, "zoo_installed", lambda: True)
    monkeypatch.setattr(queries, "zoo_parameters", missing)
    app = layers(model="zoo")
    app.query_params["zoo"] = "timm/resnet50"
    app.run()
    assert not app.exception
    assert "timm is not installed" in app.error[0].value
    assert "Choose a zoo model" in words(app)

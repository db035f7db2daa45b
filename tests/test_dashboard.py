"""What the dashboard does, without a browser: pages, URL, pins, errors, files."""

import functools
import subprocess
import sys
import textwrap

import pytest

from characterize import models, session, store, templates
from characterize.errors import InvalidValueError, StoreError
from dashboard import keeping, links, palette, pins, presets, queries, readable, state, tables
from dashboard.queries import Network, Request
from tests.dashboard_support import APP, ROOT, changes, figures, healthy, opened, words

pytestmark = pytest.mark.usefixtures("no_caches")

VIEWS = ("tune", "hardware", "results")
CHANNELS = "conv2d_stack.channels"


# pages


@pytest.mark.parametrize("view", VIEWS)
def test_every_page_asks_its_question_and_answers_it(view):
    app = opened()
    app.switch_page(f"views/{view}.py").run()
    healthy(app)
    assert len(app.title) == 1
    assert app.title[0].value.endswith("?")
    assert not app.error


@pytest.mark.parametrize(
    ("name", "said", "told"),
    [
        ("curve.by", "Colour", "The link's curve.by 'Colour' cannot be shown here; Latency is."),
        ("curve.by", "Energy", None),
        ("show.latency", "soon", "The link's show.latency 'soon' cannot be shown here; nothing is."),
        ("show.latency", "5", None),  # 5.0, as the field has it
        ("show.class", ["GPU", "CPU"], None),
        ("show.class", ["XPU"], "The link's show.class 'XPU' cannot be shown here; nothing is."),
        ("sweep.show", "Colour", None),  # of another view, where it will be told
    ],
)  # fmt: skip
def test_a_view_tells_what_of_a_link_its_controls_cannot_show(name, said, told):
    shown = {"tune.show": "Along one slider"} if name.startswith("curve") else {}
    app = opened(**shown | {name: said})
    assert [toast.value for toast in app.toast] == ([told] if told else [])
    assert not healthy(app.run()).toast  # said once


def test_every_figure_has_a_unit_and_the_gaps_are_said():
    app = opened()
    assert set(figures(app)) == {
        "Latency",
        "Energy",
        "Throughput",
        "Speedup",
        "MACs",
        "Peak memory",
    }
    assert figures(app)["Latency"].endswith("s")
    assert figures(app)["Energy"].endswith("J")
    assert figures(app)["Speedup"].endswith("×")
    assert figures(app)["Peak memory"].endswith("B")
    assert "0 without a cost formula" in words(app)
    assert "confidence" in words(app)
    assert "Not counted" in app.dataframe[0].value.columns


def test_operators_without_a_formula_are_said_loudly(monkeypatch):
    honest = session.answer

    def with_gaps(*args, **kwargs):
        found = honest(*args, **kwargs)
        found.table["uncounted"] = 2
        return found

    monkeypatch.setattr(session, "answer", with_gaps)
    app = opened()
    assert "2 operators have no cost formula" in app.warning[0].value


def test_a_rare_path_is_said_beside_the_figures_and_in_the_table(monkeypatch):
    honest = session.answer

    def with_cautions(*args, **kwargs):
        found = honest(*args, **kwargs)
        found.table["cautions"] = "odd channels"
        return found

    monkeypatch.setattr(session, "answer", with_cautions)
    app = opened()
    assert "odd channels: errors are larger" in words(app)
    assert set(app.dataframe[0].value["Cautions"]) == {"odd channels"}


def test_the_glossary_has_every_term_of_the_table_and_of_the_figures():
    known = {q.title for q in readable.KPIS} | set(readable.TERMS)
    headings = {column.title.partition(" (")[0] for column in tables.COLUMNS}
    assert headings - {"Class", "Low", "High"} <= known  # a range has its ends under its own name


# sliders and the URL


def test_moving_a_slider_changes_the_figures():
    app = opened()
    before = figures(app)
    app.select_slider(key=CHANNELS).set_value(64).run()
    healthy(app)
    after = figures(app)
    assert after["MACs"] != before["MACs"]
    assert after["Latency"] != before["Latency"]


def test_every_parameter_of_every_family_has_its_control(monkeypatch):
    def not_now(*_args, **_kwargs):
        raise InvalidValueError("The controls are asked for, not the figures.")

    monkeypatch.setattr(session, "answer", not_now)
    app = opened()
    for name, family in queries.families().items():
        app.session_state[links.MODEL] = name
        app.run()
        assert not app.exception, name
        held = {widget.key for kind in ("slider", "select_slider", "toggle", "selectbox", "button_group")
                for widget in app.get(kind)}  # fmt: skip
        for parameter in family.parameters:
            assert links.key_of(name, parameter.name) in held, (name, parameter.name)


def test_the_url_restores_the_whole_view():
    app = opened(**{
        "model": "mlp", "mlp.depth": "5", "batch": "32", "precision": "fp16", "stack": "eager",
        "devices": ["nvidia_t4", "nvidia_h100_sxm"], "baseline": "nvidia_t4", "focus": "nvidia_t4",
    })  # fmt: skip
    assert not app.warning
    assert app.selectbox(key="model").value == "mlp"
    table = app.dataframe[0].value
    assert list(table["Precision"]) == ["fp16", "fp16"]
    assert len(table) == 2
    assert figures(app)["Speedup"] == "1×"  # it is its own baseline
    assert "batch 32" in words(app)
    assert "eager" in words(app)


def test_a_value_between_the_stops_of_a_slider_can_be_linked():
    app = opened(**{CHANNELS: "37"})
    assert app.select_slider(key=CHANNELS).value == 37
    assert not app.warning


@pytest.mark.parametrize(("name", "value"), [
    ("model", "resnett"),
    ("batch", "many"),
    ("precision", "fp12"),
    ("devices", "nvidia_rtx_490"),
    (CHANNELS, "-3"),
    ("pin", "nonsense"),
    ("modle", "mlp"),
    ("conv2d_stack.width", "3"),
    ("tuen.curve", "batch"),
])  # fmt: skip
def test_what_a_link_says_wrong_falls_back_with_a_note(name, value):
    app = opened(**{name: value})
    assert len(app.warning) == 1
    assert "link" in app.warning[0].value
    assert figures(app)["Latency"]  # and the default is shown
    app.run()
    assert not app.warning  # said once


def test_a_device_without_the_precision_is_left_out_and_named():
    app = opened(precision="fp64", devices=["intel_i7_12700k", "google_coral_edge_tpu"])
    assert "Not shown, for lack of fp64: Google Coral Edge TPU" in words(app)
    assert list(app.dataframe[0].value["Device"]) == ["Intel Core i7-12700K"]


def test_no_device_with_the_precision_is_one_sentence():
    app = opened(precision="fp64", devices=["google_coral_edge_tpu"])
    assert len(app.error) == 1
    assert "None of the chosen devices runs fp64" in app.error[0].value


def test_an_empty_selection_says_what_to_do():
    app = opened()
    app.multiselect(key="devices").set_value([]).run()
    healthy(app)
    assert "Choose at least one device" in words(app)


def test_a_slider_moves_where_no_device_is_chosen():
    app = opened()
    app.multiselect(key="devices").set_value([]).run()
    app.select_slider(key="conv2d_stack.channels").set_value(24).run()
    healthy(app)
    assert "Choose at least one device" in words(app)
    assert app.select_slider(key="conv2d_stack.channels").value == 24


# errors lose nothing


def test_after_an_error_the_last_figures_stay():
    app = opened()
    before = figures(app)
    # 3 groups do not divide 16 channels
    app.session_state["conv2d_stack.groups"] = 3
    app.run()
    healthy(app)
    assert "groups must divide channels" in app.error[0].value
    assert figures(app) == before
    assert "the last that could be computed" in words(app)


def test_a_store_that_cannot_be_read_is_one_sentence(monkeypatch):
    def broken(*_args, **_kwargs):
        raise StoreError("The store is held by another process.")

    app = opened()
    monkeypatch.setattr(store.Store, "frame", broken)
    app.switch_page("views/results.py").run()
    healthy(app)
    assert app.error[0].value == "The store is held by another process."


# pins


def test_pinning_shows_changes_and_undo_takes_it_back():
    app = opened()
    assert set(changes(app).values()) == {""}
    app.button(key="_pin").click().run()
    app.session_state[CHANNELS] = 32
    app.run()
    healthy(app)
    # 16 -> 32 channels, of three layers from 3: (3·32 + 2·32·32) / (3·16 + 2·16·16) = 2144/560
    assert changes(app)["MACs"] == "+283 %"
    assert app.dataframe[0].value["Latency / A (×)"].min() >= 1.0
    assert "pin" in app.query_params
    app.button(key="_undo").click().run()
    healthy(app)
    assert set(changes(app).values()) == {""}
    assert "pin" not in app.query_params


def test_a_pinned_configuration_travels_in_the_link():
    network = Network("mlp", (("depth", 5),), batch=8, precision="fp16", stack="eager")
    back = pins.decode(pins.encode(pins.Pin("mine", network)))
    assert back is not None
    assert back.name == "mine"
    family = queries.families()["mlp"]
    assert dict(back.network.parameters) == {**family.defaults, "depth": 5}
    app = opened(pin=pins.encode(back))
    assert "Hollow, pinned: **A** “mine”" in words(app)


def test_any_number_of_pins_is_compared_and_the_first_is_what_changes_are_measured_against():
    defaults = queries.families()["mlp"].defaults
    shallow, deep = (
        Network("mlp", tuple({**defaults, "depth": depth}.items())) for depth in (2, 8)
    )
    link = [
        pins.encode(pins.Pin(name, network))
        for name, network in (("shallow", shallow), ("deep", deep))
    ]
    app = opened(model="mlp", **{"mlp.depth": "2", "pin": link})
    assert changes(app)["MACs"] == "0 %"  # the first is as shallow as what is shown
    table = app.dataframe[0].value
    assert list(table["Latency / A (×)"]) == [1.0] * len(table)
    assert (table["Latency / B (×)"] <= 1.0).all()  # the second is deeper
    assert (table["Latency / B (×)"] < 1.0).any()
    which = next(box for box in app.selectbox if box.label == "Pinned configuration")
    which.set_value(1).run()
    next(b for b in app.button if b.label == "Measure changes against it").click().run()
    healthy(app)
    assert changes(app)["MACs"].startswith("-")
    assert app.query_params["pin"] == link[::-1]
    app.button(key="_undo").click().run()
    assert app.query_params["pin"] == link
    assert changes(healthy(app))["MACs"] == "0 %"


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"name": 1}', "nonsense",
    '{"name":"n","model":"mlp","set":{"depth":-1},"batch":1,"precision":"auto","stack":"eager"}',
    '{"name":"n","model":"zoo/x","set":{"a":[1]},"batch":1,"precision":"auto","stack":"eager"}',
])  # fmt: skip
def test_a_pin_that_is_none_is_refused(text):
    assert pins.decode(text) is None


def test_the_controls_can_be_set_to_what_is_pinned():
    app = opened(**{"model": "mlp", "mlp.depth": "5", "batch": "8"})
    app.button(key="_pin").click().run()
    app.session_state[links.MODEL] = "conv2d_stack"
    app.session_state["batch"] = 1
    app.run()
    assert "conv2d_stack, batch 1" in words(app)
    next(button for button in app.button if button.label == "Set the controls to it").click().run()
    healthy(app)
    assert "mlp, depth 5, batch 8" in words(app)
    assert set(changes(app).values()) == {"0 %"}


# going elsewhere and coming back


def test_what_was_chosen_is_still_there_after_another_page():
    app = opened(model="mlp", devices=["nvidia_t4", "nvidia_h100_sxm"], focus="nvidia_t4")
    before = figures(app)
    app.switch_page("views/hardware.py").run()
    healthy(app)
    app.switch_page("views/tune.py").run()
    healthy(app)
    assert figures(app) == before
    assert app.selectbox(key="model").value == "mlp"
    assert app.query_params["devices"] == ["nvidia_t4", "nvidia_h100_sxm"]


def test_the_url_names_devices_as_the_command_line_does():
    app = opened()
    assert "devices" not in app.query_params  # the default is left out
    app.multiselect(key="devices").set_value(["nvidia_t4", "hailo_8"]).run()
    healthy(app)
    assert app.query_params["devices"] == ["nvidia_t4", "hailo_8"]


def test_a_device_taken_out_of_the_comparison_is_not_looked_at_any_more():
    app = opened(focus="hailo_8")
    assert "on **Hailo-8**" in words(app)
    app.multiselect(key="devices").set_value(["nvidia_t4"]).run()
    healthy(app)
    assert app.selectbox(key="focus").value == "auto"
    assert "on **NVIDIA T4**" in words(app)


# examples and zoo models


@pytest.mark.parametrize("preset", presets.PRESETS, ids=lambda preset: preset.title)
def test_an_example_is_a_configuration_of_devices_that_there_are(preset):
    family = queries.families()[preset.model]
    network = preset.network(family.defaults)
    assert family.check(**dict(network.parameters)) == dict(network.parameters)
    assert {*preset.devices, preset.baseline} <= {*queries.devices(), "auto"}
    assert preset.question.endswith("?")


def test_the_report_can_be_started_from():
    app = opened()
    next(button for button in app.button if button.label == "The Conv2D report").click().run()
    healthy(app)
    table = app.dataframe[0].value
    # the published table: 1.82e-02, 1.09e-04, 2.42e-05, 1.09e-03 s
    assert list(table["Latency (ms)"]) == pytest.approx([18.2, 0.109, 0.0242, 1.09], rel=5e-3)
    assert list(table["Speedup (×)"]) == pytest.approx([1.0, 166.7, 750.0, 16.7], rel=3e-3)


def test_a_zoo_model_is_searched_by_name(monkeypatch):
    asked = []
    honest = session.answer

    def as_conv2d_stack(model, parameters, **rest):
        asked.append((model, parameters))
        return honest("conv2d_stack", {}, **rest)

    monkeypatch.setattr(models, "zoo_names", lambda text: [f"timm/{text}"])
    monkeypatch.setattr(queries, "zoo_parameters", lambda _name: ())
    monkeypatch.setattr(session, "answer", as_conv2d_stack)
    monkeypatch.setattr(session, "kernels", lambda *_a, **k: kernels_of("conv2d_stack", **k))
    app = opened(model="zoo")
    assert "Type a part of a model's name" in words(app)
    assert "Choose a zoo model" in words(app)
    app.text_input(key="_zoo_words").set_value("tiny").run()
    app.selectbox(key="zoo").set_value("timm/tiny").run()
    healthy(app)
    assert asked == [("timm/tiny", {})]
    assert "timm/tiny, batch 1" in words(app)


kernels_of = session.kernels


def test_stored_rows_are_grouped_and_pivoted():
    app = opened()
    queries._keeper().close()
    app.switch_page("views/results.py").run()
    healthy(app)
    app.selectbox(key="stored.across").set_value("model").run()
    healthy(app)
    groups = app.dataframe[1].value
    assert next(iter(groups.columns)) == "Hardware"
    assert any(name.startswith("Latency (s) · conv2d_stack") for name in groups.columns)
    app.multiselect(key="stored.columns").set_value(["latency_s", "architecture"]).run()
    app.number_input(key="stored.latency_s.to").set_value(0.0).run()
    healthy(app)
    assert "0 of" in words(app)


# what lies under


def test_a_logarithmic_slider_stops_at_round_values_default_and_ends():
    parameter = queries.families()["conv2d_stack"].parameter("channels")
    stops = state.stops(parameter, [37, 10**9])
    assert stops == sorted(set(stops))
    assert {1, 16, 37, 64, 4096} <= set(stops)
    assert max(stops) == 4096  # what is out of range is no stop


def test_an_answer_is_computed_once(monkeypatch):
    asked = []
    honest = session.answer

    def counted(*args, **kwargs):
        asked.append(kwargs["keep"])
        return honest(*args, **kwargs)

    monkeypatch.setattr(session, "answer", counted)

    def mlp(**values):
        changed = {**queries.families()["mlp"].defaults, "bias": False, **values}
        return Request(Network("mlp", tuple(changed.items())), ("nvidia_t4",))

    monkeypatch.setattr(templates, "_TEMPLATES", templates._Templates())
    for _ in range(3):
        queries.answer(mlp())
    assert asked == [True]  # looked for in the store, and kept
    queries.answer(mlp(width=640))
    assert asked[1] is False  # the template is known: answered at once,
    queries._keeper().close()
    assert asked[2:] == [True]  # and kept afterwards
    queries.answer(mlp(bias=True, depth=9))
    assert asked[3] is False  # it follows from those that ship


def test_the_keeper_does_what_it_was_given_in_order_before_it_ends():
    done: list[int] = []
    keeper = keeping.Keeper(quiet_s=0.01)
    for number in range(5):
        keeper.later(functools.partial(done.append, number))
    keeper.close()
    assert done == [0, 1, 2, 3, 4]


def test_the_whole_catalogue_can_be_chosen_in_the_order_of_the_architectures():
    order = [
        device.architecture for device in queries.devices().values() if not device.is_reference
    ]
    assert order == sorted(order, key=palette.ARCHITECTURES.index)


def test_a_query_that_writes_is_refused_in_a_sentence():
    with pytest.raises(InvalidValueError):
        queries.ask_store("DROP TABLE entries")


def test_the_first_paint_loads_no_torch(fresh_store):
    code = f"""
        import sys
        from streamlit.testing.v1 import AppTest
        app = AppTest.from_file({APP!r}, default_timeout=120).run()
        assert not app.exception, app.exception
        assert app.metric, "nothing was shown"
        print("torch" in sys.modules)
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert run.stdout.splitlines()[-1] == "False"


def test_the_server_reads_ahead_what_the_first_visitor_will_need():
    code = """
        import sys
        from dashboard import serve
        assert "altair" not in sys.modules and "pandas" not in sys.modules
        serve.read_ahead().join()
        assert {*serve.LIBRARIES} <= {*sys.modules}, {*serve.LIBRARIES} - {*sys.modules}
        assert not [name for name in sys.modules if name.startswith("dashboard.q")]
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, cwd=ROOT)

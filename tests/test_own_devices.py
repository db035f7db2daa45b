"""Devices of a session: edits, uploads, links, and that no session sees another's."""

import pytest
import streamlit as st

from characterize import hardware
from characterize.errors import BrokenRecordError, UnknownNameError
from characterize.hardware import FigureKind
from dashboard import own_devices, queries
from dashboard.queries import Network, Request
from tests.dashboard_support import healthy, opened, words

pytestmark = pytest.mark.usefixtures("no_caches")

T4 = "nvidia_t4"
FASTER = {"memory.bytes_per_s": 6.4e11}


@pytest.fixture
def session(monkeypatch):
    """A session state and a URL for what runs without a page."""
    held: dict[str, object] = {}
    monkeypatch.setattr(st, "session_state", held)
    monkeypatch.setattr(st, "query_params", Query())
    return held


class Query(dict[str, list[str]]):
    def get_all(self, name):
        return list(self.get(name, []))


def test_an_edited_figure_is_an_assumption_that_says_what_it_was(session):
    own_devices.edit(T4, FASTER)
    made = queries.profile("nvidia_t4_edited")
    figure = made.figures["memory.bytes_per_s"]
    assert (figure.value, figure.kind) == (6.4e11, FigureKind.ASSUMED)
    before = hardware.load(T4).figures["memory.bytes_per_s"]
    assert repr(before.value) in figure.note
    assert made.confidence == "design"  # no silicon has these figures
    # the others keep their sources
    assert made.figures["power.tdp_w"] == hardware.load(T4).figures["power.tdp_w"]


def test_an_edited_device_stands_among_the_others_and_goes_when_nothing_is_changed(session):
    count = len(queries.devices())
    own_devices.edit(T4, FASTER)
    assert len(queries.devices()) == count + 1
    assert queries.devices()["nvidia_t4_edited"].architecture == "gpu"
    assert own_devices.base_of("nvidia_t4_edited") == T4
    own_devices.edit(T4, {})
    assert len(queries.devices()) == count


def test_a_value_that_a_figure_cannot_have_is_refused_and_changes_nothing(session):
    with pytest.raises(BrokenRecordError, match=r"memory\.bytes_per_s is -1\.0"):
        own_devices.edit(T4, {"memory.bytes_per_s": -1.0})
    with pytest.raises(UnknownNameError, match="hardware figure"):
        own_devices.edit(T4, {"memory.bytes": 1.0})
    assert own_devices.profiles() == {}


def test_a_saved_profile_is_the_same_when_it_is_uploaded(session):
    own_devices.edit(T4, FASTER)
    made = queries.profile("nvidia_t4_edited")
    text = hardware.to_toml(made)
    session.clear()
    back, note = own_devices.upload(text.encode(), "mine.toml")
    assert back == made
    assert not note
    assert dict(back.stated) == dict(made.stated)  # provenance too
    assert queries.devices()["nvidia_t4_edited"].title == made.title


def test_an_upload_with_a_name_that_is_taken_gets_another_one(session):
    other = hardware.load(T4).with_(memory_bytes_per_s=1e11)
    back, note = own_devices.upload(hardware.to_toml(other).encode(), "mine.toml")
    assert back.name == "nvidia_t4_2"
    assert "Another device is named nvidia_t4" in note
    same, note = own_devices.upload(hardware.to_toml(hardware.load(T4)).encode(), "same.toml")
    assert same.name == T4
    assert "already" in note
    assert own_devices.uploaded() == ("nvidia_t4_2",)
    own_devices.remove("nvidia_t4_2")
    assert own_devices.profiles() == {}


@pytest.mark.parametrize("content", [b"\xff\xfe", b"name = ", b"name = 'x'", b""])
def test_a_broken_file_is_one_sentence_about_it(session, content):
    with pytest.raises(BrokenRecordError, match=r"broken\.toml") as refused:
        own_devices.upload(content, "broken.toml")
    assert "\n" not in str(refused.value)


def test_no_session_is_answered_with_another_ones_figures(session):
    family = queries.families()["mlp"]
    network = Network("mlp", tuple(family.defaults.items()))

    def latency():
        request = Request(network, ("nvidia_t4_edited",))
        return queries.answer(request).rows["latency_s"][0]

    own_devices.edit(T4, FASTER)
    fast = latency()
    session.clear()  # another person edits the same device
    own_devices.edit(T4, {"memory.bytes_per_s": 1e11})
    assert latency() > fast


def test_an_edited_device_can_be_the_baseline(session):
    own_devices.edit(T4, FASTER)
    family = queries.families()["mlp"]
    network = Network("mlp", tuple(family.defaults.items()))
    request = Request(network, ("nvidia_t4_edited", T4), "nvidia_t4_edited")
    speedups = queries.answer(request).rows["speedup"]
    assert speedups[0] == 1.0
    assert speedups[1] <= 1.0


def test_a_link_restores_an_edit_and_the_devices_that_it_names():
    app = opened(
        **{
            "hardware.edit": [f"{T4}:memory.bytes_per_s=6.4e11"],
            "devices": [T4, "nvidia_t4_edited"],
        }
    )
    assert not app.warning
    assert list(app.dataframe[0].value["Device"]) == ["NVIDIA T4", "NVIDIA T4, edited"]
    healthy(app.switch_page("views/hardware.py").run())
    assert app.query_params[own_devices.EDIT] in (
        [f"{T4}:memory.bytes_per_s=640000000000"],
        f"{T4}:memory.bytes_per_s=640000000000",
    )


@pytest.mark.parametrize(
    "text", ["nonsense", "nvidia_t5:power.tdp_w=5", f"{T4}:power=5", f"{T4}:power.tdp_w=-5"]
)
def test_an_edit_that_cannot_be_followed_is_said(text):
    app = opened(**{own_devices.EDIT: text})
    assert "was left out" in words(app)
    assert own_devices.EDIT not in app.query_params

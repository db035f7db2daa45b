"""The what-if editor and uploads: fields and words are pure; then the Hardware view by AppTest."""

from typing import Any

import pytest

from characterize import hardware
from dashboard import own_devices, what_if
from tests.dashboard_support import figures, healthy, opened, words

pytestmark = pytest.mark.usefixtures("no_caches")

T4 = "nvidia_t4"
BANDWIDTH = "memory.bytes_per_s"


def fields(name=T4):
    return {field.key: field for field in what_if.editables(hardware.load(name))}


def test_the_usual_peak_comes_first_and_every_field_has_a_unit_and_an_origin():
    found = fields()
    assert next(iter(found)) == "peak_flops_per_s.fp16"
    for field in found.values():
        assert field.label.endswith(f"({field.unit})")
        assert str(field.figure.kind) in field.origin
    # 320 GB/s, as NVIDIA publishes it
    assert (found[BANDWIDTH].value, found[BANDWIDTH].unit) == (320.0, "GB/s")
    assert found[BANDWIDTH].origin == "320 GB/s, published"


def test_a_device_without_memory_of_its_own_has_a_link_instead():
    found = fields("google_coral_edge_tpu")
    assert "link.bytes_per_s" in found
    assert BANDWIDTH not in found


def test_only_what_differs_is_an_edit_and_in_base_units():
    found = what_if.editables(hardware.load(T4))
    same = {field.key: field.value for field in found}
    assert what_if.changed(found, same) == {}
    assert what_if.changed(found, {**same, BANDWIDTH: 640.0, "power.tdp_w": None}) == {
        BANDWIDTH: 6.4e11
    }


@pytest.mark.parametrize(("after", "said"), [
    ({"latency_s": 0.5}, "latency falls to 0.5 of what it was and energy stays as before"),
    ({"energy_j": 3.0}, "energy rises to 3 times what it was"),
    ({}, "this network is bound by memory here"),
    ({"latency_s": 0.5, "bottleneck": "compute"}, "changes from memory to compute"),
])  # fmt: skip
def test_what_an_edit_does_is_said_in_a_sentence(after, said):
    before: dict[str, list[Any]] = {"latency_s": [1.0], "energy_j": [1.0], "bottleneck": ["memory"]}
    assert said in what_if.verdict(
        before, {**before, **{name: [value] for name, value in after.items()}}
    )


# the view


def editor(**link):
    app = opened(device=T4, model="vit", batch="32", **link)
    assert not app.warning
    return healthy(app.switch_page("views/hardware.py").run())


def field(app, key):
    return app.number_input(key=f"_what_if.{T4}.{key}")


def test_every_change_is_in_force_at_once_in_figures_link_and_devices():
    app = editor()
    assert not figures(app)  # nothing is changed yet
    field(app, BANDWIDTH).set_value(1000.0).run()
    healthy(app)
    assert figures(app)["Speedup"].endswith("×")
    assert {m.label: m.delta for m in app.metric}["Latency"].startswith("-")
    assert "assumed; was 320 GB/s, published" in words(app)
    assert f"{T4}:{BANDWIDTH}=1e+12" in app.query_params[own_devices.EDIT]
    assert "NVIDIA T4, edited" in list(app.dataframe[0].value["Device"])
    app.button(key="_compare.nvidia_t4_edited").click().run()
    healthy(app.switch_page("views/tune.py").run())
    assert "nvidia_t4_edited" in app.multiselect(key="devices").value


def test_one_button_takes_every_change_back():
    app = editor(**{own_devices.EDIT: f"{T4}:{BANDWIDTH}=1e12"})
    assert field(app, BANDWIDTH).value == 1000.0
    app.button(key="_what_if_reset").click().run()
    healthy(app)
    assert field(app, BANDWIDTH).value == 320.0
    assert own_devices.EDIT not in app.query_params


def test_a_change_that_does_nothing_says_why():
    app = editor(**{own_devices.EDIT: f"{T4}:memory.capacity_bytes=3.2e10"})
    assert "stays as before" in words(app)
    assert "this network is bound by" in words(app)


def test_an_uploaded_device_is_looked_at_and_can_be_compared():
    app = editor()
    mine = hardware.load(T4).with_(memory_bytes_per_s=1e12, name="my_gpu", title="My GPU")
    app.file_uploader(key="_own_upload").upload(
        "my_gpu.toml", hardware.to_toml(mine).encode(), "application/toml"
    ).run()
    healthy(app)
    assert "My GPU is now among the devices" in app.success[0].value
    assert app.header[1].value == "My GPU" or "My GPU" in [h.value for h in app.header]
    assert "My GPU" in list(app.dataframe[0].value["Device"])


def test_a_broken_upload_is_one_sentence():
    app = editor()
    app.file_uploader(key="_own_upload").upload(
        "mine.toml", b"name = 'mine'", "application/toml"
    ).run()
    healthy(app)
    assert len(app.error) == 1
    assert app.error[0].value.startswith("mine.toml: title is missing")
    assert not app.success

"""What is made between two steps of a slider: the networks beside the one on the page."""

import threading

import pytest

from characterize import session, templates
from dashboard import preparing
from dashboard.queries import Network


def stack_of(layers: int) -> Network:
    return Network("conv2d_stack", (("layers", layers), ("channels", 32)))


def layers(networks: tuple[Network, ...]) -> list[int]:
    return [dict(network.parameters)["layers"] for network in networks]


@pytest.mark.parametrize(
    ("at", "beside"), [(3, [4, 2]), (1, [2]), (128, [127])], ids=["between", "first", "last"]
)
def test_the_neighbours_of_a_number_of_layers_are_one_more_and_one_less(
    at: int, beside: list[int]
) -> None:
    assert layers(preparing.neighbours(stack_of(at), "layers")) == beside


@pytest.mark.parametrize("name", ["channels", "batch", "nonsense", ""])
def test_a_size_needs_no_other_network(name: str) -> None:
    assert preparing.neighbours(stack_of(3), name) == ()


def test_a_zoo_model_has_no_neighbours() -> None:
    assert preparing.neighbours(Network("torchvision/resnet50"), "layers") == ()


def test_what_is_prepared_is_what_the_next_step_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    # graphs of its own: what other tests asked of these networks is not known of them
    monkeypatch.setattr(templates, "_TEMPLATES", templates._Templates())
    now, near = (session.subject("conv2d_stack", {"layers": n}, 1) for n in (6, 7))
    session.project("conv2d_stack", {"layers": 6}, hardware=["nvidia_rtx_4090"])
    asked = set(session.frame(now, "compiled", None).launched_by)
    assert asked  # a GPU launches other kernels than were fused
    session.prepare(near, now, "compiled")
    made = session.frame(near, "compiled", None)
    assert set(made.launched_by) == asked
    assert "likeness" in vars(made)


def test_nothing_is_traced_to_prepare(monkeypatch: pytest.MonkeyPatch) -> None:
    now, near = (session.subject("conv2d_stack", {"layers": n}, 1) for n in (8, 9))
    monkeypatch.setattr(templates, "at_hand", lambda _asked: None)
    monkeypatch.setattr(session, "frame", lambda *_: pytest.fail("there is no template of it"))
    session.prepare(near, now, "compiled")


def test_the_next_number_of_layers_is_prepared_a_moment_after_a_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done, made = threading.Event(), []

    def prepare(asked: session.Subject, like: session.Subject, stack: str) -> None:
        made.append((asked.values["layers"], like.values["layers"], stack))
        if len(made) == 2:
            done.set()

    monkeypatch.setattr(session, "prepare", prepare)
    preparing.ahead(stack_of(10), "layers")
    assert done.wait(10)
    assert made == [(11, 10, "compiled"), (9, 10, "compiled")]

"""The models of torchvision: classification, segmentation, detection, video, optical flow."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from characterize.models.definition import Rule, TensorSpec, image
from characterize.models.parameters import Parameter, integer
from characterize.models.zoos.zoo_model import ZooModel, imported, installed_version

if TYPE_CHECKING:
    from torch import nn

_LIBRARY: Final = "torchvision"
_OPTICAL_FLOW_PX: Final = 512
_DETECTION_PX: Final = 800
"""Shorter edge that torchvision's detectors resize to, where their name does not say."""

# What the published weights imply, which a model built without weights must be told.
_AS_PUBLISHED: Final[Mapping[str, Mapping[str, Any]]] = {
    "fcn_resnet50": {"aux_loss": True},
    "fcn_resnet101": {"aux_loss": True},
    "deeplabv3_resnet50": {"aux_loss": True},
    "deeplabv3_resnet101": {"aux_loss": True},
    "deeplabv3_mobilenet_v3_large": {"aux_loss": True},
    "googlenet": {"aux_logits": False, "init_weights": False},
    "inception_v3": {"init_weights": False},
}


def _models() -> Any:
    return imported(_LIBRARY, "torchvision.models")


def names() -> list[str]:
    """Every model but the quantized ones, whose operators are not PyTorch's own."""
    return [name for name in _models().list_models() if not name.startswith("quantized_")]


def describe(name: str) -> ZooModel:
    """One model by name."""
    builder = _models().get_model_builder(name)
    module = builder.__module__.removeprefix("torchvision.models.")
    task = module.split(".")[0] if "." in module else "classification"
    describe_task = _TASKS.get(task, _describe_image)
    return describe_task(name, builder, task)


def _zoo_model(
    name: str,
    summary: str,
    parameters: tuple[Parameter, ...],
    make: Callable[..., nn.Module],
    specs: Callable[..., tuple[TensorSpec, ...]],
    rules: tuple[Rule, ...] = (),
) -> ZooModel:
    return ZooModel(
        name=f"{_LIBRARY}/{name}",
        title=name,
        summary=summary,
        parameters=parameters,
        version=f"{_LIBRARY} {installed_version(_LIBRARY)}",
        make=make,
        input_specs=specs,
        rules=rules,
    )


def _size(default: int) -> Parameter:
    sentence = f"Height and width of the input image; the published weights take {default}."
    return integer("input_size", default, 32, 2048, sentence, step=16, scale="log", unit="px")


def _multiple(unit: int) -> Rule:
    return Rule(
        ("input_size",),
        lambda size: size % unit == 0,
        lambda size: (
            f"input_size must be a multiple of {unit}; {size} was asked, near are "
            f"{max(unit, size // unit * unit)} and {(size // unit + 1) * unit}."
        ),
    )


def _published_size(name: str) -> int:
    """The size that the published weights were evaluated at."""
    weights = getattr(_models().get_model_weights(name), "DEFAULT", None)
    keywords = getattr(getattr(weights, "transforms", None), "keywords", {})
    size = keywords.get("crop_size") or keywords.get("resize_size") or 224
    return int(size if isinstance(size, int) else size[0])


def _arguments(name: str, builder: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {"weights": None, **_AS_PUBLISHED.get(name, {})}
    if "weights_backbone" in inspect.signature(builder).parameters:
        arguments["weights_backbone"] = None
    return arguments


@contextlib.contextmanager
def _widths_computed() -> Iterator[None]:
    """RegNet computes its stage widths with tensors; let these few be real ones."""
    import torch
    from torchvision.models import regnet

    original = regnet.BlockParams.from_init_params

    @functools.wraps(original)
    def on_cpu(*args: Any, **kwargs: Any) -> Any:
        with torch.device("cpu"):
            return original(*args, **kwargs)

    regnet.BlockParams.from_init_params = on_cpu
    try:
        yield
    finally:
        regnet.BlockParams.from_init_params = original


def _describe_image(name: str, builder: Any, task: str) -> ZooModel:
    arguments = _arguments(name, builder)
    rules: tuple[Rule, ...] = ()
    sized: Callable[[int], dict[str, Any]] = lambda _: {}  # noqa: E731 - three alternatives
    if name.startswith("vit_"):
        rules, sized = (_multiple(int(name[-2:])),), lambda size: {"image_size": size}
    elif name.startswith("maxvit"):
        # four halvings and windows of 7: 7 * 2 ** 5
        rules, sized = (_multiple(224),), lambda size: {"input_size": (size, size)}

    def make(input_size: int) -> nn.Module:
        context = _widths_computed() if name.startswith("regnet") else contextlib.nullcontext()
        with context:
            module: nn.Module = builder(**arguments, **sized(input_size))
        return module

    def specs(batch: Any, input_size: Any) -> tuple[TensorSpec, ...]:
        return (image(batch, input_size),)

    summary = f"{task.capitalize()} model of torchvision."
    return _zoo_model(name, summary, (_size(_published_size(name)),), make, specs, rules)


def _describe_detection(name: str, builder: Any, _task: str) -> ZooModel:
    arguments = _arguments(name, builder)
    default = next((px for px in (300, 320) if str(px) in name), _DETECTION_PX)
    two_stages = "rcnn" in name
    parameters: tuple[Parameter, ...] = (_size(default),)
    if two_stages:
        # what torchvision keeps of the proposals at most, after suppression
        kept = 150 if "320" in name else 1000
        sentence = (
            f"Regions per image that the box head looks at; torchvision keeps at most {kept}."
        )
        parameters += (integer("proposals", kept, 1, 2000, sentence, scale="log", unit="regions"),)

    def make(**_: Any) -> nn.Module:
        from characterize.models.zoos.dense_detector import DenseDetector

        return DenseDetector(builder(**arguments))

    def specs(batch: Any, input_size: Any, proposals: Any = 0) -> tuple[TensorSpec, ...]:
        # [b * proposals, c, 7, 7]: what region pooling hands to the box head
        regions = TensorSpec("regions", (batch * proposals, 256, 7, 7))
        return (image(batch, input_size), *([regions] if two_stages else []))

    summary = "Detection model of torchvision, without suppression, which depends on the image" + (
        "; pooled regions are an input, mask and keypoint heads are left out."
        if two_stages
        else "."
    )
    return _zoo_model(name, summary, parameters, make, specs)


_FRAMES: Final = 16
"""Frames of the clips that torchvision's published operation counts were taken at."""


def _describe_video(name: str, builder: Any, _task: str) -> ZooModel:
    side = _published_size(name)
    fixed = name.startswith("mvit")
    fewest = 14 if name == "s3d" else 1
    sentence = "Frames of the input clip."
    parameters = () if fixed else (
        integer("frames", _FRAMES, fewest, 256, sentence, scale="log", unit="frames"), _size(side),
    )  # fmt: skip

    def make(**_: Any) -> nn.Module:
        module: nn.Module = builder(weights=None)
        return module

    def specs(batch: Any, frames: Any = _FRAMES, input_size: Any = side) -> tuple[TensorSpec, ...]:
        return (TensorSpec("video", (batch, 3, frames, input_size, input_size)),)

    summary = "Video classification model of torchvision" + (
        f", built for {_FRAMES} frames of {side} px." if fixed else "."
    )
    return _zoo_model(name, summary, parameters, make, specs)


def _describe_flow(name: str, builder: Any, _task: str) -> ZooModel:
    def make(**_: Any) -> nn.Module:
        module: nn.Module = builder(weights=None)
        return module

    def specs(batch: Any, input_size: Any) -> tuple[TensorSpec, ...]:
        shape = (batch, 3, input_size, input_size)
        return (TensorSpec("image1", shape), TensorSpec("image2", shape))

    summary = "Optical flow model of torchvision: the motion between two images."
    sentence = "Height and width of both images."
    size = integer(
        "input_size", _OPTICAL_FLOW_PX, 128, 2048, sentence, step=8, scale="log", unit="px"
    )
    return _zoo_model(name, summary, (size,), make, specs, (_multiple(8),))


_TASKS: Final[Mapping[str, Callable[[str, Any, str], ZooModel]]] = {
    "detection": _describe_detection,
    "video": _describe_video,
    "optical_flow": _describe_flow,
}

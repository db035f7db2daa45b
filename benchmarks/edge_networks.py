"""The networks behind published results of edge devices, under the names that the results use.

`networks(kind)` answers name -> (module, example input shape); what the package has no family or
library for (YOLOv5, YOLOv8, the SSD of MLPerf, MobileNet v3 minimalistic) is defined here, from the
papers and the released configurations. `columns(kind)` traces and fuses them for an engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import torch
from torch import nn

from characterize import features, fusion, models, tracing
from characterize.columns import KernelColumns
from characterize.models.networks import mobilenet

Network = tuple[Callable[[], Any], tuple[int, ...]]
IMAGE: Final = 224


def family(name: str, size: int = IMAGE, **values: Any) -> Network:
    """A family of the package at one size."""
    found = models.families()[name]
    defaults = {each.name: each.default for each in found.parameters}
    chosen = {**defaults, "input_size": size, **values}
    return (lambda: found.build(**chosen)), (1, 3, size, size)


def timm(name: str, size: int = IMAGE) -> Network:
    """A model of timm, by its name there."""

    def make() -> Any:
        import timm as library

        return library.create_model(name, pretrained=False).eval()

    return make, (1, 3, size, size)


def torchvision(name: str, size: int = IMAGE, **values: Any) -> Network:
    """A model of torchvision, by its name there."""

    def make() -> Any:
        from torchvision import models as library

        return library.get_model(name, weights=None, **values).eval()

    return make, (1, 3, size, size)


# Blocks of the YOLO families


class ConvSilu(nn.Sequential):
    """Convolution, batch norm, SiLU."""

    def __init__(self, entering: int, leaving: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(entering, leaving, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(leaving),
            nn.SiLU(),
        )


class Bottleneck(nn.Module):
    """Two convolutions, added to what entered where asked."""

    def __init__(self, width: int, first: int, *, add: bool) -> None:
        super().__init__()
        self.block = nn.Sequential(ConvSilu(width, width, first), ConvSilu(width, width, 3))
        self.add = add

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Same shape out as in."""
        return image + self.block(image) if self.add else self.block(image)


class C2f(nn.Module):
    """Split in two, a chain of bottlenecks on one half, all parts concatenated (YOLOv8)."""

    def __init__(self, entering: int, leaving: int, depth: int, *, add: bool = True) -> None:
        super().__init__()
        self.part = leaving // 2
        self.enter = ConvSilu(entering, leaving)
        self.chain = nn.ModuleList(Bottleneck(self.part, 3, add=add) for _ in range(depth))
        self.leave = ConvSilu((2 + depth) * self.part, leaving)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """``[b, entering, h, w]`` to ``[b, leaving, h, w]``."""
        parts = list(self.enter(image).chunk(2, 1))
        for block in self.chain:
            parts.append(block(parts[-1]))
        return self.leave(torch.cat(parts, 1))


class C3(nn.Module):
    """Two projections, a chain on one, concatenated (YOLOv5)."""

    def __init__(self, entering: int, leaving: int, depth: int, *, add: bool = True) -> None:
        super().__init__()
        half = leaving // 2
        self.first, self.second = ConvSilu(entering, half), ConvSilu(entering, half)
        self.chain = nn.Sequential(*(Bottleneck(half, 1, add=add) for _ in range(depth)))
        self.leave = ConvSilu(2 * half, leaving)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """``[b, entering, h, w]`` to ``[b, leaving, h, w]``."""
        return self.leave(torch.cat([self.chain(self.first(image)), self.second(image)], 1))


class Pyramid(nn.Module):
    """Spatial pyramid pooling: three maximum pools in a chain, concatenated."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter, self.leave = ConvSilu(width, width // 2), ConvSilu(2 * width, width)
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Same shape out as in."""
        parts = [self.enter(image)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        return self.leave(torch.cat(parts, 1))


class Proto(nn.Sequential):
    """Mask prototypes of the segmentation head."""

    def __init__(self, entering: int, width: int) -> None:
        super().__init__(
            ConvSilu(entering, width, 3),
            nn.ConvTranspose2d(width, width, 2, 2),
            ConvSilu(width, width, 3),
            ConvSilu(width, 32),
        )


# depth factor, width factor, most channels, by the letter of the size
V8: Final = {
    "n": (0.33, 0.25, 1024),
    "s": (0.33, 0.50, 1024),
    "m": (0.67, 0.75, 768),
    "l": (1.0, 1.0, 512),
    "x": (1.0, 1.25, 512),
}


class Yolo8(nn.Module):
    """YOLOv8: detection, and on top of it masks or key points; or classification."""

    def __init__(self, size: str, task: str = "det") -> None:
        super().__init__()
        deep, wide, most = V8[size]

        def channels(count: int) -> int:
            return int(-(-min(count, most) * wide // 8) * 8)

        def depth(count: int) -> int:
            return max(round(count * deep), 1)

        c1, c2, c3, c4, c5 = map(channels, (64, 128, 256, 512, 1024))
        self.task = task
        self.stem = nn.Sequential(
            ConvSilu(3, c1, 3, 2), ConvSilu(c1, c2, 3, 2), C2f(c2, c2, depth(3))
        )
        self.third = nn.Sequential(ConvSilu(c2, c3, 3, 2), C2f(c3, c3, depth(6)))
        self.fourth = nn.Sequential(ConvSilu(c3, c4, 3, 2), C2f(c4, c4, depth(6)))
        self.fifth = nn.Sequential(ConvSilu(c4, c5, 3, 2), C2f(c5, c5, depth(3)))
        if task == "cls":
            self.head = nn.Sequential(
                ConvSilu(c5, 1280), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000)
            )
            return
        self.pyramid = Pyramid(c5)
        self.up = nn.Upsample(scale_factor=2)
        self.up4 = C2f(c5 + c4, c4, depth(3), add=False)
        self.up3 = C2f(c4 + c3, c3, depth(3), add=False)
        self.down3 = ConvSilu(c3, c3, 3, 2)
        self.down4 = C2f(c3 + c4, c4, depth(3), add=False)
        self.to5 = ConvSilu(c4, c4, 3, 2)
        self.down5 = C2f(c4 + c5, c5, depth(3), add=False)
        outputs = [(max(16, c3 // 4, 64), 64), (max(c3, 80), 80)]
        if task != "det":
            values = 32 if task == "seg" else 51
            outputs.append((max(c3 // 4, values), values))
        self.heads = nn.ModuleList(
            nn.Sequential(ConvSilu(each, mid, 3), ConvSilu(mid, mid, 3), nn.Conv2d(mid, values, 1))
            for mid, values in outputs
            for each in (c3, c4, c5)
        )
        self.proto = Proto(c3, channels(256)) if task == "seg" else None

    def forward(self, image: torch.Tensor) -> Any:
        """Raw predictions a scale; decoding runs on the host."""
        third = self.third(self.stem(image))
        fourth = self.fourth(third)
        fifth = self.fifth(fourth)
        if self.task == "cls":
            return self.head(fifth)
        fifth = self.pyramid(fifth)
        fourth = self.up4(torch.cat([self.up(fifth), fourth], 1))
        third = self.up3(torch.cat([self.up(fourth), third], 1))
        fourth = self.down4(torch.cat([self.down3(third), fourth], 1))
        fifth = self.down5(torch.cat([self.to5(fourth), fifth], 1))
        scales = [third, fourth, fifth] * (len(self.heads) // 3)
        found = [head(scale) for head, scale in zip(self.heads, scales, strict=True)]
        return [*found, self.proto(third)] if self.proto is not None else found


class Yolo5(nn.Module):
    """YOLOv5, release 7: detection with three anchors a cell."""

    def __init__(self, deep: float, wide: float) -> None:
        super().__init__()
        c1, c2, c3, c4, c5 = (int(-(-count * wide // 8) * 8) for count in (64, 128, 256, 512, 1024))

        def depth(count: int) -> int:
            return max(round(count * deep), 1)

        stem = ConvSilu(3, c1, 6, 2)
        stem[0].padding = (2, 2)  # type: ignore[assignment]  # a Conv2d's
        self.third = nn.Sequential(
            stem, ConvSilu(c1, c2, 3, 2), C3(c2, c2, depth(3)),
            ConvSilu(c2, c3, 3, 2), C3(c3, c3, depth(6)),
        )  # fmt: skip
        self.fourth = nn.Sequential(ConvSilu(c3, c4, 3, 2), C3(c4, c4, depth(9)))
        self.fifth = nn.Sequential(
            ConvSilu(c4, c5, 3, 2), C3(c5, c5, depth(3)), Pyramid(c5), ConvSilu(c5, c4)
        )
        self.up = nn.Upsample(scale_factor=2)
        self.up4 = nn.Sequential(C3(2 * c4, c4, depth(3), add=False), ConvSilu(c4, c3))
        self.up3 = C3(2 * c3, c3, depth(3), add=False)
        self.down3, self.down4 = ConvSilu(c3, c3, 3, 2), ConvSilu(c4, c4, 3, 2)
        self.out4 = C3(2 * c3, c4, depth(3), add=False)
        self.out5 = C3(2 * c4, c5, depth(3), add=False)
        self.heads = nn.ModuleList(nn.Conv2d(each, 255, 1) for each in (c3, c4, c5))

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Raw predictions a scale."""
        third = self.third(image)
        fourth = self.fourth(third)
        fifth = self.fifth(fourth)
        four = self.up4(torch.cat([self.up(fifth), fourth], 1))
        three = self.up3(torch.cat([self.up(four), third], 1))
        middle = self.out4(torch.cat([self.down3(three), four], 1))
        large = self.out5(torch.cat([self.down4(middle), fifth], 1))
        return [head(x) for head, x in zip(self.heads, (three, middle, large), strict=True)]


class SsdResnet34(nn.Module):
    """SSD-large of MLPerf Inference: ResNet-34 to 1/8, six maps, 15,130 boxes of 81 classes."""

    EXTRAS = ((256, 256, 512, 2, 1), (512, 256, 512, 2, 1), (512, 128, 256, 2, 1),
              (256, 128, 256, 2, 0), (256, 128, 256, 1, 0))  # fmt: skip
    MAPS = ((256, 4, 3), (512, 6, 3), (512, 6, 3), (256, 6, 3), (256, 4, 3), (256, 4, 3))

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models.resnet import BasicBlock, ResNet

        whole = ResNet(BasicBlock, [3, 4, 6, 3])
        for block in whole.layer3:
            if block.downsample is not None:  # stays at 1/8
                block.conv1.stride = block.downsample[0].stride = (1, 1)
        self.backbone = nn.Sequential(*list(whole.children())[:7])
        self.extras = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(entering, middle, 1), nn.ReLU(),
                nn.Conv2d(middle, leaving, 3, stride, padding), nn.ReLU(),
            )
            for entering, middle, leaving, stride, padding in self.EXTRAS
        )  # fmt: skip
        self.heads = nn.ModuleList(
            nn.Conv2d(entering, anchors * values, 3, stride, 1)
            for entering, anchors, stride in self.MAPS
            for values in (4, 81)
        )

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Boxes and scores a map."""
        maps = [self.backbone(image)]
        for extra in self.extras:
            maps.append(extra(maps[-1]))
        pairs = [scale for scale in maps for _ in range(2)]
        return [head(scale) for head, scale in zip(self.heads, pairs, strict=True)]


class Minimalistic(mobilenet.ImageClassifier):
    """MobileNet v3 minimalistic: 3x3 kernels, ReLU, no squeeze-and-excitation."""

    def __init__(self, *, large: bool) -> None:
        plan = mobilenet.V3_LARGE if large else mobilenet.V3_SMALL
        plain = [
            (3, wide, leaving, False, "relu", stride) for _, wide, leaving, _, _, stride in plan
        ]
        features_ = mobilenet.version3_features(plain, 1.0, tail_divisor=1)
        for name, module in [*nn.Sequential(*features_).named_modules()]:
            if isinstance(module, nn.Hardswish):
                parent = nn.Sequential(*features_).get_submodule(name.rpartition(".")[0])
                setattr(parent, name.rpartition(".")[2], nn.ReLU())
        last, hidden = (960, 1280) if large else (576, 1024)
        tail = [nn.Linear(last, hidden), nn.ReLU(), nn.Linear(hidden, 1000)]
        super().__init__(features_, tail)


def plain(module: Callable[[], Any], *size: int) -> Network:
    """A module of this file on one image (or one clip)."""
    return module, (1, *(size if len(size) > 1 else (3, size[0], size[0])))


def _dncnn(channels: int) -> nn.Sequential:
    middle = [m for _ in range(15) for m in (nn.Conv2d(64, 64, 3, 1, 1), nn.ReLU())]
    return nn.Sequential(
        nn.Conv2d(channels, 64, 3, 1, 1), nn.ReLU(), *middle, nn.Conv2d(64, channels, 3, 1, 1)
    )


def _espcn(scale: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 64, 5, 1, 2), nn.ReLU(), nn.Conv2d(64, 32, 3, 1, 1), nn.ReLU(),
        nn.Conv2d(32, scale * scale, 3, 1, 1),
    )  # fmt: skip


# Which networks a set of results is about


def boards() -> dict[str, Network]:
    """The classifiers of MLPerf's edge submissions, ``name@size``."""
    found: dict[str, Network] = {}
    for width in (0.25, 0.5, 0.75, 1.0):
        for size in (128, 160, 192, 224):
            found[f"mobilenet_v1_{width}_{size}"] = family(
                "mobilenet", size, version="v1", width=width
            )
    for width in (0.35, 0.5, 0.75, 1.0):
        for size in (96, 128, 160, 192, 224):
            found[f"mobilenet_v2_{width}_{size}"] = family(
                "mobilenet", size, version="v2", width=width
            )
    for width in (1.3, 1.4):
        found[f"mobilenet_v2_{width}_224"] = family("mobilenet", version="v2", width=width)
    for kind in ("small", "large"):
        for width in (0.75, 1.0):
            found[f"mobilenet_v3_{kind}_{width}"] = family(
                "mobilenet", version=f"v3_{kind}", width=width
            )
        found[f"mobilenet_v3_{kind}_minimalistic"] = plain(
            partial(Minimalistic, large=kind == "large"), IMAGE
        )
    for index, size in enumerate((224, 240, 260, 280, 300)):
        found[f"efficientnet-lite{index}"] = family("efficientnet", size, variant=f"lite{index}")
    return found


def tpu() -> dict[str, Network]:
    """ResNet-50 and SSD-large."""
    return {"resnet": family("resnet", depth=50), "ssd-large": plain(SsdResnet34, 1200)}


def coral() -> dict[str, Network]:
    """The networks of the Coral benchmark table that run on the Edge TPU whole."""
    return {
        "DenseNet": torchvision("densenet121"),
        "Inception v1": torchvision("googlenet", aux_logits=False, init_weights=False),
        "Inception v4": timm("inception_v4", 299),
        "Inception-ResNet V2": timm("inception_resnet_v2", 299),
        "MobileNet v1": family("mobilenet", version="v1"),
        "MobileNet v2": family("mobilenet", version="v2"),
        "ResNet-50 V1": family("resnet", 299, depth=50),
        "ResNet-50 V2": timm("resnetv2_50", 299),
        "ResNet-152 V2": timm("resnetv2_152", 299),
        "SqueezeNet": torchvision("squeezenet1_0"),
        "VGG16": torchvision("vgg16"),
        "VGG19": torchvision("vgg19"),
        "EfficientNet-EdgeTpu-S": timm("efficientnet_es", 224),
        "EfficientNet-EdgeTpu-M": timm("efficientnet_em", 240),
    }


def k230() -> dict[str, Network]:
    """The nine networks of the K230's table."""
    return {
        "mobilenetv2": family("mobilenet", version="v2"),
        "resnet50V2": timm("resnetv2_50", 224),
        "yolov8s_cls": plain(lambda: Yolo8("s", "cls"), 224),
        "yolov5s_det": plain(lambda: Yolo5(0.33, 0.5), 640),
        "yolov8s_det": plain(lambda: Yolo8("s"), 640),
        "yolov8s_seg": plain(lambda: Yolo8("s", "seg"), 640),
        "yolov8n_pose_320": plain(lambda: Yolo8("n", "pose"), 320),
        "yolov8n_pose_640": plain(lambda: Yolo8("n", "pose"), 640),
        "yolov8s_pose": plain(lambda: Yolo8("s", "pose"), 640),
    }


def hailo() -> dict[str, Network]:
    """Convolutional networks of the Hailo model zoo that can be told from their names."""
    found = {f"efficientnet_{each}": timm(f"efficientnet_e{each}", size)
             for each, size in (("s", 224), ("m", 240), ("l", 300))}  # fmt: skip
    for index, size in enumerate((224, 240, 260, 280, 300)):
        found[f"efficientnet_lite{index}"] = family("efficientnet", size, variant=f"lite{index}")
    for depth in (18, 34, 50):
        found[f"resnet_v1_{depth}"] = family("resnet", depth=depth)
    found |= {
        "inception_v1": torchvision("googlenet", aux_logits=False, init_weights=False),
        "mobilenet_v1": family("mobilenet", version="v1"),
        "mobilenet_v2_1.0": family("mobilenet", version="v2"),
        "mobilenet_v2_1.4": family("mobilenet", version="v2", width=1.4),
        "regnetx_800mf": timm("regnetx_008"),
        "regnetx_1.6gf": timm("regnetx_016"),
        "resnext26_32x4d": _resnext26(),
        "resnext50_32x4d": torchvision("resnext50_32x4d"),
        "squeezenet_v1.1": torchvision("squeezenet1_1"),
        "dncnn3": plain(lambda: _dncnn(1), 1, 321, 481),
        "dncnn_color_blind": plain(lambda: _dncnn(3), 3, 321, 481),
        "espcn_x2": plain(lambda: _espcn(2), 1, 156, 240),
        "espcn_x3": plain(lambda: _espcn(3), 1, 104, 160),
        "espcn_x4": plain(lambda: _espcn(4), 1, 78, 120),
        "face_attr_resnet_v1_18": plain(family("resnet", depth=18)[0], 3, 218, 178),
        "person_attr_resnet_v1_18": family("resnet", depth=18),
        "yolov5s": plain(lambda: Yolo5(0.33, 0.5), 640),
        "yolov5m_6.1": plain(lambda: Yolo5(0.67, 0.75), 640),
        "yolov5m": plain(lambda: Yolo5(0.67, 0.75), 640),
        "yolov8s_pose": plain(lambda: Yolo8("s", "pose"), 640),
        "yolov8m_pose": plain(lambda: Yolo8("m", "pose"), 640),
        "yolov8s_seg": plain(lambda: Yolo8("s", "seg"), 640),
        "yolov8n_seg": plain(lambda: Yolo8("n", "seg"), 640),
    }
    for letter in V8:
        found[f"yolov8{letter}"] = plain(partial(Yolo8, letter), 640)
    for kind in ("a1", "a2"):
        found[f"repvgg_{kind}"] = _repvgg(kind)
    return found


def _resnext26() -> Network:
    def make() -> Any:
        from torchvision.models.resnet import Bottleneck as Block
        from torchvision.models.resnet import ResNet

        return ResNet(Block, [2, 2, 2, 2], groups=32, width_per_group=4)

    return make, (1, 3, IMAGE, IMAGE)


def _repvgg(kind: str) -> Network:
    """RepVGG as deployed: one 3x3 convolution a layer."""
    blocks = (2, 4, 14, 1)
    widths = {"a1": (64, 64, 128, 256, 1280), "a2": (64, 96, 192, 384, 1408)}[kind]

    def make() -> Any:
        layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 3, 2, 1), nn.ReLU()]
        entering = widths[0]
        for count, leaving in zip(blocks, widths[1:], strict=True):
            for i in range(count):
                layers += [nn.Conv2d(entering, leaving, 3, 1 if i else 2, 1), nn.ReLU()]
                entering = leaving
        return nn.Sequential(
            *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(entering, 1000)
        )

    return make, (1, 3, IMAGE, IMAGE)


KINDS: Final = {"boards": boards, "tpu": tpu, "coral": coral, "k230": k230, "hailo": hailo}


def columns(kind: str, batch: int = 1) -> Iterator[tuple[str, KernelColumns]]:
    """The networks of one set, traced without weights and fused for an engine."""
    for name, (make, shape) in KINDS[kind]().items():
        with torch.device("meta"):
            module = make()
            image = torch.empty(batch, *shape[1:])
        graph = tracing.trace(module.eval(), image)
        yield name, features.columns(fusion.fuse(graph, stack="engine")).kernels

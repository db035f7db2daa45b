"""Networks that no fit of the H100 has seen, and the rows that are measured of each.

Our own families at other than their default shapes, models of timm, and models of torchvision and
transformers beside those of `gpu_models`. A network is named as ``characterize measure`` names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from characterize import models, session
from characterize.subjects import Subject

SIZES: Final = ("input_size", "sequence")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: a network at a batch, in a precision, under a stack, in a memory format."""

    model: str
    size: int | None
    batch: int
    precision: str
    stack: str = "eager"
    memory_format: str = "nhwc"
    power: bool = False
    replay: bool = False  # also from a graph
    profile: bool = False  # also its kernels, by name

    @property
    def subject(self) -> Subject:
        """The network and its batch, checked."""
        return subject(self.model, self.size, self.batch)


def subject(model: str, size: int | None, batch: int) -> Subject:
    """What a name such as ``resnet depth=34`` stands for."""
    name, *settings = model.split()
    values = dict(setting.split("=", 1) for setting in settings)
    known = models.zoo(name) if "/" in name else models.family(name)
    if size is not None:
        place = next(p.name for p in known.parameters if p.name in SIZES)
        values[place] = str(size)
    return session.subject(name, values, batch)


WHOLE: Final = {
    "resnet depth=34 width=0.5": (224, 128),
    "timm/regnety_032": (224, 128),
    "vit patch=14 layers=24 hidden=1024 heads=16 intermediate=4096": (224, 64),
    "conv2d_stack layers=8 channels=128 batch_norm=true": (64, 128),
    "timm/tf_efficientnetv2_s": (300, 64),
    "transformer_encoder layers=24 hidden=1024 heads=16 intermediate=4096": (384, 32),
    "unet base_channels=32": (256, 32),
    "timm/convnext_nano": (224, 128),
    "mlp_mixer layers=8 hidden=512 token_width=256 channel_width=2048": (224, 128),
    "transformer_decoder layers=8 hidden=4096 kv_heads=8 intermediate=14336": (256, 16),
    "timm/resnetv2_50": (224, 128),
    "mobilenet version=v2 width=1.4": (224, 128),
    "resnet depth=101 width=1.5": (160, 64),
    "timm/swin_small_patch4_window7_224": (224, 64),
    "mlp depth=6 width=4096": (None, 256),
    "timm/hrnet_w18": (224, 64),
}
"""Networks in every precision: their input size and largest batch."""

MANY: Final = {
    "timm/vit_small_patch16_224": (224, 128),
    "timm/mixer_b16_224": (224, 128),
    "timm/cspdarknet53": (256, 64),
    "torchvision/wide_resnet50_2": (224, 64),
    "transformer_encoder layers=6 hidden=512 heads=8 intermediate=2048": (1024, 32),
    "convnext variant=small": (224, 64),
    "torchvision/googlenet": (224, 128),
    "timm/coatnet_0_rw_224": (224, 64),
    "detector": (320, 64),
    "torchvision/efficientnet_v2_s": (384, 32),
    "conv2d_stack layers=4 channels=512 kernel_size=1 padding=0 activation=silu": (28, 128),
    "timm/seresnet50": (224, 64),
    "transformer_decoder layers=12 logits=all": (512, 8),
    "unet depth=3 base_channels=48 decoder=resize": (384, 16),
    "torchvision/fcn_resnet50": (512, 16),
    "timm/xcit_small_12_p16_224": (224, 64),
}
"""Networks in fp16, bf16 and full fp32."""

ONCE: Final = {
    "timm/convmixer_768_32": (224, 32),
    "timm/res2net50_26w_4s": (224, 64),
    "mobilenet version=v3_large width=0.75": (224, 128),
    "timm/beit_base_patch16_224": (224, 64),
    "efficientnet variant=b2": (260, 64),
    "timm/nfnet_f0": (192, 64),
    "vit patch=32 layers=6 hidden=512 heads=8 intermediate=1024": (384, 128),
    "torchvision/alexnet": (224, 256),
    "timm/poolformer_s12": (224, 128),
    "conv2d_stack layers=6 channels=64 depthwise=true": (112, 64),
    "transformers/whisper-small-encoder": (1500, 8),
    "timm/dla60": (224, 64),
    "swin variant=small": (224, 64),
    "torchvision/vgg11_bn": (224, 64),
    "lstm layers=4 hidden=1024": (128, 64),
    "timm/gmlp_s16_224": (224, 128),
    "torchvision/mnasnet1_0": (224, 128),
    "convnext kernel_size=9": (224, 64),
    "timm/levit_256": (224, 128),
    "torchvision/regnet_x_8gf": (224, 64),
    "timm/mobilevit_s": (256, 64),
    "conv2d_stack layers=5 channels=96 kernel_size=5 padding=2 groups=4 bias=true": (56, 64),
    "transformers/bert-large": (128, 32),
    "timm/inception_v4": (299, 32),
    "torchvision/squeezenet1_1": (224, 128),
    "timm/deit3_base_patch16_224": (224, 64),
    "mlp depth=8 width=1000 activation=gelu": (None, 256),
    "timm/edgenext_small": (256, 64),
}
"""Networks in fp16 and one other precision."""

DECODING: Final = (
    "transformer_decoder layers=16 sequence=1 cached_tokens=1024 vocab=32001",
    "transformer_decoder layers=4 hidden=4096 kv_heads=8 intermediate=14336 sequence=1 cached_tokens=512",
)
"""One new token: named with its sequence, as its cache is part of the network."""

COMPILED: Final = (
    ("resnet depth=34 width=0.5", 224, "fp16", (128, 1)),
    ("vit patch=14 layers=24 hidden=1024 heads=16 intermediate=4096", 224, "bf16", (64, 1)),
    ("timm/convnext_nano", 224, "fp16", (128, 16)),
    ("transformer_encoder layers=6 hidden=512 heads=8 intermediate=2048", 1024, "bf16", (32, 1)),
    ("unet base_channels=32", 256, "fp16", (32, 1)),
    ("conv2d_stack layers=8 channels=128 batch_norm=true", 64, "tf32", (128, 16)),
    ("transformer_encoder layers=6 hidden=512 heads=8 intermediate=2048", 1024, "fp16", (32,)),
    ("mlp_mixer layers=8 hidden=512 token_width=256 channel_width=2048", 224, "bf16", (128, 1)),
    ("timm/resnetv2_50", 224, "fp16", (128, 1)),
    ("mobilenet version=v2 width=1.4", 224, "fp16", (128,)),
    ("resnet depth=34 width=0.5", 224, "fp32", (64,)),
    (
        "transformer_decoder layers=8 hidden=4096 kv_heads=8 intermediate=14336",
        256,
        "bf16",
        (16, 1),
    ),
    ("torchvision/wide_resnet50_2", 224, "tf32", (64,)),
    ("swin variant=small", 224, "fp16", (64,)),
    ("timm/vit_small_patch16_224", 224, "tf32", (128,)),
)
"""Compiled networks, a process each: model, size, precision, batches."""

_VISION: Final = (
    "conv2d_stack",
    "resnet",
    "unet",
    "mobilenet",
    "timm/",
    "torchvision/",
    "convnext",
)
_TOKENS: Final = ("vit", "mixer", "swin", "beit", "deit", "gmlp", "levit", "xcit")


def eager_rows() -> Iterator[Row]:
    """Rows of eager execution, network after network; the widest formats of each come first.

    Networks in every precision alternate with others, so that a run that ends early has all kinds.
    """
    whole = [_whole(place, *each) for place, each in enumerate(WHOLE.items())]
    many = [_many(*each) for each in MANY.items()]
    once = [_once(place, *each) for place, each in enumerate(ONCE.items())]
    for place, every in enumerate(whole):
        yield from every
        yield from many[place]
        yield from once[place]
        if place < len(DECODING):
            yield from _decoding(DECODING[place])
    for rest in once[len(whole) :]:
        yield from rest


def _decoding(model: str) -> list[Row]:
    runs = (("fp16", 1), ("bf16", 1), ("bf16", 16))
    return [Row(model, None, batch, kind, replay=True, power=batch > 1) for kind, batch in runs]


def _once(place: int, model: str, shape: tuple[int | None, int]) -> list[Row]:
    size, largest = shape
    return [
        Row(model, size, largest, "fp16", power=place % 3 == 0),
        Row(model, size, largest, ("bf16", "tf32")[place % 2]),
    ]


def _whole(place: int, model: str, shape: tuple[int | None, int]) -> list[Row]:
    size, largest = shape
    even = place % 2 == 0
    rows = [
        Row(model, size, max(1, largest // 4), "fp32", power=even),
        Row(model, size, largest, "tf32", power=not even, profile=even),
        Row(model, size, largest, "fp16", power=True, profile=True),
        Row(model, size, 16, "fp16"),
        Row(model, size, 1, "fp16", replay=True),
        Row(model, size, largest, "bf16", power=even, profile=not even),
        Row(model, size, 1, "bf16", replay=even),
    ]
    if model.startswith(_VISION) and not any(word in model for word in _TOKENS):
        rows.insert(4, Row(model, size, largest, "fp16", memory_format="nchw"))
    return rows


def _many(model: str, shape: tuple[int | None, int]) -> list[Row]:
    size, largest = shape
    return [
        Row(model, size, max(1, largest // 4), "fp32"),
        Row(model, size, largest, "fp16", power=True),
        Row(model, size, 1, "fp16", replay=True),
        Row(model, size, largest, "bf16"),
    ]


def compiled_rows() -> list[list[Row]]:
    """Rows of compiled networks, a list for each process."""
    return [
        [Row(model, size, batch, precision, "compiled", power=batch > 16) for batch in batches]
        for model, size, precision, batches in COMPILED
    ]


SLOW: Final = ("mobilenet", "efficientnet", "mnasnet", "mobilevit", "edgenext", "detector")
"""What cuDNN tries many algorithms for, 5 to 10 s a row: measured last."""

FIRST: Final = 5
"""So many networks of each list come last among brief rows: they are the first of other runs."""


def brief_rows() -> Iterator[Row]:
    """Two precisions of each network at its largest batch, each from a graph too."""
    lists = [list(each.items()) for each in (WHOLE, MANY, ONCE)]
    later = [each[FIRST:] for each in lists]
    order = [each for group in zip(*later, strict=False) for each in group]
    order += [each for group in lists for each in group if each not in order]
    order.sort(key=lambda each: any(word in each[0] for word in SLOW))
    for place, (model, (size, largest)) in enumerate(order):
        other = ("bf16", "tf32", "fp32")[place % 3]
        batch = max(1, largest // 4) if other == "fp32" else largest
        yield Row(model, size, largest, "fp16", power=True, replay=True)
        yield Row(model, size, batch, other, power=place % 2 == 0, replay=True)

"""The whole models that are measured, by their zoo names, and how each is run.

Weights are random; networks with batch norms first see one batch of noise in training mode, so that
their activations keep the size they were designed for and fp16 does not overflow.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import torch

IMAGE_MODELS: Final = {
    "torchvision/resnet50": 224,
    "torchvision/vit_b_16": 224,
    "torchvision/mobilenet_v2": 224,
    "torchvision/convnext_tiny": 224,
    "torchvision/efficientnet_b0": 224,
    "torchvision/swin_t": 224,
    "torchvision/resnet18": 224,
    "torchvision/densenet121": 224,
    "torchvision/regnet_y_16gf": 224,
    "torchvision/vgg16": 224,
    "torchvision/mobilenet_v3_large": 224,
    "torchvision/resnet152": 224,
    "torchvision/efficientnet_b4": 380,
    "torchvision/convnext_base": 224,
    "torchvision/vit_l_16": 224,
    "torchvision/resnext50_32x4d": 224,
    "torchvision/deeplabv3_resnet50": 512,
    "torchvision/inception_v3": 299,
    "torchvision/shufflenet_v2_x1_0": 224,
    "torchvision/maxvit_t": 224,
}
TIMM_MODELS: Final = {
    "timm/mixer_b16_224": 224,
    "timm/convmixer_768_32": 224,
    "timm/resnetv2_50x1_bit": 224,
    "timm/tf_efficientnetv2_s": 384,
    "timm/nfnet_f0": 256,
    "timm/coatnet_0_rw_224": 224,
    "timm/regnety_032": 224,
    "timm/vit_small_patch16_224": 224,
    "timm/xcit_small_12_p16_224": 224,
    "timm/convnext_nano": 224,
}
TEXT_MODELS: Final = {
    "transformers/bert-base-uncased": 128,
    "transformers/bert-base-uncased@512": 512,
    "transformers/gpt2": 512,
    "transformers/llama-small": 512,
}
"""Model and sequence length; what follows ``@`` only tells two lengths of one model apart."""

LLAMA_SMALL: Final = {
    "vocab_size": 32000,
    "hidden_size": 1024,
    "intermediate_size": 2816,
    "num_hidden_layers": 16,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
}
CONVOLUTION_FREE: Final = ("vit_", "mixer_", "swin_t", "xcit")


@dataclass(frozen=True, slots=True)
class Run:
    """One model at one batch: ``fp16`` is autocast over fp32 weights, ``bf16`` has bf16 weights."""

    model: str
    input_size: int
    batch: int
    precision: str
    stack: str
    memory_format: str
    power: bool = False
    launcher: str = "stream"

    @property
    def cast(self) -> str:
        """Who casts: autocast at every step, or nobody because the weights already are."""
        return "autocast" if self.precision == "fp16" else "none"

    @property
    def name(self) -> str:
        """The model's name without what tells its lengths apart."""
        return self.model.split("@")[0]


def eager_runs() -> list[Run]:
    """Eager runs, the most wanted first within each precision."""
    made: list[Run] = []
    for model, size in (IMAGE_MODELS | TEXT_MODELS | TIMM_MODELS).items():
        extra = model in TIMM_MODELS
        batches = (1, 256) if extra else (1, 8, 64, 256)
        for batch, layout in _sizes(model, batches, layouts=1 if extra else 2):
            strong = layout != "nchw" or not _is_convolutional(model)
            powered = strong and batch in (1, _largest(model))
            made.append(Run(model, size, batch, "fp16", "eager", layout, powered))
            # Captured, BERT does other work than in eager and is slower: text models are left out.
            if strong and batch in (1, 8) and not extra and model not in TEXT_MODELS:
                made.append(Run(model, size, batch, "fp16", "eager", layout, launcher="graph"))
    for model, size in (IMAGE_MODELS | TEXT_MODELS).items():
        for batch, layout in _sizes(model, (1, _largest(model)), layouts=1):
            made.append(Run(model, size, batch, "bf16", "eager", layout, batch > 1))
    for model in ("torchvision/resnet50", "torchvision/vit_b_16", "transformers/bert-base-uncased"):
        size = (IMAGE_MODELS | TEXT_MODELS)[model]
        for precision, batch in (("tf32", 64), ("fp32", 64), ("fp32", 1)):
            made.append(Run(model, size, batch, precision, "eager", _layout(model), batch == 64))
    return made


def compiled_runs() -> list[Run]:
    """Compiled runs, the most wanted first: what runs out of time is at the end."""
    known = IMAGE_MODELS | TEXT_MODELS | TIMM_MODELS

    def run(model: str, batch: int, precision: str = "fp16", power: bool = True) -> Run:
        return Run(model, known[model], batch, precision, "compiled", _layout(model), power)

    first = [*list(IMAGE_MODELS)[:12], *(m for m in TEXT_MODELS if "@" not in m)]
    made = [run(model, batch) for model in first for batch in (_largest(model), 1)]
    made += [
        run(model, 8, power=False) for model in ("torchvision/resnet50", "torchvision/vit_b_16")
    ]
    for model in ("torchvision/resnet50", "torchvision/convnext_tiny"):
        made += [replace(run(model, 256), memory_format="nchw"), run(model, 256, "bf16")]
    for model in ("torchvision/vit_b_16", "transformers/llama-small"):
        made.append(run(model, _largest(model), "bf16"))
    return made + [run(model, 256, power=False) for model in list(TIMM_MODELS)[:6]]


def quick_runs(stack: str) -> list[Run]:
    """A few small runs of every kind, to see that each works."""
    names = {"torchvision/resnet18": 64, "transformers/bert-base-uncased": 16}
    runs = [Run(name, size, 2, "fp16", stack, "nchw", True) for name, size in names.items()]
    runs.append(Run("torchvision/mobilenet_v3_large", 64, 1, "bf16", stack, "channels_last", True))
    if stack == "eager":
        runs.append(Run("torchvision/resnet18", 64, 2, "fp16", stack, "nchw", launcher="graph"))
        runs += [Run(name, 32, 1, "fp16", stack, "nchw") for name in ("transformers/gpt2",)]
        runs += [Run("transformers/llama-small", 32, 1, "bf16", stack, "nchw")]
        runs += [Run("timm/mixer_b16_224", 224, 1, "fp16", stack, "nchw")]
        runs += [Run("torchvision/deeplabv3_resnet50", 64, 1, "tf32", stack, "channels_last")]
    return runs


def _is_convolutional(model: str) -> bool:
    short = model.split("/")[1]
    return model not in TEXT_MODELS and not short.startswith(CONVOLUTION_FREE)


def _layout(model: str) -> str:
    return "channels_last" if _is_convolutional(model) else "nchw"


def _largest(model: str) -> int:
    return 64 if _is_large(model) else 256


def _is_large(model: str) -> bool:
    return model in {
        "torchvision/deeplabv3_resnet50",
        "transformers/gpt2",
        "transformers/llama-small",
    }


def _sizes(model: str, batches: tuple[int, ...], layouts: int) -> Iterator[tuple[int, str]]:
    both = ("channels_last", "nchw")[:layouts]
    for layout in both if _is_convolutional(model) else ("nchw",):
        for batch in batches:
            if batch < 256 or not _is_large(model):
                yield batch, layout


def build(run: Run, device: torch.device) -> torch.nn.Module:
    """The model with random weights on the device, in its precision and memory format."""
    torch.manual_seed(0)
    with torch.device(device):
        model = _construct(run.name)
    model = model.to(device)
    _settle(model, run.input_size, device)
    model.eval().requires_grad_(False)
    if run.precision == "bf16":
        model = model.to(torch.bfloat16)
    if run.memory_format == "channels_last":
        model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


def _construct(name: str) -> torch.nn.Module:
    library, _, short = name.partition("/")
    if library == "torchvision":
        import torchvision

        more = {"weights_backbone": None} if short.startswith("deeplab") else {}
        vision: torch.nn.Module = torchvision.models.get_model(short, weights=None, **more)
        return vision
    if library == "timm":
        import timm

        image: torch.nn.Module = timm.create_model(short, pretrained=False)
        return image
    import transformers

    makers: dict[str, Callable[[], torch.nn.Module]] = {
        "bert-base-uncased": lambda: transformers.BertModel(transformers.BertConfig()),
        "gpt2": lambda: transformers.GPT2LMHeadModel(transformers.GPT2Config(use_cache=False)),
        "llama-small": lambda: transformers.LlamaForCausalLM(
            transformers.LlamaConfig(use_cache=False, **LLAMA_SMALL)
        ),
    }
    return makers[short]()


def _settle(model: torch.nn.Module, input_size: int, device: torch.device) -> None:
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    if not norms:
        return
    for norm in norms:
        norm.momentum = None
    model.train()
    with torch.no_grad():
        model(torch.randn(8, 3, input_size, input_size, device=device))
    for norm in norms:
        norm.momentum = 0.1


def inputs(run: Run, device: torch.device) -> torch.Tensor:
    """One batch of noise: images, or token numbers."""
    if run.model.startswith("transformers/"):
        return torch.randint(0, 30000, (run.batch, run.input_size), device=device)
    image = torch.randn(run.batch, 3, run.input_size, run.input_size, device=device)
    if run.precision == "bf16":
        image = image.to(torch.bfloat16)
    if run.memory_format == "channels_last":
        image = image.contiguous(memory_format=torch.channels_last)
    return image


def step(run: Run, model: Any, batch: torch.Tensor, device: torch.device) -> Callable[[], Any]:
    """One inference step; autocast is entered at every step, as its user would."""

    def autocast() -> contextlib.AbstractContextManager[Any]:
        if run.cast == "autocast":
            return torch.autocast(device.type, dtype=torch.float16)
        return contextlib.nullcontext()

    def call() -> Any:
        with autocast():
            return model(batch)

    return call

"""Count the kernels that TorchInductor makes on CPU for ten models, next to ours.

    python benchmarks/inductor_kernels.py [MODEL ...] [--format markdown|json]

Each model is built small, with random weights, and compiled by ``torch.compile`` twice: as it is, and
with ``freezing`` (weights are constants, batch norm is folded, oneDNN applies epilogues). Compilation
is stopped once the code is written, so no C++ compiler runs and nothing is timed. What is counted:

- *kernels*: the nodes of Inductor's schedule after its own fusion, each one loop nest or one call;
- *functions*: the ``cpp_fused_*`` functions plus library calls in the generated code. On CPU, Inductor
  puts several unrelated loop nests into one function, so this is at most the number of kernels.

Ours are ``compiled``, next to the schedule without freezing once the epilogues of library calls are
counted as kernels of their own (Inductor has none there by default), and ``engine``, next to freezing.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from characterize.fusion import fuse, unfused
from characterize.records import KernelGraph
from characterize.tracing import trace


@dataclass(frozen=True)
class Counts:
    """Kernels of one model: ours by stack, and Inductor's."""

    model: str
    operators: int
    compiled: int
    compiled_split: int
    engine: int
    inductor: int
    inductor_functions: int
    frozen: int
    frozen_functions: int


class _Written(BaseException):
    """The code is written: stop before it is compiled."""


def _torchvision(name: str, size: int = 64, **keywords: Any) -> Callable[[], tuple[Any, tuple[Any, ...]]]:
    def build() -> tuple[Any, tuple[Any, ...]]:
        import torch
        import torchvision

        return torchvision.models.get_model(name, **keywords), (torch.randn(1, 3, size, size),)

    return build


def _timm(name: str, size: int = 64, **keywords: Any) -> Callable[[], tuple[Any, tuple[Any, ...]]]:
    def build() -> tuple[Any, tuple[Any, ...]]:
        import timm
        import torch

        return timm.create_model(name, **keywords), (torch.randn(1, 3, size, size),)

    return build


def _transformers(kind: str, **sizes: Any) -> Callable[[], tuple[Any, tuple[Any, ...]]]:
    def build() -> tuple[Any, tuple[Any, ...]]:
        import torch
        import transformers

        config = getattr(transformers, f"{kind}Config")(use_cache=False, **sizes)
        return getattr(transformers, f"{kind}Model")(config), (torch.zeros(2, 32, dtype=torch.long),)

    return build


def _densenet() -> tuple[Any, tuple[Any, ...]]:
    import torch
    import torchvision

    return torchvision.models.DenseNet(block_config=(3, 3, 3, 3)), (torch.randn(1, 3, 64, 64),)


MODELS: dict[str, Callable[[], tuple[Any, tuple[Any, ...]]]] = {
    "resnet18": _torchvision("resnet18"),
    "vgg11": _torchvision("vgg11"),
    "densenet_small": _densenet,
    "mobilenet_v3_small": _torchvision("mobilenet_v3_small"),
    "efficientnet_b0": _torchvision("efficientnet_b0"),
    "convnext_atto": _timm("convnext_atto"),
    "vit_tiny": _timm("vit_tiny_patch16_224", 64, img_size=64, depth=4),
    "swin_micro": _timm(
        "swin_tiny_patch4_window7_224", 56, img_size=56, depths=(2, 2), num_heads=(3, 6), embed_dim=48
    ),
    "bert_mini": _transformers(
        "Bert", hidden_size=64, num_hidden_layers=4, num_attention_heads=4, intermediate_size=256, vocab_size=1000
    ),
    "llama_mini": _transformers(
        "Llama", hidden_size=64, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=172, vocab_size=1000,
    ),  # fmt: skip
}
"""Ten models by name; each entry builds one with an example input."""


def inductor(model: Any, inputs: tuple[Any, ...], *, freezing: bool) -> tuple[list[str], int]:
    """What each scheduled kernel does, after fusion, and how many functions the code calls."""
    import torch
    import torch._inductor.config as config
    from torch._inductor.graph import GraphLowering

    kernels: list[str] = []
    sources: list[str] = []

    def note(nodes: list[Any]) -> list[Any]:
        kernels.extend(filter(None, map(_describe, nodes)))
        return nodes

    def stop(source: str) -> None:
        sources.append(source)
        raise _Written

    torch._dynamo.reset()
    settings = {
        "freezing": freezing,
        "fx_graph_cache": False,
        "layout_optimization": False,  # or weights are copied to channels-last on every call
        "_post_fusion_custom_pass": note,
    }
    with config.patch(settings), torch.no_grad():
        GraphLowering.save_output_code = staticmethod(stop)
        try:
            torch.compile(model, fullgraph=True)(*inputs)
        except _Written:
            pass
        finally:
            GraphLowering.save_output_code = None
    return kernels, _functions(sources[0])


def _describe(node: Any) -> str:
    """``call convolution`` or ``loop add relu``, from a node of Inductor's schedule; "" for none."""
    from torch._inductor.ir import MultiOutput
    from torch._inductor.scheduler import ExternKernelSchedulerNode, NopKernelSchedulerNode

    if isinstance(node, NopKernelSchedulerNode):
        return ""
    parts = node.get_nodes()
    if isinstance(parts[0].node, MultiOutput):  # a name for one of a call's results
        return ""
    names = dict.fromkeys(
        str(getattr(origin.target, "__name__", origin.target)).split(".")[0]
        for part in parts
        for origin in sorted(part.node.origins, key=str)
    )
    kind = "call" if isinstance(node, ExternKernelSchedulerNode) else "loop"
    return f"{kind} {' '.join(names)} x{len(parts)}"


_CALL = re.compile(
    r"^\s+(?:\w+ = )?(?:cpp_fused_\w+|extern_kernels\.\w+|torch\.ops\.[\w.]+|aten\.[\w.]+|mkl_\w+)\(", re.M
)


def _functions(source: str) -> int:
    """Calls of generated functions and of libraries in the body that runs the network."""
    body = source[source.index("def call(") :]
    return len(_CALL.findall(body))


def count(name: str) -> Counts:
    """Everything about one model."""
    model, inputs = MODELS[name]()
    model.eval()
    graph = trace(model, *inputs)
    compiled = fuse(graph)
    plain, plain_functions = inductor(model, inputs, freezing=False)
    frozen, frozen_functions = inductor(model, inputs, freezing=True)
    return Counts(
        model=name,
        operators=len(unfused(graph).kernels),
        compiled=len(compiled.kernels),
        compiled_split=len(fuse(graph, epilogues=False).kernels),
        engine=len(fuse(graph, "engine").kernels),
        inductor=plain,
        inductor_functions=plain_functions,
        frozen=frozen,
        frozen_functions=frozen_functions,
    )

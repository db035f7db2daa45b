"""The kernels that TorchInductor makes on CPU for ten models, next to ours.

    python -m benchmarks.inductor_kernels                  # all of it, into benchmarks/results/
    python -m benchmarks.inductor_kernels resnet18 --list  # one model, kernel by kernel

Each model is small, has random weights and is compiled by ``torch.compile`` twice: as it is, and with
``freezing``, where weights are constants, batch norm is folded and oneDNN applies epilogues.
Compilation stops once the code is written: no C++ compiler runs, and nothing is timed. A *kernel*
is a node of Inductor's schedule after its own fusion, one loop nest or one library call. In the
generated code, several loop nests may share one ``cpp_fused_*`` *function*.

Inductor gives library calls no epilogue by default, so that its kernels stand next to ours without
epilogues; frozen ones stand next to the stack ``compiled`` as it is.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from characterize.fusion import fuse
from characterize.records import Graph
from characterize.tracing import trace

RESULTS: Final = Path(__file__).parent / "results" / "inductor_kernels.md"

Model = Callable[[], tuple[Any, Any]]
"""Builds a network and one example input."""


class Made(NamedTuple):
    """What Inductor makes of a model: its kernels in words, and the functions that it calls."""

    kernels: list[str]
    functions: int


class Row(NamedTuple):
    """One model: operators, our kernels without and with epilogues, Inductor's default and frozen."""

    model: str
    operators: int
    plain: int
    default: Made
    compiled: int
    frozen: Made


class _WrittenError(Exception):
    """The code is written: stop before it is compiled."""


def _image(size: int) -> Any:
    import torch

    return torch.randn(1, 3, size, size)


def _tokens() -> Any:
    import torch

    return torch.zeros(2, 32, dtype=torch.long)


def _torchvision(name: str) -> Model:
    def build() -> tuple[Any, Any]:
        import torchvision

        return torchvision.models.get_model(name), _image(64)

    return build


def _timm(name: str, size: int, **keywords: Any) -> Model:
    def build() -> tuple[Any, Any]:
        import timm

        return timm.create_model(name, **keywords), _image(size)

    return build


def _densenet() -> tuple[Any, Any]:
    import torchvision

    return torchvision.models.DenseNet(block_config=(3, 3, 3, 3)), _image(64)


def _bert() -> tuple[Any, Any]:
    import transformers

    config = transformers.BertConfig(
        hidden_size=64, num_hidden_layers=4, num_attention_heads=4, intermediate_size=256, vocab_size=1000
    )  # fmt: skip
    return transformers.BertModel(config), _tokens()


def _llama() -> tuple[Any, Any]:
    from characterize.models.networks.transformer_decoder import TransformerDecoder

    network = TransformerDecoder(
        layers=4, hidden=64, heads=4, kv_heads=4, intermediate=172, vocab=1000, logits="all"
    )
    return network, _tokens()


MODELS: Final[dict[str, Model]] = {
    "resnet18": _torchvision("resnet18"),
    "vgg11": _torchvision("vgg11"),
    "densenet, 4 x 3 layers": _densenet,
    "mobilenet_v3_small": _torchvision("mobilenet_v3_small"),
    "efficientnet_b0": _torchvision("efficientnet_b0"),
    "convnext_atto": _timm("convnext_atto", 64),
    "vit_tiny, 4 layers": _timm("vit_tiny_patch16_224", 64, img_size=64, depth=4),
    "swin_tiny, 2 + 2 blocks": _timm(
        "swin_tiny_patch4_window7_224",
        56,
        img_size=56,
        depths=(2, 2),
        num_heads=(3, 6),
        embed_dim=48,
    ),
    "bert, 4 layers": _bert,
    "transformer_decoder, 4 layers": _llama,
}


def inductor(model: Any, example: Any, *, freezing: bool) -> Made:
    """What Inductor makes of a model on CPU."""
    import torch
    import torch._inductor.config as config
    from torch._dynamo.exc import BackendCompilerFailed
    from torch._inductor.graph import GraphLowering

    kernels: list[str] = []
    sources: list[str] = []

    def note(nodes: list[Any]) -> list[Any]:
        kernels.extend(filter(None, map(_describe, nodes)))
        return nodes

    def stop(source: str) -> None:
        sources.append(source)
        raise _WrittenError

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
            compiled: Any = torch.compile(model, fullgraph=True)
            compiled(example)
        except (BackendCompilerFailed, _WrittenError):
            if not sources:
                raise
        finally:
            GraphLowering.save_output_code = None
    return Made(kernels, _functions(sources[0]))


def _describe(node: Any) -> str:
    """``call convolution`` or ``loop add relu``, from a node of the schedule; nothing for none."""
    from torch._inductor.ir import MultiOutput, MutationOutput
    from torch._inductor.scheduler import ExternKernelSchedulerNode, NopKernelSchedulerNode

    parts = node.get_nodes()
    no_kernel = isinstance(node, NopKernelSchedulerNode)
    if no_kernel or isinstance(parts[0].node, MultiOutput | MutationOutput):
        return ""  # a name for a part of a buffer, or for one of a call's results
    names = dict.fromkeys(
        str(getattr(origin.target, "__name__", origin.target)).split(".")[0]
        for part in parts
        for origin in sorted(part.node.origins, key=str)
    )
    kind = "call" if isinstance(node, ExternKernelSchedulerNode) else "loop"
    return f"{kind} {' '.join(names)}"


_CALL: Final = re.compile(
    r"^\s+(?:\w+ = )?(?:cpp_fused_\w+|extern_kernels\.\w+|torch\.ops\.[\w.]+)\(", re.MULTILINE
)


def _functions(source: str) -> int:
    """Calls of generated functions and of libraries in the body that runs the network."""
    return len(_CALL.findall(source[source.index("def call(") :]))


def _built(name: str) -> tuple[Any, Any, Graph]:
    """A model with weights, its example input, and our trace of it."""
    import torch

    torch.manual_seed(0)
    model, example = MODELS[name]()
    model.eval()
    return model, example, trace(model, example)


def measure(name: str) -> Row:
    """Everything about one model."""
    model, example, graph = _built(name)
    return Row(
        model=name,
        operators=len(graph.operators),
        plain=len(fuse(graph, epilogues=False).kernels),
        default=inductor(model, example, freezing=False),
        compiled=len(fuse(graph).kernels),
        frozen=inductor(model, example, freezing=True),
    )


def table(rows: list[Row]) -> str:
    """The result as a Markdown page."""
    import torch

    lines = [
        "# Kernels: ours and TorchInductor's",
        "",
        f"`python -m benchmarks.inductor_kernels`, torch {torch.__version__}, {platform.machine()}.",
        "",
        "| model | operators | ours, no epilogues | Inductor | ratio "
        "| ours, `compiled` | Inductor, frozen | ratio | functions | functions, frozen |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    ratios: tuple[list[float], list[float]] = ([], [])
    for row in rows:
        default, frozen = len(row.default.kernels), len(row.frozen.kernels)
        ratios[0].append(row.plain / default)
        ratios[1].append(row.compiled / frozen)
        lines.append(
            f"| {row.model} | {row.operators} | {row.plain} | {default} | {ratios[0][-1]:.2f} "
            f"| {row.compiled} | {frozen} | {ratios[1][-1]:.2f} "
            f"| {row.default.functions} | {row.frozen.functions} |"
        )
    medians = [statistics.median(column) for column in ratios]
    lines.append(f"| *median* | | | | *{medians[0]:.2f}* | | | *{medians[1]:.2f}* | | |")
    return "\n".join(lines) + "\n"


def _list(name: str) -> None:
    """Print both sides of one model, kernel by kernel."""
    model, example, graph = _built(name)
    for freezing in (False, True):
        ours = fuse(graph, epilogues=freezing).kernels
        theirs = inductor(model, example, freezing=freezing).kernels
        print(f"\n{name}: ours, {len(ours)}, {'with' if freezing else 'without'} epilogues")
        print(*(f"  {k.pattern} ({k.name}): {k.reason}" for k in ours), sep="\n")
        print(f"{name}: Inductor, {len(theirs)}{', frozen' if freezing else ''}")
        print(*(f"  {text}" for text in theirs), sep="\n")


def main() -> None:
    """Measure, and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "models", nargs="*", help="names of the ten, or a part of them; default all"
    )
    parser.add_argument("--list", action="store_true", help="print the kernels and write nothing")
    options = parser.parse_args()
    os.environ.setdefault("TORCHDYNAMO_VERBOSE", "0")
    wanted = [n for n in MODELS if not options.models or any(part in n for part in options.models)]
    if options.list:
        for name in wanted:
            _list(name)
        return
    rows = []
    for name in wanted:
        rows.append(measure(name))
        print(
            rows[-1].model, len(rows[-1].default.kernels), len(rows[-1].frozen.kernels), flush=True
        )
    page = table(rows)
    print(page)
    if not options.models:
        RESULTS.write_text(page)


if __name__ == "__main__":
    main()

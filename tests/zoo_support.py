"""Zoo libraries for tests: imported where installed, else the test is skipped with a message.

A torchvision that was built for another PyTorch (its wheel expects CUDA, the machine has only the CPU
build) cannot load its own operators and refuses to import. No model that the tests build calls them,
so they are declared here, by name only, and the import is tried again.
"""

from __future__ import annotations

import importlib
import sys
from functools import cache
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

_TAKES_ONE_TENSOR = "(Tensor input) -> Tensor"
_OPERATORS = (
    "nms", "qnms", "roi_align", "_roi_align_backward", "qroi_align", "roi_pool", "_roi_pool_backward",
    "ps_roi_align", "_ps_roi_align_backward", "ps_roi_pool", "_ps_roi_pool_backward",
    "deform_conv2d", "_deform_conv2d_backward",
)  # fmt: skip
_kept: list[Any] = []


@cache
def torchvision_imports() -> bool:
    """Whether torchvision can be imported, its operators declared by us if need be."""
    try:
        importlib.import_module("torchvision")
    except ImportError:
        return False
    except RuntimeError:
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "FRAGMENT")
        for operator in _OPERATORS:
            library.define(f"{operator}{_TAKES_ONE_TENSOR}")
        _kept.append(library)  # the operators live as long as it does
        importlib.import_module("torchvision")
    return True


def need(library: str) -> None:
    """Skip the test where this zoo library is not installed."""
    if library in {"torchvision", "timm"} and not torchvision_imports():
        pytest.skip(f"torchvision is not installed: no models of {library} to hold ours against")
    pytest.importorskip(
        library, reason=f"{library} is not installed: no models to hold ours against"
    )


def macs_and_parameters(module: torch.nn.Module, inputs: Any) -> tuple[int, int]:
    """What PyTorch's own counter finds on meta, and how many parameters there are."""
    with torch.inference_mode(False), torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(**inputs) if isinstance(inputs, dict) else module(*inputs)
    flops = counter.get_total_flops()
    assert flops % 2 == 0, flops
    return flops // 2, sum(parameter.numel() for parameter in module.parameters())

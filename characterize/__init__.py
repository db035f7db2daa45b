"""What a PyTorch network costs on hardware: trace it, fuse it, project it.

    import characterize as ch
    graph = ch.trace("resnet", depth=50, batch=8, input_size=224)
    kernels = ch.fuse(graph, stack="compiled")
    table = ch.project(kernels, hardware=["nvidia_rtx_4090"], precision="fp16").table()

The names in ``__all__`` are the public ones and stay put. Each is imported when it is first used,
so that ``import characterize`` is quick and loads neither NumPy nor PyTorch. No module is named
like one of them (``ch.trace`` lives in ``characterize.tracing``): an import of such a module would
put the module where the function belongs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from characterize.costs import register_formula
    from characterize.errors import CharacterizeError
    from characterize.fusion import fuse
    from characterize.projection import project
    from characterize.questions import cheapest, frontier, optimize, sensitivities
    from characterize.sweeping import sweep, sweep_models
    from characterize.tracing import trace

__version__ = "0.1.0"

__all__ = [
    "CharacterizeError",
    "__version__",
    "cheapest",
    "frontier",
    "fuse",
    "optimize",
    "project",
    "register_formula",
    "sensitivities",
    "sweep",
    "sweep_models",
    "trace",
]

_HOMES: Final = {
    "CharacterizeError": ("characterize.errors", "CharacterizeError"),
    "cheapest": ("characterize.questions", "cheapest"),
    "frontier": ("characterize.questions", "frontier"),
    "fuse": ("characterize.fusion", "fuse"),
    "optimize": ("characterize.questions", "optimize"),
    "project": ("characterize.projection", "project"),
    "register_formula": ("characterize.costs", "register_formula"),
    "sensitivities": ("characterize.questions", "sensitivities"),
    "sweep": ("characterize.sweeping", "sweep"),
    "sweep_models": ("characterize.sweeping", "sweep_models"),
    "trace": ("characterize.tracing", "trace"),
}


def __getattr__(name: str) -> Any:
    """A public name, imported from its home when it is first asked for."""
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    module, attribute = _HOMES[name]
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted({*globals(), *__all__})

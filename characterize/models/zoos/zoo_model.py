"""The record of a zoo model, and how its library is found."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from characterize.errors import MissingExtraError
from characterize.models.definition import Model, make_inputs

if TYPE_CHECKING:
    import torch


def installed_version(library: str) -> str:
    """The version of an installed library, without importing it.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        msg = (
            f"Models of {library} were asked for and {library} is not installed; "
            f"install it with: pip install 'characterize[{library}]'"
        )
        raise MissingExtraError(msg) from None


def imported(library: str, module: str = "") -> Any:
    """A library, or a module of it.

    Raises:
        MissingExtraError: it is not installed, or does not work beside the installed PyTorch.
    """
    version = installed_version(library)
    try:
        return importlib.import_module(module or library)
    except (ImportError, RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        msg = (
            f"{library} {version} is installed but cannot be imported beside this PyTorch ({reason}); "
            f"install a matching one with: pip install 'characterize[{library}]'"
        )
        raise MissingExtraError(msg) from error


@dataclass(frozen=True, kw_only=True)
class ZooModel(Model):
    """A model of an installed library.

    ``version`` names the library's version and is part of the store's keys. ``make`` builds the
    module from the parameters; ``keywords`` says that inputs are passed by name. No parameter is
    symbolic: the code is not ours.
    """

    version: str
    make: Callable[..., torch.nn.Module]
    keywords: bool = False

    def build(self, *, device: str = "meta", **values: Any) -> torch.nn.Module:
        """The model in evaluation mode with random weights, by default on ``meta`` without any."""
        import torch  # only building needs it

        with torch.device(device):
            return self.make(**{**self.defaults, **values}).eval()

    def inputs(
        self, *, batch: Any = 1, device: str = "meta", **values: Any
    ) -> tuple[torch.Tensor, ...] | dict[str, torch.Tensor]:
        """Example inputs for ``batch`` samples: positional ones, or a dict of those by name."""
        specs = self.input_specs(batch=batch, **{**self.defaults, **values})
        tensors = make_inputs(specs, device)
        if self.keywords:
            return {spec.name: tensor for spec, tensor in zip(specs, tensors, strict=True)}
        return tensors

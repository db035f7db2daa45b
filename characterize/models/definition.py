"""A family: a network with parameters, described without torch and built with it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from characterize.errors import InvalidValueError, unknown
from characterize.models.parameters import Parameter

if TYPE_CHECKING:
    import torch

__all__ = [
    "Family",
    "Model",
    "Rule",
    "TensorSpec",
    "image",
    "make_inputs",
    "multiple_of",
    "resolve",
    "tokens",
]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input tensor: its name, shape and element type."""

    name: str
    shape: tuple[Any, ...]
    dtype: str = "float32"


def image(batch: Any, input_size: Any, channels: Any = 3) -> TensorSpec:
    """A batch of square images ``[batch, channels, size, size]``."""
    return TensorSpec("image", (batch, channels, input_size, input_size))


def tokens(batch: Any, sequence: Any, name: str = "tokens") -> TensorSpec:
    """A batch of token sequences ``[batch, sequence]``."""
    return TensorSpec(name, (batch, sequence), "int64")


def make_inputs(specs: tuple[TensorSpec, ...], device: str) -> tuple[torch.Tensor, ...]:
    """Tensors of these shapes: without data on ``meta``, elsewhere noise and zero indices."""
    import torch  # only building needs it

    def make(spec: TensorSpec) -> torch.Tensor:
        dtype = getattr(torch, spec.dtype)
        if device == "meta":
            return torch.empty(spec.shape, dtype=dtype, device=device)
        if dtype.is_floating_point:
            return torch.rand(spec.shape, dtype=dtype, device=device)
        return torch.zeros(spec.shape, dtype=dtype, device=device)

    return tuple(make(spec) for spec in specs)


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition that several parameters meet together.

    ``holds`` takes the parameters in ``names``, numbers or arrays of them, and answers alike.
    ``explain`` takes the same numbers and says what is wrong and what would be right.
    """

    names: tuple[str, ...]
    holds: Callable[..., Any]
    explain: Callable[..., str]

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """The values of the parameters that this rule is about."""
        return [values[name] for name in self.names]


def multiple_of(name: str, divisor: str) -> Rule:
    """The rule that one parameter is a whole multiple of another."""

    def explain(value: int, unit: int) -> str:
        below = value // unit * unit
        near = f"multiples are {below} and {below + unit}" if below else f"multiple is {unit}"
        return (
            f"{name} must be a multiple of {divisor}; {name}={value} with {divisor}={unit} was asked, "
            f"the nearest {near}."
        )

    return Rule((name, divisor), lambda value, unit: value % unit == 0, explain)


def resolve(
    owner: str, parameters: tuple[Parameter, ...], values: Mapping[str, Any]
) -> dict[str, Any]:
    """Every parameter's value, the default where none is given, each checked by itself.

    Raises:
        UnknownNameError: ``values`` names a parameter that there is not.
        InvalidValueError: a value outside its range.
    """
    known = {parameter.name for parameter in parameters}
    for name in values:
        if name not in known:
            raise unknown(f"parameter of {owner}", name, known)
    return {p.name: p.resolve(values.get(p.name, p.default), owner) for p in parameters}


@dataclass(frozen=True, kw_only=True)
class Model:
    """What a family and a zoo model have in common: parameters, rules over them, inputs."""

    name: str
    title: str
    summary: str
    parameters: tuple[Parameter, ...]
    input_specs: Callable[..., tuple[TensorSpec, ...]]
    rules: tuple[Rule, ...] = ()

    @property
    def defaults(self) -> dict[str, Any]:
        """Every parameter at its default."""
        return {parameter.name: parameter.default for parameter in self.parameters}

    @property
    def symbolic(self) -> tuple[str, ...]:
        """Names of the parameters that can stay symbols in a trace."""
        return tuple(parameter.name for parameter in self.parameters if parameter.symbolic)

    def parameter(self, name: str) -> Parameter:
        """One parameter by name."""
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        raise unknown(f"parameter of {self.name}", name, self.defaults)

    def check(self, **values: Any) -> dict[str, Any]:
        """The full set of parameter values: defaults filled in, text parsed, ranges and rules met.

        Raises:
            UnknownNameError: no such parameter, or no such choice.
            InvalidValueError: a value outside its range, or values that do not go together.
        """
        resolved = resolve(self.name, self.parameters, values)
        for rule in self.rules:
            arguments = rule.arguments(resolved)
            if not rule.holds(*arguments):
                msg = f"{self.name}: {rule.explain(*arguments)}"
                raise InvalidValueError(msg)
        return resolved


@dataclass(frozen=True, kw_only=True)
class Family(Model):
    """A parametric network of our own.

    ``network`` names its class, ``module:Class`` in :mod:`characterize.models.networks`; the module is
    imported, and torch with it, when the family is first built. ``version`` is part of the store's
    keys: it is bumped whenever the architecture changes for unchanged parameters.
    """

    network: str
    version: int = 1

    def holds(self, values: Mapping[str, Any]) -> Any:
        """Whether configurations meet ranges and rules: a bool, or an array where values are.

        Choices and flags are taken as they are; parameters that are left out have their default.
        """
        import numpy as np  # only sweeps ask for whole columns

        full = {**self.defaults, **values}
        result: Any = True
        for parameter in self.parameters:
            if parameter.low is not None and parameter.high is not None:
                asked = full[parameter.name]
                # rules are about values in range: they may divide by one
                full[parameter.name] = np.clip(asked, parameter.low, parameter.high)
                result = result & (full[parameter.name] == asked)
        for rule in self.rules:
            result = result & rule.holds(*rule.arguments(full))
        return result

    def build(self, *, device: str = "meta", **values: Any) -> torch.nn.Module:
        """The network in evaluation mode, by default on ``meta``, where weights take no memory.

        ``values`` are checked already, or symbolic integers; what is left out has its default.
        """
        import torch  # only building needs it

        home, _, kind = self.network.partition(":")
        make = getattr(importlib.import_module(f"characterize.models.networks.{home}"), kind)
        with torch.device(device):
            network: torch.nn.Module = make(**{**self.defaults, **values})
        return network.eval()

    def inputs(
        self, *, batch: Any = 1, device: str = "meta", **values: Any
    ) -> tuple[torch.Tensor, ...]:
        """Example inputs for ``batch`` samples, by default tensors without data."""
        return make_inputs(self.input_specs(batch=batch, **{**self.defaults, **values}), device)

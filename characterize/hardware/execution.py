"""Execution models: how an architecture turns kernels into seconds and joules.

A model is a function ``(columns, profile, precision, stack) -> KernelEstimate`` over whole arrays,
registered under the name that profiles use. Its module is imported when it is first needed, so
that listing hardware costs neither NumPy nor a model.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from characterize import errors
from characterize.hardware.record import Profile
from characterize.records import Architecture, Precision, Stack

if TYPE_CHECKING:  # columns are NumPy arrays
    from characterize.columns import KernelColumns, KernelEstimate

    ExecutionModel = Callable[[KernelColumns, Profile, Precision, Stack], KernelEstimate]

HOMES: Final = MappingProxyType(
    {
        "reference": "characterize.hardware.reference",
        "roofline": "characterize.hardware.roofline",
        "systolic_array": "characterize.hardware.tpu",
        "domain_flow": "characterize.hardware.kpu",
        "edge_cores": "characterize.hardware.edge_cpu",
        "simt_waves": "characterize.hardware.gpu",
        "simd_cores": "characterize.hardware.cpu",
    }
)
"""Name of an execution model -> the module that registers it."""

BY_ARCHITECTURE: Final = MappingProxyType(
    {
        Architecture.CPU: "simd_cores",
        Architecture.GPU: "simt_waves",
        Architecture.TPU: "systolic_array",
        Architecture.KPU: "domain_flow",
    }
)
"""The execution model of an architecture."""

BOARD_FLOPS_PER_S: Final = 0.25e12
"""Below this fp32 peak a processor is taken to be one of a board: ``edge_cores``."""

_MODELS: dict[str, ExecutionModel] = {}
_ALONE: dict[str, Callable[[Profile], bool]] = {}


def usual(architecture: Architecture, fp32_flops_per_s: float | None) -> str:
    """The execution model of a profile that names none."""
    small = fp32_flops_per_s is not None and fp32_flops_per_s < BOARD_FLOPS_PER_S
    if architecture is Architecture.CPU and small:
        return "edge_cores"
    return BY_ARCHITECTURE[architecture]


def execution_model(
    name: str, *, alone: Callable[[Profile], bool] | None = None
) -> Callable[[ExecutionModel], ExecutionModel]:
    """Register an execution model; a second claim on a name is an error.

    ``alone`` says of a device whether a kernel takes there what it takes however often it and the
    others occur; networks of more or fewer equal layers then share estimates.
    """

    def register(model: ExecutionModel) -> ExecutionModel:
        if name in _MODELS:
            message = f"The execution model {name!r} is registered twice."
            raise ValueError(message)
        _MODELS[name] = model
        if alone is not None:
            _ALONE[name] = alone
        return model

    return register


def model(name: str) -> ExecutionModel:
    """The execution model of that name."""
    if (
        name in HOMES
    ):  # also where it is registered: another thread may be in the midst of its module
        importlib.import_module(HOMES[name])
    elif name not in _MODELS:
        raise errors.unknown(what="execution model", asked=name, known=HOMES)
    return _MODELS[name]


def estimate(
    columns: KernelColumns, profile: Profile, precision: Precision | str, stack: Stack | str
) -> KernelEstimate:
    """Latency and dynamic energy of every kernel and configuration on one device, ``[K, N]``.

    Raises:
        UnsupportedError: the device lacks ``precision``.
    """
    wanted = Precision(precision)
    profile.require(wanted)
    found = model(profile.execution_model)
    alone = _ALONE.get(profile.execution_model)
    if alone is None or not alone(profile):
        return found(columns, profile, wanted, Stack(stack)).flat(columns)
    return columns.once(
        ("estimate", profile, profile.title, wanted, stack),
        lambda: found(columns, profile, wanted, Stack(stack)).flat(columns),
    )

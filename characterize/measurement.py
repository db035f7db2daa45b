"""A network run and timed on this machine.

What is timed is one step of a batch: inputs are on the device, gradients are off, a GPU is waited for.
The number formats are those that projections assume: fp16 is autocast over fp32 weights, bf16 has its
weights in that format, tf32 is fp32 with TensorFloat-32 allowed.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from characterize import errors, models
from characterize.records import Precision, Stack
from characterize.subjects import Subject, is_file

if TYPE_CHECKING:
    import torch

FORMATS: Final = ("nhwc", "nchw")
DEVICES: Final = ("cpu", "cuda")
LEAST: Final = 10  # timed steps, however long they take
MOST: Final = 1000
WARM: Final = 3  # steps at least, before any is timed
_WEIGHTS: Final = {Precision.BF16: "bfloat16"}
_RUN: Final = (Precision.FP32, Precision.TF32, Precision.BF16, Precision.FP16)


@dataclass(frozen=True)
class Measured:
    """Times of one step of a batch, in seconds, and how they were had."""

    latency_s: float  # the median
    latency_p10_s: float
    latency_p90_s: float
    samples: int
    warm_ups: int
    threads: int
    device: str  # the processor's or GPU's own name
    framework: str
    memory_format: str  # of images in eager execution; empty where there is no choice


def measure(
    asked: Subject,
    *,
    precision: str = "fp32",
    stack: str | Stack = Stack.EAGER,
    device: str = "cpu",
    memory_format: str = "nhwc",
    threads: int | None = None,
    seconds: float = 3.0,
    progress: Callable[[str], None] | None = None,
) -> Measured:
    """Run a family or zoo model with random weights, and time it.

    Args:
        asked: the network and its batch (see `characterize.subjects.subject`).
        precision: ``fp32``, ``tf32``, ``bf16`` or ``fp16``.
        stack: ``eager`` or ``compiled`` (``torch.compile``, compiled before anything is timed).
        device: ``cpu`` or ``cuda``.
        memory_format: of images in eager execution, ``nhwc`` (channels last) or ``nchw``.
        threads: of a processor; as many as PyTorch takes by itself.
        seconds: how long steps are timed, beyond the least number of them.
        progress: called with a sentence before each long step.

    Raises:
        UnsupportedError: what this machine or PyTorch cannot run: a precision, a stack, a device.
        UnknownNameError: no such device, precision, stack or memory format.
    """
    _check(asked, precision, stack, device, memory_format)
    say = progress or (lambda _text: None)
    import torch

    kind, how = Precision(precision), Stack(stack)
    before = torch.get_num_threads()
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        with _sentences(asked.model), _running(kind, device), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's remarks on its own operators
            say(f"Making {asked.model}")
            module, args, kwargs, form = _made(asked, kind, how, device, memory_format)
            say("Compiling" if how is Stack.COMPILED else "Warming up")
            warm_ups, times = _timed(lambda: module(*args, **kwargs), device, seconds)
        used = torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
    low, middle, high = np.quantile(times, [0.1, 0.5, 0.9])
    return Measured(
        float(middle), float(low), float(high), len(times), warm_ups, used,
        device_name(device), f"pytorch-{torch.__version__}", form,
    )  # fmt: skip


def device_name(device: str) -> str:
    """What the processor or GPU calls itself; nothing where the system does not say."""
    if device == "cuda":
        import torch

        return torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123  # no file to be found by name
            names = [
                line.partition(":")[2].strip() for line in file if line.startswith("model name")
            ]
    except OSError:
        names = []
    import platform

    return names[0] if names else platform.processor()


def _check(
    asked: Subject, precision: str, stack: str | Stack, device: str, memory_format: str
) -> None:
    if is_file(asked.model):
        msg = f"{asked.model!r} is a file; measured are families and zoo models."
        raise errors.UnsupportedError(msg)
    for what, value, known in (
        ("precision", precision, list(Precision)),
        ("stack", str(stack), list(Stack)),
        ("device", device, DEVICES),
        ("memory format", memory_format, FORMATS),
    ):
        if value not in known:
            raise errors.unknown(what, str(value), known)
    if Precision(precision) not in _RUN:
        msg = f"PyTorch runs no network in {precision} here; measured are {', '.join(_RUN)}."
        raise errors.UnsupportedError(msg)
    if Stack(stack) is Stack.ENGINE:
        msg = "An inference engine is not PyTorch; measured are the stacks eager and compiled."
        raise errors.UnsupportedError(msg)
    if device == "cuda":
        import torch

        if not torch.cuda.is_available():
            msg = f"PyTorch {torch.__version__} finds no GPU on this machine."
            raise errors.UnsupportedError(msg)


@contextlib.contextmanager
def _sentences(model: str) -> Iterator[None]:
    """What PyTorch raises while it runs a network, as one sentence."""
    try:
        yield
    except errors.CharacterizeError:
        raise
    except Exception as error:  # a stranger's model may raise anything
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        msg = f"{model} could not be run on this machine: {reason}"
        raise errors.UnsupportedError(msg) from error


@contextlib.contextmanager
def _running(kind: Precision, device: str) -> Iterator[None]:
    """Number formats as projections assume them, and no gradients."""
    import torch

    half = torch.autocast(device, torch.float16, enabled=kind is Precision.FP16)
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = kind is not Precision.FP32
    try:
        with torch.inference_mode(), half:
            yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def _made(
    asked: Subject, kind: Precision, how: Stack, device: str, memory_format: str
) -> tuple[Callable[..., Any], tuple[Any, ...], Mapping[str, Any], str]:
    """The network and its inputs on the device, and the memory format of images."""
    import torch

    model = models.family(asked.family) if asked.family else models.zoo(asked.model)
    module = model.build(device=device, **asked.values).eval()
    with torch.device(device):
        given: Any = model.inputs(batch=asked.batch, device=device, **asked.values)
    kwargs = given if isinstance(given, dict) else {}
    args = () if kwargs else tuple(given)
    if kind in _WEIGHTS:
        dtype = getattr(torch, _WEIGHTS[kind])
        module = module.to(dtype)
        args = tuple(_cast(value, dtype) for value in args)
        kwargs = {name: _cast(value, dtype) for name, value in kwargs.items()}
    form = ""
    if how is Stack.EAGER and any(value.dim() == 4 for value in args):
        form = memory_format
    if form == "nhwc":
        module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # of modules
        args = tuple(_channels_last(value) for value in args)
    run: Callable[..., Any] = torch.compile(module) if how is Stack.COMPILED else module
    return run, args, kwargs, form


def _cast(value: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return value.to(dtype) if value.is_floating_point() else value


def _channels_last(value: torch.Tensor) -> torch.Tensor:
    import torch

    return value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value


def _timed(step: Callable[[], Any], device: str, seconds: float) -> tuple[int, list[float]]:
    """Warm-up steps, and the times of those after them."""

    def once() -> float:
        begun = time.perf_counter()
        step()
        if device == "cuda":
            import torch

            torch.cuda.synchronize()
        return time.perf_counter() - begun

    until = time.perf_counter() + 0.1 * seconds
    warm_ups = 0
    while warm_ups < WARM or (time.perf_counter() < until and warm_ups < MOST):
        once()
        warm_ups += 1
    times: list[float] = []
    until = time.perf_counter() + seconds
    while len(times) < LEAST or (time.perf_counter() < until and len(times) < MOST):
        times.append(once())
    return warm_ups, times

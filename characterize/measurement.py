"""A network run and timed on this machine.

What is timed is one step of a batch: inputs are on the device, gradients are off, a GPU is waited for.
The number formats are those that projections assume: fp16 is autocast over fp32 weights, entered at
every step, so that every step casts them; bf16 has its weights in that format, tf32 is fp32 with
TensorFloat-32 allowed. cuDNN tries its algorithms for every shape (`cudnn.benchmark`), in warm-up steps.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
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
_AHEAD: Final = 6  # steps that the host may be ahead of a GPU
_SETTLING: Final = 2  # samples that batch norms are shown
_TOKENS: Final = 1000  # numbers that random tokens are drawn from
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
    memory_format: str  # of images; empty where there are none
    steady_s: float | None = None  # mean step when none is waited for; of GPUs


@dataclass(frozen=True)
class Prepared:
    """A network ready to run: one step of its batch, and the memory format of its images."""

    step: Callable[[], Any]
    memory_format: str


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
        memory_format: of images, ``nhwc`` (channels last) or ``nchw``.
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
        with _sentences(asked), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch's remarks on its own operators
            say(f"Making {asked.model}")
            torch._dynamo.reset()  # or a ninth network of one class would run uncompiled, in silence
            made = prepared(asked, kind, how, device, memory_format)
            say("Compiling" if how is Stack.COMPILED else "Warming up")
            with running(kind):
                warm_ups, times = _timed(made.step, device, seconds)
                steady_s = _steady(made.step, 0.3 * seconds) if device == "cuda" else None
        used = torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
    low, middle, high = np.quantile(times, [0.1, 0.5, 0.9])
    return Measured(
        float(middle), float(low), float(high), len(times), warm_ups, used,
        device_name(device), f"pytorch-{torch.__version__}", made.memory_format, steady_s,
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
def _sentences(asked: Subject) -> Iterator[None]:
    """What PyTorch raises while it makes and runs a network, as one sentence."""
    import torch

    try:
        yield
    except errors.CharacterizeError:
        raise
    except torch.OutOfMemoryError as error:
        free, total = (each / 2**30 for each in torch.cuda.mem_get_info())
        msg = (
            f"{asked.model} at a batch of {asked.batch} needs more memory than this GPU has: "
            f"{total:.1f} GiB, of which {free:.1f} GiB were free when it asked for more; "
            "measure a smaller batch (--batch) or network."
        )
        raise errors.UnsupportedError(msg) from error
    except Exception as error:  # a stranger's model may raise anything
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        msg = f"{asked.model} could not be run on this machine: {reason}"
        raise errors.UnsupportedError(msg) from error


@contextlib.contextmanager
def running(kind: Precision) -> Iterator[None]:
    """PyTorch as projections assume it: no gradients, a precision's arithmetic, cuDNN's best algorithms."""
    import torch

    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark
    matmul.allow_tf32 = cudnn.allow_tf32 = kind is not Precision.FP32
    cudnn.benchmark = True
    try:
        with torch.inference_mode():
            yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark = before


def built(asked: Subject, device: str) -> torch.nn.Module:
    """The network in fp32 with random weights on the device; its batch norms have seen a batch."""
    model = _model(asked)
    module = model.build(device=device, **asked.values).eval().requires_grad_(False)
    _settled(module, *_inputs(replace(asked, batch=_SETTLING), device))
    return module


def prepared(
    asked: Subject,
    kind: Precision,
    how: Stack,
    device: str,
    memory_format: str,
    module: torch.nn.Module | None = None,
) -> Prepared:
    """The network and its inputs on the device, as a step to call.

    A ``module`` that is given is cast and laid out in place; to be run again in a wider format it
    has to be built again.
    """
    import torch

    module = built(asked, device) if module is None else module
    args, kwargs = _inputs(asked, device)
    if kind in _WEIGHTS:
        dtype = getattr(torch, _WEIGHTS[kind])
        module = module.to(dtype)
        args = tuple(_cast(value, dtype) for value in args)
        kwargs = {name: _cast(value, dtype) for name, value in kwargs.items()}
    first = next(iter((*args, *kwargs.values())))  # a cache after the tokens is no image
    form = memory_format if first.dim() == 4 else ""
    if form:
        order = torch.channels_last if form == "nhwc" else torch.contiguous_format
        module = module.to(memory_format=order)  # type: ignore[call-overload]  # of modules
        args = tuple(_laid_out(value, order) for value in args)
        kwargs = {name: _laid_out(value, order) for name, value in kwargs.items()}
    run: Callable[..., Any] = module
    if how is Stack.COMPILED:
        run = torch.compile(module, dynamic=False)

    def step() -> Any:
        with torch.autocast(device, torch.float16, enabled=kind is Precision.FP16):
            return run(*args, **kwargs)

    return Prepared(step, form)


def _model(asked: Subject) -> models.Family | models.ZooModel:
    return models.family(asked.family) if asked.family else models.zoo(asked.model)


def _inputs(
    asked: Subject, device: str
) -> tuple[tuple[torch.Tensor, ...], dict[str, torch.Tensor]]:
    """Inputs by place and by name: noise, and random tokens."""
    import torch

    given: Any = _model(asked).inputs(batch=asked.batch, device=device, **asked.values)
    tokens = min(_TOKENS, asked.values.get("vocab", _TOKENS))

    def filled(value: torch.Tensor) -> torch.Tensor:
        return value if value.is_floating_point() else torch.randint_like(value, tokens)

    if isinstance(given, dict):
        return (), {name: filled(value) for name, value in given.items()}
    return tuple(filled(value) for value in given), {}


def _settled(
    module: torch.nn.Module, args: tuple[torch.Tensor, ...], kwargs: dict[str, torch.Tensor]
) -> None:
    """Show batch norms one batch, so that activations keep their size and nothing overflows.

    Numbers that overflowed draw less power, and a card at its limit would run faster on them.
    """
    import torch

    norms = [m for m in module.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    if not norms:
        return
    for norm in norms:
        norm.train().momentum = None  # statistics are those of this batch
    with torch.no_grad():
        module(*args, **kwargs)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.eval().momentum = momentum


def _cast(value: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return value.to(dtype) if value.is_floating_point() else value


def _laid_out(value: torch.Tensor, order: torch.memory_format) -> torch.Tensor:
    return value.contiguous(memory_format=order) if value.dim() == 4 else value


def _timed(step: Callable[[], Any], device: str, seconds: float) -> tuple[int, list[float]]:
    """Warm-up steps, and the times of those after them."""

    def once() -> float:
        begun = time.perf_counter()
        step()
        if device == "cuda":
            _wait()
        return time.perf_counter() - begun

    once()  # compiles, and looks for algorithms: no time of warming up
    warm_ups = 1
    until = time.perf_counter() + 0.1 * seconds
    while warm_ups < WARM or (time.perf_counter() < until and warm_ups < MOST):
        once()
        warm_ups += 1
    times: list[float] = []
    until = time.perf_counter() + seconds
    while len(times) < LEAST or (time.perf_counter() < until and len(times) < MOST):
        times.append(once())
    return warm_ups, times


def _steady(step: Callable[[], Any], seconds: float) -> float:
    """Mean time of steps that follow each other: the host works a few steps ahead of the GPU."""
    import torch

    _wait()
    ahead: deque[torch.cuda.Event] = deque()
    begun = time.perf_counter()
    steps = 0
    while steps < LEAST or time.perf_counter() - begun < seconds:
        step()
        steps += 1
        ahead.append(torch.cuda.Event())
        ahead[-1].record()
        if len(ahead) > _AHEAD:
            ahead.popleft().synchronize()
    _wait()
    return (time.perf_counter() - begun) / steps


def _wait() -> None:
    import torch

    torch.cuda.synchronize()

"""Cost formulas against PyTorch: twice our macs are the flops of its own counter on ``meta``."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from characterize import costs
from characterize.records import Cost, Frozen


class Recorder(TorchDispatchMode):
    """The least that a tracer does: work as operators are dispatched, views left out."""

    def __init__(self) -> None:
        super().__init__()
        self.works: list[costs.Work] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        schema = func._schema
        name = schema.name.replace("::", ".")
        if name not in costs.kept_composites():
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        result = func(*args, **kwargs)
        is_view = any(
            r.alias_info is not None and not r.alias_info.is_write for r in schema.returns
        )
        if not is_view:
            names = [argument.name for argument in schema.arguments]
            passed = [*zip(names, args, strict=False), *kwargs.items()]
            self.works.append(work_of(name, passed, tensors_of(result)))
        return result


def tensors_of(argument: Any) -> list[torch.Tensor]:
    """The tensors of an argument or a result."""
    if isinstance(argument, list | tuple):
        return [tensor for item in argument for tensor in tensors_of(item)]
    return [argument] if isinstance(argument, torch.Tensor) else []


def work_of(name: str, passed: list[tuple[str, Any]], outputs: list[torch.Tensor]) -> costs.Work:
    pairs = [(argument, tensor) for argument, given in passed for tensor in tensors_of(given)]
    attributes = {argument: plain(given) for argument, given in passed if not tensors_of(given)}
    return costs.Work(
        name=name,
        inputs=tuple(tuple(tensor.shape) for _, tensor in pairs),
        outputs=tuple(tuple(tensor.shape) for tensor in outputs),
        arguments=tuple(argument for argument, _ in pairs),
        attributes=Frozen(attributes),
        input_dtypes=tuple(str(tensor.dtype).removeprefix("torch.") for _, tensor in pairs),
        output_dtypes=tuple(str(tensor.dtype).removeprefix("torch.") for tensor in outputs),
    )


def plain(given: Any) -> Any:
    if isinstance(given, list | tuple):
        return tuple(plain(item) for item in given)
    return given if isinstance(given, int | float | bool | str | None) else str(given)


def recorded(function: Callable[..., Any], *inputs: torch.Tensor) -> dict[str, list[Cost]]:
    """The costs of a function's operators, by operator."""
    with torch.inference_mode(), Recorder() as recorder:
        function(*inputs)
    found: dict[str, list[Cost]] = {}
    for work in recorder.works:
        found.setdefault(work.name, []).append(costs.cost(work))
    return found


def flops_by_torch(function: Callable[..., Any], *inputs: torch.Tensor) -> int:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        function(*inputs)
    return counter.get_total_flops()


def ones(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.empty(shape, device="meta", dtype=dtype)


def numbers(*shape: int) -> torch.Tensor:
    return ones(*shape, dtype=torch.int64)


def meta(module: Callable[[], nn.Module]) -> nn.Module:
    with torch.device("meta"):
        return module().eval().requires_grad_(False)


Case = tuple[Callable[[], nn.Module], tuple[torch.Tensor, ...]]
PRODUCTS: dict[str, Case] = {
    "conv1d": (lambda: nn.Conv1d(4, 6, 3, stride=2, padding=1), (ones(2, 4, 33),)),
    "conv2d": (lambda: nn.Conv2d(3, 16, 3, padding=1), (ones(32, 3, 64, 64),)),
    "conv2d-1x1": (lambda: nn.Conv2d(8, 5, 1), (ones(2, 8, 9, 9),)),
    "conv2d-stride>size": (lambda: nn.Conv2d(3, 4, 2, stride=5), (ones(2, 3, 17, 13),)),
    "conv2d-dilated": (lambda: nn.Conv2d(3, 4, 3, dilation=3, padding=2), (ones(2, 3, 17, 13),)),
    "conv2d-grouped": (lambda: nn.Conv2d(8, 12, 3, groups=4), (ones(2, 8, 9, 9),)),
    "conv2d-depthwise": (lambda: nn.Conv2d(8, 16, 5, groups=8), (ones(2, 8, 9, 9),)),
    "conv2d-same": (lambda: nn.Conv2d(8, 16, (3, 5), padding="same"), (ones(2, 8, 9, 9),)),
    "conv2d-reflect": (lambda: nn.Conv2d(8, 4, 3, padding=1, padding_mode="reflect"), (ones(2, 8, 9, 9),)),
    "conv2d-unbatched": (lambda: nn.Conv2d(8, 4, 3), (ones(8, 9, 9),)),
    "conv2d-empty": (lambda: nn.Conv2d(8, 4, 3), (ones(0, 8, 9, 9),)),
    "conv3d": (lambda: nn.Conv3d(2, 4, (1, 3, 3), stride=(1, 2, 2)), (ones(1, 2, 4, 9, 9),)),
    "transposed1d": (lambda: nn.ConvTranspose1d(4, 6, 4, stride=2), (ones(2, 4, 11),)),
    "transposed2d": (lambda: nn.ConvTranspose2d(4, 6, 2, stride=2), (ones(2, 4, 11, 7),)),
    "transposed2d-output_padding": (
        lambda: nn.ConvTranspose2d(4, 6, 3, stride=3, output_padding=2, dilation=2), (ones(2, 4, 5, 7),)),
    "transposed2d-grouped": (lambda: nn.ConvTranspose2d(4, 6, 3, groups=2), (ones(2, 4, 5, 7),)),
    "transposed2d-depthwise": (lambda: nn.ConvTranspose2d(6, 6, 3, groups=6), (ones(2, 6, 5, 7),)),
    "transposed3d": (lambda: nn.ConvTranspose3d(4, 2, 2, stride=2), (ones(1, 4, 3, 3, 3),)),
    "linear": (lambda: nn.Linear(7, 5), (ones(2, 3, 7),)),
    "linear-no-bias": (lambda: nn.Linear(7, 5, bias=False), (ones(6, 7),)),
    "linear-empty": (lambda: nn.Linear(7, 5), (ones(0, 7),)),
    "attention": (lambda: nn.MultiheadAttention(16, 4, batch_first=True), (ones(2, 9, 16),) * 3),
    "attention-cross": (
        lambda: nn.MultiheadAttention(16, 4, kdim=8, vdim=12), (ones(9, 2, 16), ones(5, 2, 8), ones(5, 2, 12))),
    "encoder": (lambda: nn.TransformerEncoderLayer(16, 4, 32), (ones(9, 2, 16),)),
    "decoder": (lambda: nn.TransformerDecoderLayer(16, 4, 32), (ones(9, 2, 16), ones(5, 2, 16))),
    "lstm": (lambda: nn.LSTM(6, 5), (ones(7, 3, 6),)),
    "lstm-deep": (
        lambda: nn.LSTM(6, 5, num_layers=3, bidirectional=True, batch_first=True), (ones(7, 3, 6),)),
    "lstm-projected": (lambda: nn.LSTM(6, 5, proj_size=2, bias=False), (ones(7, 3, 6),)),
    "lstm-unbatched": (lambda: nn.LSTM(6, 5), (ones(7, 6),)),
    "gru": (lambda: nn.GRU(6, 5, num_layers=2, bidirectional=True), (ones(7, 3, 6),)),
    "rnn": (lambda: nn.RNN(6, 5), (ones(7, 3, 6),)),
    "rnn-relu": (lambda: nn.RNN(6, 5, nonlinearity="relu"), (ones(7, 3, 6),)),
    "lstm-cell": (lambda: nn.LSTMCell(6, 5), (ones(3, 6),)),
    "gru-cell": (lambda: nn.GRUCell(6, 5), (ones(3, 6),)),
}  # fmt: skip


@pytest.mark.parametrize("name", PRODUCTS)
def test_twice_our_macs_of_a_module_are_torch_s_flops(name):
    build, inputs = PRODUCTS[name]
    module = meta(build)
    found = recorded(module, *inputs)
    assert not [operator for operator, given in found.items() if not all(c.counted for c in given)]
    macs = sum(cost.macs for given in found.values() for cost in given)
    assert 2 * macs == flops_by_torch(module, *inputs)


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        pytest.param(torch.matmul, (ones(4, 5), ones(5, 6)), id="mm"),
        pytest.param(torch.matmul, (ones(2, 3, 4, 5), ones(5, 6)), id="folded"),
        pytest.param(torch.matmul, (ones(2, 1, 4, 5), ones(3, 5, 6)), id="broadcast"),
        pytest.param(torch.addmm, (ones(6), ones(4, 5), ones(5, 6)), id="addmm"),
        pytest.param(torch.baddbmm, (ones(2, 4, 6), ones(2, 4, 5), ones(2, 5, 6)), id="baddbmm"),
        pytest.param(lambda a, b: torch.einsum("bchw,bdhw->bcd", a, b), (ones(2, 3, 4, 5), ones(2, 6, 4, 5)), id="einsum"),
        pytest.param(lambda a, b: torch.einsum("bhid,bhjd->bhij", a, b), (ones(2, 3, 4, 5), ones(2, 3, 6, 5)), id="einsum-heads"),
        pytest.param(F.scaled_dot_product_attention, (ones(2, 3, 7, 8), ones(2, 3, 9, 8), ones(2, 3, 9, 5)), id="sdpa"),
        pytest.param(lambda q, k: F.scaled_dot_product_attention(q, k, k, is_causal=True), (ones(2, 3, 9, 8), ones(2, 3, 9, 8)), id="causal"),
        pytest.param(lambda q, k: F.scaled_dot_product_attention(q, k, k, enable_gqa=True), (ones(2, 6, 9, 8), ones(2, 2, 9, 8)), id="grouped-queries"),
        pytest.param(lambda q, m: F.scaled_dot_product_attention(q, q, q, attn_mask=m), (ones(2, 3, 9, 8), ones(9, 9)), id="masked"),
    ],
)  # fmt: skip
def test_twice_our_macs_of_a_product_are_torch_s_flops(function, inputs):
    macs = sum(cost.macs for given in recorded(function, *inputs).values() for cost in given)
    assert macs > 0
    assert 2 * macs == flops_by_torch(function, *inputs)


IMAGE = ones(2, 8, 12, 12)
COMPLEX_WEIGHT = ones(12, 7, dtype=torch.complex64)
COUNTED: dict[str, tuple[Callable[..., Any], tuple[torch.Tensor, ...]]] = {
    **{
        f"nn.{module.__name__}": (lambda x, module=module: module()(x), (IMAGE,))
        for module in (
            nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.Mish, nn.ELU, nn.SELU, nn.CELU, nn.Hardswish, nn.Hardsigmoid,
            nn.Hardtanh, nn.LeakyReLU, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Softsign, nn.LogSigmoid, nn.Hardshrink,
            nn.Softshrink, nn.Tanhshrink, nn.RReLU, nn.GLU, nn.Softmax2d,
        )
    },
    "prelu": (lambda x, w: F.prelu(x, w), (IMAGE, ones(8))),
    "softmax": (lambda x: F.softmax(x, -1), (IMAGE,)),
    "log_softmax": (lambda x: F.log_softmax(x, -1), (IMAGE,)),
    "batch_norm": (lambda x, w: F.batch_norm(x, w, w, w, w), (IMAGE, ones(8))),
    "batch_norm-training": (lambda x: F.batch_norm(x, None, None, training=True), (IMAGE,)),
    "instance_norm": (F.instance_norm, (IMAGE,)),
    "group_norm": (lambda x: F.group_norm(x, 4), (IMAGE,)),
    "layer_norm": (lambda x: F.layer_norm(x, (12,)), (IMAGE,)),
    "rms_norm": (lambda x: F.rms_norm(x, (12,)), (IMAGE,)),
    "local_response_norm": (lambda x: F.local_response_norm(x, 3), (IMAGE,)),
    "normalize": (F.normalize, (IMAGE,)),
    "weight_norm": (lambda x, g: torch._weight_norm(x, g), (ones(8, 4), ones(8, 1))),
    "max_pool2d": (lambda x: F.max_pool2d(x, 3, 2, 1), (IMAGE,)),
    "max_pool2d-indices": (lambda x: F.max_pool2d(x, 2, return_indices=True), (IMAGE,)),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False), (IMAGE,)),
    "lp_pool2d": (lambda x: F.lp_pool2d(x, 2.0, 2), (IMAGE,)),
    "adaptive_avg_pool2d": (lambda x: F.adaptive_avg_pool2d(x, (5, 1)), (IMAGE,)),
    "adaptive_max_pool2d": (lambda x: F.adaptive_max_pool2d(x, 5), (IMAGE,)),
    "avg_pool1d": (lambda x: F.avg_pool1d(x, 2), (ones(2, 3, 9),)),
    "max_pool1d": (lambda x: F.max_pool1d(x, 2), (ones(2, 3, 9),)),
    "adaptive_avg_pool1d": (lambda x: F.adaptive_avg_pool1d(x, 2), (ones(2, 3, 9),)),
    "nearest": (lambda x: F.interpolate(x, scale_factor=2), (IMAGE,)),
    "bilinear": (lambda x: F.interpolate(x, (7, 30), mode="bilinear"), (IMAGE,)),
    "bilinear-antialias": (lambda x: F.interpolate(x, (5, 5), mode="bilinear", antialias=True), (IMAGE,)),
    "bicubic": (lambda x: F.interpolate(x, scale_factor=1.5, mode="bicubic"), (IMAGE,)),
    "nearest-exact": (lambda x: F.interpolate(x, scale_factor=2, mode="nearest-exact"), (IMAGE,)),
    "grid_sample": (lambda x, g: F.grid_sample(x, g, align_corners=False), (IMAGE, ones(2, 5, 5, 2))),
    "affine_grid": (lambda t: F.affine_grid(t, [2, 3, 4, 4], align_corners=False), (ones(2, 2, 3),)),
    "pad-constant": (lambda x: F.pad(x, (1, 2, 3, 4)), (IMAGE,)),
    "pad-reflect": (lambda x: F.pad(x, (1, 2, 3, 4), mode="reflect"), (IMAGE,)),
    "pad-replicate": (lambda x: F.pad(x, (1, 2, 3, 4), mode="replicate"), (IMAGE,)),
    "pad-circular": (lambda x: F.pad(x, (1, 2, 3, 4), mode="circular"), (IMAGE,)),
    "pixel_shuffle": (lambda x: F.pixel_shuffle(x, 2), (IMAGE,)),
    "pixel_unshuffle": (lambda x: F.pixel_unshuffle(x, 2), (IMAGE,)),
    "channel_shuffle": (lambda x: F.channel_shuffle(x, 2), (IMAGE,)),
    "unfold": (lambda x: F.unfold(x, 3), (IMAGE,)),
    "fold": (lambda x: F.fold(x, (4, 4), 2), (ones(2, 12, 9),)),
    "embedding": (F.embedding, (numbers(2, 5), ones(10, 4))),
    "embedding_bag": (F.embedding_bag, (numbers(2, 5), ones(10, 4))),
    "one_hot": (lambda x: F.one_hot(x, 5), (numbers(2, 5),)),
    "cosine_similarity": (F.cosine_similarity, (IMAGE, IMAGE)),
    "cdist": (torch.cdist, (ones(2, 5, 3), ones(2, 4, 3))),
    "bilinear-form": (lambda a, b, w: F.bilinear(a, b, w), (ones(2, 3), ones(2, 4), ones(5, 3, 4))),
    "advanced-index": (lambda x, i: x[:, i], (IMAGE, numbers(5))),
    "index-write": (lambda x, i: x.index_put((i,), x[i]), (ones(9, 4), numbers(3))),
    "slice-write": (lambda x: x.clone().__setitem__((slice(None), 0), 1.0), (ones(9, 4),)),
    "gather": (lambda x, i: x.gather(1, i), (ones(9, 4), numbers(9, 2))),
    "scatter": (lambda x, i: x.scatter_add(1, i, x[:, :2]), (ones(9, 4), numbers(9, 2))),
    "take_along_dim": (lambda x, i: x.take_along_dim(i, 1), (ones(9, 4), numbers(9, 2))),
    "masks": (lambda x: x.masked_fill(x.triu(1) > 0, float("-inf")).where(x == 0, x.tril()), (ones(9, 9),)),
    "joins": (lambda x: torch.cat([torch.stack([x, x]).sum(0), x.roll(1, -1), x.flip(0)]).repeat(2, 1, 1, 1), (IMAGE,)),
    "casts": (lambda x: x.half().to(torch.float64).type_as(x), (IMAGE,)),
    "sorts": (lambda x: (x.sort(-1), x.argsort(-1), x.topk(3), x.median(-1), x.kthvalue(2)), (IMAGE,)),
    "reductions": (
        lambda x: (x.sum(), x.mean((2, 3)), x.var(-1), x.std(), x.amax(1), x.max(1), x.min(), x.argmax(-1),
                   x.prod(-1), x.norm(), x.logsumexp(1), x.any(), x.all(-1), torch.var_mean(x, -1), x.cumsum(-1)),
        (IMAGE,)),
    "arithmetic": (
        lambda x: (x + 1, 1 - x, x * x, x / 2, x // 2, x % 2, -x, x.abs(), x.sign(), x**2, x**0.5, 2**x, x.sqrt(), x.rsqrt(),
                   x.exp(), x.log(), x.log2(), x.log1p(), x.sin(), x.cos(), x.atan2(x), x.erf(), x.square(),
                   x.reciprocal(), x.floor(), x.round(), x.clamp(0), x.clamp(min=x), x.clamp_max(6), torch.maximum(x, x),
                   x.lerp(x, 0.5), torch.addcmul(x, x, x), x.pow(x), x.expm1(), x.sigmoid(), x.nan_to_num(), x.frac()),
        (IMAGE,)),
    "logic": (
        lambda x: ((x > 0) & (x < 1) | ~(x == 2) ^ (x != 3), x.ge(0).logical_and(x.le(1)).logical_not(), x.isnan(),
                   x.isinf(), torch.isfinite(x), (x.long() << 1) & 3),
        (IMAGE,)),
    "makes": (
        lambda x: (torch.zeros(3, device="meta"), torch.ones_like(x), torch.full((2,), 3.0, device="meta"), x.new_zeros(3),
                   torch.arange(5, device="meta"), torch.linspace(0, 1, 5, device="meta"), torch.eye(3, device="meta"),
                   torch.rand(3, device="meta"), torch.randn_like(x), torch.empty(3, device="meta"),
                   torch.tril_indices(3, 3, device="meta"), torch.bernoulli(x)),
        (IMAGE,)),
    "fourier": (lambda x, w: torch.fft.irfft2(torch.fft.rfft2(x) * w), (IMAGE, COMPLEX_WEIGHT)),
    "fourier-complex": (lambda x: torch.fft.fft(torch.fft.ifft2(x)).real, (IMAGE,)),
    "dropout-off": (lambda x: F.dropout(x, 0.5, training=False), (IMAGE,)),
    "search": (lambda x, b: (torch.bucketize(x, b), torch.searchsorted(b, x)), (IMAGE, ones(9))),
    "repeat_interleave": (lambda x: x.repeat_interleave(2, 1), (IMAGE,)),
    "meshgrid": (lambda x: torch.stack(torch.meshgrid(x, x, indexing="ij")), (ones(5),)),
    "vectors": (lambda m, v: (m @ v, v.dot(v), torch.outer(v, v)), (ones(4, 5), ones(5))),
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTED)
def test_no_operator_of_the_usual_functions_is_uncounted(name):
    function, inputs = COUNTED[name]
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", category=UserWarning
        )  # torch's own, of layout and prototypes
        found = recorded(function, *inputs)
    assert not [operator for operator, given in found.items() if not all(c.counted for c in given)]


def test_a_kept_composite_is_dispatched_whole():
    module = meta(lambda: nn.Sequential(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.ReLU()))
    assert list(recorded(module, IMAGE)) == ["aten.conv2d", "aten.batch_norm", "aten.relu"]


def test_every_aten_name_with_a_formula_is_an_operator_of_torch():
    aten = [n for n in costs.formulas() if n.startswith("aten.")]
    missing = [n for n in aten if not hasattr(torch.ops.aten, n.removeprefix("aten."))]
    assert missing == []

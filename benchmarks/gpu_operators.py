"""The operators that are measured: each a function of a shape that makes tensors and a call.

Every builder takes a shape (a mapping of column names to numbers), a precision and a device, and
returns :class:`Work`. Tensors hold random values: matrix products of zeros draw less power and run at
a higher clock than those of real data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch.nn import functional

Shape = Mapping[str, int]

DTYPES: Final = {
    "fp32": torch.float32,
    "tf32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "fp8": torch.float8_e4m3fn,
    "int8": torch.int8,
}


@dataclass(frozen=True, slots=True)
class Work:
    """A call on tensors, and what it costs at least."""

    function: Callable[..., Any]
    inputs: tuple[torch.Tensor, ...]
    macs: int = 0
    read_bytes: int | None = None

    def __call__(self) -> Any:
        """Make the call once."""
        return self.function(*self.inputs)

    def memory_bytes(self, output: Any) -> int:
        """Bytes of all inputs, read once, and of the output."""
        read = self.read_bytes
        if read is None:
            read = sum(tensor.numel() * tensor.element_size() for tensor in self.inputs)
        return read + sum(o.numel() * o.element_size() for o in _tensors(output))


def _tensors(output: Any) -> list[torch.Tensor]:
    if isinstance(output, torch.Tensor):
        return [output]
    return [tensor for item in output for tensor in _tensors(item)]


@dataclass(frozen=True, slots=True)
class Bench:
    """Where tensors are made: a device and a precision."""

    device: torch.device
    precision: str

    def noise(self, *shape: int, channels_last: bool = False) -> torch.Tensor:
        """Random values of this precision."""
        dtype = DTYPES[self.precision]
        if dtype == torch.int8:
            return torch.randint(-128, 128, shape, dtype=dtype, device=self.device)
        made = torch.float16 if dtype.itemsize < 4 and self.device.type == "cuda" else torch.float32
        tensor = torch.randn(shape, dtype=made, device=self.device).to(dtype)
        return tensor.to(memory_format=torch.channels_last) if channels_last else tensor


def _linear(bench: Bench, s: Shape) -> Work:
    x, weight = bench.noise(s["m"], s["k"]), bench.noise(s["n"], s["k"])
    macs = s["m"] * s["n"] * s["k"]
    if bench.precision == "fp8":
        one = torch.ones((), device=bench.device)
        return Work(lambda a, w: _scaled(a, w, one), (x, weight), macs)
    if bench.precision == "int8":
        return Work(lambda a, w: torch._int_mm(a, w.t()), (x, weight), macs)
    return Work(functional.linear, (x, weight), macs)


def _scaled(x: torch.Tensor, weight: torch.Tensor, one: torch.Tensor) -> Any:
    return torch._scaled_mm(x, weight.t(), scale_a=one, scale_b=one, out_dtype=torch.bfloat16)


def _linear_bias(bench: Bench, s: Shape) -> Work:
    work = _linear(bench, s)
    return Work(functional.linear, (*work.inputs, bench.noise(s["n"])), work.macs)


def _mm(bench: Bench, s: Shape) -> Work:
    a, b = bench.noise(s["m"], s["k"]), bench.noise(s["k"], s["n"])
    return Work(torch.mm, (a, b), s["m"] * s["n"] * s["k"])


def _zeros_linear(bench: Bench, s: Shape) -> Work:
    work = _linear(bench, s)
    return Work(work.function, tuple(torch.zeros_like(t) for t in work.inputs), work.macs)


def _bmm(bench: Bench, s: Shape) -> Work:
    a = bench.noise(s["batch"], s["m"], s["k"])
    b = bench.noise(s["batch"], s["k"], s["n"])
    return Work(torch.bmm, (a, b), s["batch"] * s["m"] * s["n"] * s["k"])


def _bmm_nt(bench: Bench, s: Shape) -> Work:
    a = bench.noise(s["batch"], s["m"], s["k"])
    b = bench.noise(s["batch"], s["n"], s["k"])
    macs = s["batch"] * s["m"] * s["n"] * s["k"]
    return Work(lambda q, k: torch.bmm(q, k.transpose(1, 2)), (a, b), macs)


def _conv2d(bench: Bench, s: Shape, *, bias: bool = False) -> Work:
    last = bool(s.get("channels_last", 0))
    groups = s.get("groups", 1)
    kernel = (s["kernel_h"], s["kernel_w"])
    dilation = s.get("dilation", 1)
    patch = s["stride"] == kernel[0]
    padding = tuple(0 if patch else dilation * (k - 1) // 2 for k in kernel)
    x = bench.noise(s["batch"], s["channels"], s["height"], s["width"], channels_last=last)
    per_group = s["channels"] // groups
    weight = bench.noise(s["out_channels"], per_group, *kernel, channels_last=last)
    extra = (bench.noise(s["out_channels"]),) if bias else ()
    sides = zip((s["height"], s["width"]), kernel, padding, strict=True)
    high, wide = ((z + 2 * p - dilation * (k - 1) - 1) // s["stride"] + 1 for z, k, p in sides)
    macs = s["batch"] * s["out_channels"] * high * wide * per_group * kernel[0] * kernel[1]

    def call(x: torch.Tensor, weight: torch.Tensor, *bias: torch.Tensor) -> torch.Tensor:
        shift = bias[0] if bias else None
        return functional.conv2d(x, weight, shift, s["stride"], padding, dilation, groups)

    return Work(call, (x, weight, *extra), macs)


def _conv2d_bias(bench: Bench, s: Shape) -> Work:
    return _conv2d(bench, s, bias=True)


def _conv_transpose2d(bench: Bench, s: Shape) -> Work:
    last = bool(s.get("channels_last", 0))
    x = bench.noise(s["batch"], s["channels"], s["height"], s["width"], channels_last=last)
    weight = bench.noise(s["channels"], s["out_channels"], s["kernel_h"], s["kernel_w"])
    macs = x.numel() * s["out_channels"] * s["kernel_h"] * s["kernel_w"]

    def call(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return functional.conv_transpose2d(x, weight, stride=s["stride"])

    return Work(call, (x, weight), macs)


def _image_work(function: Callable[..., Any], *, parameters: int = 0) -> Builder:
    def build(bench: Bench, s: Shape) -> Work:
        last = bool(s.get("channels_last", 0))
        x = bench.noise(s["batch"], s["channels"], s["height"], s["width"], channels_last=last)
        vectors = tuple(bench.noise(s["channels"]).abs() for _ in range(parameters))
        return Work(function, (x, *vectors))

    return build


def _flat_work(function: Callable[..., Any], operands: int = 1) -> Builder:
    def build(bench: Bench, s: Shape) -> Work:
        return Work(function, tuple(bench.noise(s["elements"]) for _ in range(operands)))

    return build


def _row_work(function: Callable[..., Any], parameters: int = 0) -> Builder:
    def build(bench: Bench, s: Shape) -> Work:
        vectors = tuple(bench.noise(s["columns"]) for _ in range(parameters))
        return Work(function, (bench.noise(s["rows"], s["columns"]), *vectors))

    return build


def _sdpa(bench: Bench, s: Shape) -> Work:
    heads, kv_heads = s["heads"], s.get("kv_heads", s["heads"])
    query = bench.noise(s["batch"], heads, s["q_len"], s["head_dim"])
    key, value = (bench.noise(s["batch"], kv_heads, s["kv_len"], s["head_dim"]) for _ in range(2))
    masks: tuple[torch.Tensor, ...] = ()
    if s.get("masked", 0):
        masks = (bench.noise(s["batch"], heads, s["q_len"], s["kv_len"]),)
    causal = bool(s.get("causal", 0))
    grouped = heads != kv_heads

    def call(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *mask: torch.Tensor) -> Any:
        bias = mask[0] if mask else None
        return functional.scaled_dot_product_attention(
            q, k, v, attn_mask=bias, is_causal=causal, enable_gqa=grouped
        )

    macs = 2 * s["batch"] * heads * s["q_len"] * s["kv_len"] * s["head_dim"]
    return Work(call, (query, key, value, *masks), macs)


def _embedding(bench: Bench, s: Shape) -> Work:
    table = bench.noise(s["rows"], s["columns"])
    tokens = torch.randint(0, s["rows"], (s["elements"],), device=bench.device)
    read = s["elements"] * (8 + s["columns"] * table.element_size())
    return Work(functional.embedding, (tokens, table), read_bytes=read)


def _gather(bench: Bench, s: Shape) -> Work:
    source = bench.noise(s["rows"], s["columns"])
    picks = torch.randint(0, s["rows"], (s["elements"], s["columns"]), device=bench.device)
    read = picks.numel() * (8 + source.element_size())
    return Work(lambda t, i: torch.gather(t, 0, i), (source, picks), read_bytes=read)


def _lstm(bench: Bench, s: Shape) -> Work:
    net = torch.nn.LSTM(s["channels"], s["columns"], s["rows"], batch_first=True)
    net = net.to(bench.device, DTYPES[bench.precision])
    x = bench.noise(s["batch"], s["q_len"], s["channels"])
    weights = tuple(net.parameters())
    per_token = sum(w.numel() for w in weights if w.dim() == 2)
    return Work(lambda x, *_: net(x)[0], (x, *weights), s["batch"] * s["q_len"] * per_token)


def _layer_norm(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    return functional.layer_norm(x, x.shape[-1:], weight, bias)


def _rms_norm(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return functional.rms_norm(x, x.shape[-1:], weight)


def _heads_forward(x: torch.Tensor) -> torch.Tensor:
    # [b, s, h, d] seen as [b, h, s, d], made contiguous
    return x.permute(0, 2, 1, 3).contiguous()


Builder = Callable[[Bench, Shape], Work]

BUILDERS: Final[Mapping[str, Builder]] = {
    "linear": _linear,
    "linear_bias": _linear_bias,
    "linear_zeros": _zeros_linear,
    "mm": _mm,
    "bmm": _bmm,
    "bmm_nt": _bmm_nt,
    "conv2d": _conv2d,
    "conv2d_bias": _conv2d_bias,
    "conv_transpose2d": _conv_transpose2d,
    "add": _flat_work(torch.add, 2),
    "mul_scalar": _flat_work(lambda x: x * 1.5),
    "relu": _flat_work(torch.relu),
    "relu_": _flat_work(torch.relu_),
    "gelu": _flat_work(functional.gelu),
    "silu": _flat_work(functional.silu),
    "sigmoid": _flat_work(torch.sigmoid),
    "copy": _flat_work(torch.clone),
    "to_fp16": _flat_work(lambda x: x.to(torch.float16)),
    "to_fp32": _flat_work(lambda x: x.to(torch.float32)),
    "sum_all": _flat_work(torch.sum),
    "layer_norm": _row_work(_layer_norm, 2),
    "rms_norm": _row_work(_rms_norm, 1),
    "softmax": _row_work(lambda x: torch.softmax(x, -1)),
    "sum_rows": _row_work(lambda x: x.sum(-1)),
    "sum_columns": _row_work(lambda x: x.sum(0)),
    "mean_rows": _row_work(lambda x: x.mean(-1)),
    "argmax_rows": _row_work(lambda x: x.argmax(-1)),
    "transpose": _row_work(lambda x: x.t().contiguous()),
    "bias_rows": _row_work(torch.add, 1),
    "group_norm": _image_work(lambda x, w, b: functional.group_norm(x, 32, w, b), parameters=2),
    "batch_norm": _image_work(
        lambda x, m, v, w, b: functional.batch_norm(x, m, v, w, b), parameters=4
    ),
    "scale_channels": _image_work(lambda x, s: x * s[:, None, None], parameters=1),
    "max_pool2d": _image_work(lambda x: functional.max_pool2d(x, 3, 2, 1)),
    "avg_pool2d": _image_work(lambda x: functional.avg_pool2d(x, 2)),
    "mean_hw": _image_work(lambda x: x.mean((2, 3))),
    "upsample_nearest": _image_work(lambda x: functional.interpolate(x, scale_factor=2.0)),
    "upsample_bilinear": _image_work(
        lambda x: functional.interpolate(x, scale_factor=2.0, mode="bilinear")
    ),
    "to_channels_last": _image_work(lambda x: x.contiguous(memory_format=torch.channels_last)),
    "to_contiguous": _image_work(lambda x: x.contiguous(memory_format=torch.contiguous_format)),
    "cat_channels": _image_work(lambda x: torch.cat((x, x), 1)),
    # [b, s, h, d]: the columns are batch, channels = s, height = h, width = d
    "permute_heads": _image_work(_heads_forward),
    "sdpa": _sdpa,
    "embedding": _embedding,
    "gather": _gather,
    "lstm": _lstm,
}

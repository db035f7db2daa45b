"""Which operators are measured at which shapes: the sizes of real networks, sweeps and odd ones.

A sweep varies one size at a time across a mechanism (waves of tiles, depth of the sum, the edge of
the cache); a seeded random set between the sweeps is there to judge what was fitted on them.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Final


@dataclass(frozen=True, slots=True)
class Case:
    """One operator at one shape. ``cold``: no call finds its operands in the cache."""

    operator: str
    precision: str
    shape: Mapping[str, int] = field(default_factory=dict)
    cold: bool = False
    power: bool = False


def cases() -> list[Case]:
    """Every case, in the order in which they are measured."""
    parts = (_matrix, _matrix_precisions, _batched, _convolutions, _depthwise, _pointwise, _rows)
    made = [case for part in (*parts, _images, _attention, _lookups, _loads) for case in part()]
    return list({_key(case): case for case in made}.values())


def quick_cases() -> list[Case]:
    """A tiny case of every operator and precision, to see that each runs."""

    def size(case: Case) -> int:
        return math.prod(max(number, 1) for number in case.shape.values())

    falling = sorted(cases(), key=size, reverse=True)
    smallest = {(case.operator, case.precision): case for case in falling}
    return [
        replace(case, shape={name: min(number, 64) for name, number in case.shape.items()})
        for case in smallest.values()
    ]


def _key(case: Case) -> tuple[object, ...]:
    return (case.operator, case.precision, tuple(sorted(case.shape.items())), case.cold)


def _gemm(m: int, n: int, k: int) -> dict[str, int]:
    return {"m": m, "n": n, "k": k}


SQUARES: Final = (64, 128, 256, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 16384)
AWKWARD: Final = (1000, 1001, 1004, 1020, 1023, 1025, 2047, 2049, 2056, 4095, 4097, 4104)
SKINNY_M: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
SKINNY_NK: Final = (
    (4096, 4096),
    (11008, 4096),
    (4096, 11008),
    (1000, 2048),
    (768, 768),
    (3072, 768),
)
# Rows of a 1x1 convolution or a linear layer over tokens, in networks at batch 8 to 256.
TALL: Final = (
    (802816, 64, 64), (802816, 256, 64), (802816, 64, 256), (200704, 512, 128), (200704, 128, 512),
    (50176, 1024, 256), (50176, 256, 1024), (12544, 2048, 512), (12544, 512, 2048),
    (50432, 768, 768), (50432, 2304, 768), (50432, 3072, 768), (50432, 768, 3072),
    (50432, 1024, 1024), (50432, 4096, 1024), (12608, 768, 768), (12608, 3072, 768),
    (1576, 768, 768), (1576, 2304, 768), (1576, 3072, 768), (1576, 768, 3072), (197, 768, 768),
    (197, 3072, 768), (8192, 4096, 4096), (8192, 11008, 4096), (2048, 50257, 768), (256, 1000, 768),
)  # fmt: skip


def _matrix() -> Iterator[Case]:
    shapes = [(size, size, size) for size in (*SQUARES, *AWKWARD)]
    shapes += [(m, n, k) for m, (n, k) in product(SKINNY_M, SKINNY_NK)]
    shapes += TALL
    shapes += [(4096, 4096, k) for k in (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 8192, 16384)]
    shapes += [(m, 4096, 4096) for m in range(640, 4096, 192)]  # waves of tiles
    shapes += [(1024, n, 1024) for n in range(960, 1600, 64)]
    shapes += [(512, 512, k) for k in (4096, 16384, 65536)]  # few tiles, long sums
    odd = ((4096, 4095, 4096), (4095, 4096, 4096), (4096, 4096, 4095), (4096, 4096, 4090))
    shapes += [*odd, (4096, 4092, 4096), (50432, 100, 768), (50432, 768, 100), (12544, 33, 65)]
    shapes += list(_random_shapes(70, multiple=8)) + list(_random_shapes(40, multiple=1))
    for shape in shapes:
        yield Case("linear", "fp16", _gemm(*shape))
    for m, (n, k) in product((1, 8, 32, 128), SKINNY_NK):
        yield Case("linear", "fp16", _gemm(m, n, k), cold=True)
    for shape in ((1024,) * 3, (4096,) * 3, (50432, 3072, 768), (1576, 768, 768)):
        yield Case("linear_bias", "fp16", _gemm(*shape))
        yield Case("mm", "fp16", _gemm(*shape))


def _random_shapes(count: int, multiple: int) -> Iterator[tuple[int, int, int]]:
    draw = random.Random(20 + multiple)
    while count:
        m, n, k = (
            max(multiple, round(2 ** draw.uniform(4, high)) // multiple * multiple)
            for high in (17, 14, 14)
        )
        if 2e6 < m * n * k < 2e12 and m * n < 2**30:
            count -= 1
            yield m, n, k


def _matrix_precisions() -> Iterator[Case]:
    some = [(size,) * 3 for size in (256, 512, 1024, 1536, 2048, 4096, 8192)]
    some += [(4096, 4096, 256), (50432, 3072, 768), (1576, 768, 768), (16, 4096, 4096)]
    some += [(128, 4096, 4096), (8192, 11008, 4096)]
    for shape in some:
        for precision in ("bf16", "tf32", "fp32", "fp8"):
            yield Case("linear", precision, _gemm(*shape))
        if shape[0] > 16:
            yield Case("linear", "int8", _gemm(*shape))
    for size in (1000, 1001, 1023, 4095, 4097, 16384):
        yield Case("linear", "bf16", _gemm(size, size, size))
        if size < 16384:
            yield Case("linear", "tf32", _gemm(size, size, size))
            yield Case("linear", "fp32", _gemm(size, size, size))


def _batched() -> Iterator[Case]:
    for batch, length, depth in product((12, 96, 768), (49, 64, 197, 256, 512, 1024), (32, 64)):
        if batch * length * length > 2**29:
            continue
        if depth == 64 or length <= 64:
            scores = {"batch": batch, "m": length, "n": length, "k": depth}
            yield Case("bmm_nt", "fp16", scores)
            yield Case("bmm", "fp16", {"batch": batch, "m": length, "n": depth, "k": length})
    for batch, size in (
        (16, 64),
        (16, 128),
        (16, 256),
        (16, 512),
        (16, 1024),
        (64, 512),
        (4, 4096),
    ):
        yield Case("bmm", "fp16", {"batch": batch, "m": size, "n": size, "k": size})


def _conv(
    batch: int, c: int, size: int, out: int, k: int, stride: int = 1, **more: int
) -> dict[str, int]:
    shape = {"batch": batch, "channels": c, "height": size, "width": size, "out_channels": out}
    return {**shape, "kernel_h": k, "kernel_w": k, "stride": stride, **more}


# channels, size, out channels, kernel, stride
DENSE: Final = (
    (3, 224, 64, 7, 2), (3, 224, 32, 3, 2), (3, 224, 64, 3, 1), (3, 224, 96, 4, 4), (3, 224, 768, 16, 16),
    (3, 224, 768, 32, 32),
    (64, 56, 64, 3, 1), (128, 28, 128, 3, 1), (256, 14, 256, 3, 1), (512, 7, 512, 3, 1),
    (64, 56, 128, 3, 2), (128, 56, 128, 3, 2), (256, 28, 256, 3, 2), (512, 14, 512, 3, 2),
    (64, 224, 64, 3, 1), (128, 112, 128, 3, 1), (256, 56, 256, 3, 1), (512, 28, 512, 3, 1),
    (96, 56, 192, 2, 2), (384, 14, 768, 2, 2),
    (64, 56, 64, 1, 1), (64, 56, 256, 1, 1), (256, 56, 64, 1, 1), (256, 56, 512, 1, 2),
    (512, 28, 128, 1, 1), (128, 28, 512, 1, 1), (256, 14, 1024, 1, 1), (1024, 14, 256, 1, 1),
    (512, 7, 2048, 1, 1), (2048, 7, 512, 1, 1), (1024, 14, 2048, 1, 2),
    (16, 112, 96, 1, 1), (96, 56, 24, 1, 1), (24, 56, 144, 1, 1), (192, 28, 32, 1, 1),
    (64, 14, 384, 1, 1), (576, 14, 96, 1, 1), (160, 7, 960, 1, 1), (320, 7, 1280, 1, 1),
    (60, 28, 60, 3, 1), (33, 28, 65, 3, 1), (127, 28, 129, 3, 1), (100, 28, 50, 1, 1), (4, 56, 64, 3, 1),
)  # fmt: skip
GROUPED: Final = (
    (128, 56, 128, 3, 1, 32), (256, 28, 256, 3, 1, 32), (512, 14, 512, 3, 1, 32), (1024, 7, 1024, 3, 1, 32),
    (224, 56, 224, 3, 1, 2), (448, 28, 448, 3, 1, 4), (1232, 14, 1232, 3, 1, 11), (3024, 7, 3024, 3, 1, 27),
    (192, 28, 192, 3, 1, 8), (256, 28, 256, 3, 1, 2), (240, 28, 240, 1, 1, 3),
)  # fmt: skip


def _convolutions() -> Iterator[Case]:
    for (c, size, out, k, stride), batch, last in product(DENSE, (8, 64, 256), (0, 1)):
        if batch * max(c, out) * size * size > 2**30 or (batch == 8 and k == 1 and c > 256):
            continue
        yield Case("conv2d", "fp16", _conv(batch, c, size, out, k, stride, channels_last=last))
    for (c, size, out, k, stride, groups), batch, last in product(GROUPED, (8, 128), (0, 1)):
        shape = _conv(batch, c, size, out, k, stride, groups=groups, channels_last=last)
        yield Case("conv2d", "fp16", shape)
    for (c, size, out, k, stride), last in product(DENSE[6:36:5], (0, 1)):
        shape = _conv(64, c, size, out, k, stride, channels_last=last)
        yield Case("conv2d_bias", "fp16", shape)
        for precision in ("bf16", "tf32", "fp32"):
            yield Case("conv2d", precision, shape)
    for c, size, out, k, stride in DENSE[6:32:3]:  # one image: weights and launch decide
        shape = _conv(1, c, size, out, k, stride, channels_last=1)
        yield Case("conv2d", "fp16", shape)
        yield Case("conv2d", "fp16", shape, cold=True)
    for last, dilation in product((0, 1), (2, 4)):
        shape = _conv(32, 256, 28, 256, 3, 1, dilation=dilation, channels_last=last)
        yield Case("conv2d", "fp16", shape)
    for last, (c, size) in product((0, 1), ((1024, 14), (256, 56), (128, 112))):
        shape = _conv(16, c, size, c // 2, 2, 2, channels_last=last)
        yield Case("conv_transpose2d", "fp16", shape)


def _depthwise() -> Iterator[Case]:
    sizes = ((32, 112), (96, 56), (192, 28), (384, 14), (768, 7), (960, 7))
    for (c, size), k, batch, last in product(sizes, (3, 5, 7, 9), (8, 128), (0, 1)):
        if c == 960 and k > 5:
            continue
        yield Case("conv2d", "fp16", _conv(batch, c, size, c, k, 1, groups=c, channels_last=last))
    for (c, size), k, last in product(((96, 112), (144, 56), (240, 28)), (3, 5), (0, 1)):
        yield Case("conv2d", "fp16", _conv(128, c, size, c, k, 2, groups=c, channels_last=last))
    for (k, width), last in product(((1, 7), (7, 1), (1, 11), (11, 11), (31, 31)), (0, 1)):
        shape = _conv(32, 192, 28, 192, k, 1, groups=192, channels_last=last)
        yield Case("conv2d", "fp16", {**shape, "kernel_w": width})
    for c, last in product((100, 99), (0, 1)):
        yield Case("conv2d", "fp16", _conv(128, c, 28, c, 3, 1, groups=c, channels_last=last))
    for precision, k, last in product(("fp32", "bf16"), (3, 7), (0, 1)):
        shape = _conv(128, 192, 28, 192, k, 1, groups=192, channels_last=last)
        yield Case("conv2d", precision, shape)


def _pointwise() -> Iterator[Case]:
    for name in ("add", "relu", "gelu", "silu", "copy"):
        for power in range(16, 33):
            if power == 32 and name in {"silu", "gelu"}:
                continue
            yield Case(name, "fp16", {"elements": 2**power // 2})
            if 20 <= power <= 26 and name in {"add", "relu", "gelu"}:
                yield Case(name, "fp16", {"elements": 2**power // 2}, cold=True)
    for name in ("relu_", "mul_scalar", "sigmoid", "to_fp32", "sum_all"):
        for power in (18, 22, 24, 26, 28, 30):
            yield Case(name, "fp16", {"elements": 2**power // 2})
    for name, power in product(("add", "gelu", "to_fp16"), (18, 22, 24, 26, 28, 30)):
        yield Case(name, "fp32", {"elements": 2**power // 4})
    for size in (1_000_003, 33_554_431):  # not a whole number of vectors
        yield Case("add", "fp16", {"elements": size})


def _rows() -> Iterator[Case]:
    widths = (96, 192, 384, 768, 1024, 1280, 2048, 4096, 8192)
    for columns, rows in product(widths, (197, 1576, 12608, 50432)):
        yield Case("layer_norm", "fp16", {"rows": rows, "columns": columns})
        if columns in {768, 1024, 4096}:
            yield Case("layer_norm", "fp32", {"rows": rows, "columns": columns})
            yield Case("rms_norm", "fp16", {"rows": rows, "columns": columns})
            yield Case("bias_rows", "fp16", {"rows": rows, "columns": columns})
    for columns in (96, 128, 192, 384):
        yield Case("layer_norm", "fp16", {"rows": 802816, "columns": columns})
    for columns, rows in product((49, 64, 197, 256, 512, 1000, 1024, 4096), (1536, 49152)):
        yield Case("softmax", "fp16", {"rows": rows, "columns": columns})
        if columns in {197, 1024}:
            yield Case("softmax", "fp32", {"rows": rows, "columns": columns})
    yield Case("softmax", "fp16", {"rows": 2048, "columns": 50257})
    for name, (rows, columns) in product(
        ("sum_rows", "mean_rows", "argmax_rows", "sum_columns"),
        ((256, 1000), (50432, 768), (1024, 262144), (8192, 8192), (262144, 128)),
    ):
        yield Case(name, "fp16", {"rows": rows, "columns": columns})
    for rows, columns in ((512, 512), (4096, 4096), (16384, 16384), (50432, 768), (1001, 1003)):
        yield Case("transpose", "fp16", {"rows": rows, "columns": columns})


def _images() -> Iterator[Case]:
    names: tuple[str, ...] = (
        "batch_norm",
        "group_norm",
        "scale_channels",
        "max_pool2d",
        "avg_pool2d",
        "mean_hw",
    )
    names += ("upsample_nearest", "upsample_bilinear", "cat_channels")
    for name, (c, size), last in product(names, ((64, 112), (256, 56), (1024, 14)), (0, 1)):
        for batch in (8, 128):
            shape = {"batch": batch, "channels": c, "height": size, "width": size}
            yield Case(name, "fp16", {**shape, "channels_last": last})
    for batch, (c, size) in product((8, 128), ((3, 224), (64, 112), (256, 56), (1024, 14))):
        shape = {"batch": batch, "channels": c, "height": size, "width": size}
        yield Case("to_channels_last", "fp16", shape)
        yield Case("to_contiguous", "fp16", {**shape, "channels_last": 1})
    for batch, length, heads in ((8, 197, 12), (256, 197, 12), (8, 1024, 16), (64, 512, 12)):
        shape = {"batch": batch, "channels": length, "height": heads, "width": 64}
        yield Case("permute_heads", "fp16", shape)


def _attend(batch: int, heads: int, q: int, kv: int, depth: int, **more: int) -> dict[str, int]:
    shape = {"batch": batch, "heads": heads, "q_len": q, "kv_len": kv, "head_dim": depth}
    return {**shape, **more}


def _attention() -> Iterator[Case]:
    for batch, length in product((1, 8, 64, 256), (64, 197, 512, 577, 1024)):
        if batch * length <= 65536:
            yield Case("sdpa", "fp16", _attend(batch, 12, length, length, 64))
    for length, causal in product((256, 512, 1024, 2048, 4096, 8192, 16384), (0, 1)):
        shape = _attend(max(1, 16384 // length), 16, length, length, 128, causal=causal)
        yield Case("sdpa", "bf16", shape)
    for depth in (32, 64, 72, 80, 96, 128, 192, 256):
        yield Case("sdpa", "fp16", _attend(8, 16, 1024, 1024, depth))
    for length in (256, 1024, 4096, 16384):  # one new token
        for batch in (1, 32):
            yield Case("sdpa", "fp16", _attend(batch, 32, 1, length, 128))
            yield Case("sdpa", "fp16", _attend(batch, 32, 1, length, 128, kv_heads=8))
    yield Case("sdpa", "fp16", _attend(4, 32, 2048, 2048, 128, causal=1, kv_heads=8))
    for batch, heads, length in ((512, 3, 49), (16384, 3, 49), (1024, 12, 49), (64, 12, 197)):
        yield Case("sdpa", "fp16", _attend(batch, heads, length, length, 32))
        yield Case("sdpa", "fp16", _attend(batch, heads, length, length, 32, masked=1))
    for length in (512, 1024):
        yield Case("sdpa", "fp32", _attend(8, 12, length, length, 64))


def _lookups() -> Iterator[Case]:
    for tokens, (rows, columns) in product((512, 4096, 32768), ((30522, 768), (128256, 4096))):
        yield Case("embedding", "fp16", {"elements": tokens, "rows": rows, "columns": columns})
    for picks in (1024, 65536):
        yield Case("gather", "fp16", {"elements": picks, "rows": 65536, "columns": 512})
    for batch, steps, width in product((1, 64), (32, 128), (256, 1024)):
        shape = {"batch": batch, "q_len": steps, "channels": width, "columns": width, "rows": 2}
        yield Case("lstm", "fp16", shape)


def _loads() -> Iterator[Case]:
    """The loads whose power is measured; most repeat a shape from above."""
    for precision, size in product(("fp16", "bf16", "fp8", "int8", "tf32", "fp32"), (2048, 8192)):
        yield Case("linear", precision, _gemm(size, size, size), power=True)
    for size in (512, 1024, 4096):
        yield Case("linear", "fp16", _gemm(size, size, size), power=True)
    yield Case("linear_zeros", "fp16", _gemm(8192, 8192, 8192), power=True)
    for sizes in ((1, 4096, 11008), (128, 4096, 4096), (50432, 3072, 768), (802816, 64, 64)):
        yield Case("linear", "fp16", _gemm(*sizes), power=True)
    yield Case("linear", "fp16", _gemm(8, 4096, 11008), cold=True, power=True)
    for name, power in product(("add", "gelu", "copy"), (22, 24, 30)):
        yield Case(name, "fp16", {"elements": 2**power // 2}, power=True)
    yield Case("add", "fp16", {"elements": 2**15}, power=True)
    for (c, size, out, k, stride), last in product((DENSE[6], DENSE[8], DENSE[21]), (0, 1)):
        shape = _conv(256, c, size, out, k, stride, channels_last=last)
        yield Case("conv2d", "fp16", shape, power=True)
    for k, last in product((3, 7), (0, 1)):
        shape = _conv(128, 192, 28, 192, k, 1, groups=192, channels_last=last)
        yield Case("conv2d", "fp16", shape, power=True)
    for columns in (384, 4096):
        yield Case("layer_norm", "fp16", {"rows": 50432, "columns": columns}, power=True)
    yield Case("softmax", "fp16", {"rows": 49152, "columns": 1024}, power=True)
    for length, causal in ((1024, 0), (4096, 1)):
        shape = _attend(16384 // length, 16, length, length, 128, causal=causal)
        yield Case("sdpa", "bf16", shape, power=True)

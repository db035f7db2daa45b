"""Laws that every projection obeys: on every device that we ship, on devices that nobody ships, and
for every execution model.

Networks are families bound from the shipped templates, so that everything between a template and a
row is under the law (casts, lowering, launches, caches, power limits); layers and profiles are drawn
at random besides.
"""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from characterize import features, hardware, projection, session
from characterize.columns import KINDS, Array, KernelColumns
from characterize.hardware import Figure, FigureKind, Profile, gpu_kernels
from characterize.hardware.execution import HOMES
from characterize.records import (
    Architecture,
    Confidence,
    Frozen,
    KernelKind,
    Precision,
    Stack,
)

_K = KernelKind
REAL = hardware.names(include_reference=False)
NETWORKS = ("resnet", "mobilenet", "vit", "transformer_decoder", "lstm")
NORMED = ("resnet", "mobilenet")  # those with batch norms
SLACK = 1 + 1e-9
CACHES = 10.0  # a cache is at most that much faster than memory (bound of `cache_gain`)


@cache
def network(name: str, batch: int, stack: Stack) -> features.Columns:
    """A family at its defaults, from the templates that ship."""
    return session.columns(session.subject(name, {}, batch), stack)


def projected(
    device: Profile, columns: KernelColumns, precision: Precision, stack: Stack
) -> tuple[Array, Array]:
    """Seconds and joules of a network, as a row has them."""
    _, latency, dynamic = projection.totals(columns, device, precision, stack)
    return latency, dynamic + latency * hardware.static_power_w(device)


def stacks(name: str) -> list[Stack]:
    """One stack a device in turn, so that each is tried on a third of all devices."""
    return [list(Stack)[sum(map(ord, name)) % len(Stack)]]


# On every device that we ship


@pytest.mark.parametrize("name", REAL)
def test_no_network_beats_the_datasheet(name):
    device = hardware.load(name)
    for stack in stacks(name):
        for each in NETWORKS:
            columns = network(each, 1, stack).kernels
            for precision in device.precisions:
                latency, energy = projected(device, columns, precision, stack)
                for floor_s in floors_s(device, columns, precision):
                    assert (latency >= floor_s / SLACK).all(), (each, precision, stack)
                assert (energy >= device.idle_w * latency / SLACK).all(), (each, precision, stack)


def floors_s(device: Profile, columns: KernelColumns, precision: Precision) -> list[Array]:
    """Seconds that no network can be faster than: arithmetic, and bytes that have to move."""

    def total(values: Array) -> Array:
        return np.asarray((values * columns.count).sum(axis=0))

    worked = 2.0 * columns.worked_macs + columns.vector_flops
    found = [total(worked) / device.peak(precision)]
    if not device.on_chip_only:  # weights enter the chip at every inference
        weights = total(columns.weight_elements) * precision.bytes
        found.append(weights / device.memory_bytes_per_s)
    cached = device.architecture in (Architecture.CPU, Architecture.GPU)
    on_chip = device.on_chip_bytes_per_s or (np.inf if device.on_chip_only else 0.0)
    fastest = max(device.memory_bytes_per_s * (CACHES if cached else 1.0), on_chip)
    if np.isfinite(fastest):
        found.append(total(columns.memory_bytes(precision)) / fastest)
    return found


MORE = (
    "peak_flops_per_s", "vector_flops_per_s", "memory.bytes_per_s", "link.bytes_per_s",
    "on_chip.bytes_per_s", "on_chip.capacity_bytes", "on_chip.l2_bytes", "on_chip.l3_bytes",
    "units.cores", "units.sms", "units.tiles", "units.arrays", "power.tdp_w",
)  # fmt: skip


def better(device: Profile, key: str, factor: float) -> Profile:
    """A device with more of one thing; more units of the same kind bring their share of the peaks."""
    before = device.value(key)
    changes = {key: type(before)(before * factor)}
    if key.startswith("units."):
        share = changes[key] / before
        changes |= {k: device.value(k) * share for k in device.stated
                    if k.startswith(("peak_flops", "vector_flops")) and device.value(k)}  # fmt: skip
        changes |= {k: int(device.value(k) * share) for k in device.stated
                    if k.startswith(f"{key}_") and device.value(k)}  # fmt: skip
    return device.with_(changes)


def improvable(device: Profile) -> list[str]:
    """The figures of a device that more of is better."""
    return [key for key in device.figures if key.startswith(MORE) and device.value(key)
            and not key.startswith(("units.tiles_", "efficiency"))]  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_more_of_anything_is_never_slower(name):
    device = hardware.load(name)
    for stack in stacks(name):
        precision = device.default_precision
        for each in NETWORKS[:4]:
            columns = network(each, 1, stack).kernels
            before, _ = projected(device, columns, precision, stack)
            for key in improvable(device):
                if key.startswith(("peak", "vector")) and not key.endswith(("32", precision.value)):
                    continue
                after, _ = projected(better(device, key, 2.0), columns, precision, stack)
                assert (after <= before * SLACK).all(), (each, key, stack)


def own_norms(network, precision, stack, name):
    """bf16's batch norms are three kernels: small networks of them take longer in eager, as measured."""
    gpu = hardware.load(name).architecture is Architecture.GPU
    return gpu and stack is Stack.EAGER and precision is Precision.BF16 and network in NORMED


@pytest.mark.parametrize("name", REAL)
def test_a_narrower_format_never_costs_more_and_a_batch_of_two_is_never_faster(name):
    device = hardware.load(name)
    for stack in stacks(name):
        for each in NETWORKS:
            costs = {}
            for precision in device.precisions:
                one = projected(device, network(each, 1, stack).kernels, precision, stack)
                two = projected(device, network(each, 2, stack).kernels, precision, stack)
                for first, second in zip(one, two, strict=True):
                    assert (second >= first / SLACK).all(), (each, precision, stack)
                costs[precision] = one
            for wide, (slow, dear) in costs.items():
                for narrow, (fast, cheap) in costs.items():
                    if own_norms(each, narrow, stack, name):
                        continue
                    if narrow.bytes < wide.bytes:
                        assert (cheap <= dear * SLACK).all(), (each, wide, narrow, stack)
                        assert (fast <= slow * SLACK).all(), (each, wide, narrow, stack)


# On devices that nobody ships: a datasheet drawn at random, layers whose figures go together

MODELS = {
    Architecture.CPU: ("simd_cores", "edge_cores", "roofline"),
    Architecture.GPU: ("simt_waves", "roofline"),
    Architecture.TPU: ("systolic_array", "roofline"),
    Architecture.KPU: ("domain_flow", "roofline"),
}
COUNTS = {
    Architecture.CPU: ("units.cores", "units.simd_bits"),
    Architecture.GPU: ("units.sms",),
    Architecture.TPU: ("units.arrays",),
    Architecture.KPU: ("units.tiles",),
}
FORMATS = st.lists(
    st.sampled_from([Precision.FP32, Precision.BF16, Precision.FP16, Precision.INT8, Precision.INT4]),
    min_size=1, max_size=3, unique=True,
)  # fmt: skip


def decades(low: int, high: int) -> st.SearchStrategy[float]:
    """Positive numbers, every decade as likely as another."""
    return st.floats(low, high).map(lambda exponent: float(10.0**exponent))


@st.composite
def datasheets(draw: st.DrawFn) -> Profile:
    """What a stranger may write: peaks, bandwidth, often a power limit, sometimes a memory on chip."""
    architecture = draw(st.sampled_from(list(Architecture)))
    formats = draw(FORMATS)
    stated = {f"peak_flops_per_s.{each}": draw(decades(9, 15)) for each in formats}
    stated["memory.bytes_per_s"] = draw(decades(8, 13))
    optional = {"power.tdp_w": decades(-1, 3), "on_chip.capacity_bytes": decades(3, 9),
                "memory.capacity_bytes": decades(6, 12)}  # fmt: skip
    optional |= dict.fromkeys(COUNTS[architecture], st.sampled_from([1, 4, 64, 512]))
    if "units.simd_bits" in optional:  # registers come in these widths
        optional["units.simd_bits"] = st.sampled_from([64, 128, 256, 512])
    for key, values in optional.items():
        if draw(st.booleans()):
            stated[key] = draw(values)
    if "on_chip.capacity_bytes" in stated and draw(st.booleans()):
        stated["on_chip.bytes_per_s"] = stated["memory.bytes_per_s"] * draw(st.floats(1.0, 10.0))
    figures = {key: Figure(value, FigureKind.ASSUMED, "drawn") for key, value in stated.items()}
    return Profile(
        "drawn", "Drawn", "nobody", architecture, draw(st.sampled_from(formats)),
        draw(st.sampled_from(MODELS[architecture])), Confidence.DATASHEET, stated=Frozen(figures),
    )  # fmt: skip


PER_SAMPLE = ("macs", "worked_macs", "vector_flops", "m", "input_elements", "output_elements",
              "intermediate_elements", "entering_elements")  # fmt: skip


def product(kind: KernelKind, size: int, entering: int, leaving: int, side: int) -> dict[str, Any]:
    """A convolution or matrix product on ``size`` positions, with a ReLU; depthwise keeps channels."""
    side = 1 if kind in (_K.POINTWISE_CONVOLUTION, _K.LINEAR) else side
    depthwise = kind is _K.DEPTHWISE_CONVOLUTION
    groups = entering if depthwise else 1
    leaving = entering if depthwise else leaving
    n, k = leaving // groups, entering // groups * side * side
    macs = size * n * k * groups
    return {
        "kind": kind, "m": size, "n": n, "k": k, "groups": groups, "kernel_area": side * side,
        "kernel_extent": side, "stride": 1, "macs": macs, "worked_macs": macs,
        "vector_flops": size * leaving, "input_elements": size * entering,
        "output_elements": size * leaving, "weight_elements": n * k * groups, "operators": 2,
    }  # fmt: skip


def loop(kind: KernelKind, size: int, entering: int, leaving: int, side: int) -> dict[str, Any]:
    """A pass over memory without a product."""
    elements = size * entering
    return {"kind": kind, "vector_flops": side * elements, "input_elements": elements,
            "output_elements": elements, "operators": 1, "groups": 0}  # fmt: skip


DIMENSION = st.integers(1, 300)
PRODUCTS = st.sampled_from(
    [_K.CONVOLUTION, _K.POINTWISE_CONVOLUTION, _K.DEPTHWISE_CONVOLUTION, _K.LINEAR]
)
LOOPS = st.sampled_from(
    [_K.ELEMENTWISE, _K.LAYER_NORM, _K.SOFTMAX, _K.POOLING, _K.COPY, _K.GROUP_NORM]
)
SIDE = st.sampled_from([1, 3, 5, 9])
LAYER = st.builds(product, PRODUCTS, DIMENSION, DIMENSION, DIMENSION, SIDE) | st.builds(
    loop, LOOPS, DIMENSION, DIMENSION, DIMENSION, SIDE
)
LAYERS = st.lists(LAYER, min_size=1, max_size=5)
STACK = st.sampled_from(list(Stack))


def columns_of(layers: list[dict[str, Any]], batches: tuple[int, ...] = (1,)) -> KernelColumns:
    """Drawn layers as columns, a configuration a batch."""
    table: dict[str, Any] = {"kind": np.array([KINDS.index(layer["kind"]) for layer in layers])}
    for field in fields(KernelColumns):
        if field.name in ("kind", "lowerings", "grid") or "distance" in field.name:
            continue  # nothing was touched before, nothing is lowered
        default = 1.0 if field.name in ("count", "kernel_area", "stride", "operators") else 0.0
        values = np.array([[float(layer.get(field.name, default))] for layer in layers])
        table[field.name] = values * (np.array([batches]) if field.name in PER_SAMPLE else 1.0)
    table["entering_elements"] = table["input_elements"][:1]
    return KernelColumns(**table)


DRAWN = settings(max_examples=100, deadline=None)


@DRAWN
@given(datasheets(), LAYERS, STACK)
def test_no_drawn_network_beats_a_drawn_datasheet(device, layers, stack):
    columns = columns_of(layers, (1, 2, 64))
    for precision in device.precisions:
        latency, energy = projected(device, columns, precision, stack)
        assert np.isfinite(latency).all()
        assert np.isfinite(energy).all()
        assert (latency > 0).all()
        for floor_s in floors_s(device, columns, precision):
            assert (latency >= floor_s / SLACK).all()
        assert (energy >= device.idle_w * latency / SLACK).all()
        assert (np.diff(latency) >= -1e-9 * latency[1:]).all()
        assert (np.diff(energy) >= -1e-9 * energy[1:]).all()


@DRAWN
@given(datasheets(), LAYERS, STACK, st.floats(1.0, 8.0), st.data())
def test_a_better_drawn_device_is_never_slower(device, layers, stack, factor, data):
    columns = columns_of(layers, (1, 32))
    key = data.draw(st.sampled_from(improvable(device)))
    for precision in device.precisions:
        before, _ = projected(device, columns, precision, stack)
        after, _ = projected(better(device, key, factor), columns, precision, stack)
        assert (after <= before * SLACK).all(), key


@DRAWN
@given(datasheets(), LAYERS, STACK)
def test_a_narrower_format_never_costs_more_on_a_drawn_device(device, layers, stack):
    columns = columns_of(layers, (1, 32))
    costs = {p: projected(device, columns, p, stack) for p in device.precisions}
    for wide, (slow, dear) in costs.items():
        for narrow, (fast, cheap) in costs.items():
            if narrow.bytes < wide.bytes and not _of_another_kind(narrow, wide):
                assert (cheap <= dear * SLACK).all(), (wide, narrow)
                assert (fast <= slow * SLACK).all(), (wide, narrow)


def _of_another_kind(narrow: Precision, wide: Precision) -> bool:
    """Integers do not stand in for floating point: int8 may be slower than fp16 on a datasheet."""
    integers = (Precision.INT16, Precision.INT8, Precision.INT4)
    return (narrow in integers) != (wide in integers)


def test_every_execution_model_is_under_the_laws():
    used = {hardware.load(name).execution_model for name in REAL}
    drawn = {model for models in MODELS.values() for model in models}
    assert used | drawn | {"reference"} == {*HOMES}


# Software stacks on one device

ORDERED: tuple[tuple[str, dict[str, Any], int], ...] = (
    ("conv2d_stack", {"layers": 16, "channels": 256}, 8),
    ("mlp", {"width": 4096}, 64),
    ("mlp_mixer", {}, 8),
    ("resnet", {"depth": 18}, 64),
    ("mobilenet", {}, 1),
    ("efficientnet", {}, 8),
    ("detector", {}, 1),
    ("convnext", {}, 8),
    ("unet", {}, 8),
    ("vit", {}, 64),
    ("swin", {}, 8),
    ("transformer_encoder", {}, 64),
    ("transformer_decoder", {"sequence": 1, "cached_tokens": 2048}, 8),
    ("lstm", {}, 8),
)
"""All families, each at a size where an engine was once slower than a compiler, or at its defaults."""


_PYTORCH = (Architecture.CPU, Architecture.GPU)


@cache
def fused_for(family: int, stack: Stack) -> KernelColumns:
    """A network of the table for a stack."""
    name, sizes, batch = ORDERED[family]
    return session.columns(session.subject(name, sizes, batch), stack).kernels


@pytest.mark.parametrize("name", [n for n in REAL if hardware.load(n).architecture in _PYTORCH])
def test_an_engine_is_never_slower_than_a_compiler(name):
    # It fuses no less, replays from one graph, and times a library's kernels beside its own. 1 % is
    # what fusing may add where a reader in the next kernel would have found a value in the cache.
    # Left out: TPUs and KPUs, where one compiler stands for all stacks; compiled against eager, which
    # the host, instructions of fused norms and fp32 convolutions on Hopper turn around (measured there)
    device = hardware.load(name)
    slower = {}
    for family, (model, _, _) in enumerate(ORDERED):
        compiled, engine = (fused_for(family, stack) for stack in (Stack.COMPILED, Stack.ENGINE))
        for precision in {*device.precisions[:1], device.default_precision, device.precisions[-1]}:
            fast, _ = projected(device, engine, precision, Stack.ENGINE)
            slow, _ = projected(device, compiled, precision, Stack.COMPILED)
            if fast.item() > 1.01 * slow.item():
                slower[model, precision.value] = fast.item() / slow.item()
    assert not slower


@pytest.mark.parametrize("device", ["nvidia_a100_sxm_80gb", "nvidia_t4", "nvidia_l4"])
def test_a_compiler_is_not_slower_where_it_fuses_norms_and_functions(device):
    # 64 lanes a multiprocessor (A100, T4) have as many units for functions and integers as 128 (L4)
    eager, compiled = (
        session.project("efficientnet", {}, batch=64, precision="fp16", stack=stack,
                        hardware=[device], keep=False).latency_s.item()
        for stack in ("eager", "compiled")
    )  # fmt: skip
    assert compiled < eager


@pytest.mark.parametrize(("device", "units"), [
    ("nvidia_a100_sxm_80gb", 2), ("nvidia_t4", 2), ("nvidia_v100_sxm_32gb", 2),
    ("nvidia_rtx_3090", 1), ("nvidia_rtx_4090", 1), ("nvidia_h100_sxm", 1),
])  # fmt: skip
def test_units_for_functions_to_a_vector_lane(device, units):
    # 16 and 64 a multiprocessor beside 64 lanes or beside 128
    found = gpu_kernels.Device.of(hardware.load(device), Precision.FP16)
    ratio = found.function_flops_per_s / found.vector_flops_per_s
    assert ratio == pytest.approx(units, rel=2e-3)

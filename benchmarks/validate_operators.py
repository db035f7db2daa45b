"""How far single operators are from published measurements: NeuSight, Vidur, LLMCompass.

    python -m benchmarks.validate_operators ../shared/measurements [neusight vidur llmcompass]
        [--fits] [--cache FOLDER]

Every operator is traced, fused, lowered and timed by the GPU model as a network of its own. The
bandwidth of a device is judged with that device left out (its memory's kind from the others) and
with the half of the shapes that it was not fitted on. What is fitted where: docs/validation-operators.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from benchmarks import judging, operator_columns
from benchmarks.judging import report
from benchmarks.operator_columns import Shape
from characterize import calibration, hardware
from characterize.columns import KernelColumns
from characterize.hardware.parameters import Parameter
from characterize.records import Precision, Stack

Values = np.ndarray[Any, np.dtype[np.float64]]
Kernels = Mapping[Shape, KernelColumns]
DEVICES: Final = {
    "Tesla P100-PCIE-16GB": "nvidia_p100_pcie_16gb",
    "Tesla P4": "nvidia_p4",
    "Tesla T4": "nvidia_t4",
    "Tesla V100-PCIE-32GB": "nvidia_v100_sxm_32gb",
    "NVIDIA A100-PCIE-40GB": "nvidia_a100_pcie_40gb",
}
LAYER_NORM_CALL_S: Final = 25e-6
"""Host time of a layer norm's call beyond a plain one: 45 against 21 us on an A100 (LLMCompass)."""


def half(shapes: Sequence[Shape]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Every second shape, in an order that depends on the shapes alone."""
    keys = sorted({*shapes}, key=lambda s: hashlib.sha256(repr(s).encode()).hexdigest())
    first = {*keys[::2]}
    return np.array([shape in first for shape in shapes])


def side_by_side(parts: Sequence[KernelColumns]) -> KernelColumns:
    """Networks of the same kernels, one a configuration."""
    first = parts[0]
    rows = len(first.kind)
    own: dict[str, Any] = {"kind": first.kind, "count": first.count}
    for field in fields(KernelColumns):
        if field.name not in ("kind", "count", "lowerings", "grid"):
            found = [np.broadcast_to(getattr(c, field.name), (rows, 1)) for c in parts]
            own[field.name] = np.concatenate(found, axis=1)
    return KernelColumns(**own)


def device_s(
    shapes: Sequence[Shape], kernels: Kernels, device: hardware.Profile, precision: Precision
) -> Values:
    """Seconds that each operator takes on the device, as the package projects it without a host."""
    alone = device.with_({"overhead.kernel_s.eager": 0.0})
    found = np.empty(len(shapes))
    names = [shape[0] for shape in shapes]
    for name in dict.fromkeys(names):
        places = [i for i, own in enumerate(names) if own == name]
        columns = side_by_side([kernels[shapes[i]] for i in places])
        estimate = hardware.estimate(columns, alone, precision, Stack.EAGER)
        found[places] = (estimate.latency_s * columns.count).sum(axis=0)
    return found


def worst(shapes: Sequence[Shape], predicted: Values, measured: Values, count: int = 5) -> None:
    """The shapes that are furthest off, once each."""
    ratio = pd.Series(predicted / measured).groupby([str(s) for s in shapes]).median()
    order = np.abs(np.log(ratio)).sort_values(ascending=False).index[:count]
    print("  worst:", "; ".join(f"{shape} x{ratio[shape]:.2f}" for shape in order))


# NeuSight


def neusight(folder: Path, kept: Path | None, fits: bool) -> None:
    """Elementwise operators, softmax and layer norm in fp32, eager, PyTorch 2.1, five devices."""
    table = pd.read_csv(folder / "neusight_ops_fp32.csv")
    shapes = [(op, int(b), int(h)) for op, b, h in zip(table.op, table.B, table.H, strict=True)]
    kernels = built("neusight", shapes, kept)
    kinds = np.array([s[0] if s[0] in ("ln", "softmax") else "elementwise" for s in shapes])
    measured = table.latency_ms.to_numpy() / 1e3
    call = np.where(kinds == "ln", LAYER_NORM_CALL_S, 0.0)
    found = {key: np.empty(len(table)) for key in ("package", "device", "half")}
    shares = neusight_bandwidths(table, shapes, measured, half(shapes))
    for title, name in DEVICES.items():
        place = np.flatnonzero(table.device == title)
        some = [shapes[i] for i in place]
        device = hardware.load(name)
        fixed = device.inference_overhead_s + call[place]
        known = {"efficiency.memory": unseen_share(shares, title)}
        sides = [{"efficiency.memory": share} for share in shares[title]]
        in_sample, unseen, first, second = (
            device_s(some, kernels, device.with_(changed), Precision.FP32) + fixed
            for changed in ({}, known, *sides)
        )
        found["package"][place], found["device"][place] = in_sample, unseen
        found["half"][place] = np.where(half(some), second, first)
    for key, title in (("package", "the package (bandwidths in sample)"),
                       ("half", "half of the shapes left out"), ("device", "a device left out")):  # fmt: skip
        report(f"NeuSight fp32, {title}", found[key], measured)
    for kind in ("elementwise", "softmax", "ln"):
        mine = kinds == kind
        report(f"- {kind}, a device left out", found["device"][mine], measured[mine])
        report(f"- {kind}, half of the shapes left out", found["half"][mine], measured[mine])
        worst(
            [s for s, m in zip(shapes, mine, strict=True) if m], found["half"][mine], measured[mine]
        )
    for title in DEVICES:
        mine = (table.device == title).to_numpy()
        report(f"- {title}, left out", found["device"][mine], measured[mine])
    if fits:
        print({title: [round(s, 3) for s in share] for title, share in shares.items()})


def unseen_share(shares: Mapping[str, tuple[float, float]], title: str) -> float:
    """Share of the bandwidth of a device left out: the mean of those with its kind of memory."""
    kinds = {t: hardware.load(n).value("memory.technology") for t, n in DEVICES.items()}
    stacked = {t: "HBM" in str(kind) for t, kind in kinds.items()}
    like = [np.mean(shares[t]) for t in DEVICES if t != title and stacked[t] == stacked[title]]
    return float(np.mean(like))


def neusight_bandwidths(
    table: pd.DataFrame, shapes: Sequence[Shape], measured: Values, first: Any
) -> dict[str, tuple[float, float]]:
    """Shares of the bandwidth by device, from each half of its elementwise operators."""
    moved = np.array(
        [4.0 * s[1] * s[2] * (3 if s[0] in operator_columns.BINARY else 2) for s in shapes]
    )
    plain = np.array([s[0] not in ("ln", "softmax") for s in shapes])
    found = {}
    for title, name in DEVICES.items():
        device = hardware.load(name)
        fixed = device.inference_overhead_s
        own = plain & (table.device == title).to_numpy()
        sides = []
        for side in (first, ~first):
            mine = own & side
            rate = moved[mine] / np.maximum(measured[mine] - fixed, 1e-7)
            sides.append(float(np.median(rate) / device.memory_bytes_per_s))
        found[title] = (sides[0], sides[1])
    return found


# Vidur


@dataclass(frozen=True)
class Blocks:
    """A kernel written by hand: a thread block a row, so many at once on a multiprocessor."""

    resident: float


BY_HAND: Final = {"rms": Blocks(2.0), "gated": Blocks(2.0), "rotary": Blocks(4.0)}
"""Kernels of Sarathi (vLLM's): blocks of up to 1,024 threads, 512 for the rotation."""
_BLOCK: Final = {
    "start": Parameter(2e-6, 0.1e-6, 20e-6, "time of a block"),
    "element": Parameter(0.5e-9, 0.001e-9, 20e-9, "and of an element of its row"),
}


def vidur_shape(row: Any) -> Shape:
    """What one row of the table timed, on one of its tensor-parallel workers."""
    part, tokens, wide = row.num_tensor_parallel_workers, row.num_tokens, row.n_embd
    head, inner = wide // row.n_head, row.n_expanded_embd
    gated = 2 if row.use_gated_mlp else 1
    plain = row.n_kv_head == row.n_head and not row.use_gated_mlp  # phi-2: parallel, layer norms
    shapes: Mapping[str, Shape] = {
        "attn_pre_proj": ("linear", tokens, wide, (row.n_head + 2 * row.n_kv_head) * head // part),
        "attn_post_proj": ("linear", tokens, row.n_head * head // part, wide),
        "mlp_up_proj": ("linear", tokens, wide, gated * inner // part),
        "mlp_down_proj": ("linear", tokens, inner // part, wide),
        "mlp_act": ("gated" if gated == 2 else "gelu", tokens, inner // part),
        "add": ("add3" if plain else "add", tokens, wide),
        "input_layernorm": ("ln" if plain else "rms", tokens, wide),
        "post_attention_layernorm": ("rms", tokens, wide),
        "attn_rope": ("rotary", tokens, (row.n_head + row.n_kv_head) // part, head),
        "emb": ("embedding", tokens, row.vocab_size // part, wide),
    }
    return shapes[row.op]


def vidur(folder: Path, kept: Path | None, fits: bool) -> None:
    """Transformer operators with fp16 weights on an A100 PCIe 80GB, times of the device alone."""
    table = pd.read_csv(folder / "vidur_llm_ops_a100.csv")
    table = table[table.num_tensor_parallel_workers.eq(1) | table.op.ne("emb")]  # masks beside it
    shapes = [vidur_shape(row) for row in table.itertuples()]
    kernels = built("vidur", shapes, kept)
    measured = table.median_ms.to_numpy() / 1e3
    device = hardware.load("nvidia_a100_pcie_80gb")
    predicted = device_s(shapes, kernels, device, Precision.BF16)
    names = np.array([shape[0] for shape in shapes])
    library = ~np.isin(names, list(BY_HAND))
    report("Vidur, PyTorch's and cuBLAS's kernels", predicted[library], measured[library])
    for name in ("linear", "add", "gelu", "ln", "embedding"):
        mine = names == name
        report(f"- {name}", predicted[mine], measured[mine])
        worst([s for s, m in zip(shapes, mine, strict=True) if m], predicted[mine], measured[mine])
    products = [shape for shape in shapes if shape[0] == "linear"]
    own = measured[names == "linear"]
    report("- linear, half of the shapes left out", other_half(products, kernels, own, fits), own)
    judged = by_hand(shapes, predicted, measured, device, fits)
    for name in BY_HAND:
        mine = names == name
        report(f"- {name} (Sarathi), as PyTorch's", predicted[mine], measured[mine])
        report(f"- {name} (Sarathi), half of the shapes left out", judged[mine], measured[mine])
        worst([s for s, m in zip(shapes, mine, strict=True) if m], judged[mine], measured[mine])
    report("Vidur, all, half of the shapes left out", judged, measured)


ENERGIES_J: Final = (0.7e-12, 0.8e-12, 0.9e-12, 0.95e-12, 1.0e-12, 1.1e-12, 1.2e-12)


def other_half(shapes: list[Shape], kernels: Kernels, measured: Values, fits: bool) -> Values:
    """Products with the energy of an operation, which sets the clock, chosen on the other half."""
    device = hardware.load("nvidia_a100_pcie_80gb")
    trials = []
    for energy in ENERGIES_J:
        changed = {f"energy.j_per_flop.{name}": energy for name in ("fp16", "bf16")}
        changed["energy.j_per_flop.tf32"] = 2.0 * energy
        trials.append(device_s(shapes, kernels, device.with_(changed), Precision.BF16))
    error = np.abs(np.log(np.array(trials) / measured))
    first = half(shapes)
    result = np.empty(len(shapes))
    for side in (first, ~first):
        best = int(np.median(error[:, side], axis=1).argmin())
        result[~side] = trials[best][~side]
        if fits:
            print(f"an fp16 operation, from one half: {ENERGIES_J[best] * 1e12:.2f} pJ")
    return result


def by_hand(
    shapes: Sequence[Shape],
    predicted: Values,
    measured: Values,
    device: hardware.Profile,
    fits: bool,
) -> Values:
    """Times of hand-written kernels, the blocks fitted on the half of the shapes not judged."""
    units = device.units["sms"]
    speed = device.memory_bytes_per_s * device.number("efficiency.memory")
    result = predicted.copy()
    first = half(shapes)
    for name, blocks in BY_HAND.items():
        mine = np.array([shape[0] == name for shape in shapes])
        rows = np.array([float(s[1]) for s in shapes])
        width = np.array([float(np.prod(s[2:])) for s in shapes])
        passes = {"rms": 2.0, "gated": 3.0, "rotary": 2.0}[name]
        memory = 2.0 * passes * rows * width / speed
        waves = np.maximum(1.0, rows / (units * blocks.resident))
        again = 2.0 * rows * width / speed if name == "rms" else 0.0
        for side in (first, ~first):
            seen, unseen = mine & side, mine & ~side

            def seconds(values: Mapping[str, float], some: Any = seen,
                        waves: Values = waves, width: Values = width,
                        moved: Values = memory + again) -> Values:  # fmt: skip
                block = values["start"] + values["element"] * width[some]
                return np.asarray(moved[some] + waves[some] * block)

            found = calibration.fit(seconds, measured[seen], _BLOCK, list(_BLOCK))
            result[unseen] = seconds(found.values, unseen)
            if fits:
                print(name, {k: f"{v:.3g}" for k, v in found.values.items()})
    return result


# LLMCompass


def llmcompass(folder: Path, kept: Path | None, fits: bool) -> None:
    """Calls with fp16 tensors on an A100 SXM 80GB; but for products, 10^9 elements a second."""
    table = pd.read_csv(folder / "llmcompass_ops.csv")
    table = table[table.device == "A100"]
    shapes: list[Shape] = []
    measured = []
    for row in table.itertuples():
        value = float(
            str(row.raw).split(",")[-1].split("ms")[0] if row.op != "matmul" else row.latency_ms
        )
        one = int(row.dim1)
        if row.op == "matmul":
            shapes.append(("linear", one, int(row.dim2), int(row.dim3)))
            measured.append(value / 1e3)
            continue
        two = 1 if row.op == "gelu" else int(row.dim2)
        names = {"gelu": "gelu", "softmax": "softmax", "layernorm": "ln"}
        shapes.append((names[row.op], one, two))
        measured.append(one * two / value / 1e9)
    seconds = np.array(measured)
    kernels = built("llmcompass", shapes, kept)
    device = hardware.load("nvidia_a100_sxm_80gb")
    call = np.array([LLMCOMPASS_CALL_S[shape[0]] for shape in shapes])
    predicted = device_s(shapes, kernels, device, Precision.BF16) + call
    report("LLMCompass A100, nothing fitted", predicted, seconds)
    names_of = np.array([shape[0] for shape in shapes])
    for name in dict.fromkeys(names_of):
        mine = names_of == name
        report(f"- {name}", predicted[mine], seconds[mine])
        worst([s for s, m in zip(shapes, mine, strict=True) if m], predicted[mine], seconds[mine])


LLMCOMPASS_CALL_S: Final = {"linear": 21e-6, "softmax": 12e-6, "ln": 45e-6, "gelu": 45e-6}
"""Time of a call on an idle A100, as LLMCompass states it (hardware_model/compute_module.py)."""


def built(name: str, shapes: Sequence[Shape], kept: Path | None) -> Kernels:
    """The kernels of all shapes; kept in a folder where one is given."""
    return judging.kept(kept, f"operators-{name}", lambda: operator_columns.table(shapes))


CHECKS: Final[Mapping[str, Callable[[Path, Path | None, bool], None]]] = {
    "neusight": neusight, "vidur": vidur, "llmcompass": llmcompass,
}  # fmt: skip


if __name__ == "__main__":
    judging.judge(__doc__, CHECKS, lambda _name, cache: cache)

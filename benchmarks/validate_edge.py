"""How far the models of TPUs, KPUs and edge boards are from published measurements.

    python -m benchmarks.validate_edge ../shared/measurements [boards coral hailo k230 tpu] [--fits]

Every group of networks (a family, or a single model) is judged by a fit that never saw it; `--fits`
prints the numbers that a fit on everything gives, as they stand in the profiles. The features are those
of the execution models, so that what is judged is what the package projects. Tables are explained in
docs/validation-edge.md. Needs SciPy, timm and torchvision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

from benchmarks import edge_boards, edge_networks, judging
from benchmarks.edge_fits import Matrix, fit, from_datasheet, held_out, total, whole_s
from benchmarks.judging import report
from characterize import hardware
from characterize.columns import KernelColumns
from characterize.hardware import kpu, roofline, tpu
from characterize.records import KernelKind, Precision, Stack

CORAL_RESIDENT: Final = 7.0 * 2**20


# Coral Edge TPU

CORAL_NAMES: Final = {
    "inception_v1_224_quant": "Inception v1",
    "inception_v4_299_quant": "Inception v4",
    "mobilenet_v1_1.0_224_quant": "MobileNet v1",
    "mobilenet_v2_1.0_224_quant": "MobileNet v2",
}
LINKS: Final = {"Dev Board": "pcie", "USB2": "usb2", "RPi 4": "rpi4", "": "usb3"}
ODD: Final = ("DenseNet", "Inception-ResNet V2")


def coral_features(columns: KernelColumns) -> tuple[list[float], float]:
    """Seconds at the padded peak, depthwise macs, activations; megabytes that cross the link."""
    device = hardware.load("google_coral_edge_tpu")
    products, _ = roofline.work(columns)
    _, padding = tpu.pieces(columns, device)
    cycles_s = total(columns, products * padding) / device.peak(Precision.INT8)
    moved = columns.input_elements + columns.other_elements + columns.output_elements
    weights = total(columns, columns.weight_elements)
    entering = float(columns.entering_elements.max())
    spilled = max(0.0, weights - CORAL_RESIDENT)
    on_chip = total(columns, moved) + weights - spilled
    return [cycles_s, on_chip / 1e9], (spilled + entering) / 1e6


def coral(folder: Path, traced: Mapping[str, KernelColumns], fits: bool) -> None:
    """The Edge TPU behind four links, each network held out."""
    table = pd.read_csv(folder / "coral_edgetpu_latency.csv")
    table = table[table.device.str.contains("Edge TPU")]
    table = table.assign(network=table.model.replace(CORAL_NAMES))
    table = table[table.network.isin(traced)].reset_index(drop=True)
    links = [next(v for k, v in LINKS.items() if k in device) for device in table.device]
    known = {name: coral_features(columns) for name, columns in traced.items()}
    names = ["pcie", "usb3", "rpi4", "usb2"]
    lines = []
    for network, link in zip(table.network, links, strict=True):
        terms, crossing = known[network]
        here = [float(link == name) for name in names]
        lines.append([*terms, *(crossing * each for each in here), *here])
    features, measured = np.array(lines), table.latency_ms.to_numpy() / 1e3
    predicted = held_out(features, measured, table.network)
    report("Coral, all", predicted, measured)
    usual = (~table.network.isin(ODD)).to_numpy()
    alone = held_out(features[usual], measured[usual], table.network[usual])
    report("Coral, without DenseNet and Inception-ResNet V2", alone, measured[usual])
    board = usual & (np.array(links) == "pcie")
    report("Coral Dev Board, without the two", predicted[board], measured[board])
    every = np.array(links) == "pcie"
    report("Coral Dev Board, all", predicted[every], measured[every])
    device = hardware.load("google_coral_edge_tpu")
    shipped = [whole_s(traced[name], device, Precision.INT8) for name in table.network[every]]
    report("Coral Dev Board, the profile (in sample)", shipped, measured[every])
    for title, left_out in (("alone", ()), ("without its array", ("units.array",))):
        bare = from_datasheet("google_coral_edge_tpu", *left_out)
        plain = [whole_s(traced[name], bare, Precision.INT8) for name in table.network[every]]
        report(f"Coral Dev Board, from its datasheet {title}", plain, measured[every])
    if fits:
        print(
            dict(
                zip(["array", "s/GB", *names], fit(features[usual], measured[usual]), strict=False)
            )
        )
        print(fit(features[usual], measured[usual])[-4:])
        for network, link, one, other in zip(
            table.network, links, predicted, measured, strict=True
        ):
            print(f"  {network} {link} {1e3 * other:.1f} ms, projected {one / other:.2f} of it")


# Dataflow


def _one(mask: Any) -> Any:
    return mask.astype(float)


def fabric_features(columns: KernelColumns, group: int) -> dict[str, float]:
    """Padded products, depthwise macs, activations, functions, layers and weights of a network."""
    device = hardware.load("hailo_8").with_(
        {"units.array_rows": group, "units.array_columns": group}
    )
    layout = kpu.lay_out(columns, device, Precision.INT8)
    products, _ = roofline.work(columns)
    depthwise = columns.is_kind(KernelKind.DEPTHWISE_CONVOLUTION)
    moved = columns.input_elements + columns.other_elements + columns.output_elements
    return {
        "dense": total(columns, layout.worked_flops(products)) / 2e12,
        "depthwise": total(columns, columns.macs * depthwise) / 1e12,
        "moved": total(columns, moved) / 1e9,
        "functions": total(columns, columns.transcendentals) / 1e9,
        "sliced": total(columns, columns.sliced_elements) / 1e9,
        "layers": total(columns, _one(columns.is_kind(*kpu.LAYERS))),
        "weights": total(columns, columns.weight_elements) / 1e9,
    }


HAILO_FAMILIES: Final = ("efficientnet_lite", "efficientnet", "mobilenet", "regnet", "resnext",
                         "resnet", "yolov8", "yolov5", "espcn", "dncnn", "repvgg")  # fmt: skip


def hailo_family(name: str) -> str:
    """The family that a network is held out with."""
    found = next((each for each in HAILO_FAMILIES if each in name), name)
    return "resnet" if found == "resnext" else found


def context_rule(table: pd.DataFrame) -> tuple[float, float]:
    """Layers and weights (in 10^9 bytes) at which a network is cut, with the fewest wrong."""
    found = []
    for layers in range(60, 205, 5):
        for weights in np.arange(20, 80, 2) / 1e3:
            full = table.layers / layers + table.weights / weights >= 1.0
            found.append((int((full != table.several).sum()), float(layers), float(weights)))
    fewest = min(found)[0]
    best = [each for each in found if each[0] == fewest]
    return best[len(best) // 2][1:]


def hailo(folder: Path, traced: Mapping[str, KernelColumns], fits: bool) -> None:
    """Hailo-8 at batch 1 and 8, each family held out, with the context known and predicted."""
    rates = pd.read_csv(folder / "hailo8_fps.csv").drop_duplicates("model").set_index("model")
    lines = []
    for name, columns in traced.items():
        if name in rates.index:
            rate = rates.loc[name]
            several = rate.fps_batch8 > 1.05 * rate.fps_batch1
            base = {"name": name, "family": hailo_family(name), "several": several}
            measured = {1: 1 / rate.fps_batch1, 8: 1 / rate.fps_batch8}
            for batch, seconds in measured.items():
                if several or batch == 1:
                    features = fabric_features(columns, 8)
                    lines.append({**base, **features, "batch": batch, "seconds": seconds})
    table = pd.DataFrame(lines)
    known, guessed, wrong = np.zeros(len(table)), np.zeros(len(table)), 0
    for family in sorted(set(table.family)):
        judged = (table.family == family).to_numpy()
        seen, unseen = table[~judged], table[judged]
        found = fit(hailo_terms(seen, seen.several), seen.seconds.to_numpy())
        layers, weights = context_rule(seen.drop_duplicates("name"))
        cut = unseen.layers / layers + unseen.weights / weights >= 1.0
        wrong += int((cut != unseen.several)[unseen.batch == 1].sum())
        known[judged] = hailo_terms(unseen, unseen.several) @ found
        guessed[judged] = hailo_terms(unseen, cut) @ found
    shipped = [shipped_hailo_s(traced[line.name], line.batch) for line in table.itertuples()]
    report("Hailo-8, contexts known", known, table.seconds)
    report("Hailo-8, contexts predicted", guessed, table.seconds)
    report("Hailo-8, the profile (in sample)", shipped, table.seconds)
    once = table[table.batch == 1]
    bare = from_datasheet("hailo_8", "units.array")
    plain = [whole_s(traced[name], bare, Precision.INT8) for name in once.name]
    report("Hailo-8, from its datasheet alone, batch 1", plain, once.seconds)
    thick = ~table.family.isin(["espcn", "squeezenet_v1.1"])
    report("the same without ESPCN, SqueezeNet", guessed[thick], table.seconds[thick])
    one = (~table.several).to_numpy()
    report("networks in one context", known[one], table.seconds[one])
    report("networks in several", known[~one], table.seconds[~one])
    print(f"contexts predicted wrongly: {wrong} of {table.name.nunique()}")
    if fits:
        print(fit(hailo_terms(table, table.several), table.seconds.to_numpy()))
        print(context_rule(table.drop_duplicates("name")))
        for line, one_ in zip(table.itertuples(), guessed, strict=True):
            print(f"  {line.name} batch {line.batch}: {one_ / line.seconds:.2f}")


def shipped_hailo_s(columns: KernelColumns, batch: int) -> float:
    """Seconds a frame as the profile projects them."""
    device = hardware.load("hailo_8")
    return whole_s(columns.batched(float(batch)), device, Precision.INT8) / batch


def hailo_terms(table: pd.DataFrame, several: Any) -> Matrix:
    """Seconds a frame: work, and the switch of contexts once a batch."""
    once = np.asarray(several, dtype=float) / table.batch
    return np.column_stack(
        [table.dense, table.depthwise, table.moved, table.weights * once, table.layers * once]
    )


K230_CELLS: Final = {"yolov8s_pose": 8400, "yolov8n_pose_640": 8400, "yolov8n_pose_320": 2100}
K230_START: Final = (0.55, 1.7e8, 7e-6)  # share of the peak, slices a second, seconds a cell


def k230(folder: Path, traced: Mapping[str, KernelColumns], fits: bool) -> None:
    """Nine networks, each held out, as the package projects them: products or memory, and slices.

    Key points are decoded on the host, 1/8 to 1/32 of the image a cell, which no network holds.
    """
    table = pd.read_csv(folder / "k230_kpu_fps.csv").set_index("model")
    names = np.array(list(traced))
    seconds = np.array([1 / table.loc[name].fps for name in names])

    def projected(values: Matrix, chosen: Any) -> Matrix:
        share, slices, cell = np.exp(values)
        device = k230_with(float(min(share, 1.0)), float(slices))
        return np.array(
            [
                whole_s(traced[name], device, Precision.INT8) + K230_CELLS.get(name, 0) * cell
                for name in chosen
            ]
        )

    def fitted(seen: Any) -> Matrix:
        start = np.log(K230_START)

        def residuals(values: Matrix) -> Matrix:
            return np.r_[
                np.log(projected(values, names[seen]) / seconds[seen]), 0.02 * (values - start)
            ]

        found = least_squares(residuals, start, loss="soft_l1", f_scale=0.05, max_nfev=40)
        return np.asarray(found.x)

    predicted = np.array([projected(fitted(names != name), [name])[0] for name in names])
    report("K230, each network held out", predicted, seconds)
    decoding = np.array([K230_CELLS.get(name, 0) for name in names]) * K230_START[2]
    device = hardware.load("kendryte_k230")
    shipped = np.array([whole_s(traced[name], device, Precision.INT8) for name in names])
    report("K230, the profile and decoding (in sample)", shipped + decoding, seconds)
    if fits:
        print(np.exp(fitted(np.ones(len(names), dtype=bool))))
        print(dict(zip(names, np.round(predicted / seconds, 2), strict=True)))


def k230_with(share: float, slices_per_s: float) -> hardware.Profile:
    """The K230 with other efficiencies."""
    device = hardware.load("kendryte_k230")
    own = device.fitted["efficiency.engine"]
    values = {**own.values, "compute": share, "vector": share, "slices_per_s": slices_per_s}
    return device.with_fitted("efficiency.engine", values, own.fit)


# TPU v3


def tpu_v3(folder: Path, traced: Mapping[str, KernelColumns], _fits: bool) -> None:
    """Offline throughput of four chips (a v3-8), nothing fitted."""
    table = pd.read_csv(folder / "mlperf_tpu.csv")
    slice_ = table[(table.n_accel == 8) & (table.scenario == "Offline")].set_index("benchmark")
    device = hardware.load("google_tpu_v3")
    for name, columns in traced.items():
        estimate = hardware.estimate(columns, device, Precision.BF16, Stack.COMPILED)
        seconds = total(columns, estimate.latency_s)  # calls follow each other without a gap
        projected, measured = 4 * TPU_BATCH / seconds, slice_.loc[name].samples_per_s
        print(
            f"| {name} | {measured:.0f} /s | {projected:.0f} /s | {projected / measured - 1:+.1%} |"
        )


TPU_BATCH: Final = 256
CHECKS: Final[Mapping[str, Callable[[Path, Mapping[str, KernelColumns], bool], None]]] = {
    "boards": edge_boards.judge, "coral": coral, "hailo": hailo, "k230": k230, "tpu": tpu_v3,
}  # fmt: skip


def traced(kind: str, cache: Path | None) -> Mapping[str, KernelColumns]:
    """The networks of one set; kept in a folder where one is given."""
    batch = TPU_BATCH if kind == "tpu" else 1
    return judging.kept(
        cache,
        kind,
        lambda: {n: replace(c, lowerings=None) for n, c in edge_networks.columns(kind, batch)},
    )


if __name__ == "__main__":
    judging.judge(__doc__, CHECKS, traced)

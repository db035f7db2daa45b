"""How far the models of TPUs, KPUs and edge boards are from published measurements.

    python -m benchmarks.validate_edge ../shared/measurements [boards coral hailo k230 tpu] [--fits]

Every group of networks (a family, or a single model) is judged by a fit that never saw it; `--fits`
prints the numbers that a fit on everything gives, as they stand in the profiles. The features are those
of the execution models, so that what is judged is what the package projects. Tables are explained in
docs/validation-edge.md. Needs SciPy, timm and torchvision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy.optimize import least_squares, nnls

from benchmarks import edge_networks, judging
from benchmarks.judging import report
from characterize import hardware
from characterize.columns import KernelColumns
from characterize.hardware import edge_cpu, kpu, roofline, tpu
from characterize.records import Confidence, Frozen, KernelKind, Precision, Stack

ROUNDS: Final = 15
FLOOR: Final = 0.02  # relative errors below this weigh alike
CORAL_RESIDENT: Final = 7.0 * 2**20
Matrix = np.ndarray[Any, np.dtype[np.float64]]


# Fitting


def fit(
    features: Matrix, measured: Matrix, least: Matrix | None = None, worth: Matrix | None = None
) -> Matrix:
    """Non-negative coefficients, at least ``least``, with small relative absolute errors.

    Non-negative least squares on relative errors, re-weighted towards absolute errors:
    deterministic. ``worth`` is what each row counts, by default all the same.
    """
    low = np.zeros(features.shape[1]) if least is None else least
    counted = np.ones(len(measured)) if worth is None else worth
    weight = counted
    found = low
    for _ in range(ROUNDS):
        scaled = features / measured[:, None] * weight[:, None]
        size = np.maximum(np.abs(scaled).max(axis=0), 1e-300)
        found = low + nnls(scaled / size, np.maximum(weight - scaled @ low, 0.0))[0] / size
        error = np.abs(features @ found / measured - 1.0)
        weight = counted / np.sqrt(np.maximum(error, FLOOR))
        weight /= weight.mean()
    return found


def held_out(
    features: Matrix,
    measured: Matrix,
    groups: Sequence[str],
    least: Matrix | None = None,
    worth: Matrix | None = None,
) -> Matrix:
    """Predictions for each group by a fit on all the others."""
    labels = np.asarray(groups)
    counted = np.ones(len(measured)) if worth is None else worth
    predicted = np.zeros(len(measured))
    for group in sorted(set(labels)):
        judged = labels == group
        found = fit(features[~judged], measured[~judged], least, counted[~judged])
        predicted[judged] = features[judged] @ found
    return predicted


def total(columns: KernelColumns, values: Any) -> float:
    """A quantity of kernels, added up over a network."""
    return float((values * columns.count).sum())


def whole_s(columns: KernelColumns, device: hardware.Profile, precision: Precision) -> float:
    """What the package projects for a network under an engine."""
    estimate = hardware.estimate(columns, device, precision, Stack.ENGINE)
    return total(columns, estimate.latency_s) + device.inference_overhead_s


_FITTED: Final = ("efficiency", "overhead", "vector_flops_per_s", "energy", "uncertainty")


def from_datasheet(name: str, *left_out: str) -> hardware.Profile:
    """A device without what was fitted to it: its architecture's efficiencies, its own datasheet."""
    device = hardware.load(name)
    kept = {
        key: figure
        for key, figure in device.stated.items()
        if not key.startswith((*_FITTED, *left_out))
    }
    return replace(device, stated=Frozen(kept), fitted=Frozen({}), confidence=Confidence.DATASHEET)


# MLPerf edge boards

BOARD_TERMS: Final = (
    "convolution", "pointwise", "depthwise", "activation", "weight", "elementwise", "operator_s",
    "inference_s",
)  # fmt: skip


@dataclass(frozen=True)
class Board:
    """Peak multiply-accumulates a second and bytes a second: what no fitted rate exceeds."""

    fp32: float
    int8: float
    bytes_per_s: float

    def least(self, precision: str) -> Matrix:
        """The smallest possible coefficients: everything at its peak."""
        rate = self.fp32 if precision == "fp32" else self.int8
        moved = (4.0 if precision == "fp32" else 1.0) / self.bytes_per_s
        return np.array([1 / rate] * 3 + [moved, moved, 0.5 / rate, 0.0, 0.0])


BOARDS: Final = {  # sources: the profiles; hikey960 has none, its bound is loose
    "rpi4": Board(23.94e9, 48e9, 12.8e9),
    "rpi4coral": Board(23.94e9, 48e9, 12.8e9),
    "firefly": Board(36.86e9, 73.7e9, 12.8e9),
    "odroid": Board(54e9, 108e9, 10.56e9),
    "xavier": Board(144e9, 288e9, 136.5e9),
    "hikey960": Board(60e9, 120e9, 15e9),
}


def board_features(columns: KernelColumns) -> list[float]:
    """What the terms of ``edge_cores`` multiply: multiply-accumulates, elements, counts."""
    classes, loose = edge_cpu.work(columns)
    return [
        *(total(columns, each) for each in classes),
        total(columns, edge_cpu.activation_elements(columns)),
        total(columns, columns.weight_elements),
        total(columns, loose),
        total(columns, edge_cpu.operators(columns)),
        1.0,
    ]


def family_of(name: str) -> str:
    """MobileNet v1, v2, v3 or EfficientNet-Lite."""
    return name[:12] if name.startswith("mobilenet") else "efficientnet-lite"


def board_rows(folder: Path) -> pd.DataFrame:
    """Rows of the systems with at least 38 networks; the Raspberry Pi 3 swaps and is left out."""
    table = pd.read_csv(folder / "mlperf_edge_singlestream.csv")
    table = table[table.board.isin(BOARDS)]
    sizes = table.groupby(["system", "precision"]).model.transform("size")
    return table[sizes >= 38]


def boards(folder: Path, traced: Mapping[str, KernelColumns], fits: bool) -> None:
    """Latency, power at the wall and energy of edge processors, each family held out."""
    known = {name: board_features(columns) for name, columns in traced.items()}
    macs = {name: total(columns, columns.macs) for name, columns in traced.items()}
    judged = []
    for (system, precision), rows in board_rows(folder).groupby(["system", "precision"]):
        features = np.array([known[name] for name in rows.model])
        least = BOARDS[rows.board.iloc[0]].least(str(precision))
        if rows.compute.iloc[0] != "cpu":  # the bounds are those of the processor
            least = np.zeros_like(least)
        groups = [family_of(name) for name in rows.model]
        median_s, mean_s = rows.lat_p50_ms.to_numpy() / 1e3, rows.lat_mean_ms.to_numpy() / 1e3
        found = rows.assign(family=groups, latency=held_out(features, median_s, groups, least))
        mean = held_out(features, mean_s, groups, least)
        work = np.array([macs[name] for name in rows.model])
        found = found.assign(mean=mean, power=np.nan)
        if rows.avg_power_w.notna().all():
            base = np.column_stack([np.ones(len(rows)), work / mean])
            found["power"] = held_out(base, rows.avg_power_w.to_numpy(), groups)
        judged.append(found)
        if fits and found.power.notna().all():
            watts = fit(
                np.column_stack([np.ones(len(rows)), work / mean_s]), rows.avg_power_w.to_numpy()
            )
            print(f"{system} {precision}: {watts[0]:.2f} W, {watts[1] * 1e12:.0f} pJ a MAC")
    table = pd.concat(judged)
    quiet = (table.lat_p90_ms / table.lat_p50_ms).groupby([table.system, table.precision])
    calm = quiet.transform("median") < 1.35
    report("latency, all systems", table.latency, table.lat_p50_ms / 1e3)
    report("latency, quiet systems", table[calm].latency, table[calm].lat_p50_ms / 1e3)
    for precision, rows in table.groupby("precision"):
        report(f"latency, {precision}", rows.latency, rows.lat_p50_ms / 1e3)
    for family, rows in table.groupby("family"):
        report(f"latency, {family}", rows.latency, rows.lat_p50_ms / 1e3)
    powered = table[table.power.notna() & table.energy_per_inf_mJ.notna()]
    report("power at the wall", powered.power, powered.avg_power_w)
    energy_j = powered.energy_per_inf_mJ / 1e3
    report("energy an inference", powered.power * powered["mean"], energy_j)
    calm = ~powered.system.str.contains("xavier.*armnn")
    report("power, without Xavier ArmNN", powered[calm].power, powered[calm].avg_power_w)
    report(
        "energy, without Xavier ArmNN",
        (powered.power * powered["mean"])[calm], energy_j[calm],
    )  # fmt: skip
    shipped_boards(folder, traced, known, fits)
    left_out_boards(folder, traced, fits)


SHIPPED: Final = {  # profile -> the system whose fit it holds
    "raspberry_pi_4": "rpi4-tflite-v2.7.1-ruy",
    "hardkernel_odroid_n2plus": "odroid-tflite-v2.7.1-ruy",
    "nvidia_xavier_cpu": "xavier-power.0-fan.cool-tflite-v2.7.1-ruy",
}


def shipped_boards(
    folder: Path,
    traced: Mapping[str, KernelColumns],
    known: Mapping[str, list[float]],
    fits: bool,
) -> None:
    """Both precisions of a board in one fit, int8 never slower than fp32: what profiles hold."""
    rows = board_rows(folder)
    for profile, system in SHIPPED.items():
        device = hardware.load(profile)
        chosen = rows[(rows.system == system) & rows.precision.isin(device.precisions)]
        board = BOARDS[chosen.board.iloc[0]]
        wide = (chosen.precision == "fp32").to_numpy()
        single = np.array([known[name] for name in chosen.model])
        features = np.hstack([single, single * wide[:, None]])
        narrow = board.least("int8")
        least = np.concatenate([narrow, np.maximum(board.least("fp32") - narrow, 0.0)])
        measured = chosen.lat_mean_ms.to_numpy() / 1e3
        groups = [family_of(name) for name in chosen.model]
        predicted = held_out(features, measured, groups, least)
        for precision in sorted(set(chosen.precision)):
            here = (chosen.precision == precision).to_numpy()
            report(f"{profile}, {precision}", predicted[here], measured[here])
            shipped = [whole_s(traced[n], device, Precision(precision)) for n in chosen.model[here]]
            report(f"{profile}, {precision}, the profile (in sample)", shipped, measured[here])
        if fits:
            found = fit(features, measured, least)
            print_board(board, found[: len(BOARD_TERMS)], "int8")
            print_board(board, found[: len(BOARD_TERMS)] + found[len(BOARD_TERMS) :], "fp32")


def print_board(board: Board, seconds: Matrix, precision: str) -> None:
    """Coefficients as shares of the board's figures."""
    shares = board.least(precision)[:6] / np.maximum(seconds[:6], 1e-30)
    shares[5] *= 1.0 if precision == "fp32" else board.int8 / board.fp32  # of the fp32 peak
    values = [*shares, *seconds[6:]]
    named = ", ".join(f"{k} = {v:.4g}" for k, v in zip(BOARD_TERMS, values, strict=True))
    print(f"[efficiency.engine_{precision}] {named}")


# Boards left out: one set of efficiencies for TFLite, scaled by datasheets


@dataclass(frozen=True)
class Datasheet:
    """What is known of a board that nobody measured: cores x multiply-accumulates x clock, DRAM.

    ``narrow`` is the peak in int8 over that in fp32. Cores without the dot product do 8 int8
    multiply-accumulates a clock, twice fp32; for the Xavier's Carmel cores, whose pipelines are not
    published, half of fp32 is assumed, which is what its own measurements come to.
    """

    large: float  # multiply-accumulates a second in fp32
    small: float
    narrow: float
    bytes_per_s: float
    clock_hz: float

    @property
    def rate(self) -> float:
        """Multiply-accumulates a second that a runtime can use."""
        return self.large + edge_cpu.SMALL_CORE_SHARE * self.small


DATASHEETS: Final = {  # the profiles; of the RK3399 the cores are published, the rest is assumed
    "rpi4": Datasheet(4 * 4 * 1.5e9, 0.0, 2.0, 12.8e9, 1.5e9),
    "firefly": Datasheet(2 * 4 * 1.8e9, 4 * 4 * 1.4e9, 2.0, 12.8e9, 1.8e9),
    "odroid": Datasheet(4 * 4 * 2.4e9, 2 * 4 * 2.015e9, 2.0, 10.56e9, 2.4e9),
    "xavier": Datasheet(8 * 8 * 2.25e9, 0.0, 0.5, 136.5e9, 2.25e9),
}
NARROW_OF_WIDE: Final = np.array([0.5, 0.5, 0.5, 0.25, 0.25, 1.0, 1.0, 1.0])
"""Time of a term in int8 over fp32 where both reach the same share: rate, bytes, the rest alike."""


def datasheet_features(known: Sequence[float], sheet: Datasheet, precision: str) -> list[float]:
    """The terms of ``edge_cores`` in seconds at the datasheet's figures (overheads at 1 Hz)."""
    wide = precision == "fp32"
    rate = sheet.rate * (1.0 if wide else sheet.narrow)
    moved = (4.0 if wide else 1.0) / sheet.bytes_per_s
    scale = [1 / rate] * 3 + [
        moved,
        moved,
        0.5 / sheet.rate,
        1 / sheet.clock_hz,
        1 / sheet.clock_hz,
    ]
    return [feature * each for feature, each in zip(known, scale, strict=True)]


def left_out_boards(folder: Path, traced: Mapping[str, KernelColumns], fits: bool) -> None:
    """TFLite 2.2 and later on a board that the fit never saw, from its datasheet alone."""
    known = {name: board_features(columns) for name, columns in traced.items()}
    table = board_rows(folder)
    table = table[table.system.str.contains("tflite.*ruy") & table.board.str[:4].ne("hike")]
    boards_ = table.board.str.replace("rpi4coral", "rpi4")
    single = np.array(
        [
            datasheet_features(known[row.model], DATASHEETS[board], row.precision)
            for row, board in zip(table.itertuples(), boards_, strict=True)
        ]
    )
    wide = (table.precision == "fp32").to_numpy()[:, None]
    # both precisions in one fit, no term slower in int8: fp32 = ratio x int8 + more
    features = np.hstack([np.where(wide, single * NARROW_OF_WIDE, single), single * wide])
    least = np.r_[[1.0] * 6, [0.0] * 2, (1.0 - NARROW_OF_WIDE[:6]), [0.0] * 2]
    sizes = table.groupby([boards_, table.precision]).model.transform("size")
    worth = 1.0 / np.sqrt(sizes.to_numpy())  # a board with four systems does not count fourfold
    measured = table.lat_p50_ms.to_numpy() / 1e3
    predicted = held_out(features, measured, list(boards_), least, worth)
    for precision in ("fp32", "int8"):
        here = (table.precision == precision).to_numpy()
        report(f"boards left out, TFLite, {precision}", predicted[here], measured[here])
        for board in DATASHEETS:
            these = here & (boards_ == board).to_numpy()
            report(f"- {board}, {precision}", predicted[these], measured[these])
    report("boards left out, TFLite, both", predicted, measured)
    if fits:
        found = fit(features, measured, least, worth)
        narrow, more = found[:8], found[8:]
        for name, values in (("int8", narrow), ("fp32", narrow * NARROW_OF_WIDE + more)):
            shares = [*(1.0 / np.maximum(values[:6], 1e-30)), *values[6:]]
            named = ", ".join(f"{k} = {v:.3g}" for k, v in zip(BOARD_TERMS, shares, strict=True))
            print(f"TYPICAL[{name}] {named} (the last two in clocks)")


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
    "boards": boards, "coral": coral, "hailo": hailo, "k230": k230, "tpu": tpu_v3,
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

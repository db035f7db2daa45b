"""How far the model of edge processors is from MLPerf's boards: latency, power at the wall, energy.

Part of ``benchmarks.validate_edge``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from benchmarks.edge_fits import Matrix, fit, held_out, total, whole_s
from benchmarks.judging import report
from characterize import hardware
from characterize.columns import KernelColumns
from characterize.hardware import edge_cpu
from characterize.records import Precision

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


def judge(folder: Path, traced: Mapping[str, KernelColumns], fits: bool) -> None:
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

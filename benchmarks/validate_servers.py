"""How far engines on server and embedded GPUs are from MLPerf Inference's closed division.

    python -m benchmarks.validate_servers ../shared/measurements [throughput latency power energy
        jetson] [--fits] [--cache FOLDER]

Throughput is judged with an accelerator, a family of them, or a benchmark left out of the fit;
power with a system left out, and with one row of the same system known. Power is the whole server's
at the wall, throughput that of one accelerator. What the numbers mean: docs/validation-servers.md.
Needs torchvision and transformers.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from benchmarks import judging, server_networks
from benchmarks.judging import report
from characterize import calibration, hardware
from characterize.columns import KernelColumns
from characterize.fitting import Samples, stacked
from characterize.hardware import Fit, gpu_engine, gpu_kernels, server_power
from characterize.hardware.parameters import Parameter
from characterize.records import Precision, Stack

Values = np.ndarray[Any, np.dtype[np.float64]]
Nets = Mapping[str, tuple[KernelColumns, int]]

HARDWARE: Final = {
    "NVIDIA A10": "nvidia_a10",
    "NVIDIA A100-PCIE-40GB": "nvidia_a100_pcie_40gb",
    "NVIDIA A100-PCIe": "nvidia_a100_pcie_40gb",
    "NVIDIA A100-PCIe-40GB": "nvidia_a100_pcie_40gb",
    "NVIDIA A100-PCIe-80GB": "nvidia_a100_pcie_80gb",
    "NVIDIA A100-SXM-80GB": "nvidia_a100_sxm_80gb",
    "NVIDIA A100-SXM4-40GB": "nvidia_a100_sxm_40gb",
    "NVIDIA A2": "nvidia_a2",
    "NVIDIA A30": "nvidia_a30",
    "NVIDIA T4": "nvidia_t4",
    "NVIDIA AGX Xavier": "nvidia_jetson_agx_xavier",
    "NVIDIA Xavier NX": "nvidia_jetson_xavier_nx",
}
BENCHMARKS: Final = {  # a benchmark's network and the precision that submissions run it in
    "resnet50": ("resnet50", Precision.INT8),
    "ssd-resnet34": ("ssd-resnet34", Precision.INT8),
    "ssd-mobilenet": ("ssd-mobilenet", Precision.INT8),
    "bert-99": ("bert", Precision.INT8),
    "bert-99.9": ("bert", Precision.FP16),
    "rnnt": ("rnnt", Precision.FP16),
    "dlrm-99": ("dlrm", Precision.INT8),
    "3d-unet-99": ("3d-unet", Precision.INT8),
}
FITTED_ON: Final = ("resnet50", "ssd-resnet34", "ssd-mobilenet", "bert-99", "bert-99.9", "rnnt")
PAIRS: Final = {"dlrm-99": 270.0}  # a sample is 100 to 700 pairs of user and item, 270 in the mean
KITS: Final = ("v2.0",)  # rounds whose 3D-UNet is another network (KiTS19)
PARAMETERS: Final[Mapping[str, Parameter]] = {
    "convolution": Parameter(0.9, 0.1, 1.0, "share of the peak, convolutions"),
    "linear": Parameter(0.85, 0.1, 1.0, "share of the peak, matrix products"),
    "recurrent": Parameter(0.9, 0.05, 1.0, "share of the peak, recurrent layers"),
    "depthwise": Parameter(0.55, 0.05, 1.0, "share of the vector peak"),
    "overlap": Parameter(2.3, 1.0, 6.0, "sharpness of the maximum"),
    "mac_j": Parameter(2.6e-12, 0.5e-12, 8e-12, "joules a one-byte product, all in"),
    "older_process": Parameter(1.2, 0.5, 3.0, "factor on it before 7 nm"),
}
NO_FIT: Final = Fit("a trial", 1, datetime.date(2026, 11, 26))


def rows(folder: Path, scenario: str = "Offline") -> pd.DataFrame:
    """Rows of one scenario on NVIDIA accelerators; throughput is per accelerator."""
    table = pd.read_csv(folder / "mlperf_power.csv")
    table = table[(table.scenario == scenario) & table.accelerator.isin(HARDWARE)]
    table = table.assign(
        hardware=table.accelerator.map(HARDWARE),
        per_s=table.samples_per_s / table.n_accel,
        system=table.system_name + " " + table.version,
    )
    limits = [submitted_limit_w(row) for row in table.itertuples()]
    return table.assign(limit_w=limits).reset_index(drop=True)


SUBMITTED_W: Final = {  # of an accelerator; NVIDIA's own submissions state it with their code
    "DGX A100": 250.0,
    "DGX-A100": 250.0,
    "DGX Station": 225.0,
    "Gigabyte G482-Z54": 200.0,
    "Gigabyte G242-P31": 200.0,
    "Gigabyte G492-PD0": 250.0,
}
"""Power limits of "MaxQ" runs, mlcommons/inference_results_v2.0, closed/NVIDIA/configs, offline."""


def submitted_limit_w(row: Any) -> float:
    """The power limit that a submission states for its accelerators, else the datasheet's."""
    stated = [limit for name, limit in SUBMITTED_W.items() if name in row.system_name]
    return stated[0] if stated else hardware.load(row.hardware).number("power.tdp_w")


def embedded(table: pd.DataFrame) -> pd.Series:
    """Which rows are of Jetson modules."""
    return table.hardware.str.contains("jetson")


def cells(table: pd.DataFrame) -> pd.DataFrame:
    """Median throughput of each accelerator, power limit and benchmark over their systems."""
    known = table[table.benchmark.isin(BENCHMARKS) & ~embedded(table)]
    known = known[~((known.benchmark == "3d-unet-99") & known.version.isin(KITS))]
    found = known.groupby(["hardware", "limit_w", "benchmark"]).per_s.median().reset_index()
    return found.assign(family=[re.sub("_(pcie|sxm).*", "", h) for h in found.hardware])


# Throughput


@dataclass(frozen=True)
class Run:
    """Networks of some benchmarks on one device in one precision, kernels one after another."""

    device: gpu_kernels.Device
    profile: hardware.Profile
    samples: Samples
    places: list[int]  # of the results among those asked for
    scale: Values  # seconds of a batch to seconds a sample


def runs(asked: pd.DataFrame, nets: Nets, batch: int | None = None) -> list[Run]:
    """What to time for each row of ``asked``: its benchmark's network on its hardware."""
    precisions = [BENCHMARKS[b][1] for b in asked.benchmark]
    found = []
    groups = asked.assign(place=range(len(asked)), precision=precisions)
    kinds = ["hardware", "limit_w", "precision"]
    for (name, limit_w, precision), some in groups.groupby(kinds, sort=False):
        profile = hardware.load(name).with_({"power.tdp_w": limit_w})
        parts, scale = [], []
        for benchmark in some.benchmark:
            columns, usual = nets[BENCHMARKS[benchmark][0]]
            size = batch or usual
            parts.append((columns.batched(size / usual), 1.0, benchmark))
            scale.append(PAIRS.get(benchmark, 1.0) / size)
        device = gpu_kernels.Device.of(profile, Precision(precision))
        found.append(Run(device, profile, stacked(parts), list(some.place), np.array(scale)))
    return found


def seconds(asked: list[Run], values: Mapping[str, float]) -> Values:
    """Seconds a sample of every row under given efficiencies."""
    found = np.empty(sum(len(run.places) for run in asked))
    for run in asked:
        trial = run.profile.with_fitted("efficiency.engine", values, NO_FIT)
        known = gpu_engine.efficiencies(trial)
        columns, starts = run.samples.columns, run.samples.starts
        times = gpu_engine.kernel_times(
            columns, run.device, known, gpu_engine.budget_w(run.profile)
        )
        kernel_s = (times.kernel_s * columns.count)[:, 0]
        found[run.places] = np.add.reduceat(kernel_s, starts) * run.scale
    return found


def fit(asked: pd.DataFrame, nets: Nets) -> Mapping[str, float]:
    """Efficiencies of an engine from throughputs."""
    chosen = runs(asked, nets)
    result = calibration.fit(
        lambda values: seconds(chosen, values), 1.0 / asked.per_s.to_numpy(), PARAMETERS,
        list(PARAMETERS),
    )  # fmt: skip
    return result.values


def left_out(table: pd.DataFrame, nets: Nets, key: str) -> Values:
    """Throughput of every group of ``key`` by a fit on all the others."""
    found = np.empty(len(table))
    for group in table[key].unique():
        judged = (table[key] == group).to_numpy()
        values = fit(table[~judged], nets)
        found[judged] = 1.0 / seconds(runs(table[judged], nets), values)
    return found


def throughput(folder: Path, nets: Nets, fits: bool) -> Mapping[str, Values]:
    """Offline throughput per accelerator, with accelerators and benchmarks left out."""
    every = cells(rows(folder))
    table = every[every.benchmark.isin(FITTED_ON)].reset_index(drop=True)
    for key in ("hardware", "family", "benchmark"):
        report(f"throughput, a {key} left out", left_out(table, nets, key), table.per_s)
    values = fit(table, nets)
    in_sample = 1.0 / seconds(runs(table, nets), values)
    report("throughput, in sample", in_sample, table.per_s)
    report("throughput, as the package projects it", package(table, nets), table.per_s)
    for name in ("dlrm-99", "3d-unet-99"):
        other = every[every.benchmark == name]
        report(f"{name}, never fitted", 1.0 / seconds(runs(other, nets), values), other.per_s)
    if fits:
        print({name: float(f"{value:.4g}") for name, value in values.items()})
        table = table.assign(ratio=left_out(table, nets, "hardware") / table.per_s)
        print(
            table.pivot_table(index=["hardware", "limit_w"], columns="benchmark", values="ratio")
            .round(2)
            .to_string()
        )
    return {}


def package(
    table: pd.DataFrame, nets: Nets, changes: Callable[[Any], Mapping[str, float]] | None = None
) -> Values:
    """Throughput as the package projects it, on profiles with ``changes`` for a row."""
    found = []
    for row in table.itertuples():
        name, precision = BENCHMARKS[row.benchmark]
        columns, batch = nets[name]
        device = hardware.load(row.hardware).with_({"power.tdp_w": row.limit_w})
        device = device.with_(changes(row) if changes else {})
        estimate = hardware.estimate(columns, device, precision, Stack.ENGINE)
        whole = float((estimate.latency_s * columns.count).sum())
        found.append(batch / whole / PAIRS.get(row.benchmark, 1.0))
    return np.array(found)


def latency(folder: Path, nets: Nets, fits: bool) -> None:
    """Latency of one sample (single stream): the shortest kernel fitted, accelerators left out."""
    table = rows(folder, "SingleStream")
    table = table[table.benchmark.isin(FITTED_ON) & ~embedded(table)].reset_index(drop=True)
    measured = table.lat_p50_ms.to_numpy() / 1e3
    predicted = np.empty(len(table))

    def shortest(some: pd.DataFrame, target: Values) -> float:
        chosen = runs(some, nets, batch=1)
        known = {"shortest": Parameter(6e-6, 0.5e-6, 2e-5, "shortest time of a kernel")}
        found = calibration.fit(lambda v: seconds(chosen, v), target, known, ["shortest"])
        return found.values["shortest"]

    for name in table.hardware.unique():
        judged = (table.hardware == name).to_numpy()
        values = {"shortest": shortest(table[~judged], measured[~judged])}
        predicted[judged] = seconds(runs(table[judged], nets, batch=1), values)
    report("latency of one sample, an accelerator left out", predicted, measured)
    steps = (table.benchmark == "rnnt").to_numpy()
    report("- without RNN-T, whose steps wait for each other", predicted[~steps], measured[~steps])
    if fits:
        print(f"shortest time of a kernel: {shortest(table, measured) * 1e6:.2f} us")
        for row, one, other in zip(table.itertuples(), predicted, measured, strict=True):
            print(f"  {row.hardware} {row.benchmark} {1e3 * other:.2f} ms: {one / other:.2f}")


# Power and energy


def server_of(row: Any) -> server_power.Server:
    """The server of a row: its processors' and its accelerators' power limits."""
    processor = next(w for name, w in PROCESSORS_W.items() if name in row.cpu)
    return server_power.Server(int(row.n_cpu), processor, int(row.n_accel), row.limit_w)


PROCESSORS_W: Final = {  # Intel ARK, AMD and Ampere product pages
    "Gold 6252": 150.0,
    "Platinum 8368": 270.0,
    "EPYC 7502": 180.0,
    "EPYC 7742": 225.0,
    "EPYC 7763": 280.0,
    "Gold 6258R": 205.0,
    "Q80-30": 210.0,
    "Platinum 8352V": 195.0,
    "Gold 6312U": 185.0,
    "Silver 4216": 100.0,
}


def power_rows(folder: Path) -> pd.DataFrame:
    """Offline rows of servers with the terms of their power; a second accuracy is the same run."""
    table = rows(folder)
    table = table[table.benchmark.isin(BENCHMARKS) & ~embedded(table)].reset_index(drop=True)
    return table.assign(terms=[server_power.terms_w(server_of(row)) for row in table.itertuples()])


def unseen_power(table: pd.DataFrame) -> Values:
    """Power of every system by a fit on the other systems."""
    terms = np.array(table.terms.to_list())
    measured = table.avg_power_w.to_numpy()
    found = np.empty(len(table))
    for name in table.system_name.unique():
        judged = (table.system_name == name).to_numpy()
        shares = server_power.fit(terms[~judged], measured[~judged])
        found[judged] = terms[judged] @ shares
    return found


def pairs_of_a_system(table: pd.DataFrame, key: str) -> list[tuple[int, int]]:
    """(known row, judged row) for all rows of the same system."""
    found = []
    for places in table.groupby(key).indices.values():
        found += [(int(a), int(b)) for a in places for b in places if a != b]
    return found


def power(folder: Path, _nets: Nets, fits: bool) -> None:
    """Power of whole servers at the wall."""
    table = power_rows(folder)
    measured = table.avg_power_w.to_numpy()
    unseen = unseen_power(table)
    report("power at the wall, system unseen", unseen, measured)
    for key, title in (("system", "same run"), ("system_name", "any run")):
        known, judged = np.array(pairs_of_a_system(table, key)).T
        servers = [server_power.calibrated(server_of(table.iloc[a]), measured[a]) for a in known]
        predicted = [server_power.wall_power_w(server) for server in servers]
        report(f"power, one row of the system known ({title})", predicted, measured[judged])
    if fits:
        shares = server_power.fit(np.array(table.terms.to_list()), measured)
        print(dict(zip(server_power.TERMS, np.round(shares, 3), strict=True)))
        ratio = pd.Series(unseen / measured).groupby(table.system).median().sort_values()
        print(ratio.round(2).to_string())


def cell_keys(table: pd.DataFrame) -> list[tuple[str, float, str]]:
    """The cell of each row."""
    return list(zip(table.hardware, table.limit_w, table.benchmark, strict=True))


def energy(folder: Path, nets: Nets, fits: bool) -> None:
    """Energy a sample at the wall: power over the throughput of all accelerators."""
    table = power_rows(folder)
    chosen = table[table.benchmark.isin(FITTED_ON)].reset_index(drop=True)
    medians = cells(rows(folder))
    medians = medians[medians.benchmark.isin(FITTED_ON)].reset_index(drop=True)
    rate = dict(zip(cell_keys(medians), left_out(medians, nets, "hardware"), strict=True))
    per_s = np.array([rate[key] for key in cell_keys(chosen)])
    per_s = per_s * chosen.n_accel.to_numpy()
    energy_j = chosen.avg_power_w / chosen.samples_per_s
    report("throughput of whole servers, an accelerator left out", per_s, chosen.samples_per_s)
    report("energy a sample, nothing known", unseen_power(table)[
        table.benchmark.isin(FITTED_ON).to_numpy()] / per_s, energy_j)  # fmt: skip
    known, judged = np.array(pairs_of_a_system(chosen, "system")).T
    predicted = chosen.avg_power_w.to_numpy()[known] / per_s[judged]
    report("energy a sample, host known", predicted, energy_j.to_numpy()[judged])


# Jetson

MODULE_OPS: Final = {"nvidia_jetson_agx_xavier": 32e12, "nvidia_jetson_xavier_nx": 21e12}
"""Int8 operations a second of the module, both deep-learning accelerators with the GPU."""
HIGHEST_HZ: Final = {  # of the GPU, the accelerators, the memory
    "nvidia_jetson_agx_xavier": (1377e6, 1395e6, 2133e6),
    "nvidia_jetson_xavier_nx": (1100e6, 1101e6, 1866e6),
}
SUBMITTED_HZ: Final = {
    ("nvidia_jetson_agx_xavier", "bert-99"): (828.75e6, 0.0, 1600e6),
    ("nvidia_jetson_agx_xavier", "resnet50"): (828.75e6, 1100e6, 1331.2e6),
    ("nvidia_jetson_agx_xavier", "rnnt"): (905.25e6, 0.0, 1331.2e6),
    ("nvidia_jetson_agx_xavier", "ssd-mobilenet"): (828.75e6, 950e6, 1331.2e6),
    ("nvidia_jetson_agx_xavier", "ssd-resnet34"): (905.25e6, 950e6, 1331.2e6),
    ("nvidia_jetson_xavier_nx", "bert-99"): (854.25e6, 0.0, 1331.2e6),
    ("nvidia_jetson_xavier_nx", "resnet50"): (956.25e6, 960e6, 1600e6),
    ("nvidia_jetson_xavier_nx", "rnnt"): (752.25e6, 0.0, 1600e6),
    ("nvidia_jetson_xavier_nx", "ssd-mobilenet"): (854.25e6, 1100.8e6, 1600e6),
    ("nvidia_jetson_xavier_nx", "ssd-resnet34"): (803.25e6, 1100.8e6, 1331.2e6),
}
"""Clocks of "MaxQ" runs, mlcommons/inference_results_v1.1 and v2.0, closed/NVIDIA/configs, offline."""


def clock_shares(row: Any) -> tuple[float, float, float]:
    """Shares of the highest clocks at which a row ran: GPU, accelerators, memory."""
    ran = SUBMITTED_HZ[row.hardware, row.benchmark]
    gpu, beside, memory = (a / b for a, b in zip(ran, HIGHEST_HZ[row.hardware], strict=True))
    return gpu, beside, memory


def clocked(row: Any) -> dict[str, float]:
    """The figures of a module's GPU at the clocks of a row."""
    device, (gpu, _, memory) = hardware.load(row.hardware), clock_shares(row)
    peaks = [key for key in device.stated if key.startswith(("peak_flops", "vector_flops"))]
    changes = {key: gpu * device.number(key) for key in peaks}
    return changes | {"memory.bytes_per_s": memory * device.memory_bytes_per_s}


def beside(row: Any, *, highest: bool = False) -> float:
    """What a module's throughput is of its GPU's, as its accelerators run networks of their own."""
    if row.benchmark not in ("resnet50", "ssd-resnet34", "ssd-mobilenet"):
        return 1.0
    gpu, accelerators, _ = (1.0, 1.0, 1.0) if highest else clock_shares(row)
    alone = hardware.load(row.hardware).peak(Precision.INT8)
    return 1.0 + (MODULE_OPS[row.hardware] - alone) * accelerators / (alone * gpu)


def jetson(folder: Path, nets: Nets, fits: bool) -> None:
    """Jetson Xavier: nothing fitted on it, then one row of the module known."""
    table = rows(folder)
    table = table[embedded(table) & table.benchmark.isin(FITTED_ON)].reset_index(drop=True)
    every = list(table.itertuples())
    highest = package(table, nets) * np.array([beside(row, highest=True) for row in every])
    report("Jetson Xavier, highest clocks, nothing known", highest, table.per_s)
    predicted = package(table, nets, clocked) * np.array([beside(row) for row in every])
    measured = table.per_s.to_numpy()
    report("Jetson Xavier, clocks as submitted, nothing known", predicted, measured)
    ratio = predicted / measured
    for key, title in (("system", "same run"), ("hardware", "same module")):
        known, judged = np.array(pairs_of_a_system(table, key)).T
        other = (table.benchmark.to_numpy()[known] != table.benchmark.to_numpy()[judged]).nonzero()
        known, judged = known[other], judged[other]
        report(f"Jetson Xavier, one row known ({title})", predicted[judged] / ratio[known],
               measured[judged])  # fmt: skip
    if fits:
        table = table.assign(ratio=ratio)
        print(
            table.pivot_table(index="benchmark", columns="system", values="ratio")
            .round(2)
            .to_string()
        )


CHECKS: Final[Mapping[str, Callable[[Path, Nets, bool], Any]]] = {
    "throughput": throughput, "latency": latency, "power": power, "energy": energy,
    "jetson": jetson,
}  # fmt: skip


@lru_cache
def traced(cache: Path | None) -> Nets:
    """The networks with their offline batches; kept in a folder where one is given."""
    return judging.kept(cache, "servers", _traced)


def _traced() -> Nets:
    works = server_networks.workloads()
    return {name: (server_networks.columns(work), work.batch) for name, work in works.items()}


if __name__ == "__main__":
    judging.judge(__doc__, CHECKS, lambda _name, cache: traced(cache))

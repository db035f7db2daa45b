"""How wrong projections are: predicted against measured, with the errors that a reader should know.

An error is ``predicted / measured - 1``. Coverage is the share of measurements inside the projected
80 % interval. Networks that cannot be traced, and devices that lack the precision, are listed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from characterize import cautions, errors, evidence, hardware, projection
from characterize.columns import Array
from characterize.hardware import Profile
from characterize.records import Precision, Stack

if TYPE_CHECKING:
    import pandas as pd

WORST: Final = 10
ENERGIES: Final = ("power_w", "energy_j", "wall_power_w", "wall_energy_j")
"""What is compared beside latency, where it was measured and is projected."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Validation:
    """Every measurement beside its projection, and what could not be projected."""

    table: pd.DataFrame
    left_out: tuple[Mapping[str, str], ...] = field(default=())

    def summaries(self) -> list[dict[str, Any]]:
        """One object a device, stack and precision: errors as fractions."""
        if not len(self.table):
            return []
        by = ["hardware", "stack", "precision"]
        return [
            {"hardware": name[0], "stack": name[1], "precision": name[2], **summary(rows)}
            for name, rows in self.table.groupby(by, sort=True)
        ]

    def worst(self, limit: int = WORST) -> pd.DataFrame:
        """The rows that are furthest off, by the ratio of predicted to measured."""
        order = np.abs(np.log(self.table["predicted_s"] / self.table["latency_s"]))
        return self.table.assign(off=order).nlargest(limit, "off").drop(columns="off")

    def families(self) -> list[dict[str, Any]]:
        """One object a family of models, largest median error first."""
        if not len(self.table):
            return []
        rows = self.table.assign(family=self.table["model"].map(evidence.family_of))
        found = [{"family": name, **summary(part)} for name, part in rows.groupby("family")]
        return sorted(found, key=lambda each: -each["median_ape"])


def summary(rows: pd.DataFrame) -> dict[str, Any]:
    """Errors over some rows: n, absolute percentage errors, rank correlation, bias, coverage."""
    measured = rows["latency_s"].to_numpy(dtype=np.float64)
    predicted = rows["predicted_s"].to_numpy(dtype=np.float64)
    error = predicted / measured - 1.0
    size = np.abs(error)
    inside = (rows["low_s"] <= measured) & (measured <= rows["high_s"])
    formats = sorted({str(each) for each in rows["memory_format"] if each})
    found: dict[str, Any] = {
        "memory_format": ", ".join(formats),
        "n": len(rows),
        "median_ape": float(np.median(size)),
        "mean_ape": float(size.mean()),
        "p90_ape": float(np.quantile(size, 0.9)),
        "spearman_rho": spearman(predicted, measured),
        "bias": float(np.median(error)),
        "coverage": float(inside.mean()),
    }
    for name in ENERGIES:
        if name not in rows or f"predicted_{name}" not in rows:
            continue
        known = (rows[name].notna() & rows[f"predicted_{name}"].notna()).to_numpy()
        if known.any():
            off = rows[f"predicted_{name}"].to_numpy() / rows[name].to_numpy() - 1.0
            found[f"{name}_median_ape"] = float(np.median(np.abs(off[known])))
    return found


def spearman(first: Array, second: Array) -> float | None:
    """Rank correlation, tied values sharing their mean rank; None below three values."""
    import pandas as pd

    if len(first) < 3:
        return None
    ranks = [pd.Series(values).rank().to_numpy() for values in (first, second)]
    spread = [float(np.std(rank)) for rank in ranks]
    if 0.0 in spread:
        return None
    return float(np.corrcoef(*ranks)[0, 1])


def validate(
    frame: pd.DataFrame,
    devices: Iterable[str | Profile] | None = None,
    progress: Progress | None = None,
) -> Validation:
    """Project what was measured.

    Args:
        frame: measurements, from :func:`characterize.evidence.read`.
        devices: names, TOML paths or profiles; by default every device in the file.
        progress: called with a sentence before each network.

    Raises:
        UnknownNameError: a device that we do not have, or of which the file has no measurement.
    """
    profiles, frame, left = _devices(frame, devices)
    found: dict[int, dict[str, float]] = {}
    for subject in evidence.subjects(frame, progress):
        if subject.graph is None:
            left.append(
                {"model": subject.model, "input_size": _text(subject), "reason": subject.reason}
            )
            continue
        kernels = evidence.Kernels(subject.graph)
        part = frame.iloc[list(subject.rows)]
        groups = part.groupby(["hardware", "precision", "stack", "memory_format"]).indices
        for (name, precision, stack, layout), places in groups.items():
            positions = [subject.rows[place] for place in places]
            try:
                rows = _project(
                    kernels, profiles[name], Precision(precision), Stack(stack), layout,
                    frame["batch"].iloc[positions].tolist(),
                )  # fmt: skip
            except errors.UnsupportedError as error:
                left.append({"model": subject.model, "input_size": _text(subject),
                             "reason": str(error)})  # fmt: skip
                continue
            found.update(zip(positions, rows, strict=True))
    places = sorted(found)
    table = frame.iloc[places].copy()
    for name in ("predicted_s", "low_s", "high_s", *(f"predicted_{each}" for each in ENERGIES)):
        table[name] = [found[place][name] for place in places]
    return Validation(table, tuple(left))


def _text(subject: evidence.Subject) -> str:
    return "" if subject.input_size is None else str(subject.input_size)


def _devices(
    frame: pd.DataFrame, devices: Iterable[str | Profile] | None
) -> tuple[dict[str, Profile], pd.DataFrame, list[Mapping[str, str]]]:
    """Profiles by the name that the file has for them, and the rows that are of them."""
    names = sorted(str(name) for name in frame["hardware"].unique())
    profiles: dict[str, Profile] = {}
    left: list[Mapping[str, str]] = []
    if devices is None:
        for name in names:
            try:
                profiles[name] = hardware.load(name)
            except errors.UnknownNameError as error:
                left.append({"model": "", "input_size": "", "reason": str(error)})
    else:
        for each in devices:
            profile = each if isinstance(each, Profile) else hardware.load(each)
            if profile.name not in names:
                raise errors.unknown("device in the measurements", profile.name, names)
            profiles[profile.name] = profile
    kept = frame[frame["hardware"].isin(profiles)].reset_index(drop=True)
    return profiles, kept, left


def _project(
    kernels: evidence.Kernels,
    profile: Profile,
    precision: Precision,
    stack: Stack,
    memory_format: str,
    batches: list[float],
) -> list[dict[str, float]]:
    device = hardware.in_format(profile, stack, memory_format)
    columns = kernels.at(stack, batches)
    estimate, latency, dynamic = projection.totals(columns, device, precision, stack)
    flags = cautions.flags(columns, estimate, device, precision, stack)
    low, high = cautions.interval(device.band(stack.value), flags)
    energy = dynamic + latency * hardware.static_power_w(device)
    macs = (columns.macs * columns.count).sum(axis=0)
    wall_w = hardware.wall_power_w(device, precision, macs / latency)
    return [
        {
            "predicted_s": float(seconds),
            "low_s": float(seconds * below),
            "high_s": float(seconds * above),
            "predicted_energy_j": float(joules),
            "predicted_power_w": float(joules / seconds),
            "predicted_wall_power_w": float(wall),
            "predicted_wall_energy_j": float(wall * seconds),
        }
        for seconds, joules, below, above, wall in zip(
            *(np.broadcast_to(each, len(batches)) for each in (latency, energy, low, high, wall_w)),
            strict=True,
        )
    ]

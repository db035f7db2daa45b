"""What one more layer costs: one step of every parameter of a configuration, the others as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from characterize import errors, models, session
from characterize.hardware import Profile
from characterize.models.parameters import Parameter

if TYPE_CHECKING:
    import pandas as pd

COSTS: Final = ("latency_s", "energy_j", "macs", "parameters")
_SHARE: Final = 0.1
_LEAST: Final = 10  # below it, a tenth more is less than a step


@dataclass(frozen=True)
class Change:
    """One parameter at another value."""

    parameter: str
    change: str  # "+1", "+10 %", "instead"
    before: Any
    after: Any


def sensitivities(
    family: str,
    *,
    hardware: Sequence[str | Profile] | str = "all",
    batch: int = 1,
    precision: str = "auto",
    stack: str = "compiled",
    **parameters: Any,
) -> pd.DataFrame:
    """What changes when one parameter does: a step, a tenth more, another choice.

    Args:
        family: the family.
        hardware: device names, classes, TOML paths, profiles, or ``"all"``.
        batch: samples that run together.
        precision: ``"auto"`` takes each device's usual inference precision.
        stack: the software that runs it.
        parameters: the configuration to change; what is left out has its default.

    Returns:
        A line a change and device: ``parameter``, ``change``, ``before``, ``after``, ``hardware``,
        the new ``latency_s``, ``energy_j``, ``macs`` and ``parameters``, and each one's relative
        change in ``latency_s_change`` and so on (0.1 is a tenth more). A change that the family
        refuses has no numbers and says why in ``note``.

    Raises:
        CharacterizeError: the configuration itself cannot be projected.
    """
    import pandas as pd

    own = models.family(family).check(**parameters)

    def ask(values: Mapping[str, Any], batch: int) -> dict[str, Mapping[str, Any]]:
        rows = session.project(
            family, values, batch=batch, precision=precision, stack=stack, hardware=hardware,
            keep=False,
        )  # fmt: skip
        return {row["hardware"]: row for row in rows.to_dict("records")}

    base = ask(own, batch)
    found: list[dict[str, Any]] = []
    for change in changes(models.family(family).parameters, own, batch):
        names = [change.parameter, change.change, change.before, change.after]
        line = dict(zip(("parameter", "change", "before", "after"), names, strict=True))
        values = {**own, change.parameter: change.after}
        size = int(values.pop("batch", batch)) if change.parameter == "batch" else batch
        try:
            after = ask(values, size)
        except errors.CharacterizeError as error:
            found.append({**line, "note": str(error)})
            continue
        found.extend(
            {**line, **_against(base[name], row), "note": ""} for name, row in after.items()
        )
    return pd.DataFrame(found)


def _against(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "hardware": after["hardware"],
        **{name: after[name] for name in COSTS},
        **{f"{n}_change": after[n] / before[n] - 1.0 if before[n] else float("nan") for n in COSTS},
    }


def changes(
    parameters: Sequence[Parameter], values: Mapping[str, Any], batch: int
) -> Iterator[Change]:
    """One step up of every number, a tenth more of large ones, every other choice, each flag turned."""
    for parameter in parameters:
        value = values[parameter.name]
        if parameter.kind == "bool":
            yield Change(parameter.name, "instead", value, not value)
        elif parameter.kind == "choice":
            others = (choice for choice in parameter.choices if choice != value)
            yield from (Change(parameter.name, "instead", value, other) for other in others)
        else:
            yield from _more(parameter, value)
    yield Change("batch", "+1", batch, batch + 1)
    if batch > 1:
        yield Change("batch", "twice", batch, 2 * batch)


def _more(parameter: Parameter, value: Any) -> Iterator[Change]:
    step = parameter.step or (1 if parameter.kind == "int" else abs(value) * _SHARE or _SHARE)
    steps = [(f"+{step:g}", value + step)]
    if parameter.kind == "int" and value >= _LEAST:
        tenth = value + max(1, round(_SHARE * value))
        if tenth != value + step:
            steps.append(("+10 %", tenth))
    for name, after in steps:
        if parameter.high is None or after <= parameter.high:
            yield Change(
                parameter.name, name, value, int(after) if parameter.kind == "int" else after
            )

"""``characterize measure``: a network run on this machine, next to its projection."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from characterize.cli import output, tables
from characterize.cli.parser import Subparsers, one_of, settings
from characterize.errors import InvalidValueError
from characterize.records import Precision, Stack

if TYPE_CHECKING:
    from characterize.hardware import Profile
    from characterize.measurement import Measured
    from characterize.subjects import Subject

_SIZES: Final = ("input_size", "sequence")  # the parameter that has a column of its own
_SHOWN: Final = {"": "", "latency_s": "latency", "range": "range", "throughput": "throughput"}


def add_parser(subparsers: Subparsers) -> None:
    """Describe the verb."""
    parser = subparsers.add_parser(
        "measure",
        help="run one network on this machine, next to its projection",
        description=(
            "Run a family or zoo model with random weights on this machine, time it, and show what "
            "is projected for the profile of this machine. FILE is what `characterize calibrate` and "
            "`validate` take."
        ),
    )
    parser.add_argument("model", metavar="MODEL", help="a family or a zoo model")
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="key=value",
        help="parameters of the model",
    )  # fmt: skip
    parser.add_argument("--batch", default="1", metavar="N", help="samples that run together (1)")
    parser.add_argument(
        "--precision", type=one_of("precision", ("auto", *Precision)), default="auto", metavar="P",
        help="fp32, tf32, bf16 or fp16; auto is the profile's, or fp32",
    )  # fmt: skip
    parser.add_argument(
        "--stack", type=one_of("stack", Stack), default=Stack.EAGER.value, metavar="S",
        help="eager (the default) or compiled",
    )  # fmt: skip
    parser.add_argument(
        "--hardware", metavar="NAME",
        help="the profile of this machine's processor or GPU (a name or a TOML file)",
    )  # fmt: skip
    parser.add_argument(
        "--memory-format", type=one_of("memory format", ("nhwc", "nchw")), default="nhwc",
        metavar="M", help="of images: nhwc (the default) or nchw",
    )  # fmt: skip
    parser.add_argument(
        "--threads", type=_positive(int), metavar="N", help="threads of a processor"
    )
    parser.add_argument(
        "--seconds", type=_positive(float), default=3.0, metavar="S", help="how long to time (3)"
    )
    parser.add_argument(
        "--append", action="store_true", help="add to FILE (.csv) what it does not hold yet"
    )
    output.add_options(parser, output.LIST_FORMATS)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure, project, and print both."""
    format = output.chosen_format(arguments)
    if arguments.append and (format != "csv" or not arguments.output):
        msg = "--append adds lines to a CSV file: name it with --output FILE.csv."
        raise InvalidValueError(msg)
    from characterize import hardware, measurement, projection, session

    profile = hardware.load(arguments.hardware) if arguments.hardware else None
    precision = _precision(arguments.precision, profile, projection)
    asked = session.subject(arguments.model, settings(arguments.set), arguments.batch)
    measured = measurement.measure(
        asked, precision=precision, stack=arguments.stack, device=_device(profile),
        memory_format=arguments.memory_format, threads=arguments.threads,
        seconds=arguments.seconds, progress=output.progress(),
    )  # fmt: skip
    projected: Mapping[str, Any] | None = None
    if profile is not None:
        projected = _projected(asked, precision, arguments.stack, profile)
    row = _row(asked, measured, precision, arguments, profile, projected)
    rows = [*_before(arguments), row] if arguments.append else [row]
    output.emit(rows, arguments, lambda _rows: _text(asked, measured, row, profile))
    if arguments.output:
        output.note(f"{len(rows)} measurements in {arguments.output}")
    elif profile is None and format == "table":
        output.note("name the profile of this machine with --hardware to see its projection")
    return 0


def _projected(asked: Subject, precision: str, stack: str, profile: Profile) -> Mapping[str, Any]:
    """What is projected for what was measured: under autocast even where that costs more than it saves."""
    from dataclasses import replace

    from characterize import projection, session

    columns = session.columns(asked, stack)
    strict = replace(columns, kernels=replace(columns.kernels, cast=True))
    return projection.project(strict, [profile], precision, labels=asked.labels).rows()[0]


def _positive(kind: type) -> Any:
    def check(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = 0
        if value <= 0:
            msg = f"{text!r} is not above 0"
            raise argparse.ArgumentTypeError(msg)
        return value

    return check


def _precision(asked: str, profile: Profile | None, projection: Any) -> str:
    if profile is None:
        return Precision.FP32.value if asked == "auto" else asked
    return str(projection.device_precision(profile, asked).value)


def _device(profile: Profile | None) -> str:
    """Where a profile's device is run: this machine's processor, or its GPU."""
    if profile is None or profile.architecture.value == "cpu":
        return "cpu"
    if profile.architecture.value == "gpu":
        return "cuda"
    msg = f"{profile.name} is a {profile.architecture.value}; measured are processors and GPUs."
    raise InvalidValueError(msg)


def _row(
    asked: Subject,
    measured: Measured,
    precision: str,
    arguments: argparse.Namespace,
    profile: Profile | None,
    projected: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """One line of a file of measurements."""
    size = next((name for name in _SIZES if name in asked.values), None)
    return {
        "model": _described(asked, size),
        "input_size": asked.values[size] if size else None,
        "batch": asked.batch,
        "precision": precision,
        "stack": arguments.stack,
        "memory_format": measured.memory_format,
        "hardware": profile.name if profile else measured.device or "this_machine",
        "latency_s": measured.latency_s,
        "latency_p10_s": measured.latency_p10_s,
        "latency_p90_s": measured.latency_p90_s,
        "steady_s": measured.steady_s,
        "samples": measured.samples,
        "threads": measured.threads,
        "framework": measured.framework,
        "projected_s": projected["latency_s"] if projected else None,
        "projected_low_s": projected["latency_low_s"] if projected else None,
        "projected_high_s": projected["latency_high_s"] if projected else None,
    }


def _described(asked: Subject, size: str | None) -> str:
    """The model, and behind it the parameters that are not the defaults."""
    from characterize import models

    known = models.family(asked.family) if asked.family else models.zoo(asked.model)
    own = [
        f"{name}={str(value).lower() if isinstance(value, bool) else value}"
        for name, value in asked.parameters
        if name != size and value != known.defaults[name]
    ]
    return " ".join([asked.model, *own])


def _before(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    file = Path(arguments.output)
    if not file.exists():
        return []
    import pandas as pd

    from characterize import evidence

    evidence.read(file)  # refused if it is a file of something else
    return output.records(pd.read_csv(file))


def _text(
    asked: Subject, measured: Measured, row: Mapping[str, Any], profile: Profile | None
) -> str:
    batch = asked.batch
    lines = [
        {
            "": "measured",
            "latency_s": measured.latency_s,
            "range": _range(measured.latency_p10_s, measured.latency_p90_s),
            "throughput": _rate(batch / measured.latency_s),
        }
    ]
    if measured.steady_s is not None:
        steady = {"latency_s": measured.steady_s, "throughput": _rate(batch / measured.steady_s)}
        lines.append({"": "back to back", "range": "", **steady})
    if row["projected_s"]:
        lines.append(
            {
                "": "projected",
                "latency_s": row["projected_s"],
                "range": _range(row["projected_low_s"], row["projected_high_s"]),
                "throughput": _rate(batch / row["projected_s"]),
            }
        )
    size = next((f", {n}={asked.values[n]}" for n in _SIZES if n in asked.values), "")
    kinds = [row["precision"], row["stack"], *filter(None, [measured.memory_format])]
    text = [
        f"{row['model']}{size}, batch {batch}, {', '.join(kinds)}: {row['hardware']}",
        f"{measured.device}, {_steps(measured)} after {measured.warm_ups} warm-ups, {measured.framework}",
        "",
        tables.of(lines, _SHOWN),
    ]
    if row["projected_s"] and profile is not None:
        error = row["projected_s"] / measured.latency_s - 1
        inside = row["projected_low_s"] <= measured.latency_s <= row["projected_high_s"]
        where = "inside" if inside else "outside"
        text += [
            "",
            f"projected {error:+.1%}; measured {where} the 80 % interval of {profile.name}",
        ]
        text += ["measured ranges are the 10th to the 90th percentile of the steps"]
    return "\n".join(text)


def _steps(measured: Measured) -> str:
    """How many steps were timed, and what of this machine took part."""
    threads = f"{measured.threads} threads, " if measured.steady_s is None else ""  # of a processor
    return f"{threads}{measured.samples} steps"


def _rate(per_s: float) -> str:
    return f"{per_s:,.3g} /s" if per_s < 1000 else f"{per_s:,.0f} /s"


def _range(low: float, high: float) -> str:
    return f"{tables.cell('latency_s', low)} to {tables.cell('latency_s', high)}"

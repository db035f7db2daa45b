"""The pieces of the Validation view. They draw; what they draw is made elsewhere."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import pandas as pd
import streamlit as st

from characterize.errors import CharacterizeError
from dashboard import (
    charts_validation,
    exports,
    panels,
    queries,
    saving,
    validation_rows,
    validations,
)
from dashboard.jobs import Job
from dashboard.validations import Measurements

UPLOAD: Final = "_validation_file"
CARD_WIDTH: Final = 420  # pixels that a chart needs beside the other
COLUMNS: Final = "model, input_size, batch, precision, stack, memory_format, hardware, latency_s"
KPI_WIDTH: Final = 130


def title(name: str) -> str:
    """What a device is called, its name where we do not have it."""
    devices = queries.devices()
    return devices[name].title if name in devices else name


# Measurements


def upload(taken: Callable[[], None]) -> None:
    """Take in a CSV of measurements; what came of it is said in a sentence.

    Args:
        taken: called once a file was taken in.
    """
    with st.popover("Your own measurements", icon=":material/upload_file:"):
        st.markdown(
            f"A CSV file with one row a measurement and the columns `{COLUMNS}`, and `power_w` and "
            "`energy_j` where you have them. Units are SI; it stays in this session."
        )
        st.file_uploader(
            "Measurements (CSV)",
            type=["csv"],
            key=UPLOAD,
            on_change=functools.partial(_read, taken),
            max_upload_size=20,
        )
    said = st.session_state.pop(f"{UPLOAD}.said", "")
    if said:
        st.error(said, icon=":material/error:")


def _read(taken: Callable[[], None]) -> None:
    file = st.session_state[UPLOAD]
    if file is None:
        return
    try:
        validations.take(file.getvalue(), file.name)
    except CharacterizeError as error:
        st.session_state[f"{UPLOAD}.said"] = str(error)
    else:
        taken()


def mind(measured: Measurements) -> None:
    """What is set aside of the measurements that come along, and why."""
    if measured.is_shipped:
        aside = measured.table.attrs.get("set_aside", {})
        told = [
            f"{count} measurements are set aside (“{reason}”)." for reason, count in aside.items()
        ]
        st.caption(" ".join([*told, "Sources and methods of all are in data/published."]))


def offer(measured: Measurements) -> None:
    """What could be projected, and a button that does it."""
    why = validations.trouble(measured)
    with st.container(border=True):
        st.markdown(
            f"**{len(measured.table):,} measurements** of {measured.networks} networks on "
            f"{len(measured.devices)} devices: {', '.join(map(title, measured.devices))}."
        )
        st.caption(
            "To see how far off the projections are, every network that does not ship with the package "
            "is traced once, in the background; the answer is kept until a measurement, a profile or "
            "the projection changes."
        )
        if why:
            st.warning(why, icon=":material/info:")
        st.button(
            "Project what was measured",
            type="primary",
            icon=":material/play_arrow:",
            key="_validation_run",
            on_click=validations.project,
            args=(measured,),
        )


def progress(job: Job) -> None:
    """How far it is, and a way to stop it."""
    with st.container(border=True):
        st.progress(job.share, text=f"**{job.title}**: {job.text or 'starting'}")
        st.button("Stop", icon=":material/stop_circle:", key="_validation_stop", on_click=job.stop)


# Errors


def kpis(summary: Mapping[str, Any]) -> None:
    """The errors over all that is shown, in large print."""
    known = validation_rows.errors(summary)
    found = {name: known[name] for name in validation_rows.LARGE}
    meanings = dict(validation_rows.ERRORS.values())
    with st.grid(6, min_column_width=KPI_WIDTH, gap="xsmall"):
        st.metric("Measurements", f"{summary['n']:,}", border=True, height="stretch")
        for name, value in found.items():
            shown = f"{value:+.1f} %" if name.startswith("Bias") else f"{value:.1f} %"
            label = name.replace(" (%)", "")
            st.metric(label, shown, help=meanings[name], border=True, height="stretch")
        if summary["spearman_rho"] is not None:
            st.metric(
                validation_rows.RHO,
                f"{summary['spearman_rho']:.3f}",
                help="Spearman's: 1 where projections put everything in the measured order.",
                border=True,
                height="stretch",
            )


def charts(points: pd.DataFrame, summary: Mapping[str, Any], count: int) -> None:
    """Predicted against measured, and the error by size."""
    if len(points) < count:
        st.caption(f"{len(points):,} of {count:,} measurements are drawn, evenly chosen.")
    words = validation_rows.takeaway(summary, count)
    pictures = (
        ("Projected against measured", charts_validation.agreement, "On the line both agree."),
        ("Error by size", charts_validation.residuals, "Above the line we say too slow."),
    )
    with st.grid(2, min_column_width=CARD_WIDTH, gap="small"):
        for name, chart, sentence in pictures:
            with st.container(border=True, gap="xsmall"):
                st.markdown(f"**{name}**", help=sentence)
                panels.draw(
                    chart,
                    points,
                    key=f"validation.{chart.__name__}",
                    alt_text=f"{name}: {words}",
                )
    st.caption(f"{sentence_on_marks(summary)}")


def sentence_on_marks(summary: Mapping[str, Any]) -> str:
    """What filled and hollow mean, with the share of each."""
    inside = float(summary["coverage"])
    return (
        f"Filled: inside the 80 % interval of its projection ({inside:.0%}). Hollow: outside "
        f"({1 - inside:.0%}); an honest interval leaves out 20 %."
    )


def error_table(
    summaries: Iterable[Mapping[str, Any]], titles: Mapping[str, str], key: str, alt_text: str
) -> None:
    """Errors in percent, a row a group of measurements."""
    table = validation_rows.error_table(summaries, titles)
    first = str(table.columns[0])
    st.dataframe(
        table,
        hide_index=True,
        key=key,
        alt=alt_text,
        height="content",
        placeholder="–",
        column_config={
            first: st.column_config.TextColumn(first, pinned=True, width="medium"),
            "Format": st.column_config.TextColumn("Format", width="small"),
            **_error_config(),
        },
    )


def _error_config() -> dict[str, Any]:
    config: dict[str, Any] = {
        name: st.column_config.NumberColumn(name, format="%.1f", help=meaning)
        for name, meaning in validation_rows.ERRORS.values()
    }
    config["n"] = st.column_config.NumberColumn("n", format="%d", help="Measurements.")
    config[validation_rows.RHO] = st.column_config.NumberColumn(
        validation_rows.RHO, format="%.3f", help="Spearman's."
    )
    return config


def worst(rows: pd.DataFrame, titles: Mapping[str, str]) -> None:
    """The measurements that are furthest off."""
    st.dataframe(
        validation_rows.worst_table(rows, titles),
        hide_index=True,
        key="validation.worst",
        alt="The ten measurements that are furthest off",
        height="content",
        column_config={
            "Network": st.column_config.TextColumn("Network", pinned=True),
            "Error (%)": st.column_config.NumberColumn("Error (%)", format="%+.0f"),
        },
    )


def left_out(reasons: Sequence[Mapping[str, str]]) -> None:
    """What could not be projected, and why."""
    if not reasons:
        return
    with st.expander(f"{len(reasons)} could not be projected", icon=":material/block:"):
        shown = pd.DataFrame(reasons).rename(
            columns={"model": "Network", "input_size": "Size", "reason": "Why"}
        )
        st.dataframe(
            shown, hide_index=True, key="validation.left", alt="What was left out, and why"
        )


# What it rests on


def fits() -> None:
    """Which efficiencies were fitted on which measurements; what the other devices rest on."""
    profiles = [queries.profile(name) for name in queries.devices()]
    counts = validation_rows.resting_on(profiles)
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    st.caption(
        f"Confidence of the devices: {told}. A device without a fit takes its architecture's numbers, "
        "with an interval from the errors made on devices that were left out of the fit."
    )
    table = validation_rows.fits(profiles)
    st.dataframe(
        table,
        hide_index=True,
        key="validation.fits",
        alt="Numbers that were fitted, on what, and with which error",
        height=320,
        placeholder="",
        column_config={
            "Device": st.column_config.TextColumn("Device", pinned=True),
            "Median error (%)": st.column_config.NumberColumn("Median error (%)", format="%.1f"),
        },
    )
    saving.downloads(table, "fits", name="characterize_fits")


def plain(text: str) -> str:
    """A text in which nothing is taken for Markdown."""
    return re.sub(r"([*_~$`\[\]])", r"\\\1", text)


def conv2d() -> None:
    """The published report beside what we find."""
    try:
        report = validations.conv2d()
    except CharacterizeError as error:
        st.error(str(error), icon=":material/error:")
        return
    titles = {name: device.short for name, device in queries.devices().items()}
    table = validation_rows.report_table(report, titles)
    table["Figure"] = table["Figure"].map(exports.heading)
    agreed = int((table["Agrees"] == "yes").sum())
    st.caption(
        f"{report.source}: {agreed} of {len(table)} published figures come out again to the digits "
        f"that were printed. {plain(report.why)}"
    )
    st.dataframe(
        table,
        hide_index=True,
        key="validation.conv2d",
        alt="Published figures of the Conv2D report beside ours",
        height=320,
        column_config={"Figure": st.column_config.TextColumn("Figure", pinned=True)},
    )

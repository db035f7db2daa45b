"""Taking things along: every table as a file, every chart as a picture, a page as a report.

One component each. Files are made when their button is pressed, from what was on the screen when
the button was drawn; nothing is made in advance.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import streamlit as st

from characterize import __version__
from dashboard import address, exports, images, links, queries, report_page, tables
from dashboard.exports import Provenance
from dashboard.images import Theme
from dashboard.readable import Columns

if TYPE_CHECKING:
    from dashboard.report_page import Report

DRAWN: Final = "_drawn"  # the charts of the page, by key
SHADES: Final = ("light", "dark")
ICON: Final = ":material/download:"
INSTALL: Final = "pip install 'characterize[{}]'"


# Where it comes from


def asked(extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the person asked for: the view, the parameters of its link, and what a view adds."""
    link = address.read().items()
    said = {name: texts if len(texts) > 1 else texts[0] for name, texts in link if texts}
    return {"view": st.session_state.get(links.PAGE, ""), **said, **(extra or {})}


def profiles_of(names: Iterable[Any]) -> dict[str, str]:
    """The digest of each device's profile, as far as there is one of that name."""
    known = queries.devices()
    wanted = dict.fromkeys(str(name) for name in names)
    return {name: queries.profile(name).content_hash for name in wanted if name in known}


def provenance(request: Mapping[str, Any], profiles: Mapping[str, str]) -> Provenance:
    """Made now, from this."""
    return Provenance(datetime.now(UTC).isoformat(timespec="seconds"), request, profiles)


# Tables


def downloads(
    rows: Columns | pd.DataFrame,
    key: str,
    *,
    name: str = "",
    request: Mapping[str, Any] | None = None,
) -> None:
    """Buttons that save exactly ``rows`` as CSV, Parquet, JSON and Excel.

    Args:
        rows: what is on the screen, with all its columns.
        key: what the buttons' keys begin with.
        name: of the files; by default what result rows say of themselves.
        request: what was asked, beside what the link says.
    """
    stem = name or tables.file_stem(rows)
    count = len(rows) if isinstance(rows, pd.DataFrame) else len(next(iter(rows.values()), ()))
    said = asked(request)
    devices = profiles_of(rows["hardware"]) if "hardware" in rows else {}
    with st.container(horizontal=True, gap="xsmall"):
        for each in exports.FORMATS:
            st.download_button(
                each.name,
                data=functools.partial(_written, each, rows, said, devices),
                file_name=f"{stem}.{each.suffix}",
                mime=each.mime,
                key=f"{key}.{each.name}",
                on_click="ignore",
                icon=ICON,
                disabled=not count or not each.available,
                help=_sentence(each, count),
            )


def _written(
    kind: exports.Format,
    rows: Columns | pd.DataFrame,
    request: Mapping[str, Any],
    profiles: Mapping[str, str],
) -> bytes:
    return kind.write(rows, provenance(request, profiles))


def _sentence(kind: exports.Format, count: int) -> str:
    if not kind.available:
        return f"Needs {kind.needs}: {INSTALL.format('excel')}"
    rows = "The row" if count == 1 else f"The {count:,} rows"
    return f"{rows} above with all columns, in SI units, and where the numbers come from."


# Charts


@dataclass(frozen=True)
class Drawn:
    """A chart of the page as it was drawn last."""

    title: str
    specification: Mapping[str, Any]
    rows: Columns | pd.DataFrame


def forget_charts() -> None:
    """A page begins: what the one before has drawn is not on it."""
    st.session_state[DRAWN] = {}


def remember_chart(key: str, drawn: Drawn) -> None:
    """Offer a chart of this page to be saved."""
    st.session_state.setdefault(DRAWN, {})[key] = drawn


def charts_drawn() -> dict[str, Drawn]:
    """The charts of this page by key."""
    drawn: dict[str, Drawn] = st.session_state.get(DRAWN, {})
    return drawn


def theme(shade: str) -> Theme:
    """The colours of ``.streamlit/config.toml`` for one shade."""
    said = functools.partial(_option, shade)
    return Theme(
        background=str(said("backgroundColor")),
        text=str(said("textColor")),
        grid=str(said("borderColor")),
        categories=tuple(said("chartCategoricalColors") or ()),
    )


def _option(shade: str, name: str) -> Any:
    return st.get_option(f"theme.{shade}.{name}")


@dataclass(frozen=True)
class Offer:
    """A report that a view can make of what it shows: what it is called, and how it is made."""

    stem: str
    make: Callable[[], Report] = field(compare=False)


_OFFER: Final = "_report_offer"


def offer_report(stem: str, make: Callable[[], Report]) -> None:
    """Let the menu save a report; ``make`` is called when the menu is open, with Streamlit there."""
    st.session_state[_OFFER] = (st.session_state.get(links.PAGE, ""), Offer(stem, make))


@st.fragment
def menu() -> None:
    """The menu that saves each chart of the page as PNG or SVG, and its report.

    What it holds is made only while it is open, so that it costs a slider step nothing.
    """
    opened = st.popover(
        "Save", icon=":material/save:", type="tertiary", key="_save", on_change="rerun"
    )
    with opened:
        if not opened.open:
            return
        if images.available():
            _pictures(charts_drawn())
        else:
            st.info(f"Pictures need vl-convert: {INSTALL.format('images')}")
        page, offer = st.session_state.get(_OFFER, ("", None))
        if offer is not None and page == st.session_state.get(links.PAGE):
            _report(offer)


def _pictures(drawn: Mapping[str, Drawn]) -> None:
    if not drawn:
        st.caption("This page has no chart to save.")
        return
    key = st.selectbox("Chart", [*drawn], format_func=lambda each: drawn[each].title)
    now = st.context.theme.type if st.context.theme.type in SHADES else SHADES[0]
    shade = st.segmented_control("Colours", SHADES, default=now, required=True)
    chart, stem = drawn[key], f"characterize_{tables.slug(drawn[key].title)}"
    subtitle = _subtitle()
    with st.container(horizontal=True, gap="xsmall"):
        for kind in ("png", "svg"):
            st.download_button(
                kind.upper(),
                data=functools.partial(_picture, kind, chart, theme(str(shade)), subtitle),
                file_name=f"{stem}.{kind}",
                mime=images.MIMES[kind],
                key=f"_save.{kind}",
                on_click="ignore",
                icon=ICON,
            )


def _picture(kind: images.Kind, chart: Drawn, colours: Theme, subtitle: Sequence[str]) -> bytes:
    stamp = f"characterize {__version__}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    return images.draw(
        kind,
        chart.specification,
        chart.rows,
        colours,
        title=chart.title,
        subtitle=[*subtitle, stamp],
    )


_SUBTITLE: Final = "_chart_subtitle"


def describe_charts(text: str) -> None:
    """Say in a line what the charts of this page show; written under the titles of pictures."""
    st.session_state[_SUBTITLE] = text


def _subtitle() -> list[str]:
    text = str(st.session_state.get(_SUBTITLE, ""))
    return [text] if text else []


def _report(offer: Offer) -> None:
    st.download_button(
        "Report (HTML)",
        data=functools.partial(_page, offer.make(), charts_drawn(), theme("light")),
        file_name=f"{offer.stem}.html",
        mime="text/html",
        key="_save.report",
        on_click="ignore",
        icon=":material/description:",
        width="stretch",
        help="One page with the figures, charts, table, sources and provenance; prints well.",
    )


def _page(report: Report, drawn: Mapping[str, Drawn], colours: Theme) -> bytes:
    svgs = {}
    if images.available():
        svgs = {
            chart.title: images.draw("svg", chart.specification, chart.rows, colours).decode()
            for key, chart in drawn.items()
            if key in report.charts
        }
    return report_page.page(report, svgs).encode()

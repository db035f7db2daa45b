"""Results: what has been computed so far?"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from characterize.errors import CharacterizeError
from dashboard import (
    address,
    exports,
    grouping,
    links,
    panels,
    queries,
    saving,
    state,
    stored_links,
    tables,
)

MOST = 2_000  # rows that are sent to the browser; more are filtered or downloaded
FIELD_WIDTH = 160
NONE = "-"
READ = "_stored_link_read"
GROUP_HELP = (
    "Of the rows above: a summary of one number, a row a group, and a column a value of another."
)


def everything() -> pd.DataFrame | None:
    try:
        return queries.stored()
    except CharacterizeError as error:
        st.error(str(error), icon=":material/error:")
        return None


@st.fragment
def browse(rows: pd.DataFrame) -> None:
    chosen = more(narrowed(rows))
    chosen = chosen.iloc[tables.passing(chosen, panels.filters())]
    count = len(chosen)
    left = f", the first {MOST:,} shown" if count > MOST else ""
    st.caption(f"{count:,} of {len(rows):,} rows{left}. The files hold all {count:,}.")
    panels.stored_table(chosen.head(MOST).to_dict("list"))
    saving.downloads(chosen, "stored")
    if count:
        st.header("Group and pivot", anchor="group", help=GROUP_HELP)
        group(chosen)


def narrowed(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the models, devices, precisions and stacks asked for."""
    with st.grid(4, min_column_width=FIELD_WIDTH, gap="small"):
        for column, label in stored_links.CHOICES.items():
            values = st.multiselect(
                label,
                stored_links.values(rows, column),
                key=stored_links.key(column),
                bind="query-params",
                placeholder="all",
            )
            rows = grouping.narrowed(rows, {column: values}, {})
    return rows


def more(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that pass filters on whatever other columns a person chooses."""
    others = stored_links.others(rows)
    links.hold_many(stored_links.COLUMNS, others)
    columns = st.multiselect(
        "Filter by other columns",
        others,
        key=stored_links.COLUMNS,
        format_func=exports.heading,
        placeholder="any column",
    )
    if not columns:
        return rows
    with st.grid(4, min_column_width=FIELD_WIDTH, gap="small"):
        for column in columns:
            label = exports.heading(column)
            if grouping.is_number(rows, column):
                low, high = (
                    st.number_input(
                        f"{label} {end}",
                        value=None,
                        format="%.6g",
                        key=stored_links.key(column, end),
                        bind="query-params",
                        placeholder="any",
                    )
                    for end in stored_links.ENDS
                )
                rows = grouping.narrowed(rows, {}, {column: (low, high)})
            else:
                values = st.multiselect(
                    label,
                    stored_links.values(rows, column),
                    key=stored_links.key(column, stored_links.IN),
                    bind="query-params",
                    placeholder="all",
                )
                rows = grouping.narrowed(rows, {column: values}, {})
    return rows


def group(rows: pd.DataFrame) -> None:
    """One row a group, if asked for one column a value of another."""
    columns = list(rows)
    measures = grouping.numbers(rows)
    links.hold_many(stored_links.BY, columns, ["hardware"])
    links.hold(stored_links.MEASURE, measures, "latency_s")
    with st.grid(4, min_column_width=FIELD_WIDTH, gap="small"):
        by = st.multiselect("Group by", columns, key=stored_links.BY, format_func=exports.heading)
        free = [NONE, *(column for column in columns if column not in by)]
        links.hold(stored_links.ACROSS, free, NONE)
        across = st.selectbox(
            "Across",
            free,
            key=stored_links.ACROSS,
            format_func=lambda each: "nothing" if each == NONE else exports.heading(each),
            help="Each of its values becomes a column.",
        )
        measure = st.selectbox(
            "Measure", measures, key=stored_links.MEASURE, format_func=exports.heading
        )
        summary = st.selectbox(
            "Summary", grouping.SUMMARIES, key=stored_links.SUMMARY, bind="query-params"
        )
    if not by:
        st.info("Choose at least one column to group by.", icon=":material/table_rows:")
        return
    found = grouping.grouped(rows, by, None if across == NONE else across, measure, summary)
    st.caption(f"{len(found):,} groups of {len(rows):,} rows, in SI units.")
    shown = found.rename(
        columns={
            name: name.replace(measure, exports.heading(measure), 1)
            if name not in by
            else exports.heading(name)
            for name in found
        }
    )
    st.dataframe(
        shown,
        hide_index=True,
        placeholder="–",
        key="stored.groups",
        column_config={
            name: st.column_config.NumberColumn(name, format="%.4g")
            for name in grouping.numbers(shown)
        },
        alt=f"{summary} of {exports.heading(measure)}, one group a row",
    )
    saving.downloads(found, "groups", name=f"characterize_{summary}_{tables.slug(measure)}")


@st.fragment
def ask() -> None:
    statement = st.text_area(
        "A query in SQL over the table “results”",
        key=stored_links.SQL,
        placeholder="SELECT hardware, min(latency_s) FROM results GROUP BY hardware ORDER BY 2",
        help="DuckDB's SQL. Statements that write or reach for files are refused.",
        bind="query-params",
    )
    if not statement:
        return
    try:
        found = queries.ask_store(statement)
    except CharacterizeError as error:
        st.error(str(error), icon=":material/error:")
        return
    st.caption(f"{len(found):,} rows")
    st.dataframe(found, hide_index=True, key="stored.answer", alt="Answer of the query")
    saving.downloads(found, "query", name="characterize_query", request={"sql": statement})


def not_followed(rows: pd.DataFrame) -> list[str]:
    """What a link says that these rows cannot show; said once a session."""
    if st.session_state.get(READ):
        return []
    st.session_state[READ] = True
    link = address.read()
    found = stored_links.wrong(rows, link)
    for name in found:  # those that no control takes would stay
        kept = [text for text in link[name] if not stored_links.wrong(rows, {name: [text]})]
        st.query_params[name] = kept
    return list(found.values())


st.title("What has been computed so far?", anchor=False)
notes = state.begin("results", [])
stored = everything()
if stored is not None and not stored.empty:
    notes += not_followed(stored)
for note in notes:
    st.warning(note, icon=":material/link_off:")
if stored is not None and stored.empty:
    st.info(
        "Nothing yet. Every result that Tune or the command line computes is kept and shown here.",
        icon=":material/inbox:",
    )
elif stored is not None:
    browse(stored)
    st.header("Ask in SQL", anchor="sql")
    ask()

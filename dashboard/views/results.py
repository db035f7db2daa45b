"""Results: what has been computed so far?"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from characterize.errors import CharacterizeError
from dashboard import panels, queries, saving, state, tables

MOST = 2_000  # rows that are sent to the browser; more are filtered or downloaded
CHOICES = {"model": "Model", "hardware": "Device", "precision": "Precision", "stack": "Stack"}


def everything() -> pd.DataFrame | None:
    try:
        return queries.stored()
    except CharacterizeError as error:
        st.error(str(error), icon=":material/error:")
        return None


@st.fragment
def browse(rows: pd.DataFrame) -> None:
    chosen = narrowed(rows)
    chosen = chosen.iloc[tables.passing(chosen, panels.filters())]
    count = len(chosen)
    more = f", the first {MOST:,} shown" if count > MOST else ""
    st.caption(f"{count:,} of {len(rows):,} rows{more}. The files hold all {count:,}.")
    panels.stored_table(chosen.head(MOST).to_dict("list"))
    saving.downloads(chosen, "stored")


def narrowed(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of the models, devices, precisions and stacks asked for."""
    with st.grid(4, min_column_width=200, gap="small"):
        for column, label in CHOICES.items():
            values = st.multiselect(
                label,
                sorted(rows[column].dropna().astype(str).unique()),
                key=f"stored.{column}",
                bind="query-params",
                placeholder="all",
            )
            if values:
                rows = rows[rows[column].isin(values)]
    return rows


@st.fragment
def ask() -> None:
    statement = st.text_area(
        "A query in SQL over the table “results”",
        key="stored.sql",
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


st.title("What has been computed so far?", anchor=False)
for note in state.begin("results", []):
    st.warning(note, icon=":material/link_off:")
stored = everything()
if stored is not None and stored.empty:
    st.info(
        "Nothing yet. Every result that Tune or the command line computes is kept and shown here.",
        icon=":material/inbox:",
    )
elif stored is not None:
    browse(stored)
    st.header("Ask in SQL", anchor="sql")
    ask()

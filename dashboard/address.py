"""The parameters of the URL: all of them as lists, and written only where they change."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st


def read() -> dict[str, list[str]]:
    """Every parameter with all its values."""
    return {name: st.query_params.get_all(name) for name in st.query_params}


def write(name: str, texts: Sequence[str]) -> None:
    """Have a parameter say ``texts``; without any it is taken out."""
    if list(texts) == st.query_params.get_all(name):
        return
    if texts:
        st.query_params[name] = list(texts)
    else:
        del st.query_params[name]

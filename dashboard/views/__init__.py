"""One page a file; Streamlit runs them as scripts, nothing imports them."""

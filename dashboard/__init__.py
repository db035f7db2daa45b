"""The dashboard: questions about networks and hardware, answered as a slider moves."""

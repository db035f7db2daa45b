"""Questions to result rows: frontiers, budgets, the largest model, and what charts of a sweep draw."""

from characterize.questions.bounds import MEASURES, Budget, budgets
from characterize.questions.charts import MARKS, counts, heatmap, lines, scatter
from characterize.questions.pareto import frontier
from characterize.questions.region import feasible, largest
from characterize.questions.rows import Rows, rows

__all__ = [
    "MARKS",
    "MEASURES",
    "Budget",
    "Rows",
    "budgets",
    "counts",
    "feasible",
    "frontier",
    "heatmap",
    "largest",
    "lines",
    "rows",
    "scatter",
]

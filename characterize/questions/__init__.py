"""Questions to result rows: frontiers, budgets, the largest model, and what charts of a sweep draw."""

from characterize.questions.bounds import MEASURES, Budget, budgets
from characterize.questions.charts import MARKS, counts, heatmap, lines, scatter
from characterize.questions.devices import FIGURES, cheapest
from characterize.questions.optimizing import optimize
from characterize.questions.pareto import frontier
from characterize.questions.region import feasible, largest
from characterize.questions.rows import Rows, rows
from characterize.questions.sensitivity import sensitivities

__all__ = [
    "FIGURES",
    "MARKS",
    "MEASURES",
    "Budget",
    "Rows",
    "budgets",
    "cheapest",
    "counts",
    "feasible",
    "frontier",
    "heatmap",
    "largest",
    "lines",
    "optimize",
    "rows",
    "scatter",
    "sensitivities",
]

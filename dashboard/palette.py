"""Which sign stands for what, the same in every view.

Colours themselves are in ``.streamlit/config.toml``, one list a theme, so that a chart changes with
the theme without being drawn again. A chart names the *whole* domain below and takes its colours
from the theme in this order; whoever draws only some of it restricts the legend, never the domain.
Colour is never the only sign: architectures have shapes, bottlenecks are written out.
"""

from __future__ import annotations

from typing import Final

ARCHITECTURES: Final = ("cpu", "gpu", "tpu", "kpu")
BOTTLENECKS: Final = ("compute", "memory", "launch")
REFERENCE: Final = "reference"  # lines to compare with: a baseline, a budget

DOMAIN: Final = (*ARCHITECTURES, *BOTTLENECKS, REFERENCE)
"""The categories of the theme's ``chartCategoricalColors``, in the order of that list."""

SHAPES: Final = (
    "circle",
    "square",
    "triangle-up",
    "diamond",
    "cross",
    "triangle-down",
    "triangle-left",
    "stroke",
)
"""The shapes of :data:`DOMAIN`, in its order."""

CONFIDENCE_ICONS: Final = {
    "measured": ":material/verified:",
    "calibrated": ":material/tune:",
    "datasheet": ":material/description:",
    "design": ":material/draw:",
}

ARCHITECTURE_ICONS: Final = {
    "cpu": ":material/memory:",
    "gpu": ":material/view_module:",
    "tpu": ":material/grid_on:",
    "kpu": ":material/hub:",
}

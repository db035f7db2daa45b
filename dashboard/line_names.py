"""What lines are called: at their ends, or in a list below the plot where the page is narrow.

Names are in the colour of text, which lighter colours of lines are too pale for; a piece of the line
before each name, with its colour and dashes, says whose name it is.
"""

from __future__ import annotations

from typing import Any, Final

import altair as alt

from dashboard.encodings import reference

NARROW: Final = "containerSize()[0] < 400"
"""Where names in or beside the plot would take too much of the width."""
ROOM: Final = 120  # pixels at most for a name at the end of a line
ROW: Final = 17  # pixels a row of the list
PIECE: Final = 24  # pixels of a line before a name in the list
GAP: Final = 5
SHORT: Final = 14  # pixels of a line before a name at its end
DASHES: Final = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [1, 3], [10, 4], [4, 1], [12, 2, 2, 2])
"""Lines of one colour are told apart by these."""


def dashes(column: str, first: int = 0) -> alt.StrokeDash:
    """Dashes by a column of whole numbers from ``first`` on."""
    domain = list(range(first, first + len(DASHES)))
    scale = alt.Scale(domain=domain, range=[list(each) for each in DASHES])
    return alt.StrokeDash(f"{column}:O", scale=scale, legend=None)


def _wide(value: float, narrow: float = 0) -> alt.ExprRef:
    """A size on a wide page, and on a narrow one.

    What is not to be seen has no size, so that it takes no room. An opacity would do the same to the
    signs of a legend.
    """
    return alt.ExprRef(f"{NARROW} ? {narrow:g} : {value:g}")


def at_ends(labels: alt.Chart, name: str, places: dict[str, Any], line: Any) -> list[alt.Chart]:
    """Names to the right of where lines end, each behind a piece of its line.

    Args:
        labels: one row a line.
        name: the column of the names.
        places: ``x`` and ``y`` of the ends.
        line: how a line is told from the others: ``color`` and the like.
    """
    piece: Any = labels.mark_rule(
        strokeWidth=_wide(2), xOffset=_wide(GAP), x2Offset=_wide(GAP + SHORT), aria=False
    )
    text: Any = labels.mark_text(
        align="left",
        dx=_wide(2 * GAP + SHORT),
        fontSize=_wide(11),
        limit=_wide(ROOM, 1),
        aria=False,
    )
    x2 = alt.X2(places["x"].shorthand.partition(":")[0])
    return [
        piece.encode(**places, x2=x2, **line),
        text.encode(**places, text=f"{name}:N", color=reference()),
    ]


def listed(
    labels: alt.Chart,
    name: str,
    line: dict[str, Any],
    *,
    top: int,
    columns: int = 2,
    place: str = "datum.place",
) -> list[alt.Chart]:
    """Names below the plot on a narrow page, each behind a piece of its line.

    Args:
        labels: one row a line.
        name: the column of the names.
        line: how a line is told from the others: ``color`` and the like.
        top: pixels from the axis down to the list: under labels and title of the axis, and a legend.
        columns: of the list.
        place: the expression of a line's place in the list, from 0 on.
    """
    left = f"(({place}) % {columns}) * width / {columns}"
    below = f"height + {top} + {ROW} * floor(({place}) / {columns})"
    row = alt.value(alt.ExprRef(f"{NARROW} ? {below} : 0"))  # else in a corner of the plot
    piece: Any = labels.mark_rule(strokeWidth=_wide(0, 2), aria=False)
    text: Any = labels.mark_text(
        align="left",
        baseline="middle",
        fontSize=_wide(0, 11),
        limit=alt.ExprRef(f"{NARROW} ? width / {columns} - {PIECE + GAP + 3} : 1"),
        aria=False,
    )
    return [
        piece.encode(
            x=alt.value(alt.ExprRef(left)),
            x2=alt.value(alt.ExprRef(f"{left} + {PIECE}")),
            y=row,
            **line,
        ),
        text.encode(
            x=alt.value(alt.ExprRef(f"{left} + {PIECE + GAP}")),
            y=row,
            text=f"{name}:N",
            color=reference(),
        ),
    ]

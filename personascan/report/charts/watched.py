"""The turns of a conversation on an axis, over the band of the rows of H0."""

import altair as alt

from personascan.report.charts.theme import FAINT, INK, PAPER, data, rule_at, significant


def turns_over_band(title: str, width: int, height: int = 200) -> alt.LayerChart:
    """Draws the value of each turn as a line; a filled point where few rows of H0 lie beyond."""
    band = data("band").mark_rect(color=FAINT, opacity=0.6).encode(
        y=alt.Y("low:Q", title=title), y2="high:Q"
    )  # fmt: skip
    turns = data("turns").encode(
        alt.X(
            "turn:Q", title="turn of the model", scale=alt.Scale(nice=False, padding=12),
            axis=alt.Axis(tickMinStep=1, format="d", grid=False),
        ),
        alt.Y("value:Q"),
    )  # fmt: skip
    points = turns.mark_point(size=50, filled=True, opacity=1).encode(
        fill=alt.condition(significant("p"), alt.value(alt.ExprRef("h1")), alt.value(PAPER)),
        stroke=alt.value(alt.ExprRef("h1")),
    )
    line = turns.mark_line(color=INK, strokeWidth=1.4)
    return alt.layer(band, rule_at(y=0), line, points).properties(width=width, height=height)

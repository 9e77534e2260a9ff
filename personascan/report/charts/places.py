"""Charts of one place of a comparison, and the map of all places."""

import json

import altair as alt

from personascan.report.charts.theme import (
    H1_H0,
    INK,
    PAPER,
    SOFT,
    data,
    diverging,
    significant,
    tip,
)

WIDTH, HEIGHT = 300, 220
TITLE = 260  # of a narrow panel, which it may outgrow so far
SIDES = alt.Legend(
    title=None, labelExpr="datum.value == 1 ? 'H1' : 'H0'", orient="top", symbolOpacity=1
)
MAPPED = ("z", "held_out_auroc", "beyond", "auroc")  # what the map can show
NEUTRAL = "(indexof(shown, 'auroc') < 0 ? 0 : 0.5)"
Z = "z, in deviations of permuted labels"


def map_of_places(lines: list[dict], columns: int, measures: dict[str, str]) -> alt.Chart:
    """Draws places by comparisons, coloured by a measure, with a dot where z is significant.

    measures: {name: in words} of those of `MAPPED` that have numbers; the first is shown at first.
    lines: {"line": what it is called, "layers": their names in order} of every site and position.
    """
    most = max(len(line["layers"]) for line in lines)
    step = max(7, min(26, round(860 / (columns * most))))
    panels = [
        one_map(line["line"], line["layers"], step, i % columns == 0)
        for i, line in enumerate(lines)
    ]
    shown = alt.param(name="shown", value=next(iter(measures)))
    said = alt.ExprRef(f"({json.dumps(measures)})[shown]")  # what the colours are, in a picture too
    return (
        alt.concat(*panels, columns=columns, spacing=14)
        .properties(title=alt.Title(said, anchor="start", fontSize=11, fontWeight="normal"))
        .resolve_scale(color="shared")
        .add_params(alt.param(name="here", value=-1), shown)
    )


def one_map(line: str, layers: list[str], step: int, first: bool):
    """Draws one line of layers."""
    x = alt.X("layer:N", sort=layers, title="layer", axis=alt.Axis(
        labelAngle=0 if all(len(name) < 4 for name in layers) else -45, labelOverlap="parity",
        ticks=False, domain=False))  # fmt: skip
    y = alt.Y("comparison:N", sort=None, title=None,
              axis=alt.Axis(ticks=False, domain=False, labels=first, labelLimit=160))  # fmt: skip
    base = data("cells").transform_filter(alt.datum.line == line).encode(x, y)
    tooltip = [
        alt.Tooltip("comparison:N"), alt.Tooltip("place:N"), tip("z", ".2f"),
        tip("p_family", ".3f", "family-wise p"),
        tip("held_out_auroc", ".2f", "AUROC, held-out rows"),
        tip("beyond", "+.2f", "beyond words"), tip("auroc", ".2f", "AUROC, rows scanned alone"),
    ]  # fmt: skip
    # From its neutral value on: 0, of an AUROC 0.5.
    apart = base.transform_calculate(apart=f"datum[shown] - {NEUTRAL}")
    tiles = apart.mark_rect(stroke=PAPER, strokeWidth=1, cursor="pointer").encode(
        alt.Color("apart:Q", scale=diverging("blueorange", 0),
                  legend=alt.Legend(title=None, orient="right", gradientLength=120,
                                    labelExpr=f"format(datum.value + {NEUTRAL}, '.2~f')")),
        tooltip=tooltip,
    )  # fmt: skip
    marks = base.transform_filter(significant("p_family")).mark_circle(
        size=min(40, step * 2), color="#111111", opacity=1, stroke="#ffffff", strokeWidth=0.7,
        cursor="pointer",
    ).encode(tooltip=tooltip)  # fmt: skip
    kept = base.transform_filter("datum.kept == 1").mark_rect(fill=None, stroke=INK, strokeWidth=1)
    here = base.transform_filter("datum.cell == here").mark_rect(
        fill=None, stroke=INK, strokeWidth=2.5
    )
    width = step * len(layers)
    title = alt.Title(line, fontSize=12, limit=max(width, TITLE))
    return alt.layer(tiles, marks, kept, here).properties(
        width=width, height=alt.Step(18), title=title
    )


def null() -> alt.Chart:
    """Draws the place's statistic beside that of permuted labels."""
    bars = (
        data("null")
        .transform_bin(["low", "high"], "null_z", bin=alt.Bin(step=0.25))
        .transform_aggregate(count="count()", groupby=["low", "high"])
        .mark_bar(color=SOFT, opacity=0.75)
        .encode(
            alt.X("low:Q", title=Z, axis=alt.Axis(grid=False)),
            alt.X2("high:Q"),
            alt.Y("count:Q", title="permutations of labels"),
            alt.Y2Datum(0),
        )
    )
    observed = data("cell").mark_rule(color=alt.ExprRef("h1"), strokeWidth=3).encode(
        alt.X("z:Q"),
        tooltip=[tip("z", ".2f", "z of the true labels"),
                 tip("p_family", ".3f", "family-wise p")],
    )  # fmt: skip
    limit = data("cell").mark_rule(color=INK, strokeDash=[5, 4]).encode(
        alt.X("limit:Q"),
        tooltip=[tip("limit", ".2f", "95% of the permutations' highest places")],
    )  # fmt: skip
    return small_panel(alt.layer(bars, limit, observed))


def roc() -> alt.Chart:
    """Draws how the scores of rows scanned alone tell H1 from H0."""
    line = data("roc").mark_line(color=alt.ExprRef("h1"), strokeWidth=2, interpolate="linear")
    line = line.encode(
        alt.X("fpr:Q", scale=alt.Scale(domain=[0, 1]), title="false positives, share of H0"),
        alt.Y("tpr:Q", scale=alt.Scale(domain=[0, 1]), title="true positives, share of H1"),
        order="fpr:Q",
    )
    chance = data("corners").mark_line(color=SOFT, strokeDash=[5, 4]).encode(
        alt.X("fpr:Q"), alt.Y("tpr:Q")
    )  # fmt: skip
    return small_panel(alt.layer(chance, line))


def cloud() -> alt.Chart:
    """Draws rows in two principal components."""
    axis = alt.Axis(grid=False)
    return small_panel(
        data("points").mark_circle(size=34, opacity=0.75).encode(
            alt.X("x:Q", title="component 1 (units of activation)", axis=axis,
                  scale=alt.Scale(zero=False)),
            alt.Y("y:Q", title="component 2 (units of activation)", axis=axis,
                  scale=alt.Scale(zero=False)),
            alt.Color("positive:N", scale=H1_H0, legend=SIDES),
            tooltip=[alt.Tooltip("text:N", title=" "), alt.Tooltip("side:N", title="side")],
        )
    )  # fmt: skip


def frequency() -> alt.Chart:
    """Draws how far each node differs, filled where it is in the node set.

    Where labels were not permuted: how often it is selected.
    """
    directions = alt.Scale(
        domain=[1, -1, 0], range=[alt.ExprRef("h1"), alt.ExprRef("h0"), alt.ExprRef("soft")]
    )
    named = "datum.value == 1 ? 'high' : datum.value == -1 ? 'low' : 'either'"
    height = "isValid(datum.effect) ? datum.effect : datum.frequency"
    base = data("nodes").transform_calculate(height=height).encode(
        alt.X("rank:Q", scale=alt.Scale(type="log", nice=False),
              title="nodes, largest first", axis=alt.Axis(format="~s", grid=False)),
        alt.Y("height:Q", title="effect, in deviations"),
        alt.Color("direction:N", scale=directions,
                  legend=alt.Legend(title=None, labelExpr=named, orient="top")),
        tooltip=[
            "node:Q", alt.Tooltip("direction:Q"), tip("effect", ".2f"), tip("frequency", ".3f"),
            tip("null_frequency", ".3f", "under permuted labels"), tip("q", ".3f"),
            tip("node_p", ".3f", "family-wise p"),
        ],
    )  # fmt: skip
    in_set = "datum.in_set == 1"
    return small_panel(
        base.mark_point(strokeWidth=1).encode(
            alt.Fill("direction:N", scale=directions, legend=None),
            size=alt.condition(in_set, alt.value(24), alt.value(12)),
            fillOpacity=alt.condition(in_set, alt.value(0.85), alt.value(0)),
            strokeOpacity=alt.condition(in_set, alt.value(0.85), alt.value(0.5)),
        )
    )


def small_panel(chart):
    return chart.properties(width=WIDTH, height=HEIGHT)

"""Charts of one place of a comparison, and the map of all places."""

import json

import altair as alt

from personascan.report.charts.theme import (
    H1_H0,
    INK,
    PAPER,
    SOFT,
    data,
    one_sided,
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
# Missing where studies stand side by side: then the rows' own order.
ORDERED = (
    "order == 'z' && isValid(datum.best_z) ? -datum.best_z"
    " : order == 'name' && isValid(datum.by_name) ? datum.by_name : datum.of"
)
DOT = 18  # the size of a dot of significance
FEW = 48  # the width of a tile where a line has three layers or fewer: as wide as their names
NARROW = 270  # of a chart on a phone, without its axes
Z = "z, in deviations of permuted labels"


def map_of_places(lines: list[dict], columns: int, measures: dict[str, str]) -> alt.Chart:
    """Draws comparisons by places, coloured by a measure, with a dot where z is significant.

    measures: {name: in words} of those of `MAPPED` that have numbers; the first is shown at first.
    lines: {"line": what it is called, "layers": their names in order} of every site and position.
    """
    most = max(len(line["layers"]) for line in lines)
    step = max(7, min(FEW if most <= 3 else 26, round(860 / (columns * most))))
    panels = [
        one_map(
            line["line"], layer_axis(alt.X, line["layers"]), compared_axis(alt.Y, i % columns == 0),
            (step * len(line["layers"]), alt.Step(18)),
        )
        for i, line in enumerate(lines)
    ]  # fmt: skip
    return joined(alt.concat(*panels, columns=columns, spacing=14), measures)


def narrow_map(lines: list[dict], measures: dict[str, str], compared: int) -> alt.Chart:
    """Draws the same for a phone: a row for each layer, a column for each of the comparisons."""
    width = min((FEW if compared <= 3 else 26) * compared, NARROW)
    panels = [
        one_map(line["line"], compared_axis(alt.X, True), layer_axis(alt.Y, line["layers"]),
                (width, alt.Step(16)), "bottom")
        for line in lines
    ]  # fmt: skip
    return joined(alt.vconcat(*panels, spacing=14), measures)


def joined(panels, measures: dict[str, str]) -> alt.Chart:
    """Returns panels with one scale of colours, a title, and what a reader chooses."""
    said = alt.ExprRef(f"({json.dumps(measures)})[shown]")  # what the colours are, in a picture too
    return (
        panels.properties(title=alt.Title(said, anchor="start", fontSize=11, fontWeight="normal"))
        .resolve_scale(color="shared")
        .add_params(
            alt.param(name="here", value=-1),
            alt.param(name="shown", value=next(iter(measures))),
            alt.param(name="order", value="study"),
        )
    )


def layer_axis(channel, layers: list[str]):
    """Returns the axis of the layers, in their order."""
    level = channel is alt.Y or all(len(name) < 4 for name in layers)
    axis = alt.Axis(labelAngle=0 if level else -45, labelOverlap="parity", ticks=False,
                    domain=False, labelLimit=70)  # fmt: skip
    return channel("layer:N", sort=layers, title="layer", axis=axis)


def compared_axis(channel, labels: bool):
    """Returns the axis of the comparisons, in the order that is chosen."""
    angle = {"labelAngle": -55} if channel is alt.X else {}
    axis = alt.Axis(ticks=False, domain=False, labels=labels, labelLimit=160, **angle)
    order = alt.EncodingSortField("ordered", op="min")
    return channel("comparison:N", sort=order, title=None, axis=axis)


def one_map(line: str, x, y, size: tuple, legend: str = "right"):
    """Draws one line of layers."""
    base = (
        data("cells")
        .transform_filter(alt.datum.line == line)
        .transform_calculate(ordered=ORDERED)
        .encode(x, y)
    )
    tooltip = [
        alt.Tooltip("comparison:N"), alt.Tooltip("place:N"), tip("z", ".2f"),
        tip("p_family", ".3f", "family-wise p"),
        tip("held_out_auroc", ".2f", "AUROC, held-out rows"),
        tip("beyond", "+.2f", "beyond words"), tip("auroc", ".2f", "AUROC, rows scanned alone"),
    ]  # fmt: skip
    # From its neutral value on (0, of an AUROC 0.5); what lies below it has no colour.
    apart = base.transform_calculate(apart=f"max(0, datum[shown] - {NEUTRAL})")
    tiles = apart.mark_rect(stroke=PAPER, strokeWidth=1, cursor="pointer").encode(
        alt.Color("apart:Q", scale=one_sided(),
                  legend=alt.Legend(title=None, orient=legend, gradientLength=120,
                                    labelExpr=f"format(datum.value + {NEUTRAL}, '.2~f')"
                                    " + (datum.value == 0 ? ' or less' : '')")),
        tooltip=tooltip,
    )  # fmt: skip
    marks = base.transform_filter(significant("p_family")).mark_circle(
        size=DOT, color="#111111", opacity=1, stroke="#ffffff", strokeWidth=0.7,
        cursor="pointer",
    ).encode(tooltip=tooltip)  # fmt: skip
    kept = base.transform_filter("datum.kept == 1").mark_rect(fill=None, stroke=INK, strokeWidth=1)
    here = base.transform_filter("datum.cell == here").mark_rect(
        fill=None, stroke=INK, strokeWidth=2.5
    )
    width, height = size
    title = alt.Title(line, fontSize=12, limit=max(width, TITLE))
    return alt.layer(tiles, marks, kept, here).properties(width=width, height=height, title=title)


def null(width: int = WIDTH) -> alt.Chart:
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
    return small_panel(alt.layer(bars, limit, observed), width)


def roc(width: int = WIDTH) -> alt.Chart:
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
    return small_panel(alt.layer(chance, line), width)


def cloud(width: int = WIDTH) -> alt.Chart:
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
        ),
        width,
    )  # fmt: skip


def small_panel(chart, width: int):
    return chart.properties(width=width, height=HEIGHT)

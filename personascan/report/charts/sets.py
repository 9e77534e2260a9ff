"""Charts of node sets: shared nodes (a list, an UpSet plot, a Venn diagram) and effects of edits.

Venn diagrams show every region of two to five sets; sizes are not to scale. Circles cannot show all
regions of four sets or more, ellipses can (Venn 1880; Grünbaum 1975, of five). These were chosen
among thousands drawn at random for the width of their narrowest region.
"""

import functools

import altair as alt
import numpy as np
from scipy.ndimage import distance_transform_edt

from personascan.report.charts.theme import COLOURS, FAINT, INK, SOFT, data, diverging, rule_at, tip

PAIRS = 40  # of node sets, at most
CHANGE = "answers to H1 less those to H0, change in logits"
GRID = np.linspace(-1.3, 1.3, 521)
# Of each set: x, y, half of the long axis, half of the short one, degrees.
SHAPES = {
    2: [(-0.4, 0, 0.75, 0.75, 0), (0.4, 0, 0.75, 0.75, 0)],
    3: [(0.42 * np.cos(a), 0.42 * np.sin(a), 0.7, 0.7, 0) for a in np.deg2rad([90, 210, 330])],
    4: [
        (-0.277, -0.124, 0.878, 0.405, -46.7), (-0.0765, 0.059, 0.878, 0.405, -46.7),
        (0.0765, 0.059, 0.878, 0.405, 46.7), (0.277, -0.124, 0.878, 0.405, 46.7),
    ],
    5: [
        (0.31 * np.cos(a), 0.31 * np.sin(a), 0.843, 0.373, np.rad2deg(a) - 12.1)
        for a in np.deg2rad([90, 162, 234, 306, 378])
    ],
}  # fmt: skip


def shared_nodes() -> alt.Chart:
    """Draws how many nodes two sets share, relative to independent sets, beside chance."""
    y = alt.Y("names:N", sort=alt.SortField("ratio", "descending"), title=None,
              axis=alt.Axis(labelLimit=320, ticks=False, domain=False))  # fmt: skip
    tooltip = [
        "names:N", alt.Tooltip("observed:Q", title="shared nodes"),
        tip("expected", ".1f", "if independent"), tip("ratio", ".2f"),
        tip("chance_mean", ".1f", "by chance, on average"), tip("p", ".3f", "p beside chance"),
    ]  # fmt: skip
    clearest = [alt.SortField("p"), alt.SortField("ratio", "descending")]
    base = (
        data("overlaps")
        .transform_filter("datum.sets == 2")
        .transform_window(number="row_number()", sort=clearest)
        .transform_filter(f"datum.number <= {PAIRS}")
        .encode(y)
    )
    band = base.mark_rule(strokeWidth=7, color=FAINT).encode(
        alt.X(
            "low:Q",
            title="shared nodes, observed over expected (bar: 95% of chance)",
            scale=alt.Scale(zero=False),
        ),
        alt.X2("high:Q"),
    )
    one = rule_at(x=1, strokeDash=[4, 3])
    points = base.mark_circle(size=60, color=alt.ExprRef("h0"), opacity=1).encode(
        alt.X("ratio:Q"), tooltip=tooltip
    )
    return alt.layer(band, one, points).properties(width=420, height=alt.Step(18))


def upset() -> alt.Chart:
    """Draws nodes that belong to exactly the marked sets (UpSet, Lex et al. 2014)."""
    step = 22
    x = alt.X("combination:O", axis=None)
    y = alt.Y("comparison:N", title=None, sort=None,
              axis=alt.Axis(ticks=False, domain=False, labelLimit=160))  # fmt: skip
    tooltip = ["names:N", alt.Tooltip("nodes:Q", title="nodes in exactly these sets")]
    base = data("exclusive").encode(x, alt.Y("nodes:Q", title="nodes in exactly these sets"))
    above = alt.layer(
        base.mark_bar(color=SOFT, size=14).encode(tooltip=tooltip),
        base.mark_text(dy=-6, color=INK, fontSize=10).encode(text="nodes:Q"),
    ).properties(width=alt.Step(step), height=150)
    dots = data("members").encode(x, y)
    inside = dots.transform_filter("datum.inside == 1")
    below = alt.layer(
        dots.mark_circle(size=80, color=FAINT, opacity=1),
        inside.mark_line(color=INK, strokeWidth=2).encode(detail="combination:O"),
        inside.mark_circle(size=80, color=INK, opacity=1),
    ).properties(width=alt.Step(step), height=alt.Step(20))
    return alt.vconcat(above, below, spacing=4).resolve_scale(x="shared")


def outline(shape, points: int = 90) -> tuple[np.ndarray, np.ndarray]:
    """Returns an ellipse as a line: x and y."""
    x, y, long, short, degrees = shape
    along, angle = np.linspace(0, 2 * np.pi, points, endpoint=False), np.deg2rad(degrees)
    u, v = long * np.cos(along), short * np.sin(along)
    return x + u * np.cos(angle) - v * np.sin(angle), y + u * np.sin(angle) + v * np.cos(angle)


@functools.cache
def middles(sets: int) -> dict[tuple[int, ...], tuple[float, float]]:
    """Returns {sets that overlap there: the point of the region farthest from its edges}."""
    x_GG, y_GG = np.meshgrid(GRID, GRID)
    inside_SGG = np.array([inside_ellipse(shape, x_GG, y_GG) for shape in SHAPES[sets]])
    code_GG = np.tensordot(1 << np.arange(sets), inside_SGG, 1)
    points = {}
    for code in range(1, 1 << sets):
        depth_GG = distance_transform_edt(code_GG == code)
        at = np.unravel_index(depth_GG.argmax(), depth_GG.shape)
        members = tuple(s for s in range(sets) if code >> s & 1)
        points[members] = (float(x_GG[at]), float(y_GG[at]))
    return points


def inside_ellipse(shape, x, y) -> np.ndarray:
    """Returns whether points lie in an ellipse."""
    cx, cy, long, short, degrees = shape
    angle = np.deg2rad(degrees)
    u = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle)
    v = (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
    return (u / long) ** 2 + (v / short) ** 2 < 1


def venn() -> alt.Chart:
    """Draws the number of nodes in exactly the sets that overlap in a region."""
    span = alt.Scale(domain=[-1.25, 1.25])
    x, y = (alt.X("x:Q", scale=span, axis=None), alt.Y("y:Q", scale=span, axis=None))
    colours = alt.Scale(range=list(COLOURS))
    legend = alt.Legend(title=None, orient="bottom", columns=3, symbolType="circle")
    sets = data("venn_outlines").encode(
        x, y, alt.Order("order:Q"),
        alt.Stroke("comparison:N", scale=colours, sort=None, legend=legend),
        alt.Fill("comparison:N", scale=colours, sort=None, legend=legend),
    ).mark_line(interpolate="linear-closed", strokeWidth=2, fillOpacity=0.12)  # fmt: skip
    counts = data("venn_counts").mark_text(fontSize=11, color=INK).encode(
        x, y, alt.Text("nodes:Q"),
        tooltip=["names:N", alt.Tooltip("nodes:Q", title="nodes in exactly these sets")],
    )  # fmt: skip
    return alt.layer(sets, counts).properties(width=360, height=360)


def doses() -> alt.Chart:
    """Draws a node set's effect by the strength of steering, over the bands of its controls."""
    base = data("doses").encode(alt.X("strength:Q", title="strength, deviations of the background"))
    band = base.transform_filter("datum.control == 1").mark_area(opacity=0.25).encode(
        alt.Y("low:Q", title=CHANGE), alt.Y2("high:Q"),
        alt.Fill("method:N", scale=alt.Scale(range=["#8a8a8a", "#b08fc7", "#c7b48f"]),
                 title="90% of controls"),
    )  # fmt: skip
    methods = base.transform_filter("datum.control == 0")
    colour = alt.Color("method:N", scale=alt.Scale(range=list(COLOURS)), title="direction")
    tooltip = [
        "method:N", "strength:Q", tip("effect", "+.3f"), tip("low", "+.3f"), tip("high", "+.3f"),
        tip("p", ".3f", "p against random sets"),
    ]  # fmt: skip
    lines = methods.mark_line(point=True, strokeWidth=1.8).encode(
        alt.Y("effect:Q"), colour, tooltip=tooltip
    )
    bars = methods.transform_filter("datum.method == 'found nodes'").mark_rule(strokeWidth=1.5)
    bars = bars.encode(alt.Y("low:Q"), alt.Y2("high:Q"), colour)
    zero = rule_at(y=0)
    return alt.layer(band, zero, lines, bars).resolve_scale(fill="independent").properties(
        width=420, height=260
    )  # fmt: skip


def effects() -> alt.Chart:
    """Draws the effect of an action on every tested set, beside 90% of random sets."""
    y = alt.Y("set:N", sort=None, title=None, axis=alt.Axis(labelLimit=260))
    base = (
        data("sets")
        .transform_filter("datum.method == 'found nodes' || datum.method == 'random nodes'")
        .transform_calculate(set="datum.comparison + ', half ' + datum.half")
        .encode(y)
    )
    tooltip = [
        "set:N", "place:N", tip("effect", "+.3f"), tip("low", "+.3f"), tip("high", "+.3f"),
        tip("p", ".3f", "p against random sets"), tip("family_p", ".3f", "family-wise p"),
    ]  # fmt: skip
    controls = base.transform_filter("datum.control == 1")
    own = base.transform_filter("datum.control == 0")
    zero = rule_at(x=0)
    x = alt.X("low:Q", title=f"{CHANGE} (bar: 90% of random sets)")
    return alt.layer(
        controls.mark_rule(strokeWidth=8, color=FAINT).encode(x, alt.X2("high:Q")),
        zero,
        own.mark_rule(strokeWidth=1.6, color=alt.ExprRef("h0")).encode(
            alt.X("low:Q"), alt.X2("high:Q")
        ),
        own.mark_circle(size=50, color=alt.ExprRef("h0"), opacity=1).encode(
            alt.X("effect:Q"), tooltip=tooltip
        ),
    ).properties(width=420, height=alt.Step(18))


def specificity() -> alt.Chart:
    """Draws the effect of each comparison's edited nodes on each comparison's statements."""
    base = (
        data("specificity_of_action")
        .transform_aggregate(effect="mean(effect)", groupby=["judged", "owner"])
        .transform_calculate(size="abs(datum.effect)")
        .transform_joinaggregate(most="max(size)")
        .encode(
            alt.X("owner:N", sort=None, title="whose nodes are edited",
                  axis=alt.Axis(labelAngle=-45)),
            alt.Y("judged:N", sort=None, title="whose statements are asked about"),
        )
    )  # fmt: skip
    tiles = base.mark_rect().encode(
        alt.Color(
            "effect:Q", scale=diverging("purpleorange", 0),
            legend=alt.Legend(title=["change of H1 less H0,", "in logits"]),
        ),
        tooltip=["owner:N", "judged:N", tip("effect", "+.3f")],
    )  # fmt: skip
    numbers = base.mark_text(fontSize=9).encode(
        alt.Text("effect:Q", format="+.2f"),
        color=alt.condition(
            "datum.size > 0.6 * datum.most", alt.value("#ffffff"), alt.value("#111111")
        ),
    )
    return alt.layer(tiles, numbers).properties(width=alt.Step(38), height=alt.Step(24))

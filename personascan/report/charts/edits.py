"""Charts of what edits change: dose and response, effects beside controls, specificity."""

import altair as alt

from personascan.report.charts.theme import COLOURS, FAINT, SOFT, data, diverging

CHANGE = "answers to H1 less those to H0, change in logits"


def doses() -> alt.Chart:
    """A node set's effect by the strength of steering, over the bands of its controls."""
    base = data("doses").encode(alt.X("strength:Q", title="strength, deviations of the background"))
    band = base.transform_filter("datum.control == 1").mark_area(opacity=0.25).encode(
        alt.Y("low:Q", title=CHANGE), alt.Y2("high:Q"),
        alt.Fill("method:N", scale=alt.Scale(range=["#8a8a8a", "#b08fc7", "#c7b48f"]),
                 title="90% of controls"),
    )  # fmt: skip
    methods = base.transform_filter("datum.control == 0")
    colour = alt.Color("method:N", scale=alt.Scale(range=list(COLOURS)), title="direction")
    tooltip = [
        "method:N", "strength:Q", alt.Tooltip("effect:Q", format="+.3f"),
        alt.Tooltip("low:Q", format="+.3f"), alt.Tooltip("high:Q", format="+.3f"),
        alt.Tooltip("p:Q", format=".3f", title="p against random sets"),
    ]  # fmt: skip
    lines = methods.mark_line(point=True, strokeWidth=1.8).encode(
        alt.Y("effect:Q"), colour, tooltip=tooltip
    )
    bars = methods.transform_filter("datum.method == 'found nodes'").mark_rule(strokeWidth=1.5)
    bars = bars.encode(alt.Y("low:Q"), alt.Y2("high:Q"), colour)
    zero = alt.Chart(alt.InlineData([{}])).mark_rule(color=SOFT).encode(y=alt.datum(0))
    return alt.layer(band, zero, lines, bars).resolve_scale(fill="independent").properties(
        width=420, height=260
    )  # fmt: skip


def effects() -> alt.Chart:
    """Every tested set: the effect of an action with its interval, beside 90% of random sets."""
    y = alt.Y("set:N", sort=None, title=None, axis=alt.Axis(labelLimit=260))
    base = (
        data("sets")
        .transform_filter("datum.method == 'found nodes' || datum.method == 'random nodes'")
        .transform_calculate(set="datum.comparison + ', half ' + datum.half")
        .encode(y)
    )
    tooltip = [
        "set:N", "place:N", alt.Tooltip("effect:Q", format="+.3f"),
        alt.Tooltip("low:Q", format="+.3f"), alt.Tooltip("high:Q", format="+.3f"),
        alt.Tooltip("p:Q", format=".3f", title="p against random sets"),
        alt.Tooltip("family_p:Q", format=".3f", title="family-wise p"),
    ]  # fmt: skip
    controls = base.transform_filter("datum.control == 1")
    own = base.transform_filter("datum.control == 0")
    zero = alt.Chart(alt.InlineData([{}])).mark_rule(color=SOFT).encode(x=alt.datum(0))
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
    """Whose nodes are edited, by whose statements are asked about."""
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
        tooltip=["owner:N", "judged:N", alt.Tooltip("effect:Q", format="+.3f")],
    )  # fmt: skip
    numbers = base.mark_text(fontSize=9).encode(
        alt.Text("effect:Q", format="+.2f"),
        color=alt.condition(
            "datum.size > 0.6 * datum.most", alt.value("#ffffff"), alt.value("#111111")
        ),
    )
    return alt.layer(tiles, numbers).properties(width=alt.Step(38), height=alt.Step(24))

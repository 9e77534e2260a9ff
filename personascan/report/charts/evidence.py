"""Charts of the evidence at a place: statements by score, nodes by effect, one node's values."""

import altair as alt

from personascan.report.charts.places import SIDES
from personascan.report.charts.theme import H1_H0, SOFT, data, rule_at, tip

SIDE_AXIS = alt.Axis(labelExpr="datum.value == 1 ? 'H1' : 'H0'", ticks=False, domain=False,
                     grid=False)  # fmt: skip
SPECIAL_FROM = 0.4  # where the axis of held-out AUROCs begins, unless one lies below
# A place in its row for each dot, the same whenever it is drawn.
JITTER = "((datum.row * 7919) % 101) / 101"


def statements(width: int = 660) -> alt.Chart:
    """Draws every statement by its score, a row of dots for each side; a stretch can be marked."""
    marked = alt.selection_interval(encodings=["x"], name="marked")
    return (
        data("statements")
        .transform_calculate(jitter=JITTER)
        .mark_circle(size=44)
        .encode(
            alt.X("score:Q", title="score by a direction that did not see the row "
                  "(above 0: told as H1)" if width > 400 else "score (above 0: told as H1)",
                  scale=alt.Scale(zero=True)),
            alt.Y("positive:O", sort="descending", title=None, axis=SIDE_AXIS),
            alt.YOffset("jitter:Q"),
            alt.Color("positive:N", scale=H1_H0, legend=None),
            opacity=alt.condition(marked, alt.value(0.8), alt.value(0.15)),
            tooltip=[alt.Tooltip("text:N", title=" "), tip("score", "+.2f")],
        )
        .add_params(marked)
        .properties(width=width, height=200)
    )  # fmt: skip


def volcano(width: int = 420) -> alt.Chart:
    """Draws every node of tested rows by its effect and q."""
    base = data("nodes").transform_calculate(sure="-log(max(datum.q, 0.0001)) / LN10")
    in_set, chosen = "datum.in_set == 1", "datum.node == node"
    points = base.mark_circle(cursor="pointer").encode(
        alt.X("effect:Q", title="effect, in deviations: lower in H1 - higher in H1",
              axis=alt.Axis(grid=False)),
        alt.Y("sure:Q", title="q (up: surer)", axis=alt.Axis(
            grid=False, values=[0, 1.30103, 2, 3, 4],
            labelExpr="datum.value == 0 ? '1' : datum.value > 1.3 && datum.value < 1.31 ? '0.05' "
            ": format(pow(10, -datum.value), '~f')")),
        color=alt.condition(
            in_set,
            alt.Color("direction:N", scale=alt.Scale(
                domain=[1, -1, 0],
                range=[alt.ExprRef("h1"), alt.ExprRef("h0"), alt.ExprRef("soft")]), legend=None),
            alt.value("#8a8a8a"),
        ),
        size=alt.condition(chosen, alt.value(170), alt.value(34)),
        opacity=alt.condition(in_set, alt.value(0.8), alt.value(0.4)),
        tooltip=["node:Q", tip("effect", "+.2f", "effect"), tip("q", ".3f"),
                 tip("node_p", ".3f", "family-wise p"), tip("frequency", ".2f", "scanned in")],
    )  # fmt: skip
    line = rule_at(y=1.30103, strokeDash=[4, 3])
    node = alt.param(name="node", value=-1)
    return alt.layer(line, points).add_params(node).properties(width=width, height=320)


def histogram(width: int = 420) -> alt.Chart:
    """Draws the values of one node in the rows of both sides."""
    return (
        data("values")
        .transform_bin(["low", "high"], "value", bin=alt.Bin(maxbins=40))
        .transform_aggregate(count="count()", groupby=["low", "high", "positive"])
        .mark_bar(opacity=0.55)
        .encode(
            alt.X("low:Q", title="value of the node, in deviations of H0",
                  axis=alt.Axis(grid=False)),
            alt.X2("high:Q"),
            alt.Y("count:Q", stack=None, title="rows"),
            alt.Y2Datum(0),
            alt.Color("positive:N", scale=H1_H0, legend=SIDES),
            tooltip=[tip("low", ".2f", "from"), tip("high", ".2f", "to"),
                     alt.Tooltip("count:Q", title="rows")],
        )
        .properties(width=width, height=220)
    )  # fmt: skip


def shown(where: str):
    return alt.condition(where, alt.value(1), alt.value(0))


def special(columns: int = 4, width: int = 190) -> alt.Chart:
    """Draws the AUROC of found nodes, other nodes and simpler scores, with intervals."""
    # From 0.4 to 1, so that panels and pages compare; from 0 where anything reaches below 0.4.
    scale = alt.Scale(domain=alt.DomainUnionWith(unionWith=[SPECIAL_FROM, 1]), zero=False)
    y = alt.Y("method:N", sort=alt.EncodingSortField("order", op="min"), title=None,
              axis=alt.Axis(labelLimit=130, ticks=False, domain=False))  # fmt: skip
    x = alt.X("auroc:Q", scale=scale, title=None, axis=alt.Axis(tickCount=4))
    tooltip = [
        "comparison:N", "method:N", tip("auroc", ".3f"), tip("low", ".2f", "95% from"),
        tip("high", ".2f", "to"),
    ]  # fmt: skip
    colour = alt.condition("datum.own == 1", alt.value("#D55E00"), alt.value("#7F7F7F"))
    base = alt.Chart().encode(y)
    # Never seen: it makes the axis begin at 0 where a value or its interval needs it.
    begins = (
        alt.Chart()
        .transform_calculate(
            begins=f"min(datum.auroc, datum.low) < {SPECIAL_FROM} ? 0 : {SPECIAL_FROM}"
        )
        .mark_point(opacity=0, aria=False)
        .encode(alt.X("begins:Q", scale=scale, title=None), y)
    )
    chance = alt.Chart().mark_rule(color=SOFT, strokeDash=[4, 3]).encode(
        alt.XDatum(0.5, scale=scale)
    )  # fmt: skip
    bars = base.mark_rule(strokeWidth=2).encode(
        alt.X("low:Q", scale=scale, title=None), alt.X2("high:Q"), color=colour
    )
    # Both draw every score, one of them unseen: the extent of a layer without data is no number.
    points = base.mark_circle(size=60).encode(opacity=shown("datum.ceiling == 0"))
    full = base.mark_point(
        shape="triangle-right", size=90, filled=True, color=alt.ExprRef("ink"), aria=False
    ).encode(opacity=shown("datum.ceiling == 1"))
    return (
        alt.layer(
            chance, begins, bars, points.encode(x, color=colour, tooltip=tooltip),
            full.encode(x, tooltip=tooltip), data=alt.NamedData("special"),
        )
        .properties(width=width, height=alt.Step(17))
        .facet(
            alt.Facet("comparison:N", title=None, sort=alt.EncodingSortField("of", op="min"),
                      header=alt.Header(labelLimit=width)),
            columns=columns,
        )
        .resolve_axis(x="independent")
        .properties(title=alt.Title("AUROC, held out", anchor="start", fontSize=11,
                                    fontWeight="normal"))
    )  # fmt: skip


def two_personas(size: int = 360) -> alt.Chart:
    """Draws the effects of all nodes of a place in one comparison against those in another."""
    kinds = ["both sets", "first set", "second set", "neither"]
    points = (
        data("first")
        .transform_lookup(
            lookup="node",
            from_=alt.LookupData(data=alt.NamedData("second"), key="node",
                                 fields=["effect", "in_set"]),
            as_=["other", "in_other"],
        )
        .transform_filter("isValid(datum.effect) && isValid(datum.other)")
        .transform_calculate(
            kind="datum.in_set && datum.in_other ? 'both sets' : datum.in_set ? 'first set' : "
            "datum.in_other ? 'second set' : 'neither'"
        )
        .mark_circle(size=34)
        .encode(
            alt.X("effect:Q", title="effect in the first, in deviations",
                  axis=alt.Axis(grid=False)),
            alt.Y("other:Q", title="effect in the second", axis=alt.Axis(grid=False)),
            alt.Color("kind:N", title=None, legend=alt.Legend(orient="top", columns=2),
                      scale=alt.Scale(domain=kinds,
                                      range=["#D55E00", "#E69F00", "#56B4E9", "#8a8a8a"])),
            opacity=alt.condition("datum.kind == 'neither'", alt.value(0.3), alt.value(0.85)),
            tooltip=["node:Q", tip("effect", "+.2f", "in the first"),
                     tip("other", "+.2f", "in the second"), alt.Tooltip("kind:N", title="in")],
        )
    )  # fmt: skip
    return alt.layer(rule_at(x=0), rule_at(y=0), points).properties(width=size, height=size)

"""Charts across places and comparisons: profiles over depth, ways of scanning, validation."""

import altair as alt

from personascan.report.charts.theme import (
    COLOURS,
    DASHES,
    INK,
    SHAPES,
    SOFT,
    data,
    significant,
    tip,
)

PANEL = 250
BY_NUMBER = alt.EncodingSortField("of", op="min")  # as the study has them
MEASURES = {
    "z": "z: above permuted labels, in their deviations",
    "held_out_auroc": "AUROC of held-out rows, told by the place",
    "beyond": "the same less that of word counts or mean embedding, the higher one",
    "auroc": "AUROC of rows scanned alone (0.5 is chance)",
    "probe_auroc": "AUROC of a probe, held out (0.5 is chance)",
    "silhouette": "silhouette (higher is further apart)",
    "calinski_harabasz": "Calinski-Harabasz index (higher is further apart)",
    "davies_bouldin": "Davies-Bouldin index (lower is further apart)",
    "hull_distance": "distance of hull centroids (units of activation)",
}


DEPTHS = [0, 0.2, 0.4, 0.6, 0.8, 1]


def by_comparison(width: int = PANEL) -> alt.Facet:
    """Returns a panel for each comparison, whose name is cut where the panel ends."""
    header = alt.Header(labelLimit=width)
    return alt.Facet("comparison:N", title=None, sort=BY_NUMBER, header=header)


def profiles(columns: int = 3) -> alt.Chart:
    """Draws a measure by relative depth: a line for each site and position, or each network."""
    picked = alt.selection_point(fields=["series"], bind="legend", name="picked")
    legend = alt.Legend(
        title=None, orient="bottom", columns=1 if columns == 1 else 4, symbolType="stroke"
    )
    base = (
        data("profiles")
        .transform_calculate(value="datum[measure]", series="several ? datum.model : datum.line")
        .transform_filter("isValid(datum.value)")
    )
    encoded = base.encode(
        # Of a few layers the scale would have a crowd of ticks between two depths.
        alt.X("depth:Q", title="relative depth (0: first layer, 1: last)",
              scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(values=DEPTHS)),
        alt.Y("value:Q", title=None, scale=alt.Scale(zero=False)),
        alt.Color("series:N", scale=alt.Scale(range=list(COLOURS)), legend=legend),
        alt.StrokeDash("series:N", scale=alt.Scale(range=list(DASHES)), legend=legend),
        opacity=alt.condition(picked, alt.value(1), alt.value(0.12)),
        detail=["line:N", "model:N"],
    )  # fmt: skip
    tooltip = [
        "model:N", "comparison:N", "place:N", tip("value", ".3f"),
        tip("p_family", ".3f", "family-wise p"),
    ]  # fmt: skip
    lines = encoded.mark_line(strokeWidth=1.6)
    dots = encoded.mark_circle(size=16).encode(tooltip=tooltip)
    # Hidden, not filtered: of no rows at all a scale would have no extent.
    passing = encoded.mark_point(size=46, filled=False, strokeWidth=1.8).encode(
        tooltip=tooltip,
        strokeOpacity=alt.condition(
            f"measure == 'z' && {significant('p_family')}", alt.value(1), alt.value(0)
        ),
    )
    return (
        alt.layer(lines, dots, passing)
        .add_params(
            picked,
            alt.param(name="measure", value="z"),
            alt.param(name="several", value=False),
            alt.param(name="measured", value=MEASURES["z"]),
        )
        .properties(width=PANEL, height=150)
        .facet(by_comparison(), columns=columns)
        .properties(title=alt.Title(alt.ExprRef("measured"), fontSize=12, anchor="start"))
    )


def validation(columns: int = 3) -> alt.Chart:
    """Draws the held-out AUROC of found nodes beside other methods, each half's by itself."""
    chance = alt.Chart().mark_rule(color=SOFT, strokeDash=[4, 3]).encode(x=alt.datum(0.5))
    points = alt.Chart().mark_point(size=46, filled=True, opacity=0.9).encode(
        alt.X("auroc:Q", scale=alt.Scale(domain=[0, 1]), title="held-out AUROC"),
        alt.Y("method:N", sort=None, title=None, axis=alt.Axis(labelLimit=200)),
        alt.Color("half:N", scale=alt.Scale(range=list(COLOURS)), title="found on half",
                  legend=alt.Legend(orient="bottom")),
        alt.Shape("half:N", title="found on half"),
        tooltip=["comparison:N", "method:N", "half:N", "place:N",
                 tip("auroc", ".3f")],
    )  # fmt: skip
    return (
        alt.layer(chance, points, data=alt.NamedData("validation"))
        .properties(width=170, height=alt.Step(15))
        .facet(by_comparison(170), columns=columns)
    )


def ways(columns: int = 3) -> alt.Chart:
    """Draws the AUROC of rows scanned alone by layer, a line for each detector, and baselines."""
    y = alt.Y("auroc:Q", scale=alt.Scale(domain=[0, 1]), title="AUROC, H1 against held-out H0")
    tooltip = [
        "comparison:N", "place:N", "way:N", tip("auroc", ".3f"), tip("low", ".2f", "95% from"),
        tip("high", ".2f", "to"),
    ]  # fmt: skip
    base = data("ways").encode(y, tooltip=tooltip)
    scans = base.transform_filter("datum.kind != 'simpler'").encode(
        alt.X("layer:O", sort=alt.EncodingSortField("spot", op="min"), title="layer",
              axis=alt.Axis(labelOverlap=True)),
        alt.Color("way:N", scale=alt.Scale(range=list(COLOURS)), sort=None, title="tail",
                  legend=alt.Legend(orient="bottom", symbolOpacity=1)),
        detail="line:N",
    )  # fmt: skip
    band = (
        scans.transform_filter("datum.kind == 'first'").mark_area(opacity=0.15)
        .encode(alt.Y("low:Q"), alt.Y2("high:Q"))
    )  # fmt: skip
    simpler = base.transform_filter("datum.kind == 'simpler'").mark_rule(
        color=INK, strokeWidth=1.4
    ).encode(
        strokeDash=alt.StrokeDash("way:N", scale=alt.Scale(range=[[7, 4], [2, 3], [8, 3, 2, 3]]),
                                  title="simpler than a scan",
                                  legend=alt.Legend(orient="bottom", symbolType="stroke",
                                                    symbolSize=500)),
    )  # fmt: skip
    points = scans.mark_point(size=30, filled=True, opacity=0.8).encode(
        alt.Shape("line:N", scale=alt.Scale(range=["circle", "square", "triangle-up", "diamond"]),
                  title="layers of", legend=alt.Legend(orient="bottom", symbolSize=60)),
    )  # fmt: skip
    return (
        alt.layer(band, simpler, scans.mark_line(strokeWidth=1.6), points)
        .resolve_scale(color="shared")
        .properties(width=PANEL, height=150)
        .facet(by_comparison(), columns=columns)
    )


def furthest_places() -> alt.Chart:
    """Draws z of each comparison's furthest place, study by study."""
    base = data("found").encode(
        alt.X("best_z:Q", title="z of the furthest place"),
        alt.Y("comparison:N", sort=BY_NUMBER, title=None, axis=alt.Axis(labelLimit=200)),
        alt.Color("study:N", scale=alt.Scale(range=list(COLOURS)), title=None,
                  legend=alt.Legend(orient="bottom", columns=3)),
        alt.YOffset("study:N"),
        tooltip=["study:N", "comparison:N", "place:N", tip("best_z", ".2f"),
                 tip("best_p", ".3f", "family-wise p")],
    )  # fmt: skip
    return (
        base.mark_point(size=60, strokeWidth=1.6)
        .encode(
            alt.Fill("study:N", scale=alt.Scale(range=list(COLOURS)), legend=None),
            alt.Shape("study:N", scale=alt.Scale(range=list(SHAPES))),
            fillOpacity=alt.condition(significant("best_p"), alt.value(1), alt.value(0)),
        )
        .properties(width=460, height=alt.Step(26))
    )

"""The common parts of all charts: their data by name, and colours that a page can change.

Charts hold no data and no fixed ink: both come from the page (light or dark) or the file that is
written. Colours are those of Okabe and Ito, which survive colour blindness.
"""

import altair as alt

from personascan.analysis.findings import SIGNIFICANCE

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#B8A600")
# Beside the colours, which begin again after the last: no two of 24 series look alike.
DASHES = tuple([*dash] for dash in ((1, 0), (6, 3), (1.5, 2.5)) for _ in COLOURS)
SHAPES = tuple(shape for shape in ("circle", "square", "triangle-up") for _ in COLOURS)
INKS = {
    "light": {
        "ink": "#1b1b1b", "soft": "#6a6a6a", "faint": "#d9d9d9", "paper": "#ffffff",
        "h1": "#D55E00", "h0": "#0072B2",
    },
    "dark": {
        "ink": "#eeeeee", "soft": "#a6a6a6", "faint": "#454545", "paper": "#16181c",
        "h1": "#F0883E", "h0": "#56B4E9",
    },
}  # fmt: skip
INK, SOFT, FAINT, PAPER = (alt.ExprRef(name) for name in ("ink", "soft", "faint", "paper"))
H1_H0 = alt.Scale(domain=[1, 0], range=[alt.ExprRef("h1"), alt.ExprRef("h0")])
# The grammar that altair writes, as the drawing library names it.
VEGA_LITE = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
FONT = "system-ui, 'Liberation Sans', 'DejaVu Sans', sans-serif"


def data(name: str, **keywords) -> alt.Chart:
    """Returns a chart of a named data set, which the page puts there."""
    return alt.Chart(alt.NamedData(name), **keywords)


def tip(column: str, form: str, title: str = "") -> alt.Tooltip:
    """Returns a number for the tooltip of a mark."""
    return alt.Tooltip(f"{column}:Q", format=form, **({"title": title} if title else {}))


def rule_at(strokeDash=alt.Undefined, **at: float) -> alt.Chart:
    """Returns a line across a chart, at a value of x or of y."""
    base = alt.Chart(alt.InlineData([{}])).mark_rule(color=SOFT, strokeDash=strokeDash)
    return base.encode(**{axis: alt.datum(value) for axis, value in at.items()})


def diverging(scheme: str, middle: float) -> alt.Scale:
    """Returns a scale of two colours, neutral at a middle even if all values lie on one side."""
    domain = alt.DomainUnionWith(unionWith=[middle])
    return alt.Scale(scheme=scheme, domainMid=middle, domain=domain)


def significant(column: str) -> str:
    """Returns the condition that a p-value exists and is small; a missing one counts as zero."""
    return f"isValid(datum.{column}) && datum.{column} <= {SIGNIFICANCE}"


def to_vega_lite(chart, **colours: str) -> dict:
    """Returns the chart as Vega-Lite, with the inks as parameters."""
    inks = {**INKS["light"], **colours}
    return chart.add_params(
        *(alt.param(name=name, value=value) for name, value in inks.items())
    ).to_dict(validate=True)


def config(kind: str) -> dict:
    """Returns axes, legends and titles in the ink of a theme, as Vega's configuration."""
    ink = INKS[kind]
    words = {"labelColor": ink["ink"], "titleColor": ink["ink"], "labelLimit": 260}
    title = {"titleFontWeight": "normal"}
    return {
        "background": "transparent",
        "axis": {
            **words, **title, "domainColor": ink["soft"], "tickColor": ink["soft"],
            "gridColor": ink["faint"], "labelFont": FONT, "titleFont": FONT,
        },
        "legend": {**words, **title, "labelFont": FONT, "titleFont": FONT, "symbolLimit": 60},
        "title": {"color": ink["ink"], "font": FONT, "subtitleColor": ink["ink"]},
        "style": {
            "guide-label": {"fill": ink["ink"], "font": FONT},
            "guide-title": {"fill": ink["ink"], "font": FONT, "fontWeight": "normal"},
            "group-title": {"fill": ink["ink"], "font": FONT},
            "cell": {"stroke": ink["faint"]},
        },
        "text": {"font": FONT},
        "range": {"category": list(COLOURS)},
    }  # fmt: skip

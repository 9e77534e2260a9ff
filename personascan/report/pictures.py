"""The pictures of a page: a chart, the rows that go into it, and the sentence beside it."""

import functools
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace

import altair as alt
import numpy as np

from personascan.report.charts import across, places, sets
from personascan.report.charts.theme import to_vega_lite
from personascan.report.sheets.columns import Sheets

CORNERS = [{"fpr": 0, "tpr": 0}, {"fpr": 1, "tpr": 1}]


@dataclass(frozen=True)
class Feed:
    """Rows of a sheet for a data set of a chart.

    Those of the chosen group; `every`: of all groups; `only`: the row that a choice numbers; of
    these, the rows whose columns equal `where`, and what is chosen as `match` names it.
    """

    sheet: str
    every: bool = False
    only: str = ""
    where: dict = field(default_factory=dict)
    match: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """A choice that a reader has beside a picture."""

    name: str
    label: str
    options: tuple[tuple[str, str], ...] = ()  # (value, in words); none: rows of `sheet`
    sheet: str = ""
    words: str = ""  # of a row, with {columns}


@dataclass(frozen=True)
class Picture:
    """A chart and its place on the page. `says` has {column:format} of the first row of `of`.

    `columns` are those of its table and CSV; none: all of its rows' own.
    """

    name: str
    title: str
    chart: Callable[[], alt.Chart] = field(repr=False)
    feeds: dict[str, Feed]
    says: str = ""
    of: str = ""
    choices: tuple[Choice, ...] = ()
    columns: tuple[str, ...] = ()
    hint: str = ""  # what a reader of the page can do with it

    def spec(self) -> dict:
        """Returns Vega-Lite without data."""
        return json.loads(vega_lite(self.chart))

    def packed(self) -> dict:
        """Returns what the page needs in addition to the chart, as JSON holds it."""
        return {
            "title": self.title, "says": self.says, "of": self.of, "columns": self.columns,
            "feeds": {name: asdict(feed) for name, feed in self.feeds.items()},
            "choices": [asdict(choice) for choice in self.choices],
        }  # fmt: skip


@functools.cache
def vega_lite(chart) -> str:
    return json.dumps(to_vega_lite(chart()))


def feed_rows(feed: Feed, sheets: Sheets, chosen: dict) -> list[dict]:
    """Returns the rows of a feed under the reader's choices."""
    if feed.only:
        number = chosen.get(feed.only, -1)
        rows = [] if number < 0 else [sheets.row(feed.sheet, number)]
    else:
        rows = sheets.every(feed.sheet) if feed.every else sheets.rows(feed.sheet, chosen)
    for column, value in feed.where.items():
        rows = [row for row in rows if row[column] == value]
    for column, name in feed.match.items():
        rows = [row for row in rows if row[column] == chosen.get(name)]
    return rows


def sentence(picture: Picture, sheets: Sheets, chosen: dict) -> str:
    """Returns the sentence beside a picture, with the numbers of the first row."""
    if not picture.of:
        return picture.says
    rows = feed_rows(picture.feeds[picture.of], sheets, chosen)
    return fill_template(picture.says, rows[0]) if rows else ""


def fill_template(template: str, row: dict) -> str:
    """Fills {column:format} by a row's values; formats are ".2f", ".0%", "d" or none."""

    def value(match: re.Match) -> str:
        column, form = match.groups()
        number = row.get(column)
        if number is None:
            return "none"
        return str(round(number)) if form == "d" else format(number, form or "")

    return re.sub(r"\{(\w+):?([^}]*)\}", value, template)


MEASURED = (
    "comparison", "place", "z", "p_family", "p", "statistic", "null_mean", "null_deviation",
    "held_out_auroc", "beyond", "auroc", "auroc_low", "auroc_high", "probe_auroc", "silhouette",
    "calinski_harabasz", "davies_bouldin", "hull_distance",
)  # fmt: skip
CELL = Feed("cells", only="cell")
PLACE = (
    Picture(
        "null", "The place beside permuted labels", places.null,
        {"null": Feed("null"), "cell": CELL},
        "Grey: permuted labels; orange: the true ones, whose statistic ({statistic:.3f}) lies "
        "{distance:.1f} deviations of permuted labels above their mean ({null_mean:.3f}): z "
        "{z:.1f}, family-wise p {p_family:.3f}, p of the place by itself {p:.3f}. By its largest "
        "|t| of a node: z {z_nodes:.1f}, family-wise p {p_family_nodes:.3f}. The dashed line is "
        "what 95% of the permutations' highest places stay below ({limit:.1f}).",
        "cell",
    ),
    Picture(
        "roc", "Rows scanned alone", places.roc,
        {"roc": Feed("roc"), "cell": CELL, "corners": Feed("corners", every=True)},
        "Scores of rows scanned one by one tell H1 from held-out H0 with AUROC {auroc:.2f} (95% "
        "interval {auroc_low:.2f} to {auroc_high:.2f}; 0.5 is chance); a threshold that at most 1% "
        "of the held-out H0 reach finds {tpr:.0%} of H1.",
        "cell",
    ),
    Picture(
        "cloud", "Rows in two principal components", places.cloud,
        {"points": Feed("points"), "cloud": Feed("clouds", only="cloud")},
        "Component 1 holds {share_1:.0%} of the variance, component 2 {share_2:.0%}. Clouds that "
        "overlap here may still be apart in other components.",
        "cloud", columns=("text", "side", "x", "y"), hint="Point at a row to read it.",
    ),
    Picture(
        "frequency", "How far each node differs", places.frequency,
        {"nodes": Feed("nodes"), "scan": Feed("scans", only="scan")},
        "{set_high:d} nodes that are high and {set_low:d} that are low in H1 are in the node set "
        "(filled); {set_p:d} have a family-wise p of 0.05 or less; of all nodes at least "
        "{at_least:d} differ (95%). Tested on {rows}.",
        "scan",
    ),
)  # fmt: skip
SHARED = Choice("shared", "Place", sheet="shared", words="{place}")
ACTS = Choice("act", "Action", sheet="acts", words="{act}")
ACROSS = (
    Picture(
        "profiles", "Layer profiles", across.profiles,
        {"profiles": Feed("cells", every=True, match={"level": "level"})},
        columns=("model", *MEASURED, "depth"),
        choices=(Choice("measure", "Measure", tuple(across.MEASURES.items())),),
    ),
    Picture("ways", "Every way of scanning rows alone", across.ways, {"ways": Feed("ways")}),
    Picture(
        "expected", "Shared nodes beside chance", sets.shared_nodes,
        {"overlaps": Feed("overlaps")},
        choices=(SHARED,),
    ),
    Picture(
        "upset", "Nodes in exactly these sets", sets.upset,
        {"exclusive": Feed("exclusive"), "members": Feed("members")},
        choices=(SHARED,),
    ),
    Picture(
        "venn", "The same as a Venn diagram", sets.venn,
        {"venn_outlines": Feed("venn_outlines"), "venn_counts": Feed("venn_counts")},
        choices=(SHARED,),
    ),
    Picture(
        "validation", "Found nodes beside other methods", across.validation,
        {"validation": Feed("validation")},
    ),
    Picture(
        "effects", "What edits of found nodes change", sets.effects,
        {"sets": Feed("effects", every=True, where={"outcome": "answer"},
                      match={"part": "part", "act": "act"})},
        choices=(ACTS,),
        columns=("comparison", "half", "place", "nodes", "method", "act", "effect", "low", "high",
                 "p", "family_p"),
    ),
    Picture(
        "doses", "Dose and response", sets.doses,
        {"doses": Feed("doses")},
        choices=(Choice("edit", "Node set", sheet="edits",
                        words="{comparison}, half {half}: {nodes} nodes at {place}"),),
    ),
    Picture(
        "specificity", "Whose nodes move whose answers", sets.specificity,
        {"specificity_of_action": Feed("specificity", match={"act": "act"})},
        choices=(ACTS,),
    ),
)  # fmt: skip


def with_measures(picture: Picture, sheets: Sheets) -> Picture:
    """Returns the picture with a choice of only those measures that have numbers."""
    choices = []
    for choice in picture.choices:
        if choice.name == "measure":
            columns = sheets.columns(next(iter(picture.feeds.values())).sheet)
            options = [o for o in choice.options if not np.isnan(columns[o[0]]).all()]
            choice = replace(choice, options=tuple(options))
        choices.append(choice)
    return replace(picture, choices=tuple(choices))


def map_picture(sheets: Sheets, part: int) -> Picture:
    """Returns the map of a part's places, with a panel for each site and position."""
    rows = sheets.rows("places", {"part": part})
    lines: dict[str, list] = {}
    for row in sorted(rows, key=lambda row: row["spot"]):
        lines.setdefault(row["line"], []).append(row)
    order = list(dict.fromkeys(row["line"] for row in rows))
    panels = [{"line": line, "layers": [row["layer"] for row in lines[line]]} for line in order]
    sites = len({row["site"] for row in rows if row["layer"].isdecimal()})
    cells, ends = sheets.columns("cells"), slice(*sheets.ends("cells", part))
    shown = {
        name: across.MEASURES[name]
        for name in places.MAPPED
        if not np.isnan(cells[name][ends]).all()
    }
    columns = min(len(order), sites if 1 < sites < 5 else 3 if len(order) > 4 else len(order))
    return Picture(
        f"map-{part}", "Where each comparison shows",
        lambda: places.map_of_places(panels, columns, shown), {"cells": Feed("cells")},
        columns=MEASURED,
        choices=(Choice("shown", "Colour", tuple(shown.items())),),
        hint="Point at a tile to read it; a click opens the place below. Of those in thin frames "
        "the rows and nodes that scans returned are kept.",
    )  # fmt: skip


BESIDE = (
    Picture(
        "found", "The furthest place of each comparison", across.furthest_places,
        {"found": Feed("found")},
        "How far the furthest place of each comparison lies above permuted labels, study by study; "
        "filled where its family-wise p is 0.05 or less.",
    ),
    Picture(
        "profiles", "Layer profiles", across.profiles,
        {"profiles": Feed("profiles", every=True)},
        "Every study's layers by relative depth, each comparison by itself.",
        choices=(
            Choice("measure", "Measure", tuple(
                (name, across.MEASURES[name]) for name in ("z", "auroc", "probe_auroc"))),
        ),
    ),
)  # fmt: skip

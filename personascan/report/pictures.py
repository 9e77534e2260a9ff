"""The pictures of a page: a chart, the rows that go into it, and the sentence beside it."""

import functools
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace

import altair as alt
import numpy as np

from personascan.report.charts import across, places
from personascan.report.charts.theme import to_vega_lite
from personascan.report.sheets.columns import Sheets
from personascan.report.words import p_words

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
    group: str = ""  # the choice that numbers the group; "": the one named as the groups are


@dataclass(frozen=True)
class Choice:
    """A choice that a reader has beside a picture."""

    name: str
    label: str
    options: tuple[tuple[str, str], ...] = ()  # (value, in words); none: rows of `sheet`
    sheet: str = ""
    words: str = ""  # of a row, with {columns}
    start: int = 0  # the option that is chosen at first


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
    # The chart for a screen as narrow as a phone's; None: the same.
    narrow: Callable[[], alt.Chart] | None = field(default=None, repr=False)

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
        chosen_group = {**chosen, **grouped(feed, sheets, chosen)}
        rows = sheets.every(feed.sheet) if feed.every else sheets.rows(feed.sheet, chosen_group)
    for column, value in feed.where.items():
        rows = [row for row in rows if row[column] == value]
    for column, name in feed.match.items():
        rows = [row for row in rows if row[column] == chosen.get(name)]
    return rows


def grouped(feed: Feed, sheets: Sheets, chosen: dict) -> dict:
    """Returns the group of a feed whose group another choice numbers."""
    return {sheets.packed[feed.sheet]["by"]: chosen[feed.group]} if feed.group else {}


def sentence(picture: Picture, sheets: Sheets, chosen: dict) -> str:
    """Returns the sentence beside a picture, with the numbers of the first row."""
    if not picture.of:
        return picture.says
    rows = feed_rows(picture.feeds[picture.of], sheets, chosen)
    return fill_template(picture.says, rows[0]) if rows else ""


def fill_template(template: str, row: dict) -> str:
    """Fills {column:format} by a row's values; formats are ".2f", ".0%", "d", "p" or none."""

    def value(match: re.Match) -> str:
        column, form = match.groups()
        number = row.get(column)
        if number is None:
            return "none"
        if form == "p":
            return p_words(number)
        return str(round(number)) if form == "d" else format(number, form or "")

    return re.sub(r"\{(\w+):?([^}]*)\}", value, template)


MEASURED = (
    "comparison", "place", "z", "p_family", "p", "statistic", "null_mean", "null_deviation",
    "held_out_auroc", "beyond", "auroc", "auroc_low", "auroc_high", "probe_auroc", "silhouette",
    "calinski_harabasz", "davies_bouldin", "hull_distance",
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


ORDERS = Choice(
    "order", "Order", (("study", "as in the study"), ("name", "by name"), ("z", "by the best z"))
)


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
    compared = sheets.ends("comparisons", part)
    return Picture(
        f"map-{part}", "Where each comparison shows",
        lambda: places.map_of_places(panels, columns, shown), {"cells": Feed("cells")},
        columns=MEASURED,
        choices=(Choice("shown", "Colour", tuple(shown.items())), ORDERS),
        hint="Point at a tile to read it; a click opens the place below. Of those in thin frames "
        "statements or nodes are kept.",
        narrow=lambda: places.narrow_map(panels, shown, compared[1] - compared[0]),
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

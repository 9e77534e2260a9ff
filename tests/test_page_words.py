"""What a page says: names as they are, and sentences that hold where there is little to say."""

import html
import re
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from personascan.calibration.label_exchange import exchange_of
from personascan.calibration.node_tests import Nodes
from personascan.calibration.place_tests import PlaceTests
from personascan.calibration.statistics import STATISTICS
from personascan.interventions.design import FOUND
from personascan.places import Place
from personascan.report.captions import validation_caption
from personascan.report.charts.across import profiles
from personascan.report.charts.places import map_of_places
from personascan.report.charts.sets import specificity
from personascan.report.charts.theme import to_vega_lite
from personascan.report.page import stage_section
from personascan.report.render import INLINE, as_svg
from personascan.report.sections.found import finding_sentence, statistic_text
from personascan.report.sections.rows import few_rows_text
from personascan.report.sections.separation import best_line, constant_places
from personascan.report.sheets.columns import pack_column, unpack_column
from personascan.report.words import Section, Table, as_code, safe, word_list
from personascan.sources.base import Terms
from personascan.study.place_options import WhereOptions
from personascan.study.results import best_of_all, best_place
from personascan.study.stage import Columns
from personascan.visible import visible

ODD = (
    "pro/con",
    "_a.b_c_",
    "*x*",
    "a`b``c",
    "`",
    "R&D &amp; &#42;",
    "a | b",
    r"\*",
    "<b>",
    "[a](b)",
)
NAMES = st.text(st.characters(exclude_categories=("Z", "C")), min_size=1, max_size=12)
A, B = Place("layer *a*", 0, "", "net"), Place("layer b", 1, "", "net")


def shown(markdown):
    """What a reader sees, and whether it is text alone."""
    rendered = INLINE.renderInline(markdown)
    return html.unescape(re.sub(r"<[^>]+>", "", rendered)), rendered


@settings(deadline=None, max_examples=60)
@given(NAMES)
@example("_a_ b_c_")
@example("*x*")
@example("&amp;")
@example("a\\")
@example("``")
def test_names_are_shown_as_they_are(name):
    said, rendered = shown(safe(name))
    assert said == visible(name)
    assert "<" not in rendered
    assert shown(f"**{safe(name)}**")[0] == visible(name)
    said, rendered = shown(as_code(name))
    assert said == visible(name)
    assert rendered.startswith("<code>")
    assert rendered.count("<") == 2


@pytest.mark.parametrize("name", ODD)
def test_cells_that_are_no_texts_are_names(name):
    ((cell, number),) = Table(("a", "b"), [[Place(name, 0, "", "net"), -1]]).rows
    assert shown(cell)[0] == name
    assert number == "-1"


def test_what_ends_a_line_is_spelled():
    assert shown(safe("a\n\n# b"))[0] == r"a\n\n# b"
    assert shown(as_code("a\nb"))[0] == r"a\nb"


def test_words_are_joined_also_where_there_are_none():
    assert [word_list(w) for w in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "", "a", "a and b", "a, b and c",
    ]  # fmt: skip


def test_a_table_without_rows_is_left_out():
    assert Section("title", "text", Table(("a",), [])).blocks == ("text",)


@settings(deadline=None, max_examples=50)
@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
@example(0.05, 0.05)
@example(0.01, 0.01)
def test_a_page_of_many_places_passes_what_the_tables_pass(p, limit):
    """0.05 as float32 is above 0.05."""
    column = np.zeros(50_001)
    column[0] = p
    kept = unpack_column(pack_column(column))
    assert kept.dtype == np.float32
    assert float(kept[0]) <= p
    assert p > limit or float(kept[0]) <= limit
    np.testing.assert_allclose(kept[0], p, rtol=2e-7, atol=1e-40)


def tile_colours(values, chart, name, **row):
    rows = [{**row, **one} for one in values]
    spec = {**to_vega_lite(chart), "datasets": {name: rows}}
    found = re.findall(r'<path aria-label="[^"]*" role="graphics-symbol"[^>]*fill="rgb\(([^)]*)\)"',
                       as_svg(spec))  # fmt: skip
    return [tuple(map(int, colour.split(","))) for colour in found]


def is_neutral(colour):
    return max(colour) - min(colour) < 25


@pytest.mark.parametrize(("measure", "values"), [("z", (0.0, 3.0, 4.0)), ("auroc", (0.5, 0.9, 1))])
def test_the_neutral_colour_is_in_the_middle_also_of_one_side(measure, values):
    """Where every place lies above its permutations, the least of them is no neutral one."""
    lines = [{"line": "net", "layers": ["0", "1", "2"]}]
    rows = [
        {"layer": str(i), measure: value, "z": value, "cell": i} for i, value in enumerate(values)
    ]
    row = {"line": "net", "comparison": "a", "p_family": None, "kept": 0}
    chart = map_of_places(lines, 1, {measure: measure})
    middle, some, most = tile_colours(rows, chart, "cells", **row)
    assert is_neutral(middle)
    assert some[0] > some[2] + 50
    assert most[0] > most[2] + 50
    without = tile_colours(rows[1:], map_of_places(lines, 1, {measure: measure}), "cells", **row)
    assert without == [some, most]
    below = [{**rows[0], measure: values[0] - 0.3, "z": values[0] - 0.3}, *rows[1:]]
    chart = map_of_places(lines, 1, {measure: measure})
    assert tile_colours(below, chart, "cells", **row) == [middle, some, most]


def test_effects_of_one_direction_are_of_one_colour():
    rows = [{"judged": j, "owner": "a", "effect": e} for j, e in (("a", 0.5), ("b", 2.0))]
    some, most = tile_colours(rows, specificity(), "specificity_of_action")
    assert not is_neutral(some)
    assert not is_neutral(most)
    assert (some[0] > some[2]) == (most[0] > most[2])


def test_effects_of_one_size_are_equally_strong_in_both_directions():
    """A small effect was as dark as the largest, where it was the only one of its direction."""
    rows = [
        {"judged": j, "owner": "a", "effect": e} for j, e in (("a", -0.2), ("b", 0.2), ("c", 2.0))
    ]
    low, high, most = tile_colours(rows, specificity(), "specificity_of_action")
    assert abs(sum(low) - sum(high)) < 60
    assert min(sum(low), sum(high)) > sum(most) + 100


def test_a_long_name_does_not_widen_its_panel():
    def width(name):
        row = {"comparison": name, "of": 0, "model": "m", "line": "l", "place": "p", "p_family": 1}
        rows = [row | {"z": 1.0, "depth": depth} for depth in (0, 1)]
        svg = as_svg({**to_vega_lite(profiles()), "datasets": {"profiles": rows}})
        return float(re.search(r'width="([\d.]+)"', svg)[1])

    assert width("very " * 60 + "kind") <= width("kind") + 20


def part_of(**fields):
    """As much of a part as a sentence reads."""
    return SimpleNamespace(terms=Terms("*rows*"), places=[A, B], texts=False, **fields)


def separation(auroc, constant=False):
    return SimpleNamespace(mean={"probe_auroc": auroc}, constant=constant)


def test_a_place_is_constant_for_the_comparisons_that_it_is_constant_for():
    none = separation(np.nan, constant=True)
    part = part_of(separation={"p": {A: separation(0.9), B: none}, "_q_": {A: none, B: none}})
    assert shown(constant_places(part))[0] == "layer *a* (for _q_); layer b"
    assert not constant_places(part_of(separation={"p": dict.fromkeys((A, B), separation(0.9))}))


def test_the_best_line_is_not_told_by_comparisons_for_which_it_is_constant():
    """They used to make it the worst."""
    here, there = Place("x", 0, "last"), Place("y", 0, "last")
    part = SimpleNamespace(
        places=[here, there],
        separation={
            "p": {here: separation(0.6), there: separation(0.9)},
            "q": {here: separation(0.6), there: separation(np.nan, constant=True)},
        },
    )
    assert best_line(part)[0] == ("y", "last")


@pytest.mark.parametrize(("h0", "words"), [((10,), ("10 H0", "9.1%")), ((10, 60), ("10 to 60",))])
def test_one_percent_of_few_rows_is_called_none(h0, words):
    part = part_of(detections={n: {A: SimpleNamespace(h0=n)} for n in h0})
    assert all(word in few_rows_text(part) for word in words)
    assert "*rows*" in shown(few_rows_text(part))[0]
    assert not few_rows_text(part_of(detections={"p": {A: SimpleNamespace(h0=100)}}))


def test_sentences_of_nothing_are_whole():
    unknown = SimpleNamespace(methods={FOUND: {"auroc": np.nan}})
    assert "No half" in validation_caption(part_of(validations={"p": [unknown]}))


def test_a_comparison_without_a_set_is_described_without_numbers_that_are_none():
    effect_D = np.array([0.1, -0.2])
    nodes = Nodes(effect_D, *(np.ones(2) for _ in range(5)), np.full(2, 1e-9))
    scan = SimpleNamespace(
        place=A, halves=1, set_TC=np.zeros((1, 2), bool), directions_C=np.zeros(2), tested=nodes,
        nodes_D=np.zeros(2, bool), choice=SimpleNamespace(half="A", p_judged=0.5),
    )  # fmt: skip
    rng = np.random.default_rng(0)
    values = {name: rng.random((2, 40)) for name in ("direction", "nodes")}
    tests = PlaceTests((A, B), "direction", values, exchange_of(np.arange(40) < 20))
    finding = SimpleNamespace(
        name="*p*", place=A, z=1.0, p_family=0.5, found=False, judged=[scan], passing=0, places=2
    )
    part = part_of(calibrations={"*p*": tests}, held_out_texts={})
    said = shown(finding_sentence(part, finding))[0]
    assert "at least 0 of 2 nodes differ there" in said
    assert "would have been found in 80% of such comparisons." in said
    assert "nan" not in said
    assert said.startswith("*p* was not")


def columns_stage(values, title="How *deep*", names=("depth", "said")):
    """A stage with a title, whose columns hold these values at the place that is asked for."""
    return SimpleNamespace(
        title=title, about="How deep it lies.",
        columns=Columns(names, lambda part, name, place: values[name, place]),
    )  # fmt: skip


def test_a_stage_with_a_title_is_shown_at_each_comparisons_furthest_place():
    part = part_of(furthest={"p": B, "q_*": A})
    values = {("p", B): (0.12345, "a|*b*"), ("q_*", A): (np.nan, "")}
    section = stage_section(columns_stage(values), part)
    assert section.title == "How *deep*"
    about, table = section.blocks
    assert about == "How deep it lies."
    assert table.header == ("", "place", "depth", "said")
    assert [[shown(cell)[0] for cell in row] for row in table.rows] == [
        ["p", "layer b", "0.123", "a|*b*"], ["q_*", "layer *a*", "-", "-"],
    ]  # fmt: skip


def test_a_stage_without_a_title_or_without_a_number_is_not_shown():
    part = part_of(furthest={"p": B})
    assert stage_section(columns_stage({("p", B): (1.0, "a")}, title=""), part) is None
    assert stage_section(columns_stage({("p", B): (np.nan, "")}), part) is None


def test_the_best_place_is_never_one_without_a_number():
    found = {"none": np.nan, "low": 0.0, "high": 0.9, "as high": 0.9}
    assert best_place(found, float) == "high"
    assert best_place({"none": np.nan, "low": -1.0}, float) == "low"
    assert best_place({"first": np.nan, "second": np.nan}, float) == "first"
    assert best_of_all({"p": {A: np.nan}, "q": {A: 0.1, B: 0.2}}, float) == ("q", B)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_every_statistic_is_described(statistic):
    rng = np.random.default_rng(0)
    values = {name: rng.random((2, 40)) for name in ("direction", "nodes", statistic)}
    tests = PlaceTests((A, B), statistic, values, exchange_of(np.arange(40) < 20))
    options = WhereOptions(statistic=statistic, permutations=39)
    part = part_of(calibrations={"p": tests}, config=SimpleNamespace(where=options))
    said = statistic_text(part)
    assert "a place's statistic is " in said
    assert "no p can be below 0.025" in said

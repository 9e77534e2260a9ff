"""The page and pictures of interventions, on sets made by hand."""

import dataclasses
import html
import re
from types import SimpleNamespace

import numpy as np
import pytest
from tiny_pages import section_words
from tiny_tested import (
    MEAN,
    OPTIONS,
    POSITIVE,
    UNEDITED_MARGIN,
    beside_controls,
    crossed_set,
    empty,
    judged_set,
    sides,
)

from personascan.interventions.design import (
    COHEN,
    DIFFERENCE,
    FOUND,
    PROJECT,
    STEER,
)
from personascan.interventions.edits import UNEDITED, NamedEdit
from personascan.interventions.options import MATCHED, RANDOM, RANDOM_DIRECTION
from personascan.report.gallery import ACROSS
from personascan.report.render import INLINE, as_svg, filled_spec
from personascan.report.sections.edits import edits_section
from personascan.report.sheets.columns import Sheets
from personascan.report.sheets.edits import acts_sheet, edit_sheets, specificity_sheet
from personascan.report.words import Shown
from personascan.study.effects import (
    cross_effects,
)
from personascan.study.effects import set_effects as family_effects  # no test itself
from personascan.visible import visible

ODD = "a|b*[x](y)`$\\frac$\n<b>_#\u202e"


def steered(name, half="A", rows=6, clusters=None, likelihood=True, seed=0):
    """Every method and kind of control that the page names."""
    kinds = RANDOM, MATCHED, RANDOM_DIRECTION
    edits = beside_controls(3, kinds=kinds[:2])
    for strength in OPTIONS.strengths:
        edits += beside_controls(3, STEER, strength, kinds)[1:]
        edits += [NamedEdit(method, STEER, strength) for method in (COHEN, DIFFERENCE)]
    edits += [
        NamedEdit(DIFFERENCE, PROJECT),
        *(NamedEdit(kinds[2], PROJECT, number=k) for k in range(3)),
    ]
    rng = np.random.default_rng(seed)
    shape = len(edits), 2 * rows
    return judged_set(
        edits, rng.normal(size=shape), sides(rows), name=name, half=half, clusters=clusters,
        likelihood=rng.normal(size=shape) if likelihood else None,
    )  # fmt: skip


def part(every, crossed=(), options=OPTIONS):
    return SimpleNamespace(
        interventions=family_effects(every, options, 0),
        specificity=[c for one in crossed for c in cross_effects(one, options, 0)],
        config=SimpleNamespace(intervention=options, node_q=0.05),
        terms=SimpleNamespace(rows="statements"),
    )


def page(shown):
    """The section, with its pictures drawn."""
    section = edits_section(shown)
    for picture in ("effects", "doses", "specificity"):
        if Shown(picture) in section.blocks:
            drawn(shown, picture)
    text = section_words(section.packed())
    assert "nan" not in text
    return text


def drawn(shown, name, **chosen):
    """A picture of the first set and action, as SVG."""
    study = SimpleNamespace(parts=[shown])
    made = edit_sheets(study) | {
        "specificity": specificity_sheet(study), "acts": acts_sheet(study),
    }  # fmt: skip
    sheets = Sheets({key: sheet.packed() for key, sheet in made.items()})
    picture = next(p for p in ACROSS if p.name == name)
    acts = [row["act"] for row in sheets.rows("acts", {"part": 0})]
    return as_svg(filled_spec(picture, sheets, {"part": 0, "edit": 0, "act": acts[0], **chosen}))


def texts(svg):
    return [t.strip() for t in re.findall(r"<text[^>]*>([^<]*)</text>", svg)]


def tables(text):
    """Rows of cells, table by table."""
    found = [[]]
    for line in text.splitlines():
        if line.startswith("|"):
            found[-1].append(line.strip("|").split(" | "))
        elif found[-1]:
            found.append([])
    return [rows for rows in found if rows]


def test_a_page_of_sets_with_and_without_nodes():
    shown = part([steered("plain"), empty(name="hollow", half="B")])
    text = page(shown)
    main, methods = tables(text)
    assert {len(row) for row in main} == {13}
    assert {len(row) for row in methods} == {9}
    assert len(main) == 1 + 2  # the ablation, and the strongest push
    (e,) = (e for e in shown.interventions[0].of(FOUND, STEER) if e.strength == 2.0)
    row = [cell.strip() for cell in main[2]]
    assert row[4:6] == ["steer +2", f"{e.effect:+.2f} ({e.low:+.2f} to {e.high:+.2f})"]
    assert row[7] == f"{e.p[RANDOM]:.3f}"
    assert row[10] == f"{shown.interventions[0].p_family[e.key]:.3f}"
    assert [row[2].strip() for row in methods[1:]] == [
        FOUND, RANDOM, MATCHED, RANDOM_DIRECTION, "largest Cohen's d", DIFFERENCE,
    ]  # fmt: skip
    assert "No nodes were found to test for hollow (half B): on that half's own rows none" in text
    assert "`findings.csv` counts what the other half's rows show there" in text
    assert "not tested: with 3 of each kind of control no p can be below 0.25" in text
    assert "node sets" not in text.split("\n\n")[1]
    assert text.startswith("## Do the found nodes carry it?\n\n")
    assert "by their own nodes' deviations, and along directions as long as the found set's" in text


def test_pages_of_nothing():
    assert edits_section(part([])) is None
    text = page(part([empty(), empty(half="B")]))
    assert "in 0 of 0 node sets" in text
    assert not tables(text)


def shown_names(text):
    """The first cells of the rows, as a reader sees them."""
    cells = [line.split(" | ")[0].removeprefix("| ") for line in text.split("\n")]
    return {html.unescape(re.sub("<[^>]+>", "", INLINE.renderInline(cell))) for cell in cells}


def test_odd_names_break_no_page_and_no_picture():
    crossed = [crossed_set(), crossed_set("a")]
    odd = [dataclasses.replace(one, owners=("", ODD, ODD, "b"), name=name)
           for one, name in zip(crossed, ("b", ODD), strict=True)]  # fmt: skip
    text = page(part([steered(ODD), steered(ODD, "B", seed=1)], odd))
    assert {len(row) for row in tables(text)[0]} == {13}
    assert shown_names(text) >= {visible(ODD)}
    plain = page(part([steered("x"), steered("x", "B", seed=1)], crossed))
    assert text.count("\n") == plain.count("\n")


def test_what_was_asked_is_what_the_page_says():
    options = dataclasses.replace(
        OPTIONS, level=0.8, ablations=("zero",), against=(RANDOM, MATCHED)
    )
    text = page(part([empty()], options=options))
    assert "80% interval" in text
    assert "sets the nodes to zero" in text
    assert "like variance" in text
    assert "random directions" not in text
    text = page(part([steered("x")]))
    assert "a 95% interval" in text
    assert "the background's mean" in text
    assert "random directions as long" in text


def test_pages_without_strengths_likelihoods_or_intervals():
    options = dataclasses.replace(OPTIONS, strengths=())
    ablated = judged_set(beside_controls(3), np.random.default_rng(0).normal(size=(5, 4)), POSITIVE)
    (main,) = tables(page(part([ablated], options=options)))
    assert len(main) == 2
    clusters = np.r_[np.zeros(6, int), np.arange(1, 7)]  # H1 is one cluster
    text = page(part([steered("x", clusters=clusters, likelihood=False)]))
    cells = [cell.strip() for cell in tables(text)[1][1]]
    assert "(" not in cells[3]
    assert cells[6] == "-"


@pytest.mark.parametrize("bootstrap", [1, 50])
def test_bars_of_few_resamples_and_of_rounding_are_drawn(bootstrap):
    options = dataclasses.replace(OPTIONS, bootstrap=bootstrap)
    same = steered("same", clusters=np.repeat(np.arange(6), [1, 2, 3, 3, 2, 1]))
    same.margin_WN[:] = np.where(same.positive_N, 0.3, -0.1) * np.arange(len(same.edits))[:, None]
    shown = part([steered("x"), same], options=options)
    outside = [e for found in shown.interventions for e in found.of(FOUND, STEER)
               if not e.low <= e.effect <= e.high]  # fmt: skip
    assert outside or bootstrap > 1  # what this is about
    page(shown)


def test_specificity_is_averaged_over_halves_and_missing_sets_are_left_blank():
    """Half A of b found nothing."""

    def under(name, half, of_a, of_b=None):
        sets = [("a", of_a), ("b", of_b)][: 1 + (of_b is not None)]
        changed = [(UNEDITED, "", 0.0)]
        for owner, change in sets:
            changed += [
                (NamedEdit(owner, *edit), owner, change) for edit in ((MEAN,), (STEER, 2.0))
            ]
        edits, owners, changes = zip(*changed, strict=True)
        margin = UNEDITED_MARGIN + np.outer(changes, POSITIVE)
        return judged_set(edits, margin, POSITIVE, name=name, half=half, owners=owners)

    halves = [under("a", "A", 4), under("b", "A", 1), under("a", "B", 2, 0.5)]
    shown = part([steered("a")], [*halves, under("b", "B", 2, -1)])
    text = page(shown)
    for action in (MEAN, "steer +2"):  # own: 3 and -1; others: a's on b 1.5, b's on a 0.5
        assert f"{action}: +1.00 on a comparison's own statements on average, +1.00 on" in text
    for action in (MEAN, "steer +2"):
        numbers = [t for t in texts(drawn(shown, "specificity", act=action)) if t[:1] in "+\u2212"]
        assert set(numbers) >= {"+3.00", "+0.50", "+1.50", "\u22121.00"}
    without = page(part([steered("a")], halves[:2]))
    assert f"{MEAN}: +4.00 on a comparison's own statements on average, +1.00 on" in without


def test_many_sets_are_drawn():
    shown = part([steered(name, half) for name in "abc" for half in "AB"])
    named = [t for t in texts(drawn(shown, "effects")) if "half" in t]
    assert named == [f"{name}, half {half}" for name in "abc" for half in "AB"]
    one, other = (drawn(shown, "doses", edit=i) for i in (0, 5))
    assert one.count("<path") == other.count("<path") > 10

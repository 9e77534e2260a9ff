"""What a page says in plain words: how many, of what, and what a number below chance means."""

import pathlib
import re
from types import SimpleNamespace

import numpy as np
import pytest

from personascan.places import Place
from personascan.report import page
from personascan.report.asked import asked_sentence, sides_sentence, sizes_words
from personascan.report.cards import beyond_words
from personascan.report.charts import evidence
from personascan.report.charts.theme import to_vega_lite
from personascan.report.lead import beyond_sentence
from personascan.report.page import title_words
from personascan.report.render import as_svg
from personascan.report.sections.found import beyond_text
from personascan.report.words import below_chance, quantity, wording_words
from personascan.sources.base import Terms

A = Place("layer *a*", 0, "", "net")


def test_one_thing_is_in_the_singular():
    assert [quantity(n, "node set") for n in (0, 1, 2)] == [
        "0 node sets",
        "1 node set",
        "2 node sets",
    ]


def asked_of(level, names, levels=(2,)):
    """As much of a part of statements as the title and the question read."""
    return SimpleNamespace(
        terms=Terms("statements"), places=[A], texts=True, model="m", level=level,
        scans=dict.fromkeys(names), pool_sizes=dict.fromkeys(names, (3, 3)),
        config=SimpleNamespace(levels=levels), entities={}, source=SimpleNamespace(groups={}),
    )  # fmt: skip


def test_the_question_counts_and_names_what_is_compared_in_words():
    one = asked_sentence(asked_of(2, ["calm"]))
    assert one == (
        "Asked about calm: do activations at the one place of `m` (layers of net) differ between "
        "the statements for it (H1) and those against it (H0)? 3 + 3 statements."
    )
    two = asked_of(0, ["moods", "views"])
    two.places = [A, Place("layer b", 0, "", "net")]
    assert asked_sentence(two) == (
        "Asked about each of 2 topics: at which of 2 places of `m` (layers of net) do activations "
        "differ between the statements for its personas (H1) and those for the personas of the "
        "other topics (H0)? 3 + 3 statements of each."
    )
    one = asked_of(2, ["calm"])
    one.terms = Terms("images", "attacked images", "clean ones")
    assert "differ between attacked images (H1) and clean ones (H0)? 3 + 3 images." in (
        asked_sentence(one)
    )
    assert title_words(asked_of(2, ["calm"])) == "calm in `m`"
    said = [title_words(asked_of(level, ["calm"], (2, 1, 0))) for level in (2, 1, 0)]
    assert [one.removeprefix("calm in `m`: each against ") for one in said] == [
        "its own negatives", "its topic's others", "the other topics",
    ]  # fmt: skip


def test_the_sides_are_said_in_the_words_of_the_file_or_by_the_personas_name():
    marked = asked_of(2, ["mood"])
    marked.source.groups["mood"] = [
        SimpleNamespace(positive=positive, marked=word)
        for positive, word in ((True, "shy"), (True, "Shy"), (False, "b*ld*"))
    ]
    assert "between the statements marked 'shy' (H1) and those marked 'b\\*ld\\*' (H0)?" in (
        asked_sentence(marked)
    )
    assert sides_sentence(marked) == (
        "H1: the statements marked 'shy'; H0: those marked 'b\\*ld\\*'."
    )
    for level, names, said in (
        (2, ["calm"], "H1: the statements for calm; H0: those against it."),
        (2, ["calm", "bold"], "H1: the statements for a persona; H0: those against it."),
        (1, ["calm"], "H1: the statements for calm; H0: those for the other personas of its "
         "topic."),
        (0, ["moods"], "H1: the statements for the personas of moods; H0: those for the personas "
         "of the other topics."),
    ):  # fmt: skip
        assert sides_sentence(asked_of(level, names)) == said


def test_the_sides_of_other_rows_are_those_of_a_comparison():
    part = asked_of(2, ["hydration"])
    part.terms = Terms("molecules", "its positive molecules", "its negative ones")
    said = "H1 of hydration: its positive molecules; H0: its negative ones."
    assert sides_sentence(part) == said


@pytest.mark.parametrize(
    ("pairs", "rows", "said"),
    [(30, 30, "30 pairs of statements"), (30, 60, "60 + 60 statements in pairs")],
)
def test_pairs_are_counted_as_pairs(pairs, rows, said):
    part = asked_of(2, ["calm"])
    part.pool_sizes = {"calm": (rows, rows)}
    part.entities = {"calm": (pairs, SimpleNamespace(kind="pairs"))}
    assert sizes_words(part) == said
    part.entities = {"calm": (pairs, SimpleNamespace(kind="entities"))}
    assert sizes_words(part) == f"{rows} + {rows} statements"


@pytest.mark.parametrize(("least", "domain"), [(0.12, [0, 1]), (0.39, [0, 1]), (0.4, [0.4, 1])])
def test_the_axis_of_aurocs_holds_every_value(least, domain):
    rows = [
        {"of": 0, "comparison": "calm", "method": f"m{i}", "order": i, "own": 0, "auroc": value,
         "low": value, "high": value, "ceiling": 0}
        for i, value in enumerate((0.7, least))
    ]  # fmt: skip
    spec = {**to_vega_lite(evidence.special()), "datasets": {"special": rows}}
    shown = [float(one) for one in re.findall(r">([0-9.]+)</text>", as_svg(spec))]
    assert [min(shown), max(shown)] == domain


def test_an_auroc_below_chance_is_explained_where_it_is_shown_as_such():
    assert below_chance([0.5, 0.499, np.nan, 0.9], "rows") == ""  # shown as 0.50
    said = below_chance([0.9, 0.41], "statements")
    assert said.startswith(" An AUROC below 0.5 orders more statements the wrong way round")
    assert "fixed beforehand, on other statements" in said


def told(auroc, turned, claim=0.4):
    """Held-out statements that activations tell better than words of this AUROC."""
    one = SimpleNamespace(
        name="word counts", auroc=auroc, turned=turned, tells_reversed=turned,
        claim=SimpleNamespace(difference=claim, low=claim - 0.1, high=claim + 0.1),
    )  # fmt: skip
    return SimpleNamespace(auroc=0.9, beyond=True, hardest=one, simpler={"word counts": one})


@pytest.mark.parametrize("turned", [True, False])
def test_words_that_tell_the_wrong_side_are_named_on_the_first_screen(turned):
    finding = SimpleNamespace(name="calm", found=True)
    part = SimpleNamespace(
        held_out_texts={"calm": told(0.62, turned)}, findings=lambda: [finding], validations={},
        terms=Terms("statements"), texts=True,
        config=SimpleNamespace(
            where=SimpleNamespace(folds=5, fold_permutations=9),
            validation=SimpleNamespace(level=0.95),
        ),
    )  # fmt: skip
    said = beyond_sentence(part)
    assert ("counterparts in like words" in said) == turned
    assert ("0.62 by word counts turned round" in said) == turned
    assert ("turned round" in beyond_words(part, "calm").title) == turned
    assert "in whichever direction they tell rows better" in beyond_text(part)


def test_the_words_of_the_tables_are_in_the_pages_own_glossary():
    folder = pathlib.Path(page.__file__).parent / "templates"
    words = (folder / "page.html.j2").read_text(encoding="utf-8")
    terms = re.findall(r"<dt>([^<]*)</dt>", words)
    assert {"background", "alpha, tail", "node set", "z", "q", "family-wise p", "AUROC"} <= set(
        terms
    )
    assert "Below 0.5 more are ordered the wrong way round" in words


def test_what_wording_tells_is_said_where_rows_are_texts():
    part = SimpleNamespace(terms=Terms("statements"), texts=True)
    assert "held-out statements whose side logistic regression" in wording_words(part)
    assert wording_words(SimpleNamespace(texts=False)) == ""

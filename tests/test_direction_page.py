"""What a page says of a direction: at which place it is read, and where shades mean nothing."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import norm
from tiny_pages import section_words

from personascan.places import Place
from personascan.report.sections.tokens import promoted_section, tokens_section
from personascan.sources.base import Terms
from personascan.study.half_direction import chosen_place, half_direction
from personascan.study.stages import promoted
from personascan.study.stages.promoted import Promoted, TokenList
from personascan.study.stages.tokens import ShadedStatement, ShadedStatements
from personascan.study.stages.where import LabelledRows

STREAM, HEADS = Place("resid_post", 2, "last"), Place("head_out", 1, "last")


def shaded(auroc, low, high):
    one = ShadedStatement("a", True, True, 1.0, 0, 1, ("I", " am"), np.array([0.0, 3.0]))
    return ShadedStatements(STREAM, auroc, low, high, 0.9, (one,))


def tokens_page(**tokens):
    return tokens_section(SimpleNamespace(terms=Terms("statements"), tokens=tokens))


def test_shades_at_chance_are_said_to_mean_nothing_before_anything_else():
    section = tokens_page(calm=shaded(0.52, 0.41, 0.63), bold=shaded(0.7, 0.6, 0.79))
    first, second, *_ = (b for b in section.blocks if isinstance(b, str))
    assert first.startswith("**At chance on the other half**, so that its shades mean nothing:")
    assert "**calm** (AUROC 0.52, 0.41 to 0.63)" in first
    assert "bold" not in first
    assert second.startswith("Each comparison stands at its furthest place")
    chance, told = section.blocks[-2:]
    assert chance.title.endswith(": at chance on the other half, the shades mean nothing")
    assert not chance.opened  # though the words of both explain their scores as well
    assert told.opened
    assert told.title == "bold at resid_post 2, last"


def test_where_every_shade_means_something_nothing_of_chance_is_said():
    text = section_words(tokens_page(bold=shaded(0.7, 0.6, 0.79)).packed())
    assert "**At chance" not in text
    assert "| 0.70 (0.60 to 0.79) |" in text


def test_below_chance_is_chance_too():
    assert shaded(0.2, 0.1, 0.3).at_chance
    assert not shaded(0.7, 0.51, 0.8).at_chance


def written(place):
    chance = {kind: np.linspace(3, 5, 99) for kind in ("random", "shuffled")}
    listed = TokenList((1,), (" a",), (0.5,), (6.0,), chance)
    return Promoted(place, {"promoted": listed})


def promoted_page(**places):
    tests = SimpleNamespace(z=np.array([3.25, 9.0]), keys=[STREAM, HEADS])
    return promoted_section(
        SimpleNamespace(
            promoted={name: written(STREAM) for name in places}, furthest=places,
            calibrations=dict.fromkeys(places, tests),
        )
    )  # fmt: skip


def test_a_direction_that_is_read_elsewhere_says_where_and_why_first():
    text = promoted_page(calm=HEADS, bold=STREAM).blocks[0]
    assert text.startswith("Read at the place that half A chose, and not at the furthest one")
    assert "calm at resid_post 2, last (z 3.2)" in text
    assert "bold" not in text
    assert "The others are read at their furthest" in text
    text = promoted_page(bold=STREAM).blocks[0]
    assert text.startswith("Each comparison's direction is read at its furthest place")


def case(furthest, chosen=STREAM):
    """A comparison whose furthest place and half A's are given."""
    rows = LabelledRows(np.arange(40), np.arange(40) % 2 == 0, None)
    return SimpleNamespace(
        chosen=lambda half: rows, furthest=lambda: furthest,
        choices=lambda: [("A", "B", chosen, None), ("B", "A", HEADS, None)] if chosen else [],
        config=SimpleNamespace(tokens=SimpleNamespace(promoted=5)),
        source=SimpleNamespace(answers=True),
    )  # fmt: skip


def test_directions_are_those_of_the_furthest_place():
    """Half A's place stands in for one that the unembedding cannot read."""
    early = Place("resid_post", 0, "last")
    assert half_direction(case(HEADS)).place == HEADS
    assert promoted.asked(case(early)).place == early
    assert promoted.asked(case(HEADS)).place == chosen_place(case(HEADS)) == STREAM
    assert promoted.asked(case(HEADS, HEADS)) is None
    assert promoted.asked(case(HEADS, None)) is None


@pytest.mark.parametrize("auroc", [0.5, 0.6, 0.75])
def test_the_interval_is_about_that_of_hanley_and_mcneil(auroc):
    """On 50 and 50 rows; the limits of a study's half are these."""
    from personascan.analysis.claims import auroc_limits

    q1, q2 = auroc / (2 - auroc), 2 * auroc**2 / (1 + auroc)
    variance = auroc * (1 - auroc) + 49 * (q1 - auroc**2) + 49 * (q2 - auroc**2)
    half = norm.ppf(0.975) * np.sqrt(variance / 2500)
    assert auroc_limits(auroc, (50, 50)) == pytest.approx((auroc - half, auroc + half), abs=0.03)

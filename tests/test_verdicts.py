"""Verdicts of a page: its cards, ceilings and floors, and the evidence that they rest on."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from personascan.analysis.findings import Finding
from personascan.analysis.judged import FOUND, LENGTH, RANDOM
from personascan.interventions.design import STEER
from personascan.interventions.options import InterventionOptions
from personascan.report import ceilings
from personascan.report.cards import NO, OPEN, YES, cards
from personascan.report.document import document, read_document
from personascan.report.sheets.columns import Sheets
from personascan.report.sparks import spark
from personascan.report.summary import findings_table
from personascan.report.verdicts import beside_sentence, confirmed_sentence
from personascan.report.words import p_words
from personascan.study.stages.evidence import in_deviations


@pytest.mark.parametrize(
    ("p", "words"),
    [(0.0004, "< 0.001"), (0.001, "0.001"), (0.05, "0.050"), (1.0, "1.000"), (np.nan, "-")],
)
def test_every_p_has_three_digits_or_is_below_the_last(p, words):
    assert p_words(p) == words


@pytest.mark.parametrize(
    ("baseline", "difference", "low", "full"),
    [
        (1.0, 0.0, 0.0, True),  # perfect against perfect
        (0.98, 0.01, -0.02, True),  # no room for an interval above 0
        (0.96, 0.03, 0.01, False),  # better, and shown to be
        (0.96, 0.0, -0.02, False),  # there was room
        (0.75, 0.1, -0.2, False),  # rows are too few, which is no ceiling
    ],
)
def test_a_ceiling_is_where_no_better_score_could_be_shown(baseline, difference, low, full):
    assert ceilings.at_ceiling(baseline, difference, low) is full


def halves(*rows):
    """(found, random, lower end of the difference) of each half's set."""
    return [
        SimpleNamespace(methods={
            FOUND: {"auroc": own}, RANDOM: {"auroc": random}, LENGTH: {"auroc": length},
            ceilings.BEYOND: {"difference": own - random, "low": low},
        })
        for own, random, low, length in rows
    ]  # fmt: skip


def test_sets_at_the_ceiling_are_not_counted_as_not_special():
    part = SimpleNamespace(
        validations={"p": halves((1.0, 1.0, 0.0, 0.4), (0.9, 0.6, 0.2, 0.3)),
                     "q": halves((0.7, 0.7, -0.1, 0.5), (np.nan, 0.7, -0.1, 0.5))}
    )  # fmt: skip
    found = ceilings.better_than_random(part, ["p", "q"])
    assert (found["sets"], found["better"], found["ceiling"]) == (3, 1, 1)
    assert ceilings.length_auroc(part, "p") == pytest.approx(0.65)  # H0 is longer
    assert np.isnan(ceilings.length_auroc(part, "q"))  # all of one length


def finding(p_family, judged=(0.01, 0.2), name="p"):
    scans = [SimpleNamespace(choice=SimpleNamespace(p_judged=p)) for p in judged]
    return Finding(name, "place *1*", 5.0, p_family, p_family, 2, 9, scans)


def part_of(*findings, held_out=None, interventions=(), strengths=(2.0,)):
    intervention = InterventionOptions(strengths=strengths, ablations=("mean",))
    return SimpleNamespace(
        findings=lambda: list(findings), texts=True, held_out_texts=held_out or {},
        wording={f.name: (0.5, 0.0) for f in findings}, larger_share=lambda name: 0.5,
        calibrations={f.name: SimpleNamespace(detectable=lambda: 0.4) for f in findings},
        interventions=list(interventions), validations={},
        config=SimpleNamespace(intervention=intervention, conversations=None),
    )  # fmt: skip


def edited(controls, p, name="p"):
    effect = SimpleNamespace(method=FOUND, controls=controls)
    return SimpleNamespace(
        tested=SimpleNamespace(name=name), effects=[effect],
        p_family={(STEER, 2.0, "answer"): p},
    )  # fmt: skip


def held(auroc, other, low):
    claim = SimpleNamespace(difference=auroc - other, low=low, high=0.5)
    hardest = SimpleNamespace(name="word counts", auroc=other, claim=claim, turned=False)
    return {"p": SimpleNamespace(auroc=auroc, hardest=hardest, beyond=low > 0)}


def kinds(part):
    return [badge.kind for badge in cards(part)[0].badges]


def test_a_card_answers_the_same_questions_of_each_comparison():
    assert kinds(part_of(finding(0.2))) == [NO]
    assert kinds(part_of(finding(0.01))) == [YES, NO, OPEN, OPEN]
    assert kinds(part_of(finding(0.01, (0.01, 0.02)), held_out=held(0.9, 0.7, 0.1),
                         interventions=[edited(19, 0.05)])) == [YES] * 4  # fmt: skip
    assert kinds(part_of(finding(0.01), held_out=held(0.8, 0.7, -0.1),
                         interventions=[edited(19, 0.5)])) == [YES, NO, NO, NO]  # fmt: skip
    full = part_of(finding(0.01), held_out=held(1.0, 1.0, 0.0), interventions=[edited(3, 0.25)])
    assert kinds(full) == [YES, NO, OPEN, OPEN]
    assert "too few controls" in cards(full)[0].badges[-1].words
    assert cards(full)[0].said.startswith("Most clearly at **place \\*1\\***")


@pytest.mark.parametrize(
    ("judged", "said"),
    [
        ((0.01, 0.02), "confirmed on the other half (p 0.010 and 0.020)"),
        ((0.01, 0.2), "confirmed one way only (p 0.010 and 0.200)"),
        ((0.3, 0.2), "not confirmed on the other half (p 0.300 and 0.200)"),
    ],
)
def test_page_card_and_terminal_say_the_same_of_the_other_half(judged, said):
    f = finding(0.01, judged)
    part = part_of(f)
    assert cards(part)[0].badges[1].words == said
    assert findings_table(part)[1][-1] == said
    words, p = said.split(" (")
    assert confirmed_sentence([f]) == f"{words} for **p** ({p}"
    many = [finding(0.01, judged, f"p{i}") for i in range(6)]
    assert confirmed_sentence(many) == f"{words} for **p0**, **p1**, **p2** and 3 more"


def beside(p_family, held_low=0.6, told_low=0.7, node_p=0.035):
    part = part_of(finding(p_family))
    part.terms, part.places = SimpleNamespace(rows="statements"), range(31)
    part.held_out = {"p": SimpleNamespace(auroc=0.79, low=held_low)}
    part.tokens = {"p": SimpleNamespace(auroc=0.84, low=told_low)}
    tested = SimpleNamespace(p_family=np.array([1.0, node_p]))
    part.evidence = {"p": SimpleNamespace(tested=tested)}
    return beside_sentence(part)


def test_numbers_that_look_like_a_finding_are_explained_where_there_is_none():
    said = beside(0.2)
    assert "held-out AUROC (up to 0.79) is an estimate of how well statements" in said
    assert "AUROC on half B (up to 0.84)" in said
    assert "family-wise p (down to 0.035) covers the nodes of one place alone" in said
    assert beside(0.04) == beside(0.2, 0.4, 0.5, 0.2) == ""
    only = beside(0.2, 0.4, 0.5)
    assert "0.035" in only
    assert "AUROC" not in only


def test_cards_begin_with_the_clearest():
    one, other = finding(0.3), finding(0.01, name="q")
    assert [card.name for card in cards(part_of(one, other))] == ["q", "p"]


def test_a_chart_of_a_card_holds_every_line_and_the_furthest_place():
    cells = [{"line": line, "depth": depth, "z": z} for line, depth, z in
             [("a", 0.0, -1.0), ("a", 1.0, 8.0), ("b", 0.0, 0.0), ("b", None, 1.0)]]  # fmt: skip
    svg = spark(cells, 2.0)
    assert svg.count("<polyline") == 2
    assert svg.count("<circle") == svg.count("<rect") == 1
    assert "nan" not in svg


def test_evidence_is_kept_at_the_place_that_the_page_names(study):
    part = study.part
    assert set(part.evidence) == set(part.scans)
    for name, found in part.evidence.items():
        assert found.place == part.furthest[name]
        positive_N = part.positive[name]
        auroc = roc_auc_score(positive_N, found.score_N)
        assert auroc == pytest.approx(part.place_aurocs[name][found.place])
        sizes_D = np.abs(found.tested.effect)
        assert sizes_D[found.kept_K].min() >= np.delete(sizes_D, found.kept_K).max(initial=0)
        means_K = found.value_NK[positive_N].mean(0)
        np.testing.assert_allclose(found.value_NK[~positive_N].mean(0), 0, atol=1e-6)
        assert (np.sign(means_K) == found.tested.direction[found.kept_K]).all()


def test_the_page_has_every_statement_and_value_of_the_evidence(study):
    sheets = Sheets(document(study)["sheets"])
    (one, *_) = sheets.rows("evidence", {"part": 0})
    found = study.part.evidence[one["comparison"]]
    assert one["place"] == str(found.place)
    statements = sheets.rows("statements", one)
    np.testing.assert_allclose([r["score"] for r in statements], found.score_N, atol=6e-4)
    assert [r["text"] for r in statements] == list(study.part.row_texts[one["comparison"]])
    probes = sheets.rows("probes", one)
    assert [p["node"] for p in probes] == found.kept_K.tolist()
    values = [r["value"] for r in sheets.rows("values", {"probe": probes[1]["probe"]})]
    np.testing.assert_allclose(values, found.value_NK[:, 1], atol=6e-3)
    nodes = sheets.rows("nodes", {"scan": one["scan"]})
    assert len(nodes) == found.tested.effect.size
    assert all(node["tested"] for node in nodes)


def test_values_of_a_node_that_is_constant_in_h0_are_zero():
    value_NK = np.array([[1.0, 5.0], [1.0, 7.0], [3.0, 9.0]])
    found = in_deviations(value_NK, np.array([False, False, True]))
    np.testing.assert_allclose(found, [[0, -1], [0, 1], [0, 3]])


def test_the_document_of_a_study_has_its_cards(study):
    part = read_document(study.config.out)["parts"][0]
    assert {card["name"] for card in part["cards"]} == {f.name for f in study.part.findings()}

"""Node sets found on some rows and judged on others, against scikit-learn and on known truth."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import binom, ttest_ind
from sklearn.cluster import KMeans
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_score, recall_score, roc_auc_score
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import personascan
from personascan.analysis.halves import effects, halve
from personascan.analysis.judged import UNKNOWN
from personascan.analysis.validation import ValidationOptions, judge, random_scores, validate

ROWS, NODES = 120, 40
POSITIVE = np.arange(ROWS) % 5 < 2
FIND, JUDGE = np.arange(0, 60), np.arange(60, 120)
OPTIONS = ValidationOptions(random_sets=20, shuffles=5, bootstrap=200)


def place(shift, seed=0):
    """The first three nodes are high in H1 and the next three low."""
    rows = np.random.default_rng(seed).normal(size=(ROWS, NODES)).astype(np.float32)
    rows[np.ix_(POSITIVE, range(3))] += np.float32(shift)
    rows[np.ix_(POSITIVE, range(3, 6))] -= np.float32(shift)
    return rows


def planted():
    """The half-nodes of the plant."""
    columns = np.zeros(2 * NODES, bool)
    columns[:3] = columns[NODES + 3 : NODES + 6] = True
    return columns


def judged(rows, columns, options=OPTIONS, seed=0, positive=POSITIVE, **chosen):
    return validate(rows, positive, FIND, JUDGE, columns, options, seed, **chosen)


def test_probes_are_scikit_learns():
    rows, nodes = place(1.0), np.arange(6)
    found = judged(rows, planted())
    effect = ttest_ind(rows[FIND][POSITIVE[FIND]], rows[FIND][~POSITIVE[FIND]]).statistic
    top = np.argsort(-np.abs(effect))[:6]
    for name, chosen in (
        ("found nodes", nodes),
        ("top mean difference", top),
        ("all nodes", np.arange(NODES)),
    ):
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
        probe.fit(rows[FIND][:, chosen].astype(float), POSITIVE[FIND])
        scores = probe.decision_function(rows[JUDGE][:, chosen].astype(float))
        expected = roc_auc_score(POSITIVE[JUDGE], scores)
        assert found.judged[name].auroc == pytest.approx(expected, abs=1e-12)
        highest = scores[~POSITIVE[JUDGE]].max()
        assert found.judged[name].tpr == (scores[POSITIVE[JUDGE]] > highest).mean()


def test_untrained_scores_are_what_they_say():
    rows, length = place(1.0).astype(float), np.arange(ROWS) % 7 + 3.0 * ~POSITIVE
    found = judged(rows, planted(), length_N=length).judged
    h1, h0 = rows[FIND][POSITIVE[FIND]], rows[FIND][~POSITIVE[FIND]]
    z = (rows[JUDGE] - rows[FIND].mean(0)) / rows[FIND].std(0)
    scores = {
        "mean-difference direction": rows[JUDGE] @ (h1.mean(0) - h0.mean(0)),
        "signed sum": z[:, :3].sum(1) - z[:, 3:6].sum(1),
        "length": -length[JUDGE],
    }
    for name, score in scores.items():
        expected = roc_auc_score(POSITIVE[JUDGE], score)
        assert found[name].auroc == pytest.approx(expected, abs=1e-12)
    assert found["length"].auroc > 0.7


def test_detectors_without_labels_are_scikit_learns():
    rows = place(8.0).astype(float)  # far enough for their own thresholds
    found = judged(rows, planted(), seed=4).judged
    h0, label = rows[FIND][~POSITIVE[FIND]], POSITIVE[JUDGE]
    for name, detector in (
        ("local outlier factor", LocalOutlierFactor(novelty=True)),
        ("isolation forest", IsolationForest(random_state=4)),
    ):
        detector.fit(h0)
        flagged = detector.predict(rows[JUDGE]) == -1
        assert found[name].auroc == pytest.approx(
            roc_auc_score(label, -detector.score_samples(rows[JUDGE])), abs=1e-12
        )
        assert found[name].precision == pytest.approx(precision_score(label, flagged))
        assert found[name].recall == pytest.approx(recall_score(label, flagged))
    cluster = KMeans(2, n_init=10, random_state=4).fit_predict(rows[JUDGE]) == 1
    either = [
        (recall_score(label, c) - c[~label].mean(), precision_score(label, c))
        for c in (cluster, ~cluster)
    ]
    assert found["k-means"].precision == pytest.approx(max(either)[1])


def test_planted_nodes_are_as_good_as_all_and_better_than_random_ones():
    found = judged(place(1.5), planted())
    assert found.nodes == 6
    assert found.judged["found nodes"].auroc > 0.95
    assert (found.beaten, found.p_random) == (1.0, 1 / 21)
    assert found.claim.holds(0.1)  # as much as sixty rows can show
    assert found.claim.difference == pytest.approx(
        found.judged["found nodes"].auroc - found.judged["all nodes"].auroc
    )
    assert abs(found.judged["shuffled labels"].auroc - 0.5) < 0.25


def test_shuffled_labels_are_chance():
    options = dataclasses.replace(OPTIONS, shuffles=200, random_sets=1, bootstrap=1)
    found = judged(place(0.3), planted(), options).judged["shuffled labels"]
    assert abs(found.auroc - 0.5) < 4 * found.auroc_deviation / np.sqrt(200) + 0.01


def test_unrelated_nodes_are_worse_than_all():
    columns = np.zeros(NODES, bool)
    columns[20:26] = True
    found = judged(place(1.5), columns)
    assert found.claim.high < 0
    assert found.claim.below == 1.0
    assert not found.claim.holds(0.1)
    assert found.p_random > 0.05
    assert np.isnan(found.judged["signed sum"].auroc)


def test_either_half_is_its_node():
    rows, whole = place(1.0), np.arange(NODES) < 6
    nodes, halves = judged(rows, whole), judged(rows, planted())
    both = judged(rows, np.tile(whole, 2))
    for name in ("found nodes", "random nodes", "top mean difference"):
        assert nodes.judged[name] == halves.judged[name] == both.judged[name]
    assert nodes.claim == halves.claim
    assert both.judged["signed sum"].auroc == 0.5  # a node that is high and low cancels


def test_judging_labels_teach_nothing():
    """Turned labels of the judging rows turn every AUROC: no score has seen them."""
    rows, length = place(0.5), np.arange(ROWS) % 7
    turned = np.where(np.arange(ROWS) < 60, POSITIVE, ~POSITIVE)
    straight = judged(rows, planted(), length_N=length).judged
    for name, one in judged(rows, planted(), positive=turned, length_N=length).judged.items():
        if one.auroc is not None:
            assert one.auroc == pytest.approx(1 - straight[name].auroc, abs=1e-12)


def test_rows_are_those_of_the_columns_and_of_the_place():
    found = judged(place(1.0), planted())
    rows = list(found.rows())
    assert len({row[:2] for row in rows}) == len(rows)
    values = {row[:2]: row[2] for row in rows}
    assert values["found nodes", "auroc"] == found.judged["found nodes"].auroc
    assert values["random nodes", "p"] == found.p_random
    assert values["found nodes - all nodes", "low"] == found.claim.low
    assert ("k-means", "auroc") not in values
    assert list(found.judged) == list(UNKNOWN)


def test_no_nodes_are_judged_as_missing():
    found = judged(place(1.0), np.zeros(2 * NODES, bool))
    for name in ("found nodes", "random nodes", "top mean difference", "signed sum"):
        assert np.isnan(found.judged[name].auroc)
    assert np.isnan([found.p_random, found.beaten, found.claim.low, *found.random_K]).all()
    full = judged(place(1.0), planted())
    assert found.judged["all nodes"] == full.judged["all nodes"]
    assert [row[:2] for row in found.rows()] == [row[:2] for row in full.rows()]


@pytest.mark.parametrize("flat", [slice(None), FIND, JUDGE])
def test_a_constant_half_is_said_to_be_constant(flat):
    rows = place(1.0)
    rows[flat] = 0.1
    found = judged(rows, planted(), length_N=np.arange(ROWS))
    assert found.constant
    assert found.judged["length"].auroc >= 0
    values = [v for m, name, v in found.rows() if m != "length" and name != "nodes"]
    assert np.isnan(values).all()


def test_nodes_that_are_constant_are_never_most_apart():
    rows = place(0.0)
    rows[:, 0] = 0.1  # no float: its mean is rounded
    rows[:, 1] = POSITIVE  # apart without spread
    halves = halve(rows, POSITIVE, FIND, JUDGE, 0.01)
    assert halves.most_different(1).tolist() == [1]
    assert halves.most_different(NODES)[-1] == 0
    h1, h0 = (halves.find_ND[side] for side in (halves.find_N, ~halves.find_N))
    expected = ttest_ind(h1[:, 2:], h0[:, 2:]).statistic * np.sqrt(1 / len(h1) + 1 / len(h0))
    np.testing.assert_allclose(effects(h1, h0)[2:], expected)


def test_results_are_those_of_the_seed_whatever_the_threads():
    rows = place(0.7)
    with threadpool_limits(1):
        one = judged(rows, planted(), seed=8)
    with threadpool_limits(2):
        same = judged(rows, planted(), seed=8)
    np.testing.assert_array_equal(list(one.rows()), list(same.rows()))
    other = judged(rows, planted(), seed=9)
    np.testing.assert_array_equal(one.judged["all nodes"].auroc, other.judged["all nodes"].auroc)
    assert (one.random_K != other.random_K).any()


@pytest.mark.parametrize("found_on", ["labels", pytest.param("nothing", marks=pytest.mark.slow)])
@threadpool_limits.wrap(limits=1)
def test_the_rank_among_random_sets_is_uniform_without_signal(found_on):
    """Of independent nodes; those found are the furthest apart on the finding rows, or any."""
    problems, p = 100, []
    for seed in range(problems):
        halves = halve(place(0.0, seed), POSITIVE, FIND, JUDGE, 0.01)
        nodes = halves.most_different(6) if found_on == "labels" else np.arange(6)
        observed = roc_auc_score(halves.judge_N, halves.probe(nodes))
        aurocs = np.array([judge(halves, s).auroc for s in random_scores(halves, 6, 9, seed)])
        p.append(((aurocs >= observed).sum() + 1) / 10)
    for level in (0.1, 0.2, 0.5):
        low, high = binom.ppf([0.0005, 0.9995], problems, level)
        assert low <= (np.array(p) <= level).sum() <= high


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"judge_rows": np.arange(59, 120)}, "share 1 rows"),
        ({"judge_rows": np.arange(60, 121)}, "judge_rows holds a row outside 0..119"),
        ({"find_rows": np.array([0, 0, 1, 2, 3])}, "find_rows names a row twice"),
        ({"find_rows": POSITIVE}, "find_rows must be row numbers, got bool"),
        ({"find_rows": np.array([0, 2, 3, 4])}, "find_rows has 1 H1 and 3 H0 rows; each label"),
        ({"columns_C": np.zeros(3, bool)}, r"bool \[40\] or, for half-nodes, \[80\]"),
        ({"columns_C": np.arange(NODES)}, "columns_C must be bool"),
        ({"positive_N": POSITIVE[1:]}, "119 labels for 120 rows"),
        ({"length_N": np.ones(3)}, "one finite number for each of the 120 rows"),
        ({"length_N": np.full(ROWS, np.nan)}, "one finite number"),
        ({"options": ValidationOptions(bootstrap=0)}, "bootstrap = 0"),
        ({"options": ValidationOptions(probe_c=0.0)}, "probe_c = 0.0"),
        ({"options": ValidationOptions(level=95)}, "level = 95"),
        ({"seed": 2**32}, "seed = 4294967296"),
    ],
)
def test_what_cannot_be_judged_is_refused(change, message):
    asked = {
        "place_ND": place(0),
        "positive_N": POSITIVE,
        "find_rows": FIND,
        "judge_rows": JUDGE,
        "columns_C": planted(),
        "options": OPTIONS,
        "seed": 0,
    }
    with pytest.raises(personascan.InputError, match=message):
        validate(**asked | change)

"""Two networks on the same rows: chosen on one half, judged on the other."""

from types import SimpleNamespace

import numpy as np
import pytest

from personascan.analysis.claims import compare_aurocs
from personascan.analysis.detection import Labels
from personascan.analysis.differences import compare_networks
from personascan.study.results import differences_of

ROWS = 240
POSITIVE = np.arange(ROWS) % 3 == 0
HALF = np.arange(ROWS) // 3 % 2


def scores(strength, seed, places=6):
    """Noise at every place; one of them tells the sides apart."""
    rng = np.random.default_rng(seed)
    found = {f"layer {i}": rng.normal(size=ROWS) for i in range(places)}
    found["layer 3"] = found["layer 3"] + strength * POSITIVE
    return found


def test_the_place_is_chosen_where_it_is_not_judged():
    """Places tuned to one half do not look better than they are."""
    one, other = scores(2.0, 0), scores(0.0, 1)
    one["tuned"] = np.where(HALF == 0, 9.0 * POSITIVE, -9.0 * POSITIVE)
    first, second = compare_networks(one, other, Labels(POSITIVE), HALF, 0)
    assert (first.half, first.places[0], first.aurocs[0]) == (0, "tuned", 0.0)
    assert (second.half, second.places[0]) == (1, "layer 3")
    assert second.aurocs[0] > 0.85
    assert second.claim.low > 0


def test_networks_that_tell_nothing_do_not_differ():
    outside = 0
    for seed in range(60):
        found = compare_networks(scores(0, seed), scores(0, seed + 999), Labels(POSITIVE), HALF, 1)
        outside += sum(not d.claim.low <= 0 <= d.claim.high for d in found)
    assert outside <= 120 * 0.05 + 3 * np.sqrt(120 * 0.05 * 0.95)


def test_rows_that_were_never_scanned_are_left_out():
    one, other = scores(2.0, 3), scores(1.0, 4)
    unseen = np.arange(ROWS) % 7 == 0
    for found in (one, other):
        for score in found.values():
            score[unseen] = np.nan
    (d, _) = compare_networks(one, other, Labels(POSITIVE), HALF, 0)
    assert not np.isnan([*d.aurocs, d.claim.low, d.claim.high]).any()


@pytest.mark.parametrize("size", [1, 4])
def test_rows_that_repeat_are_one_row(size):
    """Every row copied: the interval over clusters is that of the rows themselves."""
    rng = np.random.default_rng(5)
    positive = np.arange(90) < 40
    pair = rng.normal(size=(2, 90)) + np.array([[1.2], [0.4]]) * positive
    bootstrap = dict(resamples=400, confidence=0.95)
    alone = compare_aurocs(*pair, positive, **bootstrap, rng=np.random.default_rng(0))
    copied = compare_aurocs(
        *np.repeat(pair, size, axis=1), np.repeat(positive, size), **bootstrap,
        rng=np.random.default_rng(0), clusters_N=np.repeat(np.arange(90), size),
    )  # fmt: skip
    assert copied.difference == pytest.approx(alone.difference)
    assert (copied.low, copied.high) == pytest.approx((alone.low, alone.high))
    if size > 1:
        ignored = compare_aurocs(
            *np.repeat(pair, size, axis=1), np.repeat(positive, size), **bootstrap,
            rng=np.random.default_rng(0),
        )  # fmt: skip
        assert ignored.high - ignored.low < 0.7 * (alone.high - alone.low)


def test_every_interval_counts_a_cluster_as_one_row():
    """Rows copied four times, as clusters: what the rows themselves give."""
    from personascan.analysis.profiles import last_third
    from personascan.analysis.transfer import judge_transfer

    rng = np.random.default_rng(2)
    positive = np.arange(60) < 30
    rows = rng.normal(size=(60, 5)) + 0.6 * positive[:, None]
    labels = np.arange(80) < 40
    train = rng.normal(size=(80, 5)) + 0.6 * labels[:, None]
    four, clusters = np.repeat(np.arange(60), 4), np.repeat(np.arange(60), 4)
    alone = judge_transfer(train, labels, rows, positive, 0.1)
    copied = judge_transfer(train, labels, rows[four], positive[four], 0.1, clusters)
    assert (copied.auroc, copied.low, copied.high) == pytest.approx(
        (alone.auroc, alone.low, alone.high)
    )
    scores = rows.T
    profiles = [
        last_third(s, p, np.linspace(0, 1, 5), resamples=200, seed=0, clusters_N=c)
        for s, p, c in ((scores, positive, None), (scores[:, four], positive[four], clusters))
    ]
    assert profiles[0].low == pytest.approx(profiles[1].low)
    assert profiles[0].high == pytest.approx(profiles[1].high)


def part_of(labels, seed):
    """A network whose only comparison has been scanned in one way."""
    found = {place: SimpleNamespace(score_N=own) for place, own in scores(2.0, seed).items()}
    return SimpleNamespace(
        all_detections={"p": {"signed": found}},
        detection_rows={"p": (labels, HALF)},
        pool_ids={"p": tuple("ab")},
        config=SimpleNamespace(seed=0),
    )


@pytest.mark.parametrize(
    ("other", "compared"),
    [
        (Labels(POSITIVE.copy(), np.arange(ROWS) // 2), 2),
        (Labels(np.roll(POSITIVE, 1), np.arange(ROWS) // 2), 0),  # e.g. what fools each network
        (Labels(POSITIVE, np.arange(ROWS) // 4), 0),
        (Labels(POSITIVE), 0),
    ],
)
def test_rows_are_the_same_only_with_the_same_labels(other, compared):
    first, second = part_of(other, 0), part_of(Labels(POSITIVE, np.arange(ROWS) // 2), 1)
    found = list(differences_of(first, second, "p", "signed", second.all_detections["p"]["signed"]))
    assert len(found) == compared

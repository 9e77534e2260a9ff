"""Where labelled sides differ: against plain NumPy in float64, and on problems of known truth."""

import numpy as np
import pytest
from scipy import stats

import personascan
from personascan.calibration.family import conservative_family_p
from personascan.calibration.statistics import standardise

ROWS = 40
POSITIVE = np.arange(ROWS) % 2 == 0
PERMUTATIONS = 199


def normal(seed, nodes, rows=ROWS):
    return np.random.default_rng(seed).normal(size=(rows, nodes))


def places(seed=0):
    """Nodes beyond rows and rows beyond nodes; scales far apart; a constant node."""
    wide, narrow = normal([seed, 1], 60), normal([seed, 2], 6)
    wide *= np.exp(np.random.default_rng(seed).normal(size=60))
    wide[:, 7] = 3.5
    return {"wide": wide, "narrow": narrow + 100}


def hotelling(rows_ND, labels_TN, c=0.01):
    """N (|w|^2 - c N w' (K + c N I)^-1 w) m n / N^2, as it is written in method and paper."""
    deviation_D = rows_ND.std(0)
    kept = deviation_D > 1e-9
    z_ND = (rows_ND - rows_ND.mean(0))[:, kept] / deviation_D[kept]
    n = len(z_ND)
    kernel = z_ND @ z_ND.T / z_ND.shape[1]
    found = []
    for labels_N in labels_TN:
        m = labels_N.sum()
        w = np.where(labels_N, 1 / m, -1 / (n - m))
        quadratic = w @ np.linalg.solve(kernel + c * n * np.eye(n), w)
        found.append(n * (w @ w - c * n * quadratic) * m * (n - m) / n**2)
    return np.array(found)


def energy_distance(rows_ND, labels_N):
    z_ND = (rows_ND - rows_ND.mean(0)) / np.where(rows_ND.std(0) > 1e-9, rows_ND.std(0), np.inf)
    apart = np.linalg.norm(z_ND[:, None] - z_ND[None], axis=-1)
    one, other = np.flatnonzero(labels_N), np.flatnonzero(~labels_N)
    return (
        2 * apart[np.ix_(one, other)].mean()
        - apart[np.ix_(one, one)].mean() - apart[np.ix_(other, other)].mean()
    )  # fmt: skip


@pytest.fixture(scope="module")
def found():
    return personascan.locate(
        places(), POSITIVE, statistic="distribution", permutations=PERMUTATIONS
    )


def test_the_direction_statistic_is_the_shrunken_hotelling(found):
    for at, rows_ND in enumerate(places().values()):
        expected_T = hotelling(rows_ND, found.labels.labels_TN)
        np.testing.assert_allclose(found.values["direction"][at], expected_T, rtol=1e-5)


def test_the_node_statistic_orders_as_the_largest_t(found):
    labels_TN = found.labels.labels_TN[:50]
    for at, rows_ND in enumerate(places().values()):
        kept = rows_ND[:, rows_ND.std(0) > 0]
        t_T = [np.abs(stats.ttest_ind(kept[one], kept[~one]).statistic).max() for one in labels_TN]
        r_T = found.values["nodes"][at, :50]
        freedom = ROWS - 2
        np.testing.assert_allclose(r_T * np.sqrt(freedom / (1 - r_T**2)), t_T, rtol=1e-5)


def test_the_distribution_statistic_is_the_energy_distance(found):
    for at, rows_ND in enumerate(places().values()):
        expected_T = [energy_distance(rows_ND, one) for one in found.labels.labels_TN[:50]]
        ratio_T = found.values["distribution"][at, :50] / expected_T
        np.testing.assert_allclose(ratio_T, ratio_T[0], rtol=1e-3)


def test_p_values_are_counts_with_ties_beaten(found):
    values_PT = found.values["distribution"]
    np.testing.assert_allclose(found.p, (values_PT >= values_PT[:, :1]).mean(1))
    z_PT = (values_PT - values_PT.mean(1, keepdims=True)) / values_PT.std(1, keepdims=True)
    np.testing.assert_allclose(found.p_family, (z_PT.max(0) >= z_PT[:, :1]).mean(1))
    null_PT = values_PT[:, 1:]
    np.testing.assert_allclose(found.z, (values_PT[:, 0] - null_PT.mean(1)) / null_PT.std(1))
    ranks_PT = np.array([stats.rankdata(-row, "max") for row in values_PT])
    expected = (ranks_PT.min(0) <= ranks_PT[:, :1]).mean(1)
    np.testing.assert_allclose(conservative_family_p(values_PT, "min_p"), expected)


def test_equal_values_are_beaten_though_rounded_apart():
    values_PT = np.array([[2.0, 2.0 - 1e-6, 1.0, 0.5]])
    np.testing.assert_allclose(conservative_family_p(values_PT, "studentised"), 0.5)
    np.testing.assert_allclose(conservative_family_p(values_PT, "min_p"), 0.5)
    assert personascan.locate(
        normal(3, 5, 6), np.arange(6) < 3, permutations=99
    ).p_family >= 2 / 20  # a labelling and its mirror image  # fmt: skip


def test_places_of_any_scale_and_type_give_the_same(found):
    import jax.numpy as jnp

    wide, narrow = places().values()
    pool = {"wide": wide * 1e30, "narrow": jnp.asarray(narrow - 100, jnp.float32)}
    other = personascan.locate(pool, POSITIVE, permutations=PERMUTATIONS)
    np.testing.assert_allclose(other.values["direction"], found.values["direction"], rtol=1e-4)
    np.testing.assert_array_equal(other.p, found.by("direction").p)


def test_a_constant_place_is_found_nowhere():
    pool = {"still": np.full((ROWS, 3), 7.0), "other": normal(1, 4)}
    found = personascan.locate(pool, POSITIVE, permutations=19)
    assert found.p[0] == found.p_family[0] == 1
    assert found.z[0] == 0
    assert found.nodes("still").at_least() == 0


# What is planted in 40 rows at one of six places, and which statistics are to find it.
PLANTED = {
    "few strong nodes": (("nodes",), ()),
    "a direction that no node shows": (("direction",), ("nodes", "distribution")),
    "many weak nodes": (("direction", "distribution"), ("nodes",)),
    "spread alone": (("distribution",), ("direction", "nodes")),
}


def plant(kind, rows_ND, positive_N):
    rows_ND = rows_ND.copy()
    if kind == "few strong nodes":
        rows_ND[positive_N, :2] += 1.6
    elif kind == "a direction that no node shows":
        # Two nodes that nearly move together differ a little, in opposite ways.
        rows_ND[:, 1] = rows_ND[:, 0] + 0.3 * rows_ND[:, 1]
        rows_ND[positive_N, 1] += 0.3
        rows_ND[positive_N, 0] -= 0.3
    elif kind == "many weak nodes":
        rows_ND[positive_N] += 0.45
    else:
        rows_ND[positive_N] *= 2
    return rows_ND


@pytest.mark.parametrize("kind", PLANTED)
def test_what_is_planted_is_found_by_the_statistic_that_is_said_to(kind):
    finders, blind = PLANTED[kind]
    nodes = 6 if kind == "a direction that no node shows" else 30
    problems, hits = 12, dict.fromkeys(("direction", "nodes", "distribution"), 0)
    for problem in range(problems):
        pool = np.stack([normal([9, problem, place], nodes) for place in range(4)])
        pool[2] = plant(kind, pool[2], POSITIVE)
        found = personascan.locate(pool, POSITIVE, statistic="distribution", permutations=99)
        for statistic in hits:
            hits[statistic] += found.by(statistic).p_family[2] <= 0.05
    assert all(hits[one] >= 8 for one in finders), hits
    assert all(hits[one] <= 4 for one in blind), hits


def test_nothing_is_found_where_nothing_is():
    smallest = []
    for problem in range(120):
        pool = [normal([4, problem, place], 12) for place in range(3)]
        smallest.append(personascan.locate(pool, POSITIVE, permutations=39).p_family.min())
    # 120 problems at 5%: 0 to 13 in all but one of a thousand.
    assert sum(p <= 0.05 for p in smallest) <= 13
    assert stats.kstest(np.array(smallest) - np.random.default_rng(0).random(120) / 40,
                        "uniform").pvalue > 0.001  # fmt: skip


def test_rows_of_an_entity_are_no_rows():
    """Entities differ and labels mean nothing: exchanged freely, rows find much all the same."""
    freely, together = 0, 0
    for problem in range(40):
        rng = np.random.default_rng([8, problem])
        entity = np.repeat(np.arange(10), 4)
        positive_N = (rng.permutation(10) < 5)[entity]
        pool = rng.normal(size=(40, 8)) + 2 * rng.normal(size=(10, 8))[entity]
        freely += personascan.locate(pool, positive_N, permutations=99).p_family[0] <= 0.05
        found = personascan.locate(pool, positive_N, entities=entity, permutations=99)
        together += found.p_family[0] <= 0.05
    assert freely >= 20
    assert together <= 7


def test_pairs_find_what_free_rows_cannot():
    rng = np.random.default_rng(5)
    pair = np.arange(ROWS) // 2
    pool = 0.3 * rng.normal(size=(ROWS, 8)) + 5 * rng.normal(size=(ROWS // 2, 8))[pair]
    pool[POSITIVE, :3] += 0.45
    assert personascan.locate(pool, POSITIVE, permutations=199).p_family[0] > 0.2
    found = personascan.locate(pool, POSITIVE, pairs=pair, permutations=199)
    assert found.p_family[0] == 1 / 200
    t = stats.ttest_rel(pool[POSITIVE], pool[~POSITIVE])
    np.testing.assert_allclose(found.nodes().p, t.pvalue, rtol=1e-4)
    expected = (pool[POSITIVE] - pool[~POSITIVE]).mean(0)
    np.testing.assert_allclose(found.nodes().mean_difference, expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("pool", "changes", "said"),
    [
        (normal(0, 4, 39), {}, "place 0 of the pool has 39 rows and there are 40 labels"),
        (np.full((2, ROWS, 3), 1.0), {}, "every node of every place is constant"),
        ({"a": normal(0, 3), "b": np.full((ROWS, 2), np.nan)}, {}, "place b of the pool holds nan"),
        (normal(0, 3), dict(statistic="mean"), "statistic 'mean' is unknown; use one of"),
        (normal(0, 3), dict(family="bonferroni"), "family 'bonferroni' is unknown"),
        (normal(0, 3), dict(permutations=9), "use 19"),
        ({}, {}, "no places"),
    ],
)
def test_bad_input_is_one_line(pool, changes, said):
    with pytest.raises(personascan.InputError, match=said):
        personascan.locate(pool, POSITIVE, **{"permutations": 19} | changes)


def test_products_beyond_memory_are_refused_with_their_sizes(monkeypatch):
    from personascan import memory

    monkeypatch.setattr(memory, "free_bytes", lambda: 1000)
    with pytest.raises(
        personascan.InputError, match="the 30 x 30 products of 40 rows and 30 nodes"
    ):
        personascan.locate(normal(0, 30), POSITIVE, permutations=19)


def test_a_result_shows_itself(found):
    assert len(repr(found)) < 400
    assert "2 places" in repr(found)
    frame = found.to_frame()
    assert list(frame["place"]) == ["wide", "narrow"]
    with pytest.raises(personascan.InputError, match="no place of the pool: wide; narrow"):
        found.nodes("nowhere")
    with pytest.raises(personascan.InputError, match="was not computed"):
        found.by("mean")


def test_a_result_without_a_finding_says_what_does_not_count_as_one(found):
    assert "nothing is found: a p of one place, or of nodes within one" in repr(found)
    assert repr(found.nodes()).startswith("Nodes(6")
    assert "nodes of one place: " in " ".join(repr(found.nodes()).split())
    planted = places()
    planted["narrow"][POSITIVE] += 3
    assert "nothing" not in repr(personascan.locate(planted, POSITIVE, permutations=19))


def test_single_precision_scales_nodes_as_double_does():
    """Within groups too, with a constant node, a large offset, and subnormal values."""
    group = np.arange(ROWS) // 8
    shift_D, scale_D = np.array([[0, 1e3, -50, 0, 0], [1, 1, 1e-3, 1e6, 0]])
    rows_ND = (normal(2, 5) + shift_D) * scale_D
    for values_ND in (rows_ND, rows_ND * 1e-42):
        single_ND = values_ND.astype(np.float32)
        one, exact = (
            standardise("rows", x, group) for x in (single_ND, single_ND.astype(np.float64))
        )
        np.testing.assert_allclose(one.z_ND, exact.z_ND, atol=2e-5)
        np.testing.assert_allclose(one.length_D, exact.length_D, rtol=1e-4)
        assert one.varying == exact.varying == 4


def test_tensors_and_lists_are_places_whose_nodes_are_tested():
    import torch

    rows_ND = normal(6, 4)
    asked = [
        personascan.locate({"a": one}, POSITIVE, permutations=39).nodes().mean_difference
        for one in (rows_ND, torch.tensor(rows_ND, requires_grad=True), rows_ND.tolist())
    ]
    np.testing.assert_allclose(asked[1], asked[0], rtol=1e-4)
    np.testing.assert_allclose(asked[2], asked[0], rtol=1e-4)
    with pytest.raises(personascan.InputError, match="place a of the pool has no rows"):
        personascan.locate({"a": 3.0}, POSITIVE, permutations=39)

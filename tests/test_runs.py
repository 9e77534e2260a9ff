import numpy as np
import pytest

import personascan


def pool(seed=0, layers=2, rows=40, nodes=16):
    pool_LND = np.random.default_rng(seed).normal(size=(layers, rows, nodes)).astype(np.float32)
    pool_LND[:, 30:, :5] += 2.0
    return pool_LND


def masks(seed, sizes, rows=40):
    """Disjoint background and evaluation masks, one run for each (background, evaluation) size."""
    rng = np.random.default_rng(seed)
    background, evaluation = np.zeros((2, len(sizes), rows), bool)
    for run, (b, e) in enumerate(sizes):
        order = rng.permutation(rows)
        background[run, order[:b]] = True
        evaluation[run, order[b : b + e]] = True
    return background, evaluation


SIZES = [(15, 10)] * 2, [(15, 10), (8, 20)]  # alike, and so that tables and rows are padded


@pytest.fixture(scope="module")
def scans():
    return [personascan.scan_runs(pool(), *masks(1, sizes), starts=2) for sizes in SIZES]


@pytest.mark.parametrize("sizes", [0, 1])
def test_every_run_is_its_own_group_scan(scans, sizes):
    """Also where runs differ in size."""
    pool_LND, found = pool(), scans[sizes]
    background, evaluation = masks(1, SIZES[sizes])
    for layer in range(2):
        for run in range(2):
            b, e = np.flatnonzero(background[run]), np.flatnonzero(evaluation[run])
            alone = personascan.group_scan(pool_LND[layer, b], pool_LND[layer, e], starts=2)
            assert found.score[layer, run] == pytest.approx(alone.score, rel=1e-12)
            assert found.alpha[layer, run] == pytest.approx(alone.alpha)
            np.testing.assert_array_equal(np.flatnonzero(found.rows[layer, run]), e[alone.rows])
            np.testing.assert_array_equal(np.flatnonzero(found.nodes[layer, run]), alone.nodes)


def test_a_layer_needs_not_be_in_memory_with_the_others(scans):
    class Lazy:
        def __init__(self, arrays):
            self.arrays, self.read = arrays, []

        def __len__(self):
            return len(self.arrays)

        def __getitem__(self, layer):
            self.read.append(layer)
            return self.arrays[layer]

    pool_LND, both = pool(), masks(1, SIZES[0])
    lazy = Lazy(pool_LND)
    found = personascan.scan_runs(lazy, *both, starts=2)
    np.testing.assert_array_equal(found.score, scans[0].score)
    assert lazy.read[:2] == [0, 1]
    one = personascan.scan_runs(pool_LND[1], *both, starts=2)
    np.testing.assert_array_equal(one.score[0], scans[0].score[1])


def test_a_stream_of_layers_is_read_once_and_widths_must_agree(scans):
    pool_LND, both = pool(), masks(1, SIZES[0])
    stream = personascan.scan_runs((layer for layer in pool_LND), *both, starts=2)
    np.testing.assert_array_equal(stream.score, scans[0].score)
    with pytest.raises(personascan.InputError, match="layer 1 has 9 nodes"):
        personascan.scan_runs([pool_LND[0], pool_LND[1, :, :9]], *both, starts=2)


def test_returned_rows_are_evaluation_rows(scans):
    for found, sizes in zip(scans, SIZES, strict=True):
        assert found.rows.any(-1).all()
        assert not (found.rows & ~masks(1, sizes)[1]).any()


def test_bad_masks_are_refused():
    pool_LND = pool()
    background, evaluation = masks(1, SIZES[0])
    cases = [
        (background, evaluation[:, :39], "differ in shape"),
        (background, evaluation | background, "its own background"),
        (background * 0 > 0, evaluation, "run 0 has no background"),
        (background.astype(int), evaluation, "must be bool"),
        (background[:, :39], evaluation[:, :39] & ~background[:, :39], "masks cover 39 rows"),
    ]
    for b, e, message in cases:
        with pytest.raises(personascan.InputError, match=message):
            personascan.scan_runs(pool_LND, b, e)
    pool_LND[1, 7, 3] = np.nan
    with pytest.raises(personascan.InputError, match=r"layer 1 of the pool .* row 7, node 3"):
        personascan.scan_runs(pool_LND, background, evaluation, starts=2)


def test_splits_are_disjoint_and_redrawn():
    positive = np.arange(200) < 100
    samples = personascan.SampleOptions(background=60, clean=20, positive=20, runs=30)
    background, evaluation = personascan.draw_samples(positive, samples, seed=5)
    assert background.shape == evaluation.shape == (30, 200)
    assert not (background & evaluation).any()
    assert not background[:, positive].any()
    np.testing.assert_array_equal(background.sum(1), 60)
    np.testing.assert_array_equal((evaluation & positive).sum(1), 20)
    np.testing.assert_array_equal((evaluation & ~positive).sum(1), 20)
    assert len(np.unique(background, axis=0)) == 30
    again = personascan.draw_samples(positive, samples, seed=5)
    np.testing.assert_array_equal(background, again[0])
    kept = personascan.draw_samples(
        positive, personascan.SampleOptions(60, 20, 20, runs=30, redraw=False), seed=5
    )
    assert len(np.unique(kept[0], axis=0)) == 1
    assert len(np.unique(kept[1], axis=0)) == 30
    # Every H0 statement is drawn about equally often: 30 runs x 60 of 100.
    assert abs(background[:, ~positive].mean() - 0.6) < 1e-9


def test_samples_that_do_not_fit_are_refused():
    positive = np.arange(50) < 20
    with pytest.raises(personascan.InputError, match=r"30 H0 rows .* 25 background"):
        personascan.draw_samples(positive, personascan.SampleOptions(25, 10, 5), seed=0)
    with pytest.raises(personascan.InputError, match="20 of 20 H1"):
        personascan.draw_samples(positive, personascan.SampleOptions(10, 5, 20), seed=0)
    with pytest.raises(personascan.InputError, match="runs must be a whole number"):
        personascan.draw_samples(positive, personascan.SampleOptions(10, 5, 5, runs=2.5), seed=0)
    with pytest.raises(personascan.InputError, match="at least 1"):
        personascan.draw_samples(positive, personascan.SampleOptions(10, 0, 5), seed=0)

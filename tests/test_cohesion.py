"""How closely the rows of an entity stand together."""

import numpy as np
import pytest
from sklearn.metrics import silhouette_samples
from tiny_studies import run_study

import personascan
from personascan.study.stages.cohesion import silhouette


def test_rows_of_an_entity_stand_together_or_not():
    rng = np.random.default_rng(0)
    entity_N = np.arange(40) // 4
    rows_ND = rng.normal(size=(40, 8))
    assert abs(silhouette(rows_ND, entity_N)) < 0.2
    apart_ND = rows_ND + 20 * rng.normal(size=(10, 8))[entity_N]
    assert silhouette(apart_ND, entity_N) > 0.8
    lone_N = np.where(np.arange(40) < 4, 100 + np.arange(40), entity_N)
    assert silhouette(apart_ND, lone_N) == pytest.approx(
        silhouette_samples(apart_ND[4:], entity_N[4:]).mean()
    )
    assert np.isnan(silhouette(rows_ND, np.arange(40)))


@pytest.mark.slow
def test_the_table_of_places_has_a_column_of_it(tmp_path):
    rng = np.random.default_rng(0)
    positive, entities = np.arange(80) < 40, [f"e{i // 4}" for i in range(80)]
    layer = rng.normal(size=(80, 6)) + 9 * rng.normal(size=(20, 6))[np.arange(80) // 4]
    config = {
        "rows": (personascan.write_rows(tmp_path / "rows", {"a": layer}, positive,
                                        entities=entities),),
        "separation": {"seeds": 1, "folds": 3},
        "runs": {"background": 10, "clean": 4, "positive": 4, "runs": 2},
        "scan": {"places": ("a",), "starts": "1"},
        "where": {"permutations": 19, "fold_permutations": 19, "folds": 3},
        "out": str(tmp_path / "out"),
    }  # fmt: skip
    found = run_study(config).frame("places")
    assert found.entity_silhouette.tolist() == pytest.approx(
        [silhouette(layer.astype(np.float32), np.arange(80) // 4)]
    )

"""What can be known to fail fails when a study is opened: before any activation is read."""

import importlib.util

import numpy as np
import pytest

import personascan
from personascan.analysis.detection import DetectionOptions, Labels, check_splits, detect
from personascan.analysis.separation import SeparationOptions, hull_distance, place_separation
from personascan.scan.options import ScanOptions
from personascan.study.config import StudyConfig
from personascan.study.opening import open_study
from personascan.study.run import Workers

ROWS = 80
POSITIVE = np.arange(ROWS) < 40
CLASSES = np.where(np.arange(ROWS) % 2, "even", "odd")


def opened(place, rows, **changes):
    values = np.random.default_rng(0).normal(size=(ROWS, 3))
    folder = personascan.write_rows(place / "rows", {"a": values, "b": values}, POSITIVE, **rows)
    plain = {
        "runs": {"background": 10, "clean": 6, "positive": 6, "runs": 4},
        "scan": {"places": ("a",)},
        "separation": {"components": 2, "hull_components": 2, "folds": 2},
        "detection": {"splits": 2},
    }
    for name, value in changes.items():
        plain[name] = plain.get(name, {}) | value if isinstance(value, dict) else value
    config = {"rows": (folder,), "out": str(place / "out"), **plain}
    return open_study(StudyConfig.from_dict(config))


CHOSEN = {"places": ("chosen",)}


@pytest.mark.parametrize(
    ("rows", "changes", "message"),
    [
        (  # entities of 14 rows: a half of H0 has 12 or 28
            {"entities": [f"{'a' if p else 'b'}{i // 14}" for i, p in enumerate(POSITIVE)]},
            {
                "scan": CHOSEN,
                "runs": {"background": 6, "clean": 3, "positive": 3},
            },
            "positive: of half [AB] of the rows, which chooses a place, the .* H0 rows",
        ),
        (
            {},
            {
                "runs": {"background": 6, "clean": 25, "positive": 25},
                "scan": {"mixtures": ({"share": 0.9},)},
            },
            "positive: a sample of 45 of 40 H1 rows",
        ),
        ({}, {"scan": {"mixtures": ({"share": 0.5, "alpha_max": 2.0},)}}, "alpha_max"),
        (
            {"conditions": ["a"] * 35 + ["rare"] * 5 + ["a"] * 40},
            {"detection": {"conditional": True}},
            "positive: of rows that are scanned alone, condition 'rare' has 0 background rows",
        ),
        ({}, {"detection": {"conditional": True}}, "positive: .*but the rows have none"),
        ({}, {"detection": {"splits": 0}}, "splits = 0; use a whole number from 1"),
        ({}, {"detection": {"background": 1.0}}, "background = 1.0; use a share of H0"),
        ({}, {"detection": {"draw": False}}, "the first H0 rows are one background; use 1"),
        ({}, {"detection": {"limit": 1, "splits": 1}}, "of 1 H0 rows leaves none"),
        (
            {"entities": ["one"] * 35 + [f"h1 {i}" for i in range(5)] + ["two"] * 40},
            {},
            "the 40 H0 rows .up to 40 of them stay together. cannot give",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(tmp_path, rows, changes, message):
    with pytest.raises(personascan.InputError, match=message):
        opened(tmp_path, rows, **changes)


def test_what_can_be_done_is_opened(tmp_path):
    conditional = {"tails": ("right",), "conditional": True}
    found = opened(tmp_path, {"conditions": CLASSES}, scan=CHOSEN, detection=conditional)
    assert [place.name for place in found.sources[0].places] == ["a", "b"]


def test_parquet_without_its_packages_is_refused_at_once(tmp_path, monkeypatch):
    there = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "pyarrow" else there(name)
    )
    with pytest.raises(personascan.InputError, match="needs pyarrow"):
        opened(tmp_path, {}, tables="parquet")


def test_fewer_than_no_processes_are_refused_at_once():
    with pytest.raises(personascan.InputError, match="jobs = -1"):
        Workers(-1)


@pytest.mark.parametrize("conditions", [None, CLASSES, np.where(POSITIVE, "a", "b")])
@pytest.mark.parametrize("clusters", [None, np.arange(ROWS) // 2, np.arange(ROWS) // 40])
def test_labels_are_refused_as_their_scans_are(conditions, clusters):
    """Whatever is refused with the activations there is refused without, in the same words."""
    rows_ND = np.random.default_rng(0).normal(size=(ROWS, 2))
    labels, options = Labels(POSITIVE, clusters, conditions), DetectionOptions(splits=2)
    said = []
    for check in (check_splits, lambda *rest: detect(rows_ND, *rest)):
        try:
            check(labels, options, (ScanOptions(),), 0)
            said.append("")
        except personascan.InputError as error:
            said.append(str(error))
    assert said[0] == said[1]
    fails = clusters is not None and clusters.max() == 1
    assert bool(said[0]) == (fails or (conditions is not None and conditions[0] == "a"))


@pytest.mark.parametrize("nodes", [1, 2, 3])
def test_a_narrow_place_has_as_many_components_as_nodes(nodes):
    rng = np.random.default_rng(0)
    place_ND = rng.normal(size=(ROWS, nodes)) + 2.0 * POSITIVE[:, None]
    options = SeparationOptions(seeds=1)
    found = place_separation(place_ND, POSITIVE, options, 0)
    fewer = SeparationOptions(seeds=1, components=nodes, hull_components=nodes)
    assert found == place_separation(place_ND, POSITIVE, fewer, 0)
    assert found.mean["probe_auroc"] > 0.8
    assert found.mean["silhouette"] > 0.2


def test_the_hull_of_a_line_has_two_ends():
    points = np.array([[0.0], [1.0], [1.5], [4.0], [10.0], [11.0], [14.0]])
    assert hull_distance(points, np.arange(7) < 4) == pytest.approx(12 - 2)

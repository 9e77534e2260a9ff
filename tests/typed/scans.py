# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""What a user writes about scans and tests of arrays, for mypy and pyright: nothing is unknown."""

from collections.abc import Mapping
from typing import assert_type

import jax
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

import personascan
from personascan import Place

Floats = npt.NDArray[np.float32]


def scans(background: Floats, evaluation: jax.Array, masks: npt.NDArray[np.bool_]) -> None:
    found = personascan.group_scan(background, evaluation, starts=10, alphas=(0.05,))
    assert_type(found, personascan.ScanResult)
    print(found.score, found.alpha, found.rows.tolist(), found.high.tolist(), found.nodes.size)
    print(found.summary(), found.tails.tolist(), found.record())
    alone = personascan.individual_scan(background, evaluation, tail="two", alphas="grid")
    assert_type(alone, personascan.IndividualScan)
    assert_type(alone.row(0), personascan.NodeScan)
    print(alone.score.max(), alone.row(0).high.tolist(), alone.summary())
    nodes = personascan.node_scan(background, evaluation)
    print(nodes.score, nodes.low.tolist(), nodes.summary())
    p = personascan.empirical_pvalues(background.tolist(), evaluation, tail="signed")
    assert_type(p, personascan.PValueRange)
    print(p.p_min.shape, p.p_max.min())
    runs = personascan.scan_runs([background, -background], masks, ~masks, seed=1)
    assert_type(runs, personascan.RunScans)
    assert_type(runs.run(0, 3), personascan.ScanResult)
    print(runs.rows.shape, runs.high_LRD.shape, runs.summary())
    several = personascan.scan_runs({"a": background, "b": evaluation}, masks, ~masks)
    assert_type(several, dict[str, personascan.RunScans])
    published = personascan.read_deepscan_output("runs.txt")
    assert_type(published, personascan.PublishedRuns)
    print(published.score.mean(), published.rows_RN(50).shape, published.summary())


def permutations(places: Mapping[Place, Floats], positive: npt.NDArray[np.bool_]) -> None:
    samples = personascan.SampleOptions(background=60, clean=20, positive=20, runs=100)
    background, evaluation = personascan.draw_samples(positive, samples, seed=0)
    print(background.shape, evaluation.any(1).tolist())
    found = personascan.calibrate(places, positive, samples, permutations=200, nodes="resid_post 7")
    assert_type(found, personascan.Calibration)
    print(found.z.tolist(), found.p_family.min(), found.keys[found.best], found.summary())
    chosen = found.node_set(0.05)
    assert_type(chosen, personascan.SignedNodes)
    print(chosen.high.tolist(), chosen.low.tolist(), chosen.halves(576).sum(), found.q().min())
    print(personascan.sets_under_labels(found.frequency_TC, 0.1).any(1).mean())
    located = personascan.locate(places, positive, within=["a"] * 100, permutations=999)
    assert_type(located, personascan.Located)
    print(located.p_family.tolist(), located.z.max(), located.found, located.summary())
    nodes = located.nodes("resid_post 7 last")
    assert_type(nodes, personascan.Nodes)
    print(nodes.effect.max(), nodes.q.min(), nodes.at_least(chosen.nodes), nodes.direction)
    direction = located.direction("resid_post 7 last")
    assert_type(direction.in_unit("deviation"), personascan.Direction)
    print(direction.strength, direction.lengths["difference"], direction.norm)
    direction.save("direction.safetensors", overwrite=True)
    assert_type(personascan.read_direction("direction.safetensors"), personascan.Direction)


def plots(found: personascan.Calibration, located: personascan.Located, axes: Axes) -> None:
    for plot in (found.plot, located.plot, located.nodes().plot):
        plot().figure.savefig("plot.png", dpi=100)
        assert_type(plot(axes), Axes)
        assert_type(plot(axes=axes), Axes)


def analyses(rows: Floats, positive: npt.NDArray[np.bool_], texts: list[str]) -> None:
    detection = personascan.detect(rows, positive, seed=1)
    assert_type(detection, personascan.Detection)
    print(detection.auroc, detection.tpr, detection.score_N.tolist())
    labels = personascan.Labels(positive, conditions_N=np.zeros(len(rows), int))
    scans = (personascan.ScanOptions(tail="right"), personascan.ScanOptions(tail="left"))
    options = personascan.DetectionOptions(splits=2)
    print(personascan.detect(rows, labels, options, scans, seed=1).auroc_low)
    separation = personascan.place_separation(
        rows, positive, personascan.SeparationOptions(seeds=2)
    )
    assert_type(separation, personascan.Separation)
    print(separation.mean["probe_auroc"], separation.constant)
    half = personascan.in_half(positive, 0)
    find, judge = np.flatnonzero(half == 0), np.flatnonzero(half == 1)
    one, other = np.zeros((2, rows.shape[1]), bool)
    validation = personascan.validate(rows, positive, find, judge, one, seed=1)
    assert_type(validation, personascan.Validation)
    judging = personascan.ValidationOptions(random_sets=5)
    print(personascan.validate(rows, positive, find, judge, one, judging, seed=1).beaten)
    print(validation.judged["found nodes"].auroc, validation.p_random, validation.claim.low)
    chance = personascan.halving_sizes(rows, personascan.halving_labels(len(rows), 0), 99, 0)
    print(personascan.sets_of_size(chance, 5, 0).shape)
    for overlap in personascan.overlaps({"a": one, "b": other}, {"a": chance, "b": chance}):
        assert_type(overlap, personascan.Overlap)
        print(overlap.names, overlap.observed, overlap.p)
    assert_type(personascan.exclusive_counts({"a": one}), dict[tuple[str, ...], int])
    masks = np.ones((3, len(rows)), bool)
    precision, recall = personascan.precision_recall(masks, masks, positive)
    print(precision.mean(), recall.tolist())
    accuracy, deviation = personascan.bag_of_words_accuracy(texts, positive, seed=0)
    assert_type((accuracy, deviation), tuple[float, float])
    print(personascan.bag_of_words_scores(texts, positive, texts).tolist())

"""Scans of one place under every labelling: scores, frequencies of columns, the bytes they take.

Letters: T permutations (index 0 of T + 1 is observed), P places, R runs, A alphas, C columns
(nodes or, with signed tails, upper halves and then lower ones).
"""

from dataclasses import replace

import numpy as np

from personascan.bars import bar
from personascan.calibration.family import min_alpha_statistic
from personascan.calibration.pool import matrix_at
from personascan.calibration.scan_labellings import Labellings
from personascan.scan.options import ScanOptions
from personascan.scan.result import RunScans
from personascan.scan.runs import scan_pool
from personascan.scan.samples import SampleOptions
from personascan.scan.task import layout_of, make_task

ALPHAS_APART = 8  # alphas scanned one by one for the "min_alpha" statistic


def null_scores(place_ND, labellings: Labellings, runs: int, options: ScanOptions) -> np.ndarray:
    """Returns the score of every run of every labelling: [T + 1, R]."""
    scans = scan_pool(place_ND, *labellings.masks(runs), options, seed=labellings.seed)
    return scans.score[0].reshape(-1, runs)


def null_frequencies(place_ND, labellings: Labellings, options: ScanOptions) -> np.ndarray:
    """Returns the share of `samples.runs` runs that return each column: [T + 1, C].

    Each run has one start, and all belong to one scan, so that the place is sorted once.
    """
    runs = labellings.samples.runs
    one = replace(options, starts=1)
    scans = scan_pool(place_ND, *labellings.masks(runs), one, seed=labellings.seed)
    columns_XC = column_masks(scans, options)[0]
    return columns_XC.reshape(len(labellings.labels_TN), runs, -1).mean(1, dtype=np.float32)


def column_masks(scans: RunScans, options: ScanOptions) -> np.ndarray:
    """Returns the columns of scans: bool [L, R, C], halves with signed tails, else nodes."""
    if options.sides.halves == 2:
        return np.concatenate([scans.high_LRD, scans.low_LRD], axis=-1)
    return scans.nodes


def min_alpha(places, labellings: Labellings, runs: int, options: ScanOptions) -> np.ndarray:
    """Returns the "min_alpha" statistic of every place: [P, T + 1]."""
    statistics = []
    for key in bar(places, "places"):
        # Only breaks ties; seeded by the place's key, so that other places do not matter.
        rng = np.random.default_rng([labellings.seed, 1, *str(key).encode()])
        place_ND = matrix_at(places, key)
        scores_AT = [
            null_scores(place_ND, labellings, runs, one).mean(1)
            for one in separate_alphas(options, labellings.samples.background)
        ]
        statistics.append(min_alpha_statistic(np.array(scores_AT)[:, None], rng)[0])
    return np.array(statistics)


def separate_alphas(options: ScanOptions, background: int) -> list[ScanOptions]:
    """Returns options for each alpha of "min_alpha", none below the least attained one."""
    alphas = options.alphas
    if isinstance(alphas, str):
        least = options.smallest(background)
        first = max(options.alpha_min, min(max(0.01, least), options.alpha_max))
        alphas = np.geomspace(first, options.alpha_max, ALPHAS_APART).tolist()
    return [replace(options, alphas=(a,), alpha_max=a, alpha_min=0.0) for a in alphas]


def null_bytes(
    shape_ND, samples: SampleOptions, permutations: int, runs: int, options: ScanOptions
):
    """Returns the bytes that the scans of a place hold at their peak, under all labellings."""
    rows, nodes = shape_ND
    total = runs * (permutations + 1)
    masks = np.zeros((2, total, rows), bool)
    scanned = samples.clean + samples.positive
    masks[0, :, : samples.background] = True
    masks[0, 0] = np.roll(masks[0, 0], 1)  # runs have backgrounds of their own
    masks[1, :, rows - scanned :] = True
    masks[1] &= ~masks[0]
    return layout_of(make_task(*masks, options, layers=1), rows, nodes)[1].total

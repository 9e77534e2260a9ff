"""The map: what one place gives under every labelling. Letters: T permutations, R runs, C columns.

A column is a node or, with signed tails, its upper or lower half; all upper halves come first.
"""

import dataclasses

import numpy as np

from personascan.calibration.labellings import Labellings
from personascan.scan.options import ScanOptions
from personascan.scan.result import RunScans
from personascan.scan.runs import layout_of, make_task, scan_pool
from personascan.scan.samples import SampleOptions


def null_scores(place_ND, labellings: Labellings, runs: int, options: ScanOptions) -> np.ndarray:
    """The score of every run of every labelling: [T + 1, R]."""
    found = scan_pool(place_ND, *labellings.masks(runs), options, seed=labellings.seed)
    return found.score[0].reshape(-1, runs)


def null_frequencies(place_ND, labellings: Labellings, options: ScanOptions) -> np.ndarray:
    """The share of `samples.runs` runs that return each column, of every labelling: [T + 1, C].

    The runs have one start each and are runs of one scan, so that the place is sorted once.
    """
    runs = labellings.samples.runs
    one = dataclasses.replace(options, starts=1)
    found = scan_pool(place_ND, *labellings.masks(runs), one, seed=labellings.seed)
    columns_XC = column_masks(found, options)[0]
    return columns_XC.reshape(len(labellings.labels_TN), runs, -1).mean(1, dtype=np.float32)


def column_masks(found: RunScans, options: ScanOptions) -> np.ndarray:
    """The columns returned [L, R, C]: halves with signed tails, else nodes."""
    if options.sides.halves == 2:
        return np.concatenate([found.high_LRD, found.low_LRD], axis=-1)
    return found.nodes


def null_bytes(
    shape_ND, samples: SampleOptions, permutations: int, runs: int, options: ScanOptions
):
    """What the scans of a place of that shape hold at their peak, under all labellings."""
    rows, nodes = shape_ND
    total = runs * (permutations + 1)
    masks = np.zeros((2, total, rows), bool)
    scanned = samples.clean + samples.positive
    masks[0, :, : samples.background] = True
    masks[0, 0] = np.roll(masks[0, 0], 1)  # runs have backgrounds of their own
    masks[1, :, rows - scanned :] = True
    masks[1] &= ~masks[0]
    return layout_of(make_task(*masks, options, layers=1), rows, nodes)[1].total

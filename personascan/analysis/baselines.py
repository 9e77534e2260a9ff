"""Detectors simpler than a scan: one number of a row, or a method fitted to H0 rows alone.

Letters: N rows, D nodes.
"""

import hashlib

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from personascan.analysis.detection import Detection, DetectionOptions, Labels, evaluate_splits
from personascan.analysis.scale import rescale
from personascan.analysis.unlabelled import NEIGHBOURS
from personascan.errors import InputError
from personascan.scan.pvalues import as_matrix

MEAN, LOW_MEAN, ZEROS = "mean", "low mean", "few zeros"
NUMBERS = {
    MEAN: lambda rows_ND: rows_ND.mean(1, dtype=float),
    LOW_MEAN: lambda rows_ND: -rows_ND.mean(1, dtype=float),
    ZEROS: lambda rows_ND: (rows_ND != 0).sum(1).astype(float),
}
DISTANCES = "local outlier factor"  # uses distances of rows; the others use single nodes
DETECTORS = {
    "one-class SVM": lambda seed, rows: make_pipeline(StandardScaler(), OneClassSVM(gamma="scale")),
    "isolation forest": lambda seed, rows: IsolationForest(random_state=seed),
    DISTANCES: lambda seed, rows: LocalOutlierFactor(
        n_neighbors=min(NEIGHBOURS, rows - 1), novelty=True
    ),
}
METHODS = (*NUMBERS, *DETECTORS)
LAST: dict = {}  # the detector that this process fitted last, under its inputs


def detect_simply(
    place_ND, labels: Labels, method: str, options: DetectionOptions, seed: int
) -> Detection:
    """Scores every row without a scan, over the splits of `detect`.

    Args:
      place_ND: activations, pixels, or one number a row.
      method: "mean", "low mean" or "few zeros" of a row's values; "one-class SVM"
        (standardised, radial kernel), "isolation forest" or "local outlier factor", fitted to the
        background.

    Raises:
      InputError: an unknown method, or rows that `detect` refuses.
    """
    if method not in METHODS:
        raise InputError(f"method {method!r} is unknown; use one of {', '.join(METHODS)}")
    place_ND = as_matrix("the place", place_ND)

    def scores(background, scanned):
        if method in NUMBERS:
            return NUMBERS[method](place_ND[scanned])
        own_ND, scanned_ND = rescale(
            place_ND[background], place_ND[scanned], by_node=method != DISTANCES
        )
        return -fit_detector(method, seed, own_ND).score_samples(scanned_ND)

    return evaluate_splits(scores, place_ND, labels, options, seed)


def fit_detector(method: str, seed: int, background_ND):
    """Fits a detector to a background; successive comparisons may share it."""
    detector = DETECTORS[method](seed, len(background_ND))
    rows = hashlib.sha256(np.ascontiguousarray(background_ND)).digest()
    key = repr(detector), background_ND.shape, background_ND.dtype, rows
    if key not in LAST:
        LAST.clear()
        LAST[key] = detector.fit(background_ND)
    return LAST[key]

"""Detection: how well scores of rows that are scanned alone tell H1 from held-out H0.

Letters: N rows, D nodes, K splits.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from sklearn.metrics import roc_auc_score

from personascan.analysis.claims import auroc_limits, sizes
from personascan.analysis.rates import check_rows, tpr_at_fpr
from personascan.array_like import ArrayLike
from personascan.bars import bar
from personascan.errors import InputError
from personascan.row_labels import RowLabels, clusters_by_rows
from personascan.scan.individual import scan_alone
from personascan.scan.options import ScanOptions
from personascan.scan.pvalues import as_matrix
from personascan.scan.samples import check_labels, check_seed


@dataclass(frozen=True)
class DetectionOptions:
    """Options of the splits in which the rows of a place are scanned alone."""

    splits: int = 5  # each draws its own background
    background: float = 0.5  # share of the H0 rows; the rest is scanned, with all of H1
    draw: bool = True  # False: the first H0 rows, in their order, in a single split
    # Tails besides that of the study's scans; "either": the higher score of right and left.
    tails: tuple[str, ...] = ()
    conditional: bool = False  # also with p-values within each condition of the rows
    limit: int = 0  # rows of a side; 0: those of the comparison


@dataclass(frozen=True)
class Detection:
    """How well scores of rows alone tell H1 from held-out H0: means and deviations over splits.

    The splits share rows, so the deviation is no standard error: it measures the effect of the
    choice of background. The interval is for other rows, by `claims.auroc_limits`; a cluster counts
    as one row.
    """

    auroc: float
    auroc_deviation: float
    auroc_low: float  # 95% interval
    auroc_high: float
    tpr: float  # at an FPR of at most LOW_FPR
    tpr_deviation: float
    background: int  # H0 rows of each split's background
    h0: int  # H0 rows that a split scans
    score_N: np.ndarray = field(repr=False)  # mean over splits that scanned the row; NaN: none did


@dataclass(frozen=True)
class Labels:
    """The labels of N rows, with their clusters and conditions where they have some."""

    positive_N: np.ndarray  # bool: belongs to H1
    clusters_N: np.ndarray | None = None  # rows of one are never both background and scanned
    conditions_N: np.ndarray | None = None  # p-values can be taken within each condition


def detect(
    place_ND: ArrayLike,
    labels: Labels | RowLabels,
    options: DetectionOptions | None = None,
    scans: tuple[ScanOptions, ...] = (),
    seed: int = 0,
) -> Detection:
    """Scans every row of a place by itself, against backgrounds of H0 rows.

    In each split a share of the H0 rows is the background; the other H0 rows and all of H1 are
    scanned alone, and their scores give the AUROC and the true-positive rate. Fewer splits are the
    first of more.

    Args:
      place_ND: activations of one place, or features of any origin.
      labels: bool [N], True where a row belongs to H1; or the rows, such as statements, whose
        entities are then clusters; or Labels, which also name clusters and conditions. With
        conditions, a row is compared with the background rows of its own.
      options: how many splits, and how large their backgrounds are; None: DetectionOptions().
      scans: score, tail and alphas; starts are not used for a single row. Of several scans, such as
        those of the right and the left tail, a row's highest score counts. (): ScanOptions().
      seed: decides the backgrounds.

    Returns:
      Detection: AUROC and true-positive rate, means over the splits, and the score of each row.

    Raises:
      InputError: as `individual_scan`; a label without rows, a share that leaves no H0 row for the
        background or the scan, no splits, alphas that no p-value reaches, a condition without
        background.
    """
    place_ND = as_matrix("the place", place_ND)
    if not isinstance(labels, Labels):
        labels = Labels(check_rows(place_ND, labels, "labels"), clusters_by_rows(labels))
    options, scans = options or DetectionOptions(), scans or (ScanOptions(),)
    check_rows(place_ND, labels.positive_N)

    def scores(background, scanned) -> np.ndarray:
        score_N = np.empty(len(scanned))
        for own, rows in comparable_rows(background, scanned, labels, scans):
            results = (scan_alone(place_ND[own], place_ND[scanned[rows]], o) for o in scans)
            score_N[rows] = np.max([result.score for result in results], axis=0)
        return score_N

    return evaluate_splits(scores, place_ND, labels, options, seed)


def comparable_rows(background, scanned, labels: Labels, scans) -> list[tuple]:
    """Lists (background rows, mask of the scanned rows to compare with them) of a split.

    There is one pair for each condition, or a single pair without conditions. Raises InputError for
    a background in which no p-value is small enough.
    """
    if labels.conditions_N is None:
        for o in scans:
            if note := o.unattainable(len(background)):
                raise InputError(note)
        return [(background, np.ones(len(scanned), bool))]
    pairs = []
    for condition in np.unique(labels.conditions_N[scanned]):
        own = background[labels.conditions_N[background] == condition]
        if not len(own) or any(o.unattainable(len(own)) for o in scans):
            raise InputError(
                f"condition {str(condition)!r} has {len(own)} background rows, too few for "
                "p-values of its own; add rows, or scan without conditions"
            )
        pairs.append((own, labels.conditions_N[scanned] == condition))
    return pairs


def check_splits(
    labels: Labels, options: DetectionOptions, scans: tuple[ScanOptions, ...], seed: int
) -> None:
    """Raises InputError for labels that `detect` would refuse, before there are activations."""
    for background, scanned in all_splits(labels, options, seed):
        comparable_rows(background, scanned, labels, scans)


def evaluate_splits(
    scores, place_ND, labels: Labels, options: DetectionOptions, seed: int
) -> Detection:
    """Evaluates how well `scores(background rows, scanned rows)` tell H1 from H0 in every split."""
    positive_N = check_rows(place_ND, labels.positive_N)
    check_seed(seed)
    background_size(int((~positive_N).sum()), options)
    score_KN = np.full((options.splits, len(place_ND)), np.nan)
    auroc_K, tpr_K, sizes_K = np.empty(options.splits), np.empty(options.splits), []
    for split, (background, scanned) in enumerate(bar(all_splits(labels, options, seed), "splits")):
        score_N = scores(background, scanned)
        score_KN[split, scanned] = score_N
        auroc_K[split] = roc_auc_score(positive_N[scanned], score_N)
        tpr_K[split] = tpr_at_fpr(score_N, positive_N[scanned])
        sizes_K.append((len(background), int((~positive_N[scanned]).sum())))
    scanned_K = (~np.isnan(score_KN)).sum(0)
    mean_N = np.divide(
        np.nansum(score_KN, 0), scanned_K, out=np.full(len(place_ND), np.nan), where=scanned_K > 0
    )
    limits = auroc_limits(float(auroc_K.mean()), units_of(positive_N, labels.clusters_N, options))
    return Detection(
        float(auroc_K.mean()), float(auroc_K.std()), *limits, float(tpr_K.mean()),
        float(tpr_K.std()), *sizes_K[0], mean_N,
    )  # fmt: skip


def all_splits(labels: Labels, options: DetectionOptions, seed: int) -> Iterator[tuple]:
    """Yields (background, scanned rows) of every split. Raises InputError if a part is empty."""
    positive_N = check_labels(labels.positive_N)
    h0 = np.flatnonzero(~positive_N)
    background_size(len(h0), options)
    for split in range(options.splits):
        background, scanned = split_rows(h0, positive_N, labels.clusters_N, options, (seed, split))
        if positive_N[scanned].all() or not positive_N[scanned].any():
            raise InputError(
                f"a background of {len(background)} H0 rows and all others of their entities "
                "leaves no row of H1 or none of H0 to scan; use another share, or entities of "
                "fewer rows"
            )
        yield background, scanned


def split_rows(h0, positive_N, clusters_N, options: DetectionOptions, key) -> tuple:
    """Draws the background of a split; returns it and the rows that are scanned."""
    size = background_size(len(h0), options)
    if not options.draw:
        background = h0[:size]
    elif clusters_N is None:
        background = np.random.default_rng(key).permutation(h0)[:size]
    else:  # whole clusters, as many as come nearest to the share
        own = clusters_N[h0]
        order = np.random.default_rng(key).permutation(np.unique(own))
        filled = np.cumsum([(own == cluster).sum() for cluster in order])
        count = int(np.clip(np.abs(filled - size).argmin() + 1, 1, max(1, len(order) - 1)))
        background = h0[np.isin(own, order[:count])]
    excluded_N = np.isin(np.arange(len(positive_N)), background)
    if clusters_N is not None:
        excluded_N |= np.isin(clusters_N, clusters_N[background])
    if excluded_N[h0].all():
        raise InputError(
            f"a background of {size} H0 rows has rows of every entity of H0, which leaves none to "
            "scan; lower detection.background or add entities"
        )
    return background, np.flatnonzero(~excluded_N)


def units_of(positive_N, clusters_N, options: DetectionOptions) -> tuple[int, int]:
    """Counts the rows, or clusters, of H1, and of H0 that a split scans."""
    h1, h0 = sizes(positive_N, clusters_N)
    return h1, max(1, h0 - round(options.background * h0))


def background_size(h0: int, options: DetectionOptions) -> int:
    """Returns the number of H0 rows in a split's background. Raises InputError if it is invalid."""
    if not isinstance(options.splits, int) or options.splits < 1:
        raise InputError(f"splits = {options.splits!r}; use a whole number from 1")
    if not options.draw and options.splits > 1:
        raise InputError(f"splits = {options.splits}: the first H0 rows are one background; use 1")
    if not 0 < options.background < 1:
        raise InputError(f"background = {options.background!r}; use a share of H0 between 0 and 1")
    size = round(options.background * h0)
    if not 0 < size < h0:
        raise InputError(
            f"a background of {options.background:g} of {h0} H0 rows leaves none for the "
            f"{'background' if not size else 'scan'}; change the share or add rows"
        )
    return size

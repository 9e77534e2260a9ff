"""Localisation of a comparison: the scans of a place, chosen on one half of the rows.

The place is chosen on one half of the rows, by the calibrated studentised statistic, and judged on
the other; then the halves change roles. So the reported rows of a place did not help to choose it.
Letters: P places, T permutations, R runs, N rows, D nodes, C columns (nodes or half-nodes).
"""

from collections.abc import Hashable
from dataclasses import dataclass, field, replace

import numpy as np
from sklearn.metrics import roc_auc_score

from personascan.analysis.heads import Heads
from personascan.analysis.rates import precision_recall
from personascan.array_like import ArrayLike
from personascan.calibration import nodes as node_rates
from personascan.calibration.node_tests import Nodes
from personascan.calibration.null import column_masks, null_frequencies
from personascan.calibration.scan_labellings import draw_labellings
from personascan.scan.options import ScanOptions
from personascan.scan.result import RunScans
from personascan.scan.runs import scan_pool
from personascan.scan.samples import SampleOptions, draw_samples

HALVES = ("A", "B")


@dataclass(frozen=True)
class LocalisationOptions:
    """Options of how a comparison is scanned and calibrated."""

    samples: SampleOptions
    scan: ScanOptions
    permutations: int  # 0: no calibration
    statistic_runs: int
    node_q: float  # the node set: columns with q-value up to here
    threshold: float  # without permutations: columns selected in this share of the runs

    def statistic_options(self) -> ScanOptions:
        """Returns options for a place's statistic: one start, geometric alphas for exact ones."""
        o = self.scan
        return replace(o, starts=1, alphas="log" if o.alphas == "exact" else o.alphas)

    def halved(self) -> "LocalisationOptions":
        """Returns the options for half of the rows."""
        names = ("background", "clean", "positive")
        sizes = {name: getattr(self.samples, name) // 2 for name in names}
        return replace(self, samples=replace(self.samples, **sizes))


@dataclass(frozen=True)
class Choice:
    """Why a place was scanned: it is the one furthest above its permutations on one half."""

    half: str  # the one whose rows chose
    z: float  # studentised statistic there
    p_family: float  # there, over all places
    p_judged: float  # permutation p of the place on the other half, which did not choose it


@dataclass(frozen=True)
class PlaceScan:
    """The runs of one comparison at one place."""

    place: Hashable
    rows: np.ndarray  # numbers of the scanned rows in the comparison's pool
    runs: RunScans = field(repr=False)  # L = 1; over those rows
    precision_R: np.ndarray  # NaN where a run returned nothing
    recall_R: np.ndarray
    auroc: float  # of the share of its runs in which a row was returned, H1 against H0
    frequency_TC: np.ndarray = field(repr=False)  # of the columns; [1, C] without permutations
    q_C: np.ndarray = field(repr=False)  # NaN without permutations, as is p_C
    p_C: np.ndarray = field(repr=False)  # family-wise over the columns
    set_TC: np.ndarray = field(repr=False)  # bool: the node set of every labelling
    halves: int  # columns of a node
    samples: SampleOptions  # of each run: halves have smaller ones, mixtures other shares
    choice: Choice | None = None
    mixture: str = ""  # another share of H1, in words
    scanned_N: np.ndarray | None = field(default=None, repr=False)  # runs that scanned each row
    tested: Nodes | None = field(default=None, repr=False)  # the nodes of these rows, by labels
    heads: Heads | None = field(default=None, repr=False)  # where its nodes are outputs of heads

    def with_tests(self, tested: Nodes, node_q: float) -> "PlaceScan":
        """Returns a copy with q, p and the node set by tests of labelled rows."""
        columns = [
            as_columns(values_D, tested.effect, self.halves)
            for values_D in (1 - tested.q, 1 - tested.p_family, tested.q <= node_q)
        ]
        return replace(
            self, tested=tested, q_C=1 - columns[0], p_C=1 - columns[1], set_TC=columns[2][None]
        )

    @property
    def chance(self) -> float:
        """The precision of returning every row: the share of H1 among the rows of a run."""
        return self.samples.positive / (self.samples.positive + self.samples.clean)

    @property
    def plain(self) -> bool:
        """Whether all rows were scanned, in the shares of the options."""
        return self.choice is None and not self.mixture

    @property
    def nodes_D(self) -> np.ndarray:
        """The nodes of the set, in either half: bool [D]."""
        return node_rates.as_nodes(self.set_TC[0], self.halves)

    @property
    def directions_C(self) -> np.ndarray:
        """The direction of each column: 1 for an upper half, -1 for a lower, else 0: [C]."""
        if self.halves == 1:
            return np.zeros(self.q_C.size, int)
        return np.repeat([1, -1], self.q_C.size // 2)


def as_columns(values_D, effect_D, halves: int) -> np.ndarray:
    """Places nodes' values in the half of their effect's sign: [C]; 0 in the other half."""
    if halves == 1:
        return values_D
    return np.concatenate([values_D * (effect_D > 0), values_D * (effect_D < 0)])


def in_half(strata: ArrayLike, seed: int, clusters_N: ArrayLike | None = None) -> np.ndarray:
    """Deals rows to two halves, 0 and 1: every stratum is shuffled and dealt out in turn.

    Args:
      strata: a label for each row [N], such as whether it belongs to H1: each label is divided
        evenly.
      seed: of the shuffles.
      clusters_N: rows of one cluster, which are of one stratum, go to one half; None: every row is
        its own.

    Returns:
      Whole numbers [N].
    """
    strata = np.asarray(strata)
    if clusters_N is not None:
        _, first, own_N = np.unique(clusters_N, return_index=True, return_inverse=True)
        return in_half(strata[first], seed)[own_N]
    rng = np.random.default_rng([seed, len(strata)])
    half_N = np.zeros(len(strata), int)
    for number, stratum in enumerate(dict.fromkeys(strata.tolist())):
        rows = rng.permutation(np.flatnonzero(strata == stratum))
        half_N[rows[number % 2 :: 2]] = 1  # the odd rows of strata go to either half in turn
    return half_N


def scan_place(
    place, place_ND, positive_N, rows, options: LocalisationOptions, seed: int, clusters_N=None
) -> PlaceScan:
    """Scans all runs of a comparison at one place, and calibrates nodes by permuted labels."""
    masks = draw_samples(positive_N, options.samples, seed, clusters_N)
    runs = scan_pool(place_ND, *masks, options.scan, seed=seed)
    precision_R, recall_R = precision_recall(runs.rows[0], masks[1], positive_N)
    if options.permutations:
        labellings = draw_labellings(
            positive_N, options.samples, options.permutations, seed, clusters_N
        )
        frequency_TC = null_frequencies(place_ND, labellings, options.scan)
        q_C = node_rates.q_values(frequency_TC)
        p_C = node_rates.family_p(frequency_TC, options.samples.runs)
        set_TC = node_rates.sets_under_labels(frequency_TC, options.node_q)
    else:
        frequency_TC = column_masks(runs, options.scan)[0].mean(0)[None]
        q_C = p_C = np.full(frequency_TC.shape[1], np.nan)
        set_TC = frequency_TC >= options.threshold
    return PlaceScan(
        place, np.asarray(rows), runs, precision_R, recall_R,
        return_auroc(runs.rows[0], masks[1], positive_N), frequency_TC, q_C, p_C, set_TC,
        options.scan.sides.halves, options.samples,
    )  # fmt: skip


def return_auroc(returned_RN, evaluation_RN, positive_N) -> float:
    """Returns the AUROC, H1 against H0, of the share of its scanning runs that returned a row."""
    scanned_N = evaluation_RN.sum(0)
    some_N = scanned_N > 0
    share_N = returned_RN.sum(0)[some_N] / scanned_N[some_N]
    return float(roc_auc_score(positive_N[some_N], share_N))

"""Validation of a node set: found on some rows, judged on others, compared with simpler methods.

Letters: N rows, D nodes, C columns (nodes, or upper and then lower halves).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace

import numpy as np
from threadpoolctl import threadpool_limits

from personascan.analysis.claims import Claim, auroc, compare_aurocs
from personascan.analysis.halves import Halves, check_halves, halve
from personascan.analysis.judged import (
    ALL,
    CLUSTERS,
    DIRECTION,
    FOUND,
    LENGTH,
    RANDOM,
    SHUFFLED,
    SIGNED,
    TOP,
    UNKNOWN,
    Judged,
    average_repeats,
    flags,
    judge_scores,
)
from personascan.analysis.rates import check_rows
from personascan.analysis.unlabelled import OUTLIERS, better_cluster
from personascan.array_like import ArrayLike
from personascan.calibration.nodes import as_nodes
from personascan.errors import InputError
from personascan.row_labels import RowLabels, clusters_by_rows
from personascan.scan.pvalues import as_matrix
from personascan.scan.result import SignedNodes
from personascan.scan.samples import check_seed

SETS, SHUFFLES, BOOTSTRAP = range(3)  # streams of draws


@dataclass(frozen=True)
class ValidationOptions:
    """Options of how a node set is judged."""

    probe_c: float = 0.01  # inverse strength of the probe's ridge
    random_sets: int = 20  # random node sets, of the found one's size
    shuffles: int = 20  # of the labels, for the control
    bootstrap: int = 1000  # resamples of the judging rows
    level: float = 0.95  # confidence of the claim's interval; configurations and units spell it so
    # Judge this share of all nodes, those selected most often, not the node set; 0: the node set.
    share: float = 0.0


NO_CLAIM = Claim(*(np.nan for _ in fields(Claim)))


@dataclass(frozen=True)
class Validation:
    """How well a node set tells apart rows that did not find it; NaN where nothing can be judged.

    `p_random` tests whether the found nodes are better than nodes drawn from the whole place, not
    whether there is any signal: where all nodes carry one, random sets do equally well.
    """

    nodes: int  # the number of found nodes
    judged: dict[str, Judged]  # by method
    random_K: np.ndarray = field(repr=False)  # AUROC of each random node set
    claim: Claim  # found nodes against all nodes
    beyond: Claim  # found nodes against the mean of the random sets
    constant: bool  # either half does not vary, so that no method can work

    @property
    def beaten(self) -> float:
        """The share of the random sets whose AUROC is below the found nodes'."""
        return np.nan if self.missing else float((self.random_K < self.judged[FOUND].auroc).mean())

    @property
    def p_random(self) -> float:
        """p = (random sets that reach the found nodes' AUROC + 1) / (random sets + 1)."""
        if self.missing:
            return np.nan
        reached = (self.random_K >= self.judged[FOUND].auroc).sum()
        return float((reached + 1) / (self.random_K.size + 1))

    @property
    def missing(self) -> bool:
        """Whether no node was found, or no rows can judge them."""
        return self.constant or not self.nodes

    def rows(self) -> Iterator[tuple[str, str, float]]:
        """Yields (method, metric, value), for a table."""
        yield FOUND, "nodes", self.nodes
        for method, judged in self.judged.items():
            for metric in fields(judged):
                value = getattr(judged, metric.name)
                if value is not None:
                    yield method, metric.name, value
        yield RANDOM, "beaten", self.beaten
        yield RANDOM, "p", self.p_random
        for other, claim in ((ALL, self.claim), (RANDOM, self.beyond)):
            for metric in fields(claim):
                yield f"{FOUND} - {other}", metric.name, getattr(claim, metric.name)


def validate(
    place_ND: ArrayLike,
    positive_N: RowLabels,
    find_rows: ArrayLike,
    judge_rows: ArrayLike,
    columns_C: SignedNodes | ArrayLike,
    options: ValidationOptions | None = None,
    seed: int = 0,
    *,
    length_N: ArrayLike | None = None,
    clusters_N: np.ndarray | None = None,
) -> Validation:
    """Judges a node set found on `find_rows` by how well it tells `judge_rows` apart.

    All methods are trained on `find_rows`. Probes are ridge logistic regressions on standardised
    activations:

    - "found nodes"; "random nodes": sets of the same size drawn from all nodes; "top mean
      difference": as many nodes, those with the largest |mean H1 - mean H0| / pooled deviation;
      "all nodes"; "shuffled labels": all nodes, trained on permuted labels, a control near 0.5.
    - Untrained: "mean-difference direction", the projection on mean H1 - mean H0; "signed sum" of
      the standardised values of upper halves less lower ones, NaN where columns are whole nodes.
    - Without labels of H1: the local outlier factor and the isolation forest, fitted to H0 rows,
      with the precision and recall of the rows that they flag by default; two k-means clusters of
      the judging rows, of which the one with more of H1 counts as flagged.
    - "length", if given: in the direction in which it tells the finding rows apart.

    Args:
      place_ND: activations of one place, or features of any origin.
      positive_N: bool, True where a row belongs to H1; or the rows, such as statements, whose
        entities are then the clusters.
      find_rows, judge_rows: numbers of rows (integers), disjoint.
      columns_C: the node set: bool [D], or SignedNodes (such as `Calibration.node_set()`), or
        bool [2 D]: upper halves, then lower ones; either half is its node.
      options: how many random sets, shuffles and resamples; None: ValidationOptions().
      seed: decides random sets, shuffles, resamples, forest and clusters.
      length_N: a length for each row.
      clusters_N: rows of one cluster are resampled together, for the intervals.

    Returns:
      Validation: AUROC and other figures by method, and the found nodes compared with others.

    Raises:
      InputError: rows that are shared, repeated or do not exist, fewer than two rows of a label in
        either half, columns of another width, values that are not finite.
    """
    place_ND = as_matrix("the place", place_ND)
    clusters_N = clusters_by_rows(positive_N, clusters_N)
    positive_N = check_rows(place_ND, positive_N)
    options = options or ValidationOptions()
    check_seed(seed)
    check_validation(options)
    find_rows, judge_rows = check_halves(find_rows, judge_rows, positive_N)
    columns_C = check_columns(columns_C, place_ND.shape[1])
    # One thread: these matrices are too small for more, and sums split among threads differ in the
    # last digit.
    with threadpool_limits(limits=1):
        rows = halve(place_ND, positive_N, find_rows, judge_rows, options.probe_c)
        judge_clusters_N = None if clusters_N is None else clusters_N[judge_rows]
        validation = judge_set(rows, columns_C, options, seed, judge_clusters_N)
    if length_N is None:
        return validation
    length = judge_length(length_N, positive_N, find_rows, judge_rows)
    return replace(validation, judged=validation.judged | {LENGTH: length})


def judge_set(
    rows: Halves, columns_C, options: ValidationOptions, seed: int, clusters_N
) -> Validation:
    """Judges a node set and all other methods but length."""
    halves = columns_C.size // rows.find_ND.shape[1]
    nodes = np.flatnonzero(as_nodes(columns_C, halves))
    judged, random_K = dict(UNKNOWN), np.full(options.random_sets, np.nan)
    claim = beyond = NO_CLAIM
    if not rows.constant:
        all_N = rows.probe()
        judged |= {ALL: judge(rows, all_N), **judge_place(rows, options, seed)}
    if len(nodes) and not rows.constant:
        set_N = rows.probe(nodes)
        random_KN = random_scores(rows, len(nodes), options.random_sets, seed)
        random = [judge(rows, score_N) for score_N in random_KN]
        random_K = np.array([one.auroc for one in random])
        judged |= {
            FOUND: judge(rows, set_N),
            RANDOM: average_repeats(random),
            TOP: judge(rows, rows.probe(rows.most_different(len(nodes)))),
        }
        if halves == 2:
            judged[SIGNED] = judge(rows, rows.signed_sums(columns_C))
        claim, beyond = (
            compare_aurocs(
                set_N, other, rows.judge_N, resamples=options.bootstrap, confidence=options.level,
                rng=np.random.default_rng([seed, BOOTSTRAP]), clusters_N=clusters_N,
            )
            for other in (all_N, random_KN)
        )  # fmt: skip
    return Validation(len(nodes), judged, random_K, claim, beyond, rows.constant)


def judge(rows: Halves, score_N) -> Judged:
    """Judges a score of the judging rows by how well it tells them apart."""
    return judge_scores(score_N, rows.judge_N)


def judge_place(rows: Halves, options: ValidationOptions, seed: int) -> dict[str, Judged]:
    """Judges the methods that need no node set."""
    rng = np.random.default_rng([seed, SHUFFLES])
    shuffled = [rng.permutation(rows.find_N) for _ in range(options.shuffles)]
    judged = {
        DIRECTION: judge(rows, rows.projections()),
        SHUFFLED: average_repeats(
            [judge(rows, rows.probe(label_N=label_N)) for label_N in shuffled]
        ),
    }
    for name, detector in OUTLIERS.items():
        score_N, flagged_N = detector(rows.find_ND[~rows.find_N], rows.judge_ND, seed)
        judged[name] = replace(judge(rows, score_N), **flags(flagged_N, rows.judge_N))
    cluster_N = better_cluster(rows.judge_ND, rows.judge_N, seed)
    return judged | {CLUSTERS: Judged(**flags(cluster_N, rows.judge_N))}


def random_scores(rows: Halves, size: int, sets: int, seed: int) -> np.ndarray:
    """Scores rows by probes on node sets of one size, each drawn from all nodes: [K, N]."""
    rng = np.random.default_rng([seed, SETS])
    width = rows.find_ND.shape[1]
    drawn = [np.sort(rng.choice(width, size, replace=False)) for _ in range(sets)]
    return np.array([rows.probe(nodes) for nodes in drawn])


def judge_length(length_N, positive_N, find_rows, judge_rows) -> Judged:
    """Judges length alone; the finding rows decide whether longer rows are taken for H1."""
    length_N = check_length(length_N, positive_N.size)
    longer = auroc(length_N[find_rows], positive_N[find_rows]) >= 0.5
    return judge_scores(length_N[judge_rows] * (1 if longer else -1), positive_N[judge_rows])


def check_validation(options: ValidationOptions) -> None:
    """Raises InputError for options outside their range."""
    for name in ("random_sets", "shuffles", "bootstrap"):
        value = getattr(options, name)
        if not isinstance(value, int) or value < 1:
            raise InputError(f"{name} = {value!r}; use a whole number from 1")
    if not options.probe_c > 0:
        raise InputError(
            f"probe_c = {options.probe_c!r}; the inverse strength of a ridge is above 0"
        )
    if not 0 <= options.share < 1:
        raise InputError(
            f"share = {options.share!r}; use a share of the nodes below 1, or 0 for none"
        )
    if not 0 < options.level < 1:
        raise InputError(f"level = {options.level!r}; use a share between 0 and 1, as 0.95")


def most_frequent(frequency_C, share: float, nodes: int) -> np.ndarray:
    """Selects a share of all nodes, those of the highest frequency in either half: bool [C].

    A node is represented by its more frequent half; ties are broken by node number.
    """
    halves = frequency_C.size // nodes
    by_half = np.asarray(frequency_C).reshape(halves, nodes)
    count = max(1, round(share * nodes))
    chosen = np.argsort(-by_half.max(0), kind="stable")[:count]
    columns = np.zeros((halves, nodes), bool)
    columns[by_half.argmax(0)[chosen], chosen] = True
    return columns.reshape(-1)


def check_columns(columns_C, nodes: int) -> np.ndarray:
    """Returns a mask of nodes or of half-nodes. Raises InputError for any other array."""
    if isinstance(columns_C, SignedNodes):
        return columns_C.halves(nodes)
    columns_C = np.asarray(columns_C)
    if columns_C.dtype != bool or columns_C.shape not in ((nodes,), (2 * nodes,)):
        raise InputError(
            f"columns_C must be bool [{nodes}] or, for half-nodes, [{2 * nodes}], got "
            f"{columns_C.dtype} {columns_C.shape}"
        )
    return columns_C


def check_length(length_N, rows: int) -> np.ndarray:
    """Returns lengths as floats [N]. Raises InputError unless each row has a finite one."""
    length_N = np.asarray(length_N, float)
    if length_N.shape != (rows,) or not np.isfinite(length_N).all():
        raise InputError(f"length_N needs one finite number for each of the {rows} rows")
    return length_N

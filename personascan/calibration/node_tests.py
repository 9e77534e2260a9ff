"""Tests of the nodes of a place: family-wise p, q, and a lower bound of how many differ.

All follow from the correlations of all nodes with all labellings, in which nodes keep their
dependence. Letters: N rows, D nodes, T labellings (index 0 of T + 1 is observed).
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from scipy.special import betainc, betaincinv, stdtr

from personascan.array_like import ArrayLike
from personascan.calibration.family import TIE
from personascan.calibration.label_exchange import Exchange
from personascan.calibration.statistics import LabelContrasts, centre, standardise
from personascan.errors import InputError
from personascan.ridge import readout
from personascan.showing import A, Shown, plot_nodes

if TYPE_CHECKING:
    import pandas

    from personascan.showing import FigureAxes

ALPHA = 0.05  # of the simultaneous bound
# The most lambda of the balanced template: if p is far above uniform under every labelling, lambda
# nears 1, in floating point it reaches 1, and every node lies below the threshold.
MOST = 0.5
LEAST = 1e-100  # below it the quantiles of the beta distribution are wrong, or no numbers


@dataclass(frozen=True, repr=False)
class Nodes(Shown):
    """Tests of the nodes of one place under all labellings.

    More nodes may differ than can be named: `at_least` bounds their number from below, and may lie
    above the number of nodes with a small `q` or `p_family`. New rows of the place are scored by
    rows @ readout: the higher, the more like H1.
    """

    effect: np.ndarray  # [D]: Cohen's d, H1 less H0 in deviations within a side; 0: constant
    p: np.ndarray  # [D]: Student's, two-sided, before any search
    p_family: np.ndarray  # [D]: over all nodes of the place, step-down maximum
    q: np.ndarray  # [D]: false discovery rate (Benjamini and Hochberg 1995) under permutations
    mean_difference: np.ndarray = field(repr=False)  # [D]: H1 less H0, in the activations' units
    readout: np.ndarray = field(repr=False)  # [D]: the direction of H; rows @ readout scores rows
    template: np.ndarray = field(repr=False)  # [D]: thresholds t_k of the bound

    @property
    def direction(self) -> np.ndarray:
        """Sign of each node's effect: [D]."""
        return np.sign(self.effect).astype(int)

    def at_least(self, nodes: ArrayLike | None = None) -> int:
        """Returns a 95% lower bound of how many nodes of a set differ, valid for all sets at once.

        The bound is V(S) = max_k #{p_i < t_k, i in S} - k + 1 (Blanchard, Neuvial and Roquain
        2020). Its template t is the wider of Simes' and a balanced one, both calibrated by the
        labellings. The set may be chosen after a look at the data.

        Args:
          nodes: numbers or a mask of nodes; None: all nodes of the place.
        """
        chosen_D = node_mask(nodes, self.p.size)
        return at_least(self.p[chosen_D], self.template)

    def summary(self) -> str:
        """Returns one line: how many nodes differ, over the nodes of this place alone."""
        return (
            f"{self.effect.size} nodes of one place: {(self.p_family <= ALPHA).sum()} with "
            f"family-wise p <= {ALPHA:g}, {(self.q <= ALPHA).sum()} with q <= {ALPHA:g}, at least "
            f"{self.at_least()} differ"
        )

    @property
    def high(self) -> np.ndarray:
        """Nodes with q <= 0.05 that are higher in H1: sorted ints."""
        return np.flatnonzero((self.q <= ALPHA) & (self.effect > 0))

    @property
    def low(self) -> np.ndarray:
        """Nodes with q <= 0.05 that are lower in H1: sorted ints."""
        return np.flatnonzero((self.q <= ALPHA) & (self.effect < 0))

    def to_frame(self) -> "pandas.DataFrame":
        """Returns a row for each node, the largest effects first."""
        import pandas  # not before: it takes as long to import as a scan takes

        frame = pandas.DataFrame(
            {"node": np.arange(self.effect.size), "effect": self.effect, "p": self.p,
             "p_family": self.p_family, "q": self.q, "mean_difference": self.mean_difference}
        )  # fmt: skip
        return frame.iloc[np.argsort(-np.abs(self.effect), kind="stable")].reset_index(drop=True)

    @overload
    def plot(self, axes: None = None) -> "FigureAxes": ...

    @overload
    def plot(self, axes: A) -> A: ...

    def plot(self, axes: Any = None) -> Any:
        """Draws every node's effect against its q on matplotlib axes."""
        return plot_nodes(self.effect, self.q, ALPHA, axes)


def node_mask(nodes: ArrayLike | None, count: int) -> np.ndarray:
    """Returns numbers or a bool mask of nodes as a mask: bool [D]; all nodes for None.

    Raises InputError for a mask that is not of bools, or numbers that are no nodes.
    """
    mask_D = np.ones(count, bool)
    if nodes is None:
        return mask_D
    chosen = np.asarray(nodes)
    if chosen.dtype == bool and chosen.shape == (count,):
        return chosen
    if chosen.size and chosen.dtype.kind not in "iu":
        raise InputError(f"nodes must be whole numbers or {count} bools, got {chosen.dtype}")
    if chosen.shape == (count,) and count > 2 and np.isin(chosen, (0, 1)).all():
        raise InputError("nodes looks like a mask of whole numbers; give bools, mask.astype(bool)")
    if chosen.ndim != 1 or (chosen.size and not 0 <= chosen.min() <= chosen.max() < count):
        raise InputError(f"nodes must be numbers from 0 to {count - 1}, got {nodes!r}")
    mask_D[:] = False
    mask_D[chosen.astype(int)] = True
    return mask_D


def node_tests(name: str, place_ND, labels: LabelContrasts) -> Nodes:
    """Tests every node of a place. Raises InputError as `standardise`."""
    exchange, rows = labels.exchange, standardise(name, place_ND, labels.exchange.group_N)
    r_TD = labels.contrasts_NT.T @ rows.z_ND
    freedom = degrees_of_freedom(exchange)
    p_TD = student_p(r_TD, freedom)
    size_TD = np.abs(r_TD)
    return Nodes(
        effect=effect_of(r_TD[0].astype(np.float64), exchange),
        p=p_TD[0],
        p_family=step_down(size_TD),
        q=permutation_q(size_TD),
        mean_difference=r_TD[0] * rows.length_D / contrast_length(exchange),
        readout=readout(rows.z_ND, rows.length_D, labels.contrasts_NT[:, 0]),
        template=template(p_TD, ALPHA),
    )


def degrees_of_freedom(exchange: Exchange) -> int:
    """Returns the number of rows less groups less one."""
    return max(1, exchange.positive_N.size - int(exchange.group_N.max()) - 2)


def student_p(r, freedom: int) -> np.ndarray:
    """Returns Student's two-sided p of correlations."""
    r = np.minimum(np.abs(r.astype(np.float64)), 1 - 1e-15)
    return 2 * stdtr(freedom, -r * np.sqrt(freedom / (1 - r * r)))


def effect_of(r, exchange: Exchange):
    """Returns Cohen's d of correlations with the labels."""
    freedom = degrees_of_freedom(exchange)
    r = np.clip(r, -1 + 1e-15, 1 - 1e-15)
    return r * np.sqrt(freedom / (1 - r * r)) / contrast_length(exchange)


def contrast_length(exchange: Exchange) -> float:
    """Returns the length of the labels less their mean in each group."""
    labels_N1 = exchange.positive_N.astype(np.float64)[:, None]
    return float(np.linalg.norm(centre(labels_N1, exchange.group_N)))


def step_down(size_TD) -> np.ndarray:
    """Returns the step-down family-wise p of each node: [D].

    Westfall and Young 1993, algorithm 2.8; an equal value counts as reached.
    """
    order_D = np.argsort(-size_TD[0], kind="stable")
    highest_TD = np.maximum.accumulate(size_TD[:, order_D[::-1]], axis=1)[:, ::-1]
    reached_TD = highest_TD >= size_TD[0, order_D] * (1 - TIE)
    p_D = np.empty(order_D.size)
    p_D[order_D] = np.maximum.accumulate(reached_TD.mean(0))
    return p_D


def permutation_q(size_TD) -> np.ndarray:
    """Returns q of each node: p among all labellings and nodes, then Benjamini and Hochberg."""
    pooled = np.sort(size_TD, axis=None)
    reached_D = pooled.size - np.searchsorted(pooled, size_TD[0] * (1 - TIE), "left")
    from scipy.stats import false_discovery_control  # not before: a second to import

    return false_discovery_control(reached_D / pooled.size)


def template(p_TD, alpha: float) -> np.ndarray:
    """Returns thresholds t_k that hold for all k in all but a share alpha of labellings: [D].

    t_k is the larger of lambda_1 k/D (Simes) and the lambda_2 quantile of a uniform order
    statistic, each at alpha/2; lambda is the (j + 1)-th smallest pivotal value, j being
    floor(alpha/2 (T + 1)).
    """
    labellings, nodes = p_TD.shape
    k = np.arange(1, nodes + 1)
    at = int(alpha / 2 * labellings + 1e-9)
    simes_T, balanced_T = np.empty(labellings), np.empty(labellings)
    for number, p_D in enumerate(p_TD):  # in turn: a labelling's values stay in the cache
        ordered_D = np.sort(p_D)
        simes_T[number] = (ordered_D * nodes / k).min()
        balanced_T[number] = betainc(k, nodes + 1 - k, ordered_D).min()
    simes, balanced = (np.partition(one_T, at)[at] for one_T in (simes_T, balanced_T))
    line_K = simes * k / nodes
    if balanced < LEAST:
        return line_K
    return np.maximum(line_K, betaincinv(k, nodes + 1 - k, min(balanced, MOST)))


def at_least(p_S, template_D) -> int:
    """Returns max_k #{p < t_k} - k + 1 of a set, at least 0."""
    p_S = np.sort(np.asarray(p_S))
    if not p_S.size:
        return 0
    below_K = np.searchsorted(p_S, template_D[: p_S.size], "left")
    return max(0, int((below_K - np.arange(below_K.size)).max()))

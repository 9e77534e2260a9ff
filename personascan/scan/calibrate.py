"""Calibration: what the scan finds when the labels mean nothing.

The labels are permuted T times, and every permutation goes through the same function as the
observed labels: the same split sizes, starts, alphas and distribution of keys. Letters: L layers, T
permutations (index 0 is the observed labels where an axis has T + 1), R runs, N rows, D nodes.
"""

from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
import numpy as np

from personascan.errors import InputError
from personascan.scan.levels import check_range, given_alphas, smallest_attainable
from personascan.scan.runs import DEFAULT_STARTS, laid_out, make_task, scan_runs
from personascan.scan.splits import (
    SplitPlan,
    check_labels,
    check_seed,
    check_sizes,
    run_keys,
    split_masks,
)

STATISTICS = ("score", "min_alpha")
ALPHAS_APART = 8  # alphas scanned one by one for the "min_alpha" statistic


@dataclass(frozen=True)
class Calibration:
    """A scan beside its permutations."""

    statistic_LT: np.ndarray  # [L, T + 1]: of the observed labels, then of every permutation
    p: np.ndarray  # [L]: permutation p-value of each layer
    p_family: np.ndarray  # [L]: adjusted for the search over layers
    layer: int  # whose nodes were counted
    frequency: np.ndarray  # [D]: selection frequency over the runs
    null_frequency: np.ndarray  # [T, D]: the same under permuted labels
    plan: SplitPlan = field(repr=False)

    @property
    def score(self) -> np.ndarray:
        """The observed statistic of each layer: [L]."""
        return self.statistic_LT[:, 0]

    @property
    def null(self) -> np.ndarray:
        """The statistic under permuted labels: [L, T]."""
        return self.statistic_LT[:, 1:]

    def node_set(self, threshold: float = 0.5) -> np.ndarray:
        """Nodes returned in at least this share of the runs, ascending."""
        return np.flatnonzero(self.frequency >= threshold)

    def expected_false(self, threshold: float = 0.5) -> float:
        """Mean number of nodes at or above the threshold under permuted labels."""
        return float((self.null_frequency >= threshold).sum(1).mean())

    def q(self) -> np.ndarray:
        """For each node, the least q(t) of a threshold t that keeps it: [D].

        q(t) is the number of nodes expected at or above t under permuted labels over the number
        observed, at most 1; the running minimum makes it monotone.
        """
        thresholds = np.unique(self.frequency)
        observed = (self.frequency[None] >= thresholds[:, None]).sum(1)
        expected = np.array([self.expected_false(t) for t in thresholds])
        ratio = np.minimum(1.0, expected / observed)
        ratio = np.where(thresholds > 0, ratio, 1.0)  # a node never returned is no finding
        return np.minimum.accumulate(ratio)[np.searchsorted(thresholds, self.frequency)]

    def summary(self) -> str:
        best = int(self.p_family.argmin())
        return (
            f"{len(self.p)} layers, {self.null.shape[1]} permutations: smallest family-wise p "
            f"{self.p_family[best]:.3f} at layer {best} (score {self.score[best]:.1f}, null mean "
            f"{self.null[best].mean():.1f}); at layer {self.layer} {len(self.node_set())} nodes in "
            f"at least half of the runs, {self.expected_false():.1f} expected by chance"
        )


def calibrate(
    pool_LND,
    positive_N,
    plan: SplitPlan,
    *,
    permutations: int = 200,
    statistic: str = "score",
    layer: int | None = None,
    starts=DEFAULT_STARTS,
    seed: int = 0,
    **keywords,
) -> Calibration:
    """Permutation p-values of scores and layers, and false selections of nodes.

    Score: one run of every permutation at every layer; p = (beaten + 1)/(T + 1), where beaten
    counts the permutations that score at least as much (ties broken at random), and for the family
    of layers those whose highest layer does (the maximum statistic: Westfall and Young 1993).
    Nodes: `plan.runs` runs of one start for every permutation at one layer.

    Args:
      pool_LND: activations [L, N, D], [N, D], or a sequence of [N, D] that can be read twice.
      positive_N: bool, True where a row belongs to H1.
      plan: sample sizes; `plan.runs` runs for the selection frequency.
      permutations: T; the smallest p is 1/(T + 1).
      statistic: "score" (the highest over alphas), or "min_alpha": every alpha is scanned alone
        and its score ranked among the permutations, and the least of these p-values is the
        statistic (arXiv 2206.12786). Its alphas are `alphas` where that is a sequence, else eight
        between 0.01 (or the least attainable) and alpha_max in geometric steps.
      layer: whose nodes are counted; None: the layer with the smallest p, then the highest score
        relative to its null; -1: none, which skips that part.
      starts, seed, and the other keywords: as in `scan_runs`.

    Returns:
      Calibration.

    Raises:
      InputError: as `scan_runs` and `draw_splits`; fewer than one permutation.
    """
    check_seed(seed)
    if isinstance(permutations, bool) or not isinstance(permutations, int | np.integer):
        raise InputError(f"permutations must be a whole number, got {permutations!r}")
    if permutations < 1:
        raise InputError(f"permutations = {permutations}; a p-value needs at least one")
    if statistic not in STATISTICS:
        raise InputError(f"statistic {statistic!r} is unknown; use one of {', '.join(STATISTICS)}")
    positive_N = check_labels(positive_N)
    check_sizes(int((~positive_N).sum()), int(positive_N.sum()), plan)
    layers = [pool_LND] if getattr(pool_LND, "ndim", 3) == 2 else pool_LND
    label_key, score_key, node_key = keys_of(seed)
    labels_TN = permuted_labels(positive_N, permutations, label_key)
    masks = split_masks(labels_TN, run_keys(score_key, len(labels_TN)), replace(plan, runs=1))
    rng = np.random.default_rng(seed)  # only breaks ties
    if statistic == "score":
        found = scan_runs(layers, *masks, starts=starts, seed=seed, **keywords)
        statistic_LT = found.score
    else:
        alphas = separate_alphas(
            least=smallest_attainable(plan.background, keywords.get("tail", "two")),
            **{k: keywords.pop(k) for k in ALPHA_KEYWORDS if k in keywords},
        )
        scores_ALT = np.stack(
            [
                scan_runs(
                    layers, *masks, starts=starts, seed=seed,
                    alphas=[a], alpha_max=a, **keywords,
                ).score
                for a in alphas
            ]
        )  # fmt: skip
        statistic_LT = min_alpha_statistic(scores_ALT, rng)
    p, p_family = permutation_pvalues(statistic_LT, rng)
    if layer is None:
        layer = most_unusual(statistic_LT, p)
    frequency_TD = np.zeros((permutations + 1, 0))
    if layer >= 0:
        if layer >= len(layers):
            raise InputError(f"layer = {layer}; the pool has layers 0 to {len(layers) - 1}")
        frequency_TD = selection_frequencies(
            layers[layer], labels_TN, plan, node_key, seed, keywords
        )
    return Calibration(statistic_LT, p, p_family, layer, frequency_TD[0], frequency_TD[1:], plan)


def calibration_bytes(
    shape_ND, layers: int, plan: SplitPlan, permutations: int, starts, **keywords
):
    """What `calibrate` will hold at its peak, for layers of that shape: keywords as there."""
    rows, nodes = shape_ND

    def largest(runs: int, starts) -> int:
        masks = np.zeros((2, runs, rows), bool)
        scanned = plan.clean + plan.positive
        masks[0, :, : plan.background] = True
        masks[0, 0] = np.roll(masks[0, 0], 1)  # runs have backgrounds of their own
        masks[1, :, rows - scanned :] = True
        masks[1] &= ~masks[0]
        task = make_task(*masks, layers=layers, starts=starts, **keywords)
        return laid_out(task, rows, nodes)[1].total

    return max(largest(permutations + 1, starts), largest((permutations + 1) * plan.runs, 1))


ALPHA_KEYWORDS = ("alphas", "alpha_max", "alpha_min")


def keys_of(seed: int):
    """Keys of the permutations, of the scored splits and of the splits of the selection."""
    return jax.random.split(jax.random.key(seed), 3)


def permuted_labels(positive_N, permutations: int, key) -> np.ndarray:
    """The labels, then T permutations of them: [T + 1, N]."""
    shuffled_TN = shuffle(run_keys(key, permutations), jnp.asarray(positive_N))
    return np.concatenate([positive_N[None], np.asarray(shuffled_TN)])


@jax.jit
def shuffle(keys_T, positive_N):
    return jax.lax.map(lambda key: jax.random.permutation(key, positive_N), keys_T)


def permutation_pvalues(statistic_LT, rng) -> tuple[np.ndarray, np.ndarray]:
    """(p, family-wise p) of every layer, ties broken at random: [L] each.

    A layer's family-wise p compares its observed statistic with the maximum over layers inside each
    permutation.
    """
    observed_L1, null_LT = statistic_LT[:, :1], statistic_LT[:, 1:]

    def p_of(null_XT):
        ties = (null_XT == observed_L1) & (
            rng.random(null_XT.shape) < rng.random(observed_L1.shape)
        )
        beaten_L = ((null_XT > observed_L1) | ties).sum(1)
        return (beaten_L + 1) / (null_LT.shape[1] + 1)

    return p_of(null_LT), p_of(np.broadcast_to(null_LT.max(0), null_LT.shape))


def min_alpha_statistic(scores_ALT, rng) -> np.ndarray:
    """Minus the least p over alphas, each alpha's scores ranked among all T + 1: [L, T + 1].

    Ties within an alpha are broken at random.
    """
    order = np.lexsort((rng.random(scores_ALT.shape), -scores_ALT), axis=-1)
    p_ALT = (order.argsort(-1) + 1) / scores_ALT.shape[-1]
    return -p_ALT.min(0)


def separate_alphas(
    alphas="exact", alpha_max: float = 0.5, alpha_min: float = 0.0, least: float = 0.0
) -> list[float]:
    """The alphas of the "min_alpha" statistic, none below the least that a p-value attains."""
    check_range(alpha_max, alpha_min)
    if isinstance(alphas, str):
        first = max(alpha_min, min(max(0.01, least), alpha_max))
        return np.geomspace(first, alpha_max, ALPHAS_APART).tolist()
    return given_alphas(alphas, alpha_max, alpha_min).tolist()


def most_unusual(statistic_LT, p_L) -> int:
    """The layer with the smallest p; of several, the furthest above its null in deviations."""
    null_LT = statistic_LT[:, 1:]
    distance_L = (statistic_LT[:, 0] - null_LT.mean(1)) / np.maximum(null_LT.std(1), 1e-12)
    return int(np.lexsort((-distance_L, p_L))[0])


def selection_frequencies(pool_ND, labels_TN, plan: SplitPlan, key, seed: int, keywords):
    """Share of `plan.runs` runs of one start that return each node, for every labelling: [T, D].

    All of them are runs of one scan, so the layer is sorted once.
    """
    keys_R = run_keys(key, len(labels_TN) * plan.runs)
    masks = split_masks(np.repeat(labels_TN, plan.runs, axis=0), keys_R, plan)
    runs = scan_runs(pool_ND, *masks, starts=1, seed=seed, **keywords)
    return runs.nodes[0].reshape(len(labels_TN), plan.runs, -1).mean(1)

"""Calibration: the scores of a comparison at every place, beside those under permuted labels.

The labels are permuted T times, and every permutation goes through the same function as the
observed labels, with the same sample sizes, runs, starts, alphas and distribution of keys.
Letters: P places, T permutations (index 0 of T + 1 is observed), R runs, N rows, D nodes, C columns
(nodes or half-nodes).
"""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from personascan.array_like import ArrayLike
from personascan.bars import bar
from personascan.calibration import nodes as node_rates
from personascan.calibration.family import (
    family_p,
    mean_statistic,
    place_p,
    step_down_p,
    studentise,
    tie_draws,
)
from personascan.calibration.null import min_alpha, null_bytes, null_frequencies, null_scores
from personascan.calibration.pool import as_places, matrix_at, place_key
from personascan.calibration.scan_labellings import draw_labellings
from personascan.errors import InputError
from personascan.row_labels import RowLabels, clusters_by_rows, names_of, refuse_other_rows
from personascan.scan.options import ScanOptions
from personascan.scan.result import SignedNodes
from personascan.scan.runs import Pool
from personascan.scan.samples import SampleOptions
from personascan.showing import A, Shown, plot_places

if TYPE_CHECKING:
    import pandas

    from personascan.showing import FigureAxes

STATISTICS = ("mean", "min_alpha")
STATISTIC_RUNS = 10
NODE_Q = 0.1


@dataclass(frozen=True, repr=False)
class Calibration(Shown):
    """The scores of a comparison and of its permutations at every place of a family."""

    keys: tuple[Any, ...]  # of the places, in the pool's order
    statistic_PT: np.ndarray  # [P, T + 1]: of the observed labels, then of every permutation
    z_PT: np.ndarray  # [P, T + 1]: studentised by each place's own T + 1 values
    p: np.ndarray  # [P]: permutation p of each place by itself
    p_family: np.ndarray  # [P]: adjusted for the search over all places, single step
    p_step_down: np.ndarray  # [P]: the same, step-down
    node_key: Any  # the place whose nodes were counted; None: none
    frequency_TC: np.ndarray = field(repr=False)  # [T + 1, C]: selection frequency of its columns
    options: ScanOptions = field(repr=False)
    samples: SampleOptions = field(repr=False)

    @property
    def score(self) -> np.ndarray:
        """Observed statistic of each place: [P]."""
        return self.statistic_PT[:, 0]

    @property
    def null(self) -> np.ndarray:
        """Statistic under permuted labels: [P, T]."""
        return self.statistic_PT[:, 1:]

    @property
    def z(self) -> np.ndarray:
        """Observed statistic in deviations from its mean over all labellings: [P]."""
        return self.z_PT[:, 0]

    @property
    def best(self) -> int:
        """Index of the place furthest above its own permutations; the first of equals."""
        return int(self.z.argmax())

    @property
    def frequency(self) -> np.ndarray:
        """Share of the runs that returned each column: [C] (signed: upper halves, then lower)."""
        return self.counted()[0]

    @property
    def null_frequency(self) -> np.ndarray:
        """Selection frequencies under permuted labels: [T, C]."""
        return self.counted()[1:]

    def q(self) -> np.ndarray:
        """Returns for each column the least false discovery rate of a set that holds it: [C]."""
        return node_rates.q_values(self.counted())

    def node_p_family(self) -> np.ndarray:
        """Returns the family-wise p of each column over all columns of its place: [C]."""
        return node_rates.family_p(self.counted(), self.samples.runs)

    def node_set(self, q: float = NODE_Q) -> SignedNodes:
        """Returns the nodes with q-value <= q, each in its direction (both if the tail is "two").

        Its `high` and `low` are sorted ints; `q()` has the values of all columns.
        """
        chosen_C, sides = self.q() <= q, self.options.sides
        both_C = (np.zeros_like(chosen_C),) * 2 if sides.mixed else ()
        return SignedNodes(*map(np.flatnonzero, sides.split(chosen_C, *both_C)))

    def expected_false(self, threshold: float = 0.5) -> float:
        """Returns the mean number of columns at or above the frequency under permuted labels."""
        return node_rates.expected_false(self.counted(), threshold)

    def counted(self) -> np.ndarray:
        """Returns the selection frequencies of all labellings, the observed one first: [T + 1, C].

        Raises InputError, as all that is read of nodes does, if no place's nodes were counted.
        """
        if self.node_key is None:
            raise InputError(
                "no nodes were counted; give calibrate(nodes=...) the place whose nodes are to be, "
                f"such as the one furthest out, {self.keys[self.best]}"
            )
        return self.frequency_TC

    @overload
    def plot(self, axes: None = None) -> "FigureAxes": ...

    @overload
    def plot(self, axes: A) -> A: ...

    def plot(self, axes: Any = None) -> Any:
        """Draws z by layer on matplotlib axes, above what permuted labels give."""
        limit = float(np.quantile(self.z_PT[:, 1:].max(0), 0.95))
        return plot_places(self.keys, self.z, limit, axes)

    def to_frame(self) -> "pandas.DataFrame":
        """Returns a row for each place."""
        import pandas  # not before: it takes as long to import as a scan takes

        return pandas.DataFrame(
            {"place": list(map(str, self.keys)), "score": self.score, "z": self.z, "p": self.p,
             "p_family": self.p_family, "p_step_down": self.p_step_down}
        )  # fmt: skip

    def summary(self) -> str:
        best = self.best
        kind = "half-nodes" if self.options.sides.halves == 2 else "nodes"
        places = (
            f"{len(self.p)} places, {self.null.shape[1]} permutations: highest at "
            f"{self.keys[best]} (mean score {self.score[best]:.1f}, z {self.z[best]:.1f}, "
            f"family-wise p {self.p_family[best]:.3f}); {(self.p_family <= 0.05).sum()} places "
            "with family-wise p <= 0.05"
        )
        if self.node_key is None:
            return places
        return (
            f"{places}; at {self.node_key} {(self.q() <= NODE_Q).sum()} {kind} with q <= {NODE_Q:g}"
        )


def calibrate(
    pool: Pool,
    positive_N: RowLabels,
    samples: SampleOptions,
    *,
    permutations: int = 200,
    runs: int = STATISTIC_RUNS,
    statistic: str = "mean",
    nodes: Any = None,
    seed: int = 0,
    score: str = "bj",
    tail: str = "signed",
    alpha_max: float = 0.5,
    alpha_min: float = 0.0,
    alphas: str | ArrayLike = "log",
    starts: int | str | ArrayLike = 1,
    ties: str = "whole",
) -> Calibration:
    """Compares the scan's own score with permuted labels; for known labels use `locate` instead.

    A scan is told no label, which costs it nearly all power where labels are known. It serves rows
    that must be searched for (noise, hallucinations), and the published method as it is.

    The statistic of a labelling at a place is the mean score over R runs, each with a new
    background and sample. Each place's T + 1 statistics are studentised by their own mean and
    deviation, and the family-wise p compares a place with the maximum over places inside each
    permutation (Westfall and Young 1993), so that places whose nulls differ count equally.

    Args:
      pool: activations [P, N, D], [N, D], a sequence of [N, D], or a mapping {key: [N, D]} of any
        widths, such as what `extract` returns: the places of the family.
      positive_N: bool, True where a row belongs to H1; or the rows, such as statements: the rows
        of an entity then stay together. Rows in pairs are for `locate`.
      samples: sizes of the samples; the selection frequency has `samples.runs` runs of one start.
      permutations: T; the smallest p is 1/(T + 1).
      runs: R, the runs of the statistic.
      statistic: "mean" (of the scores), or "min_alpha": every alpha is scanned alone, its mean
        score is ranked among all T + 1 labellings, and the least of these p-values is the statistic
        (arXiv 2206.12786). Its alphas are `alphas` if that is a sequence, else eight between 0.01
        (or the least attainable) and alpha_max in geometric steps.
      nodes: the key (or index) of the place whose nodes are counted too; a `Place` may be given by
        its name ("resid_post 7 last"); None: no nodes.
      seed: seed of permutations, samples and random starts; with the key it also breaks ties.
      score, tail, alpha_max, alpha_min, alphas, starts, ties: as in `scan_runs`; geometric alphas
        give the same z as all attained ones in half the time (docs/scan.md).

    Returns:
      Calibration.

    Raises:
      InputError: as `scan_runs` and `draw_samples`; fewer than one permutation or run, a key that
        the pool does not have, alphas that no p-value of that background reaches.
    """
    if statistic not in STATISTICS:
        raise InputError(f"statistic {statistic!r} is unknown; use one of {', '.join(STATISTICS)}")
    if isinstance(runs, bool) or not isinstance(runs, int | np.integer) or runs < 1:
        raise InputError(f"runs must be a whole number of at least 1, got {runs!r}")
    options = ScanOptions(
        score=score, tail=tail, alpha_max=alpha_max, alpha_min=alpha_min, alphas=alphas,
        starts=starts, ties=ties,
    )  # fmt: skip
    if note := options.unattainable(samples.background):
        raise InputError(note)
    refuse_other_rows(pool, positive_N)
    if names_of(positive_N, "pair"):
        raise InputError(
            "positive: these rows are in pairs, inside which calibrate cannot exchange labels; use "
            "locate, or give bools as positive_N"
        )
    places = as_places(pool)
    if nodes is not None:
        nodes = place_key(places, nodes)
    clusters_N = clusters_by_rows(positive_N)
    labellings = draw_labellings(positive_N, samples, permutations, seed, clusters_N)
    if statistic == "mean":
        scores = [
            null_scores(matrix_at(places, key), labellings, runs, options)
            for key in bar(places, "places")
        ]
        statistic_PT = mean_statistic(scores)
    else:
        statistic_PT = min_alpha(places, labellings, runs, options)
    frequency_TC = np.zeros((permutations + 1, 0), np.float32)
    if nodes is not None:
        frequency_TC = null_frequencies(matrix_at(places, nodes), labellings, options)
    calibration = family_of(tuple(places), statistic_PT, options, samples, seed)
    return replace(calibration, node_key=nodes, frequency_TC=frequency_TC)


def family_of(
    keys: tuple, statistic_PT, options: ScanOptions, samples: SampleOptions, seed: int
) -> Calibration:
    """Returns the Calibration of stored statistics [P, T + 1], without nodes."""
    statistic_PT = np.asarray(statistic_PT)
    draws_PT = tie_draws(seed, keys, statistic_PT.shape[1])
    z_PT = studentise(statistic_PT)
    return Calibration(
        keys=keys,
        statistic_PT=statistic_PT,
        z_PT=z_PT,
        p=place_p(statistic_PT, draws_PT),
        p_family=family_p(z_PT, draws_PT),
        p_step_down=step_down_p(z_PT, draws_PT),
        node_key=None,
        frequency_TC=np.zeros((statistic_PT.shape[1], 0), np.float32),
        options=options,
        samples=samples,
    )


def calibration_bytes(
    shape_ND, samples: SampleOptions, permutations: int, runs: int, options: ScanOptions
) -> int:
    """Returns the bytes that `calibrate` holds at its peak for a place, nodes included."""
    return max(
        null_bytes(shape_ND, samples, permutations, runs, options),
        null_bytes(shape_ND, samples, permutations, samples.runs, replace(options, starts=1)),
    )

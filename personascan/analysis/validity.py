"""Is the calibration right? Its p-values over many problems in which the labels mean nothing."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest, kstest, ttest_1samp

from personascan.analysis.simulate import NULL_KINDS, null_pool
from personascan.scan.calibrate import calibrate
from personascan.scan.splits import SplitPlan


@dataclass(frozen=True)
class Validity:
    """What calibrations of null problems gave."""

    p: np.ndarray  # [P]: score p of the first layer
    p_family: np.ndarray  # [P]: smallest family-wise p over layers
    selected: np.ndarray  # [P]: nodes at or above the threshold
    expected: np.ndarray  # [P]: the number the permutations predicted
    permutations: int

    def uniform_p(self, rng) -> float:
        """Kolmogorov-Smirnov p-value for uniform score p-values.

        A permutation p is uniform on multiples of 1/(T + 1); less a random part of one step it is
        uniform on [0, 1], which makes the test exact.
        """
        steps = rng.random(self.p.size) / (self.permutations + 1)
        return float(kstest(self.p - steps, "uniform").pvalue)

    def family_rate(self, level: float = 0.05) -> tuple[float, float]:
        """Share of problems with a family-wise p at or below the level, and its binomial p-value.

        The level attained is the largest multiple of 1/(T + 1) up to it.
        """
        attained = np.floor(level * (self.permutations + 1) + 1e-9) / (self.permutations + 1)
        below = int((self.p_family <= level + 1e-12).sum())
        return below / len(self.p_family), float(
            binomtest(below, len(self.p_family), attained).pvalue
        )

    def selection_p(self) -> float:
        """p-value for the selected nodes being as many, on average, as predicted."""
        difference = self.selected - self.expected
        return 1.0 if np.ptp(difference) == 0 else float(ttest_1samp(difference, 0).pvalue)


def null_calibrations(
    kind: str, problems: int, *, layers: int, rows: int, nodes: int, plan: SplitPlan,
    permutations: int, threshold: float, starts: int, seed: int, progress=lambda work: work,
) -> Validity:  # fmt: skip
    """Calibrate null problems of one kind (a member of NULL_KINDS), each with its own seed."""
    found = []
    positive_N = np.arange(rows) % 2 == 0
    for problem in progress(range(problems)):
        rng = np.random.default_rng([seed, NULL_KINDS.index(kind), problem])
        pool_LND = null_pool(rng, layers, rows, nodes, kind)
        calibration = calibrate(
            pool_LND, positive_N, plan, permutations=permutations, layer=0, starts=starts,
            seed=int(rng.integers(2**32)),
        )  # fmt: skip
        found.append(
            (
                calibration.p[0],
                calibration.p_family.min(),
                len(calibration.node_set(threshold)),
                calibration.expected_false(threshold),
            )
        )
    return Validity(*np.array(found).T, permutations)

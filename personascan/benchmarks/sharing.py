"""Is the chance level of overlaps right? Node sets of two comparisons whose truth is known.

Nodes share common factors, so that they go together. H1 of both comparisons lies off H0, along
directions that have nothing in common, or one and the same.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from personascan.analysis.chance import split_frequencies, split_labels, split_plan
from personascan.analysis.overlaps import Overlap, overlaps
from personascan.benchmarks.simulate import FACTORS, noise
from personascan.calibration import nodes as node_rates
from personascan.calibration.calibrate import NODE_Q
from personascan.calibration.labellings import draw_labellings
from personascan.calibration.null import null_frequencies
from personascan.scan.options import ScanOptions
from personascan.scan.splits import SplitPlan

LEVEL = 0.05
# Any direction; that of the noise, which common factors rule; some nodes alone; and the same for
# both comparisons, as the noise has it.
DIRECTIONS = ("any", "as noise", "few nodes", "same")


@dataclass(frozen=True)
class Problem:
    """Two comparisons, each with rows of its own, half of them H1."""

    rows: int
    nodes: int
    plan: SplitPlan
    permutations: int
    strength: float  # root mean square of the shift of H1, in deviations


@dataclass(frozen=True)
class Sharing:
    """Overlaps of the problems in which both comparisons have a node set."""

    problems: int
    found: list[Overlap]

    def line(self) -> dict:
        """How many, of what size, and how often each p is at most 5%."""
        line = {"problems": self.problems, "both_sets_found": len(self.found)}
        for name in ("observed", "expected", "chance_mean"):
            line[name] = float(np.mean([getattr(o, name) for o in self.found]))
        for name in ("p", "p_hypergeometric"):
            line[f"{name}<=0.05"] = self.below(name) / len(self.found)
        return line

    def below(self, name: str) -> int:
        """Problems with a p of at most 5%."""
        return sum(getattr(o, name) <= LEVEL for o in self.found)

    def excess_p(self) -> float:
        """Binomial p of so many problems or more with p <= 5%."""
        return float(binomtest(self.below("p"), len(self.found), LEVEL, "greater").pvalue)


def sharing(problems: int, kind: str, size: Problem, seed: int, progress=iter) -> Sharing:
    """Scan so many pairs of comparisons. kind: one of DIRECTIONS."""
    found = []
    for problem in progress(range(problems)):
        rng = np.random.default_rng([seed, problem])
        loadings_FD = rng.normal(size=(FACTORS, size.nodes))
        shift_D = direction(rng, kind, loadings_FD)
        sets, chance = {}, {}
        for name in ("a", "b"):
            sets[name], chance[name] = scanned(rng, size, loadings_FD, shift_D)
            shift_D = shift_D if kind == "same" else direction(rng, kind, loadings_FD)
        if all(mask_D.any() for mask_D in sets.values()):
            found += overlaps(sets, chance, seed=problem)
    return Sharing(problems, found)


def scanned(rng, size: Problem, loadings_FD, shift_D) -> tuple[np.ndarray, np.ndarray]:
    """The node set of one comparison [D], and how often splits of H0 select each node [T, D]."""
    place_ND = noise(rng, size.rows, size.nodes, "correlated", loadings_FD)
    positive_N = np.arange(size.rows) % 2 == 0
    deviation_D = np.sqrt(1 + (loadings_FD**2).sum(0))
    place_ND[positive_N] += (size.strength * shift_D * deviation_D).astype(np.float32)
    options, seed = ScanOptions(tail="signed", starts=1, alphas="log"), int(rng.integers(2**32))
    labellings = draw_labellings(positive_N, size.plan, size.permutations, seed)
    frequency_TC = null_frequencies(place_ND, labellings, options)
    set_C = node_rates.q_values(frequency_TC) <= NODE_Q
    half_N = split_labels(size.rows // 2, seed)
    runs = split_plan(size.plan, half_N)
    h0_ND, splits = place_ND[~positive_N], size.permutations
    chance_TD = split_frequencies(h0_ND, half_N, runs, options, splits, seed)
    return node_rates.as_nodes(set_C, 2), chance_TD


def direction(rng, kind: str, loadings_FD) -> np.ndarray:
    """A direction in deviations of the nodes, whose root mean square is 1: [D]."""
    nodes = loadings_FD.shape[1]
    if kind == "any":
        shift_D = rng.normal(size=nodes)
    elif kind == "few nodes":
        shift_D = rng.choice([-1, 1], nodes) * (rng.permutation(nodes) < nodes // 4)
    else:
        deviation_D = np.sqrt(1 + (loadings_FD**2).sum(0))
        shift_D = (rng.normal(size=FACTORS) @ loadings_FD + rng.normal(size=nodes)) / deviation_D
    return shift_D / np.sqrt((shift_D**2).mean())

"""Is the chance level of overlaps right? Node sets of two comparisons whose truth is known.

Nodes share common factors, one above all, so that they go together. H1 of both comparisons lies off
H0, along directions that have nothing in common, or one and the same.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from benchmarks.simulate import noise
from personascan.analysis.chance import halving_labels, halving_sizes
from personascan.analysis.overlaps import Overlap, overlaps
from personascan.calibration.locate import locate

SIGNIFICANCE = NODE_Q = 0.05
WEIGHTS_F = np.array([2, 1, 0.5])  # of the common factors, one of which rules
# Directions of two comparisons with nothing in common: any; some nodes alone; such as the noise
# has, which common factors rule; these with the rows of H0 in common. Then one for both, as the
# noise has it.
APART = ("any", "few nodes", "as noise", "H0 in common")
SAME = "same"


@dataclass(frozen=True)
class Problem:
    """Two comparisons, each with rows of its own, half of them H1."""

    rows: int
    nodes: int
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
        return sum(getattr(o, name) <= SIGNIFICANCE for o in self.found)

    def excess_p(self) -> float:
        """Binomial p of so many problems or more with p <= 5%."""
        return float(binomtest(self.below("p"), len(self.found), SIGNIFICANCE, "greater").pvalue)


def sharing(problems: int, kind: str, size: Problem, seed: int, progress=iter) -> Sharing:
    """Test so many pairs of comparisons. kind: one of APART, or SAME."""
    found = []
    for problem in progress(range(problems)):
        rng = np.random.default_rng([seed, problem])
        loadings_FD = WEIGHTS_F[:, None] * rng.normal(size=(len(WEIGHTS_F), size.nodes))
        sets, chance, drawn = {}, {}, (size.rows // 2, size.nodes, "correlated", loadings_FD)
        for name in ("a", "b"):
            if name == "a" or kind != SAME:
                shift_D = size.strength * direction(rng, kind, loadings_FD)
            if name == "a" or kind != "H0 in common":
                h0_ND = noise(rng, *drawn)
            h1_ND = noise(rng, *drawn) + shift_D.astype(np.float32)
            sets[name], chance[name] = tested(rng, size, h1_ND, h0_ND)
        if all(mask_D.any() for mask_D in sets.values()):
            found += overlaps(sets, chance, seed=problem)
    return Sharing(problems, found)


def tested(rng, size: Problem, h1_ND, h0_ND) -> tuple[np.ndarray, np.ndarray]:
    """The node set of one comparison [D], and how far splits of H0 differ in each node [T, D]."""
    place_ND = np.concatenate([h1_ND, h0_ND])
    positive_N = np.arange(len(place_ND)) < len(h1_ND)
    seed = int(rng.integers(2**32))
    found = locate(place_ND, positive_N, permutations=size.permutations, seed=seed).nodes()
    half_N = halving_labels(len(h0_ND), seed)
    return found.q <= NODE_Q, halving_sizes(h0_ND, half_N, size.permutations, seed)


def direction(rng, kind: str, loadings_FD) -> np.ndarray:
    """A shift of all nodes [D]; in deviations of each its root mean square is 1."""
    factors, nodes = loadings_FD.shape
    deviation_D = np.sqrt(1 + (loadings_FD**2).sum(0))
    if kind == "any":
        shift_D = rng.normal(size=nodes)
    elif kind == "few nodes":
        shift_D = rng.choice([-1, 1], nodes) * (rng.permutation(nodes) < nodes // 4)
    else:
        shift_D = (rng.normal(size=factors) @ loadings_FD + rng.normal(size=nodes)) / deviation_D
    return deviation_D * shift_D / np.sqrt((shift_D**2).mean())


def checked_lines(problems: int, size: Problem, seed: int, progress=iter):
    """A line for each kind of directions, with the p of its excess where nothing is shared."""
    for kind in (*APART, SAME):
        overlap = sharing(problems, kind, size, seed, progress)
        yield {"directions": kind, **overlap.line()}, [] if kind == SAME else [overlap.excess_p()]

"""Is the calibration right? What it says of problems whose truth is known.

A problem is a family of places with very different nulls (independent, correlated, tied and
heavy-tailed nodes), with or without a signal in some nodes of one of them.
Letters: Q problems, P places, C columns (half-nodes).
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest, kstest

from benchmarks.simulate import null_pool
from personascan.calibration.calibrate import NODE_Q, Calibration, calibrate
from personascan.calibration.family import family_p, tie_draws
from personascan.scan.samples import SampleOptions

SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Signal:
    """Positive rows are shifted by `strength` deviations at some nodes of one place."""

    place: str
    nodes: int
    strength: float


@dataclass(frozen=True)
class Validity:
    """What calibrations of problems gave."""

    keys: tuple[str, ...]
    p: np.ndarray  # [Q, P]: of each place by itself
    p_family: np.ndarray  # [Q, P]: studentised maximum
    p_step_down: np.ndarray  # [Q, P]
    p_raw: np.ndarray  # [Q, P]: the maximum of raw statistics, to compare with
    node_p: np.ndarray  # [Q, C]: family-wise, of the place whose nodes are counted
    node_q: np.ndarray  # [Q, C]
    planted_C: np.ndarray  # bool: columns with signal
    permutations: int

    def uniform_p(self, rng) -> dict[str, float]:
        """Kolmogorov-Smirnov p-value for uniform p, place by place.

        A permutation p is uniform on multiples of 1/(T + 1); less a random part of one step it is
        uniform on [0, 1], which makes the test exact.
        """
        steps_QP = rng.random(self.p.shape) / (self.permutations + 1)
        return {
            key: float(kstest(p_Q, "uniform").pvalue)
            for key, p_Q in zip(self.keys, (self.p - steps_QP).T, strict=True)
        }

    def family_rate(self, p_QP=None) -> tuple[float, float]:
        """Share of problems with a family-wise p <= 0.05, and its binomial p-value."""
        return self.rate((self.p_family if p_QP is None else p_QP).min(1))

    def node_family_rate(self) -> tuple[float, float]:
        """The same over the columns without signal."""
        return self.rate(self.node_p[:, ~self.planted_C].min(1))

    def rate(self, p_Q) -> tuple[float, float]:
        # The level attained is the largest multiple of 1/(T + 1) up to it.
        attained = np.floor(SIGNIFICANCE * (self.permutations + 1) + 1e-9) / (self.permutations + 1)
        below = int((p_Q <= SIGNIFICANCE + 1e-12).sum())
        return below / len(p_Q), float(binomtest(below, len(p_Q), attained).pvalue)

    def found_at(self, key: str) -> dict[str, float]:
        """Share of problems in which the place passes 5%, by what it is compared with."""
        at = self.keys.index(key)
        ways = {"alone": self.p, "raw maximum": self.p_raw, "studentised maximum": self.p_family,
                "step-down": self.p_step_down}  # fmt: skip
        return {name: float((p[:, at] <= SIGNIFICANCE + 1e-12).mean()) for name, p in ways.items()}

    def false_discoveries(self, q: float = NODE_Q) -> tuple[float, float]:
        """Mean share of columns without signal among those with q-value <= q (0 where none is),
        and the mean share of the columns with signal that are among them.
        """
        chosen_QC = self.node_q <= q
        size_Q = np.maximum(chosen_QC.sum(1), 1)
        false = float((chosen_QC[:, ~self.planted_C].sum(1) / size_Q).mean())
        some = self.planted_C.any()
        return false, float(chosen_QC[:, self.planted_C].mean()) if some else np.nan


def calibrate_problems(
    problems: int, *, rows: int, nodes: int, samples: SampleOptions, permutations: int, runs: int,
    seed: int, signal: Signal | None = None, tail: str = "signed", progress=lambda work: work,
) -> Validity:  # fmt: skip
    """Calibrate problems that each have their own seed; half of the rows are labelled."""
    positive_N = np.arange(rows) % 2 == 0
    found = []
    for problem in progress(range(problems)):
        rng = np.random.default_rng([seed, problem])
        pool = null_pool(rng, rows, nodes)
        if signal is not None:
            pool[signal.place][np.ix_(positive_N, np.arange(signal.nodes))] += signal.strength
        calibration = calibrate(
            pool, positive_N, samples, permutations=permutations, runs=runs, tail=tail,
            nodes=signal.place if signal else "iid", seed=int(rng.integers(2**32)),
        )  # fmt: skip
        found.append((calibration, raw_p(calibration, problem)))
    columns = found[0][0].frequency.size
    planted_C = np.zeros(columns, bool)
    planted_C[: signal.nodes if signal else 0] = True
    calibrations = [calibration for calibration, _ in found]
    return Validity(
        keys=calibrations[0].keys,
        p=np.array([c.p for c in calibrations]),
        p_family=np.array([c.p_family for c in calibrations]),
        p_step_down=np.array([c.p_step_down for c in calibrations]),
        p_raw=np.array([raw for _, raw in found]),
        node_p=np.array([c.node_p_family() for c in calibrations]),
        node_q=np.array([c.q() for c in calibrations]),
        planted_C=planted_C,
        permutations=permutations,
    )


def raw_p(calibration: Calibration, seed: int) -> np.ndarray:
    """Family-wise p of the raw statistics, whatever their nulls are: [P]."""
    draws_PT = tie_draws(seed, calibration.keys, calibration.statistic_PT.shape[1])
    return family_p(calibration.statistic_PT, draws_PT)


def checked_lines(problems: int, planted: int, signals, *, seed: int, **shared):
    """A line without signal, with the p-values of what it checks; then one for each signal."""
    found = calibrate_problems(problems, seed=seed, **shared)
    rates = {
        "family_wise": found.family_rate(), "step_down": found.family_rate(found.p_step_down),
        "raw_maximum": found.family_rate(found.p_raw), "nodes": found.node_family_rate(),
    }  # fmt: skip
    uniform = found.uniform_p(np.random.default_rng(seed))
    line = {"signal": 0, "problems": problems, "uniform_p": uniform}
    line |= {f"{name}_rate_at_0.05": rate for name, rate in rates.items()}
    line |= {"any_node_with_q<=0.1": found.false_discoveries()[0]}
    yield line, [*uniform.values(), *(p for _, p in rates.values())]
    for signal in signals:
        found = calibrate_problems(planted, signal=signal, seed=seed, **shared)
        false, power = found.false_discoveries()
        line = {"signal": signal.strength, "problems": planted}
        line |= {"found": found.found_at(signal.place), "false_discovery_proportion": false}
        line |= {"signal_nodes_with_q<=0.1": power, "nodes_rate_at_0.05": found.node_family_rate()}
        yield line, []

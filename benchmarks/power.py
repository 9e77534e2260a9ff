"""How often each statistic finds a planted block: power curves against sparsity and strength.

A statistic's critical value is a quantile of the same statistic on evaluation sets without signal,
against the same background. Letters: B background rows, M evaluation rows, D nodes, P problems.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.simulate import noise, planted
from personascan.calibration.null import separate_alphas
from personascan.scan.options import ScanOptions
from personascan.scan.pvalues import empirical_pvalues
from personascan.scan.runs import scan_runs

SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Pattern:
    """A block of rows x nodes shifted by each of several strengths, in standard deviations."""

    name: str
    rows: int
    nodes: int
    strengths: tuple[float, ...]


PATTERNS = (
    Pattern("sparse", rows=20, nodes=3, strengths=(1.0, 1.5, 2.0, 2.5)),
    Pattern("few rows", rows=6, nodes=8, strengths=(1.5, 2.0, 2.5, 3.0)),
    Pattern("block", rows=15, nodes=30, strengths=(0.4, 0.6, 0.8, 1.0)),
    Pattern("dense", rows=20, nodes=150, strengths=(0.1, 0.2, 0.3, 0.4)),
)
SCANS = [
    *((f"{score}, alpha <= {a:g}", dict(score=score, alpha_max=a))
     for score in ("bj", "hc", "ks") for a in (0.5, 0.2, 0.1)),
    *((f"bj, alpha = {a:g}", dict(score="bj", alphas=[a])) for a in (0.02, 0.1)),
]  # fmt: skip
MIN_ALPHA, FISHER, MEAN_P = "bj, least p over alphas", "Fisher", "mean p"
STATISTICS = (*(name for name, _ in SCANS), MIN_ALPHA, FISHER, MEAN_P)


def power_curves(
    *, rows: int, nodes: int, background: int, nulls: int, problems: int, repeats: int,
    starts: int, seed: int,
    patterns=PATTERNS, progress=lambda work: work,
) -> dict[str, dict[str, np.ndarray]]:  # fmt: skip
    """Power at level 0.05 of every statistic, by pattern: arrays over its strengths.

    Args:
      rows, nodes, background: sizes of each problem.
      nulls: evaluation sets without signal, for each background; the least p over alphas needs
        hundreds to tell its own small values apart.
      problems: evaluation sets with each signal, for each background.
      repeats: backgrounds; the results are averaged over them.
      starts, seed: of the scans.
      progress: wraps the loop over backgrounds.
    """
    cases = [(p, s) for p in patterns for s in p.strengths]
    found = {name: np.zeros(len(cases)) for name in STATISTICS}
    for repeat in progress(range(repeats)):
        rng = np.random.default_rng([seed, repeat])
        background_BD = noise(rng, background, nodes)
        sets = [noise(rng, rows, nodes) for _ in range(nulls)]
        for pattern, strength in cases:
            clean = (noise(rng, rows, nodes) for _ in range(problems))
            sets += [planted(rng, one, pattern.rows, pattern.nodes, strength) for one in clean]
        for name, value_P in statistics(background_BD, sets, nulls, starts).items():
            critical = np.quantile(value_P[:nulls], 1 - SIGNIFICANCE, method="higher")
            signals_XP = value_P[nulls:].reshape(len(cases), problems)
            found[name] += (signals_XP > critical).mean(1) / repeats
    return split_by_pattern(found, patterns)


def statistics(background_BD, sets, n_null: int, starts: int) -> dict[str, np.ndarray]:
    """Every statistic of every evaluation set [P]; large is unusual. The first sets are null."""
    pool_ND = np.concatenate([background_BD, *sets])
    background_N = np.arange(len(pool_ND)) < len(background_BD)
    of_set_N = np.repeat(np.arange(len(sets)), len(sets[0]))
    evaluation_RN = np.zeros((len(sets), len(pool_ND)), bool)
    evaluation_RN[:, ~background_N] = of_set_N == np.arange(len(sets))[:, None]
    background_RN = np.broadcast_to(background_N, evaluation_RN.shape)

    def scan(**keywords):
        found = scan_runs(
            pool_ND, background_RN, evaluation_RN, tail="two", starts=starts, **keywords
        )
        return found.score[0]

    found = {name: scan(**keywords) for name, keywords in SCANS}
    one_by_one = separate_alphas(ScanOptions(tail="two"), len(background_BD))
    score_AP = np.array([scan(alphas=o.alphas, alpha_max=o.alpha_max) for o in one_by_one])
    # Each alpha's score as a p-value among the null sets; the least of them counts.
    beaten_AP = (score_AP[:, :n_null, None] >= score_AP[:, None]).sum(1)
    beaten_AP[:, n_null:] += 1  # a null set has met itself
    found[MIN_ALPHA] = -beaten_AP.min(0)
    p_PX = empirical_pvalues(background_BD, pool_ND[~background_N]).p_max.reshape(len(sets), -1)
    found[FISHER] = -2 * np.log(p_PX).sum(1)
    found[MEAN_P] = -p_PX.mean(1)
    return found


def split_by_pattern(found, patterns) -> dict[str, dict[str, np.ndarray]]:
    ends = np.cumsum([len(p.strengths) for p in patterns])[:-1]
    return {
        pattern.name: {name: np.split(value, ends)[i] for name, value in found.items()}
        for i, pattern in enumerate(patterns)
    }

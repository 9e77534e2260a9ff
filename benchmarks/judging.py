"""Is the judging of node sets right? Intervals of differences, and ranks among random sets.

Letters: N rows, D nodes, S scores.
"""

import numpy as np
from scipy.stats import norm
from threadpoolctl import threadpool_limits

from benchmarks.simulate import noise
from personascan.analysis.claims import auroc, compare_aurocs
from personascan.analysis.halves import halve
from personascan.analysis.validation import random_scores

CONFIDENCE = 0.95
FURTHER = 4000  # rows that tell the true difference of two probes


def score_pair(rng, rows: int, shifts, correlation: float = 0.5):
    """Two correlated normal scores [2, N] of `rows` rows a label, and the labels.

    Their true AUROCs are norm.cdf(shift / sqrt(2)).
    """
    common_N, own_SN = rng.normal(size=2 * rows), rng.normal(size=(2, 2 * rows))
    positive_N = np.arange(2 * rows) < rows
    score_SN = np.sqrt(correlation) * common_N + np.sqrt(1 - correlation) * own_SN
    return score_SN + np.outer(shifts, positive_N), positive_N


def interval_misses(problems: int, rows: int, shifts, resamples: int, seed: int) -> dict:
    """How often the intervals of two normal scores' difference miss the truth, and their widths."""
    rng = np.random.default_rng([seed, rows])
    truth = float(np.subtract(*norm.cdf(np.array(shifts) / np.sqrt(2))))
    found = []
    for _ in range(problems):
        scores, positive_N = score_pair(rng, rows, shifts)
        found.append(
            compare_aurocs(*scores, positive_N, resamples=resamples, confidence=CONFIDENCE, rng=rng)
        )
    line = {"rows": rows, "shifts": list(shifts), "true_difference": truth}
    for name in ("", "bootstrap_"):
        ends = np.array([(getattr(c, f"{name}low"), getattr(c, f"{name}high")) for c in found])
        line |= {
            f"{name}above": float((ends[:, 0] > truth).mean()),
            f"{name}below": float((ends[:, 1] < truth).mean()),
            f"{name}width": float(np.diff(ends).mean()),
        }
    return line


@threadpool_limits.wrap(limits=1)
def judged_sets(
    problems: int, kind: str, shift: float, *, rows: int, nodes: int, signal: int, seed: int
) -> dict:
    """Node sets found and judged on `rows` rows of either label each: the chain as a whole.

    `signal` nodes are shifted in H1; as many are found, the furthest apart. The true difference of
    a problem's probes is that on many more rows of the same population.
    """
    label_N = np.arange(4 * rows + FURTHER) % 2 == 0
    find, judge, further = np.split(np.arange(label_N.size), [2 * rows, 4 * rows])
    missed, p = np.zeros(2), []
    for problem in range(problems):
        rng = np.random.default_rng([seed, problem])
        place_ND = noise(rng, label_N.size, nodes, kind)
        place_ND[np.ix_(label_N, np.arange(signal))] += np.float32(shift)
        halves = halve(place_ND, label_N, find, judge, 0.01)
        more = halve(place_ND, label_N, find, further, 0.01)
        chosen = halves.most_different(signal)
        found_N, all_N = halves.probe(chosen), halves.probe()
        claim = compare_aurocs(
            found_N, all_N, halves.judge_N, resamples=1000, confidence=CONFIDENCE, rng=rng
        )
        truth = auroc(more.probe(chosen), more.judge_N) - auroc(more.probe(), more.judge_N)
        missed += (claim.low > truth, claim.high < truth)
        sets = np.array(
            [auroc(s_N, halves.judge_N) for s_N in random_scores(halves, signal, 20, problem)]
        )
        p.append(((sets >= auroc(found_N, halves.judge_N)).sum() + 1) / (sets.size + 1))
    above, below = (missed / problems).tolist()
    rates = {f"p<={level}": float((np.array(p) <= level).mean()) for level in (0.05, 0.1, 0.5)}
    return {"kind": kind, "shift": shift, "above": above, "below": below} | rates

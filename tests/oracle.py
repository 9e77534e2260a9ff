"""A slow plain NumPy scan written from the formulas; shares no code with personascan.

p-values are floats compared with float alphas, ties are found by comparing every pair, prefixes are
built member by member. Used to check the compiled scans, never the other way round.
"""

import itertools
import math

import numpy as np


def pvalue_range(background_BD, evaluation_ND, tail):
    """p_min and p_max from the definition, one value at a time. Signed: of x, then of -x."""
    if tail == "signed":
        pools = [np.concatenate([part, -part], axis=1) for part in (background_BD, evaluation_ND)]
        return pvalue_range(*pools, "right")
    n, (rows, nodes) = len(background_BD), evaluation_ND.shape
    p_min, p_max = np.empty((rows, nodes)), np.empty((rows, nodes))
    for i, d in itertools.product(range(rows), range(nodes)):
        x, b = evaluation_ND[i, d], background_BD[:, d]
        high = (sum(b > x) / (n + 1), (sum(b > x) + sum(b == x) + 1) / (n + 1))
        low = (sum(b < x) / (n + 1), (sum(b < x) + sum(b == x) + 1) / (n + 1))
        if tail == "two":
            p_min[i, d] = min(1.0, 2 * min(high[0], low[0]))
            p_max[i, d] = min(1.0, 2 * min(high[1], low[1]))
        else:
            p_min[i, d], p_max[i, d] = high if tail == "right" else low
    return p_min, p_max


def score(name, n_alpha, n, alpha):
    if n == 0 or n_alpha <= alpha * n:
        return 0.0
    if name == "hc":
        return (n_alpha - alpha * n) / math.sqrt(n * alpha * (1 - alpha))
    if name == "ks":
        return (n_alpha - alpha * n) / math.sqrt(n)
    q = n_alpha / n
    divergence = q * math.log(q / alpha)
    if q < 1:
        divergence += (1 - q) * math.log((1 - q) / (1 - alpha))
    return n * divergence


def exact_alphas(p_ND, alpha_max, alpha_min=0.0):
    """The distinct p-values that occur: no other alpha can be better (FGSS, Theorem 7)."""
    p = np.unique(p_ND)
    return p[(p <= alpha_max + 1e-12) & (p >= alpha_min - 1e-12)]


def best_members(counts, other, alphas, name):
    """Best (score, alpha, members) over alphas and prefixes by count; counts [alphas, members]."""
    best = (0.0, math.nan, ())
    for alpha, count in zip(alphas, counts, strict=True):
        for least in np.unique(count):
            members = np.flatnonzero(count >= least)
            value = score(name, count[members].sum(), len(members) * other, alpha)
            if value > best[0] * (1 + 1e-12):
                best = (value, alpha, tuple(members))
    return best


def node_step(significant, rows, alphas, name):
    return best_members([s[list(rows)].sum(0) for s in significant], len(rows), alphas, name)


def row_step(significant, nodes, alphas, name):
    counts = [s[:, list(nodes)].sum(1) for s in significant]
    return best_members(counts, len(nodes), alphas, name)


def ascend(p_ND, rows, alphas, name, climb=True):
    """Where the ascent from one row set ends: (score, alpha, rows, nodes)."""
    return path(p_ND, rows, alphas, name, climb)[-1]


def path(p_ND, rows, alphas, name, climb=True):
    """Every subset on the way up from one row set. Without `climb`: plain alternation.

    A round: the best nodes over all alphas, a climb at that alpha alone, the best rows over all.
    """
    significant = [p_ND <= a + 1e-12 for a in alphas]
    steps = [(0.0, math.nan, tuple(rows), ())]

    def rises(value):
        return value > steps[-1][0] * (1 + 1e-9)

    while True:
        value, alpha, nodes = node_step(significant, steps[-1][2], alphas, name)
        if not rises(value):
            return steps
        steps.append((value, alpha, steps[-1][2], nodes))
        at_alpha, climbing = [p_ND <= alpha + 1e-12], climb
        while climbing:
            value, _, rows = row_step(at_alpha, steps[-1][3], [alpha], name)
            climbing = rises(value)
            if climbing:
                steps.append((value, alpha, rows, steps[-1][3]))
                value, _, nodes = node_step(at_alpha, rows, [alpha], name)
                climbing = rises(value)
                if climbing:
                    steps.append((value, alpha, rows, nodes))
        value, alpha, rows = row_step(significant, steps[-1][3], alphas, name)
        if rises(value):
            steps.append((value, alpha, rows, steps[-1][3]))


def columns(found, nodes, tail):
    """What a scan returned as columns of the p-values: signed, lower halves follow the upper."""
    return np.r_[found.high, nodes + found.low] if tail == "signed" else found.nodes


def best_of_all_subsets(p_ND, alphas, name):
    """The highest score over every non-empty set of rows and nodes. Only for tiny problems."""
    rows, nodes = p_ND.shape
    node_sets = np.array(list(itertools.product([0, 1], repeat=nodes)))[1:]
    best = 0.0
    for alpha in alphas:
        significant = p_ND <= alpha + 1e-12
        for size in range(1, rows + 1):
            for chosen in itertools.combinations(range(rows), size):
                n_alpha = node_sets @ significant[list(chosen)].sum(0)
                n = node_sets.sum(1) * size
                # For one n only the largest n_alpha can be best: the scores rise with it.
                for total in np.unique(n):
                    best = max(best, score(name, n_alpha[n == total].max(), int(total), alpha))
    return best


def best_for_row(p_D, alphas, name):
    """The exact individual scan of one row: (score, alpha, nodes)."""
    best = (0.0, math.nan, ())
    for alpha in alphas:
        nodes = np.flatnonzero(p_D <= alpha + 1e-12)
        value = score(name, len(nodes), len(nodes), alpha)
        if value > best[0] * (1 + 1e-12):
            best = (value, alpha, tuple(nodes))
    return best

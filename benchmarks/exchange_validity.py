"""Are the tests of labelled rows right? Problems without effect, of every kind of exchange.

Rows of a pair, an entity or a group share an offset that labels know nothing of; labels are given
as the exchange allows. Exchanged freely, row by row, the same problems show what goes wrong.
"""

from collections.abc import Iterator

import numpy as np
from scipy.stats import binomtest

from benchmarks.simulate import noise
from personascan.calibration.locate import locate

SIGNIFICANCE = 0.05
ROWS, NODES = 40, 30
OFFSET = 1.5  # deviation of what rows of a pair, an entity or a group share
PLACES = ("iid", "correlated", "heavy tails")


def drawn_labels(rng, kind: str) -> tuple[np.ndarray, dict, np.ndarray]:
    """(labels, keywords of `locate`, the pair, entity or group of each row)."""
    if kind == "pairs":
        pair = np.arange(ROWS) // 2
        positive_N = np.repeat(rng.random(ROWS // 2) < 0.5, 2) ^ (np.arange(ROWS) % 2 == 0)
        return positive_N, {"pairs": pair}, pair
    if kind == "entities":  # of 2 to 6 rows; larger ones are not likelier on either side
        entity = np.repeat(np.arange(10), [2, 6, 3, 5, 4, 4, 5, 3, 6, 2])
        return (rng.permutation(10) < 5)[entity], {"entities": entity}, entity
    if kind == "within":  # shares of H1 from 1 to 7 of 8
        group = np.arange(ROWS) // 8
        labels = [rng.permutation(8) < h1 for h1 in (1, 2, 4, 6, 7)]
        # Groups with more H1 rows lie further out: what free permutation takes for an effect.
        return np.concatenate(labels), {"within": group}, group
    return rng.permutation(ROWS) < ROWS // 2, {}, np.arange(ROWS)


def offsets(rng, kind: str, unit_N) -> np.ndarray:
    """What rows of a unit share at every node [N, D]."""
    if kind == "rows":
        return np.zeros((ROWS, NODES))
    shift_UD = OFFSET * rng.normal(size=(unit_N.max() + 1, NODES))
    if kind == "within":
        shift_UD += np.arange(unit_N.max() + 1)[:, None] * rng.normal(size=NODES)
    return shift_UD[unit_N]


def exchange_lines(problems: int, permutations: int, seed: int, progress=iter) -> Iterator[dict]:
    """A line for each kind: how often anything is found at 5%, and by free permutation."""
    for number, kind in enumerate(("rows", "pairs", "entities", "within")):
        below = dict.fromkeys(
            ("direction", "nodes", "distribution", "some node", "bound above 0", "rows freely"), 0
        )
        for problem in progress(range(problems)):
            rng = np.random.default_rng([seed, number, problem])
            positive_N, how, unit_N = drawn_labels(rng, kind)
            shared = offsets(rng, kind, unit_N)
            pool = {name: noise(rng, ROWS, NODES, name) + shared for name in PLACES}
            asked = {"permutations": permutations, "seed": int(rng.integers(2**32))}
            found = locate(pool, positive_N, statistic="distribution", **how, **asked)
            for name in ("direction", "nodes", "distribution"):
                below[name] += found.by(name).p_family.min() <= SIGNIFICANCE
            nodes = found.nodes("heavy tails")
            below["some node"] += nodes.p_family.min() <= SIGNIFICANCE
            below["bound above 0"] += nodes.at_least() > 0
            freely = locate(pool, positive_N, **asked) if how else found.by("direction")
            below["rows freely"] += freely.p_family.min() <= SIGNIFICANCE
        yield {
            "exchange": kind, "problems": problems, "permutations": permutations,
            "labellings": found.exchange.many, "least_p": found.floor,
            **{f"{name}<=0.05": round(count / problems, 3) for name, count in below.items()},
            "binomial_p": {
                name: round(float(binomtest(count, problems, SIGNIFICANCE, "greater").pvalue), 4)
                for name, count in below.items() if name != "rows freely"
            },
        }  # fmt: skip


def checked_lines(problems: int, permutations: int, seed: int, progress=iter):
    """The same lines, each with the p-values of what it checks."""
    for line in exchange_lines(problems, permutations, seed, progress):
        yield line, list(line["binomial_p"].values())

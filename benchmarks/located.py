"""What `locate` costs and finds, beside the diluted scan and other tests of labelled rows.

Letters: P places, N rows, D nodes, T labellings.
"""

import importlib.util
import resource
import tempfile
import time
from collections.abc import Iterator

import numpy as np

from personascan.calibration.calibrate import calibrate
from personascan.calibration.locate import locate
from personascan.calibration.statistics import STATISTICS
from personascan.scan.samples import SampleOptions

FAMILY = 10  # places that share their labellings
SAMPLES = SampleOptions(60, 20, 20)
PATTERNS = ("nothing", "few strong nodes", "many weak nodes", "a hidden direction", "spread",
            "part of the rows")  # fmt: skip
SIGNIFICANCE = 0.05


def measure_located(repeats: int) -> Iterator[dict]:
    """Cost at two widths, and power at two sizes."""
    for nodes in (576, 4096):
        yield from measure_cost(600, nodes, 999, repeats)
    for rows in (40, 120):
        yield from measure_power(50, rows, 200, 99)


def measure_cost(rows: int, nodes: int, permutations: int, repeats: int) -> Iterator[dict]:
    """Microseconds of a labelling at one place: medians, and their ratio to `locate`."""
    rng, positive_N = np.random.default_rng(0), np.arange(rows) % 2 == 0
    place_ND = rng.normal(size=(rows, nodes)).astype(np.float32)
    few, family = 3, [place_ND] * FAMILY  # labellings of what takes long; places of one family
    ways = {
        statistic: lambda statistic=statistic: locate(
            family, positive_N, statistic=statistic, permutations=permutations
        )
        for statistic in STATISTICS
        if statistic != "nodes"  # which comes with any other
    } | {
        "calibrate": lambda: calibrate(place_ND, positive_N, SAMPLES, permutations=few),
        "scikit-learn permutation_test_score": lambda: probe_scores(place_ND, positive_N, few),
    }
    labellings = dict.fromkeys(ways, FAMILY * (permutations + 1))
    labellings |= {"calibrate": few + 1, "scikit-learn permutation_test_score": few + 1}
    if importlib.util.find_spec("hyppo"):
        for test in ("Hotelling", "MMD", "Energy"):
            ways[f"hyppo {test}"] = lambda test=test: hyppo_test(test, place_ND, positive_N, 99)
            labellings[f"hyppo {test}"] = 99
    first = None
    for name, way in ways.items():
        way()  # compiles
        seconds = []
        for _ in range(repeats):
            began = time.perf_counter()
            way()
            seconds.append(time.perf_counter() - began)
        each = 1e6 * float(np.median(seconds)) / labellings[name]
        first = first or each
        yield {
            "measured": "a labelling and place", "way": name, "rows": rows, "nodes": nodes,
            "microseconds": round(each, 1), "times_the_first": round(each / first, 1),
        }  # fmt: skip


def probe_scores(place_ND, positive_N, permutations: int) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import permutation_test_score

    probe = LogisticRegression(C=0.01, max_iter=1000)
    permutation_test_score(probe, place_ND, positive_N, n_permutations=permutations, cv=5)


def hyppo_test(name: str, place_ND, positive_N, permutations: int) -> float:
    """The p of one of hyppo's tests of two samples."""
    from hyppo.ksample import MMD, Energy, Hotelling

    one, other = place_ND[positive_N].astype(float), place_ND[~positive_N].astype(float)
    if name == "Hotelling":
        return Hotelling().test(one, other)[1]
    test = {"MMD": MMD, "Energy": Energy}[name]()
    return test.test(one, other, reps=permutations, auto=False)[1]


def measure_power(problems: int, rows: int, nodes: int, permutations: int) -> Iterator[dict]:
    """How often each statistic finds the one place of five with something in it, or any without."""
    positive_N = np.arange(rows) % 2 == 0
    for pattern in PATTERNS:
        found = dict.fromkeys(STATISTICS, 0)
        for problem in range(problems):
            rng = np.random.default_rng([7, problem])
            pool = rng.normal(size=(5, rows, nodes))
            plant(pool[2], positive_N, pattern)
            for name in STATISTICS:
                asked = dict(statistic=name, permutations=permutations, seed=problem)
                p_P = locate(pool, positive_N, **asked).p_family
                found[name] += (p_P.min() if pattern == "nothing" else p_P[2]) <= SIGNIFICANCE
        yield {
            "measured": "share found",
            "rows": rows,
            "pattern": pattern,
            "problems": problems,
        } | {name: round(count / problems, 3) for name, count in found.items()}


def plant(place_ND, positive_N, pattern: str) -> None:
    """Change the positive rows of a place, by so much that 40 rows tell something of it."""
    rows, nodes = place_ND.shape
    size = np.sqrt(40 / rows)  # of fewer rows larger differences
    if pattern == "few strong nodes":
        place_ND[positive_N, :2] += 1.5 * size
    elif pattern == "many weak nodes":
        place_ND[positive_N] += 0.2 * size
    elif pattern == "a hidden direction":
        # Nodes share factors; the difference lies along a direction in which these do not vary.
        factors_ND = np.repeat(place_ND[:, : nodes // 10], 10, axis=1)[:, :nodes]
        place_ND += 3 * factors_ND
        signs_D = np.where(np.arange(nodes) % 2, 1, -1)
        place_ND[positive_N] += 0.7 * size * signs_D
    elif pattern == "spread":
        place_ND[positive_N] *= 1 + 0.3 * size
    elif pattern == "part of the rows":
        some = np.flatnonzero(positive_N)[: rows // 6]
        place_ND[np.ix_(some, range(nodes // 10))] += 1.5 * size


def measure_scale(
    places: int = 384, nodes: int = 4096, rows: int = 600, comparisons: int = 14,
    permutations: int = 999,
) -> Iterator[dict]:  # fmt: skip
    """A study's `where` of a large model: activations in a memory map, comparison by comparison."""
    with tempfile.NamedTemporaryFile(suffix=".f32") as file:
        pool = np.memmap(file.name, np.float32, "w+", shape=(places, rows, nodes))
        rng = np.random.default_rng(0)
        for place in range(places):
            pool[place] = rng.standard_normal((rows, nodes), np.float32)
        pool.flush()
        before, began = peak(), time.perf_counter()
        for comparison in range(comparisons):
            positive_N = rng.permutation(rows) < rows // 2
            locate(pool, positive_N, permutations=permutations, seed=comparison)
        seconds = time.perf_counter() - began
    yield {
        "measured": "where, a large model", "places": places, "nodes": nodes, "rows": rows,
        "comparisons": comparisons, "permutations": permutations, "seconds": round(seconds, 1),
        "milliseconds_a_place": round(1000 * seconds / places / comparisons, 1),
        "peak_GiB_before": round(before, 2), "peak_GiB": round(peak(), 2),
    }  # fmt: skip


def peak() -> float:
    """The most memory that this process has held, in GiB: pages of mapped files among it."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20

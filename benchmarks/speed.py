"""What the scan takes, measurement by measurement. Every result is a NumPy array, so that whatever
a device was asked for has come back when the clock stops.
"""

import resource
import statistics
import time
from collections.abc import Iterator
from functools import partial

import jax
import numpy as np

from benchmarks import numpy_scan
from benchmarks.memory_check import planned_and_held
from personascan.calibration.calibrate import calibrate
from personascan.scan.individual import individual_scan
from personascan.scan.memory import individual_memory
from personascan.scan.options import ScanOptions
from personascan.scan.pvalues import empirical_pvalues
from personascan.scan.ranks import rank_tables
from personascan.scan.runs import scan_runs
from personascan.scan.samples import SampleOptions

LARGE = (7000, 3216, 12544)  # background rows, rows, nodes
GRID = np.linspace(0.01, 0.5, 50)
# Seconds of the published code on two CPU cores; None where it has no such thing.
PUBLISHED = {"one start": 11.4, "ten starts": 60.0, "p-values": 0.39, "p-values, individual": 1.1}


def timed(name: str, work, repeats: int, published=None, warm: bool = True) -> dict:
    """One measurement: the median of `repeats`, after one that compiles."""
    if warm:
        work()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    found = {"what": name, "seconds": round(statistics.median(seconds), 4), "of": repeats}
    if published:
        found |= {"published": published, "times_faster": round(published / found["seconds"], 1)}
    return found | {"devices": f"{jax.device_count()} {jax.default_backend()}"}


def benchmark_pool(nodes: int, runs: int):
    """600 rows (250 background, 50 clean, 300 positive) and the masks of runs of 25 + 25 rows."""
    rng = np.random.default_rng(0)
    pool_ND = rng.normal(size=(600, nodes)).astype(np.float32)
    pool_ND[300:, : nodes // 10] += 0.5
    evaluation_RN = np.zeros((runs, 600), bool)
    for row_N in evaluation_RN:
        row_N[np.r_[250 + rng.permutation(50)[:25], 300 + rng.permutation(300)[:25]]] = True
    background_RN = np.broadcast_to(np.arange(600) < 250, evaluation_RN.shape)
    return pool_ND, background_RN, evaluation_RN


def measure_scans(nodes: int, runs: int, repeats: int) -> Iterator[dict]:
    """Group runs, p-values and individual scans, ours and plain NumPy's."""
    pool_ND, *masks = benchmark_pool(nodes, runs)
    for starts, words in ((1, "one start"), (10, "ten starts")):
        for alphas in ("grid", "exact"):
            yield timed(
                f"{runs} group runs, {words}, {alphas} alphas",
                lambda s=starts, a=alphas: scan_runs(
                    pool_ND, *masks, tail="two", starts=s, alphas=a
                ),
                repeats,
                PUBLISHED[words] if alphas == "grid" else None,
            )
    background_BD, some_ND = pool_ND[:250], pool_ND[250:]
    many_ND = np.random.default_rng(1).normal(size=(1000, nodes)).astype(np.float32)

    def both():
        empirical_pvalues(background_BD, many_ND)
        individual_scan(background_BD, many_ND, tail="two", alphas="grid")

    def numpy_both():
        ranks_ND = numpy_scan.p_values(background_BD, many_ND)
        numpy_scan.individual_scores(ranks_ND, 250, GRID)

    of_run_MD = numpy_scan.p_values(background_BD, some_ND)[masks[1][0, 250:]]
    for name, work, published in (
        ("p-values, 350 rows", lambda: empirical_pvalues(background_BD, some_ND), "p-values"),
        ("p-values and individual scans, 1000 rows", both, "p-values, individual"),
        ("NumPy: p-values, 350 rows", lambda: numpy_scan.p_values(background_BD, some_ND), ""),
        ("NumPy: p-values and individual scores, 1000 rows", numpy_both, ""),
        (
            "NumPy: 1 group run, one start, grid alphas",
            lambda: numpy_scan.group_scan(of_run_MD, 250, GRID, np.arange(50)),
            "",
        ),
    ):
        yield timed(name, work, repeats, PUBLISHED.get(published))
    yield {"what": "memory, bytes"} | planned_and_held(pool_ND, *masks)
    yield from measure_tails(pool_ND, masks, many_ND, repeats)
    yield from measure_large(*LARGE)


def measure_tails(pool_ND, masks, many_ND, repeats: int) -> Iterator[dict]:
    """Signed tails, which scan two halves of every node, beside the right tail alone."""
    background_BD = pool_ND[:250]
    for what, work in (
        ("group runs, three starts", lambda tail: scan_runs(pool_ND, *masks, starts=3, tail=tail)),
        ("individual scans", lambda tail: individual_scan(background_BD, many_ND, tail=tail)),
    ):
        right, signed = (
            timed(f"{what}, {tail}", partial(work, tail), repeats) for tail in ("right", "signed")
        )
        yield right
        yield signed | {"times_right": round(signed["seconds"] / right["seconds"], 2)}
    right, signed = (planned_and_held(pool_ND, *masks, tail=tail) for tail in ("right", "signed"))
    ratio = round(signed["held"] / right["held"], 2)
    yield {"what": "memory of signed group runs, bytes", "times_right": ratio} | signed


def measure_large(background: int, rows: int, nodes: int) -> Iterator[dict]:
    """Individual scans against a large background, beside NumPy on one thread; and their memory."""
    rng = np.random.default_rng(2)
    background_BD = rng.standard_normal((background, nodes), np.float32)
    many_ND = rng.standard_normal((rows, nodes), np.float32)
    size = f"{rows} x {nodes} against {background}"
    tables = rank_tables(np.array([[background]]), ScanOptions())
    planned = individual_memory(background_BD, many_ND, tables).added
    before = peak_bytes()
    began = time.perf_counter()
    individual_scan(background_BD, many_ND)
    first = round(time.perf_counter() - began, 2)
    # The most that this process ever held: nothing where it held more before.
    memory = {"first": first, "planned": planned, "held": peak_bytes() - before}
    ours = timed(
        f"individual scans, {size}", lambda: individual_scan(background_BD, many_ND), 3, warm=False
    )
    plain = timed(
        f"NumPy: individual scores, {size}",
        lambda: numpy_scan.individual_by_bisection(background_BD, many_ND, tables.n_alphas),
        repeats=1,
        warm=False,
    )
    yield ours | memory | {"of_numpy": round(ours["seconds"] / plain["seconds"], 2)}
    yield plain


def peak_bytes() -> int:
    """The most memory that this process has held so far; Linux counts in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure_calibration(layers: int, permutations: int) -> Iterator[dict]:
    """The calibration of places, compiling included: 600 x 576, ten signed runs of one start."""
    pool_LND = np.random.default_rng(0).normal(size=(layers, 600, 576)).astype(np.float32)
    samples = SampleOptions(background=250, clean=25, positive=25)
    labels_N = np.arange(600) < 300
    yield timed(
        f"calibration, {layers} layers of 600 x 576, {permutations} permutations",
        lambda: calibrate(pool_LND, labels_N, samples, permutations=permutations),
        repeats=1,
        warm=False,
    )


def measure_scaling(repeats: int, largest: int) -> Iterator[dict]:
    """Rows, nodes and runs doubled one at a time, up to 1000 rows and `largest` nodes."""
    rng = np.random.default_rng(0)
    sizes = [
        *(("rows", rows, 2048, 4) for rows in (125, 250, 500, 1000)),
        *(("nodes", 100, nodes, 4) for nodes in (2048, 4096, 8192, 16384)),
        *(("runs", 50, 1024, runs) for runs in (25, 50, 100, 200)),
        ("largest", 1000, 16384, 2),
    ]
    for varied, rows, nodes, runs in sizes:
        if nodes > largest:
            continue
        pool_ND = rng.normal(size=(250 + rows + 50, nodes)).astype(np.float32)
        background_N = np.arange(len(pool_ND)) < 250
        evaluation_RN = np.zeros((runs, len(pool_ND)), bool)
        for row_N in evaluation_RN:
            row_N[250 + rng.permutation(rows + 50)[:rows]] = True
        background_RN = np.broadcast_to(background_N, evaluation_RN.shape)
        found = timed(
            f"scaling in {varied}",
            lambda p=pool_ND, b=background_RN, e=evaluation_RN: scan_runs(
                p, b, e, tail="two", starts=3, alphas="grid"
            ),
            repeats,
        )
        yield found | {"varied": varied, "rows": rows, "nodes": nodes, "runs": runs}

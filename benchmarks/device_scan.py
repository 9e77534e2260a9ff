"""Group runs and calibrations on whatever devices there are, beside plain NumPy."""

import dataclasses
import functools
import hashlib
import time

import jax
import numpy as np

from benchmarks import numpy_scan
from benchmarks.device_peak import median_seconds
from benchmarks.speed import benchmark_pool
from personascan.calibration.calibrate import STATISTIC_RUNS, calibrate
from personascan.calibration.label_exchange import draw_exchanges, exchange_of
from personascan.calibration.statistics import STATISTICS, LabelContrasts, place_statistics
from personascan.errors import InputError
from personascan.ridge import SHRINKAGE
from personascan.scan.backgrounds import open_source
from personascan.scan.devices import run_search
from personascan.scan.options import ScanOptions
from personascan.scan.runs import scan_pool
from personascan.scan.samples import SampleOptions, run_keys
from personascan.scan.task import layout_of, make_task

BACKGROUND, CLEAN, POSITIVE = 250, 25, 25
REPEATS = 3
LEAST, STEP, MOST = 9, 10, 199  # permutations: with the observed labels, whole parts of searches
CALIBRATION_SECONDS = 60
PERMUTATIONS = 999  # of labelled tests


@dataclasses.dataclass(frozen=True)
class Size:
    """How large the scans are."""

    nodes: int = 4096
    runs: int = 100
    places: int = 32
    rows: int = 600


def measure_runs(size: Size, tail: str, starts) -> dict:
    """Group runs of 50 rows against one background of 250, all attainable alphas."""
    pool_ND, *masks = benchmark_pool(size.nodes, size.runs)
    options = ScanOptions(tail=tail, starts=starts)
    began = time.perf_counter()
    found = scan_pool(pool_ND, *masks, options)
    first = time.perf_counter() - began
    seconds = median_seconds(lambda: scan_pool(pool_ND, *masks, options).score, REPEATS)
    record = {
        "what": f"{size.runs} group runs of {CLEAN + POSITIVE} x {size.nodes}",
        "background_rows": BACKGROUND,
        "tail": tail,
        "starts": starts,
        "devices": len(jax.local_devices()),
        "first_seconds": first,
        "median_seconds": seconds,
        "mean_score": float(found.score.mean()),
        # The same on any number of devices, so long as they are of one kind.
        "scores_sha256": hashlib.sha256(found.score.tobytes()).hexdigest(),
    }
    if starts != "auto":
        plain = size.runs * starts * numpy_run_seconds(size.nodes, tail)
        record["numpy_seconds_extrapolated_from_one_run_and_start"] = plain
        record["times_faster_than_numpy"] = plain / seconds
    return record


@functools.cache
def numpy_run_seconds(nodes: int, tail: str, background: int = BACKGROUND, alphas="exact") -> float:
    """One run and start of the plain scan, after its p-values, which all runs share."""
    pool_ND, _, evaluation_RN = benchmark_pool(nodes, 1)
    alphas_A = ScanOptions(tail=tail, alphas=alphas).alphas_for([background])
    p_values = numpy_scan.signed_p_values if tail == "signed" else numpy_scan.p_values
    ranks_MD = p_values(pool_ND[:background], pool_ND[evaluation_RN[0]])
    rows = np.arange(len(ranks_MD))
    return median_seconds(lambda: numpy_scan.group_scan(ranks_MD, background, alphas_A, rows), 1)


def measure_side_by_side(size: Size, searches: int) -> dict:
    """Ten starts of signed runs with so many searches under one vmap, one layer, no best chosen."""
    pool_ND, *masks = benchmark_pool(size.nodes, size.runs)
    options = ScanOptions(tail="signed", starts=10)
    task = make_task(*masks, options, layers=1)
    layout, _ = layout_of(task, *pool_ND.shape)
    layout = dataclasses.replace(layout, side_by_side=True, searches_side_by_side=searches)
    source = open_source(
        pool_ND, task.background_RN, task.evaluated_N, task.tables, task.group_N, options.sides
    )
    keys_R = run_keys(jax.random.key(0), size.runs)

    def search():
        return run_search(source, task.searches, task.tables, keys_R, layout)

    began = time.perf_counter()
    search()
    return {
        "what": f"the search of {size.runs} signed runs, ten starts",
        "searches_side_by_side": searches,
        "first_seconds": time.perf_counter() - began,
        "median_seconds": median_seconds(search, REPEATS),
    }


def calibration_pool(size: Size):
    """Places of random numbers, and labels."""
    rng = np.random.default_rng(0)
    pool = [rng.standard_normal((size.rows, size.nodes), np.float32) for _ in range(size.places)]
    return pool, np.arange(size.rows) < size.rows // 2


def measure_labelled(size: Size) -> dict:
    """The statistics of `locate` at all places, 999 permutations, beside one in plain NumPy."""
    pool, labels_N = calibration_pool(size)

    def work(places):
        exchange = exchange_of(labels_N)
        labels = LabelContrasts(exchange, draw_exchanges(exchange, PERMUTATIONS, 0))
        return [place_statistics("a place", one, labels, STATISTICS[:2]) for one in places]

    began = time.perf_counter()
    work(pool[:1])
    first = time.perf_counter() - began
    seconds = median_seconds(lambda: work(pool), REPEATS)
    plain = size.places * median_seconds(lambda: numpy_direction(pool[0], labels_N), REPEATS)
    return {
        "what": f"labelled tests of {size.places} places of {size.rows} x {size.nodes}",
        "permutations": PERMUTATIONS,
        "first_seconds_of_one_place": first,
        "median_seconds": seconds,
        "microseconds_per_labelling_and_place": 1e6 * seconds / size.places / (PERMUTATIONS + 1),
        "numpy_seconds_extrapolated_from_one_place": plain,
        "times_faster_than_numpy": plain / seconds,
    }


def numpy_direction(place_ND, labels_N) -> np.ndarray:
    """The direction statistic of a place and as many labellings, in single precision."""
    rows, nodes = place_ND.shape
    rng = np.random.default_rng(0)
    labels_NT = rng.permuted(np.tile(labels_N[:, None], PERMUTATIONS + 1), axis=0)
    v_NT = (labels_NT - labels_NT.mean(0)).astype(np.float32)
    v_NT /= np.sqrt((v_NT**2).sum(0))
    z_ND = place_ND - place_ND.mean(0)
    z_ND /= np.sqrt((z_ND**2).sum(0))
    kernel_NN = z_ND @ z_ND.T / nodes + np.float32(SHRINKAGE) * np.eye(rows, dtype=np.float32)
    return 1 - SHRINKAGE * (v_NT * np.linalg.solve(kernel_NN, v_NT)).sum(0)


def measure_calibration(size: Size, seconds_left: float) -> dict:
    """A calibration of all places, with as many permutations as a minute allows.

    Raises InputError where even the fewest would take longer than what is left.
    """
    pool, labels_N = calibration_pool(size)
    half = size.rows // 2
    samples = SampleOptions(min(BACKGROUND, half - CLEAN - 1), CLEAN, POSITIVE)

    def work(places, permutations):
        began = time.perf_counter()
        calibrate(places, labels_N, samples, permutations=permutations)
        return time.perf_counter() - began

    first = work(pool[:1], LEAST)
    began = time.perf_counter()
    work(pool[:1], LEAST)
    fewest = size.places * (time.perf_counter() - began)
    allowed = min(CALIBRATION_SECONDS, 0.8 * (seconds_left - first))
    if fewest > allowed:
        raise InputError(
            f"{LEAST} permutations of {size.places} places would take {fewest:.0f} s of the "
            f"{max(0, allowed):.0f} s left for them"
        )
    permutations = min(MOST, int((LEAST + 1) * allowed / fewest) // STEP * STEP - 1)
    taken = work(pool, permutations)
    searches = size.places * 201 * STATISTIC_RUNS
    plain = searches * numpy_run_seconds(size.nodes, "signed", samples.background, "log")
    of_200 = taken * 201 / (permutations + 1)
    return {
        "what": f"calibration of {size.places} places of {size.rows} x {size.nodes}",
        "runs_per_labelling": STATISTIC_RUNS,
        "devices": len(jax.local_devices()),
        "first_seconds_of_one_place": first,
        "permutations": permutations,
        "seconds": taken,
        "seconds_per_200_permutations": of_200,
        "numpy_seconds_per_200_permutations_extrapolated_from_one_run": plain,
        "times_faster_than_numpy": plain / of_200,
    }

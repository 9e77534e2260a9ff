"""Localisation: runs of the published scan at chosen and named places return rows and nodes."""

from dataclasses import replace

import numpy as np

from personascan.analysis.localisation import LocalisationOptions, PlaceScan, scan_place
from personascan.scan.result import ARRAYS, RunScans
from personascan.scan.samples import draw_samples
from personascan.study.portions import (
    ALL,
    portion_clusters,
    portion_options,
    portion_seed,
    sample_inputs,
    scan_inputs,
)
from personascan.study.stage import Phase, Sizes, Stage, Table, place_cells
from personascan.study.stages import nodes
from personascan.study.units import Unit, Work, sha256_of

SCAN_ARRAYS = ("rows", "precision_R", "recall_R", "frequency_TC", "q_C", "p_C", "set_TC")


def work(case, portion: str, place, mixture=None) -> Work:
    """Returns the unit of a portion's runs, maybe with another share of H1 in the scanned rows."""
    rows, pool = case.rows(place), case.pool
    options = case.config.mixed(mixture) if mixture else case.config.localisation()
    chosen, options = case.chosen(portion).rows, portion_options(options, portion)
    seed = portion_seed(portion, case.seed)
    inputs = rows.inputs(pool.positive_N) | scan_inputs(options, options.scan) | {
        "part": sha256_of(chosen.tolist()), "seed": seed,
        "permutations": options.permutations, "node_q": options.node_q,
        "threshold": options.threshold,
    } | sample_inputs(pool)  # fmt: skip
    clusters = portion_clusters(pool, chosen)
    arguments = (rows, place, chosen, pool.positive_N, clusters, options, seed)
    return Work(Unit("localisation", inputs), do, arguments)


def do(rows, place, chosen, positive_N, clusters_N, options: LocalisationOptions, seed: int):
    place_ND = rows.array()[chosen]
    scan = scan_place(place, place_ND, positive_N[chosen], chosen, options, seed, clusters_N)
    arrays = {name: getattr(scan, name) for name in SCAN_ARRAYS}
    arrays |= {stored_name(name): getattr(scan.runs, name) for name in ARRAYS}
    return {"auroc": scan.auroc, "halves": scan.halves, "note": scan.runs.note}, arrays


def stored_name(name: str) -> str:
    """Returns the name on disk of an array of `RunScans`, which has no shape letters."""
    return f"runs_{name.removesuffix('_LRD')}"


def works(level) -> list[Work]:
    return [
        one
        for case in level.cases
        for one in (
            *(work(case, judge, place) for _, judge, place, _ in case.choices()),
            *(work(case, ALL, place) for place in case.named),
            *(work(case, ALL, p, m) for p in case.named for m in case.config.scan.mixtures),
        )
    ]


def scan_at(case, portion: str, place, choice=None, mixture=None) -> PlaceScan:
    """Returns runs, and the tests of the nodes on the same rows, from finished units."""
    unit = work(case, portion, place, mixture)
    result, options = case.read(unit), unit.arguments[5]
    arrays, values = result.arrays, result.values
    chosen, positive_N, clusters_N, _, seed = unit.arguments[2:]
    scanned_N = draw_samples(positive_N[chosen], options.samples, seed, clusters_N)[1].sum(0)
    runs = RunScans(**{name: arrays[stored_name(name)] for name in ARRAYS}, note=values["note"])
    scan = PlaceScan(
        place=place, runs=runs, auroc=values["auroc"], halves=values["halves"], choice=choice,
        samples=options.samples, mixture=str(mixture) if mixture else "", scanned_N=scanned_N,
        **{name: arrays[name] for name in SCAN_ARRAYS},
    )  # fmt: skip
    if not case.portions:
        return scan
    tested, heads = nodes.tests_at(case, portion, place)
    return replace(scan.with_tests(tested, case.config.node_q), heads=heads)


def scans_of(case) -> list[PlaceScan]:
    """Returns scans at the places that halves chose, on the other half, then at the named ones."""
    scans = [scan_at(case, judge, place, choice) for _, judge, place, choice in case.choices()]
    scans += [scan_at(case, ALL, place) for place in case.named]
    mixed = [(p, m) for p in case.named for m in case.config.scan.mixtures]
    return scans + [scan_at(case, ALL, place, mixture=mixture) for place, mixture in mixed]


def run_rows(part):
    for name, scan in nodes.all_scans(part):
        runs, ids = scan.runs, part.pool_ids[name]
        starts_R = (~np.isnan(runs.start_scores[0])).sum(-1)
        for r in range(len(scan.precision_R)):
            returned = [ids[scan.rows[i]] for i in np.flatnonzero(runs.rows[0, r])]
            high, low = (np.flatnonzero(half[0, r]) for half in (runs.high_LRD, runs.low_LRD))
            yield (
                *place_cells(scan.place), name, nodes.scanned_rows(scan), part.wording[name][0], r,
                runs.score[0, r], runs.alpha[0, r], int(runs.at_smallest_alpha[0, r]),
                int(starts_R[r]), int(runs.starts_at_best[0, r]), len(returned),
                len(np.union1d(high, low)), scan.precision_R[r], scan.recall_R[r],
                ";".join(returned), " ".join(map(str, high)), " ".join(map(str, low)),
            )  # fmt: skip


def mixed_and_named(counted) -> int:
    return counted.comparisons * counted.named * (1 + len(counted.config.scan.mixtures))


def disk(sizes: Sizes) -> int:
    options = sizes.counted.config.localisation()
    columns = sizes.nodes * options.scan.sides.halves
    kept = options.samples.runs * (2 * sizes.nodes + sizes.rows)
    return kept + 5 * sizes.scan_labellings * columns + 16 * columns


STAGE = Stage(
    "localisation",
    Phase.CHOSEN,
    works=works,
    count=lambda counted: 2 * counted.comparisons * counted.chooses + mixed_and_named(counted),
    read=lambda level: {"scans": {case.name: case.scans for case in level.cases}},
    tables={
        "runs": Table(
            (
                *nodes.SCANNED, "wording_accuracy", "run", "score", "alpha", "at_smallest_alpha",
                "starts", "starts_at_best", "n_statements", "n_nodes", "precision", "recall",
                "statements", "nodes_high", "nodes_low",
            ),
            run_rows, always=True,
        )
    },
    seconds=lambda trial: trial.time_labellings(do, None),
    # Halves are half as large.
    timed_units=lambda counted, number: (
        mixed_and_named(counted) + (number - mixed_and_named(counted)) / 2
    ),
    disk=disk,
    memory=lambda sizes: sizes.calibration,
)  # fmt: skip

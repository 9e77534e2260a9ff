"""The scan's own score of every place under the labels and their permutations, if it is asked for.

The stage `where` decides at which places a comparison shows.
"""

import functools

import numpy as np

from personascan.calibration.calibrate import Calibration, family_of
from personascan.calibration.family import mean_statistic
from personascan.calibration.null import null_scores
from personascan.calibration.scan_labellings import Labellings, draw_labellings
from personascan.scan.samples import SampleOptions
from personascan.study.place_options import single_tails
from personascan.study.portions import ALL, portion_clusters, sample_inputs, scan_inputs
from personascan.study.rows import StoredRows
from personascan.study.stage import PLACE, Phase, Stage, Table, place_cells
from personascan.study.units import Unit, Work, sha256_of


def work(case, place, tail: str) -> Work:
    rows, pool, options = case.rows(place), case.pool, case.config.localisation(tail)
    chosen, seed = case.chosen(ALL).rows, case.seed
    inputs = rows.inputs(pool.positive_N) | scan_inputs(options, options.statistic_options()) | {
        "part": sha256_of(chosen.tolist()), "seed": seed,
        "permutations": options.permutations, "runs": options.statistic_runs,
    } | sample_inputs(pool)  # fmt: skip
    arguments = (rows, chosen, pool.positive_N, portion_clusters(pool, chosen), options, seed)
    return Work(Unit("null", inputs), do, arguments)


def do(rows: StoredRows, chosen, positive_N, clusters_N, options, seed: int):
    clusters = b"" if clusters_N is None else np.asarray(clusters_N, np.int64).tobytes()
    drawn = labellings(
        positive_N[chosen].tobytes(), clusters, options.samples, options.permutations, seed
    )
    place_ND = rows.array()[chosen]
    scores_TR = null_scores(place_ND, drawn, options.statistic_runs, options.statistic_options())
    return {}, {"scores_TR": scores_TR}


@functools.lru_cache(maxsize=4)
def labellings(
    positive: bytes, clusters: bytes, samples: SampleOptions, permutations: int, seed: int
) -> Labellings:
    """Returns the labellings of a comparison, which a process draws once for all places."""
    clusters_N = np.frombuffer(clusters, np.int64) if clusters else None
    return draw_labellings(np.frombuffer(positive, bool), samples, permutations, seed, clusters_N)


def scores(case, place, tail: str) -> np.ndarray:
    """Returns the scores of every labelling's runs [T + 1, R], from finished units."""
    by_tail = [case.read(work(case, place, t)).arrays["scores_TR"] for t in single_tails(tail)]
    return np.max(by_tail, axis=0)


def calibration(case, tail: str) -> Calibration:
    """Returns the tests of the family of all places by the scan's own score."""
    places, options = case.source.places, case.config.localisation(single_tails(tail)[0])
    statistic = mean_statistic([scores(case, place, tail) for place in places])
    return family_of(
        tuple(places), statistic, options.statistic_options(), options.samples, case.seed
    )


def read(level) -> dict:
    scan = level.config.scan
    if not scan.permutations:
        return {"tails": {}}
    asked = (scan.tail, *scan.tails)
    return {
        "tails": {
            case.name: {tail: calibration(case, tail) for tail in asked} for case in level.cases
        }
    }


def table_rows(part):
    """Yields every place by the scan's own score in each tail; that of the scans is first."""
    for name, tails in part.tails.items():
        for tail, c in tails.items():
            for index, place in enumerate(c.keys):
                yield (
                    *place_cells(place), name, tail, c.score[index], c.z[index], c.p[index],
                    c.p_family[index],
                )  # fmt: skip


STAGE = Stage(
    "null",
    Phase.EVERYWHERE,
    works=lambda level: [
        work(case, place, tail)
        for case in level.cases for place in case.source.places
        for tail in case.config.calibrated_tails
    ],
    count=lambda counted: counted.everywhere * len(counted.config.calibrated_tails),
    read=read,
    tables={
        "tails": Table(
            (*PLACE, "comparison", "tail", "statistic", "z", "p", "p_family"), table_rows
        )
    },
    seconds=lambda trial: trial.time_labellings(do),
    everywhere=True,
    disk=lambda sizes: 8 * sizes.scan_labellings * sizes.counted.config.scan.statistic_runs,
    memory=lambda sizes: sizes.calibration,
)  # fmt: skip

"""Profiles: the share of a line's signal in its last third of layers, from rows scanned alone."""

from dataclasses import asdict

import numpy as np

from personascan.analysis.findings import SIGNIFICANCE
from personascan.analysis.profiles import Profile, last_third
from personascan.places import depths, lines_of
from personascan.study.portions import label_inputs
from personascan.study.stage import Phase, Stage, Table
from personascan.study.stages import detection
from personascan.study.store import read_stored
from personascan.study.units import Unit, Work


def work(case, line: list) -> Work:
    """Returns the unit of a line: the layers of a site at a position."""
    units = [detection.work(case, place).unit for place in line]
    files = [str(case.store.array_path(unit, "score_N")) for unit in units]
    at = list(depths(line, case.source.layers).values())
    resamples, pool = case.config.validation.bootstrap, case.detection_pool
    inputs = {
        "detections": [unit.key for unit in units], "depths": at, "resamples": resamples,
        "seed": case.seed,
    } | label_inputs(case.labels)  # fmt: skip
    arguments = (files, pool.positive_N, pool.clusters, at, resamples, case.seed)
    return Work(Unit("profile", inputs), do, arguments)


def do(files, positive_N, clusters_N, at, resamples: int, seed: int):
    score_PN = np.stack([read_stored(file) for file in files])
    profile = last_third(
        score_PN, positive_N, at, resamples=resamples, seed=seed, clusters_N=clusters_N
    )
    return asdict(profile), {}


def read(level) -> dict:
    """Returns {comparison: {(site, position): Profile}}."""
    return {
        "profiles": {
            case.name: {
                key: Profile(**case.read(work(case, line)).values)
                for key, line in case.lines.items()
            }
            for case in level.cases
        }
    }


def table_rows(part):
    """Yields each line with its furthest place, its best probe and its profile."""
    for name, profiles in part.profiles.items():
        calibration = part.calibrations.get(name)
        for (site, position), line in lines_of(part.places).items():
            probe = np.array([part.separation[name][q].mean["probe_auroc"] for q in line])
            known = not np.isnan(probe).all()
            best = int(np.nanargmax(probe)) if known else 0
            z, passing, furthest = np.nan, "", ""
            if calibration is not None:
                at = {place: i for i, place in enumerate(calibration.keys)}
                numbers = [at[place] for place in line]
                top = int(np.argmax(calibration.z[numbers]))
                z, furthest = calibration.z[numbers][top], line[top].name
                passing = int((calibration.p_family[numbers] <= SIGNIFICANCE).sum())
            p = profiles[site, position]
            yield (
                site, position, name, len(line), passing, furthest, z,
                line[best].name if known else "", probe[best], p.share, p.low, p.high, p.even,
            )  # fmt: skip


def seconds(trial) -> float:
    layers = -(-len(trial.counted.widths) // trial.counted.lines)
    files = [trial.store_array("scores", trial.rng.normal(size=trial.positive_N.size))] * layers
    at, resamples = np.linspace(0, 1, layers).tolist(), trial.config.validation.bootstrap
    return trial.time(do, files, trial.positive_N, None, at, resamples, trial.seed)


STAGE = Stage(
    "profile",
    Phase.CHOSEN,
    works=lambda level: [work(c, line) for c in level.cases for line in c.lines.values()],
    count=lambda counted: counted.comparisons * counted.lines,
    read=read,
    tables={
        "profiles": Table(
            (
                "site", "position", "comparison", "layers", "places_passing", "furthest", "z",
                "best_probe", "probe_auroc", "last_third", "last_third_low", "last_third_high",
                "last_third_even",
            ),
            table_rows, always=True,
        )
    },
    seconds=seconds,
)  # fmt: skip

"""A comparison's rows, all or a half, and what of labels and options decides a unit."""

from dataclasses import asdict

import numpy as np

from personascan.analysis.detection import Labels
from personascan.analysis.localisation import HALVES, LocalisationOptions, in_half
from personascan.scan.options import ScanOptions
from personascan.study.units import sha256_of

ALL = "all"  # all rows of a comparison; the others are its halves A and B
PORTIONS = (ALL, *HALVES)


def portion_rows(pool, portion: str, seed: int) -> np.ndarray:
    """Returns the rows of a pool that belong to a portion."""
    if portion == ALL:
        return np.arange(len(pool.ids))
    return np.flatnonzero(in_half(pool.strata, seed, pool.together) == HALVES.index(portion))


def portion_clusters(pool, chosen) -> np.ndarray | None:
    """The clusters of chosen rows."""
    return None if pool.clusters is None else pool.clusters[chosen]


def portion_options(options: LocalisationOptions, portion: str) -> LocalisationOptions:
    return options if portion == ALL else options.halved()


def portion_seed(portion: str, seed: int) -> int:
    """Halves have seeds of their own; the draw of the halves has the comparison's."""
    return (seed + PORTIONS.index(portion)) % 2**32


def label_inputs(labels: Labels) -> dict:
    """What of the labels decides a result, beside H1 and H0: nothing where there is no more."""
    more = {"clusters": labels.clusters_N, "conditions": labels.conditions_N}
    return {name: sha256_of(array.tolist()) for name, array in more.items() if array is not None}


def pool_inputs(pool) -> dict:
    """The same of a pool."""
    return label_inputs(Labels(pool.positive_N, pool.clusters))


def sample_inputs(pool) -> dict:
    """The same of units that draw samples and labellings, which clusters are dealt out for."""
    how = {} if pool.clusters is None else {"drawn": "rows of exchanged clusters"}
    return pool_inputs(pool) | how


def scan_inputs(options: LocalisationOptions, scan: ScanOptions) -> dict:
    """What of the options decides scores."""
    return {"splits": asdict(options.samples), "options": asdict(scan)}

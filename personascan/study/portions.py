"""Portions of a comparison's rows (all, or a half), and what of them decides a unit."""

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
    """Returns the clusters of chosen rows; None where every row is its own."""
    return None if pool.clusters is None else pool.clusters[chosen]


def portion_options(options: LocalisationOptions, portion: str) -> LocalisationOptions:
    return options if portion == ALL else options.halved()


def portion_seed(portion: str, seed: int) -> int:
    """Returns the seed of a portion: halves have their own, all rows the comparison's."""
    return (seed + PORTIONS.index(portion)) % 2**32


def label_inputs(labels: Labels) -> dict:
    """Returns the clusters and conditions that decide a result; {} of rows without them."""
    more = {"clusters": labels.clusters_N, "conditions": labels.conditions_N}
    return {name: sha256_of(array.tolist()) for name, array in more.items() if array is not None}


def pool_inputs(pool) -> dict:
    """Returns the clusters of a pool, which decide a result; {} of rows without them."""
    return label_inputs(Labels(pool.positive_N, pool.clusters))


def sample_inputs(pool) -> dict:
    """Returns the same for units that draw samples and labellings, which keep clusters whole."""
    how = {} if pool.clusters is None else {"drawn": "rows of exchanged clusters"}
    return pool_inputs(pool) | how


def scan_inputs(options: LocalisationOptions, scan: ScanOptions) -> dict:
    """Returns the options that decide scores."""
    return {"splits": asdict(options.samples), "options": asdict(scan)}

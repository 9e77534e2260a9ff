"""The rows of a part of a comparison, and what of labels and plans decides a unit."""

from dataclasses import asdict

import numpy as np

from personascan.analysis.detection import Labels
from personascan.analysis.localisation import HALVES, LocalisationOptions, in_half
from personascan.hashes import text_sha256
from personascan.scan.options import ScanOptions
from personascan.study.units import canonical

ALL = "all"  # the rows of a part: all of them, or half A or B
PARTS = (ALL, *HALVES)


def part_rows(pool, part: str, seed: int) -> np.ndarray:
    """The rows of a pool that belong to a part: all, or a half."""
    if part == ALL:
        return np.arange(len(pool.ids))
    return np.flatnonzero(in_half(pool.strata, seed, pool.together) == HALVES.index(part))


def part_clusters(pool, chosen) -> np.ndarray | None:
    """The clusters of chosen rows."""
    return None if pool.clusters is None else pool.clusters[chosen]


def part_options(options: LocalisationOptions, part: str) -> LocalisationOptions:
    return options if part == ALL else options.halved()


def part_seed(part: str, seed: int) -> int:
    """Halves have seeds of their own; the draw of the halves has the comparison's."""
    return (seed + PARTS.index(part)) % 2**32


def sha256_of(content) -> str:
    """The hash of what JSON holds."""
    return text_sha256(canonical(content))


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

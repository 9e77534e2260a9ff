"""The findings of a study: one for each comparison, from its calibrations and scans."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import false_discovery_control

from personascan.analysis.localisation import PlaceScan
from personascan.calibration.place_tests import PlaceTests

SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Finding:
    """One comparison: where it shows on all rows, and what the halves confirm of each other."""

    name: str
    place: object  # the one furthest above its own permutations
    z: float
    p_family: float  # over all places
    q: float  # over comparisons (Benjamini and Hochberg 1995), of the smallest family-wise p
    passing: int  # places with family-wise p <= 0.05
    places: int
    judged: list[PlaceScan]  # each half's choice, on the other; empty if nothing was chosen

    @property
    def found(self) -> bool:
        """Whether some place passes 5% over the family."""
        return self.p_family <= SIGNIFICANCE

    @property
    def confirmed(self) -> int:
        """The number of halves whose chosen place passes 5% on the other half."""
        return sum(scan.choice.p_judged <= SIGNIFICANCE for scan in self.judged)


def findings(calibrations: dict[str, PlaceTests], scans: dict[str, list[PlaceScan]]):
    """Returns a Finding for each calibrated comparison."""
    smallest = [c.p_family.min() for c in calibrations.values()]
    q = false_discovery_control(smallest) if smallest else []
    return [
        Finding(
            name=name,
            place=c.keys[c.best],
            z=float(c.z[c.best]),
            p_family=float(c.p_family[c.best]),
            q=float(q_one),
            passing=int((c.p_family <= SIGNIFICANCE).sum()),
            places=len(c.keys),
            judged=[scan for scan in scans[name] if scan.choice],
        )
        for (name, c), q_one in zip(calibrations.items(), q, strict=True)
    ]


def run_means(scans: list[PlaceScan]) -> dict[str, float]:
    """Returns means over scans (AUROC, set) and over all of their runs (precision and others).

    Precision is over the runs that returned something, NaN if none did.
    """
    precision = np.concatenate([s.precision_R for s in scans])
    some = precision[~np.isnan(precision)]
    return {
        "precision": float(some.mean()) if some.size else np.nan,
        "recall": float(np.concatenate([s.recall_R for s in scans]).mean()),
        "auroc": float(np.mean([s.auroc for s in scans])),
        "rows": float(np.mean([s.runs.rows.sum(-1).mean() for s in scans])),
        "nodes": float(np.mean([s.runs.nodes.sum(-1).mean() for s in scans])),
        "set": float(np.mean([s.set_TC[0].sum() for s in scans])),
    }

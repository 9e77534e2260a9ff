"""personascan: where and how a language model encodes a persona."""

from personascan.errors import InputError
from personascan.scan.individual import individual_scan
from personascan.scan.pvalues import empirical_pvalues
from personascan.scan.runs import group_scan, scan_runs
from personascan.scan.splits import SplitPlan, draw_splits

__all__ = [
    "InputError",
    "SplitPlan",
    "draw_splits",
    "empirical_pvalues",
    "group_scan",
    "individual_scan",
    "scan_runs",
]

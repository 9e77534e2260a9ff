"""personascan: where and how a language model encodes a persona."""

from personascan.activations.extract import extract
from personascan.activations.store import Activations
from personascan.errors import InputError
from personascan.models.load import LanguageModel, load_model
from personascan.scan.individual import individual_scan
from personascan.scan.pvalues import empirical_pvalues
from personascan.scan.runs import group_scan, scan_runs
from personascan.scan.splits import SplitPlan, draw_splits
from personascan.statements import Statement, load_statements

__all__ = [
    "Activations",
    "InputError",
    "LanguageModel",
    "SplitPlan",
    "Statement",
    "draw_splits",
    "empirical_pvalues",
    "extract",
    "group_scan",
    "individual_scan",
    "load_model",
    "load_statements",
    "scan_runs",
]

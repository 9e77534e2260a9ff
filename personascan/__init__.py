"""personascan: where and how a language model encodes a persona."""

from personascan.activations.extract import extract
from personascan.activations.store import Activations, read_array, whole_file
from personascan.analysis.deepscan import PublishedRuns, read_deepscan_output
from personascan.errors import InputError
from personascan.models.load import LanguageModel, load_model
from personascan.plan import ExtractionPlan, plan_extraction
from personascan.report.tables import summary_table
from personascan.scan.calibrate import Calibration, calibrate
from personascan.scan.individual import individual_scan
from personascan.scan.pvalues import empirical_pvalues
from personascan.scan.runs import group_scan, scan_runs
from personascan.scan.splits import SplitPlan, draw_splits
from personascan.sharding import device_mesh, parse_mesh
from personascan.statements import Statement, load_statements
from personascan.study import Study, plan_study, run_study
from personascan.study_config import ScanPlan, StudyConfig

__all__ = [
    "Activations",
    "Calibration",
    "ExtractionPlan",
    "InputError",
    "LanguageModel",
    "PublishedRuns",
    "ScanPlan",
    "SplitPlan",
    "Statement",
    "Study",
    "StudyConfig",
    "calibrate",
    "device_mesh",
    "draw_splits",
    "empirical_pvalues",
    "extract",
    "group_scan",
    "individual_scan",
    "load_model",
    "load_statements",
    "parse_mesh",
    "plan_extraction",
    "plan_study",
    "read_array",
    "read_deepscan_output",
    "run_study",
    "scan_runs",
    "summary_table",
    "whole_file",
]

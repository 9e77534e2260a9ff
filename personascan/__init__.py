"""personascan: where and how a language model encodes a persona."""

import importlib

# Where each public name lives; a module is imported when one of its names is first used, so that
# a script can answer a signal before the seconds that all of them take.
HOME = {
    "Activations": "activations.store",
    "Calibration": "calibration.calibrate",
    "ExtractionPlan": "plan",
    "InputError": "errors",
    "LanguageModel": "models.load",
    "Place": "places",
    "PromptOptions": "templates",
    "PublishedRuns": "analysis.deepscan",
    "ScanOptions": "scan.options",
    "ScanPlan": "study_config",
    "SplitPlan": "scan.splits",
    "Statement": "statements",
    "Study": "study",
    "StudyConfig": "study_config",
    "calibrate": "calibration.calibrate",
    "device_mesh": "sharding",
    "draw_splits": "scan.splits",
    "empirical_pvalues": "scan.pvalues",
    "extract": "activations.extract",
    "group_scan": "scan.runs",
    "individual_scan": "scan.individual",
    "load_model": "models.load",
    "load_statements": "statements",
    "parse_mesh": "sharding",
    "plan_extraction": "plan",
    "plan_study": "study",
    "read_array": "activations.store",
    "read_deepscan_output": "analysis.deepscan",
    "run_study": "study",
    "scan_runs": "scan.runs",
    "summary_table": "report.tables",
    "whole_file": "files",
}
__all__ = list(HOME)


def __getattr__(name: str):
    if name in HOME:
        found = getattr(importlib.import_module(f"personascan.{HOME[name]}"), name)
        globals()[name] = found
        return found
    try:
        return importlib.import_module(f"personascan.{name}")
    except ModuleNotFoundError as error:
        raise AttributeError(f"module 'personascan' has no attribute {name!r}") from error


def __dir__() -> list[str]:
    return sorted({*globals(), *HOME})

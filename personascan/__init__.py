"""personascan: where and how a language model encodes a persona."""

import importlib

# Where each public name lives; a module is imported when one of its names is first used, so that
# a script can answer a signal before the seconds that all of them take.
HOME = {
    "Activations": "sources.store",
    "Calibration": "calibration.calibrate",
    "ExtractionPlan": "sources.language.plan",
    "InputError": "errors",
    "LanguageModel": "models.load",
    "Place": "places",
    "PromptOptions": "sources.language.templates",
    "PublishedRuns": "analysis.published",
    "ScanOptions": "scan.options",
    "ScanPlan": "study.config",
    "SplitPlan": "scan.splits",
    "Statement": "sources.language.statements",
    "Study": "study.results",
    "StudyConfig": "study.config",
    "calibrate": "calibration.calibrate",
    "device_mesh": "sharding",
    "draw_splits": "scan.splits",
    "empirical_pvalues": "scan.pvalues",
    "extract": "sources.language.extract",
    "group_scan": "scan.runs",
    "individual_scan": "scan.individual",
    "join": "processes",
    "Located": "calibration.locate",
    "load_model": "models.load",
    "load_statements": "sources.language.statements",
    "locate": "calibration.locate",
    "parse_mesh": "sharding",
    "plan_extraction": "sources.language.plan",
    "read_array": "sources.store",
    "read_deepscan_output": "analysis.published",
    "plan_study": "study.api",
    "recipe": "study.config",
    "run_study": "studies",
    "FORMATS": "report.redraw",
    "compare_studies": "report.redraw",
    "write_report": "report.redraw",
    "scan_runs": "scan.runs",
    "study_status": "study.api",
    "summary_table": "report.summary",
    "whole_file": "files",
    "Direction": "interventions.exchange",
    "Writing": "sources.language.generate",
    "found_direction": "study.steering",
    "generate": "sources.language.generate",
    "node_scan": "scan.node_scan",
    "parse_strengths": "interventions.steering",
    "read_direction": "interventions.exchange",
    "side_by_side": "interventions.steering",
    "steered_texts": "interventions.steering",
    "write_direction": "interventions.steering",
    "write_rows": "sources.arrays",
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

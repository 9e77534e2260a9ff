"""personascan: where and how a language model encodes a persona."""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# Where each public name lives; a module is imported when one of its names is first used, so that
# a script can answer a signal before the seconds that all of them take.
HOME = {
    "Activations": "sources.store",
    "Calibration": "calibration.calibrate",
    "Detection": "analysis.detection",
    "DetectionOptions": "analysis.detection",
    "Direction": "direction",
    "ExtractionPlan": "sources.language.plan",
    "IndividualScan": "scan.result",
    "InputError": "errors",
    "Labels": "analysis.detection",
    "LanguageModel": "sources.language.model",
    "Located": "calibration.locate",
    "NodeScan": "scan.result",
    "Nodes": "calibration.node_tests",
    "Overlap": "analysis.overlaps",
    "PValueRange": "scan.result",
    "Place": "places",
    "PlaceTests": "calibration.place_tests",
    "Prompt": "sources.language.prompts",
    "PromptOptions": "sources.language.templates",
    "PublishedRuns": "analysis.published",
    "Reader": "sources.language.source",
    "RunScans": "scan.result",
    "SampleOptions": "scan.samples",
    "ScanOptions": "scan.options",
    "ScanResult": "scan.result",
    "Separation": "analysis.separation",
    "SeparationOptions": "analysis.separation",
    "SignedNodes": "scan.result",
    "Statement": "sources.language.statements",
    "Study": "study.results",
    "StudyConfig": "study.config",
    "TextRun": "sources.language.text_run",
    "TextRuns": "sources.language.text_run",
    "Validation": "analysis.validation",
    "ValidationOptions": "analysis.validation",
    "Writing": "sources.language.decoding",
    "bag_of_words_accuracy": "analysis.wording",
    "bag_of_words_scores": "analysis.wording",
    "calibrate": "calibration.calibrate",
    "compare_studies": "report.compare",
    "detect": "analysis.detection",
    "device_mesh": "sharding",
    "draw_samples": "scan.samples",
    "empirical_pvalues": "scan.pvalues",
    "exclusive_counts": "analysis.overlaps",
    "extract": "sources.language.extract",
    "found_direction": "study.steering",
    "generate": "interventions.continuations",
    "group_scan": "scan.group_scan",
    "halving_labels": "analysis.chance",
    "halving_sizes": "analysis.chance",
    "in_half": "analysis.localisation",
    "individual_scan": "scan.individual",
    "join": "processes",
    "load_model": "sources.language.model",
    "load_statements": "sources.language.statements",
    "locate": "calibration.locate",
    "node_scan": "scan.node_scan",
    "overlaps": "analysis.overlaps",
    "place_separation": "analysis.separation",
    "plan_extraction": "sources.language.plan",
    "plan_study": "study.api",
    "precision_recall": "analysis.rates",
    "read_deepscan_output": "analysis.published",
    "read_direction": "interventions.direction_files",
    "read_torch": "sources.language.torch_model",
    "recipe": "study.config",
    "run_study": "studies",
    "scan_runs": "scan.runs",
    "sets_of_size": "analysis.chance",
    "sets_under_labels": "calibration.nodes",
    "steered_texts": "interventions.steering",
    "study_status": "study.api",
    "tokenize": "sources.language.prompts",
    "validate": "analysis.validation",
    "write_direction": "interventions.steering",
    "write_report": "report.files",
    "write_rows": "sources.arrays",
}
__all__ = list(HOME)

if TYPE_CHECKING:  # the same for editors and type checkers, which run nothing
    from personascan.analysis.chance import halving_labels as halving_labels
    from personascan.analysis.chance import halving_sizes as halving_sizes
    from personascan.analysis.chance import sets_of_size as sets_of_size
    from personascan.analysis.detection import Detection as Detection
    from personascan.analysis.detection import DetectionOptions as DetectionOptions
    from personascan.analysis.detection import Labels as Labels
    from personascan.analysis.detection import detect as detect
    from personascan.analysis.localisation import in_half as in_half
    from personascan.analysis.overlaps import Overlap as Overlap
    from personascan.analysis.overlaps import exclusive_counts as exclusive_counts
    from personascan.analysis.overlaps import overlaps as overlaps
    from personascan.analysis.published import PublishedRuns as PublishedRuns
    from personascan.analysis.published import read_deepscan_output as read_deepscan_output
    from personascan.analysis.rates import precision_recall as precision_recall
    from personascan.analysis.separation import Separation as Separation
    from personascan.analysis.separation import SeparationOptions as SeparationOptions
    from personascan.analysis.separation import place_separation as place_separation
    from personascan.analysis.validation import Validation as Validation
    from personascan.analysis.validation import ValidationOptions as ValidationOptions
    from personascan.analysis.validation import validate as validate
    from personascan.analysis.wording import bag_of_words_accuracy as bag_of_words_accuracy
    from personascan.analysis.wording import bag_of_words_scores as bag_of_words_scores
    from personascan.calibration.calibrate import Calibration as Calibration
    from personascan.calibration.calibrate import calibrate as calibrate
    from personascan.calibration.locate import Located as Located
    from personascan.calibration.locate import locate as locate
    from personascan.calibration.node_tests import Nodes as Nodes
    from personascan.calibration.nodes import sets_under_labels as sets_under_labels
    from personascan.calibration.place_tests import PlaceTests as PlaceTests
    from personascan.direction import Direction as Direction
    from personascan.errors import InputError as InputError
    from personascan.interventions.continuations import generate as generate
    from personascan.interventions.direction_files import read_direction as read_direction
    from personascan.interventions.steering import steered_texts as steered_texts
    from personascan.interventions.steering import write_direction as write_direction
    from personascan.places import Place as Place
    from personascan.processes import join as join
    from personascan.report.compare import compare_studies as compare_studies
    from personascan.report.files import write_report as write_report
    from personascan.scan.group_scan import group_scan as group_scan
    from personascan.scan.individual import individual_scan as individual_scan
    from personascan.scan.node_scan import node_scan as node_scan
    from personascan.scan.options import ScanOptions as ScanOptions
    from personascan.scan.pvalues import empirical_pvalues as empirical_pvalues
    from personascan.scan.result import IndividualScan as IndividualScan
    from personascan.scan.result import NodeScan as NodeScan
    from personascan.scan.result import PValueRange as PValueRange
    from personascan.scan.result import RunScans as RunScans
    from personascan.scan.result import ScanResult as ScanResult
    from personascan.scan.result import SignedNodes as SignedNodes
    from personascan.scan.runs import scan_runs as scan_runs
    from personascan.scan.samples import SampleOptions as SampleOptions
    from personascan.scan.samples import draw_samples as draw_samples
    from personascan.sharding import device_mesh as device_mesh
    from personascan.sources.arrays import write_rows as write_rows
    from personascan.sources.language.decoding import Writing as Writing
    from personascan.sources.language.extract import extract as extract
    from personascan.sources.language.model import LanguageModel as LanguageModel
    from personascan.sources.language.model import load_model as load_model
    from personascan.sources.language.plan import ExtractionPlan as ExtractionPlan
    from personascan.sources.language.plan import plan_extraction as plan_extraction
    from personascan.sources.language.prompts import Prompt as Prompt
    from personascan.sources.language.prompts import tokenize as tokenize
    from personascan.sources.language.source import Reader as Reader
    from personascan.sources.language.statements import Statement as Statement
    from personascan.sources.language.statements import load_statements as load_statements
    from personascan.sources.language.templates import PromptOptions as PromptOptions
    from personascan.sources.language.text_run import TextRun as TextRun
    from personascan.sources.language.text_run import TextRuns as TextRuns
    from personascan.sources.language.torch_model import read_torch as read_torch
    from personascan.sources.store import Activations as Activations
    from personascan.studies import run_study as run_study
    from personascan.study.api import plan_study as plan_study
    from personascan.study.api import study_status as study_status
    from personascan.study.config import StudyConfig as StudyConfig
    from personascan.study.config import recipe as recipe
    from personascan.study.results import Study as Study
    from personascan.study.steering import found_direction as found_direction
else:  # hidden from them: to them every name that is not above is a mistake

    def __getattr__(name: str):
        if name not in HOME:
            raise AttributeError(f"module 'personascan' has no attribute {name!r}")
        # A dependency that is missing is an error of its own, which says so.
        value = getattr(importlib.import_module(f"personascan.{HOME[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*HOME, *(name for name in globals() if name.startswith("__"))})

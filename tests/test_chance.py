"""Figures of a page that stand beside what chance gives."""

from types import SimpleNamespace

import numpy as np
import pytest

from personascan.analysis.localisation import LocalisationOptions, PlaceScan
from personascan.report.sections.nodes import precision_of_all
from personascan.report.words import larger_side, wording_cell, wording_tells
from personascan.scan.options import ScanOptions
from personascan.scan.samples import SampleOptions
from personascan.study.results import Part


def part_of(accuracy, h1, h0):
    part = SimpleNamespace(wording={"p": (accuracy, 0.0)}, pool_sizes={"p": (h1, h0)})
    part.larger_share = lambda name: Part.larger_share(part, name)
    return part


@pytest.mark.parametrize(
    ("accuracy", "sizes", "tells"),
    [
        (0.7, (50, 50), True),
        (0.69, (50, 50), False),
        (0.79, (120, 30), False),  # always the larger side: 0.8
        (0.87, (30, 120), False),
        (0.89, (120, 30), True),
        (np.nan, (50, 50), False),
    ],
)
def test_wording_is_a_reason_where_it_tells_more_than_the_larger_side(accuracy, sizes, tells):
    assert wording_tells(part_of(accuracy, *sizes), "p") == tells


def test_an_accuracy_stands_beside_that_of_the_larger_side():
    assert wording_cell(part_of(0.85, 120, 30), "p", ".2f") == "0.85 (larger side 0.80)"
    assert larger_side(part_of(0.85, 120, 30), ["p"]) == " (always the larger side: 80%)"
    assert wording_cell(part_of(0.85, 40, 40), "p", ".0%") == "85%"
    assert larger_side(part_of(0.85, 40, 40), ["p"]) == ""


def scan_with(samples):
    """Runs of no row and one node."""
    none = np.zeros((1, 1))
    return PlaceScan("x", np.arange(0), None, none, none, 0.5, none, none, none, none, 1, samples)


def test_returning_every_row_is_as_precise_as_the_samples_of_the_runs():
    """Halves have samples of half the size, rounded down, and mixtures other shares of H1."""
    options = LocalisationOptions(SampleOptions(20, 20, 5, 3), ScanOptions(), 0, 2, 0.1, 0.5)
    whole, half = (scan_with(o.samples) for o in (options, options.halved()))
    assert (whole.chance, half.chance) == (5 / 25, 2 / 12)
    assert precision_of_all(SimpleNamespace(scans={"p": [whole], "q": [whole]})) == "precision 0.20"
    several = SimpleNamespace(scans={"p": [whole, half]})
    assert (
        precision_of_all(several) == "precision 0.17 and 0.20, by the samples of the line (of all)"
    )

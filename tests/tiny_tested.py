"""Node sets as if they had been tested, for the tests."""

import numpy as np
from scipy.stats import binom

from personascan.interventions.design import (
    FOUND,
    STEER,
    ablation,
)
from personascan.interventions.edits import UNEDITED, NamedEdit
from personascan.interventions.options import MATCHED, RANDOM, InterventionOptions
from personascan.places import Place
from personascan.study import node_sets

MEAN = ablation("mean")
PLACE = Place("resid_post", 3, "last")
OPTIONS = InterventionOptions(controls=4, bootstrap=50, strengths=(-2.0, 2.0))
PROBLEMS = 2000


def sides(rows):
    """So many of H1, then as many of H0."""
    return np.arange(2 * rows) < rows


def judged_set(
    edits, margin, positive, *, likelihood=None, clusters=None, name="a", half="A", owners=()
):
    margin = np.asarray(margin, float)
    likelihood = np.full(margin.shape, np.nan) if likelihood is None else likelihood
    side = np.where([edit.number == edit.draw == 0 for edit in edits], 0.5, np.nan)
    return node_sets.EditOutcomes(
        name, PLACE, half, 4, list(edits), positive, clusters, margin, likelihood,
        0.0 + side, 10.0 + side, owners,
    )  # fmt: skip


def beside_controls(controls, action=MEAN, strength=np.nan, kinds=(RANDOM,)):
    """The unedited model, the found set, and so many of each kind of control."""
    return [
        UNEDITED,
        NamedEdit(FOUND, action, strength),
        *(NamedEdit(kind, action, strength, number=k) for kind in kinds for k in range(controls)),
    ]


def likely(count, share, problems=PROBLEMS):
    low, high = binom.ppf([0.0005, 0.9995], problems, share)
    return low <= count <= high


POSITIVE = np.array([True, True, False, False])
UNEDITED_MARGIN = [1.0, -1.0, 1.0, -3.0]  # matches in the first and the last


def small(**more):
    edits = [
        UNEDITED,
        NamedEdit(FOUND, MEAN),
        NamedEdit(FOUND, ablation("patch"), draw=0),
        NamedEdit(FOUND, ablation("patch"), draw=1),
        NamedEdit(RANDOM, MEAN, number=0),
        NamedEdit(RANDOM, MEAN, number=1),
        NamedEdit(RANDOM, MEAN, number=2),
        NamedEdit(MATCHED, MEAN, number=0),
    ]
    margin = [
        UNEDITED_MARGIN,
        [3.0, 1.0, -1.0, -1.0],
        [2.0, -1.0, 1.0, -3.0],
        [4.0, 3.0, -1.0, -3.0],
        [1.0, -1.0, 1.0, -3.0],
        [3.0, -1.0, 1.0, -3.0],
        [1.0, -1.0, 1.0, 5.0],
        [9.0, 9.0, -9.0, -9.0],
    ]
    return judged_set(edits, margin, POSITIVE, **more)


def effect_of(found, method, action, outcome):
    (one,) = (e for e in found if (e.method, e.action, e.outcome) == (method, action, outcome))
    return one


def empty(**more):
    return judged_set([], np.empty((0, 0)), POSITIVE, **more)


def crossed_set(name="b", half="B"):
    edits = [UNEDITED, NamedEdit("a", MEAN), NamedEdit("a", STEER, 2.0), NamedEdit("b", MEAN)]
    margin = [UNEDITED_MARGIN, [2.0, 0, 1, -3], [1.0, -1, 1, -3], [1.0, -1, 3, -3]]
    return judged_set(edits, margin, POSITIVE, name=name, half=half, owners=("", "a", "a", "b"))

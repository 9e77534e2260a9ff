"""How well the personas of a topic can be told from one another at a place.

The second question of the code published with arXiv 2505.24539 (not in the paper): extremely
randomised trees on the activations, judged on held-out rows.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import accuracy_score, precision_recall_fscore_support
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from personascan.analysis.scale import rescale
from personascan.errors import InputError


@dataclass(frozen=True)
class PersonaSeparation:
    """Results of a place on held-out rows, means over folds.

    Precision and F1 are averages over personas, weighted by their rows.
    """

    precision: float
    f1: float
    accuracy: float
    chance: float  # accuracy of always guessing the persona with the most rows


def persona_separation(
    place_ND, persona_N, seed: int, folds: int = 10, trees: int = 20, *, clusters_N=None
) -> PersonaSeparation:
    """Measures how well trees tell the persona of a row from its activations.

    The folds are stratified and shuffled. A persona that is predicted for no row of a fold has a
    precision of 0 there.

    Args:
      place_ND: activations of one place.
      persona_N: the persona of each row: names or numbers.
      seed: of the folds and of the trees.
      clusters_N: rows of one cluster are held out together; None: every row is its own.

    Raises:
      InputError: fewer than two personas, a persona with fewer rows (or clusters) than folds, or
        another number of labels than of rows.
    """
    place_ND, persona_N = np.asarray(place_ND), np.asarray(persona_N)
    if persona_N.shape != place_ND.shape[:1]:
        raise InputError(f"{len(place_ND)} rows need as many personas, not {persona_N.shape}")
    personas, number_N = np.unique(persona_N, return_inverse=True)
    unit_N = np.arange(len(persona_N)) if clusters_N is None else np.asarray(clusters_N)
    sizes = np.array([np.unique(unit_N[persona_N == persona]).size for persona in personas])
    what = "rows" if clusters_N is None else "entities"
    if len(personas) < 2:
        raise InputError("one persona cannot be told from others; give rows of two or more")
    if sizes.min() < folds:
        raise InputError(
            f"persona {personas[sizes.argmin()]} has {sizes.min()} {what}, fewer than the {folds} "
            "folds; add rows or leave it out"
        )
    kind = StratifiedKFold if clusters_N is None else StratifiedGroupKFold
    split = kind(folds, shuffle=True, random_state=seed)
    metrics, chance = [], []
    for fold, (train, held) in enumerate(split.split(number_N, number_N, clusters_N)):
        classifier = ExtraTreesClassifier(trees, random_state=seed + fold, n_jobs=1)
        train_ND, held_ND = rescale(place_ND[train], place_ND[held], by_node=True)
        predicted = classifier.fit(train_ND, number_N[train]).predict(held_ND)
        truth = number_N[held]
        precision, _, f1, _ = precision_recall_fscore_support(
            truth, predicted, average="weighted", zero_division=0
        )
        metrics.append((precision, f1, accuracy_score(truth, predicted)))
        chance.append(np.mean(truth == np.bincount(number_N[train]).argmax()))
    return PersonaSeparation(*map(float, np.mean(metrics, 0)), float(np.mean(chance)))

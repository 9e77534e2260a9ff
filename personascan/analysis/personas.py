"""How well the personas of a topic are told from one another at a place.

The second question of the code published with arXiv 2505.24539 (not in the paper): extremely
randomised trees on the activations, judged on held-out rows.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import accuracy_score, precision_recall_fscore_support
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from personascan.analysis.scale import in_units
from personascan.errors import InputError


@dataclass(frozen=True)
class PersonaSeparation:
    """One place: means over the folds, of held-out rows. Precision and F1 are of each persona,
    weighted by its rows.
    """

    precision: float
    f1: float
    accuracy: float
    chance: float  # accuracy of always guessing the persona with the most rows


def persona_separation(
    place_ND, persona_N, seed: int, folds: int = 10, trees: int = 20, *, clusters_N=None
) -> PersonaSeparation:
    """How well trees tell the persona of a row from its activations.

    The folds are stratified and shuffled. A persona that no row of a fold is given to has a
    precision of 0 there.

    Args:
      place_ND: activations of one place.
      persona_N: the persona of each row: names or numbers.
      seed: of the folds and of the trees.
      clusters_N: rows of one cluster are held out together; None: every row is its own.

    Raises:
      InputError: fewer than two personas, a persona with fewer rows (or clusters) than folds, or
        labels that do not agree with the rows.
    """
    place_ND, persona_N = np.asarray(place_ND), np.asarray(persona_N)
    if persona_N.shape != place_ND.shape[:1]:
        raise InputError(f"{len(place_ND)} rows need as many personas, not {persona_N.shape}")
    personas, number_N = np.unique(persona_N, return_inverse=True)
    unit_N = np.arange(len(persona_N)) if clusters_N is None else np.asarray(clusters_N)
    sizes = np.array([np.unique(unit_N[persona_N == persona]).size for persona in personas])
    what = "rows" if clusters_N is None else "entities"
    if len(personas) < 2:
        raise InputError("personas are told from one another: give rows of two or more")
    if sizes.min() < folds:
        raise InputError(
            f"persona {personas[sizes.argmin()]} has {sizes.min()} {what}, fewer than the {folds} "
            "folds; add rows or leave it out"
        )
    kind = StratifiedKFold if clusters_N is None else StratifiedGroupKFold
    split = kind(folds, shuffle=True, random_state=seed)
    found, chance = [], []
    for fold, (train, held) in enumerate(split.split(number_N, number_N, clusters_N)):
        classifier = ExtraTreesClassifier(trees, random_state=seed + fold, n_jobs=1)
        train_ND, held_ND = in_units(place_ND[train], place_ND[held], by_node=True)
        guess = classifier.fit(train_ND, number_N[train]).predict(held_ND)
        truth = number_N[held]
        precision, _, f1, _ = precision_recall_fscore_support(
            truth, guess, average="weighted", zero_division=0
        )
        found.append((precision, f1, accuracy_score(truth, guess)))
        chance.append(np.mean(truth == np.bincount(number_N[train]).argmax()))
    return PersonaSeparation(*map(float, np.mean(found, 0)), float(np.mean(chance)))

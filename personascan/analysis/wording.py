"""How well the wording of statements alone tells their direction."""

import re
from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    RepeatedStratifiedKFold,
    StratifiedGroupKFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline

from personascan.analysis.claims import sizes
from personascan.array_like import ArrayLike
from personascan.errors import InputError
from personascan.row_labels import RowLabels, clusters_by_rows, sides_of


def bag_of_words_accuracy(
    texts: Sequence[str],
    positive_N: RowLabels,
    *,
    seed: int,
    folds: int = 5,
    repeats: int = 5,
    clusters_N: ArrayLike | None = None,
) -> tuple[float, float]:
    """Measures the held-out accuracy of logistic regression on the word counts of N texts.

    Args:
      texts: statements of both directions.
      positive_N: bool, True where a text belongs to H1; or the statements themselves, whose
        entities are then the clusters.
      seed: of the folds.
      folds: fewer where a direction has fewer texts.
      repeats: of the cross-validation, each with folds of its own.
      clusters_N: texts of one cluster are held out together; None: every text is its own.

    Returns:
      Mean accuracy, and its deviation over repeats.

    Raises:
      InputError: fewer than two texts (or clusters) of a direction, texts without a word.
    """
    clusters_N = clusters_by_rows(positive_N, clusters_N)
    label_N = np.asarray(sides_of(positive_N))
    folds = min(folds, *sizes(label_N, clusters_N))
    if folds < 2 or not any(re.search(r"\w\w", text) for text in texts):
        each = "statements" if clusters_N is None else "entities"
        raise InputError(f"word counts need two {each} a direction and at least one word")
    classifier = make_pipeline(CountVectorizer(), LogisticRegression(max_iter=2000))
    if clusters_N is None:
        split = RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=seed)
    else:
        split = [
            fold
            for repeat in range(repeats)
            for fold in StratifiedGroupKFold(
                folds, shuffle=True, random_state=(seed + repeat) % 2**32
            ).split(label_N, label_N, clusters_N)
        ]
    scores = cross_val_score(classifier, texts, label_N, cv=split)
    by_repeat = scores.reshape(repeats, folds).mean(1)
    return float(by_repeat.mean()), float(by_repeat.std())


def held_out_word_scores(texts: list[str], positive_N, fold_N) -> np.ndarray:
    """Scores texts by counts of words and word pairs, fitted to all folds but their own: [N].

    The scores of a fold are 0 if the other texts contain no word at all.
    """
    score_N, label_N = np.zeros(len(texts)), np.asarray(positive_N)
    for number in np.unique(fold_N):
        held = fold_N == number
        train = [text for text, out in zip(texts, held, strict=True) if not out]
        if not any(re.search(r"\w\w", text) for text in train):
            continue
        counts = CountVectorizer(ngram_range=(1, 2))
        classifier = make_pipeline(counts, LogisticRegression(max_iter=2000))
        classifier.fit(train, label_N[~held])
        score_N[held] = classifier.decision_function(
            [text for text, out in zip(texts, held, strict=True) if out]
        )
    return score_N


def bag_of_words_scores(
    find_texts: Sequence[str], find_N: RowLabels, judge_texts: Sequence[str]
) -> np.ndarray:
    """Scores texts by logistic regression on the word counts of others: log odds of H1 [N].

    Args:
      find_texts: the texts that the regression is fitted to.
      find_N: bool, True where one of these belongs to H1; or the statements themselves.
      judge_texts: the N texts that are scored.

    Raises:
      InputError: `find_texts` of one direction only, or without a word.
    """
    find_N = np.asarray(sides_of(find_N))
    if len(np.unique(find_N)) < 2 or not any(re.search(r"\w\w", text) for text in find_texts):
        raise InputError("word counts need texts of both directions and at least one word")
    classifier = make_pipeline(CountVectorizer(), LogisticRegression(max_iter=2000))
    return classifier.fit(find_texts, find_N).decision_function(judge_texts)

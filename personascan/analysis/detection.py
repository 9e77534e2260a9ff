"""How well rows are told apart: precision and recall of a scan, and what wording gives away."""

import re

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from personascan.errors import InputError


def precision_recall(returned_RN, evaluation_RN, positive_N) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall [R] of the returned rows with respect to H1.

    returned_RN, evaluation_RN: bool masks over the pool; positive_N: True where a row is from H1.
    Recall is over the positives of the run. An empty subset has precision NaN and recall 0.
    """
    hits_R = (returned_RN & positive_N).sum(1).astype(float)
    returned_R, positives_R = returned_RN.sum(1), (evaluation_RN & positive_N).sum(1)
    precision_R = np.divide(
        hits_R, returned_R, out=np.full(len(hits_R), np.nan), where=returned_R > 0
    )
    return precision_R, hits_R / positives_R


def bag_of_words_accuracy(texts: list[str], positive_N, *, seed: int, folds=5, repeats=5):
    """Held-out accuracy (mean, deviation over repeats) of logistic regression on word counts."""
    label_N = np.asarray(positive_N)
    folds = min(folds, int(label_N.sum()), int((~label_N).sum()))
    if folds < 2 or not any(re.search(r"\w\w", text) for text in texts):
        raise InputError("word counts need two statements a direction and at least one word")
    classifier = make_pipeline(CountVectorizer(), LogisticRegression(max_iter=2000))
    split = RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=seed)
    scores = cross_val_score(classifier, texts, label_N, cv=split)
    by_repeat = scores.reshape(repeats, folds).mean(1)
    return float(by_repeat.mean()), float(by_repeat.std())

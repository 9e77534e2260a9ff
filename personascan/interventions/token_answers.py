"""The logits that a direction of labelled rows adds to every token, beside directions of chance.

A logit is less the mean of all tokens, which no probability depends on. Tokens are ordered by z:
the logit that the direction adds, in deviations of those that random directions as long add to the
same token. By logits alone the first are tokens that answer to every direction, such as ones that
training has hardly seen.

Letters: N rows, D nodes, T directions, V tokens.
"""

import numpy as np

from personascan.models.load import LanguageModel
from personascan.models.unembedding import logit_changes, stream_lengths
from personascan.places import STREAM
from personascan.sources.language.extract import plan_reading, run_batches
from personascan.sources.language.templates import PromptOptions

CHANCE = ("random", "shuffled")
ENDS = ("promoted", "suppressed")


def vectors_of(place_ND, positive_N, contrasts_NT, draws: int, seed: int) -> dict | None:
    """Returns vectors by kind, each as long as a deviation of H0 along the direction of H1.

    "own" is the mean of H1 less that of H0 (within groups whose labels are exchanged), "shuffled"
    the same of permuted labels; "random", and others for the spread of each token, are drawn
    uniformly from all directions. None where no node varies.

    Args:
      contrasts_NT: labels less their mean (within groups), the true ones first and then permuted
        ones (`LabelContrasts`).
    """
    centred_ND = np.asarray(place_ND, np.float64) - np.mean(place_ND, axis=0, dtype=np.float64)
    direction_TD = contrasts_NT.T.astype(np.float64) @ centred_ND
    random_TD = np.random.default_rng(seed).normal(size=(2 * draws, centred_ND.shape[1]))
    own_1D = unit(direction_TD[:1])
    deviation = (centred_ND[~positive_N] @ own_1D[0]).std()
    if deviation == 0 or not np.ptp(place_ND, axis=0).any():
        return None
    vectors = {
        "own": own_1D, "shuffled": unit(direction_TD[1:]), "random": unit(random_TD[:draws]),
        "spread": unit(random_TD[draws:]),
    }  # fmt: skip
    return {kind: deviation * vector_TD for kind, vector_TD in vectors.items()}


def unit(vector_TD) -> np.ndarray:
    """Returns vectors at length 1; those without length stay 0."""
    length_T1 = np.linalg.norm(vector_TD, axis=1, keepdims=True)
    return vector_TD / np.where(length_T1 > 0, length_T1, 1)


def token_answers(model: LanguageModel, vectors: dict) -> tuple[np.ndarray, np.ndarray, dict]:
    """Returns the logits [V] that "own" adds, their z [V], and the furthest z of chance by end."""
    known = min(len(model.tokenizer), model.config.vocab_size)  # rows behind these have no text

    def changes(kind: str):
        for change_TV in logit_changes(model, vectors[kind]):
            change_TV = change_TV[:, :known]
            yield change_TV - change_TV.mean(1, keepdims=True)

    spread_V = np.sqrt(sum((c**2).sum(0) for c in changes("spread")) / len(vectors["spread"]))
    spread_V = np.where(spread_V > 0, spread_V, np.inf)  # a token without an unembedding
    (logits_V,) = np.concatenate(list(changes("own")))
    arrays = {}
    for kind in CHANCE:
        ends = [(z.max(1), -z.min(1)) for z in (c / spread_V for c in changes(kind))]
        for end, furthest in zip(ENDS, zip(*ends, strict=True), strict=True):
            arrays[f"{kind}_{end}_T"] = np.concatenate(furthest)
    return logits_V, logits_V / spread_V, arrays


def mean_length(
    model: LanguageModel, statements, position, *, options: PromptOptions, batch_tokens: int
) -> float:
    """Returns what the final norm divides the last block's stream by (harmonic mean of rows).

    It is read at the place's position; behind the token that a mean ends with, where it is one.
    """
    single = {"mean": "last", "mean_statement": "last_statement"}.get(position, position)
    reading = plan_reading(model, statements, (STREAM,), (single,), options, batch_tokens)
    lengths = [
        stream_lengths(model.config, block_LND[-1])
        for _, blocks in run_batches(model, reading)
        for *_, block_LND in blocks
    ]
    return float(1 / np.mean(1 / np.concatenate(lengths)))

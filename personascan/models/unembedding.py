"""What a vector in the residual stream adds to the logits, read straight through the unembedding.

With a vector v, the gain g of the final norm, the length r of the stream that enters it (its root
mean square; of a layer norm, its deviation), the unembedding U and the logit scale s, the logits
change by

    s U' (g * (v - mean(v)) / r)

to first order, were r to stay as it is; an RMS norm subtracts no mean. Layers between the vector
and the final norm are left out, and so is a soft cap, which keeps the order of the logits.
"""

import dataclasses

import jax.numpy as jnp
import numpy as np

from personascan.errors import InputError
from personascan.models.config import DecoderConfig
from personascan.models.load import LanguageModel

# Sites whose vectors are in the residual stream's own coordinates.
BEFORE_NORM = ("resid_pre", "attn_out", "mlp_out", "resid_post")
BEHIND_NORM = ("final_norm",)
AT_ONCE = 16  # vectors whose logits are in memory


def stream_lengths(config: DecoderConfig, stream_ND) -> np.ndarray:
    """Returns what the final norm divides each row [N, D] of the stream by: [N]."""
    rows_ND = np.asarray(stream_ND, np.float64)
    if config.norm == "layer":
        rows_ND = rows_ND - rows_ND.mean(1, keepdims=True)
    return np.sqrt((rows_ND**2).mean(1) + config.norm_eps)


def through_final_norm(model: LanguageModel, vectors_ND, length: float) -> np.ndarray:
    """Returns vectors of the stream as the final norm passes them on, its length held: [N, D]."""
    config, vectors_ND = model.config, np.asarray(vectors_ND, np.float64)
    if not config.final_norm:
        return vectors_ND
    if config.norm == "layer":
        vectors_ND = vectors_ND - vectors_ND.mean(1, keepdims=True)
    return vectors_ND / length * np.asarray(model.params["final_norm"], np.float64)


def logit_changes(model: LanguageModel, vectors_ND):
    """Yields the logits [n, V] that normed vectors [N, D] add, some vectors at a time.

    Raises InputError for a model without logits.
    """
    if not (model.config.causal and model.config.has_head):
        raise InputError("the model has no unembedding, and so writes no tokens")
    decoder = model.decoder()
    linear = decoder.clone(config=dataclasses.replace(model.config, logit_softcap=0.0))

    def logits(rows_ND):
        given = {"params": model.params}
        return np.asarray(linear.apply(given, jnp.asarray(rows_ND), method="logits"), np.float64)

    vectors_ND = np.asarray(vectors_ND, np.float32)
    bias_1V = logits(np.zeros_like(vectors_ND[:1]))  # 0 but for an unembedding with a bias
    for first in range(0, len(vectors_ND), AT_ONCE):
        yield logits(vectors_ND[first : first + AT_ONCE]) - bias_1V

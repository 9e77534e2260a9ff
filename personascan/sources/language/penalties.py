"""A checkpoint's repetition penalty on the tokens that it writes, as Transformers applies it.

It is in generation_config.json, or in older folders in config.json. Further rules there are not
applied, and a notice names them. How tokens are drawn is the user's choice, not the checkpoint's.
"""

import sys

import jax.numpy as jnp
import numpy as np

from personascan.errors import InputError
from personascan.models.load import LanguageModel
from personascan.reading import is_file, read_json
from personascan.visible import visible

PENALTY = "repetition_penalty"
# Rules that change even the likeliest text: {rule: the value without effect}.
RULES = {
    "bad_words_ids": None, "begin_suppress_tokens": None, "constraints": None, "dola_layers": None,
    "encoder_no_repeat_ngram_size": 0, "encoder_repetition_penalty": 1, "num_beams": 1,
    "exponential_decay_length_penalty": None, "force_words_ids": None, "forced_bos_token_id": None,
    "forced_eos_token_id": None, "guidance_scale": 1, "min_length": 0, "min_new_tokens": 0,
    "no_repeat_ngram_size": 0, "penalty_alpha": 0, "sequence_bias": None, "stop_strings": None,
    "suppress_tokens": None, "watermarking_config": None,
}  # fmt: skip


def repetition_penalty(model: LanguageModel) -> float:
    """Returns the checkpoint's penalty, 1 if it has none; prints which rules are not applied.

    Raises InputError for a penalty that is no number above 0.
    """
    files = (model.path / name for name in ("generation_config.json", "config.json"))
    path = next((file for file in files if is_file(file)), None)
    if path is None:  # a GGUF file
        return 1.0
    asked = read_json(path)
    left_out = [
        f"{rule} = {asked[rule]!r}"
        for rule, none in RULES.items()
        if asked.get(rule) not in (none, None, [], {})
    ]
    if left_out:
        print(
            f"note: {visible(path)} asks for {visible(', '.join(left_out))}, which is not applied "
            "to what the model writes",
            file=sys.stderr,
        )
    penalty = 1.0 if asked.get(PENALTY) is None else asked[PENALTY]
    if (
        isinstance(penalty, bool)
        or not isinstance(penalty, int | float)
        or not 0 < penalty < np.inf
    ):
        raise InputError(f"{path}: {PENALTY} = {penalty!r}; use a number above 0")
    return float(penalty)


def tokens_seen(tokens_BT, lengths_B, vocab_size: int):
    """Returns which tokens of the vocabulary are in each row: [B, V] bool."""
    real_BT = jnp.arange(tokens_BT.shape[1])[None] < lengths_B[:, None]
    row_B1 = jnp.arange(len(tokens_BT))[:, None]
    return jnp.zeros((len(tokens_BT), vocab_size), bool).at[row_B1, tokens_BT].max(real_BT)


def penalise(logits_BV, seen_BV, penalty):
    """Lowers the logits of tokens that have been seen (Keskar et al. 2019, section 4.1)."""
    lower_BV = jnp.where(logits_BV < 0, logits_BV * penalty, logits_BV / penalty)
    return jnp.where(seen_BV, lower_BV, logits_BV)

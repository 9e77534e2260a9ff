"""The likelihood of statements under a model: one number each, a baseline without activations."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from personascan.errors import InputError
from personascan.models.load import LanguageModel
from personascan.models.tap import Kept
from personascan.sources.language.extract import explain_memory_errors, plan_reading
from personascan.sources.language.statements import Statement
from personascan.sources.language.templates import PromptOptions


def log_likelihoods(
    model: LanguageModel, statements: list[Statement], options: PromptOptions, batch_tokens: int
) -> np.ndarray:
    """Returns the mean log probability of each statement's own tokens, given those before: [N].

    The unit is nats a token. The first token of a prompt, which has none before it, is left out.

    Raises:
      InputError: as `extract`; a model without an unembedding; a statement of a single token with
        nothing before it, or whose likelihood is NaN or infinite.
    """
    if not model.config.has_head:
        raise InputError(f"{model.source} has no lm_head, and so no likelihood of statements")
    reading = plan_reading(model, statements, ("final_norm",), ("last",), options, batch_tokens)
    likelihood_N = np.empty(len(statements))
    decoder = model.decoder()
    with explain_memory_errors(reading.batches):
        for batch in reading.batches:
            token_BT = np.asarray(
                next_token_log_probabilities(
                    model.params, batch.tokens_BT, batch.lengths_B, decoder=decoder
                ),
                float,
            )
            for row, number in enumerate(batch.rows[: batch.real]):
                prompt = reading.prompts[number]
                own = token_BT[row, max(prompt.first - 1, 0) : prompt.last]
                if not own.size:
                    raise InputError(
                        f"statement {statements[number].id} is a single token with nothing "
                        "before it, and so has no likelihood; leave it out"
                    )
                if not np.isfinite(own).all():
                    raise InputError(
                        f"the likelihood of statement {statements[number].id} is not finite; "
                        "use dtype float32 or another checkpoint"
                    )
                likelihood_N[number] = own.mean()
    return likelihood_N


@functools.partial(jax.jit, static_argnames="decoder")
def next_token_log_probabilities(params, tokens_BT, lengths_B, *, decoder):
    """Returns log probabilities of tokens given those before them: [B, T - 1] float32.

    Rows are done one by one: the logits of a whole batch would be larger than the model.
    """
    kept = Kept(jnp.zeros((len(tokens_BT), 1), jnp.int32))
    variables = {"params": params}
    hidden_BTD = decoder.apply(variables, tokens_BT, kept, lengths_B=lengths_B)

    def row_log_probabilities(row):
        hidden_TD, tokens_T = row
        logits_TV = decoder.apply(variables, hidden_TD[None, :-1], method="logits")[0]
        log_TV = jax.nn.log_softmax(logits_TV, axis=-1)
        return jnp.take_along_axis(log_TV, tokens_T[1:, None], axis=-1)[:, 0]

    return jax.lax.map(row_log_probabilities, (hidden_BTD, jnp.asarray(tokens_BT)))

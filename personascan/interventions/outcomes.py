"""What is measured of an edited model: answers, likelihoods, and side effects on other text.

Each outcome is a frozen record with one function over compiled rows: texts under several edits.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp


class Rows(NamedTuple):
    """X rows of T tokens: edit by edit, and under each edit the same texts."""

    hidden_XTD: jax.Array  # the normed stream
    tokens_XT: jax.Array
    lengths_X: jax.Array
    own_XT: jax.Array  # bool: the tokens whose likelihood counts
    texts: int


@dataclass(frozen=True)
class Margin:
    """The logit of one token less that of another, after the last token: [X]."""

    yes: int
    no: int
    needs_unedited: ClassVar[bool] = False

    def __call__(self, decoder, variables, rows: Rows):
        last_X11 = rows.lengths_X[:, None, None] - 1
        last_X1D = jnp.take_along_axis(rows.hidden_XTD, last_X11, axis=1)
        logits_XV = decoder.apply(variables, last_X1D, method="logits")[:, 0]
        return logits_XV[:, self.yes] - logits_XV[:, self.no]


@dataclass(frozen=True)
class Likelihood:
    """The mean log probability of a text's own tokens, in nats a token: [X]."""

    needs_unedited: ClassVar[bool] = False

    def __call__(self, decoder, variables, rows: Rows):
        def one(row):
            hidden_TD, tokens_T, own_T = row
            log_TV = next_token_log(decoder, variables, hidden_TD)
            return mean_over(own_T, true_token_log(log_TV, tokens_T))

        # Row by row: the logits of a whole batch would be larger than the model.
        return jax.lax.map(one, (rows.hidden_XTD, rows.tokens_XT, rows.own_XT))


@dataclass(frozen=True)
class SideEffects:
    """What an edit does to the next token's distribution in other text, means over tokens: [X, 2].

    The divergence KL(unedited || edited) in nats, and the mean negative log probability of the true
    tokens, whose exponential is the perplexity. The first edit is the unedited model.
    """

    needs_unedited: ClassVar[bool] = True

    def __call__(self, decoder, variables, rows: Rows):
        texts = rows.texts

        def of_text(text):
            hidden_WTD, tokens_T, own_T = text
            first_TV = next_token_log(decoder, variables, hidden_WTD[0])

            def of_edit(hidden_TD):
                log_TV = next_token_log(decoder, variables, hidden_TD)
                divergence_T = jnp.sum(jnp.exp(first_TV) * (first_TV - log_TV), axis=-1)
                true_T = true_token_log(log_TV, tokens_T)
                return jnp.stack([mean_over(own_T, divergence_T), -mean_over(own_T, true_T)])

            return jax.lax.map(of_edit, hidden_WTD)

        hidden_NWTD = rows.hidden_XTD.reshape(-1, texts, *rows.hidden_XTD.shape[1:]).swapaxes(0, 1)
        effects_NW2 = jax.lax.map(
            of_text, (hidden_NWTD, rows.tokens_XT[:texts], rows.own_XT[:texts])
        )
        return effects_NW2.swapaxes(0, 1).reshape(-1, 2)


def next_token_log(decoder, variables, hidden_TD):
    """Returns the log probabilities of the token after each but the last: [T - 1, V]."""
    logits_TV = decoder.apply(variables, hidden_TD[None, :-1], method="logits")[0]
    return jax.nn.log_softmax(logits_TV, axis=-1)


def true_token_log(log_TV, tokens_T):
    """Returns the log probabilities of the true next tokens: [T - 1]."""
    return jnp.take_along_axis(log_TV, tokens_T[1:, None], axis=-1)[:, 0]


def mean_over(own_T, values_T):
    """Returns the mean over the tokens that count; the values begin with the second token."""
    counted_T = own_T[1:].astype(values_T.dtype)
    return jnp.sum(jnp.where(own_T[1:], values_T, 0.0)) / jnp.sum(counted_T)

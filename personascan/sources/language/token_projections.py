"""Projections of every token of some statements on one direction, and the tokens as text."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from personascan.models.load import LanguageModel
from personascan.places import Place
from personascan.sources.language.extract import plan_reading, run_batches
from personascan.sources.language.prompt_tokens import Prompt
from personascan.sources.language.statements import Statement
from personascan.sources.language.templates import PromptOptions
from personascan.sources.language.text_run import token_pieces

BATCH_TOKENS = 1024  # at most: every layer of every token of a batch is in memory


@dataclass(frozen=True)
class TokenProjections:
    """The tokens of all prompts, one prompt after the other, each projected on a direction."""

    value_T: np.ndarray  # float64; [T, M] of M directions
    offsets: np.ndarray  # [N + 1]: where the tokens of each prompt start
    prompts: list[Prompt]

    def of(self, number: int) -> np.ndarray:
        """Returns the projections of all tokens of one prompt."""
        return self.value_T[self.offsets[number] : self.offsets[number + 1]]


def project_tokens(
    model: LanguageModel,
    statements: Sequence[Statement],
    place: Place,
    direction_D,
    *,
    options: PromptOptions,
    batch_tokens: int,
) -> TokenProjections:
    """Returns the projection on a direction of every token of every statement's prompt.

    Args:
      place: its site and layer are read; its position is not.
      direction_D: [D], of the nodes of that site; or several, [D, M].

    Raises:
      InputError: as `extract`.
    """
    reading = plan_reading(
        model, statements, (place.site,), ("all",), options, min(batch_tokens, BATCH_TOKENS)
    )
    value_T = np.empty((int(reading.offsets[-1]), *np.shape(direction_D)[1:]))
    for _, blocks in run_batches(model, reading):
        for _, _, rows, block_LTD in blocks:
            value_T[rows] = block_LTD[place.layer].astype(np.float64) @ direction_D
    return TokenProjections(value_T, reading.offsets, reading.prompts)


def text_pieces(tokenizer, prompt: Prompt, text: str) -> list[str]:
    """Returns each token of a prompt as a piece of text, the statement's own as it spells them.

    The pieces of the statement's own tokens, joined, are the statement's text: space that a
    tokenizer drops belongs to the token behind it, and a character that several tokens make belongs
    to the first of them. The pieces of the other tokens are as `token_pieces` gives them.
    """
    ends = np.clip(prompt.ends, 0, len(text))
    ends = np.maximum.accumulate(ends)
    ends[-1] = len(text)
    starts = [0, *ends[:-1]]
    own = [text[start:end] for start, end in zip(starts, ends, strict=True)]
    every = token_pieces(tokenizer, prompt)
    return [*every[: prompt.first], *own, *every[prompt.last + 1 :]]

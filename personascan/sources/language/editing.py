"""The edits of prompts: which edit each prompt has, and at which tokens."""

from dataclasses import dataclass

import numpy as np

from personascan.errors import InputError
from personascan.models.tap import Edit, Edits
from personascan.sources.language.batches import Batch
from personascan.sources.language.prompt_tokens import Prompt

# The tokens that are edited: all, the statement's own, those that the model writes, the last one.
TOKENS = ("all", "statement", "generated", "last")


@dataclass(frozen=True)
class Editing:
    """E edits, stacked for one compiled pass, and the edit of each prompt."""

    sites: dict[str, Edit]
    edit_N: np.ndarray  # [N] int: the edit of each prompt
    tokens: str = "all"

    def __post_init__(self):
        if self.tokens not in TOKENS:
            raise InputError(f"tokens {self.tokens!r} is unknown; use one of {', '.join(TOKENS)}")

    @property
    def generated(self) -> bool:
        """Whether tokens that the model writes are edited."""
        return self.tokens in ("all", "generated")

    def of_batch(self, batch: Batch, prompts: list[Prompt]) -> Edits:
        """Returns the edits of a batch's rows."""
        tokens_BT = np.zeros(batch.tokens_BT.shape, bool)
        for row, number in enumerate(batch.rows):
            tokens_BT[row, edited_span(self.tokens, prompts[number])] = True
        return Edits(self.sites, self.edit_N[batch.rows].astype(np.int32), tokens_BT)


def edited_span(tokens: str, prompt: Prompt) -> slice:
    """Returns the range of a prompt's tokens that are edited."""
    if tokens == "statement":
        return slice(prompt.first, prompt.last + 1)
    first = {"all": 0, "last": len(prompt.ids) - 1}.get(tokens, len(prompt.ids))
    return slice(first, len(prompt.ids))

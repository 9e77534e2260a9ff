"""Words of an instruction that come back in an answer, and answers that are refusals."""

import re
from collections.abc import Iterable, Sequence

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

STEM = 6  # words that begin with the same so many letters count as one: optimism, optimistic
SHORTEST = 4  # letters of a word that tells anything
# In the first words of an answer; of models that decline, or speak of themselves instead.
REFUSALS = re.compile(
    r"\b(i(?:'|’)?m sorry|i am sorry|i apologi[sz]e|i can(?:'|’)?t\b|i cannot|i(?:'|’)?m unable"
    r"|i am unable|i(?:'|’)?m not able|i am not able|i won(?:'|’)?t|as an ai\b"
    r"|as a language model)",
    re.IGNORECASE,
)
BEGINNING = 120  # characters of an answer in which a refusal shows


def stems(text: str) -> set[str]:
    """Returns the stems of a text's words, without stop words and short ones."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    return {w[:STEM] for w in words if len(w) >= SHORTEST and w not in ENGLISH_STOP_WORDS}


def own_stems(own: Iterable[str], others: Iterable[str]) -> set[str]:
    """Returns the stems that some texts have and others have not."""
    known = set().union(*map(stems, others))
    return set().union(*map(stems, own)) - known


def echoes(text: str, own: set[str]) -> bool:
    """Returns whether a text has a word of one of the stems."""
    return not own.isdisjoint(stems(text))


def is_refusal(text: str) -> bool:
    """Returns whether an answer begins as models decline; a rule of words, which misses some."""
    return bool(REFUSALS.search(text[:BEGINNING]))


def repeated_share(tokens: Sequence[int], size: int = 3) -> float:
    """Returns the share of runs of `size` tokens that stand earlier in the text; NaN of none."""
    runs = [tuple(tokens[i : i + size]) for i in range(len(tokens) - size + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else float("nan")

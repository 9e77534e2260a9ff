"""The options of a study of conversations: their files, and how the model writes its answers."""

import math
from dataclasses import dataclass

from personascan.errors import InputError
from personascan.sources.language.decoding import Writing


@dataclass(frozen=True)
class ConversationOptions:
    """Which conversations a study reads, and how those without an answer get one."""

    # Messages (.jsonl), traits and roles (.json), or folders of them; as `load_conversations`.
    files: tuple[str, ...]
    questions: str = ""  # a .jsonl file of questions for all traits and roles; "": their own
    instructions: int = 0  # the first so many of a trait or role; 0: all
    limit: int = 0  # the first so many questions; 0: all
    model_name: str = ""  # stands for {model_name} in an instruction
    keep_above: float | None = None  # least score of a judge for the side of the trait
    keep_below: float | None = None  # highest score for the other side
    new_tokens: int = 48  # of an answer, at most
    temperature: float = 0.0  # 0: the likeliest token
    top_k: int = 0
    top_p: float = 1.0
    # The model itself judges answers, where a file has the eval_prompt of a judge.
    judge: bool = True
    # At which a direction is added while the model answers, in deviations of H0 along it; (): none.
    strengths: tuple[float, ...] = ()
    controls: int = 3  # random directions as long, at the same strengths
    perplexity_factor: float = 2.0  # by which perplexity may grow while a direction still works
    comparisons: int = 0  # that are judged by the model and swept, the first so many; 0: all

    def asks(self, number: int) -> bool:
        """Whether the model is asked about the comparison of a number, from 0 on."""
        return not self.comparisons or number < self.comparisons

    def writing(self, seed: int) -> Writing:
        """Returns how answers are written. Raises InputError for a field out of its range."""
        return Writing(self.new_tokens, self.temperature, self.top_k, self.top_p, seed)


def check_conversations(options: ConversationOptions) -> None:
    """Raises InputError for the first field at fault."""
    if not options.files:
        raise InputError("config.conversations.files is empty; name files of conversations")
    for name in ("instructions", "limit", "comparisons"):
        if getattr(options, name) < 0:
            raise InputError(f"config.conversations.{name} must be 0 (all) or more")
    strengths = options.strengths
    if not all(map(math.isfinite, strengths)) or len(set(strengths)) < len(strengths):
        raise InputError(
            f"config.conversations.strengths = {strengths}; name finite numbers, each once"
        )
    if not 1 <= options.controls <= 100:
        raise InputError(
            f"config.conversations.controls = {options.controls}; use 1 to 100 random directions"
        )
    if not 1 <= options.perplexity_factor < math.inf:
        raise InputError(
            f"config.conversations.perplexity_factor = {options.perplexity_factor}; use 1 or more"
        )
    try:
        options.writing(0)
    except InputError as error:
        raise InputError(f"config.conversations: {error}") from error

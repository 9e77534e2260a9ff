"""The answers Yes and No to a question: where a model gives them, and their first tokens there.

A tokenizer may split a word in other ways alone, after a space and after a line end, and a chat
template may write something between the prompt and the answer. Both answers are therefore rendered
by the template as the model's own turn, and tokenized together with the prompt.
"""

from dataclasses import dataclass, replace

from personascan.errors import InputError
from personascan.interventions.outcomes import Margin
from personascan.sources.language.prompt_tokens import Prompt
from personascan.sources.language.prompts import message_start, tokenize_with_spans
from personascan.sources.language.statements import Statement
from personascan.sources.language.templates import SENTINEL, PromptOptions, render_all

ANSWERS = "Yes", "No"
SPACES = " \n▁Ġ"  # also as tokenizers without a decoder spell them
ANYTHING = "I like it."  # a statement for a sample question, which ends as all questions do


@dataclass(frozen=True)
class Answers:
    """The first tokens of the answers, and how to extend a question's tokens up to them."""

    margin: Margin
    dropped: int = 0  # tokens at the end of a question that differ once an answer follows
    opening: tuple[int, ...] = ()  # tokens that take their place

    @property
    def extra_tokens(self) -> int:
        """The number of tokens by which a question grows."""
        return len(self.opening) - self.dropped

    def extend(self, question: Prompt) -> Prompt:
        """Returns the question with its tokens up to where the answer begins."""
        ids = question.ids[: len(question.ids) - self.dropped] + list(self.opening)
        return replace(question, ids=ids)


def answers_to(tokenizer, asked: PromptOptions) -> Answers:
    """Returns how questions with these options are answered with Yes and No.

    Through a chat template the answers are turns of the model; where the template cannot show
    these, the answers follow the prompt at once. For role none they follow it after a space.

    Raises InputError as `tokenize`, and if the tokenizer does not distinguish Yes from No there.
    """
    bare = asked.role == "none"
    content = f"{asked.prefix}{ANYTHING}{asked.suffix}"
    if bare:
        prompt, start, pairs = content, 0, [[f"{content} {answer}" for answer in ANSWERS]]
    else:
        prompt, start, pairs = through_template(tokenizer, content, asked)
    statement = Statement("of an answer", ANYTHING, "", "", True, 1.0, "")
    start = message_start(prompt, content, start, asked.role, statement) + len(asked.prefix)
    (question,) = tokenize_with_spans(tokenizer, [statement], [prompt], [start], bare)
    for texts in pairs:
        ids_A = [tokenizer(text, add_special_tokens=bare)["input_ids"] for text in texts]
        answers = differing_answers(tokenizer, question, *ids_A)
        if answers is not None:
            return answers
    raise InputError(
        "the tokenizer does not tell the answers Yes and No apart, so that a model cannot be asked "
        "with it; leave interventions out"
    )


def through_template(tokenizer, content: str, asked: PromptOptions):
    """Returns a question's prompt, the usual start of its content, and pairs of texts with answers.

    The first pair is of the template's own turns, if it can show them.
    """
    ask = [(asked.role, content)]
    turns = [[*ask, ("assistant", answer)] for answer in ANSWERS]
    try:
        usual, (prompt, *texts) = render_all(tokenizer, [ask, *turns], asked)
    except InputError:  # a template of one message
        usual, (prompt, *texts) = render_all(tokenizer, [ask], asked)
    behind = [prompt + answer for answer in ANSWERS]
    return prompt, usual.find(SENTINEL), [texts, behind] if texts else [behind]


def bare_answers(tokenizer, asked: PromptOptions) -> Answers | None:
    """Returns answers right after the prompt, tokenized as words alone; None if these are alike."""
    space = " " * (asked.role == "none")
    firsts = [
        tokenizer(space + answer, add_special_tokens=False)["input_ids"][0] for answer in ANSWERS
    ]
    return Answers(Margin(*firsts)) if firsts[0] != firsts[1] else None


def differing_answers(tokenizer, question: Prompt, yes_ids: list, no_ids: list) -> Answers | None:
    """Returns the answers if two texts differ in these alone, else None."""
    shared = shared_prefix(yes_ids, no_ids)
    same = shared_prefix(question.ids, yes_ids[:shared])
    if same <= question.last or shared == min(len(yes_ids), len(no_ids)):
        return None  # another text, or the same tokens
    firsts = yes_ids[shared], no_ids[shared]
    for token, answer in zip(firsts, ANSWERS, strict=True):
        text = tokenizer.decode([token]).strip(SPACES)
        if not text or not answer.casefold().startswith(text.casefold()):
            return None
    return Answers(Margin(*firsts), len(question.ids) - same, tuple(yes_ids[same:shared]))


def shared_prefix(a: list, b: list) -> int:
    """Returns the number of tokens that two texts begin with in common."""
    differ = (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y)
    return next(differ, min(len(a), len(b)))

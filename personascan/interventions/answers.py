"""Where a model's answer to a question stands, and with which tokens it begins there.

A tokenizer may split a word in other ways alone, behind a space and behind a line end, and a chat
template may write something between the prompt and the answer. So both answers are put where the
template has them, as the text of the model's own turn, and are tokenized together with the prompt.
"""

from dataclasses import dataclass

from personascan.errors import InputError
from personascan.interventions.outcomes import Margin
from personascan.sources.language.prompts import Prompt, message_start, tokenize_with_spans
from personascan.sources.language.statements import Statement
from personascan.sources.language.templates import SENTINEL, PromptOptions, render_all

ANSWERS = "Yes", "No"
SPACES = " \n▁Ġ"  # as tokenizers without a decoder spell them, too
ANYTHING = "I like it."  # the statement of a question whose end is that of all questions


@dataclass(frozen=True)
class Answers:
    """The first tokens of the answers, and how a question's tokens go on up to them."""

    margin: Margin
    dropped: int = 0  # tokens at the end of a question that go on otherwise before an answer
    opening: tuple[int, ...] = ()  # tokens that are in their place

    @property
    def longer(self) -> int:
        """How many tokens a question gains."""
        return len(self.opening) - self.dropped

    def before(self, question: Prompt) -> Prompt:
        """The question up to where the answer begins."""
        ids = question.ids[: len(question.ids) - self.dropped] + list(self.opening)
        return Prompt(ids, question.first, question.last)


def answers_to(tokenizer, asked: PromptOptions) -> Answers:
    """How questions that are asked like this are answered with Yes and No.

    Through a chat template the answers are turns of the model, or where it cannot show them they
    follow the prompt at once; for role none they follow it behind a space.

    Raises InputError as `tokenize`, and where the tokenizer does not tell Yes from No there.
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
        found = differing_answers(tokenizer, question, *ids_A)
        if found is not None:
            return found
    raise InputError(
        "the tokenizer does not tell the answers Yes and No apart, so that a model cannot be asked "
        "with it; leave interventions out"
    )


def through_template(tokenizer, content: str, asked: PromptOptions):
    """The prompt of a question, where its content usually starts, and pairs of texts with answers.

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


def of_words(tokenizer, asked: PromptOptions) -> Answers | None:
    """The answers right behind the prompt, each beginning as its word does alone; None if alike."""
    space = " " * (asked.role == "none")
    firsts = [
        tokenizer(space + answer, add_special_tokens=False)["input_ids"][0] for answer in ANSWERS
    ]
    return Answers(Margin(*firsts)) if firsts[0] != firsts[1] else None


def differing_answers(tokenizer, question: Prompt, yes_ids: list, no_ids: list) -> Answers | None:
    """Returns the answers in which alone two texts differ; None if they differ elsewhere."""
    shared = shared_prefix(yes_ids, no_ids)
    kept = shared_prefix(question.ids, yes_ids[:shared])
    if kept <= question.last or shared == min(len(yes_ids), len(no_ids)):
        return None  # another text, or the same tokens
    firsts = yes_ids[shared], no_ids[shared]
    for token, answer in zip(firsts, ANSWERS, strict=True):
        written = tokenizer.decode([token]).strip(SPACES)
        if not written or not answer.casefold().startswith(written.casefold()):
            return None
    return Answers(Margin(*firsts), len(question.ids) - kept, tuple(yes_ids[kept:shared]))


def shared_prefix(a: list, b: list) -> int:
    """Returns how many tokens two texts begin with in common."""
    differ = (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y)
    return next(differ, min(len(a), len(b)))

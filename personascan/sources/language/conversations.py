"""Conversations: messages, what the model answers, and which side of which comparison they are."""

from collections.abc import Sequence
from dataclasses import dataclass

from personascan.errors import InputError
from personascan.sources.language.statements import Statement, as_statements

ROLES = ("system", "user", "assistant")
ENDED = ("stop", "length")


@dataclass(frozen=True)
class Message:
    """One message of a conversation."""

    role: str  # one of ROLES
    content: str


@dataclass(frozen=True)
class Response:
    """What the model has written behind a conversation's messages."""

    ids: tuple[int, ...]  # tokens, with the one that ended it
    text: str
    # One of ENDED. "stop": by a token that ends a text; "length": cut by the limit of new tokens.
    ended: str


@dataclass(frozen=True)
class Conversation:
    """Messages, with the model's own answers among them or behind them."""

    id: str
    messages: tuple[Message, ...]
    persona: str  # the trait or role, which groups rows
    topic: str  # "traits", "roles", or a file's own; "" where the source names none
    positive: bool  # the side: True for the trait or role, False for its opposite or the default
    question: str = ""  # that is answered, where several conversations share it
    instruction: str = ""  # names the instruction among those of its persona, such as "2"
    entity: str = ""  # the question's name: all of its answers are in one half
    pair: str = ""  # labels are exchanged among the conversations of a pair alone; "": none
    score: float | None = None  # a judge's, as the file has it
    response: Response | None = None  # None: the last message is the model's, or it is not written

    confidence = 1.0
    condition = ""  # a class that p-values can be conditioned on: conversations have none

    @property
    def text(self) -> str:
        """The model's last answer: the written one, or the last message if that is the model's."""
        if self.response is not None:
            return self.response.text
        last = self.messages[-1]
        return last.content if last.role == "assistant" else ""

    @property
    def answered(self) -> bool:
        """Whether there is an answer to read."""
        return self.response is not None or self.messages[-1].role == "assistant"


def are_conversations(rows) -> bool:
    """Returns whether rows are conversations. Raises InputError where only some of them are."""
    kinds = {isinstance(row, Conversation) for row in rows}
    if len(kinds) == 2:
        raise InputError("conversations and other rows cannot be read together; read each alone")
    return kinds == {True}


def as_rows(rows) -> Sequence[Statement | Conversation]:
    """Returns conversations as they are, and what else there is as `as_statements` does."""
    if isinstance(rows, list | tuple) and are_conversations(rows):
        return rows
    return as_statements(rows)

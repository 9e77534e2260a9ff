"""Prompts of conversations: their tokens, and which of them are the model's turns."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from personascan.errors import InputError
from personascan.models.config import DecoderConfig
from personascan.sources.language.conversation_texts import (
    ANSWER,
    OWN,
    THINKING,
    Rendering,
    render_conversations,
)
from personascan.sources.language.conversations import ENDED, Conversation
from personascan.sources.language.message_spans import MARKS, MessageSpan, find_messages
from personascan.sources.language.prompt_tokens import (
    Prompt,
    Turn,
    encode,
    note_unknown,
    refuse_slow,
    refuse_unusable,
)
from personascan.sources.language.templates import PromptOptions
from personascan.sources.language.thinking import Span, opened_thinking, thinking_and_answer
from personascan.sources.language.written_text import ends_in, written_text


def openings(
    tokenizer: Any,
    conversations: Sequence[Conversation],
    options: PromptOptions,
    max_positions: int,
    vocab_size: int | None = None,
) -> list[Prompt]:
    """Tokenizes what the model reads before it answers: the messages, and its turn opened.

    Args:
      tokenizer: a Transformers tokenizer, such as `LanguageModel.tokenizer`.
      conversations: whose last message is not the model's; a response is left out.
      options: of the template; the role is that of each message.
      max_positions: the longest prompt that the model takes, in tokens.
      vocab_size: rows of the model's embedding; None: as many as the tokenizer has tokens.

    Returns:
      A Prompt for each conversation; its own tokens are those of the last user message, or all of
      them where that is empty.

    Raises:
      InputError: no chat template, or one that refuses or rewrites a message; a last message of
        the model, a prompt that is too long, a token without a row in the embedding.
    """
    for conversation in conversations:
        if conversation.messages and conversation.messages[-1].role == "assistant":
            raise InputError(
                f"conversation {conversation.id} ends with an answer, and so has nothing to be "
                "answered; leave out its last message"
            )
    read = read_conversations(tokenizer, conversations, options)
    prompts = [dataclasses.replace(prompt, turns=()) for prompt, _ in read]
    check_prompts(tokenizer, conversations, prompts, max_positions, vocab_size)
    return prompts


def conversation_prompts(
    tokenizer: Any,
    conversations: Sequence[Conversation],
    options: PromptOptions,
    max_positions: int,
    vocab_size: int | None = None,
) -> list[Prompt]:
    """Tokenizes conversations with what the model answered, and finds each of its turns.

    The tokens of a response stand as they are behind the opening. Answers among the messages are
    as the template shows them: it may leave out the thinking of earlier ones.

    Args:
      tokenizer, options, max_positions, vocab_size: as of `openings`.
      conversations: with a response, or with an answer as their last message.

    Returns:
      A Prompt for each conversation, with the turns of the model in order; its own tokens are
      those of the last turn.

    Raises:
      InputError: as `openings`; a conversation without an answer, or with an empty one.
    """
    for conversation in conversations:
        refuse_unanswered(conversation)
    read = read_conversations(tokenizer, conversations, options)
    prompts = [
        prompt if c.response is None else answered_prompt(tokenizer, c, prompt, opened)
        for c, (prompt, opened) in zip(conversations, read, strict=True)
    ]
    check_prompts(tokenizer, conversations, prompts, max_positions, vocab_size)
    return prompts


def refuse_crossing(
    config: DecoderConfig, conversations: Sequence[Conversation], prompts: Sequence[Prompt]
) -> None:
    """Raises InputError for a response with which a text gets to where its rotation changes.

    It was written with other activations than those that the whole text would give.
    """
    for rope in config.ropes:
        if rope.kind != "longrope":
            continue
        for conversation, prompt in zip(conversations, prompts, strict=True):
            read = prompt.turns[-1].first
            if conversation.response and read <= rope.original_positions < len(prompt.ids):
                raise InputError(
                    f"the model rotates texts beyond {rope.original_positions} tokens in another "
                    f"way, and conversation {conversation.id} with {read} tokens gets there by "
                    f"its response ({len(prompt.ids)} in all); use fewer new tokens"
                )


def refuse_unanswered(conversation: Conversation) -> None:
    last = conversation.messages[-1].role if conversation.messages else ""
    if conversation.response is not None and last == "assistant":
        raise InputError(
            f"conversation {conversation.id} has a response behind an answer; leave out its last "
            "message, or the response"
        )
    if conversation.messages and not conversation.answered:
        raise InputError(
            f"conversation {conversation.id} has no answer of the model; give it a response, or "
            "an answer as its last message"
        )


def check_prompts(tokenizer, conversations, prompts, max_positions: int, vocab_size) -> None:
    """Raises InputError for prompts that the model cannot read; notes those with unknown parts."""
    refuse_unusable(tokenizer, conversations, prompts, max_positions, vocab_size or len(tokenizer))
    note_unknown(tokenizer, conversations, prompts)


def read_conversations(tokenizer, conversations, options) -> list[tuple[Prompt, str]]:
    """Returns the messages of conversations as prompts, and how each opens thinking at its end."""
    refuse_slow(tokenizer)
    renderings = render_conversations(tokenizer, conversations, options)
    # The template writes its own special tokens: adding them again would double the first.
    encoded = encode(tokenizer, conversations, [r.text for r in renderings], False)
    return [
        (
            messages_prompt(conversation, rendering, ids, np.array(offsets).reshape(-1, 2)),
            opened_thinking(MARKS.split(rendering.marked)[-1]),
        )
        for conversation, rendering, (ids, offsets) in zip(
            conversations, renderings, encoded, strict=True
        )
    ]


def messages_prompt(
    conversation: Conversation, rendering: Rendering, ids: list[int], edges_T2: np.ndarray
) -> Prompt:
    """Returns messages as a prompt, whose own tokens are the last answer's or user message's.

    edges_T2: the characters between which each token stands in the text.
    """
    turns, own, ends = [], None, ()
    spans = find_messages(conversation, rendering)
    for content, span in zip(rendering.contents, spans, strict=True):
        if content.role == "assistant":
            turns.append(message_turn(conversation, len(turns) + 1, span, rendering.text, edges_T2))
        elif content.role == "user":
            own = None if span is None else tokens_in(edges_T2, span.parts.get(OWN))
    if rendering.contents[-1].role == "assistant":
        own = turns[-1].first, turns[-1].last
        in_text, in_message = zip(*spans[-1].points, strict=True)
        ends_T = np.interp(edges_T2[own[0] : own[1] + 1, 1], in_text, in_message)
        ends = tuple(ends_T.astype(int).tolist())
    first, last = own or (0, len(ids) - 1)
    return Prompt(list(ids), first, last, ends, tuple(turns))


def message_turn(
    conversation: Conversation, number: int, span: MessageSpan | None, text: str, edges_T2
) -> Turn:
    """Returns which tokens are an answer among the messages."""
    own = None if span is None else tokens_in(edges_T2, (span.start, span.end))
    if span is None or own is None:
        raise InputError(
            f"answer {number} of conversation {conversation.id} has no token of its own; leave "
            "the empty answer out, or the conversation"
        )
    if own[0] == 0:
        raise InputError(
            f"conversation {conversation.id} begins with answer {number}, and the chat template "
            "writes nothing in front of it; begin with a user message"
        )
    parts = parts_in(text, edges_T2, span.start, [span.parts.get(n) for n in (THINKING, ANSWER)])
    return turn_of(*own, *parts)


def answered_prompt(tokenizer, conversation: Conversation, opening: Prompt, opened: str) -> Prompt:
    """Returns an opening with the tokens of the response behind it."""
    response = conversation.response
    if response.ended not in ENDED:
        raise InputError(
            f"the response of conversation {conversation.id} ended by {response.ended!r}; use one "
            f"of {', '.join(ENDED)}"
        )
    ids = response.ids[:-1] if response.ended == "stop" else response.ids
    if not ids:
        raise InputError(
            f"the response of conversation {conversation.id} is empty: the model wrote "
            f"{'only the token that ends it' if response.ids else 'nothing'}; leave it out"
        )
    start = len(opening.ids)
    text, edges_T2 = written_text(tokenizer, opening.ids, ids)
    parts = [
        None if own is None else (start + own[0], start + own[1])
        for own in parts_in(text, edges_T2, 0, thinking_and_answer(text, opened))
    ]
    turn = turn_of(start, start + len(ids) - 1, *parts)
    ends = ends_in(tokenizer, response.text, text, edges_T2, ids)
    whole = [*opening.ids, *response.ids]
    return Prompt(whole, turn.first, turn.last, ends, (*opening.turns, turn))


def turn_of(first: int, last: int, thinking, answer) -> Turn:
    """Returns a turn, whose answer goes to its end."""
    return Turn(first - 1, first, last, thinking, None if answer is None else (answer[0], last))


def parts_in(text: str, edges_T2: np.ndarray, start: int, spans) -> list[tuple[int, int] | None]:
    """Returns the tokens of a turn's thinking and answer; an answer alone has the space before."""
    thinking, answer = spans
    if answer is not None and not text[start : answer[0]].strip():
        answer = start, answer[1]
    return [tokens_in(edges_T2, span) for span in (thinking, answer)]


def tokens_in(edges_T2: np.ndarray, span: Span | None) -> tuple[int, int] | None:
    """Returns the first and last token with a character of a span; None if there is none."""
    if span is None:
        return None
    own = np.flatnonzero((edges_T2[:, 0] < span[1]) & (edges_T2[:, 1] > span[0]))
    return (int(own[0]), int(own[-1])) if own.size else None

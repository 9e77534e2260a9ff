"""Conversations in the chat template: as they are, and with marks in place of their texts."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from personascan.errors import InputError
from personascan.sources.language.conversations import ROLES, Conversation
from personascan.sources.language.templates import (
    SENTINEL,
    PromptOptions,
    explain,
    note_rendered,
    run_template,
    template_name,
)
from personascan.sources.language.thinking import Span, thinking_and_answer, without_space

# A mark stands for a part of a message, by the numbers of both; SENTINEL is none.
MARK = "\ue000{}.{}\ue001"
THINKING, ANSWER, INSTRUCTION, OWN = "thinking", "answer", "instruction", "own"


@dataclass(frozen=True)
class Content:
    """The text of one message, and those parts of it that a template shows as they are."""

    role: str
    text: str
    parts: tuple[tuple[str, Span], ...]  # by name, in order


@dataclass(frozen=True)
class Rendering:
    """A conversation in its template, thrice."""

    contents: list[Content]
    text: str
    marked: str  # with a mark in place of each part of each message
    bare: str  # the same, without the space around the messages that have parts


def takes_system(tokenizer: Any, options: PromptOptions) -> bool:
    """Returns whether the chat template shows the model a system message.

    Raises InputError for a tokenizer without template, or one that refuses a user's message.
    """
    refuse_without_template(tokenizer, options)
    probe, system = [("user", SENTINEL)], [("system", MARK.format(0, 0)), ("user", "?")]
    answer = run_template(tokenizer, probe, [system], options)
    if "prompts" in answer:
        return MARK.format(0, 0) in answer["prompts"][1]
    if answer.get("number") != 1:
        raise InputError(explain(answer, template_name(options), "user"))
    return False


def render_conversations(
    tokenizer: Any, conversations: Sequence[Conversation], options: PromptOptions
) -> list[Rendering]:
    """Renders conversations with the chat template.

    The model's turn is opened behind a conversation whose last message is not the model's.

    Raises InputError for one that the template refuses.
    """
    refuse_without_template(tokenizer, options)
    contents = contents_of(tokenizer, conversations, options)
    renderings = [
        [(c.role, text_of(c, number)) for number, c in enumerate(of_conversation)]
        for text_of in (lambda content, _: content.text, marked, marked_alone)
        for of_conversation in contents
    ]
    answer = run_template(tokenizer, [("user", SENTINEL)], renderings, options)
    if "prompts" not in answer:
        raise InputError(explain_conversation(answer, conversations, options))
    note_rendered(tokenizer, answer, options)
    _, *prompts = answer["prompts"]
    count = len(contents)
    return [
        Rendering(of_conversation, *prompts[number::count])
        for number, of_conversation in enumerate(contents)
    ]


def refuse_without_template(tokenizer, options: PromptOptions) -> None:
    """Raises InputError where conversations cannot be rendered, or options are of statements."""
    if options.role == "none" or not tokenizer.chat_template:
        why = "role none" if tokenizer.chat_template else "a tokenizer without one"
        raise InputError(
            f"conversations need a chat template, and this is {why}; use a chat model, and "
            "another role"
        )
    if options.prefix or options.suffix:
        raise InputError("prefix and suffix are texts around statements; conversations take none")


def contents_of(tokenizer, conversations, options: PromptOptions) -> list[list[Content]]:
    """Returns the messages of conversations as the template takes them."""
    for conversation in conversations:
        refuse_messages(conversation)
    instructed = any(c.messages[0].role == "system" for c in conversations)
    shown = not instructed or takes_system(tokenizer, options)
    if not shown:
        print(
            "note: the chat template shows no system message; the instruction stands in front of "
            "the first user message",
            file=sys.stderr,
        )
    return [message_contents(conversation, shown) for conversation in conversations]


def refuse_messages(conversation: Conversation) -> None:
    if not conversation.messages:
        raise InputError(f"conversation {conversation.id} has no messages; leave it out")
    for message in conversation.messages:
        if message.role not in ROLES:
            raise InputError(
                f"conversation {conversation.id} has a message of role {message.role!r}; use one "
                f"of {', '.join(ROLES)}"
            )


def message_contents(conversation: Conversation, system: bool) -> list[Content]:
    """Returns the messages of a conversation; an instruction in the user's, if not a message."""
    messages = list(conversation.messages)
    instruction = ""
    if messages[0].role == "system" and not system:
        instruction = messages.pop(0).content.strip()
        if "user" not in {m.role for m in messages}:
            raise InputError(
                f"conversation {conversation.id} has an instruction and no user message, in front "
                "of which the chat template needs it; add one"
            )
    contents = []
    for message in messages:
        if message.role == "user" and instruction:
            contents.append(instructed_content(instruction, message.content))
            instruction = ""
        else:
            contents.append(content_of(message.role, message.content))
    return contents


def content_of(role: str, text: str) -> Content:
    if role != "assistant":
        own = without_space(text, 0, len(text))
        return Content(role, text, () if own is None else ((OWN, own),))
    spans = zip((THINKING, ANSWER), thinking_and_answer(text), strict=True)
    return Content(role, text, tuple((name, span) for name, span in spans if span is not None))


def instructed_content(instruction: str, text: str) -> Content:
    """Returns a user's message behind an instruction, with an empty line between them."""
    whole = f"{instruction}\n\n{text}"
    spans = (
        (INSTRUCTION, without_space(whole, 0, len(instruction))),
        (OWN, without_space(whole, len(instruction), len(whole))),
    )
    return Content("user", whole, tuple((name, span) for name, span in spans if span is not None))


def marked(content: Content, number: int) -> str:
    """Returns the text of a message with a mark in place of each part."""
    text = content.text
    for part, (_, (start, end)) in reversed(list(enumerate(content.parts))):
        text = f"{text[:start]}{MARK.format(number, part)}{text[end:]}"
    return text


def marked_alone(content: Content, number: int) -> str:
    """Returns `marked` without the space around it."""
    return marked(content, number).strip() if content.parts else content.text


def explain_conversation(answer: dict, conversations, options: PromptOptions) -> str:
    """Explains in a line which conversation a template refuses, or that it fails."""
    named = template_name(options)
    if not answer.get("number"):
        return explain(answer, named, "user")
    conversation = conversations[(answer["number"] - 1) % len(conversations)]
    if "refused" in answer:
        reason = " ".join(answer["refused"].split())
        return (
            f"{named} refuses conversation {conversation.id} ({reason}); change the roles of its "
            "messages, or leave it out"
        )
    reason = " ".join(answer["failed"].split())[:300]
    return (
        f"{named} fails on conversation {conversation.id} ({reason}); correct the checkpoint's "
        "template"
    )

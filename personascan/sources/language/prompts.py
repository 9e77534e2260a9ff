"""Prompts of statements: chat template, role, and the statement's own tokens."""

import dataclasses
import sys
from collections.abc import Sequence
from typing import Any

from personascan.errors import InputError
from personascan.sources.language.conversation_prompts import conversation_prompts
from personascan.sources.language.conversations import are_conversations
from personascan.sources.language.prompt_tokens import (
    Prompt,
    encode,
    first_token,
    note_unknown,
    refuse_slow,
    refuse_unusable,
)
from personascan.sources.language.statements import Statement
from personascan.sources.language.templates import DATE, SENTINEL, PromptOptions, advice, render_all


def tokenize(
    tokenizer: Any,
    statements: Sequence[Statement],
    role: str,
    max_positions: int,
    *,
    vocab_size: int | None = None,
    prefix: str = "",
    suffix: str = "",
    strict: bool = False,
    template: str = "",
    template_keywords: dict[str, Any] | None = None,
    date: str = DATE,
) -> list[Prompt]:
    """Tokenizes every statement, between prefix and suffix, as one chat message of a role.

    The model's turn is opened behind the message, except for role assistant, whose turn it is.
    Role none gives the text as it is, behind the tokenizer's start token, which is never doubled. A
    tokenizer without template gives role none with a notice, or with `strict` an error.

    Args:
      tokenizer: a Transformers tokenizer, such as `LanguageModel.tokenizer`.
      statements: from `load_statements`, or Statement records of your own.
      role: of the message: "system", "user", "assistant", or "none" for the bare text.
      max_positions: the longest prompt that the model takes, in tokens
        (`LanguageModel.config.max_positions`).
      vocab_size: rows of the model's embedding; None: as many as the tokenizer has tokens.
      prefix, suffix, strict, template, template_keywords, date: as of `extract`.

    Returns:
      A Prompt for each statement: its tokens, and which of them are the statement's own.

    Raises:
      InputError: a template that refuses or drops the message, a prompt that is too long, a token
        without a row in the embedding, a tokenizer that does not say which characters a token
        covers.
    """
    options = PromptOptions(role, prefix, suffix, strict, template, template_keywords or {}, date)
    return prompts_of(tokenizer, statements, options, max_positions, vocab_size)


def prompts_of(
    tokenizer, statements, asked: PromptOptions, max_positions: int, vocab_size: int | None = None
) -> list[Prompt]:
    """Tokenizes as `tokenize`, with its options as a record; or conversations, with their turns."""
    if are_conversations(statements):
        return conversation_prompts(tokenizer, statements, asked, max_positions, vocab_size)
    options = applied_options(tokenizer, asked)
    if options != asked:
        print(
            "note: the tokenizer has no chat template; statements stand alone (role none)",
            file=sys.stderr,
        )
    contents = [f"{options.prefix}{s.text}{options.suffix}" for s in statements]
    if options.role == "none":
        prompts, starts = contents, [len(options.prefix)] * len(contents)
    else:
        messages = [[(options.role, content)] for content in contents]
        usual, prompts = render_all(tokenizer, messages, options)
        starts = [
            message_start(p, c, usual.find(SENTINEL), options.role, s) + len(options.prefix)
            for p, c, s in zip(prompts, contents, statements, strict=True)
        ]
    # The template writes its own special tokens: adding them again would double the first.
    tokenized = tokenize_with_spans(tokenizer, statements, prompts, starts, options.role == "none")
    refuse_unusable(tokenizer, statements, tokenized, max_positions, vocab_size or len(tokenizer))
    note_unknown(tokenizer, statements, tokenized)
    return tokenized


def applied_options(tokenizer, options: PromptOptions) -> PromptOptions:
    """Returns the options as applied: with role none if the tokenizer has no template."""
    if options.role == "none" or tokenizer.chat_template:
        return options
    if options.strict:
        raise InputError(
            "the tokenizer has no chat template, which a role needs; use --role=none or a "
            "chat model"
        )
    return dataclasses.replace(options, role="none")


def message_start(prompt: str, content: str, usual: int, role: str, statement: Statement) -> int:
    """Returns the start of the content in a prompt, as if the template did not strip it."""
    for searched in (content, content.strip()):
        stripped = len(content) - len(content.lstrip()) if searched != content else 0
        if usual >= 0 and prompt.startswith(searched, usual):
            return usual - stripped
        if prompt.count(searched) == 1:
            return prompt.index(searched) - stripped
    raise InputError(
        f"the chat template drops or alters a message with role {role!r} (statement "
        f"{statement.id} is not in the prompt); {advice(role)}"
    )


def tokenize_with_spans(tokenizer, statements, prompts, starts, add_special: bool) -> list[Prompt]:
    """Tokenizes prompts, and marks which tokens are the statement's own."""
    refuse_slow(tokenizer)
    encoded = encode(tokenizer, statements, prompts, add_special)
    doubled = first_token(tokenizer) if add_special else None
    tokenized = []
    for s, (ids, offsets), start in zip(statements, encoded, starts, strict=True):
        if doubled is not None and ids[:2] == [doubled, doubled]:
            ids, offsets = ids[1:], offsets[1:]  # the text itself begins with it
        text_start = start
        # Templates may strip a message: space around the statement is not its own.
        start += len(s.text) - len(s.text.lstrip())
        end = start + len(s.text.strip())
        own = [i for i, (a, b) in enumerate(offsets) if a < end and b > start]
        if not own:
            raise InputError(f"statement {s.id} has no token of its own ({s.text!r})")
        first, last = own[0], own[-1]
        ends = tuple(offsets[i][1] - text_start for i in range(first, last + 1))
        tokenized.append(Prompt(list(ids), first, last, ends))
    return tokenized

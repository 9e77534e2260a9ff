"""Prompts of statements (chat template, role, the statement's own tokens) and batches of prompts.

Batches depend on the statements alone, and so are the same on any number of devices.
"""

import dataclasses
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from personascan.errors import InputError
from personascan.sources.language.statements import Statement
from personascan.sources.language.templates import DATE, SENTINEL, PromptOptions, advice, render_all
from personascan.visible import visible

# Compiling another length costs about as much as running this many tokens, measured on two CPU
# cores with SmolLM2 (0.6 s at 1700 tokens/s): a bucket that saves less padding is merged.
COMPILE_TOKENS = 1024
# Buckets are not merged if padding would then exceed this share of the real tokens.
MOST_WASTE = 0.07
BUCKET_STEP = 2


@dataclass(frozen=True)
class Turn:
    """Which tokens of a conversation are one answer of the model."""

    opening: int  # the last token that is read before it is written
    first: int
    last: int  # of its text: the token that ends the turn is not its own
    thinking: tuple[int, int] | None = None  # first and last token of what it thinks aloud
    answer: tuple[int, int] | None = None  # of what stands behind that; None: it only thinks


@dataclass(frozen=True)
class Prompt:
    """The tokens of one statement, or conversation, in its chat template."""

    ids: list[int]
    first: int  # the statement's own first token; of a conversation, the last answer's
    last: int  # its own last token
    # Of each of its own tokens, in order: where it ends in the statement's text.
    ends: tuple[int, ...] = ()
    turns: tuple[Turn, ...] = ()  # the model's, of a conversation


@dataclass(frozen=True)
class Batch:
    """Statements of like length, padded on the right. Padding rows repeat the last statement."""

    tokens_BT: np.ndarray  # int32
    lengths_B: np.ndarray  # int32: real tokens of each row
    rows: np.ndarray  # [B] int64 numbers of the statements, padding rows included
    real: int  # rows that are not padding; they come first


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
    """Tokenizes as `tokenize`, with its options as a record."""
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
    if not tokenizer.is_fast:
        raise InputError(
            "the tokenizer does not say which characters a token covers (it is not a fast one); "
            "use a checkpoint with a tokenizer.json"
        )
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


def first_token(tokenizer) -> int | None:
    """Returns the token that the tokenizer adds in front of a text, if it adds one."""
    before, _ = tokens_around(tokenizer)
    return before[0] if len(before) == 1 else None


def tokens_around(tokenizer) -> tuple[list[int], list[int]]:
    """Returns the tokens that the tokenizer adds in front of a text, and behind it."""
    alone, whole = (
        tokenizer("a", add_special_tokens=special)["input_ids"] for special in (False, True)
    )
    for start in range(len(whole) - len(alone) + 1 if alone else 0):
        if whole[start : start + len(alone)] == alone:
            return whole[:start], whole[start + len(alone) :]
    return [], []


def encode(tokenizer, statements, prompts, add_special: bool) -> list[tuple[list, list]]:
    """Returns (ids, offsets) of prompts. Raises InputError for a statement that cannot be split."""

    def encode_all(texts):
        encoding = tokenizer(texts, add_special_tokens=add_special, return_offsets_mapping=True)
        return list(zip(encoding["input_ids"], encoding["offset_mapping"], strict=True))

    try:
        return encode_all(prompts)
    except BaseException as error:  # the binding panics where a pattern gives up
        if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError):
            raise
    encoded = []
    for s, prompt in zip(statements, prompts, strict=True):  # one by one, to name the statement
        try:
            encoded += encode_all([prompt])
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError):
                raise
            reason = " ".join(str(error).split())[:120]
            raise InputError(
                f"the tokenizer gives up on statement {s.id} ({reason}): {s.text[:60]!r}; shorten "
                "or split it"
            ) from error
    return encoded


def refuse_unusable(tokenizer, statements, prompts, max_positions: int, vocab_size: int) -> None:
    """Raises InputError for a prompt that is too long, or a token without an embedding."""
    for s, prompt in zip(statements, prompts, strict=True):
        if len(prompt.ids) > max_positions:
            raise InputError(
                f"statement {s.id} has {len(prompt.ids)} tokens; the model takes {max_positions}"
            )
        largest = max(prompt.ids)
        if largest >= vocab_size:
            raise InputError(
                f"statement {s.id} has the token {tokenizer.convert_ids_to_tokens(largest)!r} with "
                f"id {largest}, but the model's embedding has {vocab_size} rows (the tokenizer "
                f"knows {len(tokenizer)} tokens); use the tokenizer that the model was made with"
            )


def note_unknown(tokenizer, statements, prompts) -> None:
    """Prints how many texts contain the unknown token."""
    unknown = tokenizer.unk_token_id
    if unknown is None or unknown in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        return  # byte-level tokenizers give the name to a token of another meaning
    ids = [s.id for s, prompt in zip(statements, prompts, strict=True) if unknown in prompt.ids]
    if ids:
        print(
            f"note: {len(ids)} of {len(prompts)} texts hold parts unknown to the tokenizer, which "
            f"the model sees as {visible(tokenizer.unk_token)}; the first is statement "
            f"{visible(ids[0])}",
            file=sys.stderr,
        )


def plan_batches(prompts: list[Prompt], batch_tokens: int, pad: int, room: int = 0) -> list[Batch]:
    """Plans batches of at most `batch_tokens` padded tokens, with at least one statement each.

    room: tokens that will be written behind each prompt, which count as its own.
    """
    lengths = np.array([len(p.ids) for p in prompts])
    batches = []
    for whole, members in buckets(lengths + room):
        padded = whole - room
        # Equal sizes within a bucket: one compiled shape, and at most a few rows of padding.
        count = -(-len(members) // max(1, batch_tokens // whole))
        size = -(-len(members) // count)
        for start in range(0, len(members), size):
            rows = members[start : start + size]
            filled = np.concatenate([rows, np.repeat(rows[-1:], size - len(rows))])
            tokens_BT = np.full((size, padded), pad, np.int32)
            for i, row in enumerate(filled):
                tokens_BT[i, : lengths[row]] = prompts[row].ids
            batches.append(Batch(tokens_BT, lengths[filled].astype(np.int32), filled, len(rows)))
    return batches


def buckets(lengths: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Returns buckets of (padded length, statement numbers), short to long, few to compile."""
    order = np.argsort(lengths, kind="stable")
    padded = -(-lengths[order] // BUCKET_STEP) * BUCKET_STEP
    sizes, counts = np.unique(padded, return_counts=True)
    compile_tokens = COMPILE_TOKENS
    while True:
        tops = cheapest_lengths(sizes, counts, compile_tokens)
        waste = np.array(tops)[np.searchsorted(tops, padded)].sum() / lengths.sum() - 1
        if waste <= MOST_WASTE or compile_tokens == 0:
            break
        compile_tokens //= 2
    members = np.split(order, np.searchsorted(padded, tops, side="right")[:-1])
    return list(zip(tops, members, strict=True))


def cheapest_lengths(sizes: np.ndarray, counts: np.ndarray, compile_tokens: int) -> list[int]:
    """Returns the padded lengths of least padding and compiling, by dynamic programming."""
    before = np.concatenate([[0], np.cumsum(counts)])
    cost, came_from = np.zeros(len(sizes) + 1), np.zeros(len(sizes) + 1, np.int64)
    for end in range(1, len(sizes) + 1):
        tokens = (before[end] - before[:end]) * sizes[end - 1]
        total = cost[:end] + tokens + compile_tokens
        came_from[end] = np.argmin(total)
        cost[end] = total[came_from[end]]
    tops, end = [], len(sizes)
    while end:
        tops.append(int(sizes[end - 1]))
        end = came_from[end]
    return tops[::-1]

"""The tokens of a prompt, where they stand in its text, and which a model cannot read."""

import sys
from dataclasses import dataclass

from personascan.errors import InputError
from personascan.sources.language.conversations import Conversation
from personascan.visible import visible


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


def named(row) -> str:
    """Returns how messages name a row: a statement or a conversation, with its id."""
    return f"{'conversation' if isinstance(row, Conversation) else 'statement'} {row.id}"


def refuse_slow(tokenizer) -> None:
    """Raises InputError for a tokenizer that does not say which characters a token covers."""
    if not tokenizer.is_fast:
        raise InputError(
            "the tokenizer does not say which characters a token covers (it is not a fast one); "
            "use a checkpoint with a tokenizer.json"
        )


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
                f"the tokenizer gives up on {named(s)} ({reason}): {s.text[:60]!r}; shorten "
                "or split it"
            ) from error
    return encoded


def refuse_unusable(tokenizer, statements, prompts, max_positions: int, vocab_size: int) -> None:
    """Raises InputError for a prompt that is too long, or a token without an embedding."""
    for s, prompt in zip(statements, prompts, strict=True):
        if len(prompt.ids) > max_positions:
            raise InputError(
                f"{named(s)} has {len(prompt.ids)} tokens; the model takes {max_positions}"
            )
        largest = max(prompt.ids)
        if largest >= vocab_size:
            raise InputError(
                f"{named(s)} has the token {tokenizer.convert_ids_to_tokens(largest)!r} with "
                f"id {largest}, but the model's embedding has {vocab_size} rows (the tokenizer "
                f"knows {len(tokenizer)} tokens); use the tokenizer that the model was made with"
            )


def note_unknown(tokenizer, statements, prompts) -> None:
    """Prints how many texts contain the unknown token."""
    unknown = tokenizer.unk_token_id
    if unknown is None or unknown in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        return  # byte-level tokenizers give the name to a token of another meaning
    rows = [s for s, prompt in zip(statements, prompts, strict=True) if unknown in prompt.ids]
    if rows:
        print(
            f"note: {len(rows)} of {len(prompts)} texts hold parts unknown to the tokenizer, which "
            f"the model sees as {visible(tokenizer.unk_token)}; the first is "
            f"{visible(named(rows[0]))}",
            file=sys.stderr,
        )

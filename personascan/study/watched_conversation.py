"""The conversation that is watched: where it is from, and whether the model can read it."""

import csv
import pathlib

from personascan.errors import InputError
from personascan.memory import refuse_too_much
from personascan.sources.base import pool_rows
from personascan.sources.language.batches import plan_batches
from personascan.sources.language.conversation_prompts import conversation_prompts
from personascan.sources.language.conversations import Conversation
from personascan.sources.language.prompt_tokens import Prompt
from personascan.sources.language.single_conversations import chosen, first_turns, load_conversation
from personascan.sources.language.sizes import batch_bytes
from personascan.visible import cell

MEASURED = 1 << 40  # tokens: what is too long for the model is tokenized, to say what would fit


def watched_conversation(case, path, id_: str, turns: int) -> Conversation:
    """Returns the conversation of a file up to one of its answers.

    Raises InputError as `load_conversation` and `first_turns`.
    """
    path = pathlib.Path(path).expanduser()
    whole = answer_row(case, path, id_) if path.suffix == ".csv" else load_conversation(path, id_)
    return first_turns(whole, turns)


def answer_row(case, path: pathlib.Path, id_: str) -> Conversation:
    """Returns the conversation of an answer that this study's answers.csv has.

    The file itself has neither the messages nor the tokens. Raises InputError for another file.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            texts = {row["id"]: row["text"] for row in csv.DictReader(file)}
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise InputError(
            f"{path} is no answers.csv that can be read ({error!r}); give that of the study, a "
            "transcript (.json) or messages (.jsonl)"
        ) from error
    id_ = chosen({name: name for name in texts}, cell(id_) if id_ else "", path)
    for rows in case.source.groups.values():
        for row in rows:
            if isinstance(row, Conversation) and (cell(row.id), cell(row.text)) == (
                id_,
                texts[id_],
            ):
                return row
    raise InputError(
        f"{path}: the answer {id_} is none of this study; name the study that wrote it, or give "
        "the conversation as messages (.jsonl)"
    )


def own_row(case, conversation: Conversation) -> int | None:
    """Returns the number of the comparison's row that a conversation is; None: it is another."""
    read = conversation.messages, conversation.response
    for number, row in enumerate(pool_rows(case.source.groups, case.pool.members)):
        if isinstance(row, Conversation) and (row.messages, row.response) == read:
            return number
    return None


def refuse_too_long(case, conversation: Conversation) -> None:
    """Raises InputError for more tokens than the model takes, or than memory holds.

    It says how many turns would fit.
    """
    config = case.source.identified.config
    prompt = prompt_of(case, conversation)
    if len(prompt.ids) > config.max_positions:
        turns = sum(turn.last < config.max_positions for turn in prompt.turns)
        turns -= turns == len(prompt.turns)  # all, but for what the template writes behind it
        while turns and len(prompt_of(case, first_turns(conversation, turns)).ids) > (
            config.max_positions
        ):
            turns -= 1
        advice = f"watch the first {turns} (--turns={turns})" if turns else "no turn of it fits"
        raise InputError(
            f"conversation {conversation.id} has {len(prompt.ids)} tokens in {len(prompt.turns)} "
            f"turns of the model, which takes {config.max_positions}: {advice}"
        )
    (batch,) = plan_batches([prompt], len(prompt.ids), pad=0)
    needed = batch_bytes(config, batch, (case.furthest().site,), ("all",))
    refuse_too_much("reading the conversation", needed, "watch fewer turns of it (--turns)")


def prompt_of(case, conversation: Conversation) -> Prompt:
    identified, options = case.source.identified, case.source.options
    (prompt,) = conversation_prompts(
        identified.tokenizer, [conversation], options, MEASURED, identified.config.vocab_size
    )
    return prompt

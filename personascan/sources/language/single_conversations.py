"""One conversation from a file, and the part of it that ends with an answer of the model."""

import dataclasses
import os
import pathlib

from personascan.errors import InputError
from personascan.sources.language.conversation_files import load_transcript
from personascan.sources.language.conversations import Conversation
from personascan.sources.language.json_objects import json_lines
from personascan.sources.language.message_files import NAMES, messages_of, name_of
from personascan.sources.language.statement_columns import named

NAMED_IDS = 4  # of a file, that a message lists


def load_conversation(path: str | os.PathLike[str], id_: str = "") -> Conversation:
    """Reads one conversation: a transcript (.json), or a row of messages (.jsonl) by its id.

    A row without an id has the number of its line, and needs neither a side nor a score. Raises
    InputError for a file that holds none, an id that it does not have, and several rows without one
    being named.
    """
    path = pathlib.Path(path).expanduser()
    if path.suffix != ".jsonl":
        one = load_transcript(path)
        return one if id_ in ("", one.id) else chosen({one.id: one}, id_, path)
    rows = {}
    for where, fields in json_lines(path):
        given = fields.get("id")
        name = where.rpartition(" ")[2] if given in (None, "") else name_of(given, f"{where}: id")
        if name in rows:
            raise InputError(f"{where}: the id {name!r} occurs twice; ids must be unique")
        rows[name] = where, fields
    where, fields = chosen(rows, id_, path)
    messages = messages_of(named(fields, "messages", NAMES["messages"], where), where)
    name = next(name for name, row in rows.items() if row[1] is fields)
    return Conversation(name, messages, path.stem, "", True)


def chosen(rows: dict, id_: str, path: pathlib.Path):
    """Returns the row of that id, or the only one there is. Raises InputError if there is none."""
    if not rows:
        raise InputError(f"{path} holds no conversations")
    if id_ in rows:
        return rows[id_]
    if not id_ and len(rows) == 1:
        return next(iter(rows.values()))
    known = ", ".join(list(rows)[:NAMED_IDS]) + (", ..." if len(rows) > NAMED_IDS else "")
    wrong = f"has no conversation {id_!r}" if id_ else f"holds {len(rows)} conversations"
    raise InputError(f"{path} {wrong}; name one by its id (--id): {known}")


def first_turns(conversation: Conversation, turns: int = 0) -> Conversation:
    """Returns a conversation up to an answer of the model: that of a number; 0: the last one.

    Raises InputError if the model has no turn, or fewer.
    """
    ends = [
        number
        for number, message in enumerate(conversation.messages, 1)
        if message.role == "assistant"
    ]
    number = len(ends) + (conversation.response is not None)
    if not number:
        raise InputError(
            f"conversation {conversation.id} has no turn of the model (role assistant), and so "
            "nothing to read; give one that was answered"
        )
    if turns > number:
        raise InputError(f"conversation {conversation.id} has {number} turns of the model, not "
                         f"{turns}")  # fmt: skip
    if conversation.response is not None and turns in (0, number):
        return conversation
    end = ends[(turns or number) - 1]
    return dataclasses.replace(conversation, messages=conversation.messages[:end], response=None)

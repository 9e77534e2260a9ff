"""Files of conversations: one row of messages a line, with its group, side or score."""

import hashlib
import json
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from personascan.errors import InputError
from personascan.sources.language.conversations import ROLES, Conversation, Message
from personascan.sources.language.json_objects import (
    json_lines,
    refuse_misspelt,
    shown_text,
    whole_text,
)
from personascan.sources.language.sides import Sides
from personascan.sources.language.statement_columns import named
from personascan.visible import is_shown

NAMES = {
    "messages": ("messages", "conversation"),
    "group": ("persona", "group", "trait"),
    "side": ("direction", "label", "positive"),
}
OPTIONAL = ("topic", "question", "instruction", "entity", "pair")
COLUMNS = ("id", "score", *OPTIONAL, *(name for names in NAMES.values() for name in names))
# Keys of a message, as APIs write them, that hold more than its content: the conversation would be
# another one without them.
NOT_READ = (
    "tool_calls", "function_call", "reasoning", "reasoning_content", "thinking", "refusal", "audio",
)  # fmt: skip
HIGHEST_SCORE = 100


@dataclass(frozen=True)
class Row:
    """A conversation of a file, whose side may be left to its score."""

    where: str
    conversation: Conversation
    labelled: bool  # False: the file names no side


def question_name(question: str) -> str:
    """Returns a name for a question, the same in every file that asks it."""
    return hashlib.sha256(question.encode()).hexdigest()[:16]


def read_rows(path: pathlib.Path) -> list[Row]:
    """Returns the conversations of a file of messages, in its order.

    Raises InputError for a row that is none, and if only some rows have a group or a side.
    """
    rows, seen, first = [], {}, None
    for where, fields in json_lines(path):
        refuse_misspelt(fields, COLUMNS, where)
        has = {name: named(fields, name, NAMES[name], where) is not None for name in NAMES}
        first = first or (where, has)
        for name in ("group", "side"):
            if has[name] != first[1][name]:
                raise InputError(
                    f"{where} has {'a' if has[name] else 'no'} {name} ({', '.join(NAMES[name])}), "
                    f"unlike {first[0]}; give it to all rows or to none"
                )
        rows.append(row_of(fields, where, path.stem, seen))
    if not rows:
        raise InputError(f"{path} holds no conversations")
    return rows


def row_of(fields: Mapping[str, Any], where: str, persona: str, seen: dict[str, int]) -> Row:
    """Returns the row of a line; `seen` counts equal conversations, which get different ids."""
    group = named(fields, "group", NAMES["group"], where)
    if group is not None:
        persona = shown_text(group, f"{where}: the group")
    messages = messages_of(named(fields, "messages", NAMES["messages"], where), where)
    texts = {
        name: "" if fields.get(name) is None else name_of(fields[name], f"{where}: the {name}")
        for name in OPTIONAL
    }
    question, score = texts["question"], score_of(fields.get("score"), where)
    side = named(fields, "side", NAMES["side"], where)
    if side is None and score is None:
        raise InputError(
            f"{where} has neither a side nor a score; write 'direction': '+' or '-', or a score"
        )
    name = question_name(question) if question else ""
    id_ = fields.get("id")
    conversation = Conversation(
        hashed_id(persona, messages, seen) if id_ in (None, "") else name_of(id_, f"{where}: id"),
        messages,
        persona,
        texts["topic"],
        False if side is None else Sides().positive(side, where),
        question,
        texts["instruction"],
        texts["entity"] or name,
        texts["pair"] or name,
        score,
    )
    return Row(where, conversation, side is not None)


def name_of(value: Any, what: str) -> str:
    """Returns a text, or a whole number as text. Raises InputError for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return shown_text(value, what)


def hashed_id(persona: str, messages: tuple[Message, ...], seen: dict[str, int]) -> str:
    text = json.dumps([persona, *((m.role, m.content) for m in messages)])
    id_ = hashlib.sha256(text.encode()).hexdigest()[:16]
    seen[id_] = seen.get(id_, 0) + 1
    return id_ if seen[id_] == 1 else f"{id_}-{seen[id_]}"


def score_of(value: Any, where: str) -> float | None:
    """Returns a score. Raises InputError for what is no number from 0 to 100."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{where}: the score {value!r} is not a number; leave such rows out")
    if not 0 <= value <= HIGHEST_SCORE:
        raise InputError(f"{where}: the score {value} is outside [0, {HIGHEST_SCORE}]")
    return float(value)


def messages_of(values: Any, where: str) -> tuple[Message, ...]:
    """Returns messages as APIs write them: [{"role": ..., "content": ...}, ...].

    Raises InputError for none, for one that is malformed, and if none is the user's.
    """
    if not isinstance(values, list) or not values:
        raise InputError(f"{where}: messages must be a list of role and content, and not empty")
    messages = tuple(
        message_of(value, f"{where}, message {number}") for number, value in enumerate(values, 1)
    )
    if not any(message.role == "user" for message in messages):
        raise InputError(f"{where} has no message of the user; the model needs one to answer")
    return messages


def message_of(value: Any, where: str) -> Message:
    if not isinstance(value, dict):
        raise InputError(f"{where} is {value!r}; write role and content")
    refuse_misspelt(value, ("role", "content"), where)
    if more := [key for key in NOT_READ if value.get(key)]:
        raise InputError(f"{where} has {more[0]!r}, which is not read; leave such rows out")
    role = value.get("role")
    if role not in ROLES:
        raise InputError(f"{where}: the role {role!r} is unknown; use one of {', '.join(ROLES)}")
    content = content_of(value.get("content"), where)
    # A system message may be empty: some templates write one of their own where there is none.
    if role != "system" and not is_shown(content):
        raise InputError(f"{where}: the content of the {role}'s message is empty")
    return Message(role, content)


def content_of(content: Any, where: str) -> str:
    """Returns the text of a message, or of its parts. Raises InputError for parts of other kinds.

    Parts are put together as they are, which is what templates do.
    """
    if not isinstance(content, list):
        return whole_text(content, f"{where}: the content")
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else part
        if kind != "text":
            raise InputError(f"{where} has a part {kind!r}; only parts of type 'text' are read")
    return "".join(whole_text(part.get("text"), f"{where}: the text of a part") for part in content)

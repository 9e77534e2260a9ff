"""What a model answers in conversations: units of a study, done before anything is extracted."""

import dataclasses
import hashlib
import itertools
import sys

from personascan.errors import InputError
from personascan.sources.language.conversation_prompts import openings
from personascan.sources.language.conversations import Conversation, Response
from personascan.sources.language.decoding import Writing
from personascan.sources.language.generate import write_continuations
from personascan.sources.language.source import LanguageSource, Reader
from personascan.study.store import Store
from personascan.study.units import Unit, Work, sha256_of
from personascan.visible import visible

KIND = "responses"


def response_works(source, writing: Writing | None) -> list[Work]:
    """Returns the units of a source's answers: one for each persona, side and instruction.

    [] where every row has its answer, and of sources that are no conversations.
    """
    if writing is None:
        return []
    asked = {}
    for group, rows in source.groups.items():
        for row in rows:
            if not row.answered:
                asked.setdefault((group, row.positive, row.instruction), []).append(row)
    return [work(source, tuple(rows), writing) for rows in asked.values()]


def work(source: LanguageSource, rows: tuple[Conversation, ...], writing: Writing) -> Work:
    if not writing.temperature:
        writing = dataclasses.replace(writing, seed=0)  # nothing is drawn
    inputs = source.shared_identity | {
        "messages": sha256_of([[row.id, *map(dataclasses.astuple, row.messages)] for row in rows]),
        "writing": dataclasses.asdict(writing),
    }
    return Work(Unit(KIND, inputs), do, (source.reader, rows, writing))


def do(reader: Reader, rows: tuple[Conversation, ...], writing: Writing):
    model = reader.model()
    prompts = openings(
        model.tokenizer, rows, reader.options, model.config.max_positions, model.config.vocab_size
    )
    written = write_continuations(
        model, prompts, writing, batch_tokens=reader.batch_tokens,
        draws=[draw_number(row.id) for row in rows],
    )  # fmt: skip
    responses = []
    for row, new in zip(rows, written, strict=True):
        one = written_response(model.tokenizer, new.ids, new.ended)
        responses.append({"id": row.id, "ids": new.ids, "text": one.text, "ended": one.ended})
    return {"responses": responses}, {}


def written_response(tokenizer, ids: list[int], ended: str) -> Response:
    """Returns tokens that a model has written, as text and with how they end."""
    text = tokenizer.decode(ids[:-1] if ended == "stop" else ids, skip_special_tokens=False)
    return Response(tuple(ids), text, ended)


def draw_number(id_: str) -> int:
    """Returns the number that decides a row's draws, whatever is written beside it."""
    return int.from_bytes(hashlib.sha256(id_.encode()).digest()[:4]) >> 1


def with_responses(source: LanguageSource, store: Store, writing: Writing | None) -> LanguageSource:
    """Returns a source whose conversations have their answers, from finished units.

    Pairs in which an answer is empty are left out, with a note. Raises InputError where nothing is
    left of a persona.
    """
    works = response_works(source, writing)
    if not works:
        return source
    written = {}
    for one in works:
        for record in store.read(one.unit).values["responses"]:
            written[record["id"]] = Response(tuple(record["ids"]), record["text"], record["ended"])
    groups = {
        group: [
            row if row.answered else dataclasses.replace(row, response=written[row.id])
            for row in rows
        ]
        for group, rows in source.groups.items()
    }
    return dataclasses.replace(source, groups=without_empty(source.name, groups))


def answered_for_plan(groups: dict, tokenizer, new_tokens: int) -> dict:
    """Returns groups in which answers of full length stand for those that are not written."""

    def answered(row: Conversation) -> Conversation:
        if row.answered:
            return row
        text = " ".join(message.content for message in row.messages)
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        ids = tuple(itertools.islice(itertools.cycle(ids), new_tokens))
        return dataclasses.replace(row, response=Response(ids, tokenizer.decode(ids), "length"))

    return {group: [answered(row) for row in rows] for group, rows in groups.items()}


def without_empty(model: str, groups: dict) -> dict:
    """Returns the groups without the pairs in which an answer has no text."""
    every = [row for rows in groups.values() for row in rows]
    empty = [row for row in every if not row.text.strip()]
    if not empty:
        return groups
    ids = {row.id for row in empty}
    # Of the same persona: others may ask the same question, and lose nothing.
    pairs = {(row.persona, row.pair) for row in empty if row.pair}
    left = {
        group: [row for row in rows if row.id not in ids and (row.persona, row.pair) not in pairs]
        for group, rows in groups.items()
    }
    print(
        f"note: {visible(model)}: {len(empty)} of {len(every)} answers are empty, the first to "
        f"{visible(empty[0].id)}; they and what is paired with them are left out: "
        f"{len(every) - sum(map(len, left.values()))} rows",
        file=sys.stderr,
    )
    for group, rows in left.items():
        if not rows:
            raise InputError(
                f"{model} has no answer with a text left of {group!r}; use a chat model, more new "
                "tokens, or other instructions"
            )
    return left

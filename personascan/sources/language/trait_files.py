"""Files of a trait or role: instructions that bring it out, and questions asked under each."""

import pathlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from personascan.errors import InputError
from personascan.sources.language.conversations import Conversation, Message
from personascan.sources.language.json_objects import (
    json_lines,
    json_object,
    refuse_misspelt,
    shown_text,
    whole_text,
)
from personascan.sources.language.message_files import question_name
from personascan.visible import is_shown, visible

COLUMNS = ("instruction", "questions", "eval_prompt")
DEFAULT = "default"  # the file whose rows all roles are compared with
MODEL_NAME = "{model_name}"
POS, NEG = "pos", "neg"
Question = tuple[str, str]  # its number in its file from 0, or its name; its text


@dataclass(frozen=True)
class TraitFile:
    """What a trait or role file holds, checked."""

    path: pathlib.Path
    instructions: tuple[dict[str, str], ...]  # {"pos": text, "neg": text}; of a role "pos" alone
    questions: tuple[Question, ...]  # (): none of its own
    eval_prompt: str  # what a judge is asked; "": none

    @property
    def persona(self) -> str:
        """The trait or role: the file's name."""
        return self.path.stem

    @property
    def is_role(self) -> bool:
        """Whether it names no opposite, so that the default takes its place."""
        return NEG not in self.instructions[0]

    @property
    def is_default(self) -> bool:
        """Whether its rows are what those of roles are compared with."""
        return self.is_role and self.persona == DEFAULT


def read_trait_file(path: pathlib.Path) -> TraitFile:
    """Reads a file {"instruction": [{"pos": ..., "neg": ...}], "questions": [...]}.

    Raises InputError for a file of another form, for an empty list, for instructions that are
    paired only in part, that are repeated or equal their opposite.
    """
    content = json_object(path)
    if {"conversation", "messages"} & content.keys():
        raise InputError(
            f"{path} is one conversation; read it with load_transcript, or write rows of messages, "
            "one a line, into a .jsonl file"
        )
    refuse_misspelt(content, COLUMNS, str(path))
    entries = listed(content, "instruction", path)
    instructions = [texts_of(e, f"{path}: instruction {n}") for n, e in enumerate(entries)]
    for number, texts in enumerate(instructions):
        if texts.keys() != instructions[0].keys():
            fault = f"has {'a' if NEG in texts else 'no'} 'neg', unlike instruction 0"
            raise InputError(
                f"{path}: instruction {number} {fault}; give it to every one (a trait) or to none "
                "(a role)"
            )
        if texts in instructions[:number]:
            fault = f"repeats instruction {instructions.index(texts)}"
            raise InputError(f"{path}: instruction {number} {fault}; write another one")
    questions = []
    if content.get("questions") is not None:
        questions = [
            shown_text(q, f"{path}: question {n}")
            for n, q in enumerate(listed(content, "questions", path))
        ]
    eval_prompt = content.get("eval_prompt")
    if eval_prompt is not None:
        eval_prompt = shown_text(eval_prompt, f"{path}: eval_prompt")
        if missing := [f for f in ("{question}", "{answer}") if f not in eval_prompt]:
            raise InputError(f"{path}: the eval_prompt lacks {missing[0]}; a judge needs both")
    return TraitFile(path, tuple(instructions), numbered(questions, path), eval_prompt or "")


def listed(content: Mapping[str, Any], key: str, path: pathlib.Path) -> list:
    """Returns a list of a file. Raises InputError for what is none, and for an empty one."""
    value = content.get(key)
    if not isinstance(value, list) or not value:
        what = "is missing" if value is None else "is empty" if value == [] else "is no list"
        raise InputError(
            f'{path}: {key!r} {what}; a trait file has "instruction": [{{"pos": ..., "neg": ...}}] '
            'and "questions": [...]'
        )
    return value


def texts_of(entry: Any, where: str) -> dict[str, str]:
    """Returns an instruction's texts. Raises InputError unless it has pos, and neg or nothing."""
    if not isinstance(entry, dict) or POS not in entry or entry.keys() - {POS, NEG}:
        raise InputError(f"{where} is {entry!r}; write {{'pos': ..., 'neg': ...}}")
    texts = {
        side: whole_text(entry[side], f"{where}: {side}").strip()
        for side in (POS, NEG)
        if side in entry
    }
    if texts[POS] == texts.get(NEG):
        raise InputError(f"{where}: pos and neg are the same; neg is the opposite")
    return texts


def numbered(questions: Sequence[str], path: pathlib.Path) -> tuple[Question, ...]:
    """Returns each question once, with its number; the note says what is repeated."""
    number_of: dict[str, int] = {}
    for number, question in enumerate(questions):
        number_of.setdefault(question, number)
    if repeated := len(questions) - len(number_of):
        again = next(q for n, q in enumerate(questions) if number_of[q] != n)
        print(
            f"note: {visible(str(path))}: {repeated} of {len(questions)} questions repeat another, "
            f"and are not asked again, such as {visible(again)[:60]!r}",
            file=sys.stderr,
        )
    return tuple((str(number), question) for question, number in number_of.items())


def read_questions(path: pathlib.Path) -> tuple[Question, ...]:
    """Reads a .jsonl file of shared questions, {"question": ...} a line."""
    if path.suffix != ".jsonl":
        raise InputError(f'{path} is no .jsonl file; give shared questions as {{"question": ...}}')
    questions = []
    for where, row in json_lines(path):
        refuse_misspelt(row, ("question", "id"), where)
        questions.append(shown_text(row.get("question"), f"{where}: the question"))
    if not questions:
        raise InputError(f"{path} holds no questions")
    return numbered(questions, path)


def questions_for(
    file: TraitFile, files: Sequence[TraitFile], shared: Sequence[Question], limit: int
) -> Sequence[Question]:
    """Returns the questions that a file's instructions are followed by.

    The default without any is asked those of all roles: a number would not say which, so that they
    have names there.
    """
    questions = shared or file.questions
    if questions:
        return questions[: limit or None]
    roles = [other for other in files if other.is_role and not other.is_default]
    if not file.is_default or not roles:
        advice = " or read its roles beside it" if file.is_default else " or to the file"
        raise InputError(f"{file.path} has no questions; give questions=a .jsonl file,{advice}")
    every = (q for role in roles for q in questions_for(role, files, shared, limit))
    return [(name, text) for text, name in {text: question_name(text) for _, text in every}.items()]


def ask(
    files: Sequence[TraitFile],
    shared: Sequence[Question],
    *,
    instructions: int,
    limit: int,
    model_name: str,
) -> list[Conversation]:
    """Returns every question under every instruction of every file; a note counts those left out.

    Raises InputError for files without questions, and a model's name that is asked for and missing.
    """
    conversations, of = [], 0
    for file in files:
        of += len(file.instructions) * len(file.instructions[0]) * len(
            questions_for(file, files, shared, 0)
        )  # fmt: skip
        questions = questions_for(file, files, shared, limit)
        for number, texts in enumerate(file.instructions[: instructions or None]):
            for side, text in texts.items():
                where = f"{file.path}: instruction {number}"
                system = filled(text, model_name, where)
                positive = side == POS and not file.is_default
                conversations += ask_each(file, questions, number, system, positive)
    if left_out := of - len(conversations):
        print(
            f"note: {left_out} of {of} conversations are left out: those behind the first "
            f"{first_of(instructions, limit)} of their file",
            file=sys.stderr,
        )
    return conversations


def first_of(instructions: int, limit: int) -> str:
    """Returns what is kept of a file, in words."""
    kept = [(instructions, "instructions"), (limit, "questions")]
    return " and ".join(f"{number} {what}" for number, what in kept if number)


def filled(instruction: str, model_name: str, where: str) -> str:
    if MODEL_NAME in instruction and not model_name:
        raise InputError(
            f"{where} names the model, {MODEL_NAME}; give model_name='SmolLM2' or the like"
        )
    return instruction.replace(MODEL_NAME, model_name)


def ask_each(
    file: TraitFile, questions: Sequence[Question], number: int, system: str, positive: bool
) -> Iterator[Conversation]:
    """Yields the conversations of one instruction."""
    before = (Message("system", system),) if is_shown(system) else ()
    for label, question in questions:
        name = question_name(question)
        yield Conversation(
            id=f"{file.persona}/{POS if positive else NEG}/{number}/{label}",
            messages=(*before, Message("user", question)),
            persona=file.persona,
            topic="roles" if file.is_role else "traits",
            positive=positive,
            question=question,
            instruction=str(number),
            entity=name,
            # An instruction and its opposite belong together; a role's have none of their own.
            pair=name if file.is_role else f"{name}/{number}",
        )

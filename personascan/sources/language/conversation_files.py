"""Conversations, checked and with ids, from files of messages, of traits and of roles."""

import os
import pathlib
from collections import Counter
from collections.abc import Iterable, Sequence

from personascan.errors import InputError
from personascan.reading import refuse_special
from personascan.sources.language.conversation_sides import (
    ScoreLimits,
    first_rows,
    note_left_out,
    partnered,
    refuse_lost,
    refuse_one_sided,
    refuse_unpartnered,
    refuse_unscored,
    scopes_of,
    select_scored,
)
from personascan.sources.language.conversations import Conversation
from personascan.sources.language.json_objects import json_object
from personascan.sources.language.message_files import Row, messages_of, name_of, read_rows
from personascan.sources.language.trait_files import TraitFile, ask, read_questions, read_trait_file

MESSAGES, TRAIT = ".jsonl", ".json"
Source = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def load_conversations(
    source: Source,
    *,
    persona: str | None = None,
    questions: str | os.PathLike[str] = "",
    instructions: int = 0,
    limit: int = 0,
    keep_above: float | None = None,
    keep_below: float | None = None,
    model_name: str = "",
) -> list[Conversation]:
    """Reads conversations, whose last answer is written or still to be written, from files.

    A `.jsonl` file has a row a line: `messages` ([{"role": ..., "content": ...}, ...]), a side
    (`direction`, `label` or `positive`, as statements have it) or a `score`, and where wanted a
    group (`persona`, `group`, `trait`; else the file's name), `id`, `question`, `instruction`,
    `topic`, `entity`, `pair`. A `.json` file is named after a trait, and holds `instruction`, a
    list of {"pos": ..., "neg": ...}, `questions` and `eval_prompt`; one of a role has "pos" alone,
    and is compared with the file `default.json`. Every question is asked under every instruction.

    Args:
      source: a file, a folder of them, or several of either.
      persona: the only group to keep, with those that are all negative if it has no negative rows.
      questions: a `.jsonl` file of {"question": ...}, asked instead of each trait file's own.
      instructions: the most instructions of a file, or of a group and side: the first; 0: all.
      limit: the most questions of a file or group: the first; 0: all.
      keep_above: the lowest score (0 to 100) of a positive row; None: any.
      keep_below: the highest score of a negative row; None: any. Both decide the side of rows that
        have none. Notes say how many rows are left out.
      model_name: what stands for {model_name} in an instruction.

    Returns:
      Conversations in the order of their files. Of trait files the ids are such as `calm/pos/2/17`
      (instruction 2, question 17, counted from 0), and a question under an instruction and under
      its opposite is a pair; of roles all answers to a question are one. In files of messages the
      rows of a question are a pair, where they name no `pair`.

    Raises:
      InputError: a file, row or message that is malformed, a repeated id, a question or pair on one
        side alone, a group with nothing to compare it with, a score that is no number in [0, 100].
    """
    limits = ScoreLimits(keep_above, keep_below)
    for name, number in (("instructions", instructions), ("limit", limit)):
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise InputError(f"{name} = {number!r}: use a whole number of at least 0 (0: all)")
    traits, rows = read_files(source)
    shared = read_questions(pathlib.Path(questions).expanduser()) if questions else ()
    if questions and not traits:
        raise InputError("questions= is for trait and role files; the source has none")
    if limits != ScoreLimits() and not rows:
        raise InputError("keep_above and keep_below need rows with scores; the source has none")
    traits, rows = of_persona(traits, rows, persona)
    refuse_unscored(rows, limits)
    asked = ask(traits, shared, instructions=instructions, limit=limit, model_name=model_name)
    # What the files say themselves, before scores leave anything out.
    told = asked + [row.conversation for row in rows if row.labelled]
    refuse_repeated_ids(asked + [row.conversation for row in rows])
    if len(told) == len(asked) + len(rows):
        refuse_one_sided(told)
    refuse_unpartnered(told)
    left_out: Counter[str] = Counter()
    chosen = first_rows(select_scored(rows, limits, left_out), instructions, limit, left_out)
    refuse_one_sided(asked + chosen)
    conversations = partnered(asked + chosen, left_out)
    refuse_lost(asked + chosen, conversations)
    refuse_unpartnered(conversations)
    note_left_out(left_out, len(asked) + len(rows))
    return conversations


def load_transcript(path: str | os.PathLike[str]) -> Conversation:
    """Reads one conversation of any length, {"conversation": [{"role", "content"}, ...]}.

    Its id is its `conversation_id` or else the file's name, and its side says nothing. Raises
    InputError for a file that is none.
    """
    path = pathlib.Path(path).expanduser()
    content = json_object(path)
    if "conversation" not in content:
        raise InputError(f'{path} has no "conversation": a list of role and content')
    id_ = content.get("conversation_id")
    return Conversation(
        path.stem if id_ is None else name_of(id_, f"{path}: conversation_id"),
        messages_of(content["conversation"], str(path)),
        persona=path.stem,
        topic="",
        positive=True,
    )


def load_eval_prompts(source: Source) -> dict[str, str]:
    """Reads what a judge is asked of each trait or role: {persona: text}; files without have none.

    Raises InputError if no file has one, or two files of one name have.
    """
    prompts = {file.persona: file.eval_prompt for file in files_with_prompts(source)}
    if not prompts:
        raise InputError("no file has an eval_prompt; write one into each trait file")
    return prompts


def files_with_prompts(source: Source) -> list[TraitFile]:
    """Returns the files of traits and roles of which a judge can be asked, [] if there are none.

    Raises InputError if two files of one name have an eval_prompt.
    """
    files: dict[str, TraitFile] = {}
    for path in listed_files(source):
        file = read_trait_file(path) if path.suffix == TRAIT else None
        if file is None or not file.eval_prompt:
            continue
        if file.persona in files:
            raise InputError(f"{path} is the second file of {file.persona!r}; keep one")
        files[file.persona] = file
    return list(files.values())


def listed_files(source: Source) -> list[pathlib.Path]:
    """Lists the files of a source, those of a folder by name. Raises InputError for none."""
    single = isinstance(source, str | os.PathLike)
    if not single and not isinstance(source, Iterable):
        raise InputError(f"the source is {source!r}; give a path, or a list of paths")
    files = []
    for one in [source] if single else source:
        if not isinstance(one, str | os.PathLike):
            raise InputError(f"{one!r} is no path; write rows into a .jsonl file, one a line")
        path = pathlib.Path(one).expanduser()
        refuse_special(path)
        if path.is_dir():
            of_folder = sorted(path for path in path.iterdir() if is_read(path))
            if not of_folder:
                raise InputError(f"{path} holds no .jsonl and no .json files; check the path")
            files += of_folder
        elif not path.exists():
            raise InputError(f"conversations {str(path)!r} do not exist; check the path")
        elif path.suffix in (MESSAGES, TRAIT):
            files.append(path)
        else:
            raise InputError(f"{path} is neither .jsonl (messages) nor .json (traits, roles)")
    if not files:
        raise InputError("there are no files of conversations; give at least one")
    return files


def is_read(path: pathlib.Path) -> bool:
    return path.suffix in (MESSAGES, TRAIT) and not path.name.startswith(".")


def read_files(source: Source) -> tuple[list[TraitFile], list[Row]]:
    """Returns the traits and the rows of files.

    Raises InputError for what is malformed, and for a trait or an id that is there twice.
    """
    traits: dict[str, TraitFile] = {}
    rows: dict[str, Row] = {}
    for path in listed_files(source):
        if path.suffix == TRAIT:
            file = read_trait_file(path)
            if file.persona in traits:
                raise InputError(f"{path} is a second file of {file.persona!r}; keep one of them")
            traits[file.persona] = file
            continue
        for row in read_rows(path):
            if other := rows.get(row.conversation.id):
                raise InputError(
                    f"{row.where}: the id {row.conversation.id!r} is that of {other.where}; ids "
                    "must be unique"
                )
            rows[row.conversation.id] = row
    return list(traits.values()), list(rows.values())


def of_persona(
    traits: list[TraitFile], rows: list[Row], persona: str | None
) -> tuple[list[TraitFile], list[Row]]:
    """Returns what belongs to a persona, and what it is compared with.

    Raises InputError for one that is not there.
    """
    if persona is None:
        return traits, rows
    known = {*(file.persona for file in traits), *(row.conversation.persona for row in rows)}
    if persona not in known:
        raise InputError(f"persona {persona!r} is not there; there are {', '.join(sorted(known))}")
    files = [file for file in traits if file.persona == persona]
    if any(file.is_role for file in files):
        files = [file for file in traits if file.persona == persona or file.is_default]
    scopes = scopes_of(row.conversation for row in rows if row.labelled)
    kept = {persona}
    if not scopes.get(persona, persona):  # it has one side
        positive = {r.conversation.persona for r in rows if r.conversation.positive}
        kept |= {group for group, scope in scopes.items() if not scope and group not in positive}
    return files, [row for row in rows if row.conversation.persona in kept]


def refuse_repeated_ids(conversations: Sequence[Conversation]) -> None:
    seen: set[str] = set()
    for one in conversations:
        if one.id in seen:
            raise InputError(f"the id {one.id!r} occurs twice; ids must be unique")
        seen.add(one.id)

"""What a page says of a study's conversations: how many, and how their answers came and ended."""

from collections.abc import Iterable

from personascan.sources.language.conversations import Conversation


def about_conversations(rows: Iterable[Conversation], takes_system: bool) -> str:
    """Returns the sentences about conversations and their answers.

    takes_system: whether the chat template shows the model a system message.
    """
    rows = list(rows)
    written = [row.response for row in rows if row.response is not None]
    said = [
        f"{len(rows)} conversations were put through the model as its chat template renders them, "
        "each in one pass, with its answer."
    ]
    if not takes_system and any(m.role == "system" for row in rows for m in row.messages):
        said.append(
            "The model's template has no system message: the instruction stands in front of the "
            "first question, with an empty line between."
        )
    if written:
        cut = sum(one.ended == "length" for one in written)
        tokens = sum(len(one.ids) for one in written)
        said.append(
            f"The model wrote {len(written)} of the answers itself, {tokens / len(written):.0f} "
            f"tokens long on average; {cut} of them are cut by the limit of new tokens."
        )
    if len(written) < len(rows):
        said.append(f"{len(rows) - len(written)} answers were given with the conversations.")
    return " ".join(said)

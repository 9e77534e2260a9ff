"""The section of the page on texts that the model writes, as it is and pushed, side by side."""

from personascan.report.words import WRITTEN, Section, Table, rows_word, safe, word_list
from personascan.study.results import Part
from personascan.study.stages.written import NEW_TOKENS, WrittenTexts

SETS = 6  # node sets that the page shows; the file has them all


def written_section(part: Part) -> Section | None:
    """Returns what the model writes behind a few prompts, unedited and pushed both ways."""
    written = [one for one in part.written if one.texts]
    if not written:
        return None
    _, away, towards = written[0].strengths
    called, shown = rows_word(part), one_each(written)[:SETS]
    more = f" Shown are {len(shown)} of {len(written)} node sets." if shown != written else ""
    empty = [f"{safe(one.name)} (half {one.half})" for one in part.written if not one.texts]
    none = f" No nodes were found to push for {word_list(empty)}." if empty else ""
    return Section(
        "What it writes when it is pushed",
        "A look, and no test: what the model writes behind a prompt as it is, and with the found "
        f"nodes of one half of the {called} pushed by {away:+g} (away from H1) and by {towards:+g} "
        "(towards it) deviations of H0, at every token while it reads and writes; the likeliest "
        f"token each time, at most {NEW_TOKENS}. A text that changes says that the push does "
        "something, and not that the nodes are the persona's: random nodes of the same push may "
        "change it as much. Where a push is too strong, texts fall apart into repetition."
        f"{more}{none} `written.csv` has every text; `scripts/steer.py` writes others.",
        Table(
            ["", "place", "found on half", "prompt", WRITTEN, f"{away:+g}", f"{towards:+g}"],
            [line for one in shown for line in lines_of_set(one)],
        ),
    )


def one_each(written: list[WrittenTexts]) -> list[WrittenTexts]:
    """Returns the first set of every comparison, then all others if these are few."""
    if len(written) <= SETS:
        return written
    return list({one.name: one for one in reversed(written)}.values())[::-1]


def lines_of_set(one: WrittenTexts) -> list[list]:
    return [
        [safe(one.name), one.place, one.half, safe(prompt), *map(shown_text, texts)]
        for prompt, texts in one.texts.items()
    ]


def shown_text(text: str) -> str:
    """Returns a text on one line, "(nothing)" where the model ended at once."""
    return safe(" ".join(text.split())) or "(nothing)"

"""Section of the page on answers with a direction added, strength beside strength."""

import numpy as np

from personascan.report.words import SWEPT, Section, Table, number, safe, shorten, word_list
from personascan.study.results import Part
from personascan.study.stages.sweep import Sweep

QUOTED_QUESTIONS = 2
SIDES = {1: "above", -1: "below"}


def sweep_section(part: Part) -> Section | None:
    """Returns what is measured at every strength, with some texts; None where nothing is swept."""
    if not part.sweeps:
        return None
    draws = part.config.conversations.controls
    asked = max(len(one.questions) for one in part.sweeps.values())
    blocks = []
    for name, one in part.sweeps.items():
        blocks += [reach_words(name, one), measures_table(one), texts_table(one)]
    return Section(
        "What the direction does to answers, strength by strength",
        "Half A's direction (the mean of H1 less that of H0) is added at its place, at every "
        f"token, while the model answers at most {asked} questions of half B, without any "
        "instruction. Strengths are in deviations of H0 along "
        f"it. In brackets is the range of {draws} random directions as long, which chance alone "
        f"passes on a given side, at a given strength, once in {draws + 1} times. *Own "
        "judgement* is the model's own, not a judge's: the unedited model reads each answer with "
        "the file's `eval_prompt`. *Words of the instructions* is the share of answers with a word "
        "that instructions for H1 alone have; perplexity is that of the unedited model on the "
        "answer behind its question; repeated are runs of three tokens. `sweep.csv` has more.",
        *blocks,
    )


def reach_words(name: str, one: Sweep) -> str:
    """Returns how far the model's own judgement grows on each side of strength 0."""
    said = []
    for side, where in SIDES.items():
        reach = one.reach(side)
        if reach is None:
            continue
        wanted = "rise" if side > 0 else "fall"
        if not reach.strength:
            said.append(f"{where} 0 it does not {wanted}")
            continue
        beyond = "beyond" if reach.beyond else "never beyond"
        ends = f"from {judged_at(one, 0.0)} to {judged_at(one, reach.strength)}"
        said.append(
            f"{where} 0 it {wanted}s up to strength {reach.strength:+g} ({ends}), {beyond} the "
            "random directions"
        )
    if not said:
        return f"**{safe(name)}** at {safe(one.place)}."
    return (
        f"**{safe(name)}** at {safe(one.place)}. Own judgement, while perplexity stays within "
        f"{one.factor:g} times that at strength 0: {word_list(said)}."
    )


def judged_at(one: Sweep, strength: float) -> str:
    return number(one.mean_VS["judged"][0, one.strengths.index(strength)], ".1f")


def measures_table(one: Sweep) -> Table:
    """Returns a line for each strength, random directions in brackets."""
    numbers = "" if one.numbers is None else f", {one.numbers[0]} to {one.numbers[1]}"
    columns = {
        f"own judgement{numbers}": (one.mean_VS["judged"], ".1f"),
        "words of the instructions": (one.mean_VS["echoes"], ".0%"),
        "perplexity": (one.perplexity_VS, ".3g"),
        "repeated": (one.mean_VS["repeats"], ".0%"),
        "tokens": (one.mean_VS["tokens"], ".0f"),
    }
    rows = [
        [f"{strength:+g}" if strength else "0",
         *(beside_random(values_VS[:, s], form) for values_VS, form in columns.values())]
        for s, strength in enumerate(one.strengths)
    ]  # fmt: skip
    return Table(["strength", *columns], rows)


def beside_random(values_V: np.ndarray, form: str) -> str:
    """Returns a value with the range of the random directions, where they differ from it."""
    own, known = values_V[0], values_V[1:][~np.isnan(values_V[1:])]
    if not known.size or (known == own).all():
        return number(own, form)
    return f"{number(own, form)} ({known.min():{form}} to {known.max():{form}})"


def texts_table(one: Sweep) -> Table:
    """Returns what half A's direction makes of the first questions, strength below strength."""
    shown = one.questions[:QUOTED_QUESTIONS]
    rows = [["", *map(quoted, shown)]]
    rows += [
        [f"{strength:+g}" if strength else "0", *map(quoted, texts[: len(shown)])]
        for strength, texts in zip(one.strengths, one.texts_SQ, strict=True)
    ]
    return Table([SWEPT, *("answer to" for _ in shown)], rows)


def quoted(text: str) -> str:
    return safe(shorten(" ".join(text.split())))

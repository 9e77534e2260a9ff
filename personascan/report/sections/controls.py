"""Section of the page on answers: what a direction still tells with parts of them left out."""

from collections import Counter

import numpy as np

from personascan.report.words import Section, Table, number, safe, word_list
from personascan.study.results import Part
from personascan.study.stages.controls import HELD_OUT, Control, Controls


def controls_section(part: Part) -> Section | None:
    """Returns the controls of each comparison; None where rows are no conversations."""
    if not part.controls:
        return None
    rows = []
    for name, one in part.controls.items():
        instructions = HELD_OUT.split("{}")[0]
        held_out = [c for c in one.controls if c.name.startswith(instructions)]
        for c in one.controls:
            if c not in held_out:
                rows.append([safe(name), safe(c.name), f"{c.h1} + {c.h0}", auroc_cell(c)])
        if held_out:
            rows.append(
                [safe(name), "under an instruction it was not found with", *lowest(held_out)]
            )
    shares = [[safe(name), one.place, *shares_of(one)] for name, one in part.controls.items()]
    return Section(
        "What else could it be? Answers with parts left out",
        "Half A of the questions chose the place and made the direction; what is judged are the "
        "answers to the questions of half B. *Before the answer*: the same at the last token that "
        "the model reads before it writes, where nothing but the instruction and the question is "
        "known. *The other instruction in view*: the same answers, "
        "read behind the instruction of the other side; where the AUROC falls below .5, the "
        "direction follows the instruction that is read and not what was answered. *No words of "
        "the instruction*: answers of either half that hold a word of the instructions for H1 "
        "alone (or the persona's name) are left out. A refusal is an answer that begins as one. "
        "Of instructions the lowest is shown, each found under the others and judged under "
        "itself. `controls.csv` has every row, `answers.csv` every answer.",
        Table(["", "answers", "judged, H1 + H0", "AUROC on half B"], rows),
        Table(["", "place", "H1 that echo", "H0 that echo", "H1 refusals", "H0 refusals"], shares),
    )


def auroc_cell(c: Control) -> str:
    if np.isnan(c.auroc):
        return "too few answers"
    return f"{number(c.auroc)} ({number(c.low)} to {number(c.high)})"


def lowest(held_out: list[Control]) -> tuple[str, str]:
    """Returns the rows and the AUROC of the instruction under which answers are told worst."""
    told = [c for c in held_out if not np.isnan(c.auroc)]
    if not told:
        return "-", "too few answers"
    worst = min(told, key=lambda c: c.auroc)
    return f"{worst.h1} + {worst.h0}", f"{auroc_cell(worst)}, lowest of {len(told)}"


def shares_of(one: Controls) -> list[str]:
    return [f"{share:.0%}" for share in (*one.echoes, *one.refusals)]


def recipes_section(part: Part) -> Section | None:
    """Returns how far sites and positions agree, on average over comparisons."""
    if not part.recipes:
        return None
    by_pair, chosen = {}, Counter()
    for recipes in part.recipes.values():
        chosen.update(recipes.chosen.values())
        for a in recipes.agreements:
            by_pair.setdefault((a.one, a.other), []).append(a)
    rows = []
    for (one, other), each in by_pair.items():
        rank, overlap = (
            np.array([getattr(a, field) for a in each]) for field in ("rank_correlation", "overlap")
        )
        rows.append([
            *map(recipe_cell, (one, other)), mean_cell(rank, "+.2f"), mean_cell(overlap, ".0%"),
            f"{each[0].chance:.0%}",
        ])  # fmt: skip
    halves = chosen.total()
    said = word_list(f"{recipe_cell(one)} {number} times" for one, number in chosen.most_common())
    return Section(
        "Which recipes agree",
        "A recipe is a site and a position: which activation of a layer, at which tokens of an "
        "answer. All recipes are one family, so that trying several is paid for. Two of them agree "
        "on layers where the ranks of their z go together (Spearman's correlation), and on nodes "
        "where the 5% that differ most at one layer are the same; means over comparisons. "
        + (f"Of {halves} halves, {said} chose the place there. " if halves else "")
        + "`recipes.csv` has each comparison.",
        Table(["recipe", "other recipe", "rank correlation", "nodes in common", "chance"], rows),
    )


def recipe_cell(recipe: tuple[str, str]) -> str:
    return " ".join(map(safe, recipe))


def mean_cell(values: np.ndarray, form: str) -> str:
    known = values[~np.isnan(values)]
    return format(known.mean(), form) if known.size else "-"

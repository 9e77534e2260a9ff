"""The section of the page, and the pictures, of what edits of found nodes change."""

import numpy as np

from personascan.analysis.findings import SIGNIFICANCE
from personascan.interventions.design import (
    FOUND,
    METHODS,
    PROJECT,
    STEER,
    ablation,
)
from personascan.interventions.options import CONTROLS, MATCHED, RANDOM, RANDOM_DIRECTION
from personascan.report.section import Section, Shown, Table
from personascan.report.words import joined, rows_word, safe
from personascan.study.effects import ANSWER, LIKELIHOOD, MATCHING, YES, Effect, TestedEffects
from personascan.study.intervened import strongest
from personascan.study.results import Part

SET_TO = {
    "mean": "the background's mean",
    "zero": "zero",
    "resample": "the values of background rows",
    "patch": "the values of rows of H1",
}
ALSO = {MATCHED: "; sets of like variance", RANDOM_DIRECTION: "; random directions as long"}


def intervened_section(part: Part) -> Section | None:
    """What the edits were, what they changed, and what that says."""
    if not part.interventions:
        return None
    some = [found for found in part.interventions if found.effects]
    blocks = [verdict(part), what_text(part)]
    if some:
        blocks += [Shown("effects"), main_table(part, some)]
    if dosed(part):
        blocks.append(Shown("doses"))
    if some:
        blocks += methods_blocks(part, some)
    if part.specificity:
        blocks += [specificity_text(part), Shown("specificity")]
    return Section("Do the found nodes carry it?", *blocks)


def what_text(part: Part) -> str:
    options, tokens = part.config.intervention, part.config.intervention.tokens
    at = {"all": "every token", "statement": "the statement's tokens", "last": "the last token"}
    also = "".join(ALSO[kind] for kind in CONTROLS[1:] if kind in options.against)
    return (
        f"Node sets found on one half of the {rows_word(part)} are edited at their place, at "
        f"{at[tokens]}, while the model is asked whether {rows_word(part)} of the other half "
        f"({options.statements} of H1 and of H0) are something it would say. The answer is the "
        "logit of Yes less that of No; an effect is how much further apart an edit moves the "
        f"answers to H1 and to H0, with a {percent(options.level)} interval over statements. "
        f"Ablation sets the nodes to {SET_TO[options.ablations[0]]}; steering pushes each node by "
        "so many deviations of the background in the direction in which it was found. What found "
        f"nodes do is held against {options.controls} of each kind of control: random sets of "
        "their size, each node in the direction of its own mean difference, so that they know the "
        f"labels as well{also}. p is the share of controls with an effect at least as large, "
        "either edit; the family is all node sets. Divergence and perplexity are the edit's effect "
        "on neutral text. `interventions.csv` has every action, outcome and control."
    )


def percent(confidence: float) -> str:
    return f"{100 * confidence:.4g}%"


def main_keys(part: Part) -> list[tuple[str, float]]:
    """The actions that are judged: the first ablation, and the strongest push towards H1."""
    options = part.config.intervention
    return [(ablation(options.ablations[0]), np.nan), *((STEER, c) for c in strongest(options))]


def effect_at(found: TestedEffects, method: str, action: str, strength, outcome=ANSWER):
    """The effect of that strength, or None."""
    for e in found.of(method, action, outcome):
        if e.strength == strength or (np.isnan(e.strength) and np.isnan(strength)):
            return e
    return None


def passing_sets(part: Part, action: str, strength: float) -> tuple[list[str], int]:
    """The sets that an action passes with over the family, with their effects, and of how many."""
    passing, tested = [], 0
    for found in part.interventions:
        e = effect_at(found, FOUND, action, strength)
        if e is None:
            continue
        tested += 1
        if found.p_family.get(e.key, 1.0) <= SIGNIFICANCE:
            passing.append(f"{set_name(found)} {e.effect:+.2f}")
    return passing, tested


def verdict(part: Part) -> str:
    """In how many sets each judged action passes over the family, and which are these."""
    sentences = []
    for action, strength in main_keys(part):
        passing, tested = passing_sets(part, action, strength)
        said = f"{action_name(action, strength)} moves the answer more than random sets do, at 5% "
        said += f"over the family, in {len(passing)} of {tested} node sets"
        sentences.append(said + (f": {joined(passing)}." if passing else "."))
    empty = [set_name(f) for f in part.interventions if not f.effects]
    if empty:
        sentences.append(f"No nodes were found to test for {joined(empty)}.")
    return " ".join(s[0].upper() + s[1:] for s in sentences)


def method_name(method: str) -> str:
    """Ours as they are; the names of imported directions come from files."""
    return method if method in METHODS else safe(method)


def set_name(found: TestedEffects) -> str:
    return f"{safe(found.tested.name)} (half {found.tested.half})"


def action_name(action: str, strength: float) -> str:
    return action if np.isnan(strength) else f"{action} {strength:+g}"


def main_table(part: Part, some: list[TestedEffects]) -> Table:
    rows = []
    for found in some:
        for action, strength in main_keys(part):
            e = effect_at(found, FOUND, action, strength)
            random = effect_at(found, RANDOM, action, strength)
            rows.append(
                [
                    safe(found.tested.name), found.tested.place, found.tested.half,
                    found.tested.nodes, action_name(action, strength), interval(e),
                    f"{random.low:+.2f} to {random.high:+.2f}", p_text(e, RANDOM),
                    p_text(e, MATCHED), p_text(e, RANDOM_DIRECTION),
                    f"{found.p_family[e.key]:.3f}", f"{e.divergence:.3f}",
                    f"{e.perplexity:.1f} ({found.perplexity:.1f})",
                ]
            )  # fmt: skip
    header = [
        "", "place", "found on half", "nodes", "action", "effect on the answer",
        "90% of random sets", "p, random", "p, like variance",
        "p, directions", "p, family", "divergence",
        "perplexity (unedited)",
    ]  # fmt: skip
    return Table(header, rows)


def p_text(e: Effect, kind: str) -> str:
    return f"{e.p[kind]:.3f}" if kind in e.p else "-"


def interval(e: Effect) -> str:
    if np.isnan(e.low):  # of a single unit there is none
        return f"{e.effect:+.2f}"
    return f"{e.effect:+.2f} ({e.low:+.2f} to {e.high:+.2f})"


def methods_blocks(part: Part, some: list[TestedEffects]) -> list:
    """Every method at the strongest push, all outcomes; projections beside them."""
    _, *pushes = main_keys(part)
    if not pushes:
        return []
    ((_, strength),) = pushes
    rows = []
    for found in some:
        for method in dict.fromkeys(e.method for e in found.effects):
            cells = [effect_at(found, method, STEER, strength, o)
                     for o in (ANSWER, YES, MATCHING, LIKELIHOOD)]  # fmt: skip
            if cells[0] is None:
                continue
            out = effect_at(found, method, PROJECT, np.nan)
            rows.append(
                [
                    safe(found.tested.name), found.tested.half, method_name(method),
                    *("-" if e is None else interval(e) for e in (*cells, out)),
                    f"{cells[0].divergence:.3f}",
                ]
            )  # fmt: skip
    unedited = [
        f"{set_name(found)} {e.unedited:.0%}"
        for found in some
        if (e := effect_at(found, FOUND, STEER, strength, MATCHING))
    ]
    matching = ""
    if unedited:
        matching = (
            f" Without an edit the answers match the label for {joined(unedited)} of the "
            "statements."
        )
    return [
        f"The same push ({strength:+g}) along other node sets, by their own nodes' deviations, and "
        "along directions as long as the found set's; of controls, their mean and where 90% of "
        f"them lie.{matching}",
        Table(
            [
                "", "found on half", "nodes or direction", "answer", "Yes to all",
                "share of matching answers",
                "log-likelihood, nats a token", "answer, projected out", "divergence",
            ],
            rows,
        ),
    ]  # fmt: skip


def specificity_text(part: Part) -> str:
    sentences = []
    for action, strength in matrix_keys(part):
        names, matrix_JO = matrix(part, action, strength)
        own = np.diag(matrix_JO)
        other = matrix_JO[~np.eye(len(names), dtype=bool)]
        sentences.append(
            f"{action_name(action, strength)}: {np.nanmean(own):+.2f} on a comparison's own "
            f"statements on average, {np.nanmean(other):+.2f} on those of others."
        )
    return (
        "Each comparison's node set on the statements of every comparison (means over both "
        f"halves). {' '.join(sentences)} `specificity.csv` has the intervals."
    )


def matrix_keys(part: Part) -> list[tuple[str, float]]:
    found = []
    for c in part.specificity:
        if not any(a == c.action and (s == c.strength or np.isnan(s)) for a, s in found):
            found.append((c.action, c.strength))
    return found


def matrix(part: Part, action: str, strength: float) -> tuple[list[str], np.ndarray]:
    """(names, effects [judged, owner]), means over the halves; NaN where no set was found."""
    names = list(dict.fromkeys(c.judged for c in part.specificity))
    cells = {}
    for c in part.specificity:
        if c.action == action and (c.strength == strength or np.isnan(strength)):
            cells.setdefault((c.judged, c.owner), []).append(c.effect)
    matrix_JO = np.array([[np.mean(cells.get((j, o), [np.nan])) for o in names] for j in names])
    return names, matrix_JO


def dosed(part: Part) -> list[TestedEffects]:
    """What was steered."""
    return [f for f in part.interventions if f.of(FOUND, STEER)]

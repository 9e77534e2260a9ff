"""The section of the page on the effects of edits of found nodes."""

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
from personascan.report.ceilings import floor_words
from personascan.report.words import (
    Section,
    Shown,
    Table,
    between,
    capitalise,
    interval,
    p_words,
    quantity,
    rows_word,
    safe,
    word_list,
)
from personascan.study.effects import ANSWER, LIKELIHOOD, MATCHING, YES, Effect, SetEffects
from personascan.study.node_sets import strongest
from personascan.study.results import Part

SET_TO = {
    "mean": "the background's mean",
    "zero": "zero",
    "resample": "the values of background rows",
    "patch": "the values of rows of H1",
}
ALSO = {MATCHED: "; sets of like variance", RANDOM_DIRECTION: "; random directions as long"}


def edits_section(part: Part) -> Section | None:
    """Returns the section on edits: the verdict, how they were done, and their effects."""
    if not part.interventions:
        return None
    blocks = [verdict(part), what_text(part)]
    if any(tested.effects for tested in part.interventions):
        blocks += [Shown("effects"), main_table(part)]
        if any(tested.of(FOUND, STEER) for tested in part.interventions):
            blocks.append(Shown("doses"))
        blocks += methods_blocks(part)
    if part.specificity:
        blocks += [specificity_text(part), Shown("specificity")]
    return Section("Do the found nodes carry it?", *blocks)


def what_text(part: Part) -> str:
    options, tokens = part.config.intervention, part.config.intervention.tokens
    at = {"all": "every token", "statement": "the statement's tokens", "last": "the last token"}
    limited = ""
    if options.nodes:
        limited = (
            f" Of a set at most {options.nodes} nodes are edited, those with the largest effects; "
            "the node set of the table of nodes holds all."
        )
    also = "".join(ALSO[kind] for kind in CONTROLS[1:] if kind in options.against)
    return (
        f"Node sets found on one half of the {rows_word(part)} are edited at their place, at "
        f"{at[tokens]}, while the model is asked whether {rows_word(part)} of the other half "
        f"({options.statements} of H1 and of H0) are something it would say. The answer is the "
        "logit of Yes less that of No; an effect is how much further apart an edit moves the "
        f"answers to H1 and to H0, with a {100 * options.level:.4g}% interval over statements. "
        f"Ablation sets the nodes to {SET_TO[options.ablations[0]]}; steering pushes each node by "
        "so many deviations of the background in the direction in which it was found. What found "
        f"nodes do is held against {options.controls} of each kind of control: random sets of "
        "their size, each node in the direction of its own mean difference, so that they know the "
        f"labels as well{also}. p is the share of controls with an effect at least as large, "
        f"either way (no p can be below {1 / (options.controls + 1):.3g}); the family is all "
        f"node sets.{limited} Divergence (how far the next token's probabilities move, KL in nats) "
        "and perplexity (how surprised the model is) are the edit's effect on neutral text. "
        "`interventions.csv` has every action, outcome and control."
    )


def main_keys(part: Part) -> list[tuple[str, float]]:
    """Returns the actions that are judged: the first ablation, and the strongest push to H1."""
    options = part.config.intervention
    return [(ablation(options.ablations[0]), np.nan), *((STEER, c) for c in strongest(options))]


def effect_at(tested: SetEffects, method: str, action: str, strength, outcome=ANSWER):
    """Returns the effect of that strength, or None."""
    for e in tested.of(method, action, outcome):
        if e.strength == strength or (np.isnan(e.strength) and np.isnan(strength)):
            return e
    return None


def effects_at(
    part: Part, action: str, strength: float, outcome=ANSWER
) -> list[tuple[SetEffects, Effect]]:
    """Returns the node sets that an action was applied to, each with its effect."""
    both = [(t, effect_at(t, FOUND, action, strength, outcome)) for t in part.interventions]
    return [(tested, effect) for tested, effect in both if effect]


def passing_sets(part: Part, action: str, strength: float) -> tuple[list[str], int]:
    """Returns the sets with which an action passes over the family, and the number of all sets."""
    done = effects_at(part, action, strength)
    passing = [
        f"{set_name(tested)} {e.effect:+.2f}"
        for tested, e in done
        if tested.p_family.get(e.key, 1.0) <= SIGNIFICANCE
    ]
    return passing, len(done)


def verdict(part: Part) -> str:
    """Returns in how many sets each judged action passes over the family, and which they are.

    Where controls are too few for any p to pass, it says so instead.
    """
    sentences, few = [], floor_words(part)
    if few:
        sentences.append(f"Whether found nodes move the answer more than random ones is {few}.")
    for action, strength in main_keys(part) if not few else ():
        passing, tested = passing_sets(part, action, strength)
        said = f"{action_name(action, strength)} moves the answer more than random sets do, at 5% "
        said += f"over the family, in {len(passing)} of {quantity(tested, 'node set')}"
        sentences.append(said + (f": {word_list(passing)}." if passing else "."))
    empty = [set_name(f) for f in part.interventions if not f.effects]
    if empty:
        sentences.append(
            f"No nodes were found to test for {word_list(empty)}: on that half's own rows none "
            f"has q <= {part.config.node_q:g} at its place (`findings.csv` counts what the other "
            "half's rows show there)."
        )
    return " ".join(map(capitalise, sentences))


def method_name(method: str) -> str:
    """Returns our own names as they are, and escapes those of imported directions, from files."""
    return method if method in METHODS else safe(method)


def set_name(one: SetEffects) -> str:
    return f"{safe(one.tested.name)} (half {one.tested.half})"


def action_name(action: str, strength: float) -> str:
    return action if np.isnan(strength) else f"{action} {strength:+g}"


def main_table(part: Part) -> Table:
    """Returns a row for each node set and judged action."""
    rows = []
    for one in filter(lambda one: one.effects, part.interventions):
        for action, strength in main_keys(part):
            e = effect_at(one, FOUND, action, strength)
            random = effect_at(one, RANDOM, action, strength)
            rows.append(
                [
                    safe(one.tested.name), one.tested.place, one.tested.half, one.tested.nodes,
                    action_name(action, strength), interval_of(e),
                    between(random.low, random.high, "+.2f"),
                    *(p_words(e.p.get(kind, np.nan)) for kind in CONTROLS),
                    p_words(one.p_family[e.key]), f"{e.divergence:.3f}",
                    f"{e.perplexity:.1f} ({one.perplexity:.1f})",
                ]
            )  # fmt: skip
    header = [
        "", "place", "found on half", "nodes", "action", "effect on the answer",
        "90% of random sets", "p, random", "p, like variance",
        "p, directions", "p, family", "divergence",
        "perplexity (unedited)",
    ]  # fmt: skip
    return Table(header, rows)


def interval_of(e: Effect | None) -> str:
    return "-" if e is None else interval(e.effect, e.low, e.high)


def methods_blocks(part: Part) -> list:
    """Returns every method at the strongest push, all outcomes, with projections beside them."""
    _, *pushes = main_keys(part)
    if not pushes:
        return []
    ((_, strength),) = pushes
    rows = []
    for one in part.interventions:
        for method in dict.fromkeys(e.method for e in one.effects):
            cells = [effect_at(one, method, STEER, strength, outcome)
                     for outcome in (ANSWER, YES, MATCHING, LIKELIHOOD)]  # fmt: skip
            if cells[0] is None:
                continue
            out = effect_at(one, method, PROJECT, np.nan)
            rows.append(
                [
                    safe(one.tested.name), one.tested.half, method_name(method),
                    *map(interval_of, (*cells, out)), f"{cells[0].divergence:.3f}",
                ]
            )  # fmt: skip
    unedited = [
        f"{set_name(tested)} {e.unedited:.0%}"
        for tested, e in effects_at(part, STEER, strength, MATCHING)
    ]
    matching = ""
    if unedited:
        matching = (
            f" Without an edit the answers match the label for {word_list(unedited)} of the "
            "statements."
        )
    header = ["", "found on half", "nodes or direction", "answer", "Yes to all",
              "share of matching answers", "log-likelihood, nats a token", "answer, projected out",
              "divergence"]  # fmt: skip
    return [
        f"The same push ({strength:+g}) along other node sets, by their own nodes' deviations, and "
        "along directions as long as the found set's; of controls, their mean and where 90% of "
        f"them lie. Answer: the effect as above; Yes to all: how far the push moves the answers to "
        "both sides alike; share of matching answers: how many more of them match the label; "
        "projected out: the effect of removing the direction. Cohen's d is the mean difference in "
        "deviations; the ridge direction is the one that tells the sides best."
        f"{matching}",
        Table(header, rows),
    ]


def specificity_text(part: Part) -> str:
    """Returns the mean effects of each action on own statements and on those of others."""
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
    """Returns every action with its strength, once."""
    keys = []
    for c in part.specificity:
        if not any(a == c.action and (s == c.strength or np.isnan(s)) for a, s in keys):
            keys.append((c.action, c.strength))
    return keys


def matrix(part: Part, action: str, strength: float) -> tuple[list[str], np.ndarray]:
    """Returns names, and effects [judged, owner]: means over halves, NaN where no set was found."""
    names = list(dict.fromkeys(c.judged for c in part.specificity))
    cells = {}
    for c in part.specificity:
        if c.action == action and (c.strength == strength or np.isnan(strength)):
            cells.setdefault((c.judged, c.owner), []).append(c.effect)
    matrix_JO = np.array([[np.mean(cells.get((j, o), [np.nan])) for o in names] for j in names])
    return names, matrix_JO

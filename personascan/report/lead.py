"""The beginning of a part's page: the findings in a few sentences."""

import numpy as np

from personascan.analysis.findings import SIGNIFICANCE, run_means
from personascan.report.ceilings import (
    better_than_random,
    floor_words,
    length_auroc,
    words_at_ceiling,
)
from personascan.report.sections.edits import action_name, effects_at, main_keys, passing_sets
from personascan.report.verdicts import beside_sentence, confirmed_sentence
from personascan.report.words import (
    NAMED,
    between,
    capitalise,
    detectable_words,
    difference_words,
    larger_side,
    p_words,
    quantity,
    rows_word,
    safe,
    span,
    word_list,
    wording_tells,
)
from personascan.study.effects import MATCHING
from personascan.study.results import Part, best_of_all


def lead(part: Part) -> tuple[str, ...]:
    """Returns where comparisons show, how sure that is, and what speaks for or against it."""
    if not part.calibrations:
        return (WITHOUT_PERMUTATIONS, best_detection(part))
    words = beyond_sentence(part) if part.held_out_texts else wording_sentence(part)
    edits = edits_sentence(part) if any(one.effects for one in part.interventions) else ""
    said = (
        where_sentence(part), beside_sentence(part), certainty_sentence(part), words,
        answers_sentence(part), edits,
    )  # fmt: skip
    return tuple(filter(None, said))


def answers_sentence(part: Part) -> str:
    """Returns whether answers are told without the instruction that they were given under."""
    known = {f.name: part.controls[f.name] for f in part.findings()
             if f.found and f.name in part.controls
             and part.controls[f.name].follows_answers is not None}  # fmt: skip
    if not known:
        return ""
    sides = {True: [], False: []}
    for name, one in known.items():
        sides[one.follows_answers].append(name)
    said = []
    if sides[True]:
        said.append(f"for {bold_names(sides[True])} it stays with the answers")
    if sides[False]:
        said.append(
            f"for {bold_names(sides[False])} nothing is seen of it any more, as if what was found "
            "were the instruction in view"
        )
    return (
        "**Answer or instruction:** read behind the other side's instruction, the same answers "
        f"tell which: {'; '.join(said)}."
    )


def bold_names(names) -> str:
    """Returns names, or the first of them and how many more."""
    names = [f"**{safe(name)}**" for name in names]
    if len(names) > NAMED:
        names = [*names[: NAMED - 1], f"{len(names) - NAMED + 1} more"]
    return word_list(names)


WITHOUT_PERMUTATIONS = (
    "Labels were not permuted, so that no score carries a p-value and nothing is claimed: set "
    "`where.permutations`."
)


def best_detection(part: Part) -> str:
    """Returns the place where rows scanned alone are told apart best."""
    name, place = best_of_all(part.detections)
    d = part.detections[name][place]
    return (
        f"{capitalise(rows_word(part))} scanned alone are told apart best for **{safe(name)}** "
        f"at **{safe(place)}** (AUROC {d.auroc:.2f}, {between(d.auroc_low, d.auroc_high)}), a "
        "place chosen on what it is judged by."
    )


def has_personas(part: Part) -> bool:
    """Returns whether the rows are statements of personas."""
    return part.texts and part.terms.rows == "statements"


def comparisons_word(part: Part) -> str:
    """Returns what to call the comparisons, in the plural."""
    if not has_personas(part):
        return "comparisons"
    return "topics" if part.level == 0 else "personas"


def where_sentence(part: Part) -> str:
    """Returns which comparisons show, the clearest with its place, and which do not."""
    findings = part.findings()
    clear = sorted((f for f in findings if f.found), key=lambda f: -f.z)
    missed = [f.name for f in findings if not f.found]
    best = clear[0] if clear else max(findings, key=lambda f: f.z)
    tested = part.calibrations[best.name]
    least = best.p_family <= 1.5 * tested.floor
    sure = f"p {p_words(best.p_family)} after the search over all places" + (
        f" (the least that {tested.permutations} permutations of the labels allow)" if least else ""
    )
    places = quantity(len(part.places), "place")
    if not clear and len(findings) == 1:
        return (
            f"**Nothing was found**: {safe(best.name)} shows at none of {places} (at "
            f"{SIGNIFICANCE:.0%} over all of them). The nearest is {safe(best.place)}: {sure} "
            f"({detectable_words(part, missed)})."
        )
    if not clear:
        return (
            f"**Nothing was found**: none of {len(findings)} {comparisons_word(part)} shows at any "
            f"of {places} (at {SIGNIFICANCE:.0%} over all of them). The nearest "
            f"is {safe(best.name)} at {safe(best.place)}: {sure}."
        )
    if len(findings) == 1:
        return f"**{safe(best.name)} shows**, most clearly at **{safe(best.place)}**: {sure}."
    others = (
        f" Not found: {bold_names(missed)} ({detectable_words(part, missed)})." if missed else ""
    )
    return (
        f"**{len(clear)} of {len(findings)} {comparisons_word(part)} "
        f"{'shows' if len(clear) == 1 else 'show'}** somewhere: "
        f"{bold_names(f.name for f in clear)}. Most clearly {safe(best.name)} at "
        f"**{safe(best.place)}**: {sure}.{others}"
    )


def certainty_sentence(part: Part) -> str:
    """Returns whether the halves that did not choose the places confirm them, and their nodes."""
    judged = [f for f in part.findings() if f.found and f.judged]
    if not judged:
        return ""
    means = [run_means(f.judged)["precision"] for f in judged]
    means = [mean for mean in means if not np.isnan(mean)]
    chances, rows = [s.chance for f in judged for s in f.judged], rows_word(part)
    scan = f" A scan, which searches for unusual {rows} and is told no labels, picked out"
    of_h1 = f"{scan} none there."
    if means:
        right = span(min(means), max(means), ".0%")
        of_h1 = (
            f"{scan} {rows} there of which {right} are of H1 (by chance it would be "
            f"{span(min(chances), max(chances), '.0%')})."
        )
    return (
        f"**How sure:** the place that each half of the {rows} chose was "
        f"{confirmed_sentence(judged)}.{of_h1}"
    )


def special_sentence(part: Part) -> str:
    """Returns whether found nodes tell the half that did not find them better than random ones."""
    judged = better_than_random(part, [f.name for f in part.findings() if f.found])
    if judged is None:
        return ""
    ceiling = ""
    if judged["ceiling"]:
        ceiling = (
            f"; in {judged['ceiling']} more random nodes are at the ceiling already, so that no "
            "more could show"
        )
    return (
        f"A probe on found nodes tells the half that did not find them with AUROC "
        f"{judged['own']:.2f}, one on as many random nodes of the place with "
        f"{judged['random']:.2f}: better in {judged['better']} of "
        f"{quantity(judged['sets'], 'set')} (95% "
        f"interval){ceiling}."
    )


def wording_sentence(part: Part) -> str:
    """Returns which comparisons' sides word counts alone tell apart."""
    names = [f.name for f in part.findings() if f.found and wording_tells(part, f.name)]
    if not names:
        return ""
    accuracies = [part.wording[name][0] for name in names]
    shares = span(min(accuracies), max(accuracies), ".0%")
    return (
        f"**What it may be instead:** word counts alone tell {shares} "
        f"of the {rows_word(part)} of {bold_names(names)} apart{larger_side(part, names)}, so that "
        f"wording is a likely reason there.{length_words(part, names)}"
    )


def beyond_sentence(part: Part) -> str:
    """Returns which comparisons the network tells better than the words of their statements do."""
    held_out = {f.name: part.held_out_texts[f.name] for f in part.findings() if f.found}
    better = {name: one for name, one in held_out.items() if one.beyond}
    full = {name: one for name, one in held_out.items() if words_at_ceiling(part, name)}
    rest = {name: one for name, one in held_out.items() if name not in better | full}
    said, rows = [], rows_word(part)
    if better:
        said.append(
            f"held-out {rows} are told better by activations than by their words for "
            f"{bold_names(by_difference(better))} (most: {largest_difference(better)})"
        )
    if rest:
        begins = "no better for" if better else f"held-out {rows} are told no better for"
        said.append(
            f"{begins} {bold_names(by_difference(rest))}, where wording is as good an explanation"
        )
    if full:
        said.append(
            f"for {bold_names(full)} words are at the ceiling, so that nothing could be told better"
        )
    length = length_words(part, held_out)
    twins = twins_sentence(part, held_out)
    return f"**Beyond their words:** {'; '.join(said)}.{length}{twins}" if said else ""


def twins_sentence(part: Part, names) -> str:
    """Returns what to do where words tell held-out rows the wrong way round; "" where none do."""
    twins = [
        name for name in names
        if any(one.tells_reversed for one in part.held_out_texts[name].simpler.values())
    ]  # fmt: skip
    if not twins:
        return ""
    return (
        f" Words tell the wrong side of held-out {rows_word(part)} for {bold_names(twins)}: "
        "those of the two sides are probably counterparts in like words. Their words count turned "
        "round here; a column `pair` in the statements' file, which names counterparts, would "
        "make this comparison exact and the tests sharper."
    )


def by_difference(held_out: dict) -> list[str]:
    """Returns the names of comparisons, those with the largest difference first."""
    return sorted(held_out, key=lambda name: -held_out[name].hardest.claim.difference)


def largest_difference(held_out: dict) -> str:
    """Returns the AUROCs of the comparison with the largest difference."""
    one = held_out[by_difference(held_out)[0]]
    return (
        f"AUROC {one.auroc:.2f} against {one.hardest.auroc:.2f} by {one.hardest.name}"
        f"{' turned round' * one.hardest.turned}, "
        f"{difference_words(one.hardest.claim)}"
    )


def length_words(part: Part, names) -> str:
    """Returns how well the length of statements alone tells the sides; "" where it is unknown."""
    aurocs = [length_auroc(part, name) for name in names]
    aurocs = [one for one in aurocs if not np.isnan(one)]
    if not aurocs:
        return ""
    which = "Their length alone (whichever side is longer)"
    return f" {which}: AUROC {span(min(aurocs), max(aurocs), '.2f')}."


def edits_sentence(part: Part) -> str:
    """Returns in how many node sets each judged edit moves answers more than its controls."""
    said, few = [], floor_words(part)
    if few:
        return f"**Does the model use them?** {capitalise(few)}."
    for action, strength in main_keys(part):
        passing, tested = passing_sets(part, action, strength)
        named_sets = f" ({word_list(passing)} logits)" if 0 < len(passing) <= NAMED else ""
        sets = f"{len(passing)} of {quantity(tested, 'node set')}"
        said.append(f"{action_name(action, strength)} in {sets}{named_sets}")
    names = bold_names(dict.fromkeys(f.tested.name for f in part.interventions if f.effects))
    matched = [
        abs(e.effect) for key in main_keys(part) for _, e in effects_at(part, *key, MATCHING)
    ]
    changed = (
        f"up to {max(matched):.0%} of its answers change" if any(matched) else "no answer changes"
    )
    return (
        f"**Does the model use them?** The nodes found for {names} were edited while the model was "
        "asked. Its answer (the logit of Yes, less that of No) moved further than under edits of "
        f"random nodes (at {SIGNIFICANCE:.0%} over all sets) by {word_list(said)}; {changed}."
    )

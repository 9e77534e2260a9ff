"""The beginning of a part's page: the findings in a few sentences, and a table at a glance."""

import numpy as np

from personascan.analysis.findings import SIGNIFICANCE, Finding, run_means
from personascan.analysis.judged import FOUND, RANDOM
from personascan.report.sections.edits import action_name, effects_at, main_keys, passing_sets
from personascan.report.words import (
    NAMED,
    Table,
    between,
    capitalise,
    detectable_words,
    difference_words,
    larger_side,
    rows_word,
    safe,
    span,
    word_list,
    wording_cell,
    wording_tells,
)
from personascan.study.effects import MATCHING
from personascan.study.results import Part, best_of_all

BEYOND = f"{FOUND} - {RANDOM}"


def lead(part: Part) -> tuple[str, ...]:
    """Returns where comparisons show, how sure that is, and what speaks for or against it."""
    if not part.calibrations:
        return (WITHOUT_PERMUTATIONS, best_detection(part))
    return tuple(filter(None, (where_sentence(part), certainty_sentence(part), caveats(part))))


def bold_names(names) -> str:
    """Returns names, or the first of them and how many more."""
    names = [f"**{safe(name)}**" for name in names]
    if len(names) > NAMED:
        names = [*names[: NAMED - 1], f"{len(names) - NAMED + 1} more"]
    return word_list(names)


def at_a_glance(part: Part) -> Table | None:
    """Returns a row for each comparison: how sure it is, and what else tells its sides apart."""
    findings = part.findings()
    if not findings:
        return None
    held = {0: "no", 1: "one way", 2: "both ways"}
    beyond = bool(part.held_out_texts)
    wording = part.texts and not beyond
    header = ["", "p, all places", "other half agrees"]
    header += ["beyond its words"] if beyond else []
    header += ["word counts tell"] if wording else []
    header += ["verdict"]
    rows = [
        [
            f"**{safe(f.name)}**" if f.found else safe(f.name), f"{f.p_family:.3f}",
            held[f.confirmed] if f.judged else "-",
            *([beyond_cell(part, f.name)] if beyond else []),
            *([wording_cell(part, f.name, ".0%")] if wording else []),
            verdict(part, f),
        ]
        for f in findings
    ]  # fmt: skip
    return Table(header, rows)


def beyond_cell(part: Part, name: str) -> str:
    """Returns how much better held-out statements are told by activations than by their words."""
    if name not in part.held_out_texts:
        return "-"
    return f"{part.held_out_texts[name].hardest.claim.difference:+.2f}"


def verdict(part: Part, f: Finding) -> str:
    """Returns whether a comparison shows, and whether its words show as much."""
    if not f.found:
        return "not found"
    if f.name not in part.held_out_texts:
        return "shows"
    return "beyond its words" if part.held_out_texts[f.name].beyond else "its words too"


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
    sure = f"p {best.p_family:.3f} after the search over all places" + (
        f" (the least that {tested.permutations} permutations of the labels allow)" if least else ""
    )
    if not clear:
        return (
            f"**Nothing was found**: none of {len(findings)} {comparisons_word(part)} shows at any "
            f"of {len(part.places)} places (at {SIGNIFICANCE:.0%} over all of them). The nearest "
            f"is {safe(best.name)} at {safe(best.place)}: {sure}."
        )
    others = (
        f" Not found: {bold_names(missed)} ({detectable_words(part, missed)})." if missed else ""
    )
    return (
        f"**{len(clear)} of {len(findings)} {comparisons_word(part)} show** somewhere: "
        f"{bold_names(f.name for f in clear)}. Most clearly {safe(best.name)} at "
        f"**{safe(best.place)}**: {sure}.{others}"
    )


def certainty_sentence(part: Part) -> str:
    """Returns whether the halves that did not choose the places confirm them, and their nodes."""
    judged = [f for f in part.findings() if f.found and f.judged]
    if not judged:
        return ""
    held = [f.name for f in judged if f.confirmed == len(f.judged)]
    failed = [f.name for f in judged if f.confirmed < len(f.judged)]
    means = [run_means(f.judged)["precision"] for f in judged]
    means = [mean for mean in means if not np.isnan(mean)]
    chances, rows = [s.chance for f in judged for s in f.judged], rows_word(part)
    said = f"confirmed it for {bold_names(held)}" if held else "confirmed it for none"
    said += (
        f", not (both ways round, p <= {SIGNIFICANCE:g}) for {bold_names(failed)}" if failed else ""
    )
    of_h1 = " No scan picked any out there."
    if means:
        right = span(min(means), max(means), ".0%")
        of_h1 = (
            f" Of the {rows} that a scan picks out there {right} are of H1 "
            f"({span(min(chances), max(chances), '.0%')} by chance)."
        )
    return (
        f"**How sure:** where one half of the {rows} chose the place, the other half {said}.{of_h1}"
        f"{nodes_sentence(part, [f.name for f in judged])}"
    )


def nodes_sentence(part: Part, names: list[str]) -> str:
    """Returns whether found nodes tell the half that did not find them better than random ones."""
    pairs = [
        (v.methods[FOUND]["auroc"], v.methods[RANDOM]["auroc"], v.methods[BEYOND]["low"])
        for name in names
        for v in part.validations.get(name, [])
        if {FOUND, RANDOM, BEYOND} <= set(v.methods)
    ]
    pairs = [pair for pair in pairs if not np.isnan(pair).any()]
    if not pairs:
        return ""
    own, random, _ = np.mean(pairs, axis=0)
    better = sum(low > 0 for *_, low in pairs)
    return (
        f" **Are these nodes special?** A probe on them tells the other half with AUROC {own:.2f}, "
        f"one on as many random nodes of the place with {random:.2f}: better in {better} of "
        f"{len(pairs)} sets (95% interval)."
    )


def caveats(part: Part) -> str:
    """Returns whether wording explains as much, and whether edits of the nodes change answers."""
    sentences = [beyond_sentence(part) if part.held_out_texts else wording_sentence(part)]
    if any(tested.effects for tested in part.interventions):
        sentences.append(edits_sentence(part))
    return " ".join(filter(None, sentences))


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
        "wording is a likely reason there."
    )


def beyond_sentence(part: Part) -> str:
    """Returns which comparisons the network tells better than the words of their statements do."""
    held_out = {f.name: part.held_out_texts[f.name] for f in part.findings() if f.found}
    better = {name: one for name, one in held_out.items() if one.beyond}
    rest = {name: one for name, one in held_out.items() if name not in better}
    template, said = "held-out statements are told {} by activations than by their words for ", []
    if better:
        said.append(template.format("better") + largest_differences(better))
    if rest:
        begins = "no better for " if better else template.format("no better")
        said.append(f"{begins}{largest_differences(rest)}, where wording is as good an explanation")
    return f"**Beyond their words:** {'; '.join(said)}." if said else ""


def largest_differences(held_out: dict) -> str:
    """Returns comparisons with their AUROCs, those of the largest differences alone."""
    first = sorted(held_out.items(), key=lambda one: -one[1].hardest.claim.difference)[:NAMED]
    more = f" and {len(held_out) - NAMED} more" if len(held_out) > NAMED else ""
    listing = word_list(
        f"**{safe(name)}** (AUROC {one.auroc:.2f} against {one.hardest.auroc:.2f} by "
        f"{one.hardest.name}: {difference_words(one.hardest.claim)})"
        for name, one in first
    )
    return listing + more


def edits_sentence(part: Part) -> str:
    """Returns in how many node sets each judged edit moves answers more than its controls."""
    said = []
    for action, strength in main_keys(part):
        passing, tested = passing_sets(part, action, strength)
        named_sets = f" ({word_list(passing)} logits)" if 0 < len(passing) <= NAMED else ""
        sets = f"{len(passing)} of {tested} node sets"
        said.append(f"{action_name(action, strength)} in {sets}{named_sets}")
    names = bold_names(dict.fromkeys(f.tested.name for f in part.interventions if f.effects))
    matched = [
        abs(e.effect) for key in main_keys(part) for _, e in effects_at(part, *key, MATCHING)
    ]
    changed = (
        f"up to {max(matched):.0%} of its answers change" if any(matched) else "no answer changes"
    )
    return (
        f"**Does the model use them?** Editing the nodes found for {names} moves its Yes less No "
        f"further than random nodes do (at {SIGNIFICANCE:.0%} over all sets): {word_list(said)}; "
        f"{changed}."
    )

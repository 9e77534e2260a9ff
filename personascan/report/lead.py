"""What was found, in the few sentences that a page begins with."""

import numpy as np

from personascan.analysis.findings import SIGNIFICANCE, pooled
from personascan.interventions.design import FOUND
from personascan.interventions.options import RANDOM
from personascan.report.intervened import action_name, effect_at, main_keys, passing_sets
from personascan.report.section import Table
from personascan.report.words import capital, joined, rows_word, safe
from personascan.study.effects import MATCHING
from personascan.study.results import Part

# From here on wording is a likely reason: the share of what guessing always the larger side misses.
# Of equal sides that is an accuracy of 0.7.
SURE_WORDING = 0.4
BEYOND = f"{FOUND} - {RANDOM}"
NAMED = 4  # comparisons that a sentence names; more are counted


def lead(part: Part) -> tuple[str, ...]:
    """Where it shows, how sure that is, and what speaks against it or for it."""
    if not part.calibrations:
        return (without_permutations(), detected(part))
    return tuple(filter(None, (where(part), how_sure(part), what_else(part))))


def named(names) -> str:
    """Names, or the first of them and how many more."""
    names = [f"**{safe(name)}**" for name in names]
    if len(names) > NAMED:
        names = [*names[: NAMED - 1], f"{len(names) - NAMED + 1} more"]
    return joined(names)


def at_a_glance(part: Part) -> Table | None:
    """A line for each comparison: how sure it is, and what else would tell its sides apart."""
    found = part.findings()
    if not found:
        return None
    held = {0: "no", 1: "one way", 2: "both ways"}
    header = ["", "p, all places", "other half agrees"]
    header += ["beyond its words"] if part.beyond else []
    header += ["word counts tell"] if part.texts and not part.beyond else []
    header += ["verdict"]
    rows = [
        [
            f"**{safe(f.name)}**" if f.found else safe(f.name), f"{f.p_family:.3f}",
            held[f.confirmed] if f.judged else "-",
            *([beyond_cell(part, f.name)] if part.beyond else []),
            *([wording_cell(part, f.name, ".0%")] if part.texts and not part.beyond else []),
            verdict(part, f),
        ]
        for f in found
    ]  # fmt: skip
    return Table(header, rows)


def beyond_cell(part: Part, name: str) -> str:
    """How much better held-out statements are told by activations than by their words."""
    if name not in part.beyond:
        return "-"
    return f"{part.beyond[name].hardest.claim.difference:+.2f}"


def verdict(part: Part, f) -> str:
    """Whether it shows, and whether its words show as much."""
    if not f.found:
        return "not found"
    if f.name not in part.beyond:
        return "shows"
    return "beyond its words" if part.beyond[f.name].beyond else "its words too"


def would_have(part: Part, names: list[str]) -> str:
    """What would have been found in each of these, so that "not found" has a size."""
    effect = max(part.calibrations[name].detectable() for name in names)
    return (
        f"a node that differs by {effect:.2f} deviations would have been found in 80% of such "
        "comparisons"
    )


def without_permutations() -> str:
    return (
        "Labels were not permuted, so that no score carries a p-value and nothing is claimed: set "
        "`where.permutations`."
    )


def detected(part: Part) -> str:
    """The place where rows scanned alone are told apart best."""
    best = {name: max(found.items(), key=lambda at: np.nan_to_num(at[1].auroc))
            for name, found in part.detections.items()}  # fmt: skip
    name = max(best, key=lambda name: best[name][1].auroc)
    place, d = best[name]
    return (
        f"{capital(rows_word(part))} scanned alone are told apart best for **{safe(name)}** "
        f"at **{safe(place)}** (AUROC {d.auroc:.2f}, {d.auroc_low:.2f} to {d.auroc_high:.2f}), a "
        "place chosen on what it is judged by."
    )


def of_personas(part: Part) -> bool:
    """Whether its rows are statements of personas."""
    return part.texts and part.terms.rows == "statements"


def compared(part: Part) -> str:
    """What the comparisons are of, in the plural."""
    if not of_personas(part):
        return "comparisons"
    return "topics" if part.level == 0 else "personas"


def where(part: Part) -> str:
    """Which comparisons show, the clearest with its place, and which do not."""
    found = part.findings()
    clear = sorted((f for f in found if f.found), key=lambda f: -f.z)
    missed = [f.name for f in found if not f.found]
    best = clear[0] if clear else max(found, key=lambda f: f.z)
    tested = part.calibrations[best.name]
    least = best.p_family <= 1.5 * tested.floor
    sure = f"p {best.p_family:.3f} after the search over all places" + (
        f" (the least that {tested.permutations} permutations of the labels allow)" if least else ""
    )
    if not clear:
        return (
            f"**Nothing was found**: none of {len(found)} {compared(part)} shows at any of "
            f"{len(part.places)} places (at {SIGNIFICANCE:.0%} over all of them). The nearest is "
            f"{safe(best.name)} at {safe(best.place)}: {sure}."
        )
    others = f" Not found: {named(missed)} ({would_have(part, missed)})." if missed else ""
    return (
        f"**{len(clear)} of {len(found)} {compared(part)} show** somewhere: "
        f"{named(f.name for f in clear)}. Most clearly {safe(best.name)} at "
        f"**{safe(best.place)}**: {sure}.{others}"
    )


def how_sure(part: Part) -> str:
    """What the halves that did not choose the places say of them, and of the nodes found there."""
    judged = [f for f in part.findings() if f.found and f.judged]
    if not judged:
        return ""
    held = [f.name for f in judged if f.confirmed == len(f.judged)]
    failed = [f.name for f in judged if f.confirmed < len(f.judged)]
    means = [pooled(f.judged)["precision"] for f in judged]
    means = [mean for mean in means if not np.isnan(mean)]
    chances, rows = [s.chance for f in judged for s in f.judged], rows_word(part)
    said = f"confirmed it for {named(held)}" if held else "confirmed it for none"
    said += f", not (both ways round, p <= {SIGNIFICANCE:g}) for {named(failed)}" if failed else ""
    of_h1 = " No scan picked any out there."
    if means:
        right = span(min(means), max(means), ".0%")
        of_h1 = (
            f" Of the {rows} that a scan picks out there {right} are of H1 "
            f"({span(min(chances), max(chances), '.0%')} by chance)."
        )
    return (
        f"**How sure:** where one half of the {rows} chose the place, the other half {said}.{of_h1}"
        f"{special(part, [f.name for f in judged])}"
    )


def special(part: Part, names: list[str]) -> str:
    """Whether found nodes tell the half that did not find them better than random ones do."""
    found = [v for name in names for v in part.validations.get(name, [])]
    pairs = [
        (v.methods[FOUND]["auroc"], v.methods[RANDOM]["auroc"], v.methods[BEYOND]["low"])
        for v in found
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


def span(low: float, high: float, form: str) -> str:
    low, high = format(low, form), format(high, form)
    return low if low == high else f"{low} to {high}"


def what_else(part: Part) -> str:
    """Wording that explains as much, and whether edits of the nodes change answers."""
    sentences = [beyond_words(part)] if part.beyond else []
    by_wording = [] if part.beyond else [
        (part.wording[f.name][0], f.name) for f in part.findings()
        if f.found and wording_tells(part, f.name)
    ]  # fmt: skip
    if by_wording:
        most, least = max(by_wording)[0], min(by_wording)[0]
        sentences.append(
            f"**What it may be instead:** word counts alone tell {span(least, most, '.0%')} of the "
            f"{rows_word(part)} of {named(name for _, name in by_wording)} apart"
            f"{larger_side(part, [name for _, name in by_wording])}, so that wording is a likely "
            "reason there."
        )
    if any(found.effects for found in part.interventions):
        sentences.append(edited(part))
    return " ".join(filter(None, sentences))


def beyond_words(part: Part) -> str:
    """Which comparisons the network tells better than the words of their statements do."""
    found = {f.name: part.beyond[f.name] for f in part.findings() if f.found}
    if not found:
        return ""
    better = {n: b for n, b in found.items() if b.beyond}
    rest = {n: b for n, b in found.items() if n not in better}
    said = []
    if better:
        said.append(
            "held-out statements are told better by activations than by their words for "
            + joined(difference_of(n, b) for n, b in longest(better))
            + more_than(better)
        )
    if rest:
        said.append(
            ("no better for " if better else "held-out statements are told no better by "
             "activations than by their words for ")
            + joined(difference_of(n, b) for n, b in longest(rest)) + more_than(rest)
            + ", where wording is as good an explanation"
        )  # fmt: skip
    return f"**Beyond their words:** {'; '.join(said)}."


def longest(found: dict) -> list:
    """The first of them by their difference, as many as a sentence names."""
    return sorted(found.items(), key=lambda one: -one[1].hardest.claim.difference)[:NAMED]


def more_than(found: dict) -> str:
    return f" and {len(found) - NAMED} more" if len(found) > NAMED else ""


def difference_of(name: str, found) -> str:
    simple, claim = found.hardest, found.hardest.claim
    return (
        f"**{safe(name)}** (AUROC {found.auroc:.2f} against {simple.auroc:.2f} by {simple.name}: "
        f"{claim.difference:+.2f}, {claim.low:+.2f} to {claim.high:+.2f})"
    )


def wording_tells(part: Part, name: str) -> bool:
    """Whether word counts tell statements that guessing always the larger side does not."""
    accuracy, chance = part.wording[name][0], part.larger(name)
    return bool(accuracy >= chance + SURE_WORDING * (1 - chance))


def larger_side(part: Part, names: list[str]) -> str:
    """What guessing always the larger side tells, in brackets; "" where sides are equal."""
    chances = [part.larger(name) for name in names]
    if max(chances) == 0.5:
        return ""
    return f" (always the larger side: {span(min(chances), max(chances), '.0%')})"


def wording_cell(part: Part, name: str, form: str) -> str:
    """The accuracy of word counts, and what the larger side alone gives where there is one."""
    accuracy, chance = part.wording[name][0], part.larger(name)
    beside = f" (larger side {chance:{form}})" if chance > 0.5 else ""
    return f"{accuracy:{form}}{beside}"


def edited(part: Part) -> str:
    """In how many node sets each judged edit moves answers beyond its controls."""
    said = []
    for action, strength in main_keys(part):
        passing, tested = passing_sets(part, action, strength)
        named_sets = f" ({joined(passing)} logits)" if 0 < len(passing) <= NAMED else ""
        sets = f"{len(passing)} of {tested} node sets"
        said.append(f"{action_name(action, strength)} in {sets}{named_sets}")
    names = named(dict.fromkeys(f.tested.name for f in part.interventions if f.effects))
    matched = [
        abs(e.effect)
        for f in part.interventions
        for key in main_keys(part)
        if (e := effect_at(f, FOUND, *key, MATCHING))
    ]
    changed = (
        f"up to {max(matched):.0%} of its answers change" if any(matched) else "no answer changes"
    )
    return (
        f"**Does the model use them?** Editing the nodes found for {names} moves its Yes less No "
        f"further than random nodes do (at {SIGNIFICANCE:.0%} over all sets): {joined(said)}; "
        f"{changed}."
    )

"""What the first screen, the cards and the terminal say of a finding, in the same words."""

from personascan.analysis.findings import SIGNIFICANCE, Finding
from personascan.report.words import NAMED, number, p_words, quantity, rows_word, safe, word_list
from personascan.study.results import Part

BOTH, ONE, NEITHER = (
    "confirmed on the other half", "confirmed one way only", "not confirmed on the other half",
)  # fmt: skip


def confirmed_words(f: Finding) -> str:
    """Returns whether the halves that did not choose the place agree."""
    if not f.judged:
        return "other half: not tested"
    return BOTH if f.confirmed == len(f.judged) else ONE if f.confirmed else NEITHER


def confirmed_p(f: Finding) -> str:
    """Returns the p of each half's place on the other half, such as "p 0.010 and 0.200"."""
    return "p " + " and ".join(p_words(scan.choice.p_judged) for scan in f.judged)


def confirmed_sentence(judged: list[Finding]) -> str:
    """Returns which findings are confirmed both ways, one way only, and not at all, with their p.

    Where many are alike, their p are left to the cards.
    """
    said = []
    for words in (BOTH, ONE, NEITHER):
        own = [f for f in judged if confirmed_words(f) == words]
        if not own:
            continue
        names = [f"**{safe(f.name)}** ({confirmed_p(f)})" for f in own]
        if len(own) > NAMED:
            names = [f"**{safe(f.name)}**" for f in own[: NAMED - 1]]
            names.append(f"{len(own) - NAMED + 1} more")
        said.append(f"{words} for {word_list(names)}")
    return "; ".join(said)


def beside_sentence(part: Part) -> str:
    """Returns why numbers that look like findings are none where the search found nothing.

    "" where all is found, or where no number looks so.
    """
    missed = [f.name for f in part.findings() if not f.found]
    held = [one.auroc for one in named(part.held_out, missed) if one.low > 0.5]
    told = [one.auroc for one in named(part.tokens, missed) if one.low > 0.5]
    least = [one.tested.p_family.min() for one in named(part.evidence, missed)]
    nodes = [p for p in least if p <= SIGNIFICANCE]
    rows, places, said = rows_word(part), quantity(len(part.places), "place"), []
    if held:
        said.append(
            f"held-out AUROC (up to {number(max(held))}) is an estimate of how well {rows} are "
            "told by places that each fold chooses anew, with an approximate interval and no test"
        )
    if told:
        said.append(
            f"AUROC on half B (up to {number(max(told))}) is of a place in whose choice half B had "
            "a part"
        )
    if nodes:
        said.append(
            f"a node's family-wise p (down to {p_words(min(nodes))}) covers the nodes of one place "
            f"alone, the furthest of {places}"
        )
    if not said:
        return ""
    return (
        f"**No contradiction:** {word_list(said)}; the verdict is the p after the search over all "
        f"places, since it alone errs in at most {SIGNIFICANCE:.0%} of studies in which nothing "
        "differs."
    )


def named(results: dict, names: list[str]) -> list:
    """Returns the results of the comparisons that have some."""
    return [results[name] for name in names if name in results]

"""What was found, in the few sentences that a page begins with."""

import numpy as np

from personascan.analysis.findings import LEVEL, pooled
from personascan.report.intervened import verdict
from personascan.report.words import joined, safe
from personascan.study.results import Part

NAMED = 4  # comparisons that a sentence names; more are counted


def lead(part: Part) -> tuple[str, ...]:
    """Where it shows, how sure that is, and what speaks against it or for it."""
    if not part.calibrations:
        return (without_permutations(part), detected(part))
    return tuple(filter(None, (where(part), how_sure(part), what_else(part))))


def named(names) -> str:
    """Names, or the first of them and how many more."""
    names = [f"**{safe(name)}**" for name in names]
    if len(names) > NAMED:
        names = [*names[: NAMED - 1], f"{len(names) - NAMED + 1} more"]
    return joined(names)


def without_permutations(part: Part) -> str:
    return (
        "Labels were not permuted, so that no score carries a p-value and nothing is claimed: set "
        "`scan.permutations`."
    )


def detected(part: Part) -> str:
    """The place where rows scanned alone are told apart best."""
    best = {name: max(found.items(), key=lambda at: np.nan_to_num(at[1].auroc))
            for name, found in part.detections.items()}  # fmt: skip
    name = max(best, key=lambda name: best[name][1].auroc)
    place, d = best[name]
    return (
        f"{part.terms.rows.capitalize()} scanned alone are told apart best for **{safe(name)}** "
        f"at **{place}** (AUROC {d.auroc:.2f}, {d.auroc_low:.2f} to {d.auroc_high:.2f}), a place "
        "chosen on what it is judged by."
    )


def where(part: Part) -> str:
    """Which comparisons show, the clearest with its place, and which do not."""
    found = part.findings()
    clear = sorted((f for f in found if f.found), key=lambda f: -f.z)
    missed = [f.name for f in found if not f.found]
    if not clear:
        nearest = max(found, key=lambda f: f.z)
        return (
            f"**Nothing was found**: none of {len(found)} comparisons shows at any of "
            f"{len(part.places)} places; the nearest is {safe(nearest.name)} at {nearest.place} "
            f"(z {nearest.z:.1f}, family-wise p {nearest.p_family:.3f})."
        )
    best = clear[0]
    others = f" Nothing was found for {named(missed)}." if missed else ""
    return (
        f"**{len(clear)} of {len(found)} comparisons show** at some place ({LEVEL:.0%} over all "
        f"places): {named(f.name for f in clear)}, most clearly {safe(best.name)} at "
        f"**{best.place}** (z {best.z:.1f} deviations above permuted labels, family-wise p "
        f"{best.p_family:.3f}).{others}"
    )


def how_sure(part: Part) -> str:
    """What the halves that did not choose the places say of them."""
    judged = [f for f in part.findings() if f.found and f.judged]
    if not judged:
        return ""
    confirmed = [f for f in judged if f.confirmed == len(f.judged)]
    means = [pooled(f.judged) for f in judged]
    range_of = {
        key: (min(m[key] for m in means), max(m[key] for m in means))
        for key in ("precision", "auroc")
    }
    plan = part.config.runs
    chance = plan.positive / (plan.positive + plan.clean)
    said = f"in {len(confirmed)} of these {len(judged)} both places hold (p <= {LEVEL:g})"
    if len(judged) == 1:
        said = "both places hold" if confirmed else "not both places hold"
        said += f" (p <= {LEVEL:g})"
    return (
        f"Places chosen on one half of the {part.terms.rows} and judged on the other: {said}, and "
        f"of the {part.terms.rows} that a scan returns {span(*range_of['precision'], '.0%')} are "
        f"of H1 ({chance:.0%} by chance; AUROC {span(*range_of['auroc'], '.2f')})."
    )


def span(low: float, high: float, form: str) -> str:
    low, high = format(low, form), format(high, form)
    return low if low == high else f"{low} to {high}"


def what_else(part: Part) -> str:
    """Wording that explains as much, and whether edits of the nodes change answers."""
    sentences = []
    by_wording = [
        (part.wording[f.name][0], f.name) for f in part.findings()
        if f.found and part.wording[f.name][0] >= 0.7
    ]  # fmt: skip
    if by_wording:
        most, least = max(by_wording)[0], min(by_wording)[0]
        sentences.append(
            f"Word counts alone tell {span(least, most, '.0%')} of the statements of "
            f"{named(name for _, name in by_wording)}: there wording is a likely reason."
        )
    if any(found.effects for found in part.interventions):
        sentences.append(verdict(part))
    return " ".join(sentences)

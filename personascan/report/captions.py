"""The sentence beside each picture across places, with its numbers."""

import numpy as np

from personascan.analysis.findings import SIGNIFICANCE
from personascan.interventions.design import FOUND
from personascan.interventions.options import RANDOM
from personascan.report.charts.across import PAIRS
from personascan.report.intervened import (
    action_name,
    effect_at,
    interval,
    main_keys,
    set_name,
    specificity_text,
    verdict,
)
from personascan.report.words import joined, rows_word, safe
from personascan.study.results import Part

NAMED = 3


def captions(part: Part) -> dict[str, str]:
    """Inline Markdown by the name of the picture; none where there is no picture."""
    made = {"map": map_caption(part), "profiles": profiles_caption(part)}
    if part.several_ways:
        made["ways"] = ways_caption(part)
    if part.overlaps:
        made |= {"expected": expected_caption(part), "upset": upset_caption(part)}
        made["venn"] = "Nodes in exactly the sets that overlap there; sizes are not to scale."
    if any(part.validations.values()):
        made["validation"] = validation_caption(part)
    if any(found.effects for found in part.interventions):
        made |= {"effects": verdict(part), "doses": doses_caption(part)}
    if part.specificity:
        made["specificity"] = specificity_text(part)
    return made


def map_caption(part: Part) -> str:
    """How many tiles are significant, and over what z runs."""
    if not part.calibrations:
        auroc = [d.auroc for found in part.detections.values() for d in found.values()]
        return (
            "Labels were not permuted: colour is the AUROC of rows scanned alone, "
            f"{min(auroc):.2f} to {max(auroc):.2f} (0.5 is chance), which claims nothing."
        )
    z = np.concatenate([c.z for c in part.calibrations.values()])
    passing = sum(int((c.p_family <= SIGNIFICANCE).sum()) for c in part.calibrations.values())
    return (
        "z, how far the statistic of a place lies above permuted labels, in their deviations, is "
        f"{z.min():.1f} to {z.max():.1f}. A dot marks a family-wise p of {SIGNIFICANCE:g} or "
        f"less ({passing} of {z.size} tiles)."
    )


def profiles_caption(part: Part) -> str:
    """Where the clearest comparisons are highest, by labelled tests and by a probe."""
    said = []
    ordered = sorted(part.calibrations, key=lambda name: -part.calibrations[name].z.max())
    for name in ordered[:NAMED]:
        c = part.calibrations[name]
        said.append(f"{safe(name)} at {safe(c.keys[c.best])} (z {c.z[c.best]:.1f})")
    probes = {
        name: max(found.items(), key=lambda at: np.nan_to_num(at[1].mean["probe_auroc"]))
        for name, found in part.separation.items()
    }
    best = max(probes, key=lambda name: np.nan_to_num(probes[name][1].mean["probe_auroc"]))
    place, found = probes[best]
    probe = (
        f"A probe that is told the labels is best for {safe(best)} at {safe(place)} (AUROC "
        f"{found.mean['probe_auroc']:.2f})."
    )
    if not said:
        return probe
    rings = f"rings mark a family-wise p of {SIGNIFICANCE:g} or less"
    return f"Highest are {joined(said)}; {rings}. {probe}"


def ways_caption(part: Part) -> str:
    """The best way of scanning rows alone, comparison by comparison."""
    said = []
    for name, found in list(part.alone.items())[:NAMED]:
        way, place, d = max(
            ((way, place, d) for way, places in found.items() for place, d in places.items()),
            key=lambda one: np.nan_to_num(one[2].auroc),
        )
        said.append(f"{safe(name)} {d.auroc:.2f} ({way}, at {safe(place)})")
    return f"The highest AUROCs, chosen on what they are judged by: {joined(said)}. 0.5 is chance."


def expected_caption(part: Part) -> str:
    """How many pairs share more or fewer nodes than sets of their sizes do by chance."""
    said, split, most = [], False, 0
    for place, found in part.overlaps.items():
        pairs = [o for o in found if len(o.names) == 2 and o.expected]
        most = max(most, len(pairs))
        split = split or any(not np.isnan(o.p) for o in pairs)
        more = sum(o.observed > o.chance_high for o in pairs)
        less = sum(o.observed < o.chance_low for o in pairs)
        said.append(
            f"at {safe(place)}, of {len(pairs)} pairs {more} share more and {less} fewer, where "
            f"{0.025 * len(pairs):.1f} of each would by chance"
        )
    if most > PAIRS:
        which = "least p" if split else "highest ratio"
        said[-1] += f" (drawn are the {PAIRS} pairs with the {which})"
    if split:
        return (
            "Beside 95% of what sets of their sizes share that tell random halves of the H0 "
            f"{rows_word(part)} apart: {'; '.join(said)}. 1 is what sets drawn node by node share."
        )
    return (
        f"Beside what independent sets of their sizes share in 95% of draws: {'; '.join(said)}. "
        "Nodes of one layer are correlated, so that real chance scatters more widely."
    )


def upset_caption(part: Part) -> str:
    """What most sets have in common."""
    said = []
    for place, found in part.overlaps.items():
        several = [o for o in found if o.exclusive and len(o.names) > 1]
        if not several:
            said.append(f"at {safe(place)} no node is in two sets")
            continue
        most = max(several, key=lambda o: len(o.names))
        said.append(
            f"at {safe(place)} {sum(o.exclusive for o in several)} nodes are in several sets, "
            f"{most.exclusive} in the most ({len(most.names)})"
        )
    return f"Each node is counted once, under exactly the sets that hold it: {'; '.join(said)}."


def validation_caption(part: Part) -> str:
    """The range of the held-out AUROC of found, random and all nodes."""
    ranges = []
    for method in (FOUND, "random nodes", "all nodes"):
        values = [
            v.methods[method]["auroc"]
            for found in part.validations.values()
            for v in found
            if method in v.methods and not np.isnan(v.methods[method]["auroc"])
        ]
        if values:
            ranges.append(f"{method} {min(values):.2f} to {max(values):.2f}")
    if not ranges:
        return "No half found nodes that could be judged on the other."
    return f"Held-out AUROC over comparisons and halves: {joined(ranges)}. 0.5 is chance."


def doses_caption(part: Part) -> str:
    """The strongest push of the set that it moves most."""
    _, *pushes = main_keys(part)
    some = [
        (found, e)
        for found in part.interventions
        for action, strength in pushes
        if (e := effect_at(found, FOUND, action, strength))
    ]
    if not some:
        return ""
    found, e = max(some, key=lambda one: abs(one[1].effect))
    random = effect_at(found, RANDOM, e.action, e.strength)
    return (
        f"Bars are {part.config.intervention.level:.0%} intervals over statements, bands 90% of "
        f"each kind of control. The largest effect of {action_name(e.action, e.strength)}: "
        f"{set_name(found)} {interval(e)}, random sets {random.low:+.2f} to {random.high:+.2f}."
    )

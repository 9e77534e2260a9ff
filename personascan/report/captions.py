"""The sentence beside each picture across places, with its numbers."""

import numpy as np

from personascan.analysis import judged
from personascan.analysis.findings import SIGNIFICANCE
from personascan.interventions.options import RANDOM
from personascan.report.ceilings import control_floor
from personascan.report.charts.sets import PAIRS
from personascan.report.sections.edits import (
    action_name,
    effect_at,
    effects_at,
    interval_of,
    main_keys,
    set_name,
    specificity_text,
    verdict,
)
from personascan.report.sheets.special import scores_of
from personascan.report.words import (
    below_chance,
    between,
    name_and_place,
    quantity,
    rows_word,
    safe,
    word_list,
)
from personascan.study.results import Part, best_of_all, probe_auroc_of

FIRST = 3  # comparisons that a caption names


def captions(part: Part) -> dict[str, str]:
    """Returns inline Markdown by the name of the picture; none where there is no picture."""
    texts = {"map": map_caption(part), "profiles": profiles_caption(part)}
    if part.compares_detectors:
        texts["ways"] = ways_caption(part)
    if part.overlaps:
        texts |= {"expected": expected_caption(part), "upset": upset_caption(part)}
        texts["venn"] = "Nodes in exactly the sets that overlap there; sizes are not to scale."
    special = special_caption(part)
    if special:
        texts["special"] = special
    if any(part.validations.values()):
        texts["validation"] = validation_caption(part)
    if any(tested.effects for tested in part.interventions):
        texts |= {"effects": verdict(part), "doses": doses_caption(part)}
    if part.specificity:
        texts["specificity"] = specificity_text(part)
    return texts


def map_caption(part: Part) -> str:
    """Returns how many tiles are significant, and the range of z."""
    if not part.calibrations:
        auroc = [d.auroc for own in part.detections.values() for d in own.values()]
        return (
            "Labels were not permuted: colour is the AUROC of rows scanned alone, "
            f"{between(min(auroc), max(auroc))} (0.5 is chance), which claims nothing."
        )
    z = np.concatenate([c.z for c in part.calibrations.values()])
    passing = sum(len(c.found) for c in part.calibrations.values())
    return (
        "z, how far the statistic of a place lies above permuted labels, in their deviations, is "
        f"{between(z.min(), z.max(), '.1f')}. A dot marks a family-wise p of {SIGNIFICANCE:g} or "
        f"less ({passing} of {quantity(z.size, 'tile')})."
    )


def profiles_caption(part: Part) -> str:
    """Returns where the clearest comparisons are highest, by labelled tests and by a probe."""
    clearest = sorted(part.calibrations.items(), key=lambda one: -one[1].z.max())[:FIRST]
    said = [f"{name_and_place(name, c.keys[c.best])} (z {c.z[c.best]:.1f})" for name, c in clearest]
    name, place = best_of_all(part.separation, probe_auroc_of)
    probe = (
        f"A probe that is told the labels is best for {name_and_place(name, place)} (AUROC "
        f"{probe_auroc_of(part.separation[name][place]):.2f})."
    )
    if not said:
        return probe
    rings = f"rings mark a family-wise p of {SIGNIFICANCE:g} or less"
    return f"Highest are {word_list(said)}; {rings}. {probe}"


def ways_caption(part: Part) -> str:
    """Returns the best way of scanning rows alone, comparison by comparison."""
    said = []
    for name, ways in list(part.all_detections.items())[:FIRST]:
        way, place = best_of_all(ways)
        said.append(f"{safe(name)} {ways[way][place].auroc:.2f} ({way}, at {safe(place)})")
    return (
        f"The highest AUROCs, chosen on what they are judged by: {word_list(said)}. 0.5 is chance."
    )


def expected_caption(part: Part) -> str:
    """Returns how many pairs share more or fewer nodes than sets of their sizes do by chance."""
    said, split, most = [], False, 0
    for place, overlaps in part.overlaps.items():
        pairs = [o for o in overlaps if len(o.names) == 2 and o.expected]
        most = max(most, len(pairs))
        split = split or any(not np.isnan(o.p) for o in pairs)
        more = sum(o.observed > o.chance_high for o in pairs)
        less = sum(o.observed < o.chance_low for o in pairs)
        said.append(
            f"at {safe(place)}, of {quantity(len(pairs), 'pair')} the number that share more is "
            f"{more}, and fewer {less}, where "
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
    """Returns how many nodes are in several sets, and in the most sets."""
    said = []
    for place, overlaps in part.overlaps.items():
        several = [o for o in overlaps if o.exclusive and len(o.names) > 1]
        if not several:
            said.append(f"at {safe(place)} no node is in two sets")
            continue
        most = max(several, key=lambda o: len(o.names))
        said.append(
            f"at {safe(place)} {quantity(sum(o.exclusive for o in several), 'node')} in several "
            f"sets, {most.exclusive} in the most ({len(most.names)})"
        )
    return f"Each node is counted once, under exactly the sets that hold it: {'; '.join(said)}."


def validation_caption(part: Part) -> str:
    """Returns the range of the held-out AUROC of found, random and all nodes."""
    ranges = []
    for method in (judged.FOUND, judged.RANDOM, "all nodes"):
        values = [
            v.methods[method]["auroc"]
            for halves in part.validations.values()
            for v in halves
            if method in v.methods and not np.isnan(v.methods[method]["auroc"])
        ]
        if values:
            ranges.append(f"{method} {between(min(values), max(values))}")
    if not ranges:
        return "No half found nodes that could be judged on the other."
    return f"Held-out AUROC over comparisons and halves: {word_list(ranges)}. 0.5 is chance."


def special_caption(part: Part) -> str:
    """Returns what a ceiling means in the picture of all scores, and how many there are."""
    every = [score for name in part.scans for score in scores_of(part, name)]
    if not every:
        return ""
    full = sum(flag for *_, flag in every)
    return (
        "Orange: the place and its found nodes; grey: other nodes and simpler scores, with 95% "
        f"intervals. 0.5 is chance. A triangle marks a ceiling ({full} here): a score so high that "
        "no better one could be shown. The place, word counts and embedding are judged fold by "
        "fold; node sets, their direction and the length on the half that did not find them."
        + below_chance((auroc for _, auroc, _ in every), rows_word(part))
    )


def doses_caption(part: Part) -> str:
    """Returns the strongest push of the set that it moves most."""
    _, *pushes = main_keys(part)
    some = [one for push in pushes for one in effects_at(part, *push)]
    if not some:
        return ""
    tested, e = max(some, key=lambda one: abs(one[1].effect))
    random = effect_at(tested, RANDOM, e.action, e.strength)
    band = between(random.low, random.high, "+.2f")
    return (
        f"Bars are {part.config.intervention.level:.0%} intervals over statements, bands 90% of "
        f"each kind of control; {part.config.intervention.controls} controls of a kind allow no p "
        f"below {control_floor(part):.3g}. The largest effect of "
        f"{action_name(e.action, e.strength)}: {set_name(tested)} {interval_of(e)}, random sets "
        f"{band}."
    )

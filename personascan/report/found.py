"""Sections of the page on what was found, comparison by comparison, and how it was tested."""

import itertools

from personascan.analysis.findings import SIGNIFICANCE, Finding
from personascan.report.compared import exchanged_sentence
from personascan.report.lead import larger_side, wording_cell, wording_tells, would_have
from personascan.report.section import Section, Table
from personascan.report.words import joined, listed, rows_word, safe


def found_section(part) -> Section:
    """What was found, comparison by comparison, and what was not."""
    found = part.findings()
    header = ["", "furthest place", "z", "family-wise p", "q over comparisons",
              "places with family-wise p <= 0.05", "by the largest |t|"]  # fmt: skip
    header += ["held-out AUROC", *simpler_header(part)] if part.beyond else []
    header += ["wording, accuracy"] if part.texts else []
    rows = [
        [
            safe(f.name), f.place, f"{f.z:.1f}", f"{f.p_family:.3f}", f"{f.q:.3f}",
            f"{f.passing} of {f.places}", by_largest(part, f.name),
            *(beyond_cells(part, f.name) if part.beyond else []),
            *([wording_cell(part, f.name, ".2f")] if part.texts else []),
        ]
        for f in found
    ]  # fmt: skip
    return Section(
        "What was found",
        Table(header, rows),
        *(finding_sentence(part, f) for f in found),
        statistic_text(part),
        *filter(None, [beyond_text(part), exchanged_sentence(part)]),
    )


def by_largest(part, name: str) -> str:
    """At how many places the largest |t| of a node passes."""
    nodes = part.calibrations[name].by("nodes")
    return f"{len(nodes.found)} of {len(nodes.keys)}"


def beyond_cells(part, name: str) -> list[str]:
    """How held-out rows are told by the chosen places, and by what is simpler."""
    found = part.beyond.get(name)
    if found is None:
        return ["-"] * (1 + len(simpler_header(part)))
    beside = [(f"{one.auroc:.3f}", said(one.claim)) for one in found.simpler.values()]
    return [f"{found.auroc:.3f}", *itertools.chain(*beside)]


def simpler_header(part) -> list[str]:
    """Of the cells of what is simpler."""
    first = next(iter(part.beyond.values()))
    return [cell for name in first.simpler for cell in (name, "difference")]


def said(claim) -> str:
    """A difference with its interval."""
    return f"{claim.difference:+.2f} ({claim.low:+.2f} to {claim.high:+.2f})"


def statistic_text(part) -> str:
    """How places were tested."""
    options, tests = part.config.where, next(iter(part.calibrations.values()))
    floor = max(c.floor for c in part.calibrations.values())
    few = {
        name: c for name, c in part.calibrations.items() if c.permutations < options.permutations
    }
    words = {
        "direction": "how well a ridge regression of the labels on the nodes of a place tells "
        "them (a shrunken Hotelling statistic: any direction of the means counts)",
        "nodes": "the largest |t| of a node",
        "distribution": "the energy distance of both sides (means and spread)",
        "node scan": "the score of the best set of nodes for either side, over alphas that are "
        "each ranked among the labellings (spread in few nodes counts)",
    }
    beyond = f" With {tests.permutations} labellings no p can reach {SIGNIFICANCE:g}." if (
        floor > SIGNIFICANCE
    ) else ""  # fmt: skip
    every = (
        f" Of {listed(few)} there are no more than "
        f"{joined(str(c.permutations + 1) for c in few.values())} labellings: all were used."
        if few
        else ""
    )
    return (
        "The labels are known, and nothing was scanned for: a place's statistic is "
        f"{words[options.statistic]}. The labels were permuted {options.permutations} times, the "
        "same permutations at all places; z counts deviations from the permutations' mean, and "
        "the family-wise p compares a place with the highest place of every permutation, so that "
        f"the search over all places is paid for (no p can be below {floor:.3g}).{every}{beyond} "
        "The largest |t| stands beside it: it finds few strong nodes, the statistic also "
        "directions that no single node shows. q controls the false discovery rate over "
        "comparisons (Benjamini-Hochberg). `places.csv` has every place, `findings.csv` this "
        "table."
    )


def beyond_text(part) -> str:
    """How held-out rows were told."""
    if not part.beyond:
        return ""
    options = part.config.where
    return (
        f"Held-out AUROC: in each of {options.folds} folds the place and its direction were chosen "
        f"without the fold ({options.fold_permutations} permutations) and told its statements. "
        "Word counts (logistic regression on counts of words and pairs of words) told the same "
        "ones, and so did the mean embedding of a statement's tokens (the same ridge regression, "
        f"on the input of the first block). Differences have {part.config.validation.level:.0%} "
        "intervals, paired over statements. What differs between the sides is found, words "
        "included: only differences above 0, from both, say that layers hold more."
    )


def finding_sentence(part, f: Finding) -> str:
    """One comparison in words: where, how sure, in which nodes, and whether wording explains it."""
    if f.found:
        text = (
            f"**{safe(f.name)}** shows at {f.passing} of {f.places} places, most clearly at "
            f"**{safe(f.place)}** (z {f.z:.1f}, family-wise p {f.p_family:.3f})."
        )
    else:
        text = (
            f"**{safe(f.name)}** was not found: its furthest place, {safe(f.place)}, has a "
            f"family-wise p of {f.p_family:.3f} (z {f.z:.1f}); {would_have(part, [f.name])}."
        )
    return text + judged_words(part, f) + words_too(part, f)


def judged_words(part, f: Finding) -> str:
    """What the half that did not choose the place says of it, and of its nodes."""
    if not f.judged:
        return ""
    p = " and ".join(f"{s.choice.p_judged:.3f}" for s in f.judged)
    chosen = [safe(s.place) for s in f.judged]
    where = chosen[0] if len(set(chosen)) == 1 else " and ".join(chosen)
    sizes = [
        " and ".join(str(int((s.set_TC[0] & (s.directions_C == d)).sum())) for s in f.judged)
        for d in (1, -1)
    ]
    bounds = " and ".join(str(s.tested.at_least()) for s in f.judged)
    text = (
        f" Chosen on one half of the {rows_word(part)} ({where}) and judged on the other: p {p}; "
        f"at least {bounds} of {f.judged[0].tested.effect.size} nodes differ there"
    )
    if f.judged[0].halves == 2:
        text += f" (q <= {part.config.node_q:g}: {sizes[0]} high, {sizes[1]} low)"
    return f"{text}{halves_agree(f.judged)}."


def halves_agree(judged) -> str:
    """What two halves that chose one place say of each other's nodes."""
    if len(judged) != 2 or judged[0].place != judged[1].place:
        return ""
    one, other = (s.tested for s in judged)
    sets = [s.nodes_D for s in judged]
    both = sets[0] | sets[1]
    if not both.any():
        return ""
    signs = float((one.direction == other.direction)[both].mean())
    shared = int((sets[0] & sets[1]).sum())
    return (
        f"; of the {int(both.sum())} nodes of either half's set {signs:.0%} point the same way in "
        f"both halves, and {shared} are in both sets"
    )


def words_too(part, f: Finding) -> str:
    """Whether the words of its statements show as much."""
    if not f.found:
        return ""
    if f.name in part.beyond:
        found = part.beyond[f.name]
        more = "" if found.beyond else ": wording is as good an explanation"
        beside = joined(
            f"{one.auroc:.2f} by {one.name} ({one.claim.difference:+.2f}, {one.claim.low:+.2f} to "
            f"{one.claim.high:+.2f})"
            for one in found.simpler.values()
        )
        return f" Held-out statements: AUROC {found.auroc:.2f} by activations, {beside}{more}."
    if wording_tells(part, f.name):
        return (
            f" Word counts alone tell {part.wording[f.name][0]:.0%} of its statements"
            f"{larger_side(part, [f.name])}: wording is a likely reason."
        )
    return ""

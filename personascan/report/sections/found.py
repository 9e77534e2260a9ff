"""Sections of the page on where comparisons show: the findings, each tail, depth in the layers."""

import itertools

import numpy as np

from personascan.analysis.findings import SIGNIFICANCE, Finding
from personascan.places import lines_of
from personascan.report.ceilings import length_auroc, words_at_ceiling
from personascan.report.sections.exchanged import exchanged_sentence
from personascan.report.words import (
    Section,
    Table,
    below_chance,
    between,
    detectable_words,
    difference_words,
    interval,
    larger_side,
    line_name,
    name_and_place,
    name_list,
    p_words,
    quantity,
    rows_word,
    safe,
    set_sizes,
    word_list,
    wording_cell,
    wording_tells,
    wording_words,
)
from personascan.study.results import Part


def found_section(part: Part) -> Section | None:
    """Returns the section on findings, comparison by comparison."""
    if not part.calibrations:
        return None
    findings = part.findings()
    header = ["", "furthest place", "z", "family-wise p", "q over comparisons",
              "places with family-wise p <= 0.05", "by the largest |t|"]  # fmt: skip
    header += ["held-out AUROC", *simpler_header(part)] if part.held_out_texts else []
    header += ["wording, accuracy"] if part.texts else []
    rows = [
        [
            safe(f.name), f.place, f"{f.z:.1f}", p_words(f.p_family), p_words(f.q),
            f"{f.passing} of {f.places}", largest_t_cell(part, f.name),
            *(beyond_cells(part, f.name) if part.held_out_texts else []),
            *([wording_cell(part, f.name, ".2f")] if part.texts else []),
        ]
        for f in findings
    ]  # fmt: skip
    return Section(
        "What was found",
        Table(header, rows),
        *(finding_sentence(part, f) for f in findings),
        statistic_text(part),
        beyond_text(part),
        exchanged_sentence(part),
    )


def largest_t_cell(part: Part, name: str) -> str:
    """Returns at how many places the largest |t| of a node passes."""
    nodes = part.calibrations[name].by("nodes")
    return f"{len(nodes.found)} of {len(nodes.keys)}"


def beyond_cells(part: Part, name: str) -> list[str]:
    """Returns the AUROC of held-out rows by the chosen places, and by simpler scores."""
    if name not in part.held_out_texts:
        return ["-"] * (1 + len(simpler_header(part)))
    held_out = part.held_out_texts[name]
    beside = [
        (
            f"{one.auroc:.3f}{' (turned)' * one.turned}",
            interval(one.claim.difference, one.claim.low, one.claim.high),
        )
        for one in held_out.simpler.values()
    ]
    return [f"{held_out.auroc:.3f}", *itertools.chain(*beside)]


def simpler_header(part: Part) -> list[str]:
    """Returns the headers of the simpler scores."""
    first = next(iter(part.held_out_texts.values()))
    return [cell for name in first.simpler for cell in (name, "difference")]


def statistic_text(part: Part) -> str:
    """Returns how places were tested, in sentences."""
    options, tests = part.config.where, next(iter(part.calibrations.values()))
    floor = max(c.floor for c in part.calibrations.values())
    asked, every = options.permutations, part.calibrations
    few = {name: c for name, c in every.items() if c.permutations < asked}
    words = {
        "direction": "how well a ridge regression of the labels on the nodes of a place tells "
        "them (a shrunken Hotelling statistic: any direction of the means counts)",
        "nodes": "the largest |t| of a node",
        "distribution": "the energy distance of both sides (means and spread)",
        "node scan": "the score of the best set of nodes for either side, over alphas that are "
        "each ranked among the labellings (spread in few nodes counts)",
    }
    beyond = all_used = ""
    if floor > SIGNIFICANCE:
        beyond = f" With {tests.permutations} labellings no p can reach {SIGNIFICANCE:g}."
    if few:
        numbers = word_list(str(c.permutations + 1) for c in few.values())
        all_used = (
            f" Of {name_list(few)} there are no more than {numbers} labellings: all were used."
        )
    return (
        "The labels are known, and nothing was scanned for: a place's statistic is "
        f"{words[options.statistic]}. The labels were permuted {options.permutations} times, the "
        "same permutations at all places; z counts deviations from the permutations' mean, and "
        "the family-wise p compares a place with the highest place of every permutation, so that "
        f"the search over all places is paid for (no p can be below {floor:.3g}).{all_used}{beyond}"
        " The largest |t| stands beside it: it finds few strong nodes, the statistic also "
        "directions that no single node shows. q controls the false discovery rate over "
        f"comparisons (Benjamini-Hochberg).{wording_words(part)} `places.csv` has every place, "
        "`findings.csv` this table."
    )


def beyond_text(part: Part) -> str:
    """Returns how held-out rows were scored, in sentences."""
    if not part.held_out_texts:
        return ""
    options = part.config.where
    return (
        f"Held-out AUROC: in each of {options.folds} folds the place and its direction were chosen "
        f"without the fold ({options.fold_permutations} permutations) and told its statements. "
        "Word counts (logistic regression on counts of words and pairs of words) told the same "
        "ones, and so did the mean embedding of a statement's tokens (the same ridge regression, "
        f"on the input of the first block). Differences have {part.config.validation.level:.0%} "
        "intervals, paired over statements. What differs between the sides is found, words "
        "included: only differences above 0, from both, say that layers hold more. These two count "
        "in whichever direction they tell rows better (turned: the other way than on the rows that "
        "they learnt from, as happens where a statement's counterpart in like words is among "
        "those)." + below_chance((one.auroc for one in part.held_out_texts.values()), "statements")
    )


def finding_sentence(part: Part, f: Finding) -> str:
    """Returns a finding in words: where it shows, how surely, in which nodes, beside wording."""
    if f.found:
        text = (
            f"**{safe(f.name)}** shows at {f.passing} of {quantity(f.places, 'place')}, most "
            "clearly at "
            f"**{safe(f.place)}** (z {f.z:.1f}, family-wise p {p_words(f.p_family)})."
        )
    else:
        text = (
            f"**{safe(f.name)}** was not found: its furthest place, {safe(f.place)}, has a "
            f"family-wise p of {p_words(f.p_family)} (z {f.z:.1f}); "
            f"{detectable_words(part, [f.name])}."
        )
    return text + judged_sentence(part, f) + wording_sentence(part, f)


def judged_sentence(part: Part, f: Finding) -> str:
    """Returns the tests of the half that did not choose the place, and of its nodes."""
    if not f.judged:
        return ""
    p = " and ".join(p_words(s.choice.p_judged) for s in f.judged)
    where = " and ".join(safe(place) for place in dict.fromkeys(s.place for s in f.judged))
    bounds = " and ".join(str(s.tested.at_least()) for s in f.judged)
    text = (
        f" Chosen on one half of the {rows_word(part)} ({where}) and judged on the other: p {p}; "
        f"at least {bounds} of {f.judged[0].tested.effect.size} nodes differ there"
    )
    if f.judged[0].halves == 2:
        sizes = zip(*map(set_sizes, f.judged), strict=True)
        high, low = (" and ".join(map(str, ones)) for ones in sizes)
        text += f" (q <= {part.config.node_q:g}: {high} high, {low} low)"
    return f"{text}{agreement_words(f.judged)}."


def agreement_words(judged: list) -> str:
    """Returns how far two halves that chose the same place agree on its nodes."""
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


def wording_sentence(part: Part, f: Finding) -> str:
    """Returns whether the words of a comparison's statements show as much."""
    if not f.found:
        return ""
    if f.name in part.held_out_texts:
        held_out = part.held_out_texts[f.name]
        more = "" if held_out.beyond else ": wording is as good an explanation"
        if words_at_ceiling(part, f.name):
            more = f": at this ceiling nothing could be told better, and wording{more[9:]}"
        length = length_auroc(part, f.name)
        if not np.isnan(length):
            more += f" (their length alone, whichever side is longer: {length:.2f})"
        beside = word_list(
            f"{one.auroc:.2f} by {one.name}{' turned round' * one.turned} "
            f"({difference_words(one.claim)})"
            for one in held_out.simpler.values()
        )
        return f" Held-out statements: AUROC {held_out.auroc:.2f} by activations, {beside}{more}."
    if wording_tells(part, f.name):
        return (
            f" Word counts alone tell {part.wording[f.name][0]:.0%} of its statements"
            f"{larger_side(part, [f.name])}: wording is a likely reason."
        )
    return ""


def tails_section(part: Part) -> Section | None:
    """Returns the furthest place by the scan's own score in each tail."""
    rows = [
        [
            safe(name), tail, c.keys[c.best], f"{c.z[c.best]:.1f}", p_words(c.p_family[c.best]),
            f"{int((c.p_family <= SIGNIFICANCE).sum())} of {len(c.keys)}",
        ]
        for name, tails in part.tails.items()
        for tail, c in tails.items()
    ]  # fmt: skip
    if not rows:
        return None
    return Section(
        "By the scan's own score",
        "The published search, which is not told which rows are of H1: the mean score of "
        f"{part.config.scan.statistic_runs} scans of every place in each tail, beside "
        f"{part.config.scan.permutations} permutations of the labels; "
        '"either" takes the higher score of right and left. The family-wise p pays for the search '
        "over places, not for that over tails. `tails.csv` has every place.",
        Table(["", "tail", "furthest place", "z", "family-wise p", "places found"], rows),
    )


def late_section(part: Part) -> Section | None:
    """Returns whether signal lies in the last third of the layers, line by line."""
    lines, rows, late = lines_of(part.places), [], []
    for name, profiles in part.profiles.items():
        for (site, position), p in profiles.items():
            if len(lines[site, position]) < 3 or np.isnan(p.share):
                continue
            line = line_name(site, position)
            late += [name_and_place(name, line)] * p.late
            rows.append([safe(name), safe(line), f"{p.share:.2f}", between(p.low, p.high),
                         f"{p.even:.2f}"])  # fmt: skip
    if not rows:
        return None
    said = "Nowhere does its interval lie above an even spread."
    if late:
        said = f"Its interval lies above an even spread for {word_list(late)}."
    return Section(
        "How late in the layers",
        f"The share of the signal (2 AUROC - 1 of {rows_word(part)} scanned alone) that lies in "
        f"the last third of the depth, with a 95% bootstrap interval over {rows_word(part)}; even "
        "spread: the share of the layers that lie there. The "
        f"published claim is that separation is largest there. {said} `profiles.csv` has more.",
        Table(["", "site, position", "in the last third", "95% interval", "even spread"], rows),
    )

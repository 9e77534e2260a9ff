"""What a page says of a part: what was asked, what was found, and every section of numbers."""

from dataclasses import dataclass

import numpy as np

from personascan.places import lines_of
from personascan.report.alone import alone_section, tails_section, transfer_section
from personascan.report.compared import left_out_sentence
from personascan.report.found import found_section
from personascan.report.intervened import intervened_section
from personascan.report.judged import apart_section, judged_section, late_section
from personascan.report.lead import (
    NAMED,
    at_a_glance,
    lead,
    of_personas,
)
from personascan.report.scanned import held_out_section, kinds_section, nodes_section, runs_section
from personascan.report.section import Section, Shown, Table, block
from personascan.report.words import joined, line_name, listed, quoted, rows_word, safe


@dataclass(frozen=True)
class PartPage:
    """A model at a level, in words. Texts are inline Markdown."""

    title: str
    asked: str
    lead: tuple[str, ...]  # what was found, in a few sentences
    glance: Table | None  # a line for each comparison
    how: str  # what was put through the network, and what was kept
    sections: tuple[Section, ...]

    def packed(self) -> dict:
        """As JSON holds it."""
        return {
            "title": self.title, "asked": self.asked, "lead": list(self.lead), "how": self.how,
            "glance": block(self.glance) if self.glance else None,
            "sections": [section.packed() for section in self.sections],
        }  # fmt: skip


def part_page(part) -> PartPage:
    """All that is said of a part."""
    sections = (
        found_section(part) if part.calibrations else None,
        nodes_section(part),
        held_out_section(part),
        kinds_section(part),
        runs_section(part),
        tails_section(part),
        judged_section(part),
        intervened_section(part),
        alone_section(part),
        transfer_section(part),
        late_section(part),
        separation_section(part),
        apart_section(part),
        limits_section(part),
    )
    return PartPage(
        title=f"{several(part.scans)} in {quoted(part.model)}",
        asked=asked_sentence(part),
        lead=lead(part),
        glance=at_a_glance(part),
        how=how_sentences(part),
        sections=tuple(filter(None, sections)),
    )


def several(names) -> str:
    """Some names, and how many more."""
    names = list(names)
    if len(names) <= 2 * NAMED:
        return listed(names)
    return f"{', '.join(map(safe, names[:NAMED]))} and {len(names) - NAMED} more"


def asked_sentence(part) -> str:
    """What was set against what, on how many rows, and at how many places."""
    sizes = sorted({f"{a} + {b}" for a, b in part.pool_sizes.values()})
    lines = joined(map(safe, dict.fromkeys(place.network or place.site for place in part.places)))
    where = f"{len(part.places)} places of {quoted(part.model)} (layers of {lines})"
    if not of_personas(part):
        return (
            f"Asked: at which of {where} do {safe(part.terms.h1)} (H1) differ "
            f"from {safe(part.terms.h0)} (H0), for each of {len(part.scans)} comparisons? "
            f"{', '.join(sizes)} {rows_word(part)}."
        )
    against = {
        2: "the statements for it (H1) from those against it (H0)",
        1: "the statements for it (H1) from those for its topic's other personas (H0)",
        0: "the statements for its personas (H1) from those of the other topics (H0)",
    }[part.level]
    what = "topic" if part.level == 0 else "persona"
    return (
        f"Asked: at which of {where} do activations tell, for each of {len(part.scans)} {what}s, "
        f"{against}? {', '.join(sizes)} statements of each (level {part.level})."
    )


def how_sentences(part) -> str:
    """What was put through the network, and what of it was kept."""
    record = "`study.json` holds the configuration, versions, seed and hashes of the inputs."
    said = [part.source.about]
    if part.texts:
        least = part.config.min_confidence
        said = [f"The statements have a label confidence of {least:g} or more."]
        said += [prompt_sentence(part), kept_sentence(part)]
    return " ".join(filter(None, [*said, left_out_sentence(part), record]))


def prompt_sentence(part) -> str:
    """What each statement was put into, as it was done."""
    config, role = part.config, part.role
    around = [
        f"{what} {quoted(text)}"
        for what, text in (("behind", config.prefix), ("in front of", config.suffix))
        if text
    ]
    stands = f", {' and '.join(around)}" if around else ""
    if role == "none":
        why = "" if config.role == "none" else ", since the tokenizer has no chat template"
        return f"Each statement was put through the model as bare text{stands}{why}."
    template = [f"the template {quoted(config.template)}"] if config.template else []
    template += [quoted(keyword) for keyword in config.template_keywords]
    through = f" (with {', '.join(template)})" if template else ""
    return (
        f"Each statement was put through the model as a single {safe(role)} message{through}"
        f"{stands}."
    )


def kept_sentence(part) -> str:
    """Which vector was kept, and in what precision."""
    config = part.config
    words = {
        "first": "the prompt's first token (`first`)",
        "last": "the prompt's last token (`last`)",
        "last_statement": "the statement's own last token (`last_statement`)",
        "mean_statement": "the mean over the statement's own tokens (`mean_statement`)",
        "mean": "the mean over all tokens of the prompt (`mean`)",
    }
    positions = dict.fromkeys(place.position for place in part.places)
    kept = [words.get(p, f"the token at position {p} of the prompt") for p in positions]
    kind = "" if config.dtype == "float32" else f" (weights in {config.dtype})"
    return (
        f"The activations of {joined(kept)} were kept at {listed(config.sites)}{kind}: "
        f"{len(part.places)} places."
    )


def separation_section(part) -> Section:
    """What a probe and the cluster metrics see, which are told the labels."""
    metrics = ("probe_auroc", "silhouette", "calinski_harabasz", "davies_bouldin", "hull_distance")
    rows = []
    for name, found in part.separation.items():
        usable = {p: s for p, s in found.items() if not s.constant}
        if not usable:
            continue
        best = max(usable, key=lambda p: usable[p].mean["probe_auroc"])
        accuracy, spread = part.wording[name]
        at_best = found[best]
        rows.append(
            [safe(name), *([f"{accuracy:.2f} ± {spread:.2f}"] if part.texts else []), best]
            + [f"{at_best.mean[m]:.3g} ± {at_best.deviation[m]:.2g}" for m in metrics]
        )
    words = [accuracy for accuracy, _ in part.wording.values()]
    larger = [max(pair) / sum(pair) for pair in part.pool_sizes.values()]
    options, (site, position) = part.config.separation, best_line(part)[0]
    header = ["", *(["wording, accuracy"] if part.texts else []), "place of the best probe",
              "probe, AUROC", "silhouette",
              "Calinski-Harabasz", "Davies-Bouldin", "hull distance"]  # fmt: skip
    called, wording = rows_word(part), ""
    if part.texts:
        wording = (
            " A bag of words knows wording alone: logistic regression on word counts reaches a "
            f"held-out accuracy of {min(words):.2f} to {max(words):.2f} (guessing always the "
            f"larger class: up to {max(larger):.2f})."
        )
    blocks = [
        f"A probe (logistic regression) is told the labels and held to new {called}: AUROC 0.5 is "
        f"chance.{wording} The cluster metrics describe the first "
        f"{options.components} principal components of both directions together, the hull distance "
        f"the first {options.hull_components}, in units of activation (of a place with fewer nodes "
        f"all that there are); mean ± deviation over "
        f"{options.seeds} seeds. `places.csv` has every place; these are the ones with the best "
        "probe, which is chosen on what it is judged by:",
        Table(header, rows),
        f"The line whose places separate best is {safe(line_name(site, position))}.",
        Shown("profiles"),
    ]
    if where := constant_places(part):
        blocks.append(f"Constant over the {called}, so nothing to separate: {where}.")
    return Section(f"How far apart {apart(part)} lie", *blocks)


def constant_places(part) -> str:
    """The places that do not vary, each with the comparisons for which that is so, if not for all.

    "" where there are none.
    """
    said = []
    for place in part.places:
        names = [name for name, found in part.separation.items() if found[place].constant]
        if names:
            some = len(names) < len(part.separation)
            said.append(safe(place) + (f" (for {listed(names)})" if some else ""))
    return "; ".join(said)


def best_line(part) -> tuple[tuple, list]:
    """The site and position whose best layer has the highest probe AUROC on average."""

    def mean_auroc(place):
        values = np.array([s[place].mean["probe_auroc"] for s in part.separation.values()])
        known = values[~np.isnan(values)]  # a place may be constant in one comparison alone
        return known.mean() if known.size else 0.0

    return max(lines_of(part.places).items(), key=lambda line: max(map(mean_auroc, line[1])))


def apart(part) -> str:
    """The two sides of a comparison, in words."""
    return "the two directions" if part.level == 2 and part.texts else "H1 from H0"


def limits_section(part) -> Section:
    notes = []
    if not part.calibrations:
        notes.append(
            "Scores carry no p-value here: noise alone gives high scores and node sets that recur "
            "between runs, because all runs draw from the same rows. Compare precision with "
            "chance, and overlaps with the number expected, or set where.permutations."
        )
    elif part.texts:
        notes.append(
            "A place or node that passes tells the labels apart; what it encodes may be wording, "
            "length or topic as well as the persona. Compare with the accuracy of word counts."
        )
    else:
        notes.append(
            "A place or node that passes tells the labels apart; what it encodes may be anything "
            "that differs between them. Compare with what is simpler than a scan."
        )
    notes.append(
        "Nodes of one layer are correlated: an overlap of node sets counts nodes, and those that "
        "move together count many times."
    )
    return Section("What these numbers do not say", *notes)

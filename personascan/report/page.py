"""report.md: shows and explains the tables and pictures of a study in sentences with numbers."""

from personascan.analysis.findings import LEVEL, Finding, pooled
from personascan.report.alone import alone_section, tails_section, transfer_section
from personascan.report.figures import apart, best_line
from personascan.report.intervened import intervened_section
from personascan.report.judged import apart_section, judged_section, late_section
from personascan.report.scanned import nodes_section, runs_section
from personascan.report.words import joined, line_name, listed, pictures, quoted, safe, table

SURE_WORDING = 0.7  # from here on wording alone tells most statements


def report_page(part, figures: dict[str, list[str]]) -> str:
    """The page as Markdown."""
    sections = [
        heading(part),
        *([found_section(part, figures)] if part.calibrations else []),
        runs_section(part, figures),
        nodes_section(part, figures),
        tails_section(part),
        judged_section(part, figures),
        intervened_section(part, figures),
        alone_section(part, figures),
        transfer_section(part),
        late_section(part, figures),
        separation_section(part, figures),
        apart_section(part, figures),
        limits_section(part),
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


def heading(part) -> str:
    config, terms = part.config, part.terms
    sizes = sorted({f"{a} + {b}" for a, b in part.pool_sizes.values()})
    if not part.texts:
        return (
            f"# {listed(part.scans)} in {quoted(part.model)}\n\n"
            f"Each comparison sets {terms.h1} (H1) against {terms.h0} (H0), {', '.join(sizes)} "
            f"{terms.rows}. {part.source.about} `study.json` holds the configuration, versions, "
            "seed and hashes of the inputs."
        )
    against = {
        2: "its positive statements (H1) against its negative ones (H0)",
        1: "its positive statements (H1) against those of its topic's other personas (H0)",
        0: "its personas' positive statements (H1) against those of the other topics (H0)",
    }[part.level]
    what = "topic" if part.level == 0 else "persona"
    return (
        f"# {listed(part.scans)} in {quoted(part.model)}\n\n"
        f"Level {part.level}: each {what} is studied by {against}, {', '.join(sizes)} "
        f"statements of label confidence {config.min_confidence:g} or more. "
        f"{prompt_sentence(part)} {kept_sentence(part)} `study.json` holds the configuration, "
        "versions, seed and hashes of the inputs."
    )


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
        f"The activations of {joined(kept)} were kept at {joined(config.sites)}{kind}: "
        f"{len(part.places)} places."
    )


def found_section(part, figures) -> str:
    """What was found, comparison by comparison, and what was not."""
    scan, found = part.config.scan, part.findings()
    clear = [f for f in found if f.found]
    missed = [f.name for f in found if not f.found]
    lines = [
        f"**{len(clear)} of {len(found)}** comparisons show at some of {len(part.places)} places "
        f"(family-wise p <= {LEVEL:g})."
        + (f" Nothing was found for {listed(missed)}." if missed else "")
    ]
    lines += [f"- {finding_sentence(part, f)}" for f in found]
    least = 1 / (scan.permutations + 1)
    if least > LEVEL:
        lines[0] += f" But with {scan.permutations} permutations no p can reach {LEVEL:g}."
    header = ["", "furthest place", "z", "family-wise p", "q over comparisons",
              "places with family-wise p <= 0.05"]  # fmt: skip
    header += ["wording, accuracy"] if part.texts else []
    rows = [
        [
            safe(f.name), f.place, f"{f.z:.1f}", f"{f.p_family:.3f}", f"{f.q:.3f}",
            f"{f.passing} of {f.places}",
            *([f"{part.wording[f.name][0]:.2f}"] if part.texts else []),
        ]
        for f in found
    ]  # fmt: skip
    return (
        "## What was found\n\n"
        + "\n".join(lines[:1])
        + "\n\n"
        + "\n".join(lines[1:])
        + "\n\n"
        + pictures(figures["found"], "studentised scores by layer, site and position")
        + "\n\n"
        f"A place's statistic is the mean score of {scan.statistic_runs} scans, each of new "
        "samples. The labels were permuted "
        f"{scan.permutations} times and went through the same function; z counts deviations from "
        "the mean of these, place by place, and the family-wise p compares it with the highest "
        "place of every permutation, so that the search over all places is paid for (no p can be "
        f"below {least:.3f}). q controls the false discovery rate over comparisons "
        f"(Benjamini-Hochberg). `places.csv` has every place, `findings.csv` this table.\n\n"
        + table(header, rows)
    )


def finding_sentence(part, f: Finding) -> str:
    """One comparison in words: where, how sure, in which nodes, and whether wording explains it."""
    accuracy = part.wording[f.name][0]
    if f.found:
        text = (
            f"**{safe(f.name)}** shows at {f.passing} of {f.places} places, most clearly at "
            f"**{f.place}** (z {f.z:.1f}, family-wise p {f.p_family:.3f})."
        )
    else:
        text = (
            f"**{safe(f.name)}** was not found: its furthest place, {f.place}, has a family-wise p "
            f"of {f.p_family:.3f} (z {f.z:.1f})."
        )
    if f.judged:
        means = pooled(f.judged)
        p = " and ".join(f"{s.choice.p_judged:.3f}" for s in f.judged)
        sizes = [
            " and ".join(str(int((s.set_TC[0] & (s.directions_C == d)).sum())) for s in f.judged)
            for d in (1, -1)
        ]
        chosen = [str(s.place) for s in f.judged]
        where = chosen[0] if len(set(chosen)) == 1 else " and ".join(chosen)
        text += (
            f" Chosen on one half of the {part.terms.rows} ({where}) and judged on the other: p "
            f"{p}, precision {means['precision']:.2f}, recall {means['recall']:.2f}, AUROC "
            f"{means['auroc']:.2f}"
        )
        text += (
            f"; nodes that are high in {sizes[0]}, low in {sizes[1]} (q <= {part.config.node_q:g})."
            if f.judged[0].halves == 2
            else "."
        )
    if f.found and accuracy >= SURE_WORDING:
        text += (
            f" Word counts alone tell {accuracy:.0%} of its statements: wording is a likely reason."
        )
    return text


def separation_section(part, figures) -> str:
    """What a probe and the cluster metrics see, which are told the labels."""
    metrics = ("probe_auroc", "silhouette", "calinski_harabasz", "davies_bouldin", "hull_distance")
    constant = {p for found in part.separation.values() for p, s in found.items() if s.constant}
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
    plan, (site, position) = part.config.separation, best_line(part)[0]
    header = ["", *(["wording, accuracy"] if part.texts else []), "place of the best probe",
              "probe, AUROC", "silhouette",
              "Calinski-Harabasz", "Davies-Bouldin", "hull distance"]  # fmt: skip
    called, wording = part.terms.rows, ""
    if part.texts:
        wording = (
            " A bag of words knows wording alone: logistic regression on word counts reaches a "
            f"held-out accuracy of {min(words):.2f} to {max(words):.2f} (guessing always the "
            f"larger class: up to {max(larger):.2f})."
        )
    text = (
        f"## How far apart {apart(part)} lie\n\n"
        f"A probe (logistic regression) is told the labels and held to new {called}: AUROC 0.5 is "
        f"chance.{wording} The cluster metrics describe the first "
        f"{plan.components} principal components of both directions together, the hull distance "
        f"the first {plan.hull_components}, in units of activation; mean ± deviation over "
        f"{plan.seeds} seeds. `places.csv` has every place; these are the ones with the best "
        f"probe, which is chosen on what it is judged by:\n\n{table(header, rows)}"
    )
    if constant:
        where = ", ".join(sorted(map(str, constant)))
        text += f"\n\nConstant over the {called}, so nothing to separate: {where}."
    shown = f"separation in {line_name(site, position)}"
    return (
        f"{text}\n\n{pictures(figures['separation'], shown)}\n\n"
        f"The {called} themselves, in two components at an early, a middle and the furthest "
        "place. Clouds that overlap here may still be apart in other components.\n\n"
        f"{pictures(figures['pca'], f'{called} in principal components')}"
    )


def limits_section(part) -> str:
    notes = []
    if not part.calibrations:
        notes.append(
            "Scores carry no p-value here: noise alone gives high scores and node sets that recur "
            "between runs, because all runs draw from the same rows. Compare precision with "
            "chance, and overlaps with the number expected, or set scan.permutations."
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
        "The number expected for overlaps takes nodes as exchangeable and sets as independent; "
        "nodes of one layer are correlated, so real chance overlaps scatter more widely."
    )
    return "## What these numbers do not say\n\n" + "\n".join(f"- {note}" for note in notes)

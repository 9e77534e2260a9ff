"""report.md: shows and explains the tables and pictures of a study in sentences with numbers."""

import numpy as np

from personascan.analysis.findings import LEVEL, Finding, pooled
from personascan.report.figures import apart, best_line
from personascan.report.judged import apart_section, judged_section, late_section
from personascan.report.tables import center, mean_deviation, part_of
from personascan.report.words import joined, listed, pictures, quoted, safe, table

SURE_WORDING = 0.7  # from here on wording alone tells most statements


def report_page(part, figures: dict[str, list[str]]) -> str:
    """The page as Markdown."""
    sections = [
        heading(part),
        *([found_section(part, figures)] if part.calibrations else []),
        runs_section(part, figures),
        nodes_section(part, figures),
        judged_section(part, figures),
        late_section(part, figures),
        separation_section(part, figures),
        apart_section(part, figures),
        limits_section(part),
    ]
    return "\n\n".join(filter(None, sections)) + "\n"


def heading(part) -> str:
    config = part.config
    against = {
        2: "its positive statements (H1) against its negative ones (H0)",
        1: "its positive statements (H1) against those of its topic's other personas (H0)",
        0: "its personas' positive statements (H1) against those of the other topics (H0)",
    }[part.level]
    sizes = sorted({f"{a} + {b}" for a, b in part.pool_sizes.values()})
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
        "last": "the prompt's last token (`last`)",
        "last_statement": "the statement's own last token (`last_statement`)",
        "mean_statement": "the mean over the statement's own tokens (`mean_statement`)",
        "mean": "the mean over all tokens of the prompt (`mean`)",
    }
    kept = [words.get(p, f"the token at position {p} of the prompt") for p in config.positions]
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
              "places with family-wise p <= 0.05", "wording, accuracy"]  # fmt: skip
    rows = [
        [
            safe(f.name), f.place, f"{f.z:.1f}", f"{f.p_family:.3f}", f"{f.q:.3f}",
            f"{f.passing} of {f.places}", f"{part.wording[f.name][0]:.2f}",
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
            f" Chosen on one half of the statements ({where}) and judged on the other: p {p}, "
            f"precision {means['precision']:.2f}, recall {means['recall']:.2f}, AUROC "
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


def runs_section(part, figures) -> str:
    config = part.config
    plan, scan = config.runs, config.scan
    chance = plan.positive / (plan.positive + plan.clean)
    rows = [
        [
            safe(name), found.place, part_of(found),
            mean_deviation(found.runs.score, 1),
            f"{np.nanmedian(found.runs.alpha):.3f}" if found.runs.score.any() else "-",
            mean_deviation(found.precision_R), mean_deviation(found.recall_R),
            f"{found.auroc:.2f}",
            mean_deviation(found.runs.rows[0].sum(1), 1),
            mean_deviation(found.runs.nodes[0].sum(1), 1),
        ]
        for name, scans in part.scans.items()
        for found in scans
    ]  # fmt: skip
    precision = {
        (name, str(s.place)): center(s.precision_R)[0]
        for name, ss in part.scans.items()
        for s in ss
    }
    precision = {key: value for key, value in precision.items() if not np.isnan(value)}
    extremes = ""
    if precision:
        (high, at_high), (low, at_low) = (f(precision, key=precision.get) for f in (max, min))
        extremes = (
            f" Mean precision runs from {precision[low, at_low]:.2f} ({safe(low)} at {at_low}) to "
            f"{precision[high, at_high]:.2f} ({safe(high)} at {at_high})."
        )
    silent = [
        f"{safe(name)} at {s.place}"
        for name, ss in part.scans.items() for s in ss if not s.runs.score.any()
    ]  # fmt: skip
    if silent:
        extremes += f" No run returned anything for {joined(silent)}."
    halves = ""
    if any(s.choice for ss in part.scans.values() for s in ss):
        halves = (
            " Where a half of the statements chose the place, the other half was scanned, with "
            "samples of half the size."
        )
    background = "freshly drawn background" if plan.redraw else "background shared by all runs"
    header = ["", "place", "statements", "score", "median alpha", "precision", "recall", "AUROC",
              "statements returned", "nodes"]  # fmt: skip
    return (
        "## Which statements diverge\n\n"
        f"Each of {plan.runs} runs takes a {background} of {plan.background} H0 statements and "
        f"scans {plan.clean} other H0 statements with {plan.positive} H1 statements for the subset "
        f"of statements and nodes with the highest {scan.score} score ({scan.tail} tail, alphas "
        f"{alphas_searched(scan)}, {scan.starts} starts).{halves} Returning every "
        f"statement would give precision {chance:.2f} and recall 1. AUROC: how well the share of "
        f"runs that return a statement tells H1 from H0.{extremes} "
        "Mean ± deviation over runs; `runs.csv` has every run, with the ids of its statements.\n\n"
        f"{table(header, rows)}\n\n"
        f"{pictures(figures['precision_recall'], 'precision and recall')}"
    )


def alphas_searched(scan) -> str:
    """The alphas of a scan, in words."""
    kinds = {
        "exact": "every one attained",
        "grid": "50 equal steps",
        "log": "geometric steps",
    }
    if scan.alphas not in kinds:
        return ", ".join(safe(part) for part in scan.alphas.split(","))
    least = f" from {scan.alpha_min:g}" if scan.alpha_min else ""
    return f"{kinds[scan.alphas]}{least} up to {scan.alpha_max:g}"


def nodes_section(part, figures) -> str:
    config = part.config
    signed = config.scan.tail == "signed"
    kind = "half-node (a node in one direction)" if signed else "node"
    what = (
        f"with q-value <= {config.node_q:g}"
        if config.scan.permutations
        else f"with frequency >= {config.threshold:g}"
    )
    header = ["", "place", "statements", "nodes", "in the set: high", "low",
              "family-wise p <= 0.05", "size of the set under permuted labels"]  # fmt: skip
    rows = []
    for name, scans in part.scans.items():
        for s in scans:
            inside = s.set_TC[0]
            high, low = (
                (int((inside & (s.directions_C == d)).sum()) for d in (1, -1))
                if signed
                else (int(inside.sum()), "")
            )
            calibrated = len(s.set_TC) > 1
            rows.append(
                [
                    safe(name), s.place, part_of(s), s.q_C.size // s.halves, high, low,
                    int((s.p_C <= 0.05).sum()) if calibrated else "-",
                    f"{s.set_TC[1:].sum(1).mean():.1f}" if calibrated else "-",
                ]
            )  # fmt: skip
    text = (
        "## Which nodes\n\n"
        f"The selection frequency of a {kind} is the share of runs that returned it; the node set "
        f"of a comparison holds those {what}. "
        + (
            "q is the share of false selections expected among those at least as frequent, and the "
            "family-wise p compares each frequency, in deviations of its own permutations, with "
            "the highest of every permutation. "
            if config.scan.permutations
            else ""
        )
        + f"`nodes.csv` has every one.\n\n{table(header, rows)}\n\n"
        f"{pictures(figures['selection_frequency'], 'selection frequency')}"
    )
    overlaps = [
        [
            place, listed(o.names), o.observed, f"{o.expected:.1f}", ratio(o), *null_of(o),
            o.exclusive,
        ]
        for place, found in part.overlaps.items()
        for o in found
    ]  # fmt: skip
    if overlaps:
        header = ["place", "node sets of", "shared nodes", "expected by chance", "ratio",
                  "under permutation", "permutation p", "hypergeometric p (exchangeable nodes)",
                  "in no other set"]  # fmt: skip
        text += (
            "\n\nSets share nodes by chance as well: independent sets of these sizes would share "
            "the number expected. A ratio near 1 is no sign of a common code.\n\n"
            f"{table(header, overlaps)}\n\n"
            f"{pictures(figures['upset'], 'exclusive intersections of node sets')}"
        )
    return text


def null_of(overlap) -> list[str]:
    values = (overlap.null_mean, overlap.p, overlap.p_hypergeometric)
    return ["-" if np.isnan(value) else f"{value:.3g}" for value in values]


def ratio(overlap) -> str:
    return f"{overlap.observed / overlap.expected:.2f}" if overlap.expected else "-"


def separation_section(part, figures) -> str:
    """What a probe and the cluster metrics see, which are told the labels."""
    metrics = ("probe_auroc", "silhouette", "calinski_harabasz", "davies_bouldin", "hull_distance")
    constant = {p for found in part.separation.values() for p, s in found.items() if s.constant}
    rows = []
    for name, found in part.separation.items():
        usable = {p: s for p, s in found.items() if not s.constant}
        best = max(usable, key=lambda p: usable[p].mean["probe_auroc"])
        accuracy, spread = part.wording[name]
        at_best = found[best]
        rows.append(
            [safe(name), f"{accuracy:.2f} ± {spread:.2f}", best]
            + [f"{at_best.mean[m]:.3g} ± {at_best.deviation[m]:.2g}" for m in metrics]
        )
    words = [accuracy for accuracy, _ in part.wording.values()]
    larger = [max(pair) / sum(pair) for pair in part.pool_sizes.values()]
    plan, (site, position) = part.config.separation, best_line(part)[0]
    header = ["", "wording, accuracy", "place of the best probe", "probe, AUROC", "silhouette",
              "Calinski-Harabasz", "Davies-Bouldin", "hull distance"]  # fmt: skip
    text = (
        f"## How far apart {apart(part.level)} lie\n\n"
        "A probe (logistic regression) is told the labels and held to new statements: AUROC 0.5 is "
        "chance. A bag of words knows wording alone: logistic regression on word counts reaches a "
        f"held-out accuracy of {min(words):.2f} to {max(words):.2f} (guessing always the larger "
        f"class: up to {max(larger):.2f}). The cluster metrics describe the first "
        f"{plan.components} principal components of both directions together, the hull distance "
        f"the first {plan.hull_components}, in units of activation; mean ± deviation over "
        f"{plan.seeds} seeds. `places.csv` has every place; these are the ones with the best "
        f"probe, which is chosen on what it is judged by:\n\n{table(header, rows)}"
    )
    if constant:
        where = ", ".join(sorted(map(str, constant)))
        text += f"\n\nConstant over the statements, so nothing to separate: {where}."
    return (
        f"{text}\n\n{pictures(figures['separation'], f'separation in {site}, {position}')}\n\n"
        "The statements themselves, in two components at an early, a middle and the furthest "
        "place. Clouds that overlap here may still be apart in other components.\n\n"
        f"{pictures(figures['pca'], 'statements in principal components')}"
    )


def limits_section(part) -> str:
    notes = []
    if not part.calibrations:
        notes.append(
            "Scores carry no p-value here: noise alone gives high scores and node sets that recur "
            "between runs, because all runs draw from the same statements. Compare precision with "
            "chance, and overlaps with the number expected, or set scan.permutations."
        )
    else:
        notes.append(
            "A place or node that passes tells the labels apart; what it encodes may be wording, "
            "length or topic as well as the persona. Compare with the accuracy of word counts."
        )
    notes.append(
        "The number expected for overlaps takes nodes as exchangeable and sets as independent; "
        "nodes of one layer are correlated, so real chance overlaps scatter more widely."
    )
    return "## What these numbers do not say\n\n" + "\n".join(f"- {note}" for note in notes)
